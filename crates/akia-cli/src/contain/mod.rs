//! What `akia contain` is made of.

mod applying;
mod asked;
mod bench;
mod case;
mod cleanup;
mod logs;
mod page;
mod planning;
mod reporting;
pub(crate) mod taking_up;

use akia_io::contain::ContainError;

use crate::commands::contain::ContainArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::{drive, prompt};
use bench::Bench;
use case::Standing;
use planning::Planned;

pub(crate) use applying::Told;
pub(crate) use reporting::report_file;

/// Runs the command.
///
/// # Errors
/// When a key cannot be told, belongs elsewhere, or could not be shut.
pub(crate) async fn run(context: &Context, args: &ContainArgs) -> Result<Exit, CommandError> {
    let wanted = asked::keys(args)?;
    if wanted.is_empty() {
        context.say("the scan names no real key: there is nothing to contain");
        reporting::report(context, args, &[])?;
        return Ok(Exit::Done);
    }
    // What is prepared holds the lock on its user, and another key of the list may be of the same one.
    let is_one = wanted.len() == 1;
    let bench = Bench::open(context, &args.config).await?;
    let (mut plans, mut codes) = (Vec::new(), Vec::new());
    for one in wanted {
        match planning::plan(context, &bench, args, one).await {
            Ok(planned) if is_one => plans.push(planned),
            Ok(planned) => plans.push(planned.unprepared()),
            Err(error) if is_one => return Err(error),
            Err(error) => {
                codes.push(error.exit);
                crate::error::print_words(&error.render(context.terminal.stderr_colors));
            }
        }
    }
    let due = plans.iter().filter(|one| one.job.is_some()).count();
    if args.consent.dry_run || due == 0 {
        let cases: Vec<_> = plans.into_iter().map(|one| one.case).collect();
        reporting::report(context, args, &cases)?;
        codes.extend(cases.iter().map(|case| case.exit()));
        return Ok(drive::overall(&codes));
    }
    let question = match due {
        1 => "Contain this key?".to_owned(),
        count => format!("Contain these {count} keys?"),
    };
    prompt::confirm(context, args.consent.yes, &question)?;
    // One for all: whoever interrupts the first key wants the others left alone, too.
    let (stop, signals) = drive::stop_on_signals(&Progress::new(context));
    let mut cases = Vec::new();
    for Planned { mut case, job } in plans {
        match job {
            Some(_) if stop.is_pulled() => case.standing = Standing::Stopped,
            Some(job) => {
                // The fault of one key leaves no other active, and none without a report.
                if let Err(error) = applying::apply(context, &bench, args, &mut case, job, stop.clone()).await {
                    codes.push(error.exit);
                    crate::error::print_words(&error.render(context.terminal.stderr_colors));
                }
            }
            None => {}
        }
        cases.push(case);
    }
    signals.abort();
    reporting::report(context, args, &cases)?;
    bench.seal(context).await?;
    codes.extend(cases.iter().map(|case| case.exit()));
    Ok(drive::overall(&codes))
}

/// A run that could not write or read its journal.
fn refused(error: &ContainError) -> CommandError {
    let told = CommandError::new(Exit::Interrupted, error).now("what was done stands in the journal");
    match error {
        ContainError::Journal(error) => told.next(error.hint()),
        ContainError::Broken(_) | ContainError::Quarantine(_) => told.next("akia history verify"),
        ContainError::Rotation(_) => told.next("akia history"),
    }
}
