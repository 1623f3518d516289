//! What runs, what has run, and what will.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream::{self, Stream};
use maud::{Markup, html};
use serde::Deserialize;

use super::assets;
use super::parts::{self, moment};
use crate::access::{Change, Nothing, Visitor};
use crate::database::DatabaseError;
use crate::schedule::{Job, JobAct, Run};
use crate::sight::Role;
use crate::web::Shared;

/// Runs on the page.
const LATEST: i64 = 200;
/// How often whoever watches a run is told what is new.
const LOOK: Duration = Duration::from_millis(500);
/// Longest time that one connection watches; the page then asks again.
const WATCH: u32 = 7_200;

/// The page of all runs. The schedule is not of one unit or owner: only who sees everything sees it.
pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    if !visitor.person.sight().is_all() {
        return super::not_yours();
    }
    match list(&shared, &visitor).await {
        Ok(main) => super::framed(&visitor, "/runs", "Runs", main).into_response(),
        Err(error) => super::failed(&error),
    }
}

async fn list(shared: &Shared, visitor: &Visitor) -> Result<Markup, DatabaseError> {
    let now = shared.now();
    let mut jobs = Vec::new();
    for job in shared.jobs.iter() {
        jobs.push((job, shared.runs.paused(&job.settings.name).await?));
    }
    let runs = shared.runs.latest(None, LATEST).await?;
    let off = shared.switch.off().await?;
    Ok(html! {
        section aria-labelledby="enforcement" {
            h2 id="enforcement" { "Enforcement" }
            @match &off {
                Some(stopped) => {
                    p { strong { "Off" } " since " (moment(stopped.at.as_second())) ", by " (stopped.by) ": " (stopped.reason) }
                }
                None => { p { "On, as far as akia.toml has it: what a plan says and nobody exempts is done." } }
            }
            @if visitor.person.role >= Role::Admin {
                @if off.is_some() {
                    form.inline method="post" action="/enforcement/start" { (visitor.form_field()) button { "Switch enforcement on" } }
                } @else {
                    form.inline method="post" action="/enforcement/stop" {
                        (visitor.form_field())
                        label for="reason" { "Why" }
                        input id="reason" name="reason" required maxlength="200";
                        button { "Switch enforcement off" }
                    }
                }
            }
        }
        section aria-labelledby="jobs" {
            h2 id="jobs" { "Jobs" }
            @if jobs.is_empty() {
                p { "No job is written down. Put one into " code { "akia.toml" } ", for example:" }
                pre { code { "[job.audit]\nrun = [\"audit\", \"--org\"]\nat = \"0 6 * * MON-FRI\"\ntime-zone = \"Europe/Berlin\"" } }
            } @else {
                (parts::table("Jobs", html! {
                        thead { tr { th { "Job" } th { "Runs" } th { "When" } th { "Next" } th { "Acts" } } }
                        tbody {
                            @for (job, paused) in &jobs {
                                (job_row(job, paused.as_ref(), visitor, now))
                            }
                        }
                    }))
            }
        }
        section aria-labelledby="runs" {
            h2 id="runs" { "Latest runs" }
            @if runs.is_empty() {
                p { "Nothing has run yet." }
            } @else {
                (parts::table("Latest runs", html! {
                        thead { tr { th { "No" } th { "Job" } th { "Due" } th { "State" } th { "Took" } th { "Asked by" } th { "On" } } }
                        tbody {
                            @for run in &runs {
                                tr {
                                    td { a href={ "/runs/" (run.id) } { (run.id) } }
                                    td { (run.job) @if run.attempt > 0 { " (try " (run.attempt + 1) ")" } }
                                    td { (moment(run.due_at)) }
                                    td { (state(run)) }
                                    td { (took(run, now)) }
                                    td { (run.asked_by.as_deref().unwrap_or("the schedule")) }
                                    td { (run.holder.as_deref().unwrap_or("")) }
                                }
                            }
                        }
                    }))
            }
        }
    })
}

fn job_row(job: &Job, paused: Option<&(String, i64)>, visitor: &Visitor, now: i64) -> Markup {
    let name = job.settings.name.as_str();
    html! {
        tr {
            th scope="row" { (name) }
            td { code { "akia " (job.settings.run.join(" ")) } }
            td { (job.words()) }
            td {
                @match (paused, job.next_due(now)) {
                    (Some((person, at)), _) => { "paused by " (person) " at " (moment(*at)) }
                    (None, Some(next)) => { (moment(next)) }
                    (None, None) => { "never" }
                }
            }
            td {
                @if visitor.person.role >= Role::Operator {
                    (act(visitor, name, "run", "Run now"))
                    @if paused.is_some() { (act(visitor, name, "go-on", "Go on")) } @else { (act(visitor, name, "pause", "Pause")) }
                }
            }
        }
    }
}

fn act(visitor: &Visitor, job: &str, act: &str, word: &str) -> Markup {
    html! {
        form.inline method="post" action={ "/jobs/" (job) "/" (act) } {
            (visitor.form_field())
            button aria-label={ (word) ": " (job) } { (word) }
        }
    }
}

fn state(run: &Run) -> Markup {
    html! {
        span class={ "state " (run.state.as_str()) } { (run.state.as_str().replace('-', " ")) }
        @if let Some(words) = &run.words { " " (words) }
    }
}

fn took(run: &Run, now: i64) -> String {
    let Some(from) = run.started_at else { return String::new() };
    let seconds = run.ended_at.unwrap_or(now).saturating_sub(from).max(0);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The page of one run, with what it says.
pub(super) async fn one(State(shared): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let Some(id) = super::number(&id).filter(|_| visitor.person.sight().is_all()) else { return super::not_yours() };
    let found = async { Ok::<_, DatabaseError>((shared.runs.run(id).await?, shared.runs.lines(id, 0).await?)) };
    let (run, lines) = match found.await {
        Ok((Some(run), lines)) => (run, lines),
        Ok((None, _)) => return super::not_yours(),
        Err(error) => return super::failed(&error),
    };
    let next = lines.last().map_or(0, |(number, _)| number + 1);
    let main = html! {
        dl.facts {
            dt { "State" } dd id="run-state" { (state(&run)) }
            dt { "Command" } dd { code { "akia " (run.command.join(" ")) } }
            dt { "Due" } dd { (moment(run.due_at)) }
            @if let Some(at) = run.started_at { dt { "Began" } dd { (moment(at)) " on " (run.holder.as_deref().unwrap_or("?")) } }
            @if let Some(at) = run.ended_at { dt { "Ended" } dd { (moment(at)) ", after " (took(&run, at)) } }
            @if let Some(code) = run.exit_code { dt { "Exit code" } dd { (code) } }
            dt { "Asked by" } dd { (run.asked_by.as_deref().unwrap_or("the schedule")) }
        }
        @if !run.state.is_over() && visitor.person.role >= Role::Operator {
            form.inline method="post" action={ "/runs/" (id) "/cancel" } {
                (visitor.form_field())
                button { "End it at its next safe point" }
            }
        }
        h2 id="says" { "What it says" }
        pre.log id="log" tabindex="0" role="log" aria-labelledby="says"
            data-live=[(!run.state.is_over()).then(|| format!("/runs/{id}/lines?from={next}"))] {
            @for (_, line) in &lines { (line) "\n" }
        }
        script src=(assets::LIVE.address) defer {}
    };
    super::framed(&visitor, "/runs", &format!("Run {id}: {}", run.job), main).into_response()
}

#[derive(Debug, Deserialize)]
pub(super) struct From {
    #[serde(default)]
    from: i64,
}

/// What a run says, as it says it: server-sent events, each a line with its number as the id; `end` when the run is over.
pub(super) async fn lines(
    State(shared): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(from): Query<From>,
) -> Response {
    let Some(id) = super::number(&id).filter(|_| visitor.person.sight().is_all()) else { return super::not_yours() };
    match shared.runs.run(id).await {
        Ok(Some(_)) => Sse::new(watch(shared, id, from.from)).keep_alive(KeepAlive::default()).into_response(),
        Ok(None) => super::not_yours(),
        Err(error) => super::failed(&error),
    }
}

fn watch(shared: Shared, id: i64, from: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    let looks = stream::unfold((shared, from, 0), move |(shared, from, looks)| async move {
        if looks > WATCH {
            return None;
        }
        if looks > 0 {
            tokio::time::sleep(LOOK).await;
        }
        // The state first: lines that come between the two are those of the next look.
        let run = shared.runs.run(id).await.ok().flatten()?;
        let lines = shared.runs.lines(id, from).await.ok()?;
        let next = lines.last().map_or(from, |(number, _)| number + 1);
        let is_over = run.state.is_over() && lines.is_empty();
        let mut events: Vec<_> =
            lines.into_iter().map(|(number, line)| Ok(Event::default().id(number.to_string()).data(line))).collect();
        if is_over {
            events.push(Ok(Event::default().event("end").data(run.state.as_str())));
        }
        let looks = if is_over { WATCH + 1 } else { looks + 1 };
        Some((stream::iter(events), (shared, next, looks)))
    });
    futures_util::StreamExt::flatten(looks)
}

/// Acts on a job: `run`, `pause`, `go-on`.
pub(super) async fn act_on_job(
    State(shared): State<Shared>,
    Path((name, act)): Path<(String, String)>,
    Change { visitor, .. }: Change<Nothing>,
) -> Response {
    let job = shared.jobs.iter().find(|job| job.settings.name == name);
    let job = job.filter(|_| visitor.person.sight().is_all());
    let Some((job, act)) = job.zip(JobAct::read(&act)) else { return super::not_yours() };
    match shared.runs.act(job, act, &visitor.person.name, shared.now()).await {
        Ok(Some(run)) => Redirect::to(&format!("/runs/{run}")).into_response(),
        Ok(None) => Redirect::to("/runs").into_response(),
        Err(error) => super::failed(&error),
    }
}

/// What the form of the switch brings along.
#[derive(Debug, Deserialize)]
pub(super) struct Throw {
    #[serde(default)]
    reason: String,
}

/// Moves the kill switch: `stop`, `start`.
pub(super) async fn move_switch(
    State(shared): State<Shared>,
    Path(way): Path<String>,
    Change { visitor, form }: Change<Throw>,
) -> Response {
    if !visitor.person.sight().is_all() {
        return super::not_yours();
    }
    let reason = super::reason(&form.reason);
    let moved = match way.as_str() {
        "stop" if reason.is_empty() => return (StatusCode::BAD_REQUEST, "say why\n").into_response(),
        "stop" => shared.switch.throw(&visitor.person.name, &reason, shared.now()).await,
        "start" => shared.switch.take_back().await,
        _ => return super::not_yours(),
    };
    match moved {
        Ok(()) => Redirect::to("/runs").into_response(),
        Err(error) => super::failed(&error),
    }
}

/// Ends a run.
pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Change { visitor, .. }: Change<Nothing>,
) -> Response {
    let Some(id) = super::number(&id).filter(|_| visitor.person.sight().is_all()) else { return super::not_yours() };
    match shared.runs.cancel(id, &visitor.person.name, shared.now()).await {
        Ok(true) => Redirect::to(&format!("/runs/{id}")).into_response(),
        Ok(false) => (StatusCode::CONFLICT, "the run is over, or there is none\n").into_response(),
        Err(error) => super::failed(&error),
    }
}
