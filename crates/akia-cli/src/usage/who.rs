//! `akia usage shared` and `akia usage machines`: who is behind the calls of a key.

use akia_core::usage::{Fact, MachineUse, Sharing, View, machines, shared};
use akia_usage::About;
use jiff::Timestamp;
use serde_json::json;

use super::known::Known;
use super::open;
use crate::audit::words::counted;
use crate::commands::usage::WhoArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Tone};

/// Lists keys that several people seem to use.
pub(crate) async fn shared_keys(context: &Context, args: WhoArgs) -> Result<Exit, CommandError> {
    let found = look(context, &args, shared).await?;
    let told: Vec<&Sharing> = found.iter().filter(|one| args.all || one.is_shared()).collect();
    if context.format() == Format::Json {
        context.print_json(&json!({ "schema": "akia.usage-shared/1", "keys": told }))?;
    } else {
        let mut report = table("usage-shared", "SCORE");
        for one in &told {
            for (at, evidence) in one.evidence.iter().enumerate() {
                let score = (one.score, one.is_shared());
                report.push(row(at, &one.key, &one.user, score, &format!("{} (+{})", evidence.what, evidence.weight)));
            }
        }
        context.print(&report)?;
    }
    let shared = found.iter().filter(|one| one.is_shared()).count();
    Ok(verdict(context, shared, "several people, or a person and a machine, seem to use", "shared"))
}

/// Lists keys of people that machines seem to use.
pub(crate) async fn keys_on_machines(context: &Context, args: WhoArgs) -> Result<Exit, CommandError> {
    let found = look(context, &args, machines).await?;
    let told: Vec<&MachineUse> = found.iter().filter(|one| args.all || one.is_on_machine()).collect();
    if context.format() == Format::Json {
        context.print_json(&json!({ "schema": "akia.usage-machines/1", "keys": told }))?;
    } else {
        let mut report = table("usage-machines", "SURE");
        for one in &told {
            for (at, sign) in one.signs.iter().enumerate() {
                let sure = (one.confidence, one.is_on_machine());
                let what = format!(
                    "{} by {}: {} on {} ({} %)",
                    sign.machine,
                    sign.kind.as_str(),
                    counted(sign.calls, "call"),
                    counted(sign.days, "day"),
                    sign.confidence
                );
                report.push(row(at, &one.key, &one.user, sure, &what));
            }
        }
        context.print(&report)?;
    }
    let on_machines = found.iter().filter(|one| one.is_on_machine()).count();
    Ok(verdict(context, on_machines, "seem to be a person's on a machine", "machines"))
}

/// Asks the facts of all keys, or of one.
async fn look<T>(
    context: &Context,
    args: &WhoArgs,
    ask: fn(&[Fact], &View<'_>) -> Vec<T>,
) -> Result<Vec<T>, CommandError> {
    let known = Known::read(context, &args.known)?;
    let desk = open::open_loaded(context, &args.facts).await?;
    let about = About {
        key: args.key.as_ref().map(ToString::to_string),
        since: Some(args.since.moment(Timestamp::now())),
        ..About::default()
    };
    let facts = desk.facts(&about).await.map_err(|error| open::failed(&error))?;
    if facts.is_empty()
        && let Some(key) = &args.key
    {
        return Err(open::nobody(&desk, key.as_str()).await);
    }
    let is_service = |arn: &str| known.prefix.begins(arn.rsplit('/').next().unwrap_or_default());
    Ok(ask(&facts, &View { networks: &known.networks, atlas: &*known.atlas, is_service: &is_service }))
}

fn table(command: &'static str, score: &'static str) -> Report {
    let columns = vec![
        Column::whole("key", "KEY"),
        Column::new("user", "USER"),
        Column::whole("score", score),
        Column::new("what", "WHY"),
    ];
    Report::new(command, "keys", columns)
}

/// A line of evidence; the key stands before the first one only.
fn row(at: usize, key: &str, user: &str, (score, is_over): (u8, bool), what: &str) -> Vec<Cell> {
    let name = user.rsplit('/').next().unwrap_or(user);
    let score = Cell::number(i64::from(score)).tone(if is_over { Tone::Bad } else { Tone::Plain });
    let again = |cell: Cell| if at == 0 { cell } else { cell.shown_as("") };
    vec![again(Cell::text(key)), again(Cell::text(name)), again(score), Cell::text(what)]
}

fn verdict(context: &Context, number: usize, what: &str, page: &str) -> Exit {
    if number == 0 {
        context.say(&format!("no key that {what}"));
        return Exit::Done;
    }
    context.say(&format!("{} that {what}; docs/usage-shared.md says how sure that is", counted(number, "key")));
    context.say(&format!("to look at one: akia usage {page} KEY-ID --all --output json"));
    Exit::Findings
}
