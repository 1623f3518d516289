//! What the users of services are called, and below which path they stand. Create, list, check, policies and the rules that tell
//! services from people all ask here.

use std::fmt;
use std::str::FromStr;

use super::name::{BadName, IamPath, ServiceName};
use crate::ids::UserName;

/// The IAM path of service users, where no other is asked for.
const PATH: &str = "/service/";
/// What their names begin with, where nothing else is said.
const PREFIX: &str = "service-";
/// Longest prefix: at least half of the 64 characters of a user's name are left to the service.
const LONGEST: usize = 32;

/// What the names of service users and of their groups begin with: 1 to 32 of the characters of a user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePrefix(String);

/// Why a text is not what names could begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPrefix {
    /// Every name begins with nothing.
    #[error(
        "an empty prefix tells no service from a person; write for example \"svc-\", or user = \"NAME\" below the one \
         [service.NAME] that is called otherwise"
    )]
    Empty,
    /// Too long, or of other characters.
    #[error("it is not the beginning of a user's name: 1 to {LONGEST} letters, digits and +=,.@_-")]
    Characters,
}

impl NamePrefix {
    /// It as it stands before a name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a user is called so. Large and small letters are the same to IAM.
    #[must_use]
    pub fn begins(&self, name: &str) -> bool {
        name.get(..self.0.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.0))
    }
}

impl Default for NamePrefix {
    fn default() -> Self {
        Self(PREFIX.to_owned())
    }
}

impl FromStr for NamePrefix {
    type Err = BadPrefix;
    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        if text.is_empty() {
            return Err(BadPrefix::Empty);
        }
        let fits = text.len() <= LONGEST && text.parse::<UserName>().is_ok();
        if fits { Ok(Self(text.to_owned())) } else { Err(BadPrefix::Characters) }
    }
}

impl fmt::Display for NamePrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// How an organisation calls its service users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceNaming {
    /// What names of users and groups begin with.
    pub prefix: NamePrefix,
    /// The path of both.
    pub path: IamPath,
}

impl Default for ServiceNaming {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, and a test reads it")]
        let path = PATH.parse().expect("a path");
        Self { prefix: NamePrefix::default(), path }
    }
}

impl ServiceNaming {
    /// The service, which may be named with the prefix or without, and its user, which is also the name of its group.
    ///
    /// # Errors
    /// When nothing stands behind the prefix, or the user's name would be longer than 64.
    pub fn service(&self, named: &ServiceName) -> Result<(ServiceName, UserName), BadName> {
        let name = named.as_str().strip_prefix(self.prefix.as_str()).unwrap_or(named.as_str());
        let service: ServiceName = name.parse()?;
        match self.user(name) {
            Some(user) => Ok((service, user)),
            None => Err(BadName::too_long(&service, &self.prefix)),
        }
    }

    /// The user of that name with the prefix before it, where IAM takes that for a name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<UserName> {
        format!("{}{name}", self.prefix).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(prefix: &str) -> ServiceNaming {
        ServiceNaming { prefix: prefix.parse().unwrap(), ..ServiceNaming::default() }
    }

    #[test]
    fn a_service_is_named_with_its_prefix_or_without() {
        for (naming, names) in [
            (ServiceNaming::default(), ["backup", "service-backup", "service-backup"]),
            (naming("svc."), ["backup", "svc.backup", "svc.backup"]),
            // The prefix of others is a part of the name.
            (naming("svc-"), ["service-backup", "svc-service-backup", "svc-service-backup"]),
        ] {
            for named in &names[..2] {
                let (service, user) = naming.service(&named.parse().unwrap()).unwrap();
                assert_eq!((service.as_str(), user.as_str()), (names[0], names[2]));
            }
        }
    }

    #[test]
    fn a_name_that_is_only_a_prefix_or_too_long_is_refused() {
        let naming = ServiceNaming::default();
        let service = |text: &str| naming.service(&text.parse().unwrap());
        assert!(service("service-").is_err());
        assert!(service(&"x".repeat(56)).is_ok());
        let error = service(&"x".repeat(57)).unwrap_err().to_string();
        assert!(error.contains("64") && error.contains("service-"), "{error}");
    }

    #[test]
    fn what_no_name_can_begin_with_is_no_prefix() {
        for (text, why) in [
            ("", BadPrefix::Empty),
            ("svc ", BadPrefix::Characters),
            ("svc/", BadPrefix::Characters),
            ("svc-*", BadPrefix::Characters),
            ("ä", BadPrefix::Characters),
            (&"x".repeat(33), BadPrefix::Characters),
        ] {
            assert_eq!(text.parse::<NamePrefix>(), Err(why), "{text:?}");
        }
        assert!("x".repeat(32).parse::<NamePrefix>().is_ok());
    }

    #[test]
    fn users_are_called_so_in_large_letters_too() {
        let prefix: NamePrefix = "svc-".parse().unwrap();
        for (name, begins) in [("svc-a", true), ("SVC-a", true), ("service-a", false), ("svc", false), ("svä-", false)]
        {
            assert_eq!(prefix.begins(name), begins, "{name}");
        }
    }
}
