//! The `mailu` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailu_cli::run()
}
