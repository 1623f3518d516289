//! Everything of akia that touches the world: AWS, files, places, the OS keychain, the journal's store.
//!
//! The core decides, this crate performs. Every effect can be repeated after a crash, and nothing here
//! relies on a destructor having run.

pub mod atlas;
pub mod audit;
pub mod aws;
pub mod checkpoint;
pub mod clock;
pub mod contain;
pub mod edit;
pub mod enforce;
pub mod events;
pub mod exposure;
pub mod files;
pub mod hardening;
pub mod inventory;
pub mod keychain;
pub mod lambda;
pub mod notify;
pub mod organization;
pub mod place;
pub mod profiles;
pub mod provider;
pub mod rotate;
pub mod run_file;
pub mod seal;
pub(crate) mod secrets;
pub mod seen;
pub mod service;
pub mod settings;
pub mod state;
pub mod store;
pub mod terminal;

// What unit tests of stores stand on, shared with the integration tests, which know this crate by its name.
#[cfg(test)]
extern crate self as akia_io;
#[cfg(test)]
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../tests/support/ground.rs"]
mod ground;
#[cfg(test)]
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../tests/support/postgres.rs"]
mod postgres;
