//! What is restored from.

use std::cell::OnceCell;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::byhand::ByHand;
use crate::backup::{Head, Kind, Member};
use crate::error::Error;
use crate::finding::Finding;
use crate::host::backup::archive::Proof;
use crate::host::backup::{Keys, archive};
use crate::names::{ClientId, MailHost};
use crate::restore::Archive;

/// An archive, of which only so much was looked at that it is known whose it is.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    keys: Keys,
    form: Form,
    /// That it is as it was written, once that is known.
    proof: OnceCell<Proof>,
}

#[derive(Debug)]
enum Form {
    Ours(Box<Head>),
    ByHand(Box<ByHand>),
}

/// An archive that was read to its end.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) archive: Archive,
    pub(super) schema: Option<String>,
    pub(super) members: u64,
    /// What cannot be known of it.
    pub(super) findings: Vec<Finding>,
}

/// Whoever gets members.
pub(super) type Visit<'v> = dyn FnMut(&Member, &mut dyn Read) -> Result<(), Error> + 'v;

impl Source {
    /// Looks whose archive it is. `wanted` chooses among several deployments in one that was made by hand.
    pub(super) fn open(file: &Path, keys: &Keys, wanted: Option<&MailHost>) -> Result<Self, Error> {
        let form = match archive::head(file, keys) {
            Ok(head) => Form::Ours(Box::new(head)),
            Err(error) if error.code() == "backup.foreign" => {
                Form::ByHand(Box::new(ByHand::find(file, keys, wanted)?))
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            file: file.to_path_buf(),
            keys: keys.clone(),
            form,
            proof: OnceCell::new(),
        })
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> Result<(MailHost, Option<ClientId>), Error> {
        let head = match &self.form {
            Form::Ours(head) => head,
            Form::ByHand(found) => return Ok((found.host.clone(), found.client.clone())),
        };
        let damaged = |what: &str| {
            archive::refused(
                &self.file,
                "backup.damaged",
                format!("its head names no {what}"),
            )
        };
        let host = head.mail_host.parse();
        let client = head.client.as_ref().map(|client| client.parse());
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
        let mut archive = Archive::new(self.file.clone());
        let found = match &self.form {
            Form::Ours(_) => {
                let (found, proof) = archive::verify(&self.file, &self.keys, each)?;
                let _ = self.proof.set(proof);
                found
            }
            Form::ByHand(found) => {
                let mut members = 0;
                found.each(&self.file, &self.keys, &mut |member, _| {
                    members += 1;
                    archive.files += u64::from(is_file(member));
                    archive.messages += u64::from(member.is_message());
                    archive.bytes += member.size;
                    each(archive.bytes)
                })?;
                archive.mailu_version = Some(found.version.clone());
                return Ok(Verified {
                    archive,
                    schema: None,
                    members,
                    findings: vec![Finding::warning(
                        "restore.by_hand",
                        self.file.display().to_string(),
                        "was not written by `mailu backup`: whether it is whole, and databases in it of one moment, cannot be known",
                    )],
                });
            }
        };
        archive.created = Some(found.head.created);
        archive.mailu_version = Some(found.head.mailu_version);
        archive.files = found.end.files;
        archive.messages = found.end.messages;
        archive.bytes = found.end.bytes;
        Ok(Verified {
            archive,
            schema: found.head.schema_head,
            members: found.end.members,
            findings: Vec::new(),
        })
    }

    /// Hands over every member. After [`Source::verify`] only of what was read then.
    pub(super) fn each(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        match &self.form {
            Form::Ours(_) => {
                archive::read(&self.file, &self.keys, self.proof.get(), visit).map(drop)
            }
            Form::ByHand(found) => found.each(&self.file, &self.keys, visit),
        }
    }
}

/// Whether a member is a file.
pub(super) fn is_file(member: &Member) -> bool {
    member.kind == Kind::File
}
