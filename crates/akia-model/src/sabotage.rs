//! Protocols that are weakened on purpose. Each must be caught, or the check proves nothing.
//!
//! A sabotage sits between the core and its world, or in the pace of the plan; the core itself stays as it ships.

use akia_core::rotation::Pace;
use jiff::SignedDuration;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Sabotage {
    /// The SDK retries a create request whose answer was lost.
    RetryOnCreate,
    /// A key is proven at once.
    NoSettle,
    /// One success counts as proof.
    OneShotProof,
    /// No quarantine after a lost answer.
    NoQuarantine,
    /// To make room, the oldest key goes.
    DeleteOldest,
    /// The displaced key is deactivated as soon as the new one is proven.
    DeactivateBeforeDeliver,
    /// Every key that is new since the plan is taken for the orphan.
    SetDifferenceOrphan,
    /// Retiring deactivates every key of the before-set.
    BeforeSetForDisplaced,
    /// The staged secret is not read back.
    NoSecretReadBack,
    /// Places are not looked at again before the displaced key is deactivated.
    NoPlaceReadBack,
    /// A lost answer counts as a refusal, so the create is sent again.
    BlindSecondCreate,
    /// After promotion the staged displaced key still signs.
    SignWithOld,
    /// A crash loses an intent.
    NonDurableIntent,
    /// The secret is staged after the delivery.
    StageAfterDeliver,
    /// Nobody looks for rivals.
    NoRivalsCheck,
    /// The displaced key is deleted without being read again.
    DeleteUnread,
    /// Secrets are wiped when the displaced key is inactive.
    WipeEarly,
    /// An undo takes the displaced key for working.
    UndoUnproven,
    /// An undo deactivates the new key first.
    DeactivateNewFirst,
    /// The user's unique id is not compared.
    NoIdentityCheck,
    /// An admin shuts one key without looking whether the other is active.
    NoSuccessorCheck,
    /// A place that failed counts as delivered to.
    FailedIsDelivered,
}

impl Sabotage {
    pub(crate) const ALL: [Self; 22] = [
        Self::RetryOnCreate,
        Self::NoSettle,
        Self::OneShotProof,
        Self::NoQuarantine,
        Self::DeleteOldest,
        Self::DeactivateBeforeDeliver,
        Self::SetDifferenceOrphan,
        Self::BeforeSetForDisplaced,
        Self::NoSecretReadBack,
        Self::NoPlaceReadBack,
        Self::BlindSecondCreate,
        Self::SignWithOld,
        Self::NonDurableIntent,
        Self::StageAfterDeliver,
        Self::NoRivalsCheck,
        Self::DeleteUnread,
        Self::WipeEarly,
        Self::UndoUnproven,
        Self::DeactivateNewFirst,
        Self::NoIdentityCheck,
        Self::NoSuccessorCheck,
        Self::FailedIsDelivered,
    ];

    /// Some faults of a protocol are nothing but a wait that is too short.
    pub(crate) fn pace(self, pace: Pace) -> Pace {
        match self {
            Self::NoSettle => Pace { settle: SignedDuration::ZERO, ..pace },
            Self::OneShotProof => Pace { proofs: 1, ..pace },
            Self::NoQuarantine => Pace { quarantine: SignedDuration::ZERO, ..pace },
            Self::RetryOnCreate
            | Self::DeleteOldest
            | Self::DeactivateBeforeDeliver
            | Self::SetDifferenceOrphan
            | Self::BeforeSetForDisplaced
            | Self::NoSecretReadBack
            | Self::NoPlaceReadBack
            | Self::BlindSecondCreate
            | Self::SignWithOld
            | Self::NonDurableIntent
            | Self::StageAfterDeliver
            | Self::NoRivalsCheck
            | Self::DeleteUnread
            | Self::WipeEarly
            | Self::UndoUnproven
            | Self::DeactivateNewFirst
            | Self::NoIdentityCheck
            | Self::NoSuccessorCheck
            | Self::FailedIsDelivered => pace,
        }
    }
}
