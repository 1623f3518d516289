//! Questions to the facts.

use std::sync::Arc;

use akia_core::usage::{Covered, Fact, Resources};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef, TimestampSecondType};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::{Expr, Like};
use datafusion::prelude::{ParquetReadOptions, SessionContext, col, lit};
use jiff::Timestamp;
use jiff::civil::Date;

use super::home::{FactsError, FactsHome};
use super::load::{FACTS, logs_schema};
use super::manifest::{Manifest, Part};
use super::twice::is_of_history;
use crate::column::Table;
use crate::desk::About;

/// What is counted over equal facts of several files.
const TOLD_APART: [&str; 11] =
    ["key", "account", "user", "hour", "service", "name", "region", "ip", "agent", "error", "resources"];

/// Makes the tables `facts`, `keys` and `logs` out of what a manifest names.
///
/// # Errors
///
/// When a file of facts cannot be opened.
pub async fn register(context: &SessionContext, home: &FactsHome, manifest: &Manifest) -> Result<(), FactsError> {
    let calls = Table::Calls.schema();
    let wanted = FACTS.split(", ").map(|name| calls.index_of(name)).collect::<Result<Vec<_>, _>>();
    let facts = Arc::new(calls.project(&wanted.map_err(DataFusionError::from)?).map_err(DataFusionError::from)?);
    for (name, parts, schema) in [("facts", &manifest.facts, facts), ("logs", &manifest.logs, logs_schema())] {
        context.deregister_table(name)?;
        context.register_table(name, table(context, home, parts, schema).await?)?;
    }
    context.deregister_table("keys")?;
    let keys = context
        .sql(
            "SELECT key, account, user, sum(calls) AS calls, min(first) AS first, max(last) AS last, \
             count(DISTINCT ip) AS ips, count(DISTINCT agent) AS agents, count(DISTINCT service) AS services, \
             count(DISTINCT region) AS regions, sum(CASE WHEN error IS NULL THEN 0 ELSE calls END) AS refused \
             FROM facts GROUP BY key, account, user",
        )
        .await?;
    context.register_table("keys", keys.into_view())?;
    Ok(())
}

async fn table(
    context: &SessionContext,
    home: &FactsHome,
    parts: &[Part],
    schema: SchemaRef,
) -> Result<Arc<dyn TableProvider>, FactsError> {
    if parts.is_empty() {
        return Ok(Arc::new(MemTable::try_new(schema, vec![Vec::new()])?));
    }
    let files: Vec<String> = parts.iter().map(|part| home.file(&part.file)).collect();
    let options = ParquetReadOptions::default().schema(&schema).parquet_pruning(true);
    Ok(context.read_parquet(files, options).await?.into_view())
}

/// The facts about some keys, equal ones counted together, by key and time.
///
/// # Errors
///
/// When the question fails.
pub async fn facts(context: &SessionContext, about: &About) -> Result<Vec<Fact>, FactsError> {
    let second = |at: Timestamp| lit(ScalarValue::TimestampSecond(Some(at.as_second()), Some("UTC".into())));
    let mut wanted = context.table("facts").await?;
    if let Some(key) = &about.key {
        wanted = wanted.filter(col("key").eq(lit(key.as_str())))?;
    }
    if let Some(user) = &about.user {
        // By its ARN, or by its name, which stands behind the last slash.
        let named = Expr::Like(Like {
            negated: false,
            expr: Box::new(col("user")),
            pattern: Box::new(lit(format!("%/{}", user.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")))),
            escape_char: None,
            case_insensitive: false,
        });
        wanted = wanted.filter(col("user").eq(lit(user.as_str())).or(named))?;
    }
    if let Some(since) = about.since {
        wanted = wanted.filter(col("last").gt_eq(second(since)))?;
    }
    if let Some(until) = about.until {
        wanted = wanted.filter(col("first").lt(second(until)))?;
    }
    let apart: Vec<Expr> = TOLD_APART.iter().map(|name| col(*name)).collect();
    let counted =
        vec![sum(col("calls")).alias("calls"), min(col("first")).alias("first"), max(col("last")).alias("last")];
    // By all that tells them apart: the same logs give the same answer, however they were loaded.
    let order = ["key", "first", "service", "name", "ip", "agent", "region", "error", "resources", "user", "account"]
        .map(|name| col(name).sort(true, true))
        .to_vec();
    let batches = wanted.aggregate(apart, counted)?.sort(order)?.collect().await?;
    let mut facts = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in &batches {
        let texts: Vec<&StringViewArray> =
            [0, 1, 2, 4, 5, 6, 7, 8, 9, 10].iter().map(|&at| batch.column(at).as_string_view()).collect();
        let times = [3, 12, 13].map(|at| batch.column(at).as_primitive::<TimestampSecondType>());
        let calls = batch.column(11).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let text = |at: usize| if texts[at].is_null(row) { String::new() } else { texts[at].value(row).to_owned() };
            let time = |at: usize| Timestamp::from_second(times[at].value(row)).unwrap_or_default();
            facts.push(Fact {
                key: text(0),
                account: text(1),
                user: text(2),
                hour: time(0),
                service: text(3),
                name: text(4),
                region: text(5),
                ip: text(6),
                agent: text(7),
                error: text(8),
                resources: Resources(text(9)),
                calls: calls.value(row).unsigned_abs(),
                first: time(1),
                last: time(2),
            });
        }
    }
    Ok(facts)
}

/// What was loaded, by account and region.
///
/// # Errors
///
/// When the question fails.
pub async fn covered(context: &SessionContext) -> Result<Vec<Covered>, FactsError> {
    let question = format!(
        "SELECT account, region, day, count(*) AS logs, max(last) AS last, \
         sum(CASE WHEN problem IS NULL THEN 0 ELSE 1 END) AS unread, bool_or({}) AS is_of_history \
         FROM (SELECT file, account, region, day, max(last) AS last, \
               CASE WHEN count(*) = count(problem) THEN max(problem) END AS problem \
               FROM logs GROUP BY file, account, region, day) \
         GROUP BY account, region, day ORDER BY account, region, day",
        is_of_history()
    );
    let batches = context.sql(&question).await?.collect().await?;
    let mut all: Vec<Covered> = Vec::new();
    for batch in &batches {
        let texts = [0, 1, 2].map(|at| batch.column(at).as_string_view());
        let counts = [3, 5].map(|at| batch.column(at).as_primitive::<Int64Type>());
        let last = batch.column(4).as_primitive::<TimestampSecondType>();
        let is_of_history = batch.column(6).as_boolean();
        for row in 0..batch.num_rows() {
            let text = |at: usize| (!texts[at].is_null(row)).then(|| texts[at].value(row).to_owned());
            let (account, region) = (text(0), text(1));
            let day: Option<Date> = text(2).and_then(|day| day.parse().ok());
            let is_next = all.last().is_some_and(|known| known.account == account && known.region == region);
            if !is_next {
                all.push(Covered { account, region, ..Covered::default() });
            }
            let Some(known) = all.last_mut() else { continue };
            known.logs += counts[0].value(row).unsigned_abs();
            known.unread += counts[1].value(row).unsigned_abs();
            let called = (!last.is_null(row)).then(|| last.value(row)).and_then(|at| Timestamp::from_second(at).ok());
            known.last_call = known.last_call.max(called);
            known.days.extend(day);
            known.history_days.extend(day.filter(|_| is_of_history.value(row)));
        }
    }
    Ok(all)
}

/// All keys with facts.
///
/// # Errors
///
/// When the question fails.
pub async fn keys(context: &SessionContext) -> Result<Vec<String>, FactsError> {
    let batches =
        context.sql("SELECT DISTINCT key FROM facts WHERE key IS NOT NULL ORDER BY key").await?.collect().await?;
    Ok(batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string_view().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect())
}

/// Calls that are data events, by service: some of each kind suffice.
const DATA_EVENTS: [(&str, &[&str]); 5] = [
    ("s3", &["GetObject", "PutObject", "HeadObject", "DeleteObject", "ListObjects"]),
    ("dynamodb", &["GetItem", "PutItem", "Query", "Scan", "UpdateItem", "BatchGetItem"]),
    ("lambda", &["Invoke"]),
    ("sqs", &["SendMessage", "ReceiveMessage"]),
    ("sns", &["Publish", "PublishBatch"]),
];

/// Whether the facts of an account hold any data event.
///
/// # Errors
///
/// When the question fails.
pub async fn has_data_events(context: &SessionContext, account: &str) -> Result<bool, FactsError> {
    let data = DATA_EVENTS.iter().map(|(service, names)| {
        let names = names.iter().map(|name| lit(*name)).collect();
        col("service").eq(lit(*service)).and(col("name").in_list(names, false))
    });
    let Some(is_data) = data.reduce(Expr::or) else { return Ok(false) };
    let found =
        context.table("facts").await?.filter(col("account").eq(lit(account)).and(is_data))?.limit(0, Some(1))?;
    Ok(found.collect().await?.iter().any(|batch| batch.num_rows() > 0))
}
