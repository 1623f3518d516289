//! `akia usage status`.

use super::open;
use crate::commands::usage::FactsArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Tone};

pub(crate) async fn run(context: &Context, args: FactsArgs) -> Result<Exit, CommandError> {
    let desk = open::open_loaded(context, &args).await?;
    let covered = desk.covered().await.map_err(|error| open::failed(&error))?;
    let mut report = Report::new(
        "usage-status",
        "regions",
        vec![
            Column::whole("account", "ACCOUNT"),
            Column::whole("region", "REGION"),
            Column::whole("first", "FIRST DAY"),
            Column::whole("last", "LAST DAY"),
            Column::whole("days_without", "DAYS WITHOUT"),
            Column::whole("history_days", "DAYS OF HISTORY"),
            Column::whole("logs", "LOGS"),
            Column::whole("unread", "UNREAD"),
            Column::whole("last_call", "LAST CALL OF A USER"),
        ],
    );
    report.fact("facts", desk.home().as_str());
    for region in &covered {
        let unread = Cell::count(region.unread);
        report.push(vec![
            Cell::maybe(region.account.as_ref()),
            Cell::maybe(region.region.as_ref()),
            Cell::maybe(region.days.first()),
            Cell::maybe(region.days.last()),
            Cell::count(region.missing().len()),
            Cell::count(region.history_days.len()),
            Cell::count(region.logs),
            if region.unread > 0 { unread.tone(Tone::Bad) } else { unread },
            region.last_call.map_or_else(Cell::empty, Cell::time),
        ]);
    }
    if covered.iter().any(|region| !region.history_days.is_empty()) {
        context.say("days of history are known from CloudTrail's event history: it has management events alone");
    }
    context.print(&report)?;
    Ok(Exit::Done)
}
