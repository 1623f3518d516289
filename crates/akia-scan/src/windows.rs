//! A stream of any length through a buffer of bounded size, so that nothing is lost where it is cut.
//!
//! Two windows share [`OVERLAP`] bytes. What begins in there is held back until the next window has seen it with what follows,
//! and the better of both looks counts.

use std::io::{ErrorKind, Read, Result};
use std::ops::Range;

use akia_core::leak::{Found, Place};

use crate::walk::Walk;

/// The largest buffer. A core's cache holds it, and a detector that looks around has room.
const WINDOW: usize = 1 << 20;

/// How much two windows share: an id and its secret are found together when they stand nearer than this.
pub(crate) const OVERLAP: usize = 32 << 10;

/// Bytes of one place, as they come.
pub(crate) struct Windows<'w, 's> {
    walk: &'w Walk<'s>,
    place: Place,
    lined: bool,
    raw: bool,
    /// What begins outside is told by somebody else.
    owned: Range<u64>,
    buffer: Vec<u8>,
    filled: usize,
    /// How much of the buffer the window before has seen.
    seen: usize,
    /// Where the buffer begins.
    base: u64,
    lines: u64,
    pending: Vec<Found>,
}

impl<'w, 's> Windows<'w, 's> {
    /// Windows over what a place holds; its lines are counted where it has some.
    pub(crate) fn new(walk: &'w Walk<'s>, place: &Place, lined: bool) -> Self {
        Self {
            walk,
            place: place.clone(),
            lined,
            raw: false,
            owned: 0..u64::MAX,
            buffer: walk.buffer(),
            filled: 0,
            seen: 0,
            base: 0,
            lines: 0,
            pending: Vec::new(),
        }
    }

    /// Windows over the bytes of a container, which begin at `base`: what stands in its members, too, is not told twice.
    pub(crate) fn raw(walk: &'w Walk<'s>, place: &Place, base: u64) -> Self {
        Self { raw: true, base, ..Self::new(walk, place, false) }
    }

    /// Windows over a part of something: what begins within `owned` is told, and what is read before and behind it is there to be
    /// looked at together.
    pub(crate) fn part(walk: &'w Walk<'s>, place: &Place, base: u64, owned: Range<u64>) -> Self {
        Self { base, owned, ..Self::new(walk, place, false) }
    }

    /// Takes bytes that are in memory.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
        }
    }

    /// Takes the next bytes of a reader. Gives how many.
    pub(crate) fn read(&mut self, reader: &mut dyn Read) -> Result<usize> {
        loop {
            match reader.read(self.room()) {
                Ok(read) => {
                    self.filled += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many bytes were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.base + self.filled as u64
    }

    /// The input jumps to `base`: what was before does not touch what comes.
    pub(crate) fn jump(&mut self, base: u64) {
        if self.taken() != base {
            self.look(true);
            self.base = base;
        }
    }

    /// Nothing follows.
    pub(crate) fn finish(mut self) {
        self.look(true);
        self.walk.give_back(std::mem::take(&mut self.buffer));
    }

    /// The free part of the buffer; never empty.
    fn room(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.len() {
            if self.buffer.len() < WINDOW {
                self.buffer.resize((self.buffer.len() * 4).clamp(OVERLAP, WINDOW), 0);
            } else {
                self.look(false);
            }
        }
        &mut self.buffer[self.filled..]
    }

    /// Looks at the buffer, and keeps of it what the next window shall see again.
    fn look(&mut self, last: bool) {
        let text = &self.buffer[..self.filled];
        let detector = &self.walk.scan().detector;
        let kept = if last { 0 } else { OVERLAP.min(self.filled) };
        let cut = self.filled - kept;
        let found = if !self.pending.is_empty() || detector.candidate_in(text, self.seen..self.filled) {
            self.walk.detect(&self.place, text)
        } else {
            Vec::new()
        };
        let mut held = std::mem::take(&mut self.pending);
        for mut found in found {
            let start = found.span.start;
            shift(&mut found, self.base, self.lines);
            if let Some(before) =
                held.iter().position(|before| before.span.start == found.span.start && before.id == found.id)
            {
                let before = held.swap_remove(before);
                if rank(&before) > rank(&found) {
                    found = before;
                }
            } else if start < self.seen && found.span.end as u64 <= self.base + self.seen as u64 && !self.is_new(&found)
            {
                // The window before saw it whole, and better, as a part of something that began earlier.
                continue;
            }
            if start >= cut { self.pending.push(found) } else { self.tell(found) }
        }
        for before in held {
            self.tell(before);
        }
        if last {
            for found in std::mem::take(&mut self.pending) {
                self.tell(found);
            }
        }
        let end = self.base + self.filled as u64;
        let begin = (self.base + self.seen as u64).max(self.owned.start);
        self.walk.count_bytes(end.min(self.owned.end).saturating_sub(begin));
        if self.lined && !last {
            self.lines += memchr::memchr_iter(b'\n', &self.buffer[..cut]).count() as u64;
        }
        self.buffer.copy_within(cut..self.filled, 0);
        self.base += cut as u64;
        self.filled = kept;
        self.seen = kept;
    }

    /// Whether the window before has not told this key at about this place.
    fn is_new(&self, found: &Found) -> bool {
        !self.walk.knows(&self.place, &found.fingerprint())
    }

    fn tell(&self, found: Found) {
        if !self.owned.contains(&(found.span.start as u64)) {
            return;
        }
        let mut place = self.place.clone();
        if self.lined {
            place.line = Some(found.line);
        } else {
            place.offset = Some(found.span.start as u64);
        }
        self.walk.found(found, place, self.raw);
    }
}

/// From a place in a window to a place in the stream.
fn shift(found: &mut Found, base: u64, lines: u64) {
    let base = usize::try_from(base).unwrap_or(usize::MAX);
    found.span = found.span.start.saturating_add(base)..found.span.end.saturating_add(base);
    found.line += lines;
    if let Some(secret) = &mut found.secret {
        secret.span = secret.span.start.saturating_add(base)..secret.span.end.saturating_add(base);
        secret.line += lines;
    }
}

/// Which of two looks at one key saw more.
fn rank(found: &Found) -> (bool, bool, akia_core::leak::Confidence) {
    (found.secret.is_some(), found.session_token, found.confidence)
}
