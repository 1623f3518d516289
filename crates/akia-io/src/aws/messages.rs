//! Hands messages to SNS, SES and EventBridge: one call of each, signed by hand, for each of their SDKs would cost a minute of a
//! processor to build (as that of Security Hub would, see `security_hub`).
//!
//! Invariant: each is sent once. None of the three knows a message again, so whoever tries again decides on it.

use akia_core::ids::Region;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::endpoint::ForeignEndpoint;
use super::error::AwsError;
use super::options::Service;
use super::signed::{Asked, element};

/// A mail for SES.
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a [String],
    pub(crate) subject: &'a str,
    pub(crate) text: &'a str,
    pub(crate) html: &'a str,
    /// `X-Akia-Notice`.
    pub(crate) notice: &'a str,
}

/// A message for a topic of SNS.
pub(crate) struct TopicMessage<'a> {
    pub(crate) topic: &'a str,
    pub(crate) subject: &'a str,
    /// What each protocol gets, as JSON (`MessageStructure=json`).
    pub(crate) message: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) notice: &'a str,
}

/// What EventBridge answers of one event.
pub(crate) type EventResult = Result<String, String>;

impl Caller {
    /// Whether messages may be handed to the endpoint of `service`.
    pub(crate) fn check_messages(&self, service: Service) -> Result<(), ForeignEndpoint> {
        self.aws().options().check_messages(service, self.target())
    }

    /// `sns:Publish`. Gives the message's id.
    ///
    /// Source: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
    pub(crate) async fn publish(&self, region: &Region, message: &TopicMessage<'_>) -> Result<String, AwsError> {
        let mut fields = vec![
            ("Action", "Publish"),
            ("Version", "2010-03-31"),
            ("TopicArn", message.topic),
            ("Subject", message.subject),
            ("MessageStructure", "json"),
            ("Message", message.message),
            ("MessageAttributes.entry.1.Name", "akia_kind"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", message.kind),
            ("MessageAttributes.entry.2.Name", "akia_notice"),
            ("MessageAttributes.entry.2.Value.DataType", "String"),
            ("MessageAttributes.entry.2.Value.StringValue", message.notice),
        ];
        if message.topic.ends_with(".fifo") {
            fields.push(("MessageGroupId", "akia"));
            fields.push(("MessageDeduplicationId", message.notice));
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Asked {
            service: Service::Sns,
            operation: "Publish",
            path: "/",
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            action: None,
            body,
            may_repeat: false,
        };
        let answer = self.ask(region, &request).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        element(&text, "MessageId").ok_or_else(|| self.lacks(&request, region, "MessageId"))
    }

    /// `ses:SendEmail` of version 2. Gives the message's id.
    ///
    /// Source: <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>.
    pub(crate) async fn send_mail(&self, region: &Region, mail: &Mail<'_>) -> Result<String, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "MessageId")]
            id: String,
        }
        let text = |data: &str| json!({ "Data": data, "Charset": "UTF-8" });
        let body = json!({
            "FromEmailAddress": mail.from,
            "Destination": { "ToAddresses": mail.to },
            "Content": { "Simple": {
                "Subject": text(mail.subject),
                "Body": { "Text": text(mail.text), "Html": text(mail.html) },
                "Headers": [{ "Name": "X-Akia-Notice", "Value": mail.notice }],
            }},
        });
        let request = Asked {
            service: Service::Ses,
            operation: "SendEmail",
            path: "/v2/email/outbound-emails",
            content_type: "application/json",
            action: None,
            body: body.to_string(),
            may_repeat: false,
        };
        let answer = self.ask(region, &request).await?;
        let answer: Answer =
            serde_json::from_slice(&answer.body).map_err(|_| self.lacks(&request, region, "MessageId"))?;
        Ok(answer.id)
    }

    /// `events:PutEvents`, ten at most. For each event its id, or why it was not taken.
    ///
    /// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>.
    pub(crate) async fn put_events(&self, region: &Region, entries: &[Value]) -> Result<Vec<EventResult>, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "Entries")]
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry {
            event_id: Option<String>,
            error_code: Option<String>,
            error_message: Option<String>,
        }
        let request = Asked {
            service: Service::EventBridge,
            operation: "PutEvents",
            path: "/",
            content_type: "application/x-amz-json-1.1",
            action: Some("AWSEvents.PutEvents"),
            body: json!({ "Entries": entries }).to_string(),
            may_repeat: false,
        };
        let answer = self.ask(region, &request).await?;
        let answer: Answer =
            serde_json::from_slice(&answer.body).map_err(|_| self.lacks(&request, region, "Entries"))?;
        if answer.entries.len() != entries.len() {
            return Err(self.lacks(&request, region, "an entry for each event"));
        }
        let clean = |text: Option<String>| super::error::clean(&text.unwrap_or_default(), None);
        let result = |entry: Entry| match entry.event_id {
            Some(id) if !id.is_empty() => Ok(clean(Some(id))),
            Some(_) | None => Err(format!("{}: {}", clean(entry.error_code), clean(entry.error_message))),
        };
        Ok(answer.entries.into_iter().map(result).collect())
    }
}
