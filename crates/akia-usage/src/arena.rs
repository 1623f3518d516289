//! Each text once, numbered.

use datafusion::arrow::array::builder::StringViewBuilder;
use datafusion::arrow::buffer::Buffer;
use datafusion::error::DataFusionError;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

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
        let hash = self.hasher.hash_one(text.as_bytes());
        let (bytes, spans) = (&mut self.bytes, &mut self.spans);
        let at = |spans: &[(u32, u32)], bytes: &[u8], number: u32| {
            let (start, length) = spans[number as usize];
            bytes[start as usize..][..length as usize] == *text.as_bytes()
        };
        if let Some(&number) = self.numbers.find(hash, |&number| at(spans, bytes, number)) {
            return number;
        }
        let number = u32::try_from(spans.len()).unwrap_or(u32::MAX);
        spans.push((bytes.len() as u32, text.len() as u32));
        bytes.extend_from_slice(text.as_bytes());
        let hasher = &self.hasher;
        self.numbers.insert_unique(hash, number, |&other| {
            let (start, length) = spans[other as usize];
            hasher.hash_one(&bytes[start as usize..][..length as usize])
        });
        number
    }

    /// The bytes of the text with this number.
    pub(crate) fn text(&self, number: u32) -> &[u8] {
        let (start, length) = self.spans[number as usize];
        &self.bytes[start as usize..][..length as usize]
    }

    /// Bytes of memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + self.spans.len() * 24
    }

    /// The texts, as arrays can share them.
    pub(crate) fn finish(self) -> Texts {
        Texts { bytes: Buffer::from_vec(self.bytes), spans: self.spans }
    }
}

/// The texts of a finished arena.
pub(crate) struct Texts {
    bytes: Buffer,
    spans: Vec<(u32, u32)>,
}

impl Texts {
    /// Writes the texts of these numbers as a column. No byte is copied.
    pub(crate) fn column(
        &self,
        numbers: impl Iterator<Item = u32>,
    ) -> Result<datafusion::arrow::array::ArrayRef, DataFusionError> {
        let mut column = StringViewBuilder::new();
        let block = column.append_block(self.bytes.clone());
        for number in numbers {
            match number {
                NONE => column.append_null(),
                number => {
                    let (start, length) = self.spans[number as usize];
                    column.try_append_view(block, start, length)?;
                }
            }
        }
        Ok(std::sync::Arc::new(column.finish()))
    }
}
