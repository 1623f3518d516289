//! Secrets of GitHub Actions: of a repository, of one of its environments, or of an organisation.
//!
//! Source: <https://docs.github.com/en/rest/actions/secrets>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::address::ServerAddress;
use super::names::KeyNames;
use crate::settings::SecretRef;

/// Secrets that workflows read. GitHub does not give them back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GithubActions {
    /// Whose secrets.
    pub scope: GithubScope,
    /// The API of github.com, or of a GitHub Enterprise Server.
    pub api: ServerAddress,
    /// Where the token is kept.
    pub token: SecretRef,
    /// The names of the secrets.
    pub names: KeyNames,
    /// As what the key id is kept.
    pub id_as: GithubIdAs,
}

/// Whose secrets they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GithubScope {
    /// A repository's.
    Repository {
        /// Its owner.
        owner: String,
        /// Its name.
        name: String,
    },
    /// An environment's of a repository.
    Environment {
        /// The owner of the repository.
        owner: String,
        /// The name of the repository.
        name: String,
        /// The name of the environment.
        environment: String,
    },
    /// An organisation's.
    Organization {
        /// Its name.
        org: String,
        /// Who sees secrets that are made there; those that are there already keep what they have.
        visibility: GithubVisibility,
    },
}

/// Which repositories see a secret of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum GithubVisibility {
    /// All of them.
    All,
    /// Private and internal ones.
    #[default]
    Private,
    /// Those that are chosen at GitHub; none at first.
    Selected,
}

/// As what a key id is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum GithubIdAs {
    /// As a secret, which nobody reads back.
    #[default]
    Secret,
    /// As a variable: workflows read `vars.NAME`, and akia sees which key stands there.
    Variable,
}

/// Why a table makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GithubActionsError {
    /// Neither a repository nor an organisation, or both.
    #[error("write either repo = \"OWNER/NAME\" or org = \"NAME\"")]
    Scope,
    /// The repository is not named with its owner.
    #[error("{0:?} is not a repository; write repo = \"OWNER/NAME\"")]
    Repository(String),
    /// The name of an organisation that can be none.
    #[error("{0:?} is not the name of an organisation")]
    Organization(String),
    /// An environment without a repository, or without a name.
    #[error("environment is the name of one of the repository's environments; write it with repo")]
    Environment,
    /// A visibility of what is not an organisation's.
    #[error("visibility says who sees an organisation's secrets; write it with org")]
    Visibility,
    /// The id apart from a value that holds both.
    #[error("id-as says nothing of a combined value")]
    IdAs,
    /// A name that GitHub does not take.
    #[error(
        "{0:?} is not the name of a secret: letters, digits and _, no digit first, and not GITHUB_ at the beginning"
    )]
    Name(String),
}

/// The place as it is written down.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Table {
    /// The repository: OWNER/NAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repo: Option<String>,
    /// One of the repository's environments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// The organisation, instead of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    /// Who sees secrets that are made in an organisation; private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    visibility: Option<GithubVisibility>,
    /// Address of the API; `https://api.github.com`. A GitHub Enterprise Server has it at `https://HOST/api/v3`.
    #[serde(default = "default_api")]
    api: ServerAddress,
    /// Where the token is kept; GITHUB_TOKEN.
    #[serde(default = "default_token")]
    token: SecretRef,
    /// The secrets; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    names: KeyNames,
    /// As what the key id is kept; secret.
    #[serde(default)]
    id_as: GithubIdAs,
}

fn default_api() -> ServerAddress {
    ServerAddress::known("https://api.github.com")
}

fn default_token() -> SecretRef {
    SecretRef::Env("GITHUB_TOKEN".to_owned())
}

impl TryFrom<Table> for GithubActions {
    type Error = GithubActionsError;

    fn try_from(table: Table) -> Result<Self, GithubActionsError> {
        let Table { repo, environment, org, visibility, api, token, names, id_as } = table;
        let scope = match (repo, org) {
            (Some(repo), None) => {
                if visibility.is_some() {
                    return Err(GithubActionsError::Visibility);
                }
                let Some((owner, name)) = repo.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name))
                else {
                    return Err(GithubActionsError::Repository(repo));
                };
                let (owner, name) = (owner.to_owned(), name.to_owned());
                match environment {
                    None => GithubScope::Repository { owner, name },
                    Some(environment) if !environment.trim().is_empty() => {
                        GithubScope::Environment { owner, name, environment }
                    }
                    Some(_) => return Err(GithubActionsError::Environment),
                }
            }
            (None, Some(_)) if environment.is_some() => return Err(GithubActionsError::Environment),
            (None, Some(org)) if is_name(&org) => {
                GithubScope::Organization { org, visibility: visibility.unwrap_or_default() }
            }
            (None, Some(org)) => return Err(GithubActionsError::Organization(org)),
            (None, None) | (Some(_), Some(_)) => return Err(GithubActionsError::Scope),
        };
        if matches!((&names, id_as), (KeyNames::Combined { .. }, GithubIdAs::Variable)) {
            return Err(GithubActionsError::IdAs);
        }
        let is_theirs = |name: &str| name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("GITHUB_"));
        match names.list().into_iter().find(|name| !super::names::is_variable(name) || is_theirs(name)) {
            Some(name) => Err(GithubActionsError::Name(name.to_owned())),
            None => Ok(Self { scope, api, token, names, id_as }),
        }
    }
}

/// The names of owners and repositories: letters, digits, `-`, `_` and `.`, and no way out of the path of a URL.
fn is_name(text: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(is_taken) && text != "." && text != ".."
}

impl From<GithubActions> for Table {
    fn from(place: GithubActions) -> Self {
        let GithubActions { scope, api, token, names, id_as } = place;
        let (repo, environment, org, visibility) = match scope {
            GithubScope::Repository { owner, name } => (Some(format!("{owner}/{name}")), None, None, None),
            GithubScope::Environment { owner, name, environment } => {
                (Some(format!("{owner}/{name}")), Some(environment), None, None)
            }
            GithubScope::Organization { org, visibility } => (None, None, Some(org), Some(visibility)),
        };
        Self { repo, environment, org, visibility, api, token, names, id_as }
    }
}

impl Described for GithubActions {
    fn spot(&self) -> String {
        match &self.scope {
            GithubScope::Repository { owner, name } => format!("{owner}/{name}"),
            GithubScope::Environment { owner, name, environment } => format!("{owner}/{name}/{environment}"),
            GithubScope::Organization { org, .. } => org.clone(),
        }
    }

    fn torn(&self) -> Option<String> {
        self.names.torn("a workflow")
    }
}

impl fmt::Display for GithubActions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.words();
        write!(formatter, "GitHub Actions secrets {names} of ")?;
        match &self.scope {
            GithubScope::Repository { owner, name } => write!(formatter, "{owner}/{name}")?,
            GithubScope::Environment { owner, name, environment } => {
                write!(formatter, "environment \"{environment}\" of {owner}/{name}")?;
            }
            GithubScope::Organization { org, .. } => write!(formatter, "organisation {org}")?,
        }
        self.api.fmt_unless(&default_api(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::DeclaredPlace;

    fn parse(text: &str) -> Result<DeclaredPlace, String> {
        let text = format!("kind = \"github-actions\"\n{text}");
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn secrets_are_of_a_repository_an_environment_or_an_organisation() {
        for (text, words) in [
            ("repo = \"acme/shop\"", "GitHub Actions secrets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of acme/shop"),
            (
                "repo = \"acme/shop\"\nenvironment = \"pro/d\"\nnames = { combined = \"AWS\" }",
                "GitHub Actions secrets AWS of environment \"pro/d\" of acme/shop",
            ),
            (
                "org = \"acme\"\nid-as = \"variable\"\napi = \"https://ghe.example.com/api/v3\"",
                "GitHub Actions secrets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of organisation acme at \
                 https://ghe.example.com/api/v3",
            ),
        ] {
            let place = parse(text).unwrap();
            assert_eq!(place.to_string(), words);
            let kept = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<DeclaredPlace>(&kept).unwrap(), place, "{kept}");
        }
    }

    #[test]
    fn tables_that_cannot_be_are_refused_with_what_to_write() {
        use GithubActionsError as Error;
        for (text, error) in [
            ("", Error::Scope),
            ("repo = \"a/b\"\norg = \"a\"", Error::Scope),
            ("repo = \"shop\"", Error::Repository("shop".to_owned())),
            ("repo = \"a/../b\"", Error::Repository("a/../b".to_owned())),
            ("repo = \"a/..\"", Error::Repository("a/..".to_owned())),
            ("org = \"a/b\"", Error::Organization("a/b".to_owned())),
            ("org = \"a\"\nenvironment = \"prod\"", Error::Environment),
            ("repo = \"a/b\"\nenvironment = \" \"", Error::Environment),
            ("repo = \"a/b\"\nvisibility = \"all\"", Error::Visibility),
            ("repo = \"a/b\"\nid-as = \"variable\"\nnames = { combined = \"A\" }", Error::IdAs),
            ("repo = \"a/b\"\nnames = { id = \"Github_ID\" }", Error::Name("Github_ID".to_owned())),
            ("repo = \"a/b\"\nnames = { secret = \"MY-KEY\" }", Error::Name("MY-KEY".to_owned())),
        ] {
            assert_eq!(parse(text), Err(error.to_string()), "{text}");
        }
        assert!(parse("repo = \"a/b\"\ntoken = \"ghp_x\"").unwrap_err().contains("must not stand in this file"));
        assert!(parse("repo = \"a/b\"\napi = \"http://example.com\"").unwrap_err().contains("https://"));
    }
}
