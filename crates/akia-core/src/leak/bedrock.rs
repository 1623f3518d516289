//! API keys of Amazon Bedrock, which are no access keys: one text that is all there is.
//!
//! Long-term: `ABSK` and base64 of `BedrockAPIKey-….-at-ACCOUNT:…`. Short-term: `bedrock-api-key-` and base64 of a presigned
//! request to `bedrock.amazonaws.com`. Their shapes are public in gitleaks' rules `aws-amazon-bedrock-api-key-*`; the beginning
//! of what is encoded is AWS's (<https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html>).

use std::ops::Range;

use super::Confidence;
use super::decode::base64;

const LONG_TERM: &[u8] = b"ABSK";
const SHORT_TERM: &[u8] = b"bedrock-api-key-";
/// Characters behind the head of a long-term key, without padding.
const LONG_TERM_LENGTHS: std::ops::RangeInclusive<usize> = 100..=300;
/// Characters behind the head of a short-term key. It holds a session token, which has no published limit.
const SHORT_TERM_LENGTHS: std::ops::RangeInclusive<usize> = 80..=7000;

/// The API key that begins at this place of a text, and how sure it is.
pub(super) fn at(text: &[u8], start: usize) -> Option<(Range<usize>, Confidence)> {
    if start.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let rest = text.get(start..)?;
    let (head, lengths, promise) = match rest {
        _ if rest.starts_with(LONG_TERM) => (LONG_TERM, LONG_TERM_LENGTHS, &b"BedrockAPIKey-"[..]),
        _ if rest.starts_with(SHORT_TERM) => (SHORT_TERM, SHORT_TERM_LENGTHS, &b"bedrock.amazonaws.com"[..]),
        _ => return None,
    };
    let body = rest.get(head.len()..)?;
    let length = body.iter().take(lengths.end() + 1).take_while(|byte| base64::value(**byte).is_some()).count();
    if !lengths.contains(&length) {
        return None;
    }
    let padding = body.iter().skip(length).take(2).take_while(|byte| **byte == b'=').count();
    let told = base64::exact(body.get(..promise.len().div_ceil(3) * 4)?)?;
    let confidence = if told.starts_with(promise) { Confidence::High } else { Confidence::Low };
    Some((start..start + head.len() + length + padding, confidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_encodes_makes_it_sure() {
        let long = format!("ABSKQmVkcm9ja0FQSUtleS1{}=", "x".repeat(109));
        let text = format!("key={long}\n");
        assert_eq!(at(text.as_bytes(), 4), Some((4..4 + long.len(), Confidence::High)));
        let other = format!("ABSK{}", "x".repeat(132));
        assert_eq!(at(other.as_bytes(), 0), Some((0..136, Confidence::Low)));
        assert!(at(b"ABSKQmVkcm9ja0FQSUtleS1", 0).is_none());
        let short = format!("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t{}==", "L".repeat(800));
        assert_eq!(at(short.as_bytes(), 0), Some((0..short.len(), Confidence::High)));
        assert!(at(format!("x{short}").as_bytes(), 1).is_none());
    }
}
