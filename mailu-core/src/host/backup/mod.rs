//! Backups: taken, looked at, verified, and given up.

pub(in crate::host) mod archive;

pub use archive::{Keys, Verified};
