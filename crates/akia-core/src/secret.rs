//! The one type that holds a secret access key.
//!
//! It has no `Debug`, `Display`, `Clone` or `Serialize`, so that a secret cannot slip into a log, an
//! error or a file by accident, and its memory is overwritten when it is dropped.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret access key. Read it only through [`SecretAccessKey::expose`], and only to sign, seal or deliver.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretAccessKey(String);

/// Why a text is not a secret access key. It never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing was given.
    #[error("the secret access key is empty")]
    Empty,
    /// White space or a control character stands in it; AWS never issues one.
    #[error("the secret access key contains white space or a control character at position {position}")]
    Blank {
        /// Position of the offending character, counted in characters from 1.
        position: usize,
    },
    /// Longer than any secret access key.
    #[error("the secret access key is {length} characters long; AWS issues 40")]
    TooLong {
        /// Its length in characters.
        length: usize,
    },
}

impl SecretAccessKey {
    /// Longest text taken for a secret, in bytes. AWS issues 40 characters; emulators differ.
    pub const MAX_LENGTH: usize = 128;

    /// Longest API key of Amazon Bedrock, in bytes. A short-term one holds a whole presigned request.
    const MAX_API_KEY_LENGTH: usize = 8192;

    /// Takes the text over. It is wiped when it is refused.
    pub fn parse(text: String) -> Result<Self, SecretError> {
        Self::parse_within(text, Self::MAX_LENGTH)
    }

    /// Takes over an API key of Amazon Bedrock, which is a secret of its own and longer than one of an access key.
    pub fn bedrock_api_key(text: String) -> Result<Self, SecretError> {
        Self::parse_within(text, Self::MAX_API_KEY_LENGTH)
    }

    fn parse_within(text: String, longest: usize) -> Result<Self, SecretError> {
        let secret = Self(text);
        if secret.0.is_empty() {
            return Err(SecretError::Empty);
        }
        if secret.0.len() > longest {
            return Err(SecretError::TooLong { length: secret.0.chars().count() });
        }
        match secret.0.chars().position(|c| c.is_whitespace() || c.is_control()) {
            Some(index) => Err(SecretError::Blank { position: index + 1 }),
            None => Ok(secret),
        }
    }

    /// The secret itself: to sign, to seal, to deliver, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A second copy for a second owner, spelled out where `Clone` would hide it.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// A foreign text without this secret, which is replaced by `placeholder` wherever it stands.
    #[must_use]
    pub fn redact(&self, text: &str, placeholder: &str) -> String {
        text.replace(&self.0, placeholder)
    }

    /// Whether two secrets are equal, in time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_and_compared() {
        let secret = SecretAccessKey::parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()).ok().unwrap();
        assert!(secret.matches(&secret.duplicate()));
        assert!(!secret.matches(&SecretAccessKey::parse("other".into()).ok().unwrap()));
    }

    #[test]
    fn a_secret_is_taken_out_of_foreign_texts() {
        let secret = SecretAccessKey::parse("hunter2".into()).ok().unwrap();
        assert_eq!(secret.redact("no hunter2, hunter2!", "<secret>"), "no <secret>, <secret>!");
    }

    #[test]
    fn malformed_secrets_are_named_without_being_repeated() {
        assert_eq!(SecretAccessKey::parse(String::new()).err(), Some(SecretError::Empty));
        assert_eq!(SecretAccessKey::parse("abc def".into()).err(), Some(SecretError::Blank { position: 4 }));
        assert_eq!(SecretAccessKey::parse("x".repeat(200)).err(), Some(SecretError::TooLong { length: 200 }));
    }
}
