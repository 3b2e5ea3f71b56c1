//! Three-way decision about a whole file.

use crate::hash::sha256;

/// What is to happen with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it should be.
    Same,
    /// Write it.
    Write,
    /// Write it over an edit; keep a copy.
    Replace,
    /// Somebody edited it, and we want nothing new: it stays.
    Edited,
    /// Somebody edited it, and we want something else now.
    Conflict,
}

/// Decides from hashes: `bases` are what we wrote last and what an interrupted run was about to write.
pub(crate) fn decide(
    current: Option<&[u8]>,
    wanted: &[u8],
    bases: &[&String],
    overwrite: bool,
) -> Verdict {
    let Some(current) = current else {
        return Verdict::Write;
    };
    if current == wanted {
        return Verdict::Same;
    }
    let now = sha256(current);
    if bases.iter().any(|base| **base == now) {
        return Verdict::Write;
    }
    if overwrite {
        return Verdict::Replace;
    }
    let want = sha256(wanted);
    if bases.iter().any(|base| **base == want) {
        return Verdict::Edited;
    }
    Verdict::Conflict
}
