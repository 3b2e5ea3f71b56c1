//! A test message on its way: the stages, what each gave, and what follows from it. Sending it is the host's business.

mod results;
mod trail;

use serde::Serialize;

use crate::finding::{Finding, has_errors};

pub use results::{AuthenticationResults, Head, MethodResult, Signature, authentication_results};
pub use trail::{Attempt, Event, Fate, Status, Trail, event, queued_as};

/// A stage on the way of a message, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DeliveryStage")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// Connecting to a submission port, TLS included.
    Connect,
    /// Logging in there.
    Login,
    /// The server accepts the message.
    Submit,
    /// It is in Postfix's queue.
    Queue,
    /// Postfix hands it on: to the mailbox, or to another server.
    Deliver,
    /// It can be read over IMAP.
    Arrive,
    /// What receivers make of where it comes from.
    Authenticate,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Login,
        Self::Submit,
        Self::Queue,
        Self::Deliver,
        Self::Arrive,
        Self::Authenticate,
    ];

    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Login => "login",
            Self::Submit => "submit",
            Self::Queue => "queue",
            Self::Deliver => "deliver",
            Self::Arrive => "arrive",
            Self::Authenticate => "authenticate",
        }
    }

    /// The exit code of a test that ended here.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Connect => 10,
            Self::Login => 11,
            Self::Submit => 12,
            Self::Queue => 13,
            Self::Deliver => 14,
            Self::Arrive => 15,
            Self::Authenticate => 16,
        }
    }
}

/// The exit code of a test whose message came through where something else did, too, that must not.
pub const NEGATIVE_EXIT_CODE: u8 = 17;

/// How a stage or a negative test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DeliveryOutcome")
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should; what comes after was not tried.
    Failed,
    /// There was nothing to try, or no need.
    Skipped,
    /// It could not be found out.
    Unknown,
}

/// What a stage gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DeliveryStep")
)]
#[non_exhaustive]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// What was seen, mostly in a server's words.
    pub detail: String,
}

impl Step {
    /// What a stage gave.
    pub fn new(
        stage: Stage,
        outcome: Outcome,
        milliseconds: u64,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            stage,
            outcome,
            milliseconds,
            detail: detail.into(),
        }
    }
}

/// Something that a server must refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Negative {
    /// `relay`, `auth_on_25` or `forged_sender`.
    pub name: String,
    /// `passed`: it was refused.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// What was seen, mostly in the server's words.
    pub detail: String,
}

impl Negative {
    /// What came of an attempt.
    pub fn new(name: &str, outcome: Outcome, milliseconds: u64, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            outcome,
            milliseconds,
            detail: detail.into(),
        }
    }
}

/// What the server that took the message in wrote at its head, each as RFC 8601 names it (`pass`, `fail`, `none` …), and absent where
/// it said nothing. Of a message that was handed in with a login, servers say little: it comes from nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Results {
    /// SPF.
    pub spf: Option<String>,
    /// DKIM.
    pub dkim: Option<String>,
    /// DMARC.
    pub dmarc: Option<String>,
    /// The login with which it was handed in.
    pub auth: Option<String>,
    /// The domain and selector with which it is signed, as they stand in DNS.
    pub signed: Option<String>,
}

impl Results {
    /// What `authserv_id` says at the head of a message from `domain`, and with what it is signed. Fields by others are not believed.
    pub fn of(head: &Head, authserv_id: &str, domain: &str) -> Self {
        let own = head.by(authserv_id);
        let of = |method: &str| {
            let all = own.map(|own| own.results.as_slice()).unwrap_or_default();
            let mut all = all.iter().filter(|one| one.method == method);
            // A message may have several signatures, and one that is good will do.
            let first = all.next()?;
            let good = std::iter::once(first)
                .chain(all)
                .find(|one| one.result == "pass");
            Some(good.unwrap_or(first).result.clone())
        };
        let signature = head.signatures.iter().find(|one| one.domain == domain);
        Self {
            spf: of("spf"),
            dkim: of("dkim"),
            dmarc: of("dmarc"),
            auth: of("auth"),
            signed: signature.map(|one| format!("{}._domainkey.{}", one.selector, one.domain)),
        }
    }

    /// What is written of the methods, such as `spf=pass dkim=pass`; empty where nothing is.
    pub fn summary(&self) -> String {
        let all = [
            ("spf", &self.spf),
            ("dkim", &self.dkim),
            ("dmarc", &self.dmarc),
            ("auth", &self.auth),
        ];
        let all = all
            .iter()
            .filter_map(|(name, result)| Some(format!("{name}={}", result.as_ref()?)));
        all.collect::<Vec<_>>().join(" ")
    }

    /// The methods whose result says that the message is not what it says it is. `none` and `neutral` say nothing, and what passes
    /// neither SPF nor DKIM is for DMARC to judge.
    pub fn failed(&self) -> Vec<&'static str> {
        let all = [
            ("SPF", &self.spf),
            ("DKIM", &self.dkim),
            ("DMARC", &self.dmarc),
        ];
        all.iter()
            .filter(|(_, result)| {
                matches!(
                    result.as_deref(),
                    Some("fail" | "softfail" | "hardfail" | "permerror" | "policy")
                )
            })
            .map(|(name, _)| *name)
            .collect()
    }
}

/// Whether the key that a domain's mail is signed with stands in DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// It does.
    Published,
    /// There is none.
    Missing,
    /// There is another.
    Other,
    /// It could not be found out.
    Unknown,
}

/// Judges the last stage. `read`: the message was read back; otherwise another server has it, and only DNS can be looked at. `options`:
/// those by which a command finds the deployment.
pub fn authenticate(
    results: &Results,
    read: bool,
    record: &str,
    key: Key,
    options: &str,
) -> (Outcome, String, Vec<Finding>) {
    let mut findings = Vec::new();
    let summary = results.summary();
    let (outcome, detail) = if !results.failed().is_empty() {
        let failed = results.failed().join(" and ");
        findings.push(
            Finding::error(
                "delivery.authentication",
                "Authentication-Results",
                format!("says that {failed} failed, so that others would call it forged"),
            )
            .value(&summary)
            .hint(format!(
                "`mailu dns {options} --check` says which records are wrong"
            )),
        );
        (Outcome::Failed, summary)
    } else if read && results.signed.is_none() {
        findings.push(
            Finding::error(
                "delivery.unsigned",
                record,
                "the message arrived without a DKIM signature of its domain: what leaves this server is not signed either",
            )
            .hint(format!("`mailu apply {options}` says whether the key is there; `mailu logs {options} antispam` says what kept Rspamd from signing")),
        );
        (
            Outcome::Failed,
            format!("no DKIM signature{}", more(&summary)),
        )
    } else {
        match key {
            Key::Other => {
                findings.push(
                    Finding::error(
                        "delivery.dkim_other",
                        record,
                        "has another key in DNS than the server signs with: receivers call its mail forged",
                    )
                    .hint(format!("`mailu dns {options}` prints the record that has to stand there; `mailu dns {options} --check` compares")),
                );
                (
                    Outcome::Failed,
                    format!("{record} has another key in DNS{}", more(&summary)),
                )
            }
            Key::Missing => {
                findings.push(
                    Finding::error(
                        "delivery.dkim_missing",
                        record,
                        "does not stand in DNS: receivers cannot check the signature, and DMARC fails where the sender's address is not enough",
                    )
                    .hint(format!("`mailu dns {options}` prints the record that has to stand there; `mailu dns {options} --check` compares")),
                );
                (
                    Outcome::Failed,
                    format!("{record} does not stand in DNS{}", more(&summary)),
                )
            }
            Key::Published if read => (
                Outcome::Passed,
                format!(
                    "signed, with the key that {record} has in DNS{}",
                    more(&summary)
                ),
            ),
            Key::Published => (
                Outcome::Skipped,
                format!("the other server knows; {record} has the server's key in DNS"),
            ),
            Key::Unknown if read => (
                Outcome::Unknown,
                format!(
                    "signed; whether {record} has the key in DNS could not be found out{}",
                    more(&summary)
                ),
            ),
            Key::Unknown => (Outcome::Skipped, "the other server knows".to_owned()),
        }
    };
    (outcome, detail, findings)
}

fn more(summary: &str) -> String {
    if summary.is_empty() {
        String::new()
    } else {
        format!("; {summary}")
    }
}

/// What came of a test message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DeliveryReport")
)]
#[non_exhaustive]
pub struct Report {
    /// The form of this report; another number once it changes incompatibly.
    pub schema: u32,
    /// The mail host.
    pub mail_host: String,
    /// The sender, who logged in.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// Its Message-ID.
    pub message_id: String,
    /// Its names in Postfix's queue.
    pub queue_ids: Vec<String>,
    /// The stages that were reached, in order.
    pub stages: Vec<Step>,
    /// What stands at the message's head.
    pub results: Results,
    /// What was tried that a server must refuse.
    pub negative: Vec<Negative>,
    /// What is wrong, why, and what to type.
    pub findings: Vec<Finding>,
    /// Whether the message is known to have come through: to the mailbox, or to the other server.
    pub delivered: bool,
    /// 0: it came through, and what must be refused was; 1: something could not be found out, or needs an eye; from 10 on, the first
    /// stage that failed ([`Stage::exit_code`]); 17: something was accepted that must not be.
    pub exit_code: u8,
}

impl Report {
    /// A report without any stage yet.
    pub fn new(
        mail_host: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
        subject: impl Into<String>,
        message_id: impl Into<String>,
    ) -> Self {
        Self {
            schema: 1,
            mail_host: mail_host.into(),
            from: from.into(),
            to: to.into(),
            subject: subject.into(),
            message_id: message_id.into(),
            queue_ids: Vec::new(),
            stages: Vec::new(),
            results: Results::default(),
            negative: Vec::new(),
            findings: Vec::new(),
            delivered: false,
            exit_code: 0,
        }
    }

    /// How a stage ended, if it was reached.
    pub fn outcome(&self, stage: Stage) -> Option<Outcome> {
        let step = self.stages.iter().find(|step| step.stage == stage)?;
        Some(step.outcome)
    }

    /// Sums it up, once there is nothing more to try.
    pub fn conclude(&mut self) {
        self.delivered = match (self.outcome(Stage::Deliver), self.outcome(Stage::Arrive)) {
            (_, Some(Outcome::Passed)) => true,
            (deliver, Some(Outcome::Skipped)) => deliver == Some(Outcome::Passed),
            _ => false,
        };
        let failed = |stage: &Stage| self.outcome(*stage) == Some(Outcome::Failed);
        let unknown = self.stages.iter().map(|step| step.outcome);
        let unknown = unknown
            .chain(self.negative.iter().map(|one| one.outcome))
            .any(|outcome| outcome == Outcome::Unknown);
        self.exit_code = if let Some(stage) = Stage::ALL.into_iter().find(failed) {
            stage.exit_code()
        } else if self
            .negative
            .iter()
            .any(|one| one.outcome == Outcome::Failed)
        {
            NEGATIVE_EXIT_CODE
        } else {
            u8::from(unknown || !self.delivered || has_errors(&self.findings))
        };
    }
}

#[cfg(test)]
mod tests;
