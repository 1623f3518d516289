//! Columns of a row group, read some rows at a time.

use std::borrow::Cow;

use datafusion::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use datafusion::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use datafusion::parquet::data_type::{ByteArray, ByteArrayType, Int64Type, Int96, Int96Type};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::reader::RowGroupReader;
use datafusion::parquet::schema::types::ColumnDescriptor;

/// A column of text. A row has one cell, or any number where the column stands in a list or map.
pub(super) struct Texts {
    reader: ColumnReaderImpl<ByteArrayType>,
    /// The level of a value that is there.
    there: i16,
    /// Whether it stands in a list or map.
    is_list: bool,
    levels: Vec<i16>,
    repeats: Vec<i16>,
    values: Vec<ByteArray>,
    /// Which value stands in a cell.
    cells: Vec<Option<usize>>,
    /// The cell that each row begins with, and the end.
    rows: Vec<usize>,
}

impl Texts {
    pub(super) fn open(group: &dyn RowGroupReader, at: usize) -> Result<Self, ParquetError> {
        let descriptor = group.metadata().column(at).column_descr_ptr();
        let ColumnReader::ByteArrayColumnReader(reader) = group.get_column_reader(at)? else {
            return Err(ParquetError::General(format!("{} holds no text", descriptor.path())));
        };
        Ok(Self {
            reader,
            there: descriptor.max_def_level(),
            is_list: descriptor.max_rep_level() > 0,
            levels: Vec::new(),
            repeats: Vec::new(),
            values: Vec::new(),
            cells: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// Reads the next rows.
    pub(super) fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        let Self { reader, there, is_list, levels, repeats, values, cells, rows: starts } = self;
        levels.clear();
        repeats.clear();
        values.clear();
        cells.clear();
        starts.clear();
        let (read, _, all) = reader.read_records(rows, Some(&mut *levels), Some(&mut *repeats), values)?;
        has_all(read, rows)?;
        let mut value = 0..values.len();
        for cell in 0..all {
            if !*is_list || repeats.get(cell) == Some(&0) {
                starts.push(cell);
            }
            let is_there = *there == 0 || levels.get(cell) == Some(&*there);
            cells.push(if is_there { value.next() } else { None });
        }
        has_all(starts.len(), rows)?;
        starts.push(all);
        Ok(())
    }

    /// The cells of a row of those that were read last.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = Option<&[u8]>> {
        let cells = match self.rows.get(row..row + 2) {
            Some(&[start, end]) => self.cells.get(start..end).unwrap_or_default(),
            _ => &[],
        };
        cells.iter().map(|cell| cell.and_then(|at| self.values.get(at)).map(ByteArray::data))
    }

    /// The one cell of a row.
    pub(super) fn cell(&self, row: usize) -> Option<&[u8]> {
        self.row(row).next().flatten()
    }
}

fn has_all(read: usize, rows: usize) -> Result<(), ParquetError> {
    if read == rows {
        return Ok(());
    }
    Err(ParquetError::General("a column has fewer rows than the file".to_owned()))
}

/// The column of times.
pub(super) struct Times {
    reader: Ticks,
    there: i16,
    levels: Vec<i16>,
    seconds: Vec<Option<i64>>,
}

enum Ticks {
    /// How many of them are a second.
    Long(ColumnReaderImpl<Int64Type>, i64),
    /// What Hive and older Sparks write.
    Int96(ColumnReaderImpl<Int96Type>),
}

/// Whether a column can be one of times.
pub(super) fn is_of_times(column: &ColumnDescriptor) -> bool {
    matches!(column.physical_type(), Type::INT64 | Type::INT96) && column.max_rep_level() == 0
}

impl Times {
    pub(super) fn open(group: &dyn RowGroupReader, at: usize) -> Result<Self, ParquetError> {
        let descriptor = group.metadata().column(at).column_descr_ptr();
        let reader = match group.get_column_reader(at)? {
            ColumnReader::Int64ColumnReader(reader) => Ticks::Long(reader, ticks(&descriptor)),
            ColumnReader::Int96ColumnReader(reader) => Ticks::Int96(reader),
            _ => return Err(ParquetError::General(format!("{} holds no times", descriptor.path()))),
        };
        Ok(Self { reader, there: descriptor.max_def_level(), levels: Vec::new(), seconds: Vec::new() })
    }

    /// Reads the next rows.
    pub(super) fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.levels.clear();
        let mut seconds: Vec<i64> = Vec::new();
        let read = match &mut self.reader {
            Ticks::Long(reader, ticks) => {
                let (read, ..) = reader.read_records(rows, Some(&mut self.levels), None, &mut seconds)?;
                seconds.iter_mut().for_each(|time| *time = time.div_euclid(*ticks));
                read
            }
            Ticks::Int96(reader) => {
                let mut values: Vec<Int96> = Vec::new();
                let (read, ..) = reader.read_records(rows, Some(&mut self.levels), None, &mut values)?;
                seconds.extend(values.iter().map(Int96::to_seconds));
                read
            }
        };
        has_all(read, rows)?;
        let mut seconds = seconds.into_iter();
        let there = self.there;
        let is_there = |row: usize| there == 0 || self.levels.get(row) == Some(&there);
        self.seconds = (0..rows).map(|row| if is_there(row) { seconds.next() } else { None }).collect();
        Ok(())
    }

    /// The second of a row of those that were read last.
    pub(super) fn second(&self, row: usize) -> Option<i64> {
        self.seconds.get(row).copied().flatten()
    }
}

/// How many ticks a second has. OCSF's own times are milliseconds.
fn ticks(column: &ColumnDescriptor) -> i64 {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(time)), _) if time.unit == TimeUnit::NANOS => 1_000_000_000,
        (Some(LogicalType::Timestamp(time)), _) if time.unit == TimeUnit::MICROS => 1_000_000,
        (None, ConvertedType::TIMESTAMP_MICROS) => 1_000_000,
        _ => 1_000,
    }
}

/// A value as text. What is no UTF-8 is replaced, and noted.
pub(super) fn text<'a>(bytes: &'a [u8], has_bad_text: &mut bool) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(bytes);
    *has_bad_text |= matches!(text, Cow::Owned(_));
    text
}
