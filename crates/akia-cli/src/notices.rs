//! The channels and the outbox, put together from the context: for `akia notify`, and for whoever has something to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use akia_core::ProfileName;
use akia_core::enforce::Proof;
use akia_core::notice::{Addressed, Destination, Notice};
use akia_core::settings::NotifySettings;
use akia_io::aws::Caller;
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::enforce::Delivered as Told;
use akia_io::notify::{Channels, Delivered, Outbox, OutboxError, Outcome, Reach, Receipt, load_templates};

use crate::context::{Context, Environment, ProfileChoice};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::signing::{self, Mfa};
use crate::workbench;

/// The channels of the settings. One that lacks something says so when it is asked for.
///
/// # Errors
/// When a template cannot be used.
pub(crate) async fn channels(context: &Context, settings: &NotifySettings) -> Result<Channels, CommandError> {
    let renderer = load_templates(settings.templates.as_deref()).map_err(|error| {
        CommandError::usage(error).next("mend the template; akia notify templates --write FOLDER writes akia's own")
    })?;
    let reach = Reach {
        aws: workbench::aws(context)?,
        callers: callers(context, Channels::profiles(settings)).await?,
        variable: Box::new(Environment::secret),
    };
    Ok(Channels::open(settings, renderer, &reach))
}

/// The outbox, made where there is none.
///
/// # Errors
/// When it cannot be used.
pub(crate) async fn outbox(context: &Context) -> Result<Outbox, CommandError> {
    Outbox::open(workbench::home(context)?).await.map_err(unusable)
}

/// The outbox for reading. `None` where there is none yet.
///
/// # Errors
/// When there is one that cannot be used.
pub(crate) async fn existing_outbox(context: &Context) -> Result<Option<Outbox>, CommandError> {
    let Some(home) = workbench::existing_home(context)? else { return Ok(None) };
    Outbox::open_existing(home).await.map_err(unusable)
}

/// The outbox cannot be used: what failed, and what to do.
pub(crate) fn unusable(error: OutboxError) -> CommandError {
    match &error {
        OutboxError::Store(store) => {
            let hint = store.hint();
            CommandError::failed(&error).next(hint)
        }
        OutboxError::NoSuch { .. } | OutboxError::WrongState { .. } => {
            CommandError::failed(&error).next("akia notify outbox (the messages that there are)")
        }
        OutboxError::Newer { .. } => CommandError::failed(&error).next("use the newer akia"),
        OutboxError::Unreadable { .. } | OutboxError::Unwritable { .. } | OutboxError::Randomness(_) => {
            CommandError::failed(&error)
        }
    }
}

/// Draws what spreads the tries of many machines.
///
/// # Errors
/// When the system has no randomness to give.
pub(crate) fn seed() -> Result<u64, CommandError> {
    akia_io::notify::seed().map_err(|error| CommandError::failed(format_args!("no randomness: {error}")))
}

/// What came of tries, in words and as an exit code: done where all were taken, failed where none was.
pub(crate) fn exit(delivered: &[Delivered]) -> Exit {
    let sent = delivered.iter().filter(|one| matches!(one.outcome, Outcome::Sent(_))).count();
    match sent {
        _ if sent == delivered.len() => Exit::Done,
        0 => Exit::Failed,
        _ => Exit::Partly,
    }
}

/// Who signs for each profile that channels name; `None` is the signer of the command.
async fn callers(
    context: &Context,
    profiles: BTreeSet<Option<ProfileName>>,
) -> Result<BTreeMap<Option<ProfileName>, Result<Arc<Caller>, String>>, CommandError> {
    let mut callers = BTreeMap::new();
    if profiles.is_empty() {
        return Ok(callers);
    }
    let files = context.aws_files()?;
    for profile in profiles {
        let choice = match &profile {
            Some(name) => ProfileChoice::Flag(name.clone()),
            None => context.profile()?,
        };
        // Boxed: the future of signing is large.
        let signed = Box::pin(signing::sign_as(context, &files, Mfa::IfGiven, workbench::aws(context)?, choice)).await;
        callers.insert(profile, signed.map(|signed| Arc::new(signed.caller)).map_err(|error| error.what));
    }
    Ok(callers)
}

/// Between the tries of one run.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::ZERO];

/// Sends notices through the outbox.
pub(crate) struct Post {
    channels: Channels,
    outbox: Outbox,
    settings: NotifySettings,
    seed: u64,
}

impl Post {
    /// Makes the channels of the settings ready.
    ///
    /// # Errors
    /// When a template or the outbox cannot be used.
    pub(crate) async fn open(context: &Context, settings: &NotifySettings) -> Result<Self, CommandError> {
        Ok(Self {
            channels: channels(context, settings).await?,
            outbox: outbox(context).await?,
            settings: settings.clone(),
            seed: seed()?,
        })
    }

    /// The settings that it was opened with.
    pub(crate) fn settings(&self) -> &NotifySettings {
        &self.settings
    }

    /// Delivers a notice on every channel that it is meant for.
    pub(crate) async fn deliver(&self, addressed: &Addressed) -> Result<Told, String> {
        if addressed.to.is_empty() {
            return Err("[notify] has no channel for it".to_owned());
        }
        let mut proofs = Vec::with_capacity(addressed.to.len());
        for to in &addressed.to {
            let receipt = self.send(&addressed.notice, to).await.map_err(|why| format!("{}: {why}", to.channel))?;
            let id = receipt.message_id.map_or_else(String::new, |id| format!(" {id}"));
            let receipt_words = format!("{}{id}", receipt.detail);
            proofs.push(Proof { channel: to.channel.clone(), receipt: receipt_words, at: receipt.at });
        }
        Ok(Told { notice: addressed.notice.id.to_string(), proofs })
    }

    /// Through one channel: some tries, and no more in this run. What did not go out is dropped, for the next run puts it
    /// together anew, with what is true then.
    async fn send(&self, notice: &Notice, to: &Destination) -> Result<Receipt, String> {
        let words = |error: OutboxError| error.to_string();
        let clock = SystemClock;
        let id = self.outbox.enqueue(notice, to, clock.now()).await.map_err(words)?;
        let mut why = String::new();
        for pause in PAUSES {
            let Some(delivered) =
                self.outbox.deliver_one(id, &self.channels, &clock, self.seed).await.map_err(words)?
            else {
                break;
            };
            match delivered.outcome {
                Outcome::Sent(receipt) => return Ok(receipt),
                Outcome::Later { reason, .. } => {
                    why = reason;
                    clock.sleep(pause).await;
                }
                Outcome::Dead { reason } => return Err(reason),
                Outcome::TakenOver => return Err("another process sends it".to_owned()),
            }
        }
        // Sent by an earlier run that could not write it down.
        if let Some(receipt) = self.outbox.receipt(&notice.id, &to.channel).await.map_err(words)? {
            return Ok(receipt);
        }
        let dropped = self.outbox.drop(id, "the next run puts it together anew", clock.now()).await;
        dropped.map_err(words)?;
        Err(why)
    }
}
