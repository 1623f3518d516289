//! Whether the policy of a topic lets EventBridge publish, and the statement that does.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>, "Amazon SNS permissions". Without
//! it EventBridge drops the message, and nobody is told.

use serde_json::{Value, json};

use super::wanted::{RuleName, TopicArn};
use crate::ids::{AccountId, Partition, Region};

const SERVICE: &str = "events.amazonaws.com";

/// The policy of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPolicy {
    /// The document.
    pub document: Value,
    /// The key that encrypts the topic, where one does.
    pub kms_key: Option<String>,
}

/// The statement that lets the EventBridge rule publish to the topic, and no other.
#[must_use]
pub fn statement(name: &RuleName, topic: &TopicArn, account: &AccountId, region: &Region) -> Value {
    let partition = Partition::of_region(region);
    let sid: String = name.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    json!({
        "Sid": format!("AkiaConfigRule{sid}"),
        "Effect": "Allow",
        "Principal": { "Service": SERVICE },
        "Action": "sns:Publish",
        "Resource": topic.as_str(),
        "Condition": { "ArnEquals": { "aws:SourceArn": format!("arn:{partition}:events:{region}:{account}:rule/{name}") } },
    })
}

impl TopicPolicy {
    /// Whether EventBridge may publish. A statement with a condition other than `statement`'s own counts as no: akia does not weigh
    /// conditions.
    #[must_use]
    pub fn lets_publish(&self, statement: &Value) -> bool {
        let statements = self.statements();
        let plain = |one: &&Value| {
            let is_service = |principal: &Value| any(principal, |text| text == SERVICE);
            one["Effect"] == "Allow"
                && is_service(&one["Principal"]["Service"])
                && any(&one["Action"], |text| ["sns:publish", "sns:*", "*"].contains(&text.to_lowercase().as_str()))
                && any(&one["Resource"], |text| text == "*" || statement["Resource"] == text)
                && one.get("Condition").is_none()
        };
        statements.contains(statement) || statements.iter().any(|one| plain(&one))
    }

    /// Whether something in it denies EventBridge to publish, whatever is allowed.
    #[must_use]
    pub fn denies_publish(&self) -> bool {
        self.statements().iter().any(|one| {
            let is_meant = one["Principal"] == "*"
                || any(&one["Principal"]["Service"], |text| text == SERVICE)
                || any(&one["Principal"]["AWS"], |text| text == "*");
            one["Effect"] == "Deny"
                && is_meant
                && any(&one["Action"], |text| ["sns:publish", "sns:*", "*"].contains(&text.to_lowercase().as_str()))
                && one.get("Condition").is_none()
        })
    }

    /// The policy with the statement in it; nothing else of it changes.
    #[must_use]
    pub fn with(&self, statement: &Value) -> Value {
        let mut statements: Vec<Value> =
            self.statements().into_iter().filter(|one| one["Sid"] != statement["Sid"]).collect();
        statements.push(statement.clone());
        self.of(statements)
    }

    /// The policy without the statement, where it holds exactly that.
    #[must_use]
    pub fn without(&self, statement: &Value) -> Option<Value> {
        let statements = self.statements();
        let rest: Vec<Value> = statements.iter().filter(|one| *one != statement).cloned().collect();
        (rest.len() < statements.len()).then(|| self.of(rest))
    }

    /// A single statement may stand without a list.
    fn statements(&self) -> Vec<Value> {
        match &self.document["Statement"] {
            Value::Array(list) => list.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        }
    }

    fn of(&self, statements: Vec<Value>) -> Value {
        let mut document = self.document.clone();
        if !document.is_object() {
            document = json!({ "Version": "2012-10-17" });
        }
        document["Statement"] = Value::Array(statements);
        document
    }
}

/// Whether one of the texts, which may stand alone, is meant.
fn any(value: &Value, is_meant: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_meant(text),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(is_meant),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Value {
        statement(
            &"akia-x_1".parse().unwrap(),
            &"arn:aws:sns:eu-west-1:123456789012:alerts".parse().unwrap(),
            &"123456789012".parse().unwrap(),
            &"eu-west-1".parse().unwrap(),
        )
    }

    fn policy(statements: Value) -> TopicPolicy {
        let document = json!({ "Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": statements });
        TopicPolicy { document, kms_key: None }
    }

    /// As SNS makes it.
    fn default() -> Value {
        json!({
            "Sid": "__default_statement_ID", "Effect": "Allow", "Principal": { "AWS": "*" },
            "Action": ["SNS:Publish", "SNS:Subscribe"], "Resource": "arn:aws:sns:eu-west-1:123456789012:alerts",
            "Condition": { "StringEquals": { "AWS:SourceOwner": "123456789012" } },
        })
    }

    #[test]
    fn the_policy_that_a_topic_is_born_with_lets_no_event_through() {
        assert!(!policy(json!([default()])).lets_publish(&ours()));
    }

    #[test]
    fn the_statement_is_added_once_found_again_and_taken_out_alone() {
        let before = policy(json!([default()]));
        let with = TopicPolicy { document: before.with(&ours()), kms_key: None };
        assert!(with.lets_publish(&ours()));
        assert_eq!(with.with(&ours()), with.document, "twice is once");
        assert_eq!(with.without(&ours()), Some(before.document.clone()));
        assert_eq!(before.without(&ours()), None);
        let single = policy(default());
        assert_eq!(single.with(&ours())["Statement"], json!([default(), ours()]));
    }

    #[test]
    fn a_statement_of_somebody_else_counts_where_it_has_no_condition() {
        let theirs = |more: Value| {
            let mut one = json!({
                "Effect": "Allow", "Principal": { "Service": ["events.amazonaws.com"] }, "Action": "sns:Publish",
                "Resource": "arn:aws:sns:eu-west-1:123456789012:alerts",
            });
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            policy(json!([one]))
        };
        assert!(theirs(json!({})).lets_publish(&ours()));
        for more in [
            json!({ "Condition": { "ArnEquals": { "aws:SourceArn": "arn:aws:events:eu-west-1:123456789012:rule/other" } } }),
            json!({ "Effect": "Deny" }),
            json!({ "Action": "sns:Subscribe" }),
            json!({ "Resource": "arn:aws:sns:eu-west-1:123456789012:other" }),
            json!({ "Principal": { "Service": "s3.amazonaws.com" } }),
        ] {
            assert!(!theirs(more.clone()).lets_publish(&ours()), "{more}");
        }
        assert!(theirs(json!({ "Effect": "Deny", "Principal": "*" })).denies_publish());
        assert!(!theirs(json!({})).denies_publish());
    }
}
