//! An answer in SQL, as text.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
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

/// As CSV with the names of columns.
///
/// # Errors
///
/// When a value has no text.
pub fn csv(answer: &[RecordBatch]) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_header(true).build(&mut bytes);
    for batch in answer {
        writer.write(batch).map_err(|error| error.to_string())?;
    }
    drop(writer);
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
