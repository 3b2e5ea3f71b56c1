//! The other ways to a certificate: Mailu's own from Let's Encrypt, with and without Traefik in front, and files of the operator's.

use crate::checks::{ADMIN, PASSWORD, Server};
use crate::support::Root;
use crate::world::{self, Network, Traefik, certificate, fetch, wait_for};

/// What these tests have no need of.
const LIGHT: [&str; 6] = [
    "--set",
    "services.antivirus=false",
    "--set",
    "services.macro_scan=false",
    "--set",
    "env.CREDENTIAL_ROUNDS=4",
];

#[test]
fn letsencrypt_without_a_proxy() {
    let _alone = world::alone();
    let more = ["--set", "tls.mode=letsencrypt"];
    let _server = Server::install(Root::new(), &[&LIGHT[..], &more].concat());
    Server::has_certificate();
    Server::delivers("letsencrypt");
}

#[test]
fn passthrough() {
    let _alone = world::alone();
    let traefik = Traefik::new();
    let network = Network::make();
    traefik.start(&network, &[]);
    let more = ["--set", "tls.mode=passthrough"];
    let _server = Server::install(Root::new(), &[&LIGHT[..], &more].concat());
    Server::has_certificate();
    Server::delivers("passthrough");
    assert!(
        traefik.certificates().is_empty(),
        "Traefik has asked for certificates: {:?}",
        traefik.certificates()
    );
}

#[test]
fn certificate_from_files() {
    let _alone = world::alone();
    let root = Root::new();
    let (chain, key) = certificate(&["mail.example.com"]);
    let chain = root.beside("chain.pem", &chain);
    let key = root.beside("key.pem", &key);
    let (chain, key) = (
        format!("tls.certificate={}", chain.display()),
        format!("tls.key={}", key.display()),
    );
    let more = ["--set", "tls.mode=cert", "--set", &chain, "--set", &key];
    let server = Server::install(root, &[&LIGHT[..], &more].concat());
    // From the first moment.
    let fetched = fetch(ADMIN, PASSWORD, &["--verify"]);
    assert!(fetched.ok, "{fetched:?}");
    Server::delivers("cert");

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
