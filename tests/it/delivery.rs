//! `mailu test-email` against mail servers that play a script: SMTP and IMAP on loopback, Postfix's log and queue in a fake engine.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::fake_engine::{Answer, FakeEngine};
use crate::support::{Root, Run, finished, succeed};

const ADMIN: &str = "admin@example.com";

/// A script; everything in it is as it should be unless a test says otherwise.
struct Script {
    /// Answers by the words that commands begin with. `CLOSE` ends the connection.
    smtp: Vec<(&'static str, String)>,
    /// The same on port 25.
    stranger: Vec<(&'static str, String)>,
    /// Whether SMTP goes over to TLS; then AUTH is offered only afterwards.
    starttls: bool,
    /// What is said of a forged sender.
    forged: &'static str,
    /// What Postfix logs of a message.
    log: Vec<&'static str>,
    /// The folder that it gets into.
    folder: Option<&'static str>,
    /// What is put at its head.
    head: String,
    /// The answer to IMAP's LOGIN.
    login: &'static str,
    /// The folders and their messages; those that are marked as deleted.
    mail: Vec<(&'static str, String)>,
    deleted: bool,
}

const CLOSE: &str = "CLOSE";

const LOG: [&str; 4] = [
    "postfix/cleanup[9]: 4B1C2D3E4F: message-id=ID",
    "postfix/qmgr[9]: 4B1C2D3E4F: from=<admin@example.com>, size=612, nrcpt=1 (queue active)",
    "postfix/lmtp[9]: 4B1C2D3E4F: to=<admin@example.com>, relay=front[10.203.0.5]:2525, delay=0.3, delays=0.2/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Saved)",
    "postfix/qmgr[9]: 4B1C2D3E4F: removed",
];

const DEFERRED: &str = "postfix/lmtp[9]: 4B1C2D3E4F: to=<admin@example.com>, relay=front[10.203.0.5]:2525, delay=1, delays=1/0/0/0, dsn=4.3.0, status=deferred (host front said: 451 4.3.0 Temporary lookup failure)";
const BOUNCED: &str = "postfix/lmtp[9]: 4B1C2D3E4F: to=<admin@example.com>, relay=front[10.203.0.5]:2525, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (host front said: 550 5.1.1 nobody)";

const SIGNED: &str =
    "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=dkim;\r\n\th=from; bh=x; b=y\r\n";
const OWN: &str =
    "Authentication-Results: mail.example.com;\r\n\tauth=pass smtp.mailfrom=admin@example.com\r\n";

impl Default for Script {
    fn default() -> Self {
        let texts = |all: &[(&'static str, &str)]| {
            all.iter()
                .map(|(start, said)| (*start, (*said).to_owned()))
                .collect()
        };
        Self {
            smtp: texts(&[
                ("GREETING", "220 mail.example.com ESMTP"),
                (
                    "EHLO",
                    "250-mail.example.com\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
                ),
                ("STARTTLS", "220 2.0.0 Ready"),
                ("AUTH", "235 2.7.0 Logged in."),
                ("MAIL", "250 2.1.0 Ok"),
                ("RCPT", "250 2.1.5 Ok"),
                ("DATA", "354 End data with <CR><LF>.<CR><LF>"),
                (".", "250 2.0.0 Ok: queued as 4B1C2D3E4F"),
                ("QUIT", "221 2.0.0 Bye"),
            ]),
            stranger: texts(&[
                ("GREETING", "220 mail.example.com ESMTP"),
                ("EHLO", "250-mail.example.com\r\n250 8BITMIME"),
                ("STARTTLS", "220 2.0.0 Ready"),
                ("MAIL", "250 2.1.0 Ok"),
                ("RCPT", "554 5.7.1 Relay access denied"),
                ("QUIT", "221 2.0.0 Bye"),
            ]),
            starttls: true,
            forged: "553 5.7.1 Sender address rejected: not owned by user admin@example.com",
            log: LOG.to_vec(),
            folder: Some("INBOX"),
            head: format!("{OWN}{SIGNED}"),
            login: "OK Logged in",
            mail: vec![(
                "INBOX",
                "Message-ID: <other@example.net>\r\n\r\n".to_owned(),
            )],
            deleted: false,
        }
    }
}

impl Script {
    fn says(&mut self, start: &'static str, said: &str) {
        let mut all = self.smtp.iter_mut();
        let place = all.find(|(command, _)| *command == start).unwrap();
        said.clone_into(&mut place.1);
    }
}

type Shared = Arc<Mutex<Script>>;

fn lock(script: &Shared) -> MutexGuard<'_, Script> {
    script.lock().unwrap()
}

/// A deployment whose ports lead to servers that play the script.
struct Host {
    root: Root,
    engine: Arc<FakeEngine>,
    script: Shared,
}

impl Host {
    fn new() -> Self {
        /// Keys take a while to draw, and every test wants a deployment of its own.
        static INSTALLED: LazyLock<Root> = LazyLock::new(|| {
            let root = Root::new();
            let more = ["--set", "tls.mode=letsencrypt"];
            root.install_with(&more).expect_code(0);
            root
        });
        let root = Root::new();
        succeed(
            Command::new("cp")
                .arg("-a")
                .args([INSTALLED.path(), root.path()]),
        );
        let engine = Arc::new(FakeEngine::start());
        engine.up(&root.layout().directory());
        let script = Shared::default();
        let tls = tls();
        let ports = [
            (465, true),
            (587, false),
            (25, false),
            (993, true),
            (143, false),
        ];
        let ports = ports.map(|(inside, at_once)| {
            let port = match inside {
                25 => serve(
                    &script,
                    &engine,
                    &tls,
                    at_once,
                    |wire, later, script, engine| {
                        smtp(wire, later, script, engine, true);
                    },
                ),
                465 | 587 => serve(
                    &script,
                    &engine,
                    &tls,
                    at_once,
                    |wire, later, script, engine| {
                        smtp(wire, later, script, engine, false);
                    },
                ),
                _ => serve(&script, &engine, &tls, at_once, |wire, later, script, _| {
                    imap(wire, later, script);
                }),
            };
            ("127.0.0.1".to_owned(), port, inside)
        });
        engine.change("mailu_front", |front| front.published = ports.to_vec());
        let host = Self {
            root,
            engine,
            script,
        };
        let pem = host.root.read("data/dkim/example.com.dkim.key");
        host.key(&mailu_core::dkim::public_text(&pem, &"example.com").unwrap());
        host
    }

    /// Has the name servers give this text.
    fn key(&self, text: &str) {
        let (first, rest) = text.split_at(text.len().min(200));
        let answer = format!(
            ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n;; flags: qr ra\n.\t5\tIN\tNS\tns.invalid.\n\
             ;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 2\n;; flags: qr aa; QUERY: 1\n\
             dkim._domainkey.example.com. 5 IN\tTXT\t\"{first}\" \"{rest}\"\n"
        );
        self.engine
            .program("resolver", &["dig"], move |_, _| Answer::out(&answer));
    }

    fn run(&self, args: &[&str]) -> Run {
        let args = [&["test-email"], args].concat();
        let mut command = self.root.command(&args);
        self.engine.reach(&mut command);
        let run = finished(command.output().unwrap());
        self.root
            .no_secret_in(&run.out, &format!("stdout of {args:?}"));
        self.root
            .no_secret_in(&run.err, &format!("stderr of {args:?}"));
        run
    }

    /// What it reports, which has to end with `code`.
    fn tested(&self, args: &[&str], code: i32) -> Value {
        let args = [&["--json"], args].concat();
        let report = self.run(&args).expect_code(code).json();
        assert_eq!(report["exit_code"], code, "{report}");
        report
    }
}

fn tls() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["mail.example.com".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    Arc::new(config)
}

trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// Listens, and gives every connection to `talk`. The threads end with the test program.
fn serve(
    script: &Shared,
    engine: &Arc<FakeEngine>,
    tls: &Arc<ServerConfig>,
    at_once: bool,
    talk: fn(&mut BufReader<Box<dyn Wire>>, Upgrade, &Shared, &FakeEngine),
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (script, engine, tls) = (script.clone(), engine.clone(), tls.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (script, engine, tls) = (script.clone(), engine.clone(), tls.clone());
            std::thread::spawn(move || {
                let later = (!at_once).then(|| (stream.try_clone().unwrap(), tls.clone()));
                let wire = wrapped(stream, at_once.then_some(tls));
                talk(&mut BufReader::new(wire), later, &script, &engine);
            });
        }
    });
    port
}

fn wrapped(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Box<dyn Wire> {
    match tls {
        Some(config) => Box::new(StreamOwned::new(
            ServerConnection::new(config).unwrap(),
            stream,
        )),
        None => Box::new(stream),
    }
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, text: &str) -> bool {
    let wire = wire.get_mut();
    wire.write_all(format!("{text}\r\n").as_bytes())
        .and_then(|()| wire.flush())
        .is_ok()
}

fn hear(wire: &mut BufReader<Box<dyn Wire>>) -> Option<String> {
    let mut line = String::new();
    match wire.read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

fn smtp(
    wire: &mut BufReader<Box<dyn Wire>>,
    mut later: Upgrade,
    script: &Shared,
    engine: &FakeEngine,
    stranger: bool,
) {
    let answer = |command: &str, can: bool| {
        let script = lock(script);
        let all = if stranger {
            &script.stranger
        } else {
            &script.smtp
        };
        let found = all.iter().find(|(start, _)| command.starts_with(start));
        if command.starts_with("EHLO") && script.starttls && can {
            return "250-mail.example.com\r\n250-8BITMIME\r\n250 STARTTLS".to_owned();
        }
        found.map_or("502 5.5.2 what?".to_owned(), |(_, said)| said.clone())
    };
    let greeting = answer("GREETING", false);
    if greeting == CLOSE || !say(wire, &greeting) {
        return;
    }
    let mut forged = false;
    while let Some(line) = hear(wire) {
        forged |= line.starts_with("MAIL FROM:") && !line.contains(ADMIN);
        let said = if forged && !stranger && line.starts_with("RCPT") {
            lock(script).forged.to_owned()
        } else {
            answer(&line, later.is_some())
        };
        if said == CLOSE || !say(wire, &said) {
            return;
        }
        if line == "STARTTLS" {
            upgrade(wire, &mut later);
        }
        if line == "DATA" && said.starts_with("354") {
            let mut text = String::new();
            while let Some(line) = hear(wire).filter(|line| line != ".") {
                text.push_str(&line);
                text.push_str("\r\n");
            }
            let said = answer(".", false);
            if said.starts_with("250") {
                take(script, engine, &text);
            }
            if !say(wire, &said) {
                return;
            }
        }
    }
}

/// Postfix takes a message in.
fn take(script: &Shared, engine: &FakeEngine, text: &str) {
    let mut script = lock(script);
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: "))
        .unwrap();
    engine.change("mailu_smtp", |smtp| {
        for line in &script.log {
            smtp.says(&format!("Nov 26 10:00:00 mail {}", line.replace("ID", id)));
        }
    });
    if let Some(folder) = script.folder {
        let text = format!("{}{text}", script.head);
        script.mail.push((folder, text));
    }
}

/// What a connection that is not encrypted yet can go over to.
type Upgrade = Option<(TcpStream, Arc<ServerConfig>)>;

/// Goes over to TLS.
fn upgrade(wire: &mut BufReader<Box<dyn Wire>>, upgrade: &mut Upgrade) {
    if let Some((stream, config)) = upgrade.take() {
        *wire = BufReader::new(wrapped(stream, Some(config)));
    }
}

/// As much of RFC 3501 as is needed. Searches look into what there really is.
fn imap(wire: &mut BufReader<Box<dyn Wire>>, mut later: Upgrade, script: &Shared) {
    if !say(wire, "* OK ready") {
        return;
    }
    let mut folder = String::new();
    while let Some(line) = hear(wire) {
        let (tag, command) = line.split_once(' ').unwrap();
        let mut script = lock(script);
        let of_folder: Vec<(usize, String)> = script
            .mail
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| *name == folder)
            .map(|(number, (_, text))| (number + 1, text.clone()))
            .collect();
        let mut lines = Vec::new();
        let mut done = "OK done".to_owned();
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["LOGIN", ..] => script.login.clone_into(&mut done),
            ["SELECT", name] => {
                name.trim_matches('"').clone_into(&mut folder);
                if folder == "Junk" && script.folder != Some("Junk") {
                    "NO there is none".clone_into(&mut done);
                }
                lines.push(format!("* {} EXISTS", of_folder.len()));
            }
            ["LIST", ..] => {
                lines.push("* LIST (\\HasNoChildren) \".\" INBOX".to_owned());
                lines.extend(script.folder.map(|name| format!("* LIST () \".\" {name}")));
            }
            ["UID", "SEARCH", "HEADER", "Message-ID", id] => {
                let field = format!("Message-ID: {}\r\n", id.trim_matches('"'));
                let found = of_folder.iter().filter(|(_, text)| text.contains(&field));
                let found: Vec<String> = found.map(|(uid, _)| uid.to_string()).collect();
                lines.push(
                    format!("* SEARCH {}", found.join(" "))
                        .trim_end()
                        .to_owned(),
                );
            }
            ["UID", "FETCH", uid, _] => {
                let found = of_folder
                    .iter()
                    .find(|(there, _)| there.to_string() == *uid);
                let (_, text) = found.unwrap();
                let head = &text[..text.find("\r\n\r\n").unwrap() + 4];
                lines.push(format!(
                    "* 1 FETCH (UID {uid} BODY[HEADER] {{{}}}\r\n{head})",
                    head.len()
                ));
            }
            ["UID", "STORE", _, "+FLAGS.SILENT", "(\\Deleted)"] => script.deleted = true,
            ["UID", "EXPUNGE", uid] => {
                let number: usize = uid.parse().unwrap();
                if std::mem::take(&mut script.deleted) {
                    script.mail.remove(number - 1);
                    lines.push("* 1 EXPUNGE".to_owned());
                }
            }
            ["STARTTLS"] if later.is_some() => {}
            ["LOGOUT"] => lines.push("* BYE".to_owned()),
            _ => "BAD what?".clone_into(&mut done),
        }
        drop(script);
        let goes_over = words == ["STARTTLS"];
        lines.push(format!("{tag} {done}"));
        if !say(wire, &lines.join("\r\n")) {
            return;
        }
        if goes_over {
            upgrade(wire, &mut later);
        }
    }
}

fn ids(report: &Value) -> Vec<&str> {
    let all = report["findings"].as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap()).collect()
}

fn last(report: &Value) -> (&str, &str) {
    let last = report["stages"].as_array().unwrap().last().unwrap();
    (
        last["stage"].as_str().unwrap(),
        last["outcome"].as_str().unwrap(),
    )
}

#[test]
fn a_message_goes_all_the_way_and_is_gone_then() {
    let host = Host::new();
    let report = host.tested(&["--subject", "Grüße", "--body", "Bis bald."], 0);
    let stages = report["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 7, "{report}");
    assert!(
        stages.iter().all(|one| one["outcome"] == "passed"),
        "{report}"
    );
    assert!(stages.iter().all(|one| one["milliseconds"].is_u64()));
    assert_eq!(report["delivered"], true);
    assert_eq!(report["schema"], 1);
    assert_eq!(report["queue_ids"][0], "4B1C2D3E4F");
    assert_eq!(report["results"]["auth"], "pass");
    assert_eq!(report["results"]["signed"], "dkim._domainkey.example.com");
    let refused = report["negative"].as_array().unwrap();
    assert_eq!(refused.len(), 3, "{report}");
    assert!(
        refused.iter().all(|one| one["outcome"] == "passed"),
        "{report}"
    );
    // The certificate is nobody's, and that is no more than a finding.
    assert_eq!(ids(&report), ["delivery.certificate"], "{report}");
    // Only the message itself was deleted.
    assert_eq!(lock(&host.script).mail.len(), 1);

    let report = host.tested(&["--keep", "--no-negative"], 0);
    assert_eq!(report["negative"], Value::Array(Vec::new()));
    let script = lock(&host.script);
    let (_, kept) = script.mail.last().unwrap();
    let id = report["message_id"].as_str().unwrap();
    assert!(kept.contains(&format!("Message-ID: {id}\r\n")), "{kept}");
    assert!(kept.contains("From: admin@example.com\r\n"), "{kept}");
    assert!(
        kept.contains("Auto-Submitted: auto-generated\r\n"),
        "{kept}"
    );
    drop(script);

    let run = host.run(&["--no-negative"]).expect_code(0);
    assert_eq!(run.out.lines().count(), 8, "{}", run.out);
    assert!(
        run.out.contains("arrive") && run.out.contains(" ms "),
        "{}",
        run.out
    );
    assert!(
        run.out
            .contains("admin@example.com to admin@example.com: delivered"),
        "{}",
        run.out
    );
}

#[test]
fn a_message_for_somebody_else_is_followed_as_far_as_the_log_tells() {
    let host = Host::new();
    lock(&host.script).log = vec![
        LOG[0],
        "postfix/smtp[9]: 4B1C2D3E4F: to=<x@example.net>, relay=mx.example.net[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77AA88BB99)",
        LOG[3],
    ];
    lock(&host.script).folder = None;
    let report = host.tested(&["x@example.net"], 0);
    assert_eq!(report["delivered"], true, "{report}");
    assert_eq!(last(&report), ("authenticate", "skipped"));
    assert_eq!(report["to"], "x@example.net");
    // Filters may put it anywhere.
    lock(&host.script).log = LOG.to_vec();
    lock(&host.script).folder = Some("Tests");
    host.tested(&["--no-negative"], 0);
    lock(&host.script).folder = Some("Junk");
    let report = host.tested(&["--no-negative"], 0);
    assert!(ids(&report).contains(&"delivery.junk"), "{report}");
}

#[test]
fn where_only_the_ports_with_starttls_are_open_they_are_taken() {
    let host = Host::new();
    let set = |what: &str| drop(host.root.run(&["config", "set", what]).expect_code(0));
    set("ports.mail=25,143,587");
    let report = host.tested(&[], 0);
    assert!(
        report["stages"][0]["detail"]
            .to_string()
            .contains("port 587"),
        "{report}"
    );
    assert!(
        report["stages"][5]["detail"]
            .to_string()
            .contains("port 143"),
        "{report}"
    );
    // A password goes nowhere without TLS.
    lock(&host.script).starttls = false;
    let report = host.tested(&["--timeout", "2"], 10);
    assert!(
        report.to_string().contains("offers no STARTTLS"),
        "{report}"
    );
    // Unless there is none in the whole server, as in tests.
    set("tls.mode=none");
    let report = host.tested(&[], 0);
    assert!(
        report["stages"][0]["detail"]
            .to_string()
            .contains("without TLS"),
        "{report}"
    );
}

/// What is broken; exit code, last stage and finding that follow.
type Broken = (&'static str, fn(&Host), i32, &'static str, &'static str);

const BROKEN: [Broken; 15] = [
    (
        "nothing is published",
        |host| {
            host.engine
                .change("mailu_front", |front| front.published.clear());
        },
        10,
        "connect",
        "delivery.connect",
    ),
    (
        "the port hangs up",
        |host| lock(&host.script).says("GREETING", CLOSE),
        10,
        "connect",
        "delivery.connect",
    ),
    (
        "the password is wrong",
        |host| lock(&host.script).says("AUTH", "535 5.7.8 Authentication failed."),
        11,
        "login",
        "delivery.login",
    ),
    (
        "the server hangs up at the login",
        |host| lock(&host.script).says("AUTH", CLOSE),
        11,
        "login",
        "delivery.login",
    ),
    (
        "the recipient is refused",
        |host| lock(&host.script).says("RCPT", "550 5.1.1 User unknown"),
        12,
        "submit",
        "delivery.submit",
    ),
    (
        "the spam filter is away",
        |host| lock(&host.script).says(".", "451 4.7.1 Service unavailable - try again later"),
        12,
        "submit",
        "delivery.submit",
    ),
    (
        "another server has the port",
        |host| lock(&host.script).log.clear(),
        13,
        "queue",
        "delivery.queue",
    ),
    (
        "the mailbox has to wait",
        |host| lock(&host.script).log = vec![LOG[0], LOG[1], DEFERRED],
        14,
        "deliver",
        "delivery.deferred",
    ),
    (
        "the mailbox is not there",
        |host| lock(&host.script).log = vec![LOG[0], LOG[1], BOUNCED, LOG[3]],
        14,
        "deliver",
        "delivery.bounced",
    ),
    (
        "Postfix takes its time",
        |host| {
            lock(&host.script).log = vec![LOG[0], LOG[1]];
            host.engine.program("smtp", &["postqueue", "-j"], |_, _| {
                Answer::out("{\"queue_name\": \"active\", \"queue_id\": \"4B1C2D3E4F\", \"arrival_time\": 1700000000, \"message_size\": 612, \"sender\": \"admin@example.com\", \"recipients\": [{\"address\": \"admin@example.com\"}]}\n")
            });
        },
        14,
        "deliver",
        "delivery.slow",
    ),
    (
        "the account may not use IMAP",
        |host| lock(&host.script).login = "NO [AUTHENTICATIONFAILED] Authentication failed.",
        15,
        "arrive",
        "delivery.arrive",
    ),
    (
        "a filter throws it away",
        |host| lock(&host.script).folder = None,
        15,
        "arrive",
        "delivery.arrive",
    ),
    (
        "nobody signs",
        |host| OWN.clone_into(&mut lock(&host.script).head),
        16,
        "authenticate",
        "delivery.unsigned",
    ),
    (
        "another key is in DNS",
        |host| host.key("v=DKIM1; k=rsa; p=AAAA"),
        16,
        "authenticate",
        "delivery.dkim_other",
    ),
    (
        "the server does not believe its own",
        |host| {
            let head = format!(
                "Authentication-Results: mail.example.com; spf=fail; dmarc=fail\r\n{SIGNED}"
            );
            lock(&host.script).head = head;
        },
        16,
        "authenticate",
        "delivery.authentication",
    ),
];

#[test]
fn each_fault_stops_the_message_at_its_stage() {
    for (name, breaks, code, stage, finding) in BROKEN {
        let host = Host::new();
        breaks(&host);
        let report = host.tested(&["--timeout", "2"], code);
        assert_eq!(last(&report), (stage, "failed"), "{name}: {report}");
        assert!(ids(&report).contains(&finding), "{name}: {report}");
        let findings = report["findings"].as_array().unwrap();
        for one in findings {
            let hints = one["hints"].as_array().map_or(0, Vec::len);
            assert!(hints > 0, "{name}: nothing to type: {one}");
        }
        // Nothing goes on after it, and nothing else is tried.
        assert_eq!(report["negative"], Value::Array(Vec::new()), "{name}");
        assert_eq!(report["delivered"], stage == "authenticate", "{name}");
    }
}

#[test]
fn what_strangers_say_of_a_message_counts_for_nothing() {
    let host = Host::new();
    let forged =
        "Authentication-Results: evil.example; spf=fail; dkim=fail; dmarc=fail; auth=fail\r\n";
    lock(&host.script).head = format!("{forged}{OWN}{SIGNED}");
    let report = host.tested(&["--no-negative"], 0);
    assert_eq!(report["results"]["auth"], "pass", "{report}");
    assert_eq!(report["results"]["spf"], Value::Null, "{report}");
}

#[test]
fn what_must_be_refused_is_tried() {
    type Wrong = (&'static str, &'static str, fn(&mut Script));
    const WRONG: [Wrong; 3] = [
        ("relay", "delivery.open_relay", |script| {
            for (start, said) in &mut script.stranger {
                if *start == "RCPT" {
                    "250 2.1.5 Ok".clone_into(said);
                }
            }
        }),
        ("auth_on_25", "delivery.auth_on_25", |script| {
            for (start, said) in &mut script.stranger {
                // After STARTTLS.
                if *start == "EHLO" {
                    "250-mail.example.com\r\n250 AUTH PLAIN".clone_into(said);
                }
            }
        }),
        ("forged_sender", "delivery.forged_sender", |script| {
            script.forged = "250 2.1.5 Ok";
        }),
    ];
    for (name, finding, breaks) in WRONG {
        let host = Host::new();
        breaks(&mut lock(&host.script));
        let report = host.tested(&[], 17);
        assert_eq!(report["delivered"], true, "{report}");
        assert!(ids(&report).contains(&finding), "{report}");
        for one in report["negative"].as_array().unwrap() {
            let wanted = if one["name"] == name {
                "failed"
            } else {
                "passed"
            };
            assert_eq!(one["outcome"], wanted, "{report}");
        }
        // Nobody is sent anything by trying.
        assert_eq!(lock(&host.script).mail.len(), 1);
    }
}

#[test]
fn what_is_not_known_is_said_and_is_no_failure() {
    let host = Host::new();
    // Postfix was told to be quiet.
    lock(&host.script).log.clear();
    host.engine.change("mailu_smtp", |smtp| {
        smtp.environment
            .retain(|one| !one.starts_with("LOG_LEVEL="));
        smtp.environment.push("LOG_LEVEL=ERROR".to_owned());
    });
    let report = host.tested(&["--timeout", "2", "--no-negative"], 1);
    assert_eq!(report["delivered"], true, "{report}");
    let outcomes: Vec<&str> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes[3..],
        ["unknown", "unknown", "passed", "passed"],
        "{report}"
    );
    assert!(ids(&report).contains(&"delivery.unlogged"), "{report}");
    // Nor is a name server that does not answer.
    let host = Host::new();
    host.engine.program("resolver", &["dig"], |_, _| {
        Answer::failed(9, "no servers could be reached")
    });
    let report = host.tested(&["--no-negative"], 1);
    assert_eq!(last(&report), ("authenticate", "unknown"), "{report}");
}

#[test]
fn secrets_stay_secret_and_wrong_usage_is_refused() {
    let host = Host::new();
    let password = "correct horse battery staple";
    let file = host.root.beside("password", password);
    let file = file.to_str().unwrap();
    // Whatever a server says.
    lock(&host.script).says("AUTH", &format!("535 5.7.8 {password} is wrong"));
    for more in [&[][..], &["--json"]] {
        let args = ["--from", "user@example.com", "--password-file", file];
        let run = host.run(&[&args, more].concat()).expect_code(11);
        assert!(!format!("{}{}", run.out, run.err).contains(password));
        assert!(format!("{}{}", run.out, run.err).contains("*** is wrong"));
    }
    for (args, code) in [
        (&["--from", "user@example.com"][..], "test_email.password"),
        (&["--subject", "two\nlines"], "test_email.subject"),
    ] {
        let args = [&["--json"], args].concat();
        let json = host.run(&args).expect_code(2).json();
        assert_eq!(json["error"]["code"], code, "{json}");
    }
    for args in [
        &["not-an-address"][..],
        &["a@example.net", "--to", "b@example.net"],
        &["--timeout", "0"],
        &["--body", "x", "--body-file", file],
    ] {
        host.run(args).expect_code(2);
    }
    // Without an engine nothing can be tried.
    host.engine.vanish();
    let json = host.run(&["--json"]).expect_code(2).json();
    assert_eq!(json["error"]["code"], "engine.unreachable");
}
