//! All objects of a repository, by number: those of its packs in their order, then the loose ones.

use std::path::{Path, PathBuf};

use akia_core::leak::Why;

use super::oid::{Format, Kind, ObjectId};
use super::pack::{Bases, Forest, Heads, PackFile, PackIndex, Walk, rebuild};
use super::table::Table;
use super::trouble::Trouble;
use super::{alternates, loose};
use crate::Limits;

/// How often a base may be in another pack than its delta, one after another.
const HOPS: u32 = 16;

/// The objects of a repository.
pub(crate) struct Store {
    pub(crate) format: Format,
    pub(crate) packs: Vec<Pack>,
    /// Loose objects, with the folder they are in.
    pub(crate) loose: Vec<(ObjectId, PathBuf)>,
    /// What could not be looked at, by its path.
    pub(crate) troubles: Vec<(PathBuf, Trouble)>,
    /// The largest object that is unpacked.
    most: u64,
    table: Table,
}

/// A pack with its index and its trees of deltas.
pub(crate) struct Pack {
    pub(crate) file: PackFile,
    pub(crate) index: PackIndex,
    pub(crate) forest: Forest,
    /// The number of its first object.
    pub(crate) first: u32,
}

impl Store {
    /// Opens a folder of objects and all that it borrows from.
    pub(crate) fn open(objects: &Path, format: Format, limits: &Limits) -> Result<Self, Trouble> {
        let (folders, mut troubles) = alternates::folders(objects);
        let mut files = Vec::new();
        let mut store = Self {
            format,
            packs: Vec::new(),
            loose: Vec::new(),
            troubles: Vec::new(),
            most: limits.unpacked_bytes,
            table: Table::default(),
        };
        for folder in &folders {
            match loose::list(folder) {
                Ok((names, others)) => {
                    store.loose.extend(names.into_iter().map(|name| (name, folder.clone())));
                    troubles.extend(others.into_iter().map(|path| {
                        (
                            path,
                            Trouble {
                                why: Why::Unsupported,
                                detail: "it is no object: git was interrupted when it wrote it".to_owned(),
                            },
                        )
                    }));
                }
                Err(trouble) => troubles.push((folder.clone(), trouble)),
            }
            list_packs(&folder.join("pack"), &mut files, &mut troubles);
        }
        store.troubles = troubles;
        store.add_packs(files.into_iter().map(|path| (path, 0)).collect(), limits.threads)?;
        Ok(store)
    }

    /// A single pack that stands in a file from `start` on: a bundle.
    pub(crate) fn bundle(path: &Path, start: u64, format: Format, limits: &Limits) -> Result<Self, Trouble> {
        let mut store = Self {
            format,
            packs: Vec::new(),
            loose: Vec::new(),
            troubles: Vec::new(),
            most: limits.unpacked_bytes,
            table: Table::default(),
        };
        store.add_packs(vec![(path.to_owned(), start)], limits.threads)?;
        Ok(store)
    }

    /// How many objects there are, those that stand in two packs twice.
    pub(crate) fn len(&self) -> usize {
        self.first_loose() as usize + self.loose.len()
    }

    /// The number of an object.
    pub(crate) fn number_of(&self, name: &[u8]) -> Option<u32> {
        self.table.find(name, |number| self.name(number))
    }

    /// The name of an object.
    pub(crate) fn name(&self, number: u32) -> &[u8] {
        match self.pack_of(number) {
            Some(pack) => pack.index.name(number - pack.first),
            None => self.loose_at(number).map_or(&[], |(name, _)| name.as_bytes()),
        }
    }

    /// The name of an object.
    pub(crate) fn id(&self, number: u32) -> ObjectId {
        ObjectId::new(self.name(number))
    }

    /// The number of the first loose object.
    pub(crate) fn first_loose(&self) -> u32 {
        self.packs.last().map_or(0, |pack| pack.first + u32::try_from(pack.index.len()).unwrap_or(0))
    }

    /// A loose object.
    pub(crate) fn loose_at(&self, number: u32) -> Option<&(ObjectId, PathBuf)> {
        self.loose.get(number.checked_sub(self.first_loose())? as usize)
    }

    /// The pack that holds an object.
    pub(crate) fn pack_of(&self, number: u32) -> Option<&Pack> {
        let behind = self.packs.partition_point(|pack| pack.first <= number);
        let pack = self.packs.get(behind.checked_sub(1)?)?;
        ((number - pack.first) < u32::try_from(pack.index.len()).unwrap_or(0)).then_some(pack)
    }

    /// Reads a single object.
    pub(crate) fn read(&self, number: u32, walk: &mut Walk) -> Result<(Kind, Vec<u8>), Trouble> {
        self.read_after(number, walk, 0)
    }

    fn read_after(&self, number: u32, walk: &mut Walk, hops: u32) -> Result<(Kind, Vec<u8>), Trouble> {
        if let Some(pack) = self.pack_of(number) {
            let bases = Elsewhere { store: self, hops };
            return walk.one(
                (&pack.file, &pack.index),
                number - pack.first,
                &|name| self.number_in(pack, name),
                &bases,
            );
        }
        let (name, folder) = self.loose_at(number).ok_or_else(|| Trouble::missing("it is not there"))?;
        let mut bytes = Vec::new();
        let (kind, head) = walk.loose(&loose::path(folder, name), &mut bytes)?;
        bytes.drain(..head);
        Ok((kind, bytes))
    }

    /// What a packed object is, by its chain of deltas.
    pub(crate) fn kind(&self, pack: &Pack, local: u32, walk: &mut Walk) -> Result<Kind, Trouble> {
        let bases = Elsewhere { store: self, hops: 0 };
        walk.kind((&pack.file, &pack.index), local, &|name| self.number_in(pack, name), &bases)
    }

    /// Finds the bases that a pack does not hold.
    pub(crate) fn bases(&self) -> impl Bases {
        Elsewhere { store: self, hops: 0 }
    }

    fn number_in(&self, pack: &Pack, name: &ObjectId) -> Option<u32> {
        let local = self.number_of(name.as_bytes())?.checked_sub(pack.first)?;
        ((local as usize) < pack.index.len()).then_some(local)
    }

    fn add_packs(&mut self, paths: Vec<(PathBuf, u64)>, threads: usize) -> Result<(), Trouble> {
        let mut broken = Vec::new();
        for (path, start) in paths {
            let file = match PackFile::open(&path, start, self.format) {
                Ok(file) => file,
                Err(trouble) => {
                    self.troubles.push((path, trouble));
                    continue;
                }
            };
            // Without an index, or with a false one, a pack can still be read from its beginning.
            match PackIndex::read(&path.with_extension("idx"), &file).ok().filter(|_| start == 0) {
                Some(index) => self.push(file, index)?,
                None => broken.push(file),
            }
        }
        let mut heads = std::thread::scope(|scope| {
            let packs = &self.packs;
            let heads = scope.spawn(move || {
                packs.iter().map(|pack| Heads::read(&pack.file, &pack.index, threads)).collect::<Vec<_>>()
            });
            let table = self.build_table();
            (heads.join().unwrap_or_default(), table)
        });
        self.table = heads.1;
        for file in broken {
            let rebuilt = rebuild(&file, self.most, &self.bases());
            match rebuilt {
                Ok((index, troubles)) => {
                    self.troubles.extend(troubles.into_iter().map(|trouble| (file.path.clone(), trouble)));
                    heads.0.push(Heads::read(&file, &index, threads));
                    self.push(file, index)?;
                    self.table = self.build_table();
                }
                Err(trouble) => self.troubles.push((file.path, trouble)),
            }
        }
        let mut heads = heads.0.into_iter();
        for place in 0..self.packs.len() {
            let Some(pack) = self.packs.get(place) else { continue };
            let Some(heads) = heads.next() else {
                // A thread died; a pack without its forest would be passed over.
                self.troubles.push((pack.file.path.clone(), Trouble::corrupt("akia failed on it; please report it")));
                continue;
            };
            let forest = Forest::new(heads, |name| self.number_in(pack, name));
            if let Some(pack) = self.packs.get_mut(place) {
                pack.forest = forest;
            }
        }
        Ok(())
    }

    fn push(&mut self, file: PackFile, index: PackIndex) -> Result<(), Trouble> {
        let first = self.first_loose();
        let all = first as usize + index.len() + self.loose.len();
        if all >= u32::MAX as usize {
            return Err(Trouble { why: Why::TooLarge, detail: "it has more than four billion objects".to_owned() });
        }
        self.packs.push(Pack { file, index, forest: Forest::default(), first });
        Ok(())
    }

    fn build_table(&self) -> Table {
        let mut table = Table::new(self.len());
        for pack in &self.packs {
            for (number, name) in (pack.first..).zip(pack.index.names()) {
                table.insert(number, name, |number| self.name(number));
            }
        }
        for (number, (name, _)) in (self.first_loose()..).zip(&self.loose) {
            table.insert(number, name.as_bytes(), |number| self.name(number));
        }
        table
    }
}

/// Objects anywhere in the repository, for a pack that does not hold the base of a delta.
struct Elsewhere<'s> {
    store: &'s Store,
    hops: u32,
}

impl Bases for Elsewhere<'_> {
    fn named(&self, name: &ObjectId, most: u64) -> Result<(Kind, Vec<u8>), Trouble> {
        if self.hops == HOPS {
            return Err(Trouble::corrupt("its chain of deltas does not end"));
        }
        let number = self
            .store
            .number_of(name.as_bytes())
            .ok_or_else(|| Trouble::missing(format!("the base of its delta, {name}, is not there")))?;
        self.store.read_after(number, &mut Walk::new(most), self.hops + 1)
    }
}

/// The packs of a folder, and what an interrupted git left there.
fn list_packs(folder: &Path, packs: &mut Vec<PathBuf>, troubles: &mut Vec<(PathBuf, Trouble)>) {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            troubles.push((folder.to_owned(), Trouble::io(&error)));
            return;
        }
    };
    let mut found: Vec<PathBuf> = files
        .filter_map(|file| file.inspect_err(|error| troubles.push((folder.to_owned(), Trouble::io(error)))).ok())
        .map(|file| file.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".pack") || name.starts_with("tmp_pack_")
        })
        .collect();
    found.sort();
    packs.extend(found);
}
