//! Connecting a site of Frappe's over its REST API.

use std::path::Path;

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use rand_core::OsRng;
use serde_json::Value;

use super::web::{Names, Web, legible};
use crate::apps::Profile;
use crate::apps::frappe::rest::{
    self, ACCOUNT, DOMAIN, Document, DomainWish, Plan, Record, Seen, Step,
};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::secret::Secret;

const NAMES: Names = Names {
    app: "ERPNext",
    url: "erpnext.url",
    example: "https://erp.example.com",
    authorities: "erpnext.authorities",
    plain_http: "erpnext.plain_http",
    unreachable: "erpnext.unreachable",
};

/// A site of Frappe's, and who works on it.
#[derive(Debug)]
pub struct ErpNext {
    web: Web,
    secret: Secret,
    header: Secret,
}

/// What became of a site's documents.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErpNextDone {
    /// Whether the Email Domain was made.
    pub domain_made: bool,
    /// What needs an eye.
    pub findings: Vec<Finding>,
}

/// What became of a site's documents when they were taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErpNextRemoved {
    /// What differs now: fields of the account, and `Email Domain` where that is gone.
    pub changes: Vec<String>,
    /// Why the Email Domain has stayed.
    pub kept: Option<String>,
    /// The account that is the default again, or why it is not.
    pub default: Option<Result<String, String>>,
}

/// What Frappe answers: what was asked for, nothing where it is not there, or why it refuses.
type Answer = Result<Option<Value>, String>;

impl ErpNext {
    /// By the address of its site, with API key and API secret of a System Manager: `token` has both with a colon between, or the secret alone
    /// where `user` is the key. `authorities` is a file with certificates (PEM) to trust beside those that browsers do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`]: `erpnext.url`, `erpnext.authorities`, `erpnext.credentials`.
    pub fn new(
        url: &str,
        user: Option<&str>,
        token: &Secret,
        authorities: Option<&Path>,
    ) -> Result<Self, Error> {
        let header = rest::credentials(user, token.expose())?;
        let secret = header.rsplit(':').next().unwrap_or_default();
        Ok(Self {
            web: Web::new(&NAMES, url, authorities)?,
            secret: Secret::new(secret),
            header: Secret::new(&*header),
        })
    }

    /// What has to be done. Nothing is. `ours` says that the Email Domain was made by us.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] where the profile breaks a rule; `erpnext.credentials`, `erpnext.not_manager`, `erpnext.plain_http`;
    /// [`ErrorKind::Io`], `erpnext.unreachable`; [`ErrorKind::Conflict`], `erpnext.refused`.
    pub fn plan(
        &self,
        profile: &Profile,
        wish: DomainWish,
        ours: bool,
        record: Option<&Record>,
    ) -> Result<Plan, Error> {
        let salt = Secret::draw(&mut OsRng, 22);
        let seen = self.seen(profile)?;
        rest::plan(&seen, profile, wish, ours, record, salt.expose())
    }

    fn seen(&self, profile: &Profile) -> Result<Seen, Error> {
        let listed = self.listed()?;
        let mut seen = Seen::default();
        let name = rest::choose(&listed, &profile.from);
        if let Some(name) = name {
            seen.account = self.read(ACCOUNT, name)?;
        }
        seen.default = rest::default(&listed, name.unwrap_or_default()).map(str::to_owned);
        seen.domain = self.read(DOMAIN, &profile.from.domain().to_string())?;
        Ok(seen)
    }

    /// Does it, and looks whether Frappe has kept it. An Email Domain that is refused is none of the account's business.
    ///
    /// # Errors
    ///
    /// As [`ErpNext::plan`]; [`ErrorKind::Conflict`], `erpnext.not_kept`.
    pub fn apply(
        &self,
        profile: &Profile,
        wish: DomainWish,
        ours: bool,
        record: Option<&Record>,
    ) -> Result<ErpNextDone, Error> {
        let mut plan = self.plan(profile, wish, ours, record)?;
        let mut done = ErpNextDone {
            domain_made: false,
            findings: Vec::new(),
        };
        if let Some(step) = &plan.domain {
            match self.save(step)? {
                Ok(()) => done.domain_made = step.create,
                Err(why) => {
                    done.findings.push(rest::domain_refused(&step.name, &why));
                    plan = self.plan(profile, DomainWish::Refused, ours, record)?;
                }
            }
        }
        if let Some(step) = &plan.account {
            self.save(step)?
                .map_err(|why| self.refused(&format!("save the Email Account {}", step.name), &why)
                    .hint("Frappe logs in to the server as it saves: from inside of its container, the mail host has to lead to the server")
                    .hint("the account that was the default is saved with it: where its own server does not answer any more, switch it off first"))?;
        }
        Ok(done)
    }

    /// Saves a document, and looks whether it is as it was sent.
    fn save(&self, step: &Step) -> Result<Result<(), String>, Error> {
        let body = Value::Object(step.fields.clone());
        let answer = if step.create {
            self.ask(&Method::POST, &resource(step.doctype, None), Some(&body))?
        } else {
            let path = resource(step.doctype, Some(&step.name));
            self.ask(&Method::PUT, &path, Some(&body))?
        };
        if let Err(why) = answer {
            return Ok(Err(why));
        }
        let saved = self.read(step.doctype, &step.name)?.unwrap_or_default();
        let lost = if saved.is_empty() {
            vec!["name".to_owned()]
        } else {
            rest::lost(&saved, &step.fields)
        };
        if lost.is_empty() {
            return Ok(Ok(()));
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "erpnext.not_kept",
            format!(
                "save the {} {} at {}: Frappe did not keep {}",
                step.doctype,
                step.name,
                self.web.site(),
                lost.join(", ")
            ),
        )
        .hint("look at that document in ERPNext: a custom script or its Email Domain may have other values"))
    }

    /// Switches the account off, has `former` be the default again where ours was it, and takes the Email Domain away if `made` (its name) is given, no
    /// other account refers to it, and it is as it was made.
    ///
    /// # Errors
    ///
    /// As [`ErpNext::plan`].
    pub fn remove(
        &self,
        account: &str,
        made: Option<&str>,
        former: Option<&str>,
        profile: &Profile,
        dry_run: bool,
    ) -> Result<ErpNextRemoved, Error> {
        let mut removed = ErpNextRemoved {
            changes: Vec::new(),
            kept: None,
            default: None,
        };
        if let Some(there) = self.read(ACCOUNT, account)? {
            let fields = rest::off(&there, made);
            removed.changes.extend(fields.keys().cloned());
            if !fields.is_empty() && !dry_run {
                let step = Step::changing(ACCOUNT, account, fields);
                self.save(&step)?
                    .map_err(|why| self.refused(&format!("switch {account} off"), &why))?;
            }
        }
        if removed
            .changes
            .iter()
            .any(|field| field == "default_outgoing")
            && let Some(former) = former
        {
            removed.default = self.default_again(account, former, dry_run)?;
        }
        let Some(made) = made else { return Ok(removed) };
        let Some(there) = self.read(DOMAIN, made)? else {
            return Ok(removed);
        };
        let listed = self.listed()?;
        let users = rest::users(&listed, made, account);
        let edited = rest::edited(&there, profile);
        if !users.is_empty() {
            removed.kept = Some(format!("{} refer to it", users.join(", ")));
        } else if !edited.is_empty() {
            removed.kept = Some(format!("somebody has changed its {}", edited.join(", ")));
        } else {
            removed.changes.push(DOMAIN.to_owned());
            if !dry_run {
                let path = resource(DOMAIN, Some(made));
                // Whatever else refers to it, Frappe knows.
                if let Err(why) = self.ask(&Method::DELETE, &path, None)? {
                    removed.changes.pop();
                    removed.kept = Some(why);
                }
            }
        }
        Ok(removed)
    }

    /// What was the default before ours is it again, if that sends, and if there is no other by now.
    fn default_again(
        &self,
        own: &str,
        former: &str,
        dry_run: bool,
    ) -> Result<Option<Result<String, String>>, Error> {
        if rest::default(&self.listed()?, own).is_some() {
            return Ok(None);
        }
        let there = self.read(ACCOUNT, former)?;
        let Some(fields) = there.as_ref().and_then(rest::again) else {
            return Ok(None);
        };
        if dry_run {
            return Ok(Some(Ok(former.to_owned())));
        }
        let saved = self.save(&Step::changing(ACCOUNT, former, fields))?;
        Ok(Some(saved.map(|()| former.to_owned())))
    }

    /// All accounts, with what tells them apart.
    fn listed(&self) -> Result<Vec<Document>, Error> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair(
            "fields",
            r#"["name","email_id","domain","default_outgoing"]"#,
        );
        query.append_pair("limit_page_length", "0");
        let path = format!("{}?{}", resource(ACCOUNT, None), query.finish());
        let answer = self.must(&path)?.unwrap_or_default();
        let all = answer["data"].as_array().into_iter().flatten();
        Ok(all.filter_map(Value::as_object).cloned().collect())
    }

    fn read(&self, doctype: &str, name: &str) -> Result<Option<Document>, Error> {
        let answer = self.must(&resource(doctype, Some(name)))?;
        Ok(answer.and_then(|mut answer| match answer["data"].take() {
            Value::Object(document) => Some(document),
            _ => None,
        }))
    }

    /// What Frappe has no reason to refuse.
    fn must(&self, path: &str) -> Result<Option<Value>, Error> {
        self.ask(&Method::GET, path, None)?
            .map_err(|why| self.refused("look at its Email Accounts", &why))
    }

    fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        let header = HeaderValue::try_from(self.header.expose())
            .map_err(|_| self.credentials("it has characters that no HTTP header can have"))?;
        let (status, answer) = self
            .web
            .call(method, path, body, ("authorization", header))?;
        let password = body.and_then(|body| body["password"].as_str());
        let hidden = [self.secret.expose(), password.unwrap_or_default()];
        let said = legible(&rest::said(&answer), &hidden);
        match status {
            StatusCode::OK | StatusCode::ACCEPTED if answer.is_object() => Ok(Ok(Some(answer))),
            StatusCode::UNAUTHORIZED => Err(self.credentials(&said)),
            StatusCode::FORBIDDEN => Err(Error::new(
                ErrorKind::InvalidInput,
                "erpnext.not_manager",
                format!(
                    "{method} {path} at {}: ERPNext answers: {said}",
                    self.web.site()
                ),
            )
            .hint("whose API key it is has to have the role System Manager")),
            StatusCode::NOT_FOUND if answer["exc_type"] == "DoesNotExistError" => Ok(Ok(None)),
            StatusCode::CONFLICT
            | StatusCode::EXPECTATION_FAILED
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::TOO_MANY_REQUESTS => Ok(Err(said)),
            other => Err(self.web.stranger(path, other)),
        }
    }

    fn refused(&self, what: &str, why: &str) -> Error {
        Error::new(
            ErrorKind::Conflict,
            "erpnext.refused",
            format!("{what} at {}: ERPNext answers: {why}", self.web.site()),
        )
    }

    fn credentials(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::InvalidInput,
            "erpnext.credentials",
            format!("log in to ERPNext at {}: {why}", self.web.site()),
        )
        .hint("ERPNext makes key and secret: User, Settings, API Access, Generate Keys; the user has to be a System Manager")
    }
}

/// `/api/resource/Email%20Account/NAME`.
fn resource(doctype: &str, name: Option<&str>) -> String {
    let escaped = |text: &str| -> String {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        text.replace('+', "%20")
    };
    let all = format!("/api/resource/{}", escaped(doctype));
    match name {
        Some(name) => format!("{all}/{}", escaped(name)),
        None => all,
    }
}
