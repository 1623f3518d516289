//! Lines and white space, as each reader counts them.
//!
//! Invariant: the lines of a text, with their terminators, are the text: nothing is lost between them, a byte order
//! mark in front aside.

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// `\n` and `\r\n`: `str::lines`, which the SDK for Rust uses. A lone `\r` is part of the line.
    LineFeed,
    /// `\n`, `\r\n` and `\r`: Python's universal newlines, which the AWS CLI uses.
    Universal,
}

/// One line of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The line without its terminator.
    pub(super) text: &'a str,
    /// Byte offset of its first character.
    pub(super) start: usize,
    /// Byte offset behind its terminator.
    pub(super) end: usize,
    /// 1 + the number of `\n` before it: the number that an editor shows.
    pub(super) number: usize,
}

/// In front of a text it breaks both readers; ours pass over it, so that what follows can be shown.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Splits a text into lines.
pub(super) fn lines(text: &str, breaks: Breaks) -> impl Iterator<Item = Line<'_>> {
    let mut start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let mut number = 1;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let line_feed = |at: usize| (at, at + 1);
        let (length, with_terminator) = match breaks {
            Breaks::LineFeed => match rest.find('\n').map(line_feed) {
                Some((length, end)) if rest[..length].ends_with('\r') => (length - 1, end),
                Some(found) => found,
                None => (rest.len(), rest.len()),
            },
            Breaks::Universal => match rest.find(['\n', '\r']).map(line_feed) {
                Some((length, end)) if rest[length..].starts_with("\r\n") => (length, end + 1),
                Some(found) => found,
                None => (rest.len(), rest.len()),
            },
        };
        let line = Line { text: &rest[..length], start, end: start + with_terminator, number };
        start = line.end;
        number += usize::from(rest[..with_terminator].ends_with('\n'));
        Some(line)
    })
}

/// White space to Python's `str.strip` and `\s`: Unicode's, and the four information separators.
pub(super) fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// White space to the SDK for Rust: blank and tab, nothing else.
pub(super) const SDK_SPACE: [char; 2] = [' ', '\t'];

/// What opens a comment, to both readers.
pub(super) const COMMENT: [char; 2] = ['#', ';'];

/// `shlex.split` of Python in POSIX mode, which the AWS CLI applies to section names of the config file.
/// `None` where Python raises: an open quote, or a backslash at the end.
pub(super) fn shell_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut started = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => {
                if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            '\\' => {
                word.push(characters.next()?);
                started = true;
            }
            quote @ ('\'' | '"') => {
                started = true;
                loop {
                    match characters.next()? {
                        end if end == quote => break,
                        '\\' if quote == '"' => match characters.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => {
                                word.push('\\');
                                word.push(other);
                            }
                        },
                        inside => word.push(inside),
                    }
                }
            }
            other => {
                word.push(other);
                started = true;
            }
        }
    }
    if started {
        words.push(word);
    }
    Some(words)
}

/// A word that [`shell_words`] gives back as it was: quoted as the AWS CLI quotes a profile name, only where it must be.
pub(super) fn shell_quoted(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains([' ', '\t', '\r', '\n', '\'', '"', '\\']);
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\"'\"'")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, breaks: Breaks) -> Vec<(&str, usize)> {
        lines(text, breaks).map(|line| (line.text, line.number)).collect()
    }

    #[test]
    fn lines_end_where_each_reader_ends_them() {
        let text = "a\r\nb\rc\n\nd\r";
        assert_eq!(split(text, Breaks::LineFeed), [("a", 1), ("b\rc", 2), ("", 3), ("d\r", 4)]);
        assert_eq!(split(text, Breaks::Universal), [("a", 1), ("b", 2), ("c", 2), ("", 3), ("d", 4)]);
        for text in ["", "\n", "\r\n\r\n", "x\r\r\n", "no end"] {
            let ours: Vec<_> = lines(text, Breaks::LineFeed).map(|line| line.text).collect();
            assert_eq!(ours, text.lines().collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn shell_words_are_those_of_python() {
        let words = |text| shell_words(text);
        let owned = |list: &[&str]| Some(list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(words("profile foo"), owned(&["profile", "foo"]));
        assert_eq!(words("profile \"a b\"'c'"), owned(&["profile", "a bc"]));
        assert_eq!(words(r#"profile "a\"b\c""#), owned(&["profile", r#"a"b\c"#]));
        assert_eq!(words(r"profile a\ b"), owned(&["profile", "a b"]));
        assert_eq!(words(r"profile 'a\\b'"), owned(&["profile", r"a\\b"]), "single quotes know no escape");
        assert_eq!(words("profile ''"), owned(&["profile", ""]));
        assert_eq!(words("profile 'a"), None);
        assert_eq!(words("profile a\\"), None);
    }

    #[test]
    fn quoted_words_come_back() {
        for word in ["plain", "ü-ñ", "a b", "it's", "say \"hi\"", "back\\slash", "", "'"] {
            assert_eq!(shell_words(&shell_quoted(word)), Some(vec![word.to_owned()]), "{word}");
        }
        assert_eq!(shell_quoted("a b"), "'a b'");
    }
}
