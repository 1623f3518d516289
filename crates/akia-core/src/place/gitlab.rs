//! CI/CD variables of GitLab, of a project or a group.
//!
//! Source: <https://docs.gitlab.com/api/project_level_variables/> and <https://docs.gitlab.com/api/group_level_variables/>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::address::ServerAddress;
use super::names::KeyNames;
use crate::settings::SecretRef;

/// Variables that jobs read. GitLab gives them back unless they are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GitlabVariable {
    /// Whose variables.
    pub owner: GitlabOwner,
    /// Which environments they are for.
    pub environment_scope: String,
    /// Whether new ones are for protected branches and tags only.
    pub protected: bool,
    /// Address of the server.
    pub address: ServerAddress,
    /// Where the token is kept.
    pub token: SecretRef,
    /// The names of the variables.
    pub names: KeyNames,
}

/// Whose variables they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GitlabOwner {
    /// A project's, by its path or number.
    Project(String),
    /// A group's, by its path or number.
    Group(String),
}

/// Why a table makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitlabVariableError {
    /// Neither a project nor a group, or both.
    #[error("write either project = \"GROUP/NAME\" or group = \"GROUP\"")]
    Owner,
    /// A path that is none.
    #[error("{0:?} is not the path of a project or group; write project = \"GROUP/NAME\", as in its address")]
    Path(String),
    /// No scope.
    #[error("environment-scope is empty; leave it out for all environments")]
    Scope,
    /// A name that GitLab does not take.
    #[error("{0:?} is not the name of a variable: letters, digits and _, at most 255")]
    Name(String),
}

/// The place as it is written down.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Table {
    /// The project: GROUP/NAME, or its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    /// The group, instead of a project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Which environments the variables are for; *, all of them.
    #[serde(default = "default_scope")]
    environment_scope: String,
    /// Whether new variables are for protected branches and tags only; false. Those that are there keep what they have.
    #[serde(default)]
    protected: bool,
    /// Address of the server; `https://gitlab.com`.
    #[serde(default = "default_address")]
    address: ServerAddress,
    /// Where the token is kept; GITLAB_TOKEN.
    #[serde(default = "default_token")]
    token: SecretRef,
    /// The variables; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    names: KeyNames,
}

fn default_scope() -> String {
    "*".to_owned()
}

fn default_address() -> ServerAddress {
    ServerAddress::known("https://gitlab.com")
}

fn default_token() -> SecretRef {
    SecretRef::Env("GITLAB_TOKEN".to_owned())
}

impl TryFrom<Table> for GitlabVariable {
    type Error = GitlabVariableError;

    fn try_from(table: Table) -> Result<Self, GitlabVariableError> {
        let Table { project, group, environment_scope, protected, address, token, names } = table;
        let (path, owner) = match (project, group) {
            (Some(path), None) => (path.clone(), GitlabOwner::Project(path)),
            (None, Some(path)) => (path.clone(), GitlabOwner::Group(path)),
            (None, None) | (Some(_), Some(_)) => return Err(GitlabVariableError::Owner),
        };
        let is_part =
            |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_whitespace);
        let is_number = path.bytes().all(|byte| byte.is_ascii_digit());
        let is_deep_enough = is_number || path.contains('/') || matches!(owner, GitlabOwner::Group(_));
        if !path.split('/').all(is_part) || path.contains("://") || !is_deep_enough {
            return Err(GitlabVariableError::Path(path));
        }
        if environment_scope.trim().is_empty() {
            return Err(GitlabVariableError::Scope);
        }
        match names.no_variable() {
            Some(name) => Err(GitlabVariableError::Name(name.to_owned())),
            None => Ok(Self { owner, environment_scope, protected, address, token, names }),
        }
    }
}

impl From<GitlabVariable> for Table {
    fn from(place: GitlabVariable) -> Self {
        let GitlabVariable { owner, environment_scope, protected, address, token, names } = place;
        let (project, group) = match owner {
            GitlabOwner::Project(path) => (Some(path), None),
            GitlabOwner::Group(path) => (None, Some(path)),
        };
        Self { project, group, environment_scope, protected, address, token, names }
    }
}

impl Described for GitlabVariable {
    fn spot(&self) -> String {
        let (GitlabOwner::Project(path) | GitlabOwner::Group(path)) = &self.owner;
        if self.environment_scope == default_scope() {
            path.clone()
        } else {
            format!("{path}/{}", self.environment_scope)
        }
    }

    fn torn(&self) -> Option<String> {
        self.names.torn("a job")
    }
}

impl fmt::Display for GitlabVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.words();
        match &self.owner {
            GitlabOwner::Project(path) => write!(formatter, "GitLab variables {names} of project {path}")?,
            GitlabOwner::Group(path) => write!(formatter, "GitLab variables {names} of group {path}")?,
        }
        if self.environment_scope != default_scope() {
            write!(formatter, " for {}", self.environment_scope)?;
        }
        self.address.fmt_unless(&default_address(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::DeclaredPlace;

    fn parse(text: &str) -> Result<DeclaredPlace, String> {
        let text = format!("kind = \"gitlab-variable\"\n{text}");
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn variables_are_of_a_project_or_a_group() {
        for (text, words) in [
            (
                "project = \"acme/web/shop\"\nenvironment-scope = \"production\"",
                "GitLab variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of project acme/web/shop for production",
            ),
            (
                "group = \"acme\"\nnames = { combined = \"AWS\" }\naddress = \"https://git.example.com/\"",
                "GitLab variables AWS of group acme at https://git.example.com",
            ),
            ("project = \"4711\"\nnames = { combined = \"AWS\" }", "GitLab variables AWS of project 4711"),
        ] {
            let place = parse(text).unwrap();
            assert_eq!(place.to_string(), words);
            let kept = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<DeclaredPlace>(&kept).unwrap(), place, "{kept}");
        }
    }

    #[test]
    fn tables_that_cannot_be_are_refused_with_what_to_write() {
        use GitlabVariableError as Error;
        for (text, error) in [
            ("", Error::Owner),
            ("project = \"a/b\"\ngroup = \"a\"", Error::Owner),
            ("project = \"shop\"", Error::Path("shop".to_owned())),
            ("project = \"a/../b\"", Error::Path("a/../b".to_owned())),
            ("project = \"https://gitlab.com/a/b\"", Error::Path("https://gitlab.com/a/b".to_owned())),
            ("project = \"a/b\"\nenvironment-scope = \"\"", Error::Scope),
            ("project = \"a/b\"\nnames = { id = \"MY-ID\" }", Error::Name("MY-ID".to_owned())),
        ] {
            assert_eq!(parse(text), Err(error.to_string()), "{text}");
        }
    }
}
