//! Which secret belongs to which id.
//!
//! Ids and secrets are laid out in the order of their places and put together into *runs* of one sort: `id secret id secret` is four
//! runs, `id id id secret secret secret` is two. Runs beside each other are matched, each with at most one neighbour, so that the
//! least stays alone and the gaps that matches cross are the smallest; within two runs, the first belongs to the first. Names
//! (`PROD_…`, `STAGING_…`) come before places. Where nothing decides, nothing is paired: a wrong pair is worse than two halves.

use std::collections::HashMap;
use std::ops::Range;

use super::found::{Bag, IdItem, SecretItem};
use super::label::Label;

/// How far apart the halves of a pair may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// Within some lines.
    Near,
    /// Anywhere in the text.
    Far,
}

/// The widest gap between an id and a labelled secret.
const LABELLED: usize = 4096;
/// The widest gap between an id and a secret that nothing names.
const UNLABELLED: usize = 700;
/// What it costs to leave one alone.
const ALONE: usize = 2100;
/// The same, of forty characters that nothing calls a secret.
const UNLABELLED_ALONE: usize = 50;
/// A secret seldom stands before its id.
const SECRET_FIRST: usize = 24;
/// Runs match again with what the first time left over.
const ROUNDS: usize = 3;

/// Pairs what belongs together among the ids and secrets of one text.
pub(super) fn pair(text: &[u8], bag: &mut Bag, distance: Distance) {
    by_name(bag, distance);
    for _ in 0..ROUNDS {
        if !by_place(text, bag, distance) {
            break;
        }
    }
    take_used_secrets_out(bag);
    share_by_value(bag);
}

/// Ids and secrets whose names differ from all others' in the same way.
fn by_name(bag: &mut Bag, distance: Distance) {
    let mut names: HashMap<&str, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, id) in bag.ids.iter().enumerate().filter(|(_, id)| id.secret.is_none() && !id.stem.is_empty()) {
        names.entry(&id.stem).or_default().0.push(index);
    }
    for (index, secret) in bag.secrets.iter().enumerate() {
        if let Some(secret) = secret
            && secret.label != Label::None
            && let Some(named) = names.get_mut(secret.stem.as_str())
        {
            named.1.push(index);
        }
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (ids, secrets) in names.into_values() {
        if let ([id], [secret]) = (&ids[..], &secrets[..])
            && let (Some(one), Some(Some(other))) = (bag.ids.get(*id), bag.secrets.get(*secret))
            && (distance == Distance::Far || apart(&one.span, &other.span) <= LABELLED)
        {
            pairs.push((*id, *secret));
        }
    }
    for (id, secret) in pairs {
        join(bag, id, secret);
    }
}

fn apart(a: &Range<usize>, b: &Range<usize>) -> usize {
    b.start.saturating_sub(a.end).max(a.start.saturating_sub(b.end))
}

fn join(bag: &mut Bag, id: usize, secret: usize) {
    if let (Some(id), Some(secret)) = (bag.ids.get_mut(id), bag.secrets.get_mut(secret)) {
        id.secret = secret.take();
    }
}

/// Ids or secrets that follow one another.
struct Run {
    of_ids: bool,
    /// Their indices in the bag, a value once.
    members: Vec<usize>,
    /// How many of them have a label; of secrets.
    labelled: usize,
    start: usize,
    end: usize,
}

fn by_place(text: &[u8], bag: &mut Bag, distance: Distance) -> bool {
    let runs = runs(bag);
    // The least cost of the first so many runs, and whether the last two of them are matched.
    let mut costs: Vec<usize> = vec![0];
    let mut matched: Vec<bool> = vec![false];
    for (index, run) in runs.iter().enumerate() {
        let mut cost = costs[index].saturating_add(alone(run));
        let mut is_match = false;
        if let Some(before) = index.checked_sub(1)
            && let Some(joint) = match_cost(text, &runs[before], run, distance)
            && costs[before].saturating_add(joint) < cost
        {
            cost = costs[before].saturating_add(joint);
            is_match = true;
        }
        costs.push(cost);
        matched.push(is_match);
    }
    let mut pairs = Vec::new();
    let mut index = runs.len();
    while index > 0 {
        if matched[index] {
            pairs.extend(members(&runs[index - 2], &runs[index - 1], bag));
            index -= 2;
        } else {
            index -= 1;
        }
    }
    let found = !pairs.is_empty();
    for (id, secret) in pairs {
        join(bag, id, secret);
    }
    found
}

fn runs(bag: &Bag) -> Vec<Run> {
    let mut all: Vec<(usize, usize, bool, usize)> = Vec::new();
    all.extend(
        bag.ids
            .iter()
            .enumerate()
            .filter(|(_, id)| id.secret.is_none())
            .map(|(index, id)| (id.span.start, id.span.end, true, index)),
    );
    all.extend(bag.secrets.iter().enumerate().filter_map(|(index, secret)| {
        secret.as_ref().map(|secret| (secret.span.start, secret.span.end, false, index))
    }));
    // Stable: what comes from one encoded text keeps its order.
    all.sort_by_key(|(start, ..)| *start);
    let mut runs: Vec<Run> = Vec::new();
    for (start, end, of_ids, index) in all {
        let is_labelled = !of_ids && secret(bag, index).is_some_and(|secret| secret.label != Label::None);
        match runs.last_mut().filter(|run| run.of_ids == of_ids) {
            Some(run) => {
                let again = if of_ids {
                    id(bag, index).is_some_and(|new| {
                        run.members.last().and_then(|last| id(bag, *last)).is_some_and(|last| last.text == new.text)
                    })
                } else {
                    secret(bag, index).is_some_and(|new| {
                        run.members
                            .last()
                            .and_then(|last| secret(bag, *last))
                            .is_some_and(|last| last.secret.matches(&new.secret))
                    })
                };
                if !again {
                    run.members.push(index);
                    run.labelled += usize::from(is_labelled);
                }
                run.end = run.end.max(end);
            }
            None => runs.push(Run { of_ids, members: vec![index], labelled: usize::from(is_labelled), start, end }),
        }
    }
    runs
}

fn id(bag: &Bag, index: usize) -> Option<&IdItem> {
    bag.ids.get(index)
}

fn secret(bag: &Bag, index: usize) -> Option<&SecretItem> {
    bag.secrets.get(index)?.as_ref()
}

fn alone(run: &Run) -> usize {
    if run.of_ids {
        run.members.len().saturating_mul(ALONE)
    } else {
        let unlabelled = run.members.len() - run.labelled;
        run.labelled.saturating_mul(ALONE).saturating_add(unlabelled.saturating_mul(UNLABELLED_ALONE))
    }
}

/// What it costs to match two runs; none where it is not to be done.
fn match_cost(text: &[u8], first: &Run, second: &Run, distance: Distance) -> Option<usize> {
    let (ids, secrets) = if first.of_ids { (first, second) } else { (second, first) };
    let (many, offered) =
        (ids.members.len(), if secrets.labelled > 0 { secrets.labelled } else { secrets.members.len() });
    let left = match (many, offered) {
        (a, b) if a == b => 0,
        (1, _) => 0,
        (_, 1) => (many - 1).saturating_mul(ALONE),
        // Three ids and two secrets: nobody can tell which.
        _ => return None,
    };
    let widest = match distance {
        Distance::Near if secrets.labelled == 0 => UNLABELLED,
        Distance::Near => LABELLED,
        Distance::Far => usize::MAX,
    };
    let bytes = second.start.saturating_sub(first.end);
    if bytes > widest {
        return None;
    }
    let gap = match distance {
        Distance::Near => warped(text.get(first.end..second.start).unwrap_or_default()),
        Distance::Far => bytes.min(ALONE / 2),
    };
    let order = if first.of_ids { 0 } else { SECRET_FIRST + gap / 2 };
    Some(gap.saturating_add(order).saturating_add(left))
}

/// How far apart two values are for a reader: lines count, and the ends of sections count more.
fn warped(gap: &[u8]) -> usize {
    let mut cost = gap.len();
    let mut before = 0;
    for byte in gap {
        cost += match byte {
            b'\n' if before == b'\n' => 160,
            b'\n' => 16,
            b'[' if before == b'\n' => 200,
            b'{' | b'}' => 60,
            _ => 0,
        };
        if *byte != b'\r' {
            before = *byte;
        }
    }
    cost
}

/// The pairs of two runs that match.
fn members(first: &Run, second: &Run, bag: &Bag) -> Vec<(usize, usize)> {
    let (ids, secrets) = if first.of_ids { (first, second) } else { (second, first) };
    let is_offered = |index: &&usize| {
        secrets.labelled == 0 || secret(bag, **index).is_some_and(|secret| secret.label != Label::None)
    };
    let offered: Vec<usize> = secrets.members.iter().filter(is_offered).copied().collect();
    if ids.members.len() == offered.len() {
        return ids.members.iter().copied().zip(offered).collect();
    }
    // The nearest of each.
    let (one, other) =
        if first.of_ids { (ids.members.last(), offered.first()) } else { (ids.members.first(), offered.last()) };
    one.copied().zip(other.copied()).into_iter().collect()
}

/// A secret that was paired is no other id's, wherever else it stands.
fn take_used_secrets_out(bag: &mut Bag) {
    let used: std::collections::HashSet<&str> =
        bag.ids.iter().filter_map(|id| Some(id.secret.as_ref()?.secret.expose())).collect();
    let again: Vec<usize> = bag
        .secrets
        .iter()
        .enumerate()
        .filter(|(_, secret)| secret.as_ref().is_some_and(|secret| used.contains(secret.secret.expose())))
        .map(|(index, _)| index)
        .collect();
    for index in again {
        if let Some(secret) = bag.secrets.get_mut(index) {
            *secret = None;
        }
    }
}

/// An id has one secret, wherever else it stands.
fn share_by_value(bag: &mut Bag) {
    let mut known: HashMap<String, usize> = HashMap::new();
    for (index, id) in bag.ids.iter().enumerate() {
        if id.secret.is_some() {
            known.entry(id.text.clone()).or_insert(index);
        }
    }
    for index in 0..bag.ids.len() {
        let Some(id) = bag.ids.get(index).filter(|id| id.secret.is_none()) else { continue };
        let copy =
            known.get(&id.text).and_then(|known| bag.ids.get(*known)?.secret.as_ref()).map(SecretItem::duplicate);
        if let Some(id) = bag.ids.get_mut(index) {
            id.secret = copy;
        }
    }
}
