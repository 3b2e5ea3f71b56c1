//! Real Listmonks, where `MAILU_LISTMONKS` names some: `tests/tools/real_listmonk.sh` builds and starts them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mailu_core::Secret;
use mailu_core::host::Listmonk;
use serde_json::Value;

use super::api::{Target, with_others};
use super::smtp::Server;
use crate::support::tool;

pub(crate) struct Real {
    url: String,
    user: String,
    secret: String,
    /// As `psql -d` takes it.
    database: String,
}

impl Real {
    /// Those of a version, with settings that are in use. Each line of the variable has version, address, user, secret, database, and the file
    /// that `SSL_CERT_FILE` names for it.
    pub(crate) fn named(version: &str) -> Vec<Self> {
        let all = std::env::var("MAILU_LISTMONKS").unwrap_or_default();
        all.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.first() == Some(&version))
            .map(|words| {
                Server::write_authority(Path::new(words[5]));
                let real = Self {
                    url: words[1].to_owned(),
                    user: words[2].to_owned(),
                    secret: words[3].to_owned(),
                    database: words[4].to_owned(),
                };
                for (key, value) in with_others(version).as_object().unwrap() {
                    if key != "migrations" {
                        real.change(key, value.clone());
                    }
                }
                real
            })
            .collect()
    }

    fn psql(&self, script: &str) -> String {
        let mut child = Command::new(tool("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                &self.database,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Target for Real {
    fn listmonk(&self) -> Listmonk {
        Listmonk::over_api(&self.url, &self.user, Secret::new(&self.secret), None).unwrap()
    }

    fn rows(&self) -> Value {
        let text = self.psql("SELECT json_object_agg(key, value) FROM settings;");
        serde_json::from_str(&text).unwrap()
    }

    fn change(&self, key: &str, value: Value) {
        let value = value.to_string().replace('\'', "''");
        self.psql(&format!(
            "UPDATE settings SET value = '{value}' WHERE key = '{key}';"
        ));
    }

    fn campaign(&self, _: bool) -> bool {
        false
    }
}
