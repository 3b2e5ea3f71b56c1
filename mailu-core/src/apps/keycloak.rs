//! Keycloak: a realm's `smtpServer`, in which everything is text.

use super::registry::{App, Form, Merge, Starttls};
use super::value::Map;
use super::{Profile, Tls};

pub(super) const APP: App = App {
    name: "keycloak",
    title: "Keycloak",
    aliases: &["kc"],
    starttls: Starttls::Opportunistic,
    notes: &[
        "each realm has its own, `master` too",
        "the map is replaced whole, and what Keycloak shows of it has stars for the password: always send all of it, with the real one",
    ],
    forms: &[Form {
        name: "json",
        about: "PUT to /admin/realms/REALM, or the input of: kcadm.sh update realms/REALM -f -",
        write: |profile| Ok(realm(profile).json()),
        merge: Merge::None,
    }],
    environment: None,
    by_port: false,
    usual: "json",
};

fn realm(profile: &Profile) -> Map {
    let mut server = Map::default();
    server.put("host", profile.host.to_string());
    server.put("port", profile.port.to_string());
    server.put("from", profile.from.to_string());
    server.put_some("fromDisplayName", profile.from_name.as_deref());
    server.put_some(
        "envelopeFrom",
        profile.envelope_from.as_ref().map(ToString::to_string),
    );
    server.put("ssl", (profile.tls == Tls::Implicit).to_string());
    server.put("starttls", (profile.tls == Tls::Starttls).to_string());
    server.put("auth", "true");
    server.put("user", profile.login.to_string());
    server.put("password", profile.secret.expose());
    Map::from([("smtpServer", server.into())])
}
