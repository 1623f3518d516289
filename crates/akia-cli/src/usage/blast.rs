//! `akia usage blast`.

use akia_core::usage::Blast;
use akia_usage::About;
use jiff::Timestamp;
use serde_json::json;

use super::open;
use crate::audit::words::counted;
use crate::commands::usage::BlastArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Tone};

pub(crate) async fn run(context: &Context, args: BlastArgs) -> Result<Exit, CommandError> {
    let desk = open::open_loaded(context, &args.facts).await?;
    let about = About {
        key: Some(args.key.to_string()),
        since: args.since.map(|since| since.moment(Timestamp::now())),
        ..About::default()
    };
    let facts = desk.facts(&about).await.map_err(|error| open::failed(&error))?;
    let Some(user) = facts.first().map(|fact| fact.user.clone()) else {
        return Err(open::nobody(&desk, args.key.as_str()).await);
    };
    let blast = Blast::of(&facts);
    if context.format() == Format::Json {
        context.print_json(&json!({
            "schema": "akia.usage-blast/1",
            "key": args.key.as_str(),
            "user": user,
            "left_something": blast.left_something(),
            "did": blast,
        }))?;
    } else {
        context.print(&report(&blast))?;
    }
    let reads: u64 = blast.reads.values().sum();
    let reads = counted(reads, "call");
    context.say(&format!("{reads} that only read or list, of {}", counted(blast.reads.len(), "service")));
    if !blast.sessions.is_empty() {
        context.say("what was done in the sessions is under keys of their own (ASIA…): akia usage sql --logs PLACE");
    }
    if blast.left_something() {
        context.say(&format!("to shut the key and look after what outlives it: akia contain {}", args.key));
    }
    Ok(Exit::Done)
}

fn report(blast: &Blast) -> Report {
    let columns = vec![
        Column::whole("what", "WHAT"),
        Column::whole("call", "CALL"),
        Column::whole("calls", "CALLS"),
        Column::whole("first", "FIRST"),
        Column::whole("last", "LAST"),
        Column::new("resources", "UPON"),
        Column::new("ips", "FROM"),
    ];
    let mut report = Report::new("usage-blast", "calls", columns);
    let tones = [Tone::Bad, Tone::Bad, Tone::Bad, Tone::Warning, Tone::Warning, Tone::Quiet];
    for ((what, list), tone) in blast.lists().into_iter().zip(tones) {
        for did in list {
            report.push(vec![
                Cell::text(what).tone(tone),
                Cell::text(&did.call),
                Cell::count(did.calls),
                Cell::time(did.first),
                Cell::time(did.last),
                Cell::list(&did.resources),
                Cell::list(&did.ips),
            ]);
        }
    }
    report
}
