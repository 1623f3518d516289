//! Attribution: of each key, since when it stands where, until when, and what leads to it.
//!
//! A key that stands in ten thousand versions of a file is one place: of the file, with the first and the last commit.

use std::collections::{BTreeMap, HashMap};

use akia_core::leak::{GitPlace, Part, Place, Reach, Sighting};
use jiff::Timestamp;

use super::bits::Bits;
use super::commit;
use super::index_file::Index;
use super::keys::{Hit, Written};
use super::oid::Kind;
use super::pack::{NONE, Walk};
use super::paths::{ROOT, Seen, Ways};
use super::reach::Reached;
use super::search::Findings;
use super::store::Store;

/// What attribution says.
pub(crate) struct Attributed {
    pub(crate) sightings: Vec<Sighting>,
    /// Whether there were too many paths to follow all.
    pub(crate) cut: bool,
}

/// Tells of every hit where it stands. `source` is the name of the repository, `prefix` stands before each path.
pub(crate) fn attribute(
    store: &Store,
    findings: &Findings,
    reached: &Reached,
    indexes: &[Index],
    (source, prefix): (&str, &str),
    most: u64,
) -> Attributed {
    let mut teller = Teller {
        store,
        findings,
        source,
        prefix,
        walk: Walk::new(most),
        authors: HashMap::new(),
        sightings: Vec::new(),
    };
    let mut in_files = Bits::new(store.len());
    for hit in &findings.hits {
        match hit.part {
            Part::Content | Part::Name => {
                in_files.insert(hit.object);
            }
            _ => teller.message(hit, reached),
        }
    }
    let cut = if in_files.is_empty() { false } else { files(store, findings, reached, indexes, in_files, &mut teller) };
    Attributed { sightings: teller.sightings, cut }
}

/// When and how an object stood under a path.
#[derive(Debug, Clone, Copy)]
struct Stay {
    /// Rows of commits.
    first: u32,
    last: u32,
    reach: Reach,
}

/// One key in one file, through all its versions.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot<'f> {
    key: u32,
    part: Part,
    path: String,
    written: &'f Written,
    /// The same key may stand in a file more than once.
    nth: usize,
}

fn files(
    store: &Store,
    findings: &Findings,
    reached: &Reached,
    indexes: &[Index],
    targets: Bits,
    teller: &mut Teller<'_>,
) -> bool {
    let mut ways = Ways::new(&findings.edges, targets.clone(), store.len());
    let mut stays: HashMap<(u32, u32), Stay> = HashMap::new();
    let mut placed = Bits::new(store.len());
    let mut rows: Vec<u32> =
        (0..).zip(&findings.commits).filter(|(_, commit)| ways.leads(commit.tree)).map(|(row, _)| row).collect();
    let tree = |row: u32| findings.commits.get(row as usize).map_or(NONE, |commit| commit.tree);
    let committed =
        |row: &u32| findings.commits.get(*row as usize).map_or((0, NONE), |commit| (commit.committed, commit.number));
    rows.sort_by_key(committed);

    let mut seen = Seen::default();
    for row in &rows {
        ways.visit(tree(*row), &mut seen, |object, path| {
            placed.insert(object);
            stays.insert((object, path), Stay { first: *row, last: *row, reach: Reach::Dangling });
        });
    }
    let mut seen = Seen::default();
    for row in rows.iter().rev() {
        ways.visit(tree(*row), &mut seen, |object, path| {
            stays.entry((object, path)).and_modify(|stay| stay.last = *row);
        });
    }
    rows.sort_by_key(|row| reached.commit(*row));
    let mut seen = Seen::default();
    for row in &rows {
        ways.visit(tree(*row), &mut seen, |object, path| {
            stays.entry((object, path)).and_modify(|stay| stay.reach = reached.commit(*row));
        });
    }
    if let Some(row) = reached.row(reached.head) {
        ways.visit(tree(row), &mut Seen::default(), |object, path| {
            stays.entry((object, path)).and_modify(|stay| stay.reach = Reach::Head);
        });
    }

    // Whatever no commit holds: a tag or ref may be on it, it may be staged, or nothing leads to it.
    let mut seen = Seen::default();
    let tagged: Vec<_> = reached.tagged().collect();
    for (object, reach) in tagged {
        ways.visit(object, &mut seen, |object, path| {
            if placed.insert(object) || path != ROOT {
                stays.entry((object, path)).or_insert(Stay { first: NONE, last: NONE, reach });
            }
        });
    }
    let mut spots = Spots::new(findings);
    let mut best: HashMap<u32, Reach> = HashMap::new();
    for ((object, _), stay) in &stays {
        best.entry(*object).and_modify(|best| *best = stay.reach.min(*best)).or_insert(stay.reach);
    }
    for staged in indexes.iter().flat_map(|index| &index.files) {
        let Some(object) = store.number_of(staged.object.as_bytes()).filter(|object| targets.has(*object)) else {
            continue;
        };
        if best.get(&object).is_none_or(|best| *best > Reach::Index) {
            placed.insert(object);
            let path = String::from_utf8_lossy(&staged.path).into_owned();
            spots.add(object, &path, Stay { first: NONE, last: NONE, reach: Reach::Index });
        }
    }
    let nothing = Stay { first: NONE, last: NONE, reach: reached.object(NONE) };
    let mut seen = Seen::default();
    for top in ways.tops() {
        ways.visit(top, &mut seen, |object, path| {
            if !placed.has(object) {
                stays.entry((object, path)).or_insert(nothing);
            }
        });
    }
    for ((object, path), stay) in &stays {
        placed.insert(*object);
        spots.add(*object, &ways.path(*path), *stay);
    }
    for hit in findings.hits.iter().filter(|hit| targets.has(hit.object) && !placed.has(hit.object)) {
        if spots.once(hit.object) {
            spots.add(hit.object, "", nothing);
        }
    }
    for (spot, version) in spots.spots {
        teller.file(spot, version);
    }
    ways.cut
}

/// Spots, put together from versions.
struct Spots<'f> {
    findings: &'f Findings,
    /// Hits by object.
    hits: HashMap<u32, Vec<(&'f Hit, usize)>>,
    spots: BTreeMap<Spot<'f>, Version>,
    bare: std::collections::HashSet<u32>,
}

/// The first version of a spot, and how long it stayed.
#[derive(Debug, Clone, Copy)]
struct Version {
    object: u32,
    line: Option<u64>,
    stay: Stay,
}

impl<'f> Spots<'f> {
    fn new(findings: &'f Findings) -> Self {
        let mut hits: HashMap<u32, Vec<(&Hit, usize)>> = HashMap::new();
        for hit in &findings.hits {
            let known = hits.entry(hit.object).or_default();
            let same = |other: &Hit| {
                (other.key, other.part, &other.written, &other.member) == (hit.key, hit.part, &hit.written, &hit.member)
            };
            let nth = known.iter().filter(|(other, _)| same(other)).count();
            known.push((hit, nth));
        }
        Self { findings, hits, spots: BTreeMap::new(), bare: std::collections::HashSet::new() }
    }

    /// Whether an object is asked about for the first time.
    fn once(&mut self, object: u32) -> bool {
        self.bare.insert(object)
    }

    fn add(&mut self, object: u32, path: &str, stay: Stay) {
        let when = |row: u32| {
            self.findings.commits.get(row as usize).map_or((i64::MAX, NONE), |commit| (commit.committed, commit.number))
        };
        for (hit, nth) in self.hits.get(&object).into_iter().flatten() {
            let path = match (hit.part, hit.member.as_str()) {
                (_, "") => path.to_owned(),
                (Part::Name, name) if path.is_empty() => name.to_owned(),
                (Part::Name, name) => format!("{path}/{name}"),
                (_, member) => format!("{path}!{member}"),
            };
            let spot = Spot { key: hit.key, part: hit.part, path, written: &hit.written, nth: *nth };
            let new = Version { object, line: hit.line, stay };
            let Some(known) = self.spots.get_mut(&spot) else {
                self.spots.insert(spot, new);
                continue;
            };
            let reach = known.stay.reach.min(stay.reach);
            let last = match (known.stay.last, stay.last) {
                (NONE, last) | (last, NONE) => last,
                (one, other) => {
                    if when(one) >= when(other) {
                        one
                    } else {
                        other
                    }
                }
            };
            // Where dates do not decide, names do: threads end in any order.
            if (when(stay.first), object) < (when(known.stay.first), known.object) {
                *known = new;
            }
            (known.stay.reach, known.stay.last) = (reach, last);
        }
    }
}

/// Puts sightings into words.
struct Teller<'t> {
    store: &'t Store,
    findings: &'t Findings,
    source: &'t str,
    prefix: &'t str,
    walk: Walk,
    authors: HashMap<u32, (Option<String>, Option<Timestamp>)>,
    sightings: Vec<Sighting>,
}

impl Teller<'_> {
    /// A key in a file.
    fn file(&mut self, spot: Spot<'_>, version: Version) {
        let number = |row: u32| self.findings.commits.get(row as usize).map(|commit| commit.number);
        let (first, last) = (number(version.stay.first), number(version.stay.last));
        let (author, first_seen) = first.map_or((None, None), |first| self.author(first));
        let (_, last_seen) = last.map_or((None, None), |last| self.author(last));
        let git = GitPlace {
            object: Some(self.store.id(version.object).to_string()),
            commit: first.map(|first| self.store.id(first).to_string()),
            author,
            first_seen,
            last_commit: last.map(|last| self.store.id(last).to_string()),
            last_seen,
            reach: version.stay.reach,
        };
        self.tell(spot.key, spot.written.clone(), spot.path, spot.part, version.line, git);
    }

    /// A key in a commit or tag.
    fn message(&mut self, hit: &Hit, reached: &Reached) {
        let (author, first_seen) = self.author(hit.object);
        let name = self.store.id(hit.object).to_string();
        let commit = reached.row(hit.object).map(|_| name.clone());
        let git = GitPlace {
            object: Some(name),
            last_commit: commit.clone(),
            commit,
            author,
            first_seen,
            last_seen: first_seen,
            reach: reached.object(hit.object),
        };
        self.tell(hit.key, hit.written.clone(), String::new(), hit.part, hit.line, git);
    }

    fn tell(&mut self, key: u32, written: Written, path: String, part: Part, line: Option<u64>, git: GitPlace) {
        let Some(found) = self.findings.keys.found(key, written, line) else { return };
        let place = Place {
            source: self.source.to_owned(),
            path: format!("{}{path}", self.prefix),
            part,
            line,
            offset: None,
            git: Some(git),
        };
        self.sightings.push(Sighting { found, place });
    }

    /// Who wrote a commit or tag, and when.
    fn author(&mut self, number: u32) -> (Option<String>, Option<Timestamp>) {
        if let Some(known) = self.authors.get(&number) {
            return known.clone();
        }
        let author = match self.store.read(number, &mut self.walk) {
            Ok((Kind::Commit | Kind::Tag, bytes)) => {
                commit::author(&bytes).map_or((None, None), |(name, when)| (Some(name), when))
            }
            // It was read before; an object that went away meanwhile is told without its author.
            Ok(_) | Err(_) => (None, None),
        };
        self.authors.insert(number, author.clone());
        author
    }
}
