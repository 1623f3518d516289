//! UTF-16 of either order. In text that is mostly ASCII both orders look alike from a letter on: letters and zeros take turns.
//! What is not ASCII becomes a substitute that belongs to no key.

use super::View;

/// Stands for a character that is not ASCII.
const SUBSTITUTE: u8 = 0x1a;
/// So many characters in a row that are not ASCII end a segment.
const FOREIGN: usize = 64;

/// Decodes around `at`, where a letter stands with a zero on each side, up to `before` characters to the left and `behind` to the
/// right.
pub(in crate::leak) fn segment(text: &[u8], at: usize, before: usize, behind: usize) -> Option<View> {
    let letter = |at: usize| match (text.get(at), text.get(at + 1)) {
        (Some(byte), None | Some(0)) if byte.is_ascii() && *byte != 0 => Some(*byte),
        _ => None,
    };
    let mut start = at;
    let mut foreign = 0;
    for _ in 0..before {
        let Some(before) = start.checked_sub(2) else { break };
        foreign = if letter(before).is_some() { 0 } else { foreign + 1 };
        if foreign > FOREIGN {
            break;
        }
        start = before;
    }
    let mut view = View::with_capacity((at - start) / 2 + 1024);
    foreign = 0;
    let mut from = start;
    while from < text.len() && from < at + behind * 2 {
        let byte = letter(from);
        foreign = if byte.is_some() { 0 } else { foreign + 1 };
        if foreign > FOREIGN && from > at {
            break;
        }
        view.push(byte.unwrap_or(SUBSTITUTE), from, (from + 2).min(text.len()));
        from += 2;
    }
    Some(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_are_read() {
        let little: Vec<u8> = "\u{feff}key=AKIA".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}key=AKIA".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (text, at) in [(little, 10), (big, 11)] {
            assert_eq!(text[at], b'A');
            let view = segment(&text, at, 100, 100).unwrap();
            assert!(view.bytes.ends_with(b"key=AKIA"), "{:?}", view.bytes);
        }
    }
}
