//! Questions to the person at the terminal. Where there is none, nothing is asked and nothing is assumed.

use std::io::BufRead;

use akia_core::SecretAccessKey;

use crate::context::Context;
use crate::error::{self, CommandError};
use crate::exit::Exit;
use crate::output::escape::visible;

/// Longest answer that is read.
const LONGEST_ANSWER: u64 = 4096;

/// Asks for consent to a plan that was already printed. `yes` is the flag `--yes`.
///
/// # Errors
/// `Exit::Decision` where nobody can be asked, `Exit::Failed` for a no; nothing has been changed either way.
pub fn confirm(context: &Context, yes: bool, question: &str) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !context.terminal.can_ask() {
        return Err(CommandError::decision("this changes something, and there is no terminal to ask on")
            .now("nothing was changed")
            .next("run it again with --yes to go ahead, or with --dry-run to see the plan"));
    }
    let answer = ask(context, &format!("{question} [y/N] "))?;
    if means_yes(&answer) { Ok(()) } else { Err(CommandError::failed("you said no")) }
}

/// Asks for a line of text.
///
/// # Errors
/// Where nobody can be asked, or the terminal is gone.
pub fn ask(context: &Context, question: &str) -> Result<String, CommandError> {
    if !context.terminal.can_ask() {
        return Err(CommandError::decision(format_args!("there is no terminal to ask on: {question}"))
            .now("nothing was changed"));
    }
    ask_line(question)
}

/// Asks for a line of text on a terminal that is known to be there.
///
/// # Errors
/// When the terminal is gone.
pub fn ask_line(question: &str) -> Result<String, CommandError> {
    error::print_words(&visible(question));
    let mut answer = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), LONGEST_ANSWER);
    input.read_line(&mut answer).map_err(|error| {
        CommandError::new(Exit::Failed, format_args!("the answer cannot be read: {error}")).now("nothing was changed")
    })?;
    Ok(answer.trim().to_owned())
}

/// Asks for a secret access key on `/dev/tty`, without showing it.
///
/// # Errors
/// Where there is no terminal, or what was typed cannot be a secret access key.
pub fn ask_secret(question: &str) -> Result<SecretAccessKey, CommandError> {
    let typed = akia_io::terminal::without_echo(|| rpassword::prompt_password(visible(question)));
    let typed = typed.map_err(|error| {
        CommandError::decision(format_args!("there is no terminal to type the secret access key on: {error}"))
            .now("nothing was changed")
    })?;
    SecretAccessKey::parse(typed).map_err(CommandError::failed)
}

fn means_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Globals;
    use crate::context::{Environment, Terminal};

    #[test]
    fn without_a_terminal_only_yes_goes_ahead() {
        let context = Context::new(Environment::default(), Terminal::default(), Globals::default()).unwrap();
        assert_eq!(confirm(&context, true, "Rotate?"), Ok(()));
        let error = confirm(&context, false, "Rotate?").unwrap_err();
        assert_eq!(error.exit, Exit::Decision);
        insta::assert_snapshot!(error, @"
        error: this changes something, and there is no terminal to ask on
          now: nothing was changed
         next: run it again with --yes to go ahead, or with --dry-run to see the plan
        ");
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        assert!(["y", "Y", "yes", "YES"].into_iter().all(means_yes));
        assert!(!["", "n", "no", "yeah", "ye", "y y", "ja"].into_iter().any(means_yes));
    }
}
