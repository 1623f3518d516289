//! The vocabulary of the journal: what is written down before and after every effect of a rotation.
//!
//! A rotation is its records, replayed through [`crate::rotation::Rotation::apply`]. Records are appended and
//! never changed; the store chains them by hash. No record holds a secret.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccessKeyId;
use crate::key::LastUsed;
use crate::rotation::Plan;

/// One line of the journal: an event and when it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The clock of the machine that wrote it.
    pub at: Timestamp,
    /// What was intended, or what came of it.
    pub event: Event,
}

/// An effect that was about to be performed. It is durable before the effect begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// `DeleteAccessKey` on the key that a person named to make room.
    MakeRoom,
    /// `CreateAccessKey` for the user.
    Create,
    /// The new key into the place with this index in the plan.
    Deliver(usize),
    /// `UpdateAccessKey` to inactive on the displaced key.
    DeactivateDisplaced,
    /// `DeleteAccessKey` on the displaced key.
    DeleteDisplaced,
    /// `UpdateAccessKey` to active on the displaced key, for undo.
    ActivateDisplaced,
    /// The displaced key back into the place with this index.
    Restore(usize),
    /// `UpdateAccessKey` to inactive on the new key, for undo.
    DeactivateNew,
    /// `DeleteAccessKey` on the new key: discarded, or undone and out of its grace.
    DeleteNew,
    /// `DeleteAccessKey` on a key that a lost answer left behind.
    DeleteOrphan,
}

/// What the journal can say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The rotation was planned: everything it needs to be finished by another process.
    Planned {
        /// The plan.
        plan: Box<Plan>,
    },
    /// An effect is about to be performed.
    Intended {
        /// Which.
        intent: Intent,
    },
    /// The key that a person named is deleted: there is room for a new one.
    RoomMade,
    /// AWS answered with a new key. Its sealed secret was staged in the same transaction as this record.
    KeyCreated {
        /// The new key.
        key: AccessKeyId,
    },
    /// AWS certainly did not create a key.
    CreateRefused {
        /// Why, in words without secrets.
        error: String,
        /// Whether the same request may pass later (throttling).
        transient: bool,
    },
    /// The answer to the create request was lost: a key may or may not exist, now or soon.
    CreateUnanswered {
        /// What was seen of the failure.
        error: String,
    },
    /// The quarantine is over and no key has appeared: the lost request did nothing.
    OrphanAbsent,
    /// Keys have appeared that the lost request may have made.
    OrphanSuspected {
        /// Keys that are new since the plan, created in the window, and never used.
        keys: BTreeSet<AccessKeyId>,
    },
    /// A key is ours: CloudTrail shows this rotation's nonce, or a person said so.
    OrphanAttributed {
        /// The key.
        key: AccessKeyId,
        /// The evidence.
        evidence: Attribution,
    },
    /// A person said that none of the suspected keys is ours.
    OrphanDisowned,
    /// The orphan is gone.
    OrphanDeleted,
    /// The staged secret was read back and is whole.
    SecretReadBack,
    /// The staged secret cannot be read back.
    SecretLost {
        /// What was seen of the failure.
        error: String,
    },
    /// The key under proof authenticated once.
    ProofPassed,
    /// The key under proof was refused once.
    ProofFailed {
        /// What was seen of the failure.
        error: String,
    },
    /// The user holds no key but the displaced one and ours.
    RivalsAbsent,
    /// Another machine has created a key for the same user meanwhile.
    RivalFound {
        /// The keys that are neither ours nor known from before.
        keys: BTreeSet<AccessKeyId>,
    },
    /// The new key did what its owner said must work.
    ProbePassed,
    /// The new key failed at it.
    ProbeFailed {
        /// What was seen of the failure.
        error: String,
    },
    /// The new key was written to a place and read back.
    Delivered {
        /// Index of the place in the plan.
        place: usize,
        /// What a place that gives no secrets back says of its last write (a version, a time): as long as it says the same, it holds
        /// what was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<String>,
    },
    /// The new key could not be written to a place.
    DeliveryFailed {
        /// Index of the place in the plan.
        place: usize,
        /// What was seen of the failure.
        error: String,
    },
    /// Right before the displaced key (in an undo: the new one) was to be deactivated, a place did not hold its successor
    /// any more: a program that had read the file before the delivery wrote it after.
    PlaceOverwritten {
        /// Index of the place in the plan.
        place: usize,
    },
    /// A person said to leave a place as it is: somebody has put a key there that is not of this rotation, or removed it.
    PlaceLeft {
        /// Index of the place in the plan.
        place: usize,
    },
    /// From here on nothing is signed with the displaced key.
    Promoted,
    /// What AWS said of the displaced key's last use.
    Observed {
        /// Its words.
        last_used: LastUsed,
    },
    /// A person said to retire the displaced key although its use is seen or unknown.
    EvidenceWaived,
    /// The displaced key is inactive.
    DisplacedDeactivated,
    /// The displaced key was found active when it was about to be deleted: somebody activated it.
    DisplacedFoundActive,
    /// The displaced key does not exist any more: we deleted it.
    DisplacedDeleted,
    /// The displaced key does not exist any more, and it was not this rotation that deleted it.
    DisplacedGone,
    /// A person asked to delete the displaced key without waiting out its grace.
    GraceWaived,
    /// A person asked to take the rotation back.
    UndoRequested,
    /// The displaced key is active again.
    DisplacedActivated,
    /// The displaced key was written back to a place and read back.
    Restored {
        /// Index of the place in the plan.
        place: usize,
        /// As in [`Event::Delivered`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<String>,
    },
    /// The displaced key could not be written back to a place.
    RestoreFailed {
        /// Index of the place in the plan.
        place: usize,
        /// What was seen of the failure.
        error: String,
    },
    /// The new key is inactive.
    NewDeactivated,
    /// The new key does not exist any more.
    NewDeleted,
    /// Any other effect failed in a way that leaves the state as it was.
    Failed {
        /// What was seen of the failure.
        error: String,
    },
    /// A new run has taken the rotation up: counters of failures start anew.
    Resumed,
    /// The staged secrets of a finished rotation were wiped.
    SecretsWiped,
}

/// Why a key that nobody has the secret of is taken for ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Attribution {
    /// CloudTrail's `CreateAccessKey` event carries this rotation's nonce in its user agent.
    CloudTrail,
    /// A person named the key and consented.
    Person,
}
