//! A secret of HashiCorp Vault or OpenBao, in the key/value store, version 2.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::KeyNames;
use crate::settings::SecretRef;

/// Fields of a secret; its other fields stay as they are. Id and secret change at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VaultSecret {
    /// Address of the server, as in VAULT_ADDR: https://HOST:8200.
    pub address: String,
    /// Where the store is mounted; secret.
    #[serde(default = "default_mount")]
    pub mount: String,
    /// The path below it.
    pub path: String,
    /// The namespace (Vault Enterprise, HCP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where the token is kept; VAULT_TOKEN.
    #[serde(default = "default_token")]
    pub token: SecretRef,
    /// The fields; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    pub names: KeyNames,
}

fn default_mount() -> String {
    "secret".to_owned()
}

fn default_token() -> SecretRef {
    SecretRef::Env("VAULT_TOKEN".to_owned())
}

impl fmt::Display for VaultSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vault secret {}/{} at {}", self.mount, self.path, self.address)
    }
}
