//! What a rotation may do next, and the tokens without which it may not.

use jiff::Timestamp;

use crate::ids::AccessKeyId;
use crate::journal::Intent;

/// Evidence that a key authenticated several times in a row, some seconds apart.
///
/// Only [`super::Rotation::apply`] mints it, from a proof in the journal. What destroys something asks for it by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proven {
    key: AccessKeyId,
}

impl Proven {
    pub(super) fn mint(key: AccessKeyId) -> Self {
        Self { key }
    }

    /// The key that was proven.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        &self.key
    }
}

/// Evidence that a proven key was written to every place of the plan and read back from each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InEveryPlace {
    key: AccessKeyId,
}

impl InEveryPlace {
    pub(super) fn mint(proven: &Proven) -> Self {
        Self { key: proven.key.clone() }
    }

    /// The key that every place holds.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        &self.key
    }
}

/// Evidence that a key was made by this rotation: AWS answered so, CloudTrail shows it, or a person said it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ours {
    key: AccessKeyId,
}

impl Ours {
    pub(super) fn mint(key: AccessKeyId) -> Self {
        Self { key }
    }

    /// The key that is ours.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        &self.key
    }
}

/// Evidence that the displaced key was seen inactive at the start of its grace, and that the grace is over or waived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GraceOver {
    key: AccessKeyId,
}

impl GraceOver {
    pub(super) fn mint(key: AccessKeyId) -> Self {
        Self { key }
    }

    /// The key that may be deleted.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        &self.key
    }
}

/// One thing for the driver to do. Those with an [`Effect::intent`] change the world: the intent goes first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing until then.
    Wait {
        /// When to ask again.
        until: Timestamp,
    },
    /// Delete the other key of the user that a person named, if it is still what it was.
    MakeRoom {
        /// The key from the plan.
        key: AccessKeyId,
    },
    /// Create a key, once, without retries; stage its secret with the record of the answer.
    Create,
    /// Find out what became of a create request whose answer was lost.
    InvestigateCreate,
    /// Delete a key that a lost answer left behind.
    DeleteOrphan {
        /// Why it may be deleted.
        ours: Ours,
    },
    /// Read the staged secret of the new key back.
    ReadBackSecret {
        /// The new key.
        key: AccessKeyId,
    },
    /// Authenticate once with a key.
    Prove {
        /// The new key, or the displaced one in an undo.
        key: AccessKeyId,
    },
    /// List the user's keys and look for one that another machine made.
    CheckRivals {
        /// The new key.
        key: AccessKeyId,
    },
    /// Try out with the new key what its owner said must work.
    Probe {
        /// The new key.
        key: AccessKeyId,
    },
    /// Write the new key to a place and read it back.
    Deliver {
        /// Index of the place.
        place: usize,
        /// Why it may be delivered.
        proven: Proven,
    },
    /// Sign nothing with the displaced key any more.
    Promote {
        /// What makes it safe.
        delivered: InEveryPlace,
    },
    /// Ask AWS when the displaced key was last used.
    Observe,
    /// Deactivate the displaced key.
    DeactivateDisplaced {
        /// The new key works,
        proven: Proven,
        /// and is everywhere.
        delivered: InEveryPlace,
    },
    /// Delete the displaced key, if it is still inactive.
    DeleteDisplaced {
        /// Why it may be deleted.
        permit: GraceOver,
    },
    /// Activate the displaced key again, for undo.
    ActivateDisplaced,
    /// Write the displaced key back to a place and read it back.
    Restore {
        /// Index of the place.
        place: usize,
        /// The displaced key works.
        proven: Proven,
    },
    /// Deactivate the new key after an undo.
    DeactivateNew {
        /// The displaced key works,
        proven: Proven,
        /// and is back everywhere.
        restored: InEveryPlace,
    },
    /// Delete the new key: it was given up before delivery, or undone and out of its grace.
    DeleteNew {
        /// Why it may be deleted.
        ours: Ours,
    },
    /// Wipe the staged secrets.
    WipeSecrets,
}

impl Effect {
    /// What has to be durable before the effect begins. `None` for effects that change nothing outside.
    #[must_use]
    pub fn intent(&self) -> Option<Intent> {
        match self {
            Self::MakeRoom { .. } => Some(Intent::MakeRoom),
            Self::Create => Some(Intent::Create),
            Self::DeleteOrphan { .. } => Some(Intent::DeleteOrphan),
            Self::Deliver { place, .. } => Some(Intent::Deliver(*place)),
            Self::DeactivateDisplaced { .. } => Some(Intent::DeactivateDisplaced),
            Self::DeleteDisplaced { .. } => Some(Intent::DeleteDisplaced),
            Self::ActivateDisplaced => Some(Intent::ActivateDisplaced),
            Self::Restore { place, .. } => Some(Intent::Restore(*place)),
            Self::DeactivateNew { .. } => Some(Intent::DeactivateNew),
            Self::DeleteNew { .. } => Some(Intent::DeleteNew),
            Self::Wait { .. }
            | Self::InvestigateCreate
            | Self::ReadBackSecret { .. }
            | Self::Prove { .. }
            | Self::CheckRivals { .. }
            | Self::Probe { .. }
            | Self::Promote { .. }
            | Self::Observe
            | Self::WipeSecrets => None,
        }
    }
}
