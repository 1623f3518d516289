//! Values of flags that are more than a word.

use std::fmt;
use std::str::FromStr;

use akia_io::aws::{EndpointError, parse_endpoint};
use url::Url;

use crate::output::escape::visible;

/// Where requests go instead of AWS: https anywhere, http to this machine only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl(Url);

impl EndpointUrl {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for EndpointUrl {
    type Err = EndpointError;
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        parse_endpoint(text).map(Self)
    }
}

/// The six digits of an MFA device. They are not shown in debug output, though they work only once.
#[derive(Clone, PartialEq, Eq)]
pub struct MfaCode(String);

/// Why a text is not an MFA code. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an MFA code is six digits")]
pub struct MfaCodeError;

impl MfaCode {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MfaCode {
    type Err = MfaCodeError;
    fn from_str(text: &str) -> Result<Self, MfaCodeError> {
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(MfaCodeError)
        }
    }
}

impl fmt::Debug for MfaCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MfaCode(……)")
    }
}

/// What is said where a secret stands on the command line.
pub(super) const SECRET_ON_COMMAND_LINE: &str = "
Never put a secret access key on the command line: other programs and the shell's history see it.
`akia setup` asks for it without showing it.
";

/// Whether a part of the word has the form of a secret access key.
pub(super) fn looks_secret(word: &str) -> bool {
    !secrets_in(word).is_empty()
}

/// A word of the user that can be printed: nothing in it drives the terminal, and what looks like a secret is left out.
pub(super) fn harmless(word: &str) -> String {
    let mut shown = visible(word).into_owned();
    for secret in secrets_in(word) {
        shown = shown.replace(secret, "(40 characters that look like a secret)");
    }
    shown
}

/// Parts of a word that have the form of a secret access key: 40 characters of base64, not all hexadecimal.
fn secrets_in(word: &str) -> Vec<&str> {
    let is_secret = |part: &&str| {
        part.len() == 40
            && part.bytes().any(|byte| byte.is_ascii_uppercase())
            && part.bytes().any(|byte| byte.is_ascii_lowercase())
    };
    word.split(|c: char| !(c.is_ascii_alphanumeric() || c == '/' || c == '+')).filter(is_secret).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mfa_code_is_six_digits_and_hidden() {
        assert_eq!(format!("{:?}", "123456".parse::<MfaCode>().unwrap()), "MfaCode(……)");
        for text in ["12345", "1234567", "12345a", "", "１２３４５６"] {
            assert!(text.parse::<MfaCode>().is_err(), "{text}");
        }
    }
}
