//! How tables of logs and their scans travel: as what they are, around Ballista's own codecs for all else.

use std::io::{Read, Write};
use std::sync::Arc;

use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use super::MESSAGE;
use crate::column::Table;
use crate::scan::{LogFile, LogScan, Only, Plan};
use crate::table::{LogTable, Parts};

/// What our parts of a plan begin with. Ballista's own are messages of Protobuf, which never begin so.
const SCAN: &[u8] = b"akia log scan 1\n";
const TABLE: &[u8] = b"akia log table 1\n";

/// The most that one task of a cluster reads, in bytes as logs lie there: some seconds of work, which is what a lost executor costs.
const TASK: u64 = 32 << 20;

/// What is told of a table. Names of logs are much alike: deflated, they are a tenth.
#[derive(Serialize, Deserialize)]
struct Told {
    table: Table,
    only: Only,
    largest_file: usize,
    files: Vec<LogFile>,
}

/// The codec of tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    others: BallistaLogicalExtensionCodec,
}

impl LogicalExtensionCodec for Tables {
    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        name: &TableReference,
        schema: SchemaRef,
        context: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let Some(buf) = buf.strip_prefix(TABLE) else {
            return self.others.try_decode_table_provider(buf, name, schema, context);
        };
        let Told { table, only, largest_file, files } =
            serde_json::from_reader(DeflateDecoder::new(buf).take(8 * u64::from(MESSAGE))).map_err(external)?;
        let parts = Parts::UpTo(TASK);
        Ok(Arc::new(LogTable { table, files: Arc::new(files), only, largest_file, receipts: None, parts }))
    }

    fn try_encode_table_provider(
        &self,
        name: &TableReference,
        node: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(logs) = node.downcast_ref::<LogTable>() else {
            return self.others.try_encode_table_provider(name, node, buf).map_err(|_| {
                DataFusionError::Plan(format!(
                    "the table {name} is of this machine alone, and cannot be asked with logs"
                ))
            });
        };
        let LogTable { table, only, largest_file, .. } = logs.clone();
        let told = Told { table, only, largest_file, files: logs.files.to_vec() };
        buf.extend(TABLE);
        let mut deflated = DeflateEncoder::new(buf, Compression::fast());
        serde_json::to_writer(&mut deflated, &told).map_err(external)?;
        deflated.flush()?;
        deflated.finish()?;
        Ok(())
    }

    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], context: &TaskContext) -> Result<Extension> {
        self.others.try_decode(buf, inputs, context)
    }

    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode(node, buf)
    }

    fn try_decode_file_format(&self, buf: &[u8], context: &TaskContext) -> Result<Arc<dyn FileFormatFactory>> {
        self.others.try_decode_file_format(buf, context)
    }

    fn try_encode_file_format(&self, buf: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        self.others.try_encode_file_format(buf, node)
    }
}

/// The codec of scans.
#[derive(Debug, Default)]
pub(super) struct Scans {
    others: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for Scans {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(buf) = buf.strip_prefix(SCAN) else {
            return self.others.try_decode(buf, inputs, context, converter);
        };
        let plan: Plan = serde_json::from_slice(buf).map_err(external)?;
        let [files] = inputs else {
            return Err(DataFusionError::Internal("a LogScan came without the names of its files".to_owned()));
        };
        Ok(Arc::new(LogScan::new(plan, Arc::clone(files), None)?))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(scan) = node.downcast_ref::<LogScan>() else {
            return self.others.try_encode(node, buf, converter);
        };
        buf.extend(SCAN);
        serde_json::to_writer(buf, scan.plan()).map_err(external)
    }
}

fn external(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(error.into())
}
