//! What is restored from.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::backup::{Head, Kind, Member};
use crate::error::Error;
use crate::host::backup::{Keys, archive};
use crate::names::{ClientId, MailHost};
use crate::restore::Archive;

/// An archive, of which only the beginning was looked at.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    keys: Keys,
    head: Head,
}

/// An archive that was read to its end.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) archive: Archive,
    pub(super) schema: Option<String>,
    pub(super) members: u64,
}

/// Whoever gets members.
pub(super) type Visit<'v> = dyn FnMut(&Member, &mut dyn Read) -> Result<(), Error> + 'v;

impl Source {
    /// Looks at the beginning of an archive.
    pub(super) fn open(file: &Path, keys: &Keys) -> Result<Self, Error> {
        Ok(Self {
            file: file.to_path_buf(),
            keys: keys.clone(),
            head: archive::head(file, keys)?,
        })
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> Result<(MailHost, Option<ClientId>), Error> {
        let damaged = |what: &str| {
            archive::refused(
                &self.file,
                "backup.damaged",
                format!("its head names no {what}"),
            )
        };
        let host = self.head.mail_host.parse();
        let client = self.head.client.as_ref().map(|client| client.parse());
        Ok((
            host.map_err(|error| damaged("mail host").source(error))?,
            client
                .transpose()
                .map_err(|error| damaged("client").source(error))?,
        ))
    }

    /// Reads it to its end; `each` hears how many bytes of files there were so far.
    pub(super) fn verify(
        &self,
        each: &mut dyn FnMut(u64) -> Result<(), Error>,
    ) -> Result<Verified, Error> {
        let found = archive::verify(&self.file, &self.keys, each)?;
        let mut archive = Archive::new(self.file.clone());
        archive.created = Some(found.head.created);
        archive.mailu_version = Some(found.head.mailu_version);
        archive.files = found.end.files;
        archive.messages = found.end.messages;
        archive.bytes = found.end.bytes;
        Ok(Verified {
            archive,
            schema: found.head.schema_head,
            members: found.end.members,
        })
    }

    /// Hands over every member.
    pub(super) fn each(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        archive::read(&self.file, &self.keys, visit).map(drop)
    }
}

/// Whether a member is a file.
pub(super) fn is_file(member: &Member) -> bool {
    member.kind == Kind::File
}
