//! Sealing the secrets that are staged in the state folder.
//!
//! Invariant: a secret stands in the state folder only sealed (XChaCha20-Poly1305, random nonce), and a sealed secret
//! opens only for the rotation and the key id it was sealed for. The sealing key lives in the OS keychain where one
//! answers, else in `seal.key` with mode 0600. A state folder stays with what it has begun with: a folder that
//! changed sides would leave secrets behind that nothing opens.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use akia_core::{AccessKeyId, RotationId, SecretAccessKey};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::files::{Act, act, platform};
use crate::keychain::{Keychain, KeychainError, NoKeychain};
use crate::state::{LockError, StateError, StateFolder, refuse_unsafe};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// First byte of a sealed secret: the format.
const FORMAT: u8 = 1;
/// The sealing key itself, where there is no keychain.
const KEY_FILE: &str = "seal.key";
/// Names the keychain entry that holds the sealing key.
const KEYCHAIN_FILE: &str = "seal.keychain";

/// A sealed secret, as it stands in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes bytes from the store.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes for the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Sealed({} bytes)", self.0.len())
    }
}

/// Where the sealing key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealingKeyAt {
    /// In the OS keychain.
    Keychain,
    /// In `seal.key` in the state folder.
    File,
    /// In a file that a person named, for several machines.
    Named,
}

/// Seals and opens. Its key is wiped from memory when it is dropped.
pub struct Sealer {
    key: Zeroizing<[u8; KEY_BYTES]>,
    at: SealingKeyAt,
}

/// Why sealing or opening failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The sealing key is in the keychain, and there is no keychain now.
    #[error(
        "secrets staged in {folder} are sealed with a key in the OS keychain, which does not answer: {}",
        no_keychain.reason
    )]
    KeychainMissing {
        /// The state folder.
        folder: PathBuf,
        /// Why there is none.
        no_keychain: NoKeychain,
    },
    /// The keychain answers, but has no such entry, or a damaged one.
    #[error("the sealing key of {folder} is {} from the OS keychain (entry {account:?})", if *damaged { "damaged, read" } else { "gone" })]
    KeychainEntry {
        /// The state folder.
        folder: PathBuf,
        /// Account of the entry.
        account: String,
        /// Whether there is an entry of the wrong form.
        damaged: bool,
    },
    /// The keychain failed.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// A file of the sealing key does not have its form.
    #[error("{path} is damaged: it is not what akia wrote")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file that a person named holds no key.
    #[error("{path} does not hold a sealing key: it takes 32 random bytes, or their base64")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the sealing key.
    #[error("others can read {path} (mode {mode:04o})")]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to somebody else or can be written to by others.
    #[error(transparent)]
    Unsafe(#[from] StateError),
    /// Another akia is making the sealing key, and does not finish.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What was sealed does not open: another sealing key, another rotation, or changed bytes.
    #[error("the staged secret of key {key} does not open: it was changed, or sealed with another sealing key")]
    DoesNotOpen {
        /// The access key whose secret it is.
        key: AccessKeyId,
    },
    /// The system has no randomness for us.
    #[error("no randomness: {reason}")]
    Randomness {
        /// The system's words.
        reason: String,
    },
    /// The system refused something.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl SealError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::KeychainMissing { no_keychain, .. } => {
                format!("run akia in the session where the rotation began, or: {}", no_keychain.hint)
            }
            Self::KeychainEntry { .. } | Self::Damaged { .. } | Self::DoesNotOpen { .. } => {
                "the staged secret is lost; the displaced key still works: discard the rotation with akia resume".into()
            }
            Self::Keychain(_) => "unlock the keychain, then run akia again".into(),
            Self::NoKey { path } => {
                format!(
                    "(umask 077; head -c 32 /dev/urandom > '{}'), once, and the same file on every machine",
                    path.display()
                )
            }
            Self::Readable { path, .. } => format!("chmod 600 '{}', and rotate what was staged", path.display()),
            Self::Unsafe(error) => error.hint(),
            Self::Lock(_) => "let the other akia finish, then run again".into(),
            Self::Randomness { .. } | Self::Io { .. } => "mend that, then run akia again".into(),
        }
    }
}

impl Sealer {
    /// Opens the sealing key of a state folder, or makes one. `keychain` is asked only where it matters: for a folder
    /// that keeps its key there, and for one that has none yet.
    pub fn open(
        state: &StateFolder,
        keychain: impl FnOnce() -> Result<Keychain, NoKeychain>,
    ) -> Result<Self, SealError> {
        let _lock = state.lock_within("seal", Duration::from_secs(90))?;
        let folder = state.path();
        if let Some(key) = read_private(&folder.join(KEY_FILE))? {
            return Ok(Self {
                key: key_of(&key).ok_or(SealError::Damaged { path: folder.join(KEY_FILE) })?,
                at: SealingKeyAt::File,
            });
        }
        let marker = folder.join(KEYCHAIN_FILE);
        if let Some(account) = read_private(&marker)? {
            let account = account_of(&account).ok_or(SealError::Damaged { path: marker })?;
            let keychain = keychain()
                .map_err(|no_keychain| SealError::KeychainMissing { folder: folder.to_owned(), no_keychain })?;
            let entry =
                |damaged| SealError::KeychainEntry { folder: folder.to_owned(), account: account.clone(), damaged };
            let secret = keychain.read(&account)?.ok_or_else(|| entry(false))?;
            return Ok(Self { key: key_of(&secret).ok_or_else(|| entry(true))?, at: SealingKeyAt::Keychain });
        }
        let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
        random(key.as_mut())?;
        if let Ok(keychain) = keychain() {
            let mut name = [0_u8; 8];
            random(&mut name)?;
            let account = format!("sealing-key-{}", data_encoding::HEXLOWER.encode(&name));
            // A keychain that is there but keeps nothing (locked, nobody at the screen) is as good as none.
            match keychain.put(&account, key.as_ref()) {
                Ok(()) => {
                    write_private(folder, KEYCHAIN_FILE, account.as_bytes())?;
                    return Ok(Self { key, at: SealingKeyAt::Keychain });
                }
                Err(error) => tracing::warn!(%error, "the sealing key goes to a file"),
            }
        }
        write_private(folder, KEY_FILE, key.as_ref())?;
        Ok(Self { key, at: SealingKeyAt::File })
    }

    /// Opens the sealing key in a file that a person has named: the machines that share a database share it.
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        let bytes = read_named(path)?;
        let key = key_of(&bytes).or_else(|| {
            let decoded = data_encoding::BASE64.decode(bytes.trim_ascii()).map(Zeroizing::new);
            decoded.ok().and_then(|decoded| key_of(&decoded))
        });
        Ok(Self { key: key.ok_or_else(|| SealError::NoKey { path: path.to_owned() })?, at: SealingKeyAt::Named })
    }

    /// A name for the key, from which nothing follows: two machines tell by it that they have the same.
    #[must_use]
    pub fn key_name(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(b"akia sealing key name 1\0");
        digest.update(self.key.as_slice());
        data_encoding::HEXLOWER.encode(&digest.finalize()[..8])
    }

    /// Where the key of this state folder lives.
    #[must_use]
    pub fn key_at(&self) -> SealingKeyAt {
        self.at
    }

    /// Seals a secret for one rotation and one access key.
    pub fn seal(
        &self,
        secret: &SecretAccessKey,
        rotation: &RotationId,
        key: &AccessKeyId,
    ) -> Result<Sealed, SealError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        random(&mut nonce)?;
        let bound = bound_to(rotation, key);
        let text = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: secret.expose().as_bytes(), aad: &bound })
            .map_err(|_| SealError::DoesNotOpen { key: key.clone() })?;
        let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&text);
        Ok(Sealed(bytes))
    }

    /// Opens what was sealed for the same rotation and access key.
    pub fn open_sealed(
        &self,
        sealed: &Sealed,
        rotation: &RotationId,
        key: &AccessKeyId,
    ) -> Result<SecretAccessKey, SealError> {
        let fails = || SealError::DoesNotOpen { key: key.clone() };
        let (format, rest) = sealed.0.split_first().ok_or_else(fails)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(fails)?;
        if *format != FORMAT {
            return Err(fails());
        }
        let bound = bound_to(rotation, key);
        let plain = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &bound })
            .map(Zeroizing::new)
            .map_err(|_| fails())?;
        let text = std::str::from_utf8(&plain).map_err(|_| fails())?;
        SecretAccessKey::parse(text.to_owned()).map_err(|_| fails())
    }

    /// The seed of the key that signs checkpoints of the journal: it lives where the sealing key lives, and dies with it.
    pub(crate) fn signing_seed(&self) -> Zeroizing<[u8; 32]> {
        let mut digest = Sha256::new();
        digest.update(b"akia checkpoint signing key 1\0");
        digest.update(self.key.as_slice());
        Zeroizing::new(digest.finalize().into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }
}

/// What a sealed secret is bound to. The rotation id has a fixed form without NUL, so no two pairs read alike.
fn bound_to(rotation: &RotationId, key: &AccessKeyId) -> Vec<u8> {
    format!("akia sealed secret 1\0{rotation}\0{key}").into_bytes()
}

fn random(bytes: &mut [u8]) -> Result<(), SealError> {
    getrandom::fill(bytes).map_err(|error| SealError::Randomness { reason: error.to_string() })
}

fn key_of(bytes: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    bytes.try_into().ok().map(Zeroizing::new)
}

fn account_of(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.starts_with("sealing-key-") && text.len() < 64).then(|| text.to_owned())
}

/// The bytes of a small file of ours, refused when others can read it. `None` where there is none.
fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
    let io = |source| SealError::Io { doing: "read", path: path.to_owned(), source };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if !metadata.is_file() {
        return Err(SealError::Damaged { path: path.to_owned() });
    }
    refuse_unsafe(path, &metadata)?;
    if let Some(mode) = platform::mode(&metadata)
        && mode & 0o077 != 0
    {
        return Err(SealError::Readable { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    act(Act::Read, path, || File::open(path)?.take(64).read_to_end(&mut bytes)).map_err(io)?;
    Ok(Some(bytes))
}

/// The bytes of a small file that a person has named, which may be a link into what a system has mounted.
fn read_named(path: &Path) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let io = |source| SealError::Io { doing: "read", path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(SealError::Damaged { path: path.to_owned() });
    }
    platform::private_to_us(&metadata).map_err(|mode| SealError::Readable { path: path.to_owned(), mode })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    act(Act::Read, path, || File::open(path)?.take(64).read_to_end(&mut bytes)).map_err(io)?;
    Ok(bytes)
}

/// Writes a small file of ours with mode 0600, whole or not at all. The caller holds the lock.
fn write_private(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), SealError> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let io = |doing| {
        let path = path.clone();
        move |source| SealError::Io { doing, path, source }
    };
    // What a crash has left of an earlier attempt was never in use.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io("create")(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    platform::private(&mut options);
    let mut file = act(Act::Create, &fresh, || options.open(&fresh)).map_err(io("create"))?;
    platform::set_mode(&file, 0o600).map_err(io("set the mode of"))?;
    act(Act::Write, &fresh, || file.write_all(bytes)).map_err(io("write"))?;
    act(Act::Sync, &fresh, || file.sync_all()).map_err(io("write"))?;
    act(Act::Rename, &path, || fs::rename(&fresh, &path)).map_err(io("create"))?;
    act(Act::SyncFolder, folder, || platform::sync_folder(folder)).map_err(io("sync the folder of"))?;
    match read_private(&path)? {
        Some(read) if *read == bytes => Ok(()),
        _ => Err(SealError::Damaged { path }),
    }
}
