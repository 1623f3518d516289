//! An audit in the formats that other tools read, and as one page that people open in a meeting.
//!
//! `docs/audit-formats.md` says which tool each is for. Every format is pure text from an [`Audit`]; its time is the
//! audit's. Invariants: what was not looked at is said in every format that has a place for it, and names, tags and
//! reasons, which anybody may have written, are harmless in all of them.

pub(crate) mod asff;
pub(crate) mod asked;
pub(crate) mod compare;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod inventory;
mod jsonl;
mod junit;
pub(crate) mod markdown;
mod ocsf;
pub(crate) mod past;
mod sarif;
pub(crate) mod security_hub;
pub(crate) mod settings;
pub(crate) mod words;
pub(crate) mod xml;

use std::path::Path;

use akia_core::audit::Audit;
use akia_io::files;

pub use html::TrendPoint;

use crate::error::CommandError;

/// A format of an audit, beside the table, JSON and CSV of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditFormat {
    /// One JSON object a line: each finding, then the summary.
    Jsonl,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI systems.
    Junit,
    /// For issues, pull requests and job summaries.
    Markdown,
    /// One file to open in a browser.
    Html,
    /// OCSF compliance findings (class 2003), for data lakes.
    Ocsf,
    /// AWS Security Finding Format, for Security Hub.
    Asff,
}

/// The audit as text in this format, with a final line break. The page shows the trend: audits of the same accounts, the oldest
/// first and this one last.
#[must_use]
pub fn render(audit: &Audit, trend: &[TrendPoint], format: AuditFormat) -> String {
    match format {
        AuditFormat::Jsonl => jsonl::render(audit),
        AuditFormat::Sarif => sarif::render(audit),
        AuditFormat::Junit => junit::render(audit),
        AuditFormat::Markdown => markdown::render(audit),
        AuditFormat::Html => html::render(audit, trend),
        AuditFormat::Ocsf => ocsf::render(audit),
        AuditFormat::Asff => asff::render(audit),
    }
}

/// The bytes of a file that the person has named.
///
/// # Errors
/// When there is none, it cannot be read, or it is longer than that.
pub(crate) fn contents(path: &Path, limit: u64) -> Result<Vec<u8>, CommandError> {
    let failed = |reason: String| CommandError::failed(format_args!("{} cannot be read: {reason}", path.display()));
    match files::read_limited(path, limit) {
        Ok(Some(bytes)) => Ok(bytes.to_vec()),
        Ok(None) => Err(failed("there is no such file".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod fixture;
