//! Images of QEMU: <https://www.qemu.org/docs/master/interop/qcow2.html>, versions 2 and 3.
//!
//! Which clusters are in use is read from the tables that map a disk; the counts of references are not asked. Every snapshot has
//! tables of its own, and what it shares with the disk is looked at once.

use std::io::{Error, ErrorKind, Read, Result};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use akia_core::leak::{Place, Why};

use super::raw::Raw;
use super::{Disk, open};
use crate::numbers::{be16, be32, be64};
use crate::read_at::ReadAt;
use crate::walk::Walk;
use crate::zstd::Zstd;

pub(super) const MAGIC: &[u8] = b"QFI\xfb";

/// Of an entry of a table: where the cluster is.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const ZEROS: u64 = 1;

/// The largest first-level table that QEMU takes.
const ENTRIES: u32 = (32 << 20) / 8;

/// More snapshots than anybody keeps.
const SNAPSHOTS: u32 = 65536;

/// A view of an image: the disk as it is now, or as a snapshot holds it.
pub(super) struct View {
    image: Arc<Image>,
    table: Table,
    /// The view of now, for a snapshot: what both share is not looked at again.
    now: Option<Table>,
    backing: Option<Box<dyn Disk>>,
    /// The compressed cluster that was unpacked last.
    last: Mutex<Option<(u64, Vec<u8>)>>,
    /// How many bytes the tables point to, as they are and compressed.
    used: AtomicU64,
    packed: AtomicU64,
}

struct Image {
    file: Raw,
    cluster_bits: u32,
    is_zstd: bool,
    /// How long an entry of a second-level table is: 8 bytes, or 16 with bits for parts of a cluster.
    entry: u64,
    /// The most that compressed clusters may unpack to.
    most: u64,
}

/// A first-level table.
#[derive(Clone, Copy)]
struct Table {
    at: u64,
    entries: u64,
}

/// Where a cluster of the disk is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cluster {
    Nowhere,
    Zeros,
    At(u64),
    Packed { at: u64, size: usize },
}

/// The disk as it is now, and as each snapshot holds it.
pub(super) fn open(
    walk: &Walk<'_>,
    place: &Place,
    path: &Path,
    file: Raw,
    depth: u32,
) -> Result<Vec<(String, Box<dyn Disk>)>> {
    let header = header(&file)?;
    let now = active(walk, place, path, file, depth)?;
    let image = now.image.clone();
    let table = now.table;
    let mut disks: Vec<(String, Box<dyn Disk>)> = vec![(String::new(), Box::new(now))];
    let mut at = be64(&header, 64).unwrap_or(0);
    let count = be32(&header, 60).unwrap_or(0);
    for _ in 0..count.min(SNAPSHOTS) {
        let Ok(snapshot) = image.file.piece(at, 40) else {
            walk.skip(place, Why::Corrupt, "the list of snapshots is cut off");
            break;
        };
        let number = |at: usize| u64::from(be16(&snapshot, at).unwrap_or(0));
        let (id, name) = (number(12), number(14));
        let extra = u64::from(be32(&snapshot, 36).unwrap_or(0));
        let name_at = at + 40 + extra + id;
        let name = image.file.piece(name_at, usize::try_from(name).unwrap_or(0)).unwrap_or_default();
        let own = Table {
            at: be64(&snapshot, 0).unwrap_or(0),
            entries: u64::from(be32(&snapshot, 8).unwrap_or(0).min(ENTRIES)),
        };
        let view = View::new(image.clone(), own, Some(table), None);
        disks.push((format!("snapshot {}", String::from_utf8_lossy(&name)), Box::new(view)));
        at = (name_at + name.len() as u64).next_multiple_of(8);
    }
    if count > SNAPSHOTS {
        walk.skip(place, Why::Corrupt, format!("it claims {count} snapshots"));
    }
    Ok(disks)
}

/// The disk as it is now.
pub(super) fn active(walk: &Walk<'_>, place: &Place, path: &Path, file: Raw, depth: u32) -> Result<View> {
    let header = header(&file)?;
    let number = |at: usize| be32(&header, at).unwrap_or(0);
    let version = number(4);
    let cluster_bits = number(20);
    if !(2..=3).contains(&version) || !(9..=21).contains(&cluster_bits) {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("a qcow2 of version {version}, 2^{cluster_bits} bytes a cluster"),
        ));
    }
    if number(32) != 0 {
        walk.skip(place, Why::Encrypted, "the disk in the image is encrypted");
    }
    let features = if version == 2 { 0 } else { be64(&header, 72).unwrap_or(0) };
    if features & 4 != 0 {
        walk.skip(place, Why::Unsupported, "its data stand in another file: scan that one as a raw image");
    }
    let unknown = features & !0b11111;
    if unknown != 0 {
        walk.skip(place, Why::Unsupported, format!("a qcow2 with features {unknown:#x}"));
    }
    let is_zstd = features & 8 != 0 && header.get(104) == Some(&1);
    let entry = if features & 16 != 0 { 16 } else { 8 };
    let table = Table { at: be64(&header, 40).unwrap_or(0), entries: u64::from(number(36).min(ENTRIES)) };
    if number(36) > ENTRIES {
        walk.skip(place, Why::Corrupt, format!("a table of {} entries", number(36)));
    }
    let name_length = usize::try_from(number(16)).unwrap_or(0).min(1023);
    let backing = match be64(&header, 8) {
        Some(at) if at > 0 && name_length > 0 => {
            let name = file.piece(at, name_length)?;
            open::beside(walk, place, path, &name, depth)
        }
        _ => None,
    };
    let most = walk.scan().limits.unpacked_total_bytes;
    let image = Arc::new(Image { file, cluster_bits, is_zstd, entry, most });
    Ok(View::new(image, table, None, backing))
}

fn header(file: &Raw) -> Result<Vec<u8>> {
    let length = usize::try_from(file.length()).unwrap_or(usize::MAX).min(112);
    let mut header = file.piece(0, length)?;
    if header.len() < 72 {
        return Err(Error::new(ErrorKind::InvalidData, "its header is cut off"));
    }
    header.resize(112, 0);
    Ok(header)
}

impl Image {
    fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// How many clusters a second-level table maps.
    fn mapped(&self) -> u64 {
        self.cluster_size() / self.entry
    }

    /// Where the clusters from `first` are: as many as one second-level table tells, at most `count`.
    /// None where there is no such table.
    fn clusters(&self, table: Table, first: u64, count: u64) -> Result<Option<Vec<Cluster>>> {
        let (upper, lower) = (first / self.mapped(), first % self.mapped());
        let count = count.min(self.mapped() - lower);
        if upper >= table.entries {
            return Ok(None);
        }
        let entry = self.file.piece(table.at.saturating_add(upper * 8), 8)?;
        let at = be64(&entry, 0).unwrap_or(0) & OFFSET;
        if at == 0 {
            return Ok(None);
        }
        let bytes =
            self.file.piece(at.saturating_add(lower * self.entry), usize::try_from(count * self.entry).unwrap_or(0))?;
        let entries = bytes.chunks_exact(usize::try_from(self.entry).unwrap_or(8));
        Ok(Some(entries.map(|entry| self.cluster(entry)).collect()))
    }

    fn cluster(&self, entry: &[u8]) -> Cluster {
        let entry = be64(entry, 0).unwrap_or(0);
        if entry & COMPRESSED != 0 {
            let split = 62 - (self.cluster_bits - 8);
            let at = entry & ((1 << split) - 1);
            let sectors = (entry & (COMPRESSED - 1)) >> split;
            let size = (sectors + 1) * 512 - (at & 511);
            return Cluster::Packed { at, size: usize::try_from(size).unwrap_or(0) };
        }
        match entry & OFFSET {
            _ if self.entry == 8 && entry & ZEROS != 0 => Cluster::Zeros,
            0 => Cluster::Nowhere,
            at => Cluster::At(at),
        }
    }

    /// A compressed cluster, unpacked.
    fn unpacked(&self, at: u64, size: usize) -> Result<Vec<u8>> {
        let mut packed = vec![0; size];
        // The last sector of a file may be cut.
        let mut read = 0;
        while read < size {
            match self.file.read_at(&mut packed[read..], at + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        let packed = &packed[..read];
        let mut bytes = Vec::new();
        let limit = self.cluster_size();
        if self.is_zstd {
            Zstd::new(packed, 64 << 20)?.take(limit).read_to_end(&mut bytes)?;
        } else {
            flate2::read::DeflateDecoder::new(packed).take(limit).read_to_end(&mut bytes)?;
        }
        bytes.resize(usize::try_from(limit).unwrap_or(0), 0);
        Ok(bytes)
    }
}

impl ReadAt for View {
    /// All that the table may map: behind a disk's end, a snapshot keeps the memory of the machine.
    fn length(&self) -> u64 {
        let mapped = self.image.mapped() * self.image.cluster_size();
        self.table.entries.saturating_mul(mapped)
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        if offset >= self.length() || out.is_empty() {
            return Ok(0);
        }
        let size = self.image.cluster_size();
        let (first, mut within) = (offset / size, offset % size);
        let wanted = (within + out.len() as u64).div_ceil(size);
        let mut read = 0;
        let mapped = wanted.min(self.image.mapped() - first % self.image.mapped());
        let clusters = self.image.clusters(self.table, first, mapped)?;
        let nowhere = || vec![Cluster::Nowhere; usize::try_from(mapped).unwrap_or(0)];
        for (index, cluster) in clusters.unwrap_or_else(nowhere).into_iter().enumerate() {
            let here = usize::try_from(size - within).unwrap_or(usize::MAX).min(out.len() - read);
            let piece = &mut out[read..read + here];
            match cluster {
                Cluster::Zeros => piece.fill(0),
                Cluster::Nowhere => {
                    let at = (first + index as u64) * size + within;
                    match &self.backing {
                        Some(backing) if at < backing.length() => {
                            let there = usize::try_from(backing.length() - at).unwrap_or(usize::MAX).min(here);
                            backing.read_exact_at(&mut piece[..there], at)?;
                            piece[there..].fill(0);
                        }
                        _ => piece.fill(0),
                    }
                }
                Cluster::At(at) if at >= self.image.file.length() => return Err(ErrorKind::UnexpectedEof.into()),
                Cluster::At(at) => self.image.file.read_padded_at(piece, at + within)?,
                Cluster::Packed { at, size } => {
                    let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                    if last.as_ref().is_none_or(|(known, _)| *known != at) {
                        *last = Some((at, self.image.unpacked(at, size)?));
                    }
                    let bytes = last.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
                    let within = usize::try_from(within).unwrap_or(0);
                    piece.copy_from_slice(bytes.get(within..within + here).unwrap_or_default());
                }
            }
            read += here;
            within = 0;
        }
        Ok(read)
    }
}

impl Disk for View {
    fn data(&self, from: u64) -> Result<Option<Range<u64>>> {
        let size = self.image.cluster_size();
        let mut at = from / size;
        let end = self.length() / size;
        let mut start = None;
        // What the image below holds next.
        let mut below = 0..0;
        while at < end {
            let clusters = self.image.clusters(self.table, at, end - at)?;
            let Some(clusters) = clusters else {
                let next = (at / self.image.mapped() + 1) * self.image.mapped();
                self.below(at * size, &mut below)?;
                if below.start >= next * size {
                    if let Some(start) = start {
                        return Ok(Some(start..at * size));
                    }
                } else {
                    // In a stretch that no table maps, all that is below counts.
                    let begin = start.unwrap_or_else(|| below.start.max(from));
                    return Ok(Some(begin..below.end.min(next * size).max(begin)));
                }
                at = next;
                continue;
            };
            let shared = match self.now {
                Some(now) => self.image.clusters(now, at, clusters.len() as u64)?.unwrap_or_default(),
                None => Vec::new(),
            };
            for (index, cluster) in clusters.iter().enumerate() {
                let here = (at + index as u64) * size;
                let holds = match cluster {
                    Cluster::Zeros => false,
                    Cluster::At(_) | Cluster::Packed { .. } => shared.get(index) != Some(cluster),
                    Cluster::Nowhere => {
                        self.below(here, &mut below)?;
                        below.start < here + size
                    }
                };
                match (holds, start) {
                    (true, None) => start = Some(here.max(from)),
                    (false, Some(start)) => return Ok(Some(start..here)),
                    (true, Some(_)) | (false, None) => {}
                }
                if holds {
                    self.count(*cluster)?;
                }
            }
            at += clusters.len().max(1) as u64;
        }
        Ok(start.map(|start| start..end * size))
    }
}

impl View {
    fn new(image: Arc<Image>, table: Table, now: Option<Table>, backing: Option<Box<dyn Disk>>) -> Self {
        Self { image, table, now, backing, last: Mutex::default(), used: AtomicU64::new(0), packed: AtomicU64::new(0) }
    }

    /// Sets `range` to what the image below holds at or behind a place.
    fn below(&self, at: u64, range: &mut Range<u64>) -> Result<()> {
        if at >= range.end {
            let found = match &self.backing {
                Some(backing) => backing.data(at)?,
                None => None,
            };
            *range = found.unwrap_or(u64::MAX..u64::MAX);
        }
        Ok(())
    }

    /// Counts what the tables point to: a small file that claims to be a huge disk points to the same clusters again and again.
    fn count(&self, cluster: Cluster) -> Result<()> {
        let size = self.image.cluster_size();
        let (counter, limit) = match cluster {
            Cluster::At(_) => (&self.used, self.image.file.length().saturating_add(size)),
            Cluster::Packed { .. } => (&self.packed, self.image.most),
            Cluster::Nowhere | Cluster::Zeros => return Ok(()),
        };
        if counter.fetch_add(size, Ordering::Relaxed) < limit {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidData,
            match cluster {
                Cluster::Packed { .. } => format!("it unpacks to more than {limit} bytes: --max-unpacked-total"),
                _ => "its tables use clusters twice".to_owned(),
            },
        ))
    }
}
