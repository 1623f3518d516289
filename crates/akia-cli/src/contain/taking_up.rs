//! `akia resume` and `akia undo` of containments.

use akia_core::contain::{Act, Containment};
use akia_core::{ContainmentId, RotationId};
use akia_io::contain::load_containments;
use akia_io::store::Store;

use super::applying::{Told, complete};
use super::bench::Bench;
use super::case::{Case, day};
use super::{refused, reporting};
use crate::args::ConfigArgs;
use crate::commands::Consent;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::{drive, prompt};

/// One containment of the journal.
///
/// # Errors
/// When there is none of that name.
async fn find(bench: &Bench, id: &ContainmentId) -> Result<Containment, CommandError> {
    let all = load_containments(&*bench.work.driver.store).await.map_err(|error| refused(&error))?;
    let found = all.into_iter().map(|(one, _)| one).find(|one| one.opening().id == *id);
    found.ok_or_else(|| {
        CommandError::failed(format_args!("the journal has no containment {id}"))
            .next("akia contain KEY-ID --dry-run (where a key stands)")
    })
}

/// Those that a run has something to do about.
///
/// # Errors
/// When the journal, or one of them, cannot be read.
pub(crate) async fn due(context: &Context, store: &dyn Store) -> Result<Vec<ContainmentId>, CommandError> {
    let all = load_containments(store).await.map_err(|error| refused(&error))?;
    let due = all.into_iter().map(|(one, _)| one).filter(|one| one.is_due(context.started_at));
    Ok(due.map(|one| one.opening().id.clone()).collect())
}

/// A rotation within a containment that is not over is taken back with it: by itself it would open what the containment keeps shut.
///
/// # Errors
/// When it is one, or the journal cannot be read.
pub(crate) async fn refuse_rotation(store: &dyn Store, rotation: &RotationId) -> Result<(), CommandError> {
    let all = load_containments(store).await.map_err(|error| refused(&error))?;
    let linked = all.iter().map(|(one, _)| one).find(|one| !one.is_over() && one.rotation() == Some(rotation));
    linked.map_or(Ok(()), |one| {
        let (id, key) = (&one.opening().id, &one.opening().key);
        Err(CommandError::failed(format_args!("rotation {rotation} is part of containment {id}: {key} has leaked"))
            .now("nothing was changed")
            .next(format!("akia undo {id} --profile ADMIN (takes all of it back)")))
    })
}

/// Goes on with containments that were interrupted, or whose earlier sessions have ended.
///
/// # Errors
/// When one cannot be read, or the journal fails.
pub(crate) async fn resume(
    context: &Context,
    ids: &[ContainmentId],
    consent: Consent,
    tells: bool,
) -> Result<Exit, CommandError> {
    let bench = Bench::open(context, &ConfigArgs::default()).await?;
    let mut chosen = Vec::new();
    for id in ids {
        let one = find(&bench, id).await?;
        if one.is_over() {
            context.say(&format!("containment {id} of {} is over", one.opening().key));
            continue;
        }
        context.say(&format!(
            "resume  {id}: {} of {}, since {}",
            one.opening().key,
            one.opening().user.name,
            day(one.opened_at())
        ));
        chosen.push(one);
    }
    if consent.dry_run {
        return Ok(Exit::Done);
    }
    let (stop, signals) = drive::stop_on_signals(&Progress::new(context));
    let (mut cases, mut codes) = (Vec::new(), Vec::new());
    for mut one in chosen {
        if stop.is_pulled() {
            codes.push(Exit::Interrupted);
            break;
        }
        let told = Told { context };
        let container = bench.container(context, Vec::new(), stop.clone(), &told, &told)?;
        let ran = async {
            container.take_up(&mut one).await?;
            container.carry_out(&mut one).await
        }
        .await;
        match ran {
            Ok(()) => cases.push(case_of(context, &bench, one).await?),
            // The fault of one stops no other.
            Err(error) => {
                let error = refused(&error);
                codes.push(error.exit);
                crate::error::print_words(&error.render(context.terminal.stderr_colors));
            }
        }
    }
    signals.abort();
    if tells {
        reporting::table(context, &cases)?;
    }
    bench.seal(context).await?;
    codes.extend(cases.iter().map(Case::exit));
    Ok(drive::overall(&codes))
}

/// Takes a containment back.
///
/// # Errors
/// When it cannot be, or the journal fails.
pub(crate) async fn undo(context: &Context, id: &ContainmentId, consent: Consent) -> Result<Exit, CommandError> {
    let bench = Bench::open(context, &ConfigArgs::default()).await?;
    let mut one = find(&bench, id).await?;
    let key = one.opening().key.clone();
    if one.is_over() {
        return Err(CommandError::failed(format_args!(
            "containment {id} of {key} is over: there is nothing to take back"
        ))
        .next(format!("akia key list --user {}", one.opening().user.name)));
    }
    if one.has_begun(Act::Delete) {
        return Err(CommandError::failed(format_args!(
            "containment {id} cannot be taken back: {key} is deleted, or may be"
        ))
        .next(format!("akia resume {id}")));
    }
    context.say(&format!("undo    {id}: {key} of {}, since {}", one.opening().user.name, day(one.opened_at())));
    if one.rotation().is_some() {
        context.say(
            "        the old key is activated, and goes back into every place that held it; the new one is deactivated",
        );
    } else if one.has_begun(Act::Deactivate) {
        context.say(&format!("        {key} is activated: whoever has found it can use it again"));
    }
    if one.has_begun(Act::Tie) || one.has_begun(Act::DenySessions) {
        context.say("        what denies the user's earlier sessions, and AWS's deny policy where akia has attached it, are taken off");
    }
    if consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, consent.yes, "Take this containment back?")?;
    let told = Told { context };
    let (stop, signals) = drive::stop_on_signals(&Progress::new(context));
    let container = bench.container(context, Vec::new(), stop, &told, &told)?;
    let ran = async {
        container.ask_undo(&mut one, "akia undo").await?;
        container.carry_out(&mut one).await
    }
    .await;
    signals.abort();
    ran.map_err(|error| refused(&error))?;
    let case = case_of(context, &bench, one).await?;
    let exit = case.exit();
    reporting::table(context, &[case])?;
    bench.seal(context).await?;
    Ok(exit)
}

async fn case_of(context: &Context, bench: &Bench, one: Containment) -> Result<Case, CommandError> {
    let of = one.opening();
    let mut case = Case::new(of.key.clone(), of.account.clone(), Vec::new(), of.leaked_at);
    case.user = Some(of.user.clone());
    "the journal".clone_into(&mut case.known_by);
    case.strategy = Some(one.strategy());
    complete(context, bench, &mut case, one).await?;
    Ok(case)
}
