//! SQLite databases, read page by page: <https://www.sqlite.org/fileformat.html>.
//!
//! Every page is looked at, whether a table uses it or not: what was deleted stays in free pages until they are written again.
//! Rows are put together from their overflow pages, and their columns are held apart, so that an id is bounded. No library of
//! SQLite reads pages that no table owns, or a file that is damaged.

mod database;
mod record;

use akia_core::leak::{PREFIXES, Place, Why};
use memchr::memmem;

use crate::form::is_container;
use crate::read_at::ReadAt;
use crate::walk::{Walk, member};
use crate::windows::Windows;
use database::{Cell, Database, Owners};

/// Looks at every page of a database, or of the write-ahead log beside one.
pub(crate) fn scan(walk: &Walk<'_>, place: &Place, source: &dyn ReadAt, is_log: bool, depth: u32) {
    let opened = if is_log { Database::log(source) } else { Database::file(source) };
    let mut raw = Windows::raw(walk, place, 0);
    let end = match opened {
        Ok(database) => pages(walk, place, &database, &mut raw, depth),
        Err(error) => Err(error),
    };
    if let Err(error) = end {
        walk.failed(place, &error);
    }
    let rest = rest(walk, source, &mut raw);
    raw.finish();
    if let Err(error) = rest {
        walk.failed(place, &error);
    }
}

/// What no page was made of: the head of a log, the end of a file that was cut, all of a damaged one.
fn rest(walk: &Walk<'_>, source: &dyn ReadAt, raw: &mut Windows<'_, '_>) -> std::io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        walk.meter().check()?;
        let read = source.read_at(&mut piece, raw.taken())?;
        if read == 0 {
            return Ok(());
        }
        raw.feed(&piece[..read]);
    }
}

fn pages(
    walk: &Walk<'_>,
    place: &Place,
    database: &Database<'_>,
    raw: &mut Windows<'_, '_>,
    depth: u32,
) -> std::io::Result<()> {
    let mut owners = None;
    let mut damaged: u64 = 0;
    let mut page = vec![0; database.page_size()];
    for (number, offset) in database.pages() {
        walk.meter().check()?;
        // The head of a log's frames stands between the pages.
        let between = offset.saturating_sub(raw.taken());
        if between > 0 {
            raw.feed(&database.source().piece(raw.taken(), usize::try_from(between).unwrap_or(0).min(1 << 16))?);
        }
        database.source().read_exact_at(&mut page, offset)?;
        raw.feed(&page);
        unbounded(walk, place, &page, offset);
        let cells = database.cells(number, &page);
        damaged += u64::from(cells.damaged);
        for cell in &cells.cells {
            let look = Look { walk, place, database, number, offset, depth };
            look.cell(cell, &page, &mut owners)?;
        }
    }
    if damaged > 0 {
        walk.skip(
            place,
            Why::Corrupt,
            format!("{damaged} pages are not as SQLite writes them; they were scanned as they are"),
        );
    }
    Ok(())
}

/// Where a row is looked at.
struct Look<'a, 's> {
    walk: &'a Walk<'s>,
    place: &'a Place,
    database: &'a Database<'a>,
    number: u32,
    offset: u64,
    depth: u32,
}

impl Look<'_, '_> {
    fn cell(&self, cell: &Cell, page: &[u8], owners: &mut Option<Owners>) -> std::io::Result<()> {
        let walk = self.walk;
        let limit = walk.scan().limits.unpacked_bytes;
        if cell.size > limit {
            let detail = format!("a row of {} bytes; its pages were scanned one by one: --max-unpacked", cell.size);
            walk.skip(self.place, Why::TooLarge, detail);
            return Ok(());
        }
        let mut owned;
        let local = page.get(cell.local.clone()).unwrap_or_default();
        let payload = match cell.overflow {
            None => local,
            Some(first) => {
                walk.meter().unpack(cell.size)?;
                owned = local.to_vec();
                if !self.database.overflow(first, cell.size, &mut owned)? {
                    // An earlier owner's row in a free page leads to pages of somebody else: what is left of it is looked at.
                    walk.count_object();
                }
                owned.as_slice()
            }
        };
        let values = record::values(payload);
        let text = record::text(&values, self.database.encoding());
        if walk.scan().detector.candidate_in(&text, 0..text.len()) {
            walk.text(&self.here(cell, owners), &text, false);
        }
        for blob in values.iter().filter(|value| !value.is_text && is_container(value.bytes)) {
            walk.bytes(&self.here(cell, owners), blob.bytes, self.depth + 1);
        }
        Ok(())
    }

    /// The place of a row: in a table, where one owns the page.
    fn here(&self, cell: &Cell, owners: &mut Option<Owners>) -> Place {
        let owners = owners.get_or_insert_with(|| self.database.owners());
        let name = owners.of(self.number).map_or_else(|| format!("page {}", self.number), str::to_owned);
        Place { offset: Some(self.offset + cell.local.start as u64), ..member(self.place, name.as_bytes()) }
    }
}

/// Columns of a deleted row stand beside each other, and an id has letters before and behind it. It is looked at alone, with what
/// follows.
fn unbounded(walk: &Walk<'_>, place: &Place, page: &[u8], offset: u64) {
    for prefix in PREFIXES {
        for at in memmem::find_iter(page, prefix) {
            let Some(id) = page.get(at..at + 20) else { continue };
            let before = at.checked_sub(1).and_then(|before| page.get(before)).is_some_and(u8::is_ascii_alphanumeric);
            let behind = page.get(at + 20).is_some_and(u8::is_ascii_alphanumeric);
            if !before && !behind || !id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
                continue;
            }
            let rest = page.get(at + 20..).unwrap_or_default();
            let text = [id, b"\n", rest.get(..256).unwrap_or(rest)].concat();
            for mut found in walk.scan().detector.detect(&text) {
                if found.span.start == 0 {
                    found.line = 1;
                    walk.found(found, Place { offset: Some(offset + at as u64), ..place.clone() }, true);
                }
            }
        }
    }
}
