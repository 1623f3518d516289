//! Trees: the names and objects of a folder.

use super::pack::{Copied, NONE};

/// An entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeEntry<'t> {
    pub(crate) sort: Sort,
    pub(crate) name: &'t [u8],
    /// The bytes of the object's name.
    pub(crate) object: &'t [u8],
    /// Where the next entry begins.
    pub(crate) end: usize,
}

/// What an entry is, by its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A folder.
    Tree,
    /// A file or a link.
    Blob,
    /// The commit of a submodule, which is in another repository.
    Submodule,
}

/// The entry that begins at a byte of a tree.
pub(crate) fn entry(tree: &[u8], at: usize, width: usize) -> Option<TreeEntry<'_>> {
    // The longest mode has six digits.
    let mode_end = at + tree.get(at..)?.iter().take(8).position(|byte| *byte == b' ')?;
    let sort = match tree.get(at..mode_end)? {
        b"40000" | b"040000" => Sort::Tree,
        b"160000" => Sort::Submodule,
        mode if !mode.is_empty() && mode.iter().all(u8::is_ascii_digit) => Sort::Blob,
        _ => return None,
    };
    let name_end = mode_end + 1 + tree.get(mode_end + 1..)?.iter().position(|byte| *byte == 0)?;
    let end = name_end + 1 + width;
    Some(TreeEntry { sort, name: tree.get(mode_end + 1..name_end)?, object: tree.get(name_end + 1..end)?, end })
}

/// All entries; none behind one that is broken.
pub(crate) fn entries(tree: &[u8], width: usize) -> impl Iterator<Item = TreeEntry<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let entry = entry(tree, at, width)?;
        at = entry.end;
        Some(entry)
    })
}

/// An entry that was looked up already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Where it begins.
    pub(crate) start: u32,
    /// Where it ends.
    pub(crate) end: u32,
    /// The number of its object, if that matters.
    pub(crate) object: u32,
    /// The number of its name, if that matters.
    pub(crate) name: u32,
}

/// Reads the entries of a tree, but those that were copied whole from its base are taken from there, without a look: in a history
/// nearly all are. `fresh` is asked about the others. False: the tree is broken at some byte.
pub(crate) fn read(
    tree: &[u8],
    width: usize,
    base: Option<(&[Known], &[Copied])>,
    known: &mut Vec<Known>,
    mut fresh: impl FnMut(TreeEntry<'_>) -> (u32, u32),
) -> bool {
    let mut at = 0;
    let (entries, copies) = base.unwrap_or_default();
    for copy in copies {
        // Whole entries of the base from here on, moved to where they stand now.
        let first = entries.partition_point(|entry| (entry.start as usize) < copy.from);
        let last = entries.partition_point(|entry| entry.end as usize <= copy.from + copy.length);
        let mut run = entries.get(first..last).unwrap_or_default();
        while let Some((head, others)) = run.split_first() {
            let start = head.start as usize - copy.from + copy.to;
            if start >= at && !read_up_to(tree, width, &mut at, start, known, &mut fresh) {
                return false;
            }
            // Where one begins as it did in the base, so do all behind it: nothing stands between entries.
            if at == start {
                let moved = |old: u32| u32::try_from(old as usize - copy.from + copy.to).unwrap_or(NONE);
                known.extend(run.iter().map(|entry| Known {
                    start: moved(entry.start),
                    end: moved(entry.end),
                    ..*entry
                }));
                at = run.last().map_or(at, |last| last.end as usize - copy.from + copy.to);
                break;
            }
            run = others;
        }
    }
    read_up_to(tree, width, &mut at, tree.len(), known, &mut fresh)
}

/// Reads entries until one begins at or behind a byte.
fn read_up_to(
    tree: &[u8],
    width: usize,
    at: &mut usize,
    to: usize,
    known: &mut Vec<Known>,
    fresh: &mut impl FnMut(TreeEntry<'_>) -> (u32, u32),
) -> bool {
    while *at < to {
        let Some(entry) = entry(tree, *at, width) else { return false };
        let (object, name) = fresh(entry);
        let (Ok(start), Ok(end)) = (u32::try_from(*at), u32::try_from(entry.end)) else { return false };
        known.push(Known { start, end, object, name });
        *at = entry.end;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::pack::Delta;
    use super::*;

    fn tree(names: &[(&str, u8)]) -> Vec<u8> {
        names.iter().flat_map(|(name, id)| [b"100644 ", name.as_bytes(), &[0], &[*id; 20]].concat()).collect()
    }

    /// A delta that copies `from..to` of a base at each of several places, and inserts what else there is.
    fn delta(base: &[u8], target: &[u8], copies: &[(usize, usize, usize)]) -> Delta {
        let mut instructions =
            vec![u8::try_from(base.len() & 127 | 128).unwrap(), u8::try_from(base.len() >> 7).unwrap()];
        instructions
            .extend([u8::try_from(target.len() & 127 | 128).unwrap(), u8::try_from(target.len() >> 7).unwrap()]);
        let mut at = 0;
        for (from, to, length) in copies.iter().copied().chain([(0, target.len(), 0)]) {
            for piece in target[at..to].chunks(127) {
                instructions.push(u8::try_from(piece.len()).unwrap());
                instructions.extend_from_slice(piece);
            }
            at = to + length;
            if length > 0 {
                instructions.extend([
                    0xb3,
                    (from & 255) as u8,
                    (from >> 8) as u8,
                    (length & 255) as u8,
                    (length >> 8) as u8,
                ]);
            }
        }
        let (mut delta, mut out) = (Delta::default(), Vec::new());
        delta.apply(base, &instructions, 10_000, &mut out).unwrap();
        assert_eq!(out, target);
        delta
    }

    #[test]
    fn what_was_copied_is_not_looked_up_again_and_nothing_else_is_left_out() {
        let base = tree(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        let target = tree(&[("a", 1), ("b", 9), ("c", 3), ("new", 5), ("d", 4)]);
        let mut known = Vec::new();
        let number = |entry: TreeEntry<'_>| (u32::from(entry.object[0]), u32::from(entry.name[0]));
        assert!(read(&base, 20, None, &mut known, number));
        assert_eq!(known.iter().map(|entry| entry.object).collect::<Vec<_>>(), [1, 2, 3, 4]);
        // The cut is within the name of `b`'s object, as git's deltas do it; 29 bytes an entry.
        for copies in
            [vec![(0, 0, 37), (58, 58, 29), (87, 118, 29)], vec![(0, 0, 37), (60, 60, 27), (90, 121, 26)], vec![]]
        {
            let delta = delta(&base, &target, &copies);
            let (mut again, mut fresh) = (Vec::new(), Vec::new());
            assert!(read(&target, 20, Some((&known, &delta.copied)), &mut again, |entry| {
                fresh.push(entry.object[0]);
                number(entry)
            }));
            let mut whole = Vec::new();
            assert!(read(&target, 20, None, &mut whole, number));
            assert_eq!(again, whole);
            assert!(fresh.contains(&9) && fresh.contains(&5));
        }
    }

    #[test]
    fn a_broken_tree_is_told() {
        let whole = tree(&[("a", 1), ("b", 2)]);
        for broken in [&whole[..50], b"1x0644 a\0aaaaaaaaaaaaaaaaaaaa", b"100644", b" a\0aaaaaaaaaaaaaaaaaaaa"] {
            assert!(!read(broken, 20, None, &mut Vec::new(), |_| (0, 0)));
        }
        assert_eq!(entries(&whole, 20).count(), 2);
    }
}
