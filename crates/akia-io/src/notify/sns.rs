//! Amazon SNS: each protocol of the topic gets what suits it: people the text, programs the event.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>: a subject is ASCII, shorter than 100 characters,
//! without line breaks; a message has 262,144 bytes at most, all protocols together.

use akia_core::notice::Message;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;

use super::aws::{Desk, fault};
use super::{Channel, DeliveryError, Kind, Receipt, at_most};
use crate::aws::TopicMessage;

pub(super) const KIND: Kind = Kind { word: "sns", is_idempotent: false, why: "a topic hands on whatever it gets" };

/// Room for the text, and for text and events together, in bytes.
const LONGEST_TEXT: usize = 60_000;
const LONGEST_MESSAGE: usize = 250_000;
const LONGEST_SUBJECT: usize = 99;

pub(super) struct Sns {
    pub(super) desk: Desk,
    pub(super) topic: String,
}

impl Channel for Sns {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        self.topic.clone()
    }

    fn body(&self, message: &Message) -> String {
        let text = at_most(&format!("{}\n\n{}", message.subject, message.text), LONGEST_TEXT);
        let event = message.event.to_string();
        let whole = json!({
            "default": text, "sms": message.subject, "sqs": event, "lambda": event, "http": event, "https": event,
        })
        .to_string();
        // A digest of very many keys goes as text alone, to programs as well.
        if whole.len() <= LONGEST_MESSAGE {
            whole
        } else {
            json!({ "default": text, "sms": message.subject }).to_string()
        }
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.desk.check()?;
            let (subject, body) = (subject(&message.subject), self.body(message));
            let published = TopicMessage {
                topic: &self.topic,
                subject: &subject,
                message: &body,
                kind: message.notice.kind.as_str(),
                notice: message.notice.id.as_str(),
            };
            let id = self.desk.caller.publish(&self.desk.region, &published).await.map_err(|error| fault(&error))?;
            Ok(Receipt::new(now, "published to the topic").status(200).id(Some(id)))
        })
    }
}

fn subject(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).take(LONGEST_SUBJECT).collect()
}
