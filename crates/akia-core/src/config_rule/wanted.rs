//! What is to be set up, and the requests that say so.
//!
//! Sources: <https://docs.aws.amazon.com/config/latest/developerguide/access-keys-rotated.html>,
//! <https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html>,
//! <https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html>.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::ids::{AccountId, IdError, Partition, Region};

/// The managed rule.
pub const IDENTIFIER: &str = "ACCESS_KEYS_ROTATED";
/// The tag on what akia makes.
pub const MARK: (&str, &str) = ("akia:managed", "config-rule");
/// The id of the target of the EventBridge rule.
pub const TARGET: &str = "akia-sns";

/// The name of the rule, in Config and in EventBridge: the narrower of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName(String);

impl RuleName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for RuleName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "a name for a rule (1 to 64 letters, digits, - and _)"))
        }
    }
}

/// A topic of SNS that EventBridge can send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicArn {
    text: String,
    /// The region.
    pub region: Region,
    /// The account.
    pub account: AccountId,
}

impl TopicArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl FromStr for TopicArn {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let [arn, partition, service, region, account, name] =
                <[&str; 6]>::try_from(text.split(':').collect::<Vec<_>>()).ok()?;
            (arn == "arn" && service == "sns").then_some(())?;
            partition.parse::<Partition>().ok()?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            ((1..=256).contains(&name.len()) && name.bytes().all(is_plain)).then_some(())?;
            Some(Self { text: text.to_owned(), region: region.parse().ok()?, account: account.parse().ok()? })
        };
        parse().ok_or_else(|| {
            IdError::new(text, "the ARN of a standard topic (arn:aws:sns:REGION:ACCOUNT:NAME; no .fifo)")
        })
    }
}

/// What is to be set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The name.
    pub name: RuleName,
    /// Days that a key may have.
    pub max_age_days: u32,
    /// Where findings are told.
    pub topic: Option<TopicArn>,
    /// Whether every account of the organisation gets the rule.
    pub for_organization: bool,
    /// Accounts of the organisation that do not.
    pub excluded: Vec<AccountId>,
}

impl Wanted {
    /// `InputParameters`: JSON in a text; the values are texts, too.
    #[must_use]
    pub fn parameters(&self) -> String {
        json!({ "maxAccessKeyAge": self.max_age_days.to_string() }).to_string()
    }

    /// What the rule says of itself. An organisation's rule takes no tags: there this is the mark.
    #[must_use]
    pub fn description(&self) -> String {
        format!("Active access keys are at most {} days old. Made by akia config-rule.", self.max_age_days)
    }

    /// `ConfigRule` of `PutConfigRule`.
    #[must_use]
    pub fn config_rule(&self) -> Value {
        json!({
            "ConfigRuleName": self.name.as_str(),
            "Description": self.description(),
            "Source": { "Owner": "AWS", "SourceIdentifier": IDENTIFIER },
            "InputParameters": self.parameters(),
            "MaximumExecutionFrequency": "TwentyFour_Hours",
        })
    }

    /// The body of `PutOrganizationConfigRule`.
    #[must_use]
    pub fn organization_rule(&self) -> Value {
        let excluded: Vec<&str> = self.excluded.iter().map(AccountId::as_str).collect();
        json!({
            "OrganizationConfigRuleName": self.name.as_str(),
            "OrganizationManagedRuleMetadata": {
                "Description": self.description(),
                "RuleIdentifier": IDENTIFIER,
                "InputParameters": self.parameters(),
                "MaximumExecutionFrequency": "TwentyFour_Hours",
            },
            "ExcludedAccounts": excluded,
        })
    }

    /// What the EventBridge rule matches: a user becomes noncompliant. In the accounts of an organisation Config calls its rule
    /// `OrgConfigRule-NAME-…`.
    #[must_use]
    pub fn event_pattern(&self) -> Value {
        let name = match self.for_organization {
            true => json!({ "prefix": format!("OrgConfigRule-{}-", self.name) }),
            false => json!(self.name.as_str()),
        };
        json!({
            "source": ["aws.config"],
            "detail-type": ["Config Rules Compliance Change"],
            "detail": {
                "messageType": ["ComplianceChangeNotification"],
                "configRuleName": [name],
                "newEvaluationResult": { "complianceType": ["NON_COMPLIANT"] },
            },
        })
    }

    /// The target of the EventBridge rule: words for people in place of the event.
    #[must_use]
    pub fn target(&self, topic: &TopicArn) -> Value {
        let words = format!(
            "AWS Config: IAM user <user> in account <account> has an active access key older than {} days (rule <rule> in \
             <region>, <at>). Which key: akia audit --rule key-age, or akia config-rule status.",
            self.max_age_days
        );
        json!({
            "Id": TARGET,
            "Arn": topic.as_str(),
            "InputTransformer": {
                "InputPathsMap": {
                    "user": "$.detail.resourceId",
                    "account": "$.detail.awsAccountId",
                    "rule": "$.detail.configRuleName",
                    "region": "$.detail.awsRegion",
                    "at": "$.detail.notificationCreationTime",
                },
                "InputTemplate": format!("\"{words}\""),
            },
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::config_rule) fn wanted() -> Wanted {
        Wanted {
            name: "akia-access-keys-rotated".parse().unwrap(),
            max_age_days: 90,
            topic: "arn:aws:sns:eu-west-1:123456789012:alerts".parse().ok(),
            for_organization: false,
            excluded: Vec::new(),
        }
    }

    #[test]
    fn the_requests() {
        let wanted = wanted();
        let organization =
            Wanted { for_organization: true, excluded: vec!["210987654321".parse().unwrap()], ..wanted.clone() };
        let topic = wanted.topic.clone().unwrap();
        insta::assert_json_snapshot!([
            wanted.config_rule(),
            wanted.event_pattern(),
            wanted.target(&topic),
            organization.organization_rule(),
            organization.event_pattern(),
        ]);
    }

    #[test]
    fn a_topic_is_a_standard_one() {
        for text in [
            "arn:aws:sns:eu-west-1:123456789012:alerts.fifo",
            "arn:aws:sqs:eu-west-1:123456789012:alerts",
            "arn:aws:sns:eu-west-1:12:alerts",
            "arn:aws:sns:eu-west-1:123456789012:alerts:sub",
            "alerts",
        ] {
            assert!(text.parse::<TopicArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_fits_config_and_eventbridge() {
        let long = "a".repeat(65);
        for text in ["", "a b", "ä", long.as_str(), "a.b"] {
            assert!(text.parse::<RuleName>().is_err(), "{text}");
        }
    }
}
