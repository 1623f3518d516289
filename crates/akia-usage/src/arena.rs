//! Each text once, numbered.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::builder::StringViewBuilder;
use datafusion::arrow::buffer::Buffer;
use datafusion::error::DataFusionError;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The number of no text.
pub(crate) const NONE: u32 = 0;

/// Texts, each once, one after another in one buffer.
#[derive(Default)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    /// Where each text stands; that of number 0 is empty.
    spans: Vec<(u32, u32)>,
    numbers: HashTable<u32>,
    hasher: FixedState,
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self { spans: vec![(0, 0)], ..Self::default() }
    }

    /// The number of a text.
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        let Self { bytes, spans, numbers, hasher } = self;
        let hash = hasher.hash_one(text.as_bytes());
        if let Some(&number) = numbers.find(hash, |&number| of(bytes, spans, number) == text.as_bytes()) {
            return number;
        }
        let number = u32::try_from(spans.len()).unwrap_or(u32::MAX);
        spans.push((bytes.len() as u32, text.len() as u32));
        bytes.extend_from_slice(text.as_bytes());
        numbers.insert_unique(hash, number, |&other| hasher.hash_one(of(bytes, spans, other)));
        number
    }

    /// The bytes of the text with this number.
    pub(crate) fn text(&self, number: u32) -> &[u8] {
        of(&self.bytes, &self.spans, number)
    }

    /// Bytes of memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + self.spans.len() * 24
    }

    /// The texts, to be given out.
    pub(crate) fn finish(self) -> Texts {
        Texts { bytes: self.bytes, spans: self.spans }
    }
}

/// The bytes of the text with a number.
fn of<'a>(bytes: &'a [u8], spans: &[(u32, u32)], number: u32) -> &'a [u8] {
    let (start, length) = spans[number as usize];
    &bytes[start as usize..][..length as usize]
}

/// The texts of a finished arena.
pub(crate) struct Texts {
    bytes: Vec<u8>,
    spans: Vec<(u32, u32)>,
}

impl Texts {
    /// The texts of these numbers as a column, with a buffer of its own that has each text once: a buffer that batches share would be
    /// counted against DataFusion's memory with each of them.
    pub(crate) fn column(&self, numbers: impl Iterator<Item = u32>) -> Result<ArrayRef, DataFusionError> {
        let mut bytes = Vec::new();
        let mut known: HashMap<u32, (u32, u32), FixedState> = HashMap::default();
        let spans: Vec<Option<(u32, u32)>> = numbers
            .map(|number| {
                (number != NONE).then(|| {
                    *known.entry(number).or_insert_with(|| {
                        let (at, text) = (bytes.len() as u32, of(&self.bytes, &self.spans, number));
                        bytes.extend_from_slice(text);
                        (at, text.len() as u32)
                    })
                })
            })
            .collect();
        let mut column = StringViewBuilder::with_capacity(spans.len());
        let block = column.append_block(Buffer::from_vec(bytes));
        for span in spans {
            match span {
                None => column.append_null(),
                Some((start, length)) => column.try_append_view(block, start, length)?,
            }
        }
        Ok(Arc::new(column.finish()))
    }
}
