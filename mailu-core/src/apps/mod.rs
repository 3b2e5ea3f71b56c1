//! Apps that send through the server: what each must be told, in its own format.

pub mod listmonk;
mod profile;

pub use profile::{Bounces, Incoming, Profile, Throttle, Tls};
