//! Deltas: an object as pieces copied from another and pieces inserted.

use std::ops::Range;

use super::super::trouble::Trouble;

/// A piece that was copied from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Where it stands in the base.
    pub(crate) from: usize,
    /// Where it stands in the object.
    pub(crate) to: usize,
    /// How long it is.
    pub(crate) length: usize,
}

/// What a delta did: which pieces of the object the base had already.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    /// The copied pieces in the order of the object; adjacent ones that were adjacent in the base are one.
    pub(crate) copied: Vec<Copied>,
    base: usize,
    length: usize,
}

impl Delta {
    /// Rebuilds an object from its base into `out`, and notes what was copied. `most` is the largest object that is rebuilt.
    pub(crate) fn apply(&mut self, base: &[u8], delta: &[u8], most: u64, out: &mut Vec<u8>) -> Result<(), Trouble> {
        let broken = || Trouble::corrupt("its delta is broken");
        self.copied.clear();
        out.clear();
        let mut at = 0;
        let base_size = size(delta, &mut at).ok_or_else(broken)?;
        if base_size != base.len() as u64 {
            return Err(Trouble::corrupt(format!(
                "its delta is for a base of {base_size} bytes, and that has {}",
                base.len()
            )));
        }
        let claimed = size(delta, &mut at).ok_or_else(broken)?;
        if claimed > most {
            return Err(Trouble::too_large(claimed));
        }
        let length = usize::try_from(claimed).map_err(|_| Trouble::too_large(claimed))?;
        // No more than a base and its delta is reserved on the delta's word; a longer object grows as it is copied.
        out.reserve(length.min(base.len() + delta.len()));
        while let Some(code) = delta.get(at).copied() {
            at += 1;
            if code & 128 != 0 {
                let mut number = |bits: Range<u8>| {
                    let mut value = 0;
                    for (place, bit) in bits.enumerate() {
                        if code & 1 << bit != 0 {
                            value |= usize::from(*delta.get(at)?) << (8 * place);
                            at += 1;
                        }
                    }
                    Some(value)
                };
                let from = number(0..4).ok_or_else(broken)?;
                let length =
                    number(4..7).map(|length| if length == 0 { 0x10000 } else { length }).ok_or_else(broken)?;
                let piece = base.get(from..from + length).ok_or_else(broken)?;
                self.copied(Copied { from, to: out.len(), length });
                out.extend_from_slice(piece);
            } else {
                let piece = delta.get(at..at + usize::from(code)).filter(|_| code != 0).ok_or_else(broken)?;
                at += piece.len();
                out.extend_from_slice(piece);
            }
            if out.len() > length {
                return Err(broken());
            }
        }
        if out.len() != length {
            return Err(broken());
        }
        (self.base, self.length) = (base.len(), length);
        Ok(())
    }

    /// The ranges of the object that the base does not have as they stand: what was inserted, and every joint, which is empty.
    pub(crate) fn changed(&self) -> impl Iterator<Item = Range<usize>> {
        let (mut at, mut base) = (0, 0);
        let end = Copied { from: self.base, to: self.length, length: 0 };
        self.copied.iter().copied().chain([end]).filter_map(move |piece| {
            let range = at..piece.to;
            let joins = range.is_empty() && piece.from == base;
            (at, base) = (piece.to + piece.length, piece.from + piece.length);
            (!joins).then_some(range)
        })
    }

    fn copied(&mut self, piece: Copied) {
        match self.copied.last_mut() {
            Some(last) if last.from + last.length == piece.from && last.to + last.length == piece.to => {
                last.length += piece.length;
            }
            _ => self.copied.push(piece),
        }
    }
}

/// A size, seven bits a byte, the lowest first.
fn size(delta: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = *delta.get(*at)?;
        *at += 1;
        if shift > 56 {
            return None;
        }
        value |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &[u8] = b"0123456789abcdef";

    fn apply(delta: &[u8]) -> Result<(Vec<u8>, Vec<Range<usize>>), Trouble> {
        let (mut applied, mut out) = (Delta::default(), Vec::new());
        applied.apply(BASE, delta, 1000, &mut out)?;
        Ok((out, applied.changed().collect()))
    }

    #[test]
    fn what_is_inserted_and_every_joint_has_changed() {
        // Copies 0..4, inserts XY, copies 8..12 and then 12..16, which is one piece.
        let (out, changed) = apply(&[16, 14, 0x90, 4, 2, b'X', b'Y', 0x91, 8, 4, 0x91, 12, 4]).unwrap();
        assert_eq!(out, b"0123XY89abcdef");
        assert_eq!(changed, vec![4..6]);
        // Copies 4..8 and 0..4: its beginning, its joint and its end are new.
        let (out, changed) = apply(&[16, 8, 0x91, 4, 4, 0x90, 4]).unwrap();
        assert_eq!(out, b"45670123");
        assert_eq!(changed, [0..0, 4..4, 8..8]);
        // Everything as it was.
        assert!(apply(&[16, 16, 0x90, 16]).unwrap().1.is_empty());
    }

    #[test]
    fn broken_deltas_are_told() {
        for delta in [
            &[][..],
            &[16],
            &[15, 4, 0x90, 4],
            &[16, 5, 0x90, 4],
            &[16, 3, 0x90, 4],
            &[16, 4, 0x91, 13, 4],
            &[16, 4, 0x90],
            &[16, 1, 0],
            &[16, 4, 4, b'x'],
            &[16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert_eq!(apply(delta).unwrap_err().why, akia_core::leak::Why::Corrupt, "{delta:?}");
        }
        // A claim of 4 GiB.
        assert_eq!(apply(&[16, 0x80, 0x80, 0x80, 0x80, 0x10]).unwrap_err().why, akia_core::leak::Why::TooLarge);
    }
}
