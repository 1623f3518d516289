//! The ways down to objects that hold keys: which trees lead to them, and under which paths.

use std::collections::{HashMap, HashSet};

use super::bits::Bits;
use super::edges::Edges;
use super::pack::NONE;

/// The root of a tree has no name.
pub(crate) const ROOT: u32 = 0;

/// How many paths a folder has on average at most, before the rest is cut off: most never move. A hostile repository can have more
/// paths than atoms, with each folder twice in the next.
const PATHS: usize = 8;

/// So many paths are followed even in a small repository.
const LEAST: usize = 100_000;

/// Trees that lead to targets, and the ways down.
pub(crate) struct Ways {
    /// Objects that hold keys.
    targets: Bits,
    /// Ways of each tree that lead to a target: objects, and numbers of names.
    down: HashMap<u32, Vec<(u32, u32)>, foldhash::fast::RandomState>,
    /// Trees that are in no other tree that leads to a target.
    tops: Vec<u32>,
    names: Vec<Box<[u8]>>,
    /// Paths: the folder and the name.
    paths: Vec<(u32, u32)>,
    numbers: HashMap<(u32, u32), u32, foldhash::fast::RandomState>,
    /// Whether there were too many paths to follow all.
    pub(crate) cut: bool,
}

/// What was visited already.
pub(crate) type Seen = HashSet<(u32, u32), foldhash::fast::RandomState>;

impl Ways {
    /// Puts together what the threads noted. `count` is the number of all objects.
    pub(crate) fn new(edges: &[Edges], targets: Bits, count: usize) -> Self {
        let leads = leading(edges, &targets, count);
        let mut ways = Self {
            targets,
            down: HashMap::default(),
            tops: Vec::new(),
            names: Vec::new(),
            paths: vec![(NONE, NONE)],
            numbers: HashMap::default(),
            cut: false,
        };
        let mut all: HashMap<Box<[u8]>, u32> = HashMap::new();
        let mut below = Bits::new(count);
        for part in edges {
            let mut own: HashMap<u32, u32> = HashMap::new();
            for (tree, objects) in part.iter().filter(|(tree, _)| leads.has(*tree)) {
                if ways.down.contains_key(&tree) {
                    continue;
                }
                let mut down = Vec::new();
                for (object, name) in
                    objects.iter().filter(|(object, _)| leads.has(*object) || ways.targets.has(*object))
                {
                    below.insert(*object);
                    let name = *own.entry(*name).or_insert_with(|| {
                        let name = part.name_of(*name);
                        *all.entry(name.into()).or_insert_with(|| {
                            ways.names.push(name.into());
                            u32::try_from(ways.names.len() - 1).unwrap_or(NONE)
                        })
                    });
                    down.push((*object, name));
                }
                ways.down.insert(tree, down);
            }
        }
        ways.tops = ways.down.keys().copied().filter(|tree| !below.has(*tree)).collect();
        ways.tops.sort_unstable();
        ways
    }

    /// Whether a tree leads to a target.
    pub(crate) fn leads(&self, tree: u32) -> bool {
        self.down.contains_key(&tree) || self.targets.has(tree)
    }

    /// Trees that stand in no other tree.
    pub(crate) fn tops(&self) -> Vec<u32> {
        self.tops.clone()
    }

    /// Visits every target below a tree that was not visited under the same path before, with the number of that path.
    pub(crate) fn visit(&mut self, tree: u32, seen: &mut Seen, mut found: impl FnMut(u32, u32)) {
        let most = LEAST + PATHS * self.down.len();
        let mut waiting = vec![(tree, ROOT)];
        while let Some((object, path)) = waiting.pop() {
            if seen.len() >= most {
                self.cut = true;
                return;
            }
            if !seen.insert((object, path)) {
                continue;
            }
            if self.targets.has(object) {
                found(object, path);
            }
            let Some(down) = self.down.get(&object) else { continue };
            for (object, name) in down {
                let next = u32::try_from(self.paths.len()).unwrap_or(NONE);
                let below = *self.numbers.entry((path, *name)).or_insert(next);
                if below == next {
                    self.paths.push((path, *name));
                }
                waiting.push((*object, below));
            }
        }
    }

    /// A path in words.
    pub(crate) fn path(&self, path: u32) -> String {
        let (mut names, mut at) = (Vec::new(), path);
        while let Some((folder, name)) = self.paths.get(at as usize).filter(|(folder, _)| *folder != NONE) {
            names.push(String::from_utf8_lossy(self.names.get(*name as usize).map_or(&[], AsRef::as_ref)));
            at = *folder;
        }
        names.reverse();
        names.join("/")
    }
}

/// The trees from which a way leads to a target.
fn leading(edges: &[Edges], targets: &Bits, count: usize) -> Bits {
    // For each object, the trees that it stands in: counted, then filled in.
    let mut starts = vec![0_u32; count + 1];
    for (_, objects) in edges.iter().flat_map(Edges::iter) {
        for (object, _) in objects {
            if let Some(slot) = starts.get_mut(*object as usize + 1) {
                *slot += 1;
            }
        }
    }
    for place in 1..starts.len() {
        let before = starts.get(place - 1).copied().unwrap_or(0);
        if let Some(slot) = starts.get_mut(place) {
            *slot += before;
        }
    }
    let mut fill = starts.clone();
    let mut trees = vec![NONE; starts.last().copied().unwrap_or(0) as usize];
    for (tree, objects) in edges.iter().flat_map(Edges::iter) {
        for (object, _) in objects {
            if let Some(place) = fill.get_mut(*object as usize)
                && let Some(slot) = trees.get_mut(*place as usize)
            {
                *slot = tree;
                *place += 1;
            }
        }
    }
    let mut leads = Bits::new(count);
    let mut waiting: Vec<u32> =
        (0..u32::try_from(count).unwrap_or(NONE)).filter(|number| targets.has(*number)).collect();
    while let Some(object) = waiting.pop() {
        let place = object as usize;
        let (Some(from), Some(to)) = (starts.get(place), starts.get(place + 1)) else { continue };
        for tree in trees.get(*from as usize..*to as usize).unwrap_or_default() {
            if leads.insert(*tree) {
                waiting.push(*tree);
            }
        }
    }
    leads
}
