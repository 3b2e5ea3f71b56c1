//! Connecting a Listmonk: over its HTTP API, or in its database by `psql` in that container.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rand_core::OsRng;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::engine::Docker;
use super::web::{Names, Web, exchange, legible, run};
use crate::apps::Profile;
use crate::apps::listmonk::{
    self, Change, Done, Options, Patch, Place, Record, Script, Seen, Settings, Version,
};
use crate::engine::State;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, has_errors};
use crate::names::EmailAddress;
use crate::secret::Secret;

/// How long Listmonk may take for one answer. A test message is one of them.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take until it has started again.
const START: Duration = Duration::from_secs(90);
/// It starts again half a second after settings were saved, and stops taking requests for a second at most before.
const GONE: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(100);

const NAMES: Names = Names {
    app: "Listmonk",
    url: "listmonk.url",
    example: "https://lists.example.com",
    authorities: "listmonk.authorities",
    plain_http: "listmonk.plain_http",
    unreachable: "listmonk.unreachable",
};

/// A Listmonk, and how it is reached.
#[derive(Debug)]
pub struct Listmonk {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Api(Box<Api>),
    Database(Place),
}

/// What was done to a Listmonk, or would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListmonkReport {
    /// `api` or `database`.
    pub way: String,
    /// Which Listmonk it is.
    pub version: String,
    /// Whether the changes were made.
    pub performed: bool,
    /// What differs from what is wanted; nothing is done where that is empty.
    pub changes: Vec<Change>,
    /// Whether Listmonk has started again, and works with the new settings.
    pub restarted: bool,
    /// Whether it still works with the old ones: starting it again would interrupt a campaign.
    pub needs_restart: bool,
    /// What needs an eye.
    pub findings: Vec<Finding>,
    /// What to remember; nothing after it was taken out.
    pub record: Option<Record>,
}

impl ListmonkReport {
    fn of(way: &str, version: Version, patch: &Patch) -> Self {
        Self {
            way: way.to_owned(),
            version: version.to_string(),
            performed: false,
            changes: patch.changes.clone(),
            restarted: false,
            needs_restart: false,
            findings: patch.findings.clone(),
            record: patch.record.clone(),
        }
    }
}

/// Whether a Listmonk is as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListmonkVerified {
    /// Whether nothing differs from what is wanted, and the test message, if there was one, was taken.
    pub good: bool,
    /// What differs.
    pub changes: Vec<Change>,
    /// Whether the server has taken a test message that Listmonk itself sent; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<bool>,
    /// What needs an eye.
    pub findings: Vec<Finding>,
}

impl Listmonk {
    /// A Listmonk by the address of its site, with the name and token of an API user (before v4: the administrator's name and password).
    /// `authorities` is a file with certificates (PEM) to trust beside those that browsers do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`]: `listmonk.url`, `listmonk.authorities`.
    pub fn over_api(
        url: &str,
        user: &str,
        secret: Secret,
        authorities: Option<&Path>,
    ) -> Result<Self, Error> {
        Ok(Self {
            way: Way::Api(Box::new(Api {
                web: Web::new(&NAMES, url, authorities)?,
                user: user.to_owned(),
                secret,
                basic: std::cell::Cell::new(None),
            })),
        })
    }

    /// A Listmonk by its containers. Its database is changed, for which nobody has to log in.
    pub fn in_database(place: Place) -> Self {
        Self {
            way: Way::Database(place),
        }
    }

    /// Looks for the containers of a client's Listmonk, `listmonk-ID` and `listmonk-postgres-ID`, and reads its `config.toml`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`] where no engine answers; [`ErrorKind::NotFound`]: `listmonk.no_container`, `listmonk.no_database`;
    /// [`ErrorKind::Corrupt`], `listmonk.config`.
    pub fn find(id: &str) -> Result<Place, Error> {
        let containers = Docker::connect()?.containers()?;
        let app = listmonk::find(&containers, id)?;
        let config = app.mounts.iter().find_map(|(outside, inside)| {
            let path = Path::new(outside);
            if inside.ends_with("/config.toml") {
                std::fs::read_to_string(path).ok()
            } else {
                std::fs::read_to_string(path.join("config.toml")).ok()
            }
        });
        listmonk::place(&containers, id, config.as_deref())
    }

    /// What would be done. Nothing is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`]: `listmonk.profile`, with everything that would not work; `listmonk.credentials`; `listmonk.too_old`.
    /// [`ErrorKind::NotFound`], `listmonk.empty_database`, where Listmonk was never set up. [`ErrorKind::Io`], `listmonk.unreachable`;
    /// [`ErrorKind::Docker`] where the engine does not answer.
    pub fn plan(
        &self,
        profile: &Profile,
        options: &Options,
        record: Option<&Record>,
    ) -> Result<ListmonkReport, Error> {
        let (seen, patch) = self.planned(profile, options, record)?;
        let mut report = ListmonkReport::of(self.way(), seen.version, &patch);
        if matches!(self.way, Way::Api(_)) && !patch.changes.is_empty() {
            // What cannot be done is said before it is tried.
            if let Err(error) = patch.body() {
                report.findings.extend(error.all_findings().to_vec());
            }
        }
        Ok(report)
    }

    fn planned(
        &self,
        profile: &Profile,
        options: &Options,
        record: Option<&Record>,
    ) -> Result<(Seen, Patch), Error> {
        let salt = Secret::draw(&mut OsRng, 22);
        let seen = match &self.way {
            Way::Api(api) => api.seen()?,
            Way::Database(place) => {
                let script = listmonk::sql_look(profile, options)?;
                Seen::read(&psql(place, &script)?)?
            }
        };
        let patch = listmonk::patch(&seen, profile, options, record, salt.expose())?;
        Ok((seen, patch))
    }

    fn way(&self) -> &'static str {
        match self.way {
            Way::Api(_) => "api",
            Way::Database(_) => "database",
        }
    }

    /// Connects it, and waits until it works with the new settings. With campaigns being sent, it is started again only if `interrupt` says
    /// so: Listmonk then forgets the recipients that it has fetched and not yet sent to, up to `app.batch_size` of them.
    ///
    /// # Errors
    ///
    /// As [`Listmonk::plan`]; [`ErrorKind::Conflict`]: `listmonk.ambiguous`, where others' passwords would be lost over the API, and
    /// `listmonk.refused`, with what Listmonk says; [`ErrorKind::Io`], `listmonk.not_back`.
    pub fn apply(
        &self,
        profile: &Profile,
        options: &Options,
        record: Option<&Record>,
        interrupt: bool,
        said: &mut dyn FnMut(&str),
    ) -> Result<ListmonkReport, Error> {
        let (seen, patch) = self.planned(profile, options, record)?;
        let mut report = ListmonkReport::of(self.way(), seen.version, &patch);
        if patch.changes.is_empty() {
            self.settle(interrupt, &mut report, said)?;
            return Ok(report);
        }
        match &self.way {
            Way::Api(api) => api.perform(&patch, interrupt, &mut report, said)?,
            Way::Database(place) => {
                let script = listmonk::sql(profile, options, seen.version, record)?;
                changed_by(place, &script, interrupt, &mut report, said)?;
                let look = listmonk::sql_look(profile, options)?;
                let now = Seen::read(&psql(place, &look)?)?;
                report
                    .findings
                    .extend(listmonk::verify(&patch, &now.settings));
            }
        }
        Ok(report)
    }

    /// Where nothing is to be changed, an earlier change may still wait for a start.
    fn settle(
        &self,
        interrupt: bool,
        report: &mut ListmonkReport,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        if let Way::Api(api) = &self.way
            && api.config()?["needs_restart"] == true
        {
            api.restart_if(interrupt, report, said)?;
        }
        Ok(())
    }

    /// Whether everything is as it is wanted, and, with a `recipient`, whether the server takes a message that Listmonk sends. It is sent.
    ///
    /// # Errors
    ///
    /// As [`Listmonk::plan`].
    pub fn verify(
        &self,
        profile: &Profile,
        options: &Options,
        record: Option<&Record>,
        recipient: Option<&EmailAddress>,
    ) -> Result<ListmonkVerified, Error> {
        let (_, patch) = self.planned(profile, options, record)?;
        let mut findings = patch.findings.clone();
        let mut sent = None;
        match &self.way {
            Way::Api(api) => {
                if api.config()?["needs_restart"] == true {
                    findings.push(waits());
                }
                if let Some(recipient) = recipient {
                    let test = api.test(&patch, recipient)?;
                    sent = Some(test.is_none());
                    findings.extend(test);
                }
            }
            Way::Database(place) => {
                if recipient.is_some() {
                    findings.push(
                        Finding::notice(
                            "listmonk.not_tested",
                            place.app.as_str(),
                            "Listmonk sends a test message only for somebody who logs in",
                        )
                        .hint("make an API user in Listmonk, and give its name and token"),
                    );
                }
            }
        }
        Ok(ListmonkVerified {
            good: patch.changes.is_empty() && sent != Some(false),
            changes: patch.changes,
            sent,
            findings,
        })
    }

    /// What taking it out would do. Nothing is done.
    ///
    /// # Errors
    ///
    /// As [`Listmonk::plan`], but for the profile.
    pub fn plan_removal(&self, record: &Record) -> Result<ListmonkReport, Error> {
        let (seen, patch) = self.removal(record)?;
        Ok(ListmonkReport::of(self.way(), seen.version, &patch))
    }

    fn removal(&self, record: &Record) -> Result<(Seen, Patch), Error> {
        let seen = match &self.way {
            Way::Api(api) => api.seen()?,
            Way::Database(place) => Seen::read(&psql(place, &Script::look())?)?,
        };
        let patch = listmonk::remove(&seen, record);
        Ok((seen, patch))
    }

    /// Takes our server and mailbox out, and gives back what was there before, as [`listmonk::remove`] says.
    ///
    /// # Errors
    ///
    /// As [`Listmonk::apply`]; [`ErrorKind::Conflict`], `listmonk.no_server`, where no other server is enabled.
    pub fn remove(
        &self,
        record: &Record,
        interrupt: bool,
        said: &mut dyn FnMut(&str),
    ) -> Result<ListmonkReport, Error> {
        let (seen, patch) = self.removal(record)?;
        let mut report = ListmonkReport::of(self.way(), seen.version, &patch);
        if patch.changes.is_empty() {
            self.settle(interrupt, &mut report, said)?;
            return Ok(report);
        }
        if has_errors(&patch.findings) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "listmonk.no_server",
                format!(
                    "disconnect Listmonk {}: it would have no server to send through",
                    record.instance
                ),
            )
            .findings(patch.findings));
        }
        match &self.way {
            Way::Api(api) => api.perform(&patch, interrupt, &mut report, said)?,
            Way::Database(place) => {
                let script = listmonk::sql_remove(record);
                changed_by(place, &script, interrupt, &mut report, said)?;
                let now = Seen::read(&psql(place, &Script::look())?)?;
                report
                    .findings
                    .extend(listmonk::verify(&patch, &now.settings));
            }
        }
        Ok(report)
    }
}

fn waits() -> Finding {
    Finding::warning(
        "listmonk.needs_restart",
        "listmonk",
        "a campaign is being sent, so that Listmonk goes on with the old settings until it is started again",
    )
    .hint("pause the campaign in Listmonk, and run this again; it goes on where it was once it is resumed")
    .hint("started again in the middle, Listmonk forgets whom it has fetched and not yet sent to: up to app.batch_size recipients get nothing")
}

/// Runs a script in the database's container, and returns what it answers.
fn psql(place: &Place, script: &Script) -> Result<String, Error> {
    let mut command = vec!["psql"];
    command.extend(Script::ARGUMENTS);
    command.extend(["-U", &place.user, "-d", &place.name]);
    let input = script.expose().as_bytes();
    let ended = Docker::connect()?.execute(&place.database, &command, Some(input), PATIENCE)?;
    if ended.code == 0 {
        return Ok(ended.out);
    }
    // Terse: what went wrong, without the data that it went wrong with.
    let said = ended.err.lines().next().unwrap_or_default();
    Err(Error::new(
        ErrorKind::Docker,
        "listmonk.database",
        format!(
            "run psql in the container {}: it ended with code {}: {said}",
            place.database, ended.code
        ),
    )
    .hint(format!(
        "`docker exec {} psql -U {} -d {} -c '\\d settings'` shows whether the names are right",
        place.database, place.user, place.name
    )))
}

fn changed_by(
    place: &Place,
    script: &Script,
    interrupt: bool,
    report: &mut ListmonkReport,
    said: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let done = Done::read(&psql(place, script)?)?;
    report.performed = true;
    if done.keys.is_empty() {
        return Ok(());
    }
    let docker = Docker::connect()?;
    let runs = docker
        .container(&place.app)?
        .is_some_and(|app| app.state == State::Running);
    if !runs {
        report.findings.push(
            Finding::notice(
                "listmonk.stopped",
                place.app.as_str(),
                "its container does not run; it takes the new settings when it starts",
            )
            .hint(format!("docker start {}", place.app)),
        );
        return Ok(());
    }
    if done.running > 0 && !interrupt {
        report.needs_restart = true;
        report.findings.push(waits());
        return Ok(());
    }
    said("having Listmonk start again with the new settings");
    let address = place.url.as_deref().and_then(|url| {
        let url = url::Url::parse(url).ok()?;
        url.socket_addrs(|| None).ok()?.into_iter().next()
    });
    run(async {
        let witness = match address {
            // Not every host reaches its containers.
            Some(address) => tokio::time::timeout(GONE, TcpStream::connect(address))
                .await
                .ok()
                .and_then(Result::ok),
            None => None,
        };
        // Its own signal for that; the container goes on.
        docker_signal(&docker, &place.app)?;
        if let (Some(witness), Some(address)) = (witness, address) {
            ended(witness).await;
            back(&place.app, || answers(address)).await?;
        }
        Ok(())
    })?;
    let after = docker.container(&place.app)?;
    if after.is_none_or(|app| app.state != State::Running) {
        return Err(not_back(&place.app).hint(format!("docker logs --tail 50 {}", place.app)));
    }
    report.restarted = true;
    Ok(())
}

/// The engine has a runtime of its own, which cannot be entered from within another.
fn docker_signal(docker: &Docker, name: &str) -> Result<(), Error> {
    std::thread::scope(|scope| {
        scope
            .spawn(|| docker.signal(name, "SIGHUP"))
            .join()
            .unwrap_or_else(|_| Err(not_back(name)))
    })
}

fn not_back(what: &str) -> Error {
    Error::new(
        ErrorKind::Io,
        "listmonk.not_back",
        format!(
            "have {what} start again: it did not answer within {} seconds",
            START.as_secs()
        ),
    )
}

/// Whether `GET /health` answers. Nobody has to log in for it.
async fn answers(address: SocketAddr) -> bool {
    let asked = async {
        let tcp = TcpStream::connect(address).await.ok()?;
        let request = Request::get("/health")
            .header("host", address.to_string())
            .body(Full::new(Bytes::new()))
            .ok()?;
        let (status, _) = exchange(TokioIo::new(tcp), request).await.ok()?;
        Some(status.is_success())
    };
    let result = tokio::time::timeout(Duration::from_secs(5), asked).await;
    matches!(result, Ok(Some(true)))
}

/// Waits until a connection that nobody speaks on is closed, which the end of the program does; behind a proxy, for as long as that takes at most.
async fn ended(mut witness: TcpStream) {
    let mut nothing = [0_u8; 1];
    let _ = tokio::time::timeout(GONE, witness.read(&mut nothing)).await;
}

async fn back<F: Future<Output = bool>>(
    what: &str,
    mut here: impl FnMut() -> F,
) -> Result<(), Error> {
    let begun = Instant::now();
    while begun.elapsed() < START {
        if here().await {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(not_back(what))
}

/// Its HTTP API.
#[derive(Debug)]
struct Api {
    web: Web,
    user: String,
    secret: Secret,
    /// Whether it wants Basic, once that is known.
    basic: std::cell::Cell<Option<bool>>,
}

impl Api {
    fn site(&self) -> String {
        self.web.site()
    }

    fn unreachable(&self, why: impl std::fmt::Display) -> Error {
        self.web.unreachable(why)
    }

    /// One request, and the status and JSON of the answer.
    async fn ask(
        &self,
        address: SocketAddr,
        method: Method,
        path: &str,
        body: Option<&Value>,
        basic: bool,
    ) -> Result<(StatusCode, Value), Error> {
        let credentials = format!("{}:{}", self.user, self.secret.expose());
        let credentials = if basic {
            format!("Basic {}", STANDARD.encode(credentials))
        } else {
            format!("token {credentials}")
        };
        let credentials = HeaderValue::try_from(credentials).map_err(|_| {
            self.refused_credentials("they have characters that no HTTP header can have")
        })?;
        let header = ("authorization", credentials);
        self.web.ask(address, method, path, body, header).await
    }

    fn refused_credentials(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::InvalidInput,
            "listmonk.credentials",
            format!("log in to Listmonk at {} as `{}`: {why}", self.site(), self.user),
        )
        .hint("from v4 on: Admin, Users, a user of type API whose role has settings:get and settings:manage; its token is shown once")
        .hint("before v4: admin_username and admin_password in its config.toml")
        .hint("without either, its database can be changed instead")
    }

    /// A request that has to succeed: what stands below `data`.
    fn call(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let address = self.web.address()?;
        let (status, mut answer) = run(async {
            // Tokens came with v4; before, there was Basic alone, which knows nothing of them.
            let first = self.basic.get().unwrap_or_default();
            let mut result = self.ask(address, method.clone(), path, body, first).await?;
            if self.basic.get().is_none() {
                let refused = |status: StatusCode| matches!(status.as_u16(), 401 | 403);
                if refused(result.0) {
                    let second = self.ask(address, method.clone(), path, body, true).await?;
                    if !refused(second.0) {
                        self.basic.set(Some(true));
                        result = second;
                    }
                } else {
                    self.basic.set(Some(false));
                }
            }
            Ok(result)
        })?;
        let message = || {
            let text = answer["message"].as_str().unwrap_or("it says no more");
            legible(text, &[self.secret.expose()])
        };
        match status.as_u16() {
            200 if answer.get("data").is_some() => Ok(answer["data"].take()),
            401 | 403 => Err(self.refused_credentials(&message())),
            400 | 500 => Err(Error::new(
                ErrorKind::Conflict,
                "listmonk.refused",
                format!(
                    "{method} {}{path}: Listmonk answers with {}: {}",
                    self.site(),
                    status.as_u16(),
                    message()
                ),
            )),
            _ => Err(self.web.stranger(path, status)),
        }
    }

    fn config(&self) -> Result<Value, Error> {
        self.call(&Method::GET, "/api/config", None)
    }

    fn seen(&self) -> Result<Seen, Error> {
        let version = self.config()?["version"]
            .as_str()
            .unwrap_or_default()
            .parse()?;
        Ok(Seen::new(self.settings()?, version))
    }

    fn settings(&self) -> Result<Settings, Error> {
        match self.call(&Method::GET, "/api/settings", None)? {
            Value::Object(settings) => Ok(settings),
            _ => Err(self.unreachable("/api/settings has no settings")),
        }
    }

    /// Saves settings, waits for what follows, and looks whether they are there.
    fn perform(
        &self,
        patch: &Patch,
        interrupt: bool,
        report: &mut ListmonkReport,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let body = Value::Object(patch.body()?);
        let witness = self.witness()?;
        let answer = self.call(&Method::PUT, "/api/settings", Some(&body))?;
        report.performed = true;
        if answer["needs_restart"] == true {
            self.restart_if(interrupt, report, said)?;
        } else {
            said("waiting for Listmonk to start again with the new settings");
            self.wait(witness)?;
            report.restarted = true;
        }
        report
            .findings
            .extend(listmonk::verify(patch, &self.settings()?));
        Ok(())
    }

    fn restart_if(
        &self,
        interrupt: bool,
        report: &mut ListmonkReport,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        if !interrupt {
            report.needs_restart = true;
            report.findings.push(waits());
            return Ok(());
        }
        said("having Listmonk start again with the new settings");
        let witness = self.witness()?;
        self.call(&Method::POST, "/api/admin/reload", None)?;
        self.wait(witness)?;
        report.restarted = true;
        Ok(())
    }

    /// A connection whose end shows that the program has ended.
    fn witness(&self) -> Result<std::net::TcpStream, Error> {
        let connected = || {
            let stream = std::net::TcpStream::connect_timeout(&self.web.address()?, GONE)
                .map_err(|error| self.unreachable(error))?;
            stream
                .set_nonblocking(true)
                .map_err(|error| self.unreachable(error))?;
            Ok(stream)
        };
        connected()
    }

    fn wait(&self, witness: std::net::TcpStream) -> Result<(), Error> {
        let address = self.web.address()?;
        run(async {
            if let Ok(witness) = TcpStream::from_std(witness) {
                ended(witness).await;
            }
            back(&self.site(), || async {
                let asked = self.ask(address, Method::GET, "/health", None, false).await;
                matches!(asked, Ok((status, _)) if status.is_success())
            })
            .await
        })
    }

    /// Has Listmonk send a message through our server. Nothing of its answer is kept: it is Listmonk's log.
    fn test(&self, patch: &Patch, recipient: &EmailAddress) -> Result<Option<Finding>, Error> {
        let mut body = patch
            .server()
            .ok_or_else(|| self.unreachable("our server is not among its settings"))?;
        body.insert("email".to_owned(), json!(recipient.to_string()));
        let password = body["password"].as_str().unwrap_or_default().to_owned();
        match self.call(
            &Method::POST,
            "/api/settings/smtp/test",
            Some(&Value::Object(body)),
        ) {
            Ok(_) => Ok(None),
            Err(error) if error.code() == "listmonk.refused" => {
                let said = error.to_string();
                // What the server said, in Go's quotes.
                let said = said.rsplit("500: ").next().unwrap_or_default();
                let said = said.replace('"', "").replace(&password, "***");
                Ok(Some(trouble(said)))
            }
            Err(error) => Err(error),
        }
    }
}

/// What the server's answers to a test message mean. integrations.md §1.
fn trouble(said: String) -> Finding {
    let meaning = [
        (
            "535",
            "the login or its token is wrong",
            "make a new token, and connect Listmonk again",
        ),
        (
            "553 5.7.1",
            "the login may not use this envelope sender",
            "the envelope sender has to be the login or one of its aliases",
        ),
        (
            "450 4.2.1",
            "the login has used up its limit",
            "wait, or exempt it: limits.exempt in mailu.toml",
        ),
        (
            "x509",
            "the certificate is not for the name that was dialled, or of an authority that Listmonk does not know",
            "dial the mail host's public name",
        ),
        (
            "no such host",
            "Listmonk's container cannot resolve the mail host",
            "give the container an extra host or a network in which the name resolves",
        ),
        (
            "refused",
            "nobody listens where Listmonk dials",
            "the mail host has to lead to the server from inside of Listmonk's container",
        ),
        (
            "timeout",
            "nobody answers where Listmonk dials",
            "the mail host has to lead to the server from inside of Listmonk's container",
        ),
    ];
    let known = meaning.into_iter().find(|(part, _, _)| said.contains(part));
    let finding = Finding::error(
        "listmonk.test",
        "smtp",
        match known {
            Some((_, why, _)) => format!("the test message was not taken: {why}"),
            None => "the test message was not taken".to_owned(),
        },
    )
    .value(said);
    match known {
        Some((_, _, hint)) => finding.hint(hint),
        None => finding,
    }
}
