//! Names and texts of a service user, parsed once.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::naming::NamePrefix;
use crate::ids::{Partition, UserName};

/// Longest name of a user (IAM and STS quotas).
const LONGEST_USER: usize = 64;

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct BadName {
    text: String,
    expected: Cow<'static, str>,
}

impl BadName {
    pub(super) fn too_long(service: &ServiceName, prefix: &NamePrefix) -> Self {
        let left = LONGEST_USER - prefix.as_str().len();
        let expected =
            format!("the name of a service behind {prefix}: at most {left} characters, for a user has {LONGEST_USER}");
        Self { text: service.to_string(), expected: expected.into() }
    }
}

fn bad<T>(text: &str, expected: &'static str) -> Result<T, BadName> {
    Err(BadName { text: text.chars().take(60).collect(), expected: expected.into() })
}

/// The name of a service, as in `backup`. `ServiceNaming` makes the name of its user of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(UserName);

impl ServiceName {
    /// It as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ServiceName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        const EXPECTED: &str = "the name of a service (letters, digits and +=,.@_-, at most 64 with the prefix)";
        text.parse().map(Self).or_else(|_| bad(text, EXPECTED))
    }
}

impl TryFrom<String> for ServiceName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $fits:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// It as AWS takes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { bad(text, $expected) }
            }
        }
    };
}

text! {
    /// An IAM path (IAM API, `Path`).
    IamPath,
    |text| {
        text.len() <= 512
            && text.starts_with('/')
            && text.ends_with('/')
            && !text.contains("//")
            && text.bytes().all(|b| b.is_ascii_graphic())
    },
    "an IAM path (/, or a name between slashes such as /service/)"
}

text! {
    /// The value of a tag that says something: 1 to 256 of the characters that IAM takes (IAM API, `Tag`).
    TagValue,
    |text| {
        let count = text.chars().count();
        (1..=256).contains(&count)
            && !text.trim().is_empty()
            && text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c))
    },
    "the value of a tag (1 to 256 letters, digits, blanks and _.:/=+-@)"
}

text! {
    /// The ARN of a managed policy that bounds a user.
    BoundaryArn,
    |text| {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let is_account = |id: &str| id == "aws" || id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        matches!(parts[..], ["arn", partition, "iam", "", account, resource]
            if partition.parse::<Partition>().is_ok() && is_account(account)
                && resource.strip_prefix("policy/").is_some_and(|name| !name.is_empty()))
    },
    "the ARN of a managed policy (arn:aws:iam::ACCOUNT:policy/NAME)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services() {
        for text in ["", "a b", "ä", &"x".repeat(65)] {
            assert!(text.parse::<ServiceName>().is_err(), "{text}");
        }
        assert_eq!("backup".parse::<ServiceName>().unwrap().as_str(), "backup");
    }

    #[test]
    fn paths_tags_and_boundaries() {
        for (text, fits) in [("/", true), ("/service/", true), ("/a/b/", true), ("service", false), ("//", false)] {
            assert_eq!(text.parse::<IamPath>().is_ok(), fits, "{text}");
        }
        for (text, fits) in [("team a@x.org", true), ("Größe", true), ("", false), (" ", false), ("a;b", false)] {
            assert_eq!(text.parse::<TagValue>().is_ok(), fits, "{text}");
        }
        for (text, fits) in [
            ("arn:aws:iam::123456789012:policy/a/b", true),
            ("arn:aws-cn:iam::aws:policy/ReadOnlyAccess", true),
            ("arn:aws:iam::123456789012:role/a", false),
            ("arn:aws:iam::12:policy/a", false),
            ("arn:aws:iam::123456789012:policy/", false),
        ] {
            assert_eq!(text.parse::<BoundaryArn>().is_ok(), fits, "{text}");
        }
    }
}
