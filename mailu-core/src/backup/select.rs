//! What of a deployment goes into a backup, and how it is read.

/// How the files of a place have to be read to be of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// File by file: each is written as a whole by us, or by somebody who replaces it.
    Plain,
    /// The same, where whoever writes does so all the time, and what is lost are statistics.
    Loose,
    /// All at once, while its service stands still. Files do not change once they have their name.
    Linked,
    /// All at once, while its service stands still. Files change in their place.
    Copied,
}

/// A directory below `data`, and who writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its name below `data`.
    pub name: &'static str,
    /// The service that writes it.
    pub service: &'static str,
    /// How it is read.
    pub way: Way,
}

const fn at(name: &'static str, service: &'static str, way: Way) -> Place {
    Place { name, service, way }
}

/// Every directory below `data` that is kept. What is not here can be had again: virus signatures.
pub const PLACES: [Place; 9] = [
    at("admin", "admin", Way::Plain),
    at("certs", "front", Way::Plain),
    at("dkim", "admin", Way::Plain),
    at("filter", "antispam", Way::Loose),
    at("redis", "redis", Way::Plain),
    at("webmail", "webmail", Way::Plain),
    at("fetchmail", "fetchmail", Way::Copied),
    at("mailqueue", "smtp", Way::Copied),
    at("dav", "webdav", Way::Linked),
];

/// Mail, which comes last: it is the most.
pub const MAIL: Place = at("mail", "imap", Way::Linked);

/// The place called `name` below `data`.
pub fn place(name: &str) -> Option<Place> {
    PLACES
        .into_iter()
        .chain([MAIL])
        .find(|place| place.name == name)
}

/// The directory that a backup makes while it is at work, among what it reads.
pub const SNAPSHOT: &str = ".mailu-snapshot";

/// Whether something is left out: it can be made again, or means nothing elsewhere. `inside` are the names of the directories
/// from `data/PLACE` down, `name` is its own.
pub fn left_out(place: &str, inside: &[&str], name: &str) -> bool {
    if name == SNAPSHOT || name.ends_with(crate::plan::TEMPORARY_SUFFIX) {
        return true;
    }
    match place {
        "mail" => {
            // Dovecot makes indexes and caches anew, and what is in tmp was never delivered.
            name.starts_with("dovecot.index")
                || name.starts_with("dovecot.list.index")
                || name.starts_with("dovecot.mailbox.log")
                || matches!(name, "fts-flatcurve" | "xapian-indexes")
                || matches!(
                    name,
                    "dovecot-uidlist.lock"
                        | "dovecot-uidlist.tmp"
                        | "dovecot-keywords.lock"
                        | "dovecot-keywords.tmp"
                        | "subscriptions.lock"
                )
                || inside.last() == Some(&"tmp")
        }
        "mailqueue" => inside.first() == Some(&"pid"),
        // Compiled expressions, and copies of maps from elsewhere.
        "filter" => [".hs", ".hsmp", ".map", ".unser", ".tmp"]
            .iter()
            .any(|end| name.ends_with(end)),
        "redis" => name.starts_with("temp-"),
        // SnappyMail's container writes this at every start.
        "webmail" => inside == ["_data_", "_default_"] && name == "domains",
        _ => false,
    }
}
