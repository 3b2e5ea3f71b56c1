//! Sends a message as a user does, and follows it: through the submission port, Postfix's log and queue, to the mailbox.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use rand_core::{OsRng, RngCore as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::engine::{Docker, LogWish};
use super::operate::no_containers;
use super::preflight::static_configuration;
use super::root::Mailu;
use super::{certificate, hints, observe, probe, ready, status, tls};
use crate::config::{Config, MailPort, TlsMode};
use crate::delivery::{
    self, Fate, Head, Key, Negative, Outcome, Report, Results, Stage, Step, Trail,
};
use crate::dns::Data;
use crate::engine::{Container, State};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::names::EmailAddress;
use crate::paths::Layout;
use crate::preflight::traefik;
use crate::secret::Secret;
use crate::start::{self, Host, Proxy, Relay};
use crate::status::{Queued, queued};

/// How long a server may take for one answer, unless there is less time. Admin looks for names for a while before it answers.
const ANSWER: Duration = Duration::from_secs(45);

/// The same where a service is away without which there will be none.
const SHORT_ANSWER: Duration = Duration::from_secs(10);

/// How long Postfix may take to log what it took in.
const LOG_PATIENCE: Duration = Duration::from_secs(15);

/// The least time for a mailbox, once the message is said to be in it.
const MAILBOX_PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(250);

const EXECUTE: Duration = Duration::from_secs(20);

/// How often only the folders are looked into where mail comes in; then all of them: filters may have put it anywhere.
const QUICK_LOOKS: u32 = 12;

/// Folders where mail comes in.
const FOLDERS: [&str; 2] = ["INBOX", "Junk"];

/// Domains that are nobody's (RFC 2606 §3): one of them is not among the server's own.
const FOREIGN: [&str; 3] = ["example.org", "example.net", "example.com"];

/// A test message.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TestEmail {
    /// The recipient; the sender without.
    pub to: Option<EmailAddress>,
    /// The sender, an account of the server; the first administrator without.
    pub from: Option<EmailAddress>,
    /// The sender's password; without, the first administrator's as it is kept among the secrets.
    pub password: Option<Secret>,
    /// The subject; without, one that names the mail host.
    pub subject: Option<String>,
    /// The text; without, one that says what the message is for.
    pub body: Option<String>,
    /// How long it may take until the message is where it belongs.
    pub timeout: Duration,
    /// Whether the message stays in the mailbox.
    pub keep: bool,
    /// Whether it is tried what a server must refuse.
    pub negative: bool,
}

impl Default for TestEmail {
    fn default() -> Self {
        Self {
            to: None,
            from: None,
            password: None,
            subject: None,
            body: None,
            timeout: Duration::from_secs(120),
            keep: false,
            negative: true,
        }
    }
}

impl Mailu {
    /// Sends a message through the deployment at `layout` as a mail program would, and follows it: log-in, acceptance, queue, delivery,
    /// and where the sender is the recipient, mailbox and the results at its head. A message that was read back is deleted, unless
    /// `wish` says otherwise. `each` hears of every stage as it ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a sender without a password, or for a subject that is none; [`ErrorKind::NotFound`] where there
    /// are no containers, or the administrator's password is not there; [`ErrorKind::Docker`] where the engine does not answer. A
    /// message that does not come through is no error but a result.
    pub fn test_email(
        &self,
        layout: &Layout,
        wish: &TestEmail,
        each: &mut dyn FnMut(&Step),
    ) -> Result<Report, Error> {
        self.tested(layout, wish, each)
            .map(|mut report| {
                hints::findings(&mut report.findings, self.root());
                report
            })
            .map_err(|error| hints::error(error, self.root()))
    }

    fn tested(
        &self,
        layout: &Layout,
        wish: &TestEmail,
        each: &mut dyn FnMut(&Step),
    ) -> Result<Report, Error> {
        let (config, _) = self.config(layout)?;
        let from = &wish
            .from
            .clone()
            .unwrap_or_else(|| config.admin_email.clone());
        let password = match &wish.password {
            Some(password) => password.clone(),
            None if *from == config.admin_email => self.secret(layout, "admin_password")?,
            None => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "test_email.password",
                    format!("log in as {from}: its password is not known"),
                )
                .hint("name a file that has it: `--password-file FILE`, or `--password-file -` for the input"));
            }
        };
        let to = wish.to.as_ref().unwrap_or(from);
        let message = Message::make(&config, from, to, wish)?;
        let docker = Docker::connect()?;
        let containers = docker.project(&status::project(layout, &config))?;
        if containers.is_empty() {
            return Err(no_containers(
                layout,
                &config,
                "send a test message through",
            ));
        }
        let mut secrets = ready::secrets(layout);
        secrets.push(password.clone());
        let mut walk = Walk {
            layout,
            docker: &docker,
            all: docker.containers()?,
            report: Report::new(
                config.mail_host.to_string(),
                from.to_string(),
                to.to_string(),
                message.subject.clone(),
                message.id.clone(),
            ),
            own_account: to == from,
            record: self.record(layout, from),
            config,
            containers,
            secrets,
            login: (from.to_string(), password),
            keep: wish.keep,
            until: Instant::now() + wish.timeout,
            since: observe::now_seconds(),
            each,
        };
        if walk.stages(&message) && wish.negative {
            walk.negative();
        }
        walk.report.conclude();
        Ok(walk.report)
    }

    /// The DKIM record for a sender's domain, and its text, if the domain is in the configuration and has a key.
    fn record(&self, layout: &Layout, from: &EmailAddress) -> Option<(String, String)> {
        let (config, records) = self.dns(layout).ok()?;
        let fqdn = format!("{}._domainkey.{}", config.dns.selector, from.domain());
        let mut all = records.zones.into_iter().flat_map(|zone| zone.records);
        let record = all.find(|record| record.fqdn == fqdn)?;
        match record.data {
            Some(Data::Txt { text }) => Some((fqdn, text)),
            _ => None,
        }
    }
}

/// What is sent.
struct Message {
    id: String,
    subject: String,
    envelope: lettre::address::Envelope,
    text: Vec<u8>,
}

impl Message {
    fn make(
        config: &Config,
        from: &EmailAddress,
        to: &EmailAddress,
        wish: &TestEmail,
    ) -> Result<Self, Error> {
        let id = format!(
            "<test.{:016x}{:016x}@{}>",
            OsRng.next_u64(),
            OsRng.next_u64(),
            config.mail_host
        );
        let subject = wish
            .subject
            .clone()
            .unwrap_or_else(|| format!("Test message of {}", config.mail_host));
        if subject.chars().any(char::is_control) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "test_email.subject",
                "take the subject: it has line ends or other control characters",
            )
            .hint("a subject is one line: `--subject 'A test'`"));
        }
        let body = wish.body.clone().unwrap_or_else(|| {
            format!(
                "`mailu test-email` sent this message through {} to see whether it arrives.\n",
                config.mail_host
            )
        });
        let refused = |why: String| {
            Error::new(
                ErrorKind::InvalidInput,
                "test_email.message",
                format!("write a message from {from} to {to}: {why}"),
            )
            .hint("addresses look like `somebody@example.com`")
        };
        let mailbox = |address: &EmailAddress| {
            address
                .to_string()
                .parse::<lettre::message::Mailbox>()
                .map_err(|error| refused(error.to_string()))
        };
        // Nobody's vacation message is to answer it (RFC 3834 §5).
        let automatic = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let message = lettre::Message::builder()
            .from(mailbox(from)?)
            .to(mailbox(to)?)
            .subject(subject.clone())
            .message_id(Some(id.clone()))
            .date_now()
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            id,
            subject,
            envelope: message.envelope().clone(),
            text: message.formatted(),
        })
    }
}

/// The message that was found in the mailbox.
struct Found {
    folder: String,
    head: Vec<u8>,
    /// Why it could not be deleted.
    kept: Option<String>,
}

/// One test message on its way.
struct Walk<'a> {
    layout: &'a Layout,
    docker: &'a Docker,
    config: Config,
    /// Every container of the host.
    all: Vec<Container>,
    /// The deployment's.
    containers: Vec<Container>,
    secrets: Vec<Secret>,
    login: (String, Secret),
    /// Whether the recipient's mailbox can be read.
    own_account: bool,
    keep: bool,
    /// The DKIM record of the sender's domain, and its text.
    record: Option<(String, String)>,
    until: Instant,
    /// When it began, in seconds since 1970.
    since: i64,
    report: Report,
    each: &'a mut dyn FnMut(&Step),
}

impl Walk<'_> {
    /// Goes from stage to stage, until one fails; whether none has.
    fn stages(&mut self, message: &Message) -> bool {
        let begun = Instant::now();
        let Some((mut smtp, port)) = self.connect(begun) else {
            return false;
        };
        let begun = Instant::now();
        if !self.log_in(begun, &mut smtp, port) {
            return false;
        }
        let begun = Instant::now();
        let answer = smtp.send(&message.envelope, &message.text);
        smtp.abort();
        let answer = match answer {
            Ok(response) => {
                let lines: Vec<&str> = response.message().collect();
                format!("{} {}", response.code(), lines.join(" "))
            }
            Err(error) => {
                self.not_accepted(begun, &error);
                return false;
            }
        };
        self.passed(Stage::Submit, begun, &answer);
        let mut trail = Trail::new(&message.id, delivery::queued_as(&answer));
        if !self.queue(&mut trail, &answer) || !self.deliver(&mut trail) {
            return false;
        }
        let begun = Instant::now();
        if !self.own_account {
            let why = if self.is_own_domain() {
                format!(
                    "the mailbox of {} is not looked into: only its own password opens it",
                    self.report.to
                )
            } else {
                "another server has it".to_owned()
            };
            self.step(Stage::Arrive, Outcome::Skipped, begun, &why);
            self.authenticate(Results::default(), false);
            return self.report.outcome(Stage::Authenticate) != Some(Outcome::Failed);
        }
        let Some(found) = self.arrive(begun, &message.id) else {
            return false;
        };
        let domain = self.login.0.rsplit('@').next().unwrap_or_default();
        // Rspamd writes what Postfix calls itself.
        let host = self.config.mail_host.to_string();
        let results = Results::of(&Head::read(&found.head), &host, domain);
        self.authenticate(results, true);
        self.report.outcome(Stage::Authenticate) != Some(Outcome::Failed)
    }

    fn step(&mut self, stage: Stage, outcome: Outcome, begun: Instant, detail: &str) {
        let detail = self.shown(detail);
        let step = Step::new(stage, outcome, milliseconds(begun), detail);
        (self.each)(&step);
        self.report.stages.push(step);
    }

    fn passed(&mut self, stage: Stage, begun: Instant, detail: &str) {
        self.step(stage, Outcome::Passed, begun, detail);
    }

    /// A stage that failed: for want of one of `services`, if one does not run, or as `detail` says.
    fn failed(
        &mut self,
        stage: Stage,
        begun: Instant,
        detail: &str,
        finding: Finding,
        services: &[&str],
    ) {
        let mut finding = finding.value(self.shown(detail));
        // What runs may have changed since.
        if let Ok(now) = self
            .docker
            .project(&status::project(self.layout, &self.config))
        {
            self.containers = now;
        }
        let idle: Vec<(&str, String)> = services
            .iter()
            .filter_map(|service| Some((*service, self.idle(service)?)))
            .collect();
        for (service, how) in &idle {
            let _ = write!(finding.message, "; {service} {how}");
        }
        let options = self.config.options();
        let names: Vec<&str> = idle.iter().map(|(service, _)| *service).collect();
        if !idle.is_empty() {
            finding
                .hints
                .insert(0, format!("`mailu start {options} {}`", names.join(" ")));
        }
        if let Some(first) = names.first().or_else(|| services.first()) {
            finding = finding.hint(format!(
                "`mailu logs {options} --tail 50 {first}` shows what it says of that"
            ));
        }
        self.report.findings.push(finding);
        self.step(stage, Outcome::Failed, begun, detail);
    }

    /// How a service is that does not run; `None` for one that does, or that is not of this deployment.
    fn idle(&self, service: &str) -> Option<String> {
        let wanted = status::wanted(self.layout, &self.config);
        if wanted.iter().all(|one| one.service != service) {
            return None;
        }
        match self.container(service) {
            None => Some("has no container".to_owned()),
            Some(one) if one.state == State::Running => None,
            Some(one) => Some(format!("is {}", one.state.as_str())),
        }
    }

    fn container(&self, service: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|one| one.service.as_deref() == Some(service))
    }

    /// What a server said, in one line and without secrets.
    fn shown(&self, text: &str) -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        ready::without(&self.secrets, &line)
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// How long one answer may take.
    fn patience(&self) -> Duration {
        let away = ["front", "admin", "smtp"]
            .iter()
            .any(|service| self.idle(service).is_some());
        let most = if away { SHORT_ANSWER } else { ANSWER };
        self.left().clamp(Duration::from_secs(1), most)
    }

    fn is_own_domain(&self) -> bool {
        let domain = self.report.to.rsplit('@').next().unwrap_or_default();
        let mut own = self.config.domains().chain(self.config.receiving());
        own.any(|one| one.as_str() == domain)
    }

    /// Where a client from outside connects.
    fn place(&self, port: MailPort) -> Option<std::net::SocketAddr> {
        place(&self.config, self.container("front"), &self.all, port)
    }

    /// The first of `ports` that front opens.
    fn open(&self, ports: [MailPort; 2]) -> Option<MailPort> {
        let open = self.config.open_ports();
        ports.into_iter().find(|port| open.contains(port))
    }

    fn connect(&mut self, begun: Instant) -> Option<(SmtpConnection, MailPort)> {
        let options = self.config.options();
        let subject = |port: MailPort| format!("port {}", port.number());
        let Some(port) = self.open([MailPort::Submissions, MailPort::Submission]) else {
            let finding = Finding::error(
                "delivery.connect",
                "ports.mail",
                "has neither 465 nor 587: nobody can hand mail in",
            )
            .hint(format!("`mailu config set {options} ports.mail=…` with 465 in it, then `mailu apply {options}`"));
            self.failed(
                Stage::Connect,
                begun,
                "no submission port is open",
                finding,
                &[],
            );
            return None;
        };
        let Some(place) = self.place(port) else {
            let finding = Finding::error(
                "delivery.connect",
                subject(port),
                "leads nowhere: neither front nor Traefik publishes it",
            )
            .hint(format!("`mailu check {options}` says what is missing"));
            let detail = format!("port {} is not published", port.number());
            self.failed(Stage::Connect, begun, &detail, finding, &["front"]);
            return None;
        };
        match open_smtp(place, &self.config, port, self.patience()) {
            Ok(smtp) => {
                let detail = format!("{place}, port {}", port.number());
                let detail = match self.certificate(&smtp, port) {
                    Some(said) => format!("{detail}; {said}"),
                    None => format!("{detail}; without TLS"),
                };
                self.passed(Stage::Connect, begun, &detail);
                Some((smtp, port))
            }
            Err(why) => {
                let pending = ready::certificate_pending(self.layout, &self.config);
                let mut finding = Finding::error(
                    "delivery.connect",
                    subject(port),
                    format!("does not answer as it should at {place}"),
                );
                if pending {
                    finding = finding.hint("Mailu has no certificate yet, and keeps mail ports shut until Let's Encrypt has given one");
                }
                let detail = format!("{place}: {why}");
                let finding = finding.hint(format!(
                    "`mailu status {options}` shows how the services are"
                ));
                self.failed(Stage::Connect, begun, &detail, finding, &["front"]);
                None
            }
        }
    }

    /// What the server's certificate says; a warning, if mail programs would not take it.
    fn certificate(&mut self, smtp: &SmtpConnection, port: MailPort) -> Option<String> {
        let options = self.config.options();
        let chain = smtp.certificate_chain().ok()?;
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let name = self.config.mail_host.to_string();
        let seen = certificate::described(&chain, observe::now_seconds());
        let Some(seen) = seen else {
            return Some("with a certificate that cannot be read".to_owned());
        };
        let wrong = if seen.own_issuer {
            Some("is self-signed".to_owned())
        } else if seen.days_left < 0 {
            Some(format!("ended {} days ago", -seen.days_left))
        } else if seen.too_early {
            Some(format!("is valid only from {}", seen.not_before))
        } else if !seen.covers(&name) {
            Some(format!("is not for {name}"))
        } else {
            None
        };
        let Some(wrong) = wrong else {
            return Some(format!(
                "its certificate is for {name}, for {} more days",
                seen.days_left
            ));
        };
        self.report.findings.push(
            Finding::warning(
                "delivery.certificate",
                format!("port {}", port.number()),
                format!("serves a certificate that {wrong}: mail programs warn, or refuse to connect"),
            )
            .hint(format!("`mailu certs {options}` shows where certificates come from, and `mailu certs sync {options}` takes a new one over")),
        );
        Some(format!("its certificate {wrong}"))
    }

    fn log_in(&mut self, begun: Instant, smtp: &mut SmtpConnection, port: MailPort) -> bool {
        let (user, password) = &self.login;
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        let error = match smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials) {
            Ok(response) => {
                let detail = format!(
                    "{user}: {} {}",
                    response.code(),
                    response.message().collect::<Vec<_>>().join(" ")
                );
                self.passed(Stage::Login, begun, &detail);
                return true;
            }
            Err(error) => error,
        };
        let user = user.clone();
        let options = self.config.options();
        let finding = Finding::error(
            "delivery.login",
            &user,
            format!("could not log in on port {}", port.number()),
        );
        // What is refused for good is wrong; anything else is about the server.
        let permanent = error.is_permanent();
        let finding = if permanent && user == self.config.admin_email.to_string() {
            finding
                .hint(format!("if the password was changed since the installation, put the new one into a file: `mailu test-email {options} --password-file FILE`"))
                .hint(format!("`mailu logs {options} --tail 20 admin` says why, in the line `Login attempt`"))
        } else if permanent {
            finding
                .hint("check address and password; an account that needs tokens takes a token instead of the password")
                .hint(format!("`mailu logs {options} --tail 20 admin` says why, in the line `Login attempt`"))
        } else {
            finding.hint(format!(
                "`mailu status {options}` shows how the services are"
            ))
        };
        let detail = format!("{user}: {}", words(&error));
        self.failed(Stage::Login, begun, &detail, finding, &["admin", "smtp"]);
        false
    }

    fn not_accepted(&mut self, begun: Instant, error: &lettre::transport::smtp::Error) {
        let options = self.config.options();
        let text = words(error);
        let finding = Finding::error(
            "delivery.submit",
            self.report.to.clone(),
            if error.is_permanent() {
                "the message was refused"
            } else {
                "the message was not accepted; mail programs would try again later"
            },
        );
        let lower = text.to_ascii_lowercase();
        let finding = if lower.contains("rate") && lower.contains("limit") {
            finding.hint(format!("the account has sent as much as it may for today: `mailu config get {options} limits` shows the limits"))
        } else if lower.contains("5.1.1") || lower.contains("user unknown") {
            finding.hint("check the recipient's address")
        } else {
            finding.hint(format!(
                "`mailu status {options}` shows how the services are"
            ))
        };
        self.failed(
            Stage::Submit,
            begun,
            &text,
            finding,
            &["smtp", "antispam", "admin"],
        );
    }

    /// Reads what Postfix has logged since the beginning; whether there was anything at all of Postfix's.
    fn follow(&self, trail: &mut Trail) -> Result<bool, Error> {
        let Some(smtp) = self.container("smtp") else {
            return Ok(false);
        };
        let wish = LogWish {
            // Clocks of engine and host are one, and its seconds are whole.
            since: Some(self.since - 1),
            ..LogWish::default()
        };
        let mut lines = Vec::new();
        self.docker
            .logs(std::slice::from_ref(&smtp.name), &wish, &mut |line| {
                lines.push(line.text);
                ControlFlow::Continue(())
            })?;
        // A message that comes back may be logged before the line that says that it was handed on.
        for line in &lines {
            trail.read(line);
        }
        Ok(lines.iter().any(|line| line.contains("postfix")))
    }

    /// What Postfix's queue has of it.
    fn waiting(&self, trail: &Trail) -> Option<Queued> {
        let smtp = self.container("smtp")?;
        let listed = self
            .docker
            .execute(&smtp.name, &["postqueue", "-j"], None, EXECUTE)
            .ok()?;
        trail.ids().find_map(|id| queued(&listed.out, id))
    }

    fn queue(&mut self, trail: &mut Trail, answer: &str) -> bool {
        let options = self.config.options();
        let begun = Instant::now();
        let patience = LOG_PATIENCE.min(self.left().max(PAUSE));
        let mut unreadable = None;
        let mut logs = false;
        while trail.fate() == Fate::Unseen && begun.elapsed() < patience {
            match self.follow(trail) {
                Ok(something) => logs |= something,
                Err(error) => {
                    unreadable = Some(error);
                    break;
                }
            }
            if trail.fate() == Fate::Unseen {
                thread::sleep(PAUSE);
            }
        }
        self.report.queue_ids = trail.ids().map(str::to_owned).collect();
        let names = self.report.queue_ids.join(", ");
        if trail.fate() != Fate::Unseen {
            self.passed(Stage::Queue, begun, &format!("Postfix calls it {names}"));
            return true;
        }
        if let Some(there) = self.waiting(trail) {
            let detail = format!(
                "Postfix calls it {names}; it is in the queue {}",
                there.queue
            );
            self.passed(Stage::Queue, begun, &detail);
            return true;
        }
        // Postfix logs every message at this level; without, nothing can be told.
        let quiet = unreadable.is_some() || self.quiet();
        if quiet || logs {
            let why = unreadable.map_or_else(
                || "smtp logs too little to tell".to_owned(),
                |error| error.to_string(),
            );
            self.report.findings.push(
                Finding::warning(
                    "delivery.unlogged",
                    "smtp",
                    "its log has no trace of the message, so that it is not known what Postfix did with it",
                )
                .value(self.shown(&why))
                .hint("`logs.level` has to be INFO or DEBUG for that"),
            );
            self.step(Stage::Queue, Outcome::Unknown, begun, &why);
            return true;
        }
        let finding = Finding::error(
            "delivery.queue",
            "smtp",
            "knows nothing of a message that was accepted: the port leads to another server than this deployment's",
        )
        .hint(format!("see who has the port: `mailu check {options}`, and what Traefik's routers for it lead to"));
        let detail =
            format!("accepted with `{answer}`, and neither in Postfix's log nor in its queue");
        self.failed(Stage::Queue, begun, &detail, finding, &["smtp"]);
        false
    }

    /// Whether Postfix is told to log less than what is needed to follow a message.
    fn quiet(&self) -> bool {
        let smtp = self.container("smtp");
        let level = smtp.and_then(|smtp| smtp.environment.get("LOG_LEVEL"));
        level.is_some_and(|level| !matches!(level.as_str(), "INFO" | "DEBUG" | "NOTSET"))
    }

    /// Follows it until it is where it belongs, or will not be for now; whether to go on.
    fn deliver(&mut self, trail: &mut Trail) -> bool {
        let begun = Instant::now();
        if self.report.outcome(Stage::Queue) == Some(Outcome::Unknown) {
            self.step(
                Stage::Deliver,
                Outcome::Unknown,
                begun,
                "Postfix says nothing of it",
            );
            return true;
        }
        let fate = loop {
            if let Err(error) = self.follow(trail) {
                let why = error.to_string();
                self.step(Stage::Deliver, Outcome::Unknown, begun, &why);
                return true;
            }
            match trail.fate() {
                Fate::Unseen | Fate::Underway if !self.left().is_zero() => thread::sleep(PAUSE),
                fate => break fate,
            }
        };
        self.report.queue_ids = trail.ids().map(str::to_owned).collect();
        let options = self.config.options();
        let to = self.report.to.clone();
        // Mail for this server goes by way of front.
        let inside: &[&str] = if self.is_own_domain() {
            &["front", "imap", "admin"]
        } else {
            &[]
        };
        let stays = |finding: Finding, id: &str| {
            finding
                .hint(format!("it stays in the queue, and Postfix tries again: `mailu exec {options} smtp -- postqueue -i {id}` does so at once"))
                .hint(format!("`mailu exec {options} smtp -- postsuper -d {id}` gives it up"))
        };
        let id = self.report.queue_ids.last().cloned().unwrap_or_default();
        match fate {
            Fate::Sent(attempts) => {
                let all: Vec<String> = attempts
                    .iter()
                    .map(|one| format!("{} took it for {}: {}", one.relay, one.to, one.text))
                    .collect();
                self.passed(Stage::Deliver, begun, &all.join("; "));
                return true;
            }
            Fate::Deferred(attempt) => {
                let finding = stays(
                    Finding::error(
                        "delivery.deferred",
                        &to,
                        format!("did not get the message yet ({})", attempt.relay),
                    ),
                    &id,
                );
                let finding = if inside.is_empty() {
                    finding.hint(format!(
                        "`mailu check {options}` tries whether mail gets out of this host at all"
                    ))
                } else {
                    finding
                };
                self.failed(Stage::Deliver, begun, &attempt.text, finding, inside);
            }
            Fate::Bounced(attempt) => {
                let finding = Finding::error(
                    "delivery.bounced",
                    &to,
                    format!(
                        "was refused for good ({}); the message went back to {}",
                        attempt.relay, self.report.from
                    ),
                )
                .hint("check the recipient's address; what the other server says is above");
                self.failed(Stage::Deliver, begun, &attempt.text, finding, inside);
            }
            Fate::Unseen | Fate::Underway => {
                let there = self.waiting(trail);
                let why = there.as_ref().map_or_else(
                    || "Postfix has not said what became of it".to_owned(),
                    |there| match there.reasons.first() {
                        Some(reason) => format!("in the queue {}: {reason}", there.queue),
                        None => format!("in the queue {}", there.queue),
                    },
                );
                if there.is_some() {
                    let finding = stays(
                        Finding::error("delivery.slow", &to, "did not get the message in time"),
                        &id,
                    )
                    .hint("`--timeout SECONDS` waits longer");
                    self.failed(Stage::Deliver, begun, &why, finding, inside);
                } else {
                    self.step(Stage::Deliver, Outcome::Unknown, begun, &why);
                    return true;
                }
            }
        }
        false
    }

    fn arrive(&mut self, begun: Instant, id: &str) -> Option<Found> {
        let options = self.config.options();
        let subject = self.login.0.clone();
        let Some(port) = self.open([MailPort::Imaps, MailPort::Imap]) else {
            let why = "neither 993 nor 143 is among `ports.mail`, so that nobody can look";
            self.step(Stage::Arrive, Outcome::Unknown, begun, why);
            return None;
        };
        let Some(place) = self.place(port) else {
            let finding = Finding::error(
                "delivery.arrive",
                format!("port {}", port.number()),
                "leads nowhere: neither front nor Traefik publishes it",
            )
            .hint(format!("`mailu check {options}` says what is missing"));
            let detail = format!("port {} is not published", port.number());
            self.failed(Stage::Arrive, begun, &detail, finding, &["front"]);
            return None;
        };
        let mailbox = Mailbox {
            place,
            host: self.config.mail_host.to_string(),
            port,
            plain: self.config.tls.mode == TlsMode::None,
            login: &self.login,
            keep: self.keep,
        };
        let patience = self.left().max(MAILBOX_PATIENCE);
        match mailbox.fetch(id, patience) {
            Ok(Some(found)) => {
                let mut detail = format!("in {}, read on port {}", found.folder, port.number());
                if !self.keep && found.kept.is_none() {
                    detail.push_str(", and deleted");
                }
                if found.folder == "Junk" {
                    self.report.findings.push(
                        Finding::warning(
                            "delivery.junk",
                            &subject,
                            "got the message into Junk: the spam filter took it for spam",
                        )
                        .hint(format!("`mailu logs {options} antispam` says why, in the line with the message's identifier")),
                    );
                }
                if let Some(why) = &found.kept {
                    self.report.findings.push(
                        Finding::notice(
                            "delivery.kept",
                            &subject,
                            "still has the message, which could not be deleted",
                        )
                        .value(self.shown(why)),
                    );
                }
                self.passed(Stage::Arrive, begun, &detail);
                Some(found)
            }
            Ok(None) => {
                let finding = Finding::error(
                    "delivery.arrive",
                    &subject,
                    "has the message in no folder",
                )
                .hint("a filter or forwarding of the account may have taken it elsewhere: look at its settings in the admin interface");
                let detail = format!("not there within {} seconds", patience.as_secs());
                self.failed(Stage::Arrive, begun, &detail, finding, &["imap", "front"]);
                None
            }
            Err(why) => {
                let finding = Finding::error(
                    "delivery.arrive",
                    format!("port {}", port.number()),
                    format!("does not let {subject} read mail at {place}"),
                )
                .hint("the account has to be allowed to use IMAP (admin interface)");
                let detail = format!("{place}: {why}");
                self.failed(
                    Stage::Arrive,
                    begun,
                    &detail,
                    finding,
                    &["front", "imap", "admin"],
                );
                None
            }
        }
    }

    fn authenticate(&mut self, results: Results, read: bool) {
        let begun = Instant::now();
        let domain = self.login.0.rsplit('@').next().unwrap_or_default();
        let record = self.record.clone();
        let (fqdn, key) = match (&record, &results.signed) {
            // What it is signed with counts, if that is another key than ours.
            (Some((fqdn, text)), None) => (fqdn.clone(), self.published(fqdn, text)),
            (Some((fqdn, text)), Some(signed)) if fqdn == signed => {
                (fqdn.clone(), self.published(fqdn, text))
            }
            (_, Some(signed)) => (signed.clone(), Key::Unknown),
            (None, None) => (domain.to_owned(), Key::Unknown),
        };
        let (outcome, detail, findings) =
            delivery::authenticate(&results, read, &fqdn, key, &self.config.options());
        self.report.results = results;
        self.report.findings.extend(findings);
        self.step(Stage::Authenticate, outcome, begun, &detail);
    }

    /// Looks for a record from the resolver container: nobody else here asks the world. What that one remembers may have been
    /// replaced in the meantime, so that the domain's own servers are asked first, on the way from the root.
    fn published(&self, fqdn: &str, wanted: &str) -> Key {
        let ask = |words: &[&str]| {
            let resolver = self.container("resolver")?;
            let start = ["dig", "@127.0.0.1", "+time=4", "+tries=2"];
            let command = [&start, words, &[fqdn, "TXT"]].concat();
            let said = self
                .docker
                .execute(&resolver.name, &command, None, EXECUTE)
                .ok()?;
            // One answer after the other; the last counts.
            said.out.rsplit(";; ->>HEADER<<-").next().map(str::to_owned)
        };
        let own = ask(&["+trace", "+comments", "+nodnssec"]);
        let answer = own
            .filter(|answer| answer.contains("flags: qr aa"))
            .or_else(|| ask(&[]));
        answer.map_or(Key::Unknown, |answer| judged(&answer, wanted))
    }

    /// Tries what a server must refuse.
    fn negative(&mut self) {
        if self.config.open_ports().contains(&MailPort::Smtp) {
            if let Some(place) = self.place(MailPort::Smtp) {
                self.relay(place);
                self.auth_on_25(place);
            } else {
                let why = "port 25 is not published";
                for name in ["relay", "auth_on_25"] {
                    self.tried(name, Outcome::Unknown, Instant::now(), why);
                }
            }
        }
        self.forged_sender();
    }

    fn tried(&mut self, name: &str, outcome: Outcome, begun: Instant, detail: &str) {
        let detail = self.shown(detail);
        let one = Negative::new(name, outcome, milliseconds(begun), detail);
        self.report.negative.push(one);
    }

    /// Sending to another server as a stranger.
    fn relay(&mut self, place: std::net::SocketAddr) {
        let begun = Instant::now();
        let name = self.config.mail_host.to_string();
        let token = format!("relay-probe-{:016x}", OsRng.next_u64());
        let (outcome, said) = match probe::relay(place, &name, &token) {
            Ok(attempt) => match start::relay(attempt.code, &attempt.text) {
                Relay::Refused => (Outcome::Passed, attempt.text),
                Relay::Accepted => (Outcome::Failed, attempt.text),
                Relay::Unclear => (Outcome::Unknown, attempt.text),
            },
            Err(why) => (Outcome::Unknown, why),
        };
        if outcome == Outcome::Failed {
            let options = self.config.options();
            self.report.findings.push(
                Finding::error(
                    "delivery.open_relay",
                    format!("port 25 at {place}"),
                    "takes mail for other servers from strangers: an open relay, which spammers find within hours",
                )
                .value(self.shown(&said))
                .hint(format!("`mailu stop {options} front` at once"))
                .hint("addresses in SUBNET and RELAYNETS may send without a password: see that Traefik is not in this server's own network, and that RELAYNETS in mailu.env is empty"),
            );
        }
        self.tried("relay", outcome, begun, &said);
    }

    /// A login on the port for other servers would let passwords be guessed there, and be sent without TLS.
    fn auth_on_25(&mut self, place: std::net::SocketAddr) {
        let options = self.config.options();
        let begun = Instant::now();
        let ask = || -> Result<bool, lettre::transport::smtp::Error> {
            let hello = hello();
            let mut smtp =
                SmtpConnection::connect(place, Some(self.patience()), &hello, None, None)?;
            let offers = |smtp: &SmtpConnection| {
                let known = [Mechanism::Plain, Mechanism::Login, Mechanism::Xoauth2];
                smtp.server_info().get_auth_mechanism(&known).is_some()
            };
            let mut offered = offers(&smtp);
            if smtp.can_starttls() {
                let parameters = parameters(&self.config.mail_host.to_string())?;
                smtp.starttls(&parameters, &hello)?;
                offered |= offers(&smtp);
            }
            smtp.abort();
            Ok(offered)
        };
        let (outcome, said) = match ask() {
            Ok(false) => (Outcome::Passed, "no AUTH, with and without TLS".to_owned()),
            Ok(true) => (Outcome::Failed, "AUTH is offered".to_owned()),
            Err(error) => (Outcome::Unknown, words(&error)),
        };
        if outcome == Outcome::Failed {
            self.report.findings.push(
                Finding::error(
                    "delivery.auth_on_25",
                    format!("port 25 at {place}"),
                    "offers log-ins, which belong on 465 and 587: passwords can be guessed there, or go in the open",
                )
                .hint(format!("take what offers AUTH out of overrides/nginx and overrides/postfix, then `mailu restart {options} front smtp`")),
            );
        }
        self.tried("auth_on_25", outcome, begun, &said);
    }

    /// Sending under an address that is not the account's. Stops before there is any message.
    fn forged_sender(&mut self) {
        let begun = Instant::now();
        let foreign = FOREIGN
            .into_iter()
            .find(|name| self.config.domains().all(|own| own.as_str() != *name));
        let (Some(domain), Some(port)) = (
            foreign,
            self.open([MailPort::Submissions, MailPort::Submission]),
        ) else {
            return;
        };
        let forged = format!("mailu-test@{domain}");
        let own = self.login.0.clone();
        let attempt = || -> Result<(Option<bool>, String), String> {
            let place = self.place(port).ok_or("the port is not published")?;
            let mut smtp = open_smtp(place, &self.config, port, self.patience())?;
            let (user, password) = &self.login;
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .map_err(|error| error.to_string())?;
            let address = |text: &str| {
                text.parse::<lettre::Address>()
                    .map_err(|error| error.to_string())
            };
            // Postfix judges senders only when it hears of a recipient.
            let mail = Mail::new(Some(address(&forged)?), Vec::new());
            let rcpt = Rcpt::new(address(&own)?, Vec::new());
            let said = smtp.command(mail).and_then(|_| smtp.command(rcpt));
            smtp.abort();
            Ok(match said {
                Ok(response) => {
                    let lines: Vec<&str> = response.message().collect();
                    (
                        Some(false),
                        format!("{} {}", response.code(), lines.join(" ")),
                    )
                }
                Err(error) => (error.is_permanent().then_some(true), words(&error)),
            })
        };
        let (outcome, said) = match attempt() {
            Ok((Some(true), said)) => (Outcome::Passed, said),
            Ok((Some(false), said)) => (Outcome::Failed, said),
            Ok((None, said)) | Err(said) => (Outcome::Unknown, said),
        };
        if outcome == Outcome::Failed {
            self.report.findings.push(
                Finding::error(
                    "delivery.forged_sender",
                    &self.login.0,
                    format!("may send as {forged}: whoever has one password can write in anybody's name"),
                )
                .value(self.shown(&said))
                .hint("take the right to send under any address from the account (`allow_spoofing`, admin interface), and see that WILDCARD_SENDERS in mailu.env does not name it"),
            );
        }
        self.tried("forged_sender", outcome, begun, &said);
    }
}

/// What an answer of `dig` says of a record that should have the key of `wanted`.
fn judged(answer: &str, wanted: &str) -> Key {
    let answers = start::txt_answers(answer);
    match start::dig_status(answer) {
        Some("NOERROR" | "NXDOMAIN") if start::published(&answers, wanted) => Key::Published,
        Some("NOERROR" | "NXDOMAIN") if answers.is_empty() => Key::Missing,
        Some("NOERROR" | "NXDOMAIN") => Key::Other,
        _ => Key::Unknown,
    }
}

/// What kept a command from its success.
fn words(error: &lettre::transport::smtp::Error) -> String {
    let text = error.to_string();
    // A timeout of the socket.
    if error.is_timeout() || text.contains("(os error 11)") {
        "no answer in time".to_owned()
    } else {
        text
    }
}

fn milliseconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn hello() -> ClientId {
    ClientId::Domain("mailu.invalid".to_owned())
}

/// What the certificate says is a finding, and keeps nobody from connecting.
fn parameters(name: &str) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    TlsParameters::builder(name.to_owned())
        .dangerous_accept_invalid_certs(true)
        .dangerous_accept_invalid_hostnames(true)
        .build_rustls()
}

/// Where a client from outside connects for `port`: `all` are the containers of the host, `front` is the deployment's.
pub(super) fn place(
    config: &Config,
    front: Option<&Container>,
    all: &[Container],
    port: MailPort,
) -> Option<std::net::SocketAddr> {
    let host = Host::new(probe::own_address());
    let traefik = config
        .tls
        .mode
        .behind_traefik()
        .then(|| traefik::find(config, all))
        .flatten();
    let settings = traefik.and_then(|traefik| static_configuration(traefik).ok());
    let proxy = traefik.map(|container| Proxy::new(container, settings.as_ref()));
    start::outside(config, front, proxy, port.number(), host)
}

/// Connects as a mail program does: with TLS from the start or by STARTTLS; without, where the server has none at all.
pub(super) fn open_smtp(
    place: std::net::SocketAddr,
    config: &Config,
    port: MailPort,
    patience: Duration,
) -> Result<SmtpConnection, String> {
    let failed = |error: lettre::transport::smtp::Error| words(&error);
    let parameters = parameters(&config.mail_host.to_string()).map_err(failed)?;
    let at_once = port.implicit_tls().then_some(&parameters);
    let mut smtp =
        SmtpConnection::connect(place, Some(patience), &hello(), at_once, None).map_err(failed)?;
    if !port.implicit_tls() && config.tls.mode != TlsMode::None {
        if !smtp.can_starttls() {
            return Err("it offers no STARTTLS, and no password goes there without TLS".to_owned());
        }
        smtp.starttls(&parameters, &hello()).map_err(failed)?;
    }
    Ok(smtp)
}

/// Whatever IMAP is spoken over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Wire for T {}

type Session = async_imap::Session<Box<dyn Wire>>;

/// A mailbox, over IMAP.
struct Mailbox<'a> {
    place: std::net::SocketAddr,
    host: String,
    port: MailPort,
    /// Whether the server has no TLS at all.
    plain: bool,
    login: &'a (String, Secret),
    keep: bool,
}

impl Mailbox<'_> {
    /// Waits for the message with this Message-ID, reads its head, and deletes it.
    fn fetch(&self, id: &str, patience: Duration) -> Result<Option<Found>, String> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?
            .block_on(async {
                let begun = Instant::now();
                let log_in = tokio::time::timeout(ANSWER.min(patience), self.log_in());
                let mut session = log_in.await.map_err(|_| "no answer in time".to_owned())??;
                let left = patience.saturating_sub(begun.elapsed());
                let found = match tokio::time::timeout(left, self.find(&mut session, id)).await {
                    Ok(found) => Some(found.map_err(said)?),
                    Err(_) => None,
                };
                let bye = tokio::time::timeout(Duration::from_secs(2), session.logout());
                drop(bye.await);
                Ok(found)
            })
    }

    async fn log_in(&self) -> Result<Session, String> {
        let failed = |error: std::io::Error| error.to_string();
        let tcp = TcpStream::connect(self.place).await.map_err(failed)?;
        let name = tls::server_name(&self.host)?;
        let connector = TlsConnector::from(tls::any_certificate()?);
        let client = if self.port.implicit_tls() {
            let tls = connector.connect(name, tcp).await.map_err(failed)?;
            let mut client = async_imap::Client::new(Box::new(tls) as Box<dyn Wire>);
            greeted(client.read_response().await.map_err(failed)?.is_some())?;
            client
        } else {
            let mut client = async_imap::Client::new(tcp);
            greeted(client.read_response().await.map_err(failed)?.is_some())?;
            if self.plain {
                async_imap::Client::new(Box::new(client.into_inner()) as Box<dyn Wire>)
            } else {
                client
                    .run_command_and_check_ok("STARTTLS", None)
                    .await
                    .map_err(said)?;
                let tls = connector
                    .connect(name, client.into_inner())
                    .await
                    .map_err(failed)?;
                async_imap::Client::new(Box::new(tls) as Box<dyn Wire>)
            }
        };
        let (user, password) = self.login;
        client
            .login(user, password.expose())
            .await
            .map_err(|(error, _)| said(error))
    }

    /// Looks again and again, until it is there.
    async fn find(&self, session: &mut Session, id: &str) -> async_imap::error::Result<Found> {
        let mut looks = 0;
        let mut folders: Vec<String> = FOLDERS.map(str::to_owned).into();
        loop {
            for folder in &folders {
                match session.select(folder).await {
                    Ok(_) => {}
                    // Nobody needs to have a folder for junk.
                    Err(async_imap::error::Error::No(_)) if folder != "INBOX" => continue,
                    Err(error) => return Err(error),
                }
                let query = format!("HEADER Message-ID \"{id}\"");
                let found = session.uid_search(query).await?;
                if let Some(uid) = found.into_iter().max() {
                    return self.take(session, folder, uid).await;
                }
            }
            looks += 1;
            if looks == QUICK_LOOKS {
                let all = session.list(Some(""), Some("*")).await?;
                let all: Vec<_> = all.try_collect().await?;
                let more: Vec<String> = all
                    .iter()
                    .map(|one| one.name().to_owned())
                    .filter(|name| folders.iter().all(|there| there != name))
                    .collect();
                folders.extend(more);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads its head; then it has served.
    async fn take(
        &self,
        session: &mut Session,
        folder: &str,
        uid: u32,
    ) -> async_imap::error::Result<Found> {
        let uid = uid.to_string();
        let fetched = session.uid_fetch(&uid, "BODY.PEEK[HEADER]").await?;
        let fetched: Vec<_> = fetched.try_collect().await?;
        let head = fetched.iter().find_map(|one| one.header());
        let head = head.map(<[u8]>::to_vec).unwrap_or_default();
        let kept = if self.keep {
            None
        } else {
            delete(session, &uid).await.err().map(said)
        };
        Ok(Found {
            folder: folder.to_owned(),
            head,
            kept,
        })
    }
}

/// Only this one: whatever else somebody has marked is not ours to remove (RFC 4315).
async fn delete(session: &mut Session, uid: &str) -> async_imap::error::Result<()> {
    let marked = session.uid_store(uid, "+FLAGS.SILENT (\\Deleted)").await?;
    let _: Vec<_> = marked.try_collect().await?;
    let gone = session.uid_expunge(uid).await?;
    let _: Vec<_> = gone.try_collect().await?;
    Ok(())
}

fn greeted(something: bool) -> Result<(), String> {
    if something {
        Ok(())
    } else {
        Err("the connection was closed without a word".to_owned())
    }
}

/// An IMAP server's words alone, where there are some.
fn said(error: async_imap::error::Error) -> String {
    match error {
        async_imap::error::Error::No(text) | async_imap::error::Error::Bad(text) => text,
        error => error.to_string(),
    }
}
