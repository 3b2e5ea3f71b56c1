//! The trail of a message in Postfix's log.

use std::collections::{BTreeMap, BTreeSet};

/// What Postfix says of a message, in one line of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It was taken in under this Message-ID, angle brackets included.
    Identified(String),
    /// An attempt to deliver it.
    Attempted(Attempt),
    /// It left the queue.
    Removed,
    /// Something else.
    Other,
}

/// An attempt to deliver a message to a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The recipient.
    pub to: String,
    /// To whom it was handed: `mx.example.net[192.0.2.1]:25`, or `none`.
    pub relay: String,
    /// How it ended.
    pub status: Status,
    /// The other server's words, or Postfix's own.
    pub text: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It was accepted.
    Sent,
    /// It will be tried again.
    Deferred,
    /// It was refused for good, and goes back.
    Bounced,
}

/// The queue identifier and what is said of it, from a line of Postfix's log. `None` for lines about something else.
pub fn event(line: &str) -> Option<(&str, Event)> {
    let (head, rest) = line.split_once("]: ")?;
    // `postfix-polite` and `postfix-turtle` are Mailu's slow transports.
    let program = head.rsplit(' ').next()?;
    if !program.starts_with("postfix") {
        return None;
    }
    let (id, said) = rest.split_once(": ")?;
    if !is_queue_id(id) {
        return None;
    }
    let event = if said == "removed" {
        Event::Removed
    } else if let Some(id) = said.strip_prefix("message-id=") {
        Event::Identified(id.trim().to_owned())
    } else if let Some(attempt) = attempt(said) {
        Event::Attempted(attempt)
    } else {
        Event::Other
    };
    Some((id, event))
}

/// Whether a text is the name of a message in a queue, and no word such as `warning`: hexadecimal, or with
/// `enable_long_queue_ids` more letters.
fn is_queue_id(text: &str) -> bool {
    (6..=32).contains(&text.len())
        && text != "NOQUEUE"
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && text.bytes().any(|b| !b.is_ascii_lowercase())
}

fn attempt(said: &str) -> Option<Attempt> {
    let (to, rest) = said.strip_prefix("to=<")?.split_once(">, ")?;
    let (fields, ending) = rest.split_once(", status=")?;
    let relay = fields
        .split(", ")
        .find_map(|field| field.strip_prefix("relay="))?;
    let (status, text) = ending.split_once(' ').unwrap_or((ending, ""));
    let status = match status {
        "sent" => Status::Sent,
        "deferred" => Status::Deferred,
        "bounced" | "expired" => Status::Bounced,
        _ => return None,
    };
    let text = text.strip_prefix('(').unwrap_or(text);
    Some(Attempt {
        to: to.to_owned(),
        relay: relay.to_owned(),
        status,
        text: text.strip_suffix(')').unwrap_or(text).to_owned(),
    })
}

/// The queue identifier in the answer to a message: `2.0.0 Ok: queued as 4B1C2D3E4F`.
pub fn queued_as(answer: &str) -> Option<&str> {
    let (_, after) = answer.split_once("queued as ")?;
    let id = after
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    is_queue_id(id).then_some(id)
}

/// What has come of a message so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// There is no trace of it.
    Unseen,
    /// It is on its way.
    Underway,
    /// Every recipient's server has accepted it.
    Sent(Vec<Attempt>),
    /// A recipient has to wait.
    Deferred(Attempt),
    /// A recipient's server has refused it for good.
    Bounced(Attempt),
}

/// The trail of one message: it may go through Postfix's queue more than once, under other identifiers.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    message_id: String,
    ids: BTreeSet<String>,
    seen: BTreeSet<String>,
    removed: BTreeSet<String>,
    attempts: BTreeMap<(String, String), Attempt>,
}

impl Trail {
    /// The trail of the message with this Message-ID, which may have been given an identifier already.
    pub fn new(message_id: impl Into<String>, queue_id: Option<&str>) -> Self {
        Self {
            message_id: message_id.into(),
            ids: queue_id.into_iter().map(str::to_owned).collect(),
            ..Self::default()
        }
    }

    /// Takes a line of the log in. Lines about other messages are passed over.
    pub fn read(&mut self, line: &str) {
        let Some((id, event)) = event(line) else {
            return;
        };
        if matches!(&event, Event::Identified(said) if *said == self.message_id) {
            self.ids.insert(id.to_owned());
        }
        if !self.ids.contains(id) {
            return;
        }
        self.seen.insert(id.to_owned());
        match event {
            Event::Removed => drop(self.removed.insert(id.to_owned())),
            Event::Attempted(attempt) => {
                self.attempts
                    .insert((id.to_owned(), attempt.to.clone()), attempt);
            }
            Event::Identified(_) | Event::Other => {}
        }
    }

    /// The identifiers under which it is or was in the queue.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// What has come of it so far.
    pub fn fate(&self) -> Fate {
        let with = |status| {
            let mut all = self.attempts.values();
            all.find(|one| one.status == status).cloned()
        };
        if self.seen.is_empty() {
            Fate::Unseen
        } else if let Some(attempt) = with(Status::Bounced) {
            Fate::Bounced(attempt)
        } else if let Some(attempt) = with(Status::Deferred) {
            Fate::Deferred(attempt)
        } else if !self.attempts.is_empty() && self.seen.is_subset(&self.removed) {
            // One that was handed to this Postfix again ends where that ends.
            let handed_on =
                |one: &Attempt| queued_as(&one.text).is_some_and(|id| self.seen.contains(id));
            let last = self.attempts.values().filter(|one| !handed_on(one));
            Fate::Sent(last.cloned().collect())
        } else {
            Fate::Underway
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "<a.b@mail.example.com>";

    fn line(program: &str, rest: &str) -> String {
        format!("Nov 26 10:00:00 mail {program}[99]: {rest}")
    }

    fn fate(lines: &[(&str, &str)], queue_id: Option<&str>) -> Fate {
        let mut trail = Trail::new(ID, queue_id);
        for (program, rest) in lines {
            trail.read(&line(program, rest));
        }
        trail.fate()
    }

    const TAKEN: (&str, &str) = (
        "postfix/cleanup",
        "4B1C2D3E4F: message-id=<a.b@mail.example.com>",
    );
    const ACTIVE: (&str, &str) = (
        "postfix/qmgr",
        "4B1C2D3E4F: from=<a@example.com>, size=612, nrcpt=1 (queue active)",
    );
    const SENT: (&str, &str) = (
        "postfix/lmtp",
        "4B1C2D3E4F: to=<a@example.com>, relay=front[10.203.0.5]:2525, delay=0.3, delays=0.2/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 <a@example.com> (x) Saved)",
    );
    const REMOVED: (&str, &str) = ("postfix/qmgr", "4B1C2D3E4F: removed");

    #[test]
    fn a_message_is_followed_until_it_left_the_queue() {
        assert_eq!(fate(&[], None), Fate::Unseen);
        assert_eq!(fate(&[TAKEN, ACTIVE], None), Fate::Underway);
        assert_eq!(fate(&[TAKEN, ACTIVE, SENT], None), Fate::Underway);
        let Fate::Sent(attempts) = fate(&[TAKEN, ACTIVE, SENT, REMOVED], None) else {
            panic!("it was sent");
        };
        let one = attempts.first().expect("one recipient");
        assert_eq!(one.to, "a@example.com");
        assert_eq!(one.relay, "front[10.203.0.5]:2525");
        assert_eq!(one.text, "250 2.0.0 <a@example.com> (x) Saved");
        // The identifier of the answer alone will do.
        assert!(matches!(
            fate(&[ACTIVE, SENT, REMOVED], Some("4B1C2D3E4F")),
            Fate::Sent(_)
        ));
    }

    #[test]
    fn others_lines_are_not_ours() {
        let other = (
            "postfix/cleanup",
            "9999999999: message-id=<other@mail.example.com>",
        );
        let bounced = (
            "postfix/smtp",
            "9999999999: to=<x@y.test>, relay=none, delay=1, dsn=5.4.4, status=bounced (no)",
        );
        assert_eq!(fate(&[other, bounced], None), Fate::Unseen);
        assert_eq!(fate(&[TAKEN, other, bounced], None), Fate::Underway);
        for text in [
            "INFO:root:Connect",
            "Nov 26 10:00:00 mail postfix/smtpd[9]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 no",
            "Nov 26 10:00:00 mail postfix/smtpd[9]: connect from front[10.0.0.2]",
            "Nov 26 10:00:00 mail postfix/smtpd[9]: warning: hostname x does not resolve",
            "Nov 26 10:00:00 mail dovecot[9]: 4B1C2D3E4F: removed",
        ] {
            assert_eq!(event(text), None, "{text}");
        }
    }

    #[test]
    fn whoever_waits_or_is_refused_decides() {
        let later = (
            "postfix/lmtp",
            "4B1C2D3E4F: to=<b@example.com>, orig_to=<all@example.com>, relay=front[10.203.0.5]:2525, delay=1, dsn=4.3.0, status=deferred (host front[10.203.0.5] said: 451 4.3.0 <b@example.com> Temporary internal error (in reply to RCPT TO command))",
        );
        let Fate::Deferred(one) = fate(&[TAKEN, SENT, later], None) else {
            panic!("one waits");
        };
        assert!(
            one.text.ends_with("(in reply to RCPT TO command)"),
            "{}",
            one.text
        );
        // It came through at the second attempt.
        let done = (
            "postfix/lmtp",
            "4B1C2D3E4F: to=<b@example.com>, relay=front[10.203.0.5]:2525, delay=9, dsn=2.0.0, status=sent (250 Saved)",
        );
        assert!(
            matches!(fate(&[TAKEN, SENT, later, done, REMOVED], None), Fate::Sent(all) if all.len() == 2)
        );
        for word in ["bounced", "expired"] {
            let refused = format!(
                "4B1C2D3E4F: to=<b@example.com>, relay=mx.y.test[192.0.2.1]:25, dsn=5.1.1, status={word} (host mx.y.test said: 550 5.1.1 nobody, status=sent (joke))"
            );
            let lines = [TAKEN, ("postfix-polite/smtp", refused.as_str()), REMOVED];
            assert!(matches!(fate(&lines, None), Fate::Bounced(_)), "{word}");
        }
    }

    #[test]
    fn a_message_that_comes_back_into_the_queue_is_followed_on() {
        let first = [
            TAKEN,
            (
                "postfix/smtp",
                "4B1C2D3E4F: to=<a@example.com>, relay=127.0.0.1[127.0.0.1]:10026, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5C2D3E4F5A)",
            ),
            (
                "postfix/cleanup",
                "5C2D3E4F5A: message-id=<a.b@mail.example.com>",
            ),
            REMOVED,
        ];
        assert_eq!(fate(&first, None), Fate::Underway);
        let last = [
            (
                "postfix/lmtp",
                "5C2D3E4F5A: to=<a@example.com>, relay=front[10.0.0.2]:2525, dsn=2.0.0, status=sent (250 2.0.0 Saved)",
            ),
            ("postfix/qmgr", "5C2D3E4F5A: removed"),
        ];
        let Fate::Sent(attempts) = fate(&[&first[..], &last].concat(), None) else {
            panic!("it was sent");
        };
        assert_eq!(attempts.len(), 1);
        assert!(attempts.iter().all(|one| one.text.contains("Saved")));
    }

    #[test]
    fn answers_name_the_message() {
        assert_eq!(
            queued_as("2.0.0 Ok: queued as 4B1C2D3E4F"),
            Some("4B1C2D3E4F")
        );
        assert_eq!(
            queued_as("2.0.0 Ok: queued as 4ZbX1k2lqWz9k8n, thanks"),
            Some("4ZbX1k2lqWz9k8n")
        );
        assert_eq!(queued_as("OK id=1a2b3c-000001-AB"), None);
        assert_eq!(queued_as("queued as "), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(Nov 26 mail )?(postfix/[a-z]{0,5}\\[9\\]: )?(4B1C2D3E4F: )?(to=<)?[a-z=<>,. ()@\\PC]{0,60}") {
            let _ = event(&text);
            let _ = queued_as(&text);
            let mut trail = Trail::new(ID, Some("4B1C2D3E4F"));
            trail.read(&text);
            let _ = trail.fate();
        }
    }
}
