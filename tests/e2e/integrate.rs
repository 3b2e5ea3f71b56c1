//! `mailu integrate`: an app gets a mailbox and a token of its own and its settings, sends, gets another token, and is disconnected again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::delivery::{SOMEONE, judged_outside};
use crate::load;
use crate::server::{BARE, LIGHT, Server, USER, changed, containers};
use crate::support::{Root, finished, snapshot, succeed, tests as tests_file};
use crate::watch::Watch;
use crate::wordpress_site::{BLOG, Blog, open};
use crate::world::{self, HOST, docker, inspect, send};

const THERE: &str = r#"{
  "url": "https://blog.example.com",
  "database": { "client": "mysql", "connection": { "password": "db secret" } },
  "mail": { "transport": "Direct" },
  "process": "systemd"
}
"#;

/// What the program says, which has to end with `code`.
fn says(server: &Server, args: &[&str], code: i32) -> Value {
    let run = server
        .root
        .run(&[&["integrate", "--json"], args].concat())
        .expect_code(code);
    run.json()
}

/// What happened to the parts of an app.
fn parts(done: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let parts = done["parts"].as_array().unwrap().iter();
    parts
        .map(|part| (text(&part["kind"]), text(&part["action"])))
        .collect()
}

fn are(done: &Value, wanted: &[(&str, &str)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(kind, action)| ((*kind).to_owned(), (*action).to_owned()))
        .collect();
    assert_eq!(parts(done), wanted, "{done}");
}

/// Everything that Mailu has.
fn accounts() -> Value {
    let out = docker(&[
        "exec",
        "-u",
        "mailu",
        "mailu_admin",
        "flask",
        "mailu",
        "config-export",
        "-j",
        "--full",
    ]);
    serde_json::from_str(&out[out.find('{').unwrap()..]).unwrap()
}

/// The comments of a user's tokens; nothing without the user.
fn tokens(email: &str) -> Option<Vec<String>> {
    let all = accounts();
    let user = all["user"]
        .as_array()?
        .iter()
        .find(|user| user["email"] == email)?;
    let tokens = user["tokens"].as_array().into_iter().flatten();
    Some(
        tokens
            .map(|token| token["comment"].as_str().unwrap().to_owned())
            .collect(),
    )
}

/// Login, token and sender, as Ghost has them in its file.
fn ghost(path: &Path) -> (String, String) {
    let value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let auth = &value["mail"]["options"]["auth"];
    let text = |key: &str| auth[key].as_str().unwrap().to_owned();
    (text("user"), text("pass"))
}

/// Hands a message in with that login; the answers to the login and to the sender's and the recipient's address.
fn hands_in(login: &str, token: &str, from: &str) -> (Option<u64>, Option<u64>) {
    let auth = format!("{login}:{token}");
    let said = send(
        &[
            "--server",
            "mail.example.com:465",
            "--tls",
            "implicit",
            "--verify",
            "--auth",
            &auth,
            "--from",
            from,
            "--to",
            USER,
        ],
        "Subject: by hand\n\nHello\n",
    );
    (said.code("AUTH"), said.code("RCPT"))
}

#[test]
fn an_app_is_connected_once_and_taken_out_again() {
    let _alone = world::alone();
    let more = [&LIGHT[..], &BARE].concat();
    let server = Server::with_files(Root::new(), &more).install();
    by_a_file(&server);
    edited_meanwhile(&server);
    a_site_of_wordpress(&server);
    a_site_of_frappe(&server);
    an_app_in_a_network_of_its_own(&server);
    // `newsletter::` frees one, too.
    if load::full() {
        free_of_the_limit(&server);
        killed_anywhere(&server);
    }
}

#[test]
fn freeing_an_app_is_killed_and_goes_on() {
    if load::full() {
        let _alone = world::alone();
        let more = [&LIGHT[..], &BARE].concat();
        killed_while_it_is_freed(&Server::with_files(Root::new(), &more).install());
    }
}

/// Whatever a killed run has left, the same command goes on from there: one mailbox, one token, and the app has it.
fn killed_anywhere(server: &Server) {
    let file = server.root.beside("whole.json", THERE);
    let connect = |file: &Path, more: &[&str]| {
        let args = [
            "integrate",
            "--json",
            "ghost",
            "--path",
            file.to_str().unwrap(),
            "--from",
            "shop@example.com",
        ];
        server.root.command(&[&args[..], more].concat())
    };
    let mut whole = Duration::ZERO;
    // The first time its mailbox is made, too, which stays.
    for _ in 0..2 {
        let begun = Instant::now();
        finished(connect(&file, &[]).output().unwrap()).expect_code(0);
        whole = begun.elapsed();
        finished(connect(&file, &["--remove"]).output().unwrap()).expect_code(0);
    }
    let mut halves = 0;
    for point in 1..=20_u32 {
        let more: &[&str] = if point % 4 == 0 { &["--rotate"] } else { &[] };
        let mut child = connect(&file, more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * point / 20);
        let _ = child.kill();
        if !child.wait().unwrap().success() {
            halves += 1;
        }
        let done = finished(connect(&file, &[]).output().unwrap())
            .expect_code(0)
            .json();
        assert_eq!(done["proof"], "server", "{done}");
        let (login, token) = ghost(&file);
        assert_eq!(
            tokens(&login).unwrap(),
            ["agencystack:ghost:default"],
            "point {point}"
        );
        assert_eq!(
            hands_in(&login, &token, "shop@example.com"),
            (Some(235), Some(250))
        );
        // What is connected has nothing left to do, unless it gets another token.
        if point % 4 != 3 {
            finished(connect(&file, &["--remove"]).output().unwrap()).expect_code(0);
            assert_eq!(fs::read_to_string(&file).unwrap(), THERE);
            assert!(tokens(&login).unwrap().is_empty());
        }
    }
    load::say(&format!(
        "connecting takes {whole:.1?}; killed on the way at {halves} of 20 points"
    ));
    assert!(halves >= 10, "{halves}");
}

/// Admin is made anew on the way, and the same command goes on from wherever that was.
fn killed_while_it_is_freed(server: &Server) {
    let file = server.root.beside("freed.json", THERE);
    let connect = |more: &[&str]| {
        let args = [
            "integrate",
            "--json",
            "ghost",
            "freed",
            "--path",
            file.to_str().unwrap(),
            "--login",
            "freed@example.com",
        ];
        server.root.command(&[&args[..], more].concat())
    };
    let listed = || {
        docker(&["exec", "mailu_admin", "printenv"])
            .contains("MESSAGE_RATELIMIT_EXEMPTION=freed@example.com")
    };
    let begun = Instant::now();
    finished(connect(&["--exempt"]).output().unwrap()).expect_code(0);
    let whole = begun.elapsed();
    let mut halves = 0;
    for point in 1..=6_u32 {
        // Taken back and given again in turn.
        let (wish, wanted) = if point % 2 == 0 {
            ("--exempt", true)
        } else {
            ("--exempt=false", false)
        };
        let mut child = connect(&[wish])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * point / 7);
        let _ = child.kill();
        if !child.wait().unwrap().success() {
            halves += 1;
        }
        finished(connect(&[wish]).output().unwrap()).expect_code(0);
        assert_eq!(listed(), wanted, "point {point}");
        let again = finished(connect(&[]).output().unwrap())
            .expect_code(0)
            .json();
        assert_eq!(again["changed"], false, "{again}");
    }
    load::say(&format!(
        "freeing takes {whole:.1?}; killed on the way at {halves} of 6 points"
    ));
    assert!(halves >= 3, "{halves}");
    finished(connect(&["--remove"]).output().unwrap()).expect_code(0);
    assert!(!listed());
    assert!(!server.root.read("mailu.toml").contains("exempt"));
}

fn by_a_file(server: &Server) {
    let file = server.root.beside("config.production.json", THERE);
    let path = file.to_str().unwrap();
    let before = accounts();
    let state = server.root.path().join("integrations/state/email.state");

    // First only what would be done.
    let args = [
        "ghost",
        "--path",
        path,
        "--from",
        "shop@example.com",
        "--from-name",
        "The Shop",
    ];
    let dry = says(server, &[&args[..], &["--dry-run"]].concat(), 0);
    are(
        &dry,
        &[
            ("mailbox", "create"),
            ("alias", "create"),
            ("token", "create"),
            ("settings", "change"),
        ],
    );
    assert_eq!(
        (&dry["changed"], &dry["performed"], &dry["proof"]),
        (&true.into(), &false.into(), &"none".into())
    );
    assert_eq!(accounts(), before);
    assert_eq!(fs::read_to_string(&file).unwrap(), THERE);

    // AgencyStack's own lists, as its installers leave them.
    let components = server.root.path().join("installed_components.txt");
    fs::write(&components, "Docker\nGhost\n").unwrap();
    let page = server.root.path().join("integrations/docs/email.md");
    fs::create_dir_all(page.parent().unwrap()).unwrap();
    let theirs = "# AgencyStack Email Integration\n\n## Applied Integrations\n\n### WordPress\n\n- **Version**: 1.0.1\n\n";
    fs::write(&page, theirs).unwrap();

    let logs = tempfile::tempdir().unwrap();
    let log_dir = ["--log-dir", logs.path().to_str().unwrap()];
    let watch = Watch::begin();
    let done = says(server, &[&args[..], &log_dir].concat(), 0);
    watch.shows_none_of(&[&ghost(&file).1]);
    let reports = || -> Vec<PathBuf> {
        let all = fs::read_dir(logs.path()).unwrap().flatten();
        all.map(|entry| entry.path())
            .filter(|path| path.to_str().unwrap().contains("/integration_report-"))
            .collect()
    };
    let report = fs::read_to_string(&reports()[0]).unwrap();
    assert!(
        report.contains("* Email Integration:\n  - Ghost (unknown)\n"),
        "{report}"
    );
    assert_eq!(
        fs::read_to_string(&components).unwrap(),
        "Docker\nGhost\nMailu\n"
    );
    let told = fs::read_to_string(&page).unwrap();
    assert!(
        told.starts_with(theirs) && told.contains("### Ghost\n\n- **Version**: unknown\n"),
        "{told}"
    );
    are(
        &done,
        &[
            ("mailbox", "create"),
            ("alias", "create"),
            ("token", "create"),
            ("settings", "change"),
            ("record", "create"),
        ],
    );
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&true.into(), &"server".into()),
        "{done}"
    );
    let (login, token) = ghost(&file);
    assert_eq!((login.as_str(), token.len()), ("ghost@example.com", 32));
    let now: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let old: Value = serde_json::from_str(THERE).unwrap();
    for key in ["url", "database", "process"] {
        assert_eq!(now[key], old[key]);
    }
    assert_eq!(tokens(&login).unwrap(), ["agencystack:ghost:default"]);
    assert!(fs::read_to_string(&state).unwrap().starts_with("Ghost:"));
    // The token is in the app's file and among the secrets alone.
    for place in [
        "mailu/mail.example.com/.mailu/apps.json",
        "integrations/state/email.state",
    ] {
        assert!(
            !fs::read_to_string(server.root.path().join(place))
                .unwrap()
                .contains(&token),
            "{place}"
        );
    }
    assert!(!done.to_string().contains(&token));

    // It sends as its own addresses, and as nobody else.
    assert_eq!(
        hands_in(&login, &token, "shop@example.com"),
        (Some(235), Some(250))
    );
    assert_eq!(hands_in(&login, &token, USER).1, Some(553));

    // Again: nothing.
    let text = fs::read(&file).unwrap();
    let again = says(server, &[&["ghost"][..], &log_dir].concat(), 0);
    assert_eq!(reports().len(), 1);
    are(
        &again,
        &[
            ("mailbox", "keep"),
            ("alias", "keep"),
            ("token", "keep"),
            ("settings", "keep"),
            ("record", "keep"),
        ],
    );
    assert_eq!(
        (&again["changed"], &again["performed"]),
        (&false.into(), &false.into())
    );
    assert_eq!(fs::read(&file).unwrap(), text);
    assert_eq!(fs::read_to_string(&page).unwrap(), told);

    // Another token, and the old one is worth nothing.
    let rotated = says(server, &["ghost", "--rotate"], 0);
    assert_eq!(rotated["performed"], true, "{rotated}");
    let (_, other) = ghost(&file);
    assert_ne!(other, token);
    assert_eq!(tokens(&login).unwrap().len(), 1);
    assert_eq!(hands_in(&login, &token, &login).0, Some(535));
    assert_eq!(hands_in(&login, &other, &login), (Some(235), Some(250)));

    // A token that somebody has deleted is replaced; a login that is disabled is not taken.
    let kept = server.root.layout().secret("app_ghost");
    fs::remove_file(&kept).unwrap();
    let made = says(server, &["ghost"], 0);
    are(
        &made,
        &[
            ("mailbox", "keep"),
            ("alias", "keep"),
            ("token", "change"),
            ("settings", "change"),
            ("record", "change"),
        ],
    );
    assert_eq!(tokens(&login).unwrap().len(), 1);
    server.root.run(&["user", "disable", &login]).expect_code(0);
    let text = fs::read(&file).unwrap();
    let refused = says(server, &["ghost"], 2);
    assert_eq!(refused["error"]["code"], "app.disabled");
    server.root.run(&["user", "enable", &login]).expect_code(0);

    // An address that is somebody's mailbox is not taken for another app.
    let taken = says(server, &["generic", "--from", USER], 2);
    assert_eq!(taken["error"]["code"], "app.sender_taken");
    assert_eq!(tokens("generic@example.com"), None);
    assert_eq!(fs::read(&file).unwrap(), text);

    // Out again: its file is what it was, to the byte.
    let removed = says(server, &["ghost", "--remove"], 0);
    are(
        &removed,
        &[
            ("settings", "remove"),
            ("token", "remove"),
            ("alias", "remove"),
        ],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), THERE);
    assert_eq!(tokens(&login).unwrap().len(), 0);
    assert_eq!(hands_in(&login, &other, &login).0, Some(535));
    assert_eq!(accounts()["alias"], before["alias"]);
    assert_eq!(fs::read_to_string(&state).unwrap(), "");
    assert_eq!(fs::read_to_string(&page).unwrap(), theirs);
    assert_eq!(fs::read_to_string(&components).unwrap(), "Docker\nGhost\n");
    assert!(!kept.exists());
    let gone = says(server, &["ghost", "--remove"], 2);
    assert_eq!(gone["error"]["code"], "app.not_connected");
}

/// What somebody has changed in the file meanwhile is not taken away with ours.
fn edited_meanwhile(server: &Server) {
    let file = server.root.beside("edited.json", THERE);
    let path = file.to_str().unwrap();
    says(server, &["ghost", "edited", "--path", path], 0);
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("systemd", "docker");
    fs::write(&file, text).unwrap();
    says(server, &["ghost", "edited", "--rotate"], 0);
    let refused = says(server, &["ghost", "edited", "--remove"], 2);
    assert_eq!(refused["error"]["code"], "app.edited");
    assert!(fs::read_to_string(&file).unwrap().contains("docker"));
    assert_eq!(tokens("ghost@example.com").unwrap().len(), 1);
    // As it says how to go on.
    let before = server.root.layout().secret("app_ghost_edited.before");
    assert_eq!(fs::read_to_string(&before).unwrap(), THERE);
    fs::remove_file(&before).unwrap();
    says(server, &["ghost", "edited", "--remove"], 0);
    assert!(fs::read_to_string(&file).unwrap().contains("docker"));
    assert_eq!(tokens("ghost@example.com").unwrap().len(), 0);
}

/// The token of an app, as it is kept.
fn kept(server: &Server, app: &str) -> String {
    let path = server.root.layout().secret(&format!("app_{app}"));
    let kept: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let secret = kept["secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 32);
    secret
}

fn a_site_of_wordpress(server: &Server) {
    let blog = Blog::new();
    // The site's user has to get at the settings.
    let root = server.root.path();
    open(root.parent().unwrap(), 0o755);
    open(&root, 0o755);
    let (path, ca) = (blog.root(), world::authority());
    let before = snapshot(&path);
    let args = [
        "wordpress",
        BLOG,
        "--path",
        path.to_str().unwrap(),
        "--ca",
        ca.to_str().unwrap(),
        "--from-name",
        "A Blog",
    ];
    let watch = Watch::begin();
    let done = says(server, &args, 0);
    watch.shows_none_of(&[&kept(server, &format!("wordpress_{BLOG}"))]);
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&true.into(), &"arrived".into()),
        "{done}"
    );
    // As the site says itself.
    assert!(
        state_line(server, "WordPress").starts_with("WordPress:6."),
        "{done}"
    );
    blog.mail(
        SOMEONE,
        "from the site",
        &["From: Jane Doe <jane@stranger.test>"],
    )
    .unwrap();
    let judged = judged_outside("from the site");
    for result in ["spf=pass", "dkim=pass", "dmarc=pass"] {
        assert!(judged.contains(result), "{judged}");
    }
    let again = says(
        server,
        &[
            "wordpress",
            BLOG,
            "--ca",
            ca.to_str().unwrap(),
            "--from-name",
            "A Blog",
        ],
        0,
    );
    assert_eq!(
        (&again["changed"], &again["proof"]),
        (&false.into(), &"arrived".into()),
        "{again}"
    );
    // The test messages are taken away again.
    let mails = docker(&[
        "exec",
        "mailu_imap",
        "doveadm",
        "search",
        "-u",
        "wordpress@example.com",
        "mailbox",
        "*",
        "all",
    ]);
    assert_eq!(mails.trim(), "");
    let removed = says(server, &["wordpress", BLOG, "--remove"], 0);
    assert_eq!(removed["performed"], true, "{removed}");
    before.assert_same(&snapshot(&path), "disconnecting it");
}

/// Taken away with the value.
struct Container(&'static str);

impl Drop for Container {
    fn drop(&mut self) {
        world::remove_containers(self.0);
    }
}

/// In a container as AgencyStack names it, with the stand-in for Frappe's module, which logs in and sends as Frappe does.
fn a_site_of_frappe(server: &Server) {
    const SITE: &str = "erp.example.com";
    let bench = tempfile::tempdir().unwrap();
    let at = bench.path();
    open(at, 0o755);
    fs::create_dir_all(at.join("sites").join(SITE)).unwrap();
    fs::create_dir_all(at.join("env/bin")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/python3", at.join("env/bin/python")).unwrap();
    fs::copy(tests_file("tools/frappe/frappe.py"), at.join("frappe.py")).unwrap();
    let _gone = Container("default_erpnext");
    let home = "/home/frappe/frappe-bench";
    docker(&[
        "run",
        "-d",
        "--name",
        "default_erpnext",
        "--add-host",
        &format!("mail.example.com:{HOST}"),
        "-v",
        &format!("{}:{home}", at.display()),
        "-e",
        &format!("PYTHONPATH={home}"),
        "-e",
        &format!("FRAPPE_DATABASE={home}/database.json"),
        "-e",
        "FRAPPE_LOGS_IN=1",
        "--entrypoint",
        "sleep",
        "ghcr.io/mailu/admin:2024.06.57",
        "infinity",
    ]);
    let database = || -> Value {
        serde_json::from_str(&fs::read_to_string(at.join("database.json")).unwrap()).unwrap()
    };

    let dry = says(server, &["erpnext", SITE, "--dry-run"], 0);
    are(
        &dry,
        &[
            ("mailbox", "create"),
            ("token", "create"),
            ("settings", "create"),
            ("settings", "create"),
        ],
    );
    assert!(!at.join("database.json").exists());

    let watch = Watch::begin();
    let done = says(server, &["erpnext", SITE], 0);
    let account = database()["Mailu Outgoing"].clone();
    let token = account["password"].as_str().unwrap().to_owned();
    watch.shows_none_of(&[&token]);
    assert_eq!(
        (&done["performed"], &done["proof"]),
        (&true.into(), &"arrived".into()),
        "{done}"
    );
    assert_eq!(account["smtp_server"], "mail.example.com");
    let domain = "Email Domain/example.com";
    assert_eq!(database()[domain]["email_server"], "mail.example.com");
    assert_eq!(
        tokens("erpnext@example.com").unwrap(),
        [format!("agencystack:erpnext:default:{SITE}")]
    );

    // As its image says.
    assert_eq!(done["version"], "2024.06.57", "{done}");
    let line = state_line(server, "ERPNext");
    let parts: Vec<&str> = line.splitn(4, ':').collect();
    assert_eq!(
        (parts[1], parts[2].len(), parts[3]),
        (
            "2024.06.57",
            16,
            "erpnext@example.com through mail.example.com"
        )
    );
    let again = says(server, &["erpnext", SITE], 0);
    assert_eq!(
        (&again["changed"], &again["proof"]),
        (&false.into(), &"arrived".into()),
        "{again}"
    );
    let rotated = says(server, &["erpnext", SITE, "--rotate"], 0);
    assert_eq!(rotated["proof"], "arrived", "{rotated}");
    assert_ne!(database()["Mailu Outgoing"]["password"], *token);

    // Where Frappe cannot log in, nothing is kept.
    let before = database();
    let wrong = says(
        server,
        &[
            "erpnext",
            "erp.other.example",
            "--container",
            "default_erpnext",
        ],
        2,
    );
    assert_eq!(wrong["error"]["code"], "erpnext.refused");
    assert_eq!(database(), before);

    let removed = says(server, &["erpnext", SITE, "--remove"], 0);
    assert_eq!(removed["performed"], true, "{removed}");
    assert_eq!(database()["Mailu Outgoing"]["enable_outgoing"], 0);
    assert!(database()[domain].is_null());
    assert!(
        tokens("erpnext@example.com")
            .unwrap()
            .iter()
            .all(|comment| !comment.ends_with(SITE))
    );
}

/// An app's line in AgencyStack's list.
fn state_line(server: &Server, title: &str) -> String {
    let path = server.root.path().join("integrations/state/email.state");
    let text = fs::read_to_string(path).unwrap();
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(title));
    line.unwrap().to_owned()
}

/// A project of Compose's; taken down with the value.
struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn compose(&self, args: &[&str]) {
        let all = [&["compose", "-p", "shop"], args].concat();
        succeed(
            Command::new("docker")
                .args(all)
                .current_dir(self.directory.path()),
        );
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What its containers have in `/etc/hosts` besides their own.
    fn hosts(name: &str) -> Vec<String> {
        let hosts = inspect(name)["HostConfig"]["ExtraHosts"].clone();
        serde_json::from_value::<Option<Vec<String>>>(hosts)
            .unwrap()
            .unwrap_or_default()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down"]);
    }
}

/// Its containers do not find the server by its name, so a way is made, with the app's own Compose, and taken back.
fn an_app_in_a_network_of_its_own(server: &Server) {
    const COMPOSE: &str = r#"
services:
  web: &web
    image: ghcr.io/mailu/admin:2024.06.57
    container_name: shop_web
    entrypoint: ["sleep", "infinity"]
    # Nobody answers there.
    dns: 127.0.0.9
    networks: [own]
  worker:
    <<: *web
    container_name: shop_worker
  cache:
    image: redis:7-alpine
    container_name: shop_cache
    entrypoint: ["sleep", "infinity"]
    networks: [own]
networks:
  own: {}
"#;
    let shop = Project {
        directory: tempfile::tempdir().unwrap(),
    };
    let compose = COMPOSE.replace(
        "redis:7-alpine",
        inspect("mailu_redis")["Config"]["Image"].as_str().unwrap(),
    );
    fs::write(shop.file("docker-compose.yml"), &compose).unwrap();
    shop.compose(&["up", "-d"]);
    let own_file = shop.file("docker-compose.override.yml");
    let settings = server.root.beside("shop.json", THERE);
    let path = settings.to_str().unwrap();
    let before = accounts();
    let args = [
        "ghost",
        "shop",
        "--path",
        path,
        "--login",
        "store@example.com",
        "--container",
        "shop_web",
    ];
    let id = |name: &str| inspect(name)["Id"].clone();

    // First only what would be done.
    let (web, cache) = (id("shop_web"), id("shop_cache"));
    let dry = says(server, &[&args[..], &["--dry-run"]].concat(), 0);
    are(
        &dry,
        &[
            ("route", "create"),
            ("mailbox", "create"),
            ("token", "create"),
            ("settings", "change"),
        ],
    );
    assert!(
        dry["parts"][0].to_string().contains("does not resolve"),
        "{dry}"
    );
    assert_eq!(
        (accounts(), own_file.exists(), id("shop_web")),
        (before.clone(), false, web)
    );

    // What somebody has changed in its files is not brought into force by the way, and then nothing is written at all.
    fs::write(
        shop.file("docker-compose.yml"),
        compose.replace("infinity", "99999"),
    )
    .unwrap();
    let refused = says(server, &args, 1);
    assert_eq!(refused["findings"][0]["id"], "app.no_route", "{refused}");
    assert!(
        refused["findings"][0]["message"]
            .as_str()
            .unwrap()
            .contains("were changed since"),
        "{refused}"
    );
    fs::write(shop.file("docker-compose.yml"), &compose).unwrap();
    // An override of somebody's is not touched.
    fs::write(&own_file, "services: {}\n").unwrap();
    let refused = says(server, &args, 1);
    assert!(
        refused["findings"][0]["message"]
            .as_str()
            .unwrap()
            .contains("is there already"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&own_file).unwrap(), "services: {}\n");
    fs::remove_file(&own_file).unwrap();
    assert_eq!(accounts(), before);
    assert_eq!(fs::read_to_string(&settings).unwrap(), THERE);

    // Made: both that have the app's image, and nothing else.
    let done = says(server, &args, 0);
    are(
        &done,
        &[
            ("route", "create"),
            ("mailbox", "create"),
            ("token", "create"),
            ("settings", "change"),
            ("record", "create"),
        ],
    );
    let line = vec!["mail.example.com:host-gateway".to_owned()];
    assert_eq!(
        (Project::hosts("shop_web"), Project::hosts("shop_worker")),
        (line.clone(), line.clone())
    );
    assert_eq!(id("shop_cache"), cache);
    let tries = "import socket, ssl; ssl.create_default_context(cafile='/dev/stdin').wrap_socket(socket.create_connection(('mail.example.com', 465), 10), server_hostname='mail.example.com')";
    let authority = fs::read_to_string(world::authority()).unwrap();
    for name in ["shop_web", "shop_worker"] {
        world::inside(name, &["python3", "-c", tries], &authority);
    }

    // Again nothing; nor when containers were made anew, theirs and ours.
    let again = says(server, &["ghost", "shop", "--container", "shop_web"], 0);
    assert_eq!(
        (&again["changed"], &again["parts"][0]["action"]),
        (&false.into(), &"keep".into()),
        "{again}"
    );
    shop.compose(&["up", "-d", "--force-recreate"]);
    docker(&["rm", "-f", "mailu_front"]);
    server.root.run(&["apply"]).expect_code(0);
    let again = says(server, &["ghost", "shop", "--container", "shop_web"], 0);
    assert_eq!(
        (&again["changed"], &again["parts"][0]["action"]),
        (&false.into(), &"keep".into()),
        "{again}"
    );

    // Out again.
    let removed = says(server, &["ghost", "shop", "--remove"], 0);
    are(
        &removed,
        &[
            ("settings", "remove"),
            ("token", "remove"),
            ("route", "remove"),
        ],
    );
    assert!(!own_file.exists());
    assert_eq!(
        (Project::hosts("shop_web"), Project::hosts("shop_worker")),
        (vec![], vec![])
    );

    // What somebody has changed meanwhile stays for them to bring into force.
    says(server, &args, 0);
    fs::write(
        shop.file("docker-compose.yml"),
        compose.replace("infinity", "99999"),
    )
    .unwrap();
    let web = id("shop_web");
    let removed = says(server, &["ghost", "shop", "--remove"], 0);
    assert!(
        removed["notes"].to_string().contains("were changed since"),
        "{removed}"
    );
    assert_eq!((own_file.exists(), id("shop_web")), (false, web));

    // What does not help is taken back: nothing leads out of this network.
    fs::write(
        shop.file("docker-compose.yml"),
        compose.replace("own: {}", "own: {internal: true}"),
    )
    .unwrap();
    shop.compose(&["down"]);
    shop.compose(&["up", "-d"]);
    let failed = says(server, &args, 1);
    assert_eq!(failed["findings"][0]["id"], "app.no_route", "{failed}");
    assert!(
        failed["findings"][0]["message"]
            .as_str()
            .unwrap()
            .contains("was taken back"),
        "{failed}"
    );
    assert!(!own_file.exists());
    assert_eq!(Project::hosts("shop_web"), Vec::<String>::new());
    assert_eq!(fs::read_to_string(&settings).unwrap(), THERE);
    says(server, &["ghost", "shop", "--path", path, "--remove"], 0);
    // Whoever looked is gone.
    assert_eq!(
        docker(&["ps", "-aq", "--filter", "label=mailu.looks-from"]),
        ""
    );
}

/// From the fourth recipient on Mailu refuses, but not what an app sends that was freed from that.
fn free_of_the_limit(server: &Server) {
    let file = server.root.beside("free.json", THERE);
    let args = [
        "ghost",
        "free",
        "--path",
        file.to_str().unwrap(),
        "--login",
        "free@example.com",
        "--exempt",
    ];
    let toml = || server.root.read("mailu.toml");
    let list = || -> Option<String> {
        let all = inspect("mailu_admin")["Config"]["Env"].clone();
        let all = all
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned());
        all.into_iter().find_map(|one| {
            one.strip_prefix("MESSAGE_RATELIMIT_EXEMPTION=")
                .map(str::to_owned)
        })
    };

    // What somebody has changed and not applied is not applied by the way.
    server
        .root
        .run(&["config", "set", "limits.messages=3/day"])
        .expect_code(0);
    let refused = says(server, &args, 2);
    assert_eq!(refused["error"]["code"], "app.unapplied", "{refused}");
    server.root.run(&["apply"]).expect_code(0);

    let (before, text) = (containers(), toml());
    let dry = says(server, &[&args[..], &["--dry-run"]].concat(), 0);
    assert!(
        parts(&dry).contains(&("exemption".to_owned(), "create".to_owned())),
        "{dry}"
    );
    assert_eq!((containers(), toml()), (before.clone(), text.clone()));

    let done = says(server, &args, 0);
    assert!(
        parts(&done).contains(&("exemption".to_owned(), "create".to_owned())),
        "{done}"
    );
    assert_eq!(changed(&before, &containers()), ["admin"]);
    assert_eq!(list().as_deref(), Some("free@example.com"));
    assert!(
        toml().contains("exempt = [\"free@example.com\"]"),
        "{}",
        toml()
    );
    let (login, token) = ghost(&file);
    for _ in 0..6 {
        assert_eq!(hands_in(&login, &token, &login), (Some(235), Some(250)));
    }
    // A campaign has no recipient 201 that is lost.
    let auth = format!("{login}:{token}");
    let mut args = vec![
        "--server",
        "mail.example.com:465",
        "--tls",
        "implicit",
        "--auth",
        &auth,
        "--from",
        &login,
    ];
    for _ in 0..205 {
        args.extend(["--to", USER]);
    }
    let said = send(&args, "Subject: a campaign\n\nHello\n");
    let taken = said
        .steps
        .iter()
        .filter(|(what, code, _)| what == "RCPT" && *code == 250);
    assert_eq!((taken.count(), said.ok), (205, true));
    // Without it, the limit holds.
    says(server, &["generic", "--login", "limited@example.com"], 0);
    let token = kept(server, "generic");
    let codes: Vec<_> = (0..4)
        .map(|_| hands_in("limited@example.com", &token, "limited@example.com").1)
        .collect();
    assert_eq!((codes[0], codes[3]), (Some(250), Some(450)), "{codes:?}");

    // Again nothing, also without saying it.
    let again = says(server, &["ghost", "free"], 0);
    assert_eq!(again["changed"], false, "{again}");
    assert!(
        parts(&again).contains(&("exemption".to_owned(), "keep".to_owned())),
        "{again}"
    );

    // Another site by the same login needs it as well: it goes with the last.
    let other = server.root.beside("other.json", THERE);
    let more = [
        "ghost",
        "other",
        "--path",
        other.to_str().unwrap(),
        "--login",
        "free@example.com",
        "--exempt",
    ];
    let shared = says(server, &more, 0);
    assert!(
        parts(&shared).contains(&("exemption".to_owned(), "keep".to_owned())),
        "{shared}"
    );
    says(server, &["ghost", "free", "--remove"], 0);
    assert_eq!(list().as_deref(), Some("free@example.com"));
    let limited = says(server, &["ghost", "other", "--exempt=false"], 0);
    assert!(
        parts(&limited).contains(&("exemption".to_owned(), "remove".to_owned())),
        "{limited}"
    );
    assert_eq!((list(), toml()), (None, text));
    assert!(
        !server
            .root
            .read("mailu.env")
            .contains("MESSAGE_RATELIMIT_EXEMPTION")
    );
    says(server, &["ghost", "other", "--remove"], 0);
    says(server, &["generic", "--remove"], 0);
    server
        .root
        .run(&["config", "unset", "limits.messages"])
        .expect_code(0);
    server.root.run(&["apply"]).expect_code(0);
}
