//! The file of a pack, read where it is asked for.
//!
//! It is read and not mapped: a mapped file that somebody cuts short kills the process, and reading costs little beside inflating.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::files;
use super::super::oid::Format;
use super::super::trouble::Trouble;

/// The header: `PACK`, the version, the number of objects.
pub(crate) const HEADER: u64 = 12;

/// A pack, open.
pub(crate) struct PackFile {
    pub(crate) path: PathBuf,
    /// No other file that was opened has it.
    pub(crate) number: u64,
    pub(crate) format: Format,
    /// How many objects its header claims.
    pub(crate) count: u32,
    /// Where its objects end, counted from its header.
    pub(crate) end: u64,
    file: File,
    /// Where the pack begins in the file: behind the list of refs in a bundle.
    start: u64,
}

impl PackFile {
    /// Opens a pack that begins at `start`.
    pub(crate) fn open(path: &Path, start: u64, format: Format) -> Result<Self, Trouble> {
        let file = files::open(path)?;
        let length = file.metadata().map_err(|error| Trouble::io(&error))?.len();
        static OPENED: AtomicU64 = AtomicU64::new(1);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let mut pack = Self { path: path.to_owned(), number, format, count: 0, end: 0, file, start };
        let mut header = [0; HEADER as usize];
        pack.read(0, &mut header).map_err(|error| Trouble::io(&error))?;
        let [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, a, b, c, d] = header else {
            return Err(Trouble::corrupt("it does not begin as a pack"));
        };
        pack.count = u32::from_be_bytes([a, b, c, d]);
        pack.end = length.saturating_sub(start).saturating_sub(format.width() as u64).max(HEADER);
        Ok(pack)
    }

    /// Fills `out` from an offset.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        files::read_at(&self.file, self.start.saturating_add(offset), out)
    }
}
