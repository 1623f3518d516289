//! An entry of the OS keychain, which `akia credentials` hands to the AWS tools as a `credential_process`.
//!
//! Id and secret are one entry, in the JSON that `credential_process` asks for, so that they are never torn:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.

use akia_core::place::Place;
use akia_core::{ProfileName, SecretAccessKey};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::written::{ProcessText, process_output};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, blocking, refuse_unexpected};
use crate::keychain::Keychain;

/// The account name of the entry that serves a profile.
#[must_use]
pub fn account_of(profile: &ProfileName) -> String {
    format!("profile/{profile}")
}

/// The key that the keychain holds for a profile, if any. Needs no state folder, so that `akia credentials` starts at
/// once and works where nothing can be written.
pub fn pair_in(keychain: &Keychain, profile: &ProfileName) -> Result<Option<KeyPair>, PlaceError> {
    let place = Place::Keychain { profile: profile.clone() };
    keychain.read(&account_of(profile))?.map(|bytes| parse(&place, &bytes)).transpose()
}

pub(super) struct KeychainPlace<'p> {
    pub(super) profile: &'p ProfileName,
}

impl PlaceKind for KeychainPlace<'_> {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            let (keychain, account) = self.open(places)?;
            let owned = self.place();
            blocking(&self.place(), move || {
                match keychain.read(&account)? {
                    // Its own bytes again: a keychain that reads but does not write shows here.
                    Some(bytes) => {
                        parse(&owned, &bytes)?;
                        keychain.put(&account, &bytes)?;
                    }
                    None => {
                        let probe = format!("{account}/rehearsal");
                        keychain.put(&probe, b"rehearsal")?;
                        keychain.delete(&probe)?;
                    }
                }
                Ok(Ready::default())
            })
            .await
        }
        .boxed()
    }

    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            let (keychain, account) = self.open(places)?;
            let owned = self.place();
            blocking(&self.place(), move || match keychain.read(&account)? {
                Some(bytes) => parse(&owned, &bytes).map(Held::Pair),
                None => Ok(Held::Nothing),
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
            let turn = places.turn(format!("keychain/{}", self.profile).into());
            let turn = turn.lock_owned().await;
            let (keychain, account) = self.open(places)?;
            let (owned, pair, expected) = (self.place(), pair.duplicate(), expected.keys.to_vec());
            blocking(&self.place(), move || {
                let _turn = turn;
                let found = keychain.read(&account)?.map(|bytes| parse(&owned, &bytes)).transpose()?;
                refuse_unexpected(&owned, found.as_ref().map(|pair| &pair.id), &pair.id, &expected)?;
                // `put` reads back what it wrote.
                keychain.put(&account, &process_output(&pair))?;
                Ok(None)
            })
            .await
        }
        .boxed()
    }
}

impl KeychainPlace<'_> {
    fn place(&self) -> Place {
        Place::Keychain { profile: self.profile.clone() }
    }

    fn open(&self, places: &Places) -> Result<(Keychain, String), PlaceError> {
        Ok(((places.open_keychain)()?, account_of(self.profile)))
    }
}

fn parse(place: &Place, bytes: &[u8]) -> Result<KeyPair, PlaceError> {
    // The parser's words may repeat what it has read, which is a secret: they are not passed on.
    let fails = |what: &str| PlaceError::Unreadable { place: place.to_string(), reason: what.to_owned() };
    let text: ProcessText = serde_json::from_slice(bytes).map_err(|_| fails("it is not what akia keeps there"))?;
    if text.version != 1 {
        return Err(fails("a newer akia has written it"));
    }
    let id = text.access_key_id.parse().map_err(|_| fails("its access key id is malformed"))?;
    let secret = SecretAccessKey::parse(text.secret_access_key.clone()).map_err(|error| fails(&error.to_string()))?;
    Ok(KeyPair { id, secret })
}
