//! The way off a key: what would replace it where it is used, ranked by what is known of that, with trust policy and steps.
//!
//! Pure: evidence in, ways out. What the evidence does not tell is no reason for anything.

mod evidence;
mod steps;
mod trust;
mod way;

pub use evidence::{Evidence, Fit, Ranked, rank};
pub use steps::{ExitSubject, steps};
pub use trust::{TrustSubject, trust_policy};
pub use way::{UnknownWay, Way};
