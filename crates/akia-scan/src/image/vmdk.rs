//! Sparse extents of VMware: monolithicSparse, twoGbMaxExtentSparse and streamOptimized.
//! <https://github.com/libyal/libvmdk/blob/main/documentation/VMWare%20Virtual%20Disk%20Format%20(VMDK).asciidoc>

use std::io::{Error, ErrorKind, Read, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use akia_core::leak::{Place, Why};

use super::Disk;
use super::raw::Raw;
use crate::numbers::{le16, le32, le64};
use crate::read_at::ReadAt;
use crate::walk::Walk;

pub(super) const MAGIC: &[u8] = b"KDMV";

const SECTOR: u64 = 512;

/// Flags of a header: grains are compressed, and stand behind markers.
const COMPRESSED: u32 = 1 << 16;

/// A directory at the end: the header is repeated there.
const AT_END: u64 = u64::MAX;

/// A disk in grains.
pub(super) struct Vmdk {
    file: Raw,
    /// All in bytes.
    capacity: u64,
    grain: u64,
    /// How many grains a table maps.
    mapped: u64,
    directory: u64,
    is_compressed: bool,
    last: Mutex<Option<(u64, Vec<u8>)>>,
    used: AtomicU64,
    most: u64,
}

impl Vmdk {
    pub(super) fn new(walk: &Walk<'_>, place: &Place, file: Raw) -> Result<Self> {
        let mut header = file.piece(0, 512)?;
        if le64(&header, 56) == Some(AT_END) {
            let at = file.length().checked_sub(1024).ok_or(ErrorKind::UnexpectedEof)?;
            header = file.piece(at, 512)?;
            if !header.starts_with(MAGIC) {
                return Err(Error::new(ErrorKind::InvalidData, "the header at its end is not there: it was cut off"));
            }
        }
        let number = |at: usize| le64(&header, at).unwrap_or(0);
        let (grain, capacity) = (number(20).saturating_mul(SECTOR), number(12).saturating_mul(SECTOR));
        let mapped = u64::from(le32(&header, 44).unwrap_or(0));
        if !(4096..=16 << 20).contains(&grain) || !grain.is_power_of_two() || !(1..=65536).contains(&mapped) {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("a vmdk with grains of {grain} bytes, {mapped} a table"),
            ));
        }
        let is_compressed = le32(&header, 8).unwrap_or(0) & COMPRESSED != 0;
        if is_compressed && le16(&header, 77) != Some(1) {
            walk.skip(place, Why::Unsupported, "its grains are not compressed by deflate");
        }
        let (used, most) = (AtomicU64::new(0), walk.scan().limits.unpacked_total_bytes);
        let directory = number(56).saturating_mul(SECTOR);
        Ok(Self { file, capacity, grain, mapped, directory, is_compressed, last: Mutex::default(), used, most })
    }

    /// Where the grains from `first` are, in bytes, as many as one table tells: 0 and 1 are nowhere. None where there is no table.
    fn grains(&self, first: u64, count: u64) -> Result<Option<Vec<u64>>> {
        let (upper, lower) = (first / self.mapped, first % self.mapped);
        let count = count.min(self.mapped - lower);
        let entry = self.file.piece(self.directory.saturating_add(upper * 4), 4)?;
        let table = u64::from(le32(&entry, 0).unwrap_or(0));
        if table == 0 {
            return Ok(None);
        }
        let bytes = self.file.piece(table * SECTOR + lower * 4, usize::try_from(count * 4).unwrap_or(0))?;
        Ok(Some(bytes.chunks_exact(4).map(|entry| u64::from(le32(entry, 0).unwrap_or(0))).collect()))
    }

    /// A compressed grain: its number (8 bytes), its length (4 bytes), and itself.
    fn unpacked(&self, sector: u64) -> Result<Vec<u8>> {
        let at = sector * SECTOR;
        let size = le32(&self.file.piece(at, 12)?, 8).unwrap_or(0);
        if u64::from(size) > 2 * self.grain {
            return Err(Error::new(ErrorKind::InvalidData, format!("a grain of {size} bytes")));
        }
        let packed = self.file.piece(at + 12, usize::try_from(size).unwrap_or(0))?;
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(packed.as_slice()).take(self.grain).read_to_end(&mut bytes)?;
        bytes.resize(usize::try_from(self.grain).unwrap_or(0), 0);
        Ok(bytes)
    }
}

impl ReadAt for Vmdk {
    fn length(&self) -> u64 {
        self.capacity
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let left = self.capacity.saturating_sub(offset);
        let count = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..count];
        if out.is_empty() {
            return Ok(0);
        }
        let (first, mut within) = (offset / self.grain, offset % self.grain);
        let wanted = (within + out.len() as u64).div_ceil(self.grain).min(self.mapped - first % self.mapped);
        let nowhere = || vec![0; usize::try_from(wanted).unwrap_or(0)];
        let mut read = 0;
        for sector in self.grains(first, wanted)?.unwrap_or_else(nowhere) {
            let here = usize::try_from(self.grain - within).unwrap_or(usize::MAX).min(out.len() - read);
            let piece = &mut out[read..read + here];
            if sector <= 1 {
                piece.fill(0);
            } else if self.is_compressed {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.as_ref().is_none_or(|(known, _)| *known != sector) {
                    *last = Some((sector, self.unpacked(sector)?));
                }
                let bytes = last.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
                let within = usize::try_from(within).unwrap_or(0);
                piece.copy_from_slice(bytes.get(within..within + here).unwrap_or_default());
            } else {
                if sector * SECTOR >= self.file.length() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                self.file.read_padded_at(piece, sector * SECTOR + within)?;
            }
            read += here;
            within = 0;
        }
        Ok(read)
    }
}

impl Disk for Vmdk {
    fn data(&self, from: u64) -> Result<Option<Range<u64>>> {
        let mut at = from / self.grain;
        let end = self.capacity.div_ceil(self.grain);
        let mut start = None;
        while at < end {
            let Some(grains) = self.grains(at, end - at)? else {
                if let Some(start) = start {
                    return Ok(Some(start..at * self.grain));
                }
                at = (at / self.mapped + 1) * self.mapped;
                continue;
            };
            for (index, sector) in grains.iter().enumerate() {
                let here = (at + index as u64) * self.grain;
                match (*sector > 1, start) {
                    (true, None) => start = Some(here.max(from)),
                    (false, Some(start)) => return Ok(Some(start..here)),
                    (true, Some(_)) | (false, None) => {}
                }
                if *sector > 1 {
                    self.count()?;
                }
            }
            at += grains.len().max(1) as u64;
        }
        Ok(start.map(|start| start..self.capacity))
    }
}

impl Vmdk {
    /// Counts what the tables point to, as for qcow2.
    fn count(&self) -> Result<()> {
        let limit = if self.is_compressed { self.most } else { self.file.length().saturating_add(self.grain) };
        if self.used.fetch_add(self.grain, Ordering::Relaxed) < limit {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidData,
            if self.is_compressed {
                format!("it unpacks to more than {limit} bytes: --max-unpacked-total")
            } else {
                "its tables use grains twice".to_owned()
            },
        ))
    }
}
