//! How large the pages of a column are, before anybody inflates them.
//!
//! The `parquet` crate takes pages as they come: a few bytes of a page may stand for gigabytes, and what a footer tells of sizes may be a
//! lie. Headers of pages are small and stand between them, so they are read first. Their form is Thrift's compact protocol:
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use std::io::Read;

use datafusion::parquet::basic::CompressionCodec;
use datafusion::parquet::file::metadata::ColumnChunkMetaData;

use super::Unreadable;

/// Memory that a value takes while it is read, whatever it holds: a null takes none in the file.
const OF_VALUE: u64 = 8;

/// What pages take when they are inflated.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    /// All together.
    pub(super) bytes: u64,
    /// The largest of them.
    pub(super) largest: u64,
}

/// Adds the pages of a column, up to `limit`.
pub(super) fn weigh(
    file: &[u8],
    column: &ColumnChunkMetaData,
    limit: usize,
    weight: &mut Weight,
) -> Result<(), Unreadable> {
    let codec = column.compression_codec();
    let is_gzip = match codec {
        CompressionCodec::UNCOMPRESSED
        | CompressionCodec::SNAPPY
        | CompressionCodec::ZSTD
        | CompressionCodec::LZ4_RAW => false,
        CompressionCodec::GZIP => true,
        // What these inflate to is not bounded by what a page says of itself, and Security Lake takes neither.
        CompressionCodec::BROTLI | CompressionCodec::LZ4 | CompressionCodec::LZO => {
            return Err(Unreadable::Codec(codec));
        }
    };
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let outside = || damaged("a column lies outside of the file");
    let (Ok(mut at), Ok(size)) = (usize::try_from(start), usize::try_from(column.compressed_size())) else {
        return Err(outside());
    };
    let end = at.checked_add(size).ok_or_else(outside)?;
    while at < end {
        let rest = file.get(at..end).ok_or_else(outside)?;
        let mut header = Thrift { bytes: rest, at: 0 };
        let page = header.page().ok_or_else(|| damaged("the header of a page is damaged"))?;
        let stored = rest.get(header.at..).and_then(|rest| rest.get(..page.stored));
        let stored = stored.ok_or_else(|| damaged("a page is cut off"))?;
        let size = page.size as u64;
        weight.bytes += size + page.values * OF_VALUE;
        weight.largest = weight.largest.max(size);
        if weight.bytes > limit as u64 {
            return Err(Unreadable::TooLarge { limit: limit >> 20 });
        }
        if is_gzip && page.is_compressed && inflates_to_more(stored.get(page.levels..).unwrap_or_default(), size) {
            return Err(damaged("a page is larger than it says"));
        }
        at += header.at + page.stored;
    }
    Ok(())
}

fn damaged(why: &str) -> Unreadable {
    Unreadable::Damaged(why.to_owned())
}

/// The crate inflates gzip to its end, whatever the header says. What is damaged otherwise, the crate tells.
fn inflates_to_more(page: &[u8], size: u64) -> bool {
    let mut stream = flate2::bufread::MultiGzDecoder::new(page).take(size.saturating_add(1));
    std::io::copy(&mut stream, &mut std::io::sink()).is_ok_and(|inflated| inflated > size)
}

/// A page, as its header tells.
#[derive(Debug)]
struct Page {
    /// Its size, inflated.
    size: usize,
    /// Its size in the file.
    stored: usize,
    /// Values in it, nulls too.
    values: u64,
    /// Bytes in front of what is compressed.
    levels: usize,
    is_compressed: bool,
}

/// Reads the compact protocol. Nothing where it is damaged.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How deep structures are nested in the header of a page: three levels.
const DEEPEST: u8 = 8;

impl Thrift<'_> {
    fn page(&mut self) -> Option<Page> {
        let (mut size, mut stored, mut values) = (None, None, 0);
        let (mut levels, mut is_compressed) = (0, true);
        let mut last = 0;
        while let Some((id, kind)) = self.field(&mut last)? {
            match (id, kind) {
                (2, 5) => size = Some(self.size()?),
                (3, 5) => stored = Some(self.size()?),
                // The headers of a page of data, of a dictionary, and of the second form of a page of data.
                (5 | 7 | 8, 12) => {
                    let mut last = 0;
                    while let Some((inner, kind)) = self.field(&mut last)? {
                        match (id, inner, kind) {
                            (_, 1, 5) => values = self.size()?,
                            (8, 5 | 6, 5) => levels += self.size()?,
                            (8, 7, 1 | 2) => is_compressed = kind == 1,
                            _ => self.skip(kind, DEEPEST)?,
                        }
                    }
                }
                _ => self.skip(kind, DEEPEST)?,
            }
        }
        Some(Page { size: size?, stored: stored?, values: values as u64, levels, is_compressed })
    }

    /// The next field's number and kind; no field where the structure ends.
    fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *last = match byte >> 4 {
            0 => self.number()?,
            step => last.checked_add(i64::from(step))?,
        };
        Some(Some((*last, byte & 0x0f)))
    }

    fn skip(&mut self, kind: u8, deeper: u8) -> Option<()> {
        let deeper = deeper.checked_sub(1)?;
        match kind {
            // A flag is its kind.
            1 | 2 => {}
            3 => self.advance(1)?,
            4..=6 => drop(self.varint()?),
            7 => self.advance(8)?,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.advance(length)?;
            }
            12 => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, deeper)?;
                }
            }
            // No header of a page has lists, sets or maps.
            _ => return None,
        }
        Some(())
    }

    /// A number that is no less than zero.
    fn size(&mut self) -> Option<usize> {
        i32::try_from(self.number()?).ok().and_then(|number| usize::try_from(number).ok())
    }

    fn number(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn advance(&mut self, bytes: usize) -> Option<()> {
        self.at = self.at.checked_add(bytes).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }
}
