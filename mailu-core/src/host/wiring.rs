//! Gathers what AgencyStack's scripts have left with apps, and what we have connected since.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::engine::{Docker, LogWish};
use super::root::Mailu;
use crate::diagnose::{APP_DIRECTORIES, APP_FILES, APP_SCRIPT, AppsSeen, Connected};
use crate::engine::{Container, State};
use crate::paths::Layout;

/// The longest file that is looked into.
const LONGEST: u64 = 1 << 20;

/// How many of its last lines say why a Listmonk does not start.
const LAST_LINES: u64 = 40;

/// Looks below the root of the deployment at `layout`, and at the containers of this host.
pub(super) fn look(mailu: &Mailu, layout: &Layout, docker: Option<&Docker>) -> AppsSeen {
    let root = layout.root();
    let mut seen = AppsSeen {
        root: root.to_path_buf(),
        ..AppsSeen::default()
    };
    let all = mailu.list().unwrap_or_default();
    for one in &all {
        if let Some(client) = &one.client
            && layout.client().is_none_or(|own| own.as_str() != client)
        {
            seen.elsewhere.insert(client.clone());
        }
        let client = one.client.as_deref().unwrap_or("default");
        seen.connected.extend(connected(&one.directory, client));
    }
    seen.shared = layout.client().is_none() || all.iter().all(|one| one.client.is_some());

    let containers = docker
        .and_then(|docker| docker.containers().ok())
        .unwrap_or_default();
    let mut paths: Vec<PathBuf> = APP_FILES
        .iter()
        .chain([&APP_SCRIPT])
        .flat_map(|pattern| matching(root, pattern))
        .collect();
    // Chatwoot's is where it was started from.
    let started = containers
        .iter()
        .filter(|one| one.name.starts_with("chatwoot-app-"))
        .filter_map(|one| one.labels.get("com.docker.compose.project.working_dir"));
    paths.extend(started.map(|directory| Path::new(directory).join(".env")));
    for path in paths {
        match text(&path) {
            Ok(Some(text)) => {
                seen.files.insert(path, text);
            }
            Ok(None) => {}
            Err(why) => seen.unread.push((path, why.to_string())),
        }
    }
    seen.directories = APP_DIRECTORIES
        .iter()
        .flat_map(|pattern| matching(root, pattern))
        .filter(|path| path.is_dir())
        .collect();
    if let Some(docker) = docker {
        seen.locked_out = locked_out(docker, &containers);
    }
    seen
}

/// What our record of a deployment says.
fn connected(directory: &Path, client: &str) -> Vec<Connected> {
    let Ok(Some(text)) = text(&directory.join(".mailu/apps.json")) else {
        return Vec::new();
    };
    let Ok(serde_json::Value::Object(all)) = serde_json::from_str(&text) else {
        return Vec::new();
    };
    all.values()
        .map(|one| {
            Connected::new(
                one["app"].as_str().unwrap_or_default(),
                one["site"].as_str(),
                client,
                one["file"].as_str().map(Path::new),
            )
        })
        .collect()
}

/// What there is by a pattern, in which a star stands for one directory.
fn matching(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut all = vec![root.to_path_buf()];
    for part in pattern.split('/') {
        all = all
            .into_iter()
            .flat_map(|at| {
                if part != "*" {
                    return vec![at.join(part)];
                }
                let entries = fs::read_dir(&at).into_iter().flatten().flatten();
                let mut inside: Vec<PathBuf> = entries
                    .map(|entry| entry.path())
                    .filter(|path| path.is_dir())
                    .collect();
                inside.sort();
                inside
            })
            .collect();
    }
    all.retain(|path| path.exists());
    all
}

/// The text of a file; nothing where there is none that could have been meant.
fn text(path: &Path) -> io::Result<Option<String>> {
    let file = match fs::metadata(path) {
        Ok(there) if there.is_file() => fs::File::open(path)?,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

/// Containers of Listmonk's whose log says that the database does not take their password.
fn locked_out(docker: &Docker, containers: &[Container]) -> Vec<(String, String)> {
    let stuck = containers.iter().filter(|one| {
        one.name.starts_with("listmonk-")
            && one.image.contains("listmonk")
            && (one.state != State::Running || one.restarts > 0)
    });
    let mut out = Vec::new();
    for one in stuck {
        let wish = LogWish {
            tail: Some(LAST_LINES),
            ..LogWish::default()
        };
        let mut last = None;
        let read = docker.logs(std::slice::from_ref(&one.name), &wish, &mut |line| {
            if line.text.contains("password authentication failed") {
                last = Some(line.text);
            }
            std::ops::ControlFlow::Continue(())
        });
        if let (Ok(()), Some(line)) = (read, last) {
            out.push((one.name.clone(), line));
        }
    }
    out
}
