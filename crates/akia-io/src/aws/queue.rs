//! A queue of SQS: takes messages, and takes them off.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use akia_core::ids::Region;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::caller::Caller;
use super::error::AwsError;
use super::signed::JsonApi;

/// The URL of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrl(Url);

/// A text is not the URL of a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the URL of a queue, as in https://sqs.us-east-1.amazonaws.com/123456789012/akia-events")]
pub struct QueueUrlError;

impl QueueUrl {
    /// The region that its host names.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        let host = self.0.host_str()?.strip_prefix("sqs")?.trim_start_matches("-fips");
        host.strip_prefix('.')?.split('.').next()?.parse().ok()
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.0.as_str())
    }
}

impl FromStr for QueueUrl {
    type Err = QueueUrlError;
    fn from_str(text: &str) -> Result<Self, QueueUrlError> {
        let url = Url::parse(text).map_err(|_| QueueUrlError)?;
        let segments = url.path_segments().map(|segments| segments.filter(|part| !part.is_empty()).count());
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let is_web = matches!(url.scheme(), "https" | "http");
        if is_web && is_plain && segments == Some(2) { Ok(Self(url)) } else { Err(QueueUrlError) }
    }
}

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Its id.
    pub id: String,
    /// What takes it off.
    pub receipt: String,
    /// Its text.
    pub body: String,
    /// How often it was handed out, this time included.
    pub receives: u32,
}

/// Without the text, which may hold anything.
impl fmt::Debug for QueueMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("QueueMessage").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that somebody has taken and not taken off.
    pub in_flight: u64,
    /// Whether messages that nobody takes off go elsewhere in the end.
    pub has_dead_letters: bool,
}

impl Caller {
    /// Takes up to ten messages; waits for the first. It must be shorter than an attempt may take.
    pub async fn receive(
        &self,
        region: &Region,
        queue: &QueueUrl,
        wait: Duration,
    ) -> Result<Vec<QueueMessage>, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, rename = "Messages")]
            messages: Option<Vec<Message>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Message {
            message_id: String,
            receipt_handle: String,
            #[serde(default)]
            body: String,
            #[serde(default)]
            attributes: Attributes,
        }
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "PascalCase", default)]
        struct Attributes {
            approximate_receive_count: Option<String>,
        }
        let body = json!({
            "QueueUrl": queue.0.as_str(),
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": wait.as_secs(),
            "AttributeNames": ["ApproximateReceiveCount"],
        });
        // A lost answer hides its messages for a while, and no longer: asking again does no harm.
        let answer: Answer = self.ask_json(JsonApi::Queues, region, "ReceiveMessage", &body, true).await?;
        let read = |message: Message| QueueMessage {
            id: super::clean(&message.message_id, None),
            receipt: message.receipt_handle,
            body: message.body,
            receives: message.attributes.approximate_receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
        };
        Ok(answer.messages.unwrap_or_default().into_iter().map(read).collect())
    }

    /// Takes a message off the queue.
    pub async fn delete_message(&self, region: &Region, queue: &QueueUrl, receipt: &str) -> Result<(), AwsError> {
        let body = json!({ "QueueUrl": queue.0.as_str(), "ReceiptHandle": receipt });
        self.ask_json::<Value>(JsonApi::Queues, region, "DeleteMessage", &body, true).await.map(drop)
    }

    /// How full the queue is.
    pub async fn queue_depth(&self, region: &Region, queue: &QueueUrl) -> Result<QueueDepth, AwsError> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "RedrivePolicy"];
        let body = json!({ "QueueUrl": queue.0.as_str(), "AttributeNames": names });
        let answer: Value = self.ask_json(JsonApi::Queues, region, "GetQueueAttributes", &body, true).await?;
        let number = |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(QueueDepth {
            waiting: number(names[0]),
            in_flight: number(names[1]),
            has_dead_letters: answer["Attributes"][names[2]].is_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_told_by_its_url() {
        let region = |text: &str| text.parse::<QueueUrl>().unwrap().region().map(|region| region.to_string());
        assert_eq!(
            region("https://sqs.eu-west-1.amazonaws.com/123456789012/akia-events").as_deref(),
            Some("eu-west-1")
        );
        assert_eq!(region("https://sqs-fips.us-east-1.amazonaws.com/123456789012/q").as_deref(), Some("us-east-1"));
        assert_eq!(region("http://127.0.0.1:5000/123456789012/q"), None);
        for text in [
            "",
            "q",
            "https://sqs.eu-west-1.amazonaws.com/q",
            "https://x@sqs.eu-west-1.amazonaws.com/1/q",
            "ftp://a/1/q",
            "https://a/1/q?x",
        ] {
            assert!(text.parse::<QueueUrl>().is_err(), "{text}");
        }
    }
}
