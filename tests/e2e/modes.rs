//! The other ways to a certificate: Mailu's own from Let's Encrypt, with and without Traefik in front, and files of the operator's.

use crate::checks::delivers;
use crate::server::{Front, LIGHT, PASSWORD, Server, USER};
use crate::support::Root;
use crate::world::{self, Traefik, certificate, fetch, wait_for};

#[test]
fn letsencrypt_without_a_proxy() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &["--set", "tls.mode=letsencrypt"]].concat();
    let _server = Server::prepare(Root::new(), Front::Itself, &more).install();
    Server::has_certificate();
    delivers("letsencrypt");
}

#[test]
fn passthrough() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &["--set", "tls.mode=passthrough"]].concat();
    let server = Server::prepare(Root::new(), Front::Theirs(Traefik::start()), &more).install();
    Server::has_certificate();
    delivers("passthrough");
    assert_eq!(
        server.certificates(),
        [""; 0],
        "Traefik has asked for certificates"
    );
}

#[test]
fn certificate_from_files() {
    let _alone = world::alone();
    let server = Server::with_files(Root::new(), &LIGHT).install();
    // From the first moment.
    let fetched = fetch(USER, PASSWORD, &["--verify"]);
    assert!(fetched.ok, "{fetched:?}");
    delivers("cert");

    // A new pair in the old place is served after `apply`.
    let served = world::served("mail.example.com:993");
    let (chain, key) = certificate(&["mail.example.com", "imap.example.com"]);
    server.root.beside("chain.pem", &chain);
    server.root.beside("key.pem", &key);
    server.root.run(&["apply"]).expect_code(0);
    for port in [993, 465, 443] {
        wait_for(&format!("the new certificate on {port}"), || {
            let now = world::served(&format!("mail.example.com:{port}"));
            (!now.is_empty() && now != served).then_some(())
        });
    }
}
