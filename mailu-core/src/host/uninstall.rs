//! Taking a deployment down.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::compose::Compose;
use super::engine::Docker;
use super::files::{self, Disk};
use super::operate::removed;
use super::root::Mailu;
use super::{hints, lock, observe, status};
use crate::config::{Config, DEFAULT_PROXY_NETWORK};
use crate::error::{Error, ErrorKind};
use crate::paths::{DIRECTORIES, Layout, program};
use crate::plan;
use crate::timer::Chore;

/// What came of taking a deployment down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Uninstalled {
    /// The mail host.
    pub mail_host: String,
    /// The containers that were removed.
    pub containers: Vec<String>,
    /// The networks that were removed.
    pub networks: Vec<String>,
    /// The directories that were deleted.
    pub deleted: Vec<PathBuf>,
    /// What stays, and where.
    pub kept: Vec<Kept>,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "KeptPlace")
)]
#[non_exhaustive]
pub struct Kept {
    /// What it is.
    pub what: String,
    /// Where it is.
    pub place: String,
}

impl Uninstalled {
    /// Whether there was anything to do.
    pub fn is_unchanged(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.deleted.is_empty()
    }
}

impl Mailu {
    /// Takes containers and networks of the deployment at `layout` down. Data, configuration and secrets stay, unless
    /// `delete_data`: then nothing of it is left. Done already, it does nothing; interrupted, the same call continues.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Docker`] where engine or Compose do not answer or refuse; [`ErrorKind::Io`] if something cannot be deleted.
    pub fn uninstall(
        &self,
        layout: &Layout,
        delete_data: bool,
        said: &mut dyn FnMut(&str),
    ) -> Result<Uninstalled, Error> {
        self.taken_down(layout, delete_data, said)
            .map_err(|error| hints::error(error, self.root()))
    }

    fn taken_down(
        &self,
        layout: &Layout,
        delete_data: bool,
        said: &mut dyn FnMut(&str),
    ) -> Result<Uninstalled, Error> {
        let (config, _) = self.config(layout)?;
        let project = status::project(layout, &config);
        let docker = Docker::connect()?;
        let locks = lock::take(layout)?;
        let before = docker.project(&project)?;
        let networks = docker.project_networks(&project)?;
        let mut out = Uninstalled {
            mail_host: config.mail_host.to_string(),
            containers: before.iter().map(|one| one.name.clone()).collect(),
            networks: networks.clone(),
            deleted: Vec::new(),
            kept: Vec::new(),
        };
        if !before.is_empty() || !networks.is_empty() {
            down(layout, &project, &locks, said)?;
            let left = docker.project(&project)?;
            if let Some(one) = left.first() {
                return Err(Error::new(
                    ErrorKind::Docker,
                    "uninstall.left",
                    format!(
                        "take {} down: the container {} is still there",
                        config.mail_host, one.name
                    ),
                )
                .hint(format!(
                    "`docker rm --force {}`, and the same command again",
                    one.name
                )));
            }
            let still = docker.project_networks(&project)?;
            out.networks.retain(|name| !still.contains(name));
            for name in still {
                out.kept
                    .push(kept("network, which containers of others use", name));
            }
        }
        self.shared_network(layout, &config, &docker, &mut out)?;
        if delete_data {
            delete(layout, said, &mut out)?;
        } else {
            mark(layout)?;
            out.kept.push(kept(
                "configuration, mail and everything else",
                layout.directory().display(),
            ));
            out.kept.push(kept("secrets", layout.secrets().display()));
        }
        if delete_data && self.list()?.is_empty() {
            for (chore, verb, what) in [
                (Chore::Certificates, "certs", "the timer for certificates"),
                (Chore::Backups, "backup", "the timer for backups"),
            ] {
                if self.timer(chore).is_ok_and(|timer| timer.installed) {
                    out.kept.push(kept(
                        &format!(
                            "`{} {verb} timer --remove` removes it",
                            program(self.root())
                        ),
                        what,
                    ));
                }
            }
        }
        if layout.backups().exists() {
            out.kept.push(kept("backups", layout.backups().display()));
        }
        let images: Vec<String> = status::wanted(layout, &config)
            .into_iter()
            .filter_map(|one| matches!(docker.image(&one.image), Ok(Some(_))).then_some(one.image))
            .collect();
        if !images.is_empty() {
            out.kept.push(kept(
                "`docker image prune --all` removes those that nothing uses",
                format!("{} images", images.len()),
            ));
        }
        Ok(out)
    }

    /// The network that Traefik shares with the fronts goes with the last of them.
    fn shared_network(
        &self,
        layout: &Layout,
        config: &Config,
        docker: &Docker,
        out: &mut Uninstalled,
    ) -> Result<(), Error> {
        let name = config.traefik.network.as_str();
        if !config.tls.mode.behind_traefik() || !docker.network_exists(name)? {
            return Ok(());
        }
        let users: Vec<String> = docker
            .containers()?
            .into_iter()
            .filter(|one| one.networks.contains_key(name))
            .map(|one| one.name)
            .collect();
        let others = self.list()?.into_iter().any(|info| {
            info.directory != layout.directory() && info.directory.join(".installed_ok").exists()
        });
        if name != DEFAULT_PROXY_NETWORK {
            out.kept.push(kept("network, which is not ours", name));
        } else if !users.is_empty() {
            out.kept.push(kept(
                &format!("network, used by {}", users.join(", ")),
                name,
            ));
        } else if others {
            out.kept
                .push(kept("network, for the other deployments", name));
        } else {
            docker.remove_network(name)?;
            out.networks.push(name.to_owned());
        }
        Ok(())
    }
}

fn kept(what: &str, place: impl std::fmt::Display) -> Kept {
    Kept {
        what: what.to_owned(),
        place: place.to_string(),
    }
}

fn down(
    layout: &Layout,
    project: &str,
    locks: &lock::Locks,
    said: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let compose = Compose::required()?.holding(locks);
    let directory = layout.directory();
    if layout.file("docker-compose.yml").exists() {
        compose.run(&directory, &["down", "--remove-orphans"], said)
    } else {
        // The containers tell what they belong to.
        compose.run(
            &directory,
            &["--project-name", project, "down", "--remove-orphans"],
            said,
        )
    }
}

/// Notes that the deployment was taken down: nobody should think that it still runs.
fn mark(layout: &Layout) -> Result<(), Error> {
    let path = layout.uninstalled();
    if layout.installed().exists() || !path.exists() {
        let text = format!("{}\n", observe::now());
        files::write_atomically(&mut Disk, &path, 0o600, None, text.as_bytes())?;
    }
    // An interrupted run is over with it.
    let starting = layout.file(plan::STARTING);
    removed(fs::remove_file(&starting), &starting)?;
    removed(fs::remove_file(layout.installed()), &layout.installed())
}

/// Deletes everything of a deployment. Its `mailu.toml` goes last, so that the same command finds it again after an interruption.
fn delete(layout: &Layout, said: &mut dyn FnMut(&str), out: &mut Uninstalled) -> Result<(), Error> {
    let base = layout.directory();
    for directory in DIRECTORIES {
        // What lies elsewhere was put there by somebody who wanted it there.
        let path = base.join(directory.path);
        if let Ok(target) = fs::read_link(&path) {
            out.kept.push(kept(
                &format!("what {} led to", path.display()),
                target.display(),
            ));
        }
    }
    removed(fs::remove_file(layout.installed()), &layout.installed())?;
    let last = [layout.config(), base.join(".mailu")];
    for path in listed(&base)?
        .into_iter()
        .filter(|path| !last.contains(path))
    {
        said(&format!("deleting {}", path.display()));
        remove(&path)?;
    }
    let secrets = layout.secrets();
    if secrets.exists() {
        said(&format!("deleting {}", secrets.display()));
        remove(&secrets)?;
        out.deleted.push(secrets.clone());
    }
    // Without this record, what is left does not look like a deployment that has lost its mailu.toml.
    removed(fs::remove_file(layout.rendered()), &layout.rendered())?;
    remove(&layout.config())?;
    remove(&base.join(".mailu"))?;
    remove(&base)?;
    files::sync_parent(&mut Disk, &base)?;
    out.deleted.insert(0, base.clone());
    if layout.client().is_some() {
        // The client's directory, if this was the last in it.
        for path in [base.parent(), secrets.parent()].into_iter().flatten() {
            let _ = fs::remove_dir(path);
        }
    }
    Ok(())
}

fn listed(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries =
        fs::read_dir(directory).map_err(|error| files::failed("list", directory, error))?;
    entries
        .map(|entry| {
            entry
                .map(|entry| entry.path())
                .map_err(|error| files::failed("list", directory, error))
        })
        .collect()
}

/// Removes a file, a link or a directory with everything in it.
fn remove(path: &Path) -> Result<(), Error> {
    let result = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed(result, path)
}
