//! Who uses a key, from where, for what: what follows from the calls that CloudTrail has written down.
//!
//! Logs are read elsewhere (`akia-usage`). Here are the facts that are kept of them, and every answer that is drawn from facts.

pub mod actions;
pub mod agent;
mod blast;
mod cidr;
mod compare;
mod coverage;
mod fact;
#[cfg(test)]
mod fixtures;
mod history;
mod least;
mod machines;
mod meaning;
mod meaning_table;
mod network;
mod quiet;
mod refusal;
mod resource;
mod resource_table;
mod rhythm;
mod seen;
mod shared;
mod statement;
mod summary;
mod timeline;
mod unlogged;

pub use agent::Agent;
pub use blast::{Blast, Did};
pub use cidr::{BadCidr, Cidr};
pub use compare::{Compared, Given, UnusedService};
pub use coverage::{Covered, OfAccount};
pub use fact::{Fact, Resources};
pub use history::{HISTORY, HISTORY_LOG, HistoryWindow, Span, TrailDay, covered_by_trail};
pub use least::{Beside, Calls, Least, LeastOptions, Refused, Seen, Used, Whole};
pub use machines::{MACHINE_FROM, MachineBy, MachineUse, Sign, machines};
pub use meaning::{Meaning, meaning};
pub use network::{Atlas, AwsRange, AwsRanges, BadRanges, Networks, NoAtlas, Origin, Place};
pub use quiet::{Doubt, Quiet, Use, Verdict};
pub use refusal::is_refused;
pub use resource::{Call, resources};
pub use resource_table::PARAMETERS;
pub use seen::SeenUse;
pub use shared::{Evidence, SHARED_FROM, SharedBy, Sharing, shared};
pub use statement::LARGEST_MANAGED_POLICY;
pub use summary::{AgentUse, NetworkUse, Part, ServiceUse, Summary, summary};
pub use timeline::{Sighting, View};
pub use unlogged::{Unlogged, unlogged};
