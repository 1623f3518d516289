//! Enforcement that is broken on purpose, to see it found.

use clap::ValueEnum;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Sabotage {
    /// A run acts on what the audit has shown.
    OldLook,
    /// A notice that has bounced counts as delivered.
    BouncedIsDelivered,
    /// Neither the user's id nor the key's date is compared.
    ByName,
    /// A change whose answer was lost counts as done.
    UnansweredIsDone,
}
