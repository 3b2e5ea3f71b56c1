//! The examples are valid, and the README's commands do what it says.

use crate::support::{files_below, workspace};

#[test]
fn every_example_configuration_is_valid() {
    let files: Vec<_> = files_below(&workspace().join("examples/config"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    assert!(
        files.len() >= 6,
        "only {} example configurations",
        files.len()
    );
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = mailu_core::Config::from_toml(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for mode in ["traefik", "passthrough", "letsencrypt", "cert"] {
            if path.file_stem().is_some_and(|stem| stem == mode) {
                assert_eq!(parsed.config.tls.mode.as_str(), mode);
            }
        }
    }
}

#[test]
fn the_rust_example_runs() {
    let program = crate::support::program()
        .with_file_name("examples")
        .join("render");
    let text = crate::support::succeed(&mut std::process::Command::new(program));
    // For each client, a zone of its own and that of the server's address.
    assert_eq!(text.lines().count(), 6, "{text}");
}

/// Every `mailu` command line in the README is one that the program understands, and the commands of "Daily use" work.
#[test]
fn the_readmes_commands_work() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let daily = readme
        .split("## Daily use")
        .nth(1)
        .unwrap()
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let root = crate::support::Root::new();
    root.install();
    let mut count = 0;
    for line in daily.lines() {
        let command = line.split(" #").next().unwrap().trim();
        let args: Vec<&str> = command
            .strip_prefix("mailu ")
            .unwrap()
            .split_whitespace()
            .collect();
        root.run(&args).expect_code(0);
        count += 1;
    }
    assert_eq!(count, 7);

    // The network that Traefik needs is the one that is drawn.
    let readme = std::fs::read_to_string(workspace().join("docs/install.md")).unwrap();
    let toml = root.read("mailu.toml");
    let line = readme
        .lines()
        .find(|line| line.starts_with("docker network create"))
        .unwrap();
    let subnet = line
        .split("--subnet ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(toml.contains(&format!("subnet = \"{subnet}\"")), "{line}");
    let range = line
        .split("--ip-range ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(
        root.read("mailu.env")
            .contains(&format!("REAL_IP_FROM={range}")),
        "{line}"
    );
    // And the entry points are those of the labels.
    let compose = root.read("docker-compose.yml");
    for point in readme
        .split("--entrypoints.")
        .skip(1)
        .map(|text| text.split('.').next().unwrap())
    {
        assert!(
            compose.contains(&format!("entrypoints\": \"{point}\"")),
            "{point}"
        );
    }
}

/// The first command of the README, with a root that is not the system's.
#[test]
fn make_mailu_makes_a_deployment() {
    let root = crate::support::Root::new();
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let line = readme
        .lines()
        .find(|line| line.starts_with("make mailu "))
        .unwrap();
    let mut args: Vec<String> = line.split_whitespace().skip(1).map(str::to_owned).collect();
    args.push(format!("ROOT={}", root.path().display()));
    args.push(format!("MAILU={}", crate::support::program().display()));
    args.push("ADMIN_PASSWORD=it's \"$5\" # safe".to_owned());
    let output = std::process::Command::new("make")
        .args(&args)
        .current_dir(workspace())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let run = crate::support::finished(output).expect_code(0);
    root.no_secret_in(&run.out, "output of make");
    root.no_secret_in(&run.err, "errors of make");
    assert!(root.file(".installed_ok").exists() && run.out.contains("DNS records to publish"));
    assert_eq!(
        std::fs::read_to_string(root.layout().secret("admin_password")).unwrap(),
        "it's \"$5\" # safe\n"
    );
}
