//! `akia undo`: take a rotation back.

use akia_core::RotationId;
use akia_core::journal::{Event, Record};
use akia_core::rotation::{Rest, Rotation};
use clap::Args;

use super::Consent;
use crate::context::{Context, Selection};
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::rotations::{self, Locked};
use crate::workbench::Workbench;
use crate::{aws_cli, prompt};

/// Take a rotation back: the old key works again, everywhere
///
/// Activates the old key, puts it back into every place that held it, reads it back, and deactivates the new key.
/// Possible until the old key is deleted.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia undo", "the latest rotation"),
    ("akia undo -p work", "the latest rotation of profile `work`"),
    ("akia undo r-0123456789abcdef", "this rotation"),
]))]
pub struct UndoArgs {
    /// Rotation to take back [default: the latest]
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
    let rotation = choose(context, &bench, &args).await?;
    let Locked { mut rotation, lock } = rotations::lock(&bench, rotation).await?;
    let id = rotation.plan().id.clone();
    let is_being_undone = rotation.is_being_undone();
    if !is_being_undone && let Err(illegal) = rotation.clone().apply(&Record { at: now, event: Event::UndoRequested }) {
        let error = CommandError::failed(format_args!("rotation {id} cannot be taken back: it is {}", illegal.stage));
        return Err(match rotation.rest(now) {
            Rest::Retired => error.next(format!("akia rotate -p {} (a fresh key)", first_profile(&rotation))),
            Rest::Aborted { .. } | Rest::Undone { .. } | Rest::UndoneAndClean => error.next("akia status"),
            _ => error.next(format!("akia resume {id}")),
        });
    }
    let plan = rotation.plan();
    context.say(&format!("undo    {}", rotations::describe(&rotation, now)));
    context.say(&format!("        activate {}, if it is inactive, and prove it", plan.displaced));
    for place in &plan.places {
        context.say(&format!("        {} back to {place}", plan.displaced));
    }
    if let Some(new) = rotation.new_key() {
        context.say(&format!("        then deactivate {new}"));
    }
    if context.globals.show_aws_cli {
        aws_cli::print(context, &aws_cli::undo(&rotation));
    }
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Take this rotation back?")?;
    let event = if is_being_undone { Event::Resumed } else { Event::UndoRequested };
    bench.driver.record(&mut rotation, event, None, &Quiet).await.map_err(rotations::stopped)?;
    let ended = drive::drive(context, &bench.driver, vec![rotation]).await;
    drop(lock);
    drive::report(context, "undo", &ended, &[])
}

/// The rotation that was named, or the latest, of the profile where one is given.
async fn choose(context: &Context, bench: &Workbench, args: &UndoArgs) -> Result<Rotation, CommandError> {
    if let Some(id) = &args.rotation {
        return rotations::load(bench, id).await;
    }
    let wanted = match context.selection(false)? {
        Selection::Named(names) => names,
        Selection::All | Selection::One(_) => Vec::new(),
    };
    let all = rotations::all(bench).await?;
    let latest = all.into_iter().rfind(|rotation| {
        let places = &rotation.plan().places;
        wanted.is_empty() || places.iter().any(|place| wanted.contains(place.profile()))
    });
    latest.ok_or_else(|| {
        let of = wanted.first().map_or_else(String::new, |name| format!(" of profile \"{name}\""));
        CommandError::failed(format_args!("the journal has no rotation{of}")).next("akia history")
    })
}

fn first_profile(rotation: &Rotation) -> String {
    let profile = rotation.plan().places.first().map(|place| place.profile().to_string()).unwrap_or_default();
    akia_core::cheatsheet::quote(&profile).into_owned()
}
