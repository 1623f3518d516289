//! Declared places: what each kind writes, reads back, refuses and survives.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod env_file;
mod exec;
mod file;
#[expect(dead_code, reason = "it knows more faults than are played here")]
#[path = "../notify/server.rs"]
mod server;
mod ssm;
mod support;
