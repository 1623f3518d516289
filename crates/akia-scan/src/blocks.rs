//! Blocks of a disk that somebody else reads, in the order of the disk: what stands across two of them is found, too.

use akia_core::leak::{Part, Place};

use crate::Scan;
use crate::walk::Walk;
use crate::windows::Windows;

/// The walk along a disk.
pub struct Disk<'s> {
    walk: Walk<'s>,
    place: Place,
}

/// Takes the blocks of a [`Disk`].
pub struct Blocks<'d, 's>(Windows<'d, 's>);

impl<'s> Disk<'s> {
    /// A disk that `source` names.
    #[must_use]
    pub fn new(scan: &'s Scan, source: &str) -> Self {
        let source = source.to_owned();
        let place = Place { source, path: String::new(), part: Part::Block, line: None, offset: None, git: None };
        Self { walk: Walk::new(scan), place }
    }

    /// Takes its blocks.
    #[must_use]
    pub fn blocks(&self) -> Blocks<'_, 's> {
        Blocks(Windows::new(&self.walk, &self.place, false))
    }

    /// The end of the disk: what was found is told.
    pub fn finish(self) {
        self.walk.finish();
    }
}

impl Blocks<'_, '_> {
    /// A block, and where it stands. One that does not follow on the one before has nothing in common with it.
    pub fn take(&mut self, offset: u64, bytes: &[u8]) {
        self.0.jump(offset);
        self.0.feed(bytes);
    }

    /// Nothing follows.
    pub fn finish(self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use akia_core::leak::{Detector, Options};

    use super::*;
    use crate::{Ledger, Limits};

    /// The keys in a text that comes in blocks of 512 bytes, from `start` on; a block named in `missing` is left out.
    fn keys(text: &[u8], missing: Option<usize>) -> Vec<(String, Option<u64>, bool)> {
        let scan =
            Scan { detector: Detector::new(Options::default()), limits: Limits::default(), ledger: Ledger::default() };
        let disk = Disk::new(&scan, "snap");
        let mut blocks = disk.blocks();
        for (number, block) in text.chunks(512).enumerate().filter(|(number, _)| Some(*number) != missing) {
            blocks.take(number as u64 * 512, block);
        }
        blocks.finish();
        disk.finish();
        let report = scan.ledger.into_report(Vec::new());
        let told = |leak: &akia_core::leak::Leak| {
            let id = leak.access_key_id.as_ref().map(ToString::to_string).unwrap_or_default();
            (id, leak.places[0].place.offset, leak.secret.is_some())
        };
        report.leaks.iter().map(told).collect()
    }

    #[test]
    fn a_pair_across_blocks_is_one_and_a_hole_cuts_it() {
        let (id, secret) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let mut text = vec![0; 502];
        text.extend_from_slice(format!("\n{id}\n{secret}\n").as_bytes());
        text.resize(4096, 0);
        assert_eq!(keys(&text, None), [(id.to_owned(), Some(503), true)]);
        assert!(keys(&text, Some(0)).iter().all(|(found, ..)| found != id), "half of an id is none");
    }
}
