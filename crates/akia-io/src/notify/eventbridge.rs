//! Amazon EventBridge: an event for each key. `docs/notices.md` has the form of its detail.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>: ten entries a call. EventBridge
//! delivers an event at least once, so consumers tell a second one by notice and case anyway.

use akia_core::notice::{Message, NoticeKind};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::aws::{Desk, fault};
use super::{Channel, DeliveryError, Kind, Receipt};

pub(super) const KIND: Kind =
    Kind { word: "eventbridge", is_idempotent: true, why: "consumers know an event again by notice and case" };

/// Entries of one call.
const BATCH: usize = 10;

pub(super) struct EventBridge {
    pub(super) desk: Desk,
    pub(super) bus: String,
}

impl Channel for EventBridge {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        format!("bus {} in {}", self.bus, self.desk.region)
    }

    fn body(&self, message: &Message) -> String {
        Value::from(self.entries(message)).to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.desk.check()?;
            let entries = self.entries(message);
            let mut last = None;
            for batch in entries.chunks(BATCH) {
                let put = self.desk.caller.put_events(&self.desk.region, batch).await;
                for result in put.map_err(|error| fault(&error))? {
                    match result {
                        Ok(id) => last = Some(id),
                        // Its codes are throttling and internal failures; what is wrong with an entry fails the call.
                        Err(reason) => return Err(DeliveryError::not_delivered(reason)),
                    }
                }
            }
            let count = entries.len();
            let events = if count == 1 { "an event".to_owned() } else { format!("{count} events") };
            Ok(Receipt::new(now, format!("put {events} on the bus")).status(200).id(last))
        })
    }
}

impl EventBridge {
    fn entries(&self, message: &Message) -> Vec<Value> {
        let event = &message.event;
        let items = event["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let entry = |item: &Value| {
            let detail = json!({
                "schema": event["schema"], "id": event["id"], "kind": event["kind"], "at": event["at"],
                "owner": event["owner"], "item": item,
            });
            json!({
                "Source": "akia",
                "DetailType": detail_type(message.notice.kind),
                "Detail": detail.to_string(),
                "EventBusName": self.bus,
                "Time": message.notice.at.as_second(),
                "Resources": [item["user"]],
            })
        };
        items.iter().map(entry).collect()
    }
}

/// What rules match on.
fn detail_type(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Announced => "Access Key Action Announced",
        NoticeKind::Reminded => "Access Key Action Reminded",
        NoticeKind::Deactivated => "Access Key Deactivated",
        NoticeKind::Deleted => "Access Key Deleted",
        NoticeKind::Reactivated => "Access Key Reactivated",
        NoticeKind::Exposed => "Access Key Exposed",
        NoticeKind::StillUsed => "Access Key Still Used",
        NoticeKind::Resolved => "Access Key Case Resolved",
        NoticeKind::Test => "Access Key Notice Test",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_event_is_documented() {
        let page = include_str!("../../../../docs/notices.md");
        for kind in NoticeKind::ALL {
            let row = format!("| `{kind}` | `{}` |", detail_type(kind));
            assert!(page.contains(&row), "docs/notices.md has no row {row}");
        }
    }
}
