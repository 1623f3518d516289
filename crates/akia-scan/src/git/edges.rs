//! The ways from trees to what is in them, as far as they may lead to a key.

use std::collections::HashMap;

use super::pack::NONE;
use super::tree::Known;

/// The ways that one thread noted.
#[derive(Default)]
pub(crate) struct Edges {
    /// Trees, each with where its ways begin.
    rows: Vec<(u32, u32)>,
    /// Objects in them, and the numbers of their names.
    ways: Vec<(u32, u32)>,
    names: Vec<Box<[u8]>>,
    numbers: HashMap<Box<[u8]>, u32, foldhash::fast::RandomState>,
}

impl Edges {
    /// The number of a name.
    pub(crate) fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NONE);
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    /// Notes the entries of a tree that have a name.
    pub(crate) fn row(&mut self, tree: u32, entries: &[Known]) {
        let start = u32::try_from(self.ways.len()).unwrap_or(NONE);
        self.ways.extend(entries.iter().filter(|entry| entry.name != NONE).map(|entry| (entry.object, entry.name)));
        if self.ways.len() > start as usize {
            self.rows.push((tree, start));
        }
    }

    /// Every tree with its ways: objects, and the numbers of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[(u32, u32)])> {
        self.rows.iter().enumerate().map(|(place, (tree, start))| {
            let end = self.rows.get(place + 1).map_or(self.ways.len(), |(_, end)| *end as usize);
            (*tree, self.ways.get(*start as usize..end).unwrap_or_default())
        })
    }

    /// A name by its number.
    pub(crate) fn name_of(&self, number: u32) -> &[u8] {
        self.names.get(number as usize).map_or(&[], AsRef::as_ref)
    }
}
