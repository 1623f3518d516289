//! Base64 (RFC 4648), either alphabet, on one line or broken into lines. A segment is entered in its middle: a needle says which
//! of the four characters of a group it begins with, so nothing left of it has to be counted.

use super::{Origin, View};

/// Lines are joined only where the earlier is at least this long: shorter ones are words above a value.
const SHORTEST_FULL_LINE: usize = 40;
/// Indentation of a line within a block.
const DEEPEST_INDENT: usize = 64;

/// The value of a character of either alphabet.
pub(in crate::leak) fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Decodes around `at`, which holds the character number `skip` of its group of four, up to `before` characters to the left and
/// `behind` to the right. To the left only as far as it is text, where `text_only`: what stands left of a value on its line is often in the alphabet, too.
pub(in crate::leak) fn segment(text: &[u8], at: usize, skip: usize, before: usize, behind: usize) -> Option<View> {
    let mut left = Leftwards { text, at };
    let mut group = [0; 4];
    for slot in (0..skip).rev() {
        group[slot] = left.next()?;
    }
    let start = if skip == 0 { at } else { group[0] };
    let groups = groups_before(&mut left, before);
    let mut view = View::with_capacity(groups.len() * 3 + 4096);
    for group in groups.iter().rev() {
        emit(text, group, &mut view);
    }
    let mut right = Rightwards { text, at: start, run: run_before(text, start) };
    'groups: for _ in 0..behind / 4 {
        let mut places = [0; 4];
        for slot in 0..4 {
            let Some(place) = right.next() else {
                emit(text, places.get(..slot).unwrap_or_default(), &mut view);
                break 'groups;
            };
            places[slot] = place;
        }
        emit(text, &places, &mut view);
    }
    (!view.bytes.is_empty()).then_some(view)
}

/// Decodes from the head of a segment on, up to `reach` characters, without keeping where each byte came from: for long ones.
pub(in crate::leak) fn from_head(text: &[u8], at: usize, reach: usize) -> View {
    let mut right = Rightwards { text, at, run: 0 };
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for _ in 0..reach {
        let Some(six) = right.next().and_then(|place| text.get(place)).and_then(|byte| value(*byte)) else { break };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    View { bytes, origin: Origin::Whole(at..right.at), undone: Vec::new() }
}

/// What exactly this text encodes; padding may be missing.
pub(in crate::leak) fn exact(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    if text.len() - end > 2 || end % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(end / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.get(..end)? {
        bits = bits << 6 | u32::from(value(*byte)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// The groups left of a place, the nearest first, as far as they decode to text.
fn groups_before(left: &mut Leftwards<'_>, reach: usize) -> Vec<[usize; 4]> {
    let mut groups = Vec::new();
    while groups.len() < reach / 4 {
        let mut places = [0; 4];
        for slot in (0..4).rev() {
            let Some(place) = left.next() else { return groups };
            places[slot] = place;
        }
        if decoded(left.text, &places).iter().any(|byte| !is_text(*byte)) {
            return groups;
        }
        groups.push(places);
    }
    groups
}

/// Text in ASCII, or one half of it in UTF-16.
fn is_text(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

fn decoded(text: &[u8], places: &[usize; 4]) -> [u8; 3] {
    let bits = places
        .iter()
        .fold(0_u32, |bits, place| bits << 6 | u32::from(text.get(*place).and_then(|b| value(*b)).unwrap_or(0)));
    [(bits >> 16 & 0xff) as u8, (bits >> 8 & 0xff) as u8, (bits & 0xff) as u8]
}

/// Decodes a group, whole or the last one.
fn emit(text: &[u8], places: &[usize], view: &mut View) {
    if places.len() < 2 {
        return;
    }
    let mut whole = [places[0]; 4];
    for (slot, place) in whole.iter_mut().zip(places) {
        *slot = *place;
    }
    let bytes = decoded(text, &whole);
    for (index, byte) in bytes.iter().enumerate().take(places.len() - 1) {
        view.push(*byte, whole[index], whole[index + 1] + 1);
    }
}

/// Characters of a segment, right to left.
struct Leftwards<'t> {
    text: &'t [u8],
    at: usize,
}

impl Leftwards<'_> {
    fn next(&mut self) -> Option<usize> {
        let before = self.at.checked_sub(1)?;
        if value(*self.text.get(before)?).is_some() {
            self.at = before;
            return Some(before);
        }
        // A break, and a line of full length before it.
        let rest = self.text.get(..self.at)?;
        let indent = rest.iter().rev().take(DEEPEST_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = rest.get(..rest.len() - indent)?;
        let rest = rest.strip_suffix(b"\n")?;
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        if run_before(self.text, rest.len()) < SHORTEST_FULL_LINE {
            return None;
        }
        self.at = rest.len() - 1;
        Some(self.at)
    }
}

/// Characters of a segment, left to right.
struct Rightwards<'t> {
    text: &'t [u8],
    at: usize,
    /// How many characters of this line were seen.
    run: usize,
}

impl Rightwards<'_> {
    fn next(&mut self) -> Option<usize> {
        let byte = *self.text.get(self.at)?;
        if value(byte).is_some() {
            self.at += 1;
            self.run += 1;
            return Some(self.at - 1);
        }
        if self.run < SHORTEST_FULL_LINE {
            return None;
        }
        let rest = self.text.get(self.at..)?;
        let after = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
        let indent = after.iter().take(DEEPEST_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let next = self.text.len() - after.len() + indent;
        value(*self.text.get(next)?)?;
        self.at = next + 1;
        self.run = 1;
        Some(next)
    }
}

/// How many characters of the alphabet end here, counted up to the length of a full line.
fn run_before(text: &[u8], end: usize) -> usize {
    let before = text.get(..end).unwrap_or_default();
    before.iter().rev().take(SHORTEST_FULL_LINE).take_while(|byte| value(**byte).is_some()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_entered_in_any_group() {
        // "key AKIAIOSFODNN7EXAMPLE." with one to three bytes before the id in its group.
        for (text, skip, at) in [
            (&b"QUtJQUlPU0ZPRE5ON0VYQU1QTEU="[..], 0, 0),
            (b"OkFLSUFJT1NGT0ROTjdFWEFNUExF", 2, 2),
            (b"eDpBS0lBSU9TRk9ETk43RVhBTVBMRQ==", 3, 3),
        ] {
            let view = segment(text, at, skip, 1024, 1024).unwrap();
            let bytes = String::from_utf8(view.bytes.clone()).unwrap();
            let start = bytes.find("AKIA").unwrap();
            assert!(bytes.ends_with("AKIAIOSFODNN7EXAMPLE"), "{bytes}");
            let span = view.span(&(start..start + 20));
            assert!(span.start <= at && span.end <= text.len() && span.len() >= 27, "{span:?}");
        }
    }

    #[test]
    fn a_word_above_a_value_is_not_joined_and_a_full_line_is() {
        let value = "QUtJQUlPU0ZPRE5ON0VYQU1QTEU=";
        let word = format!("secrets\n{value}");
        assert_eq!(segment(word.as_bytes(), 8, 0, 1024, 1024).unwrap().bytes, b"AKIAIOSFODNN7EXAMPLE");
        let line = "eHh4".repeat(16);
        for between in ["\n", "\r\n", "\n    "] {
            let lines = format!("{line}{between}{value}");
            let view = segment(lines.as_bytes(), line.len() + between.len(), 0, 1024, 1024).unwrap();
            assert_eq!(view.bytes, ["x".repeat(48).as_bytes(), b"AKIAIOSFODNN7EXAMPLE"].concat());
        }
    }

    #[test]
    fn a_long_one_is_decoded_from_its_head() {
        let line = "eHh4".repeat(16);
        let view = from_head(format!("k: {line}\n{line}\neA==\n").as_bytes(), 3, 1 << 20);
        assert_eq!((view.bytes.len(), view.span(&(5..6))), (97, 3..135));
    }

    #[test]
    fn exact_takes_missing_padding_and_nothing_else() {
        assert_eq!(exact(b"eHh4eA==").unwrap(), b"xxxx");
        assert_eq!(exact(b"eHh4eA").unwrap(), b"xxxx");
        assert!(exact(b"eHh4e").is_none() && exact(b"eHh4*A==").is_none());
    }
}
