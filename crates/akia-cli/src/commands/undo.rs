//! `akia undo`: take a rotation back.

use akia_core::RotationId;
use akia_core::journal::{Event, Record};
use akia_core::rotation::{Rest, Rotation};
use clap::Args;
use jiff::Timestamp;

use super::Consent;
use crate::context::{Context, Selection};
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::rotations::{self, Locked};
use crate::workbench::Workbench;
use crate::{aws_cli, endpoints, prompt};

/// Take a rotation back: the old key works again, everywhere
///
/// Activates the old key, puts it back into every place that held it, reads it back, and deactivates the new key.
/// Possible until the old key is deleted.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia undo", "everything that the latest run rotated"),
    ("akia undo -p work", "the latest rotation of profile `work`"),
    ("akia undo r-0123456789abcdef", "this rotation"),
]))]
pub struct UndoArgs {
    /// Rotation to take back [default: all of the latest run]
    #[arg(value_name = "ROTATION-ID", conflicts_with = "profiles")]
    pub rotation: Option<RotationId>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs the command.
///
/// # Errors
/// When there is nothing that can be taken back.
pub(crate) async fn run(context: &Context, args: UndoArgs) -> Result<Exit, CommandError> {
    let bench = Workbench::open(context).await?;
    let now = context.started_at;
    let (mut chosen, mut locks) = (Vec::new(), Vec::new());
    for rotation in choose(context, &bench, &args).await? {
        let Locked { rotation, lock } = rotations::lock(&bench, rotation).await?;
        locks.push(lock);
        chosen.push(rotation);
    }
    let (possible, impossible): (Vec<Rotation>, Vec<Rotation>) =
        chosen.into_iter().partition(|rotation| can_be_undone(rotation, now));
    if possible.is_empty()
        && let Some(rotation) = impossible.first()
    {
        return Err(refusal(rotation, now));
    }
    for rotation in &impossible {
        context.say(&format!("skip    {}", rotations::describe(rotation, now)));
    }
    for rotation in &possible {
        print_plan(context, rotation, now);
    }
    endpoints::check_rotations(&bench.driver, &possible)?;
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    let question = match possible.len() {
        1 => "Take this rotation back?".to_owned(),
        count => format!("Take these {count} rotations back?"),
    };
    prompt::confirm(context, args.consent.yes, &question)?;
    let mut ready = Vec::new();
    for mut rotation in possible {
        let event = if rotation.is_being_undone() { Event::Resumed } else { Event::UndoRequested };
        bench.driver.record(&mut rotation, event, None, &Quiet).await.map_err(rotations::stopped)?;
        ready.push(rotation);
    }
    let ended = drive::drive(context, &bench.driver, ready).await;
    drop(locks);
    drive::report(context, "undo", &ended, &[])
}

/// The rotation that was named; or the latest of the profiles that were; or all of the latest run.
async fn choose(context: &Context, bench: &Workbench, args: &UndoArgs) -> Result<Vec<Rotation>, CommandError> {
    if let Some(id) = &args.rotation {
        return Ok(vec![rotations::load(bench, id).await?]);
    }
    let mut all = rotations::all(bench).await?;
    let chosen = match context.selection(false)? {
        Selection::Named(names) => {
            let mut chosen: Vec<Rotation> = Vec::new();
            for name in names {
                let is_of = |rotation: &Rotation| rotation.plan().places.iter().any(|place| *place.profile() == name);
                let Some(at) = all.iter().rposition(is_of) else {
                    if chosen.iter().any(is_of) {
                        continue;
                    }
                    let what = format!("the journal has no rotation of profile \"{name}\"");
                    return Err(CommandError::failed(what).next("akia history"));
                };
                chosen.push(all.remove(at));
            }
            chosen
        }
        Selection::All | Selection::One(_) => {
            let Some(run) = all.last().map(|latest| latest.plan().run.clone()) else {
                return Err(CommandError::failed("the journal has no rotation").next("akia history"));
            };
            all.into_iter().filter(|rotation| rotation.plan().run == run).collect()
        }
    };
    Ok(chosen)
}

fn can_be_undone(rotation: &Rotation, now: Timestamp) -> bool {
    let request = Record { at: now, event: Event::UndoRequested };
    rotation.is_being_undone() || rotation.clone().apply(&request).is_ok()
}

fn refusal(rotation: &Rotation, now: Timestamp) -> CommandError {
    let id = &rotation.plan().id;
    let error = CommandError::failed(format_args!("rotation {id} cannot be taken back: {}", rotation.stage_name()));
    match rotation.rest(now) {
        Rest::Retired => error.next(format!("akia rotate -p {} (a fresh key)", first_profile(rotation))),
        Rest::Aborted { .. } | Rest::Undone { .. } | Rest::UndoneAndClean => error.next("akia status"),
        _ => error.next(format!("akia resume {id}")),
    }
}

fn print_plan(context: &Context, rotation: &Rotation, now: Timestamp) {
    let plan = rotation.plan();
    context.say(&format!("undo    {}", rotations::describe(rotation, now)));
    context.say(&format!("        activate {}, if it is inactive, and prove it", plan.displaced));
    for place in &plan.places {
        context.say(&format!("        {} back to {place}", plan.displaced));
    }
    if let Some(new) = rotation.new_key() {
        context.say(&format!("        then deactivate {new}"));
    }
    if context.globals.show_aws_cli {
        aws_cli::print(context, &aws_cli::undo(rotation));
    }
}

fn first_profile(rotation: &Rotation) -> String {
    let profile = rotation.plan().places.first().map(|place| place.profile().to_string()).unwrap_or_default();
    akia_core::cheatsheet::quote(&profile).into_owned()
}
