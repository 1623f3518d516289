//! The row model: what a command found, before anybody decides how it looks.

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

/// A list of things with named columns, and what belongs to the list as a whole.
#[derive(Debug, Clone)]
pub struct Report {
    command: &'static str,
    items: &'static str,
    columns: Vec<Column>,
    rows: Vec<Row>,
    facts: Vec<(&'static str, Value)>,
}

impl Report {
    /// An empty report of a command (`status`), whose rows stand under this name in JSON (`profiles`).
    #[must_use]
    pub fn new(command: &'static str, items: &'static str, columns: Vec<Column>) -> Self {
        Self { command, items, columns, rows: Vec::new(), facts: Vec::new() }
    }

    /// Adds a row; it must have a cell for each column.
    pub fn push(&mut self, row: impl Into<Row>) {
        let row = row.into();
        debug_assert_eq!(row.cells.len(), self.columns.len(), "a row of {} has a cell for each column", self.command);
        self.rows.push(row);
    }

    /// Takes a column out, for a table that would not fit.
    pub fn drop_column(&mut self, key: &str) {
        let Some(index) = self.columns.iter().position(|column| column.key == key) else { return };
        self.columns.remove(index);
        for row in &mut self.rows {
            row.cells.remove(index);
        }
    }

    /// Adds a fact about the whole to the JSON form.
    pub fn fact(&mut self, name: &'static str, value: impl Into<Value>) {
        self.facts.push((name, value.into()));
    }

    /// The same with other rows.
    pub(super) fn with_rows(&self, rows: Vec<Row>) -> Self {
        let (columns, facts) = (self.columns.clone(), self.facts.clone());
        Self { command: self.command, items: self.items, columns, rows, facts }
    }

    /// What stands before the rows in the JSON form.
    pub(super) fn opening(&self) -> String {
        format!("\n  \"{}\": [", self.items)
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// An object in the order of a reader: the schema, the facts about the whole, the rows with their columns in order.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<_> = self.rows.iter().map(|row| RowWithColumns { row, columns: &self.columns }).collect();
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("schema", &format!("akia.{}/1", self.command))?;
        for (name, value) in &self.facts {
            object.serialize_entry(name, value)?;
        }
        object.serialize_entry(self.items, &rows)?;
        object.end()
    }
}

struct RowWithColumns<'a> {
    row: &'a Row,
    columns: &'a [Column],
}

impl Serialize for RowWithColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for (column, cell) in self.columns.iter().zip(&self.row.cells) {
            if !self.row.details.contains_key(column.key) {
                object.serialize_entry(column.key, &cell.data)?;
            }
        }
        for (name, value) in &self.row.details {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in JSON and CSV: lower case with underscores.
    pub key: &'static str,
    /// Its title in a table.
    pub title: &'static str,
    /// Whether its cells must stay on one line, because people copy them.
    pub whole: bool,
}

impl Column {
    /// A column whose cells may be broken over lines where the terminal is narrow.
    #[must_use]
    pub fn new(key: &'static str, title: &'static str) -> Self {
        Self { key, title, whole: false }
    }

    /// A column whose cells stay whole: ids, dates, ages.
    #[must_use]
    pub fn whole(key: &'static str, title: &'static str) -> Self {
        Self { key, title, whole: true }
    }
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    /// A cell for each column.
    pub cells: Vec<Cell>,
    /// More members for the JSON form of this row; they win over the cells.
    pub details: Map<String, Value>,
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Self {
        Self { cells, details: Map::new() }
    }
}

/// One value: what a program reads and what a person reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    data: Value,
    shown: Option<String>,
    tone: Tone,
}

/// How a cell is coloured. The words must say it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Wants attention.
    Warning,
    /// Wrong.
    Bad,
    /// Of little interest.
    Quiet,
}

impl Cell {
    /// Nothing known or nothing there: `-` in a table, `null` in JSON, empty in CSV.
    #[must_use]
    pub fn empty() -> Self {
        Self { data: Value::Null, shown: None, tone: Tone::Quiet }
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl std::fmt::Display) -> Self {
        Self { data: Value::String(text.to_string()), shown: None, tone: Tone::Plain }
    }

    /// A text, or nothing.
    #[must_use]
    pub fn maybe(text: Option<impl std::fmt::Display>) -> Self {
        text.map_or_else(Self::empty, Self::text)
    }

    /// A whole number.
    #[must_use]
    pub fn number(number: i64) -> Self {
        Self { data: json!(number), shown: None, tone: Tone::Plain }
    }

    /// A number of things.
    #[must_use]
    pub fn count(number: impl TryInto<i64>) -> Self {
        Self::number(number.try_into().unwrap_or(i64::MAX))
    }

    /// Yes or no.
    #[must_use]
    pub fn yes_no(value: bool) -> Self {
        Self { data: json!(value), shown: Some(if value { "yes" } else { "no" }.to_owned()), tone: Tone::Plain }
    }

    /// A point in time: its age in a table (`400d`), RFC 3339 to the second in JSON and CSV.
    #[must_use]
    pub fn age(at: Timestamp, now: Timestamp) -> Self {
        Self { data: json!(rfc3339(at)), shown: Some(super::age::between(at, now)), tone: Tone::Plain }
    }

    /// A point in time, RFC 3339 to the second everywhere.
    #[must_use]
    pub fn time(at: Timestamp) -> Self {
        Self::text(rfc3339(at))
    }

    /// A list of texts: an array in JSON, comma-separated elsewhere.
    #[must_use]
    pub fn list<T: std::fmt::Display>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(|text| text.to_string()).collect();
        if texts.is_empty() {
            return Self { data: json!([]), shown: None, tone: Tone::Quiet };
        }
        let shown = texts.join(", ");
        Self { data: json!(texts), shown: Some(shown), tone: Tone::Plain }
    }

    /// The same with other words for people.
    #[must_use]
    pub fn shown_as(mut self, words: impl Into<String>) -> Self {
        self.shown = Some(words.into());
        self
    }

    /// The same in this tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    pub(super) fn color(&self) -> Tone {
        self.tone
    }

    /// What a person reads, not yet escaped.
    pub(super) fn words(&self) -> String {
        match (&self.shown, &self.data) {
            (Some(shown), _) => shown.clone(),
            (None, Value::String(text)) if !text.is_empty() => text.clone(),
            (None, Value::Number(number)) => number.to_string(),
            (None, _) => "-".to_owned(),
        }
    }

    /// What a spreadsheet reads, formulas neutralised.
    pub(super) fn field(&self) -> String {
        match &self.data {
            Value::Null => String::new(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => super::escape::csv_field(text),
            Value::Array(_) | Value::Object(_) => super::escape::csv_field(self.shown.as_deref().unwrap_or_default()),
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    at.round(jiff::Unit::Second).unwrap_or(at).to_string()
}
