//! Who has mail here: domains, users, aliases and relayed domains of a server, as plain data.
//!
//! What is wanted comes from `accounts.toml` ([`Wanted::from_toml`]), a table of users ([`Wanted::from_csv`]) or a caller; what there is from
//! Mailu's export ([`Accounts::from_export`]). [`plan()`] compares the two. What a plan changes is written as one document for Mailu's import.

mod export;
mod fields;
mod file;
mod model;
mod password;
mod plan;
mod table;
#[cfg(test)]
mod tests;

pub use export::{Accounts, json_in};
pub use fields::{
    Field, FieldInfo, Kind, Settings, check_settings, field, fields, normal, read_settings, schema,
};
pub use file::Wanted;
pub use model::{
    Alias, AliasSettings, Domain, DomainSettings, Network, NewToken, Relay, RelaySettings, Token,
    User, UserSettings, network,
};
pub use password::{PasswordHash, check_password};
pub use plan::{Action, Context, Difference, Plan, Prune, Step, differences, plan};
