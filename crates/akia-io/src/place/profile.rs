//! A profile of the credentials or the config file.

use std::path::{Path, PathBuf};

use akia_core::place::Place;
use akia_core::profile::{File, FileKind};
use akia_core::{AccessKeyId, ProfileName, SecretAccessKey};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::written::{ID, SECRET, Values, rehearsal_values, values};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, blocking, refuse_unexpected};
use crate::edit::{LOOKS, edit};
use crate::files::{self, MAX_FILE_BYTES};
use crate::state::StateFolder;

/// Both names under which tools have kept it; botocore still reads the second.
const TOKENS: [&str; 2] = ["aws_session_token", "aws_security_token"];

pub(super) struct ProfilePlace<'p> {
    pub(super) path: &'p str,
    pub(super) file: FileKind,
    pub(super) profile: &'p ProfileName,
}

impl PlaceKind for ProfilePlace<'_> {
    fn preflight<'a>(&'a self, _places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            let spot = self.spot();
            blocking(&self.place(), move || {
                let mut bytes = files::read_limited(&spot.path, MAX_FILE_BYTES)?.unwrap_or_default();
                let file = File::parse(spot.kind, std::mem::take(&mut *bytes));
                // Editing with what already stands there shows whether the profile can be edited at all.
                let held = spot.pair_in(&file)?;
                spot.edit(&file, &held.as_ref().map_or_else(rehearsal_values, values))?;
                let prepared = files::rehearse(&spot.path)?;
                Ok(Ready { path: Some(prepared.path), loose_mode: prepared.loose_mode })
            })
            .await
        }
        .boxed()
    }

    fn read<'a>(&'a self, _places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            let spot = self.spot();
            blocking(&self.place(), move || {
                let mut bytes = files::read_limited(&spot.path, MAX_FILE_BYTES)?;
                // The AWS CLI empties a file before it writes it: an empty one deserves another look.
                for pause in LOOKS {
                    if bytes.as_ref().is_none_or(|bytes| !bytes.is_empty()) {
                        break;
                    }
                    files::pause(pause);
                    bytes = files::read_limited(&spot.path, MAX_FILE_BYTES)?;
                }
                let Some(mut bytes) = bytes else { return Ok(Held::Nothing) };
                let pair = spot.pair_in(&File::parse(spot.kind, std::mem::take(&mut *bytes)))?;
                Ok(pair.map_or(Held::Nothing, Held::Pair))
            })
            .await
        }
        .boxed()
    }

    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>> {
        async move {
            let spot = self.spot();
            let turn = places.turn(spot.path.clone());
            let turn = turn.lock_owned().await;
            let (state, pair, expected) = (places.state.clone(), pair.duplicate(), expected.keys.to_vec());
            blocking(&self.place(), move || {
                // Held in here: the work goes on when the caller is cancelled, and so must its turn.
                let _turn = turn;
                spot.deliver(&state, &pair, &expected).map(|()| None)
            })
            .await
        }
        .boxed()
    }
}

impl ProfilePlace<'_> {
    fn place(&self) -> Place {
        Place::Profile { path: self.path.to_owned(), file: self.file, profile: self.profile.clone() }
    }

    fn spot(&self) -> Spot {
        let path = Path::new(self.path).to_owned();
        Spot { place: self.place(), path, kind: self.file, profile: self.profile.clone() }
    }
}

/// A place of this kind, for another thread.
struct Spot {
    place: Place,
    path: PathBuf,
    kind: FileKind,
    profile: ProfileName,
}

impl Spot {
    fn deliver(&self, state: &StateFolder, pair: &KeyPair, expected: &[AccessKeyId]) -> Result<(), PlaceError> {
        let file = edit(state, &self.path, self.kind, |file| self.edited(file, pair, expected))?;
        match self.pair_in(&file)? {
            Some(found) if found.matches(pair) => Ok(()),
            _ => Err(PlaceError::ReadBack { place: self.place.to_string() }),
        }
    }

    /// The file with the new pair, where it may be written.
    fn edited(&self, file: &File, pair: &KeyPair, expected: &[AccessKeyId]) -> Result<File, PlaceError> {
        let found = self.pair_in(file)?;
        refuse_unexpected(&self.place, found.as_ref().map(|found| &found.id), &pair.id, expected)?;
        self.edit(file, &values(pair))
    }

    fn edit(&self, file: &File, values: &Values) -> Result<File, PlaceError> {
        let values = values.each_ref().map(|(key, value)| (*key, value.as_str()));
        file.set(&self.profile, &values)
            .map_err(|error| PlaceError::Edit { place: self.place.to_string(), source: Box::new(error) })
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

    fn pair_in(&self, file: &File) -> Result<Option<KeyPair>, PlaceError> {
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
