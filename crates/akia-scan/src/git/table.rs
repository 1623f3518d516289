//! Numbers of objects by their names.

use std::hash::BuildHasher as _;

/// A hash table with linear probing. Beside each number stands half of the hash of its name, so that a look-up goes to one place in
/// memory before it goes to the name: of a long history, hardly any place is in a cache.
#[derive(Default)]
pub(crate) struct Table {
    /// The upper half of a hash, and below it the number and one; 0 where there is nothing.
    slots: Vec<u64>,
    hasher: foldhash::fast::RandomState,
}

/// The half of a hash that stands in a slot. The other one tells the slot.
const KEPT: u64 = !(u32::MAX as u64);

impl Table {
    /// An empty table for so many names.
    pub(crate) fn new(count: usize) -> Self {
        Self { slots: vec![0; count + count / 2 + 1], ..Self::default() }
    }

    /// The number of a name.
    pub(crate) fn find<'s>(&self, name: &[u8], name_of: impl Fn(u32) -> &'s [u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let slot = *self.slots.get(self.place(hash, name, name_of)?)?;
        number(slot)
    }

    /// Notes the number of a name. The first object of a name is the one that is found.
    pub(crate) fn insert<'s>(&mut self, number: u32, name: &[u8], name_of: impl Fn(u32) -> &'s [u8]) {
        let hash = self.hasher.hash_one(name);
        let place = self.place(hash, name, name_of);
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place)).filter(|slot| **slot == 0) {
            *slot = hash & KEPT | (u64::from(number) + 1);
        }
    }

    /// The slot that a name stands in, or would. There is one: a third of them is empty.
    fn place<'s>(&self, hash: u64, name: &[u8], name_of: impl Fn(u32) -> &'s [u8]) -> Option<usize> {
        let first = usize::try_from(((hash & !KEPT) * self.slots.len() as u64) >> 32).ok()?;
        let stands =
            |slot: u64| slot & KEPT == hash & KEPT && number(slot).is_some_and(|number| name_of(number) == name);
        (first..self.slots.len())
            .chain(0..first)
            .find(|place| self.slots.get(*place).is_some_and(|slot| *slot == 0 || stands(*slot)))
    }
}

/// The number in a slot.
fn number(slot: u64) -> Option<u32> {
    u32::try_from(slot & !KEPT).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_the_first_of_its_name() {
        let names: Vec<Vec<u8>> = (0..5000_u32).map(|number| (number / 2).to_le_bytes().repeat(5)).collect();
        let name_of = |number: u32| names[number as usize].as_slice();
        let mut table = Table::new(names.len());
        for (number, name) in (0..).zip(&names) {
            table.insert(number, name, name_of);
        }
        for (number, name) in (0..).zip(&names) {
            assert_eq!(table.find(name, name_of), Some(number / 2 * 2));
        }
        assert_eq!(table.find(&[7; 20], name_of), None);
        assert_eq!(Table::default().find(&[7; 20], name_of), None);
    }
}
