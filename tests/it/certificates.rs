//! Certificates for the mail ports: given, taken from Traefik, self-signed; in all forms that keys come in.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mailu_core::host::Hidden;
use mailu_core::host::testing::{Dying, Moment, Repeatable, deploy};
use mailu_core::plan::Request;

use crate::support::{Root, files_below, mode, succeed, tool};

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
        root.install_with(&[
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
    // The longest that Traefik can be told to make.
    openssl(&["genrsa", "-out", &path("long"), "8192"]);
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
        ("long", "BEGIN PRIVATE KEY"),
    ];
    let install = |certificate: &str, key: &str| {
        let root = Root::new();
        let run = root.install_with(&[
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

/// A certificate for `names` as Traefik keeps it, with an RSA key in PKCS#1: a chain and a key.
pub(crate) fn obtained(directory: &Path, names: &[&str], days: &str) -> (String, String) {
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let sans = names
        .iter()
        .map(|name| format!("DNS:{name}"))
        .collect::<Vec<_>>();
    let mut request = Command::new(tool("openssl"));
    request
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
        ])
        .args(["-keyout", &path("key"), "-out", &path("cert")])
        .arg("-addext")
        .arg(format!("subjectAltName={}", sans.join(",")))
        .args(["-days", days])
        .stderr(Stdio::null());
    succeed(&mut request);
    let key = succeed(
        Command::new(tool("openssl"))
            .args(["rsa", "-traditional", "-in", &path("key")])
            .stderr(Stdio::null()),
    );
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    (std::fs::read_to_string(path("cert")).unwrap(), key)
}

/// `acme.json`, with one resolver's account and certificates.
pub(crate) fn store(pairs: &[&(String, String)]) -> String {
    let base64 = |text: &str| {
        let mut child = Command::new("base64")
            .arg("-w0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let certificates: Vec<_> = pairs
        .iter()
        .map(|(certificate, key)| {
            serde_json::json!({
                "domain": { "main": "mail.example.com" },
                "certificate": base64(certificate),
                "key": base64(key),
                "Store": "default",
            })
        })
        .collect();
    serde_json::json!({
        "letsencrypt": { "Account": { "Email": "x@example.com" }, "Certificates": certificates },
        "staging": { "Account": null, "Certificates": null },
    })
    .to_string()
}

#[test]
fn the_mail_ports_get_traefik_s_certificate() {
    let root = Root::new();
    let run = root.install();
    assert!(
        run.err.contains("tls.mail_self_signed")
            && run
                .err
                .contains(" config set --domain mail.example.com traefik.acme_store="),
        "{}",
        run.err
    );
    let self_signed = root.read("data/certs/cert.pem");
    let directory = tempfile::tempdir().unwrap();
    let make = |names: &[&str], days: &str| obtained(directory.path(), names, days);
    let ended = {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let web = make(&["www.example.com"], "80");
    let short = make(&["mail.example.com"], "30");
    let long = make(&["mail.example.com", "webmail.example.com"], "60");
    let renewed = make(&["mail.example.com"], "90");

    let acme = root.beside("acme.json", "");
    let write = |text: &str| std::fs::write(&acme, text).unwrap();
    root.run(&[
        "config",
        "set",
        &format!("traefik.acme_store={}", acme.display()),
    ])
    .expect_code(0);
    // Nothing to take yet: said, and no reason to fail.
    for (text, reason) in [
        (String::new(), "acme.unreadable"),
        (store(&[&web])[..900].to_owned(), "acme.unreadable"),
        (store(&[]), "acme.no_certificate"),
        (store(&[&ended, &web]), "acme.no_certificate"),
        (
            store(&[&(short.0.clone(), web.1.clone())]),
            "acme.no_certificate",
        ),
    ] {
        write(&text);
        let run = root.run(&["apply"]).expect_code(0);
        assert!(run.err.contains(reason), "{reason}: {}", run.err);
        assert!(!run.err.contains("tls.mail_self_signed"), "{}", run.err);
        assert_eq!(root.read("data/certs/cert.pem"), self_signed);
    }
    let serves = |pair: &(String, String)| {
        root.read("data/certs/cert.pem") == pair.0 && root.read("data/certs/key.pem") == pair.1
    };
    write(&store(&[&ended, &web, &short, &long]));
    let run = root.run(&["apply"]).expect_code(0);
    assert!(serves(&long) && !run.err.contains("warning"), "{}", run.err);
    assert_eq!(mode(&root.file("data/certs/key.pem")), 0o600);
    let run = root.run(&["apply"]).expect_code(0);
    assert!(run.out.contains("nothing to do"), "{}", run.out);
    write(&store(&[&long, &renewed]));
    root.run(&["apply"]).expect_code(0);
    assert!(serves(&renewed));
    // All names of the server, or none of it.
    root.run(&["config", "set", "hostnames=webmail.example.com"])
        .expect_code(0);
    root.run(&["apply"]).expect_code(0);
    assert!(serves(&long));
    // A store that is damaged or empty again takes nothing away.
    write("{");
    root.run(&["apply"]).expect_code(0);
    assert!(serves(&long));
    // What somebody put there stays.
    root.write("data/certs/cert.pem", &short.0);
    root.write("data/certs/key.pem", &short.1);
    write(&store(&[&long]));
    let run = root.run(&["apply"]).expect_code(0);
    assert!(
        serves(&short) && run.err.contains("acme.kept"),
        "{}",
        run.err
    );
    for file in ["cert.pem", "key.pem"] {
        std::fs::remove_file(root.file(&format!("data/certs/{file}"))).unwrap();
    }
    root.run(&["apply"]).expect_code(0);
    assert!(serves(&long));
}

/// What we put there stays ours through other modes and without the record; what others put there is never lost.
#[test]
fn whose_certificate_it_is_is_not_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &["mail.example.com"], days);
    let (first, second, own) = (make("30"), make("60"), make("90"));
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let acme = file("acme.json", &store(&[&first]));
    let set = |root: &Root, settings: &[&str]| {
        root.run(&[&["config", "set"], settings].concat())
            .expect_code(0);
        root.run(&["apply"]).expect_code(0)
    };
    let serves = |root: &Root, pair: &(String, String)| {
        root.read("data/certs/cert.pem") == pair.0 && root.read("data/certs/key.pem") == pair.1
    };
    let from_traefik = format!("traefik.acme_store={acme}");

    // Self-signed, and a detour.
    let root = Root::new();
    root.install();
    set(&root, &["tls.mode=passthrough"]);
    let back = set(&root, &["tls.mode=traefik"]);
    assert!(back.err.contains("tls.mail_self_signed"), "{}", back.err);
    std::fs::remove_dir_all(root.file(".mailu")).unwrap();
    set(&root, &[&from_traefik]);
    assert!(serves(&root, &first));
    // Taken, and renewed meanwhile.
    set(&root, &["tls.mode=passthrough"]);
    file("acme.json", &store(&[&first, &second]));
    set(&root, &["tls.mode=traefik"]);
    assert!(serves(&root, &second));
    // Given, and back.
    let given = [
        "tls.mode=cert".to_owned(),
        format!("tls.certificate={}", file("own.pem", &own.0)),
        format!("tls.key={}", file("own.key", &own.1)),
    ];
    set(&root, &[&given[0], &given[1], &given[2]]);
    assert!(serves(&root, &own));
    root.run(&["config", "unset", "tls.certificate", "tls.key"]);
    set(&root, &["tls.mode=traefik"]);
    assert!(serves(&root, &second));
    assert!(!root.file(".mailu/replaced").exists());

    // Put there by hand, then given another: the only copy of a key is kept, for root alone.
    root.write("data/certs/cert.pem", &first.0);
    root.write("data/certs/key.pem", &first.1);
    set(&root, &[&given[0], &given[1], &given[2]]);
    assert!(serves(&root, &own));
    let kept: Vec<_> = files_below(&root.file(".mailu/replaced"))
        .into_iter()
        .map(|path| (std::fs::read_to_string(&path).unwrap(), mode(&path)))
        .collect();
    for text in [first.0, first.1] {
        assert!(kept.contains(&(text, 0o600)), "{}", kept.len());
    }
}

/// Also in the daily run, which says nothing else.
#[test]
fn a_certificate_that_ends_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let (soon, late) = (
        obtained(directory.path(), &["mail.example.com"], "5"),
        obtained(directory.path(), &["mail.example.com"], "20"),
    );
    let root = Root::new();
    root.install();
    let put = |pair: &(String, String)| {
        root.write("data/certs/cert.pem", &pair.0);
        root.write("data/certs/key.pem", &pair.1);
        root.run(&["apply", "--quiet"]).expect_code(0).err
    };
    assert_eq!(put(&late), "");
    assert!(put(&soon).contains("tls.mail_ends"));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let ended = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let said = put(&ended);
    assert!(
        said.contains("tls.mail_ended") && said.contains("traefik.acme_store="),
        "{said}"
    );
    // From the store, which has no other.
    let acme = root.beside("acme.json", &store(&[&ended]));
    root.run(&[
        "config",
        "set",
        &format!("traefik.acme_store={}", acme.display()),
    ])
    .expect_code(0);
    let said = root.run(&["apply", "--quiet"]).expect_code(0).err;
    assert!(
        said.contains("tls.mail_ended") && said.contains("acme.no_certificate"),
        "{said}"
    );
}

/// The key and the certificate are two files: whatever a run leaves that was killed between them, the next one mends.
#[test]
fn a_renewal_that_was_interrupted_is_completed() {
    let directory = tempfile::tempdir().unwrap();
    let make = |days: &str| obtained(directory.path(), &["mail.example.com"], days);
    let (first, second) = (make("30"), make("60"));
    for store_is_gone in [false, true] {
        let root = Root::new();
        let acme = root.beside("acme.json", &store(&[&first]));
        let layout = root.layout();
        let mut request = Request::default();
        for (key, value) in [
            ("mail_host", "mail.example.com"),
            ("email_domain", "example.com"),
            ("admin_email", "admin@example.com"),
            ("traefik.acme_store", acme.to_str().unwrap()),
        ] {
            request.settings.push((key.to_owned(), value.to_owned()));
        }
        let mut fresh = Repeatable::default();
        let mut run = |at: usize| {
            let mut files = Dying::at(at, Moment::After);
            deploy(&layout, &request, &mut files, &mut fresh, &mut Hidden).map(|_| files.changes)
        };
        let _ = run(usize::MAX).unwrap();
        assert_eq!(root.read("data/certs/cert.pem"), first.0);
        let mut killed = 0;
        for at in 1.. {
            std::fs::write(&acme, store(&[&second])).unwrap();
            if run(at).is_ok() {
                break;
            }
            killed += 1;
            if store_is_gone {
                std::fs::remove_file(&acme).unwrap();
            }
            let _ = run(usize::MAX).unwrap();
            let pair = (
                root.read("data/certs/cert.pem"),
                root.read("data/certs/key.pem"),
            );
            if !store_is_gone {
                assert!(pair == second, "killed at change {at}");
            }
            let path = |name: &str| {
                root.file(&format!("data/certs/{name}"))
                    .to_str()
                    .unwrap()
                    .to_owned()
            };
            let public = |args: &[&str]| succeed(Command::new(tool("openssl")).args(args));
            assert_eq!(
                public(&["x509", "-noout", "-pubkey", "-in", &path("cert.pem")]),
                public(&["pkey", "-pubout", "-in", &path("key.pem")]),
                "killed at change {at}: the two do not belong together"
            );
            std::fs::write(&acme, store(&[&first])).unwrap();
            let _ = run(usize::MAX).unwrap();
        }
        assert!(killed > 8, "{killed}");
    }
}
