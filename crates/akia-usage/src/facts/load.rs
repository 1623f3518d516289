//! Reads logs into facts: a portion at a time, each of which counts whole or not at all.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, AsArray, BooleanArray, RecordBatch, StringViewArray, TimestampSecondArray, UInt64Array,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::prelude::SessionContext;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;

use super::home::{FactsError, FactsHome};
use super::manifest::{Manifest, Part};
use super::twice::{self, Taken};
use super::write::PartWriter;
use crate::column::{Table, moment};
use crate::receipt::Receipt;
use crate::scan::{LogFile, Only};
use crate::table::{LogTable, Parts};

/// The columns of facts, as they are asked of `calls`.
pub(super) const FACTS: &str =
    "key, account, user, hour, service, name, region, ip, agent, error, resources, calls, first, last";

/// What is to be loaded.
#[derive(Debug, Clone)]
pub struct Load {
    /// The logs that were listed.
    pub files: Vec<LogFile>,
    /// The most that a file may inflate to, in bytes.
    pub largest_file: usize,
    /// Bytes of logs, as they lie there, after which what was read is made to count.
    pub portion: u64,
}

/// What a load did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Logs that were read now.
    pub files: u64,
    /// Logs that had been read before.
    pub known: u64,
    /// Their size, as they lie there.
    pub bytes: u64,
    /// Their size, inflated.
    pub inflated: u64,
    /// Calls in them.
    pub calls: u64,
    /// Those of users, which are kept.
    pub kept: u64,
    /// Records that are no calls.
    pub others: u64,
    /// Logs with bytes that were no UTF-8, and were replaced.
    pub with_bad_text: u64,
    /// The first call that was kept.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// Logs of which nothing was taken.
    pub problems: Vec<Problem>,
}

/// A log of which nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which.
    pub file: String,
    /// Why.
    pub why: String,
}

/// Reads the logs that were not read before.
///
/// # Errors
///
/// When facts cannot be read or written. What was made to count before stays.
pub async fn load(
    context: &SessionContext,
    home: &FactsHome,
    load: &Load,
    now: Timestamp,
    progress: &mut dyn FnMut(&Loaded),
) -> Result<Loaded, FactsError> {
    let (mut number, mut manifest) = home.manifest().await?;
    let (known, taken) = known(context, home, &manifest).await?;
    let mut loaded = Loaded::default();
    let mut portion: Vec<LogFile> = Vec::new();
    let mut bytes = 0;
    let fresh: Vec<&LogFile> =
        load.files.iter().filter(|file| !known.contains(&name_of(file.url.as_str(), file.bytes))).collect();
    loaded.known = (load.files.len() - fresh.len()) as u64;
    twice::refuse(&fresh, taken)?;
    for (at, file) in fresh.iter().enumerate() {
        bytes += file.bytes;
        portion.push((*file).clone());
        if bytes < load.portion && at + 1 < fresh.len() {
            continue;
        }
        bytes = 0;
        let (facts, receipts) = read(context, home, load, std::mem::take(&mut portion), now).await?;
        let logs = write_receipts(home, &receipts, now).await?;
        (number, manifest) = commit(context, home, (number, manifest), facts, logs, &receipts).await?;
        for receipt in receipts {
            loaded.add(receipt);
        }
        progress(&loaded);
    }
    home.sweep(now).await?;
    Ok(loaded)
}

/// What tells a log from others wherever it lies: CloudTrail's names are unique, so a copy in another bucket is the same log. A file of
/// another name is another one once its size has changed.
fn name_of(url: &str, bytes: u64) -> String {
    let name = url.rsplit('/').next().unwrap_or_default();
    if name.contains("_CloudTrail_") { name.to_owned() } else { format!("{bytes} {url}") }
}

/// Logs that were read, and whose calls the facts have by them.
async fn known(
    context: &SessionContext,
    home: &FactsHome,
    manifest: &Manifest,
) -> Result<(HashSet<String>, Taken), FactsError> {
    let mut known = HashSet::new();
    if manifest.logs.is_empty() {
        return Ok((known, Taken::default()));
    }
    super::question::register(context, home, manifest).await?;
    let mut rows = context.sql("SELECT file, bytes FROM logs WHERE problem IS NULL").await?.execute_stream().await?;
    while let Some(batch) = rows.try_next().await? {
        let (files, bytes) = (batch.column(0).as_string_view(), batch.column(1).as_primitive::<UInt64Type>());
        known.extend(files.iter().zip(bytes.values()).filter_map(|(file, bytes)| Some(name_of(file?, *bytes))));
    }
    Ok((known, twice::taken(context).await?))
}

/// Reads a portion: facts go into a file, and each log has its receipt.
async fn read(
    context: &SessionContext,
    home: &FactsHome,
    load: &Load,
    files: Vec<LogFile>,
    now: Timestamp,
) -> Result<(Option<Part>, Vec<Receipt>), FactsError> {
    let table = LogTable {
        table: Table::Calls,
        files: Arc::new(files),
        // A log is read as a whole, whatever days are asked for: it is not read again.
        only: Only { of_user: true, ..Only::default() },
        largest_file: load.largest_file,
        receipts: None,
        parts: Parts::default(),
    };
    context.deregister_table("calls")?;
    context.register_table("calls", Arc::new(table))?;
    let question = format!("SELECT note, {FACTS} FROM calls ORDER BY key NULLS FIRST, service, name");
    let mut rows = context.sql(&question).await?.execute_stream().await?;
    let schema = Arc::new(Schema::new(rows.schema().fields().iter().skip(1).cloned().collect::<Vec<_>>()));
    let mut part = PartWriter::begin(home, "facts", schema)?;
    let mut receipts = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let notes = batch.column(0).as_string_view();
        for note in notes.iter().flatten() {
            receipts.push(Receipt::from_note(note)?);
        }
        let are_calls = BooleanArray::from_iter((0..batch.num_rows()).map(|row| Some(notes.is_null(row))));
        let calls = batch.project(&(1..batch.num_columns()).collect::<Vec<_>>())?;
        part.write(&filter_record_batch(&calls, &are_calls)?).await?;
    }
    Ok((part.end(home, now).await?, receipts))
}

/// Makes a portion count. Where another load was quicker, on top of its state, as long as it took none of the same logs.
async fn commit(
    context: &SessionContext,
    home: &FactsHome,
    (mut number, mut manifest): (u64, Manifest),
    facts: Option<Part>,
    logs: Option<Part>,
    receipts: &[Receipt],
) -> Result<(u64, Manifest), FactsError> {
    loop {
        let mut next = manifest;
        next.facts.extend(facts.clone());
        next.logs.extend(logs.clone());
        number += 1;
        if home.commit(number, &next).await? {
            return Ok((number, next));
        }
        (number, manifest) = home.manifest().await?;
        let (known, taken) = known(context, home, &manifest).await?;
        let is_taken = |receipt: &&Receipt| {
            twice::is_taken(&receipt.file, &taken) || known.contains(&name_of(&receipt.file, receipt.bytes))
        };
        let logs = receipts.iter().filter(is_taken).count();
        if logs > 0 {
            return Err(FactsError::Overtaken { logs });
        }
    }
}

/// The schema of the table `logs`.
pub(super) fn logs_schema() -> SchemaRef {
    let text = |name, nullable| Field::new(name, DataType::Utf8View, nullable);
    let number = |name| Field::new(name, DataType::UInt64, false);
    Arc::new(Schema::new(vec![
        text("file", false),
        text("account", true),
        text("region", true),
        text("day", true),
        number("bytes"),
        number("inflated"),
        number("calls"),
        number("kept"),
        number("others"),
        Field::new("first", moment(), true),
        Field::new("last", moment(), true),
        text("problem", true),
        Field::new("has_bad_text", DataType::Boolean, false),
    ]))
}

async fn write_receipts(home: &FactsHome, receipts: &[Receipt], now: Timestamp) -> Result<Option<Part>, FactsError> {
    let mut part = PartWriter::begin(home, "logs", logs_schema())?;
    let places: Vec<_> = receipts.iter().map(|receipt| crate::source::told_by_path(&receipt.file)).collect();
    let text = |of: &dyn Fn(usize) -> Option<String>| -> Arc<dyn Array> {
        Arc::new(StringViewArray::from_iter((0..receipts.len()).map(of)))
    };
    let number = |of: fn(&Receipt) -> u64| -> Arc<dyn Array> {
        Arc::new(UInt64Array::from_iter_values(receipts.iter().map(of)))
    };
    let time = |of: fn(&Receipt) -> Option<i64>| -> Arc<dyn Array> {
        Arc::new(TimestampSecondArray::from_iter(receipts.iter().map(of)).with_timezone("UTC"))
    };
    let columns: Vec<Arc<dyn Array>> = vec![
        text(&|at| Some(receipts[at].file.clone())),
        text(&|at| places[at].account.clone()),
        text(&|at| places[at].region.clone()),
        text(&|at| places[at].day.map(|day| day.to_string())),
        number(|receipt| receipt.bytes),
        number(|receipt| receipt.inflated),
        number(|receipt| receipt.calls),
        number(|receipt| receipt.kept),
        number(|receipt| receipt.others),
        time(|receipt| receipt.first),
        time(|receipt| receipt.last),
        text(&|at| receipts[at].problem.clone()),
        Arc::new(BooleanArray::from_iter(receipts.iter().map(|receipt| Some(receipt.has_bad_text)))),
    ];
    let batch = RecordBatch::try_new(logs_schema(), columns).map_err(datafusion::error::DataFusionError::from)?;
    part.write(&batch).await?;
    part.end(home, now).await
}

impl Loaded {
    fn add(&mut self, receipt: Receipt) {
        if let Some(why) = receipt.problem {
            self.problems.push(Problem { file: receipt.file, why });
            return;
        }
        let moment = |second: Option<i64>| second.and_then(|second| Timestamp::from_second(second).ok());
        self.files += 1;
        self.bytes += receipt.bytes;
        self.inflated += receipt.inflated;
        self.calls += receipt.calls;
        self.kept += receipt.kept;
        self.others += receipt.others;
        self.with_bad_text += u64::from(receipt.has_bad_text);
        self.first = self.first.into_iter().chain(moment(receipt.first)).min();
        self.last = self.last.into_iter().chain(moment(receipt.last)).max();
    }
}
