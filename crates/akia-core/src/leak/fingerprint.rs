//! What makes a leaked key the same key wherever it stands.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::ids::AccessKeyId;
use crate::secret::SecretAccessKey;

/// The name of a leaked key in baselines: 32 hexadecimal digits, made from its id and its secret and nothing else.
///
/// It survives a move to another file or commit, and never stands for another key: an id that is found with its secret for the
/// first time has a new one. The secret is the key of the HMAC, so that the fingerprint tells nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a key of which the id, the secret, or both were found.
    #[must_use]
    pub fn of(id: Option<&AccessKeyId>, secret: Option<&SecretAccessKey>) -> Self {
        let key = secret.map_or(&b""[..], |secret| secret.expose().as_bytes());
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(b"akia.leak/1\0");
        mac.update(id.map_or("", AccessKeyId::as_str).as_bytes());
        Self(mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_or_none_is_another_key() {
        let id: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let secret = |text: &str| SecretAccessKey::parse(text.to_owned()).ok().unwrap();
        let (first, second) = (secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), secret(&"x".repeat(40)));
        let all = [
            Fingerprint::of(Some(&id), None),
            Fingerprint::of(Some(&id), Some(&first)),
            Fingerprint::of(Some(&id), Some(&second)),
            Fingerprint::of(None, Some(&first)),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.as_str().len(), 32);
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
        assert_eq!(Fingerprint::of(Some(&id), Some(&first.duplicate())), all[1]);
    }
}
