//! Settings put into files that have other settings already: all else stays as it is, byte for byte.

pub(super) mod env;
pub(super) mod ini;
pub(super) mod json;
