//! What every run needs: the locks, the journal, who signs, and the way into the account.

use std::sync::Arc;

use akia_core::settings::Settings;
use akia_core::{AccessKeyId, ProfileName};
use akia_io::aws::{Caller, CallerIdentity};
use akia_io::contain::{Container, Rotating, Teller};
use akia_io::enforce::Gate;
use akia_io::rotate::{Draw, Stop, Watch};
use akia_io::state::Lock;
use akia_io::store::snapshots::Snapshots;
use tokio::sync::Mutex;

use crate::args::ConfigArgs;
use crate::commands::enforce::ReachArgs;
use crate::context::Context;
use crate::enforce;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sealing::{self, Wish};
use crate::signing::{self, Mfa, Signed};
use crate::workbench::{self, Workbench};

/// Everything that a run needs.
pub(super) struct Bench {
    pub(super) work: Workbench,
    pub(super) signed: SignedBy,
    pub(super) identity: CallerIdentity,
    pub(super) gate: Gate,
    pub(super) caller: Arc<Caller>,
    pub(super) settings: Settings,
    pub(super) audits: Option<Snapshots>,
    pub(super) draw: Draw,
    _lock: Lock,
}

/// Who signs, in words and by name.
pub(super) struct SignedBy {
    pub(super) words: String,
    pub(super) key: AccessKeyId,
    pub(super) profile: Option<ProfileName>,
}

impl Bench {
    /// Takes the lock that quarantines and cases are changed under, and signs.
    ///
    /// # Errors
    /// When another run is under way, or nobody can be signed as.
    pub(super) async fn open(context: &Context, config: &ConfigArgs) -> Result<Self, CommandError> {
        let settings = config.load(context)?.settings;
        let work = Workbench::open(context).await?;
        let lock = work.driver.store.lock("enforce").await.map_err(|error| {
            CommandError::failed(format_args!("another akia contains or enforces: {error}"))
                .next("let it finish, then run again")
        })?;
        let aws = workbench::aws(context)?;
        let signed = signing::sign_as(context, &work.files, Mfa::IfPossible, aws, context.profile()?).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("who calls cannot be found out", &error))?;
        let roles = settings.enforce.clone().unwrap_or_default().roles;
        let reach = ReachArgs { role_name: None, external_id: None, config: config.clone() };
        let entry = enforce::entry(identity.clone(), &reach, &roles, "akia-contain");
        let by = SignedBy { words: signed.describe(), key: signed.key.clone(), profile: signed.profile.clone() };
        let Signed { caller, .. } = signed;
        let caller = Arc::new(caller);
        let gate = Gate::new(Arc::clone(&caller), entry, roles);
        // Without the earlier audits, AWS is asked.
        let audits = Snapshots::open_existing(&work.home).await.ok().flatten();
        Ok(Self { work, signed: by, identity, gate, caller, settings, audits, draw: workbench::draw()?, _lock: lock })
    }

    /// ` --profile NAME`, where another one than `default` signs: commands that are shown can be pasted as they are.
    pub(super) fn flag(&self) -> String {
        match &self.signed.profile {
            Some(name) if *name != ProfileName::default_name() => {
                format!(" --profile {}", akia_core::cheatsheet::quote(name.as_str()))
            }
            Some(_) | None => String::new(),
        }
    }

    /// What carries containments out.
    ///
    /// # Errors
    /// A variable that makes no sense.
    pub(super) fn container<'a>(
        &'a self,
        context: &Context,
        make_room: Vec<AccessKeyId>,
        stop: Stop,
        teller: &'a dyn Teller,
        watch: &'a dyn Watch,
    ) -> Result<Container<'a>, CommandError> {
        let region = context.aws_options()?.region;
        let rotating = self.signed.profile.clone().map(|signer| Rotating {
            driver: &self.work.driver,
            files: &self.work.files,
            draw: &self.draw,
            signer,
            make_room,
            region,
            watch,
            prepared: Mutex::default(),
        });
        Ok(Container {
            store: Arc::clone(&self.work.driver.store),
            clock: workbench::clock(),
            gate: &self.gate,
            rotating,
            stop,
            policy: None,
            teller,
        })
    }

    /// Writes a checkpoint of the journal where the settings say.
    ///
    /// # Errors
    /// When it is not there afterwards.
    pub(super) async fn seal(&self, context: &Context) -> Result<(), CommandError> {
        let Some(wish) = Wish::of(&self.settings.journal) else { return Ok(()) };
        let store = &*self.work.driver.store;
        let sealed = sealing::seal(context, store, &self.work.home, &self.caller, &self.identity.arn, &wish).await;
        // What was done is done, and said.
        sealed.map(|_| ()).map_err(|error| CommandError { exit: Exit::Partly, ..error.next("akia history seal") })
    }
}
