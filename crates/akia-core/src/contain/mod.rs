//! Containment: from the id of a leaked key to a closed case.
//!
//! [`Containment`] is the state machine of one key that is shut; the rest says what the key could do and what it did. The pure
//! part of `akia contain`.

mod escalation;
mod machine;
mod reach;
mod remnant;
mod trail;

pub use escalation::{METHODS, Method};
pub use machine::{
    Act, Containment, ContainmentEvent, ContainmentOpening, ContainmentRecord, ContainmentStage, Ended, Illegal,
    KeyLook, LATE, Next, SESSIONS_LIVE, Strategy,
};
pub use reach::{Allowed, Escalation, Grant, Policies, Reach, Role, RoleReach};
pub use remnant::Remnant;
pub use trail::{Calls, Footprint, RegionRead, Signer, TrailEvent};
