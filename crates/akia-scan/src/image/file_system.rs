//! What the file systems have in common: files that stand in runs of blocks, and folders that lead to them.

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use super::Disk;
use crate::read_at::ReadAt;

/// The most runs of one file, and the most blocks of a tree that are read to find them.
const RUNS: usize = 1 << 20;

/// The largest folder that is read: more entries than any folder should have.
pub(super) const FOLDER: u64 = 1 << 30;

/// A file system in a part of a disk.
pub(super) trait FileSystem {
    /// A file, folder or link.
    type Inode: Inode;

    /// Its name.
    fn name(&self) -> &'static str;

    /// The number of the root folder.
    fn root(&self) -> u64;

    /// Where its journal is; nowhere, where it has none.
    fn journal(&self) -> Result<Vec<Run>>;

    fn inode(&self, number: u64) -> Result<Self::Inode>;

    /// The entries of a folder: a number and a name each, without itself and the one above.
    fn entries(&self, folder: &Self::Inode, each: &mut dyn FnMut(u64, &[u8])) -> Result<()>;

    /// Where the blocks of a file are, in the order of the file.
    fn runs(&self, inode: &Self::Inode) -> Result<Vec<Run>>;

    /// Whether a block is in use.
    fn is_used(&self, block: u64) -> Result<bool>;

    fn area(&self) -> Area<'_>;
}

/// A file, folder or link.
pub(super) trait Inode {
    fn size(&self) -> u64;

    /// The kind of file and its rights, as `stat` has them.
    fn mode(&self) -> u16;

    fn is_encrypted(&self) -> bool;

    /// Where a link leads, if it is short enough to stand here.
    fn short_link(&self) -> Option<&[u8]>;

    /// A file that has no blocks: where on the disk it stands, and all of it.
    fn small(&self) -> Option<(Range<u64>, Vec<u8>)>;

    fn is_file(&self) -> bool {
        self.mode() & 0xf000 == 0x8000
    }

    fn is_folder(&self) -> bool {
        self.mode() & 0xf000 == 0x4000
    }

    fn is_link(&self) -> bool {
        self.mode() & 0xf000 == 0xa000
    }
}

/// Blocks that stand together: where in the file, where in the file system, how many. Where blocks are promised and not written,
/// a run has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) logical: u64,
    pub(super) physical: u64,
    pub(super) count: u64,
}

/// The blocks of a file system, one after another.
#[derive(Clone, Copy)]
pub(super) struct Area<'d> {
    pub(super) disk: &'d dyn Disk,
    pub(super) start: u64,
    /// Size of a block.
    pub(super) block: u64,
    /// How many there are.
    pub(super) blocks: u64,
}

impl Area<'_> {
    /// The block that holds a byte of the disk, if it belongs to this file system.
    pub(super) fn block_at(&self, offset: u64) -> Option<u64> {
        let block = offset.checked_sub(self.start)? / self.block;
        (block < self.blocks).then_some(block)
    }

    /// Where a block is on the disk.
    pub(super) fn at(&self, block: u64) -> Result<u64> {
        if block >= self.blocks {
            return Err(damaged("a block behind its end"));
        }
        Ok(self.start + block * self.block)
    }

    /// A whole block.
    pub(super) fn read(&self, block: u64) -> Result<Vec<u8>> {
        self.disk.piece(self.at(block)?, usize::try_from(self.block).unwrap_or(0))
    }
}

/// The runs of one file while they are looked for. Trees may lead anywhere, and to the same block again and again.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) all: Vec<Run>,
    steps: usize,
}

impl Runs {
    pub(super) fn push(&mut self, run: Run) -> Result<()> {
        if self.all.len() >= RUNS {
            return Err(damaged("a file of too many pieces"));
        }
        self.all.push(run);
        Ok(())
    }

    /// Counts a block of a tree that is about to be read.
    pub(super) fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > RUNS { Err(damaged("a file of too many pieces")) } else { Ok(()) }
    }

    pub(super) fn sorted(mut self) -> Vec<Run> {
        self.all.sort_by_key(|run| run.logical);
        self.all
    }
}

pub(super) fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the file system is damaged: {what}"))
}

/// What a file holds.
pub(super) struct Content<'d> {
    area: Area<'d>,
    length: u64,
    runs: Vec<Run>,
    /// All of a file that has no blocks.
    small: Option<Vec<u8>>,
}

impl<'d> Content<'d> {
    pub(super) fn new(area: Area<'d>, inode: &impl Inode, runs: Vec<Run>) -> Self {
        Self { area, length: inode.size(), runs, small: inode.small().map(|(_, bytes)| bytes) }
    }
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
        let size = self.area.block;
        let block = offset / size;
        let index = self.runs.partition_point(|run| run.logical + run.count <= block);
        let next = self.runs.get(index);
        let (end, physical) = match next {
            Some(run) if run.logical <= block => (
                (run.logical + run.count) * size,
                Some(self.area.at(run.physical + block - run.logical)? + offset % size),
            ),
            Some(run) => (run.logical * size, None),
            None => (u64::MAX, None),
        };
        let count = usize::try_from(left.min(end - offset)).unwrap_or(usize::MAX).min(out.len());
        let out = &mut out[..count];
        match physical {
            Some(at) => self.area.disk.read_at(out, at),
            None => {
                out.fill(0);
                Ok(count)
            }
        }
    }
}
