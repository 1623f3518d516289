//! The binary `akia`: everything is in the library, so that xtask and the tests can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    akia_cli::main()
}
