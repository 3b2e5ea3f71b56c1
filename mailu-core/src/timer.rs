//! The systemd timers that look after certificates and take backups, and what to run where there is no systemd.

use std::path::Path;

use crate::hash::sha256;
use crate::paths::{DEFAULT_ROOT, program, quoted};

/// Where units of the administrator lie.
pub const DIRECTORY: &str = "/etc/systemd/system";

/// What a timer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chore {
    /// Takes renewed certificates over, hourly.
    Certificates,
    /// Backs every deployment up, at night.
    Backups,
}

impl Chore {
    fn name(self) -> &'static str {
        match self {
            Self::Certificates => "mailu-certs",
            Self::Backups => "mailu-backup",
        }
    }

    /// What it runs.
    pub fn command(self) -> &'static str {
        match self {
            Self::Certificates => "certs sync --all --quiet",
            Self::Backups => "backup --all --verify --quiet",
        }
    }

    /// What the service is called.
    fn description(self) -> &'static str {
        match self {
            Self::Certificates => "Renewed certificates for the mail servers",
            Self::Backups => "Backups of the mail servers",
        }
    }

    /// The lines of the service in which chores differ. Backups may be written anywhere, take their time, and read what belongs to others.
    fn limits(self, root: &Path) -> String {
        match self {
            Self::Certificates => format!(
                "TimeoutStartSec=30min\n\
                 Nice=10\n\
                 UMask=0077\n\
                 ProtectSystem=full\n\
                 ReadWritePaths={}\n\
                 ProtectHome=read-only\n",
                word(&root.join("mailu").display().to_string(), false)
            ),
            Self::Backups => "TimeoutStartSec=infinity\n\
                 Nice=10\n\
                 IOSchedulingClass=idle\n\
                 UMask=0077\n\
                 ProtectSystem=full\n"
                .to_owned(),
        }
    }

    fn capabilities(self) -> &'static str {
        match self {
            Self::Certificates => "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER",
            Self::Backups => "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER",
        }
    }

    /// The lines of the timer in which chores differ.
    fn schedule(self) -> &'static str {
        match self {
            Self::Certificates => {
                "Description=Looks for renewed certificates, hourly\n\
                 \n\
                 [Timer]\n\
                 OnCalendar=hourly\n\
                 RandomizedDelaySec=20min\n"
            }
            Self::Backups => {
                "Description=Backs the mail servers up, every night\n\
                 \n\
                 [Timer]\n\
                 OnCalendar=*-*-* 02:30\n\
                 RandomizedDelaySec=1h\n"
            }
        }
    }

    fn cron(self) -> &'static str {
        match self {
            Self::Certificates => "23 * * * *",
            Self::Backups => "43 2 * * *",
        }
    }
}

/// The timer of one root.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timer {
    /// The name of both units, without their endings.
    pub name: String,
    /// The service.
    pub service: String,
    /// The timer.
    pub timer: String,
    /// A line for cron that does the same.
    pub cron: String,
}

/// What a unit's file is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// As it should be.
    Same,
    /// Missing, or an older one of ours.
    Write,
    /// Somebody wrote or edited it.
    Edited,
}

/// The first line of a unit of ours; a hash of what follows comes after it.
const HEAD: &str = "# Written by mailu. For changes: systemctl edit. Sum: ";

impl Timer {
    /// The timer that does `chore` for the deployments below `root`, run by the program at `binary`; `docker_host` is where the engine listens,
    /// if not at the usual place.
    pub fn new(chore: Chore, root: &Path, binary: &Path, docker_host: Option<&str>) -> Self {
        let name = if root == Path::new(DEFAULT_ROOT) {
            chore.name().to_owned()
        } else {
            let plain = |c: char| {
                if c.is_ascii_alphanumeric() || "_.".contains(c) {
                    c
                } else {
                    '-'
                }
            };
            let path: String = root.display().to_string().chars().map(plain).collect();
            format!("{}-{}", chore.name(), path.trim_matches(['-', '.']))
        };
        let root_text = root.display().to_string();
        let environment = docker_host
            .map(|host| {
                format!(
                    "Environment={}\n",
                    word(&format!("DOCKER_HOST={host}"), false)
                )
            })
            .unwrap_or_default();
        let service = format!(
            "[Unit]\n\
             Description={what} below {description}\n\
             After=docker.service network-online.target\n\
             Wants=network-online.target\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             {environment}\
             ExecStart={binary} --root {root} {command}\n\
             {limits}\
             PrivateTmp=yes\n\
             PrivateDevices=yes\n\
             ProtectClock=yes\n\
             ProtectControlGroups=yes\n\
             ProtectHostname=yes\n\
             ProtectKernelLogs=yes\n\
             ProtectKernelModules=yes\n\
             ProtectKernelTunables=yes\n\
             ProtectProc=invisible\n\
             RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n\
             RestrictNamespaces=yes\n\
             RestrictRealtime=yes\n\
             RestrictSUIDSGID=yes\n\
             LockPersonality=yes\n\
             MemoryDenyWriteExecute=yes\n\
             NoNewPrivileges=yes\n\
             CapabilityBoundingSet={capabilities}\n\
             SystemCallArchitectures=native\n\
             SystemCallFilter=@system-service\n",
            description = root_text.replace('%', "%%"),
            binary = word(&binary.display().to_string(), true),
            root = word(&root_text, true),
            what = chore.description(),
            command = chore.command(),
            limits = chore.limits(root),
            capabilities = chore.capabilities(),
        );
        let timer = format!(
            "[Unit]\n\
             {schedule}\
             Persistent=yes\n\
             Unit={name}.service\n\
             \n\
             [Install]\n\
             WantedBy=timers.target\n",
            schedule = chore.schedule(),
        );
        // Cron ends a command at a percent sign.
        let command = format!("{} {}", program(root), chore.command());
        let cron = format!(
            "{} root {}{}",
            chore.cron(),
            quoted(binary).replace('%', r"\%"),
            command
                .strip_prefix("mailu")
                .unwrap_or(&command)
                .replace('%', r"\%")
        );
        Self {
            service: sealed(&service),
            timer: sealed(&timer),
            name,
            cron,
        }
    }

    /// Its files, by name.
    pub fn files(&self) -> [(String, &str); 2] {
        [
            (format!("{}.service", self.name), self.service.as_str()),
            (format!("{}.timer", self.name), self.timer.as_str()),
        ]
    }
}

fn sealed(text: &str) -> String {
    format!("{HEAD}{}\n{text}", sha256(text.as_bytes()))
}

/// What the file `there` is to us, where `wanted` is to be.
pub fn judge(there: Option<&str>, wanted: &str) -> Unit {
    let Some(there) = there else {
        return Unit::Write;
    };
    if there == wanted {
        return Unit::Same;
    }
    let ours = there
        .strip_prefix(HEAD)
        .and_then(|rest| rest.split_once('\n'))
        .is_some_and(|(sum, text)| sum == sha256(text.as_bytes()));
    if ours { Unit::Write } else { Unit::Edited }
}

/// A word in a unit file: quoted where it needs that, without specifiers and, in a command line, without variables.
fn word(text: &str, command: bool) -> String {
    let mut out = text
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    if command {
        out = out.replace('$', "$$");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@=,%$".contains(c);
    if out.chars().all(plain) {
        out
    } else {
        format!("\"{out}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted() {
        let timer = Timer::new(
            Chore::Certificates,
            Path::new("/srv/50% $x \"y\""),
            Path::new("/usr/local/bin/mailu"),
            Some("unix:///run/user/docker.sock"),
        );
        assert_eq!(timer.name, "mailu-certs-srv-50---x--y");
        assert!(
            timer.service.contains(
                "ExecStart=/usr/local/bin/mailu --root \"/srv/50%% $$x \\\"y\\\"\" certs sync --all --quiet\n"
            ),
            "{}",
            timer.service
        );
        assert!(
            timer
                .service
                .contains("ReadWritePaths=\"/srv/50%% $x \\\"y\\\"/mailu\"\n")
        );
        assert!(
            timer
                .service
                .contains("Environment=DOCKER_HOST=unix:///run/user/docker.sock\n")
        );
        assert_eq!(
            timer.cron,
            "23 * * * * root /usr/local/bin/mailu --root '/srv/50\\% $x \"y\"' certs sync --all --quiet"
        );
        let usual = Timer::new(
            Chore::Certificates,
            Path::new(DEFAULT_ROOT),
            Path::new("/usr/bin/mailu"),
            None,
        );
        assert_eq!(usual.name, "mailu-certs");
        assert!(!usual.service.contains("Environment"));
        assert_eq!(
            usual.cron,
            "23 * * * * root /usr/bin/mailu certs sync --all --quiet"
        );
    }

    #[test]
    fn edited_units_are_told_from_ours() {
        let unit = |root: &str| {
            Timer::new(
                Chore::Certificates,
                Path::new(root),
                Path::new("/usr/bin/mailu"),
                None,
            )
            .service
        };
        let (old, new) = (unit("/a"), unit("/b"));
        assert_eq!(judge(None, &new), Unit::Write);
        assert_eq!(judge(Some(&new), &new), Unit::Same);
        assert_eq!(judge(Some(&old), &new), Unit::Write);
        assert_eq!(judge(Some(&format!("{old}# mine\n")), &new), Unit::Edited);
        assert_eq!(judge(Some("[Unit]\n"), &new), Unit::Edited);
    }
}
