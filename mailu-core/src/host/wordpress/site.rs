//! Where a site is, and its PHP.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::WordPressTarget;
use crate::apps::wordpress::{self, Candidate, Seen, Site};
use crate::engine::Container;
use crate::error::{Error, ErrorKind};
use crate::host::engine::{self, Docker};
use crate::host::{files, observe};
use crate::names::DomainName;
use crate::paths::quoted;
use crate::secret::Secret;

/// How long a site may take; loading one with many plugins takes seconds on a busy host, a connection that nobody answers as long as its limits.
const PATIENCE: Duration = Duration::from_secs(120);

/// Errors on standard error and not among what is printed; no arguments, which may be secret, in them.
const PHP: [&str; 5] = [
    "php",
    "-d",
    "display_errors=stderr",
    "-d",
    "zend.exception_ignore_args=1",
];

/// How much of what a site says is repeated.
const SAID: usize = 300;

/// A site that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WordPressSite {
    /// The name under which it is visited.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub domain: DomainName,
    /// Its directory on the host: the document root, or where only that is there, its `wp-content`.
    pub directory: PathBuf,
    /// The container in which its PHP runs; without, that is the host's.
    pub container: Option<String>,
    /// The document root, as its PHP sees it.
    pub docroot: PathBuf,
    /// User and group of the site's PHP.
    pub owner: (u32, u32),
    /// Directories of the host in the container: where on the host, where in the container.
    #[serde(skip)]
    pub(super) mounts: Vec<(PathBuf, PathBuf)>,
}

impl WordPressSite {
    /// As scripts see it.
    pub(super) fn seen_by_php(&self) -> Site {
        Site::new(self.docroot.to_string_lossy(), self.domain.clone())
    }

    /// Where a path of the site's PHP lies on the host, and the directory that it must not leave; nothing where it is in the container alone.
    pub(super) fn on_host(&self, inside: &Path) -> Option<(PathBuf, PathBuf)> {
        if self.container.is_none() {
            return Some((inside.to_path_buf(), self.directory.clone()));
        }
        let (source, below) = self
            .mounts
            .iter()
            .filter(|(_, at)| inside.starts_with(at))
            .max_by_key(|(_, at)| at.components().count())?;
        let rest = inside.strip_prefix(below).ok()?;
        let path = if rest.as_os_str().is_empty() {
            source.clone()
        } else {
            source.join(rest)
        };
        Some((path, source.clone()))
    }

    /// Where the site's PHP sees a path of the host; nothing where it does not.
    pub(super) fn in_php(&self, host: &Path) -> Option<PathBuf> {
        if self.container.is_none() {
            return Some(host.to_path_buf());
        }
        let (source, inside) = self
            .mounts
            .iter()
            .filter(|(source, _)| host.starts_with(source))
            .max_by_key(|(source, _)| source.components().count())?;
        let rest = host.strip_prefix(source).ok()?;
        Some(if rest.as_os_str().is_empty() {
            inside.clone()
        } else {
            inside.join(rest)
        })
    }

    /// Has the site's PHP run a script, and returns its answer. None of `secrets` gets into an error.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        script: &Secret,
        attempt: &str,
        secrets: &[&Secret],
    ) -> Result<T, Error> {
        let (out, err) = match &self.container {
            Some(name) => self.in_container(name, script)?,
            None => self.on_this_host(script)?,
        };
        wordpress::answer(&out).ok_or_else(|| {
            let place = self.container.as_ref().map_or_else(
                || format!("in {}", self.docroot.display()),
                |name| format!("in the container {name}"),
            );
            let said = said(&format!("{err}\n{out}"), secrets);
            let said = if said.is_empty() {
                "it says nothing".to_owned()
            } else {
                format!("it says `{said}`")
            };
            Error::new(
                ErrorKind::Conflict,
                "wordpress.not_loaded",
                format!(
                    "{attempt} {} {place}: WordPress does not load; {said}",
                    self.domain
                ),
            )
            .hint(format!(
                "open https://{} and see whether it works; its database may be away",
                self.domain
            ))
        })
    }

    fn in_container(&self, name: &str, script: &Secret) -> Result<(String, String), Error> {
        let user = format!("{}:{}", self.owner.0, self.owner.1);
        let ended = Docker::connect()?.execute_as(
            name,
            Some(&user),
            &PHP,
            Some(script.expose().as_bytes()),
            PATIENCE,
        )?;
        Ok((ended.out, ended.err))
    }

    fn on_this_host(&self, script: &Secret) -> Result<(String, String), Error> {
        let mut command = Command::new("timeout");
        command
            .arg(PATIENCE.as_secs().to_string())
            .args(PHP)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // What a site's plugins do, they do as on the web.
        if observe::privileged() {
            command.uid(self.owner.0).gid(self.owner.1);
        }
        let failed = |error| {
            Error::new(
                ErrorKind::Io,
                "wordpress.php_failed",
                format!("run `php` for {}", self.domain),
            )
            .source(error)
        };
        let mut child = command.current_dir("/").spawn().map_err(failed)?;
        let mut input = child.stdin.take();
        let (written, ended) = std::thread::scope(|scope| {
            let written = scope.spawn(move || {
                input.take().map_or(Ok(()), |mut input| {
                    input.write_all(script.expose().as_bytes())
                })
            });
            let ended = child.wait_with_output();
            (written.join(), ended)
        });
        let ended = ended.map_err(failed)?;
        // `timeout` says so.
        if ended.status.code() == Some(127) {
            return Err(Error::new(
                ErrorKind::NotFound,
                "wordpress.no_php",
                format!("run `php` for {}: there is none on this host", self.domain),
            )
            .hint("install it: `apt-get install php-cli php-mysql`")
            .hint(
                "where the site runs in a container: start that, and run the same command again",
            ));
        }
        // A program that does not read all of it says itself what it did not like.
        drop(written);
        Ok((
            String::from_utf8_lossy(&ended.stdout).into_owned(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        ))
    }
}

/// The end of what a site said, as one line without markup and secrets.
fn said(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        text = text.replace(secret.expose(), "***");
    }
    let mut plain = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                plain.push(' ');
            }
            _ if inside => {}
            c => plain.push(c),
        }
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    let skip = line.chars().count().saturating_sub(SAID);
    line.chars().skip(skip).collect()
}

/// Finds the site that `target` means.
pub(super) fn find(root: &Path, target: &WordPressTarget) -> Result<WordPressSite, Error> {
    match &target.path {
        Some(path) => by_path(path, &target.domain),
        None => by_name(root, &target.domain),
    }
}

fn by_path(path: &Path, domain: &DomainName) -> Result<WordPressSite, Error> {
    let path = fs::canonicalize(path).map_err(|error| files::failed("find", path, error))?;
    // AgencyStack's directory of a site has the document root in it.
    let directory = [path.clone(), path.join("wordpress")]
        .into_iter()
        .find(|one| one.join("wp-load.php").is_file())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "wordpress.no_site",
                format!(
                    "find WordPress in {}: there is no wp-load.php",
                    path.display()
                ),
            )
            .hint("name the document root of the site: `--path DIR`")
        })?;
    if engine::is_there()
        && let Ok(docker) = Docker::connect()
    {
        let containers = docker.containers()?;
        let all = wordpress::candidates(&containers, domain);
        let same = |one: &&Candidate| {
            fs::canonicalize(&one.directory)
                .is_ok_and(|source| source == directory || source == directory.join("wp-content"))
        };
        if let Some(one) = all.iter().find(same) {
            return contained(&docker, one, &containers, domain);
        }
    }
    let owner = owner_here(&directory)?;
    Ok(WordPressSite {
        domain: domain.clone(),
        docroot: directory.clone(),
        directory,
        container: None,
        owner,
        mounts: Vec::new(),
    })
}

fn by_name(root: &Path, domain: &DomainName) -> Result<WordPressSite, Error> {
    let docker = Docker::connect().map_err(|error| {
        error.hint("a site that runs on the host itself: `--path DIR` names its document root")
    })?;
    let containers = docker.containers()?;
    let all = wordpress::candidates(&containers, domain);
    let mut named: Vec<&Candidate> = all.iter().filter(|one| one.named).collect();
    let mut asked = Vec::new();
    if named.is_empty() {
        // Nothing on the outside says it; the site itself knows.
        for one in &all {
            let Ok(site) = contained(&docker, one, &containers, domain) else {
                continue;
            };
            if let Ok(seen) = site.ask::<Seen>(&site.seen_by_php().look(), "look at", &[]) {
                if host_of(&seen.home) == Some(domain.as_str()) {
                    named.push(one);
                }
                asked.push(format!("{} ({})", one.container, seen.home));
            } else {
                asked.push(one.container.clone());
            }
        }
    }
    let Some(first) = named.first() else {
        return Err(missing(root, domain, &asked));
    };
    // Helpers share the directory with the container that serves.
    if let Some(other) = named.iter().find(|one| one.directory != first.directory) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "wordpress.ambiguous",
            format!(
                "choose the site {domain}: the containers {} and {} both seem to have it",
                first.container, other.container
            ),
        )
        .hint(format!(
            "name its directory: `--path {}`",
            quoted(Path::new(&first.directory))
        )));
    }
    contained(&docker, first, &containers, domain)
}

fn missing(root: &Path, domain: &DomainName, asked: &[String]) -> Error {
    let error = Error::new(
        ErrorKind::NotFound,
        "wordpress.not_found",
        format!("find the WordPress site {domain}: no running container has it"),
    );
    let there = root.join("wordpress").join(domain.as_str());
    let error = if there.join("docker-compose.yml").is_file() {
        error.hint(format!(
            "start it: `cd {} && docker compose up -d`",
            quoted(&there)
        ))
    } else if asked.is_empty() {
        error
    } else {
        error.hint(format!("there are: {}", asked.join(", ")))
    };
    error.hint("a site that runs on the host itself: `--path DIR` names its document root")
}

/// The host's name in a URL, without `www.`, which is the same site.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', ':']).next()?;
    Some(host.strip_prefix("www.").unwrap_or(host))
}

fn contained(
    docker: &Docker,
    one: &Candidate,
    containers: &[Container],
    domain: &DomainName,
) -> Result<WordPressSite, Error> {
    let directory = PathBuf::from(&one.directory);
    let owner = match owner_of(&directory)? {
        (0, _) => web_user_in(docker, &one.container)?,
        owner => owner,
    };
    let mounts = containers
        .iter()
        .find(|container| container.name == one.container)
        .into_iter()
        .flat_map(|container| &container.mounts)
        .map(|(source, inside)| (PathBuf::from(source), PathBuf::from(inside)))
        .collect();
    Ok(WordPressSite {
        domain: domain.clone(),
        directory,
        container: Some(one.container.clone()),
        docroot: PathBuf::from(&one.docroot),
        owner,
        mounts,
    })
}

/// Who owns what a site writes.
fn owner_of(directory: &Path) -> Result<(u32, u32), Error> {
    let content = directory.join("wp-content");
    let place = if content.is_dir() {
        &content
    } else {
        directory
    };
    let metadata = fs::metadata(place).map_err(|error| files::failed("look at", place, error))?;
    Ok((metadata.uid(), metadata.gid()))
}

/// As whom the host's PHP runs: who owns what the site writes; where that is root, which no web server is, Debian's user for that.
fn owner_here(directory: &Path) -> Result<(u32, u32), Error> {
    match owner_of(directory)? {
        (0, _) if observe::privileged() => match nix::unistd::User::from_name("www-data") {
            Ok(Some(user)) => Ok((user.uid.as_raw(), user.gid.as_raw())),
            _ => Err(unknown_user(directory)),
        },
        owner => Ok(owner),
    }
}

fn web_user_in(docker: &Docker, name: &str) -> Result<(u32, u32), Error> {
    let id = |option: &str| {
        let ended = docker
            .execute(
                name,
                &["id", option, "www-data"],
                None,
                Duration::from_secs(20),
            )
            .ok()?;
        ended.out.trim().parse().ok()
    };
    id("-u")
        .zip(id("-g"))
        .ok_or_else(|| unknown_user(Path::new(name)))
}

fn unknown_user(of: &Path) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "wordpress.user",
        format!(
            "tell as whom the PHP of {} runs: root owns its files, and there is no user www-data",
            of.display()
        ),
    )
    .hint("give the site's wp-content to the user of its PHP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_both_ways_by_the_longest_mount() {
        let site = WordPressSite {
            domain: "blog.example.com".parse().unwrap(),
            directory: "/srv/html".into(),
            container: Some("x".to_owned()),
            docroot: "/var/www/html".into(),
            owner: (33, 33),
            mounts: vec![
                ("/srv/html".into(), "/var/www/html".into()),
                ("/srv/content".into(), "/var/www/html/wp-content".into()),
                ("/srv/mail".into(), "/etc/agencystack-mail".into()),
            ],
        };
        let host = |inside: &str| site.on_host(Path::new(inside)).map(|(path, _)| path);
        assert_eq!(
            host("/var/www/html/wp-content/mu-plugins"),
            Some("/srv/content/mu-plugins".into())
        );
        assert_eq!(host("/var/www/html"), Some("/srv/html".into()));
        assert_eq!(host("/var/www/htmlx"), None);
        assert_eq!(
            site.in_php(Path::new("/srv/mail/a.php")),
            Some("/etc/agencystack-mail/a.php".into())
        );
        assert_eq!(site.in_php(Path::new("/srv/mailx")), None);
    }

    #[test]
    fn what_a_site_says_is_shown_short_and_without_secrets() {
        let text = "<p>Error:\n <b>login</b> with PrecioUs</p> failed";
        assert_eq!(
            said(text, &[&Secret::new("PrecioUs")]),
            "Error: login with *** failed"
        );
        assert_eq!(said(&"x".repeat(5000), &[]).len(), SAID);
    }

    #[test]
    fn www_is_the_same_site() {
        assert_eq!(
            host_of("https://www.blog.example.com/x"),
            Some("blog.example.com")
        );
        assert_eq!(
            host_of("http://blog.example.com:8080"),
            Some("blog.example.com")
        );
        assert_eq!(host_of("blog"), None);
    }
}
