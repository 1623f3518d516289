//! An env file (dotenv) of this machine.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::names::KeyNames;
use super::path::AbsolutePath;
use crate::env_file::is_variable;

/// Two variables of an env file; its other bytes stay as they are. Id and secret change at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "EnvFileTable", into = "EnvFileTable")]
pub struct EnvFilePlace {
    /// The file; symlinks are followed when it is written.
    pub path: AbsolutePath,
    /// The variables, apart.
    pub names: KeyNames,
}

/// Why a table is not of an env file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvFilePlaceError {
    /// One value for both: what would have to be quoted is read differently by each program.
    #[error(
        "an env file holds id and secret in two variables, which change at once: write id and secret, not combined"
    )]
    Combined,
    /// A name that shells and libraries do not take alike.
    #[error("{0:?} is not the name of a variable: letters, digits and _, no digit first")]
    Name(String),
}

/// An env file as it is written down.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EnvFileTable {
    /// Absolute path of the file.
    #[cfg_attr(test, schemars(with = "String"))]
    path: AbsolutePath,
    /// The variables; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    names: KeyNames,
}

impl TryFrom<EnvFileTable> for EnvFilePlace {
    type Error = EnvFilePlaceError;

    fn try_from(table: EnvFileTable) -> Result<Self, EnvFilePlaceError> {
        let KeyNames::Apart { id, secret } = &table.names else { return Err(EnvFilePlaceError::Combined) };
        if let Some(wrong) = [id, secret].into_iter().find(|name| !is_variable(name)) {
            return Err(EnvFilePlaceError::Name(wrong.clone()));
        }
        Ok(Self { path: table.path, names: table.names })
    }
}

impl From<EnvFilePlace> for EnvFileTable {
    fn from(place: EnvFilePlace) -> Self {
        Self { path: place.path, names: place.names }
    }
}

impl Described for EnvFilePlace {
    fn spot(&self) -> String {
        self.path.to_string()
    }
}

impl fmt::Display for EnvFilePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "env file {}", self.path)
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    use super::{EnvFilePlace, EnvFileTable};

    impl JsonSchema for EnvFilePlace {
        fn schema_name() -> Cow<'static, str> {
            "EnvFilePlace".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            EnvFileTable::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_wrong_with_it() {
        let read = |text: &str| toml::from_str::<EnvFilePlace>(text).map_err(|error| error.message().to_owned());
        let place = read("path = \"/srv/billing/.env\"").unwrap();
        assert_eq!(place.to_string(), "env file /srv/billing/.env");
        for (text, words) in [
            (
                "path = \".env\"",
                "\".env\" is not an absolute path: begin with /, so that it means the same file everywhere",
            ),
            (
                "path = \"/a\"\nnames = { combined = \"KEY\" }",
                "an env file holds id and secret in two variables, which change at once: write id and secret, not combined",
            ),
            (
                "path = \"/a\"\nnames = { id = \"aws.id\" }",
                "\"aws.id\" is not the name of a variable: letters, digits and _, no digit first",
            ),
        ] {
            assert_eq!(read(text), Err(words.to_owned()));
        }
    }
}
