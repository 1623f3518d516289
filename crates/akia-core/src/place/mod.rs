//! Places: where secrets are kept for use.
//!
//! A new kind of place is a file here (what it is called and how it is declared), a variant of [`DeclaredPlace`], and a file in
//! `akia-io::place` that reads and writes it. Nothing here holds a secret: what opens a place is named by a
//! [`SecretRef`](crate::settings::SecretRef) or a profile.

mod address;
mod circleci;
mod env_file;
mod exec;
mod file;
mod github;
mod gitlab;
mod kubernetes;
mod names;
mod path;
mod secrets_manager;
mod ssm;
mod terraform;
mod vault;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ProfileName, Region};
use crate::profile::FileKind;

pub use address::{ServerAddress, ServerAddressError};
pub use circleci::{CircleciContext, CircleciContextError, CircleciName};
pub use env_file::{EnvFilePlace, EnvFilePlaceError};
pub use exec::{ExecCommand, ExecPlace, ExecPlaceError, ExecTimeout};
pub use file::{FilePlace, FilePlaceError};
pub use github::{GithubActions, GithubActionsError, GithubIdAs, GithubScope, GithubVisibility};
pub use gitlab::{GitlabOwner, GitlabVariable, GitlabVariableError};
pub use kubernetes::{Cluster, KubernetesSecret, KubernetesSecretError, ObjectName, Workload};
pub use names::{CombinedForm, KeyNames, KeyNamesError};
pub use path::{AbsolutePath, PathError};
pub use secrets_manager::{SecretId, SecretIdError, SecretValue, SecretsManagerSecret};
pub use ssm::{ParameterNameError, ParameterNames, SsmParameter};
pub use terraform::{TerraformCategory, TerraformCloud, TerraformCloudError, TerraformOwner};
pub use vault::{VaultPath, VaultPathError, VaultSecret};

/// Anywhere a secret is kept for use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Place {
    /// A profile of the credentials or the config file.
    Profile {
        /// Absolute path of the file as it was named; symlinks are followed when it is written.
        path: String,
        /// Which of the two formats the file has.
        file: FileKind,
        /// Name of the profile.
        profile: ProfileName,
    },
    /// An entry of the OS keychain, read through `akia credentials`.
    Keychain {
        /// Name of the profile that the entry serves.
        profile: ProfileName,
    },
    /// One that `akia.toml` declares for a service.
    #[serde(untagged)]
    Declared(DeclaredPlace),
}

/// A place that `akia.toml` declares for a service. The tables there and the plans of the journal have the same form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum DeclaredPlace {
    /// A Secret of Kubernetes.
    KubernetesSecret(KubernetesSecret),
    /// A secret of AWS Secrets Manager.
    SecretsManager(SecretsManagerSecret),
    /// Environment variables of a context of CircleCI.
    CircleciContext(CircleciContext),
    /// Secrets of GitHub Actions.
    GithubActions(GithubActions),
    /// CI/CD variables of GitLab.
    GitlabVariable(GitlabVariable),
    /// Variables of HCP Terraform or Terraform Enterprise.
    TerraformCloud(TerraformCloud),
    /// Two variables of an env file.
    EnvFile(EnvFilePlace),
    /// A program that keeps the key.
    Exec(ExecPlace),
    /// Fields of a JSON, YAML or TOML file.
    File(FilePlace),
    /// Parameters of Systems Manager.
    SsmParameter(SsmParameter),
    /// A secret of HashiCorp Vault or OpenBao.
    Vault(VaultSecret),
}

/// What a place lacks that the one who declared it did not say.
#[derive(Debug, Clone)]
pub struct PlaceDefaults {
    /// Who signs calls to AWS.
    pub profile: ProfileName,
    /// Where they go.
    pub region: Option<Region>,
}

impl Place {
    /// The profile that the place serves, where it is one of this machine's.
    #[must_use]
    pub fn profile(&self) -> Option<&ProfileName> {
        match self {
            Self::Profile { profile, .. } | Self::Keychain { profile } => Some(profile),
            Self::Declared(_) => None,
        }
    }

    /// What a person types to name the place: the profile, or kind and spot (`vault:secret/billing`).
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Profile { profile, .. } | Self::Keychain { profile } => profile.to_string(),
            Self::Declared(place) => format!("{}:{}", place.kind(), place.spot()),
        }
    }
}

impl DeclaredPlace {
    /// The words for the kinds, as `akia.toml` has them.
    pub const KINDS: &[&str] = &[
        "circleci-context",
        "env-file",
        "exec",
        "file",
        "github-actions",
        "gitlab-variable",
        "kubernetes-secret",
        "secrets-manager",
        "ssm-parameter",
        "terraform-cloud",
        "vault",
    ];

    /// The word for its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KubernetesSecret(_) => "kubernetes-secret",
            Self::SecretsManager(_) => "secrets-manager",
            Self::CircleciContext(_) => "circleci-context",
            Self::GithubActions(_) => "github-actions",
            Self::GitlabVariable(_) => "gitlab-variable",
            Self::TerraformCloud(_) => "terraform-cloud",
            Self::EnvFile(_) => "env-file",
            Self::Exec(_) => "exec",
            Self::File(_) => "file",
            Self::SsmParameter(_) => "ssm-parameter",
            Self::Vault(_) => "vault",
        }
    }

    /// Where it is, in short: what tells it from other places of its kind to the one who declared it.
    fn spot(&self) -> String {
        match self {
            Self::KubernetesSecret(place) => place.spot(),
            Self::SecretsManager(place) => place.secret.to_string(),
            Self::CircleciContext(place) => place.spot(),
            Self::GithubActions(place) => place.spot(),
            Self::GitlabVariable(place) => place.spot(),
            Self::TerraformCloud(place) => place.spot(),
            Self::EnvFile(place) => place.path.to_string(),
            Self::Exec(place) => Vec::from(place.command.clone()).join(" "),
            Self::File(place) => format!("{}#{}", place.path, place.names.words()),
            Self::SsmParameter(place) => place.names.names().words(),
            Self::Vault(place) => format!("{}/{}", place.mount, place.path),
        }
    }

    /// The place with everything said that another process needs to write it.
    #[must_use]
    pub fn completed(self, defaults: &PlaceDefaults) -> Self {
        match self {
            Self::KubernetesSecret(place) => Self::KubernetesSecret(place),
            Self::SecretsManager(place) => Self::SecretsManager(place.completed(defaults)),
            Self::CircleciContext(place) => Self::CircleciContext(place),
            Self::GithubActions(place) => Self::GithubActions(place),
            Self::GitlabVariable(place) => Self::GitlabVariable(place),
            Self::TerraformCloud(place) => Self::TerraformCloud(place),
            Self::EnvFile(place) => Self::EnvFile(place),
            Self::Exec(place) => Self::Exec(place),
            Self::File(place) => Self::File(place),
            Self::SsmParameter(place) => Self::SsmParameter(place.completed(defaults)),
            Self::Vault(place) => Self::Vault(place),
        }
    }

    /// What those who read the place have to bear while a key is changed there, as a clause; none where the whole key changes at
    /// once.
    #[must_use]
    pub fn torn(&self) -> Option<String> {
        match self {
            Self::EnvFile(_)
            | Self::Exec(_)
            | Self::File(_)
            | Self::KubernetesSecret(_)
            | Self::SecretsManager(_)
            | Self::Vault(_) => None,
            Self::CircleciContext(place) => place.names.torn("a job"),
            Self::GithubActions(place) => place.names.torn("a workflow"),
            Self::GitlabVariable(place) => place.names.torn("a job"),
            Self::TerraformCloud(place) => place.names.torn("a run"),
            Self::SsmParameter(place) => place.torn(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { path, profile, .. } => write!(formatter, "profile \"{profile}\" in {path}"),
            Self::Keychain { profile } => write!(formatter, "keychain entry of profile \"{profile}\""),
            Self::Declared(place) => place.fmt(formatter),
        }
    }
}

impl fmt::Display for DeclaredPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KubernetesSecret(place) => place.fmt(formatter),
            Self::SecretsManager(place) => place.fmt(formatter),
            Self::CircleciContext(place) => place.fmt(formatter),
            Self::GithubActions(place) => place.fmt(formatter),
            Self::GitlabVariable(place) => place.fmt(formatter),
            Self::TerraformCloud(place) => place.fmt(formatter),
            Self::EnvFile(place) => place.fmt(formatter),
            Self::Exec(place) => place.fmt(formatter),
            Self::File(place) => place.fmt(formatter),
            Self::SsmParameter(place) => place.fmt(formatter),
            Self::Vault(place) => place.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: &str = "kind = \"vault\"\naddress = \"https://vault.example.com:8200\"\npath = \"billing\"";

    #[test]
    fn a_place_is_named_so_that_a_person_finds_it() {
        let profile: ProfileName = "work".parse().unwrap();
        let path = "/home/alice/.aws/credentials".to_owned();
        let file = Place::Profile { path, file: FileKind::Credentials, profile: profile.clone() };
        assert_eq!(file.to_string(), "profile \"work\" in /home/alice/.aws/credentials");
        assert_eq!(Place::Keychain { profile }.to_string(), "keychain entry of profile \"work\"");
        let secret: DeclaredPlace = toml::from_str(VAULT).unwrap();
        assert_eq!(secret.to_string(), "Vault secret secret/billing at https://vault.example.com:8200");
    }

    #[test]
    fn what_the_journal_holds_reads_back() {
        let profile: ProfileName = "work".parse().unwrap();
        let path = "/home/alice/.aws/credentials".to_owned();
        let declared: DeclaredPlace = toml::from_str(VAULT).unwrap();
        let places = [
            Place::Profile { path, file: FileKind::Credentials, profile: profile.clone() },
            Place::Keychain { profile },
            Place::Declared(declared),
        ];
        for place in places {
            let text = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Place>(&text).unwrap(), place, "{text}");
        }
    }

    #[test]
    fn a_key_that_a_kind_does_not_take_is_refused() {
        let wrong =
            toml::from_str::<DeclaredPlace>("kind = \"vault\"\naddress = \"https://v\"\npath = \"a\"\npaht = \"b\"")
                .unwrap_err();
        assert!(wrong.message().contains("unknown field `paht`"), "{wrong}");
    }
}
