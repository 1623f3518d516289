//! All keys of an audit as data: JSON, and Parquet for DuckDB, Athena, pandas and the like.
//!
//! Both have the columns of [`KeyRow`], by the same names; `docs/inventory.md` says what each means, and a test holds it to that.

use akia_core::audit::Audit;
use akia_core::key_table::KeyRow;
use jiff::Timestamp;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use super::words;

/// What the rows are called, and the version of their columns.
const SCHEMA: &str = "akia.keys/1";

/// One column of the Parquet form.
struct Column {
    name: &'static str,
    cells: Cells,
}

/// What a column takes from a row.
enum Cells {
    Text(fn(&KeyRow) -> Option<String>),
    Time(fn(&KeyRow) -> Option<Timestamp>),
    Flag(fn(&KeyRow) -> Option<bool>),
    List(fn(&KeyRow) -> Vec<String>),
}

/// The columns, in the order of [`KeyRow`].
const COLUMNS: [Column; 25] = [
    text("account_id", |row| Some(row.account_id.to_string())),
    text("account_name", |row| row.account_name.clone()),
    list("account_units", |row| row.account_units.clone()),
    text("subject", |row| Some(row.subject.to_owned())),
    text("user_name", |row| row.user_name.clone()),
    text("user_arn", |row| row.user_arn.as_ref().map(ToString::to_string)),
    time("user_created_at", |row| row.user_created_at),
    text("access_key_id", |row| row.access_key_id.as_ref().map(ToString::to_string)),
    text("status", |row| Some(row.status.to_owned())),
    time("created_at", |row| row.created_at),
    time("reactivated_at", |row| row.reactivated_at),
    text("last_used", |row| Some(row.last_used.to_owned())),
    time("last_used_at", |row| row.last_used_at),
    text("last_used_service", |row| row.last_used_service.clone()),
    text("last_used_region", |row| row.last_used_region.clone()),
    flag("has_console_password", |row| row.has_console_password),
    flag("mfa_active", |row| Some(row.mfa_active)),
    flag("is_service_user", |row| row.is_service_user),
    flag("may_do_everything", |row| row.may_do_everything),
    flag("is_quarantined", |row| row.is_quarantined),
    text("owner", |row| row.owner.clone()),
    text("owner_source", |row| Some(json!(row.owner_source?).as_str()?.to_owned())),
    list("findings", |row| row.findings.clone()),
    text("worst", |row| row.worst.map(|severity| severity.to_string())),
    time("as_of", |row| Some(row.as_of)),
];

const fn text(name: &'static str, of: fn(&KeyRow) -> Option<String>) -> Column {
    Column { name, cells: Cells::Text(of) }
}

const fn time(name: &'static str, of: fn(&KeyRow) -> Option<Timestamp>) -> Column {
    Column { name, cells: Cells::Time(of) }
}

const fn flag(name: &'static str, of: fn(&KeyRow) -> Option<bool>) -> Column {
    Column { name, cells: Cells::Flag(of) }
}

const fn list(name: &'static str, of: fn(&KeyRow) -> Vec<String>) -> Column {
    Column { name, cells: Cells::List(of) }
}

/// One JSON object with a key a line.
pub(crate) fn json(audit: &Audit, rows: &[KeyRow]) -> String {
    let lines = words::json_lines(rows.iter().map(|row| json!(row)));
    let unread: Vec<Value> =
        audit.unread.iter().map(|one| json!({ "account_id": one.account.id, "reason": one.reason })).collect();
    let head = json!({ "schema": SCHEMA, "at": audit.at, "is_whole": audit.is_whole(), "unread": unread });
    let head = words::json(&head);
    format!("{},\"keys\":{}}}\n", head.trim_end_matches('}'), lines.trim_end())
}

/// A Parquet file.
///
/// # Errors
/// The writer's; memory does not fail, so there should be none.
pub(crate) fn parquet(audit: &Audit, rows: &[KeyRow]) -> Result<Vec<u8>, ParquetError> {
    let schema = parse_message_type(&message_type())?;
    let about = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by(format!("akia version {}", words::VERSION))
        .set_key_value_metadata(Some(vec![
            about("akia.schema", SCHEMA.to_owned()),
            about("akia.at", audit.at.to_string()),
            about("akia.is_whole", audit.is_whole().to_string()),
        ]))
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema.into(), properties.into())?;
    let mut group = writer.next_row_group()?;
    for column in &COLUMNS {
        match column.cells {
            Cells::Text(of) => {
                write::<ByteArrayType>(&mut group, rows, |row| of(row).map(|text| ByteArray::from(text.as_str())))?;
            }
            Cells::Time(of) => write::<Int64Type>(&mut group, rows, |row| of(row).map(Timestamp::as_millisecond))?,
            Cells::Flag(of) => write::<BoolType>(&mut group, rows, of)?,
            Cells::List(of) => write_lists(&mut group, rows, of)?,
        }
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

/// The schema in Parquet's own words.
fn message_type() -> String {
    let columns = COLUMNS.iter().map(|Column { name, cells }| match cells {
        Cells::Text(_) => format!("optional binary {name} (STRING);"),
        Cells::Time(_) => format!("optional int64 {name} (TIMESTAMP(MILLIS, true));"),
        Cells::Flag(_) => format!("optional boolean {name};"),
        Cells::List(_) => {
            format!("required group {name} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}")
        }
    });
    format!("message keys {{ {} }}", columns.collect::<Vec<_>>().join(" "))
}

/// A column of values that may be missing: level 1 says that there is one.
fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    rows: &[KeyRow],
    of: impl Fn(&KeyRow) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = rows.iter().map(of).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    put::<T>(group, &values, &levels, None)
}

/// A column of lists: level 1 says that there is an element, and repetition 1 that it belongs to the list before.
fn write_lists(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    rows: &[KeyRow],
    of: fn(&KeyRow) -> Vec<String>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for list in rows.iter().map(of) {
        levels.extend(std::iter::repeat_n(i16::from(!list.is_empty()), list.len().max(1)));
        repeated.push(0);
        repeated.extend(std::iter::repeat_n(1, list.len().saturating_sub(1)));
        values.extend(list.iter().map(|text| ByteArray::from(text.as_str())));
    }
    put::<ByteArrayType>(group, &values, &levels, Some(&repeated))
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    levels: &[i16],
    repeated: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let too_few = || ParquetError::General("the schema has fewer columns".to_owned());
    let mut column = group.next_column()?.ok_or_else(too_few)?;
    column.typed::<T>().write_batch(values, Some(levels), repeated)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use akia_core::key_table::key_table;
    use akia_core::rule::AuditSettings;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::{Field, Row};

    use super::super::fixture;
    use super::*;

    fn small() -> (Audit, Vec<KeyRow>) {
        let audit = fixture::small();
        let rows = key_table(&audit, &AuditSettings::default());
        (audit, rows)
    }

    fn value(row: &Row) -> Value {
        let value = |field: &Field| match field {
            Field::Null => Value::Null,
            Field::Str(text) => json!(text),
            Field::Bool(flag) => json!(flag),
            Field::TimestampMillis(time) => json!(time),
            Field::ListInternal(list) => {
                list.elements().iter().map(|one| json!(one.to_string().trim_matches('"'))).collect()
            }
            other => panic!("{other:?} is no field of ours"),
        };
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), value(field)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    #[test]
    fn every_key_is_there_with_what_was_found_about_it_and_what_is_not_known_is_null() {
        let (audit, rows) = small();
        let whole: Value = serde_json::from_str(&json(&audit, &rows)).unwrap();
        assert_eq!((&whole["schema"], &whole["is_whole"]), (&json!(SCHEMA), &json!(false)));
        assert_eq!(whole["unread"][0]["account_id"], "111122223333");
        let keys = whole["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 5, "active and inactive, and the root user's");
        assert_eq!(
            (&keys[0]["subject"], &keys[0]["user_name"], &keys[0]["access_key_id"]),
            (&json!("root"), &Value::Null, &Value::Null)
        );
        assert_eq!((&keys[0]["findings"], &keys[0]["worst"]), (&json!(["root-key"]), &json!("critical")));
        let bob = keys.iter().find(|key| key["user_name"] == "bob").unwrap();
        assert_eq!(
            (&bob["last_used"], &bob["last_used_at"], &bob["findings"]),
            (&json!("unknown"), &Value::Null, &json!([]))
        );
        assert_eq!((&bob["owner"], &bob["owner_source"]), (&json!("bob@example.com"), &json!("user-tag")));
        let found = keys.iter().flat_map(|key| key["findings"].as_array().unwrap()).count();
        let about_keys =
            audit.findings.iter().filter(|finding| finding.key.is_some() || finding.key_created_at.is_some());
        assert_eq!(found, about_keys.count(), "no finding about a key is lost");
    }

    #[test]
    fn the_columns_of_both_forms_are_those_of_the_documentation() {
        let (audit, rows) = small();
        let whole: Value = serde_json::from_str(&json(&audit, &rows)).unwrap();
        let of_json: std::collections::BTreeSet<&str> =
            whole["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(of_json, COLUMNS.iter().map(|column| column.name).collect());
        let page = include_str!("../../../../docs/inventory.md");
        for Column { name, cells } in &COLUMNS {
            let kind = match cells {
                Cells::Text(_) => "text",
                Cells::Time(_) => "time",
                Cells::Flag(_) => "yes or no",
                Cells::List(_) => "list of text",
            };
            assert!(page.contains(&format!("| `{name}` | {kind} | ")), "{name} ({kind}) is not in docs/inventory.md");
        }
    }

    #[test]
    fn what_a_parquet_file_holds_is_what_the_json_holds() {
        let (audit, rows) = small();
        let whole: Value = serde_json::from_str(&json(&audit, &rows)).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(parquet(&audit, &rows).unwrap())).unwrap();
        let read: Vec<Value> = reader.get_row_iter(None).unwrap().map(|row| value(&row.unwrap())).collect();
        assert_eq!(read.len(), rows.len());
        for (theirs, ours) in read.iter().zip(whole["keys"].as_array().unwrap()) {
            for Column { name, cells } in &COLUMNS {
                let ours = match (cells, ours[name].as_str()) {
                    (Cells::Time(_), Some(time)) => json!(time.parse::<Timestamp>().unwrap().as_millisecond()),
                    _ => ours[name].clone(),
                };
                assert_eq!(theirs[name], ours, "{name}");
            }
        }
        let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(metadata.iter().any(|one| one.key == "akia.is_whole" && one.value.as_deref() == Some("false")));
    }

    #[test]
    fn an_audit_without_keys_is_a_file_without_rows() {
        let audit = fixture::clean();
        let reader = SerializedFileReader::new(bytes::Bytes::from(parquet(&audit, &[]).unwrap())).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
        assert!(json(&audit, &[]).contains("\"keys\":[]"));
    }
}
