//! One key at one place.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Fingerprint, Hidden, Place};
use crate::ids::AccessKeyId;
use crate::secret::SecretAccessKey;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `AKIA…`: a long-term access key.
    LongTerm,
    /// `ASIA…`: temporary credentials.
    Temporary,
    /// `ABIA…`: an AWS STS service bearer token.
    Bearer,
    /// `ACCA…`: a context-specific credential.
    ContextSpecific,
    /// An API key of Amazon Bedrock, long-term (`ABSK…`) or short-term (`bedrock-api-key-…`).
    BedrockApiKey,
    /// A secret access key without an id near it.
    SecretOnly,
}

/// What is known of a key without asking anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing speaks against it.
    Real,
    /// It stands in AWS's documentation, or is made like the keys there (`…EXAMPLE`).
    Documentation,
    /// It is a trap: its account is one of those that make canary tokens. Using it rings a bell.
    Canary,
}

/// How sure it is that this is a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It has the shape, and little else speaks for it.
    Low,
    /// It has the shape and the surroundings.
    Medium,
    /// An id that encodes an account, or an id and its secret.
    High,
}

/// How a key was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// RFC 4648, with either alphabet.
    Base64,
    /// `%2F`.
    Percent,
    /// `\/`, `\u002f`, `\x2f`, and the escapes of shells.
    Escaped,
    /// Two bytes a character, either order.
    Utf16,
    /// Two digits a byte.
    Hex,
    /// `=2F`, and lines that end in `=`.
    QuotedPrintable,
    /// `&#47;`.
    Xml,
    /// Deflated, within another encoding.
    Gzip,
}

/// The secret that belongs to a key id.
pub struct FoundSecret {
    /// The secret itself; it reaches no output.
    pub secret: SecretAccessKey,
    /// Where it stands in the text: the outermost encoded form, in bytes.
    pub span: Range<usize>,
    /// Its line, counted from 1.
    pub line: u64,
}

/// A key in a text.
pub struct Found {
    /// Which sort.
    pub kind: Kind,
    /// What is known of it offline.
    pub class: Class,
    /// Its id; none where only a secret or a Bedrock API key was found.
    pub id: Option<AccessKeyId>,
    /// Its secret, where one stands near enough to belong to it. For a Bedrock API key, the key itself.
    pub secret: Option<FoundSecret>,
    /// Whether a session token stands with it.
    pub session_token: bool,
    /// How it was written, the outermost encoding first. Empty for plain text.
    pub encodings: Vec<Encoding>,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where it stands in the text: the outermost encoded form, in bytes.
    pub span: Range<usize>,
    /// Its line, counted from 1.
    pub line: u64,
    /// Whether a comment on its line takes it out.
    pub hidden: Option<Hidden>,
}

impl Found {
    /// What makes it the same key wherever it stands.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.id.as_ref(), self.secret.as_ref().map(|found| &found.secret))
    }
}

/// A key, and where.
pub struct Sighting {
    /// The key.
    pub found: Found,
    /// Where it stands.
    pub place: Place,
}
