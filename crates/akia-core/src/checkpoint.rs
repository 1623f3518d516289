//! Checkpoints: what the journal was at a moment, signed, and kept where nobody can replace it.
//!
//! The form is DSSE, the Dead Simple Signing Envelope (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>):
//! the signature covers the payload with its type and lengths, byte for byte, so that nothing hangs on how JSON is written.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::may_be_bucket;

/// The type of the payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.akia.checkpoint+json";

/// What the journal was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The form of this: `akia.checkpoint/1`.
    pub schema: String,
    /// How many records it had.
    pub records: u64,
    /// The hash of the last one, 64 hexadecimal digits; through the chain, that of all.
    pub hash: String,
    /// When that was.
    pub at: Timestamp,
    /// Who has put it into the bucket: an ARN.
    pub by: String,
    /// The Ed25519 key that has signed it: 32 bytes in base64.
    pub public_key: String,
}

impl Checkpoint {
    /// [`Checkpoint::schema`] of this version.
    pub const SCHEMA: &'static str = "akia.checkpoint/1";
}

/// A payload with its signatures. Bytes are in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// [`PAYLOAD_TYPE`].
    pub payload_type: String,
    /// A [`Checkpoint`] as JSON.
    pub payload: String,
    /// At least one.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which key has signed: the SHA-256 of its bytes, 64 hexadecimal digits.
    pub keyid: String,
    /// The signature.
    pub sig: String,
}

/// The bytes that are signed.
#[must_use]
pub fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// A bucket and what the keys of objects begin with: `s3://BUCKET/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// The bucket.
    pub bucket: String,
    /// Empty, or with a slash at its end.
    pub prefix: String,
}

/// Why a text is no place in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// It does not begin so.
    #[error("it does not begin with s3://; write s3://BUCKET or s3://BUCKET/PREFIX")]
    Scheme,
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
    #[error(
        "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit"
    )]
    Bucket,
    /// The prefix would be another one to some reader, or too long.
    #[error("a prefix has at most 500 letters, digits, and characters of -_./=, without empty parts, . and ..")]
    Prefix,
}

impl FromStr for BucketPlace {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let rest = text.strip_prefix("s3://").ok_or(BadPlace::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !may_be_bucket(bucket)
            || bucket.contains("..")
            || !is_end(bucket.chars().next())
            || !is_end(bucket.chars().next_back())
        {
            return Err(BadPlace::Bucket);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=".contains(c);
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new() });
        }
        if prefix.len() > 500 || !prefix.chars().all(is_plain) || !prefix.split('/').all(is_part) {
            return Err(BadPlace::Prefix);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}/") })
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_the_example_of_the_protocol() {
        // The example of the DSSE protocol: PAE("http://example.com/HelloWorld", "hello world").
        let bytes = signed_bytes("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_place_is_a_bucket_and_a_prefix() {
        let place = |text: &str| text.parse::<BucketPlace>();
        for (text, shown) in [
            ("s3://example-log", "s3://example-log/"),
            ("s3://example-log/", "s3://example-log/"),
            ("s3://example.log/a", "s3://example.log/a/"),
            ("s3://example-log/a/b=c_1/", "s3://example-log/a/b=c_1/"),
        ] {
            assert_eq!(place(text).unwrap().to_string(), shown);
        }
        for text in ["example-log", "https://example-log", "S3://example-log"] {
            assert_eq!(place(text), Err(BadPlace::Scheme), "{text}");
        }
        for text in
            ["s3://", "s3://ab", "s3://Example", "s3://-abc", "s3://abc.", "s3://a..b", "s3://a_b", "s3://a b c"]
        {
            assert_eq!(place(text), Err(BadPlace::Bucket), "{text}");
        }
        for text in ["s3://abc//a", "s3://abc/a//b", "s3://abc/../b", "s3://abc/a?b", "s3://abc/ü"] {
            assert_eq!(place(text), Err(BadPlace::Prefix), "{text}");
        }
    }
}
