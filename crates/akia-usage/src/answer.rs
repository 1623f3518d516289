//! An answer in SQL, as text.

use std::sync::Arc;

use akia_core::text::csv_field;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ArrayWriter;
use datafusion::arrow::util::pretty::pretty_format_batches;

/// As a table.
///
/// # Errors
///
/// When a value has no text.
pub fn table(answer: &[RecordBatch]) -> Result<String, String> {
    pretty_format_batches(answer).map(|table| table.to_string()).map_err(|error| error.to_string())
}

/// As a list of objects. Columns without a value are left out.
///
/// # Errors
///
/// When a value has no JSON.
pub fn json(answer: &[RecordBatch]) -> Result<serde_json::Value, String> {
    let mut writer = ArrayWriter::new(Vec::new());
    for batch in answer {
        writer.write(batch).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(|error| error.to_string())?;
    let bytes = writer.into_inner();
    if bytes.is_empty() {
        Ok(serde_json::json!([]))
    } else {
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }
}

/// As CSV with the names of columns. No text begins as a formula: user agents and the like are written by whoever calls.
///
/// # Errors
///
/// When a value has no text.
pub fn csv(answer: &[RecordBatch]) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_header(true).build(&mut bytes);
    for batch in answer {
        let safe = safe(batch).map_err(|error| error.to_string())?;
        writer.write(&safe).map_err(|error| error.to_string())?;
    }
    drop(writer);
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// The same rows with texts that no spreadsheet takes for a formula.
fn safe(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| -> Result<ArrayRef, ArrowError> {
        if !column.data_type().is_string() {
            return Ok(Arc::clone(column));
        }
        let texts = cast(column, &DataType::Utf8)?;
        Ok(Arc::new(texts.as_string::<i32>().iter().map(|text| text.map(csv_field)).collect::<StringArray>()))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_from_iter_with_nullable(
        batch.schema().fields().iter().zip(columns).map(|(field, column)| (field.name().clone(), column, true)),
    )
}
