//! Where the key of a service goes, as it is typed: the one place that reads such words.
//!
//! A new kind of place is a variant here, with its words and how it becomes a [`Place`].

use std::fmt;
use std::str::FromStr;

use akia_core::ProfileName;
use akia_core::profile::FileKind;
use akia_core::rotation::Place;
use akia_io::profiles::AwsFiles;

use crate::commands::setup::SecretStore;
use crate::context::Context;
use crate::error::CommandError;
use crate::setup::spot::{Held, Spot};

/// A place as it is typed: `KIND:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliverTo {
    /// A profile of the AWS files.
    Profile(ProfileName),
    /// An entry of the keychain, which a profile reads.
    Keychain(ProfileName),
}

impl FromStr for DeliverTo {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        const KINDS: &str = "it is not profile:NAME or keychain:NAME";
        let (kind, name) = text.split_once(':').ok_or(KINDS)?;
        let profile = || name.parse::<ProfileName>().map_err(|error| error.to_string());
        match kind {
            "profile" => Ok(Self::Profile(profile()?)),
            "keychain" => Ok(Self::Keychain(profile()?)),
            _ => Err(KINDS.to_owned()),
        }
    }
}

impl fmt::Display for DeliverTo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(formatter, "profile:{name}"),
            Self::Keychain(name) => write!(formatter, "keychain:{name}"),
        }
    }
}

impl DeliverTo {
    /// The place itself.
    ///
    /// # Errors
    /// Where a key must not be put, such as into a profile that assumes a role.
    pub(crate) fn place(&self, context: &Context, files: &AwsFiles) -> Result<Place, CommandError> {
        match self {
            Self::Profile(name) => {
                let file = match Spot::find(context, files, name, SecretStore::File)?.held {
                    Held::Nothing => FileKind::Credentials,
                    Held::InFile { file, .. } => file,
                    Held::InKeychain { .. } => {
                        return Err(
                            taken(self, "its key is in the keychain").next(format!("--deliver-to keychain:{name}"))
                        );
                    }
                    Held::Remains { what, .. } => return Err(taken(self, &format!("it {what}"))),
                };
                files.place(name, file).ok_or_else(|| {
                    CommandError::failed(format_args!("the path {} is not Unicode", files.path(file).display()))
                })
            }
            Self::Keychain(name) => match Spot::find(context, files, name, SecretStore::Keychain)?.held {
                Held::Nothing | Held::InKeychain { .. } => Ok(Place::Keychain { profile: name.clone() }),
                Held::InFile { .. } => {
                    Err(taken(self, "its key is in a file").next(format!("--deliver-to profile:{name}")))
                }
                Held::Remains { what, .. } => Err(taken(self, &format!("it {what}"))),
            },
        }
    }
}

fn taken(place: &DeliverTo, why: &str) -> CommandError {
    let (DeliverTo::Profile(name) | DeliverTo::Keychain(name)) = place;
    CommandError::decision(format_args!("profile \"{name}\" is not free: {why}"))
        .now("nothing was changed")
        .next("name another profile")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_shown() {
        for text in ["profile:backup", "keychain:a b"] {
            assert_eq!(text.parse::<DeliverTo>().unwrap().to_string(), text);
        }
        for text in ["backup", "profile:", "vault:x", "profile:a]b"] {
            assert!(text.parse::<DeliverTo>().is_err(), "{text}");
        }
    }
}
