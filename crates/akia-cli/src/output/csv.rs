//! The CSV form: RFC 4180 with a header line, `\n` line ends.

use super::{Report, Row};

pub(super) fn render(report: &Report) -> String {
    records(report, true)
}

/// A part of a long report: the header stands in the first one.
pub(super) fn part(head: &Report, rows: Vec<Row>, is_first: bool) -> String {
    records(&head.with_rows(rows), is_first)
}

fn records(report: &Report, with_header: bool) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let header = report.columns().iter().map(|column| column.key.to_owned()).collect();
    let rows = report.rows().iter().map(|row| row.cells.iter().map(super::Cell::field).collect());
    for record in std::iter::once::<Vec<String>>(header).filter(|_| with_header).chain(rows) {
        // Writing to memory cannot fail, and `Report::push` keeps the number of fields equal.
        let _ = writer.write_record(record);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::output::{Canvas, Format, render, report_for_tests};

    #[test]
    fn csv_is_safe_for_spreadsheets() {
        insta::assert_snapshot!(render(&report_for_tests(), Format::Csv, Canvas::default()), @r#"
        profile,access_key,created_at,due,keys
        default,AKIAIOSFODNN7EXAMPLE,2025-10-19T12:00:00Z,rotate: 310 days over the limit of 90 days,2
        '=cmd|' /C calc'!A0\u{1b}[2J\u{202e},,,,-1
        "#);
    }
}
