//! Quoted-printable (RFC 2045): `=2F`, and lines that end in `=`.
//!
//! An equals sign is the commonest letter beside a key, so that a text is taken for quoted-printable only as far around a place as
//! *each* of them is one of its codes.

use std::ops::Range;

use super::{View, hex_pair};
use crate::leak::Encoding;

/// The part around `at` that may be quoted-printable, within `within` bytes to each side, and that part decoded; none
/// where nothing in it is encoded.
pub(in crate::leak) fn segment(text: &[u8], at: usize, within: usize) -> (Range<usize>, Option<View>) {
    let mut first = at.saturating_sub(within);
    let mut last = text.len().min(at.saturating_add(within));
    // No word is cut: what is left of one may look like an id.
    let is_word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    if first > 0 && is_word(first - 1) {
        while first < at && is_word(first) {
            first += 1;
        }
    }
    while last > at && is_word(last) && is_word(last - 1) {
        last -= 1;
    }
    let mut start = first;
    for equals in memchr::memrchr_iter(b'=', text.get(first..at).unwrap_or_default()) {
        if code(text.get(first + equals..).unwrap_or_default()).is_none() {
            start = first + equals + 1;
            break;
        }
    }
    let mut view = View::with_capacity(0);
    let (mut done, mut next, mut telling) = (start, start, false);
    while let Some(equals) = text.get(next..last).and_then(|rest| memchr::memchr(b'=', rest)) {
        let equals = next + equals;
        let Some((byte, length)) = text.get(equals..).and_then(code) else { break };
        view.push_plain(text.get(done..equals).unwrap_or_default(), done);
        view.undone.push((view.bytes.len(), Encoding::QuotedPrintable));
        // A soft break is nothing; the codes of an equals sign, a slash, a plus sign and blanks are what encoders write.
        telling |= byte.is_none_or(|byte| matches!(byte, b'=' | b'/' | b'+' | b' ' | b'\t' | b'\r' | b'\n'));
        if let Some(byte) = byte {
            view.push(byte, equals, equals + length);
        }
        done = equals + length;
        next = done;
    }
    let end = text.get(next..last).and_then(|rest| memchr::memchr(b'=', rest)).map_or(last, |equals| next + equals);
    view.push_plain(text.get(done..end.max(done)).unwrap_or_default(), done);
    (start..end.max(done), telling.then_some(view))
}

/// What an equals sign at the start of a text stands for (nothing: a soft break), and its length there.
fn code(text: &[u8]) -> Option<(Option<u8>, usize)> {
    match text {
        [b'=', b'\r', b'\n', ..] => Some((None, 3)),
        [b'=', b'\n', ..] => Some((None, 2)),
        [b'=', high, low, ..] => Some((Some(hex_pair(&[*high, *low])?), 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_breaks_and_codes_are_undone_around_a_place() {
        let text = b"boundary=\"x\"\n\nkey=3DAKI=\r\nAIOSFODNN7EXAMPLE";
        let view = segment(text, 20, 100).1.unwrap();
        assert!(view.bytes.ends_with(b"key=AKIAIOSFODNN7EXAMPLE"), "{}", String::from_utf8_lossy(&view.bytes));
        let start = view.bytes.len() - 20;
        assert_eq!(view.undone_at(&(start..start + 20)), [Encoding::QuotedPrintable]);
        assert_eq!(view.span(&(start..start + 20)), 20..text.len());
    }

    #[test]
    fn an_assignment_is_no_code() {
        assert!(segment(b"key=AKIAIOSFODNN7EXAMPLE\nsecret=zz", 4, 100).1.is_none());
        // Codes by chance alone do not make a text quoted-printable.
        assert!(segment(b"\nkey=ABIAIOSFODNN7EXAMPLE\nx", 1, 100).1.is_none());
    }
}
