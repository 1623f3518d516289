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
pub(crate) use cloud::{Cloud, Key, Listed};
pub(crate) use home::Home;
pub(crate) use lab::{ask, python};
pub(crate) use ran::Ran;

/// The folder of the workspace.
pub(crate) fn workspace() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The columns of a credential report, as AWS has them.
pub(crate) const REPORT_COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated\n";

/// The row of a root user who is left alone.
pub(crate) const REPORT_ROOT: &str = "<root_account>,arn:aws:iam::123456789012:root,2015-01-01T00:00:00+00:00,\
    not_supported,2020-01-01T00:00:00+00:00,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n";
