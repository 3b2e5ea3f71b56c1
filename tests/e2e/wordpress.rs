//! A WordPress of Debian's on this machine sends through the server: by both ports, to another server and to a mailbox here.

use std::process::{Command, Stdio};

use mailu_core::Secret;
use mailu_core::apps::{Profile, Tls};
use mailu_core::host::{Mailu, WordPressOptions, WordPressTarget};

use crate::delivery::{SOMEONE, judged_outside};
use crate::server::{BARE, LIGHT, PASSWORD, Server, USER};
use crate::support::{Root, snapshot};
use crate::wordpress_site::{BLOG, Blog, open};
use crate::world::{self, arrives, docker, fetch, inside, wait_for};

const LOGIN: &str = "blog@example.com";

/// Asks Mailu's API, in admin's own container, for a token of the login.
const MAKE_TOKEN: &str = "import json, os, urllib.request
body = json.dumps({'email': 'blog@example.com', 'comment': 'agencystack:wordpress:blog', 'AuthorizedIP': []}).encode()
head = {'Authorization': 'Bearer ' + os.environ['API_TOKEN'], 'Content-Type': 'application/json'}
request = urllib.request.Request('http://127.0.0.1:8080/api/v1/token', data=body, headers=head)
print(json.load(urllib.request.urlopen(request))['token'])";

#[test]
fn a_site_sends_through_the_server_by_both_ports() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE, &["--set", "services.api=true"]].concat();
    let _server = Server::with_files(Root::new(), &more).install();
    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "user",
        "blog",
        "example.com",
        PASSWORD,
    ]);
    docker(&[
        "exec",
        "mailu_admin",
        "flask",
        "mailu",
        "alias",
        "noreply",
        "example.com",
        LOGIN,
    ]);
    let token = inside("mailu_admin", &["python3", "-c", MAKE_TOKEN], "");
    let token = token.trim();
    assert_eq!(token.len(), 32, "a token of Mailu's");

    let blog = Blog::new();
    let root = blog.beside("root");
    std::fs::create_dir(&root).unwrap();
    open(&root, 0o755);
    let mailu = Mailu::new(&root).unwrap();
    let target = WordPressTarget::new(BLOG.parse().unwrap()).at(blog.root());
    let site = mailu.wordpress_site(&target).unwrap();
    let ca = std::fs::read_to_string(world::authority()).unwrap();
    let options = WordPressOptions::with_ca(ca);
    let before = (snapshot(&blog.root()), snapshot(&root));
    let made = |tls, secret: &str| {
        let host = "mail.example.com".parse().unwrap();
        Profile::new(host, tls, LOGIN.parse().unwrap(), Secret::new(secret))
    };

    for tls in [Tls::Implicit, Tls::Starttls] {
        let mut profile = made(tls, token);
        profile.from_name = Some("A Blog".to_owned());
        let (probe, finding) = mailu.wordpress_probe(&site, &profile, &options).unwrap();
        assert_eq!(finding, None, "{probe:?}");
        assert!(
            mailu
                .wordpress_apply(&site, &profile, &options)
                .unwrap()
                .performed
        );
        let again = mailu.wordpress_apply(&site, &profile, &options).unwrap();
        assert!(!again.performed && again.plan.changes.is_empty());

        // Its own test, as the site's default sender; judged by another's programs with what stands in DNS.
        let verified = mailu
            .wordpress_verify(&site, &profile, Some(&SOMEONE.parse().unwrap()))
            .unwrap();
        assert_eq!(verified.findings, [], "{:?}", verified.sent);
        let subject = format!("Test message of {BLOG} ({})", verified.mark);
        passes(&subject);
        let message = arrives(SOMEONE, &subject);
        assert_eq!(
            message.header("X-Agency-Probe"),
            Some(verified.mark.as_str())
        );
        assert_eq!(message.header("From"), Some("A Blog <blog@example.com>"));
        assert!(
            message.raw.contains("Return-Path: <blog@example.com>"),
            "{}",
            message.raw
        );

        // As a contact form, and as an alias of its own.
        let port = tls.port();
        let subject = format!("form {port}");
        blog.mail(SOMEONE, &subject, &["From: Jane Doe <jane@stranger.test>"])
            .unwrap();
        passes(&subject);
        let message = arrives(SOMEONE, &subject);
        assert_eq!(message.header("From"), Some("Jane Doe <blog@example.com>"));
        assert_eq!(
            message.header("Reply-To"),
            Some("Jane Doe <jane@stranger.test>")
        );
        let subject = format!("alias {port}");
        blog.mail(SOMEONE, &subject, &["From: noreply@example.com"])
            .unwrap();
        passes(&subject);

        // To somebody who has a mailbox here.
        let subject = format!("here {port}");
        blog.mail(USER, &subject, &[]).unwrap();
        wait_for(&subject, || {
            let all = fetch(USER, PASSWORD, &[]).messages;
            all.iter()
                .any(|text| text.contains(&format!("Subject: {subject}")))
                .then_some(())
        });

        assert_eq!(mailu.wordpress_remove(&site).unwrap().findings, []);
        before.0.assert_same(&snapshot(&blog.root()), "removing it");
        before.1.assert_same(&snapshot(&root), "removing it");
    }

    // As strictly as it is meant: somebody else's address, and a token that is none.
    let mut other = made(Tls::Implicit, token);
    other.from = USER.parse().unwrap();
    let wrong = made(Tls::Implicit, "0123456789abcdef0123456789abcdef");
    for (profile, id) in [(other, "wordpress.sender"), (wrong, "wordpress.login")] {
        let (probe, finding) = mailu.wordpress_probe(&site, &profile, &options).unwrap();
        assert_eq!(finding.map(|one| one.id).as_deref(), Some(id), "{probe:?}");
    }
    // Nobody who looks at processes or logs has seen it.
    for name in ["mailu_front", "mailu_admin", "mailu_smtp"] {
        let logs = Command::new("docker")
            .args(["logs", name])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [logs.stdout, logs.stderr].concat();
        assert!(
            !String::from_utf8_lossy(&text).contains(token),
            "the token is in the log of {name}"
        );
    }
}

fn passes(subject: &str) {
    let judged = judged_outside(subject);
    for result in ["spf=pass", "dkim=pass", "dmarc=pass"] {
        assert!(
            judged.contains(result),
            "{subject}: {result} is not in {judged}"
        );
    }
}
