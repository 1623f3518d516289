//! What end-to-end tests stand on: three backends that act as AWS, the real AWS CLI, a made-up home folder, and the
//! real `akia` binary.
//!
//! ```ignore
//! let cloud = Backend::MiniStack.open();              // an AWS account of its own, with an administrator
//! let ann = cloud.user("ann");                        // a user with one key, who may manage her own keys
//! let home = Home::new(&cloud).profile("default", &ann.key);
//! home.akia(&["rotate", "--yes"]).done();             // the real binary; its exit code was 0
//! assert_eq!(cloud.keys("ann").len(), 2);             // read back with the real AWS CLI
//! ```

mod backend;
mod cloud;
mod home;
mod lab;
mod ran;

pub(crate) use backend::{Backend, DIFFERENCES, Fact};
pub(crate) use cloud::{Cloud, Key};
pub(crate) use home::Home;
pub(crate) use lab::python;
pub(crate) use ran::Ran;

/// The folder of the workspace.
pub(crate) fn workspace() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
