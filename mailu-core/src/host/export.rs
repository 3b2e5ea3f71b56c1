//! Files for other programs and people, in a directory that is theirs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{self, Disk};
use crate::dns::formats::RenderedText;
use crate::error::{Error, ErrorKind};

/// Writes `texts` into `directory`, which is made if it is missing, and returns their paths. A file that is there is
/// replaced only if it is one of ours, which its first line tells.
///
/// # Errors
///
/// [`ErrorKind::Conflict`] if another file has one of the names, before anything is written; [`ErrorKind::Io`].
pub fn export(directory: &Path, texts: &[RenderedText]) -> Result<Vec<PathBuf>, Error> {
    let elsewhere =
        |error: Error| error.map_hints(|hint| hint.replace("`--root DIR`", "`--out DIR`"));
    let directory = std::path::absolute(directory)
        .map_err(|error| elsewhere(files::failed("find the directory", directory, error)))?;
    let mut wanted = Vec::new();
    for text in texts {
        let path = directory.join(&text.name);
        let there = match fs::read(&path) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(elsewhere(files::failed("read", &path, error))),
        };
        if let Some(there) = &there
            && !is_ours(there, &text.text)
        {
            return Err(Error::new(
                ErrorKind::Conflict,
                "dns.not_ours",
                format!(
                    "write {}: there is a file that did not come from here; nothing was written",
                    path.display()
                ),
            )
            .hint("move it away, or choose another directory with `--out DIR`"));
        }
        wanted.push((path, there, text));
    }
    fs::create_dir_all(&directory)
        .map_err(|error| elsewhere(files::failed("make the directory", &directory, error)))?;
    for (path, there, text) in &wanted {
        if there.as_deref() != Some(text.text.as_bytes()) {
            let path = files::behind_links(path).map_err(elsewhere)?;
            files::write_atomically(&mut Disk, &path, 0o644, None, text.text.as_bytes())
                .map_err(elsewhere)?;
        }
    }
    Ok(wanted.into_iter().map(|(path, _, _)| path).collect())
}

/// Whether what is there begins as what would be written.
fn is_ours(there: &[u8], text: &str) -> bool {
    // JSON says what it is in its third line.
    let lines = if text.starts_with("{\n") { 3 } else { 1 };
    let head: String = text.split_inclusive('\n').take(lines).collect();
    there.is_empty() || there.starts_with(head.as_bytes())
}
