//! The life of one key: what is known of it, what happened to it and what will, and how to mend it.

use akia_core::cheatsheet::{Fill, Topic, sheet};
use akia_core::finding::{Finding as CoreFinding, Subject};
use akia_core::rule;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::exemptions::{self, Shown, Standing, is_of};
use super::picture::{Mark, line};
use super::{parts, words};
use crate::DatabaseError;
use crate::access::{Change, Visitor};
use crate::estate::{Finding, Row};
use crate::record::{Ask, Kind, Moment, Thread, Told};
use crate::sight::Role;
use crate::web::Shared;

/// What the page shows.
struct Life {
    identity: String,
    /// As the latest audit has it; absent where the key is gone by then.
    row: Option<Row>,
    threads: Vec<Thread>,
    told: Vec<Told>,
    exemptions: Vec<Shown>,
    may_exempt: bool,
}

/// Something in the key's life: when, what, in words, and whether it is yet to come.
struct Entry {
    at: i64,
    moment: &'static str,
    words: String,
    thread: Option<String>,
    is_ahead: bool,
}

pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor, Path(identity): Path<String>) -> Response {
    match read(&shared, &visitor, &identity).await {
        Ok(Some(life)) => {
            let main = main(&life, &visitor, shared.now());
            super::framed(&visitor, "/keys", &format!("Key {identity}"), main).into_response()
        }
        Ok(None) => super::not_yours(),
        Err(error) => super::failed(&error),
    }
}

async fn read(shared: &Shared, visitor: &Visitor, identity: &str) -> Result<Option<Life>, DatabaseError> {
    let sight = &visitor.person.sight();
    let row = shared.estate.key(sight, identity).await?;
    let ask = Ask { key: Some(identity.to_owned()), size: u32::MAX, ..Ask::default() };
    let threads = shared.records.threads(sight, &ask).await?.rows;
    if row.is_none() && threads.is_empty() {
        return Ok(None);
    }
    let told = shared.records.life(sight, identity).await?;
    // Also those that have ended.
    let mut exemptions = exemptions::all(shared).await?;
    exemptions.retain(|one| row.as_ref().is_some_and(|row| is_of(&one.exemption, row)));
    let may_exempt = exemptions::may_grant(shared, visitor);
    Ok(Some(Life { identity: identity.to_owned(), row, threads, told, exemptions, may_exempt }))
}

fn main(life: &Life, visitor: &Visitor, now: i64) -> Markup {
    let entries = entries(life, now);
    let marks: Vec<Mark> = entries
        .iter()
        .map(|one| Mark { at: one.at, words: format!("{}: {}", one.moment, one.words), is_ahead: one.is_ahead })
        .collect();
    html! {
        @match &life.row {
            Some(row) => (facts(row, &life.threads, now)),
            None => p { "The latest audit does not have this key any more: what follows is what the journal tells." },
        }
        @if let Some(deadline) = entries.iter().find(|one| one.is_ahead) {
            p.deadline { strong { "Next: " (deadline.words) } ", " (parts::moment(deadline.at)) " (" (words::off(deadline.at, now)) ")" }
        }
        @if let Some(row) = &life.row {
            @if !row.findings.is_empty() { h2 { "What is wrong" } (findings(row)) }
        }
        h2 { "Its life" }
        (line("The life of the key", &marks, now))
        ol.life {
            @for one in &entries {
                li class=[one.is_ahead.then_some("later")] {
                    (parts::moment(one.at)) " " strong { (one.moment) } " " (one.words)
                    @if one.is_ahead { " (to come)" }
                    @if let Some(thread) = &one.thread { " " (way(thread, &life.threads)) }
                }
            }
        }
        @if !life.threads.is_empty() { h2 { "What akia does about it" } }
        @for one in &life.threads {
            section {
                h3 { (one.kind.as_str()) " " (words::thread(one)) }
                p { (one.state) @if one.needs_person { " " strong { "needs a person" } } }
                (words::steps(&one.steps, now))
                (words::commands(&one.commands))
                @if is_shut(one) && may_reactivate(visitor) {
                    form.inline method="post" action={ "/keys/" (life.identity) "/reactivate" } {
                        (visitor.form_field())
                        div.field {
                            label for="reason" { "Why it is to work again" }
                            input id="reason" name="reason" required maxlength="200";
                        }
                        button { "Activate it again" }
                    }
                }
            }
        }
        @if !life.exemptions.is_empty() {
            h2 { "Exemptions" }
            ul {
                @for one in &life.exemptions {
                    li {
                        (one.exemption.words())
                        @match (Standing::of(one, now), &one.withdrawn) {
                            (_, Some((person, at))) => { " (withdrawn by " (person) ", " (parts::moment(*at)) ")" }
                            (Standing::Ended, None) => " (ended)",
                            (_, None) => {}
                        }
                    }
                }
            }
        }
        @if let Some(row) = life.row.as_ref().filter(|row| life.may_exempt && row.key_id.is_some()) { (exemptions::form(visitor, row)) }
        @if let Some(row) = &life.row { (by_hand(row)) }
    }
}

/// Whether enforcement has shut the key, and has not deleted it.
fn is_shut(thread: &Thread) -> bool {
    thread.kind == Kind::Case && !thread.is_over && matches!(thread.stage.as_str(), "deactivated" | "soaked")
}

fn may_reactivate(visitor: &Visitor) -> bool {
    visitor.person.role >= Role::Operator && visitor.person.sight().is_all()
}

/// What the form brings along.
#[derive(Debug, Deserialize)]
pub(super) struct Reactivate {
    reason: String,
}

/// Makes a run that activates a key again which enforcement has shut.
pub(super) async fn reactivate(
    State(shared): State<Shared>,
    Path(identity): Path<String>,
    Change { visitor, form }: Change<Reactivate>,
) -> Response {
    let life = match read(&shared, &visitor, &identity).await {
        Ok(life) => life.filter(|life| may_reactivate(&visitor) && life.threads.iter().any(is_shut)),
        Err(error) => return super::failed(&error),
    };
    if life.is_none() {
        return super::not_yours();
    }
    let reason = super::reason(&form.reason);
    if reason.is_empty() {
        return (StatusCode::BAD_REQUEST, "say why\n").into_response();
    }
    let reason = format!("--reason={reason} ({})", visitor.person.name);
    let command = ["enforce", "reactivate", &identity, "--yes", &reason].map(str::to_owned);
    match shared.runs.ask(&format!("reactivate {identity}"), &command, &visitor.person.name, shared.now()).await {
        Ok(id) => Redirect::to(&format!("/runs/{id}")).into_response(),
        Err(error) => super::failed(&error),
    }
}

fn way(thread: &str, threads: &[Thread]) -> Markup {
    threads.iter().find(|one| one.id == thread).map_or_else(|| html! { code { (thread) } }, words::thread)
}

fn facts(row: &Row, threads: &[Thread], now: i64) -> Markup {
    let places: Vec<&str> = threads
        .iter()
        .filter(|one| one.kind == Kind::Rotation && one.new_key_id.is_some() && one.new_key_id == row.key_id)
        .flat_map(|one| &one.places)
        .filter(|(_, is_there)| *is_there)
        .map(|(place, _)| place.as_str())
        .collect();
    html! {
        dl.facts {
            dt { "Owner" } dd { (row.owner.as_deref().unwrap_or("nobody answers for it")) }
            dt { "Account" } dd { (row.account_id) @if let Some(name) = &row.account_name { " (" (name) ")" } }
            dt { "User" } dd { (row.user_name.as_deref().unwrap_or("the root user")) }
            dt { "Status" } dd {
                (if row.is_active { "active" } else { "inactive" })
                @if row.is_quarantined == Some(true) { ", in AWS's quarantine" }
            }
            dt { "Age" } dd { @match row.age_days(now) { Some(days) => { (days) " days" } None => "not known" } }
            dt { "Last use" } dd { (last_use(row)) }
            @if !places.is_empty() {
                dt { "Places" } dd { ul { @for place in places { li { (place) } } } }
            }
            dt { "As of" } dd { (parts::moment(row.as_of)) }
        }
    }
}

fn last_use(row: &Row) -> Markup {
    let at = row.last_used_at;
    html! {
        @match (row.last_used.as_str(), at) {
            ("never", _) => "never",
            (_, Some(at)) => {
                (parts::moment(at))
                @if let Some(service) = &row.last_used_service { ", " (service) }
                @if let Some(region) = &row.last_used_region { " in " (region) }
            }
            _ => "not known",
        }
    }
}

fn findings(row: &Row) -> Markup {
    html! {
        (parts::table("What is wrong", html! {
            thead { tr { th { "Severity" } th { "What" } th { "Evidence" } th { "What to do" } } }
            tbody {
                @for one in &row.findings {
                    tr {
                        td { (one.severity) }
                        td { (rule::find(&one.rule).map_or(one.rule.as_str(), |rule| rule.title)) }
                        td { (one.detail) }
                        td {
                            @if let Some(rule) = rule::find(&one.rule) { (rule.fix) }
                            @if let Some(command) = command(row, one) { " " code { (command) } }
                        }
                    }
                }
            }
        }))
    }
}

/// akia's command that mends a finding.
fn command(row: &Row, finding: &Finding) -> Option<String> {
    let whole = CoreFinding {
        rule: finding.rule.clone(),
        severity: finding.severity,
        account: row.account_id.parse().ok()?,
        account_name: None,
        subject: Subject::User { arn: std::sync::Arc::new(row.user_arn.as_deref()?.parse().ok()?) },
        key: row.key_id.as_deref().and_then(|key| key.parse().ok()),
        key_created_at: None,
        detail: String::new(),
        owner: None,
    };
    let words: Vec<String> = whole.command()?.into_iter().map(akia_core::cheatsheet::quote).map(String::from).collect();
    Some(words.join(" "))
}

/// The AWS CLI's commands: what akia would do, by hand.
fn by_hand(row: &Row) -> Markup {
    let (Some(user), Some(key)) = (
        row.user_name.as_deref().and_then(|user| user.parse().ok()),
        row.key_id.as_deref().and_then(|key| key.parse().ok()),
    ) else {
        return html! {};
    };
    let fill = Fill { user: Some(user), acts_on_others: true, key: Some(key), ..Fill::default() };
    let topics: &[Topic] = if row.is_active {
        &[Topic::Rotate, Topic::Deactivate, Topic::Leak]
    } else {
        &[Topic::Activate, Topic::Delete]
    };
    html! {
        h2 { "By hand, with the AWS CLI" }
        @for topic in topics {
            details {
                summary { (topic.as_str()) }
                pre { code { @for step in sheet(*topic, &fill) { (step.render()) } } }
            }
        }
    }
}

/// Everything with a time, the earliest first: what the estate, the journal and the settings tell, and what is to come.
fn entries(life: &Life, now: i64) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |at: i64, moment: Moment, words: String, thread: Option<String>| {
        entries.push(Entry { at, moment: moment.as_str(), words, thread, is_ahead: at > now });
    };
    let has = |moment: Moment| life.told.iter().any(|told| told.moment == Some(moment));
    if let Some(row) = &life.row {
        if let Some(at) = row.created_at.filter(|_| !has(Moment::Created)) {
            add(at, Moment::Created, "by IAM's own date".to_owned(), None);
        }
        if let Some(at) = row.reactivated_at.filter(|_| !has(Moment::Activated)) {
            add(at, Moment::Activated, "by the credential report".to_owned(), None);
        }
        if let Some(at) = row.last_used_at {
            let service = row.last_used_service.as_deref().unwrap_or("a service");
            add(at, Moment::Used, format!("last, for {service}"), None);
        }
    }
    for told in &life.told {
        if let Some(moment) = told.moment {
            add(told.at, moment, told.words.clone(), Some(told.thread.clone()));
        }
    }
    for one in life.threads.iter().filter(|one| one.kind == Kind::Exposure) {
        add(one.began_at, Moment::Leaked, one.state.clone(), None);
    }
    for one in &life.exemptions {
        add(one.exemption.granted.as_second(), Moment::Exempted, one.exemption.words(), None);
    }
    for one in &life.exemptions {
        let (at, moment, words) = match &one.withdrawn {
            Some((person, at)) => (*at, "withdrawn", format!("the exemption, by {person}")),
            None => (one.exemption.expires.as_second(), "due", "the exemption ends".to_owned()),
        };
        // What has ended by itself says so where it stands.
        if one.withdrawn.is_some() || at > now {
            entries.push(Entry { at, moment, words, thread: None, is_ahead: at > now });
        }
    }
    for one in life.threads.iter().filter(|one| !one.is_over && is_about(one, &life.identity)) {
        if let Some(next) = &one.next {
            // What is late is due now.
            let (at, words, thread) = (next.at.max(now), next.what.clone(), Some(one.id.clone()));
            entries.push(Entry { at, moment: "due", words, thread, is_ahead: true });
        }
    }
    entries.sort_by_key(|one| one.at);
    entries
}

/// Whether what comes next in a thread comes to this key: of a rotation, the key that is replaced, or in the end of an undo the new one.
fn is_about(one: &Thread, identity: &str) -> bool {
    if one.rest == "undone" { one.new_key_id.as_deref() == Some(identity) } else { one.key_id == identity }
}
