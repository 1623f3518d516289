//! A secret of AWS Secrets Manager.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Described;
use super::PlaceDefaults;
use super::names::{CombinedForm, KeyNames};
use crate::ids::{ProfileName, Region};

/// A secret, whose value changes as a whole: id and secret are never torn.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "SecretTable", into = "SecretTable")]
pub struct SecretsManagerSecret {
    /// Its name or ARN.
    pub secret: SecretId,
    /// How the key stands in its value.
    pub value: SecretValue,
    /// Who signs the calls.
    pub profile: Option<ProfileName>,
    /// Where it is.
    pub region: Option<Region>,
}

/// How a key stands in the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretValue {
    /// The value is a JSON object, and the key stands under these names of it; its other names stay as they are.
    Json(KeyNames),
    /// The whole value is the key, in this form.
    Whole(CombinedForm),
}

/// The name or the ARN of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretId(String);

/// Why a place at Secrets Manager makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretIdError {
    /// Neither form.
    #[error(
        "{0:?} is neither the name of a secret (letters, digits and /_+=.@-) nor its ARN \
         (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX)"
    )]
    Malformed(String),
    /// ARN and region say different things.
    #[error("the secret is in {arn}, as its ARN says, and region says {region}; leave region out")]
    OtherRegion {
        /// That of the ARN.
        arn: Region,
        /// That of the table.
        region: Region,
    },
    /// Two ways of writing the key.
    #[error(
        "whole says that the secret is the key alone, and names says where in it the key stands; write one of them"
    )]
    Both,
}

/// The place as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SecretTable {
    /// Name or ARN of the secret.
    #[cfg_attr(test, schemars(with = "String"))]
    secret: SecretId,
    /// Where in the JSON object of its value the key stands; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names: Option<KeyNames>,
    /// The value is the key alone, in this form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<CombinedForm>,
    /// The profile that signs; that of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    profile: Option<ProfileName>,
    /// The region; that of the ARN, else of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    region: Option<Region>,
}

impl SecretsManagerSecret {
    /// With who signs, and where.
    #[must_use]
    pub(super) fn completed(self, defaults: &PlaceDefaults) -> Self {
        let region = self.region.or_else(|| self.secret.region()).or_else(|| defaults.region.clone());
        Self { profile: self.profile.or_else(|| Some(defaults.profile.clone())), region, ..self }
    }
}

impl SecretId {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an ARN: then the secret exists, or has existed.
    #[must_use]
    pub fn is_arn(&self) -> bool {
        self.0.starts_with("arn:")
    }

    /// The region that its ARN names.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        if self.is_arn() { self.0.split(':').nth(3)?.parse().ok() } else { None }
    }
}

impl FromStr for SecretId {
    type Err = SecretIdError;

    fn from_str(text: &str) -> Result<Self, SecretIdError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        let is_name = |name: &str| (1..=512).contains(&name.len()) && name.bytes().all(is_plain);
        let fits = match text.strip_prefix("arn:") {
            Some(rest) => match *rest.splitn(6, ':').collect::<Vec<_>>() {
                [partition, "secretsmanager", region, account, "secret", name] => {
                    partition.starts_with("aws")
                        && region.parse::<Region>().is_ok()
                        && account.len() == 12
                        && account.bytes().all(|byte| byte.is_ascii_digit())
                        && is_name(name)
                }
                _ => false,
            },
            None => is_name(text),
        };
        if fits { Ok(Self(text.to_owned())) } else { Err(SecretIdError::Malformed(text.to_owned())) }
    }
}

impl TryFrom<String> for SecretId {
    type Error = SecretIdError;

    fn try_from(text: String) -> Result<Self, SecretIdError> {
        text.parse()
    }
}

impl From<SecretId> for String {
    fn from(id: SecretId) -> Self {
        id.0
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<SecretTable> for SecretsManagerSecret {
    type Error = SecretIdError;

    fn try_from(table: SecretTable) -> Result<Self, SecretIdError> {
        let SecretTable { secret, names, whole, profile, region } = table;
        if let (Some(arn), Some(region)) = (secret.region(), &region)
            && arn != *region
        {
            return Err(SecretIdError::OtherRegion { arn, region: region.clone() });
        }
        let value = match (whole, names) {
            (Some(_), Some(_)) => return Err(SecretIdError::Both),
            (Some(form), None) => SecretValue::Whole(form),
            (None, names) => SecretValue::Json(names.unwrap_or_default()),
        };
        Ok(Self { secret, value, profile, region })
    }
}

impl From<SecretsManagerSecret> for SecretTable {
    fn from(place: SecretsManagerSecret) -> Self {
        let SecretsManagerSecret { secret, value, profile, region } = place;
        let (names, whole) = match value {
            SecretValue::Json(names) => (Some(names), None),
            SecretValue::Whole(form) => (None, Some(form)),
        };
        Self { secret, names, whole, profile, region }
    }
}

impl Described for SecretsManagerSecret {
    fn spot(&self) -> String {
        self.secret.to_string()
    }
}

impl fmt::Display for SecretsManagerSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "secret {} of Secrets Manager", self.secret)?;
        match &self.region {
            Some(region) if !self.secret.is_arn() => write!(formatter, " in {region}"),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    use super::{SecretTable, SecretsManagerSecret};

    impl JsonSchema for SecretsManagerSecret {
        fn schema_name() -> Cow<'static, str> {
            "SecretsManagerSecret".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            SecretTable::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/billing-a1B2c3";

    fn place(text: &str) -> Result<SecretsManagerSecret, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn a_secret_has_a_name_or_an_arn() {
        for id in ["billing", "app/billing@prod_1+2=3.", ARN] {
            assert_eq!(id.parse::<SecretId>().unwrap().to_string(), id);
        }
        let long = "a".repeat(513);
        let foreign = ARN.replace("secretsmanager", "ssm");
        for id in ["", "two words", "a:b", &long, "arn:aws:secretsmanager:eu-west-1:1:secret:a", &foreign] {
            assert_eq!(id.parse::<SecretId>(), Err(SecretIdError::Malformed(id.to_owned())));
        }
        assert_eq!(ARN.parse::<SecretId>().unwrap().region(), Some("eu-west-1".parse().unwrap()));
    }

    #[test]
    fn a_place_is_declared_one_way() {
        let plain = place("secret = \"billing\"").unwrap();
        assert_eq!(plain.value, SecretValue::Json(KeyNames::default()));
        assert_eq!(place("secret = \"b\"\nwhole = \"env\"").unwrap().value, SecretValue::Whole(CombinedForm::Env));
        let both = place("secret = \"b\"\nwhole = \"env\"\n[names]\nid = \"A\"").unwrap_err();
        assert_eq!(both, SecretIdError::Both.to_string());
        let elsewhere = place(&format!("secret = \"{ARN}\"\nregion = \"us-east-1\"")).unwrap_err();
        assert!(elsewhere.contains("leave region out"), "{elsewhere}");
        assert!(place("secret = \"b\"\nwhat = 1").unwrap_err().contains("unknown field `what`"));
    }

    #[test]
    fn what_is_left_out_comes_from_the_arn_and_the_service() {
        let defaults = PlaceDefaults { profile: "ops".parse().unwrap(), region: Some("us-west-2".parse().unwrap()) };
        let named = place("secret = \"billing\"").unwrap().completed(&defaults);
        assert_eq!(named.to_string(), "secret billing of Secrets Manager in us-west-2");
        assert_eq!(named.profile, Some("ops".parse().unwrap()));
        let by_arn = place(&format!("secret = \"{ARN}\"\nprofile = \"own\"")).unwrap().completed(&defaults);
        assert_eq!((by_arn.profile, by_arn.region), ("own".parse().ok(), "eu-west-1".parse().ok()));
    }
}
