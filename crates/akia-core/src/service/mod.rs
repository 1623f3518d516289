//! Service users: IAM users that machines sign with, kept apart from those of people.
//!
//! A service user is made whole or not at all: user, group and the least policy on the group, tags that say whose it is, no
//! console. [`plan()`] says what lacks in an account; nothing here talks to it. [`exit`] says what would replace the key.

mod check;
mod diff;
pub mod exit;
mod name;
mod naming;
mod plan;
mod policy_file;
mod review;
mod source;
mod template;

pub use check::{ABOUT_PEOPLE, ABOUT_SERVICES, only_of_services};
pub use diff::{DiffLine, diff};
pub use name::{BadName, BoundaryArn, IamPath, ServiceName, TagValue};
pub use naming::{BadPrefix, NamePrefix, ServiceNaming};
pub use plan::{Change, Difference, GroupFound, POLICY_NAME, Plan, ServiceFound, ServiceWish, UserFound, plan};
pub use policy_file::{PolicyFileError, parse_policy};
pub use review::{LARGEST_POLICY, Review, Risk, TooLarge, check_size, review};
pub use source::{BadSource, Cidr, NarrowError, Sources, VpcId, narrow};
pub use template::{TEMPLATES, Template, TemplateWord, policy_of_templates};
