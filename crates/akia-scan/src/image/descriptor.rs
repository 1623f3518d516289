//! The text that names the extents of a VMware disk, which stand in files beside it.

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::path::Path;

use akia_core::leak::{Place, Why};

use super::Disk;
use super::open::beside;
use super::raw::Raw;
use crate::file::{self, Links};
use crate::read_at::ReadAt;
use crate::walk::Walk;

pub(super) const MAGIC: &[u8] = b"# Disk DescriptorFile";

/// The longest descriptor; real ones have a few lines.
const LONGEST: u64 = 1 << 20;

/// Disks one behind the other.
pub(super) struct Extents(Vec<(Range<u64>, Box<dyn Disk>)>);

/// Opens what a descriptor names. An extent that is missing is told, and reads as zeros.
pub(super) fn open(walk: &Walk<'_>, place: &Place, path: &Path, descriptor: &Raw, depth: u32) -> Result<Extents> {
    if descriptor.length() > LONGEST {
        return Err(Error::new(ErrorKind::InvalidData, "a descriptor of more than a megabyte"));
    }
    let text = descriptor.piece(0, usize::try_from(descriptor.length()).unwrap_or(0))?;
    let text = String::from_utf8_lossy(&text);
    let mut extents = Vec::new();
    let mut at: u64 = 0;
    for line in text.lines().map(str::trim) {
        if let Some(parent) = line.strip_prefix("parentFileNameHint=") {
            let detail = format!("it stands on {}: scan that as well", parent.trim_matches('"'));
            walk.skip(place, Why::Missing, detail);
        }
        let Some((sectors, kind, name, offset)) = extent(line) else { continue };
        let length = sectors.saturating_mul(512);
        let range = at..at.saturating_add(length);
        at = range.end;
        match kind {
            "ZERO" => {}
            "FLAT" | "VMFS" => match flat(path, name, offset.saturating_mul(512), length) {
                Ok(disk) => extents.push((range, Box::new(disk) as Box<dyn Disk>)),
                Err(error) => walk.skip(place, Why::Missing, format!("its extent {name}: {error}")),
            },
            "SPARSE" => {
                extents.extend(beside(walk, place, path, name.as_bytes(), depth).map(|disk| (range, disk)));
            }
            kind => walk.skip(place, Why::Unsupported, format!("its extent {name} is {kind}")),
        }
    }
    Ok(Extents(extents))
}

fn flat(path: &Path, name: &str, start: u64, length: u64) -> Result<Raw> {
    let short = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let file = file::open(&path.with_file_name(short), Links::Leave)?;
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    Raw::part(file, start, length)
}

/// `RW 4192256 FLAT "disk-flat.vmdk" 0`
fn extent(line: &str) -> Option<(u64, &str, &str, u64)> {
    let rest = ["RW ", "RDONLY ", "NOACCESS "].iter().find_map(|access| line.strip_prefix(access))?;
    let (sectors, rest) = rest.trim_start().split_once(' ')?;
    let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut quoted = rest.split('"');
    let (_, name) = (quoted.next(), quoted.next().unwrap_or_default());
    let offset = quoted.next().and_then(|offset| offset.trim().parse().ok()).unwrap_or(0);
    Some((sectors.parse().ok()?, kind, name, offset))
}

impl ReadAt for Extents {
    fn length(&self) -> u64 {
        self.0.last().map_or(0, |(range, _)| range.end)
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        if offset >= self.length() || out.is_empty() {
            return Ok(0);
        }
        let count = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        let next = self.0.iter().find(|(range, _)| range.end > offset);
        match next {
            Some((range, disk)) if range.contains(&offset) => {
                let count = count(range.end - offset);
                match disk.read_at(&mut out[..count], offset - range.start)? {
                    0 => {
                        // The extent is shorter than it is said to be.
                        out[..count].fill(0);
                        Ok(count)
                    }
                    read => Ok(read),
                }
            }
            Some((range, _)) => {
                let count = count(range.start - offset);
                out[..count].fill(0);
                Ok(count)
            }
            None => Ok(0),
        }
    }
}

impl Disk for Extents {
    fn data(&self, from: u64) -> Result<Option<Range<u64>>> {
        for (range, disk) in &self.0 {
            if range.end <= from {
                continue;
            }
            if let Some(data) = disk.data(from.saturating_sub(range.start))? {
                let start = range.start + data.start;
                let end = (range.start + data.end).min(range.end);
                if start < end {
                    return Ok(Some(start..end));
                }
            }
        }
        Ok(None)
    }
}
