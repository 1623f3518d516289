//! What the policy wants done at once about an exposed key, besides telling of it: `on-exposure = "quarantine"` and `"contain"`.
//!
//! An event is a hint that others may have written, and IAM does not say that a key is exposed. So this is off unless the policy wants it, never
//! touches who is protected, holds to the caps and the kill switch, and can be taken back. The policy is read anew for each key.

use akia_core::enforce::OnExposure;
use akia_core::estate::{Account, User};
use akia_io::enforce::{Gate, PolicySource as _};
use akia_io::events::ExposedKey;
use akia_io::rotate::{Draw, Stop};
use akia_io::store::SharedStore;
use akia_io::store::snapshots::Snapshots;

use crate::commands::enforce::ReachArgs;
use crate::context::Context;
use crate::enforce::applying::Source;
use crate::error::CommandError;
use crate::workbench;

/// What the reason of everything that an event began begins with.
pub(super) const REASON: &str = "an event of AWS calls the key exposed: ";

/// What containing a user or a key takes.
pub(super) struct Containing<'a> {
    pub(super) context: &'a Context,
    pub(super) store: SharedStore,
    pub(super) gate: &'a Gate,
    /// The policy and the kill switch.
    pub(super) policy: Source,
    /// Kept audits, and whose they are.
    pub(super) audits: (Snapshots, String),
    pub(super) draw: Draw,
    pub(super) stop: Stop,
}

/// An exposed key, with its account and user as the rules see them.
#[derive(Clone, Copy)]
pub(super) struct Exposed<'a> {
    pub(super) key: &'a ExposedKey,
    pub(super) account: &'a Account,
    pub(super) user: &'a User,
}

/// What was done.
pub(super) struct Contained {
    /// Words for it, or why nothing.
    pub(super) words: String,
    /// Whether the key is shut now.
    pub(super) is_shut: bool,
}

impl Contained {
    /// Nothing was done to the key.
    pub(super) fn open(words: String) -> Self {
        Self { words, is_shut: false }
    }
}

impl<'a> Containing<'a> {
    /// Opens the journal.
    ///
    /// # Errors
    /// When it cannot be.
    pub(super) async fn open(
        context: &'a Context,
        reach: &ReachArgs,
        audits: (Snapshots, String),
        gate: &'a Gate,
        stop: Stop,
    ) -> Result<Self, CommandError> {
        let folder = workbench::state_folder(context)?;
        let store = workbench::open_journal(context).await?;
        let (policy, draw) = (Source::of(context, reach, &folder), workbench::draw()?);
        Ok(Self { context, store, gate, policy, audits, draw, stop })
    }

    /// Does what the policy says now.
    ///
    /// # Errors
    /// When it is not whole: the event comes again, and it is gone on with.
    pub(super) async fn contain(&self, exposed: Exposed<'_>) -> Result<Contained, String> {
        let now = self.policy.read()?;
        let name = &exposed.user.arn.name;
        let not = match now.policy.on_exposure {
            OnExposure::Record | OnExposure::Notify => return Ok(Contained::open("told only".to_owned())),
            OnExposure::Quarantine => format!("{name} is not put into quarantine"),
            OnExposure::Contain { .. } => format!("{} of {name} is not contained", exposed.key.exposure.key),
        };
        if let Some(reason) = now.stopped {
            return Ok(Contained::open(format!("{not}: enforcement is off ({reason})")));
        }
        if !now.policy.is_enabled {
            return Ok(Contained::open(format!("{not}: enabled is false")));
        }
        if now.policy.is_protected(exposed.account, exposed.user) {
            return Ok(Contained::open(format!("{not}: {name} is protected by the policy")));
        }
        // A person may be at it.
        let _lock = self.store.lock("enforce").await.map_err(|error| error.to_string())?;
        match now.policy.on_exposure {
            OnExposure::Contain { strategy } => self.shut(exposed, strategy, &now.policy, &not).await,
            OnExposure::Record | OnExposure::Notify | OnExposure::Quarantine => {
                self.tie(exposed, &now.policy, &not).await.map(Contained::open)
            }
        }
    }
}

/// Why, as it stands in the journal: it tells what an event began, and for which finding of AWS.
pub(super) fn reason(key: &ExposedKey) -> String {
    format!("{REASON}{}", key.finding)
}
