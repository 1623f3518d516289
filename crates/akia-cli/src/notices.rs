//! The channels and the outbox, put together from the context: for `akia notify`, and for whoever has something to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use akia_core::ProfileName;
use akia_core::settings::NotifySettings;
use akia_io::aws::Caller;
use akia_io::notify::{Channels, Delivered, Outbox, OutboxError, Outcome, Reach, load_templates};

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
    Outbox::open(&workbench::state_folder(context)?).await.map_err(unusable)
}

/// The outbox for reading. `None` where there is none yet.
///
/// # Errors
/// When there is one that cannot be used.
pub(crate) async fn existing_outbox(context: &Context) -> Result<Option<Outbox>, CommandError> {
    let Some(state) = workbench::existing_state_folder(context)? else { return Ok(None) };
    Outbox::open_existing(&state).await.map_err(unusable)
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
