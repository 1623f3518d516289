//! Files of Amazon Security Lake: CloudTrail's events as rows of Parquet, in the names of OCSF.
//!
//! Which field of an event stands where:
//! <https://github.com/ocsf/examples/tree/main/mappings/markdown/AWS/v1.1.0/CloudTrail>. Version 1 of Security Lake's sources has the names
//! of OCSF 1.0.0-rc.2, version 2 those of 1.1.0; both are looked for in every file. What is in no column is none.

mod columns;
mod pages;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use akia_core::usage::PARAMETERS;
use bytes::Bytes;
use datafusion::parquet::basic::{CompressionCodec, Type};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use datafusion::parquet::schema::types::SchemaDescriptor;

use self::columns::{Texts, Times, is_of_times, text};
use self::pages::Weight;
use crate::column::Text;
use crate::walk::{Event, Walked, Wants, parameters};

/// What a Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";
/// Rows that are read at once.
const AT_ONCE: usize = 1_024;
/// A text of a dictionary may stand in any number of rows. This many times its limit may a file say, in bytes of text.
const MOST_TOLD: usize = 16;
/// Bytes that a row counts as, besides its texts.
const OF_ROW: usize = 16;

/// Why a Parquet file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is of something else.
    #[error("it is Parquet, but holds no events of CloudTrail in OCSF: it has no column {0}")]
    Foreign(&'static str),
    /// Its pages are compressed in a way that has no limit.
    #[error("its columns are compressed with {0}, and only snappy, gzip, zstd and lz4_raw are read")]
    Codec(CompressionCodec),
    /// It inflates to more than the limit.
    #[error("it inflates to more than {limit} MiB")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It is damaged.
    #[error("no Parquet that can be read: {0}")]
    Damaged(String),
}

impl From<ParquetError> for Unreadable {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// What a file was found to be.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) walked: Walked,
    /// Its size, inflated: of the columns that were read.
    pub(crate) inflated: u64,
    /// Whether it has bytes that were no UTF-8, and were replaced.
    pub(crate) has_bad_text: bool,
}

/// Whether it is a Parquet file, whatever its name.
pub(crate) fn is_parquet(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// Reads a file, handing on each event. An error leaves what was handed on before it to the caller to forget.
pub(crate) fn read(
    file: &Bytes,
    wants: Wants,
    limit: usize,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<Read, Unreadable> {
    // The crate checks what it meets in most places, and asserts it in some.
    catch_unwind(AssertUnwindSafe(|| read_columns(file, wants, limit, each)))
        .unwrap_or_else(|_| Err(Unreadable::Damaged("it contradicts itself".to_owned())))
}

fn read_columns(
    file: &Bytes,
    wants: Wants,
    limit: usize,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<Read, Unreadable> {
    let reader = SerializedFileReader::new(file.clone())?;
    let layout = Layout::of(reader.metadata().file_metadata().schema_descr(), wants)?;
    let mut weight = Weight::default();
    for group in reader.metadata().row_groups() {
        for column in layout.columns() {
            pages::weigh(file, group.column(column), limit, &mut weight)?;
        }
    }
    // An encoding may repeat a part of a text in each row, so a large page may be larger still.
    let at_once = (limit as u64 / 4 / weight.largest.max(1)).clamp(1, AT_ONCE as u64) as usize;
    let mut told = Told { wants, walked: Walked { has_records: true, ..Walked::default() }, has_bad_text: false };
    let mut left = limit.saturating_mul(MOST_TOLD);
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let mut columns = Columns::open(&layout, &*group)?;
        let mut rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
        while rows > 0 {
            let batch = rows.min(at_once);
            columns.read(batch)?;
            for row in 0..batch {
                let said = told.row(&columns, row, each);
                left = left.checked_sub(OF_ROW + said).ok_or(Unreadable::TooLarge { limit: limit >> 20 })?;
            }
            rows -= batch;
        }
    }
    Ok(Read { walked: told.walked, inflated: weight.bytes, has_bad_text: told.has_bad_text })
}

/// Where a text stands: the first of these columns that has one.
fn paths(text: Text) -> &'static [&'static str] {
    match text {
        Text::Key => &["actor.user.credential_uid"],
        Text::Account => &["actor.user.account.uid", "actor.user.account_uid"],
        // In version 1 `uid` is the principal's id, and `uuid` the ARN.
        Text::User => &["actor.user.uid", "actor.user.uuid"],
        Text::Identity => &["actor.user.type"],
        Text::Service => &["api.service.name"],
        Text::Name => &["api.operation"],
        Text::Region => &["cloud.region"],
        Text::Ip => &["src_endpoint.ip", "src_endpoint.domain"],
        Text::Agent => &["http_request.user_agent"],
        Text::Error => &["api.response.error"],
        Text::ErrorMessage => &["api.response.message"],
        Text::EventId => &["metadata.uid"],
        Text::EventType => &["metadata.event_code"],
        Text::VpcEndpoint => &["src_endpoint.uid"],
        Text::Request => &["api.request.data"],
        Text::Response => &["api.response.data"],
        Text::Resources | Text::Note => &[],
    }
}

/// What an event of CloudTrail has where a column is missing: a name in the map `unmapped`.
fn unmapped(text: Text) -> Option<&'static str> {
    match text {
        Text::Request => Some("requestParameters"),
        Text::Response => Some("responseElements"),
        Text::EventType => Some("eventType"),
        _ => None,
    }
}

/// Which columns of a file are read, by their place among its leaves.
#[derive(Debug)]
struct Layout {
    time: usize,
    /// Whose log it is that was mapped: other sources of Security Lake have operations, too.
    product: usize,
    texts: Vec<(Text, usize)>,
    issuer: Option<usize>,
    arns: Option<usize>,
    unmapped: Option<(usize, usize)>,
}

impl Layout {
    fn of(schema: &SchemaDescriptor, wants: Wants) -> Result<Self, Unreadable> {
        let leaves = || (0..schema.num_columns()).map(|at| (at, schema.column(at)));
        let text = |path: &str| {
            let mut texts =
                leaves().filter(|(_, leaf)| leaf.physical_type() == Type::BYTE_ARRAY && leaf.max_rep_level() == 0);
            texts.find(|(_, leaf)| leaf.path().string() == path).map(|(at, _)| at)
        };
        // Lists and maps have levels of their own, which each writer names as it likes: what has the fewest is meant.
        let within = |list: &str, name: &str| {
            leaves()
                .filter(|(_, leaf)| leaf.physical_type() == Type::BYTE_ARRAY && leaf.max_rep_level() == 1)
                .filter(|(_, leaf)| {
                    let parts = leaf.path().parts();
                    parts.first().is_some_and(|first| first == list) && parts.last().is_some_and(|last| last == name)
                })
                .min_by_key(|(_, leaf)| leaf.path().parts().len())
                .map(|(at, _)| at)
        };
        let of_times =
            |path: &str| leaves().find(|(_, leaf)| leaf.path().string() == path && is_of_times(leaf)).map(|(at, _)| at);
        let is_read = |kind: Text| match kind {
            Text::Name => true,
            Text::Identity => wants.has(kind) || wants.has(Text::User),
            Text::Request => wants.has(kind) || wants.has(Text::Resources),
            _ => wants.has(kind),
        };
        let columns_of = |kind: Text| paths(kind).iter().filter_map(move |path| Some((kind, text(path)?)));
        let has_unmapped = |kind: Text| is_read(kind) && unmapped(kind).is_some();
        let layout = Self {
            time: of_times("time").or_else(|| of_times("time_dt")).ok_or(Unreadable::Foreign("time"))?,
            product: text("metadata.product.name").ok_or(Unreadable::Foreign("metadata.product.name"))?,
            texts: Text::ALL.into_iter().filter(|kind| is_read(*kind)).flat_map(columns_of).collect(),
            issuer: text("actor.session.issuer").filter(|_| wants.has(Text::User)),
            arns: within("resources", "uid").filter(|_| wants.has(Text::Resources)),
            unmapped: within("unmapped", "key")
                .zip(within("unmapped", "value"))
                .filter(|_| Text::ALL.into_iter().any(has_unmapped)),
        };
        let has_names = layout.texts.iter().any(|(kind, _)| *kind == Text::Name);
        if has_names { Ok(layout) } else { Err(Unreadable::Foreign("api.operation")) }
    }

    fn columns(&self) -> impl Iterator<Item = usize> {
        let unmapped = self.unmapped.iter().flat_map(|(keys, values)| [*keys, *values]);
        [self.time, self.product]
            .into_iter()
            .chain(self.texts.iter().map(|(_, at)| *at))
            .chain(self.issuer)
            .chain(self.arns)
            .chain(unmapped)
    }
}

/// The columns of a row group.
struct Columns {
    time: Times,
    product: Texts,
    texts: Vec<(Text, Texts)>,
    issuer: Option<Texts>,
    arns: Option<Texts>,
    unmapped: Option<(Texts, Texts)>,
}

impl Columns {
    fn open(layout: &Layout, group: &dyn RowGroupReader) -> Result<Self, ParquetError> {
        let open = |at: usize| Texts::open(group, at);
        let texts = layout.texts.iter().map(|(text, at)| Ok((*text, open(*at)?)));
        Ok(Self {
            time: Times::open(group, layout.time)?,
            product: open(layout.product)?,
            texts: texts.collect::<Result<_, ParquetError>>()?,
            issuer: layout.issuer.map(open).transpose()?,
            arns: layout.arns.map(open).transpose()?,
            unmapped: layout
                .unmapped
                .map(|(keys, values)| Ok::<_, ParquetError>((open(keys)?, open(values)?)))
                .transpose()?,
        })
    }

    /// Reads the next rows.
    fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.time.read(rows)?;
        let unmapped = self.unmapped.iter_mut().flat_map(|(keys, values)| [keys, values]);
        let texts = self.texts.iter_mut().map(|(_, texts)| texts);
        let others = texts.chain(&mut self.issuer).chain(&mut self.arns).chain(unmapped);
        std::iter::once(&mut self.product).chain(others).try_for_each(|texts| texts.read(rows))
    }

    /// What `unmapped` has of a row, by name.
    fn unmapped(&self, row: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let maps = self.unmapped.iter();
        maps.flat_map(move |(keys, values)| keys.row(row).zip(values.row(row)))
            .filter_map(|(key, value)| key.zip(value))
    }
}

/// What a file says, row by row.
struct Told {
    wants: Wants,
    walked: Walked,
    has_bad_text: bool,
}

impl Told {
    /// Hands a row on, and tells how many bytes of text it has.
    fn row(&mut self, columns: &Columns, row: usize, each: &mut dyn FnMut(&Event<'_>)) -> usize {
        let event = self.event(columns, row);
        let is_call = columns.product.cell(row) == Some(b"CloudTrail") && event.text(Text::Name).is_some();
        if is_call && event.time.is_some() {
            self.walked.calls += 1;
            each(&event);
        } else {
            self.walked.others += 1;
        }
        length(&event)
    }

    fn event<'a>(&mut self, columns: &'a Columns, row: usize) -> Event<'a> {
        let bad = &mut self.has_bad_text;
        let mut event = Event { time: columns.time.second(row), has_identity: true, is_call: true, ..Event::default() };
        for (kind, texts) in &columns.texts {
            let known = &mut event.texts[*kind as usize];
            if known.is_none() {
                let is_meant = |value: &&[u8]| *kind != Text::User || value.starts_with(b"arn:");
                *known = texts.cell(row).filter(is_meant).map(|value| text(value, bad));
            }
        }
        event.issuer = columns.issuer.as_ref().and_then(|issuer| issuer.cell(row)).map(|value| text(value, bad));
        for (kind, name) in Text::ALL.into_iter().filter_map(|kind| Some((kind, unmapped(kind)?))) {
            if self.wants.has(kind) && event.texts[kind as usize].is_none() {
                let mut all = columns.unmapped(row);
                event.texts[kind as usize] =
                    all.find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| text(value, bad));
            }
        }
        if event.wants_resources(self.wants) {
            let arns = columns.arns.iter().flat_map(|arns| arns.row(row)).flatten();
            event.arns = arns.map(|arn| text(arn, bad)).collect();
            event.parameters = self.parameters(columns, row);
        }
        event
    }

    /// The fields of `requestParameters`: of its JSON, or each by itself in `unmapped`, which is how version 1 has them.
    fn parameters<'a>(&mut self, columns: &'a Columns, row: usize) -> Vec<(&'static str, Cow<'a, str>)> {
        let mut found = Vec::new();
        let requests = columns.texts.iter().filter(|(kind, _)| *kind == Text::Request);
        let requests = requests.filter_map(|(_, texts)| Some((&[][..], texts.cell(row)?)));
        let beside =
            columns.unmapped(row).filter_map(|(key, value)| Some((key.strip_prefix(b"requestParameters")?, value)));
        for (name, value) in requests.chain(beside) {
            let Some(name) = name.strip_prefix(b".") else {
                found.extend(
                    std::str::from_utf8(value).ok().filter(|_| name.is_empty()).map(parameters).into_iter().flatten(),
                );
                continue;
            };
            let known = PARAMETERS.iter().find(|known| known.as_bytes() == name);
            found.extend(known.map(|name| (*name, text(value, &mut self.has_bad_text))));
        }
        found
    }
}

/// How many bytes of text an event has.
fn length(event: &Event<'_>) -> usize {
    let texts = event.texts.iter().flatten().chain(&event.issuer).chain(&event.arns);
    texts.chain(event.parameters.iter().map(|(_, value)| value)).map(|text| text.len()).sum()
}
