//! Rendering, and keys.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mailu_core::dns::PublicKeys;
use mailu_core::network::{Reserved, draw};
use mailu_core::{Config, Secret, Secrets, dkim::DkimKey, render};

use crate::{program, quiet, row, runs, time, tool};

fn config(n: u32) -> Config {
    let text = format!(
        "mail_host = \"mail.d{n}.example.com\"\nemail_domain = \"d{n}.example.com\"\nadmin_email = \"admin@d{n}.example.com\"\nclient = \"c{n}\"\n"
    );
    let mut config = Config::from_toml(&text).unwrap().config;
    draw(&mut config, &Reserved::default(), &[]).unwrap();
    config
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.set(
        "secret_key",
        Secret::new("BENCHSECRETKEY0123456789ABCDEFGH"),
    );
    secrets.set("api_token", Secret::new("bench-api-token-0123456789"));
    secrets
}

pub(crate) fn one_rendering(directory: &Path) {
    println!("\nOne rendering as a whole process, and Compose reading the result");
    let file = directory.join("mailu.toml");
    std::fs::write(&file, "mail_host = \"mail.example.com\"\nemail_domain = \"example.com\"\nadmin_email = \"admin@example.com\"\n").unwrap();
    let mut n = 0;
    let ours = runs(30, || {
        n += 1;
        quiet(
            Command::new(program())
                .arg("render")
                .arg(&file)
                .arg("--out")
                .arg(directory.join(format!("out{n}"))),
        );
    });
    let out = directory.join("out1");
    let start = runs(30, || quiet(Command::new(program()).arg("--version")));
    let theirs = runs(30, || {
        quiet(
            Command::new(tool("compose-v2"))
                .args(["config", "-q"])
                .current_dir(&out),
        );
    });
    row("mailu --version (cold start)", start);
    row("mailu render (configuration in, six files out)", ours);
    row("docker compose config -q (the result in)", theirs);
    println!(
        "  ratio of the medians, ours to theirs: {:.2}",
        ours[1] / theirs[1]
    );
}

pub(crate) fn growth(directory: &Path) {
    println!(
        "\nRendering many deployments in one process (configuration, files and records of each; keys excluded)"
    );
    let secrets = secrets();
    let mut first = None;
    for count in [10_u32, 100, 1_000, 10_000] {
        let elapsed = time(|| {
            for n in 0..count {
                let config = config(n);
                let files = render(&config, &secrets, &PublicKeys::default())
                    .unwrap()
                    .files(&config)
                    .unwrap();
                assert_eq!(files.len(), 6);
            }
        });
        let each = elapsed.as_secs_f64() * 1e3 / f64::from(count);
        let base = *first.get_or_insert(each);
        println!(
            "  {count:>6} deployments {:>10.1} ms   {each:.3} ms each, {:.2} times the first row",
            elapsed.as_secs_f64() * 1e3,
            each / base
        );
    }

    println!("\nListing the deployments of a host");
    let root = directory.join("root");
    let mut made = 0;
    let mut first = None;
    for count in [10_u32, 100, 1_000, 10_000] {
        for n in made..count {
            let path = root.join(format!("mailu/clients/c{n}/mail.d{n}.example.com"));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(
                path.join("mailu.toml"),
                format!("mail_host = \"mail.d{n}.example.com\"\nemail_domain = \"d{n}.example.com\"\nadmin_email = \"admin@d{n}.example.com\"\nclient = \"c{n}\"\n"),
            )
            .unwrap();
        }
        made = count;
        let mailu = mailu_core::host::Mailu::new(&root).unwrap();
        let [_, median, _] = runs(3, || {
            assert_eq!(mailu.list().unwrap().len(), count as usize);
        });
        let each = median / f64::from(count);
        let base = *first.get_or_insert(each);
        println!(
            "  {count:>6} deployments {median:>10.1} ms   {each:.3} ms each, {:.2} times the first row",
            each / base
        );
    }
}

pub(crate) fn keys() {
    const COUNT: u32 = 60;
    println!(
        "\nA 2048-bit RSA key (mean of 60, because one key takes many times as long as another)"
    );
    let ours = time(|| {
        for _ in 0..COUNT {
            DkimKey::generate(&mut rand_core::OsRng).unwrap();
        }
    });
    let theirs = time(|| {
        for _ in 0..COUNT {
            quiet(Command::new("openssl").args(["genrsa", "2048"]));
        }
    });
    let mean = |total: Duration| total.as_secs_f64() * 1e3 / f64::from(COUNT);
    println!("  mailu (in the library)   {:>9.1} ms", mean(ours));
    println!(
        "  openssl genrsa 2048      {:>9.1} ms (a process each)",
        mean(theirs)
    );
    println!("  ratio, ours to theirs: {:.2}", mean(ours) / mean(theirs));
}
