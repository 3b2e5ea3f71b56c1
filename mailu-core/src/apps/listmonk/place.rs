//! Where a Listmonk of AgencyStack's is, told from containers and its configuration.

use std::net::IpAddr;

use crate::engine::{Container, State};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// The port that Listmonk listens on, unless `app.address` says otherwise.
const PORT: u16 = 9000;

/// A Listmonk and its database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Place {
    /// Its container.
    pub app: String,
    /// The container of its database.
    pub database: String,
    /// Who owns the tables.
    pub user: String,
    /// The database's name.
    pub name: String,
    /// Where its API is reached from this host.
    pub url: Option<String>,
    /// What its API takes before v4: a name and a password from `config.toml`.
    pub admin: Option<(String, Secret)>,
}

/// The container of a client's Listmonk: `listmonk-ID`, or `listmonk-app-ID`, as AgencyStack's upgrades expect it.
///
/// # Errors
///
/// [`ErrorKind::NotFound`], `listmonk.no_container`.
pub fn find<'a>(containers: &'a [Container], id: &str) -> Result<&'a Container, Error> {
    named(
        containers,
        &[format!("listmonk-{id}"), format!("listmonk-app-{id}")],
    )
    .ok_or_else(|| {
        let there: Vec<&str> = containers
            .iter()
            .map(|one| one.name.as_str())
            .filter(|name| name.contains("listmonk"))
            .collect();
        let error = Error::new(
            ErrorKind::NotFound,
            "listmonk.no_container",
            format!("find the Listmonk of {id}: there is no container listmonk-{id}"),
        );
        if there.is_empty() {
            error.hint("`docker ps -a` lists the containers of this host")
        } else {
            error.hint(format!("there are: {}", there.join(", ")))
        }
    })
}

fn named<'a>(containers: &'a [Container], names: &[String]) -> Option<&'a Container> {
    names
        .iter()
        .find_map(|name| containers.iter().find(|one| one.name == *name))
}

/// Puts together what containers and `config.toml` say of a client's Listmonk. Variables in its container count more than the file.
///
/// # Errors
///
/// [`ErrorKind::NotFound`]: `listmonk.no_container`, `listmonk.no_database`. [`ErrorKind::Corrupt`], `listmonk.config`: the file is no TOML.
pub fn place(containers: &[Container], id: &str, config: Option<&str>) -> Result<Place, Error> {
    let app = find(containers, id)?;
    let table: toml::Table = match config {
        Some(text) => text.parse().map_err(|_| {
            // What the parser says has the line in it, and a password may stand there.
            Error::new(
                ErrorKind::Corrupt,
                "listmonk.config",
                format!("read the config.toml of {}: it is no TOML", app.name),
            )
        })?,
        None => toml::Table::new(),
    };
    let setting = |section: &str, key: &str| {
        let variable = format!("LISTMONK_{section}__{key}");
        app.environment.get(&variable).cloned().or_else(|| {
            let value = table.get(section)?.get(key)?;
            Some(value.as_str()?.to_owned())
        })
    };
    let text = |section: &str, key: &str| setting(section, key).filter(|text| !text.is_empty());
    let host = text("db", "host").unwrap_or_default();
    let names = [
        format!("listmonk-postgres-{id}"),
        format!("listmonk-db-{id}"),
        host.clone(),
    ];
    let database = named(containers, &names)
        .or_else(|| {
            // A service's name is a host's name among the containers of a Compose project.
            containers.iter().find(|one| {
                app.project.is_some()
                    && one.project == app.project
                    && one.service.as_deref() == Some(host.as_str())
            })
        })
        .ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "listmonk.no_database",
                format!(
                    "find the database of {}: there is no container listmonk-postgres-{id}",
                    app.name
                ),
            )
            .hint("where the database is elsewhere, use Listmonk's API: make an API user in it, and give its name and token")
        })?;
    let user = text("db", "user").unwrap_or_else(|| "listmonk".to_owned());
    let port = text("app", "address")
        .and_then(|address| address.rsplit(':').next()?.parse().ok())
        .unwrap_or(PORT);
    Ok(Place {
        app: app.name.clone(),
        database: database.name.clone(),
        name: text("db", "database").unwrap_or_else(|| user.clone()),
        user,
        url: url(app, port),
        admin: text("app", "admin_username").zip(text("app", "admin_password").map(Secret::new)),
    })
}

fn url(app: &Container, port: u16) -> Option<String> {
    if app.state != State::Running {
        return None;
    }
    let published = app.published.iter().find(|one| one.container_port == port);
    let (address, port) = match published {
        Some(one) if one.address.is_unspecified() => (IpAddr::from([127, 0, 0, 1]), one.port),
        Some(one) => (one.address, one.port),
        None => (app.networks.values().flatten().next().copied()?, port),
    };
    Some(match address {
        IpAddr::V4(address) => format!("http://{address}:{port}"),
        IpAddr::V6(address) => format!("http://[{address}]:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers() -> Vec<Container> {
        let mut app = Container::new("listmonk-acme", "listmonk/listmonk:v2.5.1");
        let address = "172.20.0.3".parse().ok();
        app.networks.insert("listmonk_network".to_owned(), address);
        vec![app, Container::new("listmonk-postgres-acme", "postgres:14")]
    }

    #[test]
    fn a_listmonk_is_found_by_its_client() {
        let config = "[app]\naddress = '0.0.0.0:9000'\nadmin_username = 'admin'\nadmin_password = 'geheim'\n\
                      [db]\nhost = 'listmonk-postgres-acme'\nuser = 'lists'\ndatabase = 'news'\n";
        let found = place(&containers(), "acme", Some(config)).expect("a place");
        assert_eq!(found.app, "listmonk-acme");
        assert_eq!(found.database, "listmonk-postgres-acme");
        assert_eq!((&*found.user, &*found.name), ("lists", "news"));
        assert_eq!(found.url.as_deref(), Some("http://172.20.0.3:9000"));
        let (name, password) = found.admin.clone().expect("an administrator");
        assert_eq!((&*name, password.expose()), ("admin", "geheim"));
        assert!(!format!("{found:?}").contains("geheim"));

        let plain = place(&containers(), "acme", None).expect("a place");
        assert_eq!((&*plain.user, &*plain.name), ("listmonk", "listmonk"));
        assert!(plain.admin.is_none());
    }

    #[test]
    fn variables_count_more_than_the_file() {
        let mut all = containers();
        let set = |all: &mut Vec<Container>, key: &str, value: &str| {
            all[0].environment.insert(key.to_owned(), value.to_owned());
        };
        set(&mut all, "LISTMONK_db__user", "other");
        set(&mut all, "LISTMONK_app__address", ":8080");
        let found = place(&all, "acme", Some("[db]\nuser = 'lists'\n")).expect("a place");
        assert_eq!(found.user, "other");
        assert_eq!(found.url.as_deref(), Some("http://172.20.0.3:8080"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let error = place(&containers(), "other", None).expect_err("no such client");
        assert_eq!(error.code(), "listmonk.no_container");
        assert!(error.hints()[0].contains("listmonk-acme"), "{error:?}");
        let error = place(&containers()[..1], "acme", None).expect_err("no database");
        assert_eq!(error.code(), "listmonk.no_database");
        let error =
            place(&containers(), "acme", Some("admin_password = 'geheim")).expect_err("no TOML");
        assert_eq!(error.code(), "listmonk.config");
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }
}
