//! Tries a server that has just come up: what strangers may do, what its users can do, and what it signs with.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rand_core::{OsRng, RngCore as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::engine::{Docker, LogWish};
use super::preflight::static_configuration;
use super::up::{Up, going_on};
use super::{certificate, observe, probe};
use crate::config::{Config, MailPort, TlsMode, Via};
use crate::dns::{Data, Record};
use crate::engine::Container;
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::preflight::traefik;
use crate::secret::Secret;
use crate::start::{self, ClientSeen, Fact, Host, Proxy, Relay, Seen};

/// How long a port may take to lead to front: Traefik learns of a container only when its health check has succeeded.
const PATIENCE: Duration = Duration::from_secs(90);

const PAUSE: Duration = Duration::from_millis(700);

/// How long Postfix may take to log what it did.
const LOG_PATIENCE: Duration = Duration::from_secs(15);

const EXECUTE: Duration = Duration::from_secs(20);

pub(super) fn run(up: &mut Up<'_>) -> Result<(), Error> {
    let all = up.docker.containers()?;
    let host = Host::new(probe::own_address());
    let front = up.container("front");
    let own = all.iter().find(|container| container.name == front);
    let traefik = up
        .config
        .tls
        .mode
        .behind_traefik()
        .then(|| traefik::find(&up.config, &all))
        .flatten();
    let settings = traefik.and_then(|traefik| static_configuration(traefik).ok());
    let proxy = traefik.map(|container| Proxy::new(container, settings.as_ref()));
    let place = |up: &Up<'_>, port: u16| start::outside(&up.config, own, proxy, port, host);
    let ports = up.config.open_ports();

    // What may do harm comes first.
    if ports.contains(&MailPort::Smtp) {
        let place = place(up, 25);
        relay(up, place, [traefik, own])?;
    }
    dkim(up)?;
    let behind_traefik = up.config.tls.mode.behind_traefik();
    if up.certificate_pending() {
        certificate_is_under_way(up);
    } else {
        let login = login(up);
        if ports.contains(&MailPort::Submissions) {
            let place = place(up, 465);
            submission(up, place, MailPort::Submissions, login.as_ref())?;
        } else if ports.contains(&MailPort::Submission) && up.config.tls.mode != TlsMode::None {
            let place = place(up, 587);
            submission(up, place, MailPort::Submission, login.as_ref())?;
        }
        if ports.contains(&MailPort::Imaps) {
            let place = place(up, 993);
            imaps(up, place)?;
        }
    }
    let has_pages = behind_traefik || up.config.tls.mode != TlsMode::None;
    if has_pages && !(up.certificate_pending() && up.config.tls.mode != TlsMode::Traefik) {
        let place = place(up, 443);
        pages(up, place)?;
    }
    Ok(())
}

/// Tries until it works or patience ends; gives the last reason then.
fn persistently<T>(
    up: &mut Up<'_>,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> Result<Result<T, String>, Error> {
    let begin = Instant::now();
    let patience = up.options.wait.unwrap_or(PATIENCE);
    let mut told = false;
    loop {
        up.go_on()?;
        match attempt() {
            Ok(value) => return Ok(Ok(value)),
            Err(why) if begin.elapsed() > patience => return Ok(Err(why)),
            Err(why) => {
                if !told && begin.elapsed() > Duration::from_secs(2) {
                    up.say(&format!("waiting for {what}: {why}"));
                    told = true;
                }
                thread::sleep(PAUSE);
            }
        }
    }
}

fn fact(up: &mut Up<'_>, id: &str, message: String) {
    up.report.verified.push(Fact::new(id, message));
}

/// A port that no client reaches.
fn unreachable(up: &mut Up<'_>, port: u16, place: Option<SocketAddr>, why: &str) {
    let through_traefik =
        up.config.tls.mode.behind_traefik() && (port == 443 || up.config.via() == Via::Traefik);
    let message = match place {
        Some(place) => format!("does not answer at {place}: {why}"),
        None if through_traefik => {
            format!("leads nowhere: Traefik publishes no entry point for port {port}")
        }
        None => format!("leads nowhere: front does not publish port {port}"),
    };
    let mut finding = Finding::error("install.unreachable", format!("port {port}"), message);
    // Postfix's words where its queue has no room (RFC 3463, X.3.1).
    if why.contains("4.3.1") {
        finding = finding.hint(format!(
            "make room on the disk that has {}",
            up.layout.file("data/mailqueue").display()
        ));
    } else if through_traefik {
        let points = &up.config.traefik.entrypoints;
        let name = match MailPort::ALL.iter().find(|mail| mail.number() == port) {
            Some(mail) => points.for_port(*mail).to_string(),
            None => points.websecure.to_string(),
        };
        finding = finding
            .hint(format!("Traefik needs the entry point: `--entrypoints.{name}.address=:{port}`, with port {port} published, in the network {}", up.config.traefik.network))
            .hint("Traefik's own log and dashboard say what it made of front's labels");
    }
    up.report
        .findings
        .push(finding.hint("once it leads there, the same command continues"));
}

/// Tries to send to another server as a stranger. Whoever may is an open relay's guest.
fn relay(
    up: &mut Up<'_>,
    place: Option<SocketAddr>,
    proxies: [Option<&Container>; 2],
) -> Result<(), Error> {
    let Some(address) = place else {
        unreachable(up, 25, None, "");
        return Ok(());
    };
    let name = up.config.mail_host.to_string();
    let mut token = String::new();
    let mut since = observe::now_seconds();
    // Another name for each attempt, so that none is taken for another in the log.
    let answer = persistently(up, "port 25", || {
        since = observe::now_seconds();
        token = format!("relay-probe-{:016x}", OsRng.next_u64());
        let attempt = probe::relay(address, &name, &token)?;
        match start::relay(attempt.code, &attempt.text) {
            Relay::Unclear => Err(attempt.text),
            judged => Ok((judged, attempt)),
        }
    })?;
    let (judged, attempt) = match answer {
        Ok(answer) => answer,
        Err(why) => {
            unreachable(up, 25, Some(address), &why);
            return Ok(());
        }
    };
    let smtp = up.container("smtp");
    let progress = &mut *up.progress;
    let client = logged_client(&up.docker, &smtp, &token, since, &mut || going_on(progress))?;
    if judged == Relay::Accepted {
        return Err(open_relay(up, address, client, &attempt.text));
    }
    fact(
        up,
        "relay_refused",
        format!("port 25 at {address} refuses to relay for strangers"),
    );
    let Some(client) = client else {
        up.report.findings.push(Finding::warning(
            "install.client_unknown",
            "smtp",
            "does not log who the client was that tried port 25, so it is not known whether it sees clients' real addresses",
        ).hint("leave `logs.level` at INFO, or look at `docker logs` of smtp for `NOQUEUE: reject`"));
        return Ok(());
    };
    seen_as(up, client, address, proxies)
}

/// Stops front: nothing gets in any more.
fn open_relay(up: &mut Up<'_>, place: SocketAddr, client: Option<IpAddr>, answer: &str) -> Error {
    let front = up.container("front");
    let stopped = match up.docker.stop(&front, 5) {
        Ok(()) => format!("{front} was stopped at once"),
        Err(error) => format!("{front} could not be stopped ({error}): `docker stop {front}`"),
    };
    let seen = client.map_or(String::new(), |client| {
        format!("; Postfix took the client for {client}")
    });
    Error::new(
        ErrorKind::Docker,
        "install.open_relay",
        format!("let strangers at {place}: the server accepts their mail for other servers ({answer}){seen}; {stopped}"),
    )
    .hint("addresses in SUBNET and RELAYNETS may send without a password: clients must not seem to come from there")
    .hint("see that Traefik is not in this server's own network, that REAL_IP_FROM and PROXY_PROTOCOL in mailu.env are as `mailu` wrote them, and that Docker may use iptables; then run the same command again")
}

/// Whom Postfix took the client of the attempt marked by `token` for; asks `go_on` between two looks at its log.
pub(super) fn logged_client(
    docker: &Docker,
    smtp: &str,
    token: &str,
    since: i64,
    go_on: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Option<IpAddr>, Error> {
    let smtp = [smtp.to_owned()];
    let begin = Instant::now();
    while begin.elapsed() < LOG_PATIENCE {
        go_on()?;
        let wish = LogWish {
            since: Some(since - 2),
            ..LogWish::default()
        };
        let mut found = None;
        docker.logs(&smtp, &wish, &mut |line| {
            found = start::client_in(&line.text, token);
            if found.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

/// What addresses of the engine's mean where Postfix logs them.
pub(super) fn known_addresses(
    docker: &Docker,
    config: &Config,
    proxies: [Option<&Container>; 2],
) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    seen.trusted.extend(config.network.subnet.map(IpNet::V4));
    if config.network.ipv6 {
        seen.trusted.extend(config.network.subnet6.map(IpNet::V6));
    }
    let addresses = proxies
        .iter()
        .flatten()
        .flat_map(|proxy| proxy.networks.values());
    seen.proxies
        .extend(addresses.filter_map(|address| *address));
    for net in docker.nets()? {
        seen.gateways.extend(net.gateways);
    }
    Ok(seen)
}

fn seen_as(
    up: &mut Up<'_>,
    client: IpAddr,
    place: SocketAddr,
    proxies: [Option<&Container>; 2],
) -> Result<(), Error> {
    let seen = known_addresses(&up.docker, &up.config, proxies)?;
    let why =
        "limits for each address count everybody as one, SPF fails, and block lists are useless";
    match start::client_seen(client, &seen) {
        ClientSeen::Trusted(address) => up.report.findings.push(
            Finding::error(
                "install.client_trusted",
                "smtp",
                format!("took a client from outside for {address}, which is in SUBNET, whose members may send to anybody"),
            )
            .hint("see that Traefik is not in this server's own network, and that Docker may use iptables"),
        ),
        ClientSeen::Proxy(address) => up.report.findings.push(
            Finding::error(
                "install.client_hidden",
                "smtp",
                format!("took a client from outside for the proxy itself ({address}): {why}"),
            )
            .hint("Traefik has to send a PROXY header, and REAL_IP_FROM in mailu.env has to contain its address: `mailu apply` after edits of front's labels or of mailu.env"),
        ),
        ClientSeen::Gateway(address) if place.ip().is_loopback() => fact(
            up,
            "client_seen",
            format!("Postfix takes a client of this host for {address}, a gateway of Docker's outside SUBNET: connections by {} come that way", place.ip()),
        ),
        ClientSeen::Gateway(address) => up.report.findings.push(
            Finding::warning(
                "install.client_gateway",
                "smtp",
                format!("took a client for {address}, a gateway of Docker's; if that is so for clients of other hosts too, {why}"),
            )
            .hint("Docker has to be allowed to use iptables, or its userland proxy has to be off (`\"userland-proxy\": false` in /etc/docker/daemon.json)"),
        ),
        ClientSeen::Itself(address) => fact(
            up,
            "client_seen",
            format!("Postfix sees clients by their own addresses ({address})"),
        ),
    }
    Ok(())
}

/// Whether Rspamd gets the keys whose public halves are in our records, and whether the world can see those.
fn dkim(up: &mut Up<'_>) -> Result<(), Error> {
    let selector = up.config.dns.selector.to_string();
    let antispam = up.container("antispam");
    let domains: Vec<String> = up.config.domains().map(ToString::to_string).collect();
    let mut live = Vec::new();
    for domain in domains {
        let fqdn = format!("{selector}._domainkey.{domain}");
        let Some((wanted, record)) = record(up, &fqdn) else {
            continue;
        };
        let (vault, why) = vault(&up.docker, &antispam, &domain)?;
        match start::dkim_text(&vault, &domain, &selector) {
            Some(text) if start::published(std::slice::from_ref(&text), &wanted) => live.push(domain.clone()),
            Some(_) => up.report.findings.push(
                Finding::error(
                    "install.dkim_other",
                    &fqdn,
                    "is not the key that Mailu signs with: receivers would refuse what it sends",
                )
                .hint(format!("see that data/dkim/{domain}.{selector}.key is the only key for this domain, and run the same command again")),
            ),
            None => up.report.findings.push(
                Finding::error(
                    "install.dkim_dead",
                    &domain,
                    format!("is not signed for: Mailu's admin hands out no DKIM key with the selector `{selector}`{}", said_more(&why)),
                )
                .hint(format!("data/dkim/{domain}.{selector}.key has to be readable for admin: `docker restart {}` takes it over", up.container("admin"))),
            ),
        }
        published(up, &fqdn, &wanted, &record);
    }
    if !live.is_empty() {
        fact(
            up,
            "dkim_live",
            format!(
                "Rspamd signs for {} with the keys of our records (selector `{selector}`)",
                live.join(", ")
            ),
        );
    }
    Ok(())
}

/// What admin hands out to Rspamd for signing, and what went wrong with that.
pub(super) fn vault(
    docker: &Docker,
    antispam: &str,
    domain: &str,
) -> Result<(Secret, String), Error> {
    let url = format!("http://admin:8080/internal/rspamd/vault/v1/dkim/{domain}");
    let said = docker.execute(antispam, &["curl", "-sS", "-m", "10", &url], None, EXECUTE)?;
    Ok((Secret::new(said.out), said.err))
}

fn said_more(text: &str) -> String {
    match text.trim().lines().next_back() {
        Some(line) => format!(" ({line})"),
        None => String::new(),
    }
}

/// The text of the record `fqdn` of ours, and the record as it is published.
fn record(up: &Up<'_>, fqdn: &str) -> Option<(String, String)> {
    let zones = up.rendered.dns.zones.iter();
    let record: &Record = zones
        .flat_map(|zone| &zone.records)
        .find(|record| record.fqdn == fqdn)?;
    match &record.data {
        Some(Data::Txt { text }) => Some((text.clone(), format!("{fqdn}. TXT \"{text}\""))),
        _ => None,
    }
}

/// Asks the resolver container for the published key: nobody else here asks the world.
fn published(up: &mut Up<'_>, fqdn: &str, wanted: &str, record: &str) {
    if !up.config.services.resolver {
        return;
    }
    let resolver = up.container("resolver");
    let command = ["dig", "@127.0.0.1", "+time=4", "+tries=2", fqdn, "TXT"];
    let Ok(said) = up.docker.execute(&resolver, &command, None, EXECUTE) else {
        return;
    };
    let answers = start::txt_answers(&said.out);
    let dns = up.layout.command("dns");
    match start::dig_status(&said.out) {
        Some("NOERROR" | "NXDOMAIN") if start::published(&answers, wanted) => {
            fact(up, "dkim_published", format!("{fqdn} is published"));
        }
        Some("NOERROR" | "NXDOMAIN") if answers.is_empty() => up.report.findings.push(
            Finding::warning(
                "dns.dkim_missing",
                fqdn,
                "is not published yet: receivers cannot check the signatures",
            )
            .hint(format!("add the record: {record}"))
            .hint(format!("`{dns}` prints all records")),
        ),
        Some("NOERROR" | "NXDOMAIN") => up.report.findings.push(
            Finding::warning(
                "dns.dkim_other",
                fqdn,
                "is published with another key: receivers refuse the signatures",
            )
            .hint(format!("replace the record: {record}")),
        ),
        _ => up.report.findings.push(Finding::notice(
            "dns.unknown",
            fqdn,
            "could not be asked for, so it is not known whether it is published",
        )),
    }
}

/// Where Mailu gets its certificate itself, that takes its time, and names that resolve here.
fn certificate_is_under_way(up: &mut Up<'_>) {
    let finding = Finding::warning(
        "install.certificate_pending",
        "data/certs/letsencrypt",
        format!("has no certificate yet: until Let's Encrypt has given one, {} is closed, and so is every mail port but 25", if up.config.tls.mode == TlsMode::Passthrough { "HTTPS" } else { "443" }),
    )
    .hint(format!("Mailu asks by itself as soon as {} leads here on port 80; `docker logs {}` shows how far it is", up.config.mail_host, up.container("front")));
    up.report.findings.push(finding);
}

/// The first administrator's login, where it is known to be right: a person may have changed the password since.
fn login(up: &Up<'_>) -> Option<(String, Secret)> {
    let tokens_only = up
        .env
        .get("AUTH_REQUIRE_TOKENS")
        .is_some_and(|value| matches!(value.text.to_ascii_lowercase().as_str(), "true" | "yes"));
    if !up.fresh_administrator || tokens_only {
        return None;
    }
    let password = up.secrets.get("admin_password")?.clone();
    Some((up.config.admin_email.to_string(), password))
}

fn submission(
    up: &mut Up<'_>,
    place: Option<SocketAddr>,
    port: MailPort,
    login: Option<&(String, Secret)>,
) -> Result<(), Error> {
    let number = port.number();
    let Some(address) = place else {
        unreachable(up, number, None, "");
        return Ok(());
    };
    let name = up.config.mail_host.to_string();
    let credentials = login.map(|(user, password)| (user.as_str(), password.expose()));
    let tried = persistently(up, &format!("port {number}"), || {
        probe::submission(address, &name, port.implicit_tls(), credentials)
    })?;
    match tried {
        Err(why) => unreachable(up, number, Some(address), &why),
        Ok(seen) => {
            served(up, number, address, seen.certificate.as_deref());
            let Some((user, _)) = login else {
                return Ok(());
            };
            match seen.refused {
                None => fact(up, "login", format!("{user} can log in on port {number}")),
                Some(why) => up.report.findings.push(
                    Finding::error(
                        "install.login",
                        user,
                        format!(
                            "cannot log in on port {number} with the password that was drawn: {why}"
                        ),
                    )
                    .hint(format!(
                        "`docker logs {}` says why, in the line `Login attempt`",
                        up.container("admin")
                    )),
                ),
            }
        }
    }
    Ok(())
}

fn imaps(up: &mut Up<'_>, place: Option<SocketAddr>) -> Result<(), Error> {
    let Some(address) = place else {
        unreachable(up, 993, None, "");
        return Ok(());
    };
    let name = up.config.mail_host.to_string();
    let tried = persistently(up, "port 993", || {
        let (certificate, said) = probe::greeting(address, &name)?;
        if said.starts_with("* OK") {
            Ok(certificate)
        } else {
            Err(format!("it greets with `{said}`"))
        }
    })?;
    match tried {
        Ok(certificate) => served(up, 993, address, certificate.as_deref()),
        Err(why) => unreachable(up, 993, Some(address), &why),
    }
    Ok(())
}

fn pages(up: &mut Up<'_>, place: Option<SocketAddr>) -> Result<(), Error> {
    let Some(address) = place else {
        unreachable(up, 443, None, "");
        return Ok(());
    };
    let name = up.config.mail_host.to_string();
    let tried = persistently(up, "the web pages", || {
        let (status, _) = probe::https(address, &name, "/sso/login")?;
        if status == 200 {
            Ok(())
        } else {
            Err(format!("https://{name}/sso/login answers {status}"))
        }
    })?;
    match tried {
        Ok(()) => fact(
            up,
            "web",
            format!("https://{name}/sso/login answers at {address}"),
        ),
        Err(why) => unreachable(up, 443, Some(address), &why),
    }
    Ok(())
}

/// What the certificate of a port says; a client would look at the same.
fn served(up: &mut Up<'_>, port: u16, place: SocketAddr, der: Option<&[u8]>) {
    let parsed = der.and_then(|der| X509Certificate::from_der(der).ok());
    let Some((_, certificate)) = parsed else {
        fact(up, "tls", format!("port {port} at {place} speaks TLS"));
        return;
    };
    let name = up.config.mail_host.to_string();
    let subject = format!("port {port}");
    let self_signed = certificate.subject() == certificate.issuer();
    let days = (certificate.validity().not_after.timestamp() - observe::now_seconds()) / 86_400;
    let finding = if self_signed {
        let next = match up.config.tls.mode {
            TlsMode::Traefik => format!("Traefik gets a certificate once {name} leads here from the internet; `{}` then takes it over for the mail ports", up.layout.command("apply")),
            TlsMode::Cert => "name files with a certificate that clients trust in `tls.certificate` and `tls.key`".to_owned(),
            _ => format!("Mailu gets one once {name} leads here from the internet"),
        };
        Some(
            Finding::warning(
                "install.self_signed",
                subject,
                "serves a self-signed certificate, at which mail programs warn",
            )
            .hint(next),
        )
    } else if days < 0 {
        Some(Finding::warning(
            "install.certificate_expired",
            subject,
            format!("serves a certificate that ended {} days ago", -days),
        ))
    } else if !certificate::covers(&certificate, &name) {
        Some(
            Finding::warning(
                "install.certificate_name",
                subject,
                format!("serves a certificate that is not for {name}"),
            )
            .hint("mail programs connect to the mail host's name, which the certificate has to contain"),
        )
    } else {
        None
    };
    let already = |finding: &Finding| {
        up.report
            .findings
            .iter()
            .any(|there| there.id == finding.id)
    };
    match finding {
        Some(finding) if already(&finding) => {}
        Some(finding) => up.report.findings.push(finding),
        None => fact(
            up,
            "certificate",
            format!("port {port} at {place} has a certificate for {name}, for {days} more days"),
        ),
    }
}
