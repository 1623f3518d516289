//! Comments that take a key out: `akia:allow`, and gitleaks' `gitleaks:allow`, on the line where it stands.

use std::ops::Range;

/// The words.
const WORDS: [&[u8]; 2] = [b"akia:allow", b"gitleaks:allow"];
/// How far of its line is looked at to either side: minified files are one line.
const FURTHEST: usize = 1_000;

/// Whether the line on which `span` begins says so.
pub(super) fn allows(text: &[u8], span: &Range<usize>) -> bool {
    let start = span.start.min(text.len());
    let before = text.get(start.saturating_sub(FURTHEST)..start).unwrap_or_default();
    let before = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let after = text.get(start..text.len().min(start + FURTHEST)).unwrap_or_default();
    let after = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [before, after].iter().any(|part| WORDS.iter().any(|words| memchr::memmem::find(part, words).is_some()))
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn only_its_own_line_takes_a_key_out() {
        for (text, allowed) in [
            ("a\nkey KEY # gitleaks:allow\nb", true),
            ("a\n/* akia:allow */ key KEY\nb", true),
            ("a # gitleaks:allow\nkey KEY\nb", false),
            ("key KEY\n# gitleaks:allow", false),
            ("key KEY", false),
        ] {
            let at = text.find("KEY").unwrap();
            assert_eq!(allows(text.as_bytes(), &(at..at + 3)), allowed, "{text}");
        }
    }
}
