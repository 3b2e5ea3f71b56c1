//! Listmonk: its settings in a real PostgreSQL, and over an API that forgives as little as the real one.

mod api;
mod containers;
mod database;
mod emulator;
mod postgres;
mod real;
mod smtp;

use mailu_core::Secret;
use mailu_core::apps::listmonk::{Options, Settings};
use mailu_core::apps::{Bounces, Profile, Throttle, Tls};
use serde_json::Value;

use crate::support::tests;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const BOUNCES: &str = "fedcba9876543210fedcba9876543210";

/// The settings of a Listmonk that is in use: `v3` or `v6.2`, with the samples of a new one. Secrets are as they are stored.
pub(crate) fn fixture(version: &str) -> Value {
    let path = tests(&format!("it/listmonk/{version}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn object(value: &Value) -> Settings {
    value.as_object().unwrap().clone()
}

/// Login, envelope sender and mailbox for what comes back are one; the sender that people see is another.
pub(crate) fn profile() -> Profile {
    let login: mailu_core::names::EmailAddress = "newsletter-bounce@example.com".parse().unwrap();
    let mut profile = Profile::new(
        "mail.example.com".parse().unwrap(),
        Tls::Implicit,
        login.clone(),
        Secret::new(TOKEN),
    );
    profile.from = "news@example.com".parse().unwrap();
    profile.from_name = Some("Example News".to_owned());
    profile.bounces = Some(Bounces::new(login, Secret::new(TOKEN)));
    profile.throttle = Some(Throttle::new(200, 86_400));
    profile
}

pub(crate) fn options() -> Options {
    let mut options = Options::new("listmonk-acme");
    options.root_url = Some("https://lists.example.com/".to_owned());
    options
}
