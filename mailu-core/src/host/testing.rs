//! For tests of interrupted runs: files that stop working at a chosen change, and randomness that repeats itself.

use std::io;
use std::path::Path;

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};

use super::files::{Disk, Files};
use super::perform::Progress;
use super::root::{Outcome, deploy_with};
use crate::dkim::DkimKey;
use crate::error::Error;
use crate::names::EmailDomain;
use crate::paths::Layout;
use crate::plan::{CertificatePair, Fresh, Request};
use crate::secret::Secret;

/// When a change is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before it has begun.
    Before,
    /// With half of it done, where it has halves.
    Halfway,
    /// When it is done, and nobody has heard of it.
    After,
}

/// The disk, until the change of a given number; from then on nothing works, as if the process were dead.
#[derive(Debug)]
pub struct Dying {
    disk: Disk,
    /// Changes so far.
    pub changes: usize,
    last: usize,
    moment: Moment,
}

impl Dying {
    /// Dies at change `last`, counted from 1. `usize::MAX` never dies and counts.
    pub fn at(last: usize, moment: Moment) -> Self {
        Self {
            disk: Disk,
            changes: 0,
            last,
            moment,
        }
    }

    fn change(
        &mut self,
        whole: impl FnOnce(&mut Disk) -> io::Result<()>,
        half: impl FnOnce(&mut Disk),
    ) -> io::Result<()> {
        self.changes += 1;
        let dead = || Err(io::Error::other("killed"));
        if self.changes > self.last {
            return dead();
        }
        if self.changes < self.last {
            return whole(&mut self.disk);
        }
        match self.moment {
            Moment::Before => {}
            Moment::Halfway => half(&mut self.disk),
            Moment::After => whole(&mut self.disk)?,
        }
        dead()
    }
}

impl Files for Dying {
    fn make_directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        self.change(|disk| disk.make_directory(path, mode), |_| {})
    }
    fn write_new(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
        self.change(
            |disk| disk.write_new(path, mode, bytes),
            |disk| {
                let _ = disk.write_new(path, mode, &bytes[..bytes.len() / 2]);
            },
        )
    }
    fn set_mode(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        self.change(|disk| disk.set_mode(path, mode), |_| {})
    }
    fn set_owner(&mut self, path: &Path, owner: (u32, u32)) -> io::Result<()> {
        self.change(|disk| disk.set_owner(path, owner), |_| {})
    }
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|disk| disk.rename(from, to), |_| {})
    }
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        // Most removals are of things that are not there, which is no change.
        if !path.exists() {
            return self.disk.remove(path);
        }
        self.change(|disk| disk.remove(path), |_| {})
    }
    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        self.change(|disk| disk.sync_directory(path), |_| {})
    }
}

/// Secrets and keys that depend on nothing but their names, so that two runs can be compared.
#[derive(Debug, Clone, Default)]
pub struct Repeatable {
    certificate: Option<CertificatePair>,
    keys: std::collections::BTreeMap<String, DkimKey>,
}

impl Fresh for Repeatable {
    fn secret(&mut self, name: &str, length: usize) -> Option<Secret> {
        Some(Secret::draw(&mut Seeded::new(name), length))
    }

    fn dkim(&mut self, domain: &EmailDomain) -> Result<Option<DkimKey>, Error> {
        let name = domain.to_string();
        if let Some(key) = self.keys.get(&name) {
            return Ok(Some(key.clone()));
        }
        let key = DkimKey::generate(&mut Seeded::new(&name))?;
        self.keys.insert(name, key.clone());
        Ok(Some(key))
    }

    fn certificate(&mut self, names: &[String]) -> Result<Option<CertificatePair>, Error> {
        if self.certificate.is_none() {
            self.certificate = Some(super::certificate::self_signed(names)?);
        }
        Ok(self.certificate.clone())
    }
}

/// SHA-256 in counter mode over a name. For tests only.
struct Seeded {
    seed: [u8; 32],
    counter: u64,
    buffer: Vec<u8>,
}

impl Seeded {
    fn new(name: &str) -> Self {
        Self {
            seed: Sha256::digest(name.as_bytes()).into(),
            counter: 0,
            buffer: Vec::new(),
        }
    }
}

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for byte in dest {
            if self.buffer.is_empty() {
                let mut block = self.seed.to_vec();
                block.extend(self.counter.to_le_bytes());
                self.counter += 1;
                self.buffer = Sha256::digest(&block).to_vec();
            }
            *byte = self.buffer.pop().unwrap_or_default();
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

/// [`super::Mailu::deploy`] with replaced files and randomness.
///
/// # Errors
///
/// As [`super::Mailu::deploy`].
pub fn deploy(
    layout: &Layout,
    request: &Request,
    files: &mut dyn Files,
    fresh: &mut dyn Fresh,
    progress: &mut dyn Progress,
) -> Result<Outcome, Error> {
    deploy_with(layout, request, files, fresh, progress)
}

/// [`super::Mailu::sync_certificates`] with replaced files and randomness.
///
/// # Errors
///
/// As [`super::Mailu::sync_certificates`].
pub fn sync_certificates(
    layout: &Layout,
    files: &mut dyn Files,
    fresh: &mut dyn Fresh,
) -> Result<super::CertificateSync, Error> {
    let mailu = super::Mailu::new(layout.root())?;
    super::certs::sync_with(&mailu, layout, files, fresh, &mut super::Hidden)
}

/// The certificate that an address shows; where SMTP is spoken, after STARTTLS.
///
/// # Errors
///
/// Why it showed none.
pub fn shown_by(
    address: std::net::SocketAddr,
    starttls: bool,
    name: &str,
) -> Result<crate::certs::Certificate, String> {
    super::served::ask(address, starttls, name, super::observe::now_seconds())
}

/// [`super::Mailu::wordpress_apply`] with replaced files.
///
/// # Errors
///
/// As [`super::Mailu::wordpress_apply`].
pub fn wordpress_apply(
    root: &Path,
    site: &super::WordPressSite,
    profile: &crate::apps::Profile,
    options: &super::WordPressOptions,
    files: &mut dyn Files,
) -> Result<super::WordPressApplied, Error> {
    super::wordpress::change::apply(root, site, profile, options, files)
}

/// [`super::Mailu::wordpress_remove`] with replaced files.
///
/// # Errors
///
/// As [`super::Mailu::wordpress_remove`].
pub fn wordpress_remove(
    root: &Path,
    site: &super::WordPressSite,
    files: &mut dyn Files,
) -> Result<super::WordPressRemoved, Error> {
    super::wordpress::change::remove(root, site, files)
}
