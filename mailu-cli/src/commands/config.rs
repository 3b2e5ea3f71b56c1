//! `mailu config`

use mailu_core::config::{edit::Document, json_schema, known_keys};
use mailu_core::{Config, Error, ErrorKind};

use super::{chosen, read};
use crate::args::{ConfigCommand, Global};
use crate::output::Printer;

pub(crate) fn run(
    global: &Global,
    printer: &mut Printer,
    command: ConfigCommand,
) -> Result<u8, Error> {
    match command {
        ConfigCommand::Check { file, which } => {
            let (path, findings) = if let Some(path) = file {
                let findings = Config::from_toml(&read(&path)?)?.findings;
                (path, findings)
            } else {
                let (mailu, layout) = chosen(global, &which)?;
                (layout.config(), mailu.config(&layout)?.1)
            };
            if printer.json {
                printer.data(&findings)?;
            } else {
                printer.findings(&findings);
                printer.line(format_args!("{}: valid", path.display()));
            }
            Ok(crate::FINE)
        }
        ConfigCommand::Schema => {
            if printer.json {
                printer.data(&json_schema())?;
                return Ok(crate::FINE);
            }
            // Keys without a section come first, as TOML wants them.
            let (plain, sections): (Vec<_>, Vec<_>) = known_keys()
                .into_iter()
                .partition(|key| !key.path.contains('.'));
            let mut section = String::new();
            for key in plain.into_iter().chain(sections) {
                let (head, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
                if head != section {
                    printer.line(format_args!("\n[{head}]"));
                    head.clone_into(&mut section);
                }
                for line in key.doc.lines() {
                    printer.line(format_args!("# {}", line.trim()));
                }
                match key.default {
                    Some(default) => printer.line(format_args!("{name} = {default}")),
                    None => printer.line(format_args!("# {name} =")),
                }
            }
            Ok(crate::FINE)
        }
        ConfigCommand::Get { key, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let value = mailu.config_value(&layout, key.as_deref())?;
            match (&value, printer.json) {
                (serde_json::Value::String(text), false) => printer.line(text),
                (serde_json::Value::Null, false) => {}
                _ => printer.data(&value)?,
            }
            Ok(crate::FINE)
        }
        ConfigCommand::Set { settings, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let changes = pairs(&settings)?;
            let changes: Vec<_> = changes
                .into_iter()
                .map(|(key, value)| (key, Some(value)))
                .collect();
            change(printer, &mailu, &layout, &changes)
        }
        ConfigCommand::Unset { keys, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let changes: Vec<_> = keys.into_iter().map(|key| (key, None)).collect();
            change(printer, &mailu, &layout, &changes)
        }
    }
}

fn change(
    printer: &mut Printer,
    mailu: &mailu_core::host::Mailu,
    layout: &mailu_core::paths::Layout,
    changes: &[(String, Option<String>)],
) -> Result<u8, Error> {
    let findings = mailu.configure(layout, changes)?;
    printer.findings(&findings);
    if printer.json {
        printer.data(&findings)?;
    } else {
        let text = read(&layout.config())?;
        let document = Document::parse(&text)?;
        for (key, _) in changes {
            printer.line(format_args!(
                "{key} = {}",
                document.get(key).unwrap_or_else(|| "(default)".to_owned())
            ));
        }
        printer.note(format_args!(
            "`{}` writes the files that follow from it",
            layout.command("apply")
        ));
    }
    Ok(crate::FINE)
}

/// `KEY VALUE`, or `KEY=VALUE …`.
fn pairs(settings: &[String]) -> Result<Vec<(String, String)>, Error> {
    if let [key, value] = settings
        && !key.contains('=')
    {
        return Ok(vec![(key.clone(), value.clone())]);
    }
    settings
        .iter()
        .map(|setting| {
            setting
                .split_once('=')
                .map(|(key, value)| (key.trim().to_owned(), value.to_owned()))
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidInput,
                        "config.setting",
                        format!("read the setting `{setting}`: it has no `=`"),
                    )
                    .hint("mailu config set limits.quota 10GB")
                    .hint("mailu config set limits.quota=10GB services.antivirus=false")
                })
        })
        .collect()
}
