//! `mailu.toml` of a deployment.

use serde_json::Value;

use super::request::{Plains, Request, request, settings};
use crate::error::{Error, ErrorKind};
use crate::finding::Finding;
use crate::host::perform::Progress;
use crate::host::root::Mailu;

request! {
    /// What is worth knowing about a deployment's `mailu.toml`. What is wrong with it is the error.
    ConfigCheck of one () {}
}

impl Request for ConfigCheck {
    type Answer = Vec<Finding>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        Ok(mailu.config(&layout)?.1)
    }
}

request! {
    /// The value of a key, or all of them, defaults included.
    ConfigGet of one ()
    {
        /// The key: `limits.quota`.
        key: Option<String>,
    }
}

impl Request for ConfigGet {
    type Answer = Value;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        mailu.config_value(&layout, self.key.as_deref())
    }
}

request! {
    /// Sets keys of `mailu.toml`; `apply` does the rest. What is worth knowing about the result.
    ConfigSet of one
    (
        /// Values by key: `{"limits.quota": "10GB"}`.
        settings: Plains,
    )
    {}
}

impl Request for ConfigSet {
    type Answer = Vec<Finding>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let changes: Vec<_> = settings(&self.settings)
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        mailu.configure(&layout, &changes)
    }
}

request! {
    /// Removes keys from `mailu.toml`, so that their defaults count. What is worth knowing about the result.
    ConfigUnset of one
    (
        /// The keys.
        keys: Vec<String>,
    )
    {}
}

impl Request for ConfigUnset {
    type Answer = Vec<Finding>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let changes: Vec<_> = self.keys.into_iter().map(|key| (key, None)).collect();
        mailu.configure(&layout, &changes)
    }
}

impl Mailu {
    /// The value of a key of the configuration at `layout`, or all of it, defaults included.
    ///
    /// # Errors
    ///
    /// As [`Mailu::config`]; [`ErrorKind::NotFound`] if there is no such key.
    pub fn config_value(
        &self,
        layout: &crate::paths::Layout,
        key: Option<&str>,
    ) -> Result<Value, Error> {
        let (config, _) = self.config(layout)?;
        let value = serde_json::to_value(&config).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "output.json",
                "print the configuration",
            )
            .source(error)
        })?;
        let Some(key) = key else {
            return Ok(value);
        };
        key.split('.')
            .try_fold(value, |value, part| value.get(part).cloned())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    "config.no_such_key",
                    format!("print `{key}`: there is no such key"),
                )
                .hint("`mailu config schema` lists every key")
            })
    }
}
