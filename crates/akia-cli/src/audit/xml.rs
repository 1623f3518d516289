//! Text in XML and HTML.

use std::fmt::Write as _;

use crate::output::escape::visible;

/// Text for an element or a quoted attribute. What a reader would not see is spelled out, and what XML does not allow
/// is replaced.
pub(crate) fn escape(text: &str) -> String {
    let shown = visible(text);
    let mut escaped = String::with_capacity(shown.len() + 16);
    for c in shown.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Noncharacters: XML 1.0, production 2, leaves them out.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Appends formatted text.
pub(crate) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_that_xml_acts_on_is_left() {
        assert_eq!(
            escape("<a b=\"'&'\">\u{1b}\u{202e}\u{ffff}\n"),
            "&lt;a b=&quot;&#39;&amp;&#39;&quot;&gt;\\u{1b}\\u{202e}\u{fffd}\\n"
        );
    }
}
