//! The settings file on the command line, for the commands that read it.

use std::path::PathBuf;

use akia_io::settings::{self, Loaded};
use clap::Args;

use crate::context::Context;
use crate::error::CommandError;

/// Where the settings stand.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Read the settings from this file instead of the one in your configuration folder
    ///
    /// Beats AKIA_CONFIG. An akia.toml in the working directory is read only where it is named here; /dev/null reads none.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads the settings, and says so where an `akia.toml` lies here that does not count.
    ///
    /// # Errors
    /// Of usage, before anything is asked or changed.
    pub fn load(&self, context: &Context) -> Result<Loaded, CommandError> {
        let variable = |name: &str| context.environment.raw(name).map(std::ffi::OsStr::to_owned);
        let loaded = settings::load(self.config.as_deref(), variable)
            .map_err(|error| CommandError::usage(&error).next(error.hint()))?;
        let here = std::path::Path::new(settings::FILE_NAME);
        let is_named = self.config.is_some() || context.environment.text(settings::VARIABLE)?.is_some();
        if !is_named && here.is_file() {
            context.say(
                "not read: akia.toml in this folder, for whoever wrote it could weaken the audit; to use it: \
                         --config akia.toml",
            );
        }
        Ok(loaded)
    }
}
