//! A profile of the credentials or the config file.

use std::fmt;
use std::path::{Path, PathBuf};

use akia_core::place::Place;
use akia_core::profile::{File, FileKind};
use akia_core::{AccessKeyId, ProfileName, SecretAccessKey};
use zeroize::Zeroizing;

use super::in_file::Layout;
use super::written::{ID, SECRET, values};
use super::{KeyPair, PlaceError};

/// Both names under which tools have kept it; botocore still reads the second.
const TOKENS: [&str; 2] = ["aws_session_token", "aws_security_token"];

/// A place of this kind.
#[derive(Clone)]
pub(super) struct Spot {
    place: Place,
    path: PathBuf,
    kind: FileKind,
    profile: ProfileName,
}

impl Layout for Spot {
    fn path(&self) -> &Path {
        &self.path
    }

    fn pair_in(&self, file: &[u8]) -> Result<Option<KeyPair>, PlaceError> {
        self.pair_of(&File::parse(self.kind, file.to_vec()))
    }

    fn with_pair(&self, file: &[u8], pair: &KeyPair) -> Result<Zeroizing<Vec<u8>>, PlaceError> {
        let values = values(pair);
        let values = values.each_ref().map(|(key, value)| (*key, value.as_str()));
        File::parse(self.kind, file.to_vec())
            .set(&self.profile, &values)
            .map(|file| Zeroizing::new(file.bytes().to_vec()))
            .map_err(|error| PlaceError::Edit { place: self.place.to_string(), source: Box::new(error) })
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(formatter)
    }
}

impl Spot {
    pub(super) fn new(path: &str, kind: FileKind, profile: &ProfileName) -> Self {
        let place = Place::Profile { path: path.to_owned(), file: kind, profile: profile.clone() };
        Self { place, path: PathBuf::from(path), kind, profile: profile.clone() }
    }

    fn refuse_token(&self, file: &File) -> Result<(), PlaceError> {
        for token in TOKENS {
            if self.value(file, token)?.is_some_and(|value| !value.is_empty()) {
                return Err(PlaceError::Temporary { place: self.place.to_string() });
            }
        }
        Ok(())
    }

    fn id_in(&self, file: &File) -> Result<Option<AccessKeyId>, PlaceError> {
        match self.value(file, ID)? {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| unreadable(&self.place, "its access key id is malformed")),
        }
    }

    fn pair_of(&self, file: &File) -> Result<Option<KeyPair>, PlaceError> {
        self.refuse_token(file)?;
        let (id, secret) = (self.id_in(file)?, self.value(file, SECRET)?.filter(|secret| !secret.is_empty()));
        match (id, secret) {
            (None, None) => Ok(None),
            (Some(id), Some(secret)) => {
                let secret = SecretAccessKey::parse(secret.to_owned())
                    .map_err(|error| unreadable(&self.place, &error.to_string()))?;
                Ok(Some(KeyPair { id, secret }))
            }
            (Some(_), None) => Err(unreadable(&self.place, "the secret access key is missing")),
            (None, Some(_)) => Err(unreadable(&self.place, "the access key id is missing")),
        }
    }

    fn value<'a>(&self, file: &'a File, key: &str) -> Result<Option<&'a str>, PlaceError> {
        file.value(&self.profile, key).map_err(|disagreement| unreadable(&self.place, &disagreement.to_string()))
    }
}

fn unreadable(place: &Place, reason: &str) -> PlaceError {
    PlaceError::Unreadable { place: place.to_string(), reason: reason.to_owned() }
}
