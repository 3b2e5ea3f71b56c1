//! What is missing in one mailbox of what another has, and how Dovecot's own files are brought together. Only listings and texts come in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// A message of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Its folder, as an index into the mailbox's folders.
    pub folder: usize,
    /// Whether it is in `new`, where no client has seen it yet.
    pub fresh: bool,
    /// The name of its file.
    pub name: Vec<u8>,
    /// The size of its file.
    pub size: u64,
}

impl Message {
    /// A message.
    pub fn new(folder: usize, fresh: bool, name: impl Into<Vec<u8>>, size: u64) -> Self {
        Self {
            folder,
            fresh,
            name: name.into(),
            size,
        }
    }

    /// The part of its name that never changes.
    pub fn base(&self) -> &[u8] {
        base(&self.name)
    }
}

/// A mailbox: its folders by the names of their directories, the inbox as an empty one, and its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The folders.
    pub folders: Vec<Vec<u8>>,
    /// The messages.
    pub messages: Vec<Message>,
}

impl Listing {
    /// A mailbox without anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// The index of a folder.
    pub fn folder(&self, name: &[u8]) -> Option<usize> {
        self.folders.iter().position(|folder| folder == name)
    }
}

/// Which of two mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that messages come from.
    Source,
    /// The one that they are to be in.
    Target,
}

/// The part of a message's file name that never changes: what stands before its flags.
pub fn base(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b':').next().unwrap_or(name)
}

/// The flags in a message's file name.
pub fn flags(name: &[u8]) -> &[u8] {
    let after = name.get(base(name).len()..).unwrap_or_default();
    after.strip_prefix(b":2,").unwrap_or_default()
}

/// When a message got its name, in seconds since 1970: that is what Dovecot begins names with.
pub fn named_at(name: &[u8]) -> Option<i64> {
    let digits: Vec<u8> = name
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// The messages of `source` that `target` does not have, by their indexes.
///
/// A message is there under its own name, in whatever folder: flags and folders change. Moving and copying give it a new name, so what
/// has none is looked for by its content, and each message of `target` answers for one of `source`.
///
/// # Errors
///
/// What `hash` gives, which is asked for contents where sizes are equal.
pub fn missing<E>(
    source: &Listing,
    target: &Listing,
    hash: &mut dyn FnMut(Side, usize) -> Result<[u8; 32], E>,
) -> Result<Vec<usize>, E> {
    // Those of `target` that answer for nothing yet, by name.
    let mut named: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, message) in target.messages.iter().enumerate() {
        named.entry(message.base()).or_default().push(at);
    }
    let mut answered = vec![false; target.messages.len()];
    let mut left = Vec::new();
    let same_folder = |one: &Message, other: &Message| {
        source.folders.get(one.folder) == target.folders.get(other.folder)
    };
    // First in the same folder, then anywhere.
    for anywhere in [false, true] {
        let candidates: Vec<usize> = if anywhere {
            std::mem::take(&mut left)
        } else {
            (0..source.messages.len()).collect()
        };
        for at in candidates {
            let Some(message) = source.messages.get(at) else {
                continue;
            };
            let found = named.get_mut(message.base()).and_then(|list| {
                let place = list.iter().position(|other| {
                    anywhere
                        || target
                            .messages
                            .get(*other)
                            .is_some_and(|other| same_folder(message, other))
                })?;
                Some(list.swap_remove(place))
            });
            match found {
                Some(other) => {
                    if let Some(one) = answered.get_mut(other) {
                        *one = true;
                    }
                }
                None => left.push(at),
            }
        }
    }
    let mut sized: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, message) in target.messages.iter().enumerate() {
        if answered.get(at) == Some(&false) {
            sized.entry(message.size).or_default().push(at);
        }
    }
    let mut hashes: HashMap<usize, [u8; 32]> = HashMap::new();
    let mut out = Vec::new();
    left.sort_unstable();
    for at in left {
        let size = source.messages.get(at).map_or(0, |message| message.size);
        let Some(list) = sized.get_mut(&size).filter(|list| !list.is_empty()) else {
            out.push(at);
            continue;
        };
        let wanted = hash(Side::Source, at)?;
        let mut found = None;
        for (place, other) in list.iter().enumerate() {
            let there = if let Some(known) = hashes.get(other) {
                *known
            } else {
                let new = hash(Side::Target, *other)?;
                hashes.insert(*other, new);
                new
            };
            if there == wanted {
                found = Some(place);
                break;
            }
        }
        match found {
            Some(place) => {
                list.swap_remove(place);
            }
            None => out.push(at),
        }
    }
    Ok(out)
}

/// Dovecot's list of UIDs of one folder (`dovecot-uidlist`, version 3).
#[derive(Debug, Clone, PartialEq, Eq)]
struct UidList<'t> {
    validity: &'t str,
    next: u32,
    /// What else stands in the first line.
    rest: Vec<&'t str>,
    entries: BTreeMap<u32, &'t str>,
}

impl<'t> UidList<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mut lines = text.lines();
        let mut head = lines.next()?.split(' ');
        if head.next()? != "3" {
            return None;
        }
        let (mut validity, mut next, mut rest) = (None, None, Vec::new());
        for word in head {
            if let Some(value) = word.strip_prefix('V') {
                validity = Some(value);
            } else if let Some(value) = word.strip_prefix('N') {
                next = value.parse().ok();
            } else {
                rest.push(word);
            }
        }
        let mut entries = BTreeMap::new();
        for line in lines {
            let (uid, entry) = line.split_once(' ')?;
            entries.insert(uid.parse().ok()?, entry);
        }
        Some(Self {
            validity: validity?,
            next: next?,
            rest,
            entries,
        })
    }

    /// The name of the file in an entry.
    fn name(entry: &str) -> &[u8] {
        let name = entry.split_once(':').map_or(entry, |(_, name)| name);
        base(name.as_bytes())
    }
}

/// `target` with what `source`, a list of the same folder, knows more: the numbers of the messages named `carried`, and up to where
/// numbers are taken, so that none is ever given to another message. Nothing where there is nothing to add, or the folder is another one.
pub fn uid_list(target: &str, source: &str, carried: &BTreeSet<Vec<u8>>) -> Option<String> {
    let (mut list, other) = (UidList::parse(target)?, UidList::parse(source)?);
    if list.validity != other.validity {
        return None;
    }
    let from = list.next;
    for (uid, entry) in other.entries.range(from..) {
        if carried.contains(UidList::name(entry)) {
            list.entries.insert(*uid, entry);
        }
    }
    list.next = list.next.max(other.next);
    if list.next == from {
        return None;
    }
    let mut out = format!("3 V{} N{}", list.validity, list.next);
    for word in &list.rest {
        out.push(' ');
        out.push_str(word);
    }
    out.push('\n');
    for (uid, entry) in &list.entries {
        let _ = writeln!(out, "{uid} {entry}");
    }
    Some(out)
}

/// Keywords by their letters, from `dovecot-keywords`.
pub fn keywords(text: &str) -> BTreeMap<u8, String> {
    text.lines()
        .filter_map(|line| {
            let (number, name) = line.split_once(' ')?;
            let number: u8 = number.parse().ok()?;
            (number < 26).then(|| (b'a' + number, name.to_owned()))
        })
        .collect()
}

/// The text of `dovecot-keywords` for `keywords`.
pub fn keywords_text(keywords: &BTreeMap<u8, String>) -> String {
    keywords
        .iter()
        .fold(String::new(), |mut out, (letter, name)| {
            let _ = writeln!(out, "{} {name}", letter - b'a');
            out
        })
}

/// Adds to `target` what `source` has more, as far as there are letters. Says whether it changed.
pub fn add_keywords(target: &mut BTreeMap<u8, String>, source: &BTreeMap<u8, String>) -> bool {
    let mut changed = false;
    for name in source.values() {
        if target.values().any(|there| there == name) {
            continue;
        }
        let next = target.keys().next_back().map_or(b'a', |last| last + 1);
        if next <= b'z' {
            target.insert(next, name.clone());
            changed = true;
        }
    }
    changed
}

/// The name of a message's file in a folder with other letters for keywords: those that mean nothing there are dropped.
pub fn renamed(name: &[u8], from: &BTreeMap<u8, String>, to: &BTreeMap<u8, String>) -> Vec<u8> {
    let flags = flags(name);
    if !flags.iter().any(u8::is_ascii_lowercase) {
        return name.to_vec();
    }
    let mut kept: Vec<u8> = flags
        .iter()
        .filter_map(|letter| {
            if !letter.is_ascii_lowercase() {
                return Some(*letter);
            }
            let name = from.get(letter)?;
            to.iter()
                .find(|(_, there)| *there == name)
                .map(|(letter, _)| *letter)
        })
        .collect();
    // Readers expect them in the order of ASCII.
    kept.sort_unstable();
    [base(name), b":2,", &kept].concat()
}

/// `target`, Dovecot's list of subscribed folders, with those of `folders` (as their directories are called: `.Work.Sub`) that `source`
/// has; nothing where there is nothing to add.
pub fn subscriptions(target: &str, source: &str, folders: &[Vec<u8>]) -> Option<String> {
    const SECOND: &str = "V\t2";
    let second = |text: &str| text.lines().next() == Some(SECOND);
    let dotted = |line: &str| line.replace('\t', ".");
    let there: BTreeSet<String> = target.lines().map(dotted).collect();
    let fresh = target.trim().is_empty();
    let new_form = if fresh {
        second(source)
    } else {
        second(target)
    };
    let mut out = if fresh && new_form {
        format!("{SECOND}\n\n")
    } else {
        target.to_owned()
    };
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    let before = out.len();
    for line in source.lines().skip(if second(source) { 2 } else { 0 }) {
        let name = dotted(line);
        let restored = folders
            .iter()
            .any(|folder| folder.strip_prefix(b".") == Some(name.as_bytes()));
        if restored && !there.contains(&name) {
            out.push_str(&if new_form {
                name.replace('.', "\t")
            } else {
                name
            });
            out.push('\n');
        }
    }
    (out.len() > before).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(all: &[(&str, &str, u64)]) -> Listing {
        let mut listing = Listing::new();
        for (folder, name, size) in all {
            let at = listing.folder(folder.as_bytes()).unwrap_or_else(|| {
                listing.folders.push(folder.as_bytes().to_vec());
                listing.folders.len() - 1
            });
            listing.messages.push(Message::new(at, false, *name, *size));
        }
        listing
    }

    /// Contents are what stands after `=` in a name, so that tests can choose them.
    fn missing_names(source: &Listing, target: &Listing) -> Vec<String> {
        let content = |listing: &Listing, at: usize| {
            let base = String::from_utf8_lossy(listing.messages[at].base()).into_owned();
            let mut out = [0; 32];
            let text = base.split('=').nth(1).unwrap_or(&base).to_owned();
            for (to, from) in out.iter_mut().zip(text.bytes()) {
                *to = from;
            }
            out
        };
        missing::<()>(source, target, &mut |side, at| {
            Ok(match side {
                Side::Source => content(source, at),
                Side::Target => content(target, at),
            })
        })
        .unwrap()
        .into_iter()
        .map(|at| String::from_utf8_lossy(&source.messages[at].name).into_owned())
        .collect()
    }

    #[test]
    fn a_message_is_known_by_its_name_whatever_its_flags_and_folder() {
        let source = listing(&[("", "1.a:2,S", 5), (".Work", "2.b:2,", 5), ("", "3.c", 5)]);
        let target = listing(&[("", "1.a:2,", 5), ("", "2.b:2,RS", 5)]);
        assert_eq!(missing_names(&source, &target), ["3.c"]);
        assert_eq!(missing_names(&target, &source), [""; 0]);
    }

    #[test]
    fn copies_are_counted() {
        // One message was moved and so has another name; of two copies one is gone.
        let source = listing(&[("", "1=x", 5), ("", "2=x", 5), ("", "3=y", 5)]);
        let target = listing(&[(".Moved", "9=x", 5), ("", "8=z", 6)]);
        assert_eq!(missing_names(&source, &target), ["2=x", "3=y"]);
        // What was added is then found by its name.
        let after = listing(&[(".Moved", "9=x", 5), ("", "2=x", 5), ("", "3=y", 5)]);
        assert_eq!(missing_names(&source, &after), [""; 0]);
        // The same name in two folders is two messages.
        let twice = listing(&[("", "1=x", 5), (".B", "1=x", 5)]);
        assert_eq!(
            missing_names(&twice, &listing(&[(".B", "1=x", 5)])),
            ["1=x"]
        );
    }

    #[test]
    fn numbers_of_messages_stay_theirs() {
        let target = "3 V7 N12 Gabc\n10 :1.a\n11 W5 :2.b\n";
        let source = "3 V7 N15 Gabc\n11 W5 :2.b\n12 :3.c\n14 S4 :4.d:2,S\n";
        let carried = BTreeSet::from([b"4.d".to_vec()]);
        assert_eq!(
            uid_list(target, source, &carried).as_deref(),
            Some("3 V7 N15 Gabc\n10 :1.a\n11 W5 :2.b\n14 S4 :4.d:2,S\n")
        );
        assert_eq!(uid_list(target, target, &carried), None);
        assert_eq!(uid_list(target, "3 V8 N15\n12 :3.c\n", &carried), None);
        assert_eq!(uid_list(target, "nonsense", &carried), None);
        assert_eq!(uid_list("1 5 9\n", source, &carried), None);
    }

    #[test]
    fn keywords_keep_their_meaning() {
        let from = keywords("0 $Forwarded\n1 Later\n2 Lost\n");
        let mut to = keywords("0 Later\n");
        assert_eq!(renamed(b"1.a:2,FSabc", &from, &to), b"1.a:2,FSa");
        assert!(add_keywords(&mut to, &from));
        assert!(!add_keywords(&mut to, &from));
        assert_eq!(keywords_text(&to), "0 Later\n1 $Forwarded\n2 Lost\n");
        assert_eq!(renamed(b"1.a:2,FSabc", &from, &to), b"1.a:2,FSabc");
        assert_eq!(renamed(b"1.a", &from, &to), b"1.a");
        assert_eq!(renamed(b"1.a:2,az", &BTreeMap::new(), &to), b"1.a:2,");
    }

    #[test]
    fn folders_that_come_back_are_subscribed_if_they_were() {
        let folders = [b".Work.Sub".to_vec(), b".Other".to_vec()];
        let source = "V\t2\n\nWork\nWork\tSub\n";
        let add = |target: &str| subscriptions(target, source, &folders);
        assert_eq!(add("").as_deref(), Some("V\t2\n\nWork\tSub\n"));
        assert_eq!(
            add("V\t2\n\nSent\n").as_deref(),
            Some("V\t2\n\nSent\nWork\tSub\n")
        );
        assert_eq!(add("Sent").as_deref(), Some("Sent\nWork.Sub\n"));
        assert_eq!(add("Work.Sub\n"), None);
        assert_eq!(
            subscriptions("Sent\n", "Other\n", &folders).as_deref(),
            Some("Sent\nOther\n")
        );
        assert_eq!(subscriptions("", "", &folders), None);
    }

    #[test]
    fn names_begin_with_their_time() {
        assert_eq!(named_at(b"1700000000.M1P2.host:2,S"), Some(1_700_000_000));
        assert_eq!(named_at(b"other"), None);
        assert_eq!(flags(b"1.a:2,RS"), b"RS");
        assert_eq!(flags(b"1.a"), b"");
        assert_eq!(base(b"1.a,S=5:2,"), b"1.a,S=5");
    }
}
