//! Who uses a key, from where, for what: what follows from the calls that CloudTrail has written down.
//!
//! Logs are read elsewhere (`akia-usage`). Here are the facts that are kept of them, and every answer that is drawn from facts.

pub mod agent;
mod cidr;
mod fact;
#[cfg(test)]
mod fixtures;
mod machines;
mod network;
mod rhythm;
mod shared;
mod summary;
mod timeline;

pub use agent::Agent;
pub use cidr::{BadCidr, Cidr};
pub use fact::{Fact, Resources};
pub use machines::{MACHINE_FROM, MachineBy, MachineUse, Sign, machines};
pub use network::{Atlas, AwsRange, AwsRanges, BadRanges, Networks, NoAtlas, Origin, Place};
pub use shared::{Evidence, SHARED_FROM, SharedBy, Sharing, shared};
pub use summary::{AgentUse, NetworkUse, Part, ServiceUse, Summary, summary};
pub use timeline::{Sighting, View};
