//! The bytes of a log file, inflated within a limit.

use std::borrow::Cow;
use std::io::Read;

use libdeflater::{DecompressionError, Decompressor};

/// What a gzip member begins with: magic and the one method there is.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
/// The most that deflate makes of a byte: what claims more lies.
const BEST_RATIO: usize = 1032;

/// Why a file could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It ends too early.
    #[error("the gzip stream ends too early")]
    Truncated,
    /// It is damaged.
    #[error("the gzip stream is damaged")]
    Damaged,
    /// It inflates to more than the limit.
    #[error("it inflates to more than {limit} MiB")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// Inflates files one after another into one buffer.
pub(crate) struct Inflater {
    libdeflate: Decompressor,
    buffer: Vec<u8>,
    limit: usize,
}

impl Inflater {
    pub(crate) fn new(limit: usize) -> Self {
        Self { libdeflate: Decompressor::new(), buffer: Vec::new(), limit }
    }

    /// The inflated bytes; `data` itself where it is not gzip.
    pub(crate) fn inflate<'a>(&'a mut self, data: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
        if !data.starts_with(&MAGIC) {
            return if data.len() > self.limit { Err(self.too_large()) } else { Ok(Cow::Borrowed(data)) };
        }
        // The last four bytes tell the length of the last member, modulo 2^32. libdeflate inflates the first member alone, so it may
        // only have a file of one: one in which nothing looks like the start of another.
        let told = data.last_chunk().map_or(0, |&end| u32::from_le_bytes(end) as usize);
        let is_single = memchr::memmem::find(&data[1..], &MAGIC).is_none();
        if is_single && told <= self.limit.min(data.len().saturating_mul(BEST_RATIO)) {
            self.buffer.resize(told.max(1), 0);
            match self.libdeflate.gzip_decompress(data, &mut self.buffer) {
                Ok(length) if length == told => return Ok(Cow::Borrowed(&self.buffer[..length])),
                // What it says of damage is not told apart from truncation, and something may follow the member.
                Ok(_) | Err(DecompressionError::BadData | DecompressionError::InsufficientSpace) => {}
            }
        }
        self.slowly(data)
    }

    /// Any number of members, whatever they say of themselves.
    fn slowly(&mut self, data: &[u8]) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.buffer.clear();
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        let mut stream = flate2::bufread::MultiGzDecoder::new(data).take(limit.saturating_add(1));
        match stream.read_to_end(&mut self.buffer) {
            Ok(_) if self.buffer.len() > self.limit => Err(self.too_large()),
            Ok(_) => Ok(Cow::Borrowed(&self.buffer)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Unreadable::Truncated),
            Err(_) => Err(Unreadable::Damaged),
        }
    }

    fn too_large(&self) -> Unreadable {
        Unreadable::TooLarge { limit: self.limit >> 20 }
    }
}
