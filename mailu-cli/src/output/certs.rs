//! Certificates for people.

use mailu_core::certs::{Certificate, KeyFit, Report};
use mailu_core::host::{CertificateSync, FrontReload};

use super::{BOLD, DIM, GREEN, Printer};

impl Printer {
    /// The certificates of a deployment.
    pub(crate) fn certificates(&mut self, report: &Report) {
        self.line(format_args!(
            "{BOLD}{}{BOLD:#}  tls.mode = {}",
            report.mail_host, report.mode
        ));
        for pair in &report.pairs {
            self.line(format_args!(
                "  {}  {DIM}{}{DIM:#}",
                pair.path,
                pair.origin.describe()
            ));
            let Some(certificate) = &pair.certificate else {
                continue;
            };
            self.certificate(certificate, &report.needed);
            let key = match pair.key {
                KeyFit::Matches => "belongs to the certificate",
                KeyFit::Other => "belongs to another certificate",
                KeyFit::Missing => "is missing",
                _ => "cannot be read",
            };
            let order = match (certificate.chain, certificate.chain_in_order) {
                (1, _) => "1 certificate".to_owned(),
                (n, true) => format!("{n} certificates, in order"),
                (n, false) => format!("{n} certificates, not in order"),
            };
            self.line(format_args!("    chain    {order}"));
            self.line(format_args!("    key      {key}"));
        }
        if let Some(source) = &report.source {
            let what = match &source.certificate {
                None => "nothing usable for this server".to_owned(),
                Some(_) if source.in_place => "the same".to_owned(),
                Some(other) => format!(
                    "another, until {} ({} days left)",
                    day(&other.not_after),
                    other.days_left
                ),
            };
            self.line(format_args!("  {}  {what}", source.path.display()));
        }
        for served in &report.served {
            let what = match (&served.certificate, &served.error) {
                (Some(_), _) if served.expected == Some(true) => "the one in place".to_owned(),
                (Some(certificate), _) => format!(
                    "for {}, by {}, {} days left",
                    certificate.names.join(", "),
                    certificate.issuer,
                    certificate.days_left
                ),
                (None, error) => error.clone().unwrap_or_default(),
            };
            self.line(format_args!(
                "  {} at {}  {what}",
                served.port, served.address
            ));
        }
    }

    fn certificate(&mut self, certificate: &Certificate, needed: &[String]) {
        let lacking: Vec<&str> = needed
            .iter()
            .map(String::as_str)
            .filter(|name| !certificate.covers(name))
            .collect();
        let lacking = if lacking.is_empty() {
            String::new()
        } else {
            format!("; not for {}", lacking.join(", "))
        };
        self.line(format_args!(
            "    names    {}{lacking}",
            certificate.names.join(", ")
        ));
        self.line(format_args!("    issuer   {}", certificate.issuer));
        self.line(format_args!(
            "    valid    {} to {}, {} days left",
            day(&certificate.not_before),
            day(&certificate.not_after),
            certificate.days_left
        ));
    }

    /// What was done about the certificate of a deployment.
    pub(crate) fn certificate_sync(&mut self, done: &CertificateSync) {
        let front = match done.front {
            FrontReload::NotNeeded => None,
            FrontReload::NotRunning => Some("front does not run, and reads it when it starts"),
            FrontReload::Serving => Some("front serves it"),
            FrontReload::Restarted => Some("front was restarted, and serves it"),
            FrontReload::Unseen => Some("what front serves could not be seen"),
            _ => Some("front does not serve it"),
        };
        let name = &done.report.mail_host;
        let until = done
            .report
            .pairs
            .iter()
            .find_map(|pair| pair.certificate.as_ref())
            .map(|c| format!(", {} days left", c.days_left))
            .unwrap_or_default();
        match front.filter(|_| done.changed || done.front != FrontReload::NotRunning) {
            None if !done.changed => {
                self.note(format_args!("{GREEN}{name}{GREEN:#}: nothing to do{until}"));
            }
            front => {
                let what = if done.changed {
                    "certificate replaced"
                } else {
                    "certificate as before"
                };
                let front = front.map(|text| format!("; {text}")).unwrap_or_default();
                self.line(format_args!("{GREEN}{name}{GREEN:#}: {what}{until}{front}"));
            }
        }
    }
}

/// The day of an RFC 3339 time.
fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}
