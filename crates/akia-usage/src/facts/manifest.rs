//! Which files count.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The form of a manifest.
pub(super) const SCHEMA: &str = "akia.usage-facts/1";

/// One state of the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub schema: String,
    /// Files of facts.
    pub facts: Vec<Part>,
    /// Files with a row for each log that was read.
    pub logs: Vec<Part>,
}

/// A Parquet file that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, beneath the home.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub written: Timestamp,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), facts: Vec::new(), logs: Vec::new() }
    }
}
