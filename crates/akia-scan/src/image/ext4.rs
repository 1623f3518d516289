//! ext2, ext3 and ext4, to read: <https://docs.kernel.org/filesystems/ext4/>. Checksums are not asked, and the journal is not
//! replayed: what is told is where bytes belong, and they are all looked at in any case.

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use super::Disk;
use super::file_system::{self, Area, FOLDER, FileSystem, Inode as _, Run, Runs, damaged};
use crate::numbers::{le16, le32};

/// The number of the root folder, and of the journal.
const ROOT: u64 = 2;
const JOURNAL: u64 = 8;

const EXTENTS: u32 = 0x8_0000;
const INLINE: u32 = 0x1000_0000;
const ENCRYPTED: u32 = 0x800;

/// Features without which numbers mean something else.
const META_GROUPS: u32 = 0x10;
const WIDE: u32 = 0x80;

/// A file system in a part of a disk.
pub(super) struct Ext4<'d> {
    area: Area<'d>,
    first_block: u64,
    blocks_a_group: u64,
    inodes_a_group: u32,
    inodes: u32,
    inode_size: u64,
    descriptor: u64,
}

/// A file, folder or link.
pub(super) struct Inode {
    size: u64,
    mode: u16,
    flags: u32,
    block: Vec<u8>,
    /// Where the inode itself stands on the disk.
    at: Range<u64>,
    /// What of a small file stands behind the inode.
    more: Vec<u8>,
}

impl file_system::Inode for Inode {
    fn size(&self) -> u64 {
        self.size
    }

    fn mode(&self) -> u16 {
        self.mode
    }

    fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    fn short_link(&self) -> Option<&[u8]> {
        let size = usize::try_from(self.size).ok()?;
        if self.is_link() && size < 60 { self.block.get(..size) } else { None }
    }

    fn small(&self) -> Option<(Range<u64>, Vec<u8>)> {
        (self.flags & INLINE != 0).then(|| (self.at.clone(), [self.block.as_slice(), &self.more].concat()))
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
            area: Area { disk, start, block: size, blocks },
            first_block,
            blocks_a_group,
            inodes_a_group,
            inodes,
            inode_size,
            descriptor,
        }))
    }

    fn extents(&self, node: &[u8], depth: u16, runs: &mut Runs) -> Result<()> {
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
                if length <= 32768 && physical < self.area.blocks {
                    runs.push(Run { logical: low(0), physical, count: count.min(self.area.blocks - physical) })?;
                }
            } else if let Some(depth) = own.checked_sub(1) {
                runs.step()?;
                let child = self.area.read(low(4) | high(8))?;
                if le16(&child, 6) != Some(depth) {
                    return Err(damaged("a tree of extents"));
                }
                self.extents(&child, depth, runs)?;
            }
        }
        Ok(())
    }

    /// A block of a file, or a block of pointers to such, as ext2 has them.
    fn pointer(&self, block: u64, levels: usize, end: u64, logical: &mut u64, runs: &mut Runs) -> Result<()> {
        let per = self.area.block / 4;
        if block == 0 || *logical >= end || block >= self.area.blocks {
            *logical = logical.saturating_add((0..levels).fold(1, |count: u64, _| count.saturating_mul(per)));
            return Ok(());
        }
        if levels == 0 {
            match runs.all.last_mut() {
                Some(last) if last.logical + last.count == *logical && last.physical + last.count == block => {
                    last.count += 1
                }
                _ => runs.push(Run { logical: *logical, physical: block, count: 1 })?,
            }
            *logical += 1;
            return Ok(());
        }
        runs.step()?;
        let pointers = self.area.read(block)?;
        for entry in pointers.chunks_exact(4) {
            if *logical >= end {
                break;
            }
            self.pointer(u64::from(le32(entry, 0).unwrap_or(0)), levels - 1, end, logical, runs)?;
        }
        Ok(())
    }

    /// A number in the descriptor of a group: its low half at one place, its high half at another where there is one.
    fn group(&self, group: u64, low: usize, high: usize) -> Result<u64> {
        let at = self.area.at(self.first_block + 1)?.saturating_add(group.saturating_mul(self.descriptor));
        let bytes = self.area.disk.piece(at, usize::try_from(self.descriptor.min(64)).unwrap_or(0))?;
        Ok(u64::from(le32(&bytes, low).unwrap_or(0)) | u64::from(le32(&bytes, high).unwrap_or(0)) << 32)
    }
}

impl FileSystem for Ext4<'_> {
    type Inode = Inode;

    fn name(&self) -> &'static str {
        "ext4"
    }

    fn root(&self) -> u64 {
        ROOT
    }

    fn journal(&self) -> Result<Vec<Run>> {
        self.runs(&self.inode(JOURNAL)?)
    }

    fn inode(&self, number: u64) -> Result<Inode> {
        let index = number
            .checked_sub(1)
            .filter(|_| number <= u64::from(self.inodes))
            .ok_or_else(|| damaged("an inode of no group"))?;
        let table = self.group(index / u64::from(self.inodes_a_group), 8, 40)?;
        let at = self.area.at(table)? + index % u64::from(self.inodes_a_group) * self.inode_size;
        let bytes = self.area.disk.piece(at, usize::try_from(self.inode_size).unwrap_or(0))?;
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

    fn entries(&self, folder: &Inode, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        if folder.flags & INLINE != 0 {
            // Four bytes for the folder above, then entries; those behind the inode are a list of their own.
            list(folder.block.get(4..).unwrap_or_default(), each);
            list(&folder.more, each);
            return Ok(());
        }
        let mut left = folder.size.min(FOLDER) / self.area.block;
        for run in self.runs(folder)? {
            for block in run.physical..run.physical + run.count.min(left) {
                list(&self.area.read(block)?, each);
            }
            left = left.saturating_sub(run.count);
        }
        Ok(())
    }

    fn runs(&self, inode: &Inode) -> Result<Vec<Run>> {
        let mut runs = Runs::default();
        if inode.flags & INLINE != 0 || inode.short_link().is_some() {
            return Ok(Vec::new());
        }
        if inode.flags & EXTENTS != 0 {
            self.extents(&inode.block, 5, &mut runs)?;
        } else {
            let mut logical = 0;
            let pointers = inode.block.chunks_exact(4).map(|entry| u64::from(le32(entry, 0).unwrap_or(0)));
            for (index, pointer) in pointers.enumerate() {
                let levels = index.saturating_sub(11);
                self.pointer(pointer, levels, inode.size.div_ceil(self.area.block), &mut logical, &mut runs)?;
            }
        }
        Ok(runs.sorted())
    }

    fn is_used(&self, block: u64) -> Result<bool> {
        let index = block.saturating_sub(self.first_block);
        let (group, bit) = (index / self.blocks_a_group, index % self.blocks_a_group);
        let bitmap = self.group(group, 0, 32)?;
        let byte = self.area.disk.piece(self.area.at(bitmap)? + bit / 8, 1)?;
        Ok(byte.first().is_some_and(|byte| byte & (1 << (bit % 8)) != 0))
    }

    fn area(&self) -> Area<'_> {
        self.area
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

/// Entries of a block: inode (4), length of the entry (2), length of the name (1), kind (1), name. Blocks of an index look like
/// one unused entry.
fn list(block: &[u8], each: &mut dyn FnMut(u64, &[u8])) {
    let mut at = 0;
    while let (Some(inode), Some(length)) = (le32(block, at), le16(block, at + 4)) {
        let length = usize::from(length);
        if length < 8 {
            return;
        }
        let name =
            block.get(at + 6).and_then(|name| block.get(at + 8..at + 8 + usize::from(*name))).unwrap_or_default();
        if inode != 0 && !name.is_empty() && name != b"." && name != b".." {
            each(u64::from(inode), name);
        }
        at += length;
    }
}
