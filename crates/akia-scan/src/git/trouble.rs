//! Why a part of a repository could not be looked at.

use std::io;

use akia_core::leak::Why;

/// What stood in the way of one object or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) why: Why,
    pub(crate) detail: String,
}

impl Trouble {
    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self { why: Why::Corrupt, detail: detail.into() }
    }

    pub(crate) fn missing(detail: impl Into<String>) -> Self {
        Self { why: Why::Missing, detail: detail.into() }
    }

    pub(crate) fn too_large(bytes: u64) -> Self {
        Self { why: Why::TooLarge, detail: format!("it unpacks to {bytes} bytes; --max-unpacked raises the limit") }
    }

    pub(crate) fn io(error: &io::Error) -> Self {
        let why = if error.kind() == io::ErrorKind::UnexpectedEof { Why::Corrupt } else { Why::Unreadable };
        Self { why, detail: error.to_string() }
    }
}
