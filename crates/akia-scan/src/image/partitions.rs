//! Where the parts of a disk begin and end.

use std::ops::Range;

use super::Disk;
use crate::numbers::{le32, le64};

const SECTOR: u64 = 512;

/// The most partitions that are looked for.
const MOST: usize = 256;

/// Kinds of an MBR's entries that hold more entries, and the one that stands for a GPT.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const PROTECTIVE: u8 = 0xee;

/// The partitions of a disk by their number, and the whole disk as number 0, which may be a file system itself.
pub(super) fn partitions(disk: &dyn Disk) -> Vec<(usize, Range<u64>)> {
    let mut all = vec![(0, 0..disk.length())];
    let Ok(first) = disk.piece(0, 512) else { return all };
    let entries = entries(&first);
    if entries.iter().any(|entry| entry.kind == PROTECTIVE) {
        all.extend([512, 4096].iter().find_map(|sector| gpt(disk, *sector)).unwrap_or_default());
        return all;
    }
    for (index, entry) in entries.iter().enumerate() {
        if EXTENDED.contains(&entry.kind) {
            logical(disk, entry.start, &mut all);
        } else if entry.kind != 0 {
            all.push((index + 1, entry.range(0)));
        }
    }
    all
}

struct Entry {
    kind: u8,
    start: u64,
    sectors: u64,
}

impl Entry {
    fn range(&self, base: u64) -> Range<u64> {
        let start = (base + self.start) * SECTOR;
        start..start + self.sectors * SECTOR
    }
}

/// The four entries of a boot record; of what is none, nothing.
fn entries(sector: &[u8]) -> Vec<Entry> {
    if sector.get(510..512) != Some(&[0x55, 0xaa]) {
        return Vec::new();
    }
    let entry = |index: usize| {
        let entry = sector.get(446 + index * 16..)?;
        let number = |at: usize| le32(entry, at).map(u64::from);
        Some(Entry { kind: *entry.get(4)?, start: number(8)?, sectors: number(12)? })
    };
    (0..4).filter_map(entry).collect()
}

/// Each logical partition has a boot record of its own: itself, and the next one.
fn logical(disk: &dyn Disk, base: u64, all: &mut Vec<(usize, Range<u64>)>) {
    let mut record = 0;
    for number in 5..MOST {
        let Ok(sector) = disk.piece((base + record) * SECTOR, 512) else { return };
        let entries = entries(&sector);
        let Some(own) = entries.first().filter(|own| own.kind != 0) else { return };
        all.push((number, own.range(base + record)));
        match entries.get(1) {
            Some(next) if EXTENDED.contains(&next.kind) && next.start != 0 => record = next.start,
            _ => return,
        }
    }
}

fn gpt(disk: &dyn Disk, sector: u64) -> Option<Vec<(usize, Range<u64>)>> {
    let header = disk.piece(sector, 92).ok()?;
    if !header.starts_with(b"EFI PART") {
        return None;
    }
    let at = le64(&header, 72)?.checked_mul(sector)?;
    let count = usize::try_from(le32(&header, 80)?).ok()?.min(MOST);
    let size = usize::try_from(le32(&header, 84)?).ok().filter(|size| (128..=4096).contains(size))?;
    let mut all = Vec::new();
    for index in 0..count {
        let Ok(entry) = disk.piece(at.checked_add((index * size) as u64)?, size) else { break };
        let (first, last) = (le64(&entry, 32)?, le64(&entry, 40)?);
        if first > 0 && last >= first {
            let (Some(start), Some(end)) = (first.checked_mul(sector), last.saturating_add(1).checked_mul(sector))
            else {
                continue;
            };
            all.push((index + 1, start..end));
        }
    }
    Some(all)
}
