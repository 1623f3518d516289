//! Packs: many objects in one file, most of them as a delta against another.
//!
//! The formats are those of `gitformat-pack(5)`. An object is known by its number: its place in the order of offsets.

mod delta;
mod entry;
mod file;
mod forest;
mod index;
mod rebuild;
mod walk;

pub(crate) use delta::{Copied, Delta};
pub(crate) use entry::{Entry, Stored};
pub(crate) use file::PackFile;
pub(crate) use forest::{Forest, Heads, NONE};
pub(crate) use index::{IndexFile, PackIndex};
pub(crate) use rebuild::rebuild;
pub(crate) use walk::{Bases, Visit, Walk};
