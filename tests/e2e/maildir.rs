//! The files of messages, as they lie on the disk, and what is wrong with them after a restore.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::ledger::Inventory;
use crate::support::files_below;

/// Whom Mailu's Dovecot runs as: files of others it cannot read.
const OWNER: (u32, u32) = (8, 12);

/// The file of a message.
#[derive(Debug, PartialEq)]
pub(crate) struct File {
    account: String,
    path: PathBuf,
    owner: (u32, u32),
    mode: u32,
    size: u64,
    /// Of the message as IMAP has it.
    sha: String,
}

/// By account, and by the part of their names that never changes.
pub(crate) type Files = BTreeMap<(String, String), Vec<File>>;

/// Every message below `data/mail`, as it lies there.
pub(crate) fn on_disk(mail: &Path) -> Files {
    let mut all: Files = BTreeMap::new();
    for path in files_below(mail) {
        let kind = path.parent().unwrap().file_name().unwrap();
        if kind != "cur" && kind != "new" {
            continue;
        }
        let Ok(content) = std::fs::read(&path) else {
            // It was renamed since it was listed.
            continue;
        };
        let metadata = std::fs::metadata(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let below = path.strip_prefix(mail).unwrap();
        let account = below.iter().next().unwrap().to_str().unwrap().to_owned();
        let base = name.split(":2,").next().unwrap().to_owned();
        let file = File {
            account: account.clone(),
            owner: (metadata.uid(), metadata.gid()),
            mode: metadata.mode() & 0o7777,
            size: metadata.len(),
            sha: sha256(&with_crlf(&content)),
            path,
        };
        all.entry((account, base)).or_default().push(file);
    }
    all
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' && all.last() != Some(&b'\r') {
            all.push(b'\r');
        }
        all.push(byte);
    }
    all
}

/// What is wrong with the files of `after`: half ones, those of another owner, those that IMAP does not show.
pub(crate) fn wrong_files(before: &Files, after: &Files, inventory: &Inventory) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((account, base), files) in after {
        for file in files {
            let path = file.path.display();
            // Dovecot's names have the size in them.
            let named = base.split(',').find_map(|part| part.strip_prefix("S="));
            if named.is_some_and(|size| size != file.size.to_string()) {
                wrong.push(format!("{path} has {} bytes", file.size));
            }
            let shown = inventory
                .get(account)
                .into_iter()
                .flat_map(BTreeMap::values)
                .flat_map(|folder| &folder.messages)
                .any(|message| message.sha == file.sha);
            if !shown {
                wrong.push(format!("{path} is no message that was acknowledged"));
            }
            if file.owner != OWNER {
                wrong.push(format!("{path} belongs to {:?}", file.owner));
            }
            let was = before
                .get(&(account.clone(), base.clone()))
                .and_then(|files| files.first());
            if let Some(was) = was
                && (was.mode, was.size, &was.sha) != (file.mode, file.size, &file.sha)
            {
                wrong.push(format!("{was:?} has become {file:?}"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Folder, Message};

    const TEXT: &[u8] = b"Subject: one\n\nwith two\nlines\n";
    const NAME: &str = "1.M2P3.imap,S=29,W=33:2,S";

    /// A mailbox with one message, whose file has this text and name.
    fn files(text: &[u8], name: &str) -> (tempfile::TempDir, Files) {
        let directory = tempfile::tempdir().unwrap();
        let cur = directory.path().join("me@example.com/.Work/cur");
        std::fs::create_dir_all(&cur).unwrap();
        let path = cur.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::write(cur.with_file_name("dovecot-uidlist"), "no message").unwrap();
        let mut files = on_disk(directory.path());
        // Not everybody may give files away.
        for file in files.values_mut().flatten() {
            file.owner = OWNER;
        }
        (directory, files)
    }

    fn inventory() -> Inventory {
        let message = Message {
            uid: 1,
            flags: vec!["\\Seen".to_owned()],
            date: 1,
            id: "<one>".to_owned(),
            sha: sha256(b"Subject: one\r\n\r\nwith two\r\nlines\r\n"),
            sent: String::new(),
        };
        let folder = Folder {
            uv: 1,
            next: 2,
            subscribed: true,
            messages: vec![message],
        };
        let mailbox = BTreeMap::from([("Work".to_owned(), folder)]);
        BTreeMap::from([("me@example.com".to_owned(), mailbox)])
    }

    /// What is wrong after the change, in words.
    fn judged(text: &[u8], name: &str, change: impl FnOnce(&mut File)) -> String {
        let (_before, before) = files(TEXT, NAME);
        let (_after, mut after) = files(text, name);
        assert_eq!(after.len(), 1);
        change(after.values_mut().flatten().next().unwrap());
        wrong_files(&before, &after, &inventory()).join("\n")
    }

    #[test]
    fn whole_files_are_fine_by_whatever_flags() {
        assert_eq!(judged(TEXT, NAME, |_| {}), "");
        assert_eq!(judged(TEXT, "1.M2P3.imap,S=29,W=33:2,FRSa", |_| {}), "");
    }

    #[test]
    fn half_files_strange_ones_and_those_of_others_are_found() {
        let half = judged(&TEXT[..20], NAME, |_| {});
        assert!(half.contains("has 20 bytes"), "{half}");
        assert!(half.contains("no message that was acknowledged"), "{half}");
        assert!(half.contains("has become"), "{half}");
        // By another name it is nobody's.
        let half = judged(&TEXT[..20], "9.M9P9.imap", |_| {});
        assert!(half.contains("no message that was acknowledged"), "{half}");
        let root = judged(TEXT, NAME, |file| file.owner = (0, 0));
        assert!(root.contains("belongs to (0, 0)"), "{root}");
        let open = judged(TEXT, NAME, |file| file.mode = 0o777);
        assert!(open.contains("has become"), "{open}");
    }
}
