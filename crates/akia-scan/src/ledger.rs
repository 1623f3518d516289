//! What a scan has found and looked at so far, from all its threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use akia_core::leak::{Coverage, Pairs, ScanReport, Sighting, Why};

/// Collects what sources find. Sources tell it seldom: what is quick is counted by themselves and added at the end.
#[derive(Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sightings: Vec<Sighting>,
    coverage: Coverage,
}

impl Ledger {
    /// A key was found.
    pub fn found(&self, sighting: Sighting) {
        self.lock().sightings.push(sighting);
    }

    /// So many things, with so many bytes unpacked, were looked at.
    pub fn looked_at(&self, objects: u64, bytes: u64) {
        self.lock().coverage.looked_at(objects, bytes);
    }

    /// Something was not looked at.
    pub fn skip(&self, what: impl Into<String>, why: Why, detail: impl Into<String>) {
        self.lock().coverage.skip(what, why, detail);
    }

    /// What another part of the scan says of itself.
    pub fn add(&self, coverage: Coverage) {
        self.lock().coverage.add(coverage);
    }

    /// Everything, put together by key.
    #[must_use]
    pub fn into_report(self, sources: Vec<String>) -> ScanReport {
        self.into_report_with_pairs(sources).0
    }

    /// The same, and the secrets, which the report does not hold.
    #[must_use]
    pub fn into_report_with_pairs(self, sources: Vec<String>) -> (ScanReport, Pairs) {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        ScanReport::with_pairs(sources, inner.sightings, inner.coverage)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
