//! `akia usage quiet`.

use akia_core::usage::{OfAccount, Quiet, Verdict};
use akia_usage::About;
use jiff::Timestamp;

use super::open;
use crate::audit::words::counted;
use crate::commands::usage::QuietArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report};

pub(crate) async fn run(context: &Context, args: QuietArgs) -> Result<Exit, CommandError> {
    let now = Timestamp::now();
    let since = args.since.moment(now);
    if since > now {
        return Err(CommandError::usage(format_args!("--since {since} is not yet")));
    }
    let desk = open::open_loaded(context, &args.facts).await?;
    let failed = |error: akia_usage::UsageError| open::failed(&error);
    let about = About { key: Some(args.key.to_string()), since: Some(since), ..About::default() };
    let facts = desk.facts(&about).await.map_err(failed)?;
    let covered = desk.covered().await.map_err(failed)?;
    // A key says by itself whose account it is of.
    let account = args.key.account().map(|account| account.to_string());
    let account = account.or_else(|| facts.first().map(|fact| fact.account.clone())).unwrap_or_default();
    let has_data_events = desk.has_data_events(&account).await.map_err(failed)?;
    let quiet = Quiet::of(&facts, since, now, &OfAccount::of(&account, &covered), has_data_events);
    print(context, &args.key.to_string(), &quiet)
}

fn print(context: &Context, key: &str, quiet: &Quiet) -> Result<Exit, CommandError> {
    let mut report = Report::new(
        "usage-quiet",
        "uses",
        vec![
            Column::whole("calls", "CALLS"),
            Column::whole("last", "LAST"),
            Column::whole("ip", "FROM"),
            Column::whole("service", "SERVICE"),
            Column::new("agent", "WITH"),
        ],
    );
    report.fact("key", key);
    report.fact("since", quiet.since.to_string());
    report.fact("is_sure", quiet.is_sure());
    report.fact("doubts", quiet.doubts.iter().map(ToString::to_string).collect::<Vec<_>>());
    let exit = match &quiet.verdict {
        Verdict::InUse { calls, last, users } => {
            report.fact("verdict", "in-use");
            for one in users {
                report.push(vec![
                    Cell::count(one.calls),
                    Cell::time(one.last),
                    Cell::text(&one.ip),
                    Cell::text(&one.service),
                    Cell::text(&one.agent),
                ]);
            }
            let calls = counted(*calls, "call");
            context.say(&format!("{key} is in use: {calls} since {}, the last at {last}", quiet.since));
            Exit::Findings
        }
        Verdict::Quiet => {
            report.fact("verdict", "quiet");
            let sure = if quiet.is_sure() { "" } else { ", as far as the logs tell" };
            context.say(&format!("{key} is quiet since {}{sure}", quiet.since));
            if quiet.is_sure() { Exit::Done } else { Exit::Decision }
        }
    };
    for doubt in &quiet.doubts {
        context.say(&format!("- {doubt}"));
    }
    if exit == Exit::Decision {
        context.say(&format!("- AWS's own last use knows of every call: akia key last-used {key}"));
    }
    context.print(&report)?;
    Ok(exit)
}
