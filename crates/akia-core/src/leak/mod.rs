//! Leaked keys: how a key looks wherever it stands, and what is told of one that was found.
//!
//! A detector takes bytes and says which keys stand in them; it knows nothing of files or repositories. A scanner
//! (`akia-scan`) brings the bytes and says where they came from. What both say together is a [`Sighting`]; all sightings of one
//! key are a [`Leak`]. What was looked at, and what was not, is the [`Coverage`]: a scan that skipped something says so.

mod asked;
mod bedrock;
mod canary;
mod collect;
mod comment;
mod coverage;
mod decode;
mod detect;
mod fingerprint;
mod found;
mod ignore;
mod key_id;
mod label;
mod needles;
mod pair;
mod place;
mod report;
mod secret;
mod sighting;

pub use asked::{Holder, Verified};
pub use coverage::{Coverage, Skipped, Why};
pub use decode::undone;
pub use detect::{Detector, Examination, Options};
pub use fingerprint::Fingerprint;
pub use ignore::{BaselineError, Hidden, Ignores, gitleaks_rule};
pub use place::{GitPlace, Part, Place, Reach};
pub use report::{Leak, LeakPlace, Pairs, SCHEMA, ScanReport};
pub use sighting::{Class, Confidence, Encoding, Found, FoundSecret, Kind, Sighting};

/// How the ids of keys begin. Ids of users, groups, roles and the like (`AIDA`, `AROA`, …) are no keys.
///
/// Source: "IAM identifiers" in the IAM User Guide, table of unique id prefixes.
pub const PREFIXES: [&str; 4] = ["AKIA", "ASIA", "ABIA", "ACCA"];
