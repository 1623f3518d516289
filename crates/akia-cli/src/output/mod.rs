//! Data for stdout: one row model ([`Report`]), three ways to print it.

pub mod age;
mod csv;
pub mod escape;
mod json;
mod report;
mod table;

use std::io::Write;

pub use report::{Cell, Column, Report, Row, Tone};

/// The form in which data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs; carries `"schema": "akia.<command>/1"`.
    Json,
    /// For spreadsheets, with a header line.
    Csv,
}

/// What a table may use of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Canvas {
    /// Columns of the terminal; `None` where there is no terminal, and then lines are as long as they need to be.
    pub width: Option<u16>,
    /// Whether colours may be used.
    pub colors: bool,
}

/// Words with their first letter in upper case, as a sentence begins.
#[must_use]
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The report as text in this form, with a final line break.
#[must_use]
pub fn render(report: &Report, format: Format, canvas: Canvas) -> String {
    match format {
        Format::Table => table::render(report, canvas),
        Format::Json => json::render(report),
        Format::Csv => csv::render(report),
    }
}

/// The report as JSON, whatever stdout shows.
#[must_use]
pub fn render_json(report: &Report) -> String {
    json::render(report)
}

/// The same as text of a report that is too long to be held whole: `head` is the report without rows. In parts, which
/// follow one another. A table cannot be told in parts, for its columns are as wide as the widest cell.
pub fn parts<'a>(
    head: &'a Report,
    format: LongFormat,
    rows: impl Iterator<Item = Row> + 'a,
) -> impl Iterator<Item = String> + 'a {
    const ROWS: usize = 1_000;
    let mut rows = rows.peekable();
    let mut is_first = true;
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let these: Vec<Row> = rows.by_ref().take(ROWS).collect();
        is_over = rows.peek().is_none();
        let first = std::mem::replace(&mut is_first, false);
        Some(match format {
            LongFormat::Json => json::part(head, these, first, is_over),
            LongFormat::Csv => csv::part(head, these, first),
        })
    })
}

/// A form that can be told in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongFormat {
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Writes text to stdout.
///
/// # Errors
/// When stdout is closed or full.
pub fn print_text(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes JSON to stdout while it is made, and a line break: a plan of an organisation has a hundred megabytes.
///
/// # Errors
/// When stdout is closed or full.
pub fn print_json(value: &impl serde::Serialize) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    serde_json::to_writer_pretty(escape::JsonWriter(&mut out), value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A report with everything that can go wrong in one.
#[cfg(test)]
fn report_for_tests() -> Report {
    let at = "2025-10-19T11:59:59.5Z".parse().unwrap();
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let columns = vec![
        Column::new("profile", "PROFILE"),
        Column::whole("access_key", "ACCESS KEY"),
        Column::whole("created_at", "AGE"),
        Column::new("due", "DUE"),
        Column::new("keys", "KEYS"),
    ];
    let mut report = Report::new("status", "profiles", columns);
    report.fact("offline", false);
    report.push(vec![
        Cell::text("default"),
        Cell::text("AKIAIOSFODNN7EXAMPLE"),
        Cell::age(at, now),
        Cell::text("rotate: 310 days over the limit of 90 days").tone(Tone::Bad),
        Cell::number(2),
    ]);
    report.push(vec![
        Cell::text("=cmd|' /C calc'!A0\u{1b}[2J\u{202e}"),
        Cell::empty(),
        Cell::empty(),
        Cell::maybe(None::<String>),
        Cell::number(-1),
    ]);
    report
}
