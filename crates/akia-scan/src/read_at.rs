//! Things of which any part can be read: bytes in memory, files, files within disk images.

use std::io::{Error, ErrorKind, Read, Result};

/// A thing of a known length, of which any part can be read.
pub trait ReadAt {
    /// How long it is, in bytes.
    fn length(&self) -> u64;

    /// Reads what is at `offset`: at least one byte, or none at the end.
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize>;

    /// Reads all that was asked for.
    fn read_exact_at(&self, mut out: &mut [u8], mut offset: u64) -> Result<()> {
        while !out.is_empty() {
            match self.read_at(out, offset) {
                Ok(0) => return Err(Error::new(ErrorKind::UnexpectedEof, "it ends too early")),
                Ok(read) => {
                    out = &mut out[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all that was asked for, and zeros behind the end.
    fn read_padded_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        let left = usize::try_from(self.length().saturating_sub(offset)).unwrap_or(usize::MAX);
        let here = left.min(out.len());
        out[here..].fill(0);
        self.read_exact_at(&mut out[..here], offset)
    }

    /// Reads `count` bytes into memory; the caller knows that they are few.
    fn piece(&self, offset: u64, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl ReadAt for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let here = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let count = here.len().min(out.len());
        out[..count].copy_from_slice(&here[..count]);
        Ok(count)
    }
}

/// A file, as long as it was when it was opened.
pub(crate) struct FileAt<'f> {
    pub(crate) file: &'f std::fs::File,
    pub(crate) length: u64,
}

impl ReadAt for FileAt<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let left = self.length.saturating_sub(offset);
        let count = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..count];
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::read_at(self.file, out, offset)
        }
        #[cfg(windows)]
        {
            std::os::windows::fs::FileExt::seek_read(self.file, out, offset)
        }
    }
}

/// Reads a thing from its start to its end.
pub(crate) struct Cursor<'a> {
    source: &'a dyn ReadAt,
    position: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &'a dyn ReadAt) -> Self {
        Self { source, position: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let read = self.source.read_at(out, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
