//! What the targets of `akia-scan` share: small limits, and what must hold of any scan.

use std::ops::Range;

use akia_core::leak::{Detector, Options, Place, ScanReport};
use akia_scan::image::Disk;
use akia_scan::{Ledger, Limits, ReadAt, Scan};

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

/// How long a disk is, whatever the input.
const LENGTH: u64 = 256 << 10;

/// A disk: the input again and again, with some bytes that are always there.
pub struct Again<'b> {
    pub bytes: &'b [u8],
    pub fixed: &'b [(u64, &'b [u8])],
}

impl ReadAt for Again<'_> {
    fn length(&self) -> u64 {
        LENGTH
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let count = out.len().min(LENGTH.saturating_sub(offset) as usize);
        for (at, byte) in (offset..).zip(&mut out[..count]) {
            let fixed =
                self.fixed.iter().find_map(|(start, fixed)| fixed.get(usize::try_from(at.checked_sub(*start)?).ok()?));
            *byte = *fixed.unwrap_or(&self.bytes[at as usize % self.bytes.len()]);
        }
        Ok(count)
    }
}

impl Disk for Again<'_> {
    fn data(&self, from: u64) -> std::io::Result<Option<Range<u64>>> {
        Ok((from < LENGTH).then_some(from..LENGTH))
    }
}
