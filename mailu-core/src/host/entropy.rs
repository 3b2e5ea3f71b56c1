//! New secrets and keys, from the operating system's randomness.

use rand_core::OsRng;

use super::certificate;
use crate::dkim::DkimKey;
use crate::error::Error;
use crate::names::EmailDomain;
use crate::plan::{CertificatePair, Fresh};
use crate::secret::Secret;

/// Draws from `getrandom(2)`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct System;

impl Fresh for System {
    fn secret(&mut self, _: &str, length: usize) -> Option<Secret> {
        Some(Secret::draw(&mut OsRng, length))
    }

    fn dkim(&mut self, _: &EmailDomain) -> Result<Option<DkimKey>, Error> {
        DkimKey::generate(&mut OsRng).map(Some)
    }

    fn certificate(&mut self, names: &[String]) -> Result<Option<CertificatePair>, Error> {
        certificate::self_signed(names).map(Some)
    }
}
