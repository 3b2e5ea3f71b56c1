//! Whether zones are signed, and whether that verifies: what a validating resolver says.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::lanes::at_once;
use super::lookup;
use super::nameservers::AT_ONCE;
use crate::dns::check::{Facts, Trust};
use crate::dns::{Report, is_reverse};

/// Whether `server` validates: the root is signed.
pub(super) fn validates(server: SocketAddr) -> bool {
    lookup::ask(server, ".", RecordType::SOA, true).is_ok_and(|answer| {
        answer.metadata.response_code == ResponseCode::NoError && answer.metadata.authentic_data
    })
}

/// What the first of `resolvers` says of `zone`; `validates` says whether it would know.
pub(super) fn of(resolvers: &[SocketAddr], zone: &str, validates: bool) -> Trust {
    let Some(server) = resolvers.first() else {
        return Trust::Unknown("no DNS server is known".to_owned());
    };
    let name = format!("{zone}.");
    let answer = match lookup::ask(*server, &name, RecordType::SOA, true) {
        Ok(answer) => answer,
        Err(why) => return Trust::Unknown(why),
    };
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain if answer.metadata.authentic_data => {
            Trust::Secure
        }
        ResponseCode::NoError | ResponseCode::NXDomain if validates => Trust::Insecure,
        ResponseCode::ServFail => broken(*server, &name, RecordType::SOA).map_or_else(
            || Trust::Unknown(format!("{server} cannot reach its servers")),
            Trust::Bogus,
        ),
        ResponseCode::NoError | ResponseCode::NXDomain => {
            Trust::Unknown(format!("{server} does not validate"))
        }
        code => Trust::Unknown(format!("{server} says {code}")),
    }
}

/// Why an answer that failed comes without validation, if it does.
fn broken(server: SocketAddr, name: &str, kind: RecordType) -> Option<String> {
    let answer = lookup::ask_unchecked(server, name, kind).ok()?;
    let there = matches!(
        answer.metadata.response_code,
        ResponseCode::NoError | ResponseCode::NXDomain
    );
    there.then(|| format!("{server} gives {name} {kind} only to who does not validate"))
}

/// The records in signed zones whose own signatures do not verify.
pub(super) fn bogus(
    resolvers: &[SocketAddr],
    records: &Report,
    facts: &Facts,
) -> BTreeMap<(String, &'static str), String> {
    let Some(server) = resolvers.first() else {
        return BTreeMap::new();
    };
    let mut all: Vec<(String, &'static str)> = records
        .zones
        .iter()
        .filter(|zone| {
            !is_reverse(&zone.zone) && facts.trust.get(&zone.zone) == Some(&Trust::Secure)
        })
        .flat_map(|zone| &zone.records)
        .map(|record| (record.fqdn.clone(), record.kind))
        .collect();
    all.sort();
    all.dedup();
    let found = at_once(&all, AT_ONCE, |(name, kind)| {
        let kind: RecordType = kind.parse().ok()?;
        let name = format!("{name}.");
        let answer = lookup::ask(*server, &name, kind, true).ok()?;
        if answer.metadata.response_code != ResponseCode::ServFail {
            return None;
        }
        broken(*server, &name, kind)
    });
    all.into_iter()
        .zip(found)
        .filter_map(|(key, why)| Some((key, why?)))
        .collect()
}
