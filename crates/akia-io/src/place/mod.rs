//! Places: where a secret is kept for use.
//!
//! Invariant: a place holds a whole pair of id and secret, the old one or the new one, never halves of both; and a key
//! that neither the rotation nor its user knows of is never overwritten.
//!
//! A kind of place is a file here and an arm of `kind_of`.

mod apart;
mod aws;
mod circleci;
mod env_file;
mod exec;
mod file;
mod github;
mod gitlab;
mod in_file;
mod keychain;
mod kubernetes;
mod outside;
mod profile;
pub(crate) mod secrets_manager;
mod ssm;
mod terraform;
mod vault;
mod web;
pub mod written;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use akia_core::place::{DeclaredPlace, Place};
use akia_core::{AccessKeyId, SecretAccessKey};
use futures_util::future::BoxFuture;

pub use keychain::{account_of, pair_in};
pub use outside::Outside;
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

/// What stands in a place.
pub enum Held {
    /// No key.
    Nothing,
    /// A key, whole.
    Pair(KeyPair),
    /// Something that the place does not give back.
    Sealed {
        /// The key id, where that much can be read.
        id: Option<AccessKeyId>,
        /// What the place says of its last write: a version, a time. As long as it says the same, the same stands there.
        mark: Option<String>,
    },
}

impl Held {
    /// The key, where it can be read.
    #[must_use]
    pub fn pair(self) -> Option<KeyPair> {
        match self {
            Self::Pair(pair) => Some(pair),
            Self::Nothing | Self::Sealed { .. } => None,
        }
    }
}

/// What may stand in a place that is written over.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// One of these keys, or already the new one; with none named the place must be empty.
    pub keys: &'a [AccessKeyId],
    /// What the place said of this rotation's last write to it. A place that cannot be read and says something else now was
    /// written by somebody else.
    pub mark: Option<&'a str>,
}

impl<'a> Expected<'a> {
    /// One of these keys.
    #[must_use]
    pub fn keys(keys: &'a [AccessKeyId]) -> Self {
        Self { keys, mark: None }
    }
}

/// What every kind of place can do. Each call stands for itself and can be repeated after a crash.
trait PlaceKind: Send + Sync {
    /// Goes through a delivery without changing anything, before a key exists.
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>>;

    /// What stands there.
    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>>;

    /// Writes a key and reads it back, or the mark of the write where it cannot be read. See [`Places::deliver`].
    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>>;
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
    /// The service behind the place refuses who asks.
    #[error("{place} cannot be opened: {reason}")]
    Denied {
        /// The place.
        place: String,
        /// What the service says.
        reason: String,
    },
    /// The service behind the place refuses what is asked.
    #[error("{place} refuses: {reason}")]
    Refused {
        /// The place.
        place: String,
        /// What the service says.
        reason: String,
    },
    /// The service behind the place does not answer, or asks to come again later. A write may or may not have been done.
    #[error("{place} does not answer: {reason}")]
    Unavailable {
        /// The place.
        place: String,
        /// What was seen of it.
        reason: String,
    },
    /// Somebody has written to a place that cannot be read, after akia did.
    #[error("{place} was written by somebody else after akia wrote it; what stands there cannot be read")]
    Changed {
        /// The place.
        place: String,
    },
    /// What opens the place is not to be had.
    #[error("{place} cannot be opened: {reason}")]
    NoAccess {
        /// The place.
        place: String,
        /// What lacks.
        reason: String,
    },
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
            Self::Edit { .. } => "mend the file, then run akia again".into(),
            Self::Unreadable { place, .. } => format!("mend what stands in {place}, then run akia again"),
            Self::Foreign { .. } | Self::Emptied { .. } | Self::Changed { .. } => {
                "find out who changed it; put the key of the rotation back, or discard the rotation: akia undo".into()
            }
            Self::Temporary { .. } => "name the profile that holds the long-term key".into(),
            Self::ReadBack { .. } => "find out which program writes there, then run: akia resume".into(),
            Self::NoKeychain(none) => none.hint.clone(),
            Self::Keychain(_) => "unlock the keychain, then run: akia resume".into(),
            Self::Denied { .. } | Self::NoAccess { .. } => "give akia what opens the place, then run akia again".into(),
            Self::Refused { .. } => "mend the place or its table in akia.toml, then run akia again".into(),
            Self::Unavailable { .. } | Self::Ending { .. } => "run: akia resume".into(),
        }
    }
}

type KeychainOpener = dyn Fn() -> Result<Keychain, NoKeychain> + Send + Sync;

/// All places that this machine can reach. One for a process: it keeps writers of one file in turn.
pub struct Places {
    state: StateFolder,
    open_keychain: Box<KeychainOpener>,
    outside: Option<Outside>,
    /// Writers of one file wait here, and not with a thread each in the lock of the file.
    turns: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Places {
    /// `open_keychain` is called for places in the keychain only.
    pub fn new(
        state: StateFolder,
        open_keychain: impl Fn() -> Result<Keychain, NoKeychain> + Send + Sync + 'static,
    ) -> Self {
        Self { state, open_keychain: Box::new(open_keychain), outside: None, turns: Mutex::default() }
    }

    /// With the way to places that are not on this machine.
    #[must_use]
    pub fn with_outside(self, outside: Outside) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// Goes through a delivery without changing anything: finds before a key exists what would stop it.
    pub async fn preflight(&self, place: &Place) -> Result<Ready, PlaceError> {
        kind_of(place).preflight(self).await
    }

    /// What stands there.
    pub async fn read(&self, place: &Place) -> Result<Held, PlaceError> {
        kind_of(place).read(self).await
    }

    /// Writes a key and reads it back; gives the mark of the write where the place gives no secrets back.
    ///
    /// The place must hold one of the expected keys, or already the new one; with no key expected it must hold none.
    /// Anything else was put there by somebody else and is left alone. Delivering the displaced key restores it.
    pub async fn deliver(
        &self,
        place: &Place,
        pair: &KeyPair,
        expected: Expected<'_>,
    ) -> Result<Option<String>, PlaceError> {
        kind_of(place).deliver(self, pair, expected).await
    }

    /// Whether the place holds this key, whole; no where it cannot be read.
    pub async fn holds(&self, place: &Place, pair: &KeyPair) -> Result<bool, PlaceError> {
        Ok(self.read(place).await?.pair().is_some_and(|found| found.matches(pair)))
    }

    fn turn(&self, path: PathBuf) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default())
    }
}

/// A place, by its name in errors.
type Named = dyn std::fmt::Display + Sync;

fn kind_of(place: &Place) -> Box<dyn PlaceKind + '_> {
    match place {
        Place::Profile { path, file, profile } => Box::new(in_file::InFile(profile::Spot::new(path, *file, profile))),
        Place::Keychain { profile } => Box::new(keychain::KeychainPlace { profile }),
        Place::Declared(declared) => match declared {
            DeclaredPlace::KubernetesSecret(secret) => Box::new(kubernetes::KubernetesPlace { secret }),
            DeclaredPlace::SecretsManager(secret) => Box::new(secrets_manager::SecretsManagerPlace { secret }),
            DeclaredPlace::CircleciContext(context) => Box::new(circleci::CircleciPlace { context }),
            DeclaredPlace::GithubActions(secrets) => Box::new(github::GithubPlace { secrets }),
            DeclaredPlace::GitlabVariable(variables) => Box::new(gitlab::GitlabPlace { variables }),
            DeclaredPlace::TerraformCloud(variables) => Box::new(terraform::TerraformPlace { variables }),
            DeclaredPlace::EnvFile(place) => Box::new(in_file::InFile(env_file::EnvFile::of(place))),
            DeclaredPlace::Exec(place) => Box::new(exec::ProgramPlace { place }),
            DeclaredPlace::File(place) => Box::new(in_file::InFile(file::FieldFile::of(place))),
            DeclaredPlace::SsmParameter(place) => Box::new(ssm::SsmPlace { place }),
            DeclaredPlace::Vault(secret) => Box::new(vault::VaultPlace { secret }),
        },
    }
}

/// Refuses to write where a key stands that nobody expects.
fn refuse_unexpected(
    place: &Named,
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
    place: &Named,
    work: impl FnOnce() -> Result<T, PlaceError> + Send + 'static,
) -> Result<T, PlaceError> {
    let place = place.to_string();
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(PlaceError::Ending { place }))
}
