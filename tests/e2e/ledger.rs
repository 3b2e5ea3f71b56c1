//! What mailboxes must have after a restore, told from what the server has acknowledged (`mailboxes.py` has both), and what keeps a
//! given state from being it. Nothing here needs an engine.
//!
//! A backup takes its time. What happened before it began has to be in it, what happened while it ran may be, for each message and
//! folder by itself; what happened after it cannot.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// A message as it is in a mailbox.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Message {
    pub(crate) uid: u32,
    /// Sorted, without `\Recent`.
    pub(crate) flags: Vec<String>,
    /// INTERNALDATE.
    pub(crate) date: i64,
    /// Message-ID.
    pub(crate) id: String,
    /// SHA-256 of all of it.
    pub(crate) sha: String,
    /// SHA-256 of what its sender wrote.
    pub(crate) sent: String,
}

/// A folder, and what is in it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Folder {
    /// UIDVALIDITY.
    pub(crate) uv: u32,
    /// UIDNEXT.
    pub(crate) next: u32,
    pub(crate) subscribed: bool,
    pub(crate) messages: Vec<Message>,
}

/// Folders by name.
pub(crate) type Mailbox = BTreeMap<String, Folder>;
/// Mailboxes by account.
pub(crate) type Inventory = BTreeMap<String, Mailbox>;

/// An acknowledged operation.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    pub(crate) op: String,
    pub(crate) account: String,
    t0: f64,
    pub(crate) t1: f64,
    /// The same moment as `t1`, by a clock that nobody sets.
    pub(crate) mono: f64,
    events: Vec<Event>,
    /// What went wrong.
    #[serde(default)]
    pub(crate) why: String,
}

impl Line {
    /// Whether the server has changed something for somebody.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self.op.as_str(), "look" | "refused" | "broken" | "end")
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "e", rename_all = "lowercase")]
enum Event {
    /// Taken by SMTP.
    Sent { id: String, sent: String },
    /// Perhaps taken by SMTP.
    Unsure { id: String, sent: String },
    /// A folder has this name from now on.
    Folder { uv: u32, name: String },
    /// A folder was deleted.
    Gone { uv: u32 },
    /// A message is in a folder, or was found there.
    Message {
        uv: u32,
        #[serde(flatten)]
        message: Message,
    },
    /// A message has these flags from now on.
    Flags {
        uv: u32,
        uid: u32,
        flags: Vec<String>,
    },
    /// A message was removed from a folder.
    Expunged { uv: u32, uid: u32 },
}

/// From one moment to another, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Span {
    const ALWAYS: Self = Self {
        from: f64::NEG_INFINITY,
        to: f64::NEG_INFINITY,
    };
}

/// What was so one after the other, and when it changed.
#[derive(Debug)]
struct Course<T>(Vec<(Span, T)>);

impl<T> Course<T> {
    /// What may have been so at a moment of `window`.
    fn during(&self, window: Span) -> impl Iterator<Item = &T> {
        self.0
            .iter()
            .enumerate()
            .filter(move |(index, (since, _))| {
                let until = self.0.get(index + 1).map(|(span, _)| span.to);
                since.from <= window.to && until.is_none_or(|until| until >= window.from)
            })
            .map(|(_, (_, value))| value)
    }
}

/// A folder from its beginning to its end.
#[derive(Debug)]
struct FolderLife {
    names: Course<String>,
    died: Option<Span>,
    subscribed: bool,
}

/// A message in a folder, from its beginning there to its end.
#[derive(Debug)]
struct Life {
    what: Message,
    born: Span,
    flags: Course<Vec<String>>,
    died: Option<Span>,
}

fn may_be(born: Span, died: Option<Span>, window: Span) -> bool {
    born.from <= window.to && died.is_none_or(|died| died.to >= window.from)
}

fn must_be(born: Span, died: Option<Span>, window: Span) -> bool {
    born.to < window.from && died.is_none_or(|died| died.from > window.to)
}

/// A message that was taken by SMTP.
#[derive(Debug)]
struct Taken {
    sent: String,
    /// Nothing if the acknowledgement got lost.
    at: Option<Span>,
    /// When it was offered first.
    offered: f64,
    unsure: usize,
}

/// All that has happened.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// By account and UIDVALIDITY.
    folders: BTreeMap<(String, u32), FolderLife>,
    /// By account, UIDVALIDITY and UID.
    lives: BTreeMap<(String, u32, u32), Life>,
    /// By account and Message-ID.
    taken: BTreeMap<(String, String), Taken>,
}

impl History {
    /// What was there, and what happened then.
    pub(crate) fn new(before: &Inventory, lines: &[Line]) -> Self {
        let mut history = Self::default();
        for (account, folders) in before {
            for (name, folder) in folders {
                history.folder(account, folder.uv, name, Span::ALWAYS, folder.subscribed);
                for message in &folder.messages {
                    history.born(account, folder.uv, message, Span::ALWAYS);
                }
            }
        }
        for line in lines {
            for event in &line.events {
                let span = Span {
                    from: line.t0,
                    to: line.t1,
                };
                history.happens(&line.account, event, span);
            }
        }
        history
    }

    fn folder(&mut self, account: &str, uv: u32, name: &str, span: Span, subscribed: bool) {
        self.folders
            .entry((account.to_owned(), uv))
            .or_insert(FolderLife {
                names: Course(Vec::new()),
                died: None,
                subscribed,
            })
            .names
            .0
            .push((span, name.to_owned()));
    }

    fn born(&mut self, account: &str, uv: u32, message: &Message, born: Span) {
        self.lives.insert(
            (account.to_owned(), uv, message.uid),
            Life {
                what: message.clone(),
                born,
                flags: Course(vec![(born, message.flags.clone())]),
                died: None,
            },
        );
    }

    fn happens(&mut self, account: &str, event: &Event, span: Span) {
        match event {
            Event::Sent { id, sent } | Event::Unsure { id, sent } => {
                let taken = self
                    .taken
                    .entry((account.to_owned(), id.clone()))
                    .or_insert(Taken {
                        sent: sent.clone(),
                        at: None,
                        offered: span.from,
                        unsure: 0,
                    });
                match event {
                    Event::Sent { .. } => taken.at = Some(span),
                    _ => taken.unsure += 1,
                }
            }
            Event::Folder { uv, name } => self.folder(account, *uv, name, span, false),
            Event::Gone { uv } => {
                let key = (account.to_owned(), *uv);
                if let Some(folder) = self.folders.get_mut(&key) {
                    folder.died = Some(span);
                }
                for ((_, of, _), life) in self
                    .lives
                    .range_mut((key.0.clone(), *uv, 0)..=(key.0, *uv, u32::MAX))
                {
                    assert_eq!(of, uv);
                    life.died.get_or_insert(span);
                }
            }
            Event::Message { uv, message } => {
                // One that was delivered came at some time since it was offered.
                let offered = self
                    .taken
                    .get(&(account.to_owned(), message.id.clone()))
                    .map(|taken| taken.offered);
                let known = self.of(account, &message.id).next().is_some();
                let from = offered.filter(|_| !known).unwrap_or(span.from);
                self.born(account, *uv, message, Span { from, ..span });
            }
            Event::Flags { uv, uid, flags } => {
                if let Some(life) = self.lives.get_mut(&(account.to_owned(), *uv, *uid)) {
                    life.flags.0.push((span, flags.clone()));
                }
            }
            Event::Expunged { uv, uid } => {
                if let Some(life) = self.lives.get_mut(&(account.to_owned(), *uv, *uid)) {
                    life.died = Some(span);
                }
            }
        }
    }

    /// All places where a message has been.
    fn of<'a>(
        &'a self,
        account: &'a str,
        id: &'a str,
    ) -> impl Iterator<Item = (&'a (String, u32, u32), &'a Life)> {
        self.lives
            .iter()
            .filter(move |((of, ..), life)| of == account && life.what.id == id)
    }

    /// Messages may be there twice, but not because of one delivery: a server that is stopped while it delivers does so again.
    pub(crate) fn may_come_again(&mut self) {
        for taken in self.taken.values_mut() {
            taken.unsure += 1;
        }
    }

    /// Messages taken by SMTP.
    pub(crate) fn taken(&self) -> usize {
        self.taken.values().filter(|one| one.at.is_some()).count()
    }

    /// Judges `after`, which is what a backup has kept that ran during `window`.
    pub(crate) fn judge(&self, window: Span, after: &Inventory) -> Verdict {
        let mut judge = Judge {
            history: self,
            window,
            verdict: Verdict::default(),
            found: BTreeSet::new(),
            others: Vec::new(),
        };
        let accounts: BTreeSet<&String> = self.folders.keys().map(|(account, _)| account).collect();
        for account in accounts {
            match after.get(account) {
                Some(mailbox) => judge.mailbox(account, mailbox),
                None => judge.wrong(format!("{account} has no mailbox")),
            }
        }
        judge.missing();
        judge.twice();
        judge.nowhere(after);
        judge.verdict
    }
}

/// What is to be said of a restored server.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What must not be.
    pub(crate) wrong: Vec<String>,
    /// Messages that may still be on their way: taken before the backup, and not in a mailbox.
    pub(crate) waiting: Vec<String>,
    /// Messages that had to be there, and are.
    pub(crate) kept: usize,
    /// Messages of which the backup could take one state or another.
    pub(crate) in_flight: usize,
}

impl Verdict {
    /// Fails with all that is wrong.
    pub(crate) fn nothing_wrong(&self, what: &str) {
        assert!(
            self.wrong.is_empty(),
            "{what}: {} things are wrong ({} messages are right):\n{}",
            self.wrong.len(),
            self.kept,
            self.wrong.join("\n")
        );
    }
}

struct Judge<'a> {
    history: &'a History,
    window: Span,
    verdict: Verdict,
    /// Of [`History::lives`].
    found: BTreeSet<&'a (String, u32, u32)>,
    /// Messages that are where and what nobody has said: account, folder's name and UIDVALIDITY.
    others: Vec<(&'a str, String, u32, Message)>,
}

impl<'a> Judge<'a> {
    fn wrong(&mut self, text: String) {
        self.verdict.wrong.push(text);
    }

    fn mailbox(&mut self, account: &'a str, mailbox: &Mailbox) {
        let window = self.window;
        let mut seen = BTreeMap::new();
        for (name, folder) in mailbox {
            let known: Vec<(u32, &FolderLife)> = self
                .history
                .folders
                .range((account.to_owned(), 0)..=(account.to_owned(), u32::MAX))
                .map(|((_, uv), life)| (*uv, life))
                .filter(|(_, life)| {
                    let born = life.names.0[0].0;
                    may_be(born, life.died, window)
                        && life.names.during(window).any(|one| one == name)
                })
                .collect();
            let uv = match known
                .iter()
                .find(|(uv, _)| *uv == folder.uv)
                .or(known.first())
            {
                None => {
                    self.wrong(format!(
                        "{account}: folder `{name}` ({}) had no such name then",
                        folder.uv
                    ));
                    folder.uv
                }
                Some((uv, life)) => {
                    if *uv != folder.uv {
                        self.wrong(format!(
                            "{account}: UIDVALIDITY of `{name}` is {}, and was {uv}",
                            folder.uv
                        ));
                    }
                    if life.subscribed && life.names.0.len() == 1 && !folder.subscribed {
                        self.wrong(format!("{account}: `{name}` is not subscribed any more"));
                    }
                    *uv
                }
            };
            if let Some(other) = seen.insert(uv, name) {
                self.wrong(format!(
                    "{account}: folder {uv} is there twice, as `{other}` and `{name}`"
                ));
            }
            self.numbers(account, name, uv, folder.next);
            for message in &folder.messages {
                self.message(account, name, uv, message);
            }
        }
        for ((_, uv), life) in self
            .history
            .folders
            .range((account.to_owned(), 0)..=(account.to_owned(), u32::MAX))
        {
            if must_be(life.names.0[0].0, life.died, window) && !seen.contains_key(uv) {
                let names: Vec<&String> = life.names.during(window).collect();
                self.wrong(format!("{account}: folder {names:?} ({uv}) is missing"));
            }
        }
    }

    /// A number that a mail program knows as one message's is never given to another.
    fn numbers(&mut self, account: &str, name: &str, uv: u32, next: u32) {
        let history = self.history;
        let last = history
            .lives
            .range((account.to_owned(), uv, 0)..=(account.to_owned(), uv, u32::MAX))
            .filter(|(_, life)| life.born.to < self.window.from)
            .map(|((_, _, uid), _)| *uid)
            .max();
        if let Some(last) = last.filter(|last| *last >= next) {
            self.wrong(format!(
                "{account}: UIDNEXT of `{name}` is {next}, and {last} was in use"
            ));
        }
    }

    fn message(&mut self, account: &'a str, name: &str, uv: u32, message: &Message) {
        let history = self.history;
        let place = format!("{account}: `{name}` {} {}", message.uid, message.id);
        let entry = history
            .lives
            .get_key_value(&(account.to_owned(), uv, message.uid))
            .filter(|(_, life)| life.what.id == message.id);
        let Some((key, life)) = entry else {
            self.others
                .push((account, name.to_owned(), uv, message.clone()));
            return;
        };
        if !may_be(life.born, life.died, self.window) {
            self.wrong(format!("{place} was not there then"));
            return;
        }
        if !self.found.insert(key) {
            // Its folder is there twice.
            self.wrong(format!("{place} is there twice"));
            return;
        }
        if must_be(life.born, life.died, self.window) {
            self.verdict.kept += 1;
        } else {
            self.verdict.in_flight += 1;
        }
        // Perhaps it was in the queue, and has been delivered once more, under the same number by chance.
        let settled = life.born.to < self.window.from;
        if life.what.sent != message.sent || settled && life.what.sha != message.sha {
            self.wrong(format!("{place} has another text"));
        }
        if settled && life.what.date != message.date {
            self.wrong(format!(
                "{place} has the date {}, and had {}",
                message.date, life.what.date
            ));
        }
        let removing = life.died.is_some_and(|died| died.from <= self.window.to);
        let bare: Vec<&String> = message
            .flags
            .iter()
            .filter(|one| *one != "\\Deleted")
            .collect();
        // Dovecot renames a file first and writes down what its letters mean after that, both before it acknowledges.
        let changing = life.flags.0.iter().any(|(at, _)| self.overlaps(*at));
        let unwritten = |flags: &[String]| {
            flags.len() == message.flags.len()
                && message
                    .flags
                    .iter()
                    .all(|one| one.starts_with("unknown-") || flags.contains(one))
        };
        let right = life.flags.during(self.window).any(|flags| {
            *flags == message.flags
                || changing && unwritten(flags)
                || removing
                    && flags
                        .iter()
                        .filter(|one| *one != "\\Deleted")
                        .eq(bare.clone())
        });
        if !right {
            let had: Vec<&Vec<String>> = life.flags.during(self.window).collect();
            self.wrong(format!(
                "{place} has the flags {:?}, and had {had:?}; it was there from {:.2}, and the backup ran from {:.2} to {:.2}",
                message.flags, life.born.to, self.window.from, self.window.to
            ));
        }
    }

    /// Whether it may have been under way during the backup.
    fn overlaps(&self, at: Span) -> bool {
        at.from <= self.window.to && at.to >= self.window.from
    }

    /// What had to be there, by folder and number.
    fn missing(&mut self) {
        let history = self.history;
        for (key, life) in &history.lives {
            if self.found.contains(key) || !must_be(life.born, life.died, self.window) {
                continue;
            }
            let (account, uv, uid) = key;
            let same = |(of, _, folder, message): &(&str, String, u32, Message), here: bool| {
                of == account && message.id == life.what.id && (!here || folder == uv)
            };
            let other = self
                .others
                .iter()
                .position(|one| same(one, true))
                .or_else(|| self.others.iter().position(|one| same(one, false)));
            let folder = history
                .folders
                .get(&(account.clone(), *uv))
                .and_then(|folder| folder.names.during(self.window).last())
                .map_or("?", String::as_str);
            let what = format!("{account}: {} of `{folder}`, number {uid},", life.what.id);
            let text = match other {
                Some(index) => {
                    let (_, name, _, message) = self.others.remove(index);
                    let same = if message.sha == life.what.sha {
                        ""
                    } else {
                        ", with another text"
                    };
                    format!("{what} is in `{name}`, number {}{same}", message.uid)
                }
                None => format!("{what} is lost"),
            };
            self.wrong(text);
        }
    }

    /// What is there, and was not said to be: on its way during the backup, or too much.
    fn twice(&mut self) {
        let history = self.history;
        let mut used: BTreeMap<(&str, String), usize> = BTreeMap::new();
        let mut delivered = BTreeSet::new();
        for (account, name, _, message) in std::mem::take(&mut self.others) {
            let place = format!("{account}: `{name}` {} {}", message.uid, message.id);
            let taken = history.taken.get(&(account.to_owned(), message.id.clone()));
            let lives: Vec<_> = history.of(account, &message.id).collect();
            let texts = lives
                .iter()
                .map(|(_, life)| &life.what.sent)
                .chain(taken.map(|taken| &taken.sent));
            if !texts.clone().any(|sent| *sent == message.sent) {
                self.wrong(if texts.count() == 0 {
                    format!("{place} was not sent by anybody")
                } else {
                    format!("{place} is not what was sent")
                });
                continue;
            }
            let moving = lives
                .iter()
                .filter(|(key, life)| {
                    !self.found.contains(key)
                        && may_be(life.born, life.died, self.window)
                        && life.born.to >= self.window.from
                })
                .count();
            // Unless somebody has seen it before the backup, it may have been in the queue, even while it was put into the mailbox.
            let settled = lives
                .iter()
                .any(|(_, life)| life.born.to < self.window.from);
            let queued = taken.map_or(0, |taken| {
                taken.unsure + usize::from(taken.offered <= self.window.to && !settled)
            });
            let count = used.entry((account, message.id.clone())).or_default();
            *count += 1;
            // Each delivery adds lines of its own.
            let copied = lives.is_empty() && !delivered.insert((account, message.sha.clone()));
            if copied {
                self.wrong(format!("{place} is there twice, from one delivery"));
            } else if *count > moving + queued {
                self.wrong(format!("{place} is there twice"));
            } else {
                self.verdict.in_flight += 1;
            }
        }
    }

    /// What was somewhere at every moment of the backup, and is nowhere.
    fn nowhere(&mut self, after: &Inventory) {
        let history = self.history;
        let there: BTreeSet<(&str, &str)> = after
            .iter()
            .flat_map(|(account, mailbox)| {
                let messages = mailbox.values().flat_map(|folder| &folder.messages);
                messages.map(move |message| (account.as_str(), message.id.as_str()))
            })
            .collect();
        // Since when it was somewhere for certain, until when, and whether somebody has seen it in a folder before the backup.
        let mut all: BTreeMap<(&str, &str), (f64, f64, bool)> = BTreeMap::new();
        for ((account, ..), life) in &history.lives {
            let entry = all.entry((account, &life.what.id));
            let one = entry.or_insert((f64::INFINITY, f64::NEG_INFINITY, false));
            one.0 = one.0.min(life.born.to);
            one.1 = one.1.max(life.died.map_or(f64::INFINITY, |died| died.from));
            one.2 |= life.born.to < self.window.from;
        }
        for ((account, id), taken) in &history.taken {
            let Some(at) = taken.at else { continue };
            let one = all
                .entry((account, id))
                .or_insert((at.to, f64::INFINITY, false));
            one.0 = one.0.min(at.to);
        }
        for (key, (since, until, seen)) in all {
            if since >= self.window.from || until <= self.window.to || there.contains(&key) {
                continue;
            }
            let (account, id) = key;
            if !seen {
                let text = format!("{account}: {id}, taken at {since:.1}");
                self.verdict.waiting.push(text);
                continue;
            }
            let must = history
                .of(account, id)
                .any(|(_, life)| must_be(life.born, life.died, self.window));
            if !must {
                self.wrong(format!(
                    "{account}: {id} is nowhere; it was moved during the backup"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "me@example.com";
    const WINDOW: Span = Span {
        from: 100.0,
        to: 110.0,
    };

    fn message(uid: u32, id: &str) -> Message {
        Message {
            uid,
            flags: vec!["\\Seen".to_owned()],
            date: 5,
            id: id.to_owned(),
            sha: format!("all of {id}"),
            sent: format!("text of {id}"),
        }
    }

    fn folder(uv: u32, ids: &[&str]) -> Folder {
        let messages: Vec<Message> = (1..).zip(ids).map(|(uid, id)| message(uid, id)).collect();
        Folder {
            uv,
            next: u32::try_from(ids.len()).unwrap() + 1,
            subscribed: true,
            messages,
        }
    }

    /// Two folders, before anything happened.
    fn begin() -> Inventory {
        let mailbox = [
            ("INBOX", folder(10, &["a", "b", "c"])),
            ("Work", folder(11, &["d", "e"])),
        ];
        let mailbox = mailbox.map(|(name, folder)| (name.to_owned(), folder));
        BTreeMap::from([(ME.to_owned(), mailbox.into())])
    }

    fn line(t0: f64, events: &str) -> Line {
        let text = format!(
            r#"{{"op": "test", "account": "{ME}", "t0": {t0}, "t1": {}, "mono": 0, "events": [{events}]}}"#,
            t0 + 0.5
        );
        serde_json::from_str(&text).unwrap()
    }

    fn came(uv: u32, uid: u32, id: &str) -> String {
        format!(
            r#"{{"e": "message", "uv": {uv}, "uid": {uid}, "flags": ["\\Seen"], "date": 5, "id": "{id}", "sha": "all of {id}", "sent": "text of {id}"}}"#
        )
    }

    fn sent(id: &str) -> String {
        format!(r#"{{"e": "sent", "id": "{id}", "sent": "text of {id}"}}"#)
    }

    fn judged(lines: &[Line], after: &Inventory) -> Verdict {
        History::new(&begin(), lines).judge(WINDOW, after)
    }

    /// The state after `change`, judged.
    fn changed(lines: &[Line], change: impl FnOnce(&mut Mailbox)) -> Verdict {
        let mut after = begin();
        change(after.get_mut(ME).unwrap());
        judged(lines, &after)
    }

    fn fine(verdict: &Verdict) {
        assert_eq!(verdict.wrong, Vec::<String>::new());
        assert_eq!(verdict.waiting, Vec::<String>::new());
    }

    /// Exactly one thing is wrong.
    fn one(verdict: &Verdict, words: &[&str]) {
        assert_eq!(verdict.wrong.len(), 1, "{verdict:?}");
        for word in words {
            assert!(verdict.wrong[0].contains(word), "{word} not in {verdict:?}");
        }
    }

    fn inbox(mailbox: &mut Mailbox) -> &mut Folder {
        mailbox.get_mut("INBOX").unwrap()
    }

    #[test]
    fn the_same_is_fine() {
        let verdict = changed(&[], |_| {});
        fine(&verdict);
        assert_eq!(verdict.kept, 5);
    }

    #[test]
    fn what_is_missing_or_other_is_found() {
        type Change = fn(&mut Mailbox);
        let cases: [(&[&str], Change); 11] = [
            (&["b of `INBOX`", "number 2", "lost"], |all| {
                inbox(all).messages.remove(1);
            }),
            (&["INBOX", "2 b", "another text"], |all| {
                inbox(all).messages[1].sha = "half".to_owned();
            }),
            (&["2 b", "flags []", r#"had [["\\Seen"]]"#], |all| {
                inbox(all).messages[1].flags.clear();
            }),
            (&["2 b", "date 6", "had 5"], |all| {
                inbox(all).messages[1].date = 6;
            }),
            (&["UIDVALIDITY of `INBOX` is 12, and was 10"], |all| {
                inbox(all).uv = 12;
            }),
            (&["UIDNEXT of `INBOX` is 3", "3 was in use"], |all| {
                inbox(all).next = 3;
            }),
            (
                &["c of `INBOX`, number 3, is in `INBOX`, number 7"],
                |all| {
                    inbox(all).messages[2].uid = 7;
                    inbox(all).next = 8;
                },
            ),
            (&["`Work` is not subscribed"], |all| {
                all.get_mut("Work").unwrap().subscribed = false;
            }),
            (&["4 c is there twice"], |all| {
                inbox(all).messages.push(message(4, "c"));
            }),
            (&["4 x was not sent by anybody"], |all| {
                inbox(all).messages.push(message(4, "x"));
            }),
            (&["folder `New` (13) had no such name then"], |all| {
                all.insert("New".to_owned(), folder(13, &[]));
            }),
        ];
        for (words, change) in cases {
            one(&changed(&[], change), words);
        }
        let verdict = changed(&[], |all| {
            all.remove("Work");
        });
        assert_eq!(verdict.wrong.len(), 3, "{verdict:?}");
        one(&judged(&[], &BTreeMap::new()).first(), &["has no mailbox"]);
    }

    impl Verdict {
        /// With the first thing alone.
        fn first(mut self) -> Self {
            self.wrong.truncate(1);
            self
        }
    }

    #[test]
    fn a_message_in_another_folder_is_told_from_a_lost_one() {
        let verdict = changed(&[], |all| {
            inbox(all).messages.remove(1);
            all.get_mut("Work").unwrap().messages.push(message(3, "b"));
        });
        one(&verdict, &["b of `INBOX`", "is in `Work`, number 3"]);
    }

    #[test]
    fn what_was_done_before_is_required_and_what_was_done_meanwhile_allowed() {
        let flags =
            |flags: &str| format!(r#"{{"e": "flags", "uv": 10, "uid": 1, "flags": [{flags}]}}"#);
        let lines = [
            line(90.0, &flags(r#""\\Answered""#)),
            line(105.0, &flags("")),
            line(120.0, &flags(r#""\\Flagged""#)),
        ];
        let with = |flags: &[&str]| {
            changed(&lines, |all| {
                inbox(all).messages[0].flags = flags.iter().copied().map(str::to_owned).collect();
            })
        };
        fine(&with(&["\\Answered"]));
        fine(&with(&[]));
        one(&with(&["\\Seen"]), &["1 a has the flags"]);
        one(&with(&["\\Flagged"]), &["1 a has the flags"]);
        // Letters without a meaning are those of a change that was under way.
        let labelled = |at: f64| {
            changed(&[line(at, &flags(r#""$Label1", "\\Seen""#))], |all| {
                inbox(all).messages[0].flags = vec!["\\Seen".to_owned(), "unknown-0".to_owned()];
            })
        };
        fine(&labelled(99.8));
        fine(&labelled(105.0));
        one(&labelled(90.0), &["1 a has the flags", "unknown-0"]);
    }

    #[test]
    fn what_was_removed_stays_away_and_what_is_being_removed_may_be_there() {
        let gone = r#"{"e": "expunged", "uv": 10, "uid": 3}"#;
        let before = [line(90.0, gone)];
        one(&changed(&before, |_| {}), &["3 c was not there then"]);
        let without = |all: &mut Mailbox| {
            inbox(all).messages.remove(2);
        };
        fine(&changed(&before, without));
        let meanwhile = [line(109.0, gone)];
        fine(&changed(&meanwhile, |_| {}));
        fine(&changed(&meanwhile, without));
        fine(&changed(&meanwhile, |all| {
            inbox(all).messages[2].flags = vec!["\\Deleted".to_owned(), "\\Seen".to_owned()];
        }));
        one(
            &changed(&[line(111.0, gone)], without),
            &["number 3", "lost"],
        );
    }

    #[test]
    fn a_message_that_moves_is_in_one_place_at_least() {
        let moved = |at: f64| {
            let events = format!(
                r#"{}, {{"e": "expunged", "uv": 10, "uid": 2}}"#,
                came(11, 3, "b")
            );
            [line(at, &events)]
        };
        let arrives = |all: &mut Mailbox| {
            let work = all.get_mut("Work").unwrap();
            work.messages.push(message(3, "b"));
            work.next = 4;
        };
        let leaves = |all: &mut Mailbox| {
            inbox(all).messages.remove(1);
        };
        fine(&changed(&moved(105.0), |_| {}));
        fine(&changed(&moved(105.0), arrives));
        fine(&changed(&moved(105.0), |all| {
            arrives(all);
            leaves(all);
        }));
        one(&changed(&moved(105.0), leaves), &["b is nowhere"]);
        // With another number, which is what became of it if the list of numbers was read before.
        fine(&changed(&moved(105.0), |all| {
            leaves(all);
            let work = all.get_mut("Work").unwrap();
            work.messages.push(message(9, "b"));
        }));
        let before = changed(&moved(90.0), arrives);
        one(&before, &["2 b was not there then"]);
    }

    #[test]
    fn a_renamed_folder_is_there_once_by_one_of_its_names() {
        let renamed = [line(105.0, r#"{"e": "folder", "uv": 11, "name": "Play"}"#)];
        let play = |all: &mut Mailbox| {
            let work = all.remove("Work").unwrap();
            all.insert("Play".to_owned(), work);
        };
        fine(&changed(&renamed, |_| {}));
        fine(&changed(&renamed, play));
        let both = changed(&renamed, |all| {
            all.insert("Play".to_owned(), all["Work"].clone());
        });
        one(&both.first(), &["folder 11 is there twice"]);
        let done = [line(90.0, r#"{"e": "folder", "uv": 11, "name": "Play"}"#)];
        fine(&changed(&done, play));
        one(
            &changed(&done, |_| {}).first(),
            &["`Work` (11) had no such name"],
        );
        let deleted = [line(90.0, r#"{"e": "gone", "uv": 11}"#)];
        fine(&changed(&deleted, |all| {
            all.remove("Work");
        }));
        assert_ne!(changed(&deleted, |_| {}).wrong.len(), 0);
    }

    #[test]
    fn a_message_taken_before_arrives_once() {
        let lines = [line(90.0, &sent("n"))];
        let verdict = changed(&lines, |_| {});
        assert_eq!(verdict.waiting, [format!("{ME}: n, taken at 90.5")]);
        assert_eq!(verdict.wrong, Vec::<String>::new());
        let arrives = |uid: u32| {
            move |all: &mut Mailbox| {
                inbox(all).messages.push(message(uid, "n"));
                inbox(all).next = uid + 1;
            }
        };
        fine(&changed(&lines, arrives(4)));
        one(
            &changed(&lines, |all| {
                arrives(4)(all);
                arrives(5)(all);
            }),
            &["5 n is there twice"],
        );
        one(
            &changed(&lines, |all| {
                arrives(4)(all);
                inbox(all).messages[3].sent = "half of it".to_owned();
            }),
            &["4 n is not what was sent"],
        );
        // Unless it was delivered again, which shows.
        let mut history = History::new(&begin(), &lines);
        history.may_come_again();
        let mut after = begin();
        arrives(4)(after.get_mut(ME).unwrap());
        arrives(5)(after.get_mut(ME).unwrap());
        let verdict = history.judge(WINDOW, &after);
        one(&verdict, &["5 n is there twice, from one delivery"]);
        inbox(after.get_mut(ME).unwrap()).messages[4].sha = "later".to_owned();
        fine(&history.judge(WINDOW, &after));
        // Somebody has seen it before the backup, and its number is its own.
        let lines = [line(90.0, &sent("n")), line(95.0, &came(10, 4, "n"))];
        fine(&changed(&lines, arrives(4)));
        one(
            &changed(&lines, arrives(5)),
            &["number 4, is in `INBOX`, number 5"],
        );
        assert_ne!(changed(&lines, |_| {}).wrong.len(), 0);
        // Somebody has seen it afterwards: it was in the queue.
        let lines = [line(90.0, &sent("n")), line(115.0, &came(10, 4, "n"))];
        fine(&changed(&lines, arrives(4)));
        fine(&changed(&lines, arrives(5)));
        assert_eq!(changed(&lines, |_| {}).waiting.len(), 1);
        let often = |uids: std::ops::RangeInclusive<u32>| {
            changed(&lines, |all| uids.for_each(|uid| arrives(uid)(all)))
        };
        fine(&often(4..=5));
        one(&often(4..=6), &["6 n is there twice"]);
        fine(&changed(&lines, |all| {
            arrives(4)(all);
            let again = &mut inbox(all).messages[3];
            (again.sha, again.date) = ("with another date".to_owned(), 7);
        }));
        one(
            &changed(&lines, |all| {
                arrives(4)(all);
                inbox(all).messages[3].sent = "half of it".to_owned();
            }),
            &["4 n has another text"],
        );
        // It was taken meanwhile, or later.
        fine(&changed(&[line(105.0, &sent("n"))], |_| {}));
        fine(&changed(&[line(105.0, &sent("n"))], arrives(4)));
        one(
            &changed(&[line(115.0, &sent("n"))], arrives(4)),
            &["is there twice"],
        );
    }
}
