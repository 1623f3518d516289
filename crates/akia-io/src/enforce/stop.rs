//! The kill switch of this machine: a file in the state folder, which every run looks for before each act.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::StateFolder;

const FILE_NAME: &str = "enforce.stop";

/// The switch.
#[derive(Debug, Clone)]
pub struct StopFile(PathBuf);

/// That it was thrown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl StopFile {
    /// The switch of a state folder.
    #[must_use]
    pub fn of(folder: &StateFolder) -> Self {
        Self(folder.path().join(FILE_NAME))
    }

    /// Whether it was thrown. A file that cannot be read was: somebody wanted to stop.
    #[must_use]
    pub fn thrown(&self) -> Option<Stopped> {
        let unreadable = |why: String| Stopped {
            at: Timestamp::UNIX_EPOCH,
            by: "unknown".to_owned(),
            reason: format!("{} cannot be read: {why}", self.0.display()),
        };
        match std::fs::read(&self.0) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| unreadable(error.to_string()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(unreadable(error.to_string())),
        }
    }

    /// Throws it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn throw(&self, stopped: &Stopped) -> io::Result<()> {
        // Half a file stops as well as a whole one.
        std::fs::write(&self.0, serde_json::to_vec(stopped)?)
    }

    /// Takes it back. Says whether it was thrown.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn take_back(&self) -> io::Result<bool> {
        match std::fs::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
