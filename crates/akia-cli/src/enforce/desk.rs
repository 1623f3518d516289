//! What every run of enforcement needs: the lock, the journal, and the way into accounts.

use std::sync::Arc;

use akia_core::settings::JournalSettings;
use akia_io::aws::Caller;
use akia_io::enforce::{Gate, Quarantiner};
use akia_io::seen::SeenUses;
use akia_io::state::Lock;
use akia_io::store::SharedStore;

use super::Agreed;
use crate::commands::enforce::ReachArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sealing::{self, Wish};
use crate::signing::{self, Mfa};
use crate::workbench;

/// Everything that a run needs.
pub(super) struct Desk {
    pub(super) store: SharedStore,
    caller: Arc<Caller>,
    pub(super) gate: Gate,
    /// The facts of `akia usage`, where some were loaded.
    pub(super) seen: Option<Arc<dyn SeenUses>>,
    _lock: Lock,
}

impl Desk {
    /// Takes the lock, and signs.
    ///
    /// # Errors
    /// When another run is under way, or nobody can be signed as.
    pub(super) async fn open(context: &Context, agreed: &Agreed, reach: &ReachArgs) -> Result<Self, CommandError> {
        let roles = agreed.policy.roles.clone();
        let store = workbench::open_journal(context).await?;
        let lock = store.lock("enforce").await.map_err(|error| {
            CommandError::failed(format_args!("another akia enforces: {error}")).next("let it finish, then run again")
        })?;
        let files = context.aws_files()?;
        let aws = workbench::aws(context)?;
        let signed = signing::sign_as(context, &files, Mfa::IfPossible, aws, context.profile()?).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("who calls cannot be found out", &error))?;
        let entry = super::entry(identity, reach, &roles, "akia-enforce");
        let caller = Arc::new(signed.caller);
        let gate = Gate::new(Arc::clone(&caller), entry, roles);
        let seen = workbench::existing_state_folder(context)?.as_ref().and_then(workbench::seen_uses);
        Ok(Self { store, caller, gate, seen, _lock: lock })
    }

    /// Puts users into quarantine.
    pub(super) fn quarantiner(&self) -> Quarantiner<'_> {
        Quarantiner { store: Arc::clone(&self.store), clock: workbench::clock(), gate: &self.gate }
    }

    /// Writes a checkpoint of the journal where the settings say.
    ///
    /// # Errors
    /// When it is not there afterwards.
    pub(super) async fn seal(&self, context: &Context, settings: &JournalSettings) -> Result<(), CommandError> {
        let Some(wish) = Wish::of(settings) else { return Ok(()) };
        let sealed = sealing::seal(
            context,
            &*self.store,
            &workbench::home(context)?,
            &self.caller,
            self.gate.caller_arn(),
            &wish,
        )
        .await;
        // What was done is done, and said.
        sealed.map(|_| ()).map_err(|error| CommandError { exit: Exit::Partly, ..error.next("akia history seal") })
    }
}
