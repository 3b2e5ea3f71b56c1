//! A WordPress of Debian's with a `MariaDB` of its own, in a directory that goes with the value.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{succeed, tool};

/// Under which name it is visited: not in the mail domain.
pub(crate) const BLOG: &str = "blog.example.net";

/// Where Debian has it.
const DEBIAN: &str = "/usr/share/wordpress";

/// As whom its PHP runs, as on the web.
pub(crate) const WEB_USER: &str = "www-data";

/// A site that was just set up.
pub(crate) struct Blog {
    _database: Ended,
    directory: TempDir,
}

/// A program that ends with the value, and with the thread that has started it.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A call of such a program.
pub(crate) fn bound(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Blog {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // What the site's user reaches.
        open(directory.path(), 0o755);
        let database = database(directory.path());
        let blog = Self {
            _database: database,
            directory,
        };
        let root = blog.root();
        std::fs::create_dir_all(root.join("wp-content/plugins")).unwrap();
        for entry in std::fs::read_dir(DEBIAN).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            let text = name.to_string_lossy();
            if text.ends_with(".php") && text != "wp-config.php" {
                std::fs::copy(&path, root.join(&name)).unwrap();
            } else if matches!(&*text, "wp-admin" | "wp-includes") {
                std::os::unix::fs::symlink(&path, root.join(&name)).unwrap();
            }
        }
        let socket = blog.directory.path().join("database.sock");
        let config = format!(
            "<?php\ndefine('DB_NAME', 'blog');\ndefine('DB_USER', 'root');\ndefine('DB_PASSWORD', '');\n\
             define('DB_HOST', 'localhost:{}');\ndefine('WP_HTTP_BLOCK_EXTERNAL', true);\ndefine('DISABLE_WP_CRON', true);\n\
             $table_prefix = 'wp_';\nif (!defined('ABSPATH')) {{\n    define('ABSPATH', __DIR__ . '/');\n}}\n\
             require_once ABSPATH . 'wp-settings.php';\n",
            socket.display()
        );
        std::fs::write(root.join("wp-config.php"), config).unwrap();
        succeed(
            Command::new("chown")
                .args(["-R", &format!("{WEB_USER}:{WEB_USER}")])
                .arg(&root),
        );
        let install = "define('WP_INSTALLING', true); WORDPRESS require ABSPATH . 'wp-admin/includes/upgrade.php';
            wp_install('A Blog', 'editor', 'editor@example.net', true, '', 'correct horse battery staple');
            answer(is_blog_installed());";
        assert_eq!(blog.php(install), true);
        blog
    }

    /// What else there is to be: it is open to the site's user.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The document root.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("html")
    }

    /// Runs a script as the site's user; `WORDPRESS` in it loads the site. Returns what it hands to `answer`.
    pub(crate) fn php(&self, script: &str) -> Value {
        let load = format!(
            "foreach (array('HTTP_HOST', 'SERVER_NAME') as $key) {{ $_SERVER[$key] = '{BLOG}'; }}
             $_SERVER += array('REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1');
             require '{}/wp-load.php';",
            self.root().display()
        );
        let script = format!(
            "<?php function answer($value) {{ fwrite(fopen('php://stdout', 'w'), \"\\n@@\" . json_encode($value) . \"\\n\"); }}\n{}",
            script.replacen("WORDPRESS", &load, 1)
        );
        let output = php(&script, &[]);
        let out = String::from_utf8_lossy(&output.stdout);
        let line = out.lines().rev().find_map(|line| line.strip_prefix("@@"));
        let Some(line) = line else {
            panic!("{out}\n{}", String::from_utf8_lossy(&output.stderr));
        };
        serde_json::from_str(line).unwrap()
    }

    /// Has the site send a message; what `wp_mail` returns, or why it failed.
    pub(crate) fn mail(&self, to: &str, subject: &str, headers: &[&str]) -> Result<(), String> {
        let headers = serde_json::to_string(headers).unwrap();
        let answer = self.php(&format!(
            "WORDPRESS $why = ''; add_action('wp_mail_failed', function ($error) use (&$why) {{ $why = $error->get_error_message(); }});
             $ok = wp_mail('{to}', '{subject}', 'Hello', json_decode('{}', true));
             answer(array($ok, $why));",
            headers.replace('\\', "\\\\").replace('\'', "\\'")
        ));
        if answer[0] == true {
            Ok(())
        } else {
            Err(answer[1].as_str().unwrap().to_owned())
        }
    }

    /// An option in its database.
    pub(crate) fn option(&self, name: &str) -> Value {
        self.php(&format!("WORDPRESS answer(get_option('{name}', null));"))
    }
}

/// PHP with a script on its input, as the site's user.
pub(crate) fn php(script: &str, more: &[&str]) -> Output {
    let mut child = Command::new("setpriv")
        .args([
            &format!("--reuid={WEB_USER}"),
            &format!("--regid={WEB_USER}"),
            "--clear-groups",
        ])
        .arg(tool("php"))
        // Without the plugin, a message goes nowhere.
        .args([
            "-d",
            "display_errors=stderr",
            "-d",
            "sendmail_path=/bin/true",
        ])
        .args(more)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

/// Permission bits.
pub(crate) fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A `MariaDB` that is asked over a socket only, and keeps nothing safe.
fn database(directory: &Path) -> Ended {
    let data = directory.join("database");
    let socket = directory.join("database.sock");
    let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
    succeed(
        Command::new(tool("mariadb-install-db"))
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--user=root",
            ])
            .arg(option("datadir", &data))
            .env("TMPDIR", directory),
    );
    let mut command = bound(&tool("mariadbd"));
    command
        .args(["--no-defaults", "--user=root", "--skip-networking"])
        .args([
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=16M",
            "--innodb-use-native-aio=0",
        ])
        .arg(option("datadir", &data))
        .arg(option("socket", &socket))
        .arg(option("pid-file", &directory.join("database.pid")))
        .arg(option("log-error", &directory.join("database.log")))
        // Each removes what others of it have in a common one when it starts.
        .env("TMPDIR", directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Ended(command.spawn().unwrap());
    let start = Instant::now();
    loop {
        let made = Command::new(tool("mariadb"))
            .args(["--no-defaults", "--user=root"])
            .arg(option("socket", &socket))
            .args(["-e", "CREATE DATABASE IF NOT EXISTS blog"])
            .output()
            .unwrap();
        if made.status.success() {
            open(&socket, 0o777);
            return running;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "MariaDB does not start: {}",
            std::fs::read_to_string(directory.join("database.log")).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
