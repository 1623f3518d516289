//! `--since`: what a revision leads to is not searched.

use std::collections::HashMap;

use super::bits::Bits;
use super::commit::Commit;
use super::error::GitError;
use super::oid::{Kind, ObjectId};
use super::pack::Walk;
use super::refs::Refs;
use super::search::{self, Wanted};
use super::store::Store;
use crate::Scan;

/// What is not searched, because a revision leads to it.
pub(crate) fn wanted(scan: &Scan, store: &Store, refs: &Refs, revision: &str) -> Result<Wanted, GitError> {
    let from = resolve(scan, store, refs, revision)
        .ok_or_else(|| GitError::UnknownRevision { revision: revision.to_owned() })?;
    let history = search::history(scan, store);
    let folders = search::folders(scan, store);
    let rows: HashMap<u32, usize> =
        history.commits.iter().enumerate().map(|(row, commit)| (commit.number, row)).collect();
    let tags: HashMap<u32, u32> = history.tags.iter().copied().collect();
    let mut below: HashMap<u32, &[(u32, u32)]> = HashMap::new();
    for (tree, entries) in folders.edges.iter().flat_map(super::edges::Edges::iter) {
        below.insert(tree, entries);
    }
    let mut known = Bits::new(store.len());
    let mut waiting = vec![from];
    while let Some(number) = waiting.pop() {
        if !known.insert(number) {
            continue;
        }
        waiting.extend(tags.get(&number));
        if let Some(commit) = rows.get(&number).and_then(|row| history.commits.get(*row)) {
            waiting.push(commit.tree);
            waiting.extend(history.parents(commit));
        }
        waiting.extend(below.get(&number).into_iter().copied().flatten().map(|(object, _)| *object));
    }
    let entries = search::entries(scan, store, &known);
    known.add(&entries);
    // Copies of an object in other packs are known, too.
    let count = u32::try_from(store.len()).unwrap_or(u32::MAX);
    for number in 0..count {
        if store.number_of(store.name(number)).is_some_and(|first| first != number && known.has(first)) {
            known.insert(number);
        }
    }
    let mut pruned = Bits::new(store.len());
    for pack in &store.packs {
        pack.forest.prune(
            |number| known.has(pack.first + number),
            |number| {
                pruned.insert(pack.first + number);
            },
        );
    }
    (store.first_loose()..count).filter(|number| known.has(*number)).for_each(|number| {
        pruned.insert(number);
    });
    Ok(Wanted { known, pruned })
}

/// The object that a revision names: a ref, digits of a commit, and `^`, `^2` or `~3` behind them.
fn resolve(scan: &Scan, store: &Store, refs: &Refs, revision: &str) -> Option<u32> {
    let end = revision.find(['^', '~']).unwrap_or(revision.len());
    let (name, mut steps) = revision.split_at(end);
    let mut number = named(store, refs, name)?;
    let mut walk = Walk::new(scan.limits.unpacked_bytes);
    while let Some(step) = steps.chars().next() {
        let digits = steps.get(1..)?.find(|digit: char| !digit.is_ascii_digit()).map_or(steps.len(), |end| end + 1);
        let count =
            steps.get(1..digits).filter(|digits| !digits.is_empty()).map_or(Some(1), |digits| digits.parse().ok())?;
        steps = steps.get(digits..)?;
        let (times, parent) = if step == '~' { (count, 1) } else { (1, count) };
        for _ in 0..times {
            number = parent_of(store, &mut walk, number, parent)?;
        }
    }
    Some(number)
}

fn parent_of(store: &Store, walk: &mut Walk, number: u32, parent: usize) -> Option<u32> {
    let (kind, bytes) = store.read(number, walk).ok()?;
    match kind {
        Kind::Tag => {
            let target = super::commit::target(&bytes)?.0;
            parent_of(store, walk, store.number_of(target.as_bytes())?, parent)
        }
        Kind::Commit if parent == 0 => Some(number),
        Kind::Commit => store.number_of(Commit::parse(&bytes).parents.get(parent - 1)?.as_bytes()),
        Kind::Tree | Kind::Blob => None,
    }
}

fn named(store: &Store, refs: &Refs, name: &str) -> Option<u32> {
    let number = |object: ObjectId| store.number_of(object.as_bytes());
    let name = if name == "@" { "HEAD" } else { name };
    if name == "HEAD" {
        return refs.head.and_then(number);
    }
    // In the order of `gitrevisions(7)`.
    let known = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
        .iter()
        .find_map(|prefix| refs.find(&format!("{prefix}{name}")));
    if let Some(object) = known {
        return number(object);
    }
    if name.len() < 4 || !name.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    if let Some(whole) = ObjectId::from_hex(name.as_bytes()) {
        return number(whole);
    }
    // Digits that fit two objects name none; the same object may stand in two packs.
    let count = u32::try_from(store.len()).unwrap_or(u32::MAX);
    let mut fitting =
        (0..count).filter(|number| store.id(*number).to_string().starts_with(&name)).map(|number| store.id(number));
    let first = fitting.next()?;
    fitting.all(|other| other == first).then(|| number(first)).flatten()
}
