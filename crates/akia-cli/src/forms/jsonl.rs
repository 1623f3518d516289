//! JSON Lines.

use serde::Serialize;

use crate::output::escape::json_text;

/// Appends a line.
pub(crate) fn push(text: &mut String, line: &impl Serialize) {
    // This cannot fail: the keys are strings, and the writer is memory.
    text.push_str(&json_text(&serde_json::to_string(line).unwrap_or_default()));
    text.push('\n');
}
