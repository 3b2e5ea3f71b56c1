//! Directories that change places. Everything here can be done again after an interruption: what was done is seen by which directory is where.

use std::fs;
use std::path::{Path, PathBuf};

use super::places::{Places, identity};
use crate::error::Error;
use crate::host::files::{self, Disk};
use crate::restore::Journal;

/// Something, and what takes its place.
struct Pair {
    live: PathBuf,
    stage: PathBuf,
    aside: PathBuf,
    known: Known,
}

/// By what it is told which of the two is in place.
enum Known {
    /// What takes the place.
    Restored((u64, u64)),
    /// What was there.
    Original((u64, u64)),
}

fn pairs(places: &Places, journal: &Journal) -> Vec<Pair> {
    let deployment = journal.deployment.map(|restored| Pair {
        live: places.live.clone(),
        stage: places.stage.clone(),
        aside: places.aside.clone(),
        known: Known::Restored(restored),
    });
    let secrets = journal.secrets.map(|restored| Pair {
        live: places.live_secrets.clone(),
        stage: places.stage_secrets.clone(),
        aside: places.aside_secrets.clone(),
        known: Known::Restored(restored),
    });
    let items = journal.items.iter().map(|item| {
        let stage = places.copy_of(&item.path);
        let mut aside = stage.clone().into_os_string();
        aside.push(".aside");
        Pair {
            live: places.live.join(&item.path),
            stage,
            aside: aside.into(),
            known: Known::Original(item.original),
        }
    });
    deployment.into_iter().chain(secrets).chain(items).collect()
}

impl Pair {
    /// What two renames that were interrupted have left: the restored directory is in place, or what was there goes back.
    fn settle(&self) -> Result<(), Error> {
        if identity(&self.aside)?.is_none() {
            return Ok(());
        }
        let to = if identity(&self.live)?.is_none() {
            &self.live
        } else {
            &self.stage
        };
        rename(&self.aside, to)
    }

    fn is_in_place(&self) -> Result<bool, Error> {
        Ok(match self.known {
            Known::Restored(restored) => identity(&self.live)? == Some(restored),
            Known::Original(original) => identity(&self.stage)? == Some(original),
        })
    }

    fn forward(&self) -> Result<(), Error> {
        self.settle()?;
        if self.is_in_place()? {
            return Ok(());
        }
        match identity(&self.live)? {
            Some(_) => exchange(&self.stage, &self.live, &self.aside),
            None => rename(&self.stage, &self.live),
        }
    }

    fn back(&self) -> Result<(), Error> {
        self.settle()?;
        if !self.is_in_place()? {
            return Ok(());
        }
        match (identity(&self.stage)?, identity(&self.live)?) {
            (Some(_), Some(_)) => exchange(&self.stage, &self.live, &self.aside),
            (None, _) => rename(&self.live, &self.stage),
            // What took the place is gone.
            (_, None) => rename(&self.stage, &self.live),
        }
    }
}

/// Puts what was restored in place.
pub(super) fn forward(places: &Places, journal: &Journal) -> Result<(), Error> {
    for pair in pairs(places, journal) {
        pair.forward()?;
    }
    // What was there is now where the restored was.
    moved(&places.stage, &places.live, &journal.moves)
}

/// Puts what was there back in place.
pub(super) fn back(places: &Places, journal: &Journal) -> Result<(), Error> {
    let mut in_place = false;
    for pair in pairs(places, journal) {
        pair.settle()?;
        if pair.live == places.live {
            in_place = pair.is_in_place()?;
        }
    }
    if in_place && journal.replaces {
        moved(&places.live, &places.stage, &journal.moves)?;
    }
    for pair in pairs(places, journal) {
        pair.back()?;
    }
    Ok(())
}

/// Whether any of what was restored, or copied for an update, is in its place. What was interrupted halfway is settled first.
pub(super) fn is_in_place(places: &Places, journal: &Journal) -> Result<bool, Error> {
    for pair in pairs(places, journal) {
        pair.settle()?;
        if pair.is_in_place()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves what is called `names` below `data` from one tree to the other, where it is not there yet.
fn moved(from: &Path, to: &Path, names: &[String]) -> Result<(), Error> {
    for name in names {
        let (from, to) = (from.join("data").join(name), to.join("data").join(name));
        if identity(&from)?.is_some() && identity(&to)?.is_none() {
            rename(&from, &to)?;
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to)
        .map_err(|error| files::failed(&format!("rename {} to", from.display()), to, error))?;
    files::sync_parent(&mut Disk, from)?;
    files::sync_parent(&mut Disk, to)
}

/// Has two directories change places at once; where the file system cannot do that, by way of a third name.
fn exchange(one: &Path, other: &Path, aside: &Path) -> Result<(), Error> {
    match at_once(one, other) {
        Ok(true) => {
            files::sync_parent(&mut Disk, one)?;
            files::sync_parent(&mut Disk, other)
        }
        Ok(false) => {
            rename(other, aside)?;
            rename(one, other)?;
            rename(aside, one)
        }
        Err(error) => Err(files::failed(
            &format!("exchange {} and", one.display()),
            other,
            error,
        )),
    }
}

/// Whether the kernel and the file system could do it.
#[cfg(target_env = "gnu")]
fn at_once(one: &Path, other: &Path) -> std::io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    match renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_env = "gnu"))]
fn at_once(_: &Path, _: &Path) -> std::io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Layout;
    use crate::restore::{Item, Scope};

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn places(root: &Path) -> (Places, Journal) {
        let layout = Layout::new(root, None, "mail.example.com".parse().unwrap());
        let places = Places::of(&layout);
        write(&places.live.join("who"), "old");
        write(&places.live.join("data/clamav/main.cvd"), "signatures");
        write(&places.live_secrets.join("who"), "old");
        write(&places.stage.join("who"), "new");
        write(&places.stage.join("data/mail/x"), "mail");
        write(&places.stage_secrets.join("who"), "new");
        let mut journal = Journal::new("/a".into(), Scope::Everything, "1".to_owned());
        journal.replaces = true;
        journal.deployment = identity(&places.stage).unwrap();
        journal.secrets = identity(&places.stage_secrets).unwrap();
        journal.moves = vec!["clamav".to_owned(), "mailqueue".to_owned()];
        (places, journal)
    }

    fn who(path: &Path) -> String {
        fs::read_to_string(path.join("who")).unwrap()
    }

    #[test]
    fn directories_change_places_and_back_however_often() {
        let root = tempfile::tempdir().unwrap();
        let (places, journal) = places(root.path());
        for _ in 0..2 {
            for _ in 0..2 {
                forward(&places, &journal).unwrap();
                assert_eq!(who(&places.live), "new");
                assert_eq!(who(&places.live_secrets), "new");
                assert_eq!(who(&places.stage), "old");
                assert!(places.live.join("data/clamav/main.cvd").exists());
                assert!(is_in_place(&places, &journal).unwrap());
            }
            for _ in 0..2 {
                back(&places, &journal).unwrap();
                assert_eq!(who(&places.live), "old");
                assert_eq!(who(&places.stage_secrets), "new");
                assert!(places.live.join("data/clamav/main.cvd").exists());
                assert!(!is_in_place(&places, &journal).unwrap());
            }
        }
    }

    #[test]
    fn two_renames_that_were_interrupted_are_settled() {
        for interrupted_after in [1, 2] {
            for onward in [true, false] {
                let root = tempfile::tempdir().unwrap();
                let (places, journal) = places(root.path());
                rename(&places.live, &places.aside).unwrap();
                if interrupted_after == 2 {
                    rename(&places.stage, &places.live).unwrap();
                }
                if onward {
                    forward(&places, &journal).unwrap();
                } else {
                    back(&places, &journal).unwrap();
                }
                let (there, beside) = if onward {
                    ("new", "old")
                } else {
                    ("old", "new")
                };
                assert_eq!(who(&places.live), there);
                assert_eq!(who(&places.stage), beside);
                assert!(!places.aside.exists());
            }
        }
    }

    #[test]
    fn what_an_update_copies_changes_places_by_itself() {
        let root = tempfile::tempdir().unwrap();
        let (places, mut journal) = places(root.path());
        (journal.deployment, journal.moves) = (None, Vec::new());
        write(&places.live.join("data/mail/1"), "mail");
        for name in ["mailu.toml", "data/admin/main.db"] {
            write(&places.live.join(name), "old");
            write(&places.copy_of(name), "new");
        }
        for name in ["mailu.toml", "data/admin"] {
            let original = identity(&places.live.join(name)).unwrap().unwrap();
            journal.items.push(Item::new(name, original));
        }
        let there = |path: &str| fs::read_to_string(places.live.join(path)).unwrap();
        for (now, beside) in [("new", "old"), ("old", "new"), ("new", "old")] {
            // Also where the file system cannot do it at once, and was interrupted between the renames.
            let (live, stage) = (places.live.join("mailu.toml"), places.copy_of("mailu.toml"));
            rename(&live, &stage.with_extension("toml.aside")).unwrap();
            if now == "new" {
                rename(&stage, &live).unwrap();
                forward(&places, &journal).unwrap();
            } else {
                back(&places, &journal).unwrap();
            }
            assert_eq!(is_in_place(&places, &journal).unwrap(), now == "new");
            if now == "new" {
                // As whoever changes it does.
                let text = there("mailu.toml");
                fs::remove_file(&live).unwrap();
                fs::write(&live, text).unwrap();
            }
            assert_eq!(there("mailu.toml"), now);
            assert_eq!(there("data/admin/main.db"), now);
            assert_eq!(who(&places.live_secrets), now);
            assert_eq!(there("who"), "old");
            assert_eq!(there("data/mail/1"), "mail");
            assert_eq!(fs::read_to_string(&stage).unwrap(), beside);
        }
    }

    #[test]
    fn where_there_was_nothing_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let (places, mut journal) = places(root.path());
        fs::remove_dir_all(&places.live).unwrap();
        fs::remove_dir_all(&places.live_secrets).unwrap();
        journal.replaces = false;
        forward(&places, &journal).unwrap();
        assert_eq!(who(&places.live), "new");
        back(&places, &journal).unwrap();
        assert!(!places.live.exists() && !places.live_secrets.exists());
        assert_eq!(who(&places.stage), "new");
    }
}
