//! Text from outside made harmless: user names, tags and answers of AWS may hold terminal escapes, line breaks and direction
//! overrides.

use std::borrow::Cow;

/// The text with everything invisible or active spelled out (`\n`, `\u{1b}`), for tables, errors and logs.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_active(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Controls (C0, DEL, C1), line separators, direction controls, zero-width and other invisible characters.
#[must_use]
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00ad}'
                | '\u{061c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether a text has the length and the characters of a bucket's name.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
#[must_use]
pub fn may_be_bucket(text: &str) -> bool {
    (3..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// A CSV field that no spreadsheet takes for a formula: one that starts like a formula gets a `'` in front.
///
/// Source: OWASP, CSV Injection. Numbers are written by us and do not pass through here.
#[must_use]
pub fn csv_field(text: &str) -> String {
    let shown = visible(text);
    // A spreadsheet drops leading spaces before it looks, and takes the full-width forms for the plain ones.
    let formula = shown.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%']);
    let formula = formula || text.starts_with(['\t', '\r', '\n']);
    if formula { format!("'{shown}") } else { shown.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_in_any_script_stays() {
        for text in ["alice", "Büro \"quoted\"", "日本語", "-dash", ""] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn active_characters_are_spelled_out() {
        assert_eq!(visible("a\u{1b}[31mb\r\n\t\u{9b}\u{7f}"), "a\\u{1b}[31mb\\r\\n\\t\\u{9b}\\u{7f}");
        assert_eq!(visible("user\u{202e}gnp.exe\u{200b}"), "user\\u{202e}gnp.exe\\u{200b}");
    }

    #[test]
    fn formulas_are_neutralised_in_csv() {
        for text in ["=1+1", "+A1", "-2+3", "@SUM(A1)", "  =1", "＝1"] {
            assert_eq!(csv_field(text), format!("'{text}"));
        }
        assert_eq!(csv_field("\t=1"), "'\\t=1");
        assert_eq!(csv_field("alice=bob"), "alice=bob");
    }
}
