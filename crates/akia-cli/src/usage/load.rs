//! `akia usage load`.

use std::time::Instant;

use akia_usage::facts::{Load, Loaded};
use jiff::Timestamp;

use super::{live, open};
use crate::audit::words::counted;
use crate::commands::usage::LoadArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report};
use crate::progress::Progress;

/// Bytes of logs, as they lie there, after which what was read is made to count: some seconds of work that a kill can cost.
const PORTION: u64 = 128 << 20;
/// The same for a cluster: work for some dozens of machines.
const PORTION_OF_CLUSTER: u64 = 4 << 30;

pub(crate) async fn run(context: &Context, args: LoadArgs) -> Result<Exit, CommandError> {
    let now = Timestamp::now();
    let mut desk = open::open(context, &args.facts, &args.places, Some(&args.on)).await?;
    let looked = if args.live { Some(live::look_up(context, &desk, &args.which, now).await?) } else { None };
    let files = match &looked {
        Some(looked) => looked.files.clone(),
        None => open::list(context, &desk, &args.places, &args.which, now).await?.files,
    };
    let load = Load {
        files,
        largest_file: usize::try_from(args.which.largest_log.0).unwrap_or(usize::MAX),
        portion: if args.on.cluster.is_some() { PORTION_OF_CLUSTER } else { PORTION },
    };
    let (all, begun) = (load.files.len() as u64, Instant::now());
    let line = Progress::new(context).line("load");
    line.step(&format!("{} found", counted(load.files.len(), "log")));
    let mut progress = |loaded: &Loaded| {
        let done = loaded.files + loaded.known + loaded.problems.len() as u64;
        line.step(&format!("{done} of {all} logs, {} calls, {} of users kept", loaded.calls, loaded.kept));
    };
    let mut loaded = desk.load(&load, now, &mut progress).await.map_err(|error| open::failed(&error))?;
    line.finish(&words(&loaded, begun.elapsed().as_secs_f64()));
    let not_looked = looked.as_ref().map(|looked| looked.problems.clone()).unwrap_or_default();
    let is_whole = loaded.problems.is_empty() && not_looked.is_empty();
    if !not_looked.is_empty() {
        context.say("run the same command again: it looks up what is missing, and nothing twice");
    }
    loaded.problems.extend(not_looked);
    let mut report = report(&loaded, desk.home().as_str());
    if let Some(looked) = &looked {
        report.fact("looked_up", looked.events);
    }
    context.print(&report)?;
    Ok(if is_whole { Exit::Done } else { Exit::Partly })
}

fn words(loaded: &Loaded, seconds: f64) -> String {
    let mut words = format!(
        "{} read ({} MB, {} MB inflated) in {seconds:.1} s; {} had been read before; {} calls, {} of users kept",
        counted(loaded.files as usize, "log"),
        loaded.bytes >> 20,
        loaded.inflated >> 20,
        loaded.known,
        loaded.calls,
        loaded.kept,
    );
    if loaded.others > 0 {
        words.push_str(&format!("; {} records are no calls", loaded.others));
    }
    if loaded.with_bad_text > 0 {
        words.push_str(&format!("; bytes that are no UTF-8 were replaced in {} logs", loaded.with_bad_text));
    }
    if !loaded.problems.is_empty() {
        words.push_str(&format!(
            "; nothing was taken of {}, which the next load tries again",
            counted(loaded.problems.len(), "log")
        ));
    }
    words
}

fn report(loaded: &Loaded, facts: &str) -> Report {
    let columns = vec![Column::whole("file", "NOT READ"), Column::new("why", "WHY")];
    let mut report = Report::new("usage-load", "problems", columns);
    report.fact("facts", facts);
    for (name, number) in [
        ("files", loaded.files),
        ("known", loaded.known),
        ("bytes", loaded.bytes),
        ("inflated", loaded.inflated),
        ("calls", loaded.calls),
        ("kept", loaded.kept),
        ("others", loaded.others),
        ("with_bad_text", loaded.with_bad_text),
    ] {
        report.fact(name, number);
    }
    report.fact("first", loaded.first.map(|at| at.to_string()));
    report.fact("last", loaded.last.map(|at| at.to_string()));
    for problem in &loaded.problems {
        report.push(vec![Cell::text(&problem.file), Cell::text(&problem.why)]);
    }
    report
}
