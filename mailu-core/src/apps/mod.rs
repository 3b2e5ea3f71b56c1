//! Apps that send through the server: what each must be told, in its own format.
//!
//! One file for each app. Whatever an app is told comes from a [`Profile`]; [`by_name`] finds the app, [`App::settings`] writes its
//! settings, and [`App::merged`] puts them into a file that has other settings already.

mod calcom;
pub mod chatwoot;
mod digest;
mod discourse;
mod documenso;
mod exempt;
pub mod frappe;
mod generic;
mod ghost;
mod gitea;
mod gitlab;
mod given;
mod grafana;
mod keycloak;
mod killbill;
pub mod listmonk;
mod mattermost;
mod merge;
mod n8n;
mod nextcloud;
mod offer;
mod peertube;
mod profile;
pub(crate) mod quote;
mod records;
mod registry;
pub mod route;
mod rules;
mod sender;
mod taiga;
mod value;
pub mod wordpress;

pub use digest::Digest;
pub use exempt::{Exemption, exemption, is_exempt};
pub use merge::env::unmerge as unmerge_env;
pub use offer::Offer;
pub use profile::{Bounces, Incoming, Profile, Throttle, Tls};
pub use quote::mailbox;
pub use records::{docs_file, image_version, report, with_component, without_component};
pub use registry::{ALL, App, Info, Settings, Starttls, by_name, find, generic, list};
pub use rules::is_numeric_looking;
pub use sender::{Entry, Ownership, Sender, Wish, sender, state_file};
