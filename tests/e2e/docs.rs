//! The commands of `docs/` that are for a real server, and for another host than the server's.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::server::{ADMIN, PASSWORD, Server};
use crate::support::workspace;
use crate::world::{fetch, wait_for};

/// What is in the blocks of a page that are for `world`.
fn commands(page: &str, world: &str) -> Vec<String> {
    let page = std::fs::read_to_string(workspace().join("docs").join(page)).unwrap();
    page.split(&format!("```sh {world}\n"))
        .skip(1)
        .flat_map(|rest| rest.split("```").next().unwrap_or_default().lines())
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Runs a line on the host outside; once `until` was printed, `answer` is typed. What was printed in the end.
fn typed(line: &str, until: &str, answer: &str) -> String {
    let mut child = Command::new("docker")
        .args(["exec", "-i", "world_outside", "sh", "-c"])
        .arg(format!("{line} 2>&1"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut printed = Vec::new();
    while !String::from_utf8_lossy(&printed).contains(until) {
        let some = output.fill_buf().unwrap();
        assert!(
            !some.is_empty(),
            "`{line}` ended without `{until}`: {}",
            String::from_utf8_lossy(&printed)
        );
        let count = some.len();
        printed.extend_from_slice(some);
        output.consume(count);
    }
    writeln!(input, "{answer}").unwrap();
    output.read_to_end(&mut printed).unwrap();
    let _ = child.wait().unwrap();
    String::from_utf8_lossy(&printed).into_owned()
}

/// telnet and swaks do what the page says.
pub(crate) fn from_outside() {
    let commands = commands("troubleshooting.md", "outside");
    let [telnet, swaks] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let said = typed(telnet, "220 ", "quit");
    assert!(said.contains("220 mail.example.com ESMTP ready"), "{said}");
    assert!(said.contains("221 "), "{said}");

    let said = typed(swaks, "Password:", PASSWORD);
    assert!(said.contains("235 2."), "{said}");
    assert!(said.contains("queued as"), "{said}");
    let in_the_open = swaks.replace(" -tls", "");
    assert_ne!(&in_the_open, swaks);
    let said = typed(&in_the_open, "Password:", PASSWORD);
    assert!(!said.contains("queued as"), "{said}");
    wait_for("the message of swaks", || {
        let found = fetch(ADMIN, PASSWORD, &[]);
        let mut all = found.messages.iter();
        all.any(|message| message.contains("This is a test mailing"))
            .then_some(())
    });
}

/// An app is connected as `apps.md` says.
pub(crate) fn an_app(server: &Server) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.production.json");
    let before = "{\n  \"url\": \"https://blog.example.com\"\n}\n";
    std::fs::write(&file, before).unwrap();
    let commands = commands("apps.md", "real");
    assert_eq!(commands.len(), 4, "{commands:?}");
    let mut seen = Vec::new();
    for line in commands {
        let command = line.split("  #").next().unwrap_or_default().trim();
        let args: Vec<&str> = command.split_whitespace().skip(1).collect();
        let mut run = server.root.command(&args);
        let run = run.current_dir(directory.path()).output().unwrap();
        crate::support::finished(run).expect_code(0);
        seen.push(std::fs::read_to_string(&file).unwrap());
    }
    assert_eq!(seen[0], before);
    assert!(seen[1].contains("mail.example.com"), "not connected");
    assert!(seen[1] != seen[2], "the token is the same");
    assert_eq!(seen[3], before);
}
