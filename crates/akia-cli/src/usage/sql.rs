//! `akia usage sql`.

use jiff::Timestamp;

use super::open;
use crate::audit::words::counted;
use crate::commands::usage::SqlArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::output::escape::visible;

pub(crate) async fn run(context: &Context, args: SqlArgs) -> Result<Exit, CommandError> {
    let desk = open::open(context, &args.facts, &args.places, Some(&args.on)).await?;
    let receipts = if args.places.is_empty() {
        None
    } else {
        let listing = open::list(context, &desk, &args.places, &args.which, Timestamp::now()).await?;
        let largest = usize::try_from(args.which.largest_log.0).unwrap_or(usize::MAX);
        Some(desk.attach(listing, largest).map_err(|error| open::failed(&error))?)
    };
    let answer = desk.sql(&args.question).await.map_err(|error| {
        let words = open::failed(&error);
        match (&receipts, args.question.contains("events")) {
            (None, true) => words.next("name the logs that `events` are read from, with --logs PLACE"),
            _ => words.next("akia usage sql \"SHOW TABLES\", and docs/usage-sql.md for the columns"),
        }
    })?;
    let unprintable = |error: String| CommandError::failed(format_args!("the answer cannot be written: {error}"));
    match context.format() {
        Format::Table => {
            let table = akia_usage::answer::table(&answer).map_err(unprintable)?;
            context.print_text(&format!("{}\n", visible(&table)))?;
        }
        Format::Json => {
            let rows = akia_usage::answer::json(&answer).map_err(unprintable)?;
            context.print_json(&serde_json::json!({ "schema": "akia.usage-sql/1", "rows": rows }))?;
        }
        Format::Csv => context.print_text(&akia_usage::answer::csv(&answer).map_err(unprintable)?)?,
    }
    let unread: Vec<_> = receipts.iter().flat_map(akia_usage::problems).collect();
    for problem in &unread {
        context.say(&format!("{}: {}", problem.file, problem.why));
    }
    if unread.is_empty() {
        return Ok(Exit::Done);
    }
    context.say(&format!("{} could not be read: the answer is without them", counted(unread.len(), "log")));
    Ok(Exit::Partly)
}
