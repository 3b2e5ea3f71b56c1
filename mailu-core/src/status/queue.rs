//! Postfix's queue, as `postqueue -j` prints it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many reasons are reported.
const REASONS: usize = 5;

/// What waits in Postfix's queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Queue {
    /// How many messages.
    pub messages: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many messages in each of Postfix's queues: `active`, `deferred`, `hold`, `incoming`.
    pub queues: BTreeMap<String, u64>,
    /// When the oldest arrived, in seconds since 1970.
    pub oldest: Option<i64>,
    /// Why recipients wait, most frequent first.
    pub reasons: Vec<QueueReason>,
}

/// Why recipients wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct QueueReason {
    /// In Postfix's or the other server's words.
    pub reason: String,
    /// How many recipients.
    pub recipients: u64,
}

impl Queue {
    /// For how long the oldest has waited at `now`, in seconds.
    pub fn oldest_age(&self, now: i64) -> Option<i64> {
        self.oldest.map(|at| now.saturating_sub(at).max(0))
    }
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queued {
    /// In which of Postfix's queues: `active`, `deferred`, `hold`, `incoming`.
    pub queue: String,
    /// Why its recipients wait.
    pub reasons: Vec<String>,
}

/// The message with this identifier, in what `postqueue -j` printed.
pub fn queued(text: &str, id: &str) -> Option<Queued> {
    let mut all = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let message = all.find(|message| message.queue_id == id)?;
    let reasons = message.recipients.into_iter();
    Some(Queued {
        queue: message.queue_name,
        reasons: reasons.filter_map(|one| one.delay_reason).collect(),
    })
}

#[derive(Deserialize)]
struct Message {
    queue_name: String,
    #[serde(default)]
    queue_id: String,
    arrival_time: i64,
    #[serde(default, rename = "message_size")]
    size: u64,
    #[serde(default)]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Recipient {
    delay_reason: Option<String>,
}

/// Reads what `postqueue -j` printed. Lines that are something else are passed over.
pub fn queue(text: &str) -> Queue {
    let mut queue = Queue::default();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for line in text.lines() {
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            continue;
        };
        queue.messages += 1;
        queue.bytes = queue.bytes.saturating_add(message.size);
        *queue.queues.entry(message.queue_name).or_default() += 1;
        let oldest = queue.oldest.get_or_insert(message.arrival_time);
        *oldest = (*oldest).min(message.arrival_time);
        for reason in message
            .recipients
            .into_iter()
            .filter_map(|r| r.delay_reason)
        {
            let reason: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let mut reasons: Vec<QueueReason> = reasons
        .into_iter()
        .map(|(reason, recipients)| QueueReason { reason, recipients })
        .collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.recipients));
    reasons.truncate(REASONS);
    queue.reasons = reasons;
    queue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_and_reasons_are_ranked() {
        let text = r#"
{"queue_name": "deferred", "queue_id": "A1", "arrival_time": 1700000100, "message_size": 1000, "forced_expire": false, "sender": "a@example.com", "recipients": [{"address": "b@x.test", "delay_reason": "connect to x.test[192.0.2.1]:25: Connection timed out"}, {"address": "c@x.test", "delay_reason": "connect to x.test[192.0.2.1]:25:  Connection timed out"}]}
{"queue_name": "deferred", "queue_id": "A2", "arrival_time": 1700000000, "message_size": 500, "sender": "", "recipients": [{"address": "d@y.test", "delay_reason": "greylisted"}]}
{"queue_name": "active", "queue_id": "A3", "arrival_time": 1700000200, "message_size": 1, "sender": "", "recipients": [{"address": "d@y.test"}]}
postqueue: warning: something else
"#;
        let queue = queue(text);
        assert_eq!((queue.messages, queue.bytes), (3, 1501));
        assert_eq!(queue.queues["deferred"], 2);
        let one = queued(text, "A2").expect("it is there");
        assert_eq!(one.queue, "deferred");
        assert_eq!(one.reasons, ["greylisted"]);
        assert_eq!(queued(text, "A3").map(|one| one.reasons), Some(Vec::new()));
        assert_eq!(queued(text, "A"), None);
        assert_eq!(queue.oldest_age(1_700_000_060), Some(60));
        let top = queue
            .reasons
            .first()
            .map(|r| (r.reason.as_str(), r.recipients));
        assert_eq!(
            top,
            Some(("connect to x.test[192.0.2.1]:25: Connection timed out", 2))
        );
    }

    #[test]
    fn an_empty_queue_says_nothing() {
        assert_eq!(queue(""), Queue::default());
    }
}
