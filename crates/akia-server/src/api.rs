//! The API: the same answers as the pages, as JSON, to whoever may see them. `/api/openapi.json` is made of these types and handlers.
//!
//! Moments are seconds since 1970. Every answer of data names its form in `schema`.

use akia_core::finding::Severity;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::access::{Change, Door, Nothing, Visitor};
use crate::database::DatabaseError;
use crate::estate::{AccountRow, Figures, Question, Row, SeverityName};
use crate::page::exemptions::seen;
use crate::record::{Ask, Kind, StageCount, Thread};
use crate::schedule::{JobAct, Run};
use crate::sight::Role;
use crate::web::{Route, Shared};

/// Most keys of one answer.
const MOST: u32 = 1_000;
/// Most runs of one answer.
const MOST_RUNS: i64 = 500;

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(title = "akia", description = "The keys of a team, what is due, and what runs. Every call takes a token (`Authorization: Bearer …`) or a session."),
    paths(me, accounts, keys, key, campaign, rotations, leaks, exemptions, jobs, act_on_job, runs, run, lines, cancel, document),
    tags((name = "keys", description = "The estate"), (name = "record", description = "What happens to keys"), (name = "runs", description = "The schedule"))
)]
struct Document;

pub(crate) fn routes() -> Vec<Route> {
    let [owner, viewer, operator, _] = Role::ALL.map(Door::From);
    vec![
        Route::get("/api/openapi.json", owner, document),
        Route::get("/api/v1/me", owner, me),
        Route::get("/api/v1/accounts", owner, accounts),
        Route::get("/api/v1/keys", owner, keys),
        Route::get("/api/v1/keys/{identity}", owner, key),
        Route::get("/api/v1/campaign", owner, campaign),
        Route::get("/api/v1/rotations", owner, rotations),
        Route::get("/api/v1/leaks", owner, leaks),
        Route::get("/api/v1/exemptions", owner, exemptions),
        Route::get("/api/v1/jobs", viewer, jobs),
        Route::post("/api/v1/jobs/{name}/{act}", operator, act_on_job),
        Route::get("/api/v1/runs", viewer, runs),
        Route::get("/api/v1/runs/{id}", viewer, run),
        Route::get("/api/v1/runs/{id}/lines", viewer, lines),
        Route::post("/api/v1/runs/{id}/cancel", operator, cancel),
        Route::get("/api/{*rest}", owner, nothing),
    ]
}

/// Why a call was not answered.
#[derive(Debug, Serialize, ToSchema)]
struct Problem {
    /// In words.
    error: String,
}

/// A call that was not answered.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { error: self.1 })).into_response()
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        tracing::error!(%error, "a call could not be answered");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the server could not answer this; its log says why".to_owned())
    }
}

impl Refusal {
    fn nothing() -> Self {
        Self(StatusCode::NOT_FOUND, "there is nothing here, or it is not yours".to_owned())
    }
}

type Answer<T> = Result<Json<T>, Refusal>;

async fn nothing() -> Refusal {
    Refusal::nothing()
}

/// The OpenAPI document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "about", responses((status = 200, description = "This document")))]
async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// `akia.api.me/1`.
    schema: &'static str,
    /// What the record of their acts calls them.
    name: String,
    /// What they may do: owner, viewer, operator, admin.
    role: &'static str,
    /// The organisational units that they may see; all where there is none.
    units: Vec<String>,
}

/// Who calls, and what they may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "about", responses((status = 200, body = Me), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn me(visitor: Visitor) -> Json<Me> {
    let person = visitor.person;
    Json(Me { schema: "akia.api.me/1", name: person.name, role: person.role.as_str(), units: person.units })
}

/// Accounts and their sum.
#[derive(Debug, Serialize, ToSchema)]
struct Accounts {
    /// `akia.api.accounts/1`.
    schema: &'static str,
    /// All of them together.
    total: Figures,
    /// One by one.
    accounts: Vec<AccountRow>,
}

/// The accounts that you may see, with what is counted of their keys.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "keys", responses((status = 200, body = Accounts), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn accounts(State(shared): State<Shared>, visitor: Visitor) -> Answer<Accounts> {
    let accounts = shared.estate.accounts(&visitor.person.sight(), shared.now()).await?;
    let mut total = Figures::default();
    accounts.iter().for_each(|account| total.add(&account.figures));
    Ok(Json(Accounts { schema: "akia.api.accounts/1", total, accounts }))
}

/// Keys.
#[derive(Debug, Serialize, ToSchema)]
struct Keys {
    /// `akia.api.keys/1`.
    schema: &'static str,
    /// How many there are on all pages.
    total: u64,
    /// Those of this page.
    keys: Vec<Row>,
}

/// The keys that you may see, as asked for; 1,000 on a page at most.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(Question), responses(
    (status = 200, body = Keys), (status = 400, body = Problem), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn keys(
    State(shared): State<Shared>,
    visitor: Visitor,
    question: Result<Query<Question>, QueryRejection>,
) -> Answer<Keys> {
    let Query(mut question) = question.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    question.size = question.size.clamp(1, MOST);
    let page = shared.estate.keys(&visitor.person.sight(), &question, shared.now()).await?;
    Ok(Json(Keys { schema: "akia.api.keys/1", total: page.total, keys: page.rows }))
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
struct Key {
    /// `akia.api.key/1`.
    schema: &'static str,
    /// The gravest of its findings.
    #[schema(value_type = Option<SeverityName>)]
    worst: Option<Severity>,
    /// What is known of it.
    key: Row,
}

/// One key.
#[utoipa::path(get, path = "/api/v1/keys/{identity}", tag = "keys", params(("identity" = String, Path, pattern = "^[A-Za-z0-9~+=,.@_-]+$", description = "Its id")), responses(
    (status = 200, body = Key), (status = 400, description = "An address that cannot be read"), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem, description = "There is none, or it is not yours")))]
async fn key(State(shared): State<Shared>, visitor: Visitor, Path(identity): Path<String>) -> Answer<Key> {
    let found = shared.estate.key(&visitor.person.sight(), &identity).await?;
    let key = found.ok_or_else(Refusal::nothing)?;
    Ok(Json(Key { schema: "akia.api.key/1", worst: key.worst(), key }))
}

/// Which page of a list, and which part of it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ThreadsQuery {
    /// Which page, from 0; 1,000 on each.
    #[param(value_type = i64, minimum = 0, maximum = 4294967295i64)]
    page: u32,
    /// Only those of this key.
    key: Option<String>,
    /// Only those that are over, or only those that are not.
    over: Option<bool>,
    /// Only those that wait for a person.
    needs_person: bool,
}

impl ThreadsQuery {
    fn ask(self, kind: Kind) -> Ask {
        let Self { page, key, over, needs_person } = self;
        Ask { page, key, is_over: over, needs_person, size: MOST, ..Ask::of(kind) }
    }
}

type Asked<T> = Result<Query<T>, QueryRejection>;

/// What happens to a number of keys.
#[derive(Debug, Serialize, ToSchema)]
struct Threads {
    /// `akia.api.threads/1`.
    schema: &'static str,
    /// How many there are on all pages.
    total: u64,
    /// Those of this page.
    threads: Vec<Thread>,
}

async fn threads(shared: &Shared, visitor: &Visitor, kind: Kind, asked: Asked<ThreadsQuery>) -> Answer<Threads> {
    let Query(asked) = asked.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    let page = shared.records.threads(&visitor.person.sight(), &asked.ask(kind)).await?;
    Ok(Json(Threads { schema: "akia.api.threads/1", total: page.total, threads: page.rows }))
}

/// The rotations of keys that you may see: those that are not over first, then the latest.
#[utoipa::path(get, path = "/api/v1/rotations", tag = "record", params(ThreadsQuery), responses(
    (status = 200, body = Threads), (status = 400, body = Problem), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn rotations(State(shared): State<Shared>, visitor: Visitor, asked: Asked<ThreadsQuery>) -> Answer<Threads> {
    threads(&shared, &visitor, Kind::Rotation, asked).await
}

/// The campaign of enforcement.
#[derive(Debug, Serialize, ToSchema)]
struct Campaign {
    /// `akia.api.campaign/1`.
    schema: &'static str,
    /// How many keys are in which stage.
    stages: Vec<StageCount>,
    /// How many cases there are on all pages.
    total: u64,
    /// The cases of this page.
    threads: Vec<Thread>,
}

/// The keys that enforcement is about, and how many are in which stage.
#[utoipa::path(get, path = "/api/v1/campaign", tag = "record", params(ThreadsQuery), responses(
    (status = 200, body = Campaign), (status = 400, body = Problem), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn campaign(State(shared): State<Shared>, visitor: Visitor, asked: Asked<ThreadsQuery>) -> Answer<Campaign> {
    let Json(Threads { total, threads, .. }) = threads(&shared, &visitor, Kind::Case, asked).await?;
    let stages = shared.records.stages(&visitor.person.sight(), Kind::Case).await?;
    Ok(Json(Campaign { schema: "akia.api.campaign/1", stages, total, threads }))
}

/// Leaked keys.
#[derive(Debug, Serialize, ToSchema)]
struct Leaks {
    /// `akia.api.leaks/1`.
    schema: &'static str,
    /// Keys that AWS says others may know, the latest 1,000.
    exposures: Vec<Thread>,
    /// How many containments there are on all pages.
    total: u64,
    /// The containments of this page.
    threads: Vec<Thread>,
}

/// Keys that others may know, and the containment of those that were found leaked.
#[utoipa::path(get, path = "/api/v1/leaks", tag = "record", params(ThreadsQuery), responses(
    (status = 200, body = Leaks), (status = 400, body = Problem), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn leaks(State(shared): State<Shared>, visitor: Visitor, asked: Asked<ThreadsQuery>) -> Answer<Leaks> {
    let Json(Threads { total, threads, .. }) = threads(&shared, &visitor, Kind::Containment, asked).await?;
    let exposures = Ask { size: MOST, ..Ask::of(Kind::Exposure) };
    let exposures = shared.records.threads(&visitor.person.sight(), &exposures).await?.rows;
    Ok(Json(Leaks { schema: "akia.api.leaks/1", exposures, total, threads }))
}

/// Exemptions.
#[derive(Debug, Serialize, ToSchema)]
struct Exemptions {
    /// `akia.api.exemptions/1`.
    schema: &'static str,
    /// Those of akia.toml first, then those that were granted here, the newest first.
    exemptions: Vec<ExemptionRow>,
}

/// An exemption from enforcement.
#[derive(Debug, Serialize, ToSchema)]
struct ExemptionRow {
    /// The account.
    account: String,
    /// The user: all its keys.
    user: Option<String>,
    /// The key: that one.
    key: Option<String>,
    /// Who answers for it.
    owner: String,
    /// Why.
    reason: String,
    /// Where it was asked for.
    ticket: String,
    /// Who said yes.
    approver: String,
    /// From when it holds.
    granted_at: i64,
    /// When it ends.
    expires_at: i64,
    /// Its number, where it was granted here and not in akia.toml.
    number: Option<i64>,
    /// Who has withdrawn it.
    withdrawn_by: Option<String>,
    /// When.
    withdrawn_at: Option<i64>,
}

/// The exemptions that you may see, also those that have ended or were withdrawn.
#[utoipa::path(get, path = "/api/v1/exemptions", tag = "record", responses((status = 200, body = Exemptions), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role")))]
async fn exemptions(State(shared): State<Shared>, visitor: Visitor) -> Answer<Exemptions> {
    let seen = seen(&shared, &visitor).await?.into_iter();
    let exemptions = seen.map(|shown| {
        let (one, (withdrawn_by, withdrawn_at)) = (shown.exemption, shown.withdrawn.unzip());
        ExemptionRow {
            account: one.account.to_string(),
            user: one.user.as_ref().map(ToString::to_string),
            key: one.key.as_ref().map(ToString::to_string),
            owner: one.owner,
            reason: one.reason,
            ticket: one.ticket,
            approver: one.approver,
            granted_at: one.granted.as_second(),
            expires_at: one.expires.as_second(),
            number: shown.number,
            withdrawn_by,
            withdrawn_at,
        }
    });
    Ok(Json(Exemptions { schema: "akia.api.exemptions/1", exemptions: exemptions.collect() }))
}

/// The schedule is not of one unit or owner: only who sees everything sees it.
fn whole(visitor: &Visitor) -> Result<&str, Refusal> {
    let person = &visitor.person;
    person.sight().is_all().then_some(person.name.as_str()).ok_or_else(Refusal::nothing)
}

/// The number of a run; what is no number is no run.
fn number(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| Refusal::nothing())
}

/// Jobs.
#[derive(Debug, Serialize, ToSchema)]
struct Jobs {
    /// `akia.api.jobs/1`.
    schema: &'static str,
    /// All of them.
    jobs: Vec<JobRow>,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
struct JobRow {
    /// Its name.
    name: String,
    /// The arguments of akia.
    run: Vec<String>,
    /// Its hours in words.
    when: String,
    /// The next of them.
    next_due_at: Option<i64>,
    /// Who has paused it.
    paused_by: Option<String>,
}

/// The jobs of the settings.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "runs", responses((status = 200, body = Jobs), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem, description = "They are not yours to see")))]
async fn jobs(State(shared): State<Shared>, visitor: Visitor) -> Answer<Jobs> {
    whole(&visitor)?;
    let now = shared.now();
    let mut jobs = Vec::new();
    for job in shared.jobs.iter() {
        let name = job.settings.name.clone();
        let paused_by = shared.runs.paused(&name).await?.map(|(person, _)| person);
        jobs.push(JobRow {
            run: job.settings.run.clone(),
            when: job.words(),
            next_due_at: job.next_due(now),
            paused_by,
            name,
        });
    }
    Ok(Json(Jobs { schema: "akia.api.jobs/1", jobs }))
}

/// What became of an act.
#[derive(Debug, Serialize, ToSchema)]
struct Acted {
    /// `akia.api.acted/1`.
    schema: &'static str,
    /// The run that was made, where one was.
    run: Option<i64>,
}

/// Acts on a job: `run` makes a run now, `pause` and `go-on` say whether its hours count. For operators.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/{act}", tag = "runs", params(("name" = String, Path, pattern = "^[a-z0-9-]{1,64}$", description = "The job"), ("act" = String, Path, pattern = "^(run|pause|go-on)$", description = "run, pause or go-on")), responses(
    (status = 200, body = Acted), (status = 400, description = "An address that cannot be read"), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem, description = "There is no such job or act, or it is not yours")))]
async fn act_on_job(
    State(shared): State<Shared>,
    Path((name, act)): Path<(String, String)>,
    Change { visitor, .. }: Change<Nothing>,
) -> Answer<Acted> {
    let person = whole(&visitor)?;
    let job = shared.jobs.iter().find(|job| job.settings.name == name).ok_or_else(Refusal::nothing)?;
    let act = JobAct::read(&act).ok_or_else(Refusal::nothing)?;
    let run = shared.runs.act(job, act, person, shared.now()).await?;
    Ok(Json(Acted { schema: "akia.api.acted/1", run }))
}

/// Runs.
#[derive(Debug, Serialize, ToSchema)]
struct RunList {
    /// `akia.api.runs/1`.
    schema: &'static str,
    /// The newest first.
    runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
struct RunsQuery {
    job: Option<String>,
}

/// The latest 500 runs, the newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(("job" = Option<String>, Query, description = "Only those of this job")), responses(
    (status = 200, body = RunList), (status = 400, description = "An address that cannot be read"), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem, description = "They are not yours to see")))]
async fn runs(State(shared): State<Shared>, visitor: Visitor, Query(query): Query<RunsQuery>) -> Answer<RunList> {
    whole(&visitor)?;
    let runs = shared.runs.latest(query.job.as_deref(), MOST_RUNS).await?;
    Ok(Json(RunList { schema: "akia.api.runs/1", runs }))
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
struct OneRun {
    /// `akia.api.run/1`.
    schema: &'static str,
    /// What is known of it.
    run: Run,
}

/// One run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = i64, Path, description = "Its number")), responses(
    (status = 200, body = OneRun), (status = 400, description = "An address that cannot be read"), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem)))]
async fn run(State(shared): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Answer<OneRun> {
    whole(&visitor)?;
    let id = number(&id)?;
    let run = shared.runs.run(id).await?.ok_or_else(Refusal::nothing)?;
    Ok(Json(OneRun { schema: "akia.api.run/1", run }))
}

/// What a run says.
#[derive(Debug, Serialize, ToSchema)]
struct Lines {
    /// `akia.api.run-lines/1`.
    schema: &'static str,
    /// The number of the line to ask from next.
    next: i64,
    /// 5,000 lines at most.
    lines: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LinesQuery {
    #[serde(default)]
    from: i64,
}

/// What a run has said, from a line on; `/runs/{id}/lines` gives the same as server-sent events.
#[utoipa::path(get, path = "/api/v1/runs/{id}/lines", tag = "runs", params(("id" = i64, Path, description = "Its number"), ("from" = Option<i64>, Query, description = "The first line wanted, from 0")), responses(
    (status = 200, body = Lines), (status = 400, description = "An address that cannot be read"), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem)))]
async fn lines(
    State(shared): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(query): Query<LinesQuery>,
) -> Answer<Lines> {
    whole(&visitor)?;
    let id = number(&id)?;
    shared.runs.run(id).await?.ok_or_else(Refusal::nothing)?;
    let lines = shared.runs.lines(id, query.from).await?;
    let next = lines.last().map_or(query.from, |(number, _)| number + 1);
    Ok(Json(Lines { schema: "akia.api.run-lines/1", next, lines: lines.into_iter().map(|(_, line)| line).collect() }))
}

/// Ends a run at its next safe point. For operators.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = i64, Path, description = "Its number")), responses(
    (status = 200, body = Acted), (status = 400, description = "An address that cannot be read"), (status = 401, description = "No token and no session"), (status = 403, description = "It takes another role"), (status = 404, body = Problem), (status = 409, body = Problem, description = "It is over")))]
async fn cancel(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Change { visitor, .. }: Change<Nothing>,
) -> Answer<Acted> {
    let person = whole(&visitor)?;
    let id = number(&id)?;
    shared.runs.run(id).await?.ok_or_else(Refusal::nothing)?;
    if !shared.runs.cancel(id, person, shared.now()).await? {
        return Err(Refusal(StatusCode::CONFLICT, "the run is over".to_owned()));
    }
    Ok(Json(Acted { schema: "akia.api.acted/1", run: Some(id) }))
}
