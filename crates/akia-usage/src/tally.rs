//! Events on their way to rows: kept one by one, or counted where they are equal.

use std::hash::BuildHasher;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, TimestampSecondArray,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::arena::{Arena, NONE, Texts};
use crate::column::{Column, Text};
use crate::engine::BATCH;
use crate::walk::Event;

/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// How often, and when.
#[derive(Clone, Copy)]
struct Count {
    calls: i64,
    first: i64,
    last: i64,
}

/// Rows of numbers, one after another: a number for each text that is wanted, and one for what else tells rows apart.
#[derive(Default)]
struct Rows {
    numbers: Vec<u32>,
    counts: Vec<Count>,
}

impl Rows {
    fn push(&mut self, row: &[u32], count: Count) {
        self.numbers.extend_from_slice(row);
        self.counts.push(count);
    }
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
    /// Each text's number in the event before: events of one caller come one after another.
    before: Vec<u32>,
    /// Rows of the file that is being read: they count only when the file was read to its end.
    pending: Rows,
    rows: Rows,
    /// Where in `rows` a row stands.
    places: HashTable<u32>,
    hasher: FixedState,
    /// Memory at which rows are given out.
    limit: usize,
}

impl Tally {
    pub(crate) fn new(columns: Vec<Column>, schema: SchemaRef, is_grouped: bool, limit: usize) -> Self {
        let texts: Vec<Text> = columns
            .iter()
            .filter_map(|column| if let Column::Text(text) = column { Some(*text) } else { None })
            .collect();
        Self {
            has_hour: columns.contains(&Column::Hour),
            has_of_user: columns.contains(&Column::OfUser),
            before: vec![NONE; texts.len()],
            texts,
            columns,
            schema,
            is_grouped,
            arena: Arena::new(),
            pending: Rows::default(),
            rows: Rows::default(),
            places: HashTable::new(),
            hasher: FixedState::default(),
            limit,
        }
    }

    /// Numbers of a row.
    fn width(&self) -> usize {
        self.texts.len() + 1
    }

    /// Takes an event of the file that is being read.
    pub(crate) fn take(&mut self, event: &Event<'_>, resources: fn(&Event<'_>) -> String) {
        let Some(time) = event.time else { return };
        for (text, before) in self.texts.iter().zip(&mut self.before) {
            let own;
            let value = if *text == Text::Resources {
                own = resources(event);
                Some(own.as_str()).filter(|resources| !resources.is_empty())
            } else {
                event.text(*text)
            };
            match value {
                None => *before = NONE,
                Some(value) if *before != NONE && self.arena.text(*before) == value.as_bytes() => {}
                Some(value) => *before = self.arena.number(value),
            }
        }
        self.pending.numbers.extend_from_slice(&self.before);
        let hour = if self.has_hour { u32::try_from(time.max(0) / HOUR).unwrap_or(0) } else { 0 };
        self.pending.numbers.push(hour << 1 | u32::from(self.has_of_user && event.is_of_user()));
        self.pending.counts.push(Count { calls: 1, first: time, last: time });
    }

    /// Adds a row that says something of a file.
    pub(crate) fn note(&mut self, note: &str, time: i64) {
        let number = self.arena.number(note);
        let number = |text: &Text| if *text == Text::Note { number } else { NONE };
        let row: Vec<u32> = self.texts.iter().map(number).chain([0]).collect();
        self.rows.push(&row, Count { calls: 0, first: time, last: time });
    }

    /// The file was read to its end: its events count.
    pub(crate) fn keep_file(&mut self) {
        let width = self.width();
        let pending = std::mem::take(&mut self.pending);
        for (row, count) in pending.numbers.chunks_exact(width).zip(&pending.counts) {
            if !self.is_grouped {
                self.rows.push(row, *count);
                continue;
            }
            let Rows { numbers, counts } = &mut self.rows;
            let at = |place: u32| place as usize * width..(place as usize + 1) * width;
            let hash = self.hasher.hash_one(row);
            if let Some(place) = self.places.find(hash, |&place| numbers[at(place)] == *row) {
                let known = &mut counts[*place as usize];
                known.calls += 1;
                known.first = known.first.min(count.first);
                known.last = known.last.max(count.last);
                continue;
            }
            let place = u32::try_from(counts.len()).unwrap_or(u32::MAX);
            numbers.extend_from_slice(row);
            counts.push(*count);
            let hasher = &self.hasher;
            self.places.insert_unique(hash, place, |&place| hasher.hash_one(&numbers[at(place)]));
        }
        self.pending = pending;
        self.forget_file();
    }

    /// The file cannot be read: nothing of it counts.
    pub(crate) fn forget_file(&mut self) {
        self.pending.numbers.clear();
        self.pending.counts.clear();
    }

    /// Whether it is time to give out what there is.
    pub(crate) fn is_full(&self) -> bool {
        let rows = self.rows.counts.len();
        self.arena.weight() + rows * (size_of::<Count>() + size_of::<u32>() * (self.width() + 2)) > self.limit
    }

    /// Everything that was collected, as rows; and begins anew.
    pub(crate) fn give_out(&mut self) -> Result<Vec<RecordBatch>, DataFusionError> {
        let texts = std::mem::replace(&mut self.arena, Arena::new()).finish();
        let rows = std::mem::take(&mut self.rows);
        self.places.clear();
        self.before.fill(NONE);
        let width = self.width();
        let batches = rows.counts.chunks(BATCH).zip(rows.numbers.chunks(BATCH * width));
        batches.map(|(counts, numbers)| self.batch(counts, numbers, &texts)).collect()
    }

    fn batch(&self, counts: &[Count], numbers: &[u32], texts: &Texts) -> Result<RecordBatch, DataFusionError> {
        let width = self.width();
        let moments = |moments: &mut dyn Iterator<Item = i64>| -> ArrayRef {
            Arc::new(TimestampSecondArray::from_iter_values(moments).with_timezone("UTC"))
        };
        let others = || numbers.iter().skip(width - 1).step_by(width);
        let mut text_at = 0..;
        let columns = self.columns.iter().map(|column| -> Result<ArrayRef, DataFusionError> {
            Ok(match column {
                Column::Hour => moments(&mut others().map(|other| i64::from(other >> 1) * HOUR)),
                Column::Time | Column::First => moments(&mut counts.iter().map(|count| count.first)),
                Column::Last => moments(&mut counts.iter().map(|count| count.last)),
                Column::Calls => Arc::new(Int64Array::from_iter_values(counts.iter().map(|count| count.calls))),
                Column::OfUser => Arc::new(BooleanArray::from_iter(others().map(|other| Some(other & 1 == 1)))),
                Column::Text(_) => {
                    let at = text_at.next().unwrap_or_default();
                    texts.column(numbers.iter().skip(at).step_by(width).copied())?
                }
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(counts.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}
