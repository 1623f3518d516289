//! Pages, cells and tables of a database.

use std::collections::{HashMap, HashSet};
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use super::record::{self, Encoding, varint};
use crate::numbers::{be16, be32};
use crate::read_at::ReadAt;

/// Length of the header of a file, of a log, and of a frame in a log.
const HEADER: usize = 100;
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// Kinds of pages of b-trees.
const TABLE_LEAF: u8 = 0x0d;
const TABLE_INTERIOR: u8 = 0x05;
const INDEX_LEAF: u8 = 0x0a;
const INDEX_INTERIOR: u8 = 0x02;

/// A database, or the log of one.
pub(super) struct Database<'a> {
    source: &'a dyn ReadAt,
    page_size: usize,
    usable: usize,
    encoding: Encoding,
    /// Where the latest copy of each page stands, in a log.
    log: Option<HashMap<u32, u64>>,
}

/// A row on its page.
pub(super) struct Cell {
    /// The part of the row that stands on the page.
    pub(super) local: Range<usize>,
    /// How long the whole row is.
    pub(super) size: u64,
    /// Where the rest begins.
    pub(super) overflow: Option<u32>,
}

/// All rows of a page.
#[derive(Default)]
pub(super) struct Cells {
    pub(super) cells: Vec<Cell>,
    /// Whether the page is not as SQLite writes it.
    pub(super) damaged: bool,
}

/// Which table each page belongs to.
pub(super) struct Owners {
    names: Vec<String>,
    pages: HashMap<u32, usize>,
}

impl Owners {
    pub(super) fn of(&self, page: u32) -> Option<&str> {
        self.names.get(*self.pages.get(&page)?).map(String::as_str)
    }
}

impl<'a> Database<'a> {
    /// Opens a file.
    pub(super) fn file(source: &'a dyn ReadAt) -> Result<Self> {
        let header = source.piece(0, HEADER)?;
        let size = match be16(&header, 16) {
            Some(1) => 65536,
            Some(size) => usize::from(size),
            None => 0,
        };
        Self::new(source, size, &header, None)
    }

    /// Opens a log.
    pub(super) fn log(source: &'a dyn ReadAt) -> Result<Self> {
        let head = source.piece(0, 32)?;
        let size = be32(&head, 8).map_or(0, |size| size as usize);
        let mut database = Self::new(source, size, &[], Some(HashMap::new()))?;
        let mut places = HashMap::new();
        let frames: Vec<(u32, u64)> = database.pages().collect();
        for (number, offset) in frames {
            places.insert(number, offset);
        }
        if let Some(first) = places.get(&1) {
            let header = source.piece(*first, HEADER)?;
            database = Self::new(source, size, &header, None)?;
        }
        database.log = Some(places);
        Ok(database)
    }

    fn new(source: &'a dyn ReadAt, page_size: usize, header: &[u8], log: Option<HashMap<u32, u64>>) -> Result<Self> {
        let usable = page_size.saturating_sub(usize::from(header.get(20).copied().unwrap_or(0)));
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) || usable < 480 {
            return Err(Error::new(ErrorKind::InvalidData, format!("pages of {page_size} bytes are none of SQLite's")));
        }
        let encoding = match be32(header, 56) {
            Some(2) => Encoding::Utf16Little,
            Some(3) => Encoding::Utf16Big,
            _ => Encoding::Utf8,
        };
        Ok(Self { source, page_size, usable, encoding, log })
    }

    pub(super) fn source(&self) -> &'a dyn ReadAt {
        self.source
    }

    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The number and place of every whole page, in the order of the file.
    pub(super) fn pages(&self) -> Box<dyn Iterator<Item = (u32, u64)> + 'a> {
        let (source, size) = (self.source, self.page_size as u64);
        if self.log.is_none() {
            let count = u32::try_from(source.length() / size).unwrap_or(u32::MAX);
            return Box::new((0..count).map(move |index| (index.saturating_add(1), u64::from(index) * size)));
        }
        let frame = FRAME_HEADER + size;
        let count = source.length().saturating_sub(LOG_HEADER) / frame;
        Box::new((0..count).filter_map(move |index| {
            let at = LOG_HEADER + index * frame;
            let number = be32(&source.piece(at, 4).ok()?, 0)?;
            Some((number, at + FRAME_HEADER))
        }))
    }

    /// All rows of a page.
    pub(super) fn cells(&self, number: u32, page: &[u8]) -> Cells {
        let at = if number == 1 { HEADER } else { 0 };
        let (is_table, pointers) = match page.get(at) {
            Some(&TABLE_LEAF) => (true, at + 8),
            Some(&INDEX_LEAF) => (false, at + 8),
            Some(&INDEX_INTERIOR) => (false, at + 12),
            _ => return Cells::default(),
        };
        let is_interior = page.get(at) == Some(&INDEX_INTERIOR);
        let count = usize::from(be16(page, at + 3).unwrap_or(0));
        let mut all = Cells::default();
        let mut taken = 0;
        for index in 0..count {
            let cell = be16(page, pointers + 2 * index)
                .and_then(|pointer| self.cell(page, usize::from(pointer), is_table, is_interior));
            let Some(cell) = cell else {
                all.damaged = true;
                continue;
            };
            // Rows do not overlap: more than a page of them is a trap.
            taken += cell.local.len();
            if taken > page.len() {
                all.damaged = true;
                break;
            }
            all.cells.push(cell);
        }
        all
    }

    fn cell(&self, page: &[u8], mut at: usize, is_table: bool, is_interior: bool) -> Option<Cell> {
        if is_interior {
            at += 4;
        }
        let (size, length) = varint(page.get(at..)?)?;
        at += length;
        if is_table {
            at += varint(page.get(at..)?)?.1;
        }
        let usable = self.usable as u64;
        let most = if is_table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
        let least = (usable - 12) * 32 / 255 - 23;
        if size <= most {
            let local = at..at.checked_add(usize::try_from(size).ok()?)?;
            page.get(local.clone())?;
            return Some(Cell { local, size, overflow: None });
        }
        let fitting = least + (size - least) % (usable - 4);
        let here = usize::try_from(if fitting <= most { fitting } else { least }).ok()?;
        let local = at..at + here;
        page.get(local.clone())?;
        // A row is no longer than all pages together; those of a log are not all there.
        if self.log.is_none() && size > self.source.length() {
            return None;
        }
        Some(Cell { local, size, overflow: Some(be32(page, at + here)?) })
    }

    /// Adds the rest of a row, which stands on a chain of pages. Gives whether it is whole.
    pub(super) fn overflow(&self, first: u32, size: u64, row: &mut Vec<u8>) -> Result<bool> {
        let mut next = first;
        while (row.len() as u64) < size {
            let Some(offset) = self.offset(next) else { return Ok(false) };
            let page = self.source.piece(offset, self.page_size)?;
            let here = page.get(4..self.usable).unwrap_or_default();
            let left = usize::try_from(size - row.len() as u64).unwrap_or(usize::MAX);
            row.extend_from_slice(here.get(..left).unwrap_or(here));
            next = be32(&page, 0).unwrap_or(0);
        }
        Ok(true)
    }

    fn offset(&self, page: u32) -> Option<u64> {
        match &self.log {
            Some(log) => log.get(&page).copied(),
            None => {
                let offset = u64::from(page.checked_sub(1)?) * self.page_size as u64;
                (offset + self.page_size as u64 <= self.source.length()).then_some(offset)
            }
        }
    }

    /// Which table each page belongs to, as far as the schema can be read.
    pub(super) fn owners(&self) -> Owners {
        let mut owners = Owners { names: vec!["sqlite_schema".to_owned()], pages: HashMap::new() };
        let mut seen = HashSet::new();
        for page in self.tree(1, &mut seen) {
            owners.pages.insert(page, 0);
            let Some(bytes) = self.page(page) else { continue };
            for cell in self.cells(page, &bytes).cells {
                let mut row = bytes.get(cell.local).unwrap_or_default().to_vec();
                if let Some(first) = cell.overflow
                    && (cell.size > 1 << 20 || self.overflow(first, cell.size, &mut row).is_err())
                {
                    continue;
                }
                let Some((table, root)) = self.schema_row(&row) else { continue };
                owners.names.push(table);
                for page in self.tree(root, &mut seen) {
                    owners.pages.insert(page, owners.names.len() - 1);
                }
            }
        }
        owners
    }

    /// Of a row of the schema (type, name, table, root page, SQL): the table and the root page.
    fn schema_row(&self, row: &[u8]) -> Option<(String, u32)> {
        let texts = record::values(row);
        let table = record::text(texts.get(2..3)?, self.encoding);
        let table = String::from_utf8_lossy(table.trim_ascii_end()).into_owned();
        Some((table, u32::try_from(record::number(row, 3)?).ok()?))
    }

    /// All pages of a b-tree that were not seen before.
    fn tree(&self, root: u32, seen: &mut HashSet<u32>) -> Vec<u32> {
        let mut pages = Vec::new();
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            if !seen.insert(number) {
                continue;
            }
            let Some(page) = self.page(number) else { continue };
            pages.push(number);
            let at = if number == 1 { HEADER } else { 0 };
            if !matches!(page.get(at), Some(&TABLE_INTERIOR | &INDEX_INTERIOR)) {
                continue;
            }
            open.extend(be32(&page, at + 8));
            for index in 0..usize::from(be16(&page, at + 3).unwrap_or(0)) {
                let child = be16(&page, at + 12 + 2 * index).and_then(|pointer| be32(&page, usize::from(pointer)));
                open.extend(child.filter(|child| !seen.contains(child)));
            }
        }
        pages
    }

    fn page(&self, number: u32) -> Option<Vec<u8>> {
        self.source.piece(self.offset(number)?, self.page_size).ok()
    }
}
