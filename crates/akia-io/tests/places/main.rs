//! Places that are not on this machine: against the real services where they run here, with a relay between that makes them fail; those
//! that run nowhere but at their vendors', against servers that check each request as the public documentation states it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are outside test functions")]

mod circleci;
mod desk;
mod env_file;
mod exec;
mod file;
mod github;
mod gitlab;
mod keys;
#[cfg(target_os = "linux")]
mod kubernetes;
#[path = "../support/log.rs"]
mod log;
mod logs;
mod moto;
mod relay;
mod secrets_manager;
#[expect(dead_code, reason = "the tests of channels use more of it")]
#[path = "../notify/server.rs"]
mod server;
mod ssm;
mod support;
mod terraform;
mod vault;
