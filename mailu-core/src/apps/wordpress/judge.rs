//! What a site says of itself, judged.

use serde::{Deserialize, Serialize};

use super::Profile;
use crate::finding::Finding;

/// What is seen of a site. It says so itself, so that nothing of it is more than a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Seen {
    /// WordPress's version.
    pub wordpress: String,
    /// PHP's version, on the command line.
    pub php: String,
    /// Its address on the web.
    pub home: String,
    /// `WP_CONTENT_DIR`.
    pub content: String,
    /// `WPMU_PLUGIN_DIR`.
    pub mu_plugins: String,
    /// Active plugins, as `directory/file.php`.
    pub plugins: Vec<String>,
    /// Whether `WPMS_ON` is set, by whomever.
    pub wpms_on: bool,
    /// `WPMS_SMTP_HOST`.
    pub wpms_host: String,
    /// What our plugin does: `theirs`, `unset`, `constants`, `hooks`; empty where it is not there.
    pub mode: String,
    /// The file that defines `wp_mail`, where that is not WordPress.
    pub wp_mail: String,
    /// The mailer that WP Mail SMTP has in the database.
    pub their_mailer: String,
    /// The server that WP Mail SMTP has in the database.
    pub their_host: String,
    /// Whether there is the option `wp_mail_smtp_options`, which nothing reads.
    pub dead_option: bool,
}

impl Seen {
    /// Whether somebody else has set WP Mail SMTP's constants, with which ours would not count.
    pub fn is_theirs(&self) -> bool {
        self.wpms_on && matches!(self.mode.as_str(), "" | "theirs" | "unset")
    }
}

/// Plugins that take sending into their own hands.
const OTHERS: [(&str, &str); 8] = [
    ("fluent-smtp/", "FluentSMTP"),
    ("post-smtp/", "Post SMTP"),
    ("easy-wp-smtp/", "Easy WP SMTP"),
    ("smtp-mailer/", "SMTP Mailer"),
    ("wp-ses/", "WP Offload SES"),
    ("mailgun/", "Mailgun"),
    ("sendgrid-email-delivery-simplified/", "SendGrid"),
    ("gmail-smtp/", "Gmail SMTP"),
];

/// The oldest PHP that the plugin runs on.
const OLDEST: (u32, u32) = (7, 4);

/// Everything about a site that keeps its mail from going where it should, or that somebody should know.
pub fn judge(seen: &Seen, profile: &Profile) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut numbers = seen
        .php
        .split('.')
        .map(|part| part.parse().unwrap_or_default());
    let version = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    if version < OLDEST {
        all.push(
            Finding::error(
                "wordpress.php",
                "PHP",
                format!("is older than {}.{}, for which the plugin is written; nobody mends it any more", OLDEST.0, OLDEST.1),
            )
            .value(&seen.php)
            .hint("update PHP, or the site's image"),
        );
    }
    if seen.is_theirs() {
        let there = if seen.wpms_host.is_empty() {
            "another mailer".to_owned()
        } else {
            format!("the server {}", seen.wpms_host)
        };
        all.push(
            Finding::warning(
                "wordpress.constants",
                "WPMS_ON",
                format!("is set already, in wp-config.php or another file of the site, with {there}: that decides, and nothing is changed"),
            )
            .hint("to send through this server: take the lines with WPMS_ out, and run the same command again"),
        );
    }
    for (start, name) in OTHERS {
        if let Some(plugin) = seen.plugins.iter().find(|one| one.starts_with(start)) {
            let slug = plugin.split('/').next().unwrap_or(plugin);
            all.push(
                Finding::warning(
                    "wordpress.other_plugin",
                    plugin.clone(),
                    format!("{name} is active, and may send by another way than this server"),
                )
                .hint(format!("`wp plugin deactivate {slug}`")),
            );
        }
    }
    if !seen.wp_mail.is_empty() {
        all.push(
            Finding::warning(
                "wordpress.wp_mail",
                "wp_mail",
                "is not WordPress's own function: a plugin sends by its own means, and may not ask ours",
            )
            .value(&seen.wp_mail)
            .hint("deactivate the plugin that has this file"),
        );
    }
    if seen.dead_option {
        all.push(
            Finding::notice(
                "wordpress.dead_option",
                "wp_mail_smtp_options",
                "is an option of AgencyStack's old script that nothing reads, with a password in it",
            )
            .hint("`wp option delete wp_mail_smtp_options`"),
        );
    }
    if !seen.their_host.is_empty() && seen.their_host != profile.host.as_str() {
        all.push(
            Finding::notice(
                "wordpress.their_host",
                "wp_mail_smtp",
                "is the server that WP Mail SMTP has in the database; from now on it does not count",
            )
            .value(&seen.their_host),
        );
    } else if seen.their_host.is_empty()
        && !matches!(seen.their_mailer.as_str(), "" | "mail" | "smtp")
    {
        all.push(
            Finding::notice(
                "wordpress.their_mailer",
                "wp_mail_smtp",
                "is the way that WP Mail SMTP has in the database; from now on it does not count",
            )
            .value(&seen.their_mailer),
        );
    }
    all
}

/// How far a site's PHP gets at the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Probe {
    /// Where it ended: `resolve`, `connect`, `tls`, `hello`, `login`, `sender`, `recipient`; empty where nothing is wrong.
    pub stage: String,
    /// The server's code, if it answered.
    pub code: u16,
    /// What was said.
    pub text: String,
}

impl Probe {
    /// What is wrong, and what to type; nothing where all is well. `container` names where the site's PHP runs.
    pub fn finding(&self, profile: &Profile, container: Option<&str>) -> Option<Finding> {
        let Profile {
            host, port, login, ..
        } = profile;
        let place = container.map_or_else(
            || "this host".to_owned(),
            |name| format!("the container {name}"),
        );
        // A service of Compose's, so that the name leads to the host's published ports.
        let way = || {
            container.map_or_else(
                || format!("`getent hosts {host}` shows where the name leads"),
                |_| format!("give the site's service in its docker-compose.override.yml: `extra_hosts: [\"{host}:host-gateway\"]`, and recreate it"),
            )
        };
        let (id, message, hint) = match self.stage.as_str() {
            "" => return None,
            "resolve" => (
                "wordpress.resolve",
                format!("{place} knows no address of {host}"),
                way(),
            ),
            "connect" => (
                "wordpress.connect",
                format!("{place} does not reach port {port} of {host}"),
                way(),
            ),
            "tls" => (
                "wordpress.tls",
                format!("{place} does not accept the certificate of {host}"),
                "`mailu certs` shows it; an authority of your own: hand its certificate over"
                    .to_owned(),
            ),
            "login" => (
                "wordpress.login",
                format!("the server does not let {login} in"),
                "make it another token, and run the same command again".to_owned(),
            ),
            "sender" | "recipient" if self.code == 553 => (
                "wordpress.sender",
                format!("{login} may not send as {}", profile.envelope()),
                format!(
                    "make {} an alias with {login} as its destination",
                    profile.envelope()
                ),
            ),
            "sender" | "recipient" if self.code == 450 => (
                "wordpress.limit",
                format!("{login} has sent as much as it may for now"),
                "`mailu config set limits.messages=400/day` allows more, or wait a day".to_owned(),
            ),
            stage => (
                "wordpress.refused",
                format!("the server does not take mail from {login} ({stage})"),
                "`mailu logs --tail 50 front smtp` shows what it says of that".to_owned(),
            ),
        };
        let said = if self.code == 0 {
            self.text.clone()
        } else {
            format!("{} {}", self.code, self.text)
        };
        Some(
            Finding::error(id, host.as_str(), message)
                .value(said)
                .hint(hint),
        )
    }
}

/// What a site did when it was to send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Verified {
    /// What our plugin does, as [`Seen::mode`].
    pub mode: String,
    /// Whether the server took the message; without a recipient, whether it let the site in.
    pub ok: bool,
    /// Why not.
    pub why: String,
    /// PHPMailer's way of sending.
    pub mailer: String,
    /// Where it connected to.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `ssl` or `tls`.
    pub secure: String,
    /// Who logged in.
    pub login: String,
    /// `From:`
    pub from: String,
    /// The envelope sender.
    pub sender: String,
    /// The message's identifier.
    pub message_id: String,
    /// Whether the secret that the site has read is that of the profile.
    pub current: bool,
}

impl Verified {
    /// What is wrong; nothing where the site sends as `profile` says.
    pub fn findings(&self, profile: &Profile) -> Vec<Finding> {
        let one = |id, subject: &str, message: String, hint: &str| {
            vec![Finding::error(id, subject, message).hint(hint)]
        };
        match self.mode.as_str() {
            "" => one(
                "wordpress.absent",
                super::PLUGIN_FILE,
                "is not loaded by the site".to_owned(),
                "run `mailu integrate wordpress` again",
            ),
            "theirs" => one(
                "wordpress.constants",
                "WPMS_ON",
                "is set by somebody else, and decides".to_owned(),
                "take the lines with WPMS_ out of wp-config.php",
            ),
            "unset" => one(
                "wordpress.unreadable",
                super::SETTINGS_FILE,
                "cannot be read by the site's PHP".to_owned(),
                "look at its owner and permissions, and at open_basedir",
            ),
            _ if !self.current => one(
                "wordpress.stale",
                super::SETTINGS_FILE,
                "is not the one that was written: the site has another password".to_owned(),
                "run `mailu integrate wordpress` again",
            ),
            _ if !self.ok => {
                let mut all = one(
                    "wordpress.not_sent",
                    profile.host.as_str(),
                    "did not take a message from the site".to_owned(),
                    "`mailu logs --tail 50 front smtp` shows what it says of that",
                );
                if let Some(finding) = all.first_mut() {
                    *finding = finding.clone().value(&self.why);
                }
                all
            }
            _ if self.mailer != "smtp"
                || self.host != profile.host.as_str()
                || self.port != profile.port
                || self.login != profile.login.to_string() =>
            {
                one(
                    "wordpress.elsewhere",
                    "wp_mail",
                    format!(
                        "does not send by {}: another plugin has changed the way last",
                        profile.host
                    ),
                    "deactivate other plugins that send mail",
                )
            }
            _ if self.sender != profile.envelope().to_string() => one(
                "wordpress.envelope",
                "wp_mail",
                format!(
                    "sends as {}: another plugin has changed the sender last",
                    self.sender
                ),
                "deactivate other plugins that change senders",
            ),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::profile;
    use super::*;

    fn ids(all: &[Finding]) -> Vec<&str> {
        all.iter().map(|finding| finding.id.as_str()).collect()
    }

    #[test]
    fn a_site_of_its_own_has_nothing_to_say() {
        let seen = Seen {
            php: "8.2.29".to_owned(),
            ..Seen::default()
        };
        assert_eq!(judge(&seen, &profile()), []);
        let ours = Seen {
            wpms_on: true,
            wpms_host: "mail.example.com".to_owned(),
            mode: "constants".to_owned(),
            ..seen
        };
        assert_eq!(judge(&ours, &profile()), []);
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let seen = Seen {
            php: "7.3.33".to_owned(),
            wpms_on: true,
            wpms_host: "smtp.example.net".to_owned(),
            plugins: vec![
                "akismet/akismet.php".to_owned(),
                "fluent-smtp/fluent-smtp.php".to_owned(),
                "post-smtp/postman-smtp.php".to_owned(),
                "easy-wp-smtp/easy-wp-smtp.php".to_owned(),
            ],
            wp_mail: "/var/www/html/wp-content/plugins/post-smtp/Postman/x.php".to_owned(),
            their_host: "mailu".to_owned(),
            dead_option: true,
            ..Seen::default()
        };
        let all = judge(&seen, &profile());
        assert_eq!(
            ids(&all),
            [
                "wordpress.php",
                "wordpress.constants",
                "wordpress.other_plugin",
                "wordpress.other_plugin",
                "wordpress.other_plugin",
                "wordpress.wp_mail",
                "wordpress.dead_option",
                "wordpress.their_host",
            ]
        );
        let hints = all.iter().flat_map(|finding| &finding.hints);
        assert!(
            hints
                .into_iter()
                .any(|hint| hint == "`wp plugin deactivate fluent-smtp`")
        );
    }

    #[test]
    fn a_probe_says_what_to_do() {
        let profile = profile();
        let at = |stage: &str, code| Probe {
            stage: stage.to_owned(),
            code,
            text: "words".to_owned(),
        };
        assert_eq!(at("", 0).finding(&profile, None), None);
        for (stage, code, id) in [
            ("resolve", 0, "wordpress.resolve"),
            ("connect", 0, "wordpress.connect"),
            ("tls", 0, "wordpress.tls"),
            ("login", 535, "wordpress.login"),
            ("recipient", 553, "wordpress.sender"),
            ("recipient", 450, "wordpress.limit"),
            ("recipient", 550, "wordpress.refused"),
            ("hello", 554, "wordpress.refused"),
        ] {
            let finding = at(stage, code)
                .finding(&profile, Some("a_wordpress"))
                .unwrap();
            assert_eq!(finding.id, id);
            assert!(!finding.hints.is_empty());
        }
    }

    type Change = fn(&mut Verified);

    #[test]
    fn what_was_sent_is_compared_with_what_was_meant() {
        let profile = profile();
        let well = Verified {
            mode: "hooks".to_owned(),
            ok: true,
            mailer: "smtp".to_owned(),
            host: "mail.example.com".to_owned(),
            port: 465,
            login: "blog@example.com".to_owned(),
            sender: "blog@example.com".to_owned(),
            current: true,
            ..Verified::default()
        };
        assert_eq!(well.findings(&profile), []);
        let cases: [(&str, Change); 8] = [
            ("wordpress.absent", |v| v.mode.clear()),
            ("wordpress.constants", |v| v.mode = "theirs".to_owned()),
            ("wordpress.unreadable", |v| v.mode = "unset".to_owned()),
            ("wordpress.stale", |v| v.current = false),
            ("wordpress.not_sent", |v| v.ok = false),
            ("wordpress.elsewhere", |v| v.mailer = "mail".to_owned()),
            ("wordpress.elsewhere", |v| v.login.clear()),
            ("wordpress.envelope", |v| v.sender.clear()),
        ];
        for (id, change) in cases {
            let mut changed = well.clone();
            change(&mut changed);
            assert_eq!(ids(&changed.findings(&profile)), [id]);
        }
    }
}
