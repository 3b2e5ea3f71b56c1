//! What needs no host.

use std::collections::BTreeMap;

use serde_json::Value;

use super::request::{Document, Request, request};
use crate::accounts::{self, FieldInfo};
use crate::api;
use crate::apps;
use crate::config;
use crate::dns::Report;
use crate::error::Error;
use crate::finding::Finding;
use crate::host::perform::Progress;
use crate::host::root::Mailu;
use crate::render::RenderedFile;
use crate::secret::Secret;

/// Texts that are secrets, by name.
type Secrets = BTreeMap<String, Secret>;

fn exposed(secrets: &Secrets) -> BTreeMap<String, String> {
    secrets
        .iter()
        .map(|(name, secret)| (name.clone(), secret.expose().to_owned()))
        .collect()
}

request! {
    /// Everything that is wrong with a configuration, or worth knowing about it. Empty: all is well.
    CheckConfig
    (
        /// The text of `mailu.toml`, or its keys.
        config: Document,
    )
    {}
}

impl Request for CheckConfig {
    type Answer = Vec<Finding>;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        api::check_config(&self.config.0)
    }
}

request! {
    /// Every generated file of a deployment. What is missing is left out of the files.
    Render
    (
        /// The text of `mailu.toml`, or its keys.
        config: Document,
    )
    {
        /// Secrets, named as their files are: `secret_key`, `api_token`, `relay_password`.
        secrets: Secrets,
        /// Private DKIM keys (PEM), by email domain.
        dkim_keys: Secrets,
    }
}

impl Request for Render {
    type Answer = Vec<RenderedFile>;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        api::render_files(
            &self.config.0,
            &exposed(&self.secrets),
            &exposed(&self.dkim_keys),
        )
    }
}

request! {
    /// The DNS records that a configuration needs, by zone.
    DnsRecords
    (
        /// The text of `mailu.toml`, or its keys.
        config: Document,
    )
    {
        /// Private DKIM keys (PEM), by email domain.
        dkim_keys: Secrets,
    }
}

impl Request for DnsRecords {
    type Answer = Report;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        api::dns_records(&self.config.0, &exposed(&self.dkim_keys))
    }
}

request! {
    /// The JSON Schema of `mailu.toml`.
    ConfigSchema () {}
}

impl Request for ConfigSchema {
    type Answer = BTreeMap<String, Value>;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        match config::json_schema() {
            Value::Object(map) => Ok(map.into_iter().collect()),
            _ => Ok(BTreeMap::new()),
        }
    }
}

request! {
    /// Every attribute of accounts: by kind, then by its name in `accounts.toml`.
    AccountsSchema () {}
}

impl Request for AccountsSchema {
    type Answer = BTreeMap<String, BTreeMap<&'static str, FieldInfo>>;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        Ok(accounts::schema())
    }
}

request! {
    /// The apps that can be told how to send through a server: names, formats, what STARTTLS is worth in each, notes for people.
    AppList () {}
}

impl Request for AppList {
    type Answer = Vec<apps::Info>;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        Ok(api::app_list())
    }
}

request! {
    /// What an app is to be told of any server: the settings, with the secret in them.
    SettingsOfApp
    (
        /// The app.
        app: String,
        /// `host`, `login` and `secret`, and perhaps `tls`, `port`, `from`, `from_name`, `helo`, `envelope_from` and `incoming`.
        profile: Hidden,
    )
    {
        /// The format. Without it, the app's usual one.
        format: Option<String>,
    }
}

/// A profile, which has a secret in it.
#[derive(serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(super) struct Hidden(BTreeMap<String, Value>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(***)")
    }
}

impl Request for SettingsOfApp {
    type Answer = apps::Settings;

    fn perform(self, _: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let profile = Value::Object(self.profile.0.into_iter().collect());
        api::app_settings(&self.app, self.format.as_deref(), &profile)
    }
}
