//! Which containers may run a site, as far as an engine tells: names, images, mounts, labels.

use crate::engine::{Container, State};
use crate::names::DomainName;

/// Where PHP's own images, and so AgencyStack, have the document root.
const DOCROOT: &str = "/var/www/html";
const CONTENT: &str = "/wp-content";

/// A container that may run a site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its name.
    pub container: String,
    /// The document root in it.
    pub docroot: String,
    /// The site's own directory on the host: its document root, or where only that is mounted, its `wp-content`.
    pub directory: String,
    /// Whether path, labels or environment name the domain that was asked for.
    pub named: bool,
}

/// Every running container with PHP and WordPress in it, those that name `domain` first. AgencyStack has the domain in the path of the mount and in a label of
/// the web server beside it; its older installer has one site, `agency_stack_wordpress`, with nothing but `wp-content` on the host.
pub fn candidates(containers: &[Container], domain: &DomainName) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = containers
        .iter()
        .filter(|container| container.state == State::Running && has_php(container))
        .filter_map(|container| {
            let (directory, docroot) = site(container)?;
            let family = containers.iter().filter(|other| {
                other.name == container.name
                    || other.project.is_some() && other.project == container.project
            });
            let named = directory.split('/').any(|part| part == domain.as_str())
                || family.into_iter().any(|other| names(other, domain));
            Some(Candidate {
                container: container.name.clone(),
                docroot,
                directory,
                named,
            })
        })
        .collect();
    // A command line, or a job, of the same site knows as much; the one that serves is first.
    all.sort_by_key(|one| (!one.named, is_helper(&one.container), one.container.clone()));
    all
}

/// Whether there is PHP in it: official images, and those that stand on them, say so in the environment.
fn has_php(container: &Container) -> bool {
    container.environment.contains_key("PHP_VERSION")
        || container.environment.contains_key("PHP_INI_DIR")
        || container.image.contains("wordpress")
}

/// Host's directory of the site, and the document root in the container.
fn site(container: &Container) -> Option<(String, String)> {
    let mounts = || {
        container
            .mounts
            .iter()
            .map(|(source, inside)| (source.trim_end_matches('/'), inside.trim_end_matches('/')))
    };
    let is_wordpress = container.image.contains("wordpress")
        || container.name.contains("wordpress")
        || container
            .environment
            .keys()
            .any(|name| name.starts_with("WORDPRESS_"));
    mounts()
        .find(|(_, inside)| *inside == DOCROOT && is_wordpress)
        .map(|(source, inside)| (source.to_owned(), inside.to_owned()))
        .or_else(|| {
            mounts().find_map(|(source, inside)| {
                let docroot = inside.strip_suffix(CONTENT)?;
                Some((source.to_owned(), docroot.to_owned()))
            })
        })
}

/// Whether a label or a variable has `domain` as a word: a rule of Traefik's, `WP_HOME`, `VIRTUAL_HOST`.
fn names(container: &Container, domain: &DomainName) -> bool {
    let word = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*'));
    container
        .labels
        .values()
        .chain(container.environment.values())
        .any(|text| {
            text.split(word)
                .any(|part| part.trim_end_matches('.') == domain.as_str())
        })
}

fn is_helper(name: &str) -> bool {
    ["cli", "cron"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, image: &str, mounts: &[(&str, &str)]) -> Container {
        let mut out = Container::new(name, image);
        out.mounts = mounts
            .iter()
            .map(|(source, inside)| ((*source).to_owned(), (*inside).to_owned()))
            .collect();
        out
    }

    fn found(containers: &[Container], domain: &str) -> Vec<(String, String, bool)> {
        candidates(containers, &domain.parse().unwrap())
            .into_iter()
            .map(|one| (one.container, one.directory, one.named))
            .collect()
    }

    /// As AgencyStack's component makes it, beside another client's.
    #[test]
    fn the_new_layout() {
        let mut all = Vec::new();
        for (client, domain) in [
            ("acme", "blog.acme.example"),
            ("default", "blog.example.com"),
        ] {
            let root = format!("/opt/agency_stack/wordpress/{domain}");
            let html = format!("{root}/wordpress");
            let ini = format!("{root}/php/custom.ini");
            let mut php = container(
                &format!("{client}_wordpress"),
                "wordpress:php8.2-fpm",
                &[
                    (&html, DOCROOT),
                    (&ini, "/usr/local/etc/php/conf.d/custom.ini"),
                ],
            );
            php.project = Some(domain.replace('.', ""));
            let mut web = container(
                &format!("{client}_nginx"),
                "nginx:latest",
                &[(&html, DOCROOT)],
            );
            web.project = php.project.clone();
            web.labels.insert(
                "traefik.http.routers.x.rule".to_owned(),
                format!("Host(`{domain}`) || Host(`*.{domain}`)"),
            );
            let root = format!("{root}/mariadb");
            all.extend([
                php,
                web,
                container(
                    &format!("{client}_mariadb"),
                    "mariadb:10.5",
                    &[(&root, "/var/lib/mysql")],
                ),
            ]);
        }
        assert_eq!(
            found(&all, "blog.example.com"),
            [
                (
                    "default_wordpress".to_owned(),
                    "/opt/agency_stack/wordpress/blog.example.com/wordpress".to_owned(),
                    true
                ),
                (
                    "acme_wordpress".to_owned(),
                    "/opt/agency_stack/wordpress/blog.acme.example/wordpress".to_owned(),
                    false
                ),
            ]
        );
        all[0].state = State::Exited;
        assert_eq!(found(&all, "blog.acme.example").len(), 1);
    }

    /// One site for the host, whose domain stands in a label only.
    #[test]
    fn the_old_layout() {
        let content = "/opt/agency_stack/wordpress/wp-content";
        let mount = [(content, "/var/www/html/wp-content")];
        let mut site = container("agency_stack_wordpress", "wordpress:6.4-php8.2", &mount);
        let cli = container("agency_stack_wordpress_cli", "wordpress:cli", &mount);
        assert_eq!(
            found(&[cli.clone(), site.clone()], "blog.example.com")
                .into_iter()
                .map(|(name, _, named)| (name, named))
                .collect::<Vec<_>>(),
            [
                ("agency_stack_wordpress".to_owned(), false),
                ("agency_stack_wordpress_cli".to_owned(), false)
            ]
        );
        site.labels.insert(
            "traefik.http.routers.wordpress.rule".to_owned(),
            "Host(`blog.example.com`)".to_owned(),
        );
        let all = [cli, site];
        let first = candidates(&all, &"blog.example.com".parse().unwrap()).remove(0);
        assert_eq!(
            (first.docroot.as_str(), first.directory.as_str()),
            (DOCROOT, content)
        );
        assert!(first.named);
        // Another name that ends in this one is another site.
        let first = candidates(&all, &"example.com".parse().unwrap()).remove(0);
        assert!(!first.named);
    }
}
