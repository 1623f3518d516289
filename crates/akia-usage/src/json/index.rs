//! Where a text's quotes and brackets stand: a bit for each byte, 64 bytes at a time.

use wide::u8x16;

/// Bytes that a word of bits is about.
pub(super) const BLOCK: usize = 64;

/// The quotes and the brackets of a JSON text. Memory is kept from one text to the next.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Quotes that begin or end a string; not those that are in one.
    pub(super) quotes: Vec<u64>,
    /// Braces and brackets outside of strings.
    pub(super) brackets: Vec<u64>,
}

impl Index {
    /// Forgets the last text, and reads this one.
    pub(super) fn read(&mut self, text: &str) {
        self.quotes.clear();
        self.brackets.clear();
        let (blocks, rest) = text.as_bytes().as_chunks::<BLOCK>();
        self.quotes.reserve(blocks.len() + 1);
        self.brackets.reserve(blocks.len() + 1);
        let mut state = State::default();
        for block in blocks {
            self.push(block, &mut state);
        }
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        self.push(&last, &mut state);
    }

    fn push(&mut self, block: &[u8; BLOCK], state: &mut State) {
        let is = |byte| move |bytes: u8x16| bytes.simd_eq(u8x16::splat(byte));
        let backslashes = bits(block, is(b'\\'));
        let mut quotes = bits(block, is(b'"'));
        if backslashes != 0 || state.is_escaped {
            quotes &= !state.escaped(backslashes);
        }
        // `[` and `{` differ in one bit, as do `]` and `}`; nothing else becomes one of them with it.
        let brackets = bits(block, |bytes| {
            let bytes = bytes | u8x16::splat(0x20);
            bytes.simd_eq(u8x16::splat(b'{')) | bytes.simd_eq(u8x16::splat(b'}'))
        });
        self.quotes.push(quotes);
        self.brackets.push(brackets & !state.within(quotes));
    }
}

/// What a block has to know of the one before it.
#[derive(Default)]
struct State {
    /// Whether its first byte is escaped.
    is_escaped: bool,
    /// All bits where it begins in a string.
    string: u64,
}

impl State {
    /// The bytes that a backslash stands before which is not escaped itself.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.is_escaped);
        let mut rest = backslashes & !escaped;
        self.is_escaped = false;
        while rest != 0 {
            let backslash = rest & rest.wrapping_neg();
            let after = backslash << 1;
            self.is_escaped = after == 0;
            escaped |= after;
            rest &= !(backslash | after);
        }
        escaped
    }

    /// The bytes that are in a string, the quote at its start included: those with an odd number of quotes up to them.
    fn within(&mut self, quotes: u64) -> u64 {
        let mut within = quotes;
        for distance in [1, 2, 4, 8, 16, 32] {
            within ^= within << distance;
        }
        within ^= self.string;
        self.string = if within >> 63 == 1 { u64::MAX } else { 0 };
        within
    }
}

/// A bit for each byte that this holds for.
fn bits(block: &[u8; BLOCK], holds: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let bits = |part: &[u8; 16]| u64::from(holds(u8x16::new(*part)).to_bitmask());
    parts.iter().rev().fold(0, |all, part| all << 16 | bits(part) & 0xffff)
}

/// The next of these bits from a place on.
pub(super) fn next(bits: &[u64], from: usize) -> Option<usize> {
    let mut at = from / BLOCK;
    let mut word = bits.get(at)? & u64::MAX << (from % BLOCK);
    while word == 0 {
        at += 1;
        word = *bits.get(at)?;
    }
    Some(at * BLOCK + word.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte after byte.
    fn slowly(text: &str) -> (Vec<usize>, Vec<usize>) {
        let (mut quotes, mut brackets) = (Vec::new(), Vec::new());
        let (mut is_string, mut is_escaped) = (false, false);
        for (at, byte) in text.bytes().enumerate() {
            let is_plain = !std::mem::take(&mut is_escaped);
            match byte {
                b'\\' => is_escaped = is_plain,
                b'"' if is_plain => {
                    quotes.push(at);
                    is_string = !is_string;
                }
                b'{' | b'}' | b'[' | b']' if !is_string => brackets.push(at),
                _ => {}
            }
        }
        (quotes, brackets)
    }

    fn places(bits: &[u64]) -> Vec<usize> {
        std::iter::successors(next(bits, 0), |&at| next(bits, at + 1)).collect()
    }

    proptest! {
        #[test]
        fn blocks_find_what_is_found_byte_after_byte(text in r#"([\[\]{}"\\;ü=]|"[a-z{\\]{0,70}"){0,60}"#) {
            let mut index = Index::default();
            index.read("\"left over");
            index.read(&text);
            prop_assert_eq!((places(&index.quotes), places(&index.brackets)), slowly(&text));
        }
    }
}
