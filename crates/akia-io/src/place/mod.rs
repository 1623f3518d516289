//! Places: where a secret is kept for use.
//!
//! Invariant: a place holds a whole pair of id and secret, the old one or the new one, never halves of both; and a key
//! that neither the rotation nor its user knows of is never overwritten.
//!
//! A kind of place is a file here and an arm of `kind_of`.

mod keychain;
mod profile;
pub mod written;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use akia_core::rotation::Place;
use akia_core::{AccessKeyId, SecretAccessKey};
use futures_util::future::BoxFuture;

pub use keychain::{account_of, pair_in};
pub use written::process_output;

use crate::files::FileError;
use crate::keychain::{Keychain, KeychainError, NoKeychain};
use crate::state::StateFolder;

/// One access key, whole. It has no `Debug`.
pub struct KeyPair {
    /// Its id.
    pub id: AccessKeyId,
    /// Its secret.
    pub secret: SecretAccessKey,
}

impl KeyPair {
    /// A second copy for a second owner.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { id: self.id.clone(), secret: self.secret.duplicate() }
    }

    /// Whether both halves are equal.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.id == other.id && self.secret.matches(&other.secret)
    }
}

/// What every kind of place can do. Each call stands for itself and can be repeated after a crash.
trait PlaceKind: Send + Sync {
    /// Goes through a delivery without changing anything, before a key exists.
    fn preflight<'a>(&'a self, places: &'a Places, place: &'a Place) -> BoxFuture<'a, Result<Ready, PlaceError>>;

    /// The key that stands there, if any.
    fn read<'a>(&'a self, places: &'a Places, place: &'a Place) -> BoxFuture<'a, Result<Option<KeyPair>, PlaceError>>;

    /// Writes a key and reads it back. See [`Places::deliver`].
    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        place: &'a Place,
        pair: &'a KeyPair,
        expected: &'a [AccessKeyId],
    ) -> BoxFuture<'a, Result<(), PlaceError>>;
}

/// What a preflight has found, beyond that a delivery will work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ready {
    /// The file itself, behind all symlinks, where the place is one.
    pub path: Option<PathBuf>,
    /// Permission bits of the file where group or others may read or write it: the user should hear of it.
    pub loose_mode: Option<u32>,
}

/// Why a place could not be read or written. Unless the variant says otherwise, it holds what it held.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file cannot be edited for this profile.
    #[error("{place} cannot be edited: {source}")]
    Edit {
        /// The place.
        place: String,
        /// Why.
        source: Box<akia_core::profile::EditError>,
    },
    /// The AWS tools do not agree on what stands there, or it is not a key.
    #[error("{place} cannot be read: {reason}")]
    Unreadable {
        /// The place.
        place: String,
        /// Why. Never what stands there.
        reason: String,
    },
    /// Somebody else has put another key there.
    #[error("{place} holds the key {found}, which is not of this rotation")]
    Foreign {
        /// The place.
        place: String,
        /// The key id that stands there.
        found: AccessKeyId,
    },
    /// Somebody has removed the key from there.
    #[error("{place} holds no key any more")]
    Emptied {
        /// The place.
        place: String,
    },
    /// A session token stands beside the key: the profile is one of temporary credentials.
    #[error("{place} holds temporary credentials (a session token)")]
    Temporary {
        /// The place.
        place: String,
    },
    /// What was written does not read back.
    #[error("{place} was written, but reads back differently")]
    ReadBack {
        /// The place.
        place: String,
    },
    /// There is no keychain.
    #[error(transparent)]
    NoKeychain(#[from] NoKeychain),
    /// The keychain failed.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// The process is ending.
    #[error("the work on {place} was given up: the process is ending")]
    Ending {
        /// The place.
        place: String,
    },
}

impl PlaceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint(),
            Self::Edit { .. } | Self::Unreadable { .. } => "mend the file, then run akia again".into(),
            Self::Foreign { .. } | Self::Emptied { .. } => {
                "find out who changed it; put the key of the rotation back, or discard the rotation: akia undo".into()
            }
            Self::Temporary { .. } => "name the profile that holds the long-term key".into(),
            Self::ReadBack { .. } => "find out which program writes there, then run: akia resume".into(),
            Self::NoKeychain(none) => none.hint.clone(),
            Self::Keychain(_) => "unlock the keychain, then run: akia resume".into(),
            Self::Ending { .. } => "run: akia resume".into(),
        }
    }
}

type KeychainOpener = dyn Fn() -> Result<Keychain, NoKeychain> + Send + Sync;

/// All places that this machine can reach. One for a process: it keeps writers of one file in turn.
pub struct Places {
    state: StateFolder,
    open_keychain: Box<KeychainOpener>,
    /// Writers of one file wait here, and not with a thread each in the lock of the file.
    turns: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Places {
    /// `open_keychain` is called for places in the keychain only.
    pub fn new(
        state: StateFolder,
        open_keychain: impl Fn() -> Result<Keychain, NoKeychain> + Send + Sync + 'static,
    ) -> Self {
        Self { state, open_keychain: Box::new(open_keychain), turns: Mutex::default() }
    }

    /// Goes through a delivery without changing anything: finds before a key exists what would stop it.
    pub async fn preflight(&self, place: &Place) -> Result<Ready, PlaceError> {
        kind_of(place).preflight(self, place).await
    }

    /// The key that stands there, if any.
    pub async fn read(&self, place: &Place) -> Result<Option<KeyPair>, PlaceError> {
        kind_of(place).read(self, place).await
    }

    /// Writes a key and reads it back.
    ///
    /// The place must hold one of the `expected` keys, or already the new one; with no key expected it must hold none.
    /// Anything else was put there by somebody else and is left alone. Delivering the displaced key restores it.
    pub async fn deliver(&self, place: &Place, pair: &KeyPair, expected: &[AccessKeyId]) -> Result<(), PlaceError> {
        kind_of(place).deliver(self, place, pair, expected).await
    }

    /// Whether the place still holds this key, whole. Worth asking again before the displaced key is shut: another
    /// program may have written an older copy of the file back.
    pub async fn holds(&self, place: &Place, pair: &KeyPair) -> Result<bool, PlaceError> {
        Ok(self.read(place).await?.is_some_and(|found| found.matches(pair)))
    }

    fn turn(&self, path: PathBuf) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default())
    }
}

fn kind_of(place: &Place) -> &'static dyn PlaceKind {
    match place {
        Place::Profile { .. } => &profile::ProfilePlace,
        Place::Keychain { .. } => &keychain::KeychainPlace,
    }
}

/// Refuses to write where a key stands that nobody expects.
fn refuse_unexpected(
    place: &Place,
    found: Option<&AccessKeyId>,
    new: &AccessKeyId,
    expected: &[AccessKeyId],
) -> Result<(), PlaceError> {
    match found {
        Some(found) if found == new || expected.contains(found) => Ok(()),
        Some(found) => Err(PlaceError::Foreign { place: place.to_string(), found: found.clone() }),
        None if expected.is_empty() => Ok(()),
        None => Err(PlaceError::Emptied { place: place.to_string() }),
    }
}

/// Runs blocking work off the async threads.
async fn blocking<T: Send + 'static>(
    place: &Place,
    work: impl FnOnce() -> Result<T, PlaceError> + Send + 'static,
) -> Result<T, PlaceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(PlaceError::Ending { place: place.to_string() }))
}
