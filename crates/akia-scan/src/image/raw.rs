//! A disk as it is, in one file.

use std::fs::File;
use std::io::Result;
use std::ops::Range;

use super::Disk;
use crate::read_at::{FileAt, ReadAt};

/// A file that is a disk, or a part of it that is one.
pub(super) struct Raw {
    file: File,
    start: u64,
    length: u64,
}

impl Raw {
    /// The whole file. A block device says its length only when its end is sought.
    pub(super) fn new(mut file: File) -> Result<Self> {
        let length = std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
        Ok(Self { file, start: 0, length })
    }

    /// `length` bytes from `start`, as far as they are there.
    pub(super) fn part(file: File, start: u64, length: u64) -> Result<Self> {
        let whole = Self::new(file)?;
        let length = length.min(whole.length.saturating_sub(start));
        Ok(Self { start, length, ..whole })
    }
}

impl ReadAt for Raw {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let file = FileAt { file: &self.file, length: self.start + self.length };
        file.read_at(out, self.start.saturating_add(offset))
    }
}

impl Disk for Raw {
    fn data(&self, from: u64) -> Result<Option<Range<u64>>> {
        if from >= self.length {
            return Ok(None);
        }
        let (start, end) = stored(&self.file, self.start + from, self.start + self.length);
        let (start, end) = (start - self.start, (end - self.start).min(self.length));
        Ok((start < end).then_some(start..end))
    }
}

/// What a file stores at or behind a place: holes of sparse files are passed over.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn stored(file: &File, from: u64, end: u64) -> (u64, u64) {
    use rustix::fs::{SeekFrom, seek};
    match seek(file, SeekFrom::Data(from)) {
        Ok(data) => (data, seek(file, SeekFrom::Hole(data)).unwrap_or(end)),
        Err(rustix::io::Errno::NXIO) => (end, end),
        // Where a file system does not know, all of it is data.
        Err(_) => (from, end),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn stored(_: &File, from: u64, end: u64) -> (u64, u64) {
    (from, end)
}
