//! The plan for taking over a certificate, and nothing else: what other files are like does not matter to it.

use std::collections::BTreeMap;

use super::deploy::{Bases, Planner, push};
use super::keys::{PAIR, is_pair};
use super::{Action, Content, Entry, Fresh, Observed, Plan, Record, Request};
use crate::certs::Origin;
use crate::config::{Config, TlsMode};
use crate::error::{Error, ErrorKind};
use crate::hash::sha256;
use crate::paths::Layout;

/// Plans what brings the pair in `data/certs` to what `observed` has for it.
///
/// An interrupted `install` or `apply` keeps its note, so that it can still be completed.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if nothing was ever installed at `layout`; as [`super::deploy`] otherwise.
pub fn certificates(
    layout: &Layout,
    config: &Config,
    observed: &Observed,
    fresh: &mut dyn Fresh,
) -> Result<Plan, Error> {
    let bases = Bases::read(layout, observed)?;
    let Some(committed) = bases.committed.clone() else {
        return Err(Error::new(
            ErrorKind::NotFound,
            "certs.not_installed",
            format!(
                "look after the certificate of {}: its installation is not finished",
                config.mail_host
            ),
        )
        .hint(format!("`{}` completes it", layout.command("apply"))));
    };
    let request = Request::default();
    let mut planner = Planner {
        layout,
        request: &request,
        observed,
        config,
        bases,
        next: committed.clone(),
        mailu_env: BTreeMap::new(),
        steps: Vec::new(),
        late: Vec::new(),
        start: None,
        installed: None,
        overrides: Vec::new(),
        conflicts: Vec::new(),
        findings: Vec::new(),
    };
    planner.certificate(fresh)?;
    // A note that differs in nothing but the pair is that of a run like this one.
    let is_own = |note: &Record| {
        let same = Record {
            seeded: committed.seeded.clone(),
            taken: committed.taken.clone(),
            ..note.clone()
        };
        same == committed
    };
    let unfinished = planner.bases.pending.as_ref().is_some_and(is_own);
    let pending = planner.bases.pending.clone().filter(|note| !is_own(note));
    let (next, work, findings) = (planner.next, planner.steps, planner.findings);
    let mut steps = Vec::new();
    if !work.is_empty() || next != committed || unfinished {
        // Both notes count as ours, so what an interrupted run was about to write stays known.
        let noted = Record {
            seeded: next.seeded.clone(),
            taken: next.taken.clone(),
            ..pending.clone().unwrap_or_else(|| next.clone())
        };
        let journal = push(&mut steps, Action::Journal, &layout.journal());
        journal.mode = Some(0o600);
        journal.content = Some(written(&noted)?);
        let copies = work.iter().any(|step| step.action == Action::KeepCopy);
        if copies && !observed.entries.contains_key(".mailu/replaced") {
            let directory = layout.file(".mailu/replaced");
            push(&mut steps, Action::CreateDirectory, &directory).mode = Some(0o700);
        }
        steps.extend(work);
        if pending.is_some() {
            let record = push(&mut steps, Action::UpdateFile, &layout.rendered());
            record.mode = Some(0o600);
            record.content = Some(written(&next)?);
        } else {
            push(&mut steps, Action::Commit, &layout.rendered());
        }
    }
    Ok(Plan {
        mail_host: config.mail_host.to_string(),
        directory: layout.directory(),
        steps,
        drawn: Vec::new(),
        findings,
        overrides: Vec::new(),
        conflicts: Vec::new(),
    })
}

fn written(record: &Record) -> Result<Content, Error> {
    let mut text = serde_json::to_vec_pretty(record).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "record.write",
            "write the record of generated files",
        )
        .source(error)
    })?;
    text.push(b'\n');
    Ok(Content(text))
}

/// Where the pair in `data/certs` comes from.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] if the record cannot be read.
pub fn origin(layout: &Layout, config: &Config, observed: &Observed) -> Result<Origin, Error> {
    let bases = Bases::read(layout, observed)?;
    let there = PAIR.map(|(path, _)| {
        let entry: Option<&Entry> = observed.entries.get(path);
        entry.and_then(|entry| entry.content.as_deref())
    });
    if there.iter().any(Option::is_none) {
        return Ok(Origin::Missing);
    }
    let seeded = bases.records().any(|r| is_pair(&there, &r.seeded));
    if seeded || observed.pair_in_place.is_some_and(|pair| pair.self_signed) {
        return Ok(Origin::SelfSigned);
    }
    if bases.records().any(|r| is_pair(&there, &r.taken)) {
        return Ok(if config.tls.mode == TlsMode::Cert {
            Origin::Files
        } else {
            Origin::Traefik
        });
    }
    let known = |(path, bytes): (&str, &[u8])| {
        let hash = sha256(bytes);
        bases
            .records()
            .flat_map(|record| [&record.seeded, &record.taken])
            .any(|hashes| hashes.get(path) == Some(&hash))
    };
    let mixed = PAIR
        .iter()
        .zip(there)
        .all(|((path, _), bytes)| bytes.is_some_and(|bytes| known((path, bytes))));
    Ok(if mixed {
        Origin::Interrupted
    } else {
        Origin::ByHand
    })
}
