//! Tar archives, as a stream: ustar, GNU and pax. What is broken in one is told and scanned as it is, and reading goes on at the
//! next header.
//!
//! A reader of our own: the `tar` crate reads long names of any size into memory and ends at the first broken header.

use std::io::{Read, Result};

use akia_core::leak::{Place, Why};

use crate::lookahead::Lookahead;
use crate::walk::{Walk, member};
use crate::windows::Windows;

const BLOCK: usize = 512;

/// The longest name, and the longest pax header: longer ones are scanned and name nothing.
const LONGEST: u64 = 1 << 20;

/// Looks at every member.
pub(crate) fn scan<R: Read>(walk: &Walk<'_>, place: &Place, reader: &mut Lookahead<R>, depth: u32) {
    let each = |member: Member<'_>, content: &mut dyn Read| {
        walk.name(&member.place, member.name);
        if !member.link.is_empty() {
            walk.name(&member.place, member.link);
        }
        if member.has_content {
            walk.stream(&member.place, content, depth + 1);
        }
    };
    if let Err(error) = members(walk, place, reader, each) {
        walk.failed(place, &error);
    }
}

/// What a header says of a member.
pub(crate) struct Member<'a> {
    /// Where it stands.
    pub(crate) place: Place,
    /// Its name.
    pub(crate) name: &'a [u8],
    /// What it links to, if it is a link.
    pub(crate) link: &'a [u8],
    /// Whether it is a file that holds something.
    pub(crate) has_content: bool,
}

/// Calls for every member. What `each` leaves of a content is dropped; all else is scanned here.
pub(crate) fn members<R: Read>(
    walk: &Walk<'_>,
    place: &Place,
    reader: &mut Lookahead<R>,
    mut each: impl FnMut(Member<'_>, &mut dyn Read),
) -> Result<()> {
    let mut raw = Windows::raw(walk, place, 0);
    let end = every(walk, place, reader, &mut raw, &mut each);
    raw.finish();
    end
}

fn every<R: Read>(
    walk: &Walk<'_>,
    place: &Place,
    reader: &mut Lookahead<R>,
    raw: &mut Windows<'_, '_>,
    each: &mut impl FnMut(Member<'_>, &mut dyn Read),
) -> Result<()> {
    let mut told_broken = false;
    let mut told = Told::default();
    loop {
        walk.meter().check()?;
        raw.jump(reader.position());
        let block = reader.peek(BLOCK)?;
        let Some(block) = block.get(..BLOCK) else {
            if block.iter().any(|byte| *byte != 0) {
                walk.skip(place, Why::Corrupt, "it ends within a header");
            }
            while raw.read(reader)? > 0 {}
            return Ok(());
        };
        raw.feed(block);
        // The end is two blocks of zeros; archives are also appended behind it.
        let header = if block.iter().all(|byte| *byte == 0) { None } else { Header::read(block) };
        if header.is_none() && !told_broken && block.iter().any(|byte| *byte != 0) {
            told_broken = true;
            walk.skip(place, Why::Corrupt, format!("no header of a member at byte {}", reader.position()));
        }
        reader.skip(BLOCK as u64)?;
        let Some(header) = header else { continue };
        let size = told.size.take().filter(|_| header.kind.has_told_size()).unwrap_or(header.size);
        let padded = size.checked_next_multiple_of(BLOCK as u64).unwrap_or(size);
        match header.kind {
            Kind::LongName | Kind::LongLink | Kind::Pax => {
                let mut bytes = Vec::new();
                reader.by_ref().take(size.min(LONGEST)).read_to_end(&mut bytes)?;
                raw.feed(&bytes);
                if size > LONGEST {
                    walk.skip(place, Why::TooLarge, format!("a name of {size} bytes"));
                }
                let mut rest = reader.by_ref().take(padded - bytes.len() as u64);
                while raw.read(&mut rest)? > 0 {}
                told.hear(header.kind, &bytes);
                continue;
            }
            Kind::Sparse => {
                // What follows the map in the header: more of it, 512 bytes each, while the last byte but seven says so.
                let mut more = header.extended;
                while more {
                    let block = reader.peek(BLOCK)?;
                    raw.feed(block.get(..BLOCK).unwrap_or(block));
                    more = block.get(504).is_some_and(|byte| *byte != 0);
                    reader.skip(BLOCK as u64)?;
                }
            }
            Kind::File | Kind::Other => {}
        }
        let heard = std::mem::take(&mut told);
        let name = heard.name.unwrap_or(header.name);
        let link = heard.link.unwrap_or(header.link);
        let mut content = reader.by_ref().take(size);
        let has_content = size > 0;
        each(Member { place: member(place, &name), name: &name, link: &link, has_content }, &mut content);
        let left = content.limit();
        if reader.skip(left)? < left {
            walk.skip(&member(place, &name), Why::Corrupt, format!("it ends {left} bytes too early"));
        }
        reader.skip(padded - size)?;
    }
}

/// What headers before a member's own say of it.
#[derive(Default)]
struct Told {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Told {
    fn hear(&mut self, kind: Kind, bytes: &[u8]) {
        let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        match kind {
            Kind::LongName => self.name = bytes.get(..end).map(<[u8]>::to_vec),
            Kind::LongLink => self.link = bytes.get(..end).map(<[u8]>::to_vec),
            Kind::Pax => self.hear_pax(bytes),
            Kind::Sparse | Kind::File | Kind::Other => {}
        }
    }

    /// Records of the form `LENGTH KEY=VALUE\n`, where the length counts the whole record.
    fn hear_pax(&mut self, mut bytes: &[u8]) {
        while let Some(space) = memchr::memchr(b' ', bytes) {
            let length = std::str::from_utf8(&bytes[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some(record) = length.and_then(|length| bytes.get(space + 1..length)) else { return };
            let Some(length) = length else { return };
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(equals) = memchr::memchr(b'=', record) {
                let (key, value) = (&record[..equals], &record[equals + 1..]);
                match key {
                    b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
                    b"linkpath" => self.link = Some(value.to_vec()),
                    b"size" => {
                        self.size = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                    }
                    _ => {}
                }
            }
            bytes = &bytes[length..];
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    LongName,
    LongLink,
    Pax,
    Sparse,
    Other,
}

impl Kind {
    fn has_told_size(self) -> bool {
        matches!(self, Self::File | Self::Sparse | Self::Other)
    }
}

struct Header {
    kind: Kind,
    size: u64,
    name: Vec<u8>,
    link: Vec<u8>,
    extended: bool,
}

impl Header {
    fn read(block: &[u8]) -> Option<Self> {
        if !is_header(block) {
            return None;
        }
        let kind = match block.get(156)? {
            b'0' | b'\0' | b'7' => Kind::File,
            b'L' => Kind::LongName,
            b'K' => Kind::LongLink,
            b'x' | b'g' | b'X' => Kind::Pax,
            b'S' => Kind::Sparse,
            _ => Kind::Other,
        };
        // Links, folders and devices hold nothing, whatever their size says.
        let size = match block.get(156)? {
            b'1'..=b'6' => 0,
            _ => number(block.get(124..136)?)?,
        };
        let mut name = text(block.get(..100)?).to_vec();
        if block.get(257..263)? == b"ustar\0" {
            let prefix = text(block.get(345..500)?);
            if !prefix.is_empty() {
                name = [prefix, b"/", &name].concat();
            }
        }
        let extended = kind == Kind::Sparse && block.get(482)? != &0;
        Some(Self { kind, size, name, link: text(block.get(157..257)?).to_vec(), extended })
    }
}

/// Whether a block is the header of a member: its checksum is right.
pub(crate) fn is_header(block: &[u8]) -> bool {
    let Some(block) = block.get(..BLOCK) else { return false };
    let Some(expected) = block.get(148..156).and_then(number) else { return false };
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let field: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
    // The sum takes its own field for eight spaces.
    block[0] != 0 && sum - field + 8 * 32 == expected
}

/// A number in octal digits, or in base 256 where its first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (head, digits) = field.split_first()?;
        return digits.iter().try_fold(u64::from(head & 0x7f), |sum, byte| {
            sum.checked_mul(256).and_then(|sum| sum.checked_add(u64::from(*byte)))
        });
    }
    let digits = field.split(|byte| matches!(byte, 0 | b' ')).find(|digits| !digits.is_empty())?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

fn text(field: &[u8]) -> &[u8] {
    field.get(..memchr::memchr(0, field).unwrap_or(field.len())).unwrap_or_default()
}
