//! The index of a pack that has none, or a broken one: the pack is read from its beginning, and its objects are hashed.

use std::collections::HashMap;

use super::super::inflate::Stream;
use super::super::oid::{Kind, ObjectId};
use super::super::trouble::Trouble;
use super::entry::Entry;
use super::file::HEADER;
use super::forest::{Forest, Heads};
use super::walk::{Bases, Visit, Walk};
use super::{PackFile, PackIndex};

/// Makes the index of a pack. What keeps it from being whole is told beside it.
pub(crate) fn rebuild(pack: &PackFile, most: u64, bases: &impl Bases) -> Result<(PackIndex, Vec<Trouble>), Trouble> {
    let (offsets, end, mut troubles) = offsets(pack);
    let width = pack.format.width();
    let unnamed = PackIndex::new(pack.format, vec![0; offsets.len() * width], offsets.clone(), Vec::new(), end)?;
    let mut names = name(pack, &unnamed, most, bases);
    let unknown = names.iter().filter(|name| name.is_none()).count();
    if unknown > 0 {
        troubles.push(Trouble::corrupt(format!("{unknown} of its objects cannot be rebuilt")));
    }
    let names =
        names.drain(..).flat_map(|name| name.unwrap_or(ObjectId::new(&vec![0; width])).as_bytes().to_vec()).collect();
    Ok((PackIndex::new(pack.format, names, offsets, Vec::new(), end)?, troubles))
}

/// Where objects begin: each where the one before it ends.
fn offsets(pack: &PackFile) -> (Vec<u64>, u64, Vec<Trouble>) {
    let (mut offsets, mut at) = (Vec::new(), HEADER);
    let mut reader = Reader { pack, bytes: vec![0; 1 << 16], start: 0, length: 0 };
    for number in 0..pack.count {
        match reader.skip(at) {
            Ok(end) => {
                offsets.push(at);
                at = end;
            }
            Err(trouble) => {
                let told = format!("only {number} of its {} objects could be read: {}", pack.count, trouble.detail);
                return (offsets, at, vec![Trouble { detail: told, ..trouble }]);
            }
        }
    }
    let mut troubles = Vec::new();
    if at < pack.end {
        troubles.push(Trouble::corrupt(format!("{} bytes stand behind its last object", pack.end - at)));
    }
    (offsets, at, troubles)
}

struct Reader<'p> {
    pack: &'p PackFile,
    bytes: Vec<u8>,
    start: u64,
    length: usize,
}

impl Reader<'_> {
    /// Where the object that begins at an offset ends.
    fn skip(&mut self, mut at: u64) -> Result<u64, Trouble> {
        let format = self.pack.format;
        let entry = Entry::parse(self.window(at, Entry::LONGEST)?, format)
            .ok_or_else(|| Trouble::corrupt("a head is broken"))?;
        at += entry.head as u64;
        let (mut stream, mut out, mut size) = (Stream::new(), [0; 1 << 14], 0);
        while !stream.ended {
            let packed = self.window(at, 1)?;
            if packed.is_empty() {
                return Err(Trouble::corrupt("it is cut short"));
            }
            let (taken, given) = stream.step(packed, &mut out)?;
            at += taken as u64;
            size += given as u64;
            if size > entry.size {
                break;
            }
        }
        if size != entry.size {
            return Err(Trouble::corrupt(format!("an object claims {} bytes and has {size}", entry.size)));
        }
        Ok(at)
    }

    /// The bytes from an offset, at least so many of them unless the pack ends.
    fn window(&mut self, at: u64, least: usize) -> Result<&[u8], Trouble> {
        let left = self.pack.end.saturating_sub(at);
        let stands = at >= self.start && at + left.min(least as u64) <= self.start + self.length as u64;
        if !stands {
            self.length = usize::try_from(left).unwrap_or(usize::MAX).min(self.bytes.len());
            self.start = at;
            let window = self.bytes.get_mut(..self.length).unwrap_or_default();
            self.pack.read(at, window).map_err(|error| Trouble::io(&error))?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(0);
        Ok(self.bytes.get(from..self.length).unwrap_or_default())
    }
}

/// Hashes every object, round by round: a delta against a named object can be rebuilt once that has its name.
fn name(pack: &PackFile, index: &PackIndex, most: u64, bases: &impl Bases) -> Vec<Option<ObjectId>> {
    let forest = Forest::new(Heads::read(pack, index, 1), |_| None);
    let mut naming =
        Naming { pack, names: vec![None; index.len()], kinds: vec![None; index.len()], known: HashMap::new() };
    let mut walk = Walk::new(most);
    for root in &forest.roots {
        walk.tree((pack, index, &forest), *root, bases, &mut naming);
    }
    let mut waiting = forest.strangers.clone();
    loop {
        let before = waiting.len();
        let ready: Vec<_> = waiting.extract_if(.., |(_, base)| naming.known.contains_key(base)).collect();
        let local = Local { pack, index, known: naming.known.clone(), bases };
        for (number, base) in ready {
            let kind = naming.known.get(&base).and_then(|base| naming.kinds.get(*base as usize).copied().flatten());
            walk.tree((pack, index, &forest), (number, kind.unwrap_or(Kind::Blob)), &local, &mut naming);
        }
        if waiting.len() == before {
            break;
        }
    }
    // What is left stands on objects of other packs, or on nothing.
    for (number, base) in waiting {
        if let Ok((kind, _)) = bases.named(&base, most) {
            walk.tree((pack, index, &forest), (number, kind), bases, &mut naming);
        }
    }
    naming.names
}

struct Naming<'p> {
    pack: &'p PackFile,
    names: Vec<Option<ObjectId>>,
    kinds: Vec<Option<Kind>>,
    known: HashMap<ObjectId, u32>,
}

impl Naming<'_> {
    fn set(&mut self, number: u32, kind: Kind, name: ObjectId) {
        if let (Some(slot), Some(known)) = (self.names.get_mut(number as usize), self.kinds.get_mut(number as usize)) {
            (*slot, *known) = (Some(name), Some(kind));
            self.known.insert(name, number);
        }
    }
}

impl Visit for Naming<'_> {
    type State = ();

    fn object(&mut self, number: u32, kind: Kind, bytes: &[u8], _base: Option<(&(), &super::Delta)>) {
        let head = format!("{} {}\0", kind.name(), bytes.len());
        self.set(number, kind, self.pack.format.hash(&[head.as_bytes(), bytes]));
    }

    fn large(&mut self, _number: u32, _kind: Kind, entry: Entry) -> Result<(), Trouble> {
        // Nothing larger than the limit is unpacked only to learn its name; the scan looks at it without one.
        Err(Trouble::too_large(entry.size))
    }

    fn trouble(&mut self, _number: u32, _others: u32, _trouble: Trouble) {
        // Whoever walks the pack with this index meets it again and tells it.
    }
}

/// Objects of the pack itself, by the names found so far.
struct Local<'p, B> {
    pack: &'p PackFile,
    index: &'p PackIndex,
    known: HashMap<ObjectId, u32>,
    bases: &'p B,
}

impl<B: Bases> Bases for Local<'_, B> {
    fn named(&self, name: &ObjectId, most: u64) -> Result<(Kind, Vec<u8>), Trouble> {
        let Some(number) = self.known.get(name) else { return self.bases.named(name, most) };
        Walk::new(most).one((self.pack, self.index), *number, &|name| self.known.get(name).copied(), self.bases)
    }
}
