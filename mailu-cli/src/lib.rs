#![doc = include_str!("../README.md")]

pub mod args;
mod commands;
mod log;
mod output;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use mailu_core::host::Power;

use args::{Cli, Command};
use output::Printer;

/// Nothing is wrong.
pub(crate) const FINE: u8 = 0;
/// Something needs a decision or an eye.
pub(crate) const FINDINGS: u8 = 1;
/// It failed, or was called wrongly.
pub(crate) const FAILED: u8 = 2;

/// Somebody stopped it: 128 + SIGINT, as shells count.
pub(crate) const INTERRUPTED: u8 = 130;

/// The whole command line, for completions, the manual and the list of operations.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; everything else is wrong usage.
            let code = if error.use_stderr() { FAILED } else { FINE };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut printer = Printer::new(&cli.global);
    let writes = cli.command.writes();
    let result = match cli.command {
        Command::Install(args) => commands::install::run(&cli.global, &mut printer, args),
        Command::Apply(args) => commands::apply::run(&cli.global, &mut printer, &args, false),
        Command::Plan(args) => commands::apply::run(&cli.global, &mut printer, &args, true),
        Command::Render(args) => commands::render::run(&mut printer, &args),
        Command::Check(args) => commands::check::run(&cli.global, &mut printer, &args),
        Command::Dns(args) => commands::dns::run(&cli.global, &mut printer, &args),
        Command::List => commands::list::run(&cli.global, &mut printer),
        Command::Show(args) => commands::show::run(&cli.global, &mut printer, &args),
        Command::Certs(args) => commands::certs::run(&cli.global, &mut printer, args),
        Command::Status(args) => commands::status::run(&cli.global, &mut printer, &args),
        Command::Logs(args) => commands::logs::run(&cli.global, &mut printer, args),
        Command::Start(args) => commands::power::run(&cli.global, &mut printer, args, Power::Start),
        Command::Stop(args) => commands::power::run(&cli.global, &mut printer, args, Power::Stop),
        Command::Restart(args) => {
            commands::power::run(&cli.global, &mut printer, args, Power::Restart)
        }
        Command::Exec(args) => commands::exec::run(&cli.global, &mut printer, &args),
        Command::Uninstall(args) => commands::uninstall::run(&cli.global, &mut printer, &args),
        Command::Backup(args) => commands::backup::run(&cli.global, &mut printer, args),
        Command::Restore(args) => commands::restore::run(&cli.global, &mut printer, args),
        Command::Update(args) => commands::update::run(&cli.global, &mut printer, &args),
        Command::Diagnose(args) => commands::diagnose::run(&cli.global, &mut printer, &args),
        Command::TestEmail(args) => commands::test_email::run(&cli.global, &mut printer, args),
        Command::Domain(args) => commands::accounts::domain(&cli.global, &mut printer, args),
        Command::User(args) => commands::accounts::user(&cli.global, &mut printer, args),
        Command::Alias(args) => commands::accounts::alias(&cli.global, &mut printer, args),
        Command::Token(args) => commands::accounts::token(&cli.global, &mut printer, args),
        Command::Relay(args) => commands::accounts::relay(&cli.global, &mut printer, args),
        Command::Accounts(args) => commands::accounts::many(&cli.global, &mut printer, args),
        Command::Integrate(args) => commands::integrate::run(&cli.global, &mut printer, args),
        Command::App(args) => commands::app::run(&cli.global, &mut printer, args),
        Command::Config(args) => commands::config::run(&cli.global, &mut printer, args),
        Command::Completions { shell } => Ok(commands::meta::completions(&mut printer, shell)),
        Command::Man => commands::meta::man(&mut printer),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            printer.error(&error, writes);
            ExitCode::from(if error.code() == "interrupted" {
                INTERRUPTED
            } else {
                FAILED
            })
        }
    }
}
