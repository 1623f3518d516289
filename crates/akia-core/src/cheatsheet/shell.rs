//! Quoting for POSIX shells.

use std::borrow::Cow;

/// One word for `sh`, `bash` and `zsh`: as it is where nothing in it is special, else in single quotes.
///
/// The list of plain characters is short on purpose. A leading `=` is quoted for `zsh`, which replaces `=name` by a path.
/// A word with control characters, or with ones that hide or reorder text, is spelled in bytes as `$'…'` (POSIX 2024; `bash` and `zsh`
/// know it, an old `sh` may not): a profile file from elsewhere must not change what the reader sees.
#[must_use]
pub fn quote(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('=') {
        return Cow::Borrowed(word);
    }
    if !word.chars().any(deceives) {
        return Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        if deceives(c) || c == '\'' || c == '\\' {
            let mut bytes = [0; 4];
            quoted.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:03o}")));
        } else {
            quoted.push(c);
        }
    }
    quoted.push('\'');
    Cow::Owned(quoted)
}

/// Characters that a terminal obeys or does not show: controls, soft hyphen, directions, zero widths, separators, tags.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
            ("a\u{202e}b'c\\", r"$'a\342\200\256b\047c\134'"),
            ("\u{1b}[2J", r"$'\033[2J'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
