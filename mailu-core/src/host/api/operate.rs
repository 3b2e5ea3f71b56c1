//! Looking at deployments and operating them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::dns::agency_page;
use super::request::{Parsed, Request, Server, addresses, of, request};
use crate::certs;
use crate::delivery;
use crate::diagnose::{self, IgnoreRule};
use crate::error::{Error, ErrorKind, Failure};
use crate::host::certs::CertificateSync;
use crate::host::compose::interrupted;
use crate::host::delivery::TestEmail;
use crate::host::diagnose::DiagnoseOptions;
use crate::host::files;
use crate::host::logs::LogRequest;
use crate::host::nameservers::DnsOptions;
use crate::host::operate::{Executed, OperateOptions, Operated, Power};
use crate::host::perform::Progress;
use crate::host::root::Mailu;
use crate::host::timer::TimerState;
use crate::names::EmailAddress;
use crate::paths::Layout;
use crate::preflight;
use crate::secret::Secret;
use crate::status;
use crate::timer::Chore;

/// What came of one deployment of several: what fails for one does not keep the others from it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "{T}OrFailure")
)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Each<T> {
    /// It was done.
    Done(T),
    /// It failed.
    Failed {
        /// The deployment.
        directory: PathBuf,
        /// Why.
        error: Failure,
    },
}

impl<T> Each<T> {
    /// What failed.
    pub fn failed(directory: &Path, error: &Error) -> Self {
        Self::Failed {
            directory: directory.to_owned(),
            error: Failure::from(error),
        }
    }
}

/// Does something for every deployment.
pub(super) fn each<T>(
    mailu: &Mailu,
    progress: &mut dyn Progress,
    mut work: impl FnMut(&Layout, &mut dyn Progress) -> Result<T, Error>,
) -> Result<Vec<Each<T>>, Error> {
    let mut all = Vec::new();
    for info in mailu.list()? {
        if progress.interrupted() {
            return Err(interrupted());
        }
        let done = info
            .layout(mailu.root())
            .and_then(|layout| work(&layout, progress));
        match done {
            Ok(done) => all.push(Each::Done(done)),
            Err(error) if error.code() == "interrupted" => return Err(error),
            Err(error) => all.push(Each::failed(&info.directory, &error)),
        }
    }
    Ok(all)
}

/// What a diagnosis lives with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct IgnoreRules {
    /// The rules, as they stand in `mailu.toml`.
    pub ignore: Vec<String>,
}

/// Where rules stand in `mailu.toml`.
const IGNORE: &str = "diagnose.ignore";

impl Mailu {
    /// Lives with findings from now on: `rule` goes into `mailu.toml` in the place of one about the same.
    ///
    /// # Errors
    ///
    /// As [`Mailu::configure`].
    pub fn ignore(&self, layout: &Layout, rule: IgnoreRule) -> Result<IgnoreRules, Error> {
        let (config, _) = self.config(layout)?;
        let mut all = config.diagnose.ignore.clone();
        all.retain(|old| old.id() != rule.id() || old.subject() != rule.subject());
        all.push(rule);
        self.rules(layout, &all)
    }

    /// Takes the rules about findings of this name out of `mailu.toml`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is none, and as [`Mailu::configure`].
    pub fn stop_ignoring(&self, layout: &Layout, id: &str) -> Result<IgnoreRules, Error> {
        let (config, _) = self.config(layout)?;
        let mut all = config.diagnose.ignore.clone();
        let before = all.len();
        all.retain(|rule| rule.id() != id);
        if all.len() == before {
            let there: Vec<String> = all.iter().map(ToString::to_string).collect();
            return Err(Error::new(
                ErrorKind::NotFound,
                "diagnose.no_rule",
                format!("stop ignoring `{id}`: no rule is about it"),
            )
            .hint(if there.is_empty() {
                "there are no rules".to_owned()
            } else {
                format!("there are: {}", there.join("; "))
            }));
        }
        self.rules(layout, &all)
    }

    fn rules(&self, layout: &Layout, all: &[IgnoreRule]) -> Result<IgnoreRules, Error> {
        let ignore: Vec<String> = all.iter().map(ToString::to_string).collect();
        // JSON's strings of one line are TOML's.
        let value = (!ignore.is_empty()).then(|| json!(ignore).to_string());
        self.configure(layout, &[(IGNORE.to_owned(), value)])?;
        Ok(IgnoreRules { ignore })
    }
}

request! {
    /// How a deployment is: services, certificate, mail queue, disk, backups.
    Status of one () {}
}

impl Request for Status {
    type Answer = status::Report;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.status(&mailu.find(&self.target())?)
    }
}

request! {
    /// How every deployment of this host is.
    StatusAll () {}
}

impl Request for StatusAll {
    type Answer = status::Fleet;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.status_of_all()
    }
}

request! {
    /// How a deployment is, again and again, until it is told to stop.
    StatusWatch of one ()
    {
        /// How long to wait in between. Without it, two seconds.
        seconds: Option<u64>,
    }
}

impl Request for StatusWatch {
    type Answer = ();

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<(), Error> {
        let layout = mailu.find(&self.target())?;
        watch(self.seconds, progress, || Ok(json!(mailu.status(&layout)?)))
    }
}

request! {
    /// How every deployment is, again and again, until it is told to stop.
    StatusAllWatch ()
    {
        /// How long to wait in between. Without it, two seconds.
        seconds: Option<u64>,
    }
}

impl Request for StatusAllWatch {
    type Answer = ();

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<(), Error> {
        watch(self.seconds, progress, || Ok(json!(mailu.status_of_all()?)))
    }
}

/// How often somebody who waits is asked whether it is enough.
const LOOK: Duration = Duration::from_millis(100);

fn watch(
    seconds: Option<u64>,
    progress: &mut dyn Progress,
    look: impl Fn() -> Result<serde_json::Value, Error>,
) -> Result<(), Error> {
    let pause = Duration::from_secs(seconds.unwrap_or(2).max(1));
    loop {
        if progress.item(look()?).is_break() {
            return Ok(());
        }
        let begun = Instant::now();
        while begun.elapsed() < pause {
            if progress.interrupted() {
                return Err(interrupted());
            }
            thread::sleep(LOOK);
        }
    }
}

request! {
    /// What services wrote, in order of time, line by line.
    Logs of one ()
    {
        /// The services: `front`, `smtp`, `imap`, `admin`, `antispam` … Without any, all of them.
        services: Vec<String>,
        /// Go on with what is written from now on, until it is told to stop.
        follow: bool,
        /// Only lines since then: how long ago (`10m`, `2h`, `3d`), or a time (`2026-11-22T10:00:00Z`).
        since: Option<String>,
        /// Only the last so many lines, of all services together.
        tail: Option<u64>,
    }
}

impl Request for Logs {
    type Answer = ();

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<(), Error> {
        let layout = mailu.find(&self.target())?;
        let wish = LogRequest {
            services: self.services,
            since: self.since,
            tail: self.tail,
            follow: self.follow,
        };
        let mut stopped = false;
        mailu.logs(&layout, &wish, &mut |entry| {
            if progress.interrupted() {
                stopped = true;
                return ControlFlow::Break(());
            }
            match entry {
                Some(entry) => progress.item(json!(entry)),
                None => ControlFlow::Continue(()),
            }
        })?;
        if stopped { Err(interrupted()) } else { Ok(()) }
    }
}

macro_rules! power {
    ($name:ident, $doc:literal) => {
        request! {
            #[doc = $doc]
            $name of one ()
            {
                /// The services. Without any, all of them.
                services: Vec<String>,
                /// How many seconds each service may take to become ready. Without it, as long as is usual for each; 0 waits for nothing.
                wait: Option<u64>,
            }
        }

        impl Request for $name {
            type Answer = Operated;

            fn perform(
                self,
                mailu: &Mailu,
                progress: &mut dyn Progress,
            ) -> Result<Self::Answer, Error> {
                let layout = mailu.find(&self.target())?;
                let options =
                    OperateOptions::new(self.services, self.wait.map(Duration::from_secs));
                mailu.power(&layout, Power::$name, &options, progress)
            }
        }
    };
}

power!(
    Start,
    "Starts services that do not run, and waits until they are ready."
);
power!(Stop, "Stops services.");
power!(
    Restart,
    "Restarts services, and waits until they are ready."
);

request! {
    /// Runs a program in a service's container, and gives what it writes.
    Exec of one
    (
        /// The service.
        service: String,
        /// The program and its arguments.
        command: Vec<String>,
    )
    {}
}

impl Request for Exec {
    type Answer = Executed;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        if self.command.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "call.invalid",
                "run a program: `command` names none",
            )
            .hint("give the program and its arguments"));
        }
        let layout = mailu.find(&self.target())?;
        mailu.execute(&layout, &self.service, &self.command, false, true)
    }
}

request! {
    /// Sends a message as a mail program does, and follows it: log-in, queue, delivery, mailbox, SPF, DKIM and DMARC.
    TestMessage of one ()
    {
        /// The recipient. Without it, the sender: the message comes back, and is deleted once it was read.
        to: Option<Parsed<EmailAddress>>,
        /// The account that sends, with `password`. Without it, the first administrator.
        from_address: Option<Parsed<EmailAddress>>,
        /// The sender's password. Not needed for the first administrator.
        password: Option<Secret>,
        /// The subject.
        subject: Option<String>,
        /// The text.
        body: Option<String>,
        /// How many seconds the message may take, 1 to 86,400. Without it, 120.
        timeout: Option<u64>,
        /// Leave the message in the mailbox.
        keep: bool,
        /// Do not try what the server must refuse: relaying for strangers, log-ins on port 25, a forged sender.
        no_negative: bool,
    }
}

impl Request for TestMessage {
    type Answer = delivery::Report;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let seconds = self.timeout.unwrap_or(120);
        if !(1..=86_400).contains(&seconds) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "call.invalid",
                "send a test message: `timeout` must be from 1 to 86400 seconds",
            ));
        }
        let layout = mailu.find(&self.target())?;
        let wish = TestEmail {
            to: of(self.to),
            from: of(self.from_address),
            password: self.password,
            subject: self.subject,
            body: self.body,
            timeout: Duration::from_secs(seconds),
            keep: self.keep,
            negative: !self.no_negative,
        };
        mailu.test_email(&layout, &wish, &mut |step| {
            let _ = progress.item(json!(step));
        })
    }
}

request! {
    /// What is wrong, from the containers to what DNS and reputation lists say, and what to type next.
    Diagnose of one ()
    {
        /// Only these checks (`dns`, `ports`, `queue` …), or only findings of these names (`spf.all`, `spf`).
        only: Vec<String>,
        /// Leave out these checks, or findings of these names.
        skip: Vec<String>,
        /// Only what is new since the last whole diagnosis, and what is gone.
        changes: bool,
        /// Write the report as a page into this file.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        html: Option<PathBuf>,
        /// With `html`: the name that stands on the page, usually your agency's.
        agency: Option<String>,
        /// With `html`: a file with a logo for the page, PNG, JPEG or SVG.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        logo: Option<PathBuf>,
        /// DNS server that finds name servers, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's.
        resolver: Option<Parsed<Server>>,
        /// Servers to ask about every zone, instead of those that it is delegated to.
        nameserver: Vec<Parsed<Server>>,
        /// Mail servers to try port 25 with, `HOST` or `HOST:PORT`. Without any, those of large mail domains.
        outbound_to: Vec<String>,
        /// Servers of the time (NTP) to compare the clock with. Without any, those of the NTP pool.
        time_server: Vec<String>,
    }
}

impl Request for Diagnose {
    type Answer = diagnose::Report;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let mut options = DiagnoseOptions {
            dns: DnsOptions {
                resolver: self.resolver.map(|server| server.0.0),
                authoritative: addresses(&self.nameserver),
                ..DnsOptions::default()
            },
            outbound: preflight::Options {
                outbound: self.outbound_to,
                ..preflight::Options::default()
            },
            time_servers: self.time_server,
            changes: self.changes,
            ..DiagnoseOptions::default()
        };
        options.checks.only = self.only.into_iter().collect();
        options.checks.skip = self.skip.into_iter().collect();
        let page = agency_page(self.agency, self.logo.as_deref())?;
        let report = mailu.diagnose(&layout, &options)?;
        if let Some(path) = &self.html {
            std::fs::write(path, report.page(&page)?).map_err(|error| {
                files::failed("write", path, error)
                    .hint("choose a file in a directory that is there, and that you may write to")
            })?;
        }
        Ok(report)
    }
}

request! {
    /// Lives with findings of a name from now on; a rule for that goes into `mailu.toml`.
    DiagnoseIgnore of one
    (
        /// The finding's name.
        id: String,
        /// Why.
        reason: String,
    )
    {
        /// Only where it is about this, such as `example.com` or `port 25`.
        subject: Option<String>,
        /// Until this day, `YYYY-MM-DD`.
        until: Option<String>,
    }
}

impl Request for DiagnoseIgnore {
    type Answer = IgnoreRules;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let id = &self.id;
        let rule = IgnoreRule::new(
            id,
            self.subject.as_deref(),
            self.until.as_deref(),
            &self.reason,
        )
        .map_err(|why| {
            Error::new(
                ErrorKind::InvalidInput,
                "diagnose.bad_rule",
                format!("ignore `{id}`: the rule {why}"),
            )
            .hint("`mailu diagnose` shows each finding's name in brackets")
        })?;
        mailu.ignore(&layout, rule)
    }
}

request! {
    /// Takes the rules for findings of a name out of `mailu.toml`.
    DiagnoseUnignore of one
    (
        /// The finding's name.
        id: String,
    )
    {}
}

impl Request for DiagnoseUnignore {
    type Answer = IgnoreRules;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.stop_ignoring(&mailu.find(&self.target())?, &self.id)
    }
}

request! {
    /// Certificates: where they come from, how long they last, what front serves.
    Certs of one ()
    {
        /// Ask no port what it serves.
        no_probe: bool,
    }
}

impl Request for Certs {
    type Answer = certs::Report;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.certificates(&mailu.find(&self.target())?, !self.no_probe)
    }
}

request! {
    /// The certificates of every deployment.
    CertsAll ()
    {
        /// Ask no port what it serves.
        no_probe: bool,
    }
}

impl Request for CertsAll {
    type Answer = Vec<Each<certs::Report>>;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        each(mailu, progress, |layout, _| {
            mailu.certificates(layout, !self.no_probe)
        })
    }
}

request! {
    /// Takes over a renewed certificate, and sees to it that front serves it.
    CertsSync of one () {}
}

impl Request for CertsSync {
    type Answer = CertificateSync;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        mailu.sync_certificates(&mailu.find(&self.target())?, progress)
    }
}

request! {
    /// Takes over renewed certificates of every deployment.
    CertsSyncAll () {}
}

impl Request for CertsSyncAll {
    type Answer = Vec<Each<CertificateSync>>;

    fn perform(self, mailu: &Mailu, progress: &mut dyn Progress) -> Result<Self::Answer, Error> {
        each(mailu, progress, |layout, progress| {
            mailu.sync_certificates(layout, progress)
        })
    }
}

/// What is done with a timer.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum TimerAction {
    /// Its units are told.
    #[default]
    Show,
    /// It is installed and started.
    Install,
    /// It is stopped and removed.
    Remove,
}

pub(super) fn timer(mailu: &Mailu, action: TimerAction, chore: Chore) -> Result<TimerState, Error> {
    match action {
        TimerAction::Show => mailu.timer(chore),
        TimerAction::Install => mailu.install_timer(chore),
        TimerAction::Remove => mailu.remove_timer(chore),
    }
}

request! {
    /// The systemd timer that takes renewed certificates over every hour.
    CertsTimer ()
    {
        /// What is done with it.
        action: TimerAction,
    }
}

impl Request for CertsTimer {
    type Answer = TimerState;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        timer(mailu, self.action, Chore::Certificates)
    }
}
