//! Leaks: keys that are contained or to be, what is left to do, and keys of which an event has told that others may know them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{parts, words};
use crate::DatabaseError;
use crate::access::Visitor;
use crate::record::{Ask, Kind, Thread};
use crate::sight::Sight;
use crate::web::Shared;

/// Containments that are written out.
const MOST: u32 = 100;

/// What the page shows.
struct Leaks {
    containments: Vec<Thread>,
    total: u64,
    /// Each with the containment of its key, where there is one.
    exposures: Vec<(Thread, Option<Thread>)>,
    quarantines: Vec<Thread>,
}

pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    match read(&shared, &visitor.person.sight()).await {
        Ok(leaks) => super::framed(&visitor, "/leaks", "Leaks", main(&leaks, shared.now())).into_response(),
        Err(error) => super::failed(&error),
    }
}

async fn read(shared: &Shared, sight: &Sight) -> Result<Leaks, DatabaseError> {
    let of = |kind| Ask { size: MOST, ..Ask::of(kind) };
    let containments = shared.records.threads(sight, &of(Kind::Containment)).await?;
    let quarantines = Ask { is_over: Some(false), ..of(Kind::Quarantine) };
    let quarantines = shared.records.threads(sight, &quarantines).await?.rows;
    let mut exposures = Vec::new();
    for exposure in shared.records.threads(sight, &of(Kind::Exposure)).await?.rows {
        let contained = Ask { key: Some(exposure.key_id.clone()), size: 1, ..Ask::of(Kind::Containment) };
        let contained = shared.records.threads(sight, &contained).await?.rows.into_iter().next();
        exposures.push((exposure, contained));
    }
    Ok(Leaks { total: containments.total, containments: containments.rows, exposures, quarantines })
}

fn main(leaks: &Leaks, now: i64) -> Markup {
    html! {
        h2 { "Keys that AWS says others may know" }
        @if leaks.exposures.is_empty() { p { "No event has told of one." } }
        @else {
            (parts::table("Containments", html! {
                thead { tr { th { "Key" } th { "Account" } th { "Owner" } th { "Told" } th { "What" } th { "Containment" } } }
                tbody {
                    @for (one, contained) in &leaks.exposures {
                        tr class=[contained.is_none().then_some("person")] {
                            td { (words::key(&one.key_id)) }
                            td { (one.account) }
                            td { (one.owner.as_deref().unwrap_or("nobody")) }
                            td { (parts::moment(one.began_at)) }
                            td { (one.state) }
                            td {
                                @match contained {
                                    Some(contained) => { (words::thread(contained)) ": " (contained.state) }
                                    None => { strong { "not contained" } (words::commands(&one.commands)) }
                                }
                            }
                        }
                    }
                }
            }))
        }
        h2 { "Containments" }
        @if leaks.containments.is_empty() { p { "No key was contained." } }
        @for one in &leaks.containments {
            section {
                h3 { (words::key(&one.key_id)) " of " (one.user) }
                dl.facts {
                    dt { "Containment" } dd { (words::thread(one)) }
                    dt { "State" } dd { (one.state) @if one.needs_person { " " strong { "needs a person" } } }
                    dt { "Account" } dd { (one.account) }
                    @if let Some(owner) = &one.owner { dt { "Owner" } dd { (owner) } }
                    @if let Some(rotation) = &one.rotation { dt { "Rotation" } dd { a href={ "/rotations/" (rotation) } { code { (rotation) } } } }
                }
                (words::steps(&one.steps, now))
                @if !one.commands.is_empty() { h4 { "What is left to do" } (words::commands(&one.commands)) }
            }
        }
        @if leaks.total > leaks.containments.len() as u64 { p { "The last " (MOST) " of " (leaks.total) " are shown." } }
        @if !leaks.quarantines.is_empty() {
            h2 { "Users in quarantine" }
            (parts::table("Exposed keys", html! {
                thead { tr { th { "Quarantine" } th { "User" } th { "Account" } th { "Key" } th { "State" } } }
                tbody {
                    @for one in &leaks.quarantines {
                        tr { td { (words::thread(one)) } td { (one.user) } td { (one.account) } td { (words::key(&one.key_id)) } td { (one.state) } }
                    }
                }
            }))
        }
    }
}
