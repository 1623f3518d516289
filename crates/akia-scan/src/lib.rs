//! Sources of bytes for the leak detector: git histories, folders, archives, databases, disk images.
//!
//! A source looks at everything it holds, tells the [`Ledger`] which keys stand where, and tells it of whatever it could not
//! look at. No source starts a program, follows a link out of what it was given, or writes anything.

mod ar;
pub mod blocks;
pub mod container;
mod file;
pub mod folder;
mod form;
mod frames;
pub mod git;
pub mod image;
mod ledger;
mod limits;
mod lookahead;
pub mod machine;
mod meter;
mod numbers;
mod read_at;
mod sqlite;
pub mod stream;
mod tar;
mod walk;
mod windows;
mod zip;
mod zstd;

pub use form::is_container;
pub use ledger::Ledger;
pub use limits::Limits;
pub use read_at::ReadAt;
pub use walk::CUT;

use akia_core::leak::{Detector, Place};

use walk::Walk;

/// What every source needs: who finds, how far to go, and where to tell it.
pub struct Scan {
    /// Finds keys in bytes.
    pub detector: Detector,
    /// How far to go.
    pub limits: Limits,
    /// Where it is told.
    pub ledger: Ledger,
}

impl Scan {
    /// Looks at bytes that are in memory, and at everything that is packed in them, down to [`Limits::depth`]. `place` says where
    /// they stand; lines, members and parts are added to it.
    pub fn bytes(&self, place: &Place, bytes: &[u8]) {
        let walk = Walk::new(self);
        walk.bytes(place, bytes, 0);
        walk.finish();
    }
}
