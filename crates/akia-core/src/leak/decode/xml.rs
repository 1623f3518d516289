//! `&#47;`, `&quot;`: references of XML and HTML.

use super::hex_digit;

/// Stands for a character that is not ASCII.
const SUBSTITUTE: u8 = 0x1a;

/// The named ones that may stand in a secret or beside a key.
const NAMED: [(&[u8], u8); 14] = [
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"nbsp", b' '),
    (b"sol", b'/'),
    (b"plus", b'+'),
    (b"equals", b'='),
    (b"colon", b':'),
    (b"comma", b','),
    (b"period", b'.'),
    (b"NewLine", b'\n'),
    (b"Tab", b'\t'),
];

/// What is referred to at the start of a text, and its length there.
pub(in crate::leak) fn first(text: &[u8]) -> Option<(u8, usize)> {
    let [b'&', rest @ ..] = text else { return None };
    let end = rest.iter().take(10).position(|byte| *byte == b';')?;
    let name = rest.get(..end)?;
    let number = match name {
        [b'#', b'x' | b'X', digits @ ..] => Some(number(digits, 16)?),
        [b'#', digits @ ..] => Some(number(digits, 10)?),
        _ => None,
    };
    let byte = match number {
        Some(number) => u8::try_from(number).ok().filter(u8::is_ascii).unwrap_or(SUBSTITUTE),
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((byte, end + 2))
}

fn number(digits: &[u8], base: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = u32::from(hex_digit(*digit)?);
        if digit < base { number.checked_mul(base)?.checked_add(digit) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        assert_eq!(first(b"&#47;x"), Some((b'/', 5)));
        assert_eq!(first(b"&#x2b;"), Some((b'+', 6)));
        assert_eq!(first(b"&quot;AKIA"), Some((b'"', 6)));
        assert_eq!(first("&#233;".as_bytes()), Some((SUBSTITUTE, 6)));
        for text in ["&", "&;", "&#;", "&#xzz;", "&unknown;", "&amp", "&a b;", "&#4a;"] {
            assert_eq!(first(text.as_bytes()), None, "{text}");
        }
    }
}
