//! Who uses a key, from where, for what: what follows from the calls that CloudTrail has written down.
//!
//! Logs are read elsewhere (`akia-usage`). Here are the facts that are kept of them, and every answer that is drawn from facts.

pub mod actions;
mod fact;
mod meaning;
mod meaning_table;
mod resource;
mod resource_table;

pub use fact::{Fact, Resources};
pub use meaning::{Meaning, meaning};
pub use resource::{Call, resources};
pub use resource_table::PARAMETERS;
