//! The kill switch of this machine.

use akia_io::enforce::{StopFile, Stopped};
use akia_io::state::StateFolder;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::workbench;

/// Throws it.
pub(crate) fn stop(context: &Context, reason: &str) -> Result<Exit, CommandError> {
    let file = StopFile::of(&workbench::state_folder(context)?);
    let stopped = Stopped { at: context.started_at, by: person(context), reason: reason.to_owned() };
    file.throw(&stopped).map_err(|error| {
        CommandError::failed(format_args!("the switch cannot be thrown: {error}"))
            .now("enforcement is still on")
            .next("write enabled = false under [enforce] in akia.toml")
    })?;
    context.say("enforcement is off on this machine; a run that is under way stops before its next act");
    context.say("next: akia enforce start (to switch it on again)");
    Ok(Exit::Done)
}

/// Refuses what a thrown switch forbids.
///
/// # Errors
/// When it is thrown.
pub(super) fn refuse_when_off(folder: &StateFolder) -> Result<(), CommandError> {
    let Some(stopped) = StopFile::of(folder).thrown() else { return Ok(()) };
    Err(CommandError::decision(format_args!("enforcement is off on this machine: {}", stopped.reason))
        .now(format!("nothing was changed; it was switched off at {} by {}", stopped.at, stopped.by))
        .next("akia enforce start"))
}

/// Takes it back.
pub(crate) fn start(context: &Context) -> Result<Exit, CommandError> {
    let Some(folder) = workbench::existing_state_folder(context)? else {
        context.say("enforcement was not switched off");
        return Ok(Exit::Done);
    };
    let file = StopFile::of(&folder);
    let was = file.thrown();
    file.take_back().map_err(|error| {
        CommandError::failed(format_args!("the switch cannot be taken back: {error}")).now("enforcement is still off")
    })?;
    context.say(&match was {
        Some(stopped) => format!("enforcement is on again; it was off since {}: {}", stopped.at, stopped.reason),
        None => "enforcement was not switched off".to_owned(),
    });
    Ok(Exit::Done)
}

/// Who sits here, as far as the environment tells.
pub(crate) fn person(context: &Context) -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| context.environment.raw(name));
    named.map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}
