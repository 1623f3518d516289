//! `akia man`: manual pages.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::docs;
use crate::error::CommandError;
use crate::exit::Exit;

/// Print akia's manual page, or write the pages of all commands
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia man | man -l -", "read it"),
    ("akia man ~/.local/share/man/man1", "install akia(1), akia-rotate(1) and the rest"),
]))]
pub struct ManArgs {
    /// Folder to write a page for each command into
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &ManArgs) -> Result<Exit, CommandError> {
    let pages = docs::manual().map_err(|error| CommandError::failed(format_args!("the manual: {error}")))?;
    match &args.folder {
        None => {
            let main = pages.into_iter().find(|page| page.name == "akia.1").map(|page| page.text).unwrap_or_default();
            context.print_text(&main)?;
        }
        Some(folder) => {
            docs::write(folder, &pages)?;
            context.say(&format!("wrote {} manual pages to {}", pages.len(), folder.display()));
        }
    }
    Ok(Exit::Done)
}
