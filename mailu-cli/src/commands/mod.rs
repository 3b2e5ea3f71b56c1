//! One file for each verb.

pub(crate) mod apply;
pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod deps;
pub(crate) mod diagnose;
pub(crate) mod dns;
pub(crate) mod exec;
pub(crate) mod install;
pub(crate) mod later;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod meta;
pub(crate) mod power;
pub(crate) mod render;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod test_email;
pub(crate) mod uninstall;

use std::path::Path;

use mailu_core::host::{Mailu, Target};
use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};

use crate::args::{Global, Which};

/// The deployment that was named, or the only one.
fn chosen(global: &Global, which: &Which) -> Result<(Mailu, Layout), Error> {
    let mailu = Mailu::new(&global.root)?;
    let layout = mailu.find(&Target::new(which.domain.clone(), which.client()))?;
    Ok((mailu, layout))
}

/// Reads a file that somebody named.
fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Io,
            "file.failed",
            format!("read {}", path.display()),
        )
        .source(error)
        .hint("check the path")
    })
}

/// Reads a file that somebody named, but no more than shows that it has over `limit` bytes.
fn read_bytes(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            Error::new(
                ErrorKind::Io,
                "file.failed",
                format!("read {}", path.display()),
            )
            .source(error)
            .hint("check the path")
        })?;
    Ok(bytes)
}
