//! Single objects, found on disk: for a look at a few of them in a repository of millions.

use std::path::{Path, PathBuf};

use akia_core::leak::Why;

use super::inflate::{Inflater, Stream};
use super::oid::{Format, Kind, ObjectId};
use super::pack::{Delta, Entry, IndexFile, PackFile, Stored};
use super::trouble::Trouble;
use super::{alternates, files, loose};

/// The longest chain of deltas that is followed.
const CHAIN: usize = 4096;

/// Finds objects by name, without reading whole indexes.
pub(crate) struct Finder {
    folders: Vec<PathBuf>,
    packs: Vec<Searchable>,
    most: u64,
    inflater: Inflater,
    /// Packs and folders that could not be opened.
    pub(crate) troubles: Vec<(PathBuf, Trouble)>,
}

struct Searchable {
    pack: PackFile,
    index: std::fs::File,
    layout: IndexFile,
    head: Vec<u8>,
}

impl Finder {
    /// Opens a folder of objects and all that it borrows from.
    pub(crate) fn open(objects: &Path, format: Format, most: u64) -> Self {
        let (folders, troubles) = alternates::folders(objects);
        let mut finder = Self { folders, packs: Vec::new(), most, inflater: Inflater::new(), troubles };
        for folder in &finder.folders {
            let Ok(files) = std::fs::read_dir(folder.join("pack")) else { continue };
            for path in files.filter_map(Result::ok).map(|file| file.path()) {
                if path.extension().is_some_and(|extension| extension == "idx") {
                    match searchable(&path, format) {
                        Ok(pack) => finder.packs.push(pack),
                        Err(trouble) => finder.troubles.push((path, trouble)),
                    }
                }
            }
        }
        finder
    }

    /// An object by its name.
    pub(crate) fn read(&mut self, name: &ObjectId) -> Result<(Kind, Vec<u8>), Trouble> {
        for folder in &self.folders {
            let mut bytes = Vec::new();
            match loose::read(&loose::path(folder, name), self.most, &mut self.inflater, &mut bytes) {
                Ok((kind, head)) => {
                    bytes.drain(..head);
                    return Ok((kind, bytes));
                }
                Err(trouble) if trouble.why == Why::Missing => {}
                Err(trouble) => return Err(trouble),
            }
        }
        let (mut chain, mut name) = (Vec::new(), *name);
        let (mut pack, mut offset) = self.find(&name)?;
        let (kind, mut bytes) = loop {
            let (entry, bytes) = self.entry(pack, offset)?;
            match entry.stored {
                Stored::Whole(kind) => break (kind, bytes),
                Stored::Offset(distance) => {
                    let base = offset.checked_sub(distance).filter(|_| distance > 0);
                    offset = base.ok_or_else(|| Trouble::corrupt("its delta names a base outside of the pack"))?;
                }
                Stored::Reference(base) => {
                    name = base;
                    (pack, offset) = self.find(&name)?;
                }
            }
            chain.push(bytes);
            if chain.len() > CHAIN {
                return Err(Trouble::corrupt("its chain of deltas does not end"));
            }
        };
        let (mut delta, mut out) = (Delta::default(), Vec::new());
        for instructions in chain.into_iter().rev() {
            delta.apply(&bytes, &instructions, self.most, &mut out)?;
            std::mem::swap(&mut bytes, &mut out);
        }
        Ok((kind, bytes))
    }

    /// The pack that holds an object, and where.
    fn find(&self, name: &ObjectId) -> Result<(usize, u64), Trouble> {
        for (place, pack) in self.packs.iter().enumerate() {
            if let Some(offset) = pack.find(name)? {
                return Ok((place, offset));
            }
        }
        Err(Trouble::missing("it is not there"))
    }

    /// What is packed at an offset, inflated.
    fn entry(&self, pack: usize, offset: u64) -> Result<(Entry, Vec<u8>), Trouble> {
        let pack = &self.packs.get(pack).ok_or_else(|| Trouble::missing("it is not there"))?.pack;
        let mut packed = vec![0; 4096];
        let (mut at, mut entry, mut stream) = (offset, None, Stream::new());
        let mut bytes = Vec::new();
        loop {
            let length = usize::try_from(pack.end.saturating_sub(at)).unwrap_or(usize::MAX).min(packed.len());
            let window = packed.get_mut(..length).unwrap_or_default();
            pack.read(at, window).map_err(|error| Trouble::io(&error))?;
            let mut window: &[u8] = window;
            let head = match entry {
                Some(head) => head,
                None => {
                    let head =
                        Entry::parse(window, pack.format).ok_or_else(|| Trouble::corrupt("its head is broken"))?;
                    window = window.get(head.head..).unwrap_or_default();
                    at += head.head as u64;
                    if head.size > self.most {
                        return Err(Trouble::too_large(head.size));
                    }
                    *entry.insert(head)
                }
            };
            if window.is_empty() {
                return Err(Trouble::corrupt("its stream is cut short"));
            }
            while !window.is_empty() && !stream.ended {
                let before = bytes.len();
                bytes.resize(before + 8192, 0);
                let (taken, given) = stream.step(window, bytes.get_mut(before..).unwrap_or_default())?;
                bytes.truncate(before + given);
                window = window.get(taken..).unwrap_or_default();
                at += taken as u64;
                if bytes.len() as u64 > head.size {
                    return Err(Trouble::corrupt(format!("it claims {} bytes and has more", head.size)));
                }
            }
            if stream.ended {
                return if bytes.len() as u64 == head.size {
                    Ok((head, bytes))
                } else {
                    Err(Trouble::corrupt(format!("it claims {} bytes and has {}", head.size, bytes.len())))
                };
            }
        }
    }
}

fn searchable(path: &Path, format: Format) -> Result<Searchable, Trouble> {
    let pack = PackFile::open(&path.with_extension("pack"), 0, format)?;
    let index = files::open(path)?;
    let mut head = vec![0; IndexFile::HEAD];
    files::read_at(&index, 0, &mut head).map_err(|error| Trouble::io(&error))?;
    let layout = IndexFile::parse_head(&head, format)?;
    Ok(Searchable { pack, index, layout, head })
}

impl Searchable {
    fn find(&self, name: &ObjectId) -> Result<Option<u64>, Trouble> {
        let first = name.as_bytes().first().copied().unwrap_or(0);
        let (mut from, mut to) =
            self.layout.range(&self.head, first).ok_or_else(|| Trouble::corrupt("the index of its pack is broken"))?;
        let mut found = [0; 32];
        let found = found.get_mut(..name.as_bytes().len()).unwrap_or_default();
        while from < to {
            let middle = usize::midpoint(from, to);
            self.read(self.layout.name_at(middle), found)?;
            match (*found).cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
                std::cmp::Ordering::Equal => return self.offset(middle).map(Some),
            }
        }
        Ok(None)
    }

    fn offset(&self, place: usize) -> Result<u64, Trouble> {
        let (mut short, mut long) = ([0; 4], [0; 8]);
        self.read(self.layout.offset_at(place), &mut short)?;
        let short = u32::from_be_bytes(short);
        match self.layout.long_at(short) {
            None => Ok(u64::from(short)),
            Some(at) => {
                self.read(at, &mut long)?;
                Ok(u64::from_be_bytes(long))
            }
        }
    }

    fn read(&self, at: usize, out: &mut [u8]) -> Result<(), Trouble> {
        files::read_at(&self.index, at as u64, out).map_err(|error| Trouble::io(&error))
    }
}
