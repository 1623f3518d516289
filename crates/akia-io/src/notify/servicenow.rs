//! ServiceNow: an incident for each key through the Table API, found again by `correlation_id`, resolved with the case.
//!
//! Source: <https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html>. State 6
//! is "Resolved", and wants a close code and notes.

use akia_core::notice::{Message, NoticeKind, Ticket};
use data_encoding::BASE64;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::web::{Request, at_site, send};
use super::{Channel, DeliveryError, Kind, Receipt, at_most};
use crate::aws::{Aws, WebAnswer};
use crate::secrets::Secret;

pub(super) const KIND: Kind = Kind {
    word: "servicenow",
    is_idempotent: true,
    why: "the incident of a case is looked for by its correlation id first",
};

const TABLE: &str = "/api/now/table/incident";
const RESOLVED: &str = "6";
/// Longest short description (160 characters in the table), description and note, in bytes.
const LONGEST_SUMMARY: usize = 160;
const LONGEST_TEXT: usize = 4_000;

pub(super) struct ServiceNow {
    pub(super) aws: Aws,
    pub(super) site: String,
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) close_code: String,
}

#[derive(Deserialize)]
struct Records {
    result: Vec<Incident>,
}

#[derive(Deserialize)]
struct Record {
    result: Incident,
}

#[derive(Deserialize)]
struct Incident {
    sys_id: String,
    #[serde(default)]
    number: String,
}

impl Channel for ServiceNow {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        self.site.clone()
    }

    fn body(&self, message: &Message) -> String {
        let ends = message.notice.kind.ends_the_case();
        let body = |ticket: &Ticket| if ends { self.resolution(ticket) } else { incident(ticket, message.notice.kind) };
        Value::from(message.tickets.iter().map(body).collect::<Vec<_>>()).to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let (mut done, mut last) = (Vec::new(), None);
            for ticket in &message.tickets {
                let found = self.find(ticket).await?;
                let (incident, what) = match message.notice.kind {
                    NoticeKind::Deleted | NoticeKind::Resolved => match found {
                        Some(incident) => (Some(self.update(&incident, self.resolution(ticket)).await?), "resolved"),
                        None => (None, "no open incident to resolve"),
                    },
                    NoticeKind::Test => {
                        let incident = self.open(found, ticket, message.notice.kind).await?.0;
                        (Some(self.update(&incident, self.resolution(ticket)).await?), "opened and resolved")
                    }
                    NoticeKind::Announced
                    | NoticeKind::Reminded
                    | NoticeKind::Deactivated
                    | NoticeKind::Reactivated
                    | NoticeKind::Exposed
                    | NoticeKind::StillUsed => {
                        let (incident, what) = self.open(found, ticket, message.notice.kind).await?;
                        (Some(incident), what)
                    }
                };
                done.push(match &incident {
                    Some(incident) => format!("{} {what}", incident.number),
                    None => what.to_owned(),
                });
                last = incident.map(|incident| incident.number).or(last);
            }
            Ok(Receipt::new(now, at_most(&done.join(", "), 500)).id(last))
        })
    }
}

impl ServiceNow {
    async fn open(
        &self,
        found: Option<Incident>,
        ticket: &Ticket,
        kind: NoticeKind,
    ) -> Result<(Incident, &'static str), DeliveryError> {
        if let Some(incident) = found {
            let note = json!({ "work_notes": at_most(&ticket.text, LONGEST_TEXT) });
            return Ok((self.update(&incident, note).await?, "noted"));
        }
        let answer = self.call("POST", TABLE, Some(incident(ticket, kind))).await?;
        let Record { result } = self.parsed(&answer, true)?;
        Ok((checked(result)?, "opened"))
    }

    async fn update(&self, incident: &Incident, change: Value) -> Result<Incident, DeliveryError> {
        let answer = self.call("PATCH", &format!("{TABLE}/{}", incident.sys_id), Some(change)).await?;
        let Record { result } = self.parsed(&answer, true)?;
        checked(result)
    }

    /// The incident of the case that is neither resolved, closed nor cancelled.
    async fn find(&self, ticket: &Ticket) -> Result<Option<Incident>, DeliveryError> {
        let query = format!("correlation_id={}^stateNOT IN6,7,8^ORDERBYDESCsys_created_on", correlation(ticket));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("sysparm_query", &query)
            .append_pair("sysparm_fields", "sys_id,number")
            .append_pair("sysparm_limit", "1")
            .finish();
        let answer = self.call("GET", &format!("{TABLE}?{query}"), None).await?;
        let Records { result } = self.parsed(&answer, false)?;
        result.into_iter().next().map(checked).transpose()
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> Result<WebAnswer, DeliveryError> {
        let url = at_site(&self.site, path).map_err(DeliveryError::refused)?;
        let pair = zeroize::Zeroizing::new(format!("{}:{}", self.user, self.password.reveal()));
        let request = Request {
            method,
            url: &url,
            headers: vec![("authorization", format!("Basic {}", BASE64.encode(pair.as_bytes())))],
            body: body.map(|body| body.to_string()).unwrap_or_default(),
            secrets: &[&self.password],
            words,
        };
        send(&self.aws, request).await.map_err(|error| match error {
            // A look that failed has changed nothing.
            DeliveryError::Unknown { reason } if method == "GET" => DeliveryError::not_delivered(reason),
            error => error,
        })
    }

    fn parsed<'a, T: Deserialize<'a>>(&self, answer: &'a WebAnswer, has_changed: bool) -> Result<T, DeliveryError> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let reason = format!("{} answered {}, but not as ServiceNow does", self.site, answer.status);
            if has_changed { DeliveryError::unknown(reason) } else { DeliveryError::not_delivered(reason) }
        })
    }

    fn resolution(&self, ticket: &Ticket) -> Value {
        json!({
            "state": RESOLVED,
            "close_code": self.close_code,
            "close_notes": at_most(&ticket.text, LONGEST_TEXT),
        })
    }
}

fn incident(ticket: &Ticket, kind: NoticeKind) -> Value {
    let urgency = match kind {
        NoticeKind::Exposed => "1",
        NoticeKind::Deactivated | NoticeKind::Reminded => "2",
        NoticeKind::Announced
        | NoticeKind::StillUsed
        | NoticeKind::Deleted
        | NoticeKind::Reactivated
        | NoticeKind::Resolved
        | NoticeKind::Test => "3",
    };
    json!({
        "short_description": at_most(&ticket.subject, LONGEST_SUMMARY),
        "description": at_most(&ticket.text, LONGEST_TEXT),
        "urgency": urgency,
        "correlation_id": correlation(ticket),
        "correlation_display": "akia",
    })
}

/// At most 100 characters.
fn correlation(ticket: &Ticket) -> String {
    format!("akia-{}", akia_core::digest::long(&ticket.item.case))
}

/// The id of a record goes into the paths of later requests.
fn checked(incident: Incident) -> Result<Incident, DeliveryError> {
    let is_id = |text: &str, most: usize| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id(&incident.sys_id, 32) && !incident.sys_id.is_empty() && is_id(&incident.number, 40) {
        Ok(incident)
    } else {
        Err(DeliveryError::unknown("the answer names no incident".to_owned()))
    }
}

/// `{"error": {"message": "…", "detail": "…"}, "status": "failure"}`
fn words(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        error: Fault,
    }
    #[derive(Deserialize)]
    struct Fault {
        message: Option<String>,
        detail: Option<String>,
    }
    let Answer { error } = serde_json::from_slice(body).ok()?;
    Some(error.message.into_iter().chain(error.detail).collect::<Vec<_>>().join("; "))
}
