//! Containment: from the id of a leaked key to a closed case.
//!
//! [`Containment`] is the state machine of one key that is shut; the rest says what the key could do and what it did. The pure
//! part of `akia contain`.

mod machine;

pub use machine::{
    Act, Containment, ContainmentEvent, ContainmentOpening, ContainmentRecord, ContainmentStage, Ended, Illegal,
    KeyLook, Next, SESSIONS_LIVE, Strategy,
};
