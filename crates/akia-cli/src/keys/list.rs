//! The keys of a user.

use akia_core::cheatsheet::Operation;
use akia_core::rotation::{Hold, Rotation};
use akia_core::{AccessKey, LastUsed, UserName};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::holders::{Holders, keys_behind};
use super::subject::{Subject, last_used};
use crate::aws_cli;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row, Tone, age};
use crate::rotations::Known;
use crate::signing::Mfa;

/// Runs `akia key list`.
///
/// # Errors
/// When the keys cannot be listed.
pub async fn run(context: &Context, user: Option<&UserName>) -> Result<Exit, CommandError> {
    let subject = Subject::find(context, user, Mfa::IfGiven).await?;
    if context.globals.show_aws_cli {
        let list = Operation::ListAccessKeys { user: Some(subject.whose.user.clone()) };
        aws_cli::print(context, &[aws_cli::step(&list, &subject.connection(context))]);
    }
    let mut keys = subject.keys().await?;
    keys.sort_by_key(|key| key.created_at);
    let uses = join_all(keys.iter().map(|key| last_used(&subject.signed.caller, &key.id))).await;
    let holders = Holders::find(context, &subject.files)?;
    let (rotations, journal_error) = match Known::of_journal(context).await {
        Ok(known) => known.shown(),
        Err(error) => (Vec::new(), Some(error)),
    };
    let is_table = context.format() == Format::Table;
    let mut columns = vec![
        Column::whole("access_key", "ACCESS KEY"),
        Column::whole("status", "STATUS"),
        Column::whole("created_at", "AGE"),
    ];
    columns.extend(use_columns(is_table));
    columns.extend([Column::new("profiles", "PROFILES"), Column::new("rotation", "ROTATION")]);
    let mut report = Report::new("key-list", "keys", columns);
    report.fact("user", subject.whose.user.as_str());
    report.fact("account", subject.whose.account.as_str());
    let behind = subject.signed.profile.as_ref().map(|name| keys_behind(&subject.files, name)).unwrap_or_default();
    for (key, used) in keys.iter().zip(&uses) {
        let hold = hold(context, &rotations, key);
        let mut cells =
            vec![Cell::text(&key.id), Cell::text(key.status.as_str()), Cell::age(key.created_at, context.started_at)];
        cells.extend(use_cells(context, used, is_table));
        cells.extend([Cell::list(holders.words(&key.id)), hold_cell(hold.as_ref(), is_table)]);
        let mut row = Row::from(cells);
        let age_days = context.started_at.duration_since(key.created_at).as_hours() / 24;
        row.details.insert("age_days".into(), json!(age_days));
        row.details.insert("last_used".into(), json!(used));
        row.details.insert("role_profiles".into(), json!(holders.through(&key.id)));
        row.details.insert("signs".into(), json!(subject.signed.key == key.id || behind.contains(&key.id)));
        row.details.insert("rotation".into(), hold_value(hold.as_ref()));
        report.push(row);
    }
    if is_table && !keys.is_empty() {
        context.say(&format!("keys of {}", subject.owner()));
    }
    context.print(&report)?;
    for (key, used) in keys.iter().zip(&uses) {
        if let LastUsed::Unknown { reason } = used {
            context.say(&format!("note: the last use of {} is unknown: {reason}", key.id));
        }
    }
    for name in &holders.unknown {
        context.say(&format!("note: the keychain does not tell which key profile \"{name}\" holds"));
    }
    if let Some(error) = &journal_error {
        context.say(&format!("note: rotations are not shown: {}", error.what));
    }
    if keys.is_empty() {
        context.say(&format!("{} has no access key", subject.owner()));
        context.say(&format!("next: akia key create --into PROFILE{}", subject.whose.flag()));
    }
    Ok(if journal_error.is_some() { Exit::Partly } else { Exit::Done })
}

/// The columns of a last use: one for people, three for programs.
pub(super) fn use_columns(is_table: bool) -> Vec<Column> {
    if is_table {
        vec![Column::new("last_used", "LAST USED")]
    } else {
        vec![
            Column::whole("last_used_at", "LAST USED"),
            Column::new("last_used_service", "SERVICE"),
            Column::new("last_used_region", "REGION"),
        ]
    }
}

/// The cells of a last use, for [`use_columns`].
pub(super) fn use_cells(context: &Context, used: &LastUsed, is_table: bool) -> Vec<Cell> {
    match (used, is_table) {
        (LastUsed::Never, true) => vec![Cell::text("never")],
        (LastUsed::Unknown { .. }, true) => vec![Cell::text("unknown").tone(Tone::Warning)],
        (LastUsed::At { at, service, region }, true) => {
            vec![Cell::text(format!("{} {service} {region}", age::between(*at, context.started_at)))]
        }
        (LastUsed::At { at, service, region }, false) => {
            vec![Cell::time(*at), Cell::text(service), Cell::text(region)]
        }
        (LastUsed::Never | LastUsed::Unknown { .. }, false) => vec![Cell::empty(), Cell::empty(), Cell::empty()],
    }
}

/// The latest rotation of this machine that has its hand on the key.
fn hold<'a>(context: &Context, rotations: &'a [Rotation], key: &AccessKey) -> Option<(&'a Rotation, Hold)> {
    let hold = |rotation: &'a Rotation| Some((rotation, rotation.hold_on(&key.id, context.started_at)?));
    rotations.iter().rev().find_map(hold)
}

fn hold_cell(hold: Option<&(&Rotation, Hold)>, is_table: bool) -> Cell {
    let Some((rotation, hold)) = hold else { return Cell::empty() };
    let id = &rotation.plan().id;
    let words = match hold {
        Hold::Working => format!("{id} works on it"),
        Hold::Grace { until, .. } => format!("{id} keeps it until {}", until.strftime("%Y-%m-%d")),
    };
    if is_table { Cell::text(words) } else { Cell::text(id) }
}

fn hold_value(hold: Option<&(&Rotation, Hold)>) -> Value {
    let Some((rotation, hold)) = hold else { return Value::Null };
    let id = &rotation.plan().id;
    match hold {
        Hold::Working => json!({ "id": id, "hold": "unfinished", "stage": rotation.stage_name() }),
        Hold::Grace { until, undone: false } => json!({ "id": id, "hold": "grace", "until": until.to_string() }),
        Hold::Grace { until, undone: true } => json!({ "id": id, "hold": "undone", "until": until.to_string() }),
    }
}
