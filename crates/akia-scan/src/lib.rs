//! Sources of bytes for the leak detector: git histories, folders, archives, databases, disk images.
//!
//! A source looks at everything it holds, tells the [`Ledger`] which keys stand where, and tells it of whatever it could not
//! look at. No source starts a program, follows a link out of what it was given, or writes anything.

pub mod git;
mod ledger;
mod limits;

pub use ledger::Ledger;
pub use limits::Limits;

use akia_core::leak::Detector;

/// What every source needs: who finds, how far to go, and where to tell it.
pub struct Scan {
    /// Finds keys in bytes.
    pub detector: Detector,
    /// How far to go.
    pub limits: Limits,
    /// Where it is told.
    pub ledger: Ledger,
}
