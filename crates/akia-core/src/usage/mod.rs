//! Who uses a key, from where, for what: what follows from the calls that CloudTrail has written down.
//!
//! Logs are read elsewhere (`akia-usage`). Here are the facts that are kept of them, and every answer that is drawn from facts.

pub mod agent;
mod cidr;
mod fact;
pub mod network;

pub use agent::Agent;
pub use cidr::{BadCidr, Cidr};
pub use fact::{Fact, Resources};
