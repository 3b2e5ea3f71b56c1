//! Looks after the certificates of a deployment: what there is, what should be there, what front serves.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::certificate;
use super::engine::Docker;
use super::entropy::System;
use super::files::{Disk, Files};
use super::hints;
use super::lock;
use super::observe;
use super::pause::Pause;
use super::perform::{Progress, perform};
use super::preflight::static_configuration;
use super::root::Mailu;
use super::served;
use crate::certs::{self, Certificate, Origin, Pair, Report, Served, Source};
use crate::config::{Config, TlsMode};
use crate::engine::{Container, State};
use crate::error::Error;
use crate::finding::Finding;
use crate::paths::Layout;
use crate::plan::{self, CertificatePair, Entry, Fresh, Nothing, Observed, Plan};
use crate::start;

/// How long front may take to serve a new certificate: it looks about once a second, and reads its configuration anew.
const SOON: Duration = Duration::from_secs(30);

/// How long after a restart.
const AFTER_RESTART: Duration = Duration::from_secs(90);

/// Where Mailu's own certificates lie, and the names of their files: chain as front serves it, chain as it came, key.
const OWN: [&str; 2] = [
    "data/certs/letsencrypt/live/mailu-ecdsa",
    "data/certs/letsencrypt/live/mailu",
];
const OWN_CHAINS: [&str; 2] = ["nginx-chain.pem", "fullchain.pem"];

/// Whether front's Dovecot, which Mailu starts once and never again, is alive.
const DOVECOT: [&str; 3] = ["sh", "-c", "kill -0 \"$(cat /run/dovecot/master.pid)\""];

/// Asks front's Dovecot from inside, where it wants no PROXY header, for its certificate.
const SHOWN: [&str; 6] = [
    "openssl",
    "s_client",
    "-connect",
    "127.0.0.1:10143",
    "-starttls",
    "imap",
];

/// What became of front when a certificate was looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FrontReload {
    /// Nothing was new, and front is as it was.
    NotNeeded,
    /// It does not run, and reads the certificate when it starts.
    NotRunning,
    /// It serves the certificate in place.
    Serving,
    /// It was restarted, and serves the certificate in place.
    Restarted,
    /// What it serves could not be seen.
    Unseen,
    /// It does not serve the certificate in place.
    Failed,
}

/// What was done about the certificate of a deployment.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CertificateSync {
    /// The steps that were done.
    pub plan: Plan,
    /// Whether anything was.
    pub changed: bool,
    /// What became of front.
    pub front: FrontReload,
    /// How things are now.
    pub report: Report,
}

impl Mailu {
    /// The certificates of the deployment at `layout`, judged; with `probe`, also what its ports serve, which takes seconds.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`].
    pub fn certificates(&self, layout: &Layout, probe: bool) -> Result<Report, Error> {
        let (config, _) = self.config(layout)?;
        let mut report = look(layout, &config, observe::now_seconds())
            .map_err(|error| hints::error(error, self.root()))?;
        if probe {
            report.served = ports(&config, &report, observe::now_seconds());
        }
        report
            .findings
            .extend(certs::judge(layout, &config, &report));
        hints::findings(&mut report.findings, self.root());
        Ok(report)
    }

    /// Takes a newer pair from Traefik's store, or from `tls.certificate` and `tls.key`, and sees to it that front serves it.
    ///
    /// Edits of other files, and an interrupted run, do not keep it from that.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`]; [`crate::ErrorKind::Io`] if something cannot be written.
    pub fn sync_certificates(
        &self,
        layout: &Layout,
        progress: &mut dyn Progress,
    ) -> Result<CertificateSync, Error> {
        sync_with(self, layout, &mut Disk, &mut System, progress)
            .map_err(|error| hints::error(error, self.root()))
    }
}

/// [`Mailu::sync_certificates`] with everything that touches the disk replaceable.
pub(super) fn sync_with(
    mailu: &Mailu,
    layout: &Layout,
    disk: &mut dyn Files,
    fresh: &mut dyn Fresh,
    progress: &mut dyn Progress,
) -> Result<CertificateSync, Error> {
    let (config, _) = mailu.config(layout)?;
    let mut plan = planned(layout, &config, &mut Nothing)?.0;
    let mut changed = false;
    if !plan.steps.is_empty() {
        let _locks = lock::take_own(layout)?;
        plan = planned(layout, &config, fresh)?.0;
        changed = !plan.steps.is_empty();
        perform(&plan, disk, observe::privileged(), progress)?;
    }
    let mut report = look(layout, &config, observe::now_seconds())?;
    let (front, findings) = front(layout, &config, &report, changed);
    report.findings.extend(findings);
    let judged = certs::judge(layout, &config, &report);
    report.findings.extend(judged);
    hints::findings(&mut report.findings, layout.root());
    plan.findings.clear();
    Ok(CertificateSync {
        plan,
        changed,
        front,
        report,
    })
}

/// What there is for the pair in `data/certs`: the facts, and what is wrong with where they come from.
fn gathered(layout: &Layout, config: &Config, now: i64) -> Result<(Observed, Vec<Finding>), Error> {
    let mut observed = observe::certificates(layout)?;
    let mut findings = Vec::new();
    let serving = |pair: &CertificatePair| in_place(&observed, pair);
    match certificate::read(config, serving, now) {
        // Those of a pair that is in place are said of that.
        Ok((pair, _)) => observed.certificate = pair,
        Err(error) if error.all_findings().is_empty() => findings.push(
            Finding::error(
                "certs.file_unreadable",
                "tls.certificate",
                format!(
                    "cannot be copied: {error}{}",
                    std::error::Error::source(&error)
                        .map(|cause| format!(": {cause}"))
                        .unwrap_or_default()
                ),
            )
            .hint("correct `tls.certificate` and `tls.key` in mailu.toml, or put the files there"),
        ),
        Err(error) => findings.extend(error.all_findings().iter().cloned()),
    }
    let (pair, noted) = super::acme::take(config, now);
    observed.traefik_certificate = pair;
    findings.extend(noted);
    observed.pair_in_place = observed
        .entries
        .get("data/certs/cert.pem")
        .and_then(Entry::text)
        .and_then(|text| certificate::look(text, now));
    Ok((observed, findings))
}

fn planned(
    layout: &Layout,
    config: &Config,
    fresh: &mut dyn Fresh,
) -> Result<(Plan, Observed), Error> {
    let (observed, findings) = gathered(layout, config, observe::now_seconds())?;
    // Files of yours that are refused must not have the pair in place replaced by a self-signed one.
    let refused = config.tls.mode == TlsMode::Cert && crate::finding::has_errors(&findings);
    let mut plan = plan::certificates(layout, config, &observed, fresh)?;
    if refused {
        plan.steps.clear();
    }
    Ok((plan, observed))
}

fn in_place(observed: &Observed, pair: &CertificatePair) -> bool {
    let is = |path: &str, text: &str| {
        let entry = observed.entries.get(path);
        entry.and_then(|entry| entry.content.as_deref()) == Some(text.as_bytes())
    };
    is("data/certs/cert.pem", &pair.certificate) && is("data/certs/key.pem", pair.key.expose())
}

/// The certificates as they lie there.
fn look(layout: &Layout, config: &Config, now: i64) -> Result<Report, Error> {
    let mut report = Report::new(layout, config);
    if config.tls.mode == TlsMode::None {
        return Ok(report);
    }
    if config.tls.mode.own_acme() {
        report.pairs = OWN
            .iter()
            .filter_map(|directory| own(layout, directory, now))
            .collect();
        return Ok(report);
    }
    let (observed, findings) = gathered(layout, config, now)?;
    report.findings = findings;
    let origin = plan::origin(layout, config, &observed)?;
    let mut pair = Pair::new("data/certs/cert.pem", "data/certs/key.pem", origin);
    let text = |path: &str| observed.entries.get(path).and_then(Entry::text);
    if let Some(certificate) = text("data/certs/cert.pem") {
        pair.certificate = certificate::describe(certificate, now);
        if let Some(key) = text("data/certs/key.pem") {
            pair.key = certificate::key_fit(certificate, key);
        }
    }
    pair.key_is_open = observed
        .entries
        .get("data/certs/key.pem")
        .is_some_and(|entry| entry.mode & 0o007 != 0);
    report.pairs.push(pair);
    let source = match config.tls.mode {
        TlsMode::Traefik => (
            config.traefik.acme_store.as_ref(),
            &observed.traefik_certificate,
        ),
        _ => (config.tls.certificate.as_ref(), &observed.certificate),
    };
    if let (Some(path), pair) = source {
        report.source = Some(Source::new(
            path.as_str().into(),
            pair.as_ref()
                .and_then(|pair| certificate::describe(&pair.certificate, now)),
            pair.as_ref().is_some_and(|pair| in_place(&observed, pair)),
        ));
    }
    Ok(report)
}

/// A pair that Mailu obtained. `None` if it has not.
fn own(layout: &Layout, directory: &str, now: i64) -> Option<Pair> {
    let (path, chain) = OWN_CHAINS.iter().find_map(|name| {
        let path = format!("{directory}/{name}");
        let text = fs::read_to_string(layout.file(&path)).ok()?;
        Some((path, text))
    })?;
    let key_path = format!("{directory}/privkey.pem");
    let mut pair = Pair::new(path, key_path.as_str(), Origin::LetsEncrypt);
    pair.certificate = certificate::describe(&chain, now);
    let key = layout.file(&key_path);
    if let Ok(text) = fs::read_to_string(&key) {
        pair.key = certificate::key_fit(&chain, &text);
    }
    pair.key_is_open = fs::metadata(&key).is_ok_and(|there| there.mode() & 0o007 != 0);
    Some(pair)
}

/// What the ports serve, asked as a client on this host would.
fn ports(config: &Config, report: &Report, now: i64) -> Vec<Served> {
    if config.tls.mode == TlsMode::None {
        return Vec::new();
    }
    let containers = Docker::connect()
        .and_then(|docker| docker.containers())
        .unwrap_or_default();
    let front = format!("{}_front", config.project_name());
    let own = containers.iter().find(|container| container.name == front);
    let traefik = config
        .tls
        .mode
        .behind_traefik()
        .then(|| crate::preflight::traefik::find(config, &containers))
        .flatten();
    let settings = traefik.and_then(|traefik| static_configuration(traefik).ok());
    let proxy = traefik.map(|container| start::Proxy::new(container, settings.as_ref()));
    let here = start::Host::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let open = config.open_ports();
    let asked: Vec<(u16, SocketAddr)> = [443, 993, 25]
        .into_iter()
        .filter(|port| *port == 443 || open.iter().any(|mail| mail.number() == *port))
        .filter_map(|port| {
            let place = start::outside(config, own, proxy, port, here)?;
            Some((port, place))
        })
        .collect();
    let name = config.mail_host.as_str();
    let all = std::thread::scope(|scope| {
        let running: Vec<_> = asked
            .iter()
            .map(|&(port, place)| {
                scope.spawn(move || {
                    let shown = served::ask(place, port == 25, name, now);
                    Served::new(port, place.ip().to_string(), shown)
                })
            })
            .collect();
        running
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect::<Vec<_>>()
    });
    all.into_iter()
        .map(|mut one| {
            // Where Traefik ends TLS, it shows what it likes.
            let traefik_s = one.port == 443 && config.tls.mode == TlsMode::Traefik;
            if !traefik_s && let Some(shown) = &one.certificate {
                one.expected = Some(is_in_place(report, shown));
            }
            one
        })
        .collect()
}

fn is_in_place(report: &Report, shown: &Certificate) -> bool {
    report
        .pairs
        .iter()
        .filter_map(|pair| pair.certificate.as_ref())
        .any(|certificate| certificate.fingerprint == shown.fingerprint)
}

/// Sees to it that front serves the pair in place.
///
/// Front notices new files by itself, except for a Dovecot that ended when it started without a certificate.
fn front(
    layout: &Layout,
    config: &Config,
    report: &Report,
    changed: bool,
) -> (FrontReload, Vec<Finding>) {
    let usable = report
        .pairs
        .iter()
        .any(|pair| pair.certificate.is_some() && pair.key == certs::KeyFit::Matches);
    if !usable {
        return (FrontReload::NotNeeded, Vec::new());
    }
    let name = format!("{}_front", config.project_name());
    let container = Docker::connect().and_then(|docker| {
        let there = docker.container(&name)?;
        Ok((docker, there))
    });
    let (docker, container) = match container {
        Ok((docker, Some(container))) if container.state == State::Running => (docker, container),
        _ => return (FrontReload::NotRunning, Vec::new()),
    };
    match reload(&docker, &container, layout, report, changed) {
        Ok(done) => done,
        Err(error) => {
            let finding = Finding::warning(
                "certs.front",
                name.as_str(),
                format!("could not be looked at: {error}"),
            )
            .hint(format!(
                "`docker restart {name}` has it read the certificate"
            ));
            (FrontReload::Failed, vec![finding])
        }
    }
}

fn reload(
    docker: &Docker,
    container: &Container,
    layout: &Layout,
    report: &Report,
    changed: bool,
) -> Result<(FrontReload, Vec<Finding>), Error> {
    let name = container.name.as_str();
    let alive = || {
        docker
            .execute(name, &DOVECOT, None, Duration::from_secs(10))
            .map(|done| done.code == 0)
    };
    let mut restarted = false;
    if !alive()? {
        // It may be on its way: a container that has just started is given time.
        let young = age(container.started_at.as_deref()).is_some_and(|age| age < 20);
        if young && wait(SOON, &mut || Ok(alive()?.then_some(())))?.is_some() {
            return seen(docker, name, report, SOON, false);
        }
        // It ends for other reasons too, and then ends again: only what came after its start is a reason for a restart.
        let newest = newest_change(layout, report);
        let started = container.started_at.as_deref().and_then(seconds);
        let in_vain = match (started, newest) {
            (Some(started), Some(newest)) => started > newest,
            _ => false,
        };
        if in_vain && !changed {
            let finding = Finding::error(
                "certs.dovecot_dead",
                name,
                "runs without its Dovecot, although the certificate was there when it started: the mail ports are shut",
            )
            .hint(format!("`docker logs {name}` says why it ended"));
            return Ok((FrontReload::Failed, vec![finding]));
        }
        restart(docker, container)?;
        restarted = true;
    }
    if !changed && !restarted {
        return Ok((FrontReload::NotNeeded, Vec::new()));
    }
    let first = seen(
        docker,
        name,
        report,
        if restarted { AFTER_RESTART } else { SOON },
        restarted,
    )?;
    if restarted || first.0 != FrontReload::Failed {
        return Ok(first);
    }
    restart(docker, container)?;
    seen(docker, name, report, AFTER_RESTART, true)
}

/// Restarts front.
fn restart(docker: &Docker, front: &Container) -> Result<(), Error> {
    let there = match &front.project {
        Some(project) => docker.project(project)?,
        None => Vec::new(),
    };
    let pause = Pause::begin(docker, &there)?;
    docker.restart(&front.name, 10)?;
    pause.end(docker)
}

/// Waits until front shows the certificate in place.
fn seen(
    docker: &Docker,
    name: &str,
    report: &Report,
    patience: Duration,
    restarted: bool,
) -> Result<(FrontReload, Vec<Finding>), Error> {
    let mut shown = None;
    let found = wait(patience, &mut || {
        // While it restarts, nothing can be run in it.
        let Ok(done) = docker.execute(name, &SHOWN, Some(b""), Duration::from_secs(10)) else {
            return Ok(None);
        };
        shown = certificate::describe(&done.out, observe::now_seconds());
        Ok(shown
            .as_ref()
            .is_some_and(|shown| is_in_place(report, shown))
            .then_some(()))
    })?;
    if found.is_some() {
        return Ok((
            if restarted {
                FrontReload::Restarted
            } else {
                FrontReload::Serving
            },
            Vec::new(),
        ));
    }
    Ok(match shown {
        Some(shown) => (
            FrontReload::Failed,
            vec![
                Finding::warning(
                    "certs.served_other",
                    name,
                    format!(
                        "still serves another certificate, for {}, {} days left",
                        shown.names.join(", "),
                        shown.days_left
                    ),
                )
                .hint(format!(
                    "`docker logs {name}` says why it does not take the new one"
                )),
            ],
        ),
        None => (
            FrontReload::Unseen,
            vec![
                Finding::warning(
                    "certs.front_silent",
                    name,
                    "shows no certificate on its mail ports",
                )
                .hint(format!("`docker logs {name}` says what it is doing")),
            ],
        ),
    })
}

/// Asks once a second until there is an answer.
fn wait<T>(
    patience: Duration,
    ask: &mut dyn FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if start.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn seconds(time: &str) -> Option<i64> {
    Some(time.parse::<jiff::Timestamp>().ok()?.as_second())
}

fn age(time: Option<&str>) -> Option<i64> {
    Some(observe::now_seconds() - seconds(time?)?)
}

/// When the files that front reads changed last.
fn newest_change(layout: &Layout, report: &Report) -> Option<i64> {
    let changed = |path: &Path| -> io::Result<i64> { Ok(fs::metadata(path)?.ctime()) };
    report
        .pairs
        .iter()
        .flat_map(|pair| [&pair.path, &pair.key_path])
        .filter_map(|path| changed(&layout.file(path)).ok())
        .max()
}
