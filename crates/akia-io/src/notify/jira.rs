//! Jira: an issue for each key, found again by a label, and closed with the case.
//!
//! Jira Cloud (`user` is given): API v3, Basic with an API token, descriptions in the Atlassian Document Format
//! (<https://developer.atlassian.com/cloud/jira/platform/rest/v3/>). Search is `POST /rest/api/3/search/jql`; the older
//! `/search` is gone. Jira Data Center (no `user`): API v2 with a personal access token
//! (<https://developer.atlassian.com/server/jira/platform/rest/>).
//!
//! An issue that was just made may be missing from a search for some seconds: a try right after a lost answer can then open a
//! second one. The pause before a second try is a minute.

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

pub(super) const KIND: Kind =
    Kind { word: "jira", is_idempotent: true, why: "the issue of a case is looked for by its label first" };

/// Longest summary of an issue, in characters, is 255; this is in bytes.
const LONGEST_SUMMARY: usize = 250;
/// Longest description and comment, in bytes; Jira takes 32,767 characters.
const LONGEST_TEXT: usize = 30_000;

pub(super) struct Jira {
    pub(super) aws: Aws,
    pub(super) site: String,
    pub(super) user: Option<String>,
    pub(super) token: Secret,
    pub(super) project: String,
    pub(super) issue_type: String,
    pub(super) done: String,
}

#[derive(Deserialize)]
struct Found {
    issues: Vec<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    key: String,
    fields: Option<Fields>,
}

#[derive(Deserialize)]
struct Fields {
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "statusCategory")]
    category: Option<Category>,
}

#[derive(Deserialize)]
struct Category {
    key: String,
}

#[derive(Deserialize)]
struct Transitions {
    transitions: Vec<Transition>,
}

#[derive(Deserialize)]
struct Transition {
    id: String,
    name: String,
    to: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Channel for Jira {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        format!("project {} at {}", self.project, self.site)
    }

    fn body(&self, message: &Message) -> String {
        let ends = message.notice.kind.ends_the_case();
        let body = |ticket: &Ticket| if ends { self.comment(&ticket.text) } else { self.issue(ticket) };
        Value::from(message.tickets.iter().map(body).collect::<Vec<_>>()).to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let mut done = Vec::new();
            let mut last = None;
            for ticket in &message.tickets {
                let (key, what) = match message.notice.kind {
                    NoticeKind::Deleted | NoticeKind::Resolved => self.close(ticket).await?,
                    NoticeKind::Test => {
                        let (key, _) = self.open(ticket).await?;
                        self.close_issue(&key, ticket).await?;
                        (Some(key), "opened and closed")
                    }
                    NoticeKind::Announced
                    | NoticeKind::Reminded
                    | NoticeKind::Deactivated
                    | NoticeKind::Reactivated
                    | NoticeKind::Exposed
                    | NoticeKind::StillUsed => {
                        let (key, what) = self.open(ticket).await?;
                        (Some(key), what)
                    }
                };
                done.push(match &key {
                    Some(key) => format!("{key} {what}"),
                    None => what.to_owned(),
                });
                last = key.or(last);
            }
            Ok(Receipt::new(now, at_most(&done.join(", "), 500)).id(last))
        })
    }
}

impl Jira {
    /// The open issue of the case gets a comment; where there is none, one is made.
    async fn open(&self, ticket: &Ticket) -> Result<(String, &'static str), DeliveryError> {
        if let Some(key) = self.find(ticket).await? {
            self.call("POST", &format!("/issue/{key}/comment"), Some(self.comment(&ticket.text))).await?;
            return Ok((key, "commented"));
        }
        let answer = self.call("POST", "/issue", Some(self.issue(ticket))).await?;
        let issue: Issue = self.parsed(&answer, true)?;
        Ok((checked(issue.key)?, "opened"))
    }

    async fn close(&self, ticket: &Ticket) -> Result<(Option<String>, &'static str), DeliveryError> {
        let Some(key) = self.find(ticket).await? else { return Ok((None, "no open issue to close")) };
        self.close_issue(&key, ticket).await?;
        Ok((Some(key), "closed"))
    }

    async fn close_issue(&self, key: &str, ticket: &Ticket) -> Result<(), DeliveryError> {
        let path = format!("/issue/{key}/transitions");
        let answer = self.call("GET", &path, None).await?;
        let Transitions { transitions } = self.parsed(&answer, false)?;
        let is_done = |transition: &&Transition| {
            let to = transition.to.as_ref().map(|to| to.name.as_str());
            [Some(transition.name.as_str()), to].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&self.done))
        };
        let Some(transition) = transitions.iter().find(is_done) else {
            let there: Vec<&str> = transitions.iter().map(|transition| transition.name.as_str()).collect();
            return Err(DeliveryError::refused(format!(
                "{key} has no way to {}; there are: {}; name one as `done` in the settings",
                self.done,
                there.join(", ")
            )));
        };
        self.call("POST", &format!("/issue/{key}/comment"), Some(self.comment(&ticket.text))).await?;
        self.call("POST", &path, Some(json!({ "transition": { "id": transition.id } }))).await?;
        Ok(())
    }

    /// The key of the issue of the case that is not done.
    async fn find(&self, ticket: &Ticket) -> Result<Option<String>, DeliveryError> {
        let project = self.project.replace(['"', '\\'], "");
        let jql = format!("project = \"{project}\" AND labels = \"{}\" ORDER BY created DESC", label(ticket));
        let path = if self.user.is_some() { "/search/jql" } else { "/search" };
        let body = json!({ "jql": jql, "fields": ["status"], "maxResults": 20 });
        let answer = self.call("POST", path, Some(body)).await?;
        let Found { issues } = self.parsed(&answer, false)?;
        let is_open = |issue: &Issue| {
            let status = issue.fields.as_ref().and_then(|fields| fields.status.as_ref());
            status.and_then(|status| status.category.as_ref()).is_none_or(|category| category.key != "done")
        };
        issues.into_iter().find(is_open).map(|issue| checked(issue.key)).transpose()
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> Result<WebAnswer, DeliveryError> {
        let (base, authorization) = match &self.user {
            Some(user) => {
                let pair = zeroize::Zeroizing::new(format!("{user}:{}", self.token.reveal()));
                ("/rest/api/3", format!("Basic {}", BASE64.encode(pair.as_bytes())))
            }
            None => ("/rest/api/2", format!("Bearer {}", self.token.reveal())),
        };
        let url = at_site(&self.site, &format!("{base}{path}")).map_err(DeliveryError::refused)?;
        let request = Request {
            method,
            url: &url,
            headers: vec![("authorization", authorization)],
            body: body.map(|body| body.to_string()).unwrap_or_default(),
            secrets: &[&self.token],
            words,
        };
        let sent = send(&self.aws, request).await;
        // A look that failed has changed nothing.
        let only_looks = method == "GET" || path.starts_with("/search");
        sent.map_err(|error| match error {
            DeliveryError::Unknown { reason } if only_looks => DeliveryError::not_delivered(reason),
            error => error,
        })
    }

    fn parsed<'a, T: Deserialize<'a>>(&self, answer: &'a WebAnswer, has_changed: bool) -> Result<T, DeliveryError> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let reason = format!("{} answered {}, but not as Jira does", self.site, answer.status);
            if has_changed { DeliveryError::unknown(reason) } else { DeliveryError::not_delivered(reason) }
        })
    }

    fn issue(&self, ticket: &Ticket) -> Value {
        json!({ "fields": {
            "project": { "key": self.project },
            "issuetype": { "name": self.issue_type },
            "summary": at_most(&ticket.subject, LONGEST_SUMMARY),
            "description": self.text(&ticket.text),
            "labels": ["akia", label(ticket)],
        }})
    }

    fn comment(&self, text: &str) -> Value {
        json!({ "body": self.text(text) })
    }

    /// As it stands, without Jira's own marks: nothing in a name can become a link or a mention.
    fn text(&self, text: &str) -> Value {
        let text = at_most(text.trim(), LONGEST_TEXT);
        if self.user.is_none() {
            return Value::from(format!("{{noformat}}{}{{noformat}}", text.replace("{noformat}", "(noformat)")));
        }
        let block = json!({ "type": "codeBlock", "content": [{ "type": "text", "text": text }] });
        json!({ "type": "doc", "version": 1, "content": [block] })
    }
}

/// A label has no spaces.
fn label(ticket: &Ticket) -> String {
    format!("akia-{}", akia_core::digest::long(&ticket.item.case))
}

/// The key of an issue goes into the paths of later requests.
fn checked(key: String) -> Result<String, DeliveryError> {
    let is_key =
        key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_key && !key.is_empty() {
        Ok(key)
    } else {
        Err(DeliveryError::unknown("the answer names no issue".to_owned()))
    }
}

/// `{"errorMessages": ["…"], "errors": {"field": "…"}}`
fn words(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default, rename = "errorMessages")]
        messages: Vec<String>,
        #[serde(default)]
        errors: std::collections::BTreeMap<String, String>,
    }
    let Answer { messages, errors } = serde_json::from_slice(body).ok()?;
    let errors = errors.into_iter().map(|(field, what)| format!("{field}: {what}"));
    Some(messages.into_iter().chain(errors).collect::<Vec<_>>().join("; "))
}
