//! `akia undo`: take a rotation back.

use akia_core::journal::{Event, Record};
use akia_core::rotation::{Place, Plan, Rest, Rotation};
use akia_core::{ContainmentId, RotationId};
use akia_io::rotate::Broken;
use clap::Args;
use jiff::Timestamp;

use super::Consent;
use crate::context::{Context, Selection};
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::rotations::{self, Known, Locks};
use crate::workbench::Workbench;
use crate::{aws_cli, contain, endpoints, prompt};

/// Take a rotation, or the containment of a leaked key, back: the old key works again, everywhere
///
/// Activates the old key, puts it back into every place that held it, reads it back, and deactivates the new key.
/// Possible until the old key is deleted.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia undo", "everything that the latest run rotated"),
    ("akia undo -p work", "the latest rotation of profile `work`"),
    ("akia undo r-0123456789abcdef", "this rotation"),
    ("akia undo k-0123456789abcdef --profile admin", "this containment of a leaked key"),
]))]
pub struct UndoArgs {
    /// Rotation, or containment, to take back [default: all of the latest run]
    ///
    /// The containment of a leaked key (k-…) is taken back by whoever may act on its user: --profile says who signs.
    #[arg(value_name = "ROTATION-ID|CONTAINMENT-ID")]
    pub which: Option<Which>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// A rotation, or the containment of a leaked key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// A rotation.
    Rotation(RotationId),
    /// A containment.
    Containment(ContainmentId),
}

impl std::str::FromStr for Which {
    type Err = akia_core::ids::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::Containment).or_else(|_: Self::Err| text.parse().map(Self::Rotation))
    }
}

/// Runs the command.
///
/// # Errors
/// When there is nothing that can be taken back.
pub(crate) async fn run(context: &Context, args: UndoArgs) -> Result<Exit, CommandError> {
    let rotation = match &args.which {
        Some(Which::Containment(id)) => return contain::taking_up::undo(context, id, args.consent).await,
        Some(Which::Rotation(_)) if !context.globals.profiles.is_empty() => {
            return Err(CommandError::usage("a rotation is named by its id or by --profile, not by both"));
        }
        Some(Which::Rotation(id)) => Some(id.clone()),
        None => None,
    };
    let bench = Workbench::open(context).await?;
    let now = context.started_at;
    let known = Known::of_bench(&bench).await?;
    let (mut chosen, mut locks) = (Vec::new(), Locks::default());
    let (wanted, refused) = choose(context, &known, rotation.as_ref())?;
    for rotation in wanted {
        contain::taking_up::refuse_rotation(&*bench.driver.store, &rotation.plan().id).await?;
        chosen.push(locks.lock(&bench, &rotation).await?);
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
    drive::report(context, "undo", &ended, &refused)
}

/// The rotation that was named; or the latest of the profiles that were; or all of the latest run, and the codes of
/// those of it that cannot be. One that cannot be read is never passed over for an older one.
fn choose(
    context: &Context,
    known: &Known,
    rotation: Option<&RotationId>,
) -> Result<(Vec<Rotation>, Vec<Exit>), CommandError> {
    if let Some(id) = rotation {
        return Ok((vec![known.find(id)?], Vec::new()));
    }
    match context.selection(false)? {
        Selection::Named(names) => {
            let mut chosen: Vec<Rotation> = Vec::new();
            for name in names {
                let is_of = |plan: &Plan| plan.places.iter().any(|place| place.profile() == Some(&name));
                if chosen.iter().any(|rotation| is_of(rotation.plan())) {
                    continue;
                }
                let latest = known.entries().iter().rev().find(|entry| plan_of(entry).is_some_and(is_of));
                match latest {
                    Some(Ok(rotation)) => chosen.push(known.find(&rotation.plan().id)?),
                    Some(Err(broken)) => return Err(rotations::unreadable(broken)),
                    None => {
                        let what = format!("the journal has no rotation of profile \"{name}\"");
                        return Err(CommandError::failed(what).next("akia history"));
                    }
                }
            }
            Ok((chosen, Vec::new()))
        }
        Selection::All | Selection::One(_) => {
            let run = match known.entries().last() {
                None => return Err(CommandError::failed("the journal has no rotation").next("akia history")),
                Some(latest) => plan_of(latest).map(|plan| plan.run.clone()),
            };
            // Where the plan of the latest cannot be read, nobody knows its run: then none is taken for it.
            let of_run = |entry: &&Result<Rotation, Broken>| plan_of(entry).map(|plan| &plan.run) == run.as_ref();
            let broken: Vec<&Broken> =
                known.entries().iter().filter(of_run).filter_map(|entry| entry.as_ref().err()).collect();
            let chosen = match &run {
                Some(run) => known.choose(context, |rotation| rotation.plan().run == *run),
                None => Vec::new(),
            };
            match broken.first() {
                Some(one) if chosen.is_empty() => {
                    let error = rotations::unreadable(one);
                    Err(error.next("or name the rotation to take back: akia history, akia undo ROTATION-ID"))
                }
                _ => Ok((chosen, broken.iter().map(|_| Exit::Failed).collect())),
            }
        }
    }
}

fn plan_of(entry: &Result<Rotation, Broken>) -> Option<&Plan> {
    match entry {
        Ok(rotation) => Some(rotation.plan()),
        Err(broken) => broken.plan.as_deref(),
    }
}

fn can_be_undone(rotation: &Rotation, now: Timestamp) -> bool {
    let request = Record { at: now, event: Event::UndoRequested };
    rotation.is_being_undone() || rotation.clone().apply(&request).is_ok()
}

fn refusal(rotation: &Rotation, now: Timestamp) -> CommandError {
    let plan = rotation.plan();
    let id = &plan.id;
    if plan.displaced_secret_unknown && rotation.new_key().is_some() {
        let what = format!("rotation {id} cannot be taken back: no place gave the secret of {} back", plan.displaced);
        return CommandError::failed(what)
            .now("its places hold the new key")
            .next(format!("akia resume {id} (go on)"))
            .next(format!(
                "or put the old key into its places by hand, and: akia key activate {} --user {}",
                plan.displaced,
                plan.identity.user_name()
            ));
    }
    let error = CommandError::failed(format_args!("rotation {id} cannot be taken back: {}", rotation.stage_name()));
    match rotation.rest(now) {
        Rest::Retired => match first_profile(rotation) {
            Some(profile) => error.next(format!("akia rotate -p {profile} (a fresh key)")),
            None => error.next("akia status"),
        },
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

fn first_profile(rotation: &Rotation) -> Option<String> {
    let profile = rotation.plan().places.iter().find_map(Place::profile)?;
    Some(akia_core::cheatsheet::quote(profile.as_str()).into_owned())
}
