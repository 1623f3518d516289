//! What was looked up in CloudTrail's event history, kept as a log like those of a trail.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use akia_core::usage::HistoryWindow;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Writes the log of a window beneath a folder: whole or not at all, for its name says that nothing is missing.
///
/// # Errors
///
/// When it cannot be written, or is there already.
pub fn keep<'a>(folder: &Path, window: &HistoryWindow, records: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let to = folder.join(window.folder());
    fs::create_dir_all(&to)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut log = GzEncoder::new(BufWriter::new(file.as_file_mut()), Compression::default());
    log.write_all(b"{\"Records\":[")?;
    for (at, record) in records.into_iter().enumerate() {
        log.write_all(if at == 0 { b"" } else { b"," })?;
        log.write_all(record.as_bytes())?;
    }
    log.write_all(b"]}")?;
    log.finish()?.flush()?;
    file.as_file().sync_all()?;
    file.persist_noclobber(to.join(window.name())).map_err(|error| error.error)?;
    Ok(())
}
