//! Under which names a place keeps a key.
//!
//! A place that keeps id and secret under two names that cannot be changed at once is torn for a moment: whoever reads in between
//! gets the id of one key and the secret of another. One combined value is never torn.

use serde::{Deserialize, Serialize};

/// The names that the AWS tools read.
pub(super) const ID: &str = "AWS_ACCESS_KEY_ID";
pub(super) const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// The names of a key in a place, each of them set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "NamesTable", into = "NamesTable")]
pub enum KeyNames {
    /// Two values.
    Apart {
        /// Name of the value that is the key id.
        id: String,
        /// Name of the value that is the secret.
        secret: String,
    },
    /// One value that holds both.
    Combined {
        /// Its name.
        name: String,
        /// How both are written.
        form: CombinedForm,
    },
}

/// How id and secret are written into one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum CombinedForm {
    /// The JSON of a `credential_process`: a profile with `credential_process = printenv NAME` reads it.
    #[default]
    Process,
    /// A credentials file with the profile `default`.
    Profile,
    /// Lines `AWS_ACCESS_KEY_ID=…` and `AWS_SECRET_ACCESS_KEY=…`.
    Env,
}

/// Why names make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyNamesError {
    /// Both ways at once.
    #[error("it says combined, and id or secret, too; a key is kept under one name or under two")]
    Both,
    /// One value for both.
    #[error("id and secret have the same name; write combined = \"NAME\" to keep both in one value")]
    Same,
    /// An empty name.
    #[error("a name is empty")]
    Empty,
    /// A form without a combined value.
    #[error("form says nothing without combined")]
    Form,
}

/// The names as they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NamesTable {
    /// Name of the value that is the key id; AWS_ACCESS_KEY_ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Name of the value that is the secret; AWS_SECRET_ACCESS_KEY.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Name of one value that holds both.
    #[serde(skip_serializing_if = "Option::is_none")]
    combined: Option<String>,
    /// How the combined value is written; process.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<CombinedForm>,
}

impl Default for KeyNames {
    fn default() -> Self {
        Self::Apart { id: ID.to_owned(), secret: SECRET.to_owned() }
    }
}

impl TryFrom<NamesTable> for KeyNames {
    type Error = KeyNamesError;

    fn try_from(table: NamesTable) -> Result<Self, KeyNamesError> {
        let NamesTable { id, secret, combined, form } = table;
        match (combined, id, secret) {
            (Some(name), None, None) if !name.is_empty() => Ok(Self::Combined { name, form: form.unwrap_or_default() }),
            (Some(_), None, None) => Err(KeyNamesError::Empty),
            (Some(_), _, _) => Err(KeyNamesError::Both),
            (None, _, _) if form.is_some() => Err(KeyNamesError::Form),
            (None, id, secret) => {
                let (id, secret) = (id.unwrap_or_else(|| ID.to_owned()), secret.unwrap_or_else(|| SECRET.to_owned()));
                if id.is_empty() || secret.is_empty() {
                    return Err(KeyNamesError::Empty);
                }
                if id == secret { Err(KeyNamesError::Same) } else { Ok(Self::Apart { id, secret }) }
            }
        }
    }
}

impl From<KeyNames> for NamesTable {
    fn from(names: KeyNames) -> Self {
        match names {
            KeyNames::Apart { id, secret } => Self { id: Some(id), secret: Some(secret), ..Self::default() },
            KeyNames::Combined { name, form } => Self { combined: Some(name), form: Some(form), ..Self::default() },
        }
    }
}

impl KeyNames {
    /// The names, in the order in which a place that takes them one by one is written.
    #[must_use]
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::Apart { id, secret } => vec![id, secret],
            Self::Combined { name, .. } => vec![name],
        }
    }

    /// What those bear who read two values while they are written one by one; one value is never torn.
    pub(super) fn torn(&self, readers: &str) -> Option<String> {
        match self {
            Self::Apart { .. } => Some(format!(
                "{readers} that starts between the two writes, mostly less than a second, gets the id of one key and the secret \
                 of the other and is refused by AWS; names = {{ combined = \"NAME\" }} avoids it"
            )),
            Self::Combined { .. } => None,
        }
    }

    /// The first of them that no variable of an environment can have.
    pub(super) fn no_variable(&self) -> Option<&str> {
        self.list().into_iter().find(|name| !is_variable(name))
    }

    /// The names in words: `A and B`, or `A`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Apart { id, secret } => format!("{id} and {secret}"),
            Self::Combined { name, .. } => name.clone(),
        }
    }
}

/// Whether a variable of an environment can have the name.
pub(super) fn is_variable(name: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=255).contains(&name.len()) && name.bytes().all(is_taken) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    use super::{KeyNames, NamesTable};

    impl JsonSchema for KeyNames {
        fn schema_name() -> Cow<'static, str> {
            "KeyNames".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            NamesTable::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_two_names_or_one() {
        let names = |text: &str| toml::from_str::<KeyNames>(text).map_err(|error| error.message().to_owned());
        assert_eq!(names(""), Ok(KeyNames::default()));
        assert_eq!(names("id = \"A\"").unwrap().words(), "A and AWS_SECRET_ACCESS_KEY");
        let combined = names("combined = \"KEY\"").unwrap();
        assert_eq!(combined, KeyNames::Combined { name: "KEY".to_owned(), form: CombinedForm::Process });
        for (text, error) in [
            ("combined = \"KEY\"\nid = \"A\"", KeyNamesError::Both),
            ("combined = \"\"", KeyNamesError::Empty),
            ("id = \"A\"\nsecret = \"A\"", KeyNamesError::Same),
            ("form = \"env\"", KeyNamesError::Form),
        ] {
            assert_eq!(names(text), Err(error.to_string()), "{text}");
        }
        for kept in [KeyNames::default(), combined] {
            let text = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<KeyNames>(&text).unwrap(), kept, "{text}");
        }
    }
}
