//! Files of a repository: only regular ones are opened, so that no pipe or device is ever waited for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use akia_core::leak::Why;

use super::trouble::Trouble;

/// Opens a regular file, or a link to one.
pub(crate) fn open(path: &Path) -> Result<File, Trouble> {
    let is_file = std::fs::metadata(path).map_err(|error| trouble(&error))?.is_file();
    if !is_file {
        return Err(Trouble { why: Why::Unsupported, detail: "it is no regular file".to_owned() });
    }
    File::open(path).map_err(|error| trouble(&error))
}

/// A whole file that is no longer than `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| trouble(&error))?;
    if bytes.len() as u64 > most {
        return Err(Trouble::too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

fn trouble(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::NotFound => Trouble::missing("it is not there"),
        _ => Trouble { why: Why::Unreadable, detail: error.to_string() },
    }
}

/// Fills `out` from an offset, whatever other threads read.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

/// Fills `out` from an offset, whatever other threads read.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, out, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset += count as u64;
        out = out.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}
