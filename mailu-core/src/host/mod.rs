//! The impure half: reads the host, performs plans. Only with the feature `host`.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "everything that touches files, clocks, randomness or sockets lives here"
)]

mod accounts;
mod acme;
mod admin;
pub mod api;
mod app;
mod backup;
mod certificate;
mod certs;
mod chatwoot;
mod compose;
mod delivery;
mod deps;
mod diagnose;
mod dialog;
mod engine;
mod entropy;
mod erpnext;
mod export;
#[cfg_attr(
    not(feature = "testing"),
    expect(unreachable_pub, reason = "public with the feature testing")
)]
mod files;
mod hints;
mod integrate;
mod lanes;
mod listmonk;
mod lock;
mod logs;
mod lookup;
mod nameservers;
mod observe;
mod operate;
mod pause;
mod perform;
mod policy;
mod preflight;
mod preview;
mod probe;
mod ready;
mod restore;
mod root;
mod served;
mod status;
mod timer;
mod tls;
mod trust;
mod uninstall;
mod up;
mod verify;
mod web;
mod wiring;
mod wordpress;

#[cfg(feature = "testing")]
pub mod testing;

pub use accounts::{
    AccountChange, AccountsApplied, AccountsOptions, Change, ChangeOptions, Departure,
    draw_password, keep_secret,
};
pub use app::write_settings;
pub use backup::{Archive, Backup, BackupOptions, Keys, Pruned, Verified};
pub use certs::{CertificateSync, FrontReload};
pub use chatwoot::Chatwoot;
pub use delivery::TestEmail;
pub use deps::Dependencies;
pub use diagnose::DiagnoseOptions;
pub use erpnext::{ErpNext, ErpNextDone, ErpNextRemoved};
pub use export::export;
pub use integrate::{AppApi, IntegrateOptions, Integrated, Part, PartAction, Proof};
pub use listmonk::{Listmonk, ListmonkReport, ListmonkVerified};
pub use logs::{LogEntry, LogRequest};
pub use nameservers::DnsOptions;
pub use observe::{moment, now_seconds as now, timestamp};
pub use operate::{Executed, OperateOptions, Operated, Power};
pub use perform::{Hidden, Progress};
pub use restore::{RestoreOptions, UpdateOptions};
pub use root::{DeploymentInfo, Details, Mailu, NextStep, Outcome, Target};
pub use timer::TimerState;
pub use uninstall::Uninstalled;
pub use up::UpOptions;
pub use wordpress::{
    WordPressAction, WordPressApplied, WordPressChange, WordPressOptions, WordPressPlan,
    WordPressRemoved, WordPressSite, WordPressTarget, WordPressVerified,
};
