//! ext2, ext3 and ext4, to read: <https://docs.kernel.org/filesystems/ext4/>. Checksums are not asked, and the journal is not
//! replayed: what is told is where bytes belong, and they are all looked at in any case.

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use super::Disk;
use crate::numbers::{le16, le32};
use crate::read_at::ReadAt;

/// The number of the root folder, and of the journal.
pub(super) const ROOT: u32 = 2;
pub(super) const JOURNAL: u32 = 8;

const EXTENTS: u32 = 0x8_0000;
const INLINE: u32 = 0x1000_0000;
const ENCRYPTED: u32 = 0x800;

/// Features without which numbers mean something else.
const META_GROUPS: u32 = 0x10;
const WIDE: u32 = 0x80;

/// The most runs of blocks of one file.
const RUNS: usize = 1 << 20;

/// The largest folder that is read: more entries than any folder should have.
const FOLDER: u64 = 1 << 30;

/// A file system in a part of a disk.
pub(super) struct Ext4<'d> {
    disk: &'d dyn Disk,
    start: u64,
    block: u64,
    blocks: u64,
    first_block: u64,
    blocks_a_group: u64,
    inodes_a_group: u32,
    inodes: u32,
    inode_size: u64,
    descriptor: u64,
}

/// A file, folder or link.
pub(super) struct Inode {
    pub(super) size: u64,
    mode: u16,
    flags: u32,
    block: Vec<u8>,
    /// Where the inode itself stands on the disk.
    at: Range<u64>,
    /// What of a small file stands behind the inode.
    more: Vec<u8>,
}

/// Blocks that stand together: where in the file, where in the file system, how many. Where blocks are promised and not written,
/// a run has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) logical: u64,
    pub(super) physical: u64,
    pub(super) count: u64,
}

impl Inode {
    pub(super) fn is_file(&self) -> bool {
        self.mode & 0xf000 == 0x8000
    }

    pub(super) fn is_folder(&self) -> bool {
        self.mode & 0xf000 == 0x4000
    }

    /// Where on the disk a file stands that has no blocks.
    pub(super) fn small(&self) -> Option<Range<u64>> {
        (self.flags & INLINE != 0).then(|| self.at.clone())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    /// Where a link leads, if it is short enough to stand here.
    pub(super) fn short_link(&self) -> Option<&[u8]> {
        let size = usize::try_from(self.size).ok()?;
        if self.mode & 0xf000 == 0xa000 && size < 60 { self.block.get(..size) } else { None }
    }
}

impl<'d> Ext4<'d> {
    /// Opens a file system; none where there is none.
    pub(super) fn open(disk: &'d dyn Disk, range: &Range<u64>) -> Result<Option<Self>> {
        let length = range.end.min(disk.length()).saturating_sub(range.start);
        if length < 4096 {
            return Ok(None);
        }
        let block = disk.piece(range.start + 1024, 1024)?;
        if le16(&block, 56) != Some(0xef53) {
            return Ok(None);
        }
        let number = |at: usize| le32(&block, at).unwrap_or(0);
        let wrong = |what: &str| Err(Error::new(ErrorKind::InvalidData, format!("an ext4 file system with {what}")));
        let features = number(96);
        if number(24) > 6 {
            return wrong("blocks larger than 64 KiB");
        }
        if features & META_GROUPS != 0 {
            return wrong("meta block groups, which akia does not read");
        }
        let size = 1024 << number(24);
        let is_wide = features & WIDE != 0;
        let high = if is_wide { u64::from(number(336)) << 32 } else { 0 };
        let blocks = (u64::from(number(4)) | high).min(length / size);
        let inode_size = if number(76) == 0 { 128 } else { u64::from(le16(&block, 88).unwrap_or(0)) };
        let descriptor = if is_wide { u64::from(le16(&block, 254).unwrap_or(0)).max(64) } else { 32 };
        let (blocks_a_group, inodes_a_group) = (u64::from(number(32)), number(40));
        if blocks_a_group == 0 || inodes_a_group == 0 || !(128..=size).contains(&inode_size) || descriptor > size {
            return wrong("numbers that cannot be");
        }
        let first_block = u64::from(number(20));
        let (start, inodes) = (range.start, number(0));
        Ok(Some(Self {
            disk,
            start,
            block: size,
            blocks,
            first_block,
            blocks_a_group,
            inodes_a_group,
            inodes,
            inode_size,
            descriptor,
        }))
    }

    pub(super) fn block_size(&self) -> u64 {
        self.block
    }

    /// The block that holds a byte of the disk, if it belongs to this file system.
    pub(super) fn block_at(&self, offset: u64) -> Option<u64> {
        let block = offset.checked_sub(self.start)? / self.block;
        (block < self.blocks).then_some(block)
    }

    /// Whether a block is in use.
    pub(super) fn is_used(&self, block: u64) -> Result<bool> {
        let index = block.saturating_sub(self.first_block);
        let (group, bit) = (index / self.blocks_a_group, index % self.blocks_a_group);
        let bitmap = self.group(group, 0, 32)?;
        let byte = self.disk.piece(self.at(bitmap)? + bit / 8, 1)?;
        Ok(byte.first().is_some_and(|byte| byte & (1 << (bit % 8)) != 0))
    }

    pub(super) fn inode(&self, number: u32) -> Result<Inode> {
        let index =
            number.checked_sub(1).filter(|_| number <= self.inodes).ok_or_else(|| damaged("an inode of no group"))?;
        let table = self.group(u64::from(index / self.inodes_a_group), 8, 40)?;
        let at = self.at(table)? + u64::from(index % self.inodes_a_group) * self.inode_size;
        let bytes = self.disk.piece(at, usize::try_from(self.inode_size).unwrap_or(0))?;
        let size = u64::from(le32(&bytes, 4).unwrap_or(0)) | u64::from(le32(&bytes, 108).unwrap_or(0)) << 32;
        let flags = le32(&bytes, 32).unwrap_or(0);
        Ok(Inode {
            size,
            at: at..at + self.inode_size,
            more: if flags & INLINE != 0 { inline(&bytes).unwrap_or_default().to_vec() } else { Vec::new() },
            mode: le16(&bytes, 0).unwrap_or(0),
            flags,
            block: bytes.get(40..100).unwrap_or_default().to_vec(),
        })
    }

    /// Where the blocks of a file are.
    pub(super) fn runs(&self, inode: &Inode) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        if inode.flags & INLINE != 0 || inode.short_link().is_some() {
            return Ok(runs);
        }
        if inode.flags & EXTENTS != 0 {
            self.extents(&inode.block, 5, &mut runs)?;
        } else {
            let mut logical = 0;
            let pointers = inode.block.chunks_exact(4).map(|entry| u64::from(le32(entry, 0).unwrap_or(0)));
            for (index, pointer) in pointers.enumerate() {
                let levels = index.saturating_sub(11);
                self.pointer(pointer, levels, inode.size.div_ceil(self.block), &mut logical, &mut runs)?;
            }
        }
        runs.sort_by_key(|run| run.logical);
        Ok(runs)
    }

    fn extents(&self, node: &[u8], depth: u16, runs: &mut Vec<Run>) -> Result<()> {
        let (count, own) = (le16(node, 2).unwrap_or(0), le16(node, 6).unwrap_or(0));
        if le16(node, 0) != Some(0xf30a) || own > depth {
            return Err(damaged("a tree of extents"));
        }
        for index in 1..=usize::from(count) {
            let Some(entry) = node.get(index * 12..index * 12 + 12) else { return Err(damaged("a node of extents")) };
            let low = |at: usize| u64::from(le32(entry, at).unwrap_or(0));
            let high = |at: usize| u64::from(le16(entry, at).unwrap_or(0)) << 32;
            if own == 0 {
                let length = le16(entry, 4).unwrap_or(0);
                let (physical, count) = (low(8) | high(6), u64::from(length));
                // A longer one is promised: its blocks hold what was there before, and the file reads as zeros.
                if length <= 32768 && physical < self.blocks {
                    push(runs, Run { logical: low(0), physical, count: count.min(self.blocks - physical) })?;
                }
            } else if let Some(depth) = own.checked_sub(1) {
                let child = self.disk.piece(self.at(low(4) | high(8))?, usize::try_from(self.block).unwrap_or(0))?;
                if le16(&child, 6) != Some(depth) {
                    return Err(damaged("a tree of extents"));
                }
                self.extents(&child, depth, runs)?;
            }
        }
        Ok(())
    }

    /// A block of a file, or a block of pointers to such, as ext2 has them.
    fn pointer(&self, block: u64, levels: usize, end: u64, logical: &mut u64, runs: &mut Vec<Run>) -> Result<()> {
        let per = self.block / 4;
        if block == 0 || *logical >= end || block >= self.blocks {
            *logical = logical.saturating_add((0..levels).fold(1, |count: u64, _| count.saturating_mul(per)));
            return Ok(());
        }
        if levels == 0 {
            match runs.last_mut() {
                Some(last) if last.logical + last.count == *logical && last.physical + last.count == block => {
                    last.count += 1
                }
                _ => push(runs, Run { logical: *logical, physical: block, count: 1 })?,
            }
            *logical += 1;
            return Ok(());
        }
        let pointers = self.disk.piece(self.at(block)?, usize::try_from(self.block).unwrap_or(0))?;
        for entry in pointers.chunks_exact(4) {
            if *logical >= end {
                break;
            }
            self.pointer(u64::from(le32(entry, 0).unwrap_or(0)), levels - 1, end, logical, runs)?;
        }
        Ok(())
    }

    /// The entries of a folder: a number and a name each, without itself and the one above.
    pub(super) fn entries(&self, folder: &Inode, mut each: impl FnMut(u32, &[u8])) -> Result<()> {
        if folder.flags & INLINE != 0 {
            // Four bytes for the folder above, then entries; those behind the inode are a list of their own.
            list(folder.block.get(4..).unwrap_or_default(), &mut each);
            list(&folder.more, &mut each);
            return Ok(());
        }
        let mut left = folder.size.min(FOLDER) / self.block;
        for run in self.runs(folder)? {
            for block in run.physical..run.physical + run.count.min(left) {
                list(&self.disk.piece(self.at(block)?, usize::try_from(self.block).unwrap_or(0))?, &mut each);
            }
            left = left.saturating_sub(run.count);
        }
        Ok(())
    }

    /// A number in the descriptor of a group: its low half at one place, its high half at another where there is one.
    fn group(&self, group: u64, low: usize, high: usize) -> Result<u64> {
        let at = self.at(self.first_block + 1)?.saturating_add(group.saturating_mul(self.descriptor));
        let bytes = self.disk.piece(at, usize::try_from(self.descriptor.min(64)).unwrap_or(0))?;
        Ok(u64::from(le32(&bytes, low).unwrap_or(0)) | u64::from(le32(&bytes, high).unwrap_or(0)) << 32)
    }

    /// Where a block is on the disk.
    pub(super) fn at(&self, block: u64) -> Result<u64> {
        if block >= self.blocks {
            return Err(damaged("a block behind its end"));
        }
        Ok(self.start + block * self.block)
    }

    /// A file, to be read.
    pub(super) fn content(&'d self, inode: &Inode, runs: Vec<Run>) -> Content<'d> {
        let small = (inode.flags & INLINE != 0).then(|| [inode.block.as_slice(), &inode.more].concat());
        Content { system: self, length: inode.size, runs, small }
    }
}

/// The extended attribute `system.data` behind an inode, which continues what stands in it.
fn inline(inode: &[u8]) -> Option<&[u8]> {
    let first = 128 + usize::from(le16(inode, 128)?) + 4;
    if le32(inode, first - 4)? != 0xea02_0000 {
        return None;
    }
    let mut at = first;
    loop {
        let (length, index) = (usize::from(*inode.get(at)?), *inode.get(at + 1)?);
        if length == 0 && index == 0 {
            return None;
        }
        if index == 7 && inode.get(at + 16..at + 16 + length)? == b"data" {
            let start = first + usize::from(le16(inode, at + 2)?);
            let size = usize::try_from(le32(inode, at + 8)?).ok()?;
            return inode.get(start..start.checked_add(size)?);
        }
        at += (16 + length).next_multiple_of(4);
    }
}

fn push(runs: &mut Vec<Run>, run: Run) -> Result<()> {
    if runs.len() >= RUNS {
        return Err(damaged("a file of too many pieces"));
    }
    runs.push(run);
    Ok(())
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the ext4 file system is damaged: {what}"))
}

/// Entries of a block: inode (4), length of the entry (2), length of the name (1), kind (1), name. Blocks of an index look like
/// one unused entry.
fn list(block: &[u8], each: &mut impl FnMut(u32, &[u8])) {
    let mut at = 0;
    while let (Some(inode), Some(length)) = (le32(block, at), le16(block, at + 4)) {
        let length = usize::from(length);
        if length < 8 {
            return;
        }
        let name =
            block.get(at + 6).and_then(|name| block.get(at + 8..at + 8 + usize::from(*name))).unwrap_or_default();
        if inode != 0 && !name.is_empty() && name != b"." && name != b".." {
            each(inode, name);
        }
        at += length;
    }
}

/// What a file holds.
pub(super) struct Content<'d> {
    system: &'d Ext4<'d>,
    length: u64,
    runs: Vec<Run>,
    /// All of a file that stands in its inode.
    small: Option<Vec<u8>>,
}

impl ReadAt for Content<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        if let Some(small) = &self.small {
            return small.as_slice().read_at(out, offset);
        }
        let left = self.length.saturating_sub(offset);
        let size = self.system.block;
        let block = offset / size;
        let index = self.runs.partition_point(|run| run.logical + run.count <= block);
        let next = self.runs.get(index);
        let (end, physical) = match next {
            Some(run) if run.logical <= block => (
                (run.logical + run.count) * size,
                Some(self.system.at(run.physical + block - run.logical)? + offset % size),
            ),
            Some(run) => (run.logical * size, None),
            None => (u64::MAX, None),
        };
        let count = usize::try_from(left.min(end - offset)).unwrap_or(usize::MAX).min(out.len());
        let out = &mut out[..count];
        match physical {
            Some(at) => self.system.disk.read_at(out, at),
            None => {
                out.fill(0);
                Ok(count)
            }
        }
    }
}
