//! Where the key of a service goes, as it is typed: the one place that reads such words.
//!
//! A new kind of place is a variant here, with its words and how it becomes a [`Place`].

use std::fmt;
use std::str::FromStr;

use akia_core::ProfileName;
use akia_core::place::DeclaredPlace;
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
    /// A place that `akia.toml` declares, by its label.
    Declared(String),
}

impl FromStr for DeliverTo {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        const KINDS: &str = "it is not profile:NAME, keychain:NAME or KIND:SPOT";
        let (kind, name) = text.split_once(':').ok_or(KINDS)?;
        let profile = || name.parse::<ProfileName>().map_err(|error| error.to_string());
        match kind {
            "profile" => Ok(Self::Profile(profile()?)),
            "keychain" => Ok(Self::Keychain(profile()?)),
            kind if DeclaredPlace::KINDS.contains(&kind) => Ok(Self::Declared(text.to_owned())),
            _ => Err(KINDS.to_owned()),
        }
    }
}

impl fmt::Display for DeliverTo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(formatter, "profile:{name}"),
            Self::Keychain(name) => write!(formatter, "keychain:{name}"),
            Self::Declared(label) => formatter.write_str(label),
        }
    }
}

impl DeliverTo {
    /// The place itself.
    ///
    /// # Errors
    /// Where a key must not be put, such as into a profile that assumes a role.
    pub(crate) fn place(&self, context: &Context, files: &AwsFiles, declared: &[Place]) -> Result<Place, CommandError> {
        match self {
            Self::Profile(name) => {
                let file = match Spot::find(context, files, name, SecretStore::File)?.held {
                    Held::Nothing => FileKind::Credentials,
                    Held::InFile { file, .. } => file,
                    Held::InKeychain { .. } => {
                        return Err(
                            taken(name, "its key is in the keychain").next(format!("--deliver-to keychain:{name}"))
                        );
                    }
                    Held::Remains { what, .. } => return Err(taken(name, &format!("it {what}"))),
                };
                files.place(name, file).ok_or_else(|| {
                    CommandError::failed(format_args!("the path {} is not Unicode", files.path(file).display()))
                })
            }
            Self::Declared(label) => declared.iter().find(|place| place.label() == *label).cloned().ok_or_else(|| {
                let known: Vec<String> = declared.iter().map(Place::label).collect();
                CommandError::usage(format_args!("akia.toml declares no place {label}"))
                    .now("nothing was changed")
                    .next(match known.is_empty() {
                        true => "write it into akia.toml: docs/places.md".to_owned(),
                        false => format!("name one of them: {}", known.join(", ")),
                    })
            }),
            Self::Keychain(name) => match Spot::find(context, files, name, SecretStore::Keychain)?.held {
                Held::Nothing | Held::InKeychain { .. } => Ok(Place::Keychain { profile: name.clone() }),
                Held::InFile { .. } => {
                    Err(taken(name, "its key is in a file").next(format!("--deliver-to profile:{name}")))
                }
                Held::Remains { what, .. } => Err(taken(name, &format!("it {what}"))),
            },
        }
    }
}

/// A place as `--deliver-to` takes it.
pub(crate) fn word_of(place: &Place) -> String {
    match place {
        Place::Profile { profile, .. } => format!("profile:{profile}"),
        Place::Keychain { profile } => format!("keychain:{profile}"),
        Place::Declared(_) => place.label(),
    }
}

fn taken(name: &ProfileName, why: &str) -> CommandError {
    CommandError::decision(format_args!("profile \"{name}\" is not free: {why}"))
        .now("nothing was changed")
        .next("name another profile")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_shown() {
        for text in ["profile:backup", "keychain:a b", "vault:secret/billing"] {
            assert_eq!(text.parse::<DeliverTo>().unwrap().to_string(), text);
        }
        for text in ["backup", "profile:", "floppy:x", "profile:a]b"] {
            assert!(text.parse::<DeliverTo>().is_err(), "{text}");
        }
    }
}
