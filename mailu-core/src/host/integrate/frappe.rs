//! A site of Frappe's, by a program that runs in its container.

use std::time::Duration;

use serde_json::Value;

use crate::apps::{self, Profile, frappe};
use crate::error::{Error, ErrorKind};
use crate::host::engine::Docker;

/// Frappe starts slowly, and logs in to the server when it saves.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs the program with the words behind the site's name; the secret goes in with it, by the input.
pub(super) fn ask(
    container: &str,
    site: &str,
    profile: &Profile,
    words: &[&str],
) -> Result<Value, Error> {
    let program = apps::by_name("erpnext")?.settings(profile, Some("python"))?;
    let shell = format!("cd {} && exec env/bin/python - \"$@\"", frappe::BENCH);
    let command = [&["sh", "-c", &shell, "sh", site], words].concat();
    let docker = Docker::connect()?;
    let input = Some(program.text.as_bytes());
    let ran = docker.execute(container, &command, input, PATIENCE)?;
    let failed = |why: String| {
        Error::new(
            ErrorKind::Conflict,
            "erpnext.refused",
            format!("work on the Email Account of {site} in {container}: {why}"),
        )
        .hint(format!(
            "`docker exec {container} ls {}/sites` lists its sites",
            frappe::BENCH
        ))
    };
    if ran.code != 0 {
        let said = ran.err.replace(profile.secret.expose(), "***");
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        return Err(failed(last.unwrap_or("it says nothing").trim().to_owned()));
    }
    let last = ran.out.lines().rev().find(|line| line.starts_with('{'));
    last.and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| failed("its answer is not understood".to_owned()))
}

/// The texts of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}
