//! The AWS CLI commands for each job, for people who want to see or do by hand what akia does.
//!
//! Two entrances: [`sheet`] gives the steps of a whole job, [`aws_cli::command`] the equivalent of one API call that akia makes
//! (`--show-aws-cli`).
//!
//! Invariants: a secret never stands on a command line nor on a terminal, and the real AWS CLI accepts every command
//! (`tests/cheatsheet_aws_cli.rs` asks it). Commands marked [`CliVersion::V2`] are those that its version 1 does not know.

pub mod aws_cli;
mod fill;
mod service;
mod shell;
mod step;
mod topic;

pub use aws_cli::{Connection, Operation, Setting};
pub use fill::Fill;
pub use service::ByHand;
pub use shell::quote;
pub use step::{CliVersion, Output, Step};
pub use topic::{Topic, UnknownTopic, sheet};
