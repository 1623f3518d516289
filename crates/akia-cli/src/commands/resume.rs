//! `akia resume`: finish interrupted rotations.

use akia_core::AccessKeyId;
use akia_core::journal::{Attribution, Event, Record};
use akia_core::rotation::{Decision, Rest, Rotation};
use clap::Args;

use super::Consent;
use super::undo::Which;
use crate::context::Context;
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::rotations::{self, Known, Locks};
use crate::workbench::Workbench;
use crate::{contain, endpoints, prompt};

/// Finish rotations, and containments of leaked keys, that were interrupted
///
/// Continues where the journal says that the rotation stopped. Without an id, every unfinished rotation is finished, and
/// every containment of a leaked key (k-…) that is unfinished, or whose denial of earlier sessions has outlived them.
/// Where AWS may or may not have created a key, akia finds out; if it cannot tell whose key it is, it asks you to
/// choose with --delete-orphan or --keep-orphan.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia resume", "finish everything that is unfinished"),
    ("akia resume r-0123456789abcdef", "finish this rotation"),
    ("akia resume r-0123456789abcdef --leave work", "profile `work` has a key of its own now: go on without it"),
    ("akia resume r-0123456789abcdef --delete-orphan AKIAIOSFODNN7EXAMPLE", "this key came of the lost answer: delete it"),
]))]
pub struct ResumeArgs {
    /// Rotation, or containment, to finish [default: all that are unfinished]
    #[arg(value_name = "ROTATION-ID|CONTAINMENT-ID")]
    pub which: Option<Which>,

    /// Consent to delete this key, which the interrupted rotation may have created
    #[arg(long, value_name = "KEY-ID", conflicts_with = "keep_orphan")]
    pub delete_orphan: Option<AccessKeyId>,

    /// This key is somebody else's: leave it and go on
    #[arg(long, value_name = "KEY-ID")]
    pub keep_orphan: Option<AccessKeyId>,

    /// This profile or place was given another key meanwhile, or lost it: leave it as it is and go on without it (repeatable)
    #[arg(long, value_name = "PROFILE", requires = "which")]
    pub leave: Vec<String>,

    /// Deactivate the old key although its use is seen, unknown, or somebody activated it again
    #[arg(long)]
    pub without_evidence: bool,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs the command.
///
/// # Errors
/// When there is nothing that can be resumed.
pub(crate) async fn run(context: &Context, args: ResumeArgs) -> Result<Exit, CommandError> {
    if let Some(Which::Containment(id)) = &args.which {
        let of_rotations = args.delete_orphan.is_some() || args.keep_orphan.is_some() || !args.leave.is_empty();
        if of_rotations || args.without_evidence {
            return Err(CommandError::usage(format_args!("{id} is a containment: those flags are for rotations")));
        }
        return contain::taking_up::resume(context, std::slice::from_ref(id), args.consent, true).await;
    }
    let bench = Workbench::open(context).await?;
    let due = match &args.which {
        Some(_) => Vec::new(),
        None => contain::taking_up::due(context, &*bench.driver.store).await?,
    };
    let consent = args.consent;
    let (exit, is_told) = rotations(context, bench, args, due.is_empty()).await?;
    if due.is_empty() {
        return Ok(exit);
    }
    // Two documents on stdout would be none for a program.
    let is_told = is_told && context.format() != Format::Table;
    let more = contain::taking_up::resume(context, &due, consent, !is_told).await?;
    Ok(drive::overall(&[exit, more]))
}

/// The rotations. Says whether there was one to tell of.
async fn rotations(
    context: &Context,
    bench: Workbench,
    args: ResumeArgs,
    tells_of_none: bool,
) -> Result<(Exit, bool), CommandError> {
    let now = context.started_at;
    let named = match &args.which {
        Some(Which::Rotation(id)) => Some(id),
        Some(Which::Containment(_)) | None => None,
    };
    let known = Known::of_bench(&bench).await?;
    let mut locks = Locks::default();
    let chosen = match named {
        Some(id) => vec![known.find(id)?],
        None => known.choose(context, |rotation| rotation.is_left_over(now)),
    };
    // A rotation that cannot be read may be unfinished.
    let refused: Vec<Exit> = match named {
        Some(_) => Vec::new(),
        None => known.broken().filter(|broken| broken.plan.is_some()).map(|_| Exit::Failed).collect(),
    };
    if named.is_none() && !args.consent.dry_run {
        rotations::wipe_leftovers(context, &bench, &known, &mut locks).await;
    }
    if chosen.is_empty() && refused.is_empty() && !tells_of_none {
        return Ok((Exit::Done, false));
    }
    if chosen.is_empty() {
        context.say("no rotation is unfinished");
        return Ok((drive::report(context, "resume", &[], &refused)?, true));
    }
    for rotation in &chosen {
        context.say(&format!("resume  {}", rotations::describe(rotation, now)));
        check_decision(&args, rotation, now)?;
    }
    endpoints::check_rotations(&bench.driver, &chosen)?;
    for rotation in &chosen {
        places_to_leave(&bench, &args, rotation, now).await?;
    }
    if args.consent.dry_run {
        return Ok((Exit::Done, false));
    }
    let mut ready = Vec::new();
    for rotation in chosen {
        let mut rotation = locks.lock(&bench, &rotation).await?;
        if rotation.is_over() {
            continue;
        }
        bench.driver.record(&mut rotation, Event::Resumed, None, &Quiet).await.map_err(rotations::stopped)?;
        for place in places_to_leave(&bench, &args, &rotation, now).await? {
            let event = Event::PlaceLeft { place };
            bench.driver.record(&mut rotation, event, None, &Quiet).await.map_err(rotations::stopped)?;
        }
        if let Some(event) = decision_event(&args, &rotation, now) {
            prompt::confirm(context, args.consent.yes, &question(&event))?;
            bench.driver.record(&mut rotation, event, None, &Quiet).await.map_err(rotations::stopped)?;
        }
        ready.push(rotation);
    }
    let ended = drive::drive(context, &bench.driver, ready).await;
    drop(locks);
    Ok((drive::report(context, "resume", &ended, &refused)?, true))
}

/// A flag that answers a question which nobody asks is a mistake, and is refused before anything is done.
fn check_decision(args: &ResumeArgs, rotation: &Rotation, now: jiff::Timestamp) -> Result<(), CommandError> {
    let id = &rotation.plan().id;
    let suspects = match rotation.rest(now) {
        Rest::Undecided { decision: Decision::Orphans { keys } } => keys,
        _ => std::collections::BTreeSet::new(),
    };
    match args.delete_orphan.iter().chain(&args.keep_orphan).next() {
        Some(key) if !suspects.contains(key) => {
            Err(CommandError::usage(format_args!("rotation {id} does not ask about key {key}"))
                .now("nothing was changed")
                .next(format!("akia history show {id}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// The places of the profiles that a person says to leave. One that still holds a key of the rotation is not left: its
/// user would be locked out when that key is shut.
async fn places_to_leave(
    bench: &Workbench,
    args: &ResumeArgs,
    rotation: &Rotation,
    now: jiff::Timestamp,
) -> Result<Vec<usize>, CommandError> {
    let (id, plan) = (&rotation.plan().id, rotation.plan());
    let mut leaving = Vec::new();
    let mut trial = rotation.clone();
    for label in &args.leave {
        let is_of = |place: &usize| plan.places.get(*place).is_some_and(|place| place.label() == *label);
        let open: Vec<usize> = rotation.open_places().into_iter().filter(is_of).collect();
        if open.is_empty() {
            return Err(CommandError::usage(format_args!("rotation {id} is not about to write {label:?}"))
                .now("nothing was changed")
                .next(format!("akia history show {id}")));
        }
        for place in open {
            let held = match plan.places.get(place) {
                Some(place) => bench
                    .driver
                    .places
                    .read(place)
                    .await
                    .map_err(|error| CommandError::failed(&error).next(error.hint()))?
                    .pair(),
                None => None,
            };
            if let Some(pair) = held
                && (pair.id == plan.displaced || rotation.new_key() == Some(&pair.id))
            {
                let what = format!("{label:?} holds {}, a key of rotation {id}: it is not left", pair.id);
                return Err(CommandError::failed(what).next(format!("akia resume {id}")));
            }
            let event = Event::PlaceLeft { place };
            if trial.apply(&Record { at: now, event }).is_err() {
                let what = format!("without {label:?} the new key of rotation {id} would be in no place");
                return Err(CommandError::failed(what).next(format!("akia undo {id}")));
            }
            leaving.push(place);
        }
    }
    Ok(leaving)
}

fn decision_event(args: &ResumeArgs, rotation: &Rotation, now: jiff::Timestamp) -> Option<Event> {
    match rotation.rest(now) {
        Rest::Undecided { decision: Decision::Orphans { .. } } => match (&args.delete_orphan, &args.keep_orphan) {
            (Some(key), _) => Some(Event::OrphanAttributed { key: key.clone(), evidence: Attribution::Person }),
            (None, Some(_)) => Some(Event::OrphanDisowned),
            (None, None) => None,
        },
        Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated } if args.without_evidence => {
            Some(Event::EvidenceWaived)
        }
        _ => None,
    }
}

fn question(event: &Event) -> String {
    match event {
        Event::OrphanAttributed { key, .. } => format!("Delete key {key}? Whoever uses it is locked out."),
        Event::OrphanDisowned => "Leave that key alone and give this rotation up?".to_owned(),
        _ => "Deactivate the old key? Whoever still uses it is locked out until `akia undo`.".to_owned(),
    }
}
