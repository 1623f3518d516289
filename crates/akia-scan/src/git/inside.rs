//! What stands in the bytes of a blob. The one place where this module meets whole blobs: their text, and what is packed in them.

use akia_core::leak::{Found, Part, Place, Why};

use crate::Scan;
use crate::walk::{CUT, Walk};

/// A key within a blob.
pub(crate) struct Inside {
    pub(crate) found: Found,
    /// The member of an archive that holds it; empty where the blob itself does.
    pub(crate) member: String,
}

/// The keys in a blob. `name` is what the coverage calls it, should a part of it not be read.
pub(crate) fn look(scan: &Scan, name: impl FnOnce() -> String, bytes: &[u8]) -> Vec<Inside> {
    if !crate::is_container(bytes) {
        let examination = scan.detector.examine(bytes);
        if examination.cut {
            scan.ledger.skip(name(), Why::TooDeep, CUT);
        }
        return examination.found.into_iter().map(|found| Inside { found, member: String::new() }).collect();
    }
    let walk = Walk::new(scan);
    let place = Place { source: name(), path: String::new(), part: Part::Content, line: None, offset: None, git: None };
    walk.bytes(&place, bytes, 0);
    let packed = walk.into_sightings().into_iter().map(|mut sighting| {
        if let Some(line) = sighting.place.line {
            sighting.found.line = line;
        }
        let path = sighting.place.path;
        Inside { found: sighting.found, member: path.strip_prefix('!').map_or(path.clone(), str::to_owned) }
    });
    packed.collect()
}
