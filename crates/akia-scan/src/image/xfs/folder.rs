//! The entries of folders: short ones stand in the inode, others in blocks of data, which an index that is not needed here leads into.

use std::io::Result;

use super::super::file_system::{Content, FOLDER, FileSystem as _, damaged};
use super::{Inode, LOCAL, Xfs};
use crate::numbers::{be16, be32, be64};
use crate::read_at::ReadAt as _;

/// Where the index begins, in every folder.
const INDEX: u64 = 32 << 30;

/// The entries of a folder, without itself and the one above.
pub(super) fn entries(system: &Xfs<'_>, folder: &Inode, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
    if folder.format == LOCAL {
        return short(&folder.fork, system.entries_have_kinds, each).ok_or_else(|| damaged("a short folder"));
    }
    let size = system.area.block << system.folder_log;
    let content = Content::new(system.area, folder, system.runs(folder)?);
    let mut is_damaged = false;
    for at in (0..folder.size.min(FOLDER).min(INDEX)).step_by(usize::try_from(size).unwrap_or(usize::MAX)) {
        let block = content.piece(at, usize::try_from(size.min(folder.size - at)).unwrap_or(0))?;
        is_damaged |= !list(&block, system.entries_have_kinds, each);
    }
    if is_damaged { Err(damaged("a folder")) } else { Ok(()) }
}

/// How many entries, how many of them with numbers of eight bytes, the folder above; then of each the length of its name, a place (2), the
/// name, its kind where kinds are kept, and its number. None where it is cut short.
fn short(fork: &[u8], has_kinds: bool, each: &mut dyn FnMut(u64, &[u8])) -> Option<()> {
    let (count, wide) = (usize::from(*fork.first()?), *fork.get(1)?);
    let width = if wide > 0 { 8 } else { 4 };
    let mut at = 2 + width;
    for _ in 0..count {
        let start = at + 3;
        let end = start + usize::from(*fork.get(at)?);
        let number = end + usize::from(has_kinds);
        let inode = if wide > 0 { be64(fork, number)? } else { u64::from(be32(fork, number)?) };
        each(inode, fork.get(start..end)?);
        at = number + width;
    }
    Some(())
}

/// Entries of a block of data: number (8), length of the name (1), name, kind where kinds are kept, place (2), in steps of eight; or unused:
/// 0xffff, length (2). A folder of one block has its index at the end of it. Says whether all of it could be read.
fn list(block: &[u8], has_kinds: bool, each: &mut dyn FnMut(u64, &[u8])) -> bool {
    let (header, is_whole) = match block.get(..4) {
        Some(b"XD2D") => (16, false),
        Some(b"XD2B") => (16, true),
        Some(b"XDD3") => (64, false),
        Some(b"XDB3") => (64, true),
        // A hole, where all entries of a block were removed.
        _ => return block.iter().all(|byte| *byte == 0),
    };
    let indexed = if is_whole { be32(block, block.len().saturating_sub(8)).unwrap_or(0) as usize } else { 0 };
    let tail = if is_whole { indexed.saturating_mul(8).saturating_add(8) } else { 0 };
    let Some(block) = block.len().checked_sub(tail).and_then(|end| block.get(..end)) else { return false };
    let mut at = header;
    while at < block.len() {
        if be16(block, at) == Some(0xffff) {
            match be16(block, at + 2) {
                Some(length) if length >= 8 && length % 8 == 0 => at += usize::from(length),
                _ => return false,
            }
            continue;
        }
        let (Some(inode), Some(length)) = (be64(block, at), block.get(at + 8)) else { return false };
        let end = at + 9 + usize::from(*length);
        let Some(name) = block.get(at + 9..end).filter(|name| !name.is_empty()) else { return false };
        if name != b"." && name != b".." {
            each(inode, name);
        }
        at = (end + usize::from(has_kinds) + 2).next_multiple_of(8);
    }
    true
}
