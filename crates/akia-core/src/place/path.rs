//! A path that means the same file whoever reads it, and wherever from.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// An absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct AbsolutePath(String);

/// A path that depends on where a program runs, or for whom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an absolute path: begin with /, so that it means the same file everywhere")]
pub struct PathError(String);

impl AbsolutePath {
    /// The path itself.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// What follows the last dot of the file's name, in small letters.
    #[must_use]
    pub fn extension(&self) -> Option<String> {
        Some(self.as_path().extension()?.to_str()?.to_ascii_lowercase())
    }
}

impl TryFrom<String> for AbsolutePath {
    type Error = PathError;

    fn try_from(path: String) -> Result<Self, PathError> {
        if Path::new(&path).is_absolute() { Ok(Self(path)) } else { Err(PathError(path)) }
    }
}

impl From<AbsolutePath> for String {
    fn from(path: AbsolutePath) -> Self {
        path.0
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
