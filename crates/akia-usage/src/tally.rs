//! Events on their way to rows: kept one by one, or counted where they are equal.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, TimestampSecondArray,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;

use crate::arena::{Arena, NONE, Texts};
use crate::column::{Column, TEXTS, Text};
use crate::walk::Event;

/// Seconds of an hour.
const HOUR: i64 = 3_600;
/// Rows of a batch, as DataFusion likes them.
const BATCH: usize = 8_192;

/// What tells rows apart: a number for each text that is wanted, and the hour.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Row {
    texts: [u32; TEXTS],
    /// The time for an event, the hour for a call, where it is wanted.
    time: i64,
    is_of_user: bool,
}

#[derive(Clone, Copy)]
struct Count {
    calls: i64,
    first: i64,
    last: i64,
}

/// Collects events for the columns that a query reads.
pub(crate) struct Tally {
    columns: Vec<Column>,
    texts: Vec<Text>,
    schema: SchemaRef,
    /// Whether equal events are counted.
    is_grouped: bool,
    has_hour: bool,
    has_of_user: bool,
    arena: Arena,
    /// Rows of the file that is being read, with the time of each: they count only when the file was read to its end.
    pending: Vec<(Row, i64)>,
    rows: Vec<Row>,
    groups: HashMap<Row, Count, foldhash::fast::FixedState>,
    /// Memory at which rows are given out.
    limit: usize,
}

impl Tally {
    pub(crate) fn new(columns: Vec<Column>, schema: SchemaRef, is_grouped: bool, limit: usize) -> Self {
        let texts = columns
            .iter()
            .filter_map(|column| if let Column::Text(text) = column { Some(*text) } else { None })
            .collect();
        Self {
            has_hour: columns.iter().any(|column| matches!(column, Column::Hour | Column::Time)),
            has_of_user: columns.contains(&Column::OfUser),
            texts,
            columns,
            schema,
            is_grouped,
            arena: Arena::new(),
            pending: Vec::new(),
            rows: Vec::new(),
            groups: HashMap::default(),
            limit,
        }
    }

    /// Takes an event of the file that is being read.
    pub(crate) fn take(&mut self, event: &Event<'_>, resources: impl FnOnce(&Event<'_>) -> String) {
        let Some(time) = event.time else { return };
        let mut row = Row { is_of_user: self.has_of_user && event.is_of_user(), ..Row::default() };
        if self.has_hour {
            row.time = if self.is_grouped { time - time.rem_euclid(HOUR) } else { time };
        }
        let mut resources = Some(resources);
        for &text in &self.texts {
            row.texts[text as usize] = if text == Text::Resources {
                let resources = resources.take().map(|resources| resources(event)).unwrap_or_default();
                if resources.is_empty() { NONE } else { self.arena.number(&resources) }
            } else {
                event.text(text).map_or(NONE, |value| self.arena.number(value))
            };
        }
        self.pending.push((row, time));
    }

    /// Adds a row that says something of a file.
    pub(crate) fn note(&mut self, note: &str, time: i64) {
        let mut row = Row::default();
        row.texts[Text::Note as usize] = self.arena.number(note);
        self.groups.insert(row, Count { calls: 0, first: time, last: time });
    }

    /// The file was read to its end: its events count.
    pub(crate) fn keep_file(&mut self) {
        for (row, time) in self.pending.drain(..) {
            if self.is_grouped {
                let count = self.groups.entry(row).or_insert(Count { calls: 0, first: time, last: time });
                count.calls += 1;
                count.first = count.first.min(time);
                count.last = count.last.max(time);
            } else {
                self.rows.push(row);
            }
        }
    }

    /// The file cannot be read: nothing of it counts.
    pub(crate) fn forget_file(&mut self) {
        self.pending.clear();
    }

    /// Whether it is time to give out what there is.
    pub(crate) fn is_full(&self) -> bool {
        self.arena.weight() + (self.rows.len() + self.groups.len() * 2) * size_of::<(Row, Count)>() > self.limit
    }

    /// Everything that was collected, as rows; and begins anew.
    pub(crate) fn give_out(&mut self) -> Result<Vec<RecordBatch>, DataFusionError> {
        let texts = std::mem::replace(&mut self.arena, Arena::new()).finish();
        let mut rows: Vec<(Row, Count)> = if self.is_grouped {
            self.groups.drain().collect()
        } else {
            let once = |row: Row| (row, Count { calls: 1, first: row.time, last: row.time });
            self.rows.drain(..).map(once).collect()
        };
        // The order of a hash table is nobody's business.
        if self.is_grouped {
            rows.sort_unstable_by_key(|(row, count)| (count.first, row.texts));
        }
        rows.chunks(BATCH).map(|rows| self.batch(rows, &texts)).collect()
    }

    fn batch(&self, rows: &[(Row, Count)], texts: &Texts) -> Result<RecordBatch, DataFusionError> {
        let moments = |of: fn(&(Row, Count)) -> i64| -> ArrayRef {
            Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC"))
        };
        let columns = self.columns.iter().map(|column| -> Result<ArrayRef, DataFusionError> {
            Ok(match column {
                Column::Time | Column::Hour => moments(|(row, _)| row.time),
                Column::First => moments(|(_, count)| count.first),
                Column::Last => moments(|(_, count)| count.last),
                Column::Calls => Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, count)| count.calls))),
                Column::OfUser => Arc::new(BooleanArray::from_iter(rows.iter().map(|(row, _)| Some(row.is_of_user)))),
                Column::Text(text) => texts.column(rows.iter().map(|(row, _)| row.texts[*text as usize]))?,
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}
