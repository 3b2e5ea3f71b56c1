//! Has a client's Listmonk on this host send through a mail server, without credentials of Listmonk's: by its database.
//!
//! `listmonk CLIENT MAIL_HOST LOGIN FROM RECORD`, the login's token on standard input. RECORD is the file in which it is remembered what was done;
//! with `remove` behind it, that is taken back.

use std::fs;

use mailu_core::apps::listmonk::{Options, Record};
use mailu_core::apps::{Bounces, Profile, Throttle, Tls};
use mailu_core::host::Listmonk;
use mailu_core::{Error, ErrorKind, Secret};

fn main() -> std::process::ExitCode {
    match run() {
        Ok(report) => {
            #[expect(clippy::print_stdout, reason = "an example prints")]
            {
                println!("{report}");
            }
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "an example prints")]
            {
                eprintln!("{}", error.to_json());
            }
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::InvalidInput, "example.arguments", what);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, host, login, from, file, rest @ ..] = arguments.as_slice() else {
        return Err(wrong("CLIENT MAIL_HOST LOGIN FROM RECORD [remove]"));
    };
    let record: Option<Record> = fs::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let listmonk = Listmonk::in_database(Listmonk::find(client)?);
    let report = if rest.first().is_some_and(|word| word == "remove") {
        let record = record.ok_or_else(|| wrong("there is no record of what was done"))?;
        listmonk.remove(&record, false, &mut |_| {})?
    } else {
        let token = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
        let token = Secret::new(token.trim());
        let address = |text: &str| text.parse().map_err(|_| wrong("that is no address"));
        let login: mailu_core::names::EmailAddress = address(login)?;
        let host = host.parse().map_err(|_| wrong("that is no mail host"))?;
        let mut profile = Profile::new(host, Tls::Implicit, login.clone(), token.clone());
        profile.from = address(from)?;
        // What comes back arrives where the envelope says: at the login.
        profile.bounces = Some(Bounces::new(login, token));
        // Mailu's limit, unless the login is exempt.
        profile.throttle = Some(Throttle::new(200, 86_400));
        let options = Options::new(format!("listmonk-{client}"));
        listmonk.apply(&profile, &options, record.as_ref(), false, &mut |_| {})?
    };
    let text = serde_json::to_string_pretty(&report.record).unwrap_or_default();
    fs::write(file, text).map_err(|error| wrong("the record cannot be written").source(error))?;
    Ok(serde_json::to_string_pretty(&report).unwrap_or_default())
}
