use super::*;

fn report(outcomes: &[Outcome]) -> Report {
    let mut report = Report::new(
        "mail.example.com",
        "a@example.com",
        "a@example.com",
        "x",
        "<x>",
    );
    report.stages = Stage::ALL
        .into_iter()
        .zip(outcomes)
        .map(|(stage, outcome)| Step::new(stage, *outcome, 1, ""))
        .collect();
    report.conclude();
    report
}

#[test]
fn the_first_stage_that_failed_gives_the_exit_code() {
    let all = report(&[Outcome::Passed; 7]);
    assert!(all.delivered);
    assert_eq!(all.exit_code, 0);
    for (number, stage) in Stage::ALL.into_iter().enumerate() {
        let mut outcomes = vec![Outcome::Passed; number];
        outcomes.push(Outcome::Failed);
        let report = report(&outcomes);
        assert_eq!(
            report.exit_code,
            10 + u8::try_from(number).unwrap_or_default()
        );
        assert_eq!(report.exit_code, stage.exit_code());
        // What arrived has arrived, whatever is thought of it.
        assert_eq!(report.delivered, stage == Stage::Authenticate);
    }
}

#[test]
fn what_is_not_known_is_neither_fine_nor_failed() {
    use Outcome::{Passed, Skipped, Unknown};
    let lost = report(&[Passed, Passed, Passed, Unknown, Unknown, Passed, Passed]);
    assert!(lost.delivered);
    assert_eq!(lost.exit_code, 1);
    let elsewhere = report(&[Passed, Passed, Passed, Passed, Passed, Skipped, Skipped]);
    assert!(elsewhere.delivered);
    assert_eq!(elsewhere.exit_code, 0);
    let gone = report(&[Passed, Passed, Passed, Passed, Unknown, Skipped, Skipped]);
    assert!(!gone.delivered);
    assert_eq!(gone.exit_code, 1);
}

#[test]
fn what_must_be_refused_counts() {
    let mut report = report(&[Outcome::Passed; 7]);
    report.negative = vec![
        Negative::new("relay", Outcome::Passed, 1, ""),
        Negative::new("forged_sender", Outcome::Failed, 1, "250 ok"),
    ];
    report.conclude();
    assert_eq!(report.exit_code, NEGATIVE_EXIT_CODE);
    assert!(report.delivered);
}

fn head(results: &str, signed: bool) -> Results {
    let signature = if signed {
        "DKIM-Signature: v=1; d=example.com; s=dkim; b=x\r\n"
    } else {
        ""
    };
    let text = format!("{results}{signature}Subject: x\r\n\r\n");
    Results::of(
        &Head::read(text.as_bytes()),
        "mail.example.com",
        "example.com",
    )
}

#[test]
fn what_stands_at_the_head_is_judged() {
    let record = "dkim._domainkey.example.com";
    let judged = |results: &Results, read, key| {
        let (outcome, _, findings) =
            authenticate(results, read, record, key, "--domain mail.example.com");
        let ids: Vec<String> = findings.into_iter().map(|one| one.id).collect();
        (outcome, ids.join(" "))
    };
    let by = |text: &str| format!("Authentication-Results: mail.example.com; {text}\r\n");
    let fine = (Outcome::Passed, String::new());

    // As Rspamd writes it of a message that was handed in with a login.
    let local = head(&by("auth=pass smtp.mailfrom=a@example.com"), true);
    assert_eq!(local.auth.as_deref(), Some("pass"));
    assert_eq!(local.signed.as_deref(), Some(record));
    assert_eq!(judged(&local, true, Key::Published), fine);
    assert_eq!(judged(&local, true, Key::Unknown).0, Outcome::Unknown);
    assert_eq!(
        judged(&local, true, Key::Other),
        (Outcome::Failed, "delivery.dkim_other".to_owned())
    );
    assert_eq!(
        judged(&local, true, Key::Missing),
        (Outcome::Failed, "delivery.dkim_missing".to_owned())
    );

    let all = head(
        &by("dkim=fail header.d=x.test; dkim=pass header.d=example.com; spf=none; dmarc=pass"),
        true,
    );
    assert_eq!(all.summary(), "spf=none dkim=pass dmarc=pass");
    assert_eq!(judged(&all, true, Key::Published), fine);
    let forged = head(&by("spf=softfail; dmarc=fail"), true);
    assert_eq!(
        judged(&forged, true, Key::Published),
        (Outcome::Failed, "delivery.authentication".to_owned())
    );
    assert_eq!(
        judged(&head("", false), true, Key::Published),
        (Outcome::Failed, "delivery.unsigned".to_owned())
    );
    // A stranger's word counts for nothing, in neither direction.
    let other = head(
        "Authentication-Results: evil.example; spf=fail; auth=pass\r\n",
        true,
    );
    assert_eq!(other.summary(), "");
    assert_eq!(judged(&other, true, Key::Published), fine);

    // Elsewhere only DNS can be looked at.
    let none = Results::default();
    assert_eq!(judged(&none, false, Key::Published).0, Outcome::Skipped);
    assert_eq!(judged(&none, false, Key::Unknown).0, Outcome::Skipped);
    assert_eq!(judged(&none, false, Key::Other).0, Outcome::Failed);
}
