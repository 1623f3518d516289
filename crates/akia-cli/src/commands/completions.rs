//! `akia completions`: completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia completions bash > ~/.local/share/bash-completion/completions/akia", "for bash"),
    ("akia completions zsh > ~/.zfunc/_akia", "for zsh, with ~/.zfunc in fpath"),
    ("akia completions fish > ~/.config/fish/completions/akia.fish", "for fish"),
]))]
pub struct CompletionsArgs {
    /// Shell to complete for
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

pub(crate) fn run(context: &Context, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "akia", &mut script);
    context.print_text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
