//! The campaign: who is in which stage, what happens this week, and who has to decide.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::picture::{self, Bar};
use super::{parts, words};
use crate::DatabaseError;
use crate::access::Visitor;
use crate::record::{Ask, Kind, StageCount, Thread};
use crate::sight::Sight;
use crate::web::Shared;

const DAY: i64 = 86_400;
/// Cases that are written out for a day, or to be decided.
const MOST: u32 = 200;
/// The stages in their order, with what each means.
const STAGES: [(&str, &str); 5] = [
    ("seen", "found, nobody told yet"),
    ("notified", "owner told"),
    ("reminded", "owner reminded"),
    ("deactivated", "inactive"),
    ("soaked", "about to be deleted"),
];

/// What the page shows.
struct Campaign {
    stages: Vec<StageCount>,
    week: Vec<Thread>,
    due: u64,
    held: Vec<Thread>,
    has_more_held: bool,
}

pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    let now = shared.now();
    match read(&shared, &visitor.person.sight(), now).await {
        Ok(campaign) => super::framed(&visitor, "/campaign", "Campaign", main(&campaign, now)).into_response(),
        Err(error) => super::failed(&error),
    }
}

async fn read(shared: &Shared, sight: &Sight, now: i64) -> Result<Campaign, DatabaseError> {
    let open = Ask { is_over: Some(false), size: MOST, ..Ask::of(Kind::Case) };
    let week = Ask { due_before: Some(now + 7 * DAY), ..open.clone() };
    let week = shared.records.threads(sight, &week).await?;
    let held = shared.records.threads(sight, &Ask { needs_person: true, ..open }).await?;
    Ok(Campaign {
        stages: shared.records.stages(sight, Kind::Case).await?,
        due: week.total,
        week: week.rows,
        has_more_held: held.total > u64::from(MOST),
        held: held.rows,
    })
}

fn main(campaign: &Campaign, now: i64) -> Markup {
    let of = |stage: &str| campaign.stages.iter().find(|one| !one.is_over && one.stage == stage);
    let bar = |(stage, words): &(&str, &str)| Bar {
        name: html! { (words) },
        count: of(stage).map_or(0, |one| one.count),
        address: None,
        class: "",
    };
    let bars: Vec<Bar> = STAGES.iter().map(bar).collect();
    let over: Vec<&StageCount> = campaign.stages.iter().filter(|one| one.is_over).collect();
    html! {
        h2 { "Who is in which stage" }
        (picture::bars(&bars))
        (parts::table("Keys by stage", html! {
            thead { tr { th { "Stage" } th { "Keys" } th { "Held" } } }
            tbody {
                @for (stage, words) in STAGES {
                    tr { td { (words) } td { (of(stage).map_or(0, |one| one.count)) } td { (of(stage).map_or(0, |one| one.held)) } }
                }
            }
        }))
        @if !over.is_empty() {
            h2 { "How others ended" }
            (parts::table("How others ended", html! {
                thead { tr { th { "End" } th { "Keys" } } }
                tbody { @for one in over { tr { td { (one.stage) } td { (one.count) } } } }
            }))
        }
        h2 { "What happens this week" }
        p { (campaign.due) " keys have something due within seven days" }
        @for (day, cases) in by_day(&campaign.week, now) {
            h3 { (day) }
            (parts::table(&day, html! {
                thead { tr { th { "Key" } th { "User" } th { "Account" } th { "Owner" } th { "What" } } }
                tbody {
                    @for case in cases {
                        tr {
                            td { (words::key(&case.key_id)) }
                            td { (case.user) }
                            td { (case.account) }
                            td { (case.owner.as_deref().unwrap_or("nobody")) }
                            td { @if let Some(next) = &case.next { (next.what) } }
                        }
                    }
                }
            }))
        }
        @if campaign.due > campaign.week.len() as u64 { p { "The first " (MOST) " of them are shown." } }
        h2 { "Who has to decide" }
        @if campaign.held.is_empty() { p { "Nobody: no key is held." } }
        @for (owner, cases) in by_owner(&campaign.held) {
            h3 { (owner) }
            ul {
                @for case in cases {
                    li { (words::key(&case.key_id)) " of " (case.user) ": " (case.state) (words::commands(&case.commands)) }
                }
            }
        }
        @if campaign.has_more_held { p { "The first " (MOST) " of them are shown." } }
    }
}

/// What is due, by the day on which it comes; what is late comes today.
fn by_day(cases: &[Thread], now: i64) -> BTreeMap<String, Vec<&Thread>> {
    let mut days: BTreeMap<String, Vec<&Thread>> = BTreeMap::new();
    for case in cases {
        let at = case.next.as_ref().map_or(now, |next| next.at.max(now));
        days.entry(words::day(at)).or_default().push(case);
    }
    days
}

fn by_owner(cases: &[Thread]) -> BTreeMap<&str, Vec<&Thread>> {
    let mut owners: BTreeMap<&str, Vec<&Thread>> = BTreeMap::new();
    for case in cases {
        owners.entry(case.owner.as_deref().unwrap_or("nobody answers for it")).or_default().push(case);
    }
    owners
}
