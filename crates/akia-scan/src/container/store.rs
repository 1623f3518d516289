//! Where the parts of an image are kept: in an archive or in a folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Result, Seek};
use std::path::{Path, PathBuf};

use akia_core::leak::{Place, Why};

use crate::file::{self, Links};
use crate::form::Form;
use crate::lookahead::Lookahead;
use crate::tar;
use crate::walk::Walk;

/// The longest document that is read as one; real ones have a few kilobytes.
pub(super) const DOCUMENT: u64 = 4 << 20;

/// All documents together.
const DOCUMENTS: usize = 64 << 20;

/// Folders in folders of a layout: `blobs/sha256/`, and room.
const DEEPEST: usize = 8;

/// What to do with a member: its place, its name, and what it holds.
pub(super) type Each<'e> = dyn FnMut(&Walk<'_>, &Place, &str, &mut dyn Read) + 'e;

/// Where the parts are.
pub(super) enum Store {
    Archive(File),
    Folder(PathBuf),
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        Ok(Self::Archive(file::open(path, Links::Follow)?))
    }

    /// Every member that may be a document, by its name. Nothing is scanned yet.
    pub(super) fn documents(&self, walk: &Walk<'_>, place: &Place) -> Result<BTreeMap<String, Vec<u8>>> {
        // The faults of this first look are told by the second.
        let quiet = Walk::quiet(walk.scan());
        let mut documents = BTreeMap::new();
        let mut total = 0;
        self.members(&quiet, place, &mut |_, _, name, content| {
            let mut first = [0];
            if content.read(&mut first).is_ok_and(|read| read == 1) && matches!(first[0], b'{' | b'[') {
                let mut bytes = first.to_vec();
                let whole = content.take(DOCUMENT).read_to_end(&mut bytes);
                if whole.is_ok_and(|read| (read as u64) < DOCUMENT) && total + bytes.len() <= DOCUMENTS {
                    total += bytes.len();
                    documents.insert(name.to_owned(), bytes);
                }
            }
        })?;
        Ok(documents)
    }

    /// Calls for every file.
    pub(super) fn members(&self, walk: &Walk<'_>, place: &Place, each: &mut Each<'_>) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                folder_members(walk, place, folder, "", 0, each);
                Ok(())
            }
            Self::Archive(file) => {
                let mut file = file;
                file.rewind()?;
                let mut reader = Lookahead::new(file);
                let form = Form::of(reader.peek(Form::HEAD)?);
                let mut result = Ok(());
                if form.is_packed() {
                    walk.unpack(place, form, &mut reader, |unpacked| {
                        result = archive_members(walk, place, &mut Lookahead::new(unpacked), each);
                    });
                } else {
                    result = archive_members(walk, place, &mut reader, each);
                }
                result
            }
        }
    }
}

fn archive_members<R: Read>(
    walk: &Walk<'_>,
    place: &Place,
    reader: &mut Lookahead<R>,
    each: &mut Each<'_>,
) -> Result<()> {
    if Form::of(reader.peek(Form::HEAD)?) != Form::Tar {
        walk.skip(place, Why::Unsupported, "it is no tar archive");
        walk.stream(place, reader, 0);
        return Ok(());
    }
    tar::members(walk, place, reader, |member, content| {
        if member.has_content {
            let name = String::from_utf8_lossy(member.name);
            each(walk, &member.place, name.trim_start_matches("./"), content);
        } else {
            walk.name(&member.place, member.name);
            walk.name(&member.place, member.link);
        }
    })
}

fn folder_members(walk: &Walk<'_>, place: &Place, folder: &Path, below: &str, depth: usize, each: &mut Each<'_>) {
    let here = |name: &str| Place { path: name.to_owned(), ..place.clone() };
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return walk.skip(&here(below), Why::Unreadable, error.to_string()),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEEPEST => {
                folder_members(walk, place, &entry.path(), &name, depth + 1, each);
            }
            Ok(kind) if kind.is_dir() => walk.skip(&here(&name), Why::TooDeep, "no layout has folders as deep as this"),
            Ok(kind) if kind.is_file() => match file::open(&entry.path(), Links::Leave) {
                Ok(mut file) => each(walk, &here(&name), &name, &mut file),
                Err(error) => walk.skip(&here(&name), Why::Unreadable, error.to_string()),
            },
            Ok(_) => {}
            Err(error) => walk.skip(&here(&name), Why::Unreadable, error.to_string()),
        }
    }
}
