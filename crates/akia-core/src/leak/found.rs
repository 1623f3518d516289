//! What one text holds, before it is told: ids, secrets, session tokens, each where it stands.

use std::ops::Range;

use super::decode::View;
use super::label::{self, Label};
use super::{Confidence, Encoding};
use crate::secret::SecretAccessKey;

/// An id.
pub(super) struct IdItem {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    pub(super) encodings: Vec<Encoding>,
    /// How sure it is that it is one, without its secret.
    pub(super) confidence: Confidence,
    /// What it is called, without the words of every label.
    pub(super) stem: String,
    pub(super) secret: Option<SecretItem>,
    pub(super) session_token: bool,
}

/// A secret.
pub(super) struct SecretItem {
    pub(super) secret: SecretAccessKey,
    pub(super) span: Range<usize>,
    pub(super) encodings: Vec<Encoding>,
    pub(super) label: Label,
    pub(super) stem: String,
}

impl SecretItem {
    pub(super) fn duplicate(&self) -> Self {
        Self {
            secret: self.secret.duplicate(),
            span: self.span.clone(),
            encodings: self.encodings.clone(),
            label: self.label,
            stem: self.stem.clone(),
        }
    }
}

/// An API key of Amazon Bedrock.
pub(super) struct ApiKey {
    pub(super) key: SecretAccessKey,
    pub(super) span: Range<usize>,
    pub(super) encodings: Vec<Encoding>,
    pub(super) confidence: Confidence,
}

/// All of it.
#[derive(Default)]
pub(super) struct Bag {
    pub(super) ids: Vec<IdItem>,
    /// None where an id has taken it.
    pub(super) secrets: Vec<Option<SecretItem>>,
    /// Session tokens that no id has taken.
    pub(super) tokens: Vec<Range<usize>>,
    pub(super) api_keys: Vec<ApiKey>,
}

impl Bag {
    /// Takes over what stands in a decoded part of `text`, which is encoded as `outer`; for escapes, as what was undone there.
    pub(super) fn take_over(&mut self, text: &[u8], view: &View, outer: &[Encoding], inner: Self) {
        let encodings = |span: &Range<usize>, within: Vec<Encoding>| -> Vec<Encoding> {
            outer.iter().copied().chain(view.undone_at(span)).chain(within).collect()
        };
        for mut id in inner.ids {
            id.encodings = encodings(&id.span, id.encodings);
            id.span = view.span(&id.span);
            if let Some(secret) = &mut id.secret {
                secret.encodings = encodings(&secret.span, std::mem::take(&mut secret.encodings));
                secret.span = view.span(&secret.span);
            }
            if id.stem.is_empty() {
                id.stem = label::stem_before(text, id.span.start);
            }
            self.ids.push(id);
        }
        for mut secret in inner.secrets.into_iter().flatten() {
            secret.encodings = encodings(&secret.span, secret.encodings);
            secret.span = view.span(&secret.span);
            self.secrets.push(Some(secret));
        }
        self.tokens.extend(inner.tokens.iter().map(|span| view.span(span)));
        for mut key in inner.api_keys {
            key.encodings = encodings(&key.span, key.encodings);
            key.span = view.span(&key.span);
            self.api_keys.push(key);
        }
    }

    /// Keeps each thing once: of two readings of the same bytes, the one that undid less.
    pub(super) fn settle(&mut self) {
        self.ids.sort_by(|a, b| {
            (a.span.start, a.secret.is_none(), a.encodings.len(), a.span.end).cmp(&(
                b.span.start,
                b.secret.is_none(),
                b.encodings.len(),
                b.span.end,
            ))
        });
        self.ids.dedup_by(|later, earlier| {
            later.text == earlier.text && later.span.start < earlier.span.end.max(earlier.span.start + 1)
        });
        self.secrets.retain(Option::is_some);
        let key = |secret: &Option<SecretItem>| secret.as_ref().map(|s| (s.span.start, s.encodings.len(), s.span.end));
        self.secrets.sort_by_key(key);
        self.secrets.dedup_by(|later, earlier| match (later, earlier) {
            (Some(later), Some(earlier)) => {
                later.secret.matches(&earlier.secret) && later.span.start < earlier.span.end
            }
            _ => true,
        });
        self.tokens.sort_by_key(|span| (span.start, span.end));
        self.tokens.dedup_by(|later, earlier| later.start < earlier.end);
        self.api_keys.sort_by_key(|key| (key.span.start, key.encodings.len()));
        self.api_keys.dedup_by(|later, earlier| later.span.start < earlier.span.end && later.key.matches(&earlier.key));
        // An API key of Bedrock encodes the id that signed it.
        let keys = &self.api_keys;
        self.ids.retain(|id| {
            let before = keys.partition_point(|key| key.span.start <= id.span.start);
            before.checked_sub(1).and_then(|index| keys.get(index)).is_none_or(|key| id.span.end > key.span.end)
        });
    }
}
