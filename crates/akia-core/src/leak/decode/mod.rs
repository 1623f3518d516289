//! Decoders, a file each. A decoder turns a part of a text into a [`View`]: what stands there once decoded, and where in the
//! text each decoded byte came from. Two sorts: *segments* (base64, hexadecimal digits, UTF-16, gzip) are encoded whole and are
//! entered at a hit of the needles; *escapes* (percent, backslash, entities, colours) stand within plain text and are undone all at once.
//!
//! Nothing here fails: what is not of a decoder's form ends the segment, or is left as it stands.

pub(super) mod ansi;
pub(super) mod base64;
pub(super) mod escape;
pub(super) mod gzip;
pub(super) mod hex;
pub(super) mod inline;
pub(super) mod percent;
pub(super) mod quoted_printable;
pub(super) mod utf16;
pub(super) mod xml;

use std::ops::Range;

use super::Encoding;

/// What the decoder of an encoding makes of a text from `at` on, and around it: what the detector does once it has a hit there.
/// None where the text is not encoded so. It is public to be fuzzed.
#[must_use]
pub fn undone(text: &[u8], at: usize, encoding: Encoding) -> Option<Vec<u8>> {
    const REACH: usize = 4096;
    let view = match encoding {
        Encoding::Base64 => base64::segment(text, at, at % 4, REACH, REACH),
        Encoding::Percent | Encoding::Escaped | Encoding::Xml => inline::view(text),
        Encoding::Utf16 => utf16::segment(text, at, REACH, REACH),
        Encoding::Hex => hex::segment(text, at, REACH, REACH),
        Encoding::QuotedPrintable => quoted_printable::segment(text, at, REACH).1,
        Encoding::Gzip => gzip::member(text.get(at..)?, REACH).map(|(view, _)| view),
    }?;
    view.check(text.len());
    Some(view.bytes)
}

/// A part of a text, decoded.
pub(super) struct View {
    /// What stands there.
    pub(super) bytes: Vec<u8>,
    /// Where it came from.
    pub(super) origin: Origin,
    /// Each place where something was undone, and what: its index in `bytes`. Ascending. Empty for segments, which are one
    /// encoding as a whole.
    pub(super) undone: Vec<(usize, Encoding)>,
}

/// Where decoded bytes came from.
pub(super) enum Origin {
    /// Each byte from its own place: start and end in the text.
    Each(Vec<(usize, usize)>),
    /// All of them from all of this.
    Whole(Range<usize>),
}

impl View {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), origin: Origin::Each(Vec::with_capacity(bytes)), undone: Vec::new() }
    }

    /// Adds a byte that came from `from..until`.
    pub(super) fn push(&mut self, byte: u8, from: usize, until: usize) {
        if let Origin::Each(places) = &mut self.origin {
            self.bytes.push(byte);
            places.push((from, until));
        }
    }

    /// Adds bytes that stand for themselves.
    pub(super) fn push_plain(&mut self, bytes: &[u8], from: usize) {
        if let Origin::Each(places) = &mut self.origin {
            self.bytes.extend_from_slice(bytes);
            places.extend((from..from + bytes.len()).map(|at| (at, at + 1)));
        }
    }

    /// Every byte has a place in the text, and places ascend.
    fn check(&self, length: usize) {
        if let Origin::Each(places) = &self.origin {
            debug_assert_eq!(places.len(), self.bytes.len());
            debug_assert!(places.iter().all(|(from, until)| from < until && *until <= length));
            debug_assert!(places.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        }
        debug_assert!(self.undone.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        debug_assert!(self.undone.iter().all(|(at, _)| *at <= self.bytes.len()));
    }

    /// Where in the text a part of the decoded bytes stands.
    pub(super) fn span(&self, part: &Range<usize>) -> Range<usize> {
        match &self.origin {
            Origin::Whole(all) => all.clone(),
            Origin::Each(places) => {
                let from = places.get(part.start).map_or(0, |place| place.0);
                let until = part.end.checked_sub(1).and_then(|last| places.get(last)).map_or(from, |place| place.1);
                from..until.max(from)
            }
        }
    }

    /// What was undone in a part of the decoded bytes or beside it, each once.
    pub(super) fn undone_at(&self, part: &Range<usize>) -> Vec<Encoding> {
        let mut kinds: Vec<Encoding> = Vec::new();
        let first = self.undone.partition_point(|(at, _)| at + 1 < part.start);
        for (_, kind) in self.undone.iter().skip(first).take_while(|(at, _)| *at <= part.end) {
            if !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
        kinds
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that two hexadecimal digits make.
pub(super) fn hex_pair(pair: &[u8]) -> Option<u8> {
    match pair {
        [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
        _ => None,
    }
}
