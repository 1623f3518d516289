//! Walks the trees of deltas: each base is inflated once, each object is rebuilt from its base, and what nobody needs is freed.

use std::path::Path;

use super::super::inflate::Inflater;
use super::super::loose;
use super::super::oid::{Kind, ObjectId};
use super::super::trouble::Trouble;
use super::delta::Delta;
use super::entry::{Entry, Stored};
use super::forest::{Forest, NONE};
use super::{PackFile, PackIndex};

/// Looks at objects as they are rebuilt.
pub(crate) trait Visit {
    /// What is kept of an object while there are deltas against it.
    type State;

    /// An object; with its base, and what the delta against that did.
    fn object(&mut self, number: u32, kind: Kind, bytes: &[u8], base: Option<(&Self::State, &Delta)>) -> Self::State;

    /// A whole object that is larger than the limit.
    fn large(&mut self, number: u32, kind: Kind, entry: Entry) -> Result<(), Trouble>;

    /// An object that could not be rebuilt, and what hangs on it: so many, itself among them.
    fn trouble(&mut self, number: u32, others: u32, trouble: Trouble);

    /// Whether an object and everything that hangs on it is left out: so many, itself among them.
    fn prunes(&mut self, _number: u32, _others: u32) -> bool {
        false
    }
}

/// Finds bases that are not in the pack.
pub(crate) trait Bases {
    /// An object by its name, no larger than `most`.
    fn named(&self, name: &ObjectId, most: u64) -> Result<(Kind, Vec<u8>), Trouble>;
}

/// How many bytes of ancestors may be held, in largest objects. Since the heaviest delta comes last and frees its base, real
/// packs hold a handful of files.
const HELD: u64 = 2;

/// Walks through one pack on one thread; its buffers are used again and again.
pub(crate) struct Walk {
    inflater: Inflater,
    packed: Window,
    instructions: Vec<u8>,
    delta: Delta,
    spare: Vec<Vec<u8>>,
    most: u64,
}

/// A piece of a pack that was read last. Objects of a tree of deltas often stand side by side, and many are smaller than what it costs to ask the
/// system for them.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    /// Which pack it is of, and which part.
    pack: u64,
    start: u64,
    end: u64,
    /// Where what was asked for last ended.
    asked: u64,
}

/// An object, and what is kept of it.
type Held<S> = (Vec<u8>, S);

struct Frame<S> {
    bytes: Vec<u8>,
    state: S,
    /// The next delta against it.
    next: u32,
}

impl Walk {
    /// A walk that rebuilds nothing larger than `most`.
    pub(crate) fn new(most: u64) -> Self {
        Self {
            inflater: Inflater::new(),
            packed: Window::default(),
            instructions: Vec::new(),
            delta: Delta::default(),
            spare: Vec::new(),
            most,
        }
    }

    /// Looks at an object and all that hangs on it.
    pub(crate) fn tree<V: Visit>(
        &mut self,
        (pack, index, forest): (&PackFile, &PackIndex, &Forest),
        (root, kind): (u32, Kind),
        bases: &impl Bases,
        visit: &mut V,
    ) {
        if visit.prunes(root, forest.weight(root as usize)) {
            return;
        }
        let mut held = 0;
        let mut frames: Vec<Frame<V::State>> = Vec::new();
        match self.root(pack, index, root, kind, bases, visit) {
            Ok(None) => {
                // It was looked at piece by piece, and is too large to rebuild anything from.
                let mut child = forest.first(root);
                while child != NONE {
                    let why = Trouble {
                        detail: "its delta is against an object that is too large; --max-unpacked raises the limit"
                            .to_owned(),
                        ..Trouble::too_large(0)
                    };
                    visit.trouble(child, forest.weight(child as usize), why);
                    child = forest.next(child);
                }
            }
            Ok(Some((bytes, state))) => {
                held += bytes.len() as u64;
                frames.push(Frame { bytes, state, next: forest.first(root) });
            }
            Err(trouble) => visit.trouble(root, forest.weight(root as usize), trouble),
        }
        while let Some(mut frame) = frames.pop() {
            let child = frame.next;
            if child == NONE {
                held -= frame.bytes.len() as u64;
                self.spare.push(frame.bytes);
                continue;
            }
            frame.next = forest.next(child);
            if visit.prunes(child, forest.weight(child as usize)) {
                frames.push(frame);
                continue;
            }
            let mut out = self.spare.pop().unwrap_or_default();
            let rebuilt = if held > self.most.saturating_mul(HELD) {
                Err(Trouble {
                    detail: "its bases are too large to be held; --max-unpacked raises the limit".to_owned(),
                    ..Trouble::too_large(0)
                })
            } else {
                self.child(pack, index, child, &frame.bytes, &mut out)
            };
            let state = rebuilt.map(|()| visit.object(child, kind, &out, Some((&frame.state, &self.delta))));
            // The last delta frees its base, so that a chain holds two objects however long it is.
            if frame.next == NONE {
                held -= frame.bytes.len() as u64;
                self.spare.push(frame.bytes);
            } else {
                frames.push(frame);
            }
            match state {
                Ok(state) if forest.first(child) != NONE => {
                    held += out.len() as u64;
                    frames.push(Frame { bytes: out, state, next: forest.first(child) });
                }
                Ok(_) => self.spare.push(out),
                Err(trouble) => {
                    self.spare.push(out);
                    visit.trouble(child, forest.weight(child as usize), trouble);
                }
            }
        }
        self.thin_out();
    }

    /// A whole object, or a delta whose base is elsewhere, with what is kept of it; none of one that is too large to be held.
    fn root<V: Visit>(
        &mut self,
        pack: &PackFile,
        index: &PackIndex,
        root: u32,
        kind: Kind,
        bases: &impl Bases,
        visit: &mut V,
    ) -> Result<Option<Held<V::State>>, Trouble> {
        let (entry, packed) = self.packed.entry(pack, index, root, self.most)?;
        match entry.stored {
            Stored::Whole(_) if entry.size > self.most => {
                visit.large(root, kind, entry)?;
                Ok(None)
            }
            Stored::Whole(_) => {
                let mut bytes = self.spare.pop().unwrap_or_default();
                self.inflater.exactly(packed, entry.size, &mut bytes)?;
                let state = visit.object(root, kind, &bytes, None);
                Ok(Some((bytes, state)))
            }
            Stored::Offset(_) => Err(Trouble::corrupt("its delta names a base where no object begins")),
            Stored::Reference(name) => {
                let (_, base) = bases.named(&name, self.most)?;
                let mut bytes = self.spare.pop().unwrap_or_default();
                self.child(pack, index, root, &base, &mut bytes)?;
                let state = visit.object(root, kind, &bytes, None);
                Ok(Some((bytes, state)))
            }
        }
    }

    fn child(
        &mut self,
        pack: &PackFile,
        index: &PackIndex,
        child: u32,
        base: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let (entry, packed) = self.packed.entry(pack, index, child, self.most)?;
        if entry.size > self.most {
            return Err(Trouble::too_large(entry.size));
        }
        let instructions = self.inflater.at_head(packed, entry.size, &mut self.instructions)?;
        self.delta.apply(base, instructions, self.most, out)
    }

    /// Buffers are kept for the next tree, but not many and none that is huge.
    fn thin_out(&mut self) {
        const KEPT: usize = 8;
        const HUGE: usize = 16 << 20;
        for buffer in [&mut self.packed.bytes, &mut self.instructions] {
            buffer.truncate(HUGE);
            buffer.shrink_to(HUGE);
        }
        self.spare.retain(|buffer| buffer.capacity() <= HUGE);
        self.spare.truncate(KEPT);
    }
}

impl Window {
    /// How much is read on behind an object that stands close behind the last one.
    const AHEAD: u64 = 8 << 10;
    /// What is close.
    const CLOSE: u64 = 4 << 10;

    /// The head of an object and what is packed behind it; only the head where that is larger than `most`.
    fn entry(&mut self, pack: &PackFile, index: &PackIndex, number: u32, most: u64) -> Result<(Entry, &[u8]), Trouble> {
        let (start, end) = index.span(number);
        let length = end.saturating_sub(start);
        let length = if length > most.saturating_add(Entry::LONGEST as u64) { Entry::LONGEST as u64 } else { length };
        let bytes = self.read(pack, start, start.saturating_add(length))?;
        let entry = Entry::parse(bytes, pack.format).ok_or_else(|| Trouble::corrupt("its head is broken"))?;
        Ok((entry, bytes.get(entry.head..).unwrap_or_default()))
    }

    fn read(&mut self, pack: &PackFile, start: u64, end: u64) -> Result<&[u8], Trouble> {
        if pack.number != self.pack || start < self.start || end > self.end {
            let follows = pack.number == self.pack && (self.asked..=self.asked + Self::CLOSE).contains(&start);
            let ahead = if follows { end.saturating_add(Self::AHEAD).min(pack.end).max(end) } else { end };
            let length = usize::try_from(ahead - start).map_err(|_| Trouble::too_large(end - start))?;
            self.bytes.resize(self.bytes.len().max(length), 0);
            // Nothing stands here if reading fails.
            (self.pack, self.start, self.end) = (pack.number, start, start);
            let bytes = self.bytes.get_mut(..length).unwrap_or_default();
            pack.read(start, bytes).map_err(|error| Trouble::io(&error))?;
            self.end = ahead;
        }
        self.asked = end;
        let at = |offset: u64| usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(at(start)..at(end)).unwrap_or_default())
    }
}

/// The longest chain of deltas that is followed for a single object; git itself makes none that is longer.
const CHAIN: usize = 4096;

impl Walk {
    /// Reads one object by its chain of deltas, outside of a walk. `number_of` finds an object of this pack by its name.
    pub(crate) fn one(
        &mut self,
        (pack, index): (&PackFile, &PackIndex),
        number: u32,
        number_of: &dyn Fn(&ObjectId) -> Option<u32>,
        bases: &impl Bases,
    ) -> Result<(Kind, Vec<u8>), Trouble> {
        let mut chain = vec![number];
        let (kind, mut bytes) = loop {
            let number = chain.last().copied().unwrap_or(number);
            let (entry, packed) = self.packed.entry(pack, index, number, self.most)?;
            match entry.stored {
                Stored::Whole(kind) => {
                    chain.pop();
                    if entry.size > self.most {
                        return Err(Trouble::too_large(entry.size));
                    }
                    let mut bytes = Vec::new();
                    self.inflater.exactly(packed, entry.size, &mut bytes)?;
                    break (kind, bytes);
                }
                Stored::Offset(distance) => {
                    let base = index.span(number).0.checked_sub(distance).and_then(|offset| index.at_offset(offset));
                    chain.push(base.ok_or_else(|| Trouble::corrupt("its delta names a base where no object begins"))?);
                }
                Stored::Reference(name) => match number_of(&name) {
                    Some(base) => chain.push(base),
                    None => break bases.named(&name, self.most)?,
                },
            }
            if chain.len() > CHAIN {
                return Err(Trouble::corrupt("its chain of deltas does not end"));
            }
        };
        let mut out = Vec::new();
        for number in chain.into_iter().rev() {
            self.child(pack, index, number, &bytes, &mut out)?;
            std::mem::swap(&mut bytes, &mut out);
        }
        Ok((kind, bytes))
    }

    /// Inflates what is packed at an object, and says how much that is.
    pub(crate) fn inflate(&mut self, pack: &PackFile, index: &PackIndex, number: u32) -> u64 {
        let Ok((entry, packed)) = self.packed.entry(pack, index, number, self.most) else { return 0 };
        self.inflater.at_head(packed, entry.size, &mut self.instructions).map_or(0, |_| entry.size)
    }

    /// Reads a loose object into `out`, and says what it is and how long its header is.
    pub(crate) fn loose(&mut self, path: &Path, out: &mut Vec<u8>) -> Result<(Kind, usize), Trouble> {
        loose::read(path, self.most, &mut self.inflater, out)
    }

    /// What an object is, by the heads of its chain of deltas.
    pub(crate) fn kind(
        &mut self,
        (pack, index): (&PackFile, &PackIndex),
        mut number: u32,
        number_of: &dyn Fn(&ObjectId) -> Option<u32>,
        bases: &impl Bases,
    ) -> Result<Kind, Trouble> {
        for _ in 0..CHAIN {
            let (entry, _) = self.packed.entry(pack, index, number, 0)?;
            number = match entry.stored {
                Stored::Whole(kind) => return Ok(kind),
                Stored::Offset(distance) => {
                    let base = index.span(number).0.checked_sub(distance).and_then(|offset| index.at_offset(offset));
                    base.ok_or_else(|| Trouble::corrupt("its delta names a base where no object begins"))?
                }
                Stored::Reference(name) => match number_of(&name) {
                    Some(base) => base,
                    None => return bases.named(&name, self.most).map(|(kind, _)| kind),
                },
            };
        }
        Err(Trouble::corrupt("its chain of deltas does not end"))
    }
}
