//! Backslashes: of JSON, of programming languages, of shells, of properties files.

use super::{hex_digit, hex_pair};

/// Stands for a character that is not ASCII.
const SUBSTITUTE: u8 = 0x1a;

/// What is escaped at the start of a text, and its length there. A backslash before a letter that is no escape stands for itself:
/// it is a path of Windows.
pub(in crate::leak) fn first(text: &[u8]) -> Option<(u8, usize)> {
    let [b'\\', escaped, rest @ ..] = text else { return None };
    match escaped {
        b'n' => Some((b'\n', 2)),
        b't' => Some((b'\t', 2)),
        b'r' => Some((b'\r', 2)),
        b'b' | b'f' => Some((b' ', 2)),
        b'\r' if rest.first() == Some(&b'\n') => Some((b'\n', 3)),
        b'\n' => Some((b'\n', 2)),
        b'x' => Some((hex_pair(rest.get(..2)?)?, 4)),
        b'u' if rest.first() == Some(&b'{') => {
            let end = rest.iter().take(8).position(|byte| *byte == b'}')?;
            Some((code(rest.get(1..end)?)?, end + 3))
        }
        b'u' => Some((code(rest.get(..4)?)?, 6)),
        b'U' => Some((code(rest.get(..8)?)?, 10)),
        b'0'..=b'3' => {
            let digit = |byte: &u8| matches!(byte, b'0'..=b'7').then(|| byte - b'0');
            let (middle, last) = (digit(rest.first()?)?, digit(rest.get(1)?)?);
            Some(((escaped - b'0') << 6 | middle << 3 | last, 4))
        }
        other if other.is_ascii_punctuation() || *other == b' ' => Some((*other, 2)),
        _ => None,
    }
}

/// The character with this number in hexadecimal digits.
fn code(digits: &[u8]) -> Option<u8> {
    let mut number = 0_u32;
    for digit in digits {
        number = number << 4 | u32::from(hex_digit(*digit)?);
    }
    Some(u8::try_from(number).ok().filter(u8::is_ascii).unwrap_or(SUBSTITUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_many_languages() {
        for (text, byte, length) in [
            (r"\/", b'/', 2),
            (r"\u002b", b'+', 6),
            (r"\u{2b}", b'+', 6),
            (r"\x2F", b'/', 4),
            (r"\U0000002F", b'/', 10),
            (r"\057", b'/', 4),
            (r"\n", b'\n', 2),
            (r"\\", b'\\', 2),
            ("\\\"", b'"', 2),
            (r"\=", b'=', 2),
            (r"\u00e9", SUBSTITUTE, 6),
        ] {
            assert_eq!(first(text.as_bytes()), Some((byte, length)), "{text}");
        }
        for text in [r"\Users", r"\", r"\x2", r"\u12", r"\u{2b", r"\q", "/"] {
            assert_eq!(first(text.as_bytes()), None, "{text}");
        }
    }
}
