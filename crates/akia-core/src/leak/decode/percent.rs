//! `%2F`: percent-encoding (RFC 3986).

use super::hex_pair;

/// What is encoded at the start of a text, and its length there.
pub(in crate::leak) fn first(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'%', high, low, ..] => Some((hex_pair(&[*high, *low])?, 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_and_nothing_less() {
        assert_eq!(first(b"%2Fx"), Some((b'/', 3)));
        assert_eq!(first(b"%2b"), Some((b'+', 3)));
        assert!(first(b"%2").is_none() && first(b"%zz").is_none() && first(b"2F").is_none());
    }
}
