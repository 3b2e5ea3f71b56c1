//! How an app's HTTP API is reached.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::host::files;
use crate::secret::Secret;

/// How an app's HTTP API is reached, and as whom.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AppApi {
    /// The address of its site.
    pub url: String,
    /// Listmonk: the API user. `ERPNext`: the API key, where the token is the API secret alone.
    pub user: Option<String>,
    /// Chatwoot: the number of the account.
    pub account: Option<u64>,
    /// The token. Chatwoot: an administrator's access token. `ERPNext`: API key and secret, with a colon between.
    pub secret: Option<Secret>,
    /// A file that has the token, read where there is no `secret`; its path is remembered.
    pub token_file: Option<PathBuf>,
}

impl AppApi {
    /// By the address of the site.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }

    /// The token.
    pub(super) fn token(&self, title: &str) -> Result<Secret, Error> {
        if let Some(secret) = &self.secret {
            return Ok(secret.clone());
        }
        let Some(path) = &self.token_file else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "integrate.token",
                format!("log in to {title} at {}: its token is not given", self.url),
            )
            .hint("name a file that has it: `--api-token-file FILE`, or `--api-token-file -` for the input"));
        };
        let text = fs::read_to_string(path).map_err(|error| files::failed("read", path, error))?;
        Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
    }
}

/// The same, as it is remembered: without a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownApi {
    url: String,
    user: Option<String>,
    account: Option<u64>,
    token_file: Option<PathBuf>,
}

impl KnownApi {
    pub(super) fn new(api: &AppApi) -> Self {
        let absolute = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        Self {
            url: api.url.trim_end_matches('/').to_owned(),
            user: api.user.clone(),
            account: api.account,
            token_file: api.token_file.as_ref().map(absolute),
        }
    }

    /// What is not said again is as it was, where it is the same site.
    pub(super) fn fill(&self, api: Option<AppApi>) -> AppApi {
        let mut api = api.unwrap_or_default();
        if api.url.is_empty() {
            api.url.clone_from(&self.url);
        }
        if api.url.trim_end_matches('/') == self.url {
            api.user = api.user.or_else(|| self.user.clone());
            api.account = api.account.or(self.account);
            if api.secret.is_none() {
                api.token_file = api.token_file.or_else(|| self.token_file.clone());
            }
        }
        api
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_site_is_told_to_no_other() {
        let mut first = AppApi::new("https://chat.example.com/");
        first.account = Some(3);
        first.token_file = Some("/nowhere/token".into());
        let known = KnownApi::new(&first);
        let text = serde_json::to_string(&known).unwrap_or_default();
        assert!(text.contains("https://chat.example.com\""), "{text}");

        let again = known.fill(None);
        assert_eq!(
            (&*again.url, again.account, again.token_file.is_some()),
            ("https://chat.example.com", Some(3), true)
        );
        let same = known.fill(Some(AppApi::new("https://chat.example.com/")));
        assert_eq!((same.account, same.token_file.is_some()), (Some(3), true));
        let other = known.fill(Some(AppApi::new("https://chat.example.net")));
        assert_eq!((other.account, other.token_file), (None, None));
        // A token by the input goes before the file of the last time.
        let by_input = AppApi {
            secret: Some(Secret::new("new")),
            ..AppApi::default()
        };
        let filled = known.fill(Some(by_input));
        assert_eq!(filled.token_file, None);
        assert!(
            filled
                .token("Chatwoot")
                .is_ok_and(|one| one.expose() == "new")
        );
    }

    #[test]
    fn a_token_that_is_not_given_is_asked_for() {
        let error = AppApi::new("https://chat.example.com")
            .token("Chatwoot")
            .map(|_| ());
        assert_eq!(error.map_err(|error| error.code()), Err("integrate.token"));
        let mut gone = AppApi::new("https://chat.example.com");
        gone.token_file = Some("/nowhere/token".into());
        let error = gone.token("Chatwoot").map(|_| ());
        assert!(error.is_err_and(|error| error.to_string().contains("/nowhere/token")));
    }
}
