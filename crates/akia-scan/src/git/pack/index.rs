//! Indexes of packs (`.idx`): where which object begins.

use std::path::Path;

use super::super::files;
use super::super::oid::Format;
use super::super::trouble::Trouble;
use super::PackFile;
use super::file::HEADER;

/// The smallest object in a pack: a byte of head and an empty stream.
const SMALLEST: u64 = 9;

/// Where the objects of a pack begin, in the order of their offsets.
pub(crate) struct PackIndex {
    format: Format,
    /// Names, one behind the other.
    names: Vec<u8>,
    /// Offsets, ascending.
    offsets: Vec<u64>,
    /// Checksums of the packed bytes; none in the first version of the format.
    checksums: Vec<u32>,
    /// Where objects end: the end of the pack.
    end: u64,
    /// The first object at or behind each multiple of `1 << shift`.
    buckets: Vec<u32>,
    shift: u32,
}

impl PackIndex {
    /// Reads the index of a pack, and refuses one that cannot be its index.
    pub(crate) fn read(path: &Path, pack: &PackFile) -> Result<Self, Trouble> {
        let format = pack.format;
        // A pack of this length cannot hold more objects, so its index cannot be longer.
        let most = 4096 + (pack.end / SMALLEST + 1) * (format.width() as u64 + 16);
        let bytes = files::read(path, most)?;
        let parsed = IndexFile::parse(&bytes, format)?;
        if parsed.count != pack.count as usize {
            return Err(Trouble::corrupt(format!(
                "it lists {} objects, and the pack has {}",
                parsed.count, pack.count
            )));
        }
        let (body, sum) = bytes.split_at(bytes.len() - format.width());
        if format.hash(&[body]).as_bytes() != sum {
            return Err(Trouble::corrupt("its checksum does not match"));
        }
        let mut order = Vec::with_capacity(parsed.count);
        for index in 0..parsed.count {
            let offset = parsed.offset(&bytes, index).ok_or_else(|| Trouble::corrupt("it is cut short"))?;
            order.push((offset, u32::try_from(index).unwrap_or(u32::MAX)));
        }
        order.sort_unstable();
        let mut names = Vec::with_capacity(parsed.count * format.width());
        let mut checksums = Vec::with_capacity(parsed.count);
        for (_, index) in &order {
            names.extend_from_slice(parsed.name(&bytes, *index as usize));
            checksums.extend(parsed.checksum(&bytes, *index as usize));
        }
        Self::new(format, names, order.into_iter().map(|(offset, _)| offset).collect(), checksums, pack.end)
    }

    /// From names and ascending offsets.
    pub(crate) fn new(
        format: Format,
        names: Vec<u8>,
        offsets: Vec<u64>,
        checksums: Vec<u32>,
        end: u64,
    ) -> Result<Self, Trouble> {
        let ascend = offsets.is_sorted_by(|one, next| one < next);
        if !ascend
            || offsets.first().is_some_and(|first| *first < HEADER)
            || offsets.last().is_some_and(|last| *last >= end)
        {
            return Err(Trouble::corrupt("its offsets cannot be those of the pack"));
        }
        let shift = (end / (offsets.len() as u64 + 1)).max(1).ilog2();
        let buckets = (0..=end >> shift)
            .scan(0, |at, bucket| {
                while offsets.get(*at).is_some_and(|offset| *offset < bucket << shift) {
                    *at += 1;
                }
                u32::try_from(*at).ok()
            })
            .collect();
        Ok(Self { format, names, offsets, checksums, end, buckets, shift })
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The name of an object.
    pub(crate) fn name(&self, number: u32) -> &[u8] {
        let width = self.format.width();
        self.names.get(number as usize * width..(number as usize + 1) * width).unwrap_or_default()
    }

    /// All names, in the order of numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.chunks_exact(self.format.width())
    }

    /// Where an object begins and ends.
    pub(crate) fn span(&self, number: u32) -> (u64, u64) {
        let at = |number: usize| self.offsets.get(number).copied().unwrap_or(self.end);
        (at(number as usize), at(number as usize + 1))
    }

    /// The checksum of an object's packed bytes.
    pub(crate) fn checksum(&self, number: u32) -> Option<u32> {
        self.checksums.get(number as usize).copied()
    }

    /// The object that begins at an offset.
    pub(crate) fn at_offset(&self, offset: u64) -> Option<u32> {
        let bucket = usize::try_from(offset >> self.shift).ok()?;
        let from = *self.buckets.get(bucket)? as usize;
        let to = self.buckets.get(bucket + 1).map_or(self.offsets.len(), |to| *to as usize);
        let place = self.offsets.get(from..to)?.binary_search(&offset).ok()?;
        u32::try_from(from + place).ok()
    }
}

/// The layout of an index file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexFile {
    pub(crate) count: usize,
    format: Format,
    second: bool,
}

impl IndexFile {
    /// The length of what has to be known to find the rest: magic, version and the table of first bytes.
    pub(crate) const HEAD: usize = 8 + 1024;

    /// Reads a whole index.
    pub(crate) fn parse(bytes: &[u8], format: Format) -> Result<Self, Trouble> {
        let layout = Self::parse_head(bytes, format)?;
        let tables = layout.offset_at(layout.count) + 2 * format.width();
        if bytes.len() < tables {
            return Err(Trouble::corrupt("it is cut short"));
        }
        Ok(layout)
    }

    /// Reads the beginning of an index.
    pub(crate) fn parse_head(bytes: &[u8], format: Format) -> Result<Self, Trouble> {
        let short = || Trouble::corrupt("it is cut short");
        let second = bytes.starts_with(b"\xfftOc");
        if second && number(bytes, 4) != Some(2) {
            return Err(Trouble::corrupt("its version is unknown"));
        }
        let count = number(bytes, if second { 8 + 1020 } else { 1020 }).ok_or_else(short)?;
        Ok(Self { count: count as usize, format, second })
    }

    /// The objects whose names begin with a byte.
    pub(crate) fn range(&self, head: &[u8], first: u8) -> Option<(usize, usize)> {
        let table = if self.second { 8 } else { 0 };
        let below = |byte: usize| number(head, table + 4 * byte).map(|count| count as usize);
        let from = if first == 0 { 0 } else { below(usize::from(first) - 1)? };
        let to = below(usize::from(first))?;
        (from <= to && to <= self.count).then_some((from, to))
    }

    /// Where the name of an object stands.
    pub(crate) fn name_at(&self, index: usize) -> usize {
        let width = self.format.width();
        if self.second { Self::HEAD + index * width } else { 1024 + index * (4 + width) + 4 }
    }

    /// Where the offset of an object stands.
    pub(crate) fn offset_at(&self, index: usize) -> usize {
        let width = self.format.width();
        if self.second { Self::HEAD + self.count * (width + 4) + index * 4 } else { 1024 + index * (4 + width) }
    }

    /// Where the long form of an offset stands, if it has one.
    pub(crate) fn long_at(&self, short: u32) -> Option<usize> {
        (self.second && short & 1 << 31 != 0)
            .then(|| Self::HEAD + self.count * (self.format.width() + 8) + (short & !(1 << 31)) as usize * 8)
    }

    fn name<'b>(&self, bytes: &'b [u8], index: usize) -> &'b [u8] {
        bytes.get(self.name_at(index)..self.name_at(index) + self.format.width()).unwrap_or_default()
    }

    fn checksum(&self, bytes: &[u8], index: usize) -> Option<u32> {
        self.second.then(|| number(bytes, Self::HEAD + self.count * self.format.width() + index * 4)).flatten()
    }

    fn offset(&self, bytes: &[u8], index: usize) -> Option<u64> {
        let short = number(bytes, self.offset_at(index))?;
        match self.long_at(short) {
            None => Some(u64::from(short)),
            Some(at) => Some(u64::from(number(bytes, at)?) << 32 | u64::from(number(bytes, at + 4)?)),
        }
    }
}

/// Four bytes, the highest first.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_its_offset() {
        let offsets = vec![12, 40, 41, 5000, 5001, 9_000_000_000];
        let index = PackIndex::new(Format::Sha1, vec![0; 120], offsets.clone(), Vec::new(), 9_000_000_100).unwrap();
        for (number, offset) in offsets.iter().enumerate() {
            assert_eq!(index.at_offset(*offset), u32::try_from(number).ok());
            assert_eq!(index.at_offset(offset + 10), None);
        }
        assert_eq!(index.span(5), (9_000_000_000, 9_000_000_100));
    }

    #[test]
    fn offsets_that_cannot_be_are_refused() {
        for offsets in [vec![11, 20], vec![12, 12], vec![30, 20], vec![12, 100]] {
            assert!(PackIndex::new(Format::Sha1, vec![0; 40], offsets, Vec::new(), 100).is_err());
        }
    }
}
