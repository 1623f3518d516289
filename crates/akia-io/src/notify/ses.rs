//! Amazon SES, version 2: mail in text and HTML.
//!
//! Source: <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>.

use akia_core::notice::Message;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;

use super::aws::{Desk, fault};
use super::{Channel, DeliveryError, Kind, Receipt};
use crate::aws::Mail;

pub(super) const KIND: Kind = Kind { word: "ses", is_idempotent: false, why: "SES sends whatever it gets" };

pub(super) struct Ses {
    pub(super) desk: Desk,
    pub(super) from: String,
    pub(super) to: Vec<String>,
}

impl Channel for Ses {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        if self.to.is_empty() { "the owner's address".to_owned() } else { self.to.join(", ") }
    }

    fn body(&self, message: &Message) -> String {
        json!({
            "from": self.from, "to": recipients(&self.to, message), "subject": message.subject, "text": message.text,
            "html": message.html,
        })
        .to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.desk.check()?;
            let to = recipients(&self.to, message);
            if to.is_empty() {
                return Err(DeliveryError::refused("there is no address to send it to"));
            }
            let mail = Mail {
                from: &self.from,
                to: &to,
                subject: &message.subject,
                text: &message.text,
                html: &message.html,
                notice: message.notice.id.as_str(),
            };
            let id = self.desk.caller.send_mail(&self.desk.region, &mail).await.map_err(|error| fault(&error))?;
            Ok(Receipt::new(now, format!("taken by SES for {}", to.join(", "))).status(200).id(Some(id)))
        })
    }
}

/// The owner's own address, where the message has one; else those of the channel.
pub(super) fn recipients(to: &[String], message: &Message) -> Vec<String> {
    match &message.address {
        Some(address) => vec![address.clone()],
        None => to.to_vec(),
    }
}
