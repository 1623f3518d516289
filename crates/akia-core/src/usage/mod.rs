//! Who uses a key, from where, for what: what follows from the calls that CloudTrail has written down.
//!
//! Logs are read elsewhere (`akia-usage`). Here are the facts that are kept of them, and every answer that is drawn from facts.

mod coverage;
mod fact;
mod quiet;
mod resource;
mod resource_table;

pub use coverage::{Covered, OfAccount};
pub use fact::{Fact, Resources};
pub use quiet::{Doubt, Quiet, Use, Verdict};
pub use resource::{Call, resources};
pub use resource_table::PARAMETERS;
