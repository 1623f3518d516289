//! `akia usage key`.

use std::fmt::Write as _;

use akia_core::usage::{Part, Summary, summary};
use akia_usage::About;
use jiff::Timestamp;
use serde_json::json;

use super::known::Known;
use super::{open, page};
use crate::audit::words::counted;
use crate::commands::usage::KeyArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::output::escape::visible;

/// Rows of a list that a terminal shows; JSON and the page have all.
const SHOWN: usize = 8;
/// Columns of the longest bar.
const WIDEST: usize = 30;

pub(crate) async fn run(context: &Context, args: KeyArgs) -> Result<Exit, CommandError> {
    let known = Known::read(context, &args.known)?;
    let desk = open::open_loaded(context, &args.facts).await?;
    let now = Timestamp::now();
    let about = About {
        key: Some(args.key.to_string()),
        since: args.since.map(|since| since.moment(now)),
        until: args.until.map(|until| until.moment(now)),
        ..About::default()
    };
    let facts = desk.facts(&about).await.map_err(|error| open::failed(&error))?;
    let Some(summary) = summary(&facts, &known.networks, &*known.atlas) else {
        return Err(open::nobody(&desk, args.key.as_str()).await);
    };
    let user = facts.first().map(|fact| fact.user.as_str()).unwrap_or_default();
    if let Some(path) = &args.html {
        let html = page::page(args.key.as_str(), user, &summary, now);
        std::fs::write(path, html).map_err(|error| {
            CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
                .next("name another file with --html")
        })?;
        context.say(&format!("written into {}", path.display()));
        return Ok(Exit::Done);
    }
    match context.format() {
        Format::Json => context.print_json(&json!({
            "schema": "akia.usage-key/1",
            "key": args.key.as_str(),
            "user": user,
            "use": summary,
        }))?,
        Format::Table | Format::Csv => context.print_text(&text(args.key.as_str(), user, &summary))?,
    }
    Ok(Exit::Done)
}

fn text(key: &str, user: &str, of: &Summary) -> String {
    let mut text = format!("{key}  {}\n", visible(user));
    let calls = counted(of.calls, "call");
    let _ = writeln!(text, "{calls} between {} and {}, {} of them with an error\n", of.first, of.last, of.errors);
    section(
        &mut text,
        "FOR WHAT",
        of.services.iter().map(|one| (one.calls, format!("{}: {}", one.service, names(&one.actions)))),
    );
    section(&mut text, "IN REGION", of.regions.iter().map(|one| (one.calls, one.name.clone())));
    section(
        &mut text,
        "FROM",
        of.networks.iter().map(|one| {
            let place = one.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
            (one.calls, format!("{}{place}: {}", one.network, names(&one.addresses)))
        }),
    );
    section(
        &mut text,
        "WITH",
        of.agents.iter().map(|one| {
            let on =
                one.machine.as_ref().or(one.environment.as_ref()).map(|on| format!(" on {on}")).unwrap_or_default();
            let danger = if one.offensive { "  (a tool of attackers)" } else { "" };
            (one.calls, format!("{}{on}{danger}", one.program))
        }),
    );
    section(&mut text, "ERRORS", of.failures.iter().map(|one| (one.calls, one.name.clone())));
    let most = of.by_hour.iter().copied().max().unwrap_or(0).max(1);
    text.push_str("BY HOUR OF THE DAY, UTC\n");
    for (hour, calls) in of.by_hour.iter().enumerate() {
        let width = usize::try_from(calls * WIDEST as u64 / most).unwrap_or(WIDEST);
        let bar = "#".repeat(if *calls > 0 { width.max(1) } else { 0 });
        let _ = writeln!(text, "  {hour:02}  {bar:<WIDEST$}  {calls}");
    }
    text
}

fn section(text: &mut String, title: &str, rows: impl Iterator<Item = (u64, String)>) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}");
    for (calls, what) in rows.iter().take(SHOWN) {
        let _ = writeln!(text, "  {calls:>9}  {}", visible(what));
    }
    if rows.len() > SHOWN {
        let _ = writeln!(text, "  {:>9}  {} more: --output json", "", rows.len() - SHOWN);
    }
    text.push('\n');
}

/// Some names, and how many more there are.
fn names(parts: &[Part]) -> String {
    const SOME: usize = 4;
    let some: Vec<&str> = parts.iter().take(SOME).map(|part| part.name.as_str()).collect();
    let more = if parts.len() > SOME { format!(" and {} more", parts.len() - SOME) } else { String::new() };
    format!("{}{more}", some.join(", "))
}
