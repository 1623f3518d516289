//! Contains a leaked key: finds out whose it is, what it could do and what it did, and carries the containment out.
//!
//! Invariant: what is done was intended in the journal, by leave of [`Containment::next`] alone.
//!
//! [`Containment::next`]: akia_core::contain::Containment::next

mod driver;
mod identify;
mod inquiry;

pub use driver::{Broken, ContainError, Container, Rotating, Teller, is_of_containments, load_containments};
pub use identify::{Owner, SWEEP_LIMIT, Whose, whose};
pub use inquiry::{CASE_PAGES, footprint, reach};
