//! Plans of enforcement, and their approval.

use std::collections::BTreeSet;

use akia_core::enforce::{Step, StepKind};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::parts::{self, moment};
use crate::access::{Change, Visitor};
use crate::schedule::KeptPlan;
use crate::sight::Role;
use crate::web::Shared;

/// Plans on the page.
const LATEST: i64 = 50;
/// Steps on a page: more is for `akia enforce plan --output csv`.
const MOST: usize = 2_000;

/// All plans. A plan is of the whole estate: only who sees everything sees it.
pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    if !visitor.person.sight().is_all() {
        return super::not_yours();
    }
    let plans = match shared.plans.latest(LATEST).await {
        Ok(plans) => plans,
        Err(error) => return super::failed(&error),
    };
    let now = shared.now();
    let main = html! {
        @if plans.is_empty() {
            p { "No plan was made yet. A job with " code { "run = [\"enforce\", \"plan\"]" } " makes them." }
        } @else {
            (parts::table("Plans", html! {
                    thead { tr { th { "Plan" } th { "Made" } th { "Holds until" } th { "Changes" } th { "Notices and looks" } th { "Held back" } th { "State" } } }
                    tbody {
                        @for plan in &plans {
                            tr {
                                td { a href={ "/plans/" (plan.run) } { (plan.run) } }
                                td { (moment(plan.plan.made_at.as_second())) }
                                td { (moment(plan.plan.expires_at.as_second())) }
                                td { (changes(plan).count()) }
                                td { (plan.plan.steps.len() - changes(plan).count()) }
                                td { (plan.plan.held.len()) }
                                td { (state(plan, now)) }
                            }
                        }
                    }
                }))
        }
    };
    super::framed(&visitor, "/plans", "Plans", main).into_response()
}

fn changes(plan: &KeptPlan) -> impl Iterator<Item = &Step> {
    plan.plan.steps.iter().filter(|step| step.kind.is_change())
}

fn state(plan: &KeptPlan, now: i64) -> Markup {
    html! {
        @match (&plan.approved, plan.applied_run) {
            (Some((person, at)), run) => {
                "approved by " (person) " at " (moment(*at))
                @if let Some(run) = run { ", applied by " a href={ "/runs/" (run) } { "run " (run) } }
            }
            (None, _) if plan.plan.expires_at.as_second() <= now => { "holds no more" }
            (None, _) if plan.plan.steps.is_empty() => { "nothing to do" }
            (None, _) => { strong { "waits to be approved" } }
        }
    }
}

/// One plan.
pub(super) async fn one(State(shared): State<Shared>, visitor: Visitor, Path(run): Path<String>) -> Response {
    let Some(run) = super::number(&run).filter(|_| visitor.person.sight().is_all()) else { return super::not_yours() };
    let plan = match shared.plans.plan(run).await {
        Ok(Some(plan)) => plan,
        Ok(None) => return super::not_yours(),
        Err(error) => return super::failed(&error),
    };
    let now = shared.now();
    let is_open = plan.approved.is_none() && plan.plan.expires_at.as_second() > now && !plan.plan.steps.is_empty();
    let may_approve = is_open && visitor.person.role >= Role::Operator;
    let main = html! {
        dl.facts {
            dt { "State" } dd { (state(&plan, now)) }
            dt { "Made" } dd { (moment(plan.plan.made_at.as_second())) " by " a href={ "/runs/" (run) } { "run " (run) } }
            dt { "Holds until" } dd { (moment(plan.plan.expires_at.as_second())) }
            dt { "Stands on" } dd { "audit " (plan.plan.evidence.audit) " of " (moment(plan.plan.evidence.at.as_second())) ": " (plan.plan.evidence.accounts) " accounts, " (plan.plan.evidence.active_keys) " active keys" }
            dt { "Not due yet" } dd { (plan.plan.waiting) }
        }
        form method="post" action={ "/plans/" (run) "/approve" } {
            (visitor.form_field())
            h2 id="steps" { "What would be done" }
            (parts::table("What would be done", html! {
                    thead { tr { @if may_approve { th { "Approve" } } th { "Step" } th { "Key" } th { "User" } th { "Account" } th { "Owner" } th { "Due since" } } }
                    tbody { @for step in plan.plan.steps.iter().take(MOST) { (row(step, may_approve)) } }
                }))
            @if plan.plan.steps.len() > MOST { p { "… and " (plan.plan.steps.len() - MOST) " more; " code { "akia enforce plan --output csv" } " has all." } }
            @if may_approve {
                @match changes(&plan).count() {
                    0 => p { button.main name="keys" value="all" { "Approve, and apply" } " It changes no key: owners are told, and keys looked at." },
                    count => {
                        p { "Notices and looks are made in any case; a key is changed only where it is ticked. Each key is looked at again right before." }
                        p.row {
                            button.main name="keys" value="ticked" { "Approve what is ticked, and apply" }
                            button name="keys" value="all" { "Approve all " (count) " changes, and apply" }
                        }
                    }
                }
            }
        }
        @if !plan.plan.held.is_empty() {
            h2 id="held" { "What would not be done" }
            (parts::table("What would not be done", html! {
                    thead { tr { th { "Key" } th { "Account" } th { "Why not" } } }
                    tbody {
                        @for held in plan.plan.held.iter().take(MOST) {
                            tr { td { @if let Some(key) = &held.key { (key) } } td { (held.account) } td { (held.why) } }
                        }
                    }
                }))
        }
    };
    super::framed(&visitor, "/plans", &format!("Plan {run}"), main).into_response()
}

fn row(step: &Step, may_approve: bool) -> Markup {
    let key = step.subject.key.as_str();
    html! {
        tr {
            @if may_approve {
                td { @if step.kind.is_change() { input type="checkbox" name="key" value=(key) aria-label={ "Approve: " (step.kind.as_str()) " " (key) }; } }
            }
            td { (words(step.kind)) }
            td { a href={ "/keys/" (key) } { (key) } }
            td { (step.subject.user.name) }
            td { (step.account_name.as_deref().unwrap_or(step.subject.user.account.as_str())) }
            td { @if let Some(owner) = &step.owner { (owner.name) } }
            td { (moment(step.due.as_second())) }
        }
    }
}

fn words(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Announce => "tell the owner",
        StepKind::Remind => "remind the owner",
        StepKind::Deactivate => "deactivate",
        StepKind::TellDeactivated => "tell that it was deactivated",
        StepKind::Delete => "delete",
        StepKind::Check => "look",
    }
}

/// Approves a plan: `keys=all`, or the `key`s that are ticked.
pub(super) async fn approve(
    State(shared): State<Shared>,
    Path(run): Path<String>,
    Change { visitor, form }: Change<Vec<(String, String)>>,
) -> Response {
    let is_all = form.iter().any(|(name, value)| name == "keys" && value == "all");
    let ticked: BTreeSet<String> = form.into_iter().filter(|(name, _)| name == "key").map(|(_, key)| key).collect();
    let Some(run) = super::number(&run).filter(|_| visitor.person.sight().is_all()) else { return super::not_yours() };
    let plan = match shared.plans.plan(run).await {
        Ok(Some(plan)) => plan,
        Ok(None) => return super::not_yours(),
        Err(error) => return super::failed(&error),
    };
    if ticked.iter().any(|key| !changes(&plan).any(|step| step.subject.key.as_str() == key)) {
        return (StatusCode::BAD_REQUEST, "the plan changes no such key\n").into_response();
    }
    if !is_all && ticked.is_empty() && changes(&plan).count() > 0 {
        return (StatusCode::BAD_REQUEST, "tick the keys that are to be changed, or approve all\n").into_response();
    }
    let ticked: Vec<String> = ticked.into_iter().collect();
    let keys = (!is_all).then_some(ticked.as_slice());
    match shared.plans.approve(&shared.runs, run, keys, &visitor.person.name, shared.now()).await {
        Ok(Some(applied)) => Redirect::to(&format!("/runs/{applied}")).into_response(),
        Ok(None) => (StatusCode::CONFLICT, "the plan was approved before, or holds no more\n").into_response(),
        Err(error) => super::failed(&error),
    }
}
