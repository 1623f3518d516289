//! Where keys are exposed in an AWS account: disks that snapshots keep, and texts that people write keys into.
//!
//! Nothing is changed, started or mounted, and nothing is looked for here: the bytes are handed to a sink, which belongs to
//! whoever scans them. Invariant: what AWS refused, or what failed, is told with the place and the right that is missing, and is
//! never taken for empty.

mod gap;
mod pieces;
mod places;
pub mod snapshot;
pub mod user_data;

pub use gap::Gap;
pub use pieces::Piece;
