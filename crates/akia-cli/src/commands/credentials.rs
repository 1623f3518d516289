//! `akia credentials`: the `credential_process` of profiles whose secret is in the keychain.
//!
//! Invariant: errors are one line, because the AWS tools repeat them in errors of their own; nothing but the JSON goes
//! to stdout.

use akia_io::place::{pair_in, process_output};
use clap::Args;

use crate::context::{Context, ProfileChoice};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::workbench;

/// Print the key of a profile from the keychain, for the AWS tools
///
/// `akia setup --store keychain` writes this command into the profile as its `credential_process`; the AWS CLI and the
/// SDKs call it. The output is the JSON of AWS's documentation and holds the secret: it is refused on a terminal. The
/// profile has to be named with --profile.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("credential_process = akia credentials --profile work", "a line of the AWS config file"),
]))]
pub struct CredentialsArgs {}

/// Runs the command.
///
/// # Errors
/// When stdout is a terminal, or the keychain holds no key for the profile.
pub(crate) fn run(context: &Context, _args: &CredentialsArgs) -> Result<Exit, CommandError> {
    let ProfileChoice::Flag(profile) = context.profile()? else {
        return Err(CommandError::usage("name the profile: akia credentials --profile NAME"));
    };
    if context.terminal.stdout {
        return Err(line(
            "the output holds the secret access key and stdout is a terminal, so nothing is shown; \
             the AWS tools run this command by themselves",
        ));
    }
    akia_io::hardening::harden_process();
    let keychain = workbench::keychain_opener(context)();
    let keychain = keychain.map_err(|none| line(format_args!("{none}; {}", none.hint)))?;
    let pair = pair_in(&keychain, &profile).map_err(line)?.ok_or_else(|| {
        let name = akia_core::cheatsheet::quote(profile.as_str());
        line(format_args!(
            "the keychain holds no key for profile \"{profile}\"; put one there: akia setup {name} --store keychain"
        ))
    })?;
    let output = process_output(&pair);
    let printed = std::str::from_utf8(&output).map_err(|_| line("the key is not text"))?;
    context.print_text(printed)?;
    context.print_text("\n")?;
    Ok(Exit::Done)
}

/// An error of one line.
fn line(what: impl std::fmt::Display) -> CommandError {
    CommandError::new(Exit::Failed, what)
}
