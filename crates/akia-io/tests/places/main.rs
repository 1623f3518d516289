//! Places that are not on this machine: against the real services where they run here, with a relay between that makes them fail, else
//! against what stands in for them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are outside test functions")]

#[cfg(target_os = "linux")]
mod kubernetes;
mod moto;
mod relay;
mod secrets_manager;
#[expect(dead_code, reason = "the tests of channels use more of it")]
#[path = "../notify/server.rs"]
mod server;
mod vault;
