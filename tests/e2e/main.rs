//! A real Docker engine, on a machine of its own with an Internet of its own: `make e2e`, `tests/stack`.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

#[path = "../it/support.rs"]
#[expect(
    dead_code,
    reason = "shared with the integration tests, which use more of it"
)]
mod support;

mod accounts;
mod again;
mod apps;
mod checks;
mod clients;
mod delivery;
mod diagnosed;
mod docs;
mod engine;
#[path = "../it/http_api.rs"]
mod http_api;
mod inbox;
mod integrate;
mod interrupted;
mod kept;
mod ledger;
mod load;
mod mail;
mod maildir;
mod modes;
mod newsletter;
mod server;
mod taken_over;
mod updated;
mod verbs;
mod watch;
mod wordpress;
#[path = "../it/wordpress_site.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests that need no engine, which use more of it"
)]
mod wordpress_site;
mod world;
