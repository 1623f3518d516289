//! Rules of EventBridge on the default bus, and the topics that they send to.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html>.

use std::collections::BTreeMap;

use akia_core::config_rule::{EventRuleFound, TopicArn, TopicPolicy, Wanted};
use akia_core::ids::Region;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::config_service::{Tag, mark, unless};
use super::error::AwsError;
use super::options::Service;
use super::signed::{Asked, JsonApi, unescaped};

impl Caller {
    /// The rule of a name, with its tags and targets.
    pub async fn event_rule(&self, region: &Region, name: &str) -> Result<Option<EventRuleFound>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Rule {
            arn: String,
            event_pattern: Option<String>,
            state: Option<String>,
        }
        #[derive(Deserialize)]
        struct Tags {
            #[serde(default, rename = "Tags")]
            tags: Vec<Tag>,
        }
        #[derive(Deserialize)]
        struct Targets {
            #[serde(default, rename = "Targets")]
            targets: Vec<Value>,
        }
        let asked = self.events(region, "DescribeRule", &json!({ "Name": name })).await;
        let asked = asked.and_then(|answer| self.read::<Rule>("DescribeRule", answer));
        let Some(rule) = unless(asked, "ResourceNotFoundException")? else { return Ok(None) };
        let tags = self.events(region, "ListTagsForResource", &json!({ "ResourceARN": rule.arn })).await?;
        let tags: Tags = self.read("ListTagsForResource", tags)?;
        // A rule has five targets at most, and a page ten.
        let targets = self.events(region, "ListTargetsByRule", &json!({ "Rule": name })).await?;
        let targets: Targets = self.read("ListTargetsByRule", targets)?;
        let tags: BTreeMap<String, String> = tags.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        Ok(Some(EventRuleFound { pattern: rule.event_pattern, state: rule.state, tags, targets: targets.targets }))
    }

    /// Makes the rule, or changes it; tags count when it is made.
    pub async fn put_event_rule(&self, region: &Region, wanted: &Wanted) -> Result<(), AwsError> {
        let body = json!({
            "Name": wanted.name.as_str(),
            "Description": wanted.description(),
            "EventPattern": wanted.event_pattern().to_string(),
            "State": "ENABLED",
            "Tags": mark(),
        });
        self.events(region, "PutRule", &body).await.map(drop)
    }

    /// Sets the target of the rule.
    pub async fn put_event_target(&self, region: &Region, rule: &str, target: &Value) -> Result<(), AwsError> {
        let body = json!({ "Rule": rule, "Targets": [target] });
        let answer = self.events(region, "PutTargets", &body).await?;
        self.none_failed("PutTargets", &answer)
    }

    /// Takes a target off the rule.
    pub async fn remove_event_target(&self, region: &Region, rule: &str, id: &str) -> Result<(), AwsError> {
        let asked = self.events(region, "RemoveTargets", &json!({ "Rule": rule, "Ids": [id] })).await;
        match unless(asked, "ResourceNotFoundException")? {
            Some(answer) => self.none_failed("RemoveTargets", &answer),
            None => Ok(()),
        }
    }

    /// Deletes the rule; one that is not there is gone.
    pub async fn delete_event_rule(&self, region: &Region, name: &str) -> Result<(), AwsError> {
        let asked = self.events(region, "DeleteRule", &json!({ "Name": name })).await;
        unless(asked, "ResourceNotFoundException").map(drop)
    }

    /// The policy of a topic, and the key that encrypts it.
    pub async fn topic_policy(&self, topic: &TopicArn) -> Result<TopicPolicy, AwsError> {
        let asked = topic_call("GetTopicAttributes", &[("TopicArn", topic.as_str())]);
        let answer = self.ask(&topic.region, &asked).await?;
        let text = String::from_utf8_lossy(&answer.body);
        let attribute = |name: &str| {
            let (_, rest) = text.split_once(&format!("<key>{name}</key>"))?;
            let (_, rest) = rest.split_once("<value>")?;
            let (value, _) = rest.split_once("</value>")?;
            Some(unescaped(value))
        };
        let policy = attribute("Policy").ok_or_else(|| self.lacks(&asked, &topic.region, "the policy of the topic"))?;
        let document = serde_json::from_str(&policy)
            .map_err(|_| self.lacks(&asked, &topic.region, "the JSON of the topic's policy"))?;
        Ok(TopicPolicy { document, kms_key: attribute("KmsMasterKeyId").filter(|key| !key.is_empty()) })
    }

    /// Sets the policy of a topic.
    pub async fn set_topic_policy(&self, topic: &TopicArn, document: &Value) -> Result<(), AwsError> {
        let document = document.to_string();
        let fields = [("TopicArn", topic.as_str()), ("AttributeName", "Policy"), ("AttributeValue", document.as_str())];
        self.ask(&topic.region, &topic_call("SetTopicAttributes", &fields)).await.map(drop)
    }

    async fn events(&self, region: &Region, operation: &str, body: &Value) -> Result<Value, AwsError> {
        self.ask_json(JsonApi::Events, region, operation, body, true).await
    }

    fn read<T: serde::de::DeserializeOwned>(&self, operation: &str, answer: Value) -> Result<T, AwsError> {
        let call = self.call(Service::EventBridge, operation);
        serde_json::from_value(answer).map_err(|_| AwsError::malformed(&call, "it lacks what it should tell"))
    }

    /// Both calls answer well and name what they did not do.
    fn none_failed(&self, operation: &str, answer: &Value) -> Result<(), AwsError> {
        let Some(failed) = answer["FailedEntries"].as_array().and_then(|entries| entries.first()) else {
            return Ok(());
        };
        let text = |name: &str| super::clean(failed[name].as_str().unwrap_or_default(), None);
        Err(AwsError::Rejected {
            call: Box::new(self.call(Service::EventBridge, operation)),
            status: 200,
            code: text("ErrorCode"),
            message: text("ErrorMessage"),
        })
    }
}

fn topic_call<'a>(operation: &'a str, fields: &[(&str, &str)]) -> Asked<'a> {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.append_pair("Action", operation).append_pair("Version", "2010-03-31").extend_pairs(fields);
    Asked {
        service: Service::Sns,
        operation,
        path: "/",
        content_type: "application/x-www-form-urlencoded; charset=utf-8",
        action: None,
        // Both mean the same; who encodes a body anew to check its signature (moto does) writes it so.
        body: body.finish().replace('*', "%2A"),
        may_repeat: true,
    }
}
