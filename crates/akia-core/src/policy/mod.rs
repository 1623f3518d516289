//! The IAM policies that a job needs, and the rights that each command of akia needs.
//!
//! Invariant: every action here exists, and stands in a statement only with a resource that it supports. `tests/policy_judges.rs`
//! holds both against the Service Authorization Reference and against botocore's models.

mod action;
mod check;
mod contain;
mod document;
mod job;
mod lambda;
mod organization;
mod scan;
mod service;
mod usage;
mod watch;

pub use action::{Action, Command, Need, Probe, ResourceForm, every_snapshot, required_actions};
pub use check::{Reach, Standing, UnknownCommand, Verdict};
pub use contain::contain_policy;
pub use document::{Condition, Effect, OneOrMany, PolicyDocument, PolicyVersion, Statement};
pub use job::{JobPolicy, PolicyOptions, UnknownJob};
pub use lambda::{LambdaRights, lambda_policy};
pub use organization::{AccountRole, Duty, cloudformation, hub_policy, terraform};
pub use scan::{ScanSource, scan_policy};
pub use service::service_policy;
pub use usage::usage_policy;
pub use watch::{ConfigRuleRights, config_rule_policy, events_policy};
