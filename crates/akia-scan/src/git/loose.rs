//! Loose objects: each in a file of its own, deflated, behind a header.

use std::path::{Path, PathBuf};

use super::files;
use super::inflate::{Inflater, Stream};
use super::oid::{Kind, ObjectId};
use super::trouble::Trouble;

/// The longest header: `commit `, twenty digits and a zero.
const HEAD: usize = 32;

/// Where an object is, in a folder of objects.
pub(crate) fn path(objects: &Path, name: &ObjectId) -> PathBuf {
    let digits = name.to_string();
    let (folder, file) = digits.split_at(2);
    objects.join(folder).join(file)
}

/// What an object is, its size, and the length of its header.
pub(crate) fn head(packed: &[u8]) -> Result<(Kind, u64, usize), Trouble> {
    let mut head = [0; HEAD];
    let (mut stream, mut taken, mut given) = (Stream::new(), 0, 0);
    while given < HEAD && !stream.ended && taken < packed.len() {
        let step = stream.step(packed.get(taken..).unwrap_or_default(), head.get_mut(given..).unwrap_or_default())?;
        taken += step.0;
        given += step.1;
    }
    parse(head.get(..given).unwrap_or_default()).ok_or_else(|| Trouble::corrupt("its header is broken"))
}

fn parse(head: &[u8]) -> Option<(Kind, u64, usize)> {
    let end = head.iter().position(|byte| *byte == 0)?;
    let space = head.iter().position(|byte| *byte == b' ')?;
    let digits =
        head.get(space + 1..end).filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))?;
    Some((Kind::from_name(head.get(..space)?)?, std::str::from_utf8(digits).ok()?.parse().ok()?, end + 1))
}

/// Reads an object into `out`, and says what it is and where it begins behind its header.
pub(crate) fn read(
    path: &Path,
    most: u64,
    inflater: &mut Inflater,
    out: &mut Vec<u8>,
) -> Result<(Kind, usize), Trouble> {
    let packed = files::read(path, most.saturating_add(1 << 16))?;
    let (kind, size, head) = head(&packed)?;
    if size > most {
        return Err(Trouble::too_large(size));
    }
    inflater.exactly(&packed, size + head as u64, out)?;
    Ok((kind, head))
}

/// The loose objects of a folder of objects, and files there that are none: what an interrupted git left behind.
pub(crate) fn list(objects: &Path) -> Result<(Vec<ObjectId>, Vec<PathBuf>), Trouble> {
    let (mut names, mut others) = (Vec::new(), Vec::new());
    for first in 0..=255_u8 {
        let folder = format!("{first:02x}");
        let path = objects.join(&folder);
        let files = match std::fs::read_dir(&path) {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => {
                // Read as a file, it is told as what cannot be read.
                others.push(path);
                continue;
            }
        };
        for file in files {
            let file = file.map_err(|error| Trouble::io(&error))?;
            let digits = format!("{folder}{}", file.file_name().to_string_lossy());
            match ObjectId::from_hex(digits.as_bytes()) {
                Some(name) => names.push(name),
                None => others.push(file.path()),
            }
        }
    }
    names.sort_unstable();
    Ok((names, others))
}
