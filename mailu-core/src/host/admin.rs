//! Mailu's admin service: its REST API, and its commands.
//!
//! The API is asked at the container's own address, port 8080, which this host reaches whether `services.api` is on or not. The token is the
//! one that the container was started with: five wrong ones would lock this host out for an hour.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::engine::{Docker, Executed};
use super::{operate, pause, ready, status};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::paths::Layout;
use crate::secret::Secret;
use crate::start;

const PORT: u16 = 8080;

/// How long the API may take for one answer: it hashes passwords, and lists all users at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer that is read.
const LARGEST: usize = 256 << 20;

/// How long `flask mailu` may take.
pub(super) const FLASK_PATIENCE: Duration = Duration::from_secs(180);

/// How many lines of what it said are shown.
pub(super) const SHOWN_LINES: usize = 12;

/// Runs `flask mailu …` in an admin container. Secrets go through `input`.
pub(super) fn flask(
    docker: &Docker,
    container: &str,
    arguments: &[&str],
    input: Option<&[u8]>,
    patience: Duration,
) -> Result<Executed, Error> {
    let mut command = vec!["flask", "mailu"];
    command.extend(arguments);
    // As root it would leave files that admin itself cannot change.
    docker.execute_as(container, Some("mailu"), &command, input, patience)
}

/// Mailu's domains and users, as far as it can be asked for them.
pub(super) fn exported(
    docker: &Docker,
    container: &str,
    patience: Duration,
) -> Result<(Option<start::Accounts>, Executed), Error> {
    let export = ["config-export", "-j", "domain", "user"];
    let ran = flask(docker, container, &export, None, patience)?;
    Ok((start::accounts(&ran.out), ran))
}

/// The last lines of what a command said, without secrets.
pub(super) fn last_lines(said: &str, hide: impl Fn(&str) -> String) -> String {
    let lines: Vec<String> = said.lines().map(hide).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n  ")
}

/// The admin service of a deployment that runs.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) docker: Docker,
    /// Its container.
    pub(super) container: String,
    address: SocketAddr,
    token: Secret,
    /// `/api/v1`
    base: String,
    /// The cost of bcrypt for new passwords.
    pub(super) rounds: u32,
    secrets: Vec<Secret>,
}

/// What the API answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    body: Value,
}

impl Admin {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`] without an engine, [`ErrorKind::Conflict`] if it does not run.
    pub(super) fn open(layout: &Layout, config: &Config) -> Result<Self, Error> {
        let docker = Docker::connect()?;
        let project = status::project(layout, config);
        let all = docker.project(&project)?;
        if all.is_empty() {
            return Err(operate::no_containers(
                layout,
                config,
                "look at the accounts of",
            ));
        }
        let options = config.options();
        let Some(container) = pause::running(&all, "admin") else {
            return Err(Error::new(
                ErrorKind::Conflict,
                "service.not_running",
                format!("ask admin of {}: it does not run", config.mail_host),
            )
            .hint(format!("`mailu start {options}` starts it")));
        };
        let environment = |name: &str| {
            let value = container.environment.get(name);
            value.filter(|text| !text.is_empty()).cloned()
        };
        let main = format!("{project}_default");
        let address = container
            .networks
            .get(&main)
            .copied()
            .flatten()
            .or_else(|| container.networks.values().copied().flatten().next());
        let unreachable = |why: &str| {
            Error::new(
                ErrorKind::Docker,
                "admin.unreachable",
                format!("ask admin of {}: {why}", config.mail_host),
            )
        };
        let address = address.ok_or_else(|| {
            unreachable("its container has no address")
                .hint(format!("`mailu restart {options} admin` may give it one"))
        })?;
        let token = environment("API_TOKEN").ok_or_else(|| {
            unreachable("it was started without a token for its API")
                .hint(format!("`mailu apply {options}` gives it one"))
        })?;
        let path = environment("WEB_API").unwrap_or_else(|| "/api".to_owned());
        Ok(Self {
            container: container.name.clone(),
            address: SocketAddr::new(address, PORT),
            token: Secret::new(token),
            base: format!("{}/v1", path.trim_end_matches('/')),
            rounds: environment("CREDENTIAL_ROUNDS")
                .and_then(|text| text.parse().ok())
                .filter(|rounds| (4..=31).contains(rounds))
                .unwrap_or(12),
            secrets: ready::secrets(layout),
            docker,
        })
    }

    /// What a thing is; nothing if there is no such.
    pub(super) fn get(&self, path: &[&str]) -> Result<Option<Value>, Error> {
        let doing = format!("look at {}", path.join(" "));
        let answer = self.ask(&doing, Method::GET, path, None)?;
        // An invalid name of a domain is answered with 200, and the refusal in the body.
        let refused = answer.body.get("code").and_then(Value::as_u64);
        if answer.status == 404 || matches!(refused, Some(400 | 404)) {
            return Ok(None);
        }
        self.taken(&doing, answer).map(Some)
    }

    /// All things of a kind.
    pub(super) fn list(&self, path: &[&str]) -> Result<Vec<Value>, Error> {
        let doing = format!("list every {}", path.join(" "));
        let answer = self.ask(&doing, Method::GET, path, None)?;
        match self.taken(&doing, answer)? {
            Value::Array(all) => Ok(all),
            _ => Err(self.broken(&doing, "its answer is no list")),
        }
    }

    /// Has something made.
    pub(super) fn post(&self, doing: &str, path: &[&str], body: &Value) -> Result<Value, Error> {
        let answer = self.ask(doing, Method::POST, path, Some(body))?;
        self.taken(doing, answer)
    }

    /// Has something changed.
    pub(super) fn patch(&self, doing: &str, path: &[&str], body: &Value) -> Result<Value, Error> {
        let answer = self.ask(doing, Method::PATCH, path, Some(body))?;
        self.taken(doing, answer)
    }

    /// Has something deleted. What is not there is deleted.
    pub(super) fn delete(&self, doing: &str, path: &[&str]) -> Result<(), Error> {
        let answer = self.ask(doing, Method::DELETE, path, None)?;
        if answer.status == 404 {
            return Ok(());
        }
        self.taken(doing, answer).map(drop)
    }

    /// Runs `flask mailu …`.
    pub(super) fn flask(
        &self,
        arguments: &[&str],
        input: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Executed, Error> {
        flask(&self.docker, &self.container, arguments, input, patience)
    }

    /// A line of Mailu's, in which no secret may get on a screen.
    pub(super) fn hide(&self, line: &str) -> String {
        ready::without(self.secrets.iter().chain([&self.token]), line)
    }

    fn broken(&self, doing: &str, why: &str) -> Error {
        Error::new(
            ErrorKind::Docker,
            "admin.failed",
            format!("{doing}: Mailu's admin failed: {}", self.hide(why)),
        )
        .hint(format!(
            "`docker logs --tail 50 {}` shows why",
            self.container
        ))
    }

    /// What Mailu has answered, or why it refused.
    fn taken(&self, doing: &str, answer: Answer) -> Result<Value, Error> {
        let said = answer.body.get("message").and_then(Value::as_str);
        let mut said = self.hide(said.unwrap_or_default());
        if let Some(Value::Object(fields)) = answer.body.get("errors") {
            // Its messages show the values.
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            said = format!("{said}: {}", names.join(", "));
        }
        let refused =
            |kind, code| Error::new(kind, code, format!("{doing}: Mailu refuses: {said}"));
        match answer.status {
            200 => Ok(answer.body),
            401 | 403 => Err(refused(ErrorKind::Docker, "admin.token")
                .hint(format!("its container {} was started with another token than it has now; make it anew: `mailu apply`", self.container))),
            429 => Err(refused(ErrorKind::Docker, "admin.locked_out").hint(
                "too many wrong tokens or passwords came from this host's network; Mailu forgets them after `limits.auth_per_ip`'s time, an hour by default",
            )),
            404 => Err(refused(ErrorKind::NotFound, "admin.not_found")
                .hint("`mailu accounts export` shows what there is")),
            409 => Err(refused(ErrorKind::Conflict, "admin.conflict").hint(
                "`mailu domain list` shows which names are taken, `mailu domain show DOMAIN` how many users and aliases it may have",
            )),
            400..=499 => Err(refused(ErrorKind::InvalidInput, "admin.refused")
                .hint("`mailu accounts schema` shows what can be said")),
            status => Err(self.broken(doing, &format!("it answered with status {status}"))),
        }
    }

    fn ask(
        &self,
        doing: &str,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.broken(doing, &error.to_string()))?;
        runtime
            .block_on(async {
                tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await
            })
            .unwrap_or_else(|_| Err(format!("no answer within {} seconds", PATIENCE.as_secs())))
            .map_err(|why| {
                Error::new(
                    ErrorKind::Docker,
                    "admin.unreachable",
                    format!(
                        "{doing}: Mailu's admin does not answer at {}: {why}",
                        self.address
                    ),
                )
                .hint("`mailu status` shows whether it is well")
                .hint("where Docker runs on another host, call this program there")
            })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let said = |error: hyper::Error| error.to_string();
        let tcp = TcpStream::connect(self.address)
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp))
            .await
            .map_err(said)?;
        let mut request = Request::builder()
            .method(method)
            .uri(self.path(path)?)
            .header("host", self.address.to_string())
            .header("user-agent", "mailu")
            .header("authorization", format!("Bearer {}", self.token.expose()));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let read = async {
            let response = sender.send_request(request).await.map_err(said)?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(|error| error.to_string())?
                .to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            Ok(Answer { status, body })
        };
        futures_util::pin_mut!(read, connection);
        match futures_util::future::select(read, connection).await {
            futures_util::future::Either::Left((result, _)) => result,
            // The answer may be there in whole when the connection ends.
            futures_util::future::Either::Right((_, read)) => read.await,
        }
    }

    /// The path of a thing, whatever signs its name has.
    fn path(&self, parts: &[&str]) -> Result<String, String> {
        let mut url = url::Url::parse("http://admin").map_err(|error| error.to_string())?;
        url.path_segments_mut()
            .map_err(|()| "no path".to_owned())?
            .clear()
            .extend(self.base.split('/').filter(|part| !part.is_empty()))
            .extend(parts);
        Ok(url.path().to_owned())
    }
}

/// Whether Mailu's API can be asked for a thing of this name: a slash in it ends its path.
pub(super) fn has_path(name: &str) -> bool {
    !name.contains('/')
}
