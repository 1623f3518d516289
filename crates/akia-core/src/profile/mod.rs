//! The AWS files: read as the AWS tools read them, edited byte for byte.
//!
//! - [`File`]: one file, parsed without loss, and the editor.
//! - [`Profiles`]: the merged view of both files.
//!
//! Two readers judge what a file means: the AWS SDK for Rust and the AWS CLI. Where they contradict each other about a
//! profile, akia says so and leaves that profile alone. `docs/profiles.md` lists every case.

mod disagreement;
mod edit;
mod file;
mod line;
mod merged;
mod readers;
mod standing;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use disagreement::{Difference, Disagreement, Problem, Reader, Seen, SeenBy};
pub use edit::EditError;
pub use file::{File, SecretOfError, Section, secret_of};
pub use merged::{Command, HeldKey, KeyHalf, Profile, ProfileKind, Profiles, RoleSource, Settings, SharedKey, Trouble};
pub use readers::{Fault, SeenAs};
pub use standing::standing_key;

/// Which of the two AWS files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// `~/.aws/credentials`, or `AWS_SHARED_CREDENTIALS_FILE`.
    Credentials,
    /// `~/.aws/config`, or `AWS_CONFIG_FILE`.
    Config,
}

impl FileKind {
    /// How it is called in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials file",
            Self::Config => "config file",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
