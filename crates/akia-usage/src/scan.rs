//! The scan of log files as a plan of DataFusion: it travels as [`Plan`], above the plan that names the files. Each partition reads its
//! files one after another.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use akia_core::usage::Call;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::column::{Column, Table, Text};
use crate::engine::external;
use crate::inflate::Inflater;
use crate::json::Index;
use crate::ocsf;
use crate::receipt::Receipt;
use crate::shares;
use crate::tally::Tally;
use crate::walk::{Event, Wants, walk};

/// Memory that rows of one partition take before they are given out.
const PARTITION: usize = 8 << 20;
/// Files that are fetched ahead of the one that is read.
const AHEAD: usize = 4;

/// What the error of a query says of a log that it needs and cannot have.
pub(crate) const UNREAD: &str = " cannot be read";

/// A log file, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Where it lies: `file:///…` or `s3://bucket/…`.
    pub url: Url,
    /// Its size.
    pub bytes: u64,
}

/// Which events are wanted. What is here is left out before a row is made of it; DataFusion looks once more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Only {
    /// Those that a user or the root user stands behind.
    #[serde(default)]
    pub of_user: bool,
    /// Those with one of these values.
    #[serde(default)]
    pub any_of: Vec<(Text, Vec<String>)>,
    /// Those from this second on.
    #[serde(default)]
    pub since: Option<i64>,
    /// Those before this second.
    #[serde(default)]
    pub until: Option<i64>,
}

impl Only {
    fn wants(&self, event: &Event<'_>) -> bool {
        let Some(time) = event.time else { return false };
        self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && (!self.of_user || event.is_of_user())
            && self.any_of.iter().all(|(text, values)| {
                event.text(*text).is_some_and(|value| values.iter().any(|wanted| wanted == value))
            })
    }
}

/// All that a scan is but for the files: what a cluster is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Which table.
    pub table: Table,
    /// The columns that are read, by their place in the table.
    pub projection: Vec<usize>,
    /// Which events.
    pub only: Only,
    /// The most that a file may inflate to, in bytes.
    pub largest_file: usize,
}

/// The scan itself.
#[derive(Debug)]
pub struct LogScan {
    plan: Arc<Plan>,
    /// What names the files, a row for each.
    files: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    /// Where receipts go when the query does not read them as rows.
    receipts: Option<Receipts>,
}

/// Receipts of a scan on this machine.
pub type Receipts = Arc<Mutex<Vec<Receipt>>>;

impl LogScan {
    /// Of a plan, and the plan that names the files.
    ///
    /// # Errors
    ///
    /// When the plan reads a column that the table does not have.
    pub fn new(plan: Plan, files: Arc<dyn ExecutionPlan>, receipts: Option<Receipts>) -> Result<Self> {
        let schema = Arc::new(plan.table.schema().project(&plan.projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(files.properties().partitioning.partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { plan: Arc::new(plan), files, schema, properties: Arc::new(properties), receipts })
    }

    /// What it is.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl DisplayAs for LogScan {
    fn fmt_as(&self, _: DisplayFormatType, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions = self.properties.partitioning.partition_count();
        write!(to, "LogScan: table={:?}, partitions={partitions}", self.plan.table)
    }
}

impl ExecutionPlan for LogScan {
    fn name(&self) -> &'static str {
        "LogScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.files]
    }

    /// Files are shared out by their size already.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(files), true) = (children.pop(), children.is_empty()) else {
            return Err(DataFusionError::Internal("a LogScan has one child".to_owned()));
        };
        Ok(Arc::new(Self::new(Plan::clone(&self.plan), files, self.receipts.clone())?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let runtime = context.runtime_env();
        let fetched = self
            .files
            .execute(partition, context)?
            .map(|rows| Ok::<_, DataFusionError>(stream::iter(shares::files(&rows?)?).map(Ok)))
            .try_flatten()
            .map(move |file: Result<LogFile>| {
                let runtime = Arc::clone(&runtime);
                async move {
                    let file = file?;
                    let store = runtime.object_store_registry.get_store(&file.url);
                    let data = match store {
                        Ok(store) => fetch(&*store, &file.url).await,
                        Err(error) => Err(error.to_string()),
                    };
                    Ok((file, data))
                }
            })
            .buffered(AHEAD);
        let reading = Reading::new(&self.plan, &self.schema, self.receipts.clone())?;
        let batches = batches(reading, Box::pin(fetched));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

async fn fetch(store: &dyn ObjectStore, url: &Url) -> std::result::Result<bytes::Bytes, String> {
    let path = object_store::path::Path::from_url_path(url.path()).map_err(|error| error.to_string())?;
    let answer = store.get(&path).await.map_err(|error| error.to_string())?;
    answer.bytes().await.map_err(|error| error.to_string())
}

type Fetched = Result<(LogFile, std::result::Result<bytes::Bytes, String>)>;

fn batches(
    reading: Reading,
    files: std::pin::Pin<Box<dyn Stream<Item = Fetched> + Send>>,
) -> impl Stream<Item = Result<RecordBatch>> {
    stream::unfold(Some((reading, files)), async |state| {
        let (mut reading, mut files) = state?;
        loop {
            if let Some(batch) = reading.ready.pop_front() {
                return Some((Ok(batch), Some((reading, files))));
            }
            let step = match files.next().await {
                Some(Ok((file, data))) => reading.read(&file, data),
                Some(Err(error)) => Err(error),
                None if reading.is_over => return None,
                None => reading.finish(),
            };
            if let Err(error) = step {
                return Some((Err(error), None));
            }
        }
    })
}

/// A partition as it is read.
struct Reading {
    plan: Arc<Plan>,
    wants: Wants,
    has_notes: bool,
    inflater: Inflater,
    index: Index,
    tally: Tally,
    receipts: Option<Receipts>,
    ready: VecDeque<RecordBatch>,
    is_over: bool,
}

impl Reading {
    fn new(plan: &Arc<Plan>, schema: &SchemaRef, receipts: Option<Receipts>) -> Result<Self> {
        let all = plan.table.columns();
        let columns = plan.projection.iter().map(|&at| {
            all.get(at).copied().ok_or_else(|| DataFusionError::Internal(format!("no column {at} in {:?}", plan.table)))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let mut wanted: Vec<Text> = plan.only.any_of.iter().map(|(text, _)| *text).collect();
        for column in &columns {
            match column {
                Column::Text(Text::Resources) => {
                    wanted.extend([Text::Resources, Text::Service, Text::Name, Text::User, Text::Region, Text::Account])
                }
                Column::Text(text) => wanted.push(*text),
                Column::OfUser => wanted.extend([Text::Key, Text::Identity]),
                _ => {}
            }
        }
        if plan.only.of_user {
            wanted.extend([Text::Key, Text::Identity]);
        }
        Ok(Self {
            has_notes: wanted.contains(&Text::Note),
            wants: Wants::of(wanted, plan.only.of_user),
            inflater: Inflater::new(plan.largest_file),
            index: Index::default(),
            tally: Tally::new(columns, Arc::clone(schema), plan.table == Table::Calls, PARTITION),
            plan: Arc::clone(plan),
            receipts,
            ready: VecDeque::new(),
            is_over: false,
        })
    }

    fn read(&mut self, file: &LogFile, data: std::result::Result<bytes::Bytes, String>) -> Result<()> {
        let receipt = self.read_file(file, data);
        if self.has_notes {
            self.tally.note(&receipt.to_note()?, receipt.first.unwrap_or_default());
        } else if let Some(receipts) = &self.receipts {
            receipts.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
        } else if let Some(problem) = receipt.problem {
            return Err(external(format!("{}{}: {problem}", file.url, UNREAD)));
        }
        if self.tally.is_full() {
            self.ready.extend(self.tally.give_out()?);
        }
        Ok(())
    }

    fn read_file(&mut self, file: &LogFile, data: std::result::Result<bytes::Bytes, String>) -> Receipt {
        let mut receipt = Receipt {
            file: file.url.to_string(),
            bytes: file.bytes,
            inflated: 0,
            calls: 0,
            kept: 0,
            others: 0,
            first: None,
            last: None,
            problem: None,
            has_bad_text: false,
        };
        match self.read_data(&mut receipt, data) {
            Ok(()) => self.tally.keep_file(),
            Err(problem) => {
                self.tally.forget_file();
                (receipt.kept, receipt.first, receipt.last) = (0, None, None);
                receipt.problem = Some(problem);
            }
        }
        receipt
    }

    fn read_data(
        &mut self,
        receipt: &mut Receipt,
        data: std::result::Result<bytes::Bytes, String>,
    ) -> std::result::Result<(), String> {
        let data = data?;
        let (wants, limit) = (self.wants, self.plan.largest_file);
        let (only, tally) = (&self.plan.only, &mut self.tally);
        let (mut kept, mut first, mut last) = (0, None, None);
        let mut each = |event: &Event<'_>| {
            if only.wants(event) {
                kept += 1;
                first = event.time.min(first).or(event.time);
                last = event.time.max(last);
                tally.take(event, resources);
            }
        };
        let walked = if ocsf::is_parquet(&data) {
            let read = ocsf::read(&data, wants, limit, &mut each).map_err(|error| error.to_string())?;
            (receipt.inflated, receipt.has_bad_text) = (read.inflated, read.has_bad_text);
            read.walked
        } else {
            let bytes = self.inflater.inflate(&data).map_err(|error| error.to_string())?;
            receipt.inflated = bytes.len() as u64;
            let text = match simdutf8::basic::from_utf8(&bytes) {
                Ok(text) => std::borrow::Cow::Borrowed(text),
                Err(_) => {
                    receipt.has_bad_text = true;
                    String::from_utf8_lossy(&bytes)
                }
            };
            walk(&text, &mut self.index, wants, &mut each).map_err(|error| format!("no JSON of CloudTrail: {error}"))?
        };
        (receipt.calls, receipt.others) = (walked.calls, walked.others);
        (receipt.kept, receipt.first, receipt.last) = (kept, first, last);
        if walked.has_records { Ok(()) } else { Err("it has no list of `Records`, and is no event".to_owned()) }
    }

    fn finish(&mut self) -> Result<()> {
        self.is_over = true;
        self.ready.extend(self.tally.give_out()?);
        Ok(())
    }
}

/// What a call was about.
fn resources(event: &Event<'_>) -> String {
    let (arns, parameters) = (event.arns(), event.parameters());
    let text = |text| event.text(text).unwrap_or_default();
    let partition = text(Text::User).split(':').nth(1).unwrap_or("aws");
    akia_core::usage::resources(&Call {
        service: text(Text::Service),
        name: text(Text::Name),
        partition,
        region: text(Text::Region),
        account: text(Text::Account),
        arns: &arns,
        parameters: &parameters,
    })
    .0
}
