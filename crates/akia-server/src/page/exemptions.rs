//! Exemptions of `akia.toml`: those that hold, those that end within a week, those that have ended.

use std::collections::BTreeSet;

use akia_core::enforce::Exemption;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{parts, words};
use crate::DatabaseError;
use crate::access::Visitor;
use crate::estate::{Question, Row};
use crate::web::Shared;

const WEEK: i64 = 7 * 86_400;

/// How an exemption stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does not hold yet.
    Ahead,
    /// It holds.
    Running,
    /// It holds, and ends within a week.
    Ending,
    /// It has ended.
    Ended,
}

impl Standing {
    /// In the order of the page, with their words.
    const ALL: [(Self, &str); 4] = [
        (Self::Ending, "End within a week"),
        (Self::Running, "Running"),
        (Self::Ahead, "Not yet"),
        (Self::Ended, "Ended"),
    ];

    pub(super) fn of(one: &Exemption, now: i64) -> Self {
        let (granted, expires) = (one.granted.as_second(), one.expires.as_second());
        if now < granted {
            Self::Ahead
        } else if now >= expires {
            Self::Ended
        } else if expires - now < WEEK {
            Self::Ending
        } else {
            Self::Running
        }
    }
}

pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    match seen(&shared, &visitor).await {
        Ok(seen) => super::framed(&visitor, "/exemptions", "Exemptions", main(&seen, shared.now())).into_response(),
        Err(error) => super::failed(&error),
    }
}

/// Those that somebody may see: of a key or a user of theirs, of an account in their units, or that they answer for.
async fn seen<'a>(shared: &'a Shared, visitor: &Visitor) -> Result<Vec<&'a Exemption>, DatabaseError> {
    let (sight, now) = (visitor.person.sight(), shared.now());
    let all = shared.enforce.iter().flat_map(|policy| &policy.exemptions);
    if sight.is_all() {
        return Ok(all.collect());
    }
    if sight.is_of_accounts() {
        let accounts = shared.estate.accounts(&sight, now).await?;
        let accounts: BTreeSet<&str> = accounts.iter().map(|account| account.account.as_str()).collect();
        return Ok(all.filter(|one| accounts.contains(one.account.as_str())).collect());
    }
    let own = shared.estate.keys(&sight, &Question { size: u32::MAX, ..Question::default() }, now).await?.rows;
    Ok(all.filter(|one| own.iter().any(|row| is_of(one, row))).collect())
}

/// Whether an exemption is of a key, whenever it holds; one of a whole account is of every key in it.
pub(super) fn is_of(one: &Exemption, row: &Row) -> bool {
    let user = row.user_name.as_deref().unwrap_or_default();
    one.account.as_str() == row.account_id
        // As enforcement does: IAM takes `Ann` and `ann` for one name.
        && one.user.as_ref().is_none_or(|name| name.as_str().eq_ignore_ascii_case(user))
        && one.key.as_ref().is_none_or(|key| row.key_id.as_deref() == Some(key.as_str()))
}

fn main(seen: &[&Exemption], now: i64) -> Markup {
    html! {
        @if seen.is_empty() { p { "There is none that you may see. They stand in akia.toml, under [[enforce.exemption]]." } }
        @for (standing, title) in Standing::ALL {
            @let those: Vec<_> = seen.iter().filter(|one| Standing::of(one, now) == standing).collect();
            @if !those.is_empty() {
                h2 { (title) " (" (those.len()) ")" }
                (parts::table(title, html! {
                    thead { tr { th { "Account" } th { "User or key" } th { "Owner" } th { "Reason" } th { "Ticket" } th { "Approver" } th { "From" } th { "To" } } }
                    tbody {
                        @for one in those {
                            tr {
                                td { (one.account) }
                                td {
                                    @if let Some(user) = &one.user { (user) " " }
                                    @if let Some(key) = &one.key { (words::key(key.as_str())) }
                                }
                                td { (one.owner) }
                                td { (one.reason) }
                                td { (one.ticket) }
                                td { (one.approver) }
                                td { (words::day(one.granted.as_second())) }
                                td { (words::day(one.expires.as_second())) " (" (words::off(one.expires.as_second(), now)) ")" }
                            }
                        }
                    }
                }))
            }
        }
    }
}
