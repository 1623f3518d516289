//! `akia service list`.

use akia_core::estate::{Console, Estate, Known, User};
use akia_core::key::{KeyStatus, LastUsed};
use akia_core::rule::owner_of;
use akia_core::settings::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::reading::Account;
use crate::audit::words::counted;
use crate::commands::service::ListArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone, age};

/// Runs the command.
///
/// # Errors
/// When the account cannot be read.
pub(crate) async fn run(context: &Context, args: &ListArgs) -> Result<Exit, CommandError> {
    let settings = args.config.load(context)?.settings;
    let estate = Account::open(context).await?.services(&settings.audit, context.started_at).await?;
    let columns = vec![
        Column::new("user", "USER"),
        Column::new("path", "PATH"),
        Column::new("owner", "OWNER"),
        Column::new("purpose", "PURPOSE"),
        Column::new("groups", "GROUPS"),
        Column::new("console", "CONSOLE"),
        Column::new("keys", "KEYS"),
    ];
    let mut report = Report::new("service-list", "services", columns);
    report.fact("account", json!(estate.account.id));
    for user in &estate.users {
        report.push(row(&estate, user, &settings, context.started_at));
    }
    context.print(&report)?;
    context.say(&format!("{} in account {}", counted(estate.users.len(), "service user"), estate.account.id));
    if estate.users.is_empty() {
        context
            .say("which users count as a service's: [audit.service-users] in akia.toml; make one: akia service create");
    }
    Ok(Exit::Done)
}

fn row(estate: &Estate, user: &User, settings: &Settings, now: Timestamp) -> Row {
    let limits = settings.audit.limits_of(estate, Some(user));
    let owner = owner_of(estate, &limits, Some(user), None);
    let (groups, purpose) = match &user.details {
        Known::Told(details) => {
            let purpose = details.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case("purpose"));
            (Cell::list(&details.groups), Cell::maybe(purpose.map(|(_, value)| value)))
        }
        Known::Unknown { .. } => (Cell::empty().shown_as("unknown"), Cell::empty().shown_as("unknown")),
    };
    let console = match user.console {
        Console::Without => Cell::yes_no(false),
        Console::With { .. } => Cell::yes_no(true).tone(Tone::Warning),
    };
    let keys: Vec<String> = user.keys.iter().map(|key| key_words(key, now)).collect();
    let mut row = Row::from(vec![
        Cell::text(user.name()),
        Cell::text(&user.arn.path),
        Cell::maybe(owner.map(|owner| owner.name)),
        purpose,
        groups,
        console,
        Cell::list(&keys),
    ]);
    row.details.insert("arn".into(), json!(user.arn));
    row.details.insert("mfa".into(), json!(user.mfa_active));
    row.details.insert("tags".into(), json!(user.details.told().map(|details| &details.tags)));
    row.details.insert("keys".into(), user.keys.iter().map(key_json).collect());
    row
}

fn key_words(key: &akia_core::estate::Key, now: Timestamp) -> String {
    let id = key.id.as_ref().map_or_else(|| "(id not known)".to_owned(), ToString::to_string);
    let old = match &key.created_at {
        Known::Told(at) => format!("{} old", age::between(*at, now)),
        Known::Unknown { .. } => "age unknown".to_owned(),
    };
    let used = match &key.last_used {
        LastUsed::Never => "never used".to_owned(),
        LastUsed::At { at, service, .. } => format!("used {} ago ({service})", age::between(*at, now)),
        LastUsed::Unknown { .. } => "last use unknown".to_owned(),
    };
    let state = match key.status {
        KeyStatus::Active => "",
        KeyStatus::Inactive => "inactive; ",
    };
    format!("{id} ({state}{old}; {used})")
}

fn key_json(key: &akia_core::estate::Key) -> Value {
    let used = match &key.last_used {
        LastUsed::Never => json!({ "state": "never" }),
        LastUsed::At { at, service, region } => {
            json!({ "state": "used", "at": at, "service": service, "region": region })
        }
        LastUsed::Unknown { reason } => json!({ "state": "unknown", "reason": reason }),
    };
    json!({
        "access_key": key.id, "status": key.status, "created_at": key.created_at.told(), "last_used": used,
    })
}
