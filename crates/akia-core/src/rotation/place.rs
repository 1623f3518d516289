//! Where secrets are kept for use.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ProfileName;
use crate::profile::FileKind;

/// Anywhere a secret is kept for use. A new kind of place is a variant here and a file in `akia-io::place`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Place {
    /// A profile of the credentials or the config file.
    Profile {
        /// Absolute path of the file as it was named; symlinks are followed when it is written.
        path: String,
        /// Which of the two formats the file has.
        file: FileKind,
        /// Name of the profile.
        profile: ProfileName,
    },
    /// An entry of the OS keychain, read through `akia credentials`.
    Keychain {
        /// Name of the profile that the entry serves.
        profile: ProfileName,
    },
}

impl Place {
    /// The profile that the place serves.
    #[must_use]
    pub fn profile(&self) -> &ProfileName {
        match self {
            Self::Profile { profile, .. } | Self::Keychain { profile } => profile,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { path, profile, .. } => write!(formatter, "profile \"{profile}\" in {path}"),
            Self::Keychain { profile } => write!(formatter, "keychain entry of profile \"{profile}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_so_that_a_person_finds_it() {
        let profile: ProfileName = "work".parse().unwrap();
        let path = "/home/alice/.aws/credentials".to_owned();
        let file = Place::Profile { path, file: FileKind::Credentials, profile: profile.clone() };
        assert_eq!(file.to_string(), "profile \"work\" in /home/alice/.aws/credentials");
        assert_eq!(Place::Keychain { profile }.to_string(), "keychain entry of profile \"work\"");
    }
}
