//! Makes text from outside harmless: user names, tags, profile names and answers of AWS may hold terminal escapes,
//! direction overrides and spreadsheet formulas.

use std::io::{self, Write};

use akia_core::text::is_active;
pub use akia_core::text::{csv_field, visible};

/// JSON text in which the characters that JSON allows but terminals act on are written as `\uXXXX`. The value stays
/// the same for every JSON parser.
#[must_use]
pub fn json_text(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // Line breaks stand between values here; inside strings the serialiser has escaped them.
        if c != '\n' && is_active(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// [`json_text`] for what a serialiser writes bit by bit; it never splits a character.
pub struct JsonWriter<W>(pub W);

impl<W: Write> Write for JsonWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_all(json_text(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_written_bit_by_bit_is_as_harmless() {
        let mut bytes = Vec::new();
        let value = serde_json::json!({ "\u{202e}a": "b\u{85}\u{1b}\n\"ü日" });
        serde_json::to_writer_pretty(JsonWriter(&mut bytes), &value).unwrap();
        assert_eq!(bytes, json_text(&serde_json::to_string_pretty(&value).unwrap()).as_bytes());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn json_keeps_its_value_and_loses_its_teeth() {
        let value = serde_json::json!({"name": "\u{202e}a\u{9b}2J\u{e0041}\u{1b}"});
        let text = json_text(&value.to_string());
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
