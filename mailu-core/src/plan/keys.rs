//! Secrets, DKIM keys and certificates: made once, never made again.

use std::collections::BTreeMap;

use super::deploy::{Planner, push};
use super::resolve::{invalid_input, secret_of, variable_of};
use super::{Action, CertificatePair, Content, Entry, Fresh, Record, Request};
use crate::certs;
use crate::dkim::{self, DkimKey};
use crate::dns::PublicKeys;
use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::hash::sha256;
use crate::secret::{Secret, Secrets};

impl Planner<'_> {
    pub(super) fn secrets(&mut self, fresh: &mut dyn Fresh) -> Result<Secrets, Error> {
        let mut secrets = Secrets::default();
        for name in Secrets::NAMES {
            let path = self.layout.secret(name);
            let there = self.observed.secrets.get(name);
            let mut value = match there.map(Entry::text) {
                None => None,
                Some(Some(text)) if !text.trim_end_matches(['\r', '\n']).is_empty() => {
                    Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
                }
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::Corrupt,
                        "secret.empty",
                        format!("read the secret {}: the file is empty or not text", path.display()),
                    )
                    .hint("restore it from a backup; secrets are never drawn twice, because data depends on them"));
                }
            };
            let given = match name {
                "admin_password" => self.request.admin_password.clone(),
                "relay_password" => self.request.relay_password.clone(),
                _ => None,
            }
            .or_else(|| self.adopted(self.request, name));
            let has_run = self.observed.entries.contains_key("data/admin/main.db");
            let wanted = match name {
                "relay_password" => self.config.relay.user.is_some(),
                // It is only noted here; another one would not be the account's.
                "admin_password" => !has_run,
                _ => true,
            };
            if name == "admin_password" && has_run && there.is_none() && given.is_some() {
                self.findings.push(Finding::notice(
                    "secret.only_noted",
                    path.display().to_string(),
                    "is only a note: the administrator's account keeps the password that it has",
                ));
            } else if name == "admin_password" && has_run && there.is_none() {
                self.findings.push(
                    Finding::notice(
                        "secret.note_lost",
                        path.display().to_string(),
                        "is gone; the administrator's account has its password as before",
                    )
                    .hint(format!(
                        "if nobody knows it: write a new one into that file (mode 0600), then `mailu show {} --reveal first_account | docker compose exec -T admin flask mailu config-import -u`",
                        self.config.options()
                    )),
                );
            }

            if value.is_none()
                && given.is_none()
                && wanted
                && let Some(found) = self.restored(name)?
            {
                self.check_given(name, &found, false)?;
                self.store_secret(name, Some(&found), "restored from mailu.env");
                value = Some(found);
            } else if let Some(given) = given {
                if value.as_ref() != Some(&given) {
                    self.check_given(name, &given, value.is_some())?;
                    let detail = if value.is_some() {
                        "replaced by the given one"
                    } else {
                        "as given"
                    };
                    self.store_secret(name, Some(&given), detail);
                    value = Some(given);
                }
            } else if value.is_none() && wanted {
                if name == "relay_password" {
                    self.findings.push(
                        Finding::error(
                            "relay.password_missing",
                            "relay.user",
                            format!("needs a password, and there is none in {}", path.display()),
                        )
                        .hint(format!(
                            "`mailu install {} --relay-password-file FILE` stores it",
                            self.config.options()
                        )),
                    );
                    continue;
                }
                let length = Secrets::length(name);
                value = fresh.secret(name, length);
                self.store_secret(name, value.as_ref(), &format!("{length} random characters"));
            } else if let Some(entry) = there
                && entry.mode & 0o077 != 0
            {
                let step = push(&mut self.steps, Action::SetMode, &path);
                step.mode = Some(0o600);
                step.detail = vec![format!("was {:04o}", entry.mode & 0o7777)];
            }
            if let Some(secret) = value {
                secrets.set(name, secret);
            }
        }
        if has_errors(&self.findings) {
            return Err(invalid_input(std::mem::take(&mut self.findings)));
        }
        Ok(secrets)
    }

    /// The secret whose file is gone, from `mailu.env`, where the server still has it.
    ///
    /// Nothing if there never was one, or if a new one is asked for.
    fn restored(&self, name: &str) -> Result<Option<Secret>, Error> {
        let Some(variable) = variable_of(name) else {
            return Ok(None);
        };
        let file = match self
            .entry("mailu.env")
            .and_then(Entry::text)
            .map(EnvFile::parse)
        {
            // That is complained of when the file is merged, before anything is written.
            Some(Err(_)) => return Ok(None),
            file => file.and_then(Result::ok),
        };
        let there = file
            .and_then(|file| file.get(variable).cloned())
            .filter(|value| !value.interpolates && !value.text.is_empty());
        let written = |record: &'_ Record| {
            record
                .env
                .get("mailu.env")
                .is_some_and(|base| base.contains(variable))
        };
        if let Some(value) = &there
            && (!self.bases.records().any(written)
                || self
                    .bases
                    .records()
                    .filter_map(|record| record.env.get("mailu.env"))
                    .any(|base| base.matches(variable, Some(&value.text))))
        {
            return Ok(Some(Secret::new(value.text.clone())));
        }
        // A run that was interrupted may have noted what it did not come to store.
        let existed = self.bases.committed.as_ref().is_some_and(written);
        if !existed || self.request.reset.contains(variable) {
            return Ok(None);
        }
        let path = self.layout.secret(name);
        let error = Error::new(
            ErrorKind::Corrupt,
            "secret.lost",
            format!(
                "find the secret {}: the file is gone, and {}",
                path.display(),
                if there.is_some() {
                    format!("mailu.env holds another {variable} than the one that was written last")
                } else {
                    format!("mailu.env, which held it as {variable}, no longer does")
                }
            ),
        )
        .hint(format!("restore {} from a backup", path.display()));
        let error = if there.is_some() && self.adoptable(variable) {
            error.hint(format!("`--adopt {variable}` keeps the one in mailu.env"))
        } else {
            error
        };
        Err(match name {
            "relay_password" => error.hint(format!(
                "`mailu install {} --relay-password-file FILE` stores it anew",
                self.config.options()
            )),
            "secret_key" => error.hint(format!("`--reset {variable}` draws a new one, which ends every session, breaks forwarded addresses and makes what the webmail keeps encrypted unreadable")),
            _ => error.hint(format!("`--reset {variable}` draws a new one, which its users must be given")),
        })
    }

    /// The secret that `--adopt` takes from an edited file.
    pub(super) fn adopted(&self, request: &Request, name: &str) -> Option<Secret> {
        let variable = request
            .adopt
            .iter()
            .find(|variable| secret_of(variable) == Some(name))?;
        let file = EnvFile::parse(self.entry("mailu.env")?.text()?).ok()?;
        Some(Secret::new(file.get(variable)?.text.clone()))
    }

    pub(super) fn check_given(
        &self,
        name: &str,
        given: &Secret,
        replaces: bool,
    ) -> Result<(), Error> {
        let subject = name.replace('_', " ");
        let fail = |message: String, hint: &str| {
            Err(Error::new(ErrorKind::InvalidInput, "secret.refused", message).hint(hint))
        };
        if given.expose().chars().any(char::is_control)
            || given.expose().is_empty()
            || given.expose().ends_with('\\')
        {
            return fail(
                format!(
                    "take the given {subject}: it is empty, has line breaks or control characters, or ends in a backslash"
                ),
                "give it as one line",
            );
        }
        if name == "admin_password" {
            if given.expose().chars().count() < 8 {
                return fail(
                    format!(
                        "take the given {subject}: Mailu refuses passwords of fewer than 8 characters"
                    ),
                    "give a longer one, or none to have one drawn",
                );
            }
            if replaces && self.observed.entries.contains_key("data/admin/main.db") {
                return fail(
                    format!(
                        "replace the {subject}: the account exists already, and this would only change the note of its password"
                    ),
                    "change it in the admin interface, then install without a password",
                );
            }
        }
        Ok(())
    }

    pub(super) fn store_secret(&mut self, name: &str, value: Option<&Secret>, detail: &str) {
        let path = self.layout.secret(name);
        let there = self.observed.secrets.get(name);
        let step = push(&mut self.steps, Action::StoreSecret, &path);
        step.mode = Some(there.map_or(0o600, |entry| entry.kept_mode(0o600)));
        step.owner = there.map(|entry| (entry.uid, entry.gid));
        step.detail = vec![detail.to_owned()];
        step.content = value.map(|secret| Content(format!("{}\n", secret.expose()).into_bytes()));
    }

    pub(super) fn keys(&mut self, fresh: &mut dyn Fresh) -> Result<PublicKeys, Error> {
        let mut keys = BTreeMap::new();
        let mut lost = Vec::new();
        // A key of a domain that is gone for now may be needed again: its record may still be published.
        self.next.dkim = self
            .bases
            .committed
            .as_ref()
            .map(|record| record.dkim.clone())
            .unwrap_or_default();
        self.findings.extend(self.needless_keys());
        // Once admin has run, the directory is its user's, who must be able to read a key that is added later.
        let owner = self.entry("data/dkim").map(|entry| (entry.uid, entry.gid));
        for domain in self.config.domains() {
            let name = dkim::file_name(domain, &self.config.dns.selector);
            let relative = format!("data/dkim/{name}");
            let published = format!("{}._domainkey.{domain}", self.config.dns.selector);
            // What an interrupted run noted may never have been made.
            let recorded = self.next.dkim.contains_key(&name);
            let key = if let Some(entry) = self.entry(&relative) {
                self.hide(&relative);
                let pem = entry.text().unwrap_or_default();
                Some(DkimKey::from_pem(pem).map_err(|error| {
                    Error::new(
                        ErrorKind::Corrupt,
                        "dkim.unreadable",
                        format!("read the DKIM key {}", self.layout.file(&relative).display()),
                    )
                    .source(error)
                    .hint("restore the file from a backup")
                    .hint(format!("or move it away, make a new key with `--new-dkim-key {domain}`, and publish its DNS record"))
                })?)
            } else {
                let confirmed = self.request.new_dkim_key.contains(domain);
                if recorded && !confirmed {
                    lost.push((domain, self.layout.file(&relative)));
                    continue;
                }
                if recorded {
                    self.findings.push(
                        Finding::warning(
                            "dkim.new_key",
                            relative.as_str(),
                            format!("is made anew: the DNS record {published} changes, and receivers refuse what is signed until it is published"),
                        )
                        .hint(format!("`{}` prints it", self.layout.command("dns"))),
                    );
                }
                let key = fresh.dkim(domain)?;
                let step = self.step(Action::CreateKey, &relative);
                step.mode = Some(0o600);
                step.owner = owner;
                step.detail = vec![format!("{}-bit RSA", dkim::BITS)];
                step.content = key
                    .as_ref()
                    .map(|k| Content(k.pem().expose().as_bytes().to_vec()));
                key
            };
            if let Some(key) = key {
                let text = key.txt()?;
                let hash = sha256(text.as_bytes());
                if recorded
                    && self.entry(&relative).is_some()
                    && !self
                        .bases
                        .records()
                        .any(|r| r.dkim.get(&name) == Some(&hash))
                {
                    self.findings.push(
                        Finding::warning(
                            "dkim.replaced",
                            relative.as_str(),
                            format!("is another key than before: the DNS record {published} changes, and receivers refuse what is signed until it is published"),
                        )
                        .hint(format!("`{}` prints it", self.layout.command("dns"))),
                    );
                }
                self.next.dkim.insert(name, hash);
                keys.insert(domain.clone(), text);
            }
        }
        if lost.is_empty() {
            return Ok(keys);
        }
        let paths: Vec<String> = lost
            .iter()
            .map(|(_, path)| path.display().to_string())
            .collect();
        let mut error = Error::new(
            ErrorKind::Corrupt,
            "dkim.lost",
            format!(
                "find the DKIM key {}: it was in place, and is gone; the published DNS record fits no other key",
                paths.join(" and ")
            ),
        );
        for (domain, path) in lost {
            error = error
                .hint(format!("restore {} from a backup", path.display()))
                .hint(format!(
                    "or give it up with `--new-dkim-key {domain}`, and publish the new DNS record"
                ));
        }
        Err(error)
    }

    /// Domains after `--new-dkim-key` that need none.
    fn needless_keys(&self) -> Vec<Finding> {
        self.request
            .new_dkim_key
            .iter()
            .filter_map(|domain| {
                if !self.config.domains().any(|known| known == domain) {
                    return Some(
                        Finding::warning(
                            "dkim.unknown_domain",
                            domain.as_str(),
                            "is no email domain of this deployment, so it has no DKIM key",
                        )
                        .hint("name one of `email_domain` and `email_domains`"),
                    );
                }
                let name = dkim::file_name(domain, &self.config.dns.selector);
                let relative = format!("data/dkim/{name}");
                self.entry(&relative)?;
                Some(
                    Finding::warning(
                        "dkim.in_place",
                        relative.as_str(),
                        "is in place and stays: a key that works is never given up",
                    )
                    .hint("to replace it, move it away first"),
                )
            })
            .collect()
    }

    pub(super) fn certificate(&mut self, fresh: &mut dyn Fresh) -> Result<(), Error> {
        let there = PAIR.map(|(path, _)| self.entry(path).and_then(|e| e.content.as_deref()));
        let hashes = |record: Option<&Record>, of: fn(&Record) -> &BTreeMap<String, String>| {
            record.map(of).cloned().unwrap_or_default()
        };
        // What an interrupted run noted counts once it is in place.
        let noted = |of: fn(&Record) -> &BTreeMap<String, String>| {
            let pending = hashes(self.bases.pending.as_ref(), of);
            if is_pair(&there, &pending) {
                pending
            } else {
                hashes(self.bases.committed.as_ref(), of)
            }
        };
        let (seeded, taken) = (noted(|r| &r.seeded), noted(|r| &r.taken));
        self.hide(PAIR[0].0);
        self.next.seeded.clone_from(&seeded);
        self.next.taken.clone_from(&taken);

        if !self.config.tls.mode.needs_seed() {
            return Ok(());
        }

        let known: Vec<&BTreeMap<String, String>> = self
            .bases
            .records()
            .flat_map(|record| [&record.seeded, &record.taken])
            .collect();
        let made_here = self
            .observed
            .pair_in_place
            .is_some_and(|pair| pair.self_signed);
        let recorded = PAIR.iter().zip(&there).all(|((path, _), content)| {
            content.is_none_or(|bytes| {
                let hash = sha256(bytes);
                known.iter().any(|hashes| hashes.get(*path) == Some(&hash))
            })
        });
        // Every file that is there was put there by us.
        let ours = recorded || made_here;
        // A run that was interrupted between the two leaves a key and a certificate that do not belong together.
        let mixed = recorded && !known.iter().any(|hashes| is_pair(&there, hashes));
        let complete = there.iter().all(Option::is_some) && !mixed;
        let is = |pair: &CertificatePair| {
            there
                == [
                    Some(pair.key.expose().as_bytes()),
                    Some(pair.certificate.as_bytes()),
                ]
        };
        if let Some(pair) = &self.observed.certificate {
            self.next.taken = hashed(pair);
            if !is(pair) {
                if !ours {
                    self.keep_pair();
                }
                self.store_pair(Some(pair), "from tls.certificate and tls.key");
            }
            return Ok(());
        }
        if let Some(pair) = &self.observed.traefik_certificate {
            if is(pair) || ours {
                self.next.taken = hashed(pair);
                if !is(pair) {
                    self.store_pair(Some(pair), "from Traefik's store");
                    return Ok(());
                }
            } else {
                self.findings.push(
                    Finding::notice(
                        "acme.kept",
                        "data/certs/cert.pem",
                        "and key.pem were put there by hand and stay; Traefik's are others",
                    )
                    .hint(format!(
                        "to take Traefik's: move data/certs/cert.pem and key.pem away, then `{}`",
                        self.layout.command("certs sync")
                    )),
                );
            }
        } else if !complete {
            self.seed(&there, ours, fresh)?;
        }
        let days_left = self.observed.pair_in_place.map(|pair| pair.days_left);
        self.findings.extend(certs::serving(
            self.layout,
            self.config,
            days_left,
            !complete || made_here,
        ));
        Ok(())
    }

    /// A private key is for its owner alone. Its group may be a container's, and stays.
    fn hide(&mut self, relative: &str) {
        let Some(entry) = self.entry(relative).filter(|entry| entry.mode & 0o007 != 0) else {
            return;
        };
        let mode = entry.mode & 0o770;
        let step = self.step(Action::SetMode, relative);
        step.mode = Some(mode);
        step.detail = vec![format!(
            "was {:04o}; it is a private key",
            entry.mode & 0o7777
        )];
    }

    /// A self-signed pair where there is none.
    fn seed(
        &mut self,
        there: &[Option<&[u8]>; 2],
        ours: bool,
        fresh: &mut dyn Fresh,
    ) -> Result<(), Error> {
        // Half a pair is ours to replace only if an interrupted run was about to make it.
        if !ours {
            let missing = if there[0].is_none() {
                "key.pem"
            } else {
                "cert.pem"
            };
            let finding = Finding::error(
                "tls.half_pair_on_disk",
                format!("data/certs/{missing}"),
                "is missing, while the other file of the pair is there: front's Dovecot does not start, and a new pair would overwrite the one that is left",
            )
            .hint(format!("put {missing} back, or move the other file away to have a self-signed pair made"));
            return Err(invalid_input(vec![finding]));
        }
        let names: Vec<String> = self
            .config
            .public_names()
            .map(ToString::to_string)
            .collect();
        let pair = fresh.certificate(&names)?;
        if let Some(pair) = &pair {
            self.next.seeded = hashed(pair);
        }
        self.store_pair(pair.as_ref(), "self-signed, until there is a real one");
        Ok(())
    }

    /// A key that somebody put there may be the only one of its kind.
    fn keep_pair(&mut self) {
        for (path, _) in PAIR {
            if self.entry(path).is_some() {
                self.keep_copy(path);
            }
        }
    }

    /// The key first: front reads both when the certificate changes.
    fn store_pair(&mut self, pair: Option<&CertificatePair>, detail: &str) {
        for (path, mode) in PAIR {
            let exists = self.entry(path).is_some();
            let step = self.step(Action::StoreCertificate, path);
            step.mode = Some(mode);
            step.detail = vec![if exists {
                format!("{detail}; replaced")
            } else {
                detail.to_owned()
            }];
            step.content = pair.map(|CertificatePair { certificate, key }| {
                Content(if path.ends_with("key.pem") {
                    key.expose().as_bytes().to_vec()
                } else {
                    certificate.as_bytes().to_vec()
                })
            });
        }
    }
}

/// Where front reads key and certificate, with their modes.
pub(super) const PAIR: [(&str, u32); 2] = [
    ("data/certs/key.pem", 0o600),
    ("data/certs/cert.pem", 0o644),
];

fn hashed(pair: &CertificatePair) -> BTreeMap<String, String> {
    PAIR.iter()
        .zip([pair.key.expose(), &pair.certificate])
        .map(|((path, _), text)| ((*path).to_owned(), sha256(text.as_bytes())))
        .collect()
}

/// Whether the files are those of a record.
pub(super) fn is_pair(there: &[Option<&[u8]>; 2], recorded: &BTreeMap<String, String>) -> bool {
    PAIR.iter().zip(there).all(|((path, _), content)| {
        content.is_some_and(|bytes| recorded.get(*path) == Some(&sha256(bytes)))
    })
}
