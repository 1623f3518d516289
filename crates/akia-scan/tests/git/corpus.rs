//! The places of the corpus, which `cargo xtask corpus` shows to peers, too.

use akia_core::leak::{Detector, Options as Detection};
use akia_corpus::PLACES;
use akia_scan::git::{Options, Repository};
use akia_scan::{Ledger, Limits, Scan};

#[test]
fn every_place_of_the_corpus_is_looked_at() {
    assert!(PLACES.len() >= 25, "{}", PLACES.len());
    for (seed, place) in PLACES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let key = place.make(seed as u64, folder.path()).unwrap();
        let scan = Scan {
            detector: Detector::new(Detection::default()),
            limits: Limits::default(),
            ledger: Ledger::default(),
        };
        Repository::open(folder.path()).unwrap().scan(&scan, &Options::default()).unwrap();
        let report = scan.ledger.into_report(Vec::new());
        let leaks: Vec<_> = report
            .leaks
            .iter()
            .map(|leak| (leak.access_key_id.as_ref().map(|id| id.as_str()), leak.secret.is_some()))
            .collect();
        assert_eq!(leaks, [(Some(key.id.as_str()), place.pair)], "{}", place.name);
    }
}
