//! CloudTrail's logs as tables of DataFusion, and the facts that are kept of them.
//!
//! A crate of its own for its weight: nothing else depends on DataFusion.

pub mod answer;
mod arena;
#[cfg(feature = "cluster")]
pub mod cluster;
mod column;
mod desk;
mod distinct;
mod engine;
pub mod facts;
pub mod history;
mod inflate;
mod json;
mod memory;
mod ocsf;
mod receipt;
mod s3;
mod scan;
mod shares;
mod source;
mod table;
mod tally;
mod walk;

pub use column::{Table, Text};
pub use desk::{About, Desk, UsageError, problems};
pub use engine::{Stores, session};
pub use receipt::Receipt;
pub use s3::{Reach, S3, Signature, Signing};
pub use scan::{LogFile, LogScan, Only, Plan, Receipts};
pub use source::{ListError, Listing, Narrowing, list, place};
pub use table::{LogTable, Parts};
