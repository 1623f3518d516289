//! What the targets of `akia-scan` share: small limits, and what must hold of any scan.

use akia_core::leak::{Detector, Options, Place, ScanReport};
use akia_scan::{Ledger, Limits, Scan};

/// Bytes that one input may unpack to.
const UNPACKED: u64 = 16 << 20;

/// A scan that ends soon.
pub fn scan() -> Scan {
    let limits =
        Limits { depth: 4, unpacked_bytes: 1 << 20, unpacked_total_bytes: UNPACKED, deadline: None, threads: 1 };
    Scan { detector: Detector::new(Options::default()), limits, ledger: Ledger::default() }
}

/// Where the bytes stand.
pub fn place() -> Place {
    Place { line: None, ..Place::in_file("it", "f", 1) }
}

/// What must hold of what a scan says: it is about what was scanned, it says why something was left out, and it is kept as it is.
pub fn judge(scan: Scan) {
    let report = scan.ledger.into_report(vec!["it".to_owned()]);
    for leak in &report.leaks {
        assert!(!leak.places.is_empty());
        assert!(leak.access_key_id.is_some() || leak.secret.is_some());
    }
    for skipped in &report.coverage.skipped {
        assert!(!skipped.what.is_empty() && !skipped.detail.is_empty(), "{skipped:?}");
    }
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ScanReport>(&json).unwrap(), report);
}
