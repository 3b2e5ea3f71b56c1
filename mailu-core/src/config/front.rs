//! Where front serves what: rules for the paths, however they came about.
//!
//! Source: Mailu 2024.06.57 `core/nginx/conf/nginx.conf`.

use super::units::UrlPath;
use super::{Config, Webmail};
use crate::finding::Finding;

/// An interface, and what sets its path.
pub(crate) struct Interface<'a> {
    pub(crate) on: bool,
    pub(crate) path: &'a str,
    /// `web.admin_path`, or `mailu.env: WEB_ADMIN`.
    pub(crate) subject: &'a str,
}

impl<'a> Interface<'a> {
    fn served(&self) -> Option<&'a str> {
        self.on.then_some(self.path)
    }
}

/// What front is told.
pub(crate) struct Front<'a> {
    pub(crate) admin: Interface<'a>,
    pub(crate) webmail: Interface<'a>,
    pub(crate) api: Interface<'a>,
    pub(crate) webdav: bool,
    /// Where `/` leads, if it leads anywhere.
    pub(crate) root: Option<&'a str>,
    pub(crate) root_subject: &'a str,
}

impl<'a> Front<'a> {
    /// What `config` tells front.
    pub(crate) fn of(config: &'a Config) -> Self {
        let (web, services) = (&config.web, &config.services);
        let path = |on: bool, path: &'a UrlPath, subject: &'static str| Interface {
            on,
            path: path.as_str(),
            subject,
        };
        Self {
            admin: path(services.admin, &web.admin_path, "web.admin_path"),
            webmail: path(
                services.webmail != Webmail::None,
                &web.webmail_path,
                "web.webmail_path",
            ),
            api: path(services.api, &web.api_path, "web.api_path"),
            webdav: services.webdav,
            root: web.root_redirect.as_ref().map(UrlPath::as_str),
            root_subject: "web.root_redirect",
        }
    }

    /// A finding for each rule that is broken.
    pub(crate) fn judge(&self) -> Vec<Finding> {
        let mut out = Vec::new();
        for path in [&self.admin, &self.webmail, &self.api] {
            self.alone(path, &mut out);
        }
        for (path, other) in [
            (&self.webmail, &self.admin),
            (&self.api, &self.admin),
            (&self.api, &self.webmail),
        ] {
            let (mine, theirs) = (path.path, other.path);
            if mine != "/" && theirs != "/" && (below(mine, theirs) || below(theirs, mine)) {
                out.push(
                    Finding::error(
                        "web.paths_overlap",
                        path.subject,
                        format!("must not lie below `{}` or above it", other.subject),
                    )
                    .value(mine)
                    .hint("choose two different paths"),
                );
            }
        }
        self.beside_the_api(&mut out);
        self.root(&mut out);
        out
    }

    fn alone(&self, path: &Interface<'_>, out: &mut Vec<Finding>) {
        let text = path.path;
        if text == "/" && path.subject != self.webmail.subject {
            out.push(
                Finding::error(
                    "web.path_is_root",
                    path.subject,
                    "must not be `/`: front would send every request there",
                )
                .value(text)
                .hint("only the webmail can be served at `/`"),
            );
            return;
        }
        if let Some(taken) = self.taken(text) {
            out.push(
                Finding::error(
                    "web.path_taken",
                    path.subject,
                    format!("must not lie below `{taken}`, which front uses itself"),
                )
                .value(text)
                .hint("choose another path"),
            );
        }
    }

    /// The address of front's own that catches `path`, or that `path` would catch.
    fn taken(&self, path: &str) -> Option<&'static str> {
        // Regular expressions without an end.
        const TEXTS: [&str; 4] = [
            "/mail/config-v1.1.xml",
            "/autodiscover/autodiscover.",
            "/mobileconfig",
            "/apple.mobileconfig",
        ];
        const PATHS: [&str; 5] = ["/sso", "/static", "/internal", "/health", "/.well-known"];
        let lower = path.to_ascii_lowercase();
        PATHS
            .into_iter()
            .find(|taken| below(path, taken))
            .or_else(|| TEXTS.into_iter().find(|taken| lower.starts_with(taken)))
            .or_else(|| Some("/webdav").filter(|taken| self.webdav && below(path, taken)))
    }

    /// Front takes the API's path for a regular expression that may match anywhere, and before all other paths.
    fn beside_the_api(&self, out: &mut Vec<Finding>) {
        let Some(api) = self.api.served().filter(|path| *path != "/") else {
            return;
        };
        let mut own: Vec<String> = [
            "/internal/auth/user",
            "/internal/auth/admin",
            "/internal/auth/basic",
        ]
        .into_iter()
        .chain(self.webdav.then_some("/webdav/"))
        .map(str::to_owned)
        .collect();
        for (path, inside) in [(&self.admin, "/antispam/"), (&self.webmail, "/sso.php")] {
            let Some(text) = path.served() else { continue };
            if !contains(text, api) {
                own.push(format!("{}{inside}", text.trim_end_matches('/')));
            } else if !below(text, api) {
                out.push(
                    Finding::error(
                        "web.path_in_api",
                        path.subject,
                        format!("must not contain the text of `{}` ({api}): front sends every address that contains it to the API", self.api.subject),
                    )
                    .value(text)
                    .hint("choose another path"),
                );
            }
        }
        if let Some(address) = own.iter().find(|address| contains(address, api))
            && self.taken(api).is_none()
        {
            out.push(
                Finding::error(
                    "web.api_catches",
                    self.api.subject,
                    format!("must not be part of `{address}`, which front uses itself: it sends every address that contains this text to the API"),
                )
                .value(api)
                .hint("choose another path"),
            );
        }
    }

    /// Front tries the address as a file, and else goes on to the redirect's path inside: where nothing else serves that, round and round.
    fn root(&self, out: &mut Vec<Finding>) {
        let Some(root) = self.root else { return };
        if self.webmail.path == "/" {
            out.push(
                Finding::warning(
                    "web.redirect_unused",
                    self.root_subject,
                    format!("has no effect while `{}` is `/`", self.webmail.subject),
                )
                .value(root)
                .hint("remove it"),
            );
            return;
        }
        let leads_to = |path: &Interface<'_>| below(root, path.path);
        let interface = self.admin.on || self.webmail.on;
        let served = [&self.admin, &self.webmail, &self.api]
            .into_iter()
            .any(|path| path.on && leads_to(path))
            || self.api.served().is_some_and(|api| contains(root, api))
            || self.webdav && below(root, "/webdav")
            || interface && (root.starts_with("/sso/") || root.starts_with("/static/"));
        if served {
            return;
        }
        let off = [&self.admin, &self.webmail, &self.api]
            .into_iter()
            .any(|path| !path.on && leads_to(path));
        out.push(
            Finding::error(
                "web.redirect_to_nothing",
                self.root_subject,
                if off {
                    "must not lead to an interface that is switched off".to_owned()
                } else {
                    format!(
                        "must lead to a path that front serves ({}): it would go round in circles and answer 500",
                        self.list()
                    )
                },
            )
            .value(root)
            .hint("remove it for the default")
            .hint("to a location of your own in overrides/nginx, redirect there: `location = / { return 302 /home; }`"),
        );
    }

    /// The interfaces' paths, for people.
    fn list(&self) -> String {
        let paths: Vec<String> = [&self.webmail, &self.admin, &self.api]
            .into_iter()
            .filter_map(Interface::served)
            .map(|path| format!("`{path}`"))
            .collect();
        if paths.is_empty() {
            "there is none".to_owned()
        } else {
            paths.join(", ")
        }
    }
}

/// Whether `path` is `other` or lies below it.
fn below(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `text` contains `pattern`, in which a dot stands for any character.
fn contains(text: &str, pattern: &str) -> bool {
    text.as_bytes().windows(pattern.len()).any(|part| {
        part.iter()
            .zip(pattern.as_bytes())
            .all(|(byte, wanted)| *wanted == b'.' || byte == wanted)
    })
}
