//! The index (`.git/index`): what is staged. Versions 2 to 4 of `gitformat-index(5)`.

use std::path::Path;

use super::files;
use super::oid::{Format, ObjectId};
use super::trouble::Trouble;

/// The largest index.
const LARGEST: u64 = 2 << 30;

/// What is staged.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Files, in the order of their paths.
    pub(crate) files: Vec<Staged>,
    /// Folders whose tree is known because nothing in them was changed since, by path; from the extension `TREE`.
    pub(crate) trees: Vec<(Vec<u8>, ObjectId)>,
    /// Whether part of it could not be read.
    pub(crate) trouble: Option<Trouble>,
}

/// A staged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) path: Vec<u8>,
    pub(crate) object: ObjectId,
    pub(crate) mode: u32,
}

impl Staged {
    /// Whether it is the commit of a submodule.
    pub(crate) fn is_submodule(&self) -> bool {
        self.mode & 0o170_000 == 0o160_000
    }

    /// Whether it is a folder of a sparse index.
    pub(crate) fn is_folder(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

impl Index {
    /// Reads an index. One that is not there is empty.
    pub(crate) fn read(path: &Path, format: Format) -> Result<Self, Trouble> {
        let bytes = match files::read(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(trouble) if trouble.why == akia_core::leak::Why::Missing => return Ok(Self::default()),
            Err(trouble) => return Err(trouble),
        };
        Self::parse(&bytes, format)
    }

    /// Reads the bytes of an index.
    pub(crate) fn parse(bytes: &[u8], format: Format) -> Result<Self, Trouble> {
        let broken = || Trouble::corrupt("it is broken");
        let (body, sum) = bytes.split_at_checked(bytes.len().saturating_sub(format.width())).ok_or_else(broken)?;
        let version = number(body, 4)
            .filter(|version| (2..=4).contains(version) && body.starts_with(b"DIRC"))
            .ok_or_else(broken)?;
        // With `index.skipHash` the checksum is zero.
        if sum.iter().any(|byte| *byte != 0) && format.hash(&[body]).as_bytes() != sum {
            return Err(Trouble::corrupt("its checksum does not match"));
        }
        let count = number(body, 8).ok_or_else(broken)?;
        let (mut index, mut at) = (Self::default(), 12);
        let mut path = Vec::new();
        for _ in 0..count {
            let Some(staged) = file(body, &mut at, version, format, &mut path) else { return Err(broken()) };
            index.files.push(staged);
        }
        while let (Some(name), Some(length)) = (body.get(at..at + 4), number(body, at + 4)) {
            let content = body.get(at + 8..at + 8 + length as usize).ok_or_else(broken)?;
            match name {
                b"TREE" => trees(content, format, &mut index.trees),
                b"link" => {
                    index.trouble = Some(Trouble {
                        why: akia_core::leak::Why::Unsupported,
                        detail: "a split index is not read; git update-index --no-split-index writes it whole"
                            .to_owned(),
                    })
                }
                _ => {}
            }
            at += 8 + length as usize;
        }
        Ok(index)
    }
}

fn file(body: &[u8], at: &mut usize, version: u32, format: Format, path: &mut Vec<u8>) -> Option<Staged> {
    let start = *at;
    let mode = number(body, start + 24)?;
    let mut end = start + 40 + format.width();
    let object = ObjectId::new(body.get(start + 40..end)?);
    let flags = body.get(end..end + 2)?;
    end += 2;
    // The extended flags of version 3.
    if flags.first()? & 0x40 != 0 {
        end += 2;
    }
    if version == 4 {
        let strip = strip(body, &mut end)?;
        path.truncate(path.len().checked_sub(strip)?);
    } else {
        path.clear();
    }
    let length = body.get(end..)?.iter().position(|byte| *byte == 0)?;
    path.extend_from_slice(body.get(end..end + length)?);
    end += length + 1;
    if version != 4 {
        // Padded to a multiple of eight, with one zero at least.
        end = start + (end - start).next_multiple_of(8);
    }
    *at = end;
    Some(Staged { path: path.clone(), object, mode })
}

/// How many bytes of the path before are not those of this one.
fn strip(body: &[u8], at: &mut usize) -> Option<usize> {
    let mut byte = *body.get(*at)?;
    *at += 1;
    let mut value = usize::from(byte & 127);
    while byte & 128 != 0 {
        byte = *body.get(*at)?;
        *at += 1;
        value = value.checked_add(1).filter(|value| *value < 1 << 40)? << 7 | usize::from(byte & 127);
    }
    Some(value)
}

/// The extension `TREE`: each folder in front of its folders.
fn trees(mut content: &[u8], format: Format, found: &mut Vec<(Vec<u8>, ObjectId)>) {
    // The folders that are not complete yet, with how many folders each still has.
    let mut open: Vec<(Vec<u8>, usize)> = Vec::new();
    while let Some(end) = content.iter().position(|byte| *byte == 0) {
        let (name, rest) = content.split_at(end);
        let Some(line) = rest.iter().position(|byte| *byte == b'\n') else { return };
        let numbers = String::from_utf8_lossy(rest.get(1..line).unwrap_or_default()).into_owned();
        let Some((entries, folders)) = numbers.split_once(' ') else { return };
        let (Ok(entries), Ok(folders)) = (entries.parse::<i64>(), folders.parse::<usize>()) else { return };
        content = rest.get(line + 1..).unwrap_or_default();
        while open.last().is_some_and(|(_, left)| *left == 0) {
            open.pop();
        }
        let path = match open.last_mut() {
            None => Vec::new(),
            Some((parent, left)) => {
                *left -= 1;
                if parent.is_empty() { name.to_vec() } else { [parent, &b"/"[..], name].concat() }
            }
        };
        if open.len() > 1024 {
            return;
        }
        if entries >= 0 {
            let Some(object) = content.get(..format.width()) else { return };
            found.push((path.clone(), ObjectId::new(object)));
            content = content.get(format.width()..).unwrap_or_default();
        }
        open.push((path, folders));
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
