//! Real Listmonks, where `MAILU_LISTMONKS` names some: `tests/tools/real_listmonk.sh` builds and starts them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mailu_core::Secret;
use mailu_core::apps::listmonk::{Done, Seen, patch, sql, sql_look, sql_remove, verify};
use mailu_core::host::Listmonk;
use serde_json::Value;

use super::api::{Target, with_others};
use super::smtp::Server;
use super::{options, profile};
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

    /// What SQL has done is what the API would do: nothing is left for it. And the other way round.
    pub(crate) fn by_its_database(&self) {
        let (profile, options) = (profile(), options());
        let look =
            || Seen::read(&self.psql(sql_look(&profile, &options).unwrap().expose())).unwrap();
        let seen = look();
        let plan = patch(&seen, &profile, &options, None, "salt").unwrap();
        let script = sql(&profile, &options, seen.version, None).unwrap();
        let done = Done::read(&self.psql(script.expose())).unwrap();
        assert_eq!(done.keys, plan.keys());
        assert_eq!(verify(&plan, &look().settings), []);
        let record = plan.record.unwrap();
        let over_api = self
            .listmonk()
            .plan(&profile, &options, Some(&record))
            .unwrap();
        assert_eq!(over_api.changes, [], "{over_api:#?}");
        // It starts with what SQL has written, and sends its settings back without loss.
        let mut other = profile.clone();
        other.from_name = Some("Other".to_owned());
        let report = self
            .listmonk()
            .apply(&other, &options, Some(&record), false, &mut |_| {})
            .unwrap();
        assert!(report.restarted, "{report:#?}");
        let seen = look();
        let plan = patch(&seen, &other, &options, report.record.as_ref(), "salt").unwrap();
        assert_eq!(plan.changes, [], "{:#?}", plan.changes);
        let record = report.record.unwrap();
        Done::read(&self.psql(sql_remove(&record).expose())).unwrap();
        let left = self.listmonk().plan_removal(&record).unwrap();
        assert_eq!(left.changes, [], "{left:#?}");
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
