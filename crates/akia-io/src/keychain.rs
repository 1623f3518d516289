//! The OS keychain: the Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Invariant: nothing here hangs, and nothing needs a keychain to exist. Every call runs on a thread of its own with
//! a limit, because a keychain may wait for a person, or for a D-Bus service that never comes up.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyring_core::{CredentialStore, Error as KeyringError};
use zeroize::Zeroizing;

/// The service name of everything that akia keeps in a keychain.
const SERVICE: &str = "akia";
/// How long finding the keychain may take.
const OPEN_PATIENCE: Duration = Duration::from_secs(3);
/// How long one call may take: a locked keychain asks the user for a password first.
const CALL_PATIENCE: Duration = Duration::from_secs(60);

/// An open keychain. Cheap to clone.
#[derive(Clone)]
pub struct Keychain {
    store: Arc<CredentialStore>,
}

/// Why there is no keychain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no OS keychain: {reason}")]
pub struct NoKeychain {
    /// What was found out.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// Why a call to the keychain failed. Never holds what was kept.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// No answer in time.
    #[error("the OS keychain did not answer within {seconds} s when asked to {doing} the entry {account:?}")]
    Silent {
        /// What was tried.
        doing: &'static str,
        /// Account of the entry.
        account: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// The keychain refused.
    #[error("the OS keychain cannot {doing} the entry {account:?}: {reason}")]
    Refused {
        /// What was tried.
        doing: &'static str,
        /// Account of the entry.
        account: String,
        /// Its words.
        reason: String,
    },
}

impl Keychain {
    /// Opens the keychain of this session, unless `AKIA_KEYCHAIN` is `off`. Answers within 3 seconds.
    pub fn open(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoKeychain> {
        let wish = variable("AKIA_KEYCHAIN").unwrap_or_default();
        match wish.to_str() {
            Some("" | "auto") => {}
            Some("off") => {
                return Err(NoKeychain {
                    reason: "AKIA_KEYCHAIN is off".into(),
                    hint: "unset AKIA_KEYCHAIN, or set it to auto".into(),
                });
            }
            _ => {
                return Err(NoKeychain {
                    reason: format!("AKIA_KEYCHAIN is {wish:?}, which means nothing"),
                    hint: "set AKIA_KEYCHAIN to auto or off".into(),
                });
            }
        }
        match bounded(OPEN_PATIENCE, native_store) {
            Some(Ok(store)) => Ok(Self { store }),
            Some(Err(error)) => Err(NoKeychain { reason: describe(&error), hint: NATIVE_HINT.into() }),
            None => Err(NoKeychain {
                reason: format!("it did not answer within {} s", OPEN_PATIENCE.as_secs()),
                hint: NATIVE_HINT.into(),
            }),
        }
    }

    /// A keychain over any store of keyring-core, for tests and for embedders.
    #[must_use]
    pub fn with_store(store: Arc<CredentialStore>) -> Self {
        Self { store }
    }

    /// Keeps bytes under an account name, replacing what was there, and reads them back.
    pub fn put(&self, account: &str, secret: &[u8]) -> Result<(), KeychainError> {
        let copy = Zeroizing::new(secret.to_vec());
        self.call("write", account, move |entry| entry.set_secret(&copy))?;
        match self.read(account)? {
            Some(read) if *read == secret => Ok(()),
            _ => Err(KeychainError::Refused {
                doing: "keep",
                account: account.to_owned(),
                reason: "it reads back differently".into(),
            }),
        }
    }

    /// The bytes under an account name, or `None` where there are none.
    pub fn read(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.call("read", account, |entry| match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Removes an entry. Whether there was one is the answer.
    pub fn delete(&self, account: &str) -> Result<bool, KeychainError> {
        self.call("delete", account, |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(KeyringError::NoEntry) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        account: &str,
        work: impl FnOnce(keyring_core::Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let (store, name) = (Arc::clone(&self.store), account.to_owned());
        let answer = bounded(CALL_PATIENCE, move || {
            // The label is what the user sees in the keychain's own window.
            let label = format!("akia: {name}");
            let labelled = HashMap::from([("label", label.as_str())]);
            let entry = match store.build(SERVICE, &name, Some(&labelled)) {
                Err(KeyringError::NotSupportedByStore(_) | KeyringError::Invalid(..)) => {
                    store.build(SERVICE, &name, None)?
                }
                other => other?,
            };
            work(entry)
        });
        match answer {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => {
                Err(KeychainError::Refused { doing, account: account.to_owned(), reason: describe(&error) })
            }
            None => Err(KeychainError::Silent { doing, account: account.to_owned(), seconds: CALL_PATIENCE.as_secs() }),
        }
    }
}

#[cfg(target_os = "linux")]
const NATIVE_HINT: &str =
    "start a Secret Service (gnome-keyring, KWallet, KeePassXC) in this session; on a machine without one, use files";
#[cfg(not(target_os = "linux"))]
const NATIVE_HINT: &str = "unlock the keychain of this session, or use files";

fn native_store() -> keyring_core::Result<Arc<CredentialStore>> {
    #[cfg(target_os = "linux")]
    {
        let store: Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new()?;
        Ok(store)
    }
    #[cfg(target_os = "macos")]
    {
        let store: Arc<CredentialStore> = apple_native_keyring_store::keychain::Store::new()?;
        Ok(store)
    }
    #[cfg(windows)]
    {
        let store: Arc<CredentialStore> = windows_native_keyring_store::Store::new()?;
        Ok(store)
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    Err(KeyringError::NotSupportedByStore("this build of akia knows no keychain for this system".into()))
}

/// Runs `work` on a thread of its own and waits so long for it; `None` when it has not answered. The thread is then
/// left behind: it holds nothing but its own connection, and ends with the process.
fn bounded<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("akia-keychain".into())
        .spawn(move || {
            // Nobody listens any more when the wait was over first.
            let _ = sender.send(work());
        })
        .ok()?;
    receiver.recv_timeout(patience).ok()
}

/// The error in words, without the bytes that some variants carry.
fn describe(error: &KeyringError) -> String {
    match error {
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "its data are malformed".into(),
        KeyringError::Ambiguous(entries) => format!("{} entries match", entries.len()),
        other => {
            let text: String = other.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn mock() -> Keychain {
        Keychain::with_store(keyring_core::mock::Store::new().unwrap())
    }

    #[test]
    fn entries_are_kept_replaced_and_deleted() {
        let keychain = mock();
        assert!(keychain.read("a").unwrap().is_none());
        keychain.put("a", b"one").unwrap();
        keychain.put("a", b"two").unwrap();
        keychain.put("b", b"three").unwrap();
        assert_eq!(keychain.read("a").unwrap().unwrap().as_slice(), b"two");
        assert!(keychain.delete("a").unwrap());
        assert!(!keychain.delete("a").unwrap());
        assert!(keychain.read("a").unwrap().is_none());
        assert_eq!(keychain.read("b").unwrap().unwrap().as_slice(), b"three");
    }

    #[test]
    fn off_means_off_and_nonsense_is_named() {
        let off = Keychain::open(|_| Some("off".into())).err().unwrap();
        assert_eq!(off.to_string(), "no OS keychain: AKIA_KEYCHAIN is off");
        let nonsense = Keychain::open(|_| Some("maybe".into())).err().unwrap();
        assert!(nonsense.reason.contains("\"maybe\""), "{nonsense}");
    }

    #[test]
    fn a_silent_keychain_is_given_up_in_time() {
        let started = Instant::now();
        let answer = bounded(Duration::from_millis(50), || std::thread::sleep(Duration::from_secs(5)));
        assert!(answer.is_none());
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}
