//! Who signs: the answer of `sts:GetCallerIdentity`, read exactly.

use akia_core::ids::{AccountId, Partition, UserArn};

/// What `sts:GetCallerIdentity` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The ARN as AWS writes it.
    pub arn: String,
    /// The account.
    pub account: AccountId,
    /// The unique id: `AIDA…` for a user, `AROA…:session` for a role, the account id for root.
    pub user_id: String,
}

/// The kind of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityKind {
    /// An IAM user.
    User(UserArn),
    /// The root user of the account.
    Root {
        /// The account.
        account: AccountId,
    },
    /// A role session.
    AssumedRole {
        /// The role's name (AWS leaves its path out).
        role: String,
        /// The session's name.
        session: String,
    },
    /// A federated user (`sts:GetFederationToken`).
    FederatedUser {
        /// Its name.
        name: String,
    },
    /// Anything that is none of these; an emulator's invention, or news from AWS.
    Other,
}

impl CallerIdentity {
    /// What kind of identity the ARN names. An ARN that is not exactly one of AWS's forms is [`IdentityKind::Other`].
    #[must_use]
    pub fn kind(&self) -> IdentityKind {
        let mut parts = self.arn.splitn(6, ':');
        let (Some("arn"), Some(_), Some(service), Some(""), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return IdentityKind::Other;
        };
        if account != self.account.as_str() {
            return IdentityKind::Other;
        }
        match (service, resource) {
            ("iam", "root") => IdentityKind::Root { account: self.account.clone() },
            ("iam", _) => self.arn.parse().map_or(IdentityKind::Other, IdentityKind::User),
            ("sts", _) => session(resource),
            _ => IdentityKind::Other,
        }
    }

    /// The partition that the ARN names, where it is one that akia knows.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        self.arn.split(':').nth(1)?.parse().ok()
    }
}

fn session(resource: &str) -> IdentityKind {
    let parts: Vec<&str> = resource.split('/').collect();
    match parts.as_slice() {
        ["assumed-role", role, session] if !role.is_empty() && !session.is_empty() => {
            IdentityKind::AssumedRole { role: (*role).to_owned(), session: (*session).to_owned() }
        }
        ["federated-user", name] if !name.is_empty() => IdentityKind::FederatedUser { name: (*name).to_owned() },
        _ => IdentityKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(arn: &str) -> IdentityKind {
        CallerIdentity {
            arn: arn.to_owned(),
            account: "123456789012".parse().unwrap(),
            user_id: "AIDACKCEVSQ6C2EXAMPLE".to_owned(),
        }
        .kind()
    }

    #[test]
    fn each_form_is_read_and_nothing_else_passes_for_one() {
        assert!(matches!(kind("arn:aws:iam::123456789012:user/ann"), IdentityKind::User(arn) if arn.path == "/"));
        assert!(
            matches!(kind("arn:aws-cn:iam::123456789012:user/a/b/ann"), IdentityKind::User(a) if a.path == "/a/b/")
        );
        assert!(matches!(kind("arn:aws:iam::123456789012:root"), IdentityKind::Root { .. }));
        assert_eq!(
            kind("arn:aws:sts::123456789012:assumed-role/admin/ann@example.com"),
            IdentityKind::AssumedRole { role: "admin".to_owned(), session: "ann@example.com".to_owned() }
        );
        assert!(matches!(kind("arn:aws:sts::123456789012:federated-user/ann"), IdentityKind::FederatedUser { .. }));
        // What moto answers for a key that it does not know.
        assert_eq!(kind("arn:aws:sts::123456789012:user/moto"), IdentityKind::Other);
        assert_eq!(kind("arn:aws:iam::999999999999:user/ann"), IdentityKind::Other, "another account's ARN");
        assert_eq!(kind("arn:aws:iam::999999999999:root"), IdentityKind::Other);
        for odd in [
            "",
            "arn",
            "arn:aws:iam::123456789012",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:sts::123456789012:assumed-role/x",
        ] {
            assert_eq!(kind(odd), IdentityKind::Other, "{odd}");
        }
    }
}
