//! The pure heart of akia: what a key is, what a rotation may do next, what a profile file means.
//!
//! Nothing here reads a clock, the environment, a file or the network, and nothing is random: those
//! are arguments. `clippy.toml` beside this crate forbids the functions that would break the rule.

pub mod audit;
pub mod cheatsheet;
pub mod checkpoint;
pub mod config_rule;
pub mod console_csv;
pub mod contain;
pub mod digest;
pub mod enforce;
pub mod env_file;
pub mod estate;
pub mod event;
pub mod fields;
pub mod finding;
pub mod ids;
pub mod inventory;
pub mod journal;
pub mod key;
pub mod key_table;
pub mod leak;
pub mod moment;
pub mod notice;
pub mod place;
pub mod policy;
pub mod profile;
pub mod quarantine;
pub mod rotation;
pub mod rule;
pub mod secret;
pub mod secret_rotation;
pub mod service;
pub mod settings;
pub mod span;
pub mod text;
pub mod usage;

pub use ids::{
    AccessKeyId, AccountId, CaseId, ContainmentId, ImageId, Partition, ProfileName, QuarantineId, Region, RotationId,
    SnapshotId, ThreadId, UserArn, UserId, UserName,
};
pub use key::{AccessKey, KeyStatus, LastUsed};
pub use secret::SecretAccessKey;
pub use service::ServiceName;
