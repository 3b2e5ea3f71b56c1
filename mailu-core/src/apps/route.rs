//! The way from an app's container to the server by its public name: what was seen of it, and what makes one where there is none.
//!
//! Made is an entry of `/etc/hosts`, by Compose (`extra_hosts`), in an override beside the app's own file. Front or Traefik in the app's network,
//! under the mail host's name, would do as well, and is not safe: Docker resolves the names of all networks of a container, so that an app's
//! container called `admin` would get the passwords that front asks about.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::Container;
use crate::hash::sha256;
use crate::names::MailHost;

/// A program for Python that says what is seen of a server: `HOST PORT STARTTLS`. It logs in to nothing and believes no certificate.
pub const PROBE: &str = r#"
import hashlib, json, socket, ssl, sys
host, port, starttls = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "starttls"
seen = {"addresses": [], "certificate": None, "trouble": None, "why": ""}
try:
    stage = "name"
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    seen["addresses"] = sorted({one[4][0] for one in found})
    stage = "connection"
    with socket.create_connection((host, port), timeout=8) as plain:
        stage = "answer"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if starttls:
            lines = plain.makefile("rb")
            def said(code):
                while True:
                    line = lines.readline(2000)
                    if not line.startswith(code):
                        raise OSError("it said " + repr(line[:80]))
                    if line[3:4] != b"-":
                        return
            said(b"220")
            plain.sendall(b"EHLO localhost\r\n")
            said(b"250")
            plain.sendall(b"STARTTLS\r\n")
            said(b"220")
        with context.wrap_socket(plain, server_hostname=host) as wrapped:
            seen["certificate"] = hashlib.sha256(wrapped.getpeercert(True)).hexdigest()
except Exception as error:
    seen["trouble"], seen["why"] = stage, str(error) or type(error).__name__
print(json.dumps(seen))
"#;

/// What a container sees of the server by its public name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[non_exhaustive]
pub struct Sight {
    /// Where the name leads.
    pub addresses: Vec<String>,
    /// The SHA-256 of the certificate that was shown there.
    pub certificate: Option<String>,
    /// What was not there: `name`, `connection` or `answer`.
    pub trouble: Option<String>,
    /// Why not.
    pub why: String,
}

impl Sight {
    /// Whether it is the server that shows one of `certificates`; or what is seen instead.
    ///
    /// # Errors
    ///
    /// The reason, for people.
    pub fn leads(&self, host: &MailHost, port: u16, certificates: &[String]) -> Result<(), String> {
        let to = self.addresses.join(", ");
        match (self.trouble.as_deref(), &self.certificate) {
            (None, Some(seen)) if certificates.contains(seen) => Ok(()),
            (None, Some(_)) => Err(format!(
                "{host} leads to {to}, where another server answers on port {port}"
            )),
            (Some("name"), _) => Err(format!("{host} does not resolve ({})", self.why)),
            (Some("connection"), _) => Err(format!(
                "{host} leads to {to}, where port {port} cannot be reached ({})",
                self.why
            )),
            _ => Err(format!(
                "{host} leads to {to}, where port {port} does not answer as a mail server ({})",
                self.why
            )),
        }
    }
}

/// A route that was made, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Route {
    /// The Compose project of the app.
    pub project: String,
    /// Its services that get it.
    pub services: Vec<String>,
    /// The override.
    pub file: PathBuf,
    /// The hash of what stands in it.
    pub sha256: String,
}

/// A route that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Making {
    /// What is to be remembered.
    pub route: Route,
    /// What stands in the override.
    pub text: String,
}

/// The names by which Compose finds a project's file by itself, and with it an override.
const FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// The names of overrides that Compose finds by itself. It reads one.
pub const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The line for `extra_hosts` that leads to `place`, where this host is asked on `port`; nothing where containers do not reach that.
pub fn entry(host: &MailHost, place: SocketAddr, port: u16, all: &[Container]) -> Option<String> {
    if place.port() != port {
        // A name leads to an address, and to no other port.
        return None;
    }
    let published = || all.iter().flat_map(|one| &one.published);
    let exactly = published().any(|one| one.port == port && one.address == place.ip());
    let address = if exactly {
        if place.ip().is_loopback() {
            return None;
        }
        place.ip().to_string()
    } else {
        // On all addresses of the host, also on the one that the app's network sees.
        "host-gateway".to_owned()
    };
    Some(format!("{host}:{address}"))
}

/// How `app` and what belongs to it get that line.
///
/// # Errors
///
/// Why it cannot be made, for people.
pub fn making(
    app: &Container,
    all: &[Container],
    line: &str,
    host: &MailHost,
) -> Result<Making, String> {
    let label = |name: &str| app.labels.get(&format!("com.docker.compose.{name}"));
    let (Some(project), Some(_), Some(directory)) =
        (&app.project, &app.service, label("project.working_dir"))
    else {
        return Err(format!("{} was not made by Docker Compose", app.name));
    };
    let directory = Path::new(directory);
    for file in label("project.config_files")
        .map_or("", String::as_str)
        .split(',')
    {
        let file = Path::new(file);
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let here = file
            .parent()
            .is_none_or(|parent| parent == directory || parent == Path::new(""));
        if !here || !(FILES.contains(&name) || OVERRIDES.contains(&name)) {
            return Err(format!(
                "{} was made from {}, beside which Compose looks for no override by itself",
                app.name,
                file.display()
            ));
        }
    }
    let services: std::collections::BTreeSet<String> = all
        .iter()
        // What has the same image is the same app: workers, schedulers.
        .filter(|one| one.project == app.project && one.image_id == app.image_id)
        .filter_map(|one| one.service.clone())
        .collect();
    let mut text = format!(
        "# Made by `mailu integrate`, so that this app reaches {host}. `mailu integrate APP --remove` takes it away.\nservices:\n"
    );
    for service in &services {
        use std::fmt::Write as _;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let _ = write!(
            text,
            "  {}:\n    extra_hosts:\n      - {}\n",
            quoted(service),
            quoted(line)
        );
    }
    Ok(Making {
        route: Route {
            project: project.clone(),
            services: services.into_iter().collect(),
            file: directory.join("docker-compose.override.yml"),
            sha256: sha256(text.as_bytes()),
        },
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Published;

    fn host() -> MailHost {
        "mail.example.com".parse().unwrap()
    }

    fn app(name: &str, service: &str, image: &str, files: &str) -> Container {
        let mut one = Container::new(name, image);
        one.image_id = format!("sha256:{image}");
        one.project = Some("shop".to_owned());
        one.service = Some(service.to_owned());
        for (key, value) in [("working_dir", "/srv/shop"), ("config_files", files)] {
            one.labels.insert(
                format!("com.docker.compose.project.{key}"),
                value.to_owned(),
            );
        }
        one
    }

    #[test]
    fn what_is_seen_is_said() {
        let certificates = ["aa".to_owned(), "bb".to_owned()];
        let sight = |text: &str| -> Sight { serde_json::from_str(text).unwrap() };
        let says = |text: &str| sight(text).leads(&host(), 465, &certificates);
        assert_eq!(
            says(r#"{"addresses":["198.51.100.1"],"certificate":"bb","trouble":null,"why":""}"#),
            Ok(())
        );
        for (seen, words) in [
            (
                r#"{"addresses":["203.0.113.9"],"certificate":"cc","trouble":null,"why":""}"#,
                "leads to 203.0.113.9, where another server answers on port 465",
            ),
            (
                r#"{"addresses":[],"certificate":null,"trouble":"name","why":"Name does not resolve"}"#,
                "does not resolve (Name does not resolve)",
            ),
            (
                r#"{"addresses":["198.51.100.1"],"certificate":null,"trouble":"connection","why":"timed out"}"#,
                "port 465 cannot be reached (timed out)",
            ),
            (
                r#"{"addresses":["198.51.100.1"],"certificate":null,"trouble":"answer","why":"EOF"}"#,
                "does not answer as a mail server (EOF)",
            ),
        ] {
            let said = says(seen).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_line_leads_to_where_containers_get_at_the_server() {
        let line = |place: &str, published: &[(&str, u16)]| {
            let mut front = Container::new("mailu_front", "nginx");
            front.published = published
                .iter()
                .map(|(address, port)| Published::new(address.parse().unwrap(), *port, *port))
                .collect();
            entry(&host(), place.parse().unwrap(), 465, &[front])
        };
        assert_eq!(
            line("198.51.100.1:465", &[("0.0.0.0", 465)]).as_deref(),
            Some("mail.example.com:host-gateway")
        );
        assert_eq!(
            line("198.51.100.7:465", &[("198.51.100.7", 465)]).as_deref(),
            Some("mail.example.com:198.51.100.7")
        );
        // This host alone, and another port.
        assert_eq!(line("127.0.0.1:465", &[("127.0.0.1", 465)]), None);
        assert_eq!(line("198.51.100.1:10465", &[("0.0.0.0", 10465)]), None);
    }

    #[test]
    fn an_override_is_beside_the_file_and_names_what_has_the_apps_image() {
        let file = "/srv/shop/docker-compose.yml";
        let all = [
            app("shop-web-1", "web", "shop", file),
            app("shop-worker-1", "worker: 1", "shop", file),
            app("shop-db-1", "db", "postgres", file),
        ];
        let made = making(&all[0], &all, "mail.example.com:host-gateway", &host()).unwrap();
        assert_eq!(
            made.route.file,
            Path::new("/srv/shop/docker-compose.override.yml")
        );
        assert_eq!(made.route.services, ["web", "worker: 1"]);
        assert_eq!(made.route.sha256, sha256(made.text.as_bytes()));
        assert!(made.text.ends_with(
            "services:\n  \"web\":\n    extra_hosts:\n      - \"mail.example.com:host-gateway\"\n  \"worker: 1\":\n    extra_hosts:\n      - \"mail.example.com:host-gateway\"\n"
        ), "{}", made.text);
        // Where Compose would not find it.
        for (files, words) in [
            ("/srv/shop/prod.yml", "made from /srv/shop/prod.yml"),
            (
                "/srv/shop/docker-compose.yml,/srv/other/docker-compose.yml",
                "made from /srv/other/docker-compose.yml",
            ),
        ] {
            let one = app("x", "web", "shop", files);
            let why = making(&one, &[], "x:y", &host()).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        let alone = Container::new("by-hand", "shop");
        let why = making(&alone, &[], "x:y", &host()).unwrap_err();
        assert!(why.contains("was not made by Docker Compose"), "{why}");
    }
}
