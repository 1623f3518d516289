//! Which object of a pack is a delta of which: trees, whose roots are whole objects.

use std::io;

use super::super::oid::{Kind, ObjectId};
use super::super::trouble::Trouble;
use super::entry::{Entry, Stored};
use super::{PackFile, PackIndex};

/// No object.
pub(crate) const NONE: u32 = u32::MAX;

/// How much of a pack is read at once.
const WINDOW: usize = 1 << 20;

/// The deltas of a pack.
#[derive(Default)]
pub(crate) struct Forest {
    /// The first delta of each object; the last one of these lists has the most below it.
    first: Vec<u32>,
    /// The next delta of the same base.
    next: Vec<u32>,
    /// How many objects each tree holds below and with this one.
    weight: Vec<u32>,
    /// The whole objects, with their kinds.
    pub(crate) roots: Vec<(u32, Kind)>,
    /// Deltas whose base is named and in no entry of this pack.
    pub(crate) strangers: Vec<(u32, ObjectId)>,
    /// What is broken already in its head, or does not have the checksum that the index has.
    pub(crate) troubles: Vec<(u32, Trouble)>,
}

impl Forest {
    /// Puts the heads of a pack together. `number_of` finds an object of this pack by name.
    pub(crate) fn new(heads: Heads, number_of: impl Fn(&ObjectId) -> Option<u32>) -> Self {
        let mut bases = heads.bases;
        let mut forest = Self::default();
        for part in heads.parts {
            forest.roots.extend(part.roots);
            forest.troubles.extend(part.troubles);
            for (number, name) in part.named {
                match (number_of(&name), bases.get_mut(number as usize)) {
                    (Some(base), Some(slot)) => *slot = base,
                    _ => forest.strangers.push((number, name)),
                }
            }
        }
        forest.link(&bases);
        forest.tell_lost();
        forest
    }

    /// Tells of objects that no root leads to: their deltas are a circle, or stand on what is broken.
    fn tell_lost(&mut self) {
        let mut reached = vec![false; self.weight.len()];
        let mut waiting: Vec<u32> = self.roots.iter().map(|(root, _)| *root).collect();
        waiting.extend(self.strangers.iter().map(|(root, _)| *root));
        while let Some(number) = waiting.pop() {
            let Some(reached) = reached.get_mut(number as usize) else { continue };
            *reached = true;
            let mut child = self.first(number);
            while child != NONE {
                waiting.push(child);
                child = self.next(child);
            }
        }
        let told: Vec<u32> = self.troubles.iter().map(|(number, _)| *number).collect();
        let lost = (0..).zip(reached).filter(|(number, reached)| !reached && told.binary_search(number).is_err());
        let why = || Trouble::corrupt("its deltas lead to a broken object, or back to itself");
        self.troubles.extend(lost.map(|(number, _)| (number, why())));
    }

    fn link(&mut self, bases: &[u32]) {
        let count = bases.len();
        self.weight = vec![1; count];
        // A base stands before its deltas, unless it is named: those weights are guesses, and only order the work.
        for (number, base) in bases.iter().enumerate().rev() {
            let weight = self.weight(number);
            if let Some(slot) = self.weight.get_mut(*base as usize) {
                *slot = slot.saturating_add(weight);
            }
        }
        let mut heaviest = vec![NONE; count];
        for (number, base) in bases.iter().enumerate() {
            let weight = self.weight(number);
            if let Some(slot) = heaviest.get_mut(*base as usize)
                && (*slot == NONE || self.weight.get(*slot as usize).is_some_and(|most| weight > *most))
            {
                *slot = u32::try_from(number).unwrap_or(NONE);
            }
        }
        self.first = heaviest.clone();
        self.next = vec![NONE; count];
        for (number, base) in bases.iter().enumerate().rev() {
            let number = u32::try_from(number).unwrap_or(NONE);
            if let (Some(first), Some(heaviest)) = (self.first.get_mut(*base as usize), heaviest.get(*base as usize))
                && number != *heaviest
                && let Some(next) = self.next.get_mut(number as usize)
            {
                *next = *first;
                *first = number;
            }
        }
    }

    /// The first delta against an object.
    pub(crate) fn first(&self, number: u32) -> u32 {
        self.first.get(number as usize).copied().unwrap_or(NONE)
    }

    /// The next delta against the same base.
    pub(crate) fn next(&self, number: u32) -> u32 {
        self.next.get(number as usize).copied().unwrap_or(NONE)
    }

    /// Calls `prune` with every object that `is_known`, and so is all that hangs on it.
    pub(crate) fn prune(&self, is_known: impl Fn(u32) -> bool, mut prune: impl FnMut(u32)) {
        let (mut order, mut parents) = (Vec::new(), Vec::new());
        let roots = self.roots.iter().map(|(root, _)| *root).chain(self.strangers.iter().map(|(root, _)| *root));
        let mut waiting: Vec<(u32, usize)> = roots.map(|root| (root, usize::MAX)).collect();
        while let Some((number, parent)) = waiting.pop() {
            let place = order.len();
            order.push(number);
            parents.push(parent);
            let mut child = self.first(number);
            while child != NONE {
                waiting.push((child, place));
                child = self.next(child);
            }
        }
        let mut all: Vec<bool> = order.iter().map(|number| is_known(*number)).collect();
        for place in (0..order.len()).rev() {
            if all.get(place).is_some_and(|all| !all) {
                let parent = parents.get(place).copied().unwrap_or(usize::MAX);
                all.get_mut(parent).into_iter().for_each(|parent| *parent = false);
            }
        }
        order.iter().zip(all).filter(|(_, all)| *all).for_each(|(number, _)| prune(*number));
    }

    /// How many objects hang on this one, itself among them.
    pub(crate) fn weight(&self, number: usize) -> u32 {
        self.weight.get(number).copied().unwrap_or(0)
    }
}

/// The heads of a pack's objects.
pub(crate) struct Heads {
    /// The base of each object, if it is a delta against one that is named by its distance.
    bases: Vec<u32>,
    parts: Vec<Part>,
}

impl Heads {
    /// Reads every head, in the order of the pack and on several threads.
    pub(crate) fn read(pack: &PackFile, index: &PackIndex, threads: usize) -> Self {
        let count = index.len();
        let share = count.div_ceil(threads.max(1)).max(1);
        let mut bases = vec![NONE; count];
        let parts = std::thread::scope(|scope| {
            let running: Vec<_> = bases
                .chunks_mut(share)
                .enumerate()
                .map(|(part, bases)| scope.spawn(move || heads(pack, index, part * share, bases)))
                .collect();
            running.into_iter().filter_map(|part| part.join().ok()).collect()
        });
        Self { bases, parts }
    }
}

/// What a thread read.
#[derive(Default)]
struct Part {
    roots: Vec<(u32, Kind)>,
    named: Vec<(u32, ObjectId)>,
    troubles: Vec<(u32, Trouble)>,
}

/// Reads the heads of a run of objects and checks their checksums.
fn heads(pack: &PackFile, index: &PackIndex, from: usize, bases: &mut [u32]) -> Part {
    let mut part = Part::default();
    let mut window = Window { pack, bytes: Vec::new(), start: 0 };
    for (place, base) in bases.iter_mut().enumerate() {
        let number = u32::try_from(from + place).unwrap_or(NONE);
        let (start, end) = index.span(number);
        let head = match window.at(start, end, Entry::LONGEST) {
            Ok(bytes) => Entry::parse(bytes, pack.format),
            Err(error) => {
                part.troubles.push((number, Trouble::io(&error)));
                continue;
            }
        };
        match head.map(|head| head.stored) {
            None => {
                part.troubles.push((number, Trouble::corrupt("its head is broken")));
                continue;
            }
            Some(Stored::Whole(kind)) => part.roots.push((number, kind)),
            Some(Stored::Reference(name)) => part.named.push((number, name)),
            Some(Stored::Offset(distance)) => {
                match start.checked_sub(distance).filter(|_| distance > 0).and_then(|offset| index.at_offset(offset)) {
                    Some(found) => *base = found,
                    None => {
                        part.troubles.push((number, Trouble::corrupt("its delta names a base where no object begins")));
                        continue;
                    }
                }
            }
        }
        // What has another checksum is told and still looked at: it may hold a key as it is.
        if let Some(expected) = index.checksum(number)
            && !window.checksum(start, end).is_ok_and(|found| found == expected)
        {
            part.troubles.push((number, Trouble::corrupt("its packed bytes do not have the checksum of the index")));
        }
    }
    part
}

/// A piece of a pack.
struct Window<'p> {
    pack: &'p PackFile,
    bytes: Vec<u8>,
    start: u64,
}

impl Window<'_> {
    /// The bytes from `start`, at least `least` of them unless `end` is nearer.
    fn at(&mut self, start: u64, end: u64, least: usize) -> io::Result<&[u8]> {
        let want = end.saturating_sub(start).min(least as u64);
        let stands = start >= self.start && start + want <= self.start + self.bytes.len() as u64;
        if !stands {
            let length = self.pack.end.saturating_sub(start).min(WINDOW as u64);
            self.bytes.resize(usize::try_from(length).unwrap_or(0), 0);
            self.start = start;
            let read = self.pack.read(start, &mut self.bytes);
            if read.is_err() {
                self.bytes.clear();
                read?;
            }
        }
        let from = usize::try_from(start - self.start).unwrap_or(0);
        let to =
            self.bytes.len().min(from.saturating_add(usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX)));
        Ok(self.bytes.get(from..to).unwrap_or_default())
    }

    fn checksum(&mut self, start: u64, end: u64) -> io::Result<u32> {
        let (mut sum, mut at) = (libdeflater::Crc::new(), start);
        while at < end {
            let bytes = self.at(at, end, 1)?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            sum.update(bytes);
            at += bytes.len() as u64;
        }
        Ok(sum.sum())
    }
}
