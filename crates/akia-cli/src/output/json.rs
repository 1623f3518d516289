//! The JSON form.

use super::escape::json_text;
use super::{Report, Row};

pub(super) fn render(report: &Report) -> String {
    // This cannot fail: the keys are strings, and the writer is memory.
    let mut text = json_text(&serde_json::to_string_pretty(report).unwrap_or_default());
    text.push('\n');
    text
}

/// A part of a long report: the head stands in the first one, the end in the last.
pub(super) fn part(head: &Report, rows: Vec<Row>, is_first: bool, is_last: bool) -> String {
    const END: &str = "\n  ]\n}\n";
    let is_empty = rows.is_empty();
    let text = render(&head.with_rows(rows));
    if is_empty {
        return text;
    }
    let begin = if is_first { 0 } else { text.find(&head.opening()).map_or(0, |at| at + head.opening().len()) };
    let end = if is_last { text.len() } else { text.len() - END.len() };
    format!("{}{}", if is_first { "" } else { "," }, &text[begin..end])
}

#[cfg(test)]
mod tests {
    use crate::output::{Canvas, Format, LongFormat, Report, Row, parts, render, report_for_tests};

    #[test]
    fn parts_make_the_whole() {
        let small = report_for_tests();
        for count in [0, 1, 1_000, 1_001, 2_500] {
            let rows: Vec<Row> = small.rows().iter().cycle().take(count).cloned().collect();
            let whole: Report = small.with_rows(rows.clone());
            let head = small.with_rows(Vec::new());
            for (format, long) in [(Format::Json, LongFormat::Json), (Format::Csv, LongFormat::Csv)] {
                let text: String = parts(&head, long, rows.clone().into_iter()).collect();
                assert!(text == render(&whole, format, Canvas::default()), "{count} rows as {format:?}");
            }
        }
    }

    #[test]
    fn json_carries_its_schema_and_typed_values() {
        insta::assert_snapshot!(render(&report_for_tests(), Format::Json, Canvas::default()), @r#"
        {
          "schema": "akia.status/1",
          "offline": false,
          "profiles": [
            {
              "profile": "default",
              "access_key": "AKIAIOSFODNN7EXAMPLE",
              "created_at": "2025-10-19T12:00:00Z",
              "due": "rotate: 310 days over the limit of 90 days",
              "keys": 2
            },
            {
              "profile": "=cmd|' /C calc'!A0\u001b[2J\u202e",
              "access_key": null,
              "created_at": null,
              "due": null,
              "keys": -1
            }
          ]
        }
        "#);
    }
}
