//! What comes through a pipe: any length in bounded memory, line numbers right to the end, archives unpacked as they come.

use std::io::Read;

use akia_core::leak::{Part, Place};

use crate::Scan;
use crate::walk::Walk;

/// Looks at everything that `reader` gives; `source` names it, as in `-`.
pub fn scan(scan: &Scan, source: &str, mut reader: impl Read) {
    let place = Place {
        source: source.to_owned(),
        path: String::new(),
        part: Part::Content,
        line: None,
        offset: None,
        git: None,
    };
    let walk = Walk::new(scan);
    walk.stream(&place, &mut reader, 0);
    walk.finish();
}
