//! `akia generate-docs`: the hidden command that writes the generated part of `docs/`.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::docs;
use crate::error::CommandError;
use crate::exit::Exit;

/// Write the generated pages of the documentation into a folder
#[derive(Debug, Args)]
pub struct GenerateDocsArgs {
    /// The folder `docs` of the project
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

pub(crate) fn run(context: &Context, args: &GenerateDocsArgs) -> Result<Exit, CommandError> {
    let pages = docs::pages();
    docs::write(&args.folder, &pages)?;
    context.say(&format!("wrote {} pages to {}", pages.len(), args.folder.display()));
    Ok(Exit::Done)
}
