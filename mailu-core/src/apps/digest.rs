//! What is remembered of a secret.

use serde::{Deserialize, Serialize};

use crate::hash;
use crate::secret::Secret;

/// A salted SHA-256 of a secret. Where an app shows no secret over its API, this tells whether the one in there is still ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Digest {
    salt: String,
    sha256: String,
}

impl Digest {
    /// Of a secret, with a salt that nobody has used before.
    pub fn new(secret: &Secret, salt: impl Into<String>) -> Self {
        let salt = salt.into();
        let sha256 = sum(&salt, secret);
        Self { salt, sha256 }
    }

    /// Whether it is of this secret.
    pub fn matches(&self, secret: &Secret) -> bool {
        self.sha256 == sum(&self.salt, secret)
    }
}

fn sum(salt: &str, secret: &Secret) -> String {
    hash::sha256(format!("{salt}\n{}", secret.expose()).as_bytes())
}
