//! MTA-STS (RFC 8461): the policy by which other servers deliver here over verified TLS only, and how front serves it.

use crate::config::{Config, MtaStsMode, TlsMode};
use crate::hash::sha256;

/// The file that serves the policy, in the deployment's directory. Front includes every `.conf` of that directory.
pub const FILE: &str = "overrides/nginx/mailu-mta-sts.conf";

/// The policy's text (RFC 8461 §3.2), one for all domains, because all have the same mail host; nothing if there is none.
pub fn policy(config: &Config) -> Option<String> {
    let sts = &config.mta_sts;
    if sts.mode == MtaStsMode::Off || config.tls.mode == TlsMode::None {
        return None;
    }
    Some(format!(
        "version: STSv1\nmode: {}\nmx: {}\nmax_age: {}\n",
        sts.mode, config.mail_host, sts.max_age
    ))
}

/// The policy's id for the TXT record (RFC 8461 §3.1): another one whenever the policy is another, and only then.
pub fn id(config: &Config) -> Option<String> {
    let mut hash = sha256(policy(config)?.as_bytes());
    hash.truncate(20);
    Some(hash)
}

/// What stands in [`FILE`].
///
/// nginx refuses to start where two exact locations have the same path. Two regular expressions may, so a location that
/// somebody made by hand for the same path never keeps front down; it then answers in place of this one.
pub fn snippet(config: &Config) -> Option<String> {
    let text = policy(config)?.replace('\n', "\\n");
    Some(format!(
        "# Written by `mailu` from [mta_sts] in mailu.toml. Snippets of your own go into other files of this directory.\n\
         location ~ ^/\\.well-known/mta-sts\\.txt$ {{\n    default_type text/plain;\n    return 200 \"{text}\";\n}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let least = "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n";
        Config::from_toml(&format!("{least}{more}"))
            .expect("valid")
            .config
    }

    #[test]
    fn the_policy_says_what_is_configured() {
        assert_eq!(policy(&config("")), None);
        assert_eq!(snippet(&config("")), None);
        let testing = config("[mta_sts]\nmode = \"testing\"\nmax_age = 86400");
        assert_eq!(
            policy(&testing).as_deref(),
            Some("version: STSv1\nmode: testing\nmx: mail.example.com\nmax_age: 86400\n")
        );
    }

    #[test]
    fn the_id_follows_the_policy_and_nothing_else() {
        let testing = config("[mta_sts]\nmode = \"testing\"");
        let other = config("email_domains = [\"example.org\"]\n[mta_sts]\nmode = \"testing\"");
        let enforce = config("[mta_sts]\nmode = \"enforce\"");
        let longer = config("[mta_sts]\nmode = \"testing\"\nmax_age = 604801");
        assert_eq!(id(&testing), id(&other));
        assert!(id(&testing) != id(&enforce) && id(&testing) != id(&longer));
        let id = id(&testing).expect("there is a policy");
        assert!(
            id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{id}"
        );
    }
}
