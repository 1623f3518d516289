//! Parquet files of facts and of logs that were read.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::AsyncArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;

use super::home::{FactsError, FactsHome};
use super::manifest::Part;

/// Rows of a row group: few enough that a question about one key reads little.
const ROW_GROUP: usize = 64 * 1024;

/// A file in the making.
pub(super) struct PartWriter {
    name: String,
    writer: AsyncArrowWriter<BufWriter>,
    rows: u64,
}

impl PartWriter {
    /// Begins one. `kind` is its folder.
    pub(super) fn begin(home: &FactsHome, kind: &str, schema: SchemaRef) -> Result<Self, FactsError> {
        let name = format!("{kind}/{}.parquet", uuid::Uuid::new_v4().simple());
        let to = BufWriter::new(Arc::clone(&home.store), home.path(&name));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_column_bloom_filter_enabled("key".into(), true)
            .build();
        Ok(Self { name, writer: AsyncArrowWriter::try_new(to, schema, Some(properties))?, rows: 0 })
    }

    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<(), FactsError> {
        self.rows += batch.num_rows() as u64;
        Ok(self.writer.write(batch).await?)
    }

    /// Ends it; none where nothing was written.
    pub(super) async fn end(self, home: &FactsHome, now: Timestamp) -> Result<Option<Part>, FactsError> {
        if self.rows == 0 {
            drop(self.writer);
            return Ok(None);
        }
        self.writer.close().await?;
        let meta = home.store.head(&home.path(&self.name)).await.map_err(|error| home.failed(error))?;
        Ok(Some(Part { file: self.name, rows: self.rows, bytes: meta.size, written: now }))
    }
}
