//! Text in SARIF 2.1.0.

use crate::output::escape::visible;

/// The most results of a run that GitHub takes ("SARIF support for code scanning").
pub(crate) const MOST_RESULTS: usize = 25_000;

/// Text in which SARIF sees neither a link nor a placeholder (3.11.5 and 3.11.6).
pub(crate) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '\\' | '[' | ']' => escaped.extend(['\\', c]),
            '{' | '}' => escaped.extend([c, c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text as a part of a path in a URL; `/` is escaped, too, unless it is `kept`.
pub(crate) fn url_path(text: &str, kept: &[u8]) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~+=,@".contains(&byte) || kept.contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    #[test]
    fn evidence_is_neither_a_link_nor_a_placeholder() {
        assert_eq!(super::plain("[a](1) {0} \u{1b}"), "\\[a\\](1) {{0}} \\\\u{{1b}}");
    }
}
