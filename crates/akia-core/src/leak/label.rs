//! What a text calls a value: the words left of it.

/// What a value is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// Nothing, or nothing that matters.
    None,
    /// A secret of some sort.
    Secret,
    /// A secret access key.
    SecretAccessKey,
}

/// A label, and what is left of it without the words that every such label has: `prod` of `PROD_AWS_SECRET_ACCESS_KEY`.
pub(super) struct Labelled {
    pub(super) label: Label,
    pub(super) stem: String,
}

/// How far left of a value its label may begin.
const REACH: usize = 112;
/// How much may stand between a label and its value: `</key>\n    <string>`, or the next line of a list of variables.
const BETWEEN: usize = 48;

/// The label of the value that begins at `start`; `floor` is where the value before it ends.
pub(super) fn of(text: &[u8], start: usize, floor: usize) -> Labelled {
    let from = start.saturating_sub(REACH).max(floor.min(start));
    let before = text.get(from..start).unwrap_or_default();
    let lower = before.to_ascii_lowercase();
    let Some(at) = memchr::memmem::rfind(&lower, b"secret") else {
        return Labelled { label: Label::None, stem: stem(before) };
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    let name_start = at - lower.get(..at).unwrap_or_default().iter().rev().take_while(|byte| is_name(byte)).count();
    let name_end = at + lower.get(at..).unwrap_or_default().iter().take_while(|byte| is_name(byte)).count();
    if lower.len() - name_end > BETWEEN {
        return Labelled { label: Label::None, stem: String::new() };
    }
    let joined: Vec<u8> = lower
        .get(name_start..name_end)
        .unwrap_or_default()
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .copied()
        .collect();
    let has = |word: &str| memchr::memmem::find(&joined, word.as_bytes()).is_some();
    let whole = has("secretaccesskey") || has("awssecret") || has("accesskeysecret") || has("accesssecret");
    Labelled {
        label: if whole { Label::SecretAccessKey } else { Label::Secret },
        stem: words(before.get(name_start..name_end).unwrap_or_default()),
    }
}

/// The stem of the name that stands left of an id, on its line.
pub(super) fn stem_before(text: &[u8], start: usize) -> String {
    stem(text.get(start.saturating_sub(REACH)..start).unwrap_or_default())
}

fn stem(before: &[u8]) -> String {
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // The last name that a sign of assignment follows.
    let Some(sign) = line.iter().rposition(|byte| matches!(byte, b'=' | b':' | b'>')) else { return String::new() };
    let left = line.get(..sign).unwrap_or_default();
    let Some(end) = left.iter().rposition(is_name) else { return String::new() };
    let left = left.get(..=end).unwrap_or_default();
    let length = left.iter().rev().take_while(|byte| is_name(byte)).count();
    words(left.get(left.len() - length..).unwrap_or_default())
}

/// Words that labels of ids and secrets have, whatever they belong to.
const COMMON: [&str; 24] = [
    "aws",
    "amazon",
    "access",
    "secret",
    "key",
    "keys",
    "id",
    "keyid",
    "accesskey",
    "accesskeyid",
    "secretkey",
    "secretaccesskey",
    "awssecret",
    "awsaccess",
    "sk",
    "ak",
    "value",
    "string",
    "name",
    "export",
    "set",
    "env",
    "my",
    "the",
];

/// The words of a name in small letters, without the common ones.
fn words(name: &[u8]) -> String {
    let mut stem = String::new();
    let mut word = String::new();
    let mut before = 0_u8;
    for byte in name.iter().copied().chain([b' ']) {
        let hump = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        let digits = byte.is_ascii_digit() != before.is_ascii_digit() && before.is_ascii_alphanumeric();
        if !byte.is_ascii_alphanumeric() || hump || digits {
            if !word.is_empty() && !COMMON.contains(&word.as_str()) {
                stem.push_str(&word);
                stem.push(' ');
            }
            word.clear();
        }
        if byte.is_ascii_alphanumeric() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = byte;
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_many_files() {
        for (text, label, stem) in [
            ("aws_secret_access_key = ", Label::SecretAccessKey, ""),
            ("export PROD_AWS_SECRET_ACCESS_KEY='", Label::SecretAccessKey, "prod "),
            ("\"secretAccessKey\": \"", Label::SecretAccessKey, ""),
            ("AWSSecretKey=", Label::SecretAccessKey, ""),
            ("  secret_key: ", Label::Secret, ""),
            ("<key>AWSSecretAccessKey</key>\n  <string>", Label::SecretAccessKey, ""),
            ("- name: AWS_SECRET_ACCESS_KEY\n  value: \"", Label::SecretAccessKey, ""),
            ("checksum: ", Label::None, "checksum "),
            ("", Label::None, ""),
        ] {
            let labelled = of(text.as_bytes(), text.len(), 0);
            assert_eq!(labelled.label, label, "{text}");
            assert_eq!(labelled.stem, stem, "{text}");
        }
        assert_eq!(stem_before(b"x\nprodAccessKeyId: '", 20), "prod ");
        assert_eq!(stem_before(b"key1 = \"", 8), "1 ");
    }

    #[test]
    fn the_label_of_an_earlier_value_is_not_taken() {
        let text = b"secret = AAAA, next = ";
        assert_eq!(of(text, text.len(), 13).label, Label::None);
    }
}
