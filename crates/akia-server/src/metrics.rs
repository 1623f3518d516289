//! `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever watches the process.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use akia_core::finding::Severity;

use crate::access::{Door, Visitor};
use crate::database::DatabaseError;
use crate::estate::{AGES, Figures};
use crate::page;
use crate::schedule::RunState;
use crate::sight::Role;
use crate::web::{Route, Shared};

/// The form of the answer.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Keys that were shut longer ago are not told of.
const SHUT_WITHIN: i64 = 90 * 86_400;

/// What a load balancer asks, with whatever name it has for this server.
pub(crate) fn health() -> Router<Shared> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/metrics", Door::From(Role::Viewer), metrics)]
}

/// Ready is who reaches the database.
async fn ready(State(shared): State<Shared>) -> Response {
    match shared.runs.latest(None, 1).await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    status: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AgeLabel {
    age: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SeverityLabel {
    severity: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    job: String,
    state: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabel {
    job: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabel {
    kind: Word,
    quantile: Word,
}

/// A word of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0)
    }
}

/// The figures of the whole estate and the schedule; only who sees everything may ask.
async fn metrics(State(shared): State<Shared>, visitor: Visitor) -> Response {
    if !visitor.person.sight().is_all() {
        return page::not_yours();
    }
    match gather(&shared, &visitor).await {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => page::failed(&error),
    }
}

async fn gather(shared: &Shared, visitor: &Visitor) -> Result<String, DatabaseError> {
    let now = shared.now();
    let accounts = shared.estate.accounts(&visitor.person.sight(), now).await?;
    let mut figures = Figures::default();
    accounts.iter().for_each(|account| figures.add(&account.figures));
    let mut registry = Registry::with_prefix("akia");
    let keys = Family::<Labels, Gauge>::default();
    keys.get_or_create(&Labels { status: Word("active") }).set(whole(figures.active));
    keys.get_or_create(&Labels { status: Word("inactive") }).set(whole(figures.inactive));
    registry.register("keys", "Access keys of the latest audits", keys);
    let ages = Family::<AgeLabel, Gauge>::default();
    for ((age, _), count) in AGES.iter().zip(figures.ages) {
        ages.get_or_create(&AgeLabel { age: Word(age) }).set(whole(count));
    }
    registry.register("active_keys_by_age", "Active access keys in groups of age, each key in one", ages);
    let worst = Family::<SeverityLabel, Gauge>::default();
    let words = std::iter::once("none").chain(Severity::ALL.into_iter().rev().map(Severity::as_str));
    for (word, count) in words.zip(figures.severities) {
        worst.get_or_create(&SeverityLabel { severity: Word(word) }).set(whole(count));
    }
    registry.register("keys_by_severity", "Access keys by the gravest rule that they break", worst);
    let single = |registry: &mut Registry, name: &'static str, help: &'static str, value: i64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    single(
        &mut registry,
        "unused_keys",
        "Active access keys without use for more than 90 days, or ever",
        whole(figures.unused()),
    );
    single(&mut registry, "ownerless_keys", "Active access keys that nobody answers for", whole(figures.ownerless));
    single(&mut registry, "oldest_active_key_days", "Age of the oldest active access key", figures.oldest_days);
    single(&mut registry, "accounts", "Accounts that were read", i64::try_from(accounts.len()).unwrap_or(i64::MAX));
    let lag = accounts.iter().map(|account| now - account.as_of).max().unwrap_or(0);
    single(&mut registry, "estate_lag_seconds", "Age of the oldest account's answers", lag);
    let runs = Family::<RunLabels, Gauge>::default();
    for ((job, state), count) in shared.runs.counts().await? {
        runs.get_or_create(&RunLabels { job, state: Word(state.as_str()) }).set(count);
    }
    registry.register("runs", "Runs of the last 90 days by job and state", runs);
    let late = Family::<JobLabel, Gauge>::default();
    for run in shared.runs.latest(None, 200).await?.iter().filter(|run| run.state == RunState::Waiting) {
        late.get_or_create(&JobLabel { job: run.job.clone() }).set((now - run.due_at).max(0));
    }
    registry.register("job_lag_seconds", "How long a waiting run is past its hour", late);
    let (counts, times) = (Family::<KindLabel, Gauge>::default(), Family::<PartLabel, Gauge>::default());
    for (kind, took) in shared.records.shut_after(now - SHUT_WITHIN).await? {
        counts.get_or_create(&KindLabel { kind: Word(kind) }).set(i64::try_from(took.len()).unwrap_or(i64::MAX));
        for (quantile, hundredths) in [("0.5", 50), ("0.9", 90), ("1", 100)] {
            let last = (took.len() * hundredths).div_ceil(100).saturating_sub(1);
            if let Some(seconds) = took.get(last) {
                times.get_or_create(&PartLabel { kind: Word(kind), quantile: Word(quantile) }).set(*seconds);
            }
        }
    }
    registry.register("remediated_keys", "Keys that enforcement or a containment has shut in the last 90 days", counts);
    registry.register("time_to_remediate_seconds", "From the first word about such a key until it was shut", times);
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        text.clear();
        let _ = writeln!(text, "# EOF");
    }
    Ok(text)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
