//! `ar` archives: Debian packages and static libraries.

use std::io::Read;

use akia_core::leak::{Place, Why};

use crate::lookahead::Lookahead;
use crate::walk::{Walk, member};
use crate::windows::Windows;

/// Length of the magic, and of a member's header.
const MAGIC: u64 = 8;
const HEADER: usize = 60;

/// Looks at every member.
pub(crate) fn scan<R: Read>(walk: &Walk<'_>, place: &Place, reader: &mut Lookahead<R>, depth: u32) {
    let mut raw = Windows::raw(walk, place, 0);
    if let Err(error) = members(walk, place, reader, &mut raw, depth) {
        walk.failed(place, &error);
    }
    raw.finish();
}

fn members<R: Read>(
    walk: &Walk<'_>,
    place: &Place,
    reader: &mut Lookahead<R>,
    raw: &mut Windows<'_, '_>,
    depth: u32,
) -> std::io::Result<()> {
    reader.skip(MAGIC)?;
    loop {
        walk.meter().check()?;
        raw.jump(reader.position());
        let header = reader.peek(HEADER)?;
        let Some(header) = header.get(..HEADER) else {
            if !header.is_empty() {
                walk.skip(place, Why::Corrupt, "it ends within a header");
                std::io::copy(reader, &mut std::io::sink())?;
            }
            return Ok(());
        };
        let size = std::str::from_utf8(&header[48..58]).ok().and_then(|size| size.trim_end().parse::<u64>().ok());
        let Some(size) = size.filter(|_| header.ends_with(b"`\n")) else {
            walk.skip(place, Why::Corrupt, format!("no header at byte {}", reader.position()));
            while raw.read(reader)? > 0 {}
            return Ok(());
        };
        let name = header[..16].trim_ascii_end();
        let name = name.strip_suffix(b"/").unwrap_or(name).to_vec();
        reader.skip(HEADER as u64)?;
        let place = member(place, &name);
        walk.name(&place, &name);
        let mut content = reader.by_ref().take(size);
        walk.stream(&place, &mut content, depth + 1);
        let left = content.limit();
        if reader.skip(left)? < left {
            walk.skip(&place, Why::Corrupt, format!("it ends {left} bytes too early"));
        }
        // Members begin at even bytes.
        if size % 2 == 1 {
            reader.skip(1)?;
        }
    }
}
