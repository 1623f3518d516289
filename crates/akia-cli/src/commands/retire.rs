//! `akia retire`: delete what has outlived its grace period.

use akia_core::RotationId;
use akia_core::journal::Event;
use akia_core::rotation::{Decision, Rest, Rotation};
use clap::Args;

use super::Consent;
use crate::context::Context;
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::rotations::{self, Known, Locks};
use crate::workbench::Workbench;
use crate::{aws_cli, endpoints, prompt};

/// Delete old keys whose grace period is over
///
/// Each key is read again right before it is deleted; one that somebody has activated in the meantime is left alone and
/// reported. A deleted key cannot be brought back.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia retire --dry-run", "what would be deleted"),
    ("akia retire --yes", "delete it, unasked"),
    ("akia retire r-0123456789abcdef --now", "do not wait for the end of the grace period"),
]))]
pub struct RetireArgs {
    /// Rotations whose old key is to be deleted [default: all whose grace period is over]
    #[arg(value_name = "ROTATION-ID")]
    pub rotations: Vec<RotationId>,

    /// Do not wait for the end of the grace period
    #[arg(long, requires = "rotations")]
    pub now: bool,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs the command.
///
/// # Errors
/// When a rotation that was named has nothing to retire.
pub(crate) async fn run(context: &Context, args: RetireArgs) -> Result<Exit, CommandError> {
    let bench = Workbench::open(context).await?;
    let now = context.started_at;
    let known = Known::of_bench(&bench).await?;
    let (mut chosen, mut locks) = (Vec::new(), Locks::default());
    if args.rotations.is_empty() {
        chosen.extend(known.choose(context, |rotation| rotation.is_out_of_grace(now)));
        if !args.consent.dry_run {
            rotations::wipe_leftovers(context, &bench, &known, &mut locks).await;
        }
    }
    let named: std::collections::BTreeSet<&RotationId> = args.rotations.iter().collect();
    for id in named {
        let rotation = known.find(id)?;
        check(&rotation, args.now, now)?;
        chosen.push(rotation);
    }
    if chosen.is_empty() {
        context.say("no old key has outlived its grace period");
        for rotation in known.rotations() {
            if let Rest::InGrace { .. } | Rest::Undone { .. } = rotation.rest(now) {
                context.say(&format!("waits   {}", rotations::describe(rotation, now)));
            }
        }
        return drive::report(context, "retire", &[], &[]);
    }
    for rotation in &chosen {
        let what = rotation.key_in_grace().map_or_else(String::new, |key| format!("delete {key}: "));
        context.say(&format!("retire  {what}{}", rotations::describe(rotation, now)));
        if context.globals.show_aws_cli {
            aws_cli::print(context, &aws_cli::retire(rotation));
        }
    }
    endpoints::check_rotations(&bench.driver, &chosen)?;
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Delete for good? There is no undo after that.")?;
    let mut ready = Vec::new();
    for rotation in chosen {
        let consented = rotation.key_in_grace().cloned();
        let mut rotation = locks.lock(&bench, &rotation).await?;
        // The question may have stood for an hour: an undo meanwhile has put another key into its grace.
        if rotation.key_in_grace() != consented.as_ref() {
            let id = &rotation.plan().id;
            return Err(CommandError::failed(format_args!("rotation {id} was changed by another akia meanwhile"))
                .next(format!("akia history show {id}")));
        }
        check(&rotation, args.now, now)?;
        bench.driver.record(&mut rotation, Event::Resumed, None, &Quiet).await.map_err(rotations::stopped)?;
        if !rotation.is_out_of_grace(now) {
            bench.driver.record(&mut rotation, Event::GraceWaived, None, &Quiet).await.map_err(rotations::stopped)?;
        }
        ready.push(rotation);
    }
    let ended = drive::drive(context, &bench.driver, ready).await;
    drop(locks);
    drive::report(context, "retire", &ended, &[])
}

fn check(rotation: &Rotation, waive: bool, now: jiff::Timestamp) -> Result<(), CommandError> {
    let id = &rotation.plan().id;
    match rotation.rest(now) {
        _ if rotation.is_out_of_grace(now) => Ok(()),
        Rest::InGrace { .. } | Rest::Undone { .. } if waive => Ok(()),
        Rest::InGrace { until } | Rest::Undone { until } => {
            Err(CommandError::decision(format_args!("the grace of rotation {id} lasts until {until}"))
                .now("nothing was changed")
                .next(format!("akia retire {id} --now")))
        }
        Rest::Watching { until } => Err(CommandError::decision(format_args!(
            "rotation {id} watches the old key until {}, and retires it when nobody uses it",
            drive::day(until)
        ))
        .now("nothing was changed")
        .next(format!("akia resume {id} --without-evidence (deactivate it all the same)"))),
        Rest::Kept => Err(CommandError::failed(format_args!(
            "rotation {id} has no key to retire: {} was kept active, as asked",
            rotation.plan().displaced
        ))
        .next(format!("akia key last-used {} (who still uses it)", rotation.plan().displaced))
        .next(format!("akia key deactivate {} (when nobody does)", rotation.plan().displaced))),
        Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated } => {
            let words = drive::rest_words(rotation, &rotation.rest(now));
            Err(CommandError::decision(format_args!("rotation {id} has no key to retire yet: {words}"))
                .now("nothing was changed")
                .next(format!("akia resume {id} --without-evidence (deactivate it all the same)"))
                .next(format!("akia undo {id}")))
        }
        Rest::Busy
        | Rest::Retired
        | Rest::UndoneAndClean
        | Rest::Aborted { .. }
        | Rest::Undecided { decision: Decision::Orphans { .. } }
        | Rest::Interrupted { .. } => Err(CommandError::failed(format_args!(
            "rotation {id} has no key to retire: it is {}",
            rotation.stage_name()
        ))
        .next(format!("akia history show {id}"))),
    }
}
