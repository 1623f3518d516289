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

/// What a kind of place says of itself; its [`Display`](fmt::Display) is how it stands in plans and errors.
trait Described: fmt::Display {
    /// Where it is, in short.
    fn spot(&self) -> String;

    /// What its readers have to bear while a key is changed, where it does not change at once.
    fn torn(&self) -> Option<String> {
        None
    }
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
        self.described().0
    }

    /// What those who read the place have to bear while a key is changed there, as a clause; none where the whole key changes at
    /// once.
    #[must_use]
    pub fn torn(&self) -> Option<String> {
        self.described().1.torn()
    }

    /// Where it is, in short: what tells it from other places of its kind to the one who declared it.
    fn spot(&self) -> String {
        self.described().1.spot()
    }

    /// The word for its kind, and what it says of itself.
    fn described(&self) -> (&'static str, &dyn Described) {
        match self {
            Self::KubernetesSecret(place) => ("kubernetes-secret", place),
            Self::SecretsManager(place) => ("secrets-manager", place),
            Self::CircleciContext(place) => ("circleci-context", place),
            Self::GithubActions(place) => ("github-actions", place),
            Self::GitlabVariable(place) => ("gitlab-variable", place),
            Self::TerraformCloud(place) => ("terraform-cloud", place),
            Self::EnvFile(place) => ("env-file", place),
            Self::Exec(place) => ("exec", place),
            Self::File(place) => ("file", place),
            Self::SsmParameter(place) => ("ssm-parameter", place),
            Self::Vault(place) => ("vault", place),
        }
    }

    /// The place with everything said that another process needs to write it.
    #[must_use]
    pub fn completed(self, defaults: &PlaceDefaults) -> Self {
        match self {
            Self::SecretsManager(place) => Self::SecretsManager(place.completed(defaults)),
            Self::SsmParameter(place) => Self::SsmParameter(place.completed(defaults)),
            whole @ (Self::KubernetesSecret(_)
            | Self::CircleciContext(_)
            | Self::GithubActions(_)
            | Self::GitlabVariable(_)
            | Self::TerraformCloud(_)
            | Self::EnvFile(_)
            | Self::Exec(_)
            | Self::File(_)
            | Self::Vault(_)) => whole,
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
        self.described().1.fmt(formatter)
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

    /// One of each kind.
    const SAMPLES: &str = r#"
        [[place]]
        kind = "circleci-context"
        context-id = "0f5e1b36-3f4c-4a6e-9d57-5bd0c6f1f2aa"
        [[place]]
        kind = "env-file"
        path = "/srv/.env"
        [[place]]
        kind = "exec"
        command = ["keep"]
        [[place]]
        kind = "file"
        path = "/srv/a.json"
        names = { id = "/id", secret = "/secret" }
        [[place]]
        kind = "github-actions"
        repo = "acme/shop"
        [[place]]
        kind = "gitlab-variable"
        project = "acme/shop"
        [[place]]
        kind = "kubernetes-secret"
        in-cluster = true
        namespace = "shop"
        name = "aws"
        [[place]]
        kind = "secrets-manager"
        secret = "billing"
        [[place]]
        kind = "ssm-parameter"
        names = { id = "/id", secret = "/secret" }
        [[place]]
        kind = "terraform-cloud"
        workspace-id = "ws-abcdefgh12345678"
        [[place]]
        kind = "vault"
        address = "https://vault.example.com:8200"
        path = "billing"
    "#;

    /// A kind that is added and forgotten somewhere is found here: the schema knows it by itself.
    #[test]
    fn every_kind_is_in_the_list_the_settings_and_the_pages() {
        #[derive(Deserialize)]
        struct Samples {
            place: Vec<toml::Table>,
        }
        let schema = serde_json::to_value(schemars::schema_for!(DeclaredPlace)).unwrap();
        let mut kinds: Vec<&str> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["properties"]["kind"]["const"].as_str().unwrap())
            .collect();
        kinds.sort_unstable();
        assert_eq!(kinds, DeclaredPlace::KINDS, "the kinds that can be read, and those that are listed");
        let samples: Samples = toml::from_str(SAMPLES).unwrap();
        let mut sampled = Vec::new();
        for table in samples.place {
            let place = DeclaredPlace::deserialize(toml::Value::Table(table)).unwrap();
            assert_eq!(serde_json::to_value(&place).unwrap()["kind"], place.kind());
            assert!(!place.spot().is_empty() && !place.to_string().is_empty(), "{}", place.kind());
            sampled.push(place.kind());
        }
        assert_eq!(sampled, DeclaredPlace::KINDS, "SAMPLES has one of each");
        let pages = include_str!("../../../../docs/places.md");
        for kind in DeclaredPlace::KINDS {
            let said = [format!("kind = \"{kind}\""), format!("Kind `{kind}`")];
            assert!(said.iter().any(|words| pages.contains(words)), "docs/places.md does not tell of {kind}");
        }
    }
}
