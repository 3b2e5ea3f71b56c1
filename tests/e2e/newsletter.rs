//! A Listmonk is connected over its API, sends, and finds in its mailbox what came back. The Listmonk is the one of `make test` (its API by the
//! rules of real ones, with a client for its test message); server, mailbox and bounces are real.

use mailu_core::host::Mailu;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::server::{BARE, LIGHT, Server};
use crate::support::{Root, tests};
use crate::watch::Watch;
use crate::world::{self, HOST, docker, fetch, send, wait_for};

#[path = "../it/listmonk/emulator.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests that need no engine, which use more of it"
)]
mod emulator;
#[path = "../it/listmonk/smtp.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests that need no engine, which use more of it"
)]
mod smtp;

use emulator::{Emulator, PASSWORD, USER};

const LOGIN: &str = "newsletter-bounce@example.com";

fn pop(token: &str) -> Vec<String> {
    let found = fetch(
        LOGIN,
        token,
        &["--server", "mail.example.com:995", "--verify"],
    );
    assert!(found.ok, "{}", found.why);
    found.messages
}

#[test]
fn a_listmonk_sends_and_hears_of_what_comes_back() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::with_files(Root::new(), &more).install();
    let authority = CertificateDer::from_pem_file(world::authority()).unwrap();
    smtp::ELSEWHERE
        .set((HOST.parse().unwrap(), authority))
        .unwrap();
    let fixture = std::fs::read_to_string(tests("it/listmonk/v6.2.json")).unwrap();
    let listmonk = Emulator::start("v6.2", &serde_json::from_str(&fixture).unwrap());
    let before = listmonk.rows();
    let pace =
        || ["app.message_sliding_window", "app.max_send_errors"].map(|key| listmonk.row(key));
    let own_pace = pace();
    let token = server.root.beside("api-token", PASSWORD);
    let url = listmonk.url();
    let args = [
        "integrate",
        "--json",
        "listmonk",
        "acme",
        "--api-url",
        &url,
        "--api-user",
        USER,
        "--api-token-file",
        token.to_str().unwrap(),
    ];
    let run = |more: &[&str], code: i32| -> Value {
        server
            .root
            .run(&[&args[..], more].concat())
            .expect_code(code)
            .json()
    };

    // First only what would be done.
    let done = run(&["--dry-run"], 0);
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&false.into(), &"none".into()),
        "{done}"
    );
    assert_eq!(listmonk.rows(), before);

    let watch = Watch::begin();
    let done = run(&[], 0);
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&true.into(), &"sent".into()),
        "{done}"
    );
    let block = &listmonk.row("smtp")[0];
    assert_eq!(block["username"], LOGIN);
    let secret = block["password"].as_str().unwrap().to_owned();
    watch.shows_none_of(&[&secret, PASSWORD]);
    assert_eq!(secret.len(), 32);
    assert!(!done.to_string().contains(&secret));
    let boxes = listmonk.row("bounce.mailboxes");
    assert!(
        boxes
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["username"] == LOGIN && one["password"] == *secret)
    );
    // A newsletter that people answer is read by somebody.
    let all = docker(&[
        "exec",
        "-u",
        "mailu",
        "mailu_admin",
        "flask",
        "mailu",
        "config-export",
        "-j",
        "alias",
    ]);
    assert!(
        all.contains("news@example.com") && all.contains("admin@example.com"),
        "{all}"
    );
    // Its own test message is there, by POP.
    wait_for("the test message", || {
        pop(&secret)
            .iter()
            .any(|text| text.contains("Subject: Test connection"))
            .then_some(())
    });

    // Again: nothing, and no start.
    let (rows, restarts) = (listmonk.rows(), listmonk.restarts());
    let again = run(&[], 0);
    assert_eq!(
        (&again["changed"], &again["proof"]),
        (&false.into(), &"sent".into()),
        "{again}"
    );
    assert_eq!((listmonk.rows(), listmonk.restarts()), (rows, restarts));

    // A campaign's message that nobody takes comes back to that mailbox, with what Listmonk tells it by.
    let campaign = "X-Listmonk-Campaign: 3f0c2a52-7d0e-4a55-8e09-0a0f6d8c1111\nX-Listmonk-Subscriber: aaaa2a52-7d0e-4a55-8e09-0a0f6d8c2222";
    let said = send(
        &[
            "--server",
            "mail.example.com:465",
            "--tls",
            "implicit",
            "--verify",
            "--auth",
            &format!("{LOGIN}:{secret}"),
            "--from",
            LOGIN,
            "--to",
            "reject@outside.test",
        ],
        &format!("From: News <news@example.com>\nSubject: Campaign\n{campaign}\n\nHello\n"),
    );
    assert!(said.ok, "{said:?}");
    let bounce = wait_for("the bounce", || {
        pop(&secret)
            .into_iter()
            .find(|text| text.contains("X-Listmonk-Campaign"))
    });
    for part in [
        "X-Listmonk-Subscriber: aaaa2a52",
        "Status: 5.1.1",
        "multipart/report",
    ] {
        assert!(bounce.contains(part), "{part} is not in\n{bounce}");
    }

    // Free of the limit, it goes at its own pace again; and is not free of it any more once it is gone.
    assert_ne!(pace(), own_pace);
    let freed = run(&["--exempt"], 0);
    let exemption = || docker(&["exec", "mailu_admin", "printenv"]);
    assert!(
        exemption().contains(&format!("MESSAGE_RATELIMIT_EXEMPTION={LOGIN}\n")),
        "{freed}"
    );
    assert_eq!(pace(), own_pace, "{freed}");
    let again = run(&[], 0);
    assert_eq!(again["changed"], false, "{again}");

    // Out again.
    let gone = run(&["--remove"], 0);
    assert_eq!(gone["performed"], true, "{gone}");
    assert!(!exemption().contains("MESSAGE_RATELIMIT_EXEMPTION"));
    assert!(!listmonk.rows().to_string().contains(LOGIN));
    assert!(!fetch(LOGIN, &secret, &["--server", "mail.example.com:995"]).ok);
    let user = Mailu::new(server.root.path())
        .unwrap()
        .user(&server.root.layout(), &LOGIN.parse().unwrap());
    assert!(user.unwrap().is_some(), "the mailbox stays");
}
