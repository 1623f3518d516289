//! End to end: the real `akia` binary and the real AWS CLI against three backends that act as AWS.
//!
//! One binary, so that it is linked once; a module per topic. Needs `cargo xtask venv`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set its stage has failed")]

#[path = "../support/mod.rs"]
mod support;

/// One test for each function and backend, named `backend::function`, so that a failure names the backend.
macro_rules! on_every_backend {
    ($($name:ident),+ $(,)?) => {
        on_every_backend!(@one sandbox Sandbox $($name)+);
        on_every_backend!(@one moto Moto $($name)+);
        on_every_backend!(@one ministack MiniStack $($name)+);
    };
    (@one $module:ident $backend:ident $($name:ident)+) => {
        mod $module {
            $(#[test] fn $name() { super::$name(&crate::support::Backend::$backend.open()); })+
        }
    };
}

mod audit;
mod audit_hub;
mod audit_page;
mod audit_past;
mod bad_input;
mod bites;
mod broken_journal;
mod config_rule;
mod contain;
mod contract;
mod database;
mod drawn;
mod enforce;
mod events;
mod ground;
mod hand;
mod history;
mod interrupted;
mod key;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kill;
mod lambda;
mod leak;
mod notify;
mod organization;
mod policy_check;
#[path = "../../../akia-io/tests/support/postgres.rs"]
mod postgres;
mod practice;
mod quarantine;
mod races;
mod rotate;
mod scan_aws;
mod sealed;
mod secrets;
mod seed_script;
mod serve;
mod service;
mod service_keys;
mod service_usage;
mod settings;
mod setup;
mod status;
mod takeover;
mod terminal;
mod trail;
mod trail_s3;
mod undo_retire;
