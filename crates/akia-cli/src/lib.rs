//! The command line of akia.
//!
//! Top-down: [`args`] parses, [`commands`] has a file per verb, [`context`] carries what a verb may know of the
//! world, [`output`] prints data on stdout, [`error`] words on stderr. Invariant: the environment is read in
//! [`context`] alone, and nothing that came from outside reaches a terminal unescaped.

pub mod args;
pub mod audit;
pub mod aws_cli;
pub mod commands;
mod config_rule;
mod contain;
pub mod context;
pub mod docs;
pub mod drive;
pub mod endpoints;
pub mod enforce;
pub mod error;
mod events;
pub mod exit;
mod forms;
pub mod holdings;
pub mod keys;
pub mod logging;
mod notices;
pub mod organization;
pub mod output;
pub mod practice;
pub mod progress;
pub mod prompt;
pub mod rights;
pub mod rotations;
pub mod scan;
mod sealing;
mod service;
pub mod setup;
pub mod signing;
#[cfg(feature = "usage")]
mod usage;
pub mod workbench;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::{Invocation, ParseOutcome};
use crate::context::{Context, Environment, Terminal};
use crate::error::CommandError;
use crate::exit::Exit;

pub use args::command;
pub use docs::pages;

/// Runs akia with the arguments and the environment of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let invocation = match args::parse(&arguments) {
        ParseOutcome::Run(invocation) => *invocation,
        ParseOutcome::Print(text) => {
            // A reader that has gone away (`akia --help | head -1`) is no failure of ours.
            let _ = output::print_text(&text);
            return Exit::Done.into();
        }
        ParseOutcome::Refuse(text) => {
            error::print_words(&text);
            return Exit::Usage.into();
        }
    };
    run(invocation).into()
}

/// Runs one parsed command line and reports its error, if any, on stderr.
fn run(invocation: Invocation) -> Exit {
    let terminal = Terminal::detect(invocation.globals.color);
    let environment = invocation.verb.environment(Environment::read());
    if let Some(server) = environment.raw(Environment::SERVER) {
        akia_io::hardening::end_with_parent(&server.to_string_lossy());
    }
    logging::start(invocation.globals.verbose, terminal.stderr_colors);
    let context = match Context::new(environment, terminal, invocation.globals) {
        Ok(context) => context,
        Err(error) => return report(&error, terminal.stderr_colors),
    };
    match invocation.verb.run(&context) {
        Ok(exit) => exit,
        Err(error) => report(&error, terminal.stderr_colors),
    }
}

fn report(error: &CommandError, colors: bool) -> Exit {
    error::print_words(&error.render(colors));
    error.exit
}
