//! The policy of `akia service`.

use std::collections::BTreeMap;

use super::document::{OneOrMany, PolicyDocument, Statement};
use crate::ids::Partition;
use crate::service::{BoundaryArn, IamPath};

/// Makes service users and their groups below one path, gives them policies and keys, and reads the account. With a boundary, it
/// makes only users that have it: without, whoever holds this can have any right, through a user of their own making.
///
/// What is read is read of every user and group: of one that is not there AWS knows no path to compare.
#[must_use]
pub fn service_policy(partition: Partition, path: &IamPath, boundary: Option<&BoundaryArn>) -> PolicyDocument {
    let below = |kind: &str, path: &str| format!("arn:{partition}:iam::*:{kind}{path}*");
    let (groups, users) = (below("group", path.as_str()), below("user", path.as_str()));
    let condition = boundary.map(|arn| {
        let keys = BTreeMap::from([("iam:PermissionsBoundary".to_owned(), OneOrMany::from(arn.as_str()))]);
        BTreeMap::from([("StringEquals".to_owned(), keys)])
    });
    // Whoever could take a boundary off would not be bound.
    let mut making = vec!["iam:CreateUser", "iam:PutUserPermissionsBoundary"];
    if boundary.is_none() {
        making.push("iam:DeleteUserPermissionsBoundary");
    }
    PolicyDocument::new(vec![
        Statement::allow(
            "MakeServiceGroups",
            [
                "iam:AddUserToGroup",
                "iam:CreateGroup",
                "iam:DeleteGroup",
                "iam:DeleteGroupPolicy",
                "iam:PutGroupPolicy",
                "iam:RemoveUserFromGroup",
            ],
            groups,
        ),
        Statement { condition, ..Statement::allow("MakeServiceUsers", making, users.as_str()) },
        Statement::allow(
            "ManageServiceUsers",
            ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:DeleteUser", "iam:TagUser", "iam:UntagUser"],
            users,
        ),
        Statement::allow(
            "ReadGroups",
            ["iam:GetGroup", "iam:GetGroupPolicy", "iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies"],
            below("group", "/"),
        ),
        Statement::allow(
            "ReadUsers",
            [
                "iam:GetAccessKeyLastUsed",
                "iam:GetLoginProfile",
                "iam:GetUser",
                "iam:ListAccessKeys",
                "iam:ListAttachedUserPolicies",
                "iam:ListGroupsForUser",
                "iam:ListMFADevices",
                "iam:ListUserPolicies",
            ],
            below("user", "/"),
        ),
        Statement::allow(
            "ReadAccount",
            [
                "cloudtrail:LookupEvents",
                "iam:GenerateCredentialReport",
                "iam:GetAccountAuthorizationDetails",
                "iam:GetCredentialReport",
                "iam:ListAccountAliases",
                "iam:ListServiceSpecificCredentials",
            ],
            "*",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy() {
        let path = "/service/".parse().unwrap();
        let boundary = "arn:aws:iam::123456789012:policy/b".parse().unwrap();
        insta::assert_snapshot!("plain", service_policy(Partition::AwsCn, &path, None).to_pretty_json());
        let bounded = service_policy(Partition::Aws, &path, Some(&boundary)).to_pretty_json();
        assert!(!bounded.contains("iam:DeleteUserPermissionsBoundary"), "{bounded}");
        insta::assert_snapshot!("bounded", bounded);
    }
}
