//! Parameters of Systems Manager: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::PlaceDefaults;
use super::names::KeyNames;
use crate::ids::{ProfileName, Region};

/// One parameter, or two that change one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SsmParameter {
    /// The profile that signs the calls; as the rotation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub profile: Option<ProfileName>,
    /// The region; as the rotation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub region: Option<Region>,
    /// The KMS key of a parameter that is not there yet; alias/aws/ssm. One that is there keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// The names of the parameters, with their paths.
    pub names: ParameterNames,
}

/// Names that a parameter can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "KeyNames", into = "KeyNames")]
pub struct ParameterNames(KeyNames);

/// A name that no parameter can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the name of a parameter that can be written: /PATH/NAME of letters, digits and . - _, not an ARN, and not below /aws or \
     /ssm"
)]
pub struct ParameterNameError(String);

impl ParameterNames {
    /// The names.
    #[must_use]
    pub fn names(&self) -> &KeyNames {
        &self.0
    }
}

impl TryFrom<KeyNames> for ParameterNames {
    type Error = ParameterNameError;

    fn try_from(names: KeyNames) -> Result<Self, ParameterNameError> {
        match names.list().into_iter().find(|name| !is_parameter(name)) {
            Some(wrong) => Err(ParameterNameError(wrong.to_owned())),
            None => Ok(Self(names)),
        }
    }
}

impl From<ParameterNames> for KeyNames {
    fn from(names: ParameterNames) -> Self {
        names.0
    }
}

/// A parameter in a path begins with a slash, and neither begins with what is AWS's own.
fn is_parameter(name: &str) -> bool {
    let bare = name.strip_prefix('/').unwrap_or(name).to_ascii_lowercase();
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
        && !bare.starts_with("aws/")
        && !bare.starts_with("ssm")
        && !bare.is_empty()
        && (name.starts_with('/') || !name.contains('/'))
}

impl SsmParameter {
    pub(super) fn completed(self, defaults: &PlaceDefaults) -> Self {
        Self {
            profile: self.profile.or_else(|| Some(defaults.profile.clone())),
            region: self.region.or_else(|| defaults.region.clone()),
            ..self
        }
    }
}

impl Described for SsmParameter {
    fn spot(&self) -> String {
        self.names.names().words()
    }

    fn torn(&self) -> Option<String> {
        match self.names.names() {
            KeyNames::Apart { id, secret } => Some(format!(
                "{secret} is written before {id}: who reads both in between, less than a second as a rule, gets a pair that AWS refuses, and \
                 has to read again (combined = \"NAME\" keeps both in one parameter)"
            )),
            KeyNames::Combined { .. } => None,
        }
    }
}

impl fmt::Display for SsmParameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SSM parameter {}", self.names.0.words())?;
        match &self.region {
            Some(region) => write!(formatter, " in {region}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    use super::{KeyNames, ParameterNames};

    impl JsonSchema for ParameterNames {
        fn schema_name() -> Cow<'static, str> {
            "ParameterNames".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            KeyNames::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_what_was_not_said_is_filled_in() {
        let read = |names: &str| toml::from_str::<SsmParameter>(&format!("names = {{ {names} }}"));
        let place = read("id = \"/billing/id\", secret = \"/billing/secret\"").unwrap();
        assert!(place.torn().unwrap().starts_with("/billing/secret is written before /billing/id"));
        let defaults = PlaceDefaults { profile: "work".parse().unwrap(), region: Some("eu-west-1".parse().unwrap()) };
        let completed = place.completed(&defaults);
        assert_eq!(completed.to_string(), "SSM parameter /billing/id and /billing/secret in eu-west-1");
        assert_eq!(completed.profile, Some(defaults.profile));
        assert_eq!(read("combined = \"/billing/key\"").unwrap().torn(), None);
        for name in ["arn:aws:ssm:eu-west-1:1:parameter/a", "/aws/reference/x", "a/b", "/a b", "/", "ssm-x"] {
            let error = read(&format!("combined = \"{name}\"")).unwrap_err();
            assert!(error.message().contains("is not the name of a parameter"), "{name}: {error}");
        }
    }
}
