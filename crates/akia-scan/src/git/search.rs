//! The search: every object of a repository is looked at once, in the order of the trees of deltas.
//!
//! Of a delta only what it inserts and its joints are searched: the rest stood in its base. Trees come last, when it is known
//! which blobs hold keys: on the way through them the paths to those are noted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use akia_core::leak::{Detector, Found, Part};

use super::bits::Bits;
use super::commit::{self, Commit};
use super::edges::Edges;
use super::inside;
use super::keys::{Hit, Keys, Written};
use super::large;
use super::oid::{Kind, ObjectId};
use super::pack::{Delta, Entry, NONE, Visit, Walk};
use super::store::Store;
use super::tree::{self, Known, Sort, TreeEntry};
use super::trouble::Trouble;
use crate::Scan;

/// How many trees of deltas a thread takes at once.
const BATCH: usize = 64;

/// A tree with so many objects is taken alone, and first: a thread that came to it last would keep the others waiting.
const HEAVY: u32 = 512;

/// So many objects that are not there are noted; a partial clone may lack millions.
const MISSING: usize = 10_000;

/// A thread rebuilds at most so many times what one file may unpack to, which is 4 TiB: real repositories take a part of that, and
/// a hostile one has no end.
const REBUILT: u64 = 256;

/// What the search knows in the end.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) keys: Keys,
    pub(crate) hits: Vec<Hit>,
    pub(crate) commits: Vec<CommitRow>,
    /// The parents of all commits.
    pub(crate) parents: Vec<u32>,
    /// Annotated tags, and what they are on.
    pub(crate) tags: Vec<(u32, u32)>,
    /// Ways from trees down to blobs that hold keys, a part by each thread.
    pub(crate) edges: Vec<Edges>,
    /// What was marked.
    pub(crate) marked: Bits,
    /// Objects that are named and not there, and by what; of very many, some.
    pub(crate) missing: HashMap<ObjectId, (Kind, String)>,
    /// How often others are named.
    pub(crate) more_missing: u64,
    /// Objects that could not be looked at, each with so many that hang on it.
    pub(crate) troubles: Vec<(u32, u32, Trouble)>,
    /// Objects that were left out because the time was over, or because there was no end.
    pub(crate) late: u64,
    /// Whether the repository unpacks to more than any real one.
    pub(crate) endless: bool,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    /// Whether a thread died.
    pub(crate) died: bool,
}

/// A commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitRow {
    pub(crate) number: u32,
    pub(crate) tree: u32,
    /// When it was made, in seconds.
    pub(crate) committed: i64,
    first_parent: u32,
    parents: u32,
}

impl Findings {
    /// The parents of a commit that are there.
    pub(crate) fn parents(&self, commit: &CommitRow) -> &[u32] {
        self.parents
            .get(commit.first_parent as usize..(commit.first_parent + commit.parents) as usize)
            .unwrap_or_default()
    }

    fn add(&mut self, mut other: Self) {
        let numbers = self.keys.add(other.keys);
        self.hits.extend(
            other
                .hits
                .into_iter()
                .map(|hit| Hit { key: numbers.get(hit.key as usize).copied().unwrap_or(NONE), ..hit }),
        );
        let before = u32::try_from(self.parents.len()).unwrap_or(NONE);
        self.commits
            .extend(other.commits.into_iter().map(|row| CommitRow { first_parent: row.first_parent + before, ..row }));
        self.parents.append(&mut other.parents);
        self.tags.append(&mut other.tags);
        self.edges.append(&mut other.edges);
        self.marked.add(&other.marked);
        self.missing.extend(other.missing);
        self.more_missing += other.more_missing;
        self.troubles.append(&mut other.troubles);
        self.late += other.late;
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.died |= other.died;
        self.endless |= other.endless;
    }
}

/// Looks at every object, or at those that are `wanted`.
pub(crate) fn search(scan: &Scan, store: &Store, wanted: Option<&Wanted>) -> Findings {
    let mut findings = Findings::default();
    let queue = Queue::new(scan, store, wanted);
    for (first, pack) in store.packs.iter().map(|pack| (pack.first, pack)) {
        findings
            .troubles
            .extend(pack.forest.troubles.iter().map(|(number, trouble)| (number + first, 1, trouble.clone())));
    }
    findings.troubles.extend(queue.troubles.iter().cloned());
    for class in [Class::History, Class::Files] {
        findings.add(queue.run(&Phase { class, search: true, ..Phase::default() }));
    }
    let mut hits = Bits::new(store.len());
    for hit in findings.hits.iter().filter(|hit| matches!(hit.part, Part::Content)) {
        hits.insert(hit.object);
    }
    let paths = !hits.is_empty();
    findings.add(queue.run(&Phase {
        class: Class::Folders,
        hits: hits.clone(),
        paths,
        search: true,
        ..Phase::default()
    }));
    // The paths are needed, too, where only the name of a file is a key, which is known only now.
    if !paths && findings.hits.iter().any(|hit| hit.part == Part::Name) {
        let again = queue.run(&Phase { class: Class::Folders, hits, paths: true, ..Phase::default() });
        findings.edges = again.edges;
    }
    // What stands in two packs was looked at twice; and threads end in any order.
    findings.hits.sort();
    findings.hits.dedup();
    findings
}

/// Inflates everything and does nothing with it: what the search is measured against.
pub(crate) fn inflate_only(scan: &Scan, store: &Store) -> u64 {
    let next: Vec<_> = store.packs.iter().map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        let work = || {
            let (mut walk, mut bytes) = (Walk::new(scan.limits.unpacked_bytes), 0);
            for (pack, next) in store.packs.iter().zip(&next) {
                let batches = pack.index.len().div_ceil(BATCH);
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= batches {
                        break;
                    }
                    for number in batch * BATCH..((batch + 1) * BATCH).min(pack.index.len()) {
                        bytes += walk.inflate(&pack.file, &pack.index, u32::try_from(number).unwrap_or(NONE));
                    }
                }
            }
            bytes
        };
        let threads: Vec<_> = (0..scan.limits.threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}

/// Reads all commits and tags, without searching them.
pub(crate) fn history(scan: &Scan, store: &Store) -> Findings {
    Queue::new(scan, store, None).run(&Phase { class: Class::History, ..Phase::default() })
}

/// Reads all trees and notes which are in which, without searching them.
pub(crate) fn folders(scan: &Scan, store: &Store) -> Findings {
    Queue::new(scan, store, None).run(&Phase { class: Class::Folders, paths: true, ..Phase::default() })
}

/// Everything that stands in these trees.
pub(crate) fn entries(scan: &Scan, store: &Store, trees: &Bits) -> Bits {
    let phase = Phase { class: Class::Folders, mark: Some(trees.clone()), ..Phase::default() };
    Queue::new(scan, store, None).run(&phase).marked
}

/// Which objects are searched, where not all are.
pub(crate) struct Wanted {
    /// Those that are not.
    pub(crate) known: Bits,
    /// Those below which nothing is.
    pub(crate) pruned: Bits,
}

/// Objects that are looked at in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Class {
    /// Commits and tags.
    #[default]
    History,
    /// Blobs.
    Files,
    /// Trees.
    Folders,
}

impl Class {
    const ALL: [Self; 3] = [Self::History, Self::Files, Self::Folders];

    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Commit | Kind::Tag => Self::History,
            Kind::Blob => Self::Files,
            Kind::Tree => Self::Folders,
        }
    }
}

/// What is done in one go.
#[derive(Default)]
struct Phase {
    class: Class,
    /// Trees whose entries are marked.
    mark: Option<Bits>,
    /// Blobs that hold keys.
    hits: Bits,
    /// Whether the ways to them are noted.
    paths: bool,
    /// Whether keys are searched.
    search: bool,
}

/// A piece of work.
enum Job {
    /// Roots of trees of deltas: the pack, and which of its roots.
    Roots(usize, Vec<(u32, Kind)>),
    /// Loose objects.
    Loose(std::ops::Range<u32>),
}

struct Queue<'s> {
    scan: &'s Scan,
    store: &'s Store,
    wanted: Option<&'s Wanted>,
    /// By class, in the order of [`Class::ALL`].
    jobs: [Vec<Job>; 3],
    over: AtomicBool,
    troubles: Vec<(u32, u32, Trouble)>,
}

impl<'s> Queue<'s> {
    fn new(scan: &'s Scan, store: &'s Store, wanted: Option<&'s Wanted>) -> Self {
        let mut queue = Self {
            scan,
            store,
            wanted,
            jobs: [Vec::new(), Vec::new(), Vec::new()],
            over: AtomicBool::new(false),
            troubles: Vec::new(),
        };
        let mut walk = Walk::new(scan.limits.unpacked_bytes);
        for (place, pack) in store.packs.iter().enumerate() {
            let mut roots = pack.forest.roots.clone();
            for (number, _) in &pack.forest.strangers {
                match store.kind(pack, *number, &mut walk) {
                    Ok(kind) => roots.push((*number, kind)),
                    Err(trouble) => {
                        queue.troubles.push((pack.first + number, pack.forest.weight(*number as usize), trouble))
                    }
                }
            }
            let weight = |root: &(u32, Kind)| pack.forest.weight(root.0 as usize);
            for (class, jobs) in Class::ALL.into_iter().zip(&mut queue.jobs) {
                let mut roots: Vec<_> = roots.iter().copied().filter(|(_, kind)| Class::of(*kind) == class).collect();
                let mut heavy: Vec<_> = roots.extract_if(.., |root| weight(root) >= HEAVY).collect();
                heavy.sort_by_key(|root| std::cmp::Reverse(weight(root)));
                jobs.extend(heavy.into_iter().map(|root| Job::Roots(place, vec![root])));
                jobs.extend(roots.chunks(BATCH).map(|roots| Job::Roots(place, roots.to_vec())));
            }
        }
        let (first, end) = (store.first_loose(), u32::try_from(store.len()).unwrap_or(NONE));
        for from in (first..end).step_by(BATCH) {
            let range = from..end.min(from + BATCH as u32);
            queue.jobs.iter_mut().for_each(|jobs| jobs.push(Job::Loose(range.clone())));
        }
        queue
    }

    fn run(&self, phase: &Phase) -> Findings {
        let [history, files, folders] = &self.jobs;
        let jobs = match phase.class {
            Class::History => history,
            Class::Files => files,
            Class::Folders => folders,
        };
        let next = AtomicUsize::new(0);
        let mut findings = Findings::default();
        std::thread::scope(|scope| {
            let work = || {
                let mut walk = Walk::new(self.scan.limits.unpacked_bytes);
                let mut worker = Worker::new(self, phase);
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if self.scan.limits.is_over() {
                        self.over.store(true, Ordering::Relaxed);
                    }
                    worker.work(job, &mut walk);
                }
                worker.findings.edges.push(worker.edges);
                worker.findings
            };
            let threads: Vec<_> = (0..self.scan.limits.threads.max(1)).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                match thread.join() {
                    Ok(found) => findings.add(found),
                    Err(_) => findings.died = true,
                }
            }
        });
        findings
    }
}

/// One thread.
struct Worker<'q> {
    queue: &'q Queue<'q>,
    phase: &'q Phase,
    findings: Findings,
    edges: Edges,
    /// The number of the first object of the pack at hand.
    first: u32,
    /// Whether an object may stand in two packs.
    doubles: bool,
    /// Objects that git knows without having them.
    empty: [ObjectId; 2],
    /// Bytes rebuilt, and objects asked about.
    rebuilt: u64,
    asked: u32,
}

/// What is kept of an object while there are deltas against it.
struct State {
    /// Whether it may hold a key, or was not searched: a delta against it has to be searched whole.
    candidate: bool,
    entries: Vec<Known>,
}

impl<'q> Worker<'q> {
    fn new(queue: &'q Queue<'q>, phase: &'q Phase) -> Self {
        let store = queue.store;
        Self {
            queue,
            phase,
            findings: Findings {
                marked: Bits::new(if phase.mark.is_some() { store.len() } else { 0 }),
                ..Findings::default()
            },
            edges: Edges::default(),
            first: 0,
            doubles: store.packs.len() + usize::from(!store.loose.is_empty()) > 1,
            rebuilt: 0,
            asked: 0,
            empty: [store.format.hash(&[b"tree 0\0"]), store.format.hash(&[b"blob 0\0"])],
        }
    }

    fn work(&mut self, job: &Job, walk: &mut Walk) {
        match job {
            Job::Roots(place, roots) => {
                let Some(pack) = self.queue.store.packs.get(*place) else { return };
                self.first = pack.first;
                for root in roots {
                    walk.tree((&pack.file, &pack.index, &pack.forest), *root, &self.queue.store.bases(), self);
                }
            }
            Job::Loose(range) => {
                self.first = 0;
                let mut bytes = Vec::new();
                for number in range.clone() {
                    if !self.prunes(number, u32::from(self.phase.class == Class::Files)) {
                        self.loose(number, walk, &mut bytes);
                    }
                }
            }
        }
    }

    fn loose(&mut self, number: u32, walk: &mut Walk, bytes: &mut Vec<u8>) {
        let Some((name, folder)) = self.queue.store.loose_at(number) else { return };
        let path = super::loose::path(folder, name);
        match walk.loose(&path, bytes) {
            Ok((kind, head)) if Class::of(kind) == self.phase.class => {
                self.object(number, kind, bytes.get(head..).unwrap_or_default(), None);
            }
            Ok(_) => {}
            // It is told once, and not with each class.
            Err(_) if self.phase.class != Class::Files => {}
            Err(trouble) if trouble.why == akia_core::leak::Why::TooLarge => {
                let scan = self.queue.scan;
                let looked = large::loose(&path, &scan.limits, |window| self.window(number, window));
                self.findings.objects += u64::from(looked.is_ok());
                if let Err(trouble) = looked {
                    self.trouble(number, 1, trouble);
                }
            }
            Err(trouble) => self.trouble(number, 1, trouble),
        }
    }

    /// A piece of a blob that is too large to be unpacked at once.
    fn window(&mut self, number: u32, window: large::Window<'_>) {
        self.findings.bytes += window.fresh;
        let detector = &self.queue.scan.detector;
        if !detector.candidate_in(window.bytes, 0..window.bytes.len()) {
            return;
        }
        let object = self.canonical(number);
        for found in detector.detect(window.bytes) {
            if found.span.end > window.old {
                let at = window.at + found.span.start as u64;
                self.hit(object, Part::Content, (at, Some(window.line + found.line - 1)), String::new(), found);
            }
        }
    }

    fn hit(&mut self, object: u32, part: Part, (at, line): (u64, Option<u64>), member: String, mut found: Found) {
        let written = Written { encodings: std::mem::take(&mut found.encodings), hidden: found.hidden };
        let key = self.findings.keys.note(found);
        self.findings.hits.push(Hit { object, key, part, at, line, written, member });
    }

    /// The number under which an object is found by its name.
    fn canonical(&self, number: u32) -> u32 {
        let store = self.queue.store;
        if self.doubles { store.number_of(store.name(number)).unwrap_or(number) } else { number }
    }

    fn is_known(&self, number: u32) -> bool {
        self.queue.wanted.is_some_and(|wanted| wanted.known.has(number))
    }

    fn named(&mut self, name: &[u8], kind: Kind, by: impl FnOnce() -> String) -> u32 {
        match self.queue.store.number_of(name) {
            Some(number) => number,
            None => {
                let name = ObjectId::new(name);
                if self.findings.missing.len() >= MISSING && !self.findings.missing.contains_key(&name) {
                    self.findings.more_missing += 1;
                } else if !self.empty.contains(&name) {
                    self.findings.missing.entry(name).or_insert_with(|| (kind, by()));
                }
                NONE
            }
        }
    }

    fn commit(&mut self, number: u32, bytes: &[u8]) {
        let parsed = Commit::parse(bytes);
        let id = |number| self.queue.store.id(number);
        let Some(tree) = parsed.tree else {
            self.findings.troubles.push((number, 1, Trouble::corrupt("it is a commit without a tree")));
            return;
        };
        let name = id(number);
        let tree = self.named(tree.as_bytes(), Kind::Tree, || format!("the tree of commit {name}"));
        let first_parent = u32::try_from(self.findings.parents.len()).unwrap_or(NONE);
        for parent in &parsed.parents {
            let parent = self.named(parent.as_bytes(), Kind::Commit, || format!("a parent of commit {name}"));
            if parent != NONE {
                self.findings.parents.push(parent);
            }
        }
        let parents = u32::try_from(self.findings.parents.len()).unwrap_or(NONE) - first_parent;
        let number = self.canonical(number);
        self.findings.commits.push(CommitRow { number, tree, committed: parsed.committed, first_parent, parents });
    }

    /// The entries of a tree, and whether the name of one may be a key. The names of objects, random bytes, are not searched.
    fn tree(&mut self, number: u32, bytes: &[u8], base: Option<(&State, &Delta)>) -> (bool, Vec<Known>) {
        let (width, detector) = (self.queue.store.format.width(), &self.queue.scan.detector);
        let is_key = |entry: TreeEntry<'_>| detector.candidate_in(entry.name, 0..entry.name.len());
        let mut known = Vec::with_capacity(base.map_or(8, |(base, _)| base.entries.len() + 1));
        let mut candidate = base.is_some_and(|(base, _)| base.candidate) && tree::entries(bytes, width).any(is_key);
        let base = base.map(|(base, delta)| (base.entries.as_slice(), delta.copied.as_slice()));
        let whole = tree::read(bytes, width, base, &mut known, |entry| {
            candidate = candidate || is_key(entry);
            let kind = match entry.sort {
                Sort::Submodule => return (NONE, NONE),
                Sort::Tree => Kind::Tree,
                Sort::Blob => Kind::Blob,
            };
            let name = || format!("{} in a tree", String::from_utf8_lossy(entry.name));
            let object = self.named(entry.object, kind, name);
            let wanted = self.phase.paths && object != NONE && (kind == Kind::Tree || self.phase.hits.has(object));
            (object, if wanted { self.edges.name(entry.name) } else { NONE })
        });
        if !whole && self.phase.search {
            self.findings.troubles.push((number, 1, Trouble::corrupt("its entries are broken")));
        }
        if self.phase.paths || self.phase.mark.is_some() {
            let number = self.canonical(number);
            if self.phase.paths {
                self.edges.row(number, &known);
            }
            if self.phase.mark.as_ref().is_some_and(|trees| trees.has(number)) {
                known.iter().filter(|entry| entry.object != NONE).for_each(|entry| {
                    self.findings.marked.insert(entry.object);
                });
            }
        }
        (candidate, known)
    }

    /// What stands in an object that may hold a key.
    fn detect(&mut self, number: u32, kind: Kind, bytes: &[u8]) {
        let scan = self.queue.scan;
        let object = self.canonical(number);
        match kind {
            Kind::Blob => {
                let name = || format!("blob {}", self.queue.store.id(object));
                for inside in inside::look(scan, name, bytes) {
                    let place = (inside.found.span.start as u64, Some(inside.found.line));
                    self.hit(object, Part::Content, place, inside.member, inside.found);
                }
            }
            Kind::Commit | Kind::Tag => {
                for found in scan.detector.detect(bytes) {
                    let (part, line) = commit::part(kind, bytes, found.span.start);
                    self.hit(object, part, (found.span.start as u64, Some(line)), String::new(), found);
                }
            }
            Kind::Tree => {
                for entry in tree::entries(bytes, self.queue.store.format.width()) {
                    if !scan.detector.candidate_in(entry.name, 0..entry.name.len()) {
                        continue;
                    }
                    for found in scan.detector.detect(entry.name) {
                        let name = String::from_utf8_lossy(entry.name).into_owned();
                        self.hit(object, Part::Name, (found.span.start as u64, None), name, found);
                    }
                }
            }
        }
    }
}

impl Visit for Worker<'_> {
    type State = State;

    fn object(&mut self, number: u32, kind: Kind, bytes: &[u8], base: Option<(&State, &Delta)>) -> State {
        let number = number + self.first;
        self.rebuilt = self.rebuilt.saturating_add(bytes.len() as u64);
        let known = self.is_known(number);
        let looks = self.phase.search && !known;
        let (candidate, entries) = match kind {
            Kind::Tree => self.tree(number, bytes, base),
            _ if looks => {
                let changed = base.filter(|(base, _)| !base.candidate).map(|(_, delta)| delta);
                (is_candidate(&self.queue.scan.detector, bytes, changed), Vec::new())
            }
            _ => (false, Vec::new()),
        };
        if looks {
            self.findings.objects += 1;
            self.findings.bytes += bytes.len() as u64;
            if candidate || kind == Kind::Blob && crate::is_container(bytes) {
                self.detect(number, kind, bytes);
            }
        }
        match kind {
            Kind::Blob | Kind::Tree => {}
            Kind::Commit => self.commit(number, bytes),
            Kind::Tag => {
                if let Some((target, kind)) = commit::target(bytes) {
                    let name = self.queue.store.id(number);
                    let target = self
                        .named(target.as_bytes(), kind.unwrap_or(Kind::Commit), || format!("the target of tag {name}"));
                    let number = self.canonical(number);
                    self.findings.tags.push((number, target));
                } else {
                    self.findings.troubles.push((number, 1, Trouble::corrupt("it is a tag on nothing")));
                }
            }
        }
        State { candidate: candidate || known, entries }
    }

    fn large(&mut self, number: u32, kind: Kind, entry: Entry) -> Result<(), Trouble> {
        let number = number + self.first;
        if kind != Kind::Blob {
            return Err(Trouble::too_large(entry.size));
        }
        let Some(pack) = self.queue.store.pack_of(number) else { return Ok(()) };
        let limits = &self.queue.scan.limits;
        large::packed(pack, number - pack.first, entry, limits, |window| self.window(number, window))?;
        self.findings.objects += 1;
        Ok(())
    }

    fn trouble(&mut self, number: u32, others: u32, trouble: Trouble) {
        if self.phase.search {
            self.findings.troubles.push((number + self.first, others, trouble));
        }
    }

    fn prunes(&mut self, number: u32, others: u32) -> bool {
        if self.queue.wanted.is_some_and(|wanted| wanted.pruned.has(number + self.first)) {
            return true;
        }
        let limits = &self.queue.scan.limits;
        self.asked = self.asked.wrapping_add(1);
        let most = limits.unpacked_total_bytes.saturating_mul(REBUILT);
        if self.asked.is_multiple_of(64) && limits.is_over() || self.rebuilt > most {
            self.queue.over.store(true, Ordering::Relaxed);
            self.findings.endless |= self.rebuilt > most;
        }
        let over = self.queue.over.load(Ordering::Relaxed);
        self.findings.late += if over { u64::from(others) } else { 0 };
        over
    }
}

/// Whether an object may hold a key; where a base holds none, only what a delta changed can.
fn is_candidate(detector: &Detector, bytes: &[u8], changed: Option<&Delta>) -> bool {
    let Some(delta) = changed else { return detector.candidate_in(bytes, 0..bytes.len()) };
    let mut run: Option<std::ops::Range<usize>> = None;
    for range in delta.changed() {
        match &mut run {
            // What is looked at around both would overlap.
            Some(run) if range.start <= run.end + 2 * Detector::REACH => run.end = range.end,
            _ => {
                if run.replace(range).is_some_and(|run| detector.candidate_in(bytes, run)) {
                    return true;
                }
            }
        }
    }
    run.is_some_and(|run| detector.candidate_in(bytes, run))
}
