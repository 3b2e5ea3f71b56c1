//! The DNS records that a deployment needs: one model for every format, and for the checks to come.

pub mod check;
pub mod formats;
mod record;
mod required;
mod reverse;
pub mod spf;
pub mod tlsa;
mod zone;

pub use record::{Data, Level, Record, chunks};
pub use required::{PublicKeys, records, records_with};
pub use reverse::is_providers;
pub use reverse::is_reverse;
pub(crate) use zone::serial_of;
pub use zone::{Report, ZoneReport, report, zone_file, zone_records};
