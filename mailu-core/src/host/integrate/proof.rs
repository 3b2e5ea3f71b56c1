//! A message that the app itself sends.

use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore as _};

use super::frappe;
use super::{Integrated, Proof, Target, Work};
use crate::apps::{Profile, Sender};
use crate::error::Error;
use crate::finding::{Finding, has_errors};
use crate::host::engine::Docker;
use crate::host::{pause, status};

/// How long a message may take into a mailbox of the same server.
const ARRIVAL: Duration = Duration::from_secs(90);

/// How long Dovecot may take for one command.
const LOOK: Duration = Duration::from_secs(30);

impl Work<'_> {
    /// A message that the app itself sends.
    pub(super) fn prove(
        &self,
        target: &Target,
        profile: &Profile,
        sender: &Sender,
        done: &mut Integrated,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        match target {
            Target::WordPress(site, _) => {
                said(&format!("having {} send to {}", site.domain, sender.login));
                let sent = self
                    .mailu
                    .wordpress_verify(site, profile, Some(&sender.login))?;
                done.findings.extend(sent.findings.clone());
                if has_errors(&done.findings) {
                    return Ok(());
                }
                done.proof = Proof::Sent;
                said(&format!("waiting for it in {}", sender.login));
                self.has_arrived(
                    &sender.login.to_string(),
                    "X-Agency-Probe",
                    &sent.mark,
                    done,
                )?;
            }
            Target::Listmonk(listmonk, more) => {
                let record = self
                    .known
                    .get(&self.key)
                    .and_then(|known| known.listmonk.as_ref());
                let with_api = self.options.api.is_some().then_some(&sender.login);
                said("asking Listmonk");
                let sent = listmonk.verify(profile, more, record, with_api)?;
                for finding in sent.findings {
                    if !done.findings.contains(&finding) {
                        done.findings.push(finding);
                    }
                }
                if !sent.good && !has_errors(&done.findings) {
                    done.findings.push(Finding::error(
                        "app.not_as_wanted",
                        &more.instance,
                        "is not as it was asked to be",
                    ));
                }
                if sent.sent == Some(true) {
                    done.proof = Proof::Sent;
                }
            }
            Target::Frappe { container, site } => {
                let login = sender.login.to_string();
                let mark = format!("Test message of {site} ({:016x})", OsRng.next_u64());
                said(&format!("having {site} send to {login}"));
                frappe::ask(container, site, profile, false, &["send", &login, &mark])?;
                done.proof = Proof::Sent;
                said(&format!("waiting for it in {login}"));
                self.has_arrived(&login, "Subject", &mark, done)?;
            }
            Target::Chatwoot(_) | Target::ErpNext(_) | Target::File(..) | Target::Own(..) => {}
        }
        Ok(())
    }

    fn has_arrived(
        &self,
        login: &str,
        field: &str,
        mark: &str,
        done: &mut Integrated,
    ) -> Result<(), Error> {
        if let Err(why) = self.arrived(login, field, mark)? {
            let hint = format!(
                "`mailu logs {} --tail 50 smtp` says where it is",
                self.config.options()
            );
            done.findings
                .push(Finding::warning("app.not_arrived", &done.login, why).hint(hint));
        } else {
            done.proof = Proof::Arrived;
        }
        Ok(())
    }

    /// Waits for a message with this mark in a mailbox of the server, and takes it away; or says why it did not come.
    pub(super) fn arrived(
        &self,
        login: &str,
        field: &str,
        mark: &str,
    ) -> Result<Result<(), String>, Error> {
        let docker = Docker::connect()?;
        let all = docker.project(&status::project(self.layout, &self.config))?;
        let Some(imap) = pause::running(&all, "imap") else {
            return Ok(Err("imap does not run, so nobody can look".to_owned()));
        };
        let search = [
            "doveadm", "search", "-u", login, "mailbox", "*", "header", field, mark,
        ];
        let until = Instant::now() + ARRIVAL;
        loop {
            let found = docker.execute(&imap.name, &search, None, LOOK)?;
            if found.code == 0 && !found.out.trim().is_empty() {
                let mut expunge = search;
                expunge[1] = "expunge";
                docker.execute(&imap.name, &expunge, None, LOOK)?;
                return Ok(Ok(()));
            }
            if Instant::now() > until {
                return Ok(Err(format!(
                    "the server took the message, which did not come into the mailbox within {} s",
                    ARRIVAL.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
