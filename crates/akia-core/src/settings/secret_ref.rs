//! The name of where a secret is kept. A secret itself never stands in `akia.toml` nor in the journal.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// In a variable of the environment.
    Env(String),
    /// In a file, alone.
    File(PathBuf),
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(formatter, "the variable {name}"),
            Self::File(path) => write!(formatter, "the file {}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "{ env = \"NAME\" } or { file = \"/path\" }";
        let wrong = || de::Error::custom(format_args!("it is not the name of where a secret is kept; write {FORM}"));
        let table = match toml::Value::deserialize(deserializer)? {
            toml::Value::Table(table) => table,
            toml::Value::String(_) => {
                return Err(de::Error::custom(format_args!(
                    "a secret must not stand in this file, where it is copied and committed; keep it in a variable or a \
                     file, and write {FORM}"
                )));
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => return Err(wrong()),
        };
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            (Some((key, toml::Value::String(name))), None) if key == "env" => {
                let is_name = |name: &str| {
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                        && !name.starts_with(|c: char| c.is_ascii_digit())
                        && (1..=128).contains(&name.len())
                };
                if is_name(&name) {
                    Ok(Self::Env(name))
                } else {
                    Err(de::Error::custom("it is not the name of a variable (letters, digits and _)"))
                }
            }
            (Some((key, toml::Value::String(path))), None) if key == "file" && path.starts_with('/') => {
                Ok(Self::File(path.into()))
            }
            (Some((key, toml::Value::String(_))), None) if key == "file" => {
                Err(de::Error::custom("the path of the file must begin with /"))
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    use super::SecretRef;

    impl JsonSchema for SecretRef {
        fn schema_name() -> Cow<'static, str> {
            "Secret".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let one = |key: &str, what: &str| {
                serde_json::json!({ "type": "object", "additionalProperties": false, "required": [key],
                    "properties": { key: { "description": what, "type": "string" } } })
            };
            json_schema!({ "description": "Where a secret is kept; never the secret.",
                "oneOf": [one("env", "A variable of the environment."), one("file", "A file that holds nothing else.")] })
        }
    }
}
