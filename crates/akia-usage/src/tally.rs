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
use crate::column::{Column, Table, Text};
use crate::engine::BATCH;
use crate::scan::Plan;
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

/// Rows of numbers, one after another: a number for each text that is wanted, one for what else tells rows apart, and that of its set.
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

/// By what equal events are counted, and the last row of it: events of one caller come one after another.
struct Set {
    /// The numbers that are in it, all bits of each.
    mask: Vec<u32>,
    number: u32,
    row: Vec<u32>,
    place: u32,
}

impl Set {
    /// Those of a plan; columns as they are read.
    fn all(plan: &Plan, columns: &[Column]) -> Vec<Self> {
        if plan.table == Table::Events {
            return Vec::new();
        }
        let all = [plan.projection.clone()];
        let sets: &[Vec<usize>] = if plan.sets.is_empty() { &all } else { &plan.sets };
        let set = |(number, set): (u32, &Vec<usize>)| {
            let places = || columns.iter().zip(&plan.projection);
            let has = |column: Column| places().any(|(known, place)| *known == column && set.contains(place));
            let texts = places().filter(|(column, _)| matches!(column, Column::Text(_)));
            let mut mask: Vec<u32> = texts.map(|(_, place)| if set.contains(place) { u32::MAX } else { 0 }).collect();
            let hour = if has(Column::Hour) { u32::MAX << 1 } else { 0 };
            mask.push(hour | u32::from(has(Column::OfUser)));
            Self { mask, number, row: Vec::new(), place: 0 }
        };
        (0..).zip(sets).map(set).collect()
    }

    /// Takes what is in it of a row of numbers; whether that is another than before.
    fn has_changed(&mut self, row: &[u32]) -> bool {
        let Self { mask, number, row: before, .. } = self;
        let own = || row.iter().zip(mask.iter()).map(|(number, mask)| number & mask).chain([*number]);
        if own().eq(before.iter().copied()) {
            return false;
        }
        before.clear();
        before.extend(own());
        true
    }

    fn forget(&mut self) {
        self.row.clear();
    }
}

/// Collects events for the columns that a query reads.
pub(crate) struct Tally {
    columns: Vec<Column>,
    texts: Vec<Text>,
    schema: SchemaRef,
    /// By what equal events are counted; empty where they are not.
    sets: Vec<Set>,
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
    pub(crate) fn new(plan: &Plan, columns: Vec<Column>, schema: SchemaRef, limit: usize) -> Self {
        let texts: Vec<Text> = columns
            .iter()
            .filter_map(|column| if let Column::Text(text) = column { Some(*text) } else { None })
            .collect();
        Self {
            has_hour: columns.contains(&Column::Hour),
            has_of_user: columns.contains(&Column::OfUser),
            before: vec![NONE; texts.len()],
            texts,
            schema,
            sets: Set::all(plan, &columns),
            columns,
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
        self.texts.len() + 2
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
        self.pending.numbers.extend([hour << 1 | u32::from(self.has_of_user && event.is_of_user()), 0]);
        self.pending.counts.push(Count { calls: 1, first: time, last: time });
    }

    /// Adds a row that says something of a file.
    pub(crate) fn note(&mut self, note: &str, time: i64) {
        let number = self.arena.number(note);
        let number = |text: &Text| if *text == Text::Note { number } else { NONE };
        let row: Vec<u32> = self.texts.iter().map(number).chain([0, 0]).collect();
        self.rows.push(&row, Count { calls: 0, first: time, last: time });
    }

    /// The file was read to its end: its events count.
    pub(crate) fn keep_file(&mut self) {
        let width = self.width();
        let pending = std::mem::take(&mut self.pending);
        let Rows { numbers, counts } = &mut self.rows;
        for (row, count) in pending.numbers.chunks_exact(width).zip(&pending.counts) {
            if self.sets.is_empty() {
                numbers.extend_from_slice(row);
                counts.push(*count);
            }
            for set in &mut self.sets {
                if set.has_changed(row) {
                    let row = &set.row;
                    let at = |place: u32| place as usize * width..(place as usize + 1) * width;
                    let hash = self.hasher.hash_one(row.as_slice());
                    let known = self.places.find(hash, |&place| numbers[at(place)] == **row).copied();
                    set.place = known.unwrap_or_else(|| {
                        let place = u32::try_from(counts.len()).unwrap_or(u32::MAX);
                        numbers.extend_from_slice(row);
                        counts.push(Count { calls: 0, ..*count });
                        let hasher = &self.hasher;
                        self.places.insert_unique(hash, place, |&place| hasher.hash_one(&numbers[at(place)]));
                        place
                    });
                }
                let known = &mut counts[set.place as usize];
                known.calls += 1;
                known.first = known.first.min(count.first);
                known.last = known.last.max(count.last);
            }
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
        self.sets.iter_mut().for_each(Set::forget);
        let width = self.width();
        let batches = rows.counts.chunks(BATCH).zip(rows.numbers.chunks(BATCH * width));
        batches.map(|(counts, numbers)| self.batch(counts, numbers, &texts)).collect()
    }

    fn batch(&self, counts: &[Count], numbers: &[u32], texts: &Texts) -> Result<RecordBatch, DataFusionError> {
        let width = self.width();
        let moments = |moments: &mut dyn Iterator<Item = i64>| -> ArrayRef {
            Arc::new(TimestampSecondArray::from_iter_values(moments).with_timezone("UTC"))
        };
        let others = || numbers.iter().skip(width - 2).step_by(width);
        let sets = numbers.iter().skip(width - 1).step_by(width);
        let mut text_at = 0..;
        let columns = self.columns.iter().map(|column| -> Result<ArrayRef, DataFusionError> {
            Ok(match column {
                Column::Hour => moments(&mut others().map(|other| i64::from(other >> 1) * HOUR)),
                Column::Time | Column::First => moments(&mut counts.iter().map(|count| count.first)),
                Column::Last => moments(&mut counts.iter().map(|count| count.last)),
                Column::Calls => Arc::new(Int64Array::from_iter_values(counts.iter().map(|count| count.calls))),
                Column::OfUser => Arc::new(BooleanArray::from_iter(others().map(|other| Some(other & 1 == 1)))),
                Column::Set => Arc::new(Int64Array::from_iter_values(sets.clone().map(|&set| i64::from(set)))),
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
