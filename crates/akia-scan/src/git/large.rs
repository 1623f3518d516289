//! Blobs that are too large to be unpacked at once: they are inflated in windows that overlap.

use std::io::Read as _;
use std::path::Path;

use super::inflate::Stream;
use super::pack::Entry;
use super::store::Pack;
use super::trouble::Trouble;
use super::{files, loose};
use crate::Limits;

/// How much is looked at at once.
const WINDOW: usize = 4 << 20;

/// How much of it is looked at again with the next piece, so that a key and its secret are seen together.
const OVERLAP: usize = 64 << 10;

/// A piece of a blob.
pub(crate) struct Window<'w> {
    pub(crate) bytes: &'w [u8],
    /// How many bytes at its beginning were the end of the piece before.
    pub(crate) old: usize,
    /// How many bytes are new.
    pub(crate) fresh: u64,
    /// The line that its first byte stands in, counted from 1.
    pub(crate) line: u64,
    /// Where in the blob its first byte stands.
    pub(crate) at: u64,
}

/// A blob in a pack.
pub(crate) fn packed(
    pack: &Pack,
    local: u32,
    entry: Entry,
    limits: &Limits,
    look: impl FnMut(Window<'_>),
) -> Result<(), Trouble> {
    let (start, end) = pack.index.span(local);
    let mut at = start + entry.head as u64;
    let read = |out: &mut [u8]| {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(out.len());
        let out = out.get_mut(..length).unwrap_or_default();
        pack.file.read(at, out).map_err(|error| Trouble::io(&error))?;
        at += length as u64;
        Ok(length)
    };
    windows(read, entry.size, 0, limits, look)
}

/// A loose blob; a tree, commit or tag of that size is told and not looked at.
pub(crate) fn loose(path: &Path, limits: &Limits, look: impl FnMut(Window<'_>)) -> Result<(), Trouble> {
    let mut beginning = Vec::new();
    files::open(path)?.take(4096).read_to_end(&mut beginning).map_err(|error| Trouble::io(&error))?;
    let (kind, size, head) = loose::head(&beginning)?;
    if kind != super::oid::Kind::Blob {
        return Err(Trouble::too_large(size));
    }
    let mut file = files::open(path)?;
    let read = |out: &mut [u8]| file.read(out).map_err(|error| Trouble::io(&error));
    windows(read, size.saturating_add(head as u64), head, limits, look)
}

/// Inflates what `read` gives; its first `skip` bytes are not looked at.
fn windows(
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Trouble>,
    size: u64,
    skip: usize,
    limits: &Limits,
    mut look: impl FnMut(Window<'_>),
) -> Result<(), Trouble> {
    let mut packed = vec![0; 64 << 10];
    let mut out = vec![0; WINDOW];
    let (mut from, mut to) = (0, 0);
    let (mut old, mut filled, mut total, mut line) = (0, 0, 0_u64, 1_u64);
    let mut stream = Stream::new();
    let mut first = true;
    while !stream.ended {
        if from == to {
            (from, to) = (0, read(&mut packed)?);
            if to == 0 {
                return Err(Trouble::corrupt("its stream is cut short"));
            }
        }
        let (taken, given) =
            stream.step(packed.get(from..to).unwrap_or_default(), out.get_mut(filled..).unwrap_or_default())?;
        from += taken;
        filled += given;
        total += given as u64;
        if total > size {
            return Err(Trouble::corrupt(format!("it claims {size} bytes and has more")));
        }
        if filled == out.len() || stream.ended {
            let bytes = out.get(..filled).unwrap_or_default();
            let begin = if first { skip.min(filled) } else { 0 };
            let bytes = bytes.get(begin..).unwrap_or_default();
            let at = (total - filled as u64).saturating_sub(if first { 0 } else { skip as u64 });
            look(Window { bytes, old, fresh: (filled - old - begin) as u64, line, at });
            first = false;
            let keep = OVERLAP.min(bytes.len());
            let done = bytes.get(..bytes.len() - keep).unwrap_or_default();
            line += done.iter().filter(|byte| **byte == b'\n').count() as u64;
            out.copy_within(filled - keep..filled, 0);
            (old, filled) = (keep, keep);
            if total > limits.unpacked_total_bytes {
                return Err(Trouble::too_large(size));
            }
            if limits.is_over() {
                return Err(Trouble { why: akia_core::leak::Why::TimedOut, detail: "the time was over".to_owned() });
            }
        }
    }
    if total == size { Ok(()) } else { Err(Trouble::corrupt(format!("it claims {size} bytes and has {total}"))) }
}
