//! Apps that send through the server: what each must be told, in its own format.

mod profile;
pub mod wordpress;

pub use profile::{Bounces, Incoming, Profile, Throttle, Tls};
