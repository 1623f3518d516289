//! Secrets that the settings name, of channels and of places: read where the settings say they are kept, used, and never shown.

use std::fmt::Display;

use akia_core::settings::SecretRef;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::files::read_limited;

/// Longest secret, in bytes.
const LONGEST: u64 = 16 * 1024;

/// A secret of somebody else's service. It has no `Debug` and no `Display`.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Reads a secret. The error names the place and never the content.
    pub(crate) fn read(place: &SecretRef, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text = match place {
            SecretRef::Env(name) => {
                Zeroizing::new(variable(name).ok_or_else(|| format!("the variable {name} is not set"))?)
            }
            SecretRef::File(path) => {
                let bytes = read_limited(path, LONGEST).map_err(|error| error.to_string())?;
                let bytes = bytes.ok_or_else(|| format!("the file {} is not there", path.display()))?;
                let text = std::str::from_utf8(&bytes).map_err(|_| format!("{place} does not hold text"))?;
                Zeroizing::new(text.to_owned())
            }
        };
        Self::taken(place, &text)
    }

    /// A secret that came another way, from `place`.
    pub(crate) fn taken(place: &dyn Display, text: &str) -> Result<Self, String> {
        // An editor leaves a line break at the end.
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(format!("{place} is empty"));
        }
        if trimmed.chars().any(char::is_control) {
            return Err(format!("{place} holds more than one line"));
        }
        Ok(Self(Zeroizing::new(trimmed.to_owned())))
    }

    /// The secret itself: to send, to sign, and for nothing else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// A foreign text without this secret.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(self.0.as_str(), "(secret)")
    }
}

/// A part of somebody's answer or file that may be secret: wiped when dropped. It has no `Debug`.
#[derive(Clone)]
pub(crate) struct Wiped(pub(crate) Zeroizing<String>);

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_where_it_is_kept_and_its_lack_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hush\n").unwrap();
        let variable = |name: &str| match name {
            "HUSH" => Some("hush".to_owned()),
            "EMPTY" => Some(" ".to_owned()),
            "LINES" => Some("a\nb".to_owned()),
            _ => None,
        };
        let read = |place: SecretRef| Secret::read(&place, &variable).map(|secret| secret.reveal().to_owned());
        let env = |name: &str| SecretRef::Env(name.to_owned());
        assert_eq!(read(env("HUSH")).as_deref(), Ok("hush"));
        assert_eq!(read(SecretRef::File(path)).as_deref(), Ok("hush"));
        assert_eq!(read(env("NONE")).unwrap_err(), "the variable NONE is not set");
        assert_eq!(read(env("EMPTY")).unwrap_err(), "the variable EMPTY is empty");
        assert_eq!(read(env("LINES")).unwrap_err(), "the variable LINES holds more than one line");
        let missing = SecretRef::File(folder.path().join("none"));
        assert!(read(missing).unwrap_err().ends_with("is not there"));
    }
}
