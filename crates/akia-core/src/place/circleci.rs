//! Environment variables of a context of CircleCI.
//!
//! Source: <https://circleci.com/docs/api/v2/#tag/Context>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::address::ServerAddress;
use super::names::KeyNames;
use crate::settings::SecretRef;

/// Variables that jobs with the context get. CircleCI does not give them back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CircleciContext {
    /// Which context.
    pub context: CircleciName,
    /// Address of the server.
    pub address: ServerAddress,
    /// Where the token is kept.
    pub token: SecretRef,
    /// The names of the variables.
    pub names: KeyNames,
}

/// How a context is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CircleciName {
    /// By its id.
    Id(String),
    /// By its name within an organisation.
    Of {
        /// The slug of the organisation.
        org: String,
        /// The name of the context.
        name: String,
    },
}

/// Why a table makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CircleciContextError {
    /// Neither way to name a context, or both.
    #[error("write either context-id = \"…\" or org = \"gh/NAME\" and context = \"NAME\"")]
    Context,
    /// An id that is none.
    #[error("{0:?} is not the id of a context: a UUID, as its page has it in the address")]
    Id(String),
    /// A slug that is none.
    #[error("{0:?} is not the slug of an organisation; write org = \"gh/NAME\", \"bb/NAME\" or \"circleci/ID\"")]
    Org(String),
    /// A name that CircleCI does not take.
    #[error("{0:?} is not the name of a variable: letters, digits and _, and no digit first")]
    Name(String),
}

/// The place as it is written down.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Table {
    /// The id of the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context_id: Option<String>,
    /// The slug of its organisation, instead of the id: gh/NAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    /// Its name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// Address of the server; `https://circleci.com`.
    #[serde(default = "default_address")]
    address: ServerAddress,
    /// Where the token is kept; CIRCLE_TOKEN.
    #[serde(default = "default_token")]
    token: SecretRef,
    /// The variables; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    names: KeyNames,
}

fn default_address() -> ServerAddress {
    ServerAddress::known("https://circleci.com")
}

fn default_token() -> SecretRef {
    SecretRef::Env("CIRCLE_TOKEN".to_owned())
}

impl TryFrom<Table> for CircleciContext {
    type Error = CircleciContextError;

    fn try_from(table: Table) -> Result<Self, CircleciContextError> {
        let Table { context_id, org, context, address, token, names } = table;
        let context = match (context_id, org, context) {
            (Some(id), None, None) if is_uuid(&id) => CircleciName::Id(id),
            (Some(id), None, None) => return Err(CircleciContextError::Id(id)),
            (None, Some(org), Some(name)) if !name.trim().is_empty() => {
                let is_slug = org.split_once('/').is_some_and(|(vcs, name)| {
                    matches!(vcs, "gh" | "github" | "bb" | "bitbucket" | "circleci")
                        && !name.is_empty()
                        && !name.contains('/')
                });
                if !is_slug {
                    return Err(CircleciContextError::Org(org));
                }
                CircleciName::Of { org, name }
            }
            (None | Some(_), _, _) => return Err(CircleciContextError::Context),
        };
        match names.no_variable() {
            Some(name) => Err(CircleciContextError::Name(name.to_owned())),
            None => Ok(Self { context, address, token, names }),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

impl From<CircleciContext> for Table {
    fn from(place: CircleciContext) -> Self {
        let CircleciContext { context, address, token, names } = place;
        let (context_id, org, context) = match context {
            CircleciName::Id(id) => (Some(id), None, None),
            CircleciName::Of { org, name } => (None, Some(org), Some(name)),
        };
        Self { context_id, org, context, address, token, names }
    }
}

impl Described for CircleciContext {
    fn spot(&self) -> String {
        match &self.context {
            CircleciName::Id(id) => id.clone(),
            CircleciName::Of { org, name } => format!("{org}/{name}"),
        }
    }

    fn torn(&self) -> Option<String> {
        self.names.torn("a job")
    }
}

impl fmt::Display for CircleciContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.words();
        match &self.context {
            CircleciName::Id(id) => write!(formatter, "CircleCI variables {names} of context {id}")?,
            CircleciName::Of { org, name } => {
                write!(formatter, "CircleCI variables {names} of context \"{name}\" of {org}")?
            }
        }
        self.address.fmt_unless(&default_address(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::DeclaredPlace;

    fn parse(text: &str) -> Result<DeclaredPlace, String> {
        let text = format!("kind = \"circleci-context\"\n{text}");
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_context_is_named_by_its_id_or_its_name() {
        for (text, words) in [
            (
                "context-id = \"f31d7249-b7b1-4729-b3a4-ec0ba07b4686\"",
                "CircleCI variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of context \
                 f31d7249-b7b1-4729-b3a4-ec0ba07b4686",
            ),
            (
                "org = \"gh/acme\"\ncontext = \"aws prod\"\nnames = { combined = \"AWS\" }",
                "CircleCI variables AWS of context \"aws prod\" of gh/acme",
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
        use CircleciContextError as Error;
        for (text, error) in [
            ("", Error::Context),
            ("org = \"gh/acme\"", Error::Context),
            ("context-id = \"f31d7249-b7b1-4729-b3a4-ec0ba07b4686\"\norg = \"gh/acme\"", Error::Context),
            ("context-id = \"../../me\"", Error::Id("../../me".to_owned())),
            ("org = \"acme\"\ncontext = \"aws\"", Error::Org("acme".to_owned())),
            ("org = \"gh/acme\"\ncontext = \"aws\"\nnames = { id = \"1D\" }", Error::Name("1D".to_owned())),
        ] {
            assert_eq!(parse(text), Err(error.to_string()), "{text}");
        }
    }
}
