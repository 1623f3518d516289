//! xfs of the versions 4 and 5, to read: <https://docs.kernel.org/filesystems/xfs/index.html>, "XFS Algorithms & Data Structures". Checksums
//! are not asked, and the journal is not replayed: what is told is where bytes belong, and they are all looked at in any case.
//!
//! Blocks are counted one after another over all allocation groups, and not as xfs numbers them, with the group in the high bits.

mod folder;

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use super::Disk;
use super::file_system::{self, Area, FileSystem, Run, Runs, damaged};
use crate::numbers::{be16, be32, be64};

/// What numbers mean with other features of a file system of version 5 is not known.
const KNOWN: u32 = 0x1ff;
/// Entries of folders tell what they lead to.
const KINDS: u32 = 1;
/// The same in version 4.
const KINDS_IN_4: u32 = 0x200;

/// How data of an inode is kept.
const LOCAL: u8 = 1;
const EXTENTS: u8 = 2;
const TREE: u8 = 3;

/// The data of a file stands on another device.
const REALTIME: u16 = 1;
/// A wide count of extents.
const MANY_EXTENTS: u64 = 0x10;

/// More bytes than a file can have.
const LONGEST: u64 = 1 << 62;

/// Levels of a tree: more than any file system can have.
const DEEPEST: u16 = 16;

/// A file system in a part of a disk.
pub(super) struct Xfs<'d> {
    area: Area<'d>,
    is_5: bool,
    sector: u64,
    root: u64,
    inode_size: u64,
    /// Binary logarithms: inodes a block, blocks a group (rounded up), blocks of a folder's block.
    inodes_log: u8,
    group_log: u8,
    folder_log: u8,
    blocks_a_group: u64,
    groups: u64,
    entries_have_kinds: bool,
    journal: (u64, u64),
}

/// A file, folder or link.
pub(super) struct Inode {
    size: u64,
    mode: u16,
    format: u8,
    is_elsewhere: bool,
    extents: u64,
    /// Where data, or what leads to it, stands in the inode.
    fork: Vec<u8>,
}

impl file_system::Inode for Inode {
    fn size(&self) -> u64 {
        self.size
    }

    fn mode(&self) -> u16 {
        self.mode
    }

    fn is_encrypted(&self) -> bool {
        false
    }

    fn short_link(&self) -> Option<&[u8]> {
        let size = usize::try_from(self.size).ok()?;
        if self.is_link() && self.format == LOCAL { self.fork.get(..size) } else { None }
    }

    fn small(&self) -> Option<(Range<u64>, Vec<u8>)> {
        None
    }
}

impl<'d> Xfs<'d> {
    /// Opens a file system; none where there is none.
    pub(super) fn open(disk: &'d dyn Disk, range: &Range<u64>) -> Result<Option<Self>> {
        let length = range.end.min(disk.length()).saturating_sub(range.start);
        if length < 4096 {
            return Ok(None);
        }
        let head = disk.piece(range.start, 512)?;
        if head.get(..4) != Some(b"XFSB") {
            return Ok(None);
        }
        let wide = |at: usize| be64(&head, at).unwrap_or(0);
        let number = |at: usize| be32(&head, at).unwrap_or(0);
        let short = |at: usize| be16(&head, at).unwrap_or(0);
        let byte = |at: usize| head.get(at).copied().unwrap_or(0);
        let wrong = |what: &str| Err(Error::new(ErrorKind::InvalidData, format!("an xfs file system with {what}")));
        let (block, inode_size) = (u64::from(number(4)), u64::from(short(104)));
        let version = short(100) & 0xf;
        let features = number(216);
        if !matches!(version, 4 | 5) {
            return wrong("another version than 4 and 5");
        }
        if version == 5 && features & !KNOWN != 0 {
            return wrong("features that akia does not know");
        }
        let (inodes_log, group_log, folder_log) = (byte(123), byte(124), byte(192));
        let (blocks_a_group, groups) = (u64::from(number(84)), u64::from(number(88)));
        let sizes_fit = block.is_power_of_two()
            && (512..=65536).contains(&block)
            && inode_size.is_power_of_two()
            && (256..=2048).contains(&inode_size)
            && inodes_log <= 8
            && block == inode_size << inodes_log
            && folder_log <= 7
            && block << folder_log <= 65536;
        let groups_fit =
            (1..32).contains(&group_log) && blocks_a_group > 0 && blocks_a_group <= 1 << group_log && groups > 0;
        let sector = u64::from(short(102));
        if !sizes_fit || !groups_fit || !(512..=32768).contains(&sector) {
            return wrong("numbers that cannot be");
        }
        let area = Area { disk, start: range.start, block, blocks: wide(8).min(length / block) };
        let entries_have_kinds = if version == 5 { features & KINDS != 0 } else { number(200) & KINDS_IN_4 != 0 };
        Ok(Some(Self {
            area,
            is_5: version == 5,
            sector,
            root: wide(56),
            inode_size,
            inodes_log,
            group_log,
            folder_log,
            blocks_a_group,
            groups,
            entries_have_kinds,
            journal: (wide(48), u64::from(number(96))),
        }))
    }

    /// The number of a block as xfs has it, as one of all.
    fn block(&self, number: u64) -> Result<u64> {
        let (group, in_group) = (number >> self.group_log, number & ((1 << self.group_log) - 1));
        if group >= self.groups || in_group >= self.blocks_a_group {
            return Err(damaged("a block of no group"));
        }
        let block = group * self.blocks_a_group + in_group;
        self.area.at(block).map(|_| block)
    }

    /// Extents: whether promised only (1 bit), where in the file (54), where in the file system (52), how many blocks (21).
    fn extents(&self, records: &[u8], runs: &mut Runs) -> Result<()> {
        for record in records.chunks_exact(16) {
            let (high, low) = (be64(record, 0).unwrap_or(0), be64(record, 8).unwrap_or(0));
            // One that is promised holds what was there before, and the file reads as zeros.
            if high >> 63 == 1 {
                continue;
            }
            let physical = self.block((high & 0x1ff) << 43 | low >> 21)?;
            let (logical, count) = ((high << 1) >> 10, (low & 0x1f_ffff).min(self.area.blocks - physical));
            if logical > LONGEST / self.area.block {
                return Err(damaged("a file longer than any"));
            }
            runs.push(Run { logical, physical, count })?;
        }
        Ok(())
    }

    /// A node or leaf of a tree of extents; all on a level are of that level.
    fn tree(&self, block: u64, level: u16, runs: &mut Runs) -> Result<()> {
        runs.step()?;
        let bytes = self.area.read(self.block(block)?)?;
        let (magic, header) = if self.is_5 { (b"BMA3", 72) } else { (b"BMAP", 24) };
        if bytes.get(..4) != Some(magic) || be16(&bytes, 4) != Some(level) {
            return Err(damaged("a tree of extents"));
        }
        let count = usize::from(be16(&bytes, 6).unwrap_or(0));
        let body = bytes.get(header..).unwrap_or_default();
        if level == 0 {
            return self.extents(body.get(..count * 16).ok_or_else(|| damaged("a leaf of extents"))?, runs);
        }
        for pointer in pointers(body, count)? {
            self.tree(pointer, level - 1, runs)?;
        }
        Ok(())
    }

    /// Whether a block of a group stands in the group's tree of free space.
    fn is_free(&self, group: u64, in_group: u64) -> Result<bool> {
        let first = group * self.blocks_a_group;
        let head = self.area.disk.piece(self.area.at(first)? + self.sector, 64)?;
        if head.get(..4) != Some(b"XAGF") {
            return Err(damaged("a group without its head"));
        }
        let (magic, header) = if self.is_5 { (b"AB3B", 56) } else { (b"ABTB", 16) };
        let mut at = u64::from(be32(&head, 16).unwrap_or(0));
        for level in (0..be32(&head, 28).unwrap_or(0).min(u32::from(DEEPEST))).rev() {
            if at >= self.blocks_a_group {
                return Err(damaged("a tree of free space"));
            }
            let bytes = self.area.read(first + at)?;
            if bytes.get(..4) != Some(magic) || be16(&bytes, 4).map(u32::from) != Some(level) {
                return Err(damaged("a tree of free space"));
            }
            let body = bytes.get(header..).unwrap_or_default();
            let count = usize::from(be16(&bytes, 6).unwrap_or(0)).min(body.len() / 8);
            let start = |index: usize| u64::from(be32(body, index * 8).unwrap_or(0));
            let Some(index) = (0..count).rev().find(|index| start(*index) <= in_group) else { return Ok(false) };
            if level == 0 {
                let length = u64::from(be32(body, index * 8 + 4).unwrap_or(0));
                return Ok(in_group < start(index) + length);
            }
            // Pointers stand behind as many keys as a block can have.
            let at_most = body.len() / 12;
            at = u64::from(be32(body, at_most * 8 + index * 4).ok_or_else(|| damaged("a tree of free space"))?);
        }
        Ok(false)
    }
}

/// The pointers of a node: behind as many keys as it has room for.
fn pointers(body: &[u8], count: usize) -> Result<Vec<u64>> {
    let first = body.len() / 16 * 8;
    let pointer = |index: usize| be64(body, first + index * 8).filter(|_| index < body.len() / 16);
    (0..count).map(|index| pointer(index).ok_or_else(|| damaged("a node of extents"))).collect()
}

impl FileSystem for Xfs<'_> {
    type Inode = Inode;

    fn name(&self) -> &'static str {
        "xfs"
    }

    fn root(&self) -> u64 {
        self.root
    }

    fn journal(&self) -> Result<Vec<Run>> {
        let (start, count) = self.journal;
        if start == 0 {
            return Ok(Vec::new());
        }
        let physical = self.block(start)?;
        Ok(vec![Run { logical: 0, physical, count: count.min(self.area.blocks - physical) }])
    }

    fn inode(&self, number: u64) -> Result<Inode> {
        let index = number & ((1 << self.inodes_log) - 1);
        let at = self.area.at(self.block(number >> self.inodes_log)?)? + index * self.inode_size;
        let bytes = self.area.disk.piece(at, usize::try_from(self.inode_size).unwrap_or(0))?;
        let version = bytes.get(4).copied().unwrap_or(0);
        if bytes.get(..2) != Some(b"IN") || version > 3 {
            return Err(damaged("an inode that is none"));
        }
        let core = if version == 3 { 176 } else { 100 };
        let end = match bytes.get(82).copied().map(usize::from) {
            Some(0) | None => bytes.len(),
            Some(eights) => core + eights * 8,
        };
        let is_wide = version == 3 && be64(&bytes, 120).unwrap_or(0) & MANY_EXTENTS != 0;
        Ok(Inode {
            size: be64(&bytes, 56).unwrap_or(0),
            mode: be16(&bytes, 2).unwrap_or(0),
            format: bytes.get(5).copied().unwrap_or(0),
            is_elsewhere: be16(&bytes, 90).unwrap_or(0) & REALTIME != 0,
            extents: if is_wide { be64(&bytes, 24) } else { be32(&bytes, 76).map(u64::from) }.unwrap_or(0),
            fork: bytes.get(core..end).ok_or_else(|| damaged("an inode"))?.to_vec(),
        })
    }

    fn entries(&self, folder: &Inode, each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        folder::entries(self, folder, each)
    }

    fn runs(&self, inode: &Inode) -> Result<Vec<Run>> {
        if inode.is_elsewhere {
            return Err(damaged("a file whose data stands on another device"));
        }
        let mut runs = Runs::default();
        match inode.format {
            EXTENTS => {
                let length = usize::try_from(inode.extents.saturating_mul(16)).unwrap_or(usize::MAX);
                self.extents(inode.fork.get(..length).ok_or_else(|| damaged("an inode of extents"))?, &mut runs)?;
            }
            TREE => {
                let (level, count) = (be16(&inode.fork, 0).unwrap_or(0), be16(&inode.fork, 2).unwrap_or(0));
                if !(1..=DEEPEST).contains(&level) {
                    return Err(damaged("a tree of extents"));
                }
                for pointer in pointers(inode.fork.get(4..).unwrap_or_default(), usize::from(count))? {
                    self.tree(pointer, level - 1, &mut runs)?;
                }
            }
            _ => {}
        }
        Ok(runs.sorted())
    }

    fn is_used(&self, block: u64) -> Result<bool> {
        Ok(!self.is_free(block / self.blocks_a_group, block % self.blocks_a_group)?)
    }

    fn area(&self) -> Area<'_> {
        self.area
    }
}
