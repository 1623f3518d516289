//! What signs a request.

use akia_core::ids::AccessKeyId;
use akia_core::secret::SecretAccessKey;
use jiff::Timestamp;
use zeroize::Zeroizing;

/// An access key, with its session token where it is temporary.
///
/// It has no `Debug`, no `Clone` and no `Serialize`: see [`SecretAccessKey`].
pub struct Credentials {
    key: AccessKeyId,
    secret: SecretAccessKey,
    session_token: Option<Zeroizing<String>>,
    expires_at: Option<Timestamp>,
}

impl Credentials {
    /// A long-term access key.
    #[must_use]
    pub fn for_key(key: AccessKeyId, secret: SecretAccessKey) -> Self {
        Self { key, secret, session_token: None, expires_at: None }
    }

    /// Temporary credentials.
    #[must_use]
    pub fn for_session(
        key: AccessKeyId,
        secret: SecretAccessKey,
        session_token: String,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self { key, secret, session_token: Some(Zeroizing::new(session_token)), expires_at }
    }

    /// The access key id.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        &self.key
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &SecretAccessKey {
        &self.secret
    }

    /// The session token of temporary credentials; as secret as the secret.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref().map(String::as_str)
    }

    /// Whether they are temporary.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.session_token.is_some()
    }

    /// When temporary credentials end, where known.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// A second copy for a second owner.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            key: self.key.clone(),
            secret: self.secret.duplicate(),
            session_token: self.session_token.clone(),
            expires_at: self.expires_at,
        }
    }

    /// The form of a client that signs by itself and is not the SDK: made of id, secret and token.
    #[must_use]
    pub fn to_foreign<T>(&self, make: impl FnOnce(&str, &str, Option<&str>) -> T) -> T {
        make(self.key.as_str(), self.secret.expose(), self.session_token())
    }

    /// The SDK's form. Without an expiry: refreshing is ours, and the SDK must not refuse on its own clock.
    pub(crate) fn to_sdk(&self) -> aws_credential_types::Credentials {
        aws_credential_types::Credentials::new(
            self.key.as_str(),
            self.secret.expose(),
            self.session_token().map(str::to_owned),
            None,
            "akia",
        )
    }
}
