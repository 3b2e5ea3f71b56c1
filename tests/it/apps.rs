//! Settings for apps: golden files for every app and both ways of TLS, and texts as nobody writes them, read back by what each app
//! reads its settings with.
//!
//! `tests/golden-apps/APP/WAY.FORMAT`; `MAILU_BLESS=1` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailu_core::Secret;
use mailu_core::apps::{self, App, Incoming, Profile, Tls, mailbox};
use proptest::strategy::{Strategy as _, ValueTree as _};
use serde_json::{Value, json};

use crate::random;
use crate::support::{Root, compose_v2, files_below, succeed, tests, tool, workspace};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn profile(tls: Tls, login: &str, secret: &str) -> Profile {
    Profile::new(
        "mail.example.com".parse().unwrap(),
        tls,
        login.parse().unwrap(),
        Secret::new(secret),
    )
}

/// One login with everything that can be said of it, and one with what has to be.
fn ways() -> [(&'static str, Profile); 4] {
    let full = |tls| {
        let mut profile = profile(tls, "app-login@example.com", TOKEN);
        profile.from = "hello@example.com".parse().unwrap();
        profile.from_name = Some("Blue & Co.".to_owned());
        profile.helo = Some("blog.example.com".parse().unwrap());
        profile.envelope_from = Some("bounces@example.com".parse().unwrap());
        profile.incoming = Some(Incoming::default());
        profile
    };
    let small = |tls| profile(tls, "app@xn--mnchen-3ya.de", TOKEN);
    [
        ("implicit", full(Tls::Implicit)),
        ("starttls", full(Tls::Starttls)),
        ("implicit-small", small(Tls::Implicit)),
        ("starttls-small", small(Tls::Starttls)),
    ]
}

/// The app's own forms and its variables; of any app, variables in every form.
fn golden_formats(app: &App) -> Vec<&'static str> {
    let mut formats = app.formats();
    if app.name != apps::generic().name {
        formats.retain(|format| !["compose", "shell", "toml"].contains(format));
        // Those of their own keep a name that is one for variables, too.
        let own = ["ghost", "mattermost", "keycloak", "peertube"].contains(&app.name);
        formats.retain(|format| own || !["json", "yaml"].contains(format));
    }
    formats
}

fn all() -> impl Iterator<Item = &'static App> {
    apps::ALL.iter().chain([apps::generic()])
}

#[test]
fn every_app_gets_its_settings() {
    let mut now = BTreeMap::new();
    for app in all() {
        for (way, profile) in ways() {
            for format in golden_formats(app) {
                let path = format!("{}/{way}.{format}", app.name);
                let text = match app.settings(&profile, Some(format)) {
                    Ok(settings) => {
                        assert!(settings.text.ends_with('\n') && !settings.about.is_empty());
                        settings.text
                    }
                    Err(error) => format!("{:#}\n", error.to_json()),
                };
                now.insert(path, text);
            }
        }
    }
    let place = tests("golden-apps");
    let relative = |path: &Path| {
        let name = path.strip_prefix(&place).unwrap();
        name.to_string_lossy().into_owned()
    };
    if std::env::var_os("MAILU_BLESS").is_some() {
        for path in files_below(&place) {
            std::fs::remove_file(path).unwrap();
        }
        for (name, text) in &now {
            let path = place.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        return;
    }
    let before: BTreeMap<String, String> = files_below(&place)
        .iter()
        .map(|path| (relative(path), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        now.keys().collect::<Vec<_>>(),
        "MAILU_BLESS=1 writes them anew"
    );
    for (name, text) in &now {
        assert_eq!(&before[name], text, "{name}; MAILU_BLESS=1 writes it anew");
    }
}

/// Every app of the table has its file, and what it says of TLS differs between the two ways.
#[test]
fn both_ways_of_tls_are_told_apart_by_every_app() {
    let names: Vec<_> = all().map(|app| app.name).collect();
    for name in [
        "ghost",
        "erpnext",
        "chatwoot",
        "mattermost",
        "keycloak",
        "gitea",
        "grafana",
        "killbill",
        "documenso",
        "calcom",
        "peertube",
        "discourse",
        "nextcloud",
        "n8n",
        "taiga",
        "gitlab",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    let [(_, implicit), (_, starttls), ..] = ways();
    for app in all() {
        for format in app.formats() {
            let one = app.settings(&implicit, Some(format)).unwrap().text;
            let other = match app.settings(&starttls, Some(format)) {
                Ok(settings) => settings.text,
                Err(error) => {
                    assert_eq!((app.name, error.code()), ("killbill", "app.no_starttls"));
                    assert!(!error.hints().is_empty());
                    continue;
                }
            };
            assert!(
                one != other || format == "inbox",
                "{} as {format} does not tell",
                app.name
            );
        }
    }
}

/// Logins as nobody has them, the same ones every time.
fn hostile() -> Vec<Profile> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut text = |wanted: fn(&str) -> bool| loop {
        let line = random::hostile_line()
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if !line.contains(bad) && wanted(&line) {
            return line;
        }
    };
    let mut texts: Vec<String> = [
        "a'b",
        "a\"b",
        "a\\",
        "\\",
        "a\\\\b",
        "a\\'b",
        "$HOME",
        "${HOME}",
        "$$",
        "a$(id)`id`",
        " lead",
        "trail ",
        "a # b",
        "#a",
        "a;b",
        ";",
        "!a",
        "a=b:c",
        "%(USER)s",
        "%s",
        "`a`",
        "`a\"\"\"b",
        "\"\"\"",
        "\"a\"",
        "'a'",
        "\"true\"",
        "true",
        "null",
        "undefined",
        "yes",
        "{a}",
        "[1]",
        "~",
        "2026-11-22",
        "Grüße ✉ 😀",
        "日本語",
        "\u{a0}x\u{a0}",
        "\u{feff}x",
        "\\u0041",
        "\\n",
        "a\\tb",
        "#{1+1}",
        "{{ x }}",
        "<%= 1 %>",
        "?>",
        "<?php",
        "*",
        "a, b <c@d>",
        "(a)",
        "@",
        "a|b",
        "\u{202e}rtl",
        "e\u{301}",
        "x\u{fffe}y",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(
        (0..100).map(|_| text(|line| !line.trim().is_empty() && !apps::is_numeric_looking(line))),
    );
    let locals = [
        "app",
        "o'brien",
        "a{b}",
        "x$y",
        "we!r#d%&*+/=?^_`|~-z",
        "$home",
        "-a",
        "#a",
        "a`b",
    ];
    let mut all = Vec::new();
    for (index, secret) in texts.iter().enumerate() {
        let tls = if index % 2 == 0 {
            Tls::Implicit
        } else {
            Tls::Starttls
        };
        let login = format!("{}@example.com", locals[index % locals.len()]);
        let mut one = profile(tls, &login, secret);
        one.from_name = Some(texts[(index * 7 + 3) % texts.len()].clone());
        all.push(one);
    }
    all
}

/// The settings of each profile in files of their own. What cannot be written in this form is refused, and that is seldom.
fn written(app: &App, format: &str) -> (tempfile::TempDir, Vec<(Profile, PathBuf)>) {
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut refused = Vec::new();
    for (index, mut profile) in hostile().into_iter().enumerate() {
        if profile.tls == Tls::Starttls && app.name == "killbill" {
            profile.tls = Tls::Implicit;
            profile.port = 465;
        }
        match app.settings(&profile, Some(format)) {
            Ok(settings) => {
                let path = directory.path().join(format!("{index}.{format}"));
                std::fs::write(&path, settings.text).unwrap();
                files.push((profile, path));
            }
            Err(error) => {
                assert_eq!(error.code(), "app.unwritable", "{error:?}");
                assert!(!error.hints().is_empty());
                refused.push(index);
            }
        }
    }
    let most = match (app.name, format) {
        // Backquotes with three double quotes, references.
        ("gitea" | "grafana", "ini") => 16,
        // A backslash at the end beside other things.
        (_, "env") => 12,
        _ => 0,
    };
    assert!(
        refused.len() <= most,
        "{} as {format}: {} refused",
        app.name,
        refused.len()
    );
    (directory, files)
}

fn paths(files: &[(Profile, PathBuf)]) -> Vec<&Path> {
    files.iter().map(|(_, path)| path.as_path()).collect()
}

fn python(system: bool) -> Command {
    let ours = workspace().join(".cache/python/bin/python");
    let mut command = if system {
        Command::new("/usr/bin/python3")
    } else {
        assert!(
            ours.exists(),
            "the tests' Python is missing: run `make tools`"
        );
        Command::new(ours)
    };
    command.arg(tests("tools/read_settings.py"));
    command
}

/// What a program prints of files: a list with a value for each.
fn read(command: &mut Command, files: &[&Path]) -> Vec<Value> {
    let list: Vec<Value> = serde_json::from_str(&succeed(command.args(files))).unwrap();
    assert_eq!(list.len(), files.len());
    list
}

/// What a value is to be, and where it is found.
struct Wanted {
    at: &'static str,
    of: fn(&Profile) -> String,
}

const fn wanted(at: &'static str, of: fn(&Profile) -> String) -> Wanted {
    Wanted { at, of }
}

fn secret(profile: &Profile) -> String {
    profile.secret.expose().to_owned()
}

fn login(profile: &Profile) -> String {
    profile.login.to_string()
}

fn name(profile: &Profile) -> String {
    profile.from_name.clone().unwrap()
}

fn sender(profile: &Profile) -> String {
    mailbox(profile.from_name.as_deref(), &profile.from)
}

const VARIABLES: [Wanted; 4] = [
    wanted("/SMTP_PASSWORD", secret),
    wanted("/SMTP_USER", login),
    wanted("/SMTP_USERNAME", login),
    wanted("/SMTP_FROM_NAME", name),
];

fn compare(app: &App, format: &str, all: &[Wanted], files: &[(Profile, PathBuf)], found: &[Value]) {
    for ((profile, path), value) in files.iter().zip(found) {
        for Wanted { at, of } in all {
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(
                value.pointer(at).and_then(Value::as_str),
                Some(of(profile).as_str()),
                "{at} of {} as {format}: {value}\n{text}",
                app.name
            );
        }
    }
}

fn app(name: &str) -> &'static App {
    apps::by_name(name).unwrap()
}

#[test]
fn json_yaml_toml_and_properties_come_back() {
    let cases: [(&str, &str, &str, &[Wanted]); 14] = [
        ("generic", "json", "json", &VARIABLES),
        ("generic", "yaml", "yaml", &VARIABLES),
        ("generic", "toml", "toml", &VARIABLES),
        (
            "ghost",
            "json",
            "json",
            &[
                wanted("/mail/options/auth/pass", secret),
                wanted("/mail/options/auth/user", login),
                wanted("/mail/from", sender),
            ],
        ),
        (
            "erpnext",
            "account",
            "json",
            &[wanted("/password", secret), wanted("/email_id", login)],
        ),
        (
            "erpnext",
            "site-config",
            "json",
            &[
                wanted("/mail_password", secret),
                wanted("/email_sender_name", name),
            ],
        ),
        (
            "chatwoot",
            "channel",
            "json",
            &[
                wanted("/channel/smtp_password", secret),
                wanted("/channel/smtp_login", login),
            ],
        ),
        (
            "chatwoot",
            "inbox",
            "json",
            &[wanted("/channel/email", |profile| profile.from.to_string())],
        ),
        (
            "mattermost",
            "json",
            "json",
            &[
                wanted("/EmailSettings/SMTPPassword", secret),
                wanted("/EmailSettings/FeedbackName", name),
            ],
        ),
        (
            "keycloak",
            "json",
            "json",
            &[
                wanted("/smtpServer/password", secret),
                wanted("/smtpServer/fromDisplayName", name),
            ],
        ),
        (
            "peertube",
            "yaml",
            "yaml",
            &[
                wanted("/smtp/password", secret),
                wanted("/smtp/username", login),
            ],
        ),
        (
            "discourse",
            "yaml",
            "yaml",
            &[wanted("/DISCOURSE_SMTP_PASSWORD", secret)],
        ),
        (
            "killbill",
            "server",
            "properties",
            &[
                wanted("/org.killbill.mail.smtp.password", secret),
                wanted("/org.killbill.mail.smtp.user", login),
            ],
        ),
        (
            "killbill",
            "plugin",
            "properties",
            &[
                wanted(
                    "/org.killbill.billing.plugin.email-notifications.smtp.password",
                    secret,
                ),
                wanted(
                    "/org.killbill.billing.plugin.email-notifications.smtp.defaultSender",
                    sender,
                ),
            ],
        ),
    ];
    for (name, format, kind, all) in cases {
        let app = app(name);
        let (_directory, files) = written(app, format);
        let found = read(python(false).arg(kind), &paths(&files));
        compare(app, format, all, &files, &found);
        if kind == "yaml" {
            // And by the rules of YAML 1.2.
            let found: Vec<Value> = files
                .iter()
                .map(|(_, path)| crate::yaml::parse(&std::fs::read_to_string(path).unwrap()))
                .collect();
            compare(app, format, all, &files, &found);
        }
    }
}

#[test]
fn ini_php_and_ruby_come_back() {
    let gitea = [
        wanted("/mailer/PASSWD", secret),
        wanted("/mailer/USER", login),
        wanted("/mailer/FROM name", name),
        wanted("/mailer/FROM address", login),
    ];
    let grafana = [
        wanted("/smtp/password", secret),
        wanted("/smtp/user", login),
        wanted("/smtp/from_name", name),
    ];
    let ini = [(app("gitea"), &gitea[..]), (app("grafana"), &grafana[..])];
    for (app, all) in ini {
        let (_directory, files) = written(app, "ini");
        let found = read(&mut Command::new(tool("read-ini")), &paths(&files));
        compare(app, "ini", all, &files, &found);
    }

    let nextcloud = app("nextcloud");
    let (_directory, files) = written(nextcloud, "php");
    let mut php = Command::new(tool("php"));
    let found = read(php.arg(tests("tools/read_settings.php")), &paths(&files));
    compare(
        nextcloud,
        "php",
        &[
            wanted("/mail_smtppassword", secret),
            wanted("/mail_smtpname", login),
        ],
        &files,
        &found,
    );

    let gitlab = app("gitlab");
    let (_directory, files) = written(gitlab, "ruby");
    let mut ruby = Command::new(tool("ruby"));
    let found = read(
        ruby.arg(tests("tools/read_settings.rb")).arg("gitlab"),
        &paths(&files),
    );
    let all = [
        wanted("/smtp_password", secret),
        wanted("/smtp_user_name", login),
        wanted("/gitlab_email_display_name", name),
    ];
    compare(gitlab, "ruby", &all, &files, &found);
}

#[test]
fn variables_come_back_from_shells() {
    const LOOK: &str = "for f; do (. \"$f\" && printf '%s\\0' \"$SMTP_PASSWORD\" \"$SMTP_USER\" \"$SMTP_FROM_NAME\") || exit; done";
    let (_directory, files) = written(apps::generic(), "shell");
    for shell in ["bash", "dash"] {
        let printed = succeed(
            Command::new(tool(shell))
                .args(["-c", LOOK, shell])
                .args(paths(&files)),
        );
        let found: Vec<&str> = printed.split_terminator('\0').collect();
        let meant: Vec<String> = files
            .iter()
            .flat_map(|(profile, _)| [secret(profile), login(profile), name(profile)])
            .collect();
        assert_eq!(found, meant, "{shell}");
    }
}

#[test]
fn variables_come_back_from_both_composes() {
    let generic = apps::generic();
    let (directory, files) = written(generic, "env");
    let mut services = String::new();
    for (index, (_, path)) in files.iter().enumerate() {
        let path = path.display();
        let _ = write!(
            services,
            "  s{index}:\n    image: x:1\n    env_file: [{path}]\n"
        );
    }
    // And as they stand in the file itself.
    let (_blocks, inline) = written(generic, "compose");
    for (index, (_, path)) in inline.iter().enumerate() {
        let text = std::fs::read_to_string(path).unwrap();
        let _ = writeln!(services, "  c{index}:\n    image: x:1");
        services.extend(text.lines().flat_map(|line| ["    ", line, "\n"]));
    }
    std::fs::write(
        directory.path().join("docker-compose.yml"),
        format!("services:\n{services}"),
    )
    .unwrap();
    let printed = succeed(
        compose_v2()
            .args(["--project-name", "x", "config", "--format", "json"])
            .current_dir(directory.path()),
    );
    let all: Value = serde_json::from_str(&printed).unwrap();
    let of = |kind: char, count: usize| -> Vec<Value> {
        (0..count)
            .map(|index| {
                let environment = &all["services"][format!("{kind}{index}")]["environment"];
                // Compose writes a literal `$` as `$$`, so that its output can be its input.
                let pairs = environment.as_object().unwrap().iter();
                pairs
                    .map(|(name, value)| {
                        (
                            name.clone(),
                            json!(value.as_str().unwrap().replace("$$", "$")),
                        )
                    })
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            })
            .collect()
    };
    compare(generic, "env", &VARIABLES, &files, &of('s', files.len()));
    compare(
        generic,
        "compose",
        &VARIABLES,
        &inline,
        &of('c', inline.len()),
    );

    // Compose v1 replaces `${…}` however it is quoted, and takes `\` in double quotes for more than Compose v2 does.
    let files: Vec<_> = files
        .into_iter()
        .filter(|(profile, _)| {
            [secret(profile), name(profile)]
                .iter()
                .all(|text| !text.contains("${"))
        })
        .collect();
    assert!(files.len() > 120);
    let found = read(python(true).arg("dotenv"), &paths(&files));
    compare(generic, "env", &VARIABLES, &files, &found);
}

#[test]
fn ghost_reads_what_was_meant() {
    let ghost = app("ghost");
    let (_directory, files) = written(ghost, "json");
    let mut meant: Vec<Profile> = files.iter().map(|(profile, _)| profile.clone()).collect();
    let mut cases: Vec<Value> = files
        .iter()
        .map(|(_, path)| json!({ "file": path }))
        .collect();
    // The environment goes before another file.
    let mut refused = 0;
    for profile in hostile() {
        let Ok(text) = ghost.settings(&profile, Some("toml")) else {
            refused += 1;
            continue;
        };
        let env: toml::Table = text.text.parse().unwrap();
        cases.push(json!({ "file": files[0].1, "env": env }));
        meant.push(profile);
    }
    assert!(refused > 5 && refused < 30, "{refused} refused");
    let mut node = Command::new(tool("node"))
        .arg(tests("tools/read_settings.js"))
        .arg("ghost")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    input
        .write_all(json!(cases).to_string().as_bytes())
        .unwrap();
    drop(input);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.len(), meant.len());
    for (profile, mail) in meant.iter().zip(&found) {
        let implicit = profile.tls == Tls::Implicit;
        assert_eq!(
            mail,
            &json!({
                "from": sender(profile),
                "transport": "SMTP",
                "options": {
                    "host": "mail.example.com",
                    "port": if implicit { 465 } else { 587 },
                    "secure": implicit,
                    "requireTLS": !implicit,
                    "auth": { "user": login(profile), "pass": secret(profile) },
                },
            })
        );
    }

    // What would not come back is refused.
    for text in ["true", "null", "[1]", "\"x\"", "undefined", "{}"] {
        let profile = profile(Tls::Implicit, "app@example.com", text);
        let error = ghost.settings(&profile, Some("env")).expect_err(text);
        assert_eq!(error.code(), "app.unwritable");
        assert!(ghost.settings(&profile, Some("json")).is_ok());
    }
}

/// Names beside addresses, taken apart by the libraries of Ghost and n8n, of Taiga, of Chatwoot and GitLab.
#[test]
fn names_beside_addresses_come_back() {
    let address = "app@example.com".parse().unwrap();
    let names: BTreeSet<String> = hostile().iter().map(name).collect();
    let lines: String = names
        .iter()
        .map(|name| mailbox(Some(name), &address) + "\n")
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("addresses");
    std::fs::write(&path, lines).unwrap();
    let mut node = Command::new(tool("node"));
    node.arg(tests("tools/read_settings.js"));
    let mut ruby = Command::new(tool("ruby"));
    ruby.arg(tests("tools/read_settings.rb"));
    for (program, mut command) in [("python", python(true)), ("node", node), ("ruby", ruby)] {
        let found = read(command.arg("addresses"), &[&path]);
        let found: Vec<(String, String)> = serde_json::from_value(found[0].clone()).unwrap();
        assert_eq!(found.len(), names.len());
        for (name, (said, at)) in names.iter().zip(&found) {
            assert_eq!(at, "app@example.com", "{program}: {name:?}");
            // Spaces at the ends mean nothing to nodemailer.
            let bare = |text: &str| {
                text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                    .to_owned()
            };
            assert_eq!(bare(said), bare(name), "{program}");
        }
    }
}

/// The program for Frappe, against a Frappe that knows the document's fields and rules.
#[test]
fn frappes_account_is_made_once_and_kept() {
    const LINK: &str = "Email Domain/example.com";
    let bench = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(bench.path().join("sites/erp.example.com")).unwrap();
    let database = bench.path().join("database.json");
    let ask = |profile: &Profile,
               with: bool,
               env: &[(&str, &str)],
               words: &[&str]|
     -> Result<Value, String> {
        let script = apps::frappe::program(profile, with).unwrap();
        if with {
            let form = app("erpnext").settings(profile, Some("python")).unwrap();
            assert_eq!(form.text, script);
        }
        assert!(script.is_ascii());
        let mut python = Command::new("/usr/bin/python3")
            .args([&["-", "erp.example.com"], words].concat())
            .current_dir(bench.path())
            .env("PYTHONPATH", tests("tools/frappe"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LC_ALL", "C")
            .env("FRAPPE_DATABASE", &database)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        python
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = python.wait_with_output().unwrap();
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout).unwrap());
        }
        Err(String::from_utf8(output.stderr).unwrap())
    };
    let run = |profile: &Profile, words: &[&str]| ask(profile, true, &[], words).unwrap();
    let saved =
        || -> Value { serde_json::from_str(&std::fs::read_to_string(&database).unwrap()).unwrap() };

    let [(_, full), (_, starttls), ..] = ways();
    let dry = run(&full, &["look"]);
    assert!(!database.exists());
    assert_eq!(dry["domain"]["created"], true);
    let said = run(&full, &[]);
    assert_eq!(said["account"], "Mailu Outgoing");
    let again = run(&full, &[]);
    assert_eq!(again["changed"], json!([]), "the second time");
    assert_eq!(again["domain"]["changed"], json!([]));
    let account = saved()["Mailu Outgoing"].clone();
    // An account that is linked gets whatever is changed in the domain: ours is not.
    assert!(account["domain"].is_null());
    for (form, there) in [("account", &account), ("domain", &saved()[LINK])] {
        let form = app("erpnext").settings(&full, Some(form)).unwrap().text;
        let form: Value = serde_json::from_str(&form).unwrap();
        for (field, value) in form.as_object().unwrap() {
            let nothing = there[field].is_null() && value == "";
            assert!(nothing || there[field] == *value, "{field}: {there}");
        }
    }
    // What others have set in it stays.
    let mut edited = saved();
    edited["Mailu Outgoing"]["footer"] = json!("Yours");
    std::fs::write(&database, edited.to_string()).unwrap();
    let ports = json!(["smtp_port", "use_ssl_for_outgoing", "use_tls"]);
    let look = run(&starttls, &["look", "ours"]);
    assert_eq!(
        (&look["changed"], &look["domain"]["changed"]),
        (&ports, &ports)
    );
    run(&starttls, &["set", "ours"]);
    assert_eq!(saved()["Mailu Outgoing"]["footer"], "Yours");
    assert_eq!(saved()["Mailu Outgoing"]["smtp_port"], "587");
    assert_eq!(run(&starttls, &[])["changed"], json!([]));
    // Somebody else's Email Domain stays as it is, and our account does without.
    let before = saved()[LINK].clone();
    let mut linked = saved();
    linked["Mailu Outgoing"]["domain"] = json!("example.com");
    std::fs::write(&database, linked.to_string()).unwrap();
    let left = run(&full, &["set"]);
    assert_eq!(left["domain"]["left"], true);
    assert_eq!(saved()[LINK], before);
    assert_eq!(
        (
            &saved()["Mailu Outgoing"]["domain"],
            &saved()["Mailu Outgoing"]["smtp_port"]
        ),
        (&json!(""), &json!("465"))
    );
    assert_eq!(run(&full, &["set"])["changed"], json!([]));

    // Out again: the account stays, the domain goes where nobody refers to it and nobody has changed it.
    run(&full, &["set", "ours"]);
    let connected = saved();
    let mut with_default = connected.clone();
    with_default["Mailu Outgoing"]["domain"] = json!("example.com");
    with_default["Former"] = json!({ "name": "Former", "email_account_name": "Former", "email_id": "former@example.com", "enable_outgoing": 1 });
    std::fs::write(&database, with_default.to_string()).unwrap();
    let off = run(&full, &["off", "Mailu Outgoing", "example.com", "Former"]);
    assert_eq!(off["default"], json!({ "name": "Former" }));
    assert_eq!(saved()["Former"]["default_outgoing"], 1);
    // And that is told while it is so.
    assert_eq!(run(&full, &["look"])["former"], json!(["Former"]));
    assert_eq!(
        off["domain"],
        json!({ "name": "example.com", "used": [], "edited": [] })
    );
    assert!(saved()[LINK].is_null());
    assert_eq!(
        (
            &saved()["Mailu Outgoing"]["enable_outgoing"],
            &saved()["Mailu Outgoing"]["domain"]
        ),
        (&json!(0), &json!(""))
    );
    let mut used = connected.clone();
    used["Theirs"] = json!({ "name": "Theirs", "email_account_name": "Theirs", "email_id": "office@example.com", "domain": "example.com" });
    let mut changed = connected;
    changed[LINK]["email_server"] = json!("imap.theirs.test");
    for (there, key, value) in [
        (used, "used", "Theirs"),
        (changed, "edited", "email_server"),
    ] {
        std::fs::write(&database, there.to_string()).unwrap();
        let off = run(&full, &["off", "Mailu Outgoing", "example.com"]);
        assert_eq!(off["domain"][key], json!([value]));
        assert_eq!(saved()[LINK], there[LINK]);
    }

    // An account for the address, or that of the older installer, is taken over instead of a second one.
    for (there, email) in [
        ("Notifications", "hello@example.com"),
        ("ERPNext Notifications", "old@example.com"),
    ] {
        let old = json!({ there: { "name": there, "email_account_name": there, "email_id": email, "default_outgoing": 1 } });
        std::fs::write(&database, old.to_string()).unwrap();
        assert_eq!(run(&full, &[])["account"], there);
        assert_eq!(run(&full, &[])["changed"], json!([]));
        assert!(saved()["Mailu Outgoing"].is_null());
    }
    // Another domain has the last word: ours takes its place; where none is to be made, that is said, and nothing is changed.
    let old = json!({
        "Email Domain/old.example.com": { "name": "old.example.com", "smtp_server": "smtp.old.example.com" },
        "Mine": { "name": "Mine", "email_account_name": "Mine", "email_id": "hello@example.com", "domain": "old.example.com" }
    });
    std::fs::write(&database, old.to_string()).unwrap();
    let why = ask(&full, false, &[], &[]).unwrap_err();
    assert!(
        why.contains("did not keep smtp_server") && !why.contains(TOKEN),
        "{why}"
    );
    assert_eq!(saved(), old);
    run(&full, &[]);
    assert_eq!(
        (&saved()["Mine"]["domain"], &saved()["Mine"]["smtp_server"]),
        (&json!(""), &json!("mail.example.com"))
    );
    // Frappe cannot read from where it is: the account does without a domain.
    std::fs::remove_file(&database).unwrap();
    let closed = ask(&full, true, &[("FRAPPE_CLOSED", "993")], &[]).unwrap();
    assert!(
        closed["domain"]["error"]
            .as_str()
            .unwrap()
            .contains("Incoming"),
        "{closed}"
    );
    assert!(saved()[LINK].is_null());
    assert_eq!(saved()["Mailu Outgoing"]["smtp_port"], "465");
    // An older Frappe has not all fields.
    std::fs::remove_file(&database).unwrap();
    let lacks = "validate_ssl_certificate always_use_account_email_id_as_sender";
    ask(&full, true, &[("FRAPPE_LACKS", lacks)], &[]).unwrap();
    // Whatever the secret is.
    for profile in hostile() {
        std::fs::remove_file(&database).unwrap();
        run(&profile, &[]);
        assert_eq!(saved()["Mailu Outgoing"]["password"], secret(&profile));
        assert_eq!(saved()["Mailu Outgoing"]["email_id"], login(&profile));
    }
}

#[test]
fn nothing_that_breaks_a_line_is_written() {
    for app in all() {
        for format in app.formats() {
            for (secret, from_name) in [
                ("a\nb", "x"),
                (TOKEN, "x\r\nBcc: y@z"),
                (TOKEN, "x\u{2028}y"),
                ("1234567890", "x"),
                ("12e45", "x"),
            ] {
                let mut bad = profile(Tls::Implicit, "app@example.com", secret);
                bad.from_name = Some(from_name.to_owned());
                let error = app.settings(&bad, Some(format)).expect_err(format);
                assert_eq!(error.code(), "app.profile");
                assert!(!error.to_json().to_string().contains(TOKEN));
            }
        }
    }
}

/// Files as people have them, with our settings in them: what was there is still found by the app's own reader, and ours too.
#[test]
fn other_settings_survive() {
    let directory = tempfile::tempdir().unwrap();
    let [(_, implicit), (_, starttls), ..] = ways();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let merged = |name: &str, format: &str, there: &str| {
        let app = app(name);
        let once = app.merged(&starttls, Some(format), there).unwrap().text;
        let twice = app.merged(&implicit, Some(format), &once).unwrap().text;
        assert_eq!(
            app.merged(&implicit, Some(format), &twice).unwrap().text,
            twice,
            "again"
        );
        twice
    };

    // Gitea's own file, with a text over several lines that looks like a section.
    let there = "; Forge\nAPP_NAME = Git `n` Tea\nRUN_USER = git\n\n[server]\nDOMAIN = git.example.com # here\nNOTE = \"\"\"a\n[mailer]\nPASSWD = x\n\"\"\"\n\n\
        [mailer]\nENABLED = false\nPASSWD = `old`\nSUBJECT_PREFIX = [git]\nPASSWD = older\n[security]\nINSTALL_LOCK = true\nSECRET_KEY = a;b#c\n";
    let before = write("before.ini", there);
    let after = write("after.ini", &merged("gitea", "ini", there));
    let mut found = read(&mut Command::new(tool("read-ini")), &[&before, &after]);
    let after = found.pop().unwrap();
    let mut before = found.pop().unwrap();
    assert_eq!(after["mailer"]["PASSWD"], TOKEN);
    assert_eq!(after["mailer"]["PROTOCOL"], "smtps");
    assert_eq!(
        after["email.incoming"]["REPLY_TO_ADDRESS"],
        "app-login+%{token}@example.com"
    );
    for (section, keys) in before.as_object_mut().unwrap() {
        for (key, value) in keys.as_object().unwrap() {
            let ours = section == "mailer" && ["ENABLED", "PASSWD"].contains(&key.as_str());
            assert!(
                ours || after[section][key] == *value,
                "{section}.{key}: {after}"
            );
        }
    }

    // Chatwoot's variables, some of which are about mail already.
    let there = "RAILS_ENV=production\nSMTP_ADDRESS=mail.old\nSMTP_TLS=true\nFRONTEND_URL='https://c$at.example.com'\nSMTP_PASSWORD=old\nNOTE=\"a\n# BEGIN b\nc\"";
    let text = merged("chatwoot", "env", there);
    let path = write("chatwoot.env", &text);
    write(
        "docker-compose.yml",
        &format!(
            "services:\n  web:\n    image: x:1\n    env_file: [{}]\n",
            path.display()
        ),
    );
    let printed = succeed(
        compose_v2()
            .args(["--project-name", "x", "config", "--format", "json"])
            .current_dir(directory.path()),
    );
    let by_two: Value = serde_json::from_str(&printed).unwrap();
    let by_two = &by_two["services"]["web"]["environment"];
    let by_one = &read(python(true).arg("dotenv"), &[&path])[0];
    for (found, dollar) in [(by_one, "$"), (by_two, "$$")] {
        for (name, value) in [
            ("RAILS_ENV", "production"),
            ("FRONTEND_URL", &format!("https://c{dollar}at.example.com")),
            ("NOTE", "a\n# BEGIN b\nc"),
            ("SMTP_ADDRESS", "mail.example.com"),
            ("SMTP_PASSWORD", TOKEN),
            ("SMTP_SSL", "true"),
            ("SMTP_ENABLE_STARTTLS_AUTO", "false"),
        ] {
            assert_eq!(found[name], value, "{name}");
        }
        assert!(found.get("SMTP_TLS").is_none(), "{found}");
    }
    assert_eq!(apps::unmerge_env(&text).unwrap(), format!("{there}\n"));

    // Ghost's file, by nconf; all else keeps its bytes.
    let there = "{\n    \"url\": \"https://blog.example.com\",\n    \"mail\": {\n        \"transport\": \"Direct\"\n    },\n    \"server\": {\"port\": 2368},\n    \"database\": {\"client\": \"mysql\", \"z\": 1.0, \"a\": [1,  2]}\n}";
    let text = merged("ghost", "json", there);
    let (head, tail) = there
        .split_once("{\n        \"transport\": \"Direct\"\n    }")
        .unwrap();
    assert!(text.starts_with(head) && text.ends_with(tail), "{text}");
    let mail = &read(python(false).arg("json"), &[&write("ghost.json", &text)])[0]["mail"];
    assert_eq!(mail["options"]["auth"]["pass"], TOKEN);
    assert_eq!(mail["options"]["requireTLS"], false);

    // What is no part of a file says so.
    let error = app("keycloak").merged(&implicit, None, "{}").unwrap_err();
    assert_eq!(error.code(), "app.no_merge");
}

/// A file that shells read, such as AgencyStack's `config.env`.
#[test]
fn a_file_that_is_sourced_keeps_its_other_settings() {
    const LOOK: &str = "for f; do (. \"$f\" && printf '%s\\0' \"$SMTP_PASSWORD\" \"$SMTP_FROM_NAME\" \"$PRIMARY_DOMAIN\" \"$NOTE\") || exit; done";
    const THERE: &str = "# AgencyStack\nPRIMARY_DOMAIN=\"example.com\"\nSMTP_HOST=mailu\nSMTP_PORT=25\nSMTP_PASSWORD='old'\nexport NOTE=\"two\nlines\"\n";
    let generic = apps::generic();
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut meant = Vec::new();
    for (index, profile) in hostile().iter().enumerate() {
        let once = generic.merged(profile, Some("shell"), THERE).unwrap().text;
        let twice = generic.merged(profile, Some("shell"), &once).unwrap().text;
        assert_eq!(once, twice);
        assert_eq!(apps::unmerge_env(&once).unwrap(), THERE);
        let path = directory.path().join(index.to_string());
        std::fs::write(&path, once).unwrap();
        files.push(path);
        meant.extend([
            secret(profile),
            name(profile),
            "example.com".to_owned(),
            "two\nlines".to_owned(),
        ]);
    }
    let printed = succeed(
        Command::new(tool("bash"))
            .args(["-c", LOOK, "bash"])
            .args(&files),
    );
    let found: Vec<&str> = printed.split_terminator('\0').collect();
    assert_eq!(found, meant);
}

/// The program: stars unless told otherwise, and no other file touched.
#[test]
fn the_program_prints_settings() {
    let root = Root::new();
    root.install();
    let password = root.beside("token", &format!("{TOKEN}\n"));
    let password = password.to_str().unwrap();
    let login = ["--login", "blog@example.com"];
    let settings = |app: &str, more: &[&str]| {
        root.run(&[&["app", "settings", app], &login[..], more].concat())
    };

    let run = settings("ghost", &[]).expect_code(0);
    let printed: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(printed["mail"]["options"]["host"], "mail.example.com");
    assert_eq!(printed["mail"]["options"]["auth"]["pass"], "********");
    assert!(
        run.err.contains("goes to: the key `mail`") && run.err.contains("--reveal"),
        "{}",
        run.err
    );
    let run = settings("ghost", &["--password-file", password]).expect_code(0);
    assert!(!run.out.contains(TOKEN) && !run.err.contains(TOKEN));
    let revealed = [
        "app",
        "settings",
        "ghost",
        "--login",
        "blog@example.com",
        "--password-file",
        password,
        "--reveal",
        "--json",
    ];
    let run = root.run_revealing(&revealed).expect_code(0);
    assert!(run.json()["text"].as_str().unwrap().contains(TOKEN));
    assert_eq!(run.json()["format"], "json");

    let out = root.beside("there", "").parent().unwrap().join("ghost.env");
    let file = [
        "--password-file",
        password,
        "--format",
        "env",
        "--out",
        out.to_str().unwrap(),
    ];
    for _ in 0..2 {
        let run = settings("ghost", &file).expect_code(0);
        assert_eq!(run.out.trim(), out.to_str().unwrap());
        assert!(!run.err.contains(TOKEN));
    }
    assert_eq!(crate::support::mode(&out), 0o600);
    assert!(std::fs::read_to_string(&out).unwrap().contains(TOKEN));
    std::fs::write(&out, "MINE=1\n").unwrap();
    let run = settings("ghost", &file).expect_code(2);
    assert!(
        run.err.contains("something else") && run.err.contains("--out"),
        "{}",
        run.err
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "MINE=1\n");
    let into = ["--into", out.to_str().unwrap(), "--format", "env"];
    let run = settings("ghost", &into).expect_code(0);
    assert!(
        run.out
            .starts_with("MINE=1\n# BEGIN agencystack-mail\nmail__from=blog@example.com\n"),
        "{}",
        run.out
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "MINE=1\n");

    // From the input.
    let mut program = root
        .command(&[
            "app",
            "settings",
            "n8n",
            "--login",
            "n8n@example.com",
            "--password-stdin",
            "--reveal",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    program
        .stdin
        .take()
        .unwrap()
        .write_all(TOKEN.as_bytes())
        .unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains(&format!("N8N_SMTP_PASS={TOKEN}\n"))
    );

    // Whatever is wrong says what to type.
    let numeric = root.beside("numeric", "12345678901234567890123456789012");
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("ghots", &[], &["did you mean `ghost`?", "generic"]),
        ("ghost", &["--format", "jsno"], &["did you mean `json`?"]),
        (
            "killbill",
            &["--tls", "starttls"],
            &["cannot do STARTTLS", "--tls implicit"],
        ),
        (
            "ghost",
            &["--from", "blog@example.org"],
            &["example.com", "alias"],
        ),
        ("ghost", &["--from-name", "a\nb"], &["one line"]),
        ("ghost", &["--reveal"], &["--password-file"]),
        (
            "ghost",
            &["--password-file", numeric.to_str().unwrap()],
            &["rotate the token"],
        ),
        ("ghost", &["--login", "blog@example.org"], &["example.com"]),
        ("erpnext", &["--into", "/dev/null"], &["file of its own"]),
    ];
    for (app, more, said) in cases {
        let args = match more {
            ["--login", ..] => [&["app", "settings", app], more].concat(),
            _ => [&["app", "settings", app], &login[..], more].concat(),
        };
        let run = root.run(&args).expect_code(2);
        for one in said {
            assert!(run.err.contains(one), "{one} is not in {}", run.err);
        }
        assert!(!run.err.contains("12345678901234567890123456789012") && run.out.is_empty());
    }
    root.run(&["config", "set", "ports.mail=[25,465]"])
        .expect_code(0);
    let run = settings("ghost", &["--tls", "starttls", "--incoming"]).expect_code(2);
    assert!(
        run.err.contains("587") && run.err.contains("993") && run.err.contains("config set"),
        "{}",
        run.err
    );

    // Another app, by variables.
    let run = settings("rocketchat", &["--format", "toml"]).expect_code(0);
    assert!(
        run.out.contains("SMTP_HOST = \"mail.example.com\"") && run.err.contains("rocketchat"),
        "{}",
        run.err
    );
    let list = root.run(&["app", "list", "--json"]).expect_code(0).json();
    assert_eq!(list.as_array().unwrap().len(), apps::ALL.len() + 1);
    let list = root.run(&["app", "list"]).expect_code(0).out;
    assert!(
        list.contains("erpnext     account domain site-config python  STARTTLS: without"),
        "{list}"
    );
}
