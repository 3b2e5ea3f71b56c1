//! `mailu render`

use std::path::Path;

use mailu_core::dkim;
use mailu_core::dns::PublicKeys;
use mailu_core::{Config, Error, ErrorKind, Secret, Secrets, network};

use super::read;
use crate::args::Render;
use crate::output::Printer;

pub(crate) fn run(printer: &mut Printer, args: &Render) -> Result<u8, Error> {
    let parsed = Config::from_toml(&read(&args.config)?)?;
    let mut config = parsed.config;
    printer.findings(&parsed.findings);
    let drawn =
        network::draw(&mut config, &network::Reserved::default(), &[]).map_err(|finding| {
            Error::new(
                ErrorKind::InvalidInput,
                "network.draw",
                "draw networks for the deployment",
            )
            .findings(vec![*finding])
        })?;
    for value in drawn {
        printer.note(format_args!(
            "{} = \"{}\" was drawn; `mailu install` keeps it in mailu.toml",
            value.key, value.value
        ));
    }

    let mut secrets = Secrets::default();
    if let Some(directory) = &args.secrets {
        for name in Secrets::NAMES {
            let path = directory.join(name);
            if path.exists() {
                secrets.set(
                    name,
                    Secret::new(read(&path)?.trim_end_matches(['\r', '\n'])),
                );
            }
        }
    }
    if secrets.secret_key.is_none() {
        printer.note("SECRET_KEY and API_TOKEN are left out: `--secrets DIR` reads them, `mailu install` draws them");
    }
    let mut keys = PublicKeys::new();
    if let Some(directory) = &args.keys {
        for domain in config.domains() {
            let path = directory.join(dkim::file_name(domain, &config.dns.selector));
            if path.exists() {
                keys.insert(
                    domain.clone(),
                    dkim::public_text(&read(&path)?, &path.display())?,
                );
            }
        }
    }

    let files = mailu_core::render(&config, &secrets, &keys)?.files(&config)?;
    if printer.json {
        printer.data(&files)?;
        return Ok(crate::FINE);
    }
    match &args.out {
        None => {
            for file in &files {
                printer.line(format_args!("==> {} <==", file.path));
                printer.raw(&file.text);
                printer.line("");
            }
        }
        Some(out) => {
            write(out, &files)?;
            printer.line(format_args!("{} files in {}", files.len(), out.display()));
        }
    }
    Ok(crate::FINE)
}

fn write(out: &Path, files: &[mailu_core::RenderedFile]) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = |doing: &str, path: &Path, error: std::io::Error| {
        Error::new(
            ErrorKind::Io,
            "file.failed",
            format!("{doing} {}", path.display()),
        )
        .source(error)
    };
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::new(
            ErrorKind::Conflict,
            "render.not_empty",
            format!(
                "write into {}: the directory is not empty; nothing was changed",
                out.display()
            ),
        )
        .hint("name another directory"));
    }
    for file in files {
        let path = out.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|error| failed("make the directory", parent, error))?;
        }
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(file.mode)
            .open(&path)
            .and_then(|mut handle| std::io::Write::write_all(&mut handle, file.text.as_bytes()))
            .map_err(|error| failed("write", &path, error))?;
    }
    Ok(())
}
