//! Integration tests: the library and the program as their users see them, and other tools' opinion of what they make.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod accounts;
mod agencystack;
mod api;
mod apps;
mod archives;
mod backup;
mod bad_input;
mod browser;
mod certificates;
mod certs;
mod chatwoot;
mod cli;
mod compose;
mod deliverability;
mod delivery;
mod deploy;
mod deps;
mod diagnose;
mod dkim;
mod docs;
mod edits;
mod env;
mod erpnext;
mod examples;
mod fake_engine;
mod fleet;
mod formats;
mod golden;
mod guards;
mod http_api;
mod interrupted;
mod kill;
mod lab;
#[path = "../e2e/ledger.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests that need an engine, which use more of it"
)]
mod ledger;
mod listmonk;
mod lost;
#[path = "../e2e/maildir.rs"]
mod maildir;
mod migrate;
mod operate;
mod preflight;
mod published;
mod random;
mod restore;
mod settings;
mod spf;
mod standin;
mod support;
mod up;
mod update;
mod wizard;
mod wordpress;
mod wordpress_site;
mod yaml;
mod zone;
