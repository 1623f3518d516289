//! Delivers notices: channels, a file each, and the outbox in front of them. [`KINDS`] is the one list; a test counts it
//! against the files and `docs/notices.md`.
//!
//! Invariant: a delivery says what is true afterwards. [`Receipt`] is proof that the service took the message;
//! [`DeliveryError`] tells what certainly did not arrive from what may have. No secret leaves a channel: not in an error, not
//! in what is kept of a message.

mod aws;
mod channels;
mod eventbridge;
mod file;
mod jira;
mod outbox;
mod pagerduty;
mod security_hub;
mod servicenow;
mod ses;
mod slack;
mod smtp;
mod sns;
mod stdout;
mod teams;
mod templates;
mod web;
mod webhook;

use std::time::Duration;

use akia_core::notice::Message;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use channels::{Channels, Lookup, NotReady, Reach};
pub(crate) use outbox::DATABASE as OUTBOX;
pub use outbox::{Delivered, Entry, Outbox, OutboxError, Outcome, State, Totals};
pub use templates::{TemplatesError, load as load_templates};
pub use webhook::sign;

/// A kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its word in the settings.
    pub word: &'static str,
    /// Whether a message that arrives twice has the effect of one.
    pub is_idempotent: bool,
    /// Why that is so.
    pub why: &'static str,
}

/// Every kind of channel, in the order of the documentation.
pub const KINDS: [Kind; 13] = [
    sns::KIND,
    ses::KIND,
    smtp::KIND,
    slack::KIND,
    teams::KIND,
    webhook::KIND,
    eventbridge::KIND,
    pagerduty::KIND,
    jira::KIND,
    servicenow::KIND,
    security_hub::KIND,
    file::KIND,
    stdout::KIND,
];

/// A way to a person or program.
pub trait Channel: Send + Sync {
    /// What it is.
    fn kind(&self) -> Kind;

    /// Where it leads, without anything secret.
    fn place(&self) -> String;

    /// What would be sent, without anything secret: what is kept as evidence.
    fn body(&self, message: &Message) -> String;

    /// Sends a message, once.
    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>>;
}

/// Proof of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When the service answered.
    pub at: Timestamp,
    /// What the service calls the message: a message id, the key of a ticket, a queue id.
    pub message_id: Option<String>,
    /// The HTTP status, or the reply code of the mail server.
    pub status: Option<u16>,
    /// What was done, in words.
    pub detail: String,
    /// Whether an earlier try may have arrived as well.
    #[serde(default)]
    pub may_be_second: bool,
}

impl Receipt {
    fn new(at: Timestamp, detail: impl Into<String>) -> Self {
        Self { at, message_id: None, status: None, detail: detail.into(), may_be_second: false }
    }

    fn id(mut self, id: Option<String>) -> Self {
        self.message_id = id;
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// Why a message was not delivered, and whether it was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It certainly did not arrive; later it may.
    #[error("not delivered: {reason}")]
    NotDelivered {
        /// Why.
        reason: String,
        /// How long the service asks to wait.
        retry_after: Option<Duration>,
    },
    /// It did not arrive, and will not until somebody changes something.
    #[error("refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// Nobody knows whether it arrived.
    #[error("not known whether it arrived: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl DeliveryError {
    fn not_delivered(reason: impl Into<String>) -> Self {
        Self::NotDelivered { reason: reason.into(), retry_after: None }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

/// What the jitter of pauses is drawn from, so that many machines do not try at the same second.
///
/// # Errors
/// When the system has no randomness to give.
pub fn seed() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}

/// A text of at most so many bytes, cut between characters, with a mark where something was cut.
fn at_most(text: &str, bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_file_a_word_and_a_place_in_the_documentation() {
        let words: BTreeSet<&str> = KINDS.iter().map(|kind| kind.word).collect();
        assert_eq!(words, akia_core::settings::channel_words().collect());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/notify");
        let not_channels = ["aws", "channels", "mod", "outbox", "templates", "web"];
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| Some(entry.unwrap().path().file_stem()?.to_str()?.replace('_', "-")))
            .filter(|name| !not_channels.contains(&name.as_str()))
            .collect();
        assert_eq!(files, words.iter().map(|&word| word.to_owned()).collect());
        let page = include_str!("../../../../docs/notices.md");
        for kind in KINDS {
            let twice = if kind.is_idempotent { "no" } else { "yes" };
            let row = format!("| `{}` | {twice} |", kind.word);
            assert!(page.contains(&row), "docs/notices.md has no row {row}");
        }
        let rows = page.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3).count();
        assert_eq!(rows, KINDS.len(), "rows of channels in docs/notices.md");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(at_most("abc", 3), "abc");
        assert_eq!(at_most("ääää", 7), "ää…");
        assert_eq!(at_most("abcdef", 5), "ab…");
    }
}
