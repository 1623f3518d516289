//! From a place on a disk to the file that holds it; and files within a file system that have to be opened.

use std::collections::HashSet;
use std::ops::Range;

use akia_core::leak::{Part, Place, Sighting, Why};

use super::Disk;
use super::ext4::Ext4;
use super::file_system::{Content, FileSystem, Inode, Run};
use super::partitions::partitions;
use super::xfs::Xfs;
use crate::form::{Form, is_container};
use crate::read_at::ReadAt;
use crate::walk::Walk;

/// Folders in folders: as deep as any path of Linux is long.
const DEEPEST: usize = 2048;

/// Names the files of what was found, which is sorted by offset, and looks into the archives and databases of file systems.
pub(super) fn tell(walk: &Walk<'_>, place: &Place, disk: &dyn Disk, sightings: &mut [Sighting]) {
    let mut known: Vec<u64> = Vec::new();
    for (number, range) in partitions(disk) {
        if known.contains(&range.start) {
            continue;
        }
        let here = match number {
            0 => place.path.clone(),
            number if place.path.is_empty() => format!("partition {number}"),
            number => format!("{} partition {number}", place.path),
        };
        let place = Place { path: here, ..place.clone() };
        let named = match (Ext4::open(disk, &range), Xfs::open(disk, &range)) {
            (Ok(Some(system)), _) => {
                Files::new(walk, &system, place, sightings).all();
                true
            }
            (_, Ok(Some(system))) => {
                Files::new(walk, &system, place, sightings).all();
                true
            }
            (Ok(None), Ok(None)) => false,
            (Err(error), _) | (_, Err(error)) => {
                walk.skip(&place, Why::Unsupported, format!("its files have no names here: {error}"));
                false
            }
        };
        if named {
            known.push(range.start);
        }
    }
}

struct Files<'a, 's, F> {
    walk: &'a Walk<'s>,
    system: &'a F,
    /// Where the file system stands.
    place: Place,
    named: Vec<bool>,
    sightings: &'a mut [Sighting],
}

impl<'a, 's, F: FileSystem> Files<'a, 's, F> {
    fn new(walk: &'a Walk<'s>, system: &'a F, place: Place, sightings: &'a mut [Sighting]) -> Self {
        Files { walk, system, place, named: vec![false; sightings.len()], sightings }
    }

    fn all(&mut self) {
        let mut damaged = 0u64;
        let mut seen = HashSet::from([self.system.root()]);
        let mut open = vec![(self.system.root(), String::new(), 0)];
        while let Some((number, path, depth)) = open.pop() {
            if let Err(error) = self.walk.meter().check() {
                return self.walk.failed(&self.place, &error);
            }
            let mut entries = Vec::new();
            let listed = self.system.inode(number).and_then(|folder| {
                self.system.entries(&folder, &mut |inode, name| entries.push((inode, name.to_vec())))
            });
            damaged += u64::from(listed.is_err());
            for (number, name) in entries {
                let below = match path.as_str() {
                    "" => String::from_utf8_lossy(&name).into_owned(),
                    path => format!("{path}/{}", String::from_utf8_lossy(&name)),
                };
                let place = self.place_of(&below);
                self.walk.name(&place, &name);
                let Ok(inode) = self.system.inode(number) else {
                    damaged += 1;
                    continue;
                };
                if inode.is_folder() {
                    if depth < DEEPEST && seen.insert(number) {
                        open.push((number, below, depth + 1));
                    }
                } else if let Some(target) = inode.short_link() {
                    self.walk.name(&place, target);
                } else if inode.is_file() && self.file(&inode, &place).is_err() {
                    damaged += 1;
                }
            }
        }
        if let Ok(runs) = self.system.journal() {
            let place = self.place_of("(journal)");
            self.name(&runs, &place);
        }
        self.rest();
        if damaged > 0 {
            let detail = format!(
                "{damaged} files or folders of its {} file system cannot be followed; their blocks were scanned",
                self.system.name()
            );
            self.walk.skip(&self.place, Why::Corrupt, detail);
        }
    }

    fn place_of(&self, path: &str) -> Place {
        let path = match self.place.path.as_str() {
            "" => path.to_owned(),
            base => format!("{base}!{path}"),
        };
        Place { path, ..self.place.clone() }
    }

    /// Names what was found in a file, and opens an archive or database.
    fn file(&mut self, inode: &F::Inode, place: &Place) -> std::io::Result<()> {
        let runs = self.system.runs(inode)?;
        self.name(&runs, place);
        if let Some((range, _)) = inode.small() {
            self.name_range(&range, place);
        }
        if inode.is_encrypted() {
            self.walk.skip(place, Why::Encrypted, "the file is encrypted by its file system");
            return Ok(());
        }
        let content = Content::new(self.system.area(), inode, runs);
        let mut head = [0; Form::HEAD];
        let length = usize::try_from(inode.size()).map_or(Form::HEAD, |size| size.min(Form::HEAD));
        content.read_exact_at(&mut head[..length], 0)?;
        if is_container(&head[..length]) {
            self.walk.at(&Place { part: Part::Content, ..place.clone() }, &content, 0);
            self.walk.flush();
        }
        Ok(())
    }

    /// Gives the name of a file to what was found in its blocks.
    fn name(&mut self, runs: &[Run], place: &Place) {
        let area = self.system.area();
        for run in runs {
            if let Ok(start) = area.at(run.physical) {
                self.name_range(&(start..start + run.count * area.block), place);
            }
        }
    }

    fn name_range(&mut self, range: &Range<u64>, place: &Place) {
        let offset = |sighting: &Sighting| sighting.place.offset.unwrap_or(0);
        let first = self.sightings.partition_point(|sighting| offset(sighting) < range.start);
        for (sighting, named) in self.sightings.iter_mut().zip(&mut self.named).skip(first) {
            if offset(sighting) >= range.end {
                break;
            }
            if !std::mem::replace(named, true) {
                sighting.place.path.clone_from(&place.path);
            }
        }
    }

    /// What no file holds.
    fn rest(&mut self) {
        let area = self.system.area();
        for index in 0..self.sightings.len() {
            let Some(block) = self.sightings[index].place.offset.and_then(|offset| area.block_at(offset)) else {
                continue;
            };
            if self.named[index] {
                continue;
            }
            let what = match self.system.is_used(block) {
                Ok(true) => "(file system)",
                Ok(false) => "(free space)",
                Err(_) => "(unknown)",
            };
            self.named[index] = true;
            self.sightings[index].place.path = self.place_of(what).path;
        }
    }
}
