//! What is done at once about exposed keys: the channels of `[notify]` are told, and where the policy wants it, the user is put
//! into quarantine, or the key contained.
//!
//! The notice is in the outbox before the event counts as answered, and goes through each channel once, whatever comes twice:
//! its id follows from the finding and the key.

use std::collections::BTreeSet;

use akia_core::enforce::OnExposure;
use akia_core::estate::{Account, Console, Details, Estate, Key, Known, User};
use akia_core::finding::Owner;
use akia_core::ids::AccountId;
use akia_core::key::KeyStatus;
use akia_core::notice::{Next, NoticeItem, NoticeKind, digests};
use akia_core::settings::Settings;
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::enforce::Gate;
use akia_io::events::{ExposedKey, Responder, exposure_case};
use akia_io::notify::{Channels, Outbox, Outcome};
use akia_io::rotate::Stop;
use akia_io::store::snapshots::Snapshots;
use futures_util::future::BoxFuture;

use super::containing::{Containing, Exposed};
use crate::commands::enforce::ReachArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::notices;

/// Messages that one event sends at most.
const MOST_AT_ONCE: usize = 100;

/// Tells the owners, and has users contained.
pub(super) struct Answering<'a> {
    settings: Settings,
    policy: OnExposure,
    store: Snapshots,
    source: String,
    post: Option<(Channels, Outbox, u64)>,
    containing: Option<Containing<'a>>,
}

impl<'a> Answering<'a> {
    /// Makes the channels ready, where the policy wants them.
    pub(super) async fn open(
        context: &'a Context,
        settings: Settings,
        audits: (Snapshots, String),
        reach: &ReachArgs,
        gate: &'a Gate,
        stop: Stop,
    ) -> Result<Self, CommandError> {
        let policy = settings.enforce.as_ref().map(|policy| policy.on_exposure).unwrap_or_default();
        let post = match policy {
            OnExposure::Record => None,
            OnExposure::Notify | OnExposure::Quarantine | OnExposure::Contain { .. }
                if settings.notify.channels.is_empty() =>
            {
                context.say("note: [notify] has no channel: exposed keys are written down, and nobody is told");
                None
            }
            OnExposure::Notify | OnExposure::Quarantine | OnExposure::Contain { .. } => {
                let channels = notices::channels(context, &settings.notify).await?;
                Some((channels, notices::outbox(context).await?, notices::seed()?))
            }
        };
        let containing = match policy {
            OnExposure::Quarantine | OnExposure::Contain { .. } => {
                Some(Containing::open(context, reach, audits.clone(), gate, stop).await?)
            }
            OnExposure::Record | OnExposure::Notify => None,
        };
        let (store, source) = audits;
        Ok(Self { settings, policy, store, source, post, containing })
    }

    /// The account as the latest kept audit has it: its name, its units and its tags decide whom a notice goes to.
    async fn account(&self, id: &AccountId) -> Account {
        let earlier = self.store.earlier(&self.source, id).await.ok().flatten();
        earlier.map_or_else(|| Account::bare(id.clone()), |earlier| earlier.estate.account)
    }

    async fn tell(&self, keys: &[ExposedKey]) -> Result<String, String> {
        let Some((channels, outbox, seed)) = &self.post else {
            return Ok(match self.policy {
                OnExposure::Record => "written down (on-exposure = \"record\")".to_owned(),
                OnExposure::Notify | OnExposure::Quarantine | OnExposure::Contain { .. } => {
                    "written down; [notify] has no channel".to_owned()
                }
            });
        };
        let clock = SystemClock;
        let mut items = Vec::new();
        for key in keys {
            let account = self.account(&key.exposure.account).await;
            items.push(self.item(key, account));
        }
        let addressed = digests(NoticeKind::Exposed, clock.now(), items, &self.settings.notify);
        let (mut queued, mut sent) = (0, 0);
        for one in &addressed {
            for to in &one.to {
                outbox.enqueue(&one.notice, to, clock.now()).await.map_err(|error| error.to_string())?;
                queued += 1;
            }
        }
        if queued == 0 {
            return Ok("no route of [notify] fits: nobody is told".to_owned());
        }
        // In the outbox it is safe: what is not delivered now, akia notify deliver tries again.
        match outbox.deliver_due(channels, &clock, *seed, MOST_AT_ONCE).await {
            Ok(delivered) => {
                sent += delivered.iter().filter(|one| matches!(one.outcome, Outcome::Sent(_))).count();
            }
            Err(error) => tracing::warn!(%error, "the outbox could not be sent"),
        }
        Ok(format!("notices: {queued} queued, {sent} messages sent now"))
    }

    fn item(&self, key: &ExposedKey, account: Account) -> (Option<Owner>, NoticeItem) {
        let found = &key.user.user;
        let (id, name) = (&key.exposure.key, found.arn.name.as_str());
        let user = user_of(key);
        let mut tags = account.tags.clone();
        tags.extend(key.user.tags.clone());
        let estate = Estate {
            as_of: key.exposure.event.at,
            account,
            root: Known::Unknown { reason: "it was not asked".to_owned() },
            users: Vec::new(),
            gaps: BTreeSet::new(),
        };
        let limits = self.settings.audit.limits_of(&estate, Some(&user));
        let owner = akia_core::rule::owner_of(&estate, &limits, Some(&user), Some(id));
        let command: &[&str] = match key.key.status {
            KeyStatus::Active => &["akia", "contain", id.as_str(), "--profile", "ADMIN"],
            KeyStatus::Inactive => &["akia", "key", "delete", id.as_str(), "--user", name],
        };
        let item = NoticeItem {
            case: exposure_case(&key.finding, id),
            account: estate.account.id.clone(),
            account_name: estate.account.name.clone(),
            units: estate.account.units.clone(),
            tags,
            user: found.arn.clone(),
            key: id.clone(),
            status: key.key.status,
            created_at: key.key.created_at,
            last_used: key.last_used.clone(),
            rules: vec!["key-exposed".to_owned()],
            deadline: None,
            next: Next::Nothing,
            used_by: Vec::new(),
            command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
        };
        (owner, item)
    }
}

/// The user with the key, as the rules see it.
fn user_of(key: &ExposedKey) -> User {
    let found = &key.user.user;
    User {
        arn: found.arn.clone(),
        created_at: Some(found.created_at),
        console: Console::Without,
        mfa_active: false,
        keys: vec![Key {
            id: Some(key.exposure.key.clone()),
            status: key.key.status,
            created_at: Known::Told(key.key.created_at),
            reactivated_at: None,
            last_used: key.last_used.clone(),
        }],
        details: Known::Told(Details { id: Some(found.id.clone()), tags: key.user.tags.clone(), ..Details::default() }),
        service_credentials: Known::Told(Vec::new()),
    }
}

impl Responder for Answering<'_> {
    fn exposed<'a>(&'a self, keys: &'a [ExposedKey]) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            // Hands are tied first: the notice can wait for seconds, and a thief does not.
            let (mut said, mut keys) = (Vec::new(), keys.to_vec());
            if let Some(containing) = &self.containing {
                for key in &mut keys {
                    let (account, user) = (self.account(&key.exposure.account).await, user_of(key));
                    let done = containing.contain(Exposed { key, account: &account, user: &user }).await;
                    if done.as_ref().is_ok_and(|done| done.is_shut) {
                        // The notice tells how it is now.
                        key.key.status = KeyStatus::Inactive;
                    }
                    said.push(done.map(|done| done.words));
                }
            }
            let told = self.tell(&keys).await;
            let said: Result<Vec<String>, String> = said.into_iter().chain([told]).collect();
            said.map(|said| said.join("; "))
        })
    }
}
