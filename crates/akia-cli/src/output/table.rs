//! The table for people. It fits the terminal; where even that cannot be, each row becomes a paragraph.

use comfy_table::{Attribute, Cell as TableCell, Color, ColumnConstraint, ContentArrangement, Table, presets};

use super::escape::visible;
use super::{Canvas, Cell, Report, Tone};

/// Columns that may be broken are never narrower than this.
const NARROWEST: u16 = 8;
/// Between two columns.
const GAP: u16 = 2;

pub(super) fn render(report: &Report, canvas: Canvas) -> String {
    if report.rows().is_empty() {
        return String::new();
    }
    match canvas.width {
        Some(width) if least_width(report) > width => paragraphs(report),
        width => table(report, width, canvas.colors),
    }
}

fn table(report: &Report, width: Option<u16>, colors: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Whether there is a terminal was found out once, in the context; the table must not look again.
    table.force_no_tty();
    if colors {
        table.enforce_styling();
    }
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(report.columns().iter().map(|column| TableCell::new(column.title).add_attribute(Attribute::Bold)));
    for row in report.rows() {
        table.add_row(row.cells.iter().map(cell));
    }
    for (column, model) in table.column_iter_mut().zip(report.columns()) {
        column.set_padding((0, GAP));
        if model.whole {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cell(cell: &Cell) -> TableCell {
    let shown = TableCell::new(visible(&cell.words()));
    match cell.color() {
        Tone::Plain => shown,
        Tone::Good => shown.fg(Color::Green),
        Tone::Warning => shown.fg(Color::Yellow),
        Tone::Bad => shown.fg(Color::Red),
        Tone::Quiet => shown.add_attribute(Attribute::Dim),
    }
}

/// One line a field, a blank line between rows.
fn paragraphs(report: &Report) -> String {
    let title_width = report.columns().iter().map(|column| column.title.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (index, row) in report.rows().iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        for (column, cell) in report.columns().iter().zip(&row.cells) {
            let line = format!("{:title_width$}  {}", column.title, visible(&cell.words()));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// The least width that leaves the whole columns whole.
fn least_width(report: &Report) -> u16 {
    let mut width = 0u16;
    for (index, column) in report.columns().iter().enumerate() {
        let cells = report.rows().iter().filter_map(|row| row.cells.get(index));
        let longest = cells.map(|cell| visible(&cell.words()).chars().count()).max().unwrap_or(0);
        let longest = u16::try_from(longest.max(column.title.chars().count())).unwrap_or(u16::MAX);
        let least = if column.whole { longest } else { longest.min(NARROWEST) };
        width = width.saturating_add(least).saturating_add(GAP);
    }
    width
}

#[cfg(test)]
mod tests {
    use crate::output::{Canvas, Format, render, report_for_tests};

    fn shown(width: Option<u16>) -> String {
        render(&report_for_tests(), Format::Table, Canvas { width, colors: false })
    }

    #[test]
    fn a_table_without_a_terminal_breaks_no_line() {
        insta::assert_snapshot!(shown(None), @r#"
        PROFILE                              ACCESS KEY            AGE   DUE                                         KEYS
        default                              AKIAIOSFODNN7EXAMPLE  400d  rotate: 310 days over the limit of 90 days  2
        =cmd|' /C calc'!A0\u{1b}[2J\u{202e}  -                     -     -                                           -1
        "#);
    }

    #[test]
    fn a_table_fits_the_terminal_and_leaves_ids_whole() {
        let text = shown(Some(60));
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        insta::assert_snapshot!(text, @r#"
        PROFILE      ACCESS KEY            AGE   DUE          KEYS
        default      AKIAIOSFODNN7EXAMPLE  400d  rotate: 310  2
                                                 days over
                                                 the limit
                                                 of 90 days
        =cmd|' /C    -                     -     -            -1
        calc'!A0\u{
        1b}[2J\u{20
        2e}
        "#);
    }

    #[test]
    fn a_narrow_terminal_gets_paragraphs() {
        insta::assert_snapshot!(shown(Some(30)), @r#"
        PROFILE     default
        ACCESS KEY  AKIAIOSFODNN7EXAMPLE
        AGE         400d
        DUE         rotate: 310 days over the limit of 90 days
        KEYS        2

        PROFILE     =cmd|' /C calc'!A0\u{1b}[2J\u{202e}
        ACCESS KEY  -
        AGE         -
        DUE         -
        KEYS        -1
        "#);
    }

    #[test]
    fn colours_only_add_escapes() {
        let colored = render(&report_for_tests(), Format::Table, Canvas { width: None, colors: true });
        assert!(colored.contains("\u{1b}["), "{colored:?}");
        let plain = anstream::adapter::strip_str(&colored).to_string();
        let trimmed: String = plain.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        assert_eq!(trimmed, shown(None));
    }

    #[test]
    fn no_rows_print_nothing() {
        let empty = crate::output::Report::new("status", "profiles", Vec::new());
        assert_eq!(render(&empty, Format::Table, Canvas::default()), "");
    }
}
