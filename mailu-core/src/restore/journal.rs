//! The note of a restore under way, and what is done with it after an interruption.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How far a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// The archive is unpacked beside the deployment, which runs.
    Staging,
    /// Services are stopped, and mail that has arrived is taken along.
    Holding,
    /// The directories change places.
    Swapping,
    /// What was restored is in place, and is started.
    Starting,
    /// It has shown that it works; what was there before is put away.
    Proven,
    /// Everything goes back to how it was.
    Undoing,
}

impl State {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Staging,
        Self::Holding,
        Self::Swapping,
        Self::Starting,
        Self::Proven,
        Self::Undoing,
    ];

    /// What an interrupted run was doing.
    pub fn what(self) -> &'static str {
        match self {
            Self::Staging => "unpacking the archive; the server was not touched",
            Self::Holding => "holding mail; the server's files were not touched",
            Self::Swapping => "putting the restored files in place",
            Self::Starting => "starting the restored server",
            Self::Proven => "putting away what was there before; the restored server works",
            Self::Undoing => "going back to what was there before",
        }
    }

    /// What the next run does about an interruption here; `back` where somebody wants to go back.
    pub fn course(self, back: bool) -> Course {
        match self {
            // Before the swap there is nothing to lose: the server goes on as it is.
            Self::Staging => Course::Discard,
            Self::Holding | Self::Swapping | Self::Undoing => Course::Undo,
            Self::Starting if back => Course::Undo,
            Self::Starting => Course::Start,
            // There is nothing to go back to once this is over, and it may be over already.
            Self::Proven => Course::Finish,
        }
    }
}

/// What is done about an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Course {
    /// What was unpacked is removed.
    Discard,
    /// Files go back to their places, and what ran is started.
    Undo,
    /// The restored server is started.
    Start,
    /// What was there before is put away.
    Finish,
}

/// What is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// All of it.
    Everything,
    /// Configuration, secrets, keys and certificates; data stay as they are.
    Configuration,
}

/// The releases of Mailu that an update leads from and to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Releases {
    /// What ran before.
    pub from: String,
    /// What is to run.
    pub to: String,
}

impl Releases {
    /// From one to another.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
        }
    }
}

/// Something of a deployment that changes places with its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Item {
    /// Its path in the deployment.
    pub path: String,
    /// What was there, by file system and number, so that it is known wherever it is. The copy will not do: files are replaced when they change.
    pub original: (u64, u64),
}

impl Item {
    /// What is called `path`.
    pub fn new(path: impl Into<String>, original: (u64, u64)) -> Self {
        Self {
            path: path.into(),
            original,
        }
    }
}

/// The note itself. It lies beside the deployment, because that changes its place.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts, which do not depend on each other"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Journal {
    /// Version of this format.
    pub format: u32,
    /// How far it is.
    pub state: State,
    /// The archive.
    pub file: PathBuf,
    /// What is restored.
    pub scope: Scope,
    /// Whether the archive counts exactly, without what has arrived since.
    pub exact: bool,
    /// Whether the server is to be started.
    pub start: bool,
    /// When it began, for names: `20261122-100000`.
    pub stamp: String,
    /// When files change places, in seconds since 1970: what arrives from then on is in the restored tree.
    pub moment: i64,
    /// Whether there was a deployment before.
    pub replaces: bool,
    /// The containers that ran before.
    pub ran: Vec<String>,
    /// The restored directory, by file system and number, so that it is known wherever it is.
    pub deployment: Option<(u64, u64)>,
    /// The same for the secrets; absent where those in place stay.
    pub secrets: Option<(u64, u64)>,
    /// What moves from the old tree into the new one, below `data`.
    pub moves: Vec<String>,
    /// Messages that were in the restored queue, where that one counts.
    pub queued: Vec<String>,
    /// Accounts that there were before, where they could be asked for.
    pub accounts: Vec<String>,
    /// Of an update: the releases. Without them it is a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Releases>,
    /// Of an update: whether it takes over what `AgencyStack`'s old installer made, whose directory is `file`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migration: bool,
    /// Of an update: what changes places, each by itself. Mail stays where it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Of an update: everything that there was, by its path; what comes beside it goes again with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Of an update: the stages that a message to oneself went through before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<String>,
}

impl Journal {
    /// The version that this program writes. Before 2 there were no updates.
    pub const FORMAT: u32 = 2;

    /// The note of a restore that begins.
    pub fn new(file: PathBuf, scope: Scope, stamp: String) -> Self {
        Self {
            format: Self::FORMAT,
            state: State::Staging,
            file,
            scope,
            exact: false,
            start: true,
            stamp,
            moment: 0,
            replaces: false,
            ran: Vec::new(),
            deployment: None,
            secrets: None,
            moves: Vec::new(),
            queued: Vec::new(),
            accounts: Vec::new(),
            update: None,
            migration: false,
            items: Vec::new(),
            names: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// The note of an update that begins; `file` is the backup that was taken for it.
    pub fn of_update(file: PathBuf, releases: Releases, stamp: String) -> Self {
        Self {
            replaces: true,
            update: Some(releases),
            ..Self::new(file, Scope::Everything, stamp)
        }
    }

    /// Whether it changes the deployment's files in their directory, and leaves mail where it is.
    pub fn in_its_directory(&self) -> bool {
        self.update.is_some() && !self.migration
    }

    /// The verb that wrote it, and that finishes it.
    pub fn verb(&self) -> &'static str {
        if self.update.is_some() {
            "update"
        } else {
            "restore"
        }
    }

    /// What an interrupted run was doing.
    pub fn what(&self) -> String {
        let Some(Releases { from, to }) = &self.update else {
            return self.state.what().to_owned();
        };
        match self.state {
            State::Staging => "getting images; the server was not touched".to_owned(),
            State::Holding => {
                "copying its data while mail waited; the server's files were not touched".to_owned()
            }
            State::Swapping => "putting the copies in place".to_owned(),
            State::Starting => format!("starting Mailu {to}"),
            State::Proven => {
                format!("removing what was there of Mailu {from}; the updated server works")
            }
            State::Undoing => format!("going back to Mailu {from}"),
        }
    }

    /// What was done, in a sentence: `an update from A to B was interrupted while …`.
    pub fn interrupted(&self) -> String {
        let what = self.what();
        match &self.update {
            Some(Releases { from, to }) => {
                format!("an update from Mailu {from} to {to} was interrupted while {what}")
            }
            None => format!(
                "a restore of {} was interrupted while {what}",
                self.file.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_way_out() {
        let ways = State::ALL.map(|state| (state.course(false), state.course(true)));
        assert_eq!(
            ways,
            [
                (Course::Discard, Course::Discard),
                (Course::Undo, Course::Undo),
                (Course::Undo, Course::Undo),
                (Course::Start, Course::Undo),
                (Course::Finish, Course::Finish),
                (Course::Undo, Course::Undo),
            ]
        );
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let mut journal = Journal::new("/x/a.tar.zst".into(), Scope::Everything, "1".to_owned());
        journal.state = State::Starting;
        journal.deployment = Some((1, 2));
        let text = serde_json::to_string(&journal).unwrap();
        assert_eq!(serde_json::from_str::<Journal>(&text).unwrap(), journal);
        let releases = Releases::new("2024.06.55", "2024.06.57");
        let mut update = Journal::of_update("/x/a".into(), releases, "1".to_owned());
        update.items = vec![Item::new("data/admin", (1, 2))];
        let text = serde_json::to_string(&update).unwrap();
        assert_eq!(serde_json::from_str::<Journal>(&text).unwrap(), update);
        assert_eq!(update.verb(), "update");
        for state in State::ALL {
            update.state = state;
            let said = update.interrupted();
            assert!(
                said.contains("from Mailu 2024.06.55 to 2024.06.57"),
                "{said}"
            );
            assert!(!said.contains("restor"), "{said}");
        }
    }
}
