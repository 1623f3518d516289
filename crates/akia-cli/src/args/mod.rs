//! From words to a typed command line. A usage error is found here, before anything is read or run.

pub mod bytes;
pub mod config;
pub mod globals;
pub mod values;
pub mod when;

use std::ffi::OsString;

use anstream::{AutoStream, ColorChoice};
use clap::error::{ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::commands::Verb;
pub use akia_core::span;
pub use config::ConfigArgs;
pub use globals::Globals;

/// Safe life for AWS access keys: set up, rotate, watch, retire.
///
/// akia replaces the access key of a profile without ever leaving you locked out: the new key is stored and proven
/// before the old one is touched, every step can be resumed, and until the old key is deleted one command takes it
/// all back.
#[derive(Debug, Parser)]
#[command(
    name = "akia",
    bin_name = "akia",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_value_name = "COMMAND",
    after_help = "First steps:\n  akia demo            see a rotation on a made-up AWS, without touching yours\n  akia status          every profile, its key, its age, and what is due\n  akia rotate          give the default profile a new key",
    after_long_help = "First steps:\n  akia demo            see a rotation on a made-up AWS, without touching yours\n  akia status          every profile, its key, its age, and what is due\n  akia rotate          give the default profile a new key\n\nEnvironment:\n  AWS_PROFILE, AWS_REGION, AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, AWS_ENDPOINT_URL, AWS_CA_BUNDLE,\n  HTTPS_PROXY and NO_COLOR mean what they mean to the AWS CLI. AKIA_STATE_DIR is the folder of akia's journal,\n  AKIA_CONFIG the file of its settings."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// One parsed command line.
#[derive(Debug)]
pub struct Invocation {
    /// Flags that every command takes, from wherever on the line they stood.
    pub globals: Globals,
    /// The command and its own arguments.
    pub verb: Verb,
}

/// What to do with a command line.
#[derive(Debug)]
pub enum ParseOutcome {
    /// Run it.
    Run(Box<Invocation>),
    /// Print this on stdout and end well: help or version.
    Print(String),
    /// Print this on stderr and end with the code for usage.
    Refuse(String),
}

/// The whole command line as a clap model: for parsing, completions, man pages and documentation.
#[must_use]
pub fn command() -> clap::Command {
    with_globals(Cli::command())
}

/// Parses a command line, of which the first word is the program.
#[must_use]
pub fn parse(arguments: &[OsString]) -> ParseOutcome {
    match try_parse(arguments) {
        Ok(invocation) => ParseOutcome::Run(Box::new(invocation)),
        Err(error) => refuse(error, arguments),
    }
}

fn try_parse(arguments: &[OsString]) -> Result<Invocation, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let mut globals = Globals::default();
    let mut level = Some(&matches);
    while let Some(matches) = level {
        let more = Globals::from_arg_matches(matches)?;
        globals.merge(more).map_err(|flag| {
            command.error(ErrorKind::ArgumentConflict, format!("the argument '{flag}' cannot be used multiple times"))
        })?;
        level = matches.subcommand().map(|(_, matches)| matches);
    }
    let Cli { verb } = Cli::from_arg_matches(&matches)?;
    Ok(Invocation { globals, verb })
}

/// Adds the global flags to each level by itself. clap's own `global = true` would silently drop the first profile of
/// `akia -p a rotate -p b`, because there the inner level replaces the outer.
fn with_globals(command: clap::Command) -> clap::Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    let mut command = Globals::augment_args(command).mut_subcommands(with_globals);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(long_about) = long_about {
        command = command.long_about(long_about);
    }
    command
}

fn refuse(mut error: clap::Error, arguments: &[OsString]) -> ParseOutcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            ParseOutcome::Print(rendered(&error, AutoStream::choice(&std::io::stdout())))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ParseOutcome::Refuse(rendered(&error, AutoStream::choice(&std::io::stderr())))
        }
        _ => {
            // clap quotes the words of the user: nothing in them may drive the terminal or fake a line, and a secret
            // that somebody typed here is not repeated.
            let harmless: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, disarm(value)?))).collect();
            for (kind, value) in harmless {
                error.insert(kind, value);
            }
            let mut text = rendered(&error, AutoStream::choice(&std::io::stderr()));
            if arguments.iter().any(|word| values::looks_secret(&word.to_string_lossy())) {
                text.push_str(values::SECRET_ON_COMMAND_LINE);
            }
            ParseOutcome::Refuse(text)
        }
    }
}

fn disarm(value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) => Some(ContextValue::String(values::harmless(text))),
        ContextValue::Strings(texts) => {
            Some(ContextValue::Strings(texts.iter().map(|text| values::harmless(text)).collect()))
        }
        _ => None,
    }
}

/// With colours as clap's own printing would decide on them.
fn rendered(error: &clap::Error, choice: ColorChoice) -> String {
    if choice == ColorChoice::Never { error.render().to_string() } else { error.render().ansi().to_string() }
}
