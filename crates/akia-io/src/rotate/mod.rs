//! Rotation against the world: preparing plans, and the one driver that carries them out.
//!
//! What may happen next is decided in [`akia_core::rotation`]; here it is done, written down, and nothing else.

mod driver;
mod history;
mod perform;
mod prepare;
mod probe;
mod refusal;
mod services;
mod signing;
mod stray;
mod users;

pub use driver::{DriveError, Driver, Stop, Watch};
pub use history::{Broken, load_all};
pub use prepare::{
    Draw, Options, Prepared, PreparedRotation, Refused, Selection, Skipped, Subject, lock_of_user, lock_user,
};
pub(crate) use probe::last_line;
pub use refusal::{Left, LeftBy, OtherKey, Refusal};
pub use services::{ServiceRequest, resolved};
pub use signing::{SignerError, Signers};
pub use stray::Stray;
