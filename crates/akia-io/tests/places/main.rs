//! Places that are not on this machine, each against what stands in for its service.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod moto;
mod secrets_manager;
