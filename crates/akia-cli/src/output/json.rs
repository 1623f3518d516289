//! The JSON form.

use super::Report;
use super::escape::json_text;

pub(super) fn render(report: &Report) -> String {
    // This cannot fail: the keys are strings, and the writer is memory.
    let mut text = json_text(&serde_json::to_string_pretty(report).unwrap_or_default());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use crate::output::{Canvas, Format, render, report_for_tests};

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
