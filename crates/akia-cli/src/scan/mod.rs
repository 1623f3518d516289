//! A scan in the forms that people and other tools read, and what a scan looks at.
//!
//! `docs/scan.md` says which tool each form is for. Every form is pure text from a [`ScanReport`]; none holds a secret, what was not
//! looked at is said in every form that has a place for it, and names, which anybody may have written, are harmless in all of them.

pub(crate) mod account;
pub(crate) mod clone;
mod csv;
mod github;
mod gitlab;
mod gitleaks;
pub(crate) mod hook;
mod html;
mod jsonl;
mod junit;
mod listing;
mod resolve;
mod sarif;
pub(crate) mod sources;
mod verify;
pub(crate) mod words;

use akia_core::leak::ScanReport;
use jiff::Timestamp;

pub(crate) use github::annotations;
pub(crate) use listing::listing;
pub(crate) use resolve::resolve;
pub(crate) use verify::verify;

/// A form of a scan, beside the table and the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanFormat {
    /// `akia.scan/1`: for `akia contain --from-scan`, and as a baseline.
    Json,
    /// One JSON object a line: each leak, then the coverage.
    Jsonl,
    /// A line for each place, for spreadsheets.
    Csv,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI systems.
    Junit,
    /// GitLab's secret detection report.
    Gitlab,
    /// gitleaks' JSON report, for tools that read that.
    Gitleaks,
    /// One file to open in a browser.
    Html,
}

impl ScanFormat {
    /// How the names of files in each form end; the first that fits counts.
    pub(crate) const ENDINGS: [(&'static str, Self); 9] = [
        (".gitlab.json", Self::Gitlab),
        ("gl-secret-detection-report.json", Self::Gitlab),
        (".gitleaks.json", Self::Gitleaks),
        (".json", Self::Json),
        (".jsonl", Self::Jsonl),
        (".csv", Self::Csv),
        (".sarif", Self::Sarif),
        (".xml", Self::Junit),
        (".html", Self::Html),
    ];

    /// The form that a file's name asks for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
    }
}

/// The scan as text in this form, with a final line break. `at` is when it was made.
#[must_use]
pub fn render(report: &ScanReport, at: Timestamp, format: ScanFormat) -> String {
    match format {
        ScanFormat::Json => words::json(report),
        ScanFormat::Jsonl => jsonl::render(report),
        ScanFormat::Csv => csv::render(report),
        ScanFormat::Sarif => sarif::render(report, at),
        ScanFormat::Junit => junit::render(report, at),
        ScanFormat::Gitlab => gitlab::render(report, at),
        ScanFormat::Gitleaks => gitleaks::render(report),
        ScanFormat::Html => html::render(report, at),
    }
}

#[cfg(test)]
mod fixture;
