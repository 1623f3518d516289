//! What became of each file.

use datafusion::error::Result;
use serde::{Deserialize, Serialize};

use crate::engine::external;

/// What was found of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which file: a URL.
    pub file: String,
    /// Its size, as it lies there.
    pub bytes: u64,
    /// Its size, inflated.
    pub inflated: u64,
    /// Calls in it.
    pub calls: u64,
    /// Those that the question was about.
    pub kept: u64,
    /// Records that are no calls: insights, and what has neither time nor name.
    pub others: u64,
    /// The first of its calls, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// The last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// Why nothing of it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Bytes in it that were no UTF-8, and were replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_bad_text: bool,
}

impl Receipt {
    /// As it travels in the column `note`.
    pub(crate) fn to_note(&self) -> Result<String> {
        serde_json::to_string(self).map_err(external)
    }

    /// Out of that column.
    pub(crate) fn from_note(note: &str) -> Result<Self> {
        serde_json::from_str(note).map_err(external)
    }
}
