//! The files of a scan, shared out and as rows of their own: a plan that a cluster divides between its executors like any other rows.
//!
//! Ballista cuts a stage into tasks at its leaves, and knows only DataFusion's own leaves: a scan that were one itself would be read
//! whole by every task.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;
use url::Url;

use crate::engine::external;
use crate::scan::LogFile;

/// A plan whose rows are these files, a share in each of its partitions.
pub(crate) fn plan(files: impl Iterator<Item = LogFile>, partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("url", DataType::Utf8, false),
        Field::new("bytes", DataType::UInt64, false),
    ]));
    let rows = shared_out(files, partitions).into_iter().map(|share| {
        let urls: StringArray = share.iter().map(|file| Some(file.url.as_str())).collect();
        let bytes: UInt64Array = share.iter().map(|file| file.bytes).collect::<Vec<_>>().into();
        Ok(vec![RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(urls), Arc::new(bytes)])?])
    });
    let mut rows = rows.collect::<Result<Vec<_>>>()?;
    if rows.is_empty() {
        rows.push(Vec::new());
    }
    Ok(MemorySourceConfig::try_new_exec(&rows, Arc::clone(&schema), None)?)
}

/// The files that are named by rows of such a plan.
pub(crate) fn files(rows: &RecordBatch) -> Result<Vec<LogFile>> {
    let columns = (rows.columns().first(), rows.columns().get(1));
    let (Some(urls), Some(bytes)) = (
        columns.0.and_then(|column| column.as_string_opt::<i32>()),
        columns.1.and_then(|column| column.as_primitive_opt::<UInt64Type>()),
    ) else {
        return Err(DataFusionError::Internal(format!("{} names no files", rows.schema())));
    };
    let file = |(url, bytes): (Option<&str>, &u64)| {
        let url = Url::parse(url.unwrap_or_default()).map_err(external)?;
        Ok(LogFile { url, bytes: *bytes })
    };
    urls.iter().zip(bytes.values()).map(file).collect()
}

/// Shares files out to partitions of about one size each, in their order, so that each partition goes through time.
fn shared_out(files: impl Iterator<Item = LogFile>, partitions: usize) -> Vec<Vec<LogFile>> {
    let mut shares = vec![(0_u64, Vec::new()); partitions.max(1)];
    for file in files {
        if let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += file.bytes.max(1);
            share.push(file);
        }
    }
    shares.into_iter().map(|(_, share)| share).filter(|share| !share.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::execution::TaskContext;
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn files_go_through_rows_unchanged_and_each_into_one_partition() {
        let all: Vec<LogFile> = (0..7)
            .map(|number| LogFile {
                url: Url::parse(&format!("s3://example-trail/AWSLogs/{number} ü.json.gz")).unwrap(),
                bytes: number,
            })
            .collect();
        let plan = plan(all.iter().cloned(), 3).unwrap();
        let mut found = Vec::new();
        for partition in 0..3 {
            let rows = plan.execute(partition, Arc::new(TaskContext::default())).unwrap();
            let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
            found.push(rows.iter().flat_map(|rows| files(rows).unwrap()).collect::<Vec<_>>());
        }
        assert!(found.iter().all(|share| !share.is_empty()));
        let mut found: Vec<LogFile> = found.concat();
        found.sort_by_key(|file| file.bytes);
        assert_eq!(found, all);
    }

    #[test]
    fn no_files_are_a_plan_of_one_partition() {
        let plan = plan(std::iter::empty(), 3).unwrap();
        assert_eq!(plan.properties().partitioning.partition_count(), 1);
    }
}
