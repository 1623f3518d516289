//! The policies of `akia config-rule` and `akia events`.

use super::document::{PolicyDocument, Statement};
use crate::config_rule::TopicArn;
use crate::ids::Partition;

/// What `akia config-rule` needs beside what `akia audit` reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRuleRights {
    /// The partition of the ARNs.
    pub partition: Partition,
    /// The name of the EventBridge rule.
    pub name: String,
    /// The topic, where one is told.
    pub topic: Option<TopicArn>,
    /// Whether its policy may be changed.
    pub grant: bool,
    /// Whether the organisation's rule is made.
    pub for_organization: bool,
}

/// The policy of `akia config-rule`. Rules of Config have ids that AWS makes up, so they cannot be named.
#[must_use]
pub fn config_rule_policy(rights: &ConfigRuleRights) -> PolicyDocument {
    let partition = rights.partition;
    let mut statements = vec![
        Statement::allow(
            "ReadConfig",
            [
                "config:DescribeConfigRuleEvaluationStatus",
                "config:DescribeConfigRules",
                "config:DescribeConfigurationRecorders",
                "config:DescribeConfigurationRecorderStatus",
                "config:GetComplianceDetailsByConfigRule",
                "config:ListTagsForResource",
            ],
            "*",
        ),
        Statement::allow(
            "ManageConfigRules",
            ["config:DeleteConfigRule", "config:PutConfigRule", "config:TagResource"],
            format!("arn:{partition}:config:*:*:config-rule/*"),
        ),
        Statement::allow(
            "ManageEventRule",
            [
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:ListTargetsByRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
                "events:TagResource",
            ],
            format!("arn:{partition}:events:*:*:rule/{}", rights.name),
        ),
    ];
    if let Some(topic) = &rights.topic {
        let actions: &[&str] = if rights.grant {
            &["sns:GetTopicAttributes", "sns:SetTopicAttributes"]
        } else {
            &["sns:GetTopicAttributes"]
        };
        statements.push(Statement::allow("ReadTopic", actions, topic.as_str()));
    }
    if rights.for_organization {
        statements.push(Statement::allow(
            "ManageOrganizationConfigRule",
            [
                "config:DeleteOrganizationConfigRule",
                "config:DescribeOrganizationConfigRules",
                "config:GetOrganizationConfigRuleDetailedStatus",
                "config:PutOrganizationConfigRule",
                "organizations:DescribeOrganization",
                "organizations:EnableAWSServiceAccess",
                "organizations:ListAWSServiceAccessForOrganization",
                "organizations:ListDelegatedAdministrators",
            ],
            "*",
        ));
    }
    PolicyDocument::new(statements)
}

/// The policy of `akia events`: takes messages from the queue, and asks IAM about the users that they name. `queue` is an ARN.
#[must_use]
pub fn events_policy(partition: Partition, queue: &str) -> PolicyDocument {
    PolicyDocument::new(vec![
        Statement::allow("TakeEvents", ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], queue),
        Statement::allow(
            "LookAtKeys",
            ["iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListAccessKeys"],
            format!("arn:{partition}:iam::*:user/*"),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies() {
        let small = ConfigRuleRights {
            partition: Partition::Aws,
            name: "akia-access-keys-rotated".to_owned(),
            topic: None,
            grant: false,
            for_organization: false,
        };
        let large = ConfigRuleRights {
            topic: "arn:aws-cn:sns:cn-north-1:123456789012:alerts".parse().ok(),
            partition: Partition::AwsCn,
            grant: true,
            for_organization: true,
            ..small.clone()
        };
        insta::assert_snapshot!("config_rule", config_rule_policy(&small).to_pretty_json());
        insta::assert_snapshot!("config_rule_all", config_rule_policy(&large).to_pretty_json());
        let events = events_policy(Partition::Aws, "arn:aws:sqs:*:*:akia-events");
        insta::assert_snapshot!("events", events.to_pretty_json());
    }
}
