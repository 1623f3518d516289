//! What is planted in a file.

use crate::Key;

/// What a scan must find in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// Ids with their secrets.
    pub pairs: Vec<Key>,
    /// Ids that stand alone.
    pub lone_ids: Vec<String>,
    /// Secrets that stand alone, with a name that says what they are.
    pub lone_secrets: Vec<String>,
    /// Ids with which a session token stands.
    pub with_token: Vec<String>,
    /// API keys of Amazon Bedrock.
    pub api_keys: Vec<String>,
}

/// A file, and what is planted in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Its path in the folder of a project.
    pub file: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What of that are keys.
    pub truth: Truth,
}

impl Planted {
    /// A file without keys.
    pub fn new(file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { file: file.to_owned(), bytes: bytes.into(), truth: Truth::default() }
    }

    /// Whole keys stand in it.
    #[must_use]
    pub fn pairs<'k>(mut self, keys: impl IntoIterator<Item = &'k Key>) -> Self {
        self.truth.pairs.extend(keys.into_iter().cloned());
        self
    }

    /// An id stands in it alone.
    #[must_use]
    pub fn lone(mut self, key: &Key) -> Self {
        self.truth.lone_ids.push(key.id.clone());
        self
    }

    /// A secret stands in it alone.
    #[must_use]
    pub fn lone_secret(mut self, key: &Key) -> Self {
        self.truth.lone_secrets.push(key.secret.clone());
        self
    }

    /// A session token stands with this key.
    #[must_use]
    pub fn token_of(mut self, key: &Key) -> Self {
        self.truth.with_token.push(key.id.clone());
        self
    }

    /// An API key of Amazon Bedrock stands in it.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.truth.api_keys.push(key.to_owned());
        self
    }

    /// The same in other bytes.
    #[must_use]
    pub fn encoded(mut self, file: &str, encode: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        self.file = file.to_owned();
        self.bytes = encode(&self.bytes);
        self
    }
}
