//! The walk through one file or object and everything that is packed in it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Read;

use akia_core::leak::{Fingerprint, Found, Part, Place, Sighting, Why};

use crate::Scan;
use crate::form::{self, Form};
use crate::frames::Frames;
use crate::lookahead::Lookahead;
use crate::meter::{Meter, Stop};
use crate::read_at::{Cursor, ReadAt};
use crate::windows::Windows;
use crate::{ar, sqlite, tar, zip};

/// The walk through one file or object. What it finds is told to the ledger by [`Walk::finish`].
pub(crate) struct Walk<'s> {
    scan: &'s Scan,
    meter: Meter<'s>,
    told_stop: Cell<bool>,
    is_quiet: bool,
    sightings: RefCell<Vec<Seen>>,
    objects: Cell<u64>,
    bytes: Cell<u64>,
    /// Buffers that no window needs now.
    spare: RefCell<Vec<Vec<u8>>>,
}

/// A sighting, and whether it was seen in the bytes of a container rather than in a member.
struct Seen {
    sighting: Sighting,
    /// Its key: an HMAC, made once, for keys are compared often.
    fingerprint: Fingerprint,
    raw: bool,
}

impl Seen {
    /// Whether a member says what the bytes of its container say, or more: there, a secret of another row may stand beside an id.
    fn is_in(&self, member: &Self) -> bool {
        let (own, other) = (&self.sighting.found, &member.sighting.found);
        let same =
            own.id.is_some() && own.id == other.id && other.secret.is_some() || self.fingerprint == member.fingerprint;
        same && member.sighting.place.path.starts_with(self.sighting.place.path.as_str())
    }
}

impl<'s> Walk<'s> {
    pub(crate) fn new(scan: &'s Scan) -> Self {
        Self {
            scan,
            meter: Meter::new(&scan.limits),
            told_stop: Cell::new(false),
            is_quiet: false,
            sightings: RefCell::default(),
            objects: Cell::new(0),
            bytes: Cell::new(0),
            spare: RefCell::default(),
        }
    }

    /// A walk that tells nothing: a first look at what a second one will tell of.
    pub(crate) fn quiet(scan: &'s Scan) -> Self {
        Self { is_quiet: true, ..Self::new(scan) }
    }

    pub(crate) fn scan(&self) -> &'s Scan {
        self.scan
    }

    pub(crate) fn meter(&self) -> &Meter<'s> {
        &self.meter
    }

    /// Looks at bytes that are in memory.
    pub(crate) fn bytes(&self, place: &Place, bytes: &[u8], depth: u32) {
        if Form::of_whole(bytes, bytes) == Form::Plain {
            self.count_object();
            self.count_bytes(bytes.len() as u64);
            if self.scan.detector.candidate_in(bytes, 0..bytes.len()) {
                let lined = form::has_lines(bytes.get(..Form::HEAD).unwrap_or(bytes));
                self.text(place, bytes, lined);
            }
        } else {
            self.at(place, &bytes, depth);
        }
    }

    /// Looks at something of which any part can be read.
    pub(crate) fn at(&self, place: &Place, source: &dyn ReadAt, depth: u32) {
        let mut tail = [0; form::TAIL];
        let length = source.length();
        if let Some(at) = length.checked_sub(form::TAIL as u64)
            && let Err(error) = source.read_exact_at(&mut tail, at)
        {
            return self.failed(place, &error);
        }
        let mut reader = Lookahead::new(Cursor::new(source));
        match reader.peek(Form::HEAD) {
            Ok(head) => match Form::of_whole(head, &tail) {
                form @ (Form::Sqlite | Form::SqliteLog) if depth < self.scan.limits.depth => {
                    self.count_object();
                    sqlite::scan(self, place, source, form == Form::SqliteLog, depth);
                }
                form => self.form(place, form, &mut reader, depth),
            },
            Err(error) => self.failed(place, &error),
        }
    }

    /// Looks at a stream.
    pub(crate) fn stream(&self, place: &Place, reader: &mut dyn Read, depth: u32) {
        let mut reader = Lookahead::new(reader);
        match reader.peek(Form::HEAD) {
            Ok(head) => {
                let form = Form::of(head);
                self.form(place, form, &mut reader, depth);
            }
            Err(error) => self.failed(place, &error),
        }
    }

    fn form<R: Read>(&self, place: &Place, form: Form, reader: &mut Lookahead<R>, depth: u32) {
        self.count_object();
        if form != Form::Plain && depth >= self.scan.limits.depth {
            let detail = format!("archives are nested deeper than {depth}: --max-depth");
            self.skip(place, Why::TooDeep, detail);
            return self.plain(place, reader, true);
        }
        match form {
            Form::Plain => self.plain(place, reader, false),
            Form::Unsupported(name) => {
                self.skip(place, Why::Unsupported, format!("akia does not unpack {name}"));
                self.plain(place, reader, true);
            }
            Form::Gzip | Form::Zstd | Form::Xz | Form::Lzma | Form::Bzip2 => {
                self.packed(place, form, reader, depth);
            }
            Form::Tar => tar::scan(self, place, reader, depth),
            Form::Zip => zip::scan(self, place, reader, depth),
            Form::Ar => ar::scan(self, place, reader, depth),
            Form::Sqlite | Form::SqliteLog => self.database(place, form, reader, depth),
        }
    }

    /// A stream that is one compressed thing.
    fn packed<R: Read>(&self, place: &Place, form: Form, reader: &mut Lookahead<R>, depth: u32) {
        self.unpack(place, form, reader, |unpacked| self.stream(place, unpacked, depth + 1));
    }

    /// Hands what is unpacked to `look`, and scans the compressed bytes as well.
    pub(crate) fn unpack<R: Read>(
        &self,
        place: &Place,
        form: Form,
        reader: &mut Lookahead<R>,
        look: impl FnOnce(&mut dyn Read),
    ) {
        let mut tap = Tap { inner: reader, windows: Windows::raw(self, place, 0) };
        {
            let mut packed = Lookahead::new(&mut tap);
            let mut frames = self.meter.read(Frames::new(form, &mut packed, self.scan.limits.unpacked_bytes));
            look(&mut frames);
        }
        // What stands behind the end, or behind a fault, is no less a place for a key.
        let rest = self.drain(&mut tap);
        tap.windows.finish();
        if let Err(error) = rest {
            self.failed(place, &error);
        }
    }

    /// Reads to the end.
    fn drain(&self, reader: &mut dyn Read) -> std::io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        loop {
            self.meter.check()?;
            if reader.read(&mut piece)? == 0 {
                return Ok(());
            }
        }
    }

    /// A database needs to be read here and there: within a stream it goes into memory.
    fn database<R: Read>(&self, place: &Place, form: Form, reader: &mut Lookahead<R>, depth: u32) {
        let limit = self.scan.limits.unpacked_bytes;
        let mut bytes = Vec::new();
        let read = reader.by_ref().take(limit).read_to_end(&mut bytes);
        sqlite::scan(self, place, &bytes.as_slice(), form == Form::SqliteLog, depth);
        if let Err(error) = read {
            return self.failed(place, &error);
        }
        match reader.peek(1) {
            Ok([]) => {}
            Ok(_) => {
                let detail = format!("a database of more than {limit} bytes within an archive: --max-unpacked");
                self.skip(place, Why::TooLarge, detail);
                self.plain(place, reader, true);
            }
            Err(error) => self.failed(place, &error),
        }
    }

    /// Bytes as they are.
    fn plain<R: Read>(&self, place: &Place, reader: &mut Lookahead<R>, raw: bool) {
        let lined = !raw && reader.peek(Form::HEAD).is_ok_and(form::has_lines);
        let mut windows = if raw { Windows::raw(self, place, 0) } else { Windows::new(self, place, lined) };
        let ended = loop {
            match self.meter.check().and_then(|()| windows.read(reader)) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        windows.finish();
        if let Err(error) = ended {
            self.failed(place, &error);
        }
    }

    /// The keys in a text; where the detector's limits cut it short, that is told.
    pub(crate) fn detect(&self, place: &Place, text: &[u8]) -> Vec<Found> {
        let examination = self.scan.detector.examine(text);
        if examination.cut {
            self.skip(place, Why::TooDeep, CUT);
        }
        examination.found
    }

    /// A text in one piece.
    pub(crate) fn text(&self, place: &Place, text: &[u8], lined: bool) {
        for found in self.detect(place, text) {
            let mut place = place.clone();
            if place.line.is_none() && place.offset.is_none() {
                if lined {
                    place.line = Some(found.line);
                } else {
                    place.offset = Some(found.span.start as u64);
                }
            }
            self.found(found, place, false);
        }
    }

    /// The name of a file or member, or what a link leads to.
    pub(crate) fn name(&self, place: &Place, name: &[u8]) {
        self.short(&Place { part: Part::Name, line: None, offset: None, ..place.clone() }, name, false);
    }

    /// A short text at exactly that place. One that is `raw` repeats what a member says, as a directory of an archive does.
    pub(crate) fn short(&self, place: &Place, text: &[u8], raw: bool) {
        if self.scan.detector.candidate_in(text, 0..text.len()) {
            for found in self.detect(place, text) {
                self.found(found, place.clone(), raw);
            }
        }
    }

    /// Something that was found.
    pub(crate) fn found(&self, found: Found, place: Place, raw: bool) {
        if self.is_quiet {
            return;
        }
        let fingerprint = found.fingerprint();
        self.sightings.borrow_mut().push(Seen { sighting: Sighting { found, place }, fingerprint, raw });
    }

    /// Whether a key was already found at a path.
    pub(crate) fn knows(&self, place: &Place, fingerprint: &Fingerprint) -> bool {
        let sightings = self.sightings.borrow();
        sightings.iter().any(|seen| seen.fingerprint == *fingerprint && seen.sighting.place.path == place.path)
    }

    /// Something cannot be looked at, or not whole.
    pub(crate) fn skip(&self, place: &Place, why: Why, detail: impl Into<String>) {
        if !self.is_quiet {
            self.scan.ledger.skip(what(place), why, detail);
        }
    }

    /// Reading failed: for a limit, which is told once, or for a fault of what is read.
    pub(crate) fn failed(&self, place: &Place, error: &std::io::Error) {
        match self.meter.stop() {
            Some(_) if self.told_stop.replace(true) => {}
            Some(Stop::Time) => self.skip(place, Why::TimedOut, "the time was over: --timeout"),
            Some(Stop::Total) => {
                let detail = format!(
                    "it unpacks to more than {} bytes: --max-unpacked-total",
                    self.scan.limits.unpacked_total_bytes
                );
                self.skip(place, Why::TooLarge, detail);
            }
            None if error.raw_os_error().is_some() => self.skip(place, Why::Unreadable, error.to_string()),
            None if error.kind() == std::io::ErrorKind::OutOfMemory => {
                let detail = format!(
                    "unpacking it takes more memory than {} bytes: --max-unpacked",
                    self.scan.limits.unpacked_bytes
                );
                self.skip(place, Why::TooLarge, detail);
            }
            None => self.skip(place, Why::Corrupt, error.to_string()),
        }
    }

    /// A thing was looked at.
    pub(crate) fn count_object(&self) {
        self.objects.set(self.objects.get() + 1);
    }

    /// So many bytes were looked at.
    pub(crate) fn count_bytes(&self, count: u64) {
        self.bytes.set(self.bytes.get() + count);
    }

    /// A buffer for a window.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// A buffer that is free again.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        self.spare.borrow_mut().push(buffer);
    }

    /// Changes the places of what was found so far.
    pub(crate) fn amend(&self, change: impl Fn(&mut Place)) {
        for seen in self.sightings.borrow_mut().iter_mut() {
            change(&mut seen.sighting.place);
        }
    }

    /// Gives what was found, instead of telling it.
    pub(crate) fn take(&self) -> Vec<Sighting> {
        self.sightings.take().into_iter().map(|seen| seen.sighting).collect()
    }

    /// Tells everything, and begins anew with the next file.
    pub(crate) fn flush(&self) {
        for sighting in self.told() {
            self.scan.ledger.found(sighting);
        }
        self.scan.ledger.looked_at(self.objects.take(), self.bytes.take());
        self.meter.reset();
        self.told_stop.set(false);
    }

    /// What was found, for who tells it in other words. What was packed is told to the ledger as looked at; the thing itself is left to
    /// who has it.
    pub(crate) fn into_sightings(self) -> Vec<Sighting> {
        self.scan.ledger.looked_at(self.objects.take().saturating_sub(1), self.bytes.take());
        self.told()
    }

    /// What was found. A key that stands in a member is not told of the bytes of its archive as well.
    fn told(&self) -> Vec<Sighting> {
        let all = std::mem::take(&mut *self.sightings.borrow_mut());
        let (raw, members): (Vec<Seen>, Vec<Seen>) = all.into_iter().partition(|seen| seen.raw);
        // What is the same key has the same id, or none.
        let mut by_id: HashMap<_, Vec<&Seen>> = HashMap::new();
        for member in &members {
            by_id.entry(&member.sighting.found.id).or_default().push(member);
        }
        let is_in_member = |seen: &Seen| {
            by_id.get(&seen.sighting.found.id).is_some_and(|same| same.iter().any(|member| seen.is_in(member)))
        };
        let raw: Vec<Seen> = raw.into_iter().filter(|seen| !is_in_member(seen)).collect();
        raw.into_iter().chain(members).map(|seen| seen.sighting).collect()
    }

    /// The end of the walk.
    pub(crate) fn finish(self) {
        self.flush();
    }
}

/// What is told where the detector's limits cut a text short.
pub const CUT: &str = "a part is encoded too deeply, or unpacks to too much within its encodings";

/// A place in the words of the coverage.
pub(crate) fn what(place: &Place) -> String {
    match (place.source.as_str(), place.path.as_str()) {
        (source, "") => source.to_owned(),
        ("" | ".", path) => path.to_owned(),
        (source, path) => format!("{}/{path}", source.trim_end_matches('/')),
    }
}

/// The place of a member of an archive.
pub(crate) fn member(place: &Place, name: &[u8]) -> Place {
    let name = String::from_utf8_lossy(name);
    Place { path: format!("{}!{name}", place.path), ..place.clone() }
}

/// Shows the bytes of a container to the detector on their way to who unpacks them.
struct Tap<'w, 's, R> {
    inner: R,
    windows: Windows<'w, 's>,
}

impl<R: Read> Read for Tap<'_, '_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(out)?;
        self.windows.feed(&out[..read]);
        Ok(read)
    }
}
