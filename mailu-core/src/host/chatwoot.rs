//! Connecting an inbox of Chatwoot's over its API.

use std::path::Path;

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::web::{Names, Web, legible};
use crate::apps::chatwoot::inbox::{self, Channel, Inbox, Plan, Removal};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;
use crate::secret::Secret;

const NAMES: Names = Names {
    app: "Chatwoot",
    url: "chatwoot.url",
    example: "https://chat.example.com",
    authorities: "chatwoot.authorities",
    plain_http: "chatwoot.plain_http",
    unreachable: "chatwoot.unreachable",
};

/// An account of a Chatwoot, and who works on it.
#[derive(Debug)]
pub struct Chatwoot {
    web: Web,
    account: u64,
    secret: Secret,
}

/// What Chatwoot answers: what was asked for, or why it refuses.
type Answer = Result<Value, String>;

impl Chatwoot {
    /// By the address of its site, the number of the account, and the access token of one of its administrators. `authorities` is a file with
    /// certificates (PEM) to trust beside those that browsers do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`]: `chatwoot.url`, `chatwoot.authorities`.
    pub fn new(
        url: &str,
        account: u64,
        secret: Secret,
        authorities: Option<&Path>,
    ) -> Result<Self, Error> {
        Ok(Self {
            web: Web::new(&NAMES, url, authorities)?,
            account,
            secret,
        })
    }

    /// The inbox with this address, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`]: `chatwoot.credentials`, `chatwoot.not_administrator`, `chatwoot.plain_http`; [`ErrorKind::NotFound`],
    /// `chatwoot.no_account`; [`ErrorKind::Io`], `chatwoot.unreachable`.
    pub fn look(&self, email: &EmailAddress) -> Result<Option<Inbox>, Error> {
        // Others see some of the inboxes, and of these too little to tell that.
        let profile = self.must(&Method::GET, "/api/v1/profile")?;
        let accounts = profile["accounts"].as_array().into_iter().flatten();
        let role = accounts
            .filter(|one| one["id"] == self.account)
            .find_map(|one| one["role"].as_str());
        match role {
            None => return Err(self.no_account()),
            Some("administrator") => {}
            Some(_) => return Err(inbox::not_administrator()),
        }
        let listed = self.must(&Method::GET, &self.path(None))?;
        inbox::find(&listed["payload"], email)
    }

    /// Does what is planned for `seen`, and looks whether Chatwoot has kept it. Where it refuses, the channel is what it was; an inbox that was
    /// made for it stays, connected to nothing.
    ///
    /// # Errors
    ///
    /// As [`Chatwoot::look`]; [`ErrorKind::Conflict`]: `chatwoot.refused` with what Chatwoot says, `chatwoot.not_kept`.
    pub fn apply(&self, plan: &Plan, seen: Option<&Inbox>) -> Result<Inbox, Error> {
        let before = match (seen, &plan.create) {
            (Some(seen), _) => seen.clone(),
            (None, Some(body)) => {
                let made = self
                    .ask(&Method::POST, &self.path(None), Some(body), &[])?
                    .map_err(|why| {
                        let error = self.refused("make the inbox", &why);
                        if why.contains("taken") {
                            error.hint("an inbox of another account of this Chatwoot has that address: remove it there, or give another address with `--from ADDRESS`")
                        } else {
                            error
                        }
                    })?;
                self.read(made["id"].as_u64().unwrap_or_default())?
            }
            (None, None) => {
                return Err(self.web.unreachable("the inbox is gone"));
            }
        };
        let Some(wanted) = &plan.channel else {
            return Ok(before);
        };
        if let Err(why) = self.change(before.id, wanted)? {
            let error = self
                .refused(&format!("connect the inbox {}", before.email), &why)
                .hint("Chatwoot logs in to the server as it saves: from inside of its container, the mail host has to lead to the server, at ports 465 (or 587) and 993");
            return Err(match self.put_back(&before, wanted)? {
                None => error,
                Some(hint) => error.hint(hint),
            });
        }
        let now = self.read(before.id)?;
        let lost = inbox::differing(&now.channel(), wanted);
        if lost.is_empty() {
            return Ok(now);
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "chatwoot.not_kept",
            format!(
                "connect the inbox {} at {}: Chatwoot did not keep {}",
                now.email,
                self.web.site(),
                lost.join(", ")
            ),
        )
        .hint("run the same command again; if that does not help, this version of Chatwoot has other settings"))
    }

    /// Chatwoot may keep what it refuses: it goes on after its answer. Says what is left to do.
    fn put_back(&self, before: &Inbox, wanted: &Channel) -> Result<Option<String>, Error> {
        let was: Channel = before
            .channel()
            .into_iter()
            .filter(|(key, _)| wanted.contains_key(key))
            .collect();
        if inbox::differing(&self.read(before.id)?.channel(), &was).is_empty() {
            return Ok(None);
        }
        // It tries that, too, and may refuse and keep it.
        let _ = self.change(before.id, &was)?;
        let left = inbox::differing(&self.read(before.id)?.channel(), &was);
        Ok((!left.is_empty()).then(|| {
            format!(
                "Chatwoot has kept some of what it refused: in the settings of the inbox {}, look at {}",
                before.email,
                left.join(", ")
            )
        }))
    }

    /// Takes an inbox out.
    ///
    /// # Errors
    ///
    /// As [`Chatwoot::apply`].
    pub fn remove(&self, seen: &Inbox, removal: &Removal) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        let Some(wanted) = &removal.channel else {
            return Ok(findings);
        };
        let mut wanted = wanted;
        if let Err(why) = self.change(seen.id, wanted)? {
            let kept = inbox::differing(&self.read(seen.id)?.channel(), wanted).is_empty();
            let what = if kept {
                "is connected to its former server again, though Chatwoot cannot log in there"
            } else {
                wanted = &removal.off;
                "is switched off: Chatwoot cannot log in to its former server"
            };
            findings.push(
                Finding::warning(
                    "chatwoot.former_server",
                    seen.email.as_str(),
                    format!("{what}: {why}"),
                )
                .hint("Chatwoot, Settings, Inboxes, Configuration has its servers"),
            );
            if !kept && let Err(why) = self.change(seen.id, wanted)? {
                return Err(self.refused(&format!("switch the inbox {} off", seen.email), &why));
            }
        }
        let left = inbox::differing(&self.read(seen.id)?.channel(), wanted);
        if left.is_empty() {
            return Ok(findings);
        }
        Err(self.refused(
            &format!("disconnect the inbox {}", seen.email),
            &format!("it did not keep {}", left.join(", ")),
        ))
    }

    fn change(&self, inbox: u64, channel: &Channel) -> Result<Answer, Error> {
        let body = json!({ "channel": channel });
        let secrets = inbox::secrets(channel);
        self.ask(
            &Method::PATCH,
            &self.path(Some(inbox)),
            Some(&body),
            &secrets,
        )
    }

    fn read(&self, inbox: u64) -> Result<Inbox, Error> {
        let value = self.must(&Method::GET, &self.path(Some(inbox)))?;
        Inbox::read(&value)?.ok_or_else(|| {
            self.web
                .unreachable("what it calls an inbox is none for e-mail")
        })
    }

    fn path(&self, inbox: Option<u64>) -> String {
        let all = format!("/api/v1/accounts/{}/inboxes", self.account);
        match inbox {
            Some(inbox) => format!("{all}/{inbox}"),
            None => all,
        }
    }

    /// What Chatwoot has no reason to refuse.
    fn must(&self, method: &Method, path: &str) -> Result<Value, Error> {
        self.ask(method, path, None, &[])?
            .map_err(|why| self.refused(&format!("{method} {path}"), &why))
    }

    /// One request. `secrets` are those in its body.
    fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        secrets: &[Secret],
    ) -> Result<Answer, Error> {
        let token = HeaderValue::try_from(self.secret.expose())
            .map_err(|_| self.credentials("it has characters that no HTTP header can have"))?;
        let (status, answer) = self
            .web
            .call(method, path, body, ("api_access_token", token))?;
        let mut hidden = vec![self.secret.expose()];
        hidden.extend(secrets.iter().map(Secret::expose));
        let said = ["message", "error"]
            .iter()
            .find_map(|key| answer[*key].as_str())
            .or_else(|| answer["errors"][0].as_str())
            .unwrap_or("it says no more");
        let said = legible(said, &hidden);
        match status {
            StatusCode::OK if answer.is_object() => Ok(Ok(answer)),
            StatusCode::UNAUTHORIZED if said.contains("do this action") => {
                Err(inbox::not_administrator())
            }
            StatusCode::UNAUTHORIZED if said.contains("access this account") => {
                Err(self.no_account())
            }
            StatusCode::UNAUTHORIZED => Err(self.credentials(&said)),
            StatusCode::NOT_FOUND if answer["error"].is_string() => Err(self.no_account()),
            StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::BAD_REQUEST
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::TOO_MANY_REQUESTS => Ok(Err(said)),
            other => Err(self.web.stranger(path, other)),
        }
    }

    fn refused(&self, what: &str, why: &str) -> Error {
        Error::new(
            ErrorKind::Conflict,
            "chatwoot.refused",
            format!("{what} at {}: Chatwoot answers: {why}", self.web.site()),
        )
    }

    fn credentials(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::InvalidInput,
            "chatwoot.credentials",
            format!("log in to Chatwoot at {}: {why}", self.web.site()),
        )
        .hint("the access token of an administrator stands in Chatwoot at the end of the page Profile settings")
        .hint("a proxy before Chatwoot must not drop the header api_access_token: nginx does without `underscores_in_headers on`")
    }

    fn no_account(&self) -> Error {
        Error::new(
            ErrorKind::NotFound,
            "chatwoot.no_account",
            format!(
                "look at account {} of Chatwoot at {}: whose token it is has no such account, or the inbox is gone",
                self.account,
                self.web.site()
            ),
        )
        .hint("the number stands in the address of its pages: /app/accounts/NUMBER; give it with `--api-account NUMBER`")
    }
}
