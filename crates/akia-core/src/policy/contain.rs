//! The policy of `akia contain`.

use super::document::{PolicyDocument, Statement};
use super::organization::Duty;
use crate::ids::Partition;

/// Finds out whose key it is, what it could do and did, shuts or replaces it, and denies sessions of before, at every user of the
/// account.
#[must_use]
pub fn contain_policy(partition: Partition) -> PolicyDocument {
    let users = format!("arn:{partition}:iam::*:user/*");
    let mut statements = vec![
        Statement::allow(
            "LookAtUsers",
            [
                "iam:GetAccessKeyLastUsed",
                "iam:GetUser",
                "iam:ListAccessKeys",
                "iam:ListAttachedUserPolicies",
                "iam:ListUserPolicies",
                "iam:SimulatePrincipalPolicy",
            ],
            users.as_str(),
        ),
        Statement::allow(
            "ShutAndReplaceKeys",
            ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey"],
            users.as_str(),
        ),
        Statement::allow(
            "ReadAccountAndTrail",
            [
                "cloudtrail:LookupEvents",
                "iam:GetAccountAuthorizationDetails",
                "iam:GetAccountSummary",
                "sts:GetAccessKeyInfo",
            ],
            "*",
        ),
    ];
    let is_new = |one: &Statement| one.sid == "DenySessions" || one.sid == "AttachDenial";
    statements.extend(Duty::Quarantine.policy(partition).statement.into_iter().filter(is_new));
    PolicyDocument::new(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy() {
        insta::assert_snapshot!(contain_policy(Partition::Aws).to_pretty_json());
    }
}
