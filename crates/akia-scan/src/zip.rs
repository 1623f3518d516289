//! Zip archives, as a stream: from one local header to the next. So they need no seeking and no memory, may be cut off, may
//! have something before them, and members that the central directory no longer names are seen.
//!
//! A reader of our own: the `zip` crate needs a whole file to seek in, keeps the directory in memory, and opens nothing that is cut.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

use akia_core::leak::{Place, Why};
use flate2::Crc;
use memchr::memmem;

use crate::frames;
use crate::lookahead::Lookahead;
use crate::numbers::{le16, le32, le64};
use crate::walk::{Walk, member};
use crate::windows::Windows;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// Looks at every member.
pub(crate) fn scan<R: Read>(walk: &Walk<'_>, place: &Place, reader: &mut Lookahead<R>, depth: u32) {
    let mut raw = Windows::raw(walk, place, 0);
    let mut archive = Archive { walk, place, reader, depth, members: 0, named: 0, ended: false };
    let end = archive.records(&mut raw);
    let Archive { members, named, ended, .. } = archive;
    raw.finish();
    match end {
        Err(error) => walk.failed(place, &error),
        Ok(()) if !ended => walk.skip(place, Why::Corrupt, "it has no central directory: it was cut off"),
        Ok(()) if named > members => {
            walk.skip(place, Why::Corrupt, format!("{} members of its directory were not found", named - members));
        }
        Ok(()) => {}
    }
}

struct Archive<'a, 's, R> {
    walk: &'a Walk<'s>,
    place: &'a Place,
    reader: &'a mut Lookahead<R>,
    depth: u32,
    members: u64,
    named: u64,
    ended: bool,
}

impl<R: Read> Archive<'_, '_, R> {
    fn records(&mut self, raw: &mut Windows<'_, '_>) -> Result<()> {
        loop {
            self.walk.meter().check()?;
            raw.jump(self.reader.position());
            let ahead = self.reader.peek(30)?;
            if ahead.is_empty() {
                return Ok(());
            }
            if let Some(local) = Local::read(ahead) {
                self.members += 1;
                self.local(&local)?;
            } else if ahead.starts_with(CENTRAL) {
                self.named += 1;
                self.central()?;
            } else if ahead.starts_with(END) {
                self.ended = true;
                self.end()?;
            } else {
                self.gap(raw)?;
            }
        }
    }

    /// A member.
    fn local(&mut self, local: &Local) -> Result<()> {
        self.reader.skip(30)?;
        let name = self.take(local.name)?;
        let extra = self.take(local.extra)?;
        let place = member(self.place, &name);
        self.walk.name(&place, &name);
        self.walk.short(&place, &extra, true);
        let (packed, unpacked) = local.sizes(&extra);
        // A size of zero beside the flag means: it stands behind the content.
        let open = local.flags & 8 != 0 && packed == 0;
        if local.flags & 1 != 0 {
            self.walk.skip(&place, Why::Encrypted, "the member of the archive is encrypted");
            if !open {
                self.reader.skip(packed)?;
            }
            return Ok(());
        }
        let start = self.reader.position();
        let whole = self.content(&place, local.method, if open { None } else { Some(packed) })?;
        if !open {
            let left = (start + packed).saturating_sub(self.reader.position());
            if self.reader.skip(left)? < left {
                self.walk.skip(&place, Why::Corrupt, format!("it ends {left} bytes too early"));
                return Ok(());
            }
        }
        let Some(sum) = whole.filter(|_| self.walk.meter().stop().is_none()) else { return Ok(()) };
        let expected = if local.flags & 8 == 0 {
            Some(local.checksum)
        } else {
            let behind = self.reader.peek(16)?;
            le32(behind, 4).filter(|_| behind.starts_with(DESCRIPTOR))
        };
        if expected.is_some_and(|expected| expected != sum.sum())
            || unpacked.is_some_and(|size| size as u32 != sum.amount())
        {
            self.walk.skip(&place, Why::Corrupt, "its checksum is wrong; it was scanned as it is");
        }
        Ok(())
    }

    /// What a member holds. Gives its checksum, if it was read to its end.
    fn content(&mut self, place: &Place, method: u16, packed: Option<u64>) -> Result<Option<Crc>> {
        let walk = self.walk;
        let mut sum = Crc::new();
        let content: Box<dyn Read + '_> = match (method, packed) {
            (0, Some(packed)) => Box::new(self.reader.by_ref().take(packed)),
            (0, None) => Box::new(UntilDescriptor { inner: &mut *self.reader, taken: 0, ended: false }),
            (99, _) => {
                walk.skip(place, Why::Encrypted, "the member of the archive is encrypted");
                return Ok(None);
            }
            (method, packed) => {
                let source = Box::new(self.reader.by_ref().take(packed.unwrap_or(u64::MAX)));
                match frames::method(method, source, walk.scan().limits.unpacked_bytes) {
                    Ok(Some(content)) => Box::new(walk.meter().read(content)),
                    Ok(None) => {
                        walk.skip(place, Why::Unsupported, format!("akia does not unpack method {method} of zip"));
                        return Ok(None);
                    }
                    Err(error) => {
                        walk.failed(place, &error);
                        return Ok(None);
                    }
                }
            }
        };
        let mut content = Summed { inner: content, sum: &mut sum, failed: false };
        walk.stream(place, &mut content, self.depth + 1);
        let failed = content.failed;
        drop(content);
        Ok(if failed { None } else { Some(sum) })
    }

    /// A header of the central directory: it names a member again, and may have a comment.
    fn central(&mut self) -> Result<()> {
        let header = self.reader.peek(46)?;
        let (Some(name), Some(extra), Some(comment)) = (le16(header, 28), le16(header, 30), le16(header, 32)) else {
            self.reader.skip(46)?;
            return Ok(());
        };
        self.reader.skip(46)?;
        for length in [name, extra, comment] {
            let text = self.take(length)?;
            self.walk.short(self.place, &text, true);
        }
        Ok(())
    }

    /// The end, and the comment of the archive. What follows is looked at as well.
    fn end(&mut self) -> Result<()> {
        let comment = le16(self.reader.peek(22)?, 20).unwrap_or(0);
        self.reader.skip(22)?;
        let comment = self.take(comment)?;
        self.walk.short(self.place, &comment, true);
        Ok(())
    }

    /// Bytes that are no record, up to what may be one.
    fn gap(&mut self, raw: &mut Windows<'_, '_>) -> Result<()> {
        let ahead = self.reader.peek(Lookahead::<R>::FAR)?;
        let next = memmem::find_iter(ahead.get(1..).unwrap_or_default(), b"PK")
            .map(|at| at + 1)
            .find(|at| {
                let here = &ahead[*at..];
                here.len() < 30 || here.starts_with(CENTRAL) || here.starts_with(END) || Local::read(here).is_some()
            })
            .unwrap_or(ahead.len());
        raw.feed(&ahead[..next]);
        self.reader.skip(next as u64)?;
        Ok(())
    }

    fn take(&mut self, count: u16) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(u64::from(count)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A local header: APPNOTE 4.3.7.
struct Local {
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u32,
    unpacked: u32,
    name: u16,
    extra: u16,
}

impl Local {
    fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(LOCAL) {
            return None;
        }
        Some(Self {
            flags: le16(bytes, 6)?,
            method: le16(bytes, 8)?,
            checksum: le32(bytes, 14)?,
            packed: le32(bytes, 18)?,
            unpacked: le32(bytes, 22)?,
            name: le16(bytes, 26)?,
            extra: le16(bytes, 28)?,
        })
    }

    /// How long the content is, packed and unpacked; the extra field says what 32 bits do not hold. Where the sizes stand behind
    /// the content, the unpacked one is none.
    fn sizes(&self, extra: &[u8]) -> (u64, Option<u64>) {
        let (mut packed, mut unpacked) = (u64::from(self.packed), u64::from(self.unpacked));
        let mut rest = extra;
        while let (Some(id), Some(length)) = (le16(rest, 0), le16(rest, 2)) {
            let field = rest.get(4..4 + usize::from(length)).unwrap_or_default();
            if id == 1 {
                let mut at = 0;
                if self.unpacked == u32::MAX {
                    unpacked = le64(field, at).unwrap_or(unpacked);
                    at += 8;
                }
                if self.packed == u32::MAX {
                    packed = le64(field, at).unwrap_or(packed);
                }
            }
            rest = rest.get(4 + usize::from(length)..).unwrap_or_default();
        }
        (packed, (self.flags & 8 == 0).then_some(unpacked))
    }
}

/// Sums up what is read.
struct Summed<'c, R> {
    inner: R,
    sum: &'c mut Crc,
    failed: bool,
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(out).inspect_err(|_| self.failed = true)?;
        self.sum.update(&out[..read]);
        Ok(read)
    }
}

/// A stored content of unknown length: it ends at the descriptor that tells its length.
struct UntilDescriptor<'r, R> {
    inner: &'r mut Lookahead<R>,
    taken: u64,
    ended: bool,
}

impl<R: Read> Read for UntilDescriptor<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        let ahead = self.inner.peek(4096)?;
        if ahead.is_empty() {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the end of the member is not marked"));
        }
        let ends = |at: usize, taken: u64| {
            let size = taken + at as u64;
            le32(ahead, at + 8).map(u64::from) == Some(size) || le64(ahead, at + 8) == Some(size)
        };
        let mut count = ahead.len().min(out.len());
        if let Some(at) = memmem::find(ahead, DESCRIPTOR) {
            if at == 0 && ends(0, self.taken) {
                self.ended = true;
                return Ok(0);
            }
            // A mark that is none is content: it is passed over by one byte.
            count = count.min(at.max(1));
        } else if ahead.len() >= 4096 {
            // A mark may begin in the last three bytes.
            count = count.min(ahead.len() - 3);
        }
        out[..count].copy_from_slice(&ahead[..count]);
        self.inner.consume(count);
        self.taken += count as u64;
        Ok(count)
    }
}
