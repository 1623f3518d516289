//! Undoes all escapes of a text at once, one level of them. What is escaped twice takes two turns.

use super::{View, ansi, escape, percent, xml};
use crate::leak::Encoding;

/// A text without its escapes; none where it has none.
pub(in crate::leak) fn view(text: &[u8]) -> Option<View> {
    let mut view: Option<View> = None;
    let mut done = 0;
    let begins = |byte: &u8| matches!(*byte, b'%' | b'\\' | b'&' | ansi::ESCAPE);
    for at in text.iter().enumerate().filter(|(_, byte)| begins(byte)).map(|(at, _)| at) {
        let Some(rest) = text.get(at..).filter(|_| at >= done) else { continue };
        let found = percent::first(rest)
            .map(|found| (found, Encoding::Percent))
            .or_else(|| escape::first(rest).map(|found| (found, Encoding::Escaped)))
            .or_else(|| xml::first(rest).map(|found| (found, Encoding::Xml)))
            .or_else(|| ansi::first(rest).map(|length| ((b' ', length), Encoding::Escaped)));
        let Some(((byte, length), kind)) = found else { continue };
        let view = view.get_or_insert_with(|| View::with_capacity(text.len()));
        view.push_plain(text.get(done..at).unwrap_or_default(), done);
        view.undone.push((view.bytes.len(), kind));
        view.push(byte, at, at + length);
        done = at + length;
    }
    if let Some(view) = &mut view {
        view.push_plain(text.get(done..).unwrap_or_default(), done);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_is_undone_and_its_places_are_known() {
        let text = br#"a%2Fb\/c&#47;d\\/e%5C%2F"#;
        let view = view(text).unwrap();
        assert_eq!(view.bytes, br"a/b/c/d\/e\/");
        assert_eq!(view.span(&(1..2)), 1..4);
        assert_eq!(view.undone_at(&(1..2)), [Encoding::Percent]);
        assert_eq!(view.undone_at(&(2..3)), [Encoding::Percent, Encoding::Escaped]);
        assert_eq!(view.undone_at(&(5..6)), [Encoding::Xml]);
        assert!(super::view(b"100% plain & C:\\Users").is_none());
    }
}
