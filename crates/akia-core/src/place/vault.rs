//! A secret of HashiCorp Vault or OpenBao, in the key/value store, version 2.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::address::ServerAddress;
use super::names::KeyNames;
use crate::settings::SecretRef;

/// Fields of a secret; its other fields stay as they are. Id and secret change at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VaultSecret {
    /// Address of the server, as in VAULT_ADDR: https://HOST:8200.
    pub address: ServerAddress,
    /// Where the store is mounted; secret.
    #[serde(default = "default_mount")]
    pub mount: VaultPath,
    /// The path below it, as `vault kv get` takes it: without the "data" of the API.
    pub path: VaultPath,
    /// The namespace (Vault Enterprise, HCP, OpenBao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<VaultPath>,
    /// Where the token is kept; VAULT_TOKEN.
    #[serde(default = "default_token")]
    pub token: SecretRef,
    /// The fields; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    pub names: KeyNames,
}

/// Names with a slash between two of them, and none around.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct VaultPath(String);

/// Why a text is not a path of Vault's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a path of Vault's; write names with a slash between two of them: team/billing")]
pub struct VaultPathError(String);

impl VaultPath {
    /// Its names, in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl TryFrom<String> for VaultPath {
    type Error = VaultPathError;

    fn try_from(text: String) -> Result<Self, VaultPathError> {
        let path = text.trim_matches('/');
        // The steps "." and ".." would silently lead elsewhere.
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(char::is_control);
        if path.split('/').all(is_name) { Ok(Self(path.to_owned())) } else { Err(VaultPathError(text)) }
    }
}

impl From<VaultPath> for String {
    fn from(path: VaultPath) -> Self {
        path.0
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn default_mount() -> VaultPath {
    VaultPath("secret".to_owned())
}

fn default_token() -> SecretRef {
    SecretRef::Env("VAULT_TOKEN".to_owned())
}

impl Described for VaultSecret {
    fn spot(&self) -> String {
        format!("{}/{}", self.mount, self.path)
    }
}

impl fmt::Display for VaultSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vault secret {}/{}", self.mount, self.path)?;
        if let Some(namespace) = &self.namespace {
            write!(formatter, " in the namespace {namespace}")?;
        }
        write!(formatter, " at {}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_where_it_says() {
        let path = |text: &str| VaultPath::try_from(text.to_owned()).map(String::from);
        assert_eq!(path("/team/billing/").as_deref(), Ok("team/billing"));
        assert_eq!(path("with blank/ü").as_deref(), Ok("with blank/ü"));
        for text in ["", "/", "a//b", "a/../b", "./a", "a\nb"] {
            assert_eq!(path(text), Err(VaultPathError(text.to_owned())));
        }
        let error = toml::from_str::<VaultSecret>("address = \"http://vault.example.com\"\npath = \"a\"").unwrap_err();
        assert!(error.message().contains("must begin with https://"), "{error}");
    }
}
