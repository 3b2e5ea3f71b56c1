//! When a service does its work, told from what is seen of its container.

use std::time::Duration;

use crate::engine::{Container, Health, State};

/// How often the engine may start a container again before that counts as a loop.
const RESTARTS: u64 = 3;

/// What Docker's own proxy for memory protection ends with on processors that lack an instruction (128 + SIGILL).
const ILLEGAL_INSTRUCTION: i64 = 132;

/// What is seen of a service while it is waited for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Watched {
    /// Its container.
    pub container: Option<Container>,
    /// Whether its check succeeds, and what that said; nothing if it was not run.
    pub check: Option<(bool, String)>,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// How often the engine had started it again when the wait began.
    pub restarts_before: u64,
    /// Whether front waits for a certificate that Mailu gets itself.
    pub certificate_pending: bool,
    /// Whether Traefik is in front, which sends nobody to a container before Docker calls it healthy.
    pub behind_traefik: bool,
}

/// Whether a service does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// It does.
    Ready,
    /// Not yet; says what is missing.
    Waiting(String),
    /// It will not without help.
    Failed {
        /// Stable.
        code: &'static str,
        /// What is wrong.
        why: String,
        /// What to do.
        hints: Vec<String>,
    },
}

fn failed(code: &'static str, why: impl Into<String>, hints: &[&str]) -> Readiness {
    Readiness::Failed {
        code,
        why: why.into(),
        hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
    }
}

/// How long `service` may take.
pub fn patience(service: &str) -> Duration {
    Duration::from_secs(match service {
        "resolver" | "redis" => 90,
        // Admin makes its database, and migrates it; Rspamd waits for admin.
        "admin" | "antispam" => 240,
        "antivirus" => 420,
        _ => 150,
    })
}

/// The command that tells whether `service` does its work, where that is more than its own health check, `test`.
pub fn self_check(service: &str, test: Option<&[String]>) -> Option<Vec<String>> {
    let shell = |text: &str| Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()]);
    match service {
        "resolver" => shell("dig @127.0.0.1 +dnssec +adflag +time=3 +tries=1 example.org A"),
        "redis" => shell("redis-cli ping"),
        "front" => shell(
            "curl -m3 -skfLo /dev/null http://127.0.0.1:10204/health || { echo nginx; exit 1; }; pidof dovecot >/dev/null || { echo dovecot; exit 1; }",
        ),
        _ => match test? {
            [kind, text] if kind == "CMD-SHELL" => shell(text),
            [kind, command @ ..] if kind == "CMD" && !command.is_empty() => Some(command.to_vec()),
            _ => None,
        },
    }
}

/// Whether a check of [`self_check`] succeeded.
fn passed(service: &str, succeeded: bool, output: &str) -> bool {
    match service {
        "resolver" => {
            succeeded
                && output.lines().any(|line| {
                    line.strip_prefix(";; flags:")
                        .and_then(|rest| rest.split_once(';'))
                        .is_some_and(|(flags, _)| flags.split_whitespace().any(|f| f == "ad"))
                })
        }
        "redis" => output.contains("PONG"),
        _ => succeeded,
    }
}

/// Whether a healthy container of this service is all that there is to see.
fn health_suffices(service: &str) -> bool {
    !matches!(service, "resolver" | "redis" | "front")
}

impl Watched {
    /// Whether the check has to be run to tell more.
    pub fn needs_check(&self, service: &str) -> bool {
        self.container.as_ref().is_some_and(|container| {
            container.state == State::Running
                && !(health_suffices(service) && container.health == Health::Healthy)
        })
    }
}

/// Judges what is seen of `service`.
pub fn judge(service: &str, seen: &Watched) -> Readiness {
    let Some(container) = &seen.container else {
        return failed("start.no_container", "it has no container", &[]);
    };
    let restarts = container.restarts.saturating_sub(seen.restarts_before);
    let code = container.exit_code.unwrap_or_default();
    if container.out_of_memory && container.state != State::Running {
        return failed(
            "start.out_of_memory",
            "the kernel ended it for want of memory",
            &["add memory or swap; without `services.antivirus` a server needs 1 GB instead of 3"],
        );
    }
    match container.state {
        State::Running if restarts < RESTARTS => {}
        State::Restarting if restarts < RESTARTS => {
            return Readiness::Waiting(format!(
                "it ended with exit code {code} and is being started again"
            ));
        }
        State::Running | State::Restarting => {
            let hints: &[&str] = match code {
                ILLEGAL_INSTRUCTION => &[
                    "the processor lacks an instruction that Mailu's hardened malloc uses: set `env.LD_PRELOAD=\"\"` with `mailu config set`",
                ],
                137 => &["something killed it (exit code 137): see `dmesg`, usually memory"],
                _ => &[],
            };
            return failed(
                "start.restart_loop",
                format!("it ends again and again, last with exit code {code}"),
                hints,
            );
        }
        State::Created => {
            return match &container.error {
                Some(error) => failed(
                    "start.refused",
                    format!("Docker could not start it: {error}"),
                    &[],
                ),
                None => Readiness::Waiting("it is about to start".to_owned()),
            };
        }
        State::Paused => {
            return failed(
                "start.paused",
                "it is paused",
                &["`docker unpause` with the container's name lets it go on"],
            );
        }
        State::Exited | State::Dead | State::Removing => {
            let error = container.error.as_deref();
            let more = error.map(|text| format!(": {text}")).unwrap_or_default();
            return failed(
                "start.ended",
                format!("it ended with exit code {code}{more}"),
                &[],
            );
        }
    }
    let healthy = container.health == Health::Healthy;
    let ready = match &seen.check {
        Some((succeeded, output)) => {
            passed(service, *succeeded, output)
                || service == "front" && seen.certificate_pending && output.trim() == "dovecot"
        }
        None => healthy && health_suffices(service) || container.health == Health::None,
    };
    if ready && service == "front" && seen.behind_traefik && container.health == Health::Starting {
        return Readiness::Waiting("Docker does not call it healthy yet".to_owned());
    }
    if ready {
        return Readiness::Ready;
    }
    Readiness::Waiting(missing(service, seen, container))
}

/// What a running service lacks.
fn missing(service: &str, seen: &Watched, container: &Container) -> String {
    let said = seen.check.as_ref().map_or("", |(_, said)| said.trim());
    let in_log = |text: &str| seen.log.iter().rev().find(|line| line.contains(text));
    let known = match service {
        "resolver" if said.contains("status:") => {
            "it gives no DNSSEC-validated answer for example.org yet".to_owned()
        }
        "resolver" => "it does not answer yet".to_owned(),
        "admin" => {
            if let Some(line) = in_log("isn't doing DNSSEC validation") {
                format!("its resolver does not validate (DNSSEC): {}", short(line))
            } else if let Some(line) = in_log("Your DNS resolver at") {
                format!("its resolver does not work: {}", short(line))
            } else if in_log("Your system is not supported").is_some() {
                "Mailu says that this system is not supported (it wants Docker)".to_owned()
            } else {
                "it does not answer yet".to_owned()
            }
        }
        "antispam" if in_log("Admin is not up").is_some() => "it waits for admin".to_owned(),
        "antivirus" => "it loads its virus signatures".to_owned(),
        "front" if said == "dovecot" => {
            "its Dovecot does not run, which needs a certificate in data/certs".to_owned()
        }
        _ => String::new(),
    };
    if !known.is_empty() {
        return known;
    }
    let said = container.health_output.as_deref().unwrap_or(said);
    match said.lines().next_back().map(str::trim) {
        Some(last) if !last.is_empty() => format!("its check says: {}", short(last)),
        _ => "it does not answer yet".to_owned(),
    }
}

fn short(line: &str) -> String {
    const LIMIT: usize = 160;
    let line = line.split(" Please see http").next().unwrap_or(line).trim();
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// What helps where `service` does not become ready in time.
pub fn late_hints(service: &str, seen: &Watched) -> Vec<String> {
    let mut hints = Vec::new();
    let log = |text: &str| seen.log.iter().any(|line| line.contains(text));
    match service {
        "resolver" => hints.push(
            "it asks the internet's name servers itself: port 53 has to be open to the outside, for UDP and TCP".to_owned(),
        ),
        "admin" if log("Your DNS resolver at") => hints.push(
            "Mailu does not start without a resolver that validates: leave `services.resolver` on, and open port 53 to the outside; without it, name resolvers that do in Docker's `dns` setting".to_owned(),
        ),
        "antivirus" => hints.push(
            "it downloads its signatures at first, which takes minutes; `mailu config set services.antivirus=false` does without it".to_owned(),
        ),
        "front" => hints.push("`data/certs` has to hold cert.pem and key.pem that belong together".to_owned()),
        _ => {}
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(change: impl FnOnce(&mut Container)) -> Watched {
        let mut container = Container::new("mailu_x", "x");
        change(&mut container);
        Watched {
            container: Some(container),
            ..Watched::default()
        }
    }

    fn waiting(service: &str, seen: &Watched) -> String {
        match judge(service, seen) {
            Readiness::Waiting(why) => why,
            other => panic!("{other:?}"),
        }
    }

    fn code(service: &str, seen: &Watched) -> &'static str {
        match judge(service, seen) {
            Readiness::Failed { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    const AD: &str = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n;; flags: qr rd ra ad; QUERY: 1, ANSWER: 2\n";

    #[test]
    fn a_resolver_has_to_validate() {
        let mut resolver = seen(|c| c.health = Health::Healthy);
        assert!(resolver.needs_check("resolver"));
        resolver.check = Some((true, AD.replace(" ad;", ";")));
        assert!(waiting("resolver", &resolver).contains("DNSSEC"));
        resolver.check = Some((true, AD.to_owned()));
        assert_eq!(judge("resolver", &resolver), Readiness::Ready);
    }

    #[test]
    fn admin_says_why_it_waits() {
        let mut admin = seen(|c| c.health = Health::Unhealthy);
        admin.check = Some((false, String::new()));
        admin.log = vec![
            "CRITICAL:root:Your DNS resolver at 10.203.0.126 isn't doing DNSSEC validation; Please see https://mailu.io/x".to_owned(),
        ];
        let why = waiting("admin", &admin);
        assert!(
            why.contains("does not validate") && !why.contains("http"),
            "{why}"
        );
        assert_eq!(late_hints("admin", &admin).len(), 1);
        admin.check = Some((true, String::new()));
        assert_eq!(judge("admin", &admin), Readiness::Ready);
    }

    #[test]
    fn a_loop_is_told_from_a_stumble() {
        let restarting = |times| {
            seen(|c| {
                c.state = State::Restarting;
                c.restarts = times;
                c.exit_code = Some(132);
            })
        };
        assert!(waiting("smtp", &restarting(1)).contains("132"));
        assert_eq!(code("smtp", &restarting(3)), "start.restart_loop");
        let mut again = restarting(7);
        again.restarts_before = 6;
        assert!(matches!(judge("smtp", &again), Readiness::Waiting(_)));
        let memory = seen(|c| {
            c.state = State::Restarting;
            c.out_of_memory = true;
        });
        assert_eq!(code("antivirus", &memory), "start.out_of_memory");
        let ended = seen(|c| c.state = State::Exited);
        assert_eq!(code("smtp", &ended), "start.ended");
        let refused = seen(|c| {
            c.state = State::Created;
            c.error = Some("no".to_owned());
        });
        assert_eq!(code("smtp", &refused), "start.refused");
        assert_eq!(code("smtp", &Watched::default()), "start.no_container");
    }

    #[test]
    fn front_needs_its_dovecot_unless_its_certificate_is_under_way() {
        let mut front = seen(|c| c.health = Health::Healthy);
        front.check = Some((false, "dovecot\n".to_owned()));
        assert!(waiting("front", &front).contains("certificate"));
        front.certificate_pending = true;
        assert_eq!(judge("front", &front), Readiness::Ready);
        front.check = Some((false, "nginx\n".to_owned()));
        assert!(matches!(judge("front", &front), Readiness::Waiting(_)));
    }

    #[test]
    fn behind_traefik_front_is_ready_when_docker_says_so() {
        let mut front = seen(|c| c.health = Health::Starting);
        front.check = Some((true, String::new()));
        assert_eq!(judge("front", &front), Readiness::Ready);
        front.behind_traefik = true;
        assert!(waiting("front", &front).contains("Docker"));
        assert_eq!(judge("webmail", &front), Readiness::Ready);
    }

    #[test]
    fn checks_are_the_images_own_where_those_suffice() {
        let own = ["CMD-SHELL".to_owned(), "kill -0 1".to_owned()];
        assert_eq!(
            self_check("imap", Some(&own)),
            Some(vec![
                "/bin/sh".to_owned(),
                "-c".to_owned(),
                "kill -0 1".to_owned()
            ])
        );
        assert_eq!(self_check("imap", Some(&["NONE".to_owned()])), None);
        assert_eq!(self_check("webdav", None), None);
        assert_eq!(judge("webdav", &seen(|_| {})), Readiness::Ready);
    }
}
