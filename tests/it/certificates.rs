//! Certificates for the mail ports: given, and in all forms that keys come in.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Root, SMALL, files_below, mode, succeed, tool};

#[test]
fn your_own_certificate_is_checked_and_copied() {
    let root = Root::new();
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str, until: i32, host: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let path = |suffix: &str, text: String| {
            let path = directory.path().join(format!("{name}.{suffix}"));
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = params.self_signed(&key).unwrap().pem();
        (path("pem", certificate), path("key", key.serialize_pem()))
    };
    let good = make("good", 2099, "mail.example.com");
    let wildcard = make("wildcard", 2099, "*.example.com");
    let other = make("other", 2099, "www.example.org");
    let expired = make("expired", 2021, "mail.example.com");
    let install = |(cert, key): (&str, &str)| {
        root.run(&[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
            "--set",
            "tls.mode=cert",
            "--set",
            &format!("tls.certificate={cert}"),
            "--set",
            &format!("tls.key={key}"),
        ])
    };
    for ((cert, key), id) in [
        ((other.0.as_str(), other.1.as_str()), "certificate.name"),
        ((&good.0, &other.1), "certificate.other_key"),
        ((&expired.0, &expired.1), "certificate.expired"),
        ((&good.1, &good.1), "certificate.unreadable"),
        ((&good.0, &good.0), "certificate.key_unreadable"),
        (("/nowhere/cert.pem", &good.1), "/nowhere/cert.pem"),
    ] {
        let run = install((cert, key)).expect_code(2);
        assert!(run.err.contains(id), "{id} is not in {}", run.err);
        assert!(!root.path().exists(), "{id}");
    }
    install((&good.0, &good.1)).expect_code(0);
    assert!(root.read("data/certs/cert.pem") == std::fs::read_to_string(&good.0).unwrap());
    assert!(root.read("data/certs/key.pem") == std::fs::read_to_string(&good.1).unwrap());
    assert!(
        root.run(&["apply"])
            .expect_code(0)
            .out
            .contains("nothing to do")
    );
    // Renewed: the next run copies it.
    install((&wildcard.0, &wildcard.1)).expect_code(0);
    assert!(root.read("data/certs/cert.pem") == std::fs::read_to_string(&wildcard.0).unwrap());
    assert_eq!(mode(&root.file("data/certs/key.pem")), 0o600);
}

/// An ended certificate that is in use keeps nobody from changing something else.
#[test]
fn a_certificate_that_ended_while_in_use_is_a_warning() {
    let root = Root::new();
    let own = |until: i32| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&key).unwrap().pem();
        (
            root.beside("own.pem", &certificate),
            root.beside("own.key", &key.serialize_pem()),
        )
    };
    let (certificate, key) = own(2099);
    root.install();
    root.run(&[
        "config",
        "set",
        "tls.mode=cert",
        &format!("tls.certificate={}", certificate.display()),
        &format!("tls.key={}", key.display()),
    ])
    .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    // Another one that has ended already is refused.
    own(2021);
    let run = root.run(&["apply"]).expect_code(2);
    assert!(run.err.contains("certificate.expired"), "{}", run.err);
    // Time passes.
    for (from, to) in [(&certificate, "cert.pem"), (&key, "key.pem")] {
        std::fs::copy(from, root.file("data/certs").join(to)).unwrap();
    }
    root.run(&["config", "set", "limits.quota", "5GB"])
        .expect_code(0);
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        run.err.contains("warning:") && run.err.contains("certificate.expired"),
        "{}",
        run.err
    );
    assert!(root.read("mailu.env").contains("DEFAULT_QUOTA=5000000000"));
}

/// As OpenSSL has written them over the years; nginx, Dovecot and Postfix read all.
#[test]
fn private_keys_in_all_forms_are_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let openssl = |args: &[&str]| succeed(Command::new(tool("openssl")).args(args));
    openssl(&["genrsa", "-traditional", "-out", &path("pkcs1"), "2048"]);
    openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-out",
        &path("sec1"),
    ]);
    openssl(&[
        "ecparam",
        "-name",
        "secp384r1",
        "-genkey",
        "-noout",
        "-out",
        &path("sec1-384"),
    ]);
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        &path("pkcs8"),
    ]);
    let forms = [
        ("pkcs1", "BEGIN RSA PRIVATE KEY"),
        ("sec1", "BEGIN EC PRIVATE KEY"),
        ("sec1-384", "BEGIN EC PRIVATE KEY"),
        ("pkcs8", "BEGIN PRIVATE KEY"),
    ];
    let install = |certificate: &str, key: &str| {
        let root = Root::new();
        let run = root.run(&[
            "install",
            "--no-start",
            "--domain",
            "mail.example.com",
            "--email-domain",
            "example.com",
            "--admin-email",
            "admin@example.com",
            "--set",
            "tls.mode=cert",
            "--set",
            &format!("tls.certificate={}", path(certificate)),
            "--set",
            &format!("tls.key={}", path(key)),
        ]);
        (run, root)
    };
    for (key, head) in forms {
        let text = std::fs::read_to_string(path(key)).unwrap();
        assert!(text.contains(head), "{key}");
        let pem = format!("{key}.pem");
        openssl(&[
            "req",
            "-x509",
            "-key",
            &path(key),
            "-subj",
            "/CN=mail.example.com",
            "-addext",
            "subjectAltName=DNS:mail.example.com",
            "-days",
            "3650",
            "-out",
            &path(&pem),
        ]);
        let (run, root) = install(&pem, key);
        run.expect_code(0);
        assert!(root.read("data/certs/key.pem") == text, "{key}");
    }
    for (key, _) in forms {
        let other = if key == "sec1" { "pkcs8" } else { "sec1" };
        let run = install(&format!("{other}.pem"), key).0.expect_code(2);
        assert!(
            run.err.contains("certificate.other_key"),
            "{key}: {}",
            run.err
        );
    }
    openssl(&[
        "rsa",
        "-in",
        &path("pkcs1"),
        "-aes128",
        "-passout",
        "pass:x",
        "-traditional",
        "-out",
        &path("locked"),
    ]);
    let run = install("pkcs1.pem", "locked").0.expect_code(2);
    assert!(run.err.contains("without a passphrase"), "{}", run.err);
}
