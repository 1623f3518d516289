//! The journal as pages show it: each rotation, case, quarantine and containment as a row, and what happened in it.
//!
//! It is a view, as the estate is: [`Records::follow`] makes it from the journal's records, and nothing else writes it.
//!
//! Invariant: a thread is seen by whoever sees one of its keys. Where none of them is in the estate any more, the owner that was last
//! known of it sees it, within the units of its account.

mod case;
mod contain;
mod event;
mod follow;
mod quarantine;
mod question;
mod rotation;
mod thread;

use crate::Database;

pub use event::{Moment, Told, Weight};
pub use follow::FollowError;
pub use question::{Ask, StageCount};
pub use thread::{Kind, Next, Progress, Step, Thread};

/// The view of the journal.
#[derive(Debug, Clone)]
pub struct Records {
    database: Database,
}

impl Records {
    /// That of these tables.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[cfg(test)]
mod tests;
