//! A service user by hand: the AWS CLI's command for each change of `akia service create`.

use std::collections::BTreeMap;

use super::aws_cli::{Connection, Words};
use super::step::Step;
use crate::service::{Change, POLICY_NAME};

/// A service user, as far as commands name it. The group has the user's name.
#[derive(Debug, Clone, Copy)]
pub struct ByHand<'a> {
    /// User and group.
    pub user: &'a str,
    /// The path of both.
    pub path: &'a str,
    /// The policy: JSON, or `file://…`.
    pub policy: &'a str,
    /// The tags of a new user.
    pub tags: &'a BTreeMap<String, String>,
    /// The permissions boundary.
    pub boundary: Option<&'a str>,
}

impl ByHand<'_> {
    /// The commands of these changes, in their order.
    #[must_use]
    pub fn steps(&self, changes: &[Change], connection: &Connection) -> Vec<Step> {
        changes.iter().map(|change| self.step(change, connection)).collect()
    }

    fn step(&self, change: &Change, connection: &Connection) -> Step {
        let name = self.user;
        let iam = |operation: &str| Words::new("iam", operation);
        let (comment, words) = match change {
            Change::CreateGroup => (
                "A group that holds the rights.",
                iam("create-group").option("--group-name", name).option("--path", self.path),
            ),
            Change::PutGroupPolicy { .. } => (
                "Its rights: the least that the service needs.",
                iam("put-group-policy")
                    .option("--group-name", name)
                    .option("--policy-name", POLICY_NAME)
                    .option("--policy-document", self.policy),
            ),
            Change::CreateUser => (
                "The user, under a path of its own and with an owner to ask. No password: no console.",
                iam("create-user")
                    .option("--user-name", name)
                    .option("--path", self.path)
                    .optional("--permissions-boundary", self.boundary)
                    .list("--tags", &tag_words(self.tags)),
            ),
            Change::PutBoundary { .. } => (
                "The permissions boundary: what it does not allow, no policy of the user does.",
                iam("put-user-permissions-boundary")
                    .option("--user-name", name)
                    .option("--permissions-boundary", self.boundary.unwrap_or("BOUNDARY-ARN")),
            ),
            Change::TagUser { tags, .. } => (
                "Whose it is, and what for.",
                iam("tag-user").option("--user-name", name).list("--tags", &tag_words(tags)),
            ),
            Change::AddToGroup => {
                ("Into the group.", iam("add-user-to-group").option("--group-name", name).option("--user-name", name))
            }
        };
        Step::new(comment, words.connect(connection))
    }
}

/// The shorthand of the AWS CLI, in which a comma would begin the next part.
fn tag_words(tags: &BTreeMap<String, String>) -> Vec<String> {
    tags.iter().map(|(name, value)| format!("Key={name},Value={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_its_command() {
        let tags = BTreeMap::from([("owner".to_owned(), "team a".to_owned()), ("service".to_owned(), "x".to_owned())]);
        let by_hand = ByHand {
            user: "service-x",
            path: "/service/",
            policy: "file://policy.json",
            tags: &tags,
            boundary: Some("arn:aws:iam::123456789012:policy/b"),
        };
        let changes = [
            Change::CreateGroup,
            Change::PutGroupPolicy { before: None },
            Change::CreateUser,
            Change::PutBoundary { before: None },
            Change::TagUser { tags: tags.clone(), before: BTreeMap::new() },
            Change::AddToGroup,
        ];
        let steps = by_hand.steps(&changes, &Connection::default());
        let shells: Vec<String> = steps.iter().map(Step::shell).collect();
        insta::assert_snapshot!(shells.join("\n"), @r#"
        aws iam create-group --group-name service-x --path /service/
        aws iam put-group-policy --group-name service-x --policy-name service-policy --policy-document file://policy.json
        aws iam create-user --user-name service-x --path /service/ --permissions-boundary arn:aws:iam::123456789012:policy/b --tags 'Key=owner,Value=team a' Key=service,Value=x
        aws iam put-user-permissions-boundary --user-name service-x --permissions-boundary arn:aws:iam::123456789012:policy/b
        aws iam tag-user --user-name service-x --tags 'Key=owner,Value=team a' Key=service,Value=x
        aws iam add-user-to-group --group-name service-x --user-name service-x
        "#);
    }
}
