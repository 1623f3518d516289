//! JSON Lines: a leaked key a line, then what was looked at.

use akia_core::leak::{Leak, SCHEMA, ScanReport};
use serde::Serialize;

use crate::forms::jsonl::push;

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    #[serde(flatten)]
    leak: &'a Leak,
}

pub(super) fn render(report: &ScanReport) -> String {
    let mut text = String::new();
    for leak in &report.leaks {
        push(&mut text, &Line { schema: SCHEMA, leak });
    }
    push(&mut text, &serde_json::json!({ "schema": SCHEMA, "sources": report.sources, "coverage": report.coverage }));
    text
}
