//! Rotations: the list, one of them, and its steps as a part of a page that can be read again.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{parts, words};
use crate::access::Visitor;
use crate::record::{Ask, Kind, Thread, Told};
use crate::web::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    page: u32,
}

pub(super) async fn list(State(shared): State<Shared>, visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let ask = Ask { page: query.page, ..Ask::of(Kind::Rotation) };
    let found = match shared.records.threads(&visitor.person.sight(), &ask).await {
        Ok(found) => found,
        Err(error) => return super::failed(&error),
    };
    let now = shared.now();
    let main = html! {
        p { (found.total) " rotations, those that are under way first" }
        (parts::table("Rotations", html! {
            thead { tr { th { "Rotation" } th { "Begun" } th { "User" } th { "Account" } th { "Old key" } th { "New key" } th { "State" } th { "Steps" } } }
            tbody {
                @for one in &found.rows {
                    tr class=[one.needs_person.then_some("person")] {
                        td { (words::thread(one)) }
                        td { (parts::moment(one.began_at)) }
                        td { (one.user) }
                        td { (one.account) }
                        td { (words::key(&one.key_id)) }
                        td { @if let Some(new) = &one.new_key_id { (words::key(new)) } }
                        td { (one.state) @if one.needs_person { " " strong { "needs a person" } } }
                        td { (words::steps(&one.steps, now)) }
                    }
                }
            }
        }))
        (words::turning("/rotations", ask.page, ask.size, found.total))
    };
    super::framed(&visitor, "/rotations", "Rotations", main).into_response()
}

pub(super) async fn one(State(shared): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let sight = visitor.person.sight();
    let one = match rotation(&shared, &visitor, &id).await {
        Ok(Some(one)) => one,
        Ok(None) => return super::not_yours(),
        Err(error) => return super::failed(&error),
    };
    let events = match shared.records.events(&sight, &one.id).await {
        Ok(events) => events,
        Err(error) => return super::failed(&error),
    };
    let main = html! {
        dl.facts {
            dt { "State" } dd { (one.state) @if one.needs_person { " " strong { "needs a person" } } }
            dt { "User" } dd { (one.user) }
            dt { "Account" } dd { (one.account) }
            @if let Some(owner) = &one.owner { dt { "Owner" } dd { (owner) } }
            dt { "Old key" } dd { (words::key(&one.key_id)) }
            @if let Some(new) = &one.new_key_id { dt { "New key" } dd { (words::key(new)) } }
            @if let Some(next) = &one.next { dt { "Next" } dd { (next.what) ", from " (parts::moment(next.at)) } }
        }
        @if !one.commands.is_empty() { h2 { "What you can do" } (words::commands(&one.commands)) }
        h2 { "Steps" }
        div #steps data-refresh={ "/rotations/" (one.id) "/steps" } { (words::steps(&one.steps, shared.now())) }
        h2 { "What happened" }
        (told(&events))
    };
    super::framed(&visitor, "/rotations", &format!("Rotation {}", one.id), main).into_response()
}

/// The steps alone, to be put in the place of those that stand in the page.
pub(super) async fn steps(State(shared): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    match rotation(&shared, &visitor, &id).await {
        Ok(Some(one)) => words::steps(&one.steps, shared.now()).into_response(),
        Ok(None) => super::not_yours(),
        Err(error) => super::failed(&error),
    }
}

async fn rotation(shared: &Shared, visitor: &Visitor, id: &str) -> Result<Option<Thread>, crate::DatabaseError> {
    let found = shared.records.thread(&visitor.person.sight(), id).await?;
    Ok(found.filter(|one| one.kind == Kind::Rotation))
}

/// Records as a list.
pub(super) fn told(events: &[Told]) -> Markup {
    html! {
        (parts::table("Places", html! {
            thead { tr { th { "No" } th { "Time" } th { "What" } th { "Kind" } } }
            tbody {
                @for one in events {
                    tr {
                        td { (one.seq) }
                        td { (parts::moment(one.at)) }
                        td { (one.words) }
                        td { (one.weight.as_str()) }
                    }
                }
            }
        }))
    }
}
