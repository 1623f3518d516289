//! Rotations out of the journal, for the verbs that take one up: loaded, described, locked.

use akia_core::RotationId;
use akia_core::rotation::Rotation;
use akia_io::rotate::DriveError;
use akia_io::state::Lock;
use jiff::Timestamp;

use crate::context::Context;
use crate::drive;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::workbench::{self, Workbench};

/// A rotation with the lock on its user, read again under the lock.
pub struct Locked {
    /// The rotation as the journal says it stands.
    pub rotation: Rotation,
    /// Held until it rests.
    pub lock: Lock,
}

/// All rotations, oldest first.
///
/// # Errors
/// When the journal cannot be read.
pub async fn all(bench: &Workbench) -> Result<Vec<Rotation>, CommandError> {
    let all = bench.driver.load_all().await.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
    all.into_iter().map(|loaded| loaded.map_err(stopped)).collect()
}

/// All rotations, oldest first, for a verb that only reads the journal. Nothing is made where there is none.
///
/// # Errors
/// When there is one that cannot be read.
pub async fn of_journal(context: &Context) -> Result<Vec<Rotation>, CommandError> {
    let Some(journal) = workbench::journal(context).await? else { return Ok(Vec::new()) };
    let entries = journal.rotations().await.map_err(CommandError::failed)?;
    let mut rotations = Vec::new();
    for summary in entries {
        let records = journal.records(&summary.rotation).await.map_err(CommandError::failed)?;
        rotations.push(Rotation::replay(records.iter().map(|(_, record)| record)).map_err(CommandError::failed)?);
    }
    Ok(rotations)
}

/// One rotation by its id.
///
/// # Errors
/// When there is none of that id.
pub async fn load(bench: &Workbench, id: &RotationId) -> Result<Rotation, CommandError> {
    let summaries = bench.driver.store.rotations().await.map_err(|error| CommandError::failed(&error))?;
    if summaries.iter().all(|summary| summary.rotation != *id) {
        return Err(CommandError::failed(format_args!("the journal has no rotation {id}")).next("akia history"));
    }
    bench.driver.load(id).await.map_err(stopped)
}

/// Locks the user of the rotation against other processes.
///
/// # Errors
/// When another process holds the lock.
pub async fn lock(bench: &Workbench, rotation: Rotation) -> Result<Locked, CommandError> {
    let identity = &rotation.plan().identity;
    let lock = akia_io::rotate::lock_user(&bench.state, identity).map_err(|error| {
        CommandError::failed(format_args!("another akia works on user {}: {error}", identity.user_name()))
            .next("let it finish, then run the same command again")
    })?;
    let rotation = bench.driver.load(&rotation.plan().id).await.map_err(stopped)?;
    Ok(Locked { rotation, lock })
}

/// A rotation in one line.
#[must_use]
pub fn describe(rotation: &Rotation, now: Timestamp) -> String {
    let plan = rotation.plan();
    format!(
        "{}: {} ({}), profiles {}, {}",
        plan.id,
        plan.identity.user_name(),
        plan.identity.account(),
        drive::profiles_of(plan).join(", "),
        drive::rest_words(rotation, &rotation.rest(now)),
    )
}

/// A run that could not even write its journal.
#[must_use]
pub fn stopped(error: DriveError) -> CommandError {
    CommandError::new(Exit::Interrupted, error)
        .now("no key is lost; the journal says where the rotation stands")
        .next("akia history")
}
