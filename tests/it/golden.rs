//! Golden files: the same inputs give the same bytes in Rust, Python and Node.
//!
//! `tests/golden/CASE/mailu.toml` and perhaps `input.json` (`secrets`, `dkim_keys`) are the input; `files/…`, `dns.json`,
//! `findings.json` or `error.json` the output; of a case with a directory `formats`, the DNS records in every format too. `MAILU_BLESS=1` writes the output anew; only this driver can.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mailu_core::dns::Report;
use mailu_core::dns::formats::{Format, Page, render};
use mailu_core::{Config, api};
use serde_json::{Value, json};

use crate::support::{files_below, tests};

/// Output of one case, by file name.
fn output(case: &Path) -> BTreeMap<String, String> {
    let config = Value::String(fs::read_to_string(case.join("mailu.toml")).unwrap());
    let input: Value = fs::read_to_string(case.join("input.json"))
        .map_or(json!({}), |text| serde_json::from_str(&text).unwrap());
    let map = |key: &str| -> BTreeMap<String, String> {
        serde_json::from_value(input.get(key).cloned().unwrap_or(json!({}))).unwrap()
    };
    let keys: BTreeMap<String, String> = map("dkim_keys")
        .into_iter()
        .map(|(domain, file)| (domain, fs::read_to_string(tests(&file)).unwrap()))
        .collect();

    let mut out = BTreeMap::new();
    let pretty = |value: &Value| format!("{value:#}\n");
    match api::render_files(&config, &map("secrets"), &keys) {
        Ok(files) => {
            for file in files {
                out.insert(format!("files/{}", file.path), file.text);
            }
            let dns = api::dns_records(&config, &keys).unwrap();
            if case.join("formats").is_dir() {
                out.extend(formats(config.as_str().unwrap(), &dns));
            }
            out.insert(
                "dns.json".to_owned(),
                pretty(&serde_json::to_value(dns).unwrap()),
            );
            let findings = api::check_config(&config).unwrap();
            out.insert(
                "findings.json".to_owned(),
                pretty(&serde_json::to_value(findings).unwrap()),
            );
        }
        Err(error) => {
            out.insert("error.json".to_owned(), pretty(&error.to_json()));
        }
    }
    out
}

/// The DNS records in those formats that are not below `files/`.
fn formats(config: &str, dns: &Report) -> BTreeMap<String, String> {
    let config = Config::from_toml(config).unwrap().config;
    let page = Page::new(Some("Blue & Co".to_owned()), None);
    let written = [Format::Records, Format::Zone, Format::Json];
    Format::ALL
        .into_iter()
        .filter(|format| !written.contains(format))
        .flat_map(|format| {
            // One page is like another.
            let most = if format == Format::Html {
                1
            } else {
                usize::MAX
            };
            render(&config, dns, format, &page)
                .unwrap()
                .into_iter()
                .take(most)
        })
        .map(|text| (format!("formats/{}", text.name), text.text))
        .collect()
}

#[test]
fn every_case_gives_its_files() {
    let bless = std::env::var_os("MAILU_BLESS").is_some();
    let mut cases: Vec<_> = fs::read_dir(tests("golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 12, "only {} golden cases", cases.len());
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let now = output(&case);
        let is_output = |path: &str| path != "mailu.toml" && path != "input.json";
        let before: BTreeMap<String, String> = files_below(&case)
            .into_iter()
            .map(|path| {
                (
                    path.strip_prefix(&case)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                    path,
                )
            })
            .filter(|(path, _)| is_output(path))
            .map(|(relative, path)| (relative, fs::read_to_string(path).unwrap()))
            .collect();
        if bless {
            for relative in before.keys().filter(|path| !now.contains_key(*path)) {
                fs::remove_file(case.join(relative)).unwrap();
            }
            for (relative, text) in &now {
                let path = case.join(relative);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            continue;
        }
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            now.keys().collect::<Vec<_>>(),
            "files of case {name}; MAILU_BLESS=1 writes them anew"
        );
        for (relative, text) in &now {
            assert_eq!(
                &before[relative], text,
                "{relative} of case {name}; MAILU_BLESS=1 writes it anew"
            );
        }
    }
}
