//! Which format an image has, and what it stands on.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Seek};
use std::path::Path;

use akia_core::leak::{Place, Why};

use super::raw::Raw;
use super::{Disk, descriptor, qcow2, vmdk};
use crate::file::{self, Links};
use crate::form::Form;
use crate::read_at::ReadAt;
use crate::walk::Walk;

/// What an image turned out to be.
pub(super) enum Opened {
    /// A disk as it is.
    Plain(Raw),
    /// Disks that tables map, by their name: the image itself has none, its snapshots have.
    Mapped(Vec<(String, Box<dyn Disk>)>),
    /// A compressed image, which is read as a stream.
    Packed(File),
}

/// Formats of disks that akia does not read. Their blocks stand in the file as they are, in another order.
const UNSUPPORTED: [(&[u8], usize, &str); 3] =
    [(b"\x7f\x10\xda\xbe", 64, "VDI"), (b"conectix", 0, "VHD"), (b"vhdxfile", 0, "VHDX")];

/// Opens an image that a person named.
pub(super) fn open(walk: &Walk<'_>, place: &Place, path: &Path) -> Result<Opened> {
    let mut file = file::open(path, Links::Follow)?;
    let raw = Raw::new(file.try_clone()?)?;
    let head = head(&raw)?;
    if Form::of(&head) != Form::Plain {
        file.rewind()?;
        return Ok(Opened::Packed(file));
    }
    if head.starts_with(qcow2::MAGIC) {
        return qcow2::open(walk, place, path, raw, 0).map(Opened::Mapped);
    }
    for (magic, at, name) in UNSUPPORTED {
        if head.get(at..).is_some_and(|head| head.starts_with(magic)) {
            let detail = format!(
                "akia does not read {name}; the blocks were scanned in the order of the file: convert it to raw"
            );
            walk.skip(place, Why::Unsupported, detail);
        }
    }
    if !head.starts_with(vmdk::MAGIC) && !head.starts_with(descriptor::MAGIC) {
        return Ok(Opened::Plain(raw));
    }
    Ok(Opened::Mapped(vec![(String::new(), simple(walk, place, path, raw, &head, 0)?)]))
}

/// Opens what another image stands on: the file of that name in the same folder, and no other, wherever the image says it is.
pub(super) fn beside(walk: &Walk<'_>, place: &Place, path: &Path, name: &[u8], depth: u32) -> Option<Box<dyn Disk>> {
    let named = String::from_utf8_lossy(name);
    let short = named.rsplit(['/', '\\', ':']).next().unwrap_or_default();
    let there = path.with_file_name(short);
    if depth >= walk.scan().limits.depth {
        walk.skip(place, Why::TooDeep, format!("{depth} images stand on each other: --max-depth"));
        return None;
    }
    let opened = if short.is_empty() || short == ".." || there == path {
        Err(Error::from(ErrorKind::NotFound))
    } else {
        stand(walk, place, &there, depth)
    };
    opened
        .inspect_err(|error| {
            walk.skip(place, Why::Missing, format!("it stands on {named}, which is not beside it: {error}"))
        })
        .ok()
}

fn stand(walk: &Walk<'_>, place: &Place, path: &Path, depth: u32) -> Result<Box<dyn Disk>> {
    let file = file::open(path, Links::Leave)?;
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let raw = Raw::new(file)?;
    let head = head(&raw)?;
    if head.starts_with(qcow2::MAGIC) {
        return Ok(Box::new(qcow2::active(walk, place, path, raw, depth + 1)?));
    }
    simple(walk, place, path, raw, &head, depth + 1)
}

/// A disk that is one view.
fn simple(walk: &Walk<'_>, place: &Place, path: &Path, raw: Raw, head: &[u8], depth: u32) -> Result<Box<dyn Disk>> {
    if head.starts_with(vmdk::MAGIC) {
        return Ok(Box::new(vmdk::Vmdk::new(walk, place, raw)?));
    }
    if head.starts_with(descriptor::MAGIC) {
        return Ok(Box::new(descriptor::open(walk, place, path, &raw, depth)?));
    }
    Ok(Box::new(raw))
}

fn head(raw: &Raw) -> Result<Vec<u8>> {
    raw.piece(0, usize::try_from(raw.length()).unwrap_or(usize::MAX).min(Form::HEAD))
}
