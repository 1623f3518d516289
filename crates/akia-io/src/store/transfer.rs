//! Everything of the stores in one file, out of either database and into either: `akia store export` and `import`.
//!
//! The file is JSON Lines. The first line names schema and version, then comes a line for each row, table by table, and the last
//! line counts them, so that a file that was cut off is noticed. Bytes are base64; sealed secrets stay sealed. Nothing in it says
//! which database it came from: what was imported and exported again is the same file.

use std::io::{self, BufRead, Write};

use data_encoding::BASE64;
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::chain::Walk;
use super::connection::{Beside, Opened, database_error};
use super::home::{DatabaseAt, Home};
use super::{Entry, Hash, SqlStore, StoreError, Tampered, journal, postgres, snapshots, sqlite};
use crate::notify;

/// Names the form of the file. A later form is another number.
pub const SCHEMA: &str = "akia.store/1";

/// How many rows of each table, in the order of the file.
pub type Counts = Vec<(&'static str, u64)>;

/// Why stores could not be written out or taken in.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read or written.
    #[error("the file: {0}")]
    Io(#[from] io::Error),
    /// A database is of a newer akia.
    #[error("{at} has version {found}; this akia knows versions up to {known}")]
    Newer {
        /// The database.
        at: DatabaseAt,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// What is imported would mix with what is there.
    #[error("{at} is not empty: table {table} has {rows} rows")]
    NotEmpty {
        /// The database.
        at: DatabaseAt,
        /// The first table that has rows.
        table: &'static str,
        /// How many.
        rows: u64,
    },
    /// A line is not what an export writes.
    #[error("line {line} is not what akia store export writes: {reason}")]
    Malformed {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bytes,
}

struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    order: &'static str,
}

/// The tables of one database of the state folder.
struct Part {
    /// The journal has no such description: it is opened in its own way.
    beside: Option<&'static Beside>,
    tables: &'static [Table],
}

use Kind::{Bytes, Number, Text};

/// All tables but those that describe the database itself, in an order in which rows may be put in.
const PARTS: [Part; 3] = [
    Part {
        beside: None,
        tables: &[
            Table {
                name: "records",
                columns: &[("seq", Number), ("rotation", Text), ("body", Text), ("hash", Bytes)],
                order: "seq",
            },
            Table {
                name: "staged",
                columns: &[("rotation", Text), ("key", Text), ("sealed", Bytes)],
                order: "rotation, key",
            },
        ],
    },
    Part {
        beside: Some(&snapshots::DATABASE),
        tables: &[
            Table {
                name: "audits",
                columns: &[
                    ("id", Number),
                    ("at", Number),
                    ("source", Text),
                    ("scope", Text),
                    ("settings", Text),
                    ("akia", Text),
                    ("is_whole", Number),
                    ("accounts_read", Number),
                    ("accounts", Number),
                    ("users", Number),
                    ("active_keys", Number),
                    ("critical", Number),
                    ("high", Number),
                    ("medium", Number),
                    ("low", Number),
                    ("info", Number),
                    ("unknown", Text),
                    ("new", Number),
                    ("gone", Number),
                ],
                order: "id",
            },
            Table {
                name: "bodies",
                columns: &[("audit", Number), ("account", Text), ("is_read", Number), ("body", Bytes)],
                order: "audit, account",
            },
            Table {
                name: "imports",
                columns: &[("audit", Number), ("account", Text), ("region", Text), ("is_whole", Number)],
                order: "account, region, audit",
            },
            Table {
                name: "events",
                columns: &[
                    ("id", Text),
                    ("at", Number),
                    ("received_at", Number),
                    ("source", Text),
                    ("state", Text),
                    ("detail", Text),
                    ("event", Text),
                    ("looks", Text),
                    ("exposures", Text),
                    ("body", Text),
                ],
                order: "id",
            },
        ],
    },
    Part {
        beside: Some(&notify::OUTBOX),
        tables: &[Table {
            name: "messages",
            columns: &[
                ("id", Number),
                ("notice", Text),
                ("channel", Text),
                ("kind", Text),
                ("address", Text),
                ("content", Text),
                ("state", Text),
                ("attempts", Number),
                ("enqueued_at", Number),
                ("due_at", Number),
                ("lease_until", Number),
                ("claim", Text),
                ("may_have_arrived", Number),
                ("body", Text),
                ("body_digest", Text),
                ("receipt", Text),
                ("reason", Text),
            ],
            order: "id",
        }],
    },
];

/// Writes everything out. A store that is not there has no rows.
pub async fn export(home: &Home, out: &mut (dyn Write + Send)) -> Result<Counts, TransferError> {
    write_line(out, &json!({ "schema": SCHEMA, "akia": env!("CARGO_PKG_VERSION") }))?;
    let mut counts = Counts::new();
    for part in &PARTS {
        let opened = open_existing(home, part).await?;
        let Some((at, mut connection)) = opened else {
            counts.extend(part.tables.iter().map(|table| (table.name, 0)));
            continue;
        };
        let fails = |error: sqlx::Error| database_error("read", &at, &error);
        // One moment for all tables of the database.
        let begin = match at {
            DatabaseAt::File(_) => "BEGIN",
            DatabaseAt::Server(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let mut transaction = connection.begin_with(begin).await.map_err(fails)?;
        for table in part.tables {
            let sql = format!("SELECT {} FROM {} ORDER BY {}", columns(table), table.name, table.order);
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *transaction);
            let mut count = 0;
            while let Some(row) = rows.try_next().await.map_err(fails)? {
                let row = row_of(table, &row).map_err(fails)?;
                write_line(out, &json!({ "table": table.name, "row": row }))?;
                count += 1;
            }
            counts.push((table.name, count));
        }
    }
    let counted: Map<String, Value> = counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    write_line(out, &json!({ "end": counted }))?;
    out.flush()?;
    Ok(counts)
}

/// Takes an export into stores that hold nothing. The chain of the records is recomputed on the way. Each database gets all of its
/// rows or none, the journal last.
pub async fn import(home: &Home, input: &mut (dyn BufRead + Send)) -> Result<Counts, TransferError> {
    let mut rows = read(input)?;
    let mut walk = Walk::new(Vec::new());
    for (line, row) in rows.iter().filter(|(table, ..)| table == "records").map(|(_, line, row)| (*line, row)) {
        let entry = entry_of(row).ok_or_else(|| malformed(line, "it is no record"))?;
        walk.step(&entry).map_err(StoreError::from)?;
    }
    let head = walk.end(None).map_err(StoreError::from)?;
    for (table, rows_there, at) in count_where(home).await? {
        if rows_there > 0 {
            return Err(TransferError::NotEmpty { at, table, rows: rows_there });
        }
    }
    let mut counts = Vec::new();
    for part in PARTS.iter().rev() {
        let (at, mut connection) = open(home, part).await?;
        let fails = |error: sqlx::Error| database_error("write to", &at, &error);
        let mut transaction = connection.begin().await.map_err(fails)?;
        for table in part.tables {
            let of_table: Vec<_> = rows.extract_if(.., |(name, ..)| name == table.name).collect();
            for (_, line, row) in &of_table {
                insert(&mut transaction, &at, table, *line, row).await?;
            }
            counts.push((table.name, of_table.len() as u64));
            if let (DatabaseAt::Server(_), ("id", Number)) = (&at, table.columns[0]) {
                // Numbers that are given out go on behind those that were taken in.
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{0}', 'id'), (SELECT max(id) FROM {0})) FROM {0} LIMIT 1",
                    table.name
                );
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(fails)?;
            }
        }
        if let (DatabaseAt::Server(_), None) = (&at, part.beside) {
            sqlx::query("UPDATE head SET written = $1")
                .bind(i64::try_from(head.seq).unwrap_or(i64::MAX))
                .execute(&mut *transaction)
                .await
                .map_err(fails)?;
        }
        transaction.commit().await.map_err(fails)?;
    }
    if let Some((table, line, _)) = rows.first() {
        return Err(malformed(*line, &format!("there is no table {table:?}")));
    }
    let place = |name: &str| PARTS.iter().flat_map(|part| part.tables).position(|table| table.name == name);
    counts.sort_by_key(|(name, _)| place(name));
    Ok(counts)
}

/// How many rows of each table there are.
pub async fn count(home: &Home) -> Result<Counts, TransferError> {
    Ok(count_where(home).await?.into_iter().map(|(table, rows, _)| (table, rows)).collect())
}

async fn count_where(home: &Home) -> Result<Vec<(&'static str, u64, DatabaseAt)>, TransferError> {
    let mut counts = Vec::new();
    for part in &PARTS {
        let mut opened = open_existing(home, part).await?;
        for table in part.tables {
            let Some((at, connection)) = &mut opened else {
                counts.push((table.name, 0, home.at("")));
                continue;
            };
            let sql = format!("SELECT count(*) FROM {}", table.name);
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut *connection)
                .await
                .map_err(|error| database_error("read", at, &error))?;
            counts.push((table.name, u64::try_from(rows).unwrap_or_default(), at.clone()));
        }
    }
    Ok(counts)
}

async fn open_existing(home: &Home, part: &Part) -> Result<Option<(DatabaseAt, AnyConnection)>, TransferError> {
    match (part.beside, home) {
        (Some(beside), _) => beside.open_existing(home).await?.map(ready).transpose(),
        (None, Home::Folder(folder)) => {
            let connection = sqlite::open_existing_journal(&folder.path().join(journal::FILE_NAME)).await?;
            Ok(connection.map(|connection| (home.at(journal::FILE_NAME), connection)))
        }
        (None, Home::Server(url)) => {
            let connection = postgres::open_existing(url).await?;
            Ok(connection.map(|connection| (home.at(journal::FILE_NAME), connection)))
        }
    }
}

async fn open(home: &Home, part: &Part) -> Result<(DatabaseAt, AnyConnection), TransferError> {
    match part.beside {
        Some(beside) => ready(beside.open(home).await?),
        None => {
            SqlStore::open(home).await?;
            let opened = open_existing(home, part).await?;
            opened.ok_or_else(|| {
                StoreError::Database {
                    doing: "open",
                    at: home.at(journal::FILE_NAME),
                    reason: "it is gone again".to_owned(),
                }
                .into()
            })
        }
    }
}

fn ready(opened: Opened) -> Result<(DatabaseAt, AnyConnection), TransferError> {
    match opened {
        Opened::Ready(at, connection) => Ok((at, connection)),
        Opened::Newer { at, found, known } => Err(TransferError::Newer { at, found, known }),
    }
}

fn columns(table: &Table) -> String {
    table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn row_of(table: &Table, row: &AnyRow) -> Result<Value, sqlx::Error> {
    let mut values = Map::new();
    for (name, kind) in table.columns {
        let value = match kind {
            Number => row.try_get::<Option<i64>, _>(*name)?.map(Value::from),
            Text => row.try_get::<Option<String>, _>(*name)?.map(Value::from),
            Bytes => row.try_get::<Option<Vec<u8>>, _>(*name)?.map(|bytes| BASE64.encode(&bytes).into()),
        };
        values.insert((*name).to_owned(), value.unwrap_or(Value::Null));
    }
    Ok(Value::Object(values))
}

async fn insert(
    connection: &mut AnyConnection,
    at: &DatabaseAt,
    table: &Table,
    line: usize,
    row: &Map<String, Value>,
) -> Result<(), TransferError> {
    if let Some(unknown) = row.keys().find(|key| !table.columns.iter().any(|(name, _)| name == key)) {
        return Err(malformed(line, &format!("table {} has no column {unknown:?}", table.name)));
    }
    let places: Vec<String> = (1..=table.columns.len()).map(|number| format!("${number}")).collect();
    let sql = format!("INSERT INTO {} ({}) VALUES ({})", table.name, columns(table), places.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (name, kind) in table.columns {
        let wrong = || malformed(line, &format!("column {name} is missing or of another kind"));
        let value = row.get(*name).ok_or_else(wrong)?;
        let some = !value.is_null();
        query = match kind {
            Number => query.bind(some.then(|| value.as_i64().ok_or_else(wrong)).transpose()?),
            Text => query.bind(some.then(|| value.as_str().map(ToOwned::to_owned).ok_or_else(wrong)).transpose()?),
            Bytes => query.bind(some.then(|| bytes_of(value).ok_or_else(wrong)).transpose()?),
        };
    }
    query.execute(connection).await.map_err(|error| database_error("write to", at, &error))?;
    Ok(())
}

fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    BASE64.decode(value.as_str()?.as_bytes()).ok()
}

fn entry_of(row: &Map<String, Value>) -> Option<Entry> {
    Some(Entry {
        seq: row.get("seq")?.as_u64()?,
        thread: row.get("rotation")?.as_str()?.parse().ok()?,
        body: row.get("body")?.as_str()?.to_owned(),
        hash: Hash::from_bytes(bytes_of(row.get("hash")?)?.try_into().ok()?),
    })
}

/// The rows of a file: table, number of the line, columns.
type Rows = Vec<(String, usize, Map<String, Value>)>;

fn read(input: &mut (dyn BufRead + Send)) -> Result<Rows, TransferError> {
    let mut rows = Rows::new();
    let mut has_ended = false;
    for (line, text) in (1..).zip(input.lines()) {
        let text = text?;
        let mut value: Value = serde_json::from_str(&text).map_err(|error| malformed(line, &error.to_string()))?;
        if line == 1 {
            match value["schema"].as_str() {
                Some(SCHEMA) => continue,
                Some(other) => return Err(malformed(1, &format!("it is of schema {other:?}, and not {SCHEMA:?}"))),
                None => return Err(malformed(1, "it names no schema")),
            }
        }
        if has_ended {
            return Err(malformed(line, "it stands behind the end"));
        }
        if let Some(end) = value["end"].as_object() {
            for (table, count) in end {
                let found = rows.iter().filter(|(name, ..)| name == table).count();
                if count.as_u64() != Some(found as u64) {
                    return Err(malformed(
                        line,
                        &format!("{count} rows of {table} were written, and {found} are here"),
                    ));
                }
            }
            has_ended = true;
            continue;
        }
        let table = value["table"].as_str().map(ToOwned::to_owned);
        match (table, value["row"].take()) {
            (Some(table), Value::Object(row)) => rows.push((table, line, row)),
            _ => return Err(malformed(line, "it has no table and row")),
        }
    }
    if has_ended { Ok(rows) } else { Err(malformed(rows.len() + 2, "the end is missing: the file was cut off")) }
}

fn write_line(out: &mut (dyn Write + Send), value: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn malformed(line: usize, reason: &str) -> TransferError {
    TransferError::Malformed { line, reason: reason.to_owned() }
}

impl From<Tampered> for TransferError {
    fn from(tampered: Tampered) -> Self {
        Self::Store(tampered.into())
    }
}
