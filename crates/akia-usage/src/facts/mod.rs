//! The facts that are kept of logs, so that later questions take milliseconds and logs need not be kept.
//!
//! A folder, or a prefix of a bucket, with Parquet files that are never changed, and numbered manifests that say which of them count.
//! A load writes its files first and its manifest last, and only where no manifest has that number yet: what a killed load leaves
//! behind counts for nothing, and two loads at once cannot both count the same log.

mod home;
mod load;
mod manifest;
mod merge;
mod question;
mod twice;
mod write;

pub use home::{FactsError, FactsHome};
pub use load::{Load, Loaded, Problem, load};
pub use manifest::{Manifest, Part};
pub use merge::merge;
pub use question::{covered, facts, has_data_events, keys, register};
pub use twice::Taken;
pub(crate) use twice::taken;
