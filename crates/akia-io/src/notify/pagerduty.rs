//! PagerDuty: Events API v2, an alert for each key.
//!
//! Source: <https://developer.pagerduty.com/docs/events-api-v2-overview>. `dedup_key` is the case, so that a reminder does not
//! open a second alert, and the end of the case resolves the first. The answer is 202.

use akia_core::notice::{Message, NoticeKind, Ticket};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::web::{Request, host_of, send};
use super::{Channel, DeliveryError, Kind, Receipt, at_most};
use crate::aws::Aws;
use crate::secrets::Secret;

pub(super) const KIND: Kind =
    Kind { word: "pagerduty", is_idempotent: true, why: "the case is the dedup_key of its alert" };

/// Where events go, unless the settings name the service region of the EU.
pub(super) const SITE: &str = "https://events.pagerduty.com";
/// Longest summary (API reference: 1,024 characters) and details, in bytes.
const LONGEST_SUMMARY: usize = 1_024;
const LONGEST_TEXT: usize = 16_000;

pub(super) struct PagerDuty {
    pub(super) aws: Aws,
    pub(super) url: Url,
    pub(super) routing_key: Secret,
}

impl Channel for PagerDuty {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        host_of(&self.url)
    }

    fn body(&self, message: &Message) -> String {
        Value::from(events(message)).to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let mut last = Receipt::new(now, "nothing to tell");
            for mut event in events(message) {
                event["routing_key"] = self.routing_key.reveal().into();
                let request = Request {
                    method: "POST",
                    url: &self.url,
                    headers: Vec::new(),
                    body: event.to_string(),
                    secrets: &[&self.routing_key],
                    words,
                };
                let answer = send(&self.aws, request).await?;
                let id = event["dedup_key"].as_str().map(str::to_owned);
                last = Receipt::new(now, detail(message)).status(answer.status).id(id);
            }
            Ok(last)
        })
    }
}

fn detail(message: &Message) -> String {
    let count = message.tickets.len();
    let what = if message.notice.kind.ends_the_case() { "resolved" } else { "triggered" };
    format!("{count} alert{} {what}", if count == 1 { "" } else { "s" })
}

/// What is sent, without the routing key. A test opens an alert and closes it again.
fn events(message: &Message) -> Vec<Value> {
    let kind = message.notice.kind;
    let trigger = |ticket: &Ticket| {
        json!({
            "event_action": "trigger",
            "dedup_key": dedup_key(ticket),
            "client": "akia",
            "payload": {
                "summary": at_most(&ticket.subject, LONGEST_SUMMARY),
                "source": format!("arn:aws:iam::{}", ticket.item.account),
                "severity": severity(kind),
                "timestamp": message.notice.at.to_string(),
                "component": ticket.item.key,
                "group": ticket.item.account,
                "class": kind.as_str(),
                "custom_details": { "text": at_most(&ticket.text, LONGEST_TEXT), "notice": message.notice.id },
            },
        })
    };
    let resolve = |ticket: &Ticket| json!({ "event_action": "resolve", "dedup_key": dedup_key(ticket) });
    let of = |ticket: &Ticket| match kind {
        NoticeKind::Deleted | NoticeKind::Resolved => vec![resolve(ticket)],
        NoticeKind::Test => vec![trigger(ticket), resolve(ticket)],
        NoticeKind::Announced
        | NoticeKind::Reminded
        | NoticeKind::Deactivated
        | NoticeKind::Reactivated
        | NoticeKind::Exposed
        | NoticeKind::StillUsed => vec![trigger(ticket)],
    };
    message.tickets.iter().flat_map(of).collect()
}

/// At most 255 characters.
fn dedup_key(ticket: &Ticket) -> String {
    format!("akia-{}", akia_core::digest::long(&ticket.item.case))
}

fn severity(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Exposed => "critical",
        NoticeKind::Deactivated => "error",
        NoticeKind::Announced | NoticeKind::Reminded | NoticeKind::Reactivated | NoticeKind::StillUsed => "warning",
        NoticeKind::Deleted | NoticeKind::Resolved | NoticeKind::Test => "info",
    }
}

/// `{"status": "invalid event", "message": "…", "errors": ["…"]}`
fn words(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<String>,
        #[serde(default)]
        errors: Vec<String>,
    }
    let Answer { message, errors } = serde_json::from_slice(body).ok()?;
    Some(message.into_iter().chain(errors).collect::<Vec<_>>().join("; "))
}
