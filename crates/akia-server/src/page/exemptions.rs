//! Exemptions of `akia.toml` and those that admins have granted here: which hold, end within a week, have ended, were withdrawn.

use std::collections::BTreeSet;

use akia_core::enforce::Exemption;
use akia_core::moment;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::{parts, words};
use crate::DatabaseError;
use crate::access::{Change, Nothing, Visitor};
use crate::estate::{Question, Row};
use crate::sight::Role;
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
    /// Somebody has withdrawn it.
    Withdrawn,
}

/// An exemption, wherever it was written down.
pub(crate) struct Shown {
    pub(crate) exemption: Exemption,
    /// Its number, where it was granted on a page.
    pub(crate) number: Option<i64>,
    /// Who has withdrawn it, and when.
    pub(crate) withdrawn: Option<(String, i64)>,
}

impl Standing {
    /// In the order of the page, with their words.
    const ALL: [(Self, &str); 5] = [
        (Self::Ending, "End within a week"),
        (Self::Running, "Running"),
        (Self::Ahead, "Not yet"),
        (Self::Ended, "Ended"),
        (Self::Withdrawn, "Withdrawn"),
    ];

    pub(super) fn of(shown: &Shown, now: i64) -> Self {
        let (granted, expires) = (shown.exemption.granted.as_second(), shown.exemption.expires.as_second());
        if shown.withdrawn.is_some() {
            Self::Withdrawn
        } else if now < granted {
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
        Ok(seen) => {
            let main = main(&seen, &visitor, may_grant(&shared, &visitor), shared.now());
            super::framed(&visitor, "/exemptions", "Exemptions", main).into_response()
        }
        Err(error) => super::failed(&error),
    }
}

/// All: those of akia.toml, and those that were granted here.
pub(super) async fn all(shared: &Shared) -> Result<Vec<Shown>, DatabaseError> {
    let written = shared.enforce.iter().flat_map(|policy| &policy.exemptions);
    let written = written.map(|exemption| Shown { exemption: exemption.clone(), number: None, withdrawn: None });
    let granted = shared.grants.all().await?.into_iter();
    let granted = granted.map(|one| Shown { exemption: one.exemption, number: Some(one.id), withdrawn: one.withdrawn });
    Ok(written.chain(granted).collect())
}

/// Those that somebody may see: of a key or a user of theirs, of an account in their units, or that they answer for.
pub(crate) async fn seen(shared: &Shared, visitor: &Visitor) -> Result<Vec<Shown>, DatabaseError> {
    let (sight, now) = (visitor.person.sight(), shared.now());
    let mut all = all(shared).await?;
    if sight.is_all() {
        return Ok(all);
    }
    if sight.is_of_accounts() {
        let accounts = shared.estate.accounts(&sight, now).await?;
        let accounts: BTreeSet<&str> = accounts.iter().map(|account| account.account.as_str()).collect();
        all.retain(|one| accounts.contains(one.exemption.account.as_str()));
        return Ok(all);
    }
    let own = shared.estate.keys(&sight, &Question { size: u32::MAX, ..Question::default() }, now).await?.rows;
    all.retain(|one| own.iter().any(|row| is_of(&one.exemption, row)));
    Ok(all)
}

/// Whether an exemption is of a key, whenever it holds; one of a whole account is of every key in it.
pub(super) fn is_of(one: &Exemption, row: &Row) -> bool {
    let user = row.user_name.as_deref().unwrap_or_default();
    one.account.as_str() == row.account_id
        // As enforcement does: IAM takes `Ann` and `ann` for one name.
        && one.user.as_ref().is_none_or(|name| name.as_str().eq_ignore_ascii_case(user))
        && one.key.as_ref().is_none_or(|key| row.key_id.as_deref() == Some(key.as_str()))
}

/// Whether somebody may grant and withdraw: where there is a policy, and they see everything.
pub(super) fn may_grant(shared: &Shared, visitor: &Visitor) -> bool {
    shared.enforce.is_some() && visitor.person.role >= Role::Admin && visitor.person.sight().is_all()
}

/// The form that exempts a key.
pub(super) fn form(visitor: &Visitor, row: &Row) -> Markup {
    let field = |name: &str, words: &str, value: Option<&str>, kind: &str| {
        html! {
            div.field {
                label for={ "exempt-" (name) } { (words) }
                input id={ "exempt-" (name) } name=(name) type=(kind) value=[value] required maxlength="200";
            }
        }
    };
    html! {
        h2 { "Exempt it from enforcement" }
        form.inline method="post" action={ "/keys/" (crate::estate::percent(&row.identity)) "/exempt" } {
            (visitor.form_field())
            (field("reason", "Why", None, "text"))
            (field("ticket", "Ticket", None, "text"))
            (field("owner", "Who answers for it", row.owner.as_deref(), "text"))
            (field("expires", "Until the beginning of (UTC)", None, "date"))
            button { "Exempt it" }
        }
    }
}

/// What the form brings along.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    reason: String,
    ticket: String,
    owner: String,
    expires: String,
}

/// Exempts a key. The one who does is the approver.
pub(super) async fn grant(
    State(shared): State<Shared>,
    Path(identity): Path<String>,
    Change { visitor, form }: Change<Asked>,
) -> Response {
    let row = match shared.estate.key(&visitor.person.sight(), &identity).await {
        Ok(row) => row.filter(|_| may_grant(&shared, &visitor)),
        Err(error) => return super::failed(&error),
    };
    let Some((row, policy)) = row.zip(shared.enforce.as_ref()) else { return super::not_yours() };
    let exemption = match asked(&row, form, &visitor.person.name, shared.now()) {
        Ok(exemption) => exemption,
        Err(what) => return (StatusCode::BAD_REQUEST, format!("{what}\n")).into_response(),
    };
    if let Some(what) = exemption.fault(policy.longest_exemption) {
        return (StatusCode::BAD_REQUEST, format!("{what}\n")).into_response();
    }
    match shared.grants.grant(&exemption).await {
        Ok(_) => Redirect::to(&format!("/keys/{}", crate::estate::percent(&identity))).into_response(),
        Err(error) => super::failed(&error),
    }
}

fn asked(row: &Row, form: Asked, person: &str, now: i64) -> Result<Exemption, &'static str> {
    let words = |text: &str, what| Some(super::reason(text)).filter(|text| !text.is_empty()).ok_or(what);
    let (Ok(account), Some(Ok(key))) = (row.account_id.parse(), row.key_id.as_deref().map(str::parse)) else {
        return Err("the key's id is not known");
    };
    Ok(Exemption {
        account,
        user: None,
        key: Some(key),
        owner: words(&form.owner, "say who answers for it")?,
        reason: words(&form.reason, "say why")?,
        ticket: words(&form.ticket, "name a ticket")?,
        approver: person.to_owned(),
        granted: Timestamp::from_second(now).unwrap_or_default(),
        expires: moment::parse(&form.expires).map_err(|_| "say until which day, as in 2026-12-24")?,
    })
}

/// Withdraws an exemption that was granted here.
pub(super) async fn withdraw(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Change { visitor, .. }: Change<Nothing>,
) -> Response {
    let Some(id) = super::number(&id).filter(|_| may_grant(&shared, &visitor)) else { return super::not_yours() };
    match shared.grants.withdraw(id, &visitor.person.name, shared.now()).await {
        Ok(true) => Redirect::to("/exemptions").into_response(),
        Ok(false) => (StatusCode::CONFLICT, "it has ended, or there is none\n").into_response(),
        Err(error) => super::failed(&error),
    }
}

fn main(seen: &[Shown], visitor: &Visitor, may_grant: bool, now: i64) -> Markup {
    html! {
        @if seen.is_empty() {
            p { "There is none that you may see. They stand in akia.toml, under [[enforce.exemption]], or are granted on the page of a key." }
        }
        @for (standing, title) in Standing::ALL {
            @let those: Vec<_> = seen.iter().filter(|one| Standing::of(one, now) == standing).collect();
            @if !those.is_empty() {
                h2 { (title) " (" (those.len()) ")" }
                (parts::table(title, html! {
                    thead { tr {
                        th { "Account" } th { "User or key" } th { "Owner" } th { "Reason" } th { "Ticket" } th { "Approver" } th { "From" } th { "To" }
                        th { @if standing == Standing::Withdrawn { "Withdrawn" } @else { "Written in" } }
                    } }
                    tbody { @for one in those { (line(one, standing, visitor, may_grant, now)) } }
                }))
            }
        }
    }
}

fn line(shown: &Shown, standing: Standing, visitor: &Visitor, may_grant: bool, now: i64) -> Markup {
    let Shown { exemption: one, number, withdrawn } = shown;
    let is_over = matches!(standing, Standing::Ended | Standing::Withdrawn);
    html! {
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
            td {
                @match (withdrawn, number) {
                    (Some((person, at)), _) => { "by " (person) ", " (parts::moment(*at)) }
                    (None, None) => code { "akia.toml" },
                    (None, Some(number)) => {
                        "this server"
                        @if may_grant && !is_over {
                            form.inline method="post" action={ "/exemptions/" (number) "/withdraw" } {
                                (visitor.form_field())
                                button { "Withdraw it" }
                            }
                        }
                    }
                }
            }
        }
    }
}
