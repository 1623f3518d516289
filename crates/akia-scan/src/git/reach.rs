//! What leads to which commits and tags.

use std::collections::HashMap;

use akia_core::leak::Reach;

use super::oid::ObjectId;
use super::pack::NONE;
use super::refs::Refs;
use super::search::Findings;
use super::store::Store;

/// How commits, tags and what tags and refs are on can be reached.
pub(crate) struct Reached {
    /// Rows of commits, by the number of the object.
    rows: HashMap<u32, u32, foldhash::fast::RandomState>,
    /// For each row.
    commits: Vec<Reach>,
    /// Tags, and blobs and trees that a tag or ref is on, without a commit.
    others: HashMap<u32, Reach>,
    /// The commit that is checked out.
    pub(crate) head: u32,
    /// What is said of commits that nothing known leads to.
    otherwise: Reach,
}

impl Reached {
    /// Follows everything that leads to commits.
    pub(crate) fn new(store: &Store, findings: &Findings, refs: &Refs) -> Self {
        // Where not all refs are known, a commit that none of them reaches cannot be called dangling.
        let otherwise = if refs.unknown { Reach::Refs } else { Reach::Dangling };
        let mut reached = Self {
            rows: HashMap::with_capacity_and_hasher(findings.commits.len(), foldhash::fast::RandomState::default()),
            commits: vec![otherwise; findings.commits.len()],
            others: HashMap::new(),
            head: NONE,
            otherwise,
        };
        for (row, commit) in (0..).zip(&findings.commits) {
            reached.rows.entry(commit.number).or_insert(row);
        }
        let number = |object: &ObjectId| store.number_of(object.as_bytes());
        reached.head = refs.head.as_ref().and_then(number).unwrap_or(NONE);
        let tags: HashMap<u32, u32> = findings.tags.iter().copied().collect();
        let is_stash = |name: &str| name == "refs/stash" || name.ends_with("/refs/stash");
        let refs_of = |stash: bool| {
            refs.all.iter().filter(move |(name, _)| is_stash(name) == stash).filter_map(|(_, object)| object.as_ref())
        };
        let log_of = |stash: bool| {
            refs.log
                .iter()
                .filter(move |line| line.path.ends_with("refs/stash") == stash)
                .flat_map(|line| [&line.old, &line.new])
                .flatten()
        };
        reached.flood(findings, &tags, refs_of(false).chain(&refs.head).filter_map(number).collect(), Reach::Refs);
        reached.flood(findings, &tags, refs_of(true).chain(log_of(true)).filter_map(number).collect(), Reach::Stash);
        reached.flood(findings, &tags, log_of(false).filter_map(number).collect(), Reach::Reflog);
        reached
    }

    /// How a commit is reached, by its row.
    pub(crate) fn commit(&self, row: u32) -> Reach {
        self.commits.get(row as usize).copied().unwrap_or(self.otherwise)
    }

    /// How any object is reached without a tree.
    pub(crate) fn object(&self, number: u32) -> Reach {
        if number == self.head {
            return Reach::Head;
        }
        match self.rows.get(&number) {
            Some(row) => self.commit(*row),
            None => self.others.get(&number).copied().unwrap_or(self.otherwise),
        }
    }

    /// The row of a commit.
    pub(crate) fn row(&self, number: u32) -> Option<u32> {
        self.rows.get(&number).copied()
    }

    /// Blobs, trees and tags that a tag or ref is on.
    pub(crate) fn tagged(&self) -> impl Iterator<Item = (u32, Reach)> {
        self.others.iter().map(|(number, reach)| (*number, *reach))
    }

    fn flood(&mut self, findings: &Findings, tags: &HashMap<u32, u32>, mut waiting: Vec<u32>, reach: Reach) {
        while let Some(number) = waiting.pop() {
            let Some(row) = self.rows.get(&number) else {
                if number != NONE && !self.others.contains_key(&number) {
                    self.others.insert(number, reach);
                    waiting.extend(tags.get(&number));
                }
                continue;
            };
            let Some(known) = self.commits.get_mut(*row as usize) else { continue };
            // The strongest comes first, and what it reached stays as it is.
            if *known > reach {
                *known = reach;
                waiting.extend(
                    findings.commits.get(*row as usize).map(|commit| findings.parents(commit)).unwrap_or_default(),
                );
            }
        }
    }
}
