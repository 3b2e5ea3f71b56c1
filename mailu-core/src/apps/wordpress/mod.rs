//! WordPress: a must-use plugin of ours, and a file with its settings outside of what the web serves.
//!
//! A must-use plugin cannot be switched off in the administration and survives updates. The one file covers WordPress itself and WP Mail SMTP: where
//! that is active, it gets its constants (`WPMS_…`), which win over the database; where somebody else has set them, nothing is done.

mod judge;
mod php;
mod place;

use serde_json::{Value, json};

use super::{Profile, Tls};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::hash::sha256;
use crate::names::{DomainName, EmailAddress};
use crate::secret::Secret;

pub use judge::{Probe, Seen, Verified, judge};
pub use place::{Candidate, candidates};

/// The must-use plugin's file, in `wp-content/mu-plugins` itself: WordPress does not look into directories there.
pub const PLUGIN_FILE: &str = "agencystack-mail.php";

/// The file with the settings, which is read and never served: it ends before it says anything.
pub const SETTINGS_FILE: &str = "agencystack-mail.secret.php";

/// The file with an authority of one's own, beside the settings.
pub const CA_FILE: &str = "agencystack-mail.ca.pem";

/// Where a container that is to have the settings outside of its document root has their directory.
pub const INSIDE: &str = "/etc/agencystack-mail";

const PLUGIN: &str = include_str!("agencystack-mail.php");
const SEEN: &str = include_str!("scripts/seen.php");
const PROBE: &str = include_str!("scripts/probe.php");
const SEND: &str = include_str!("scripts/send.php");
const FORGET: &str = include_str!("scripts/forget.php");

/// The must-use plugin, which reads its settings at `settings`, a path as PHP sees it. There is no secret in it.
pub fn plugin(settings: &str) -> String {
    PLUGIN.replace("'@SETTINGS@'", &php::quoted(settings))
}

/// The settings file of the must-use plugin. `ca_file`, a path as PHP sees it, names an authority that PHP does not know by itself.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`], `wordpress.profile`, with a finding for everything that is wrong.
pub fn settings(profile: &Profile, ca_file: Option<&str>) -> Result<Secret, Error> {
    check(profile)?;
    let mut fields = fields(profile, ca_file);
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("password".to_owned(), json!(profile.secret.expose()));
    }
    // Behind this, PHP compiles nothing; a `<` could not matter anyway, and does not get there.
    let fields = fields.to_string().replace('<', "\\u003c");
    Ok(Secret::new(format!(
        "<?php\n// Written by `mailu integrate wordpress`; holds a password. Read by {PLUGIN_FILE}; on the web it is empty.\nexit;\n__halt_compiler();\n{fields}\n"
    )))
}

/// Everything but the password.
fn fields(profile: &Profile, ca_file: Option<&str>) -> Value {
    json!({
        "host": profile.host.as_str(),
        "port": profile.port.to_string(),
        "secure": match profile.tls {
            Tls::Implicit => "ssl",
            Tls::Starttls => "tls",
        },
        "user": profile.login.to_string(),
        "from": profile.from.to_string(),
        "from_name": profile.from_name.as_deref().unwrap_or_default(),
        "envelope": profile.envelope().to_string(),
        "helo": profile.helo.as_ref().map_or("", DomainName::as_str),
        "ca_file": ca_file.unwrap_or_default(),
    })
}

fn check(profile: &Profile) -> Result<(), Error> {
    let mut findings = Vec::new();
    let domain = profile.login.domain();
    for (subject, address) in [
        ("from", &profile.from),
        ("envelope_from", profile.envelope()),
    ] {
        if address.domain() != domain {
            findings.push(
                Finding::error(
                    "wordpress.sender_domain",
                    subject,
                    format!("must be in the domain of the login, {domain}: the server signs nothing where the two differ"),
                )
                .value(address)
                .hint(format!("choose an address in {domain}")),
            );
        }
    }
    let name = profile.from_name.as_deref().unwrap_or_default();
    if name.chars().any(char::is_control) {
        findings.push(
            Finding::error(
                "wordpress.from_name",
                "from_name",
                "must be one line: it stands at the head of every message",
            )
            .value(name)
            .hint("leave out line ends and other control characters"),
        );
    }
    if profile.secret.expose().is_empty() || profile.secret.expose().contains(['\0', '\r', '\n']) {
        findings.push(Finding::error(
            "wordpress.secret",
            "secret",
            "must be a token or password of one line: nothing else can be sent to log in",
        ));
    }
    if findings.is_empty() {
        return Ok(());
    }
    let count = findings.len();
    let ending = if count == 1 { "" } else { "s" };
    Err(Error::new(
        ErrorKind::InvalidInput,
        "wordpress.profile",
        format!("write settings for WordPress: {count} value{ending} cannot be used"),
    )
    .findings(findings))
}

/// A site: the document root as its PHP sees it, and the name under which it is visited.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// Where `wp-load.php` is.
    pub docroot: String,
    /// Its name.
    pub domain: DomainName,
}

impl Site {
    /// A site.
    pub fn new(docroot: impl Into<String>, domain: DomainName) -> Self {
        Self {
            docroot: docroot.into(),
            domain,
        }
    }

    fn input(&self) -> Value {
        json!({ "docroot": self.docroot, "domain": self.domain.as_str() })
    }

    /// A script whose answer is [`Seen`].
    pub fn look(&self) -> Secret {
        php::script(SEEN, &self.input(), true)
    }

    /// A script that connects as the site would, as far as naming a recipient, without WordPress; its answer is a [`Probe`]. It holds the secret.
    /// `ca` is the certificate (PEM) of an authority that PHP does not know by itself.
    pub fn probe(&self, profile: &Profile, ca: Option<&str>) -> Secret {
        let mut input = self.with(fields(profile, None));
        set(&mut input, "password", profile.secret.expose());
        set(&mut input, "ca", ca.unwrap_or_default());
        if profile.helo.is_none() {
            set(&mut input, "helo", self.domain.as_str());
        }
        php::script(PROBE, &input, false)
    }

    /// A script that has the site itself send a message, or without `to` log in; its answer is [`Verified`]. `mark` stands in the subject and in the field
    /// `X-Agency-Probe`.
    pub fn send(&self, profile: &Profile, to: Option<&EmailAddress>, mark: &str) -> Secret {
        let input = self.with(json!({
            "to": to.map(ToString::to_string).unwrap_or_default(),
            "subject": format!("Test message of {} ({mark})", self.domain),
            "text": format!("WordPress at {} sent this message to show that its mail arrives.\n", self.domain),
            "mark": mark,
            "secret": sha256(profile.secret.expose().as_bytes()),
        }));
        php::script(SEND, &input, true)
    }

    /// A script that removes what the plugin has noted in the database.
    pub fn forget(&self) -> Secret {
        php::script(FORGET, &self.input(), true)
    }

    fn with(&self, more: Value) -> Value {
        let mut input = self.input();
        if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
            input.extend(more);
        }
        input
    }
}

fn set(input: &mut Value, key: &str, value: &str) {
    if let Some(input) = input.as_object_mut() {
        input.insert(key.to_owned(), json!(value));
    }
}

/// What a script of a [`Site`] has answered, among what the site printed; nothing if it did not get so far.
pub fn answer<T: serde::de::DeserializeOwned>(out: &str) -> Option<T> {
    serde_json::from_value(php::answer(out)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn profile() -> Profile {
        Profile::new(
            "mail.example.com".parse().unwrap(),
            Tls::Implicit,
            "blog@example.com".parse().unwrap(),
            Secret::new("0123456789"),
        )
    }

    #[test]
    fn the_plugin_has_a_path_and_no_secret() {
        let text = plugin("/it's/here.php");
        assert!(text.contains(r"$file = '/it\'s/here.php';"), "{text}");
        assert!(!text.contains("@SETTINGS@"), "{text}");
    }

    #[test]
    fn settings_are_json_that_php_does_not_reach() {
        let mut profile = profile();
        profile.from_name = Some("<?php 'x' \\ ?>".to_owned());
        let text = settings(&profile, None).unwrap();
        let (head, fields) = text.expose().split_once("__halt_compiler();\n").unwrap();
        assert!(head.ends_with("exit;\n"), "{head}");
        assert!(!fields.contains('<'), "{fields}");
        let fields: Value = serde_json::from_str(fields).unwrap();
        assert_eq!(fields["from_name"], "<?php 'x' \\ ?>");
        // A token of digits is a text.
        assert_eq!(fields["password"], "0123456789");
    }

    #[test]
    fn the_whole_file_for_both_ways_of_tls() {
        const HEAD: &str = "<?php\n// Written by `mailu integrate wordpress`; holds a password. Read by agencystack-mail.php; on the web it is empty.\nexit;\n__halt_compiler();\n";
        let mut profile = profile();
        assert_eq!(
            settings(&profile, None).unwrap().expose(),
            format!(
                "{HEAD}{}\n",
                r#"{"ca_file":"","envelope":"blog@example.com","from":"blog@example.com","from_name":"","helo":"","host":"mail.example.com","password":"0123456789","port":"465","secure":"ssl","user":"blog@example.com"}"#
            )
        );
        profile.tls = Tls::Starttls;
        profile.port = 587;
        profile.from = "noreply@example.com".parse().unwrap();
        profile.from_name = Some("A \"Blog\" <b>".to_owned());
        profile.helo = Some("blog.example.net".parse().unwrap());
        assert_eq!(
            settings(&profile, Some("/ca.pem")).unwrap().expose(),
            format!(
                "{HEAD}{}\n",
                r#"{"ca_file":"/ca.pem","envelope":"noreply@example.com","from":"noreply@example.com","from_name":"A \"Blog\" \u003cb>","helo":"blog.example.net","host":"mail.example.com","password":"0123456789","port":"587","secure":"tls","user":"blog@example.com"}"#
            )
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let mut profile = profile();
        profile.from = "blog@example.net".parse().unwrap();
        profile.envelope_from = Some("bounce@sub.example.com".parse().unwrap());
        profile.from_name = Some("A\r\nBcc: x".to_owned());
        profile.secret = Secret::new("PrecioUs\n");
        let error = settings(&profile, None).unwrap_err();
        let ids: Vec<&str> = error.all_findings().iter().map(|f| f.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "wordpress.sender_domain",
                "wordpress.sender_domain",
                "wordpress.from_name",
                "wordpress.secret"
            ]
        );
        assert!(!error.to_json().to_string().contains("PrecioUs"));
    }
}
