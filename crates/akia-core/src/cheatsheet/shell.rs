//! Quoting for POSIX shells.

use std::borrow::Cow;

/// One word for `sh`, `bash` and `zsh`: as it is where nothing in it is special, else in single quotes.
///
/// The list of plain characters is short on purpose. A leading `=` is quoted for `zsh`, which replaces `=name` by a path.
#[must_use]
pub fn quote(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('=') {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A command line.
pub(super) fn line(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_when_they_must_be() {
        for (word, quoted) in [
            ("--profile=work", "--profile=work"),
            ("arn:aws:iam::123456789012:user/a", "arn:aws:iam::123456789012:user/a"),
            ("", "''"),
            ("my profile", "'my profile'"),
            ("it's", r"'it'\''s'"),
            ("$HOME `id` \"x\" \\", "'$HOME `id` \"x\" \\'"),
            ("=ls", "'=ls'"),
            ("~", "'~'"),
            ("a*b?[c]", "'a*b?[c]'"),
            ("prüf", "'prüf'"),
            ("a!b", "'a!b'"),
            ("{a,b}", "'{a,b}'"),
            ("#x", "'#x'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
