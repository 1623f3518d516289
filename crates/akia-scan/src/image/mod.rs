//! Disk images: every block, whatever partitions and file systems say of it, so that deleted files are seen too.
//!
//! Where an ext2, ext3, ext4 or xfs file system is readable, a key is told by the file that holds it, and compressed files and databases
//! in there are opened. What a file system keeps compressed or encrypted by itself is not seen.

mod descriptor;
mod ext4;
mod file_system;
mod names;
mod open;
mod partitions;
mod qcow2;
mod raw;
mod vmdk;
mod xfs;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use akia_core::leak::{Part, Place, Sighting, Why};

use crate::Scan;
use crate::file::{self, Links};
use crate::read_at::ReadAt;
use crate::walk::Walk;
use crate::windows::{OVERLAP, Windows};

/// How much of a disk a thread takes at once.
const CHUNK: u64 = 16 << 20;

/// A disk: what it reads as, and where it holds something.
pub trait Disk: ReadAt + Sync {
    /// The first range at or behind `from` that holds something; what lies between are zeros. None where nothing follows.
    fn data(&self, from: u64) -> std::io::Result<Option<Range<u64>>>;
}

/// Looks at a disk image: raw, qcow2 or vmdk.
pub fn scan(scan: &Scan, path: &Path) {
    let source = path.to_string_lossy();
    let place = place(&source);
    let walk = Walk::new(scan);
    match open::open(&walk, &place, path) {
        Ok(open::Opened::Packed(mut file)) => walk.stream(&place, &mut file, 0),
        Ok(open::Opened::Plain(disk)) => _ = disk_scan(scan, &place, &disk),
        Ok(open::Opened::Mapped(disks)) => {
            let scanned = |(name, disk): &(String, Box<dyn Disk>)| {
                disk_scan(scan, &Place { path: name.clone(), ..place.clone() }, disk.as_ref())
            };
            // Not `all`, which would end at the first.
            if disks.iter().filter(|disk| !scanned(disk)).count() > 0 && !scan.limits.is_over() {
                in_order_of_the_file(&walk, &place, path);
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            walk.skip(&place, Why::Missing, error.to_string());
        }
        Err(error) => {
            walk.failed(&place, &error);
            in_order_of_the_file(&walk, &place, path);
        }
    }
    walk.finish();
}

/// Of an image that is damaged, the blocks that its tables no longer tell are still in the file.
fn in_order_of_the_file(walk: &Walk<'_>, place: &Place, path: &Path) {
    let place = Place { path: "(in the order of the file)".to_owned(), ..place.clone() };
    match file::open(path, Links::Follow).and_then(raw::Raw::new) {
        Ok(raw) => {
            for sighting in blocks(walk.scan(), &place, &raw).0 {
                walk.scan().ledger.found(sighting);
            }
        }
        Err(error) => walk.failed(&place, &error),
    }
}

/// Looks at a disk that something else than a file holds; `source` names it.
pub fn scan_disk(scan: &Scan, source: &str, disk: &dyn Disk) {
    let _ = disk_scan(scan, &place(source), disk);
}

fn place(source: &str) -> Place {
    Place { source: source.to_owned(), path: String::new(), part: Part::Block, line: None, offset: None, git: None }
}

/// Gives whether no block was left out.
fn disk_scan(scan: &Scan, place: &Place, disk: &dyn Disk) -> bool {
    let (mut sightings, whole) = blocks(scan, place, disk);
    sightings.sort_by_key(|sighting| sighting.place.offset);
    let walk = Walk::new(scan);
    names::tell(&walk, place, disk, &mut sightings);
    walk.finish();
    for sighting in sightings {
        scan.ledger.found(sighting);
    }
    whole
}

/// Every block, by all threads; and whether none was left out.
fn blocks(scan: &Scan, place: &Place, disk: &dyn Disk) -> (Vec<Sighting>, bool) {
    let whole = AtomicBool::new(true);
    let next = Mutex::new(Next { at: 0, range: 0..0, over: false });
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..scan.limits.threads.max(1) {
            scope.spawn(|| {
                let walk = Walk::new(scan);
                loop {
                    let chunk = next.lock().unwrap_or_else(PoisonError::into_inner).chunk(disk);
                    match chunk {
                        Ok(None) => break,
                        Ok(Some((range, chunk))) => {
                            let from = chunk.start;
                            let looked = look(&walk, place, disk, &range, chunk).and_then(|()| walk.meter().check());
                            if let Err(error) = looked {
                                whole.store(false, Ordering::Relaxed);
                                walk.failed(&Place { path: format!("from byte {from}"), ..place.clone() }, &error);
                            }
                            if walk.meter().stop().is_some() {
                                next.lock().unwrap_or_else(PoisonError::into_inner).over = true;
                            }
                        }
                        Err(error) => {
                            whole.store(false, Ordering::Relaxed);
                            walk.failed(place, &error);
                        }
                    }
                }
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(walk.take());
                walk.finish();
            });
        }
    });
    (found.into_inner().unwrap_or_else(PoisonError::into_inner), whole.into_inner())
}

/// What no thread has taken yet.
struct Next {
    at: u64,
    range: Range<u64>,
    over: bool,
}

impl Next {
    /// The range that holds something, and the part of it to look at.
    fn chunk(&mut self, disk: &dyn Disk) -> std::io::Result<Option<(Range<u64>, Range<u64>)>> {
        if self.over {
            return Ok(None);
        }
        if self.at >= self.range.end {
            match disk.data(self.at) {
                Ok(Some(range)) if range.end > self.at && range.start < range.end => {
                    self.at = range.start.max(self.at);
                    self.range = range;
                }
                Ok(_) => {
                    self.over = true;
                    return Ok(None);
                }
                Err(error) => {
                    self.over = true;
                    return Err(error);
                }
            }
        }
        let end = self.range.end.min(self.at + CHUNK);
        let chunk = self.at..end;
        self.at = end;
        Ok(Some((self.range.clone(), chunk)))
    }
}

/// Looks at a chunk, with enough of what lies around it within its range.
fn look(walk: &Walk<'_>, place: &Place, disk: &dyn Disk, range: &Range<u64>, chunk: Range<u64>) -> std::io::Result<()> {
    let overlap = OVERLAP as u64;
    let begin = chunk.start.saturating_sub(overlap).max(range.start);
    let end = (chunk.end + overlap).min(range.end);
    let mut windows = Windows::part(walk, place, begin, chunk);
    let mut reader = Piece { disk, at: begin, end };
    let result = loop {
        match walk.meter().check().and_then(|()| windows.read(&mut reader)) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    windows.finish();
    walk.count_object();
    result
}

struct Piece<'d> {
    disk: &'d dyn Disk,
    at: u64,
    end: u64,
}

impl std::io::Read for Piece<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = usize::try_from(self.end - self.at).map_or(out.len(), |left| left.min(out.len()));
        let read = self.disk.read_at(&mut out[..count], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
