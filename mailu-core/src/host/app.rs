//! Settings of apps as files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{self, Disk};
use crate::error::{Error, ErrorKind};

/// Writes settings, which have a secret, into a file of their own that only its owner can read. Returns its path.
///
/// # Errors
///
/// [`ErrorKind::Conflict`] if there is a file with anything else in it; [`ErrorKind::Io`].
pub fn write_settings(path: &Path, text: &str) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path)
        .map_err(|error| files::failed("find", path, error))
        .and_then(|path| files::behind_links(&path))?;
    match fs::read(&path) {
        Ok(there) if there == text.as_bytes() || there.is_empty() => {}
        Ok(_) => {
            return Err(Error::new(
                ErrorKind::Conflict,
                "app.not_ours",
                format!(
                    "write settings into {}: there is something else in it; nothing was written",
                    path.display()
                ),
            )
            .hint("move it away, or choose another file with `--out FILE`"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(files::failed("read", &path, error)),
    }
    files::write_atomically(&mut Disk, &path, 0o600, None, text.as_bytes())?;
    Ok(path)
}
