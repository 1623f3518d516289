//! What is told in the end: a table, JSON, and files for the incident.

use std::path::{Path, PathBuf};

use akia_core::cheatsheet::Step;
use akia_core::contain::{Remnant, Strategy};
use akia_core::estate::Known;
use serde_json::{Value, json};

use super::case::Case;
use super::page;
use crate::commands::contain::ContainArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row, Tone, render_json};

/// The forms of a report, by the ends of names.
const FORMS: [&str; 3] = ["html", "md", "json"];

/// A path whose name says in which form a report goes there.
pub(crate) fn report_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let form = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_lowercase();
    if FORMS.contains(&form.as_str()) { Ok(path) } else { Err("its name ends in .html, .md or .json".to_owned()) }
}

/// Prints the table and what comes next, and writes the files.
///
/// # Errors
/// When one of them cannot be written.
pub(super) fn report(context: &Context, args: &ContainArgs, cases: &[Case]) -> Result<(), CommandError> {
    let printed = table(context, cases);
    for path in &args.reports {
        write(context, path, cases)?;
    }
    printed
}

/// Prints the table and what comes next.
///
/// # Errors
/// When stdout cannot be written.
pub(super) fn table(context: &Context, cases: &[Case]) -> Result<(), CommandError> {
    let report = rows(context, cases);
    context.print_done(&report)?;
    for case in cases {
        for note in &case.notes {
            context.say(&format!("note: {note}"));
        }
        for (index, next) in case.commands().iter().enumerate() {
            context.say(&format!("{} {next}", if index == 0 { "next:" } else { "     " }));
        }
        if !case.cleanup.is_empty() {
            context.say(&format!("repositories: {} steps take {} out of their history", case.cleanup.len(), case.key));
            for step in &case.cleanup {
                context.say(&format!("  # {}", step.what));
                if let Some(command) = &step.command {
                    context.say(&format!("  {command}"));
                }
            }
        }
    }
    Ok(())
}

fn rows(context: &Context, cases: &[Case]) -> Report {
    let mut report = Report::new(
        "contain",
        "cases",
        vec![
            Column::whole("access_key", "KEY"),
            Column::new("user", "USER"),
            Column::whole("account", "ACCOUNT"),
            Column::whole("strategy", "STRATEGY"),
            Column::new("state", "STATE"),
        ],
    );
    report.fact("at", json!(context.started_at));
    for case in cases {
        let strategy = case.containment.as_ref().map(akia_core::contain::Containment::strategy).or(case.strategy);
        let tone = match case.exit() {
            Exit::Done => Tone::Good,
            Exit::Interrupted | Exit::Decision => Tone::Warning,
            Exit::Failed | Exit::Usage | Exit::Partly | Exit::Findings | Exit::Incomplete => Tone::Bad,
        };
        let mut row = Row::from(vec![
            Cell::text(&case.key),
            Cell::maybe(case.user.as_ref().map(|user| &user.name)),
            Cell::text(&case.account),
            Cell::maybe(strategy.map(Strategy::as_str)),
            Cell::text(case.words()).tone(tone),
        ]);
        if context.format() == Format::Json {
            row.details = details(case).as_object().cloned().unwrap_or_default();
        }
        report.push(row);
    }
    report
}

/// Everything about a case.
fn details(case: &Case) -> Value {
    let one = case.containment.as_ref();
    json!({
        "state": case.state(),
        "told": case.words(),
        "containment": one.map(|one| one.opening().id.clone()),
        "quarantine": one.map(|one| one.opening().quarantine.clone()),
        "rotation": one.and_then(|one| one.rotation().cloned()),
        "new_key": case.new_key,
        "held": one.and_then(|one| one.held().map(str::to_owned)),
        "verified_at": one.and_then(akia_core::contain::Containment::verified_at),
        "user_arn": case.user,
        "known_by": case.known_by,
        "status": case.status,
        "created_at": case.created_at,
        "last_used": case.last_used,
        "held_by_profiles": case.holders,
        "leaked_at": case.leaked_at,
        "leaks": case.leaks,
        "reach": case.reach,
        "footprint": case.footprint,
        "logs": case.logs,
        "timeline": case.timeline(),
        "cleanup": case.cleanup,
        "notes": case.notes,
        "next": case.commands(),
    })
}

fn write(context: &Context, path: &Path, cases: &[Case]) -> Result<(), CommandError> {
    let form = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_lowercase();
    let text = match form.as_str() {
        "html" => page::html(context.started_at, cases),
        "md" => page::markdown(context.started_at, cases),
        _ => {
            let mut report = Report::new(
                "contain",
                "cases",
                vec![
                    Column::whole("access_key", "KEY"),
                    Column::new("user", "USER"),
                    Column::whole("account", "ACCOUNT"),
                ],
            );
            report.fact("at", json!(context.started_at));
            for case in cases {
                let mut row = Row::from(vec![
                    Cell::text(&case.key),
                    Cell::maybe(case.user.as_ref().map(|user| &user.name)),
                    Cell::text(&case.account),
                ]);
                row.details = details(case).as_object().cloned().unwrap_or_default();
                report.push(row);
            }
            render_json(&report)
        }
    };
    std::fs::write(path, text).map_err(|error| {
        CommandError::new(Exit::Partly, format_args!("the report {} cannot be written: {error}", path.display()))
            .now("what was done stands in the journal")
            .next("the same command again writes it; what is contained is not contained twice")
    })?;
    context.say(&format!("report: {}", path.display()));
    Ok(())
}

/// A command of a remnant as it is pasted.
pub(super) fn line(words: &[String]) -> String {
    Step::new("", words.iter().cloned()).shell()
}

/// Why the reach of a key is not known, where it is not.
pub(super) fn unknown<T>(known: &Known<T>) -> Option<&str> {
    known.reason()
}

/// The lines of a remnant.
pub(super) fn commands(remnant: &Remnant) -> [String; 2] {
    [line(&remnant.show), line(&remnant.undo)]
}
