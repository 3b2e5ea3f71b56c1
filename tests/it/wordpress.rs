//! WordPress of Debian's with `MariaDB` and our must-use plugin, on a machine of its own where mail.example.com is a submission server as strict as Mailu's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailu_core::apps::wordpress::{CA_FILE, PLUGIN_FILE, SETTINGS_FILE, plugin, settings};
use mailu_core::apps::{Profile, Tls};
use mailu_core::host::testing::{Dying, Moment, wordpress_apply, wordpress_remove};
use mailu_core::host::{
    Mailu, WordPressAction, WordPressChange, WordPressOptions, WordPressSite, WordPressTarget,
};
use mailu_core::{Finding, Secret, Severity};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake_engine::{Answer, FakeContainer, FakeEngine};
use crate::support::{Mounted, Snapshot, mode, snapshot, succeed, tests, tool};
use crate::wordpress_site::{BLOG, Blog, Ended, bound, open, php};

const LOGIN: &str = "blog@example.com";
/// An alias of the login.
const ALIAS: &str = "noreply@example.com";
/// All digits: nothing may take it for a number.
const TOKEN: &str = "01234567890123456789012345678901";
const SOMEONE: &str = "someone@outside.test";

/// Whether this is a machine of its own, where the ports of mail.example.com are free. Without that, the test is run once more in one.
fn alone(test: &str) -> bool {
    const INSIDE: &str = "MAILU_TEST_WORDPRESS";
    if std::env::var_os(INSIDE).is_some() {
        succeed(Command::new("ip").args(["link", "set", "lo", "up"]));
        return true;
    }
    let directory = tempfile::tempdir().unwrap();
    open(directory.path(), 0o755);
    let hosts = directory.path().join("hosts");
    std::fs::write(
        &hosts,
        "127.0.0.1 localhost mail.example.com other.example.com\n",
    )
    .unwrap();
    let mut unshare = Command::new("unshare");
    if succeed(Command::new("id").arg("-u")).trim() != "0" {
        unshare.args(["--map-root-user", "--map-auto"]);
    }
    unshare
        .args(["--mount", "--net", "--", "sh", "-ec"])
        .arg("mount --bind \"$1\" /etc/hosts; shift; exec \"$@\"")
        .arg("sh")
        .arg(&hosts)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("wordpress::{test}"), "--nocapture"])
        .env(INSIDE, directory.path())
        // Nobody is there, until a test says so.
        .env(
            "DOCKER_HOST",
            format!("unix://{}/docker.sock", directory.path().display()),
        );
    let said = succeed(&mut unshare);
    assert!(said.contains("1 passed"), "{said}");
    false
}

/// The submission server, gone with the value.
struct Server {
    _process: Ended,
    directory: TempDir,
    ca: String,
}

/// A message that it has taken.
struct Received(Value);

impl Received {
    fn head(&self) -> &str {
        let text = self.0["message"].as_str().unwrap();
        text.split("\r\n\r\n").next().unwrap()
    }

    /// Every field of a name at its head, unfolded.
    fn fields(&self, name: &str) -> Vec<String> {
        let head = self.head().replace("\r\n ", " ").replace("\r\n\t", " ");
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }
}

impl Server {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let signer = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "An authority of one's own");
        let authority = rcgen::CertifiedIssuer::self_signed(params, signer).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (chain, key) = (
            file("chain.pem", &certificate.pem()),
            file("key.pem", &key.serialize_pem()),
        );
        let accounts = json!({ LOGIN: { "password": TOKEN, "owns": [ALIAS] } });
        let mut process = bound(Path::new("/usr/bin/python3"))
            .arg(tests("tools/submission.py"))
            .args([chain, key, directory.path().join("log")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Ended)
            .unwrap();
        let mut input = process.0.stdin.take().unwrap();
        input.write_all(accounts.to_string().as_bytes()).unwrap();
        drop(input);
        let mut line = String::new();
        let output = process.0.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Self {
            _process: process,
            directory,
            ca: authority.pem(),
        }
    }

    fn options(&self) -> WordPressOptions {
        WordPressOptions::with_ca(&self.ca)
    }

    /// What came since the last time.
    fn received(&self) -> Vec<Received> {
        let path = self.directory.path().join("log");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines()
            .map(|line| Received(serde_json::from_str(line).unwrap()))
            .collect()
    }

    fn only(&self) -> Received {
        let mut all = self.received();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}

fn profile(tls: Tls) -> Profile {
    Profile::new(
        "mail.example.com".parse().unwrap(),
        tls,
        LOGIN.parse().unwrap(),
        Secret::new(TOKEN),
    )
}

/// A root that the site's user may look into, as AgencyStack's.
fn root(blog: &Blog) -> (PathBuf, Mailu) {
    let root = blog.beside("root");
    std::fs::create_dir_all(&root).unwrap();
    open(&root, 0o755);
    let mailu = Mailu::new(&root).unwrap();
    (root, mailu)
}

fn target(blog: &Blog) -> WordPressTarget {
    WordPressTarget::new(BLOG.parse().unwrap()).at(blog.root())
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|one| one.id.as_str()).collect()
}

fn actions(changes: &[WordPressChange]) -> Vec<(String, WordPressAction)> {
    changes
        .iter()
        .map(|one| {
            let name = one.path.file_name().unwrap();
            (name.to_string_lossy().into_owned(), one.action)
        })
        .collect()
}

/// No file of a site may hold the token but that of the settings.
fn holds_token(root: &Path) -> Vec<PathBuf> {
    crate::support::files_below(root)
        .into_iter()
        .filter(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(TOKEN)
        })
        .collect()
}

#[test]
fn a_site_sends_by_both_ports_and_is_afterwards_as_before() {
    if !alone("a_site_sends_by_both_ports_and_is_afterwards_as_before") {
        return;
    }
    let (blog, server) = (Blog::new(), Server::new());
    let (root, mailu) = root(&blog);
    let before = (snapshot(&blog.root()), snapshot(&root));
    let site = mailu.wordpress_site(&target(&blog)).unwrap();
    assert_eq!(site.container, None);
    for tls in [Tls::Implicit, Tls::Starttls] {
        sends(&blog, &server, &root, &mailu, &site, tls);
        removed(&blog, &root, &mailu, &site, &before);
    }
}

fn sends(blog: &Blog, server: &Server, root: &Path, mailu: &Mailu, site: &WordPressSite, tls: Tls) {
    let mut profile = profile(tls);
    profile.from_name = Some("It's \"A\" Blog".to_owned());
    let options = server.options();
    let (probe, finding) = mailu.wordpress_probe(site, &profile, &options).unwrap();
    assert_eq!((probe.stage.as_str(), finding), ("", None), "{probe:?}");
    assert!(server.received().is_empty(), "a probe is no message");

    let untouched = (snapshot(&blog.root()), snapshot(root));
    let plan = mailu.wordpress_plan(site, &profile, &options).unwrap();
    let wanted = [CA_FILE, SETTINGS_FILE, PLUGIN_FILE];
    assert_eq!(
        actions(&plan.changes),
        wanted.map(|name| (name.to_owned(), WordPressAction::Create))
    );
    assert_eq!(plan.findings, []);
    let shown = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
    assert!(!shown.contains(TOKEN));
    untouched.0.assert_same(&snapshot(&blog.root()), "a plan");
    untouched.1.assert_same(&snapshot(root), "a plan");

    assert!(
        mailu
            .wordpress_apply(site, &profile, &options)
            .unwrap()
            .performed
    );
    let home = root.join("wordpress").join(BLOG).join("mail");
    assert_eq!(holds_token(&blog.root()), Vec::<PathBuf>::new());
    assert_eq!(holds_token(root), [home.join(SETTINGS_FILE)]);
    assert_eq!(
        (mode(&home), mode(&home.join(SETTINGS_FILE))),
        (0o750, 0o640)
    );
    assert_eq!(
        mode(&blog.root().join("wp-content/mu-plugins").join(PLUGIN_FILE)),
        0o644
    );
    let done = (snapshot(&blog.root()), snapshot(root));
    let again = mailu.wordpress_apply(site, &profile, &options).unwrap();
    assert!(!again.performed && again.plan.changes.is_empty());
    done.0.assert_same(&snapshot(&blog.root()), "a second run");
    done.1.assert_same(&snapshot(root), "a second run");

    // Its own test.
    let to = SOMEONE.parse().unwrap();
    let verified = mailu.wordpress_verify(site, &profile, Some(&to)).unwrap();
    assert_eq!(verified.findings, [], "{:?}", verified.sent);
    assert_eq!(verified.sent.mode, "hooks");
    let message = server.only();
    assert_eq!(message.fields("X-Agency-Probe").join("|"), verified.mark);
    assert!(message.fields("Subject")[0].contains(&verified.mark));
    assert_eq!(
        message.fields("Message-ID").join("|"),
        verified.sent.message_id
    );
    let login = mailu.wordpress_verify(site, &profile, None).unwrap();
    assert_eq!(login.findings, [], "{:?}", login.sent);
    assert!(server.received().is_empty(), "a log-in is no message");

    // What WordPress itself sends, whose sender would be wordpress@blog.example.net.
    blog.mail(SOMEONE, "default", &[]).unwrap();
    let message = server.only();
    let envelope = &message.0;
    assert_eq!(
        (
            &envelope["from"],
            &envelope["login"],
            &envelope["helo"],
            &envelope["port"]
        ),
        (
            &json!(LOGIN),
            &json!(LOGIN),
            &json!(BLOG),
            &json!(tls.port())
        )
    );
    assert!(
        matches!(envelope["tls"].as_str(), Some("TLSv1.2" | "TLSv1.3")),
        "{envelope}"
    );
    assert_eq!(
        message.fields("From"),
        [format!("\"It's \\\"A\\\" Blog\" <{LOGIN}>")]
    );
    assert_eq!(message.fields("Reply-To"), Vec::<String>::new());
    assert!(message.fields("Message-ID")[0].ends_with(&format!("@{BLOG}>")));

    // A contact form, which writes as its visitor.
    blog.mail(SOMEONE, "form", &["From: Jane Doe <jane@visitor.example>"])
        .unwrap();
    let message = server.only();
    assert_eq!(message.0["from"], LOGIN);
    assert_eq!(message.fields("From"), [format!("Jane Doe <{LOGIN}>")]);
    assert_eq!(
        message.fields("Reply-To"),
        ["Jane Doe <jane@visitor.example>"]
    );
    // One that knows where answers go.
    let headers = [
        "From: jane@visitor.example",
        "Reply-To: desk@visitor.example",
    ];
    blog.mail(SOMEONE, "form with an answer", &headers).unwrap();
    assert_eq!(server.only().fields("Reply-To"), ["desk@visitor.example"]);
    // An address of the mail domain is no stranger's; and nothing is left of the one before.
    blog.mail(SOMEONE, "shop", &[&format!("From: Shop <{ALIAS}>")])
        .unwrap();
    let message = server.only();
    assert_eq!(message.fields("From"), [format!("Shop <{ALIAS}>")]);
    assert_eq!(
        (message.0["from"].as_str(), message.fields("Reply-To").len()),
        (Some(LOGIN), 0)
    );
    // What WordPress makes up where the site is the mail domain.
    blog.mail(SOMEONE, "made up", &["From: wordpress@example.com"])
        .unwrap();
    let message = server.only();
    assert!(
        message.fields("From")[0].ends_with(&format!("<{LOGIN}>")),
        "{}",
        message.head()
    );
    assert_eq!(message.fields("Reply-To"), Vec::<String>::new());
    // Several in one request do not mix.
    let two = "WORDPRESS $form = wp_mail('someone@outside.test', 'one', 'x', array('From: jane@visitor.example'));
        answer($form && wp_mail('someone@outside.test', 'two', 'x'));";
    assert_eq!(blog.php(two), true);
    let replies: Vec<usize> = server
        .received()
        .iter()
        .map(|one| one.fields("Reply-To").len())
        .collect();
    assert_eq!(replies, [1, 0]);

    let last = blog.option("agencystack_mail_last");
    assert_eq!(
        (&last["ok"], &last["why"]),
        (&json!(true), &json!("")),
        "{last}"
    );
    let why = blog
        .mail("nobody@example.com", "secret text", &[])
        .unwrap_err();
    assert!(why.contains("User unknown"), "{why}");
    let last = blog.option("agencystack_mail_last");
    let text = last.to_string();
    assert_eq!(last["ok"], false, "{text}");
    assert!(text.contains("User unknown"), "{text}");
    assert!(
        !text.contains('@') && !text.contains(TOKEN) && !text.contains("secret text"),
        "{text}"
    );
    let loaded =
        "WORDPRESS answer(array_key_exists('agencystack_mail_last', wp_load_alloptions()));";
    assert_eq!(blog.php(loaded), false);
    assert_eq!(server.received().len(), 0);
}

fn removed(
    blog: &Blog,
    root: &Path,
    mailu: &Mailu,
    site: &WordPressSite,
    before: &(Snapshot, Snapshot),
) {
    let removed = mailu.wordpress_remove(site).unwrap();
    assert_eq!(removed.findings, []);
    assert_eq!(
        actions(&removed.changes),
        [PLUGIN_FILE, SETTINGS_FILE, CA_FILE]
            .map(|name| (name.to_owned(), WordPressAction::Remove))
    );
    before.0.assert_same(&snapshot(&blog.root()), "removing it");
    before.1.assert_same(&snapshot(root), "removing it");
    assert_eq!(blog.option("agencystack_mail_last"), Value::Null);
    assert!(mailu.wordpress_remove(site).unwrap().changes.is_empty());
}

/// The option of a site's active plugins.
fn activate(blog: &Blog, plugins: &[(&str, &str)]) {
    let mut names = Vec::new();
    for (name, text) in plugins {
        let path = blog.root().join("wp-content/plugins").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        names.push(*name);
    }
    let names = serde_json::to_string(&names).unwrap();
    let set =
        format!("WORDPRESS answer(update_option('active_plugins', json_decode('{names}', true)));");
    assert_eq!(blog.php(&set), true);
}

#[test]
fn what_stands_in_the_way_is_said_and_left_alone() {
    if !alone("what_stands_in_the_way_is_said_and_left_alone") {
        return;
    }
    let (blog, server) = (Blog::new(), Server::new());
    let (root, mailu) = root(&blog);
    let (profile, options) = (profile(Tls::Implicit), server.options());
    let site = mailu.wordpress_site(&target(&blog)).unwrap();
    probed(&mailu, &site, &server);
    constants_of_others(&blog, &server, &mailu, &site);
    constants_of_ours(&blog, &server, &mailu, &site);

    // A plugin that would let anybody be the server: without the authority, no message goes out.
    let lax = "<?php add_action('phpmailer_init', function ($mailer) { $mailer->SMTPOptions = array('ssl' => array('verify_peer' => false, 'verify_peer_name' => false)); });";
    activate(&blog, &[("lax/lax.php", lax)]);
    for (options, found) in [
        (WordPressOptions::default(), vec!["wordpress.not_sent"]),
        (server.options(), vec![]),
    ] {
        assert!(
            mailu
                .wordpress_apply(&site, &profile, &options)
                .unwrap()
                .performed
        );
        let verified = mailu
            .wordpress_verify(&site, &profile, Some(&SOMEONE.parse().unwrap()))
            .unwrap();
        assert_eq!(ids(&verified.findings), found, "{:?}", verified.sent);
        assert_eq!(server.received().len(), usize::from(found.is_empty()));
    }
    mailu.wordpress_remove(&site).unwrap();

    // Plugins that send by themselves, and what AgencyStack's old script has left.
    activate(
        &blog,
        &[
            (
                "fluent-smtp/fluent-smtp.php",
                "<?php function wp_mail() { return true; }",
            ),
            ("post-smtp/postman-smtp.php", "<?php"),
            ("easy-wp-smtp/easy-wp-smtp.php", "<?php"),
        ],
    );
    let old = "WORDPRESS update_option('wp_mail_smtp_options', array('pass' => 'x'));
        answer(update_option('wp_mail_smtp', array('mail' => array('mailer' => 'smtp'), 'smtp' => array('host' => 'mailu'))));";
    assert_eq!(blog.php(old), true);
    let plan = mailu.wordpress_plan(&site, &profile, &options).unwrap();
    let other = "wordpress.other_plugin";
    assert_eq!(
        ids(&plan.findings),
        [
            other,
            other,
            other,
            "wordpress.wp_mail",
            "wordpress.dead_option",
            "wordpress.their_host"
        ]
    );
    assert!(
        plan.findings
            .iter()
            .all(|one| one.severity != Severity::Error)
    );
    activate(&blog, &[]);
    let clean =
        "WORDPRESS delete_option('wp_mail_smtp_options'); answer(delete_option('wp_mail_smtp'));";
    assert_eq!(blog.php(clean), true);

    // Somebody's file by the name of ours, which comes back.
    let there = blog.root().join("wp-content/mu-plugins");
    std::fs::create_dir(&there).unwrap();
    let path = there.join(PLUGIN_FILE);
    std::fs::write(&path, "<?php // somebody's\n").unwrap();
    open(&path, 0o600);
    succeed(Command::new("chown").arg("33:33").arg(&path));
    let before = snapshot(&blog.root());
    let applied = mailu.wordpress_apply(&site, &profile, &options).unwrap();
    assert!(applied.performed);
    assert!(
        actions(&applied.plan.changes)
            .contains(&(PLUGIN_FILE.to_owned(), WordPressAction::Replace))
    );
    // Another token, then edits of ours, which nobody throws away.
    let other = Profile::new(
        profile.host.clone(),
        Tls::Starttls,
        profile.login.clone(),
        Secret::new("another token"),
    );
    let applied = mailu.wordpress_apply(&site, &other, &options).unwrap();
    assert_eq!(
        actions(&applied.plan.changes),
        [(SETTINGS_FILE.to_owned(), WordPressAction::Replace)]
    );
    let verified = mailu.wordpress_verify(&site, &profile, None).unwrap();
    assert_eq!(ids(&verified.findings), ["wordpress.stale"]);
    let verified = mailu.wordpress_verify(&site, &other, None).unwrap();
    assert_eq!(ids(&verified.findings), ["wordpress.not_sent"]);
    assert!(!format!("{verified:?}").contains("another token"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}// edited\n")).unwrap();
    let edited = snapshot(&blog.root());
    let applied = mailu.wordpress_apply(&site, &profile, &options).unwrap();
    assert!(!applied.performed);
    assert_eq!(ids(&applied.plan.findings), ["wordpress.edited"]);
    let error = mailu.wordpress_remove(&site).unwrap_err();
    assert_eq!(
        (error.code(), ids(error.all_findings())),
        ("wordpress.edited", vec!["wordpress.edited"])
    );
    edited.assert_same(&snapshot(&blog.root()), "a refusal");
    std::fs::write(&path, text).unwrap();
    let removed = mailu.wordpress_remove(&site).unwrap();
    assert!(
        actions(&removed.changes).contains(&(PLUGIN_FILE.to_owned(), WordPressAction::Restore))
    );
    before.assert_same(&snapshot(&blog.root()), "removing it");
    let left = crate::support::files_below(&root);
    assert_eq!(left, Vec::<PathBuf>::new());

    // Links by which a site could have us write elsewhere, and read.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", &path).unwrap();
    let error = mailu
        .wordpress_apply(&site, &profile, &options)
        .unwrap_err();
    assert_eq!(error.code(), "wordpress.in_the_way");
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_dir(&there).unwrap();
    let elsewhere = blog.beside("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &there).unwrap();
    let error = mailu
        .wordpress_apply(&site, &profile, &options)
        .unwrap_err();
    assert_eq!(error.code(), "wordpress.outside");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    std::fs::remove_file(&there).unwrap();

    // A site that does not load.
    let config = blog.root().join("wp-config.php");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("'blog'", "'gone'")).unwrap();
    let error = mailu
        .wordpress_apply(&site, &profile, &options)
        .unwrap_err();
    assert_eq!(error.code(), "wordpress.not_loaded");
    assert!(error.to_string().contains("database"), "{error}");
    let nowhere = WordPressTarget::new(BLOG.parse().unwrap()).at(&root);
    assert_eq!(
        mailu.wordpress_site(&nowhere).unwrap_err().code(),
        "wordpress.no_site"
    );
    let nobody = WordPressTarget::new(BLOG.parse().unwrap());
    assert_eq!(
        mailu.wordpress_site(&nobody).unwrap_err().code(),
        "engine.unreachable"
    );
}

/// Every way in which the server cannot be used is told from the others, and nothing is sent.
fn probed(mailu: &Mailu, site: &WordPressSite, server: &Server) {
    let good = || profile(Tls::Implicit);
    let host = |name: &str| {
        Profile::new(
            name.parse().unwrap(),
            Tls::Implicit,
            LOGIN.parse().unwrap(),
            Secret::new(TOKEN),
        )
    };
    let mut port = good();
    port.port = 466;
    let mut mixed = good();
    mixed.port = 587;
    let mut sender = good();
    sender.from = "other@example.com".parse().unwrap();
    let mut alias = good();
    alias.from = ALIAS.parse().unwrap();
    let wrong = Profile::new(
        "mail.example.com".parse().unwrap(),
        Tls::Starttls,
        LOGIN.parse().unwrap(),
        Secret::new("wrong token"),
    );
    let own = server.options();
    let none = WordPressOptions::default();
    for (profile, options, stage, id) in [
        (good(), &own, "", None),
        (alias, &own, "", None),
        (
            host("nowhere.example.com"),
            &own,
            "resolve",
            Some("wordpress.resolve"),
        ),
        (port, &own, "connect", Some("wordpress.connect")),
        (good(), &none, "tls", Some("wordpress.tls")),
        (
            host("other.example.com"),
            &own,
            "tls",
            Some("wordpress.tls"),
        ),
        (mixed, &own, "tls", Some("wordpress.tls")),
        (wrong, &own, "login", Some("wordpress.login")),
        (sender, &own, "recipient", Some("wordpress.sender")),
    ] {
        let (probe, finding) = mailu.wordpress_probe(site, &profile, options).unwrap();
        assert_eq!(probe.stage, stage, "{probe:?}");
        assert_eq!(finding.as_ref().map(|one| one.id.as_str()), id);
        let shown = format!("{probe:?}{finding:?}");
        assert!(
            !shown.contains(TOKEN) && !shown.contains("wrong token"),
            "{shown}"
        );
    }
    assert!(server.received().is_empty());
}

/// With constants that somebody else has set, nothing is changed; nor does the plugin do anything that is there already.
fn constants_of_others(blog: &Blog, server: &Server, mailu: &Mailu, site: &WordPressSite) {
    let (profile, options) = (profile(Tls::Implicit), server.options());
    let config = blog.root().join("wp-config.php");
    let text = std::fs::read_to_string(&config).unwrap();
    let theirs = text.replace(
        "$table_prefix",
        "define('WPMS_ON', true); define('WPMS_SMTP_HOST', 'smtp.example.net');\n$table_prefix",
    );
    std::fs::write(&config, &theirs).unwrap();
    let before = snapshot(&blog.root());
    let applied = mailu.wordpress_apply(site, &profile, &options).unwrap();
    assert!(!applied.performed && applied.plan.changes.is_empty());
    assert_eq!(ids(&applied.plan.findings), ["wordpress.constants"]);
    assert!(
        applied.plan.findings[0]
            .message
            .contains("smtp.example.net")
    );
    before.assert_same(&snapshot(&blog.root()), "constants of others");

    std::fs::write(&config, &text).unwrap();
    assert!(
        mailu
            .wordpress_apply(site, &profile, &options)
            .unwrap()
            .performed
    );
    std::fs::write(&config, &theirs).unwrap();
    let verified = mailu
        .wordpress_verify(site, &profile, Some(&SOMEONE.parse().unwrap()))
        .unwrap();
    assert_eq!(ids(&verified.findings), ["wordpress.constants"]);
    // The message goes as it would without us, with the sender that it has.
    let asked = "WORDPRESS $seen = null; add_action('phpmailer_init', function ($mailer) use (&$seen) { $seen = $mailer; });
        wp_mail('someone@outside.test', 'x', 'x', array('From: jane@visitor.example'));
        answer(array($seen->Mailer, $seen->From, $seen->Host, count($seen->getReplyToAddresses()), get_option('agencystack_mail_last'), WPMS_SMTP_HOST));";
    assert_eq!(
        blog.php(asked),
        json!([
            "mail",
            "jane@visitor.example",
            "localhost",
            0,
            false,
            "smtp.example.net"
        ])
    );
    assert!(server.received().is_empty());
    std::fs::write(&config, &text).unwrap();
    assert_eq!(
        mailu
            .wordpress_verify(site, &profile, None)
            .unwrap()
            .findings,
        []
    );

    // Settings that the site may not read: it says so, and PHP's log has it.
    let root = mailu.root().join("wordpress").join(BLOG).join("mail");
    open(&root, 0o700);
    let verified = mailu.wordpress_verify(site, &profile, None).unwrap();
    assert_eq!(ids(&verified.findings), ["wordpress.unreadable"]);
    // Then what stands in the environment counts.
    let place = blog.root().join("wp-content/mu-plugins").join(PLUGIN_FILE);
    let script = format!("<?php {STUBS} putenv('AGENCYSTACK_MAIL_HOST=env.example.com'); putenv('AGENCYSTACK_MAIL_USER=a@example.com');
        putenv('AGENCYSTACK_MAIL_PASSWORD=0123'); putenv('AGENCYSTACK_MAIL_FROM=a@example.com'); putenv('AGENCYSTACK_MAIL_SECURE=tls');
        require '{}'; echo json_encode(array(agencystack_mail_mode(), agencystack_mail_settings()));", place.display());
    let output = php(&script, &[]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        said,
        json!(["hooks", { "secure": "tls", "from_name": "", "envelope": "a@example.com", "helo": "", "ca_file": "",
            "host": "env.example.com", "user": "a@example.com", "password": "0123", "from": "a@example.com", "port": 587 }])
    );
    open(&root, 0o750);
}

/// Where WP Mail SMTP is active, it gets its constants, each in the type that it asks for (`Options::is_const_defined`).
fn constants_of_ours(blog: &Blog, server: &Server, mailu: &Mailu, site: &WordPressSite) {
    let mut named = profile(Tls::Starttls);
    named.from_name = Some("A Blog".to_owned());
    let options = server.options();
    activate(
        blog,
        &[(
            "wp-mail-smtp/wp_mail_smtp.php",
            "<?php function wp_mail_smtp() {}",
        )],
    );
    for profile in [profile(Tls::Implicit), named] {
        mailu.wordpress_apply(site, &profile, &options).unwrap();
        let plan = mailu.wordpress_plan(site, &profile, &options).unwrap();
        assert_eq!(
            (plan.seen.mode.as_str(), plan.seen.wpms_on),
            ("constants", true)
        );
        assert_eq!((plan.findings, plan.changes), (vec![], vec![]));
        let read = "WORDPRESS answer(array_filter(get_defined_constants(true)['user'], function ($name) { return strpos($name, 'WPMS_') === 0; }, ARRAY_FILTER_USE_KEY));";
        let implicit = profile.tls == Tls::Implicit;
        let mut wanted = json!({
            "WPMS_ON": true, "WPMS_MAILER": "smtp", "WPMS_MAIL_FROM": LOGIN, "WPMS_SET_RETURN_PATH": true,
            "WPMS_SMTP_HOST": "mail.example.com", "WPMS_SMTP_PORT": if implicit { 465 } else { 587 },
            "WPMS_SSL": if implicit { "ssl" } else { "tls" }, "WPMS_SMTP_AUTH": true, "WPMS_SMTP_AUTOTLS": !implicit,
            "WPMS_SMTP_USER": LOGIN, "WPMS_SMTP_PASS": TOKEN,
        });
        if let Some(name) = &profile.from_name {
            wanted["WPMS_MAIL_FROM_NAME"] = json!(name);
        }
        assert_eq!(blog.php(read), wanted);
        // It connects by itself; sender, answers and TLS are seen to. A visitor's address is no sender here, either.
        let asked = "WORDPRESS $seen = null; add_action('phpmailer_init', function ($mailer) use (&$seen) { $seen = clone $mailer; }, PHP_INT_MAX);
            wp_mail('someone@outside.test', 'x', 'x', array('From: jane@visitor.example'));
            answer(array($seen->Mailer, $seen->From, $seen->Sender, array_keys($seen->getReplyToAddresses()), $seen->SMTPOptions['ssl']['verify_peer']));";
        assert_eq!(
            blog.php(asked),
            json!(["mail", LOGIN, LOGIN, ["jane@visitor.example"], true])
        );
    }
    activate(blog, &[]);
    // Without it, WordPress itself sends again.
    let profile = profile(Tls::Implicit);
    mailu.wordpress_apply(site, &profile, &options).unwrap();
    let verified = mailu
        .wordpress_verify(site, &profile, Some(&SOMEONE.parse().unwrap()))
        .unwrap();
    assert_eq!(
        (verified.findings, verified.sent.mode.as_str()),
        (vec![], "hooks")
    );
    server.only();
    assert_eq!(mailu.wordpress_remove(site).unwrap().findings, []);
}

/// One plugin for all sites of a network; its note is taken from the database of each.
#[test]
fn a_network_of_sites_has_one_plugin() {
    if !alone("a_network_of_sites_has_one_plugin") {
        return;
    }
    let (blog, server) = (Blog::new(), Server::new());
    let make = "WORDPRESS require ABSPATH . 'wp-admin/includes/upgrade.php'; require ABSPATH . 'wp-admin/includes/network.php';
        foreach ($wpdb->tables('ms_global') as $table => $name) { $wpdb->$table = $name; }
        install_network(); answer(populate_network(1, 'blog.example.net', 'editor@example.net', 'Network', '/', false));";
    assert_eq!(blog.php(make), true);
    let config = blog.root().join("wp-config.php");
    let text = std::fs::read_to_string(&config).unwrap();
    let network = "define('MULTISITE', true); define('SUBDOMAIN_INSTALL', false); define('DOMAIN_CURRENT_SITE', 'blog.example.net');
        define('PATH_CURRENT_SITE', '/'); define('SITE_ID_CURRENT_SITE', 1); define('BLOG_ID_CURRENT_SITE', 1);\n$table_prefix";
    std::fs::write(&config, text.replace("$table_prefix", network)).unwrap();
    let second = "WORDPRESS answer(wp_insert_site(array('domain' => 'blog.example.net', 'path' => '/second/', 'network_id' => 1, 'user_id' => 1, 'title' => 'Second')));";
    assert_eq!(blog.php(second), 2);

    let (_, mailu) = root(&blog);
    let (profile, options) = (profile(Tls::Implicit), server.options());
    let site = mailu.wordpress_site(&target(&blog)).unwrap();
    assert!(
        mailu
            .wordpress_apply(&site, &profile, &options)
            .unwrap()
            .performed
    );
    let notes =
        "get_blog_option(1, 'agencystack_mail_last'), get_blog_option(2, 'agencystack_mail_last')";
    let send = format!(
        "WORDPRESS $one = wp_mail('{SOMEONE}', 'first', 'x'); switch_to_blog(2); $two = wp_mail('{SOMEONE}', 'second', 'x'); answer(array($one, $two, {notes}));"
    );
    let said = blog.php(&send);
    assert_eq!(
        (&said[0], &said[1], &said[2]["ok"], &said[3]["ok"]),
        (&json!(true), &json!(true), &json!(true), &json!(true))
    );
    let all = server.received();
    assert_eq!(
        all.iter()
            .map(|one| one.0["from"].as_str())
            .collect::<Vec<_>>(),
        [Some(LOGIN), Some(LOGIN)]
    );
    // For the whole network, WP Mail SMTP is active in another option.
    activate(
        &blog,
        &[(
            "wp-mail-smtp/wp_mail_smtp.php",
            "<?php function wp_mail_smtp() {}",
        )],
    );
    activate(&blog, &[]);
    let active = "WORDPRESS answer(update_site_option('active_sitewide_plugins', array('wp-mail-smtp/wp_mail_smtp.php' => 1)));";
    assert_eq!(blog.php(active), true);
    let plan = mailu.wordpress_plan(&site, &profile, &options).unwrap();
    assert_eq!(plan.seen.mode, "constants");
    assert_eq!(mailu.wordpress_remove(&site).unwrap().findings, []);
    assert_eq!(
        blog.php(&format!("WORDPRESS answer(array({notes}));")),
        json!([false, false])
    );
}

/// Enough of WordPress for the plugin to be loaded without it.
const STUBS: &str = "define('ABSPATH', '/'); function get_option($name, $default = false) { return $default; } function is_multisite() { return false; }
    function add_filter() {} function add_action() {}";

/// Whatever a name, a password or a path consists of, the plugin gets just that.
#[test]
fn hostile_values_come_through_settings_and_plugin() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path(), 0o755);
    let place = directory.path().join("it's a \\ $place <?php");
    std::fs::create_dir(&place).unwrap();
    let mut runner = TestRunner::new(Config::default());
    let text = "[^\\x00-\\x1f\\x7f-\\u{9f}\u{2028}]{1,30}";
    let known = [
        "'",
        "\\",
        "\\'",
        "?>",
        "<?php exit;",
        "$x {$y}",
        "__halt_compiler();",
        "*/",
        "\"",
        "0",
        "1e5",
        "null",
        "</script>",
        "é 雪 \u{1f4e7}",
        "\\u0027",
    ];
    let mut values: Vec<(String, String)> =
        known.map(|one| (one.to_owned(), one.to_owned())).into();
    let drawn = prop::collection::vec((text, text), 60)
        .new_tree(&mut runner)
        .unwrap();
    values.extend(drawn.current());
    for (index, (name, secret)) in values.iter().enumerate() {
        let mut profile = Profile::new(
            "mail.example.com".parse().unwrap(),
            Tls::Implicit,
            LOGIN.parse().unwrap(),
            Secret::new(secret),
        );
        profile.from_name = Some(name.clone());
        let file = place.join(format!("{index}.secret.php"));
        std::fs::write(&file, settings(&profile, None).unwrap().expose()).unwrap();
        // One process for each would take minutes: each file gets functions of its own.
        let text = plugin(file.to_str().unwrap())
            .replace("agencystack_mail_", &format!("agencystack_{index}_mail_"));
        let text = text.replace(
            "AGENCYSTACK_MAIL_PRIORITY",
            &format!("AGENCYSTACK_MAIL_PRIORITY_{index}"),
        );
        std::fs::write(place.join(format!("{index}.php")), text).unwrap();
    }
    let script = format!(
        "<?php {STUBS} chdir('{}'); $all = array();
         for ($i = 0; $i < {}; $i++) {{ require \"./$i.php\"; $settings = (\"agencystack_{{$i}}_mail_settings\")(); $all[] = array($settings['from_name'], $settings['password']); }}
         ob_start(); register_shutdown_function(function () use (&$all) {{ $out = ob_get_clean(); echo json_encode(array($all, $out)); }});
         require './0.secret.php';",
        place.display().to_string().replace('\\', "\\\\").replace('\'', "\\'"),
        values.len()
    );
    let output = php(&script, &[]);
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    for (index, (name, secret)) in values.iter().enumerate() {
        assert_eq!(said[0][index], json!([name, secret]));
    }
    // On the web, the settings are an empty page.
    assert_eq!(said[1], "");
    // Every file is PHP.
    for name in ["0.php", "0.secret.php", "7.secret.php"] {
        succeed(Command::new(tool("php")).arg("-l").arg(place.join(name)));
    }
}

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Halfway, Moment::After];

/// Killed at any change and run again, it is as if it had not been; and all of it can be taken back.
#[test]
fn a_killed_run_is_completed_and_can_be_taken_back() {
    if !alone("a_killed_run_is_completed_and_can_be_taken_back") {
        return;
    }
    let blog = Blog::new();
    let (root, mailu) = root(&blog);
    let (profile, options) = (profile(Tls::Implicit), WordPressOptions::default());
    let there = blog.root().join("wp-content/mu-plugins");
    std::fs::create_dir(&there).unwrap();
    std::fs::write(there.join(PLUGIN_FILE), "<?php // somebody's\n").unwrap();
    let site = mailu.wordpress_site(&target(&blog)).unwrap();
    let before = snapshot(&blog.root());
    mailu.wordpress_apply(&site, &profile, &options).unwrap();
    let after = snapshot(&blog.root());
    mailu.wordpress_remove(&site).unwrap();

    let mut at = 1;
    loop {
        let mut dying = Dying::at(at, MOMENTS[at % MOMENTS.len()]);
        let died = wordpress_apply(&root, &site, &profile, &options, &mut dying).is_err();
        // Half of them go on, half of them go back at once.
        if at % 2 == 0 {
            mailu.wordpress_apply(&site, &profile, &options).unwrap();
            after.assert_same(&snapshot(&blog.root()), &format!("killed at change {at}"));
        }
        let mut back = Dying::at(at, MOMENTS[(at + 1) % MOMENTS.len()]);
        let _ = wordpress_remove(&root, &site, &mut back);
        mailu.wordpress_remove(&site).unwrap();
        before.assert_same(&snapshot(&blog.root()), &format!("back from change {at}"));
        assert_eq!(crate::support::files_below(&root), Vec::<PathBuf>::new());
        if !died {
            break;
        }
        at += 1;
    }
    assert!(at > 15, "{at} changes");
}

/// AgencyStack's container, played by an engine that has the site's own PHP behind it.
#[test]
fn a_site_in_a_container_is_found_and_changed_from_outside() {
    if !alone("a_site_in_a_container_is_found_and_changed_from_outside") {
        return;
    }
    let (blog, server) = (Blog::new(), Server::new());
    let (root, mailu) = root(&blog);
    let engine = FakeEngine::start();
    let socket = PathBuf::from(std::env::var("MAILU_TEST_WORDPRESS").unwrap()).join("docker.sock");
    std::os::unix::fs::symlink(engine.host().strip_prefix("unix://").unwrap(), socket).unwrap();

    // As in the container, so that what its PHP says is true there only.
    let html = root.join("wordpress").join(BLOG).join("wordpress");
    std::fs::create_dir_all(&html).unwrap();
    std::fs::create_dir_all("/var/www/html").unwrap();
    let from = blog.root();
    let _html = (
        Mounted::new(&["--bind", from.to_str().unwrap()], &html),
        Mounted::new(
            &["--bind", from.to_str().unwrap()],
            Path::new("/var/www/html"),
        ),
    );
    let mut container = FakeContainer::of("blog", "wordpress", "wordpress:php8.2-fpm");
    container.name = "acme_wordpress".to_owned();
    container.environment = vec!["PHP_VERSION=8.2.29".to_owned()];
    container.mounts = vec![(html.display().to_string(), "/var/www/html".to_owned())];
    engine.add(container.clone());
    let mut web = FakeContainer::of("blog", "nginx", "nginx:latest");
    web.mounts.clone_from(&container.mounts);
    engine.add(web);
    engine.program("wordpress", &["php"], |command, input| {
        let script = String::from_utf8(input.to_vec()).unwrap();
        let more: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
        let output = php(&script, &more);
        Answer {
            code: output.status.code().unwrap_or(-1).into(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    });

    let (profile, options) = (profile(Tls::Implicit), server.options());
    let site = mailu
        .wordpress_site(&WordPressTarget::new(BLOG.parse().unwrap()))
        .unwrap();
    assert_eq!(
        (site.container.as_deref(), &site.docroot, &site.directory),
        (
            Some("acme_wordpress"),
            &PathBuf::from("/var/www/html"),
            &html
        )
    );
    let by_path = WordPressTarget::new(BLOG.parse().unwrap()).at(html.parent().unwrap());
    assert_eq!(mailu.wordpress_site(&by_path).unwrap(), site);
    let before = (snapshot(&html), snapshot(&root));
    let (probe, _) = mailu.wordpress_probe(&site, &profile, &options).unwrap();
    assert_eq!(probe.stage, "", "{probe:?}");

    // It has no other directory than its document root.
    let applied = mailu.wordpress_apply(&site, &profile, &options).unwrap();
    assert!(applied.performed);
    assert_eq!(ids(&applied.plan.findings), ["wordpress.in_docroot"]);
    let hint = &applied.plan.findings[0].hints[0];
    let home = root.join("wordpress").join(BLOG).join("mail");
    assert!(
        hint.contains(&format!("{}:/etc/agencystack-mail:ro", home.display())),
        "{hint}"
    );
    assert_eq!(mode(&html.join(SETTINGS_FILE)), 0o640);
    let to = SOMEONE.parse().unwrap();
    let verified = mailu.wordpress_verify(&site, &profile, Some(&to)).unwrap();
    assert_eq!(verified.findings, [], "{:?}", verified.sent);
    assert_eq!(server.only().0["from"], LOGIN);
    assert!(
        !mailu
            .wordpress_apply(&site, &profile, &options)
            .unwrap()
            .performed
    );

    // With the directory that was advised, they move there.
    std::fs::create_dir_all("/etc/agencystack-mail").unwrap();
    std::fs::create_dir_all(&home).unwrap();
    let mounted = Mounted::new(
        &["--bind", home.to_str().unwrap()],
        Path::new("/etc/agencystack-mail"),
    );
    engine.change("acme_wordpress", |one| {
        one.mounts.push((
            home.display().to_string(),
            "/etc/agencystack-mail".to_owned(),
        ));
    });
    let site = mailu
        .wordpress_site(&WordPressTarget::new(BLOG.parse().unwrap()))
        .unwrap();
    let applied = mailu.wordpress_apply(&site, &profile, &options).unwrap();
    assert_eq!(applied.plan.findings, []);
    assert!(!html.join(SETTINGS_FILE).exists() && home.join(SETTINGS_FILE).exists());
    let verified = mailu.wordpress_verify(&site, &profile, Some(&to)).unwrap();
    assert_eq!(verified.findings, [], "{:?}", verified.sent);
    server.only();
    mailu.wordpress_remove(&site).unwrap();
    before.0.assert_same(&snapshot(&html), "removing it");
    drop(mounted);
    std::fs::remove_dir(&home).unwrap();
    before.1.assert_same(&snapshot(&root), "removing it");

    // The token went nowhere but through inputs.
    for call in engine.calls() {
        assert!(!call.contains(TOKEN), "{call}");
    }
    let nobody = WordPressTarget::new("shop.example.net".parse().unwrap());
    let error = mailu.wordpress_site(&nobody).unwrap_err();
    assert_eq!(error.code(), "wordpress.not_found");
    assert!(
        error.hints().join(" ").contains("acme_wordpress"),
        "{:?}",
        error.hints()
    );
    engine.change("acme_wordpress", |one| one.state = "exited");
    std::fs::write(html.parent().unwrap().join("docker-compose.yml"), "").unwrap();
    let error = mailu
        .wordpress_site(&WordPressTarget::new(BLOG.parse().unwrap()))
        .unwrap_err();
    assert!(
        error.hints().join(" ").contains("docker compose up -d"),
        "{:?}",
        error.hints()
    );
}
