//! Microsoft Teams: a Workflows webhook ("When a Teams webhook request is received") with an Adaptive Card. The connectors of
//! Office 365 are retired.
//!
//! Source: <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook> and
//! <https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook>. The text stands in `TextRun`s, which know no
//! Markdown: nothing in a name can become a link. A message holds some 28 KB.

use akia_core::notice::{Message, NoticeKind};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::web::{Address, Request, send, silent};
use super::{Channel, DeliveryError, Kind, Receipt, at_most};
use crate::aws::Aws;

pub(super) const KIND: Kind = Kind { word: "teams", is_idempotent: false, why: "a workflow posts whatever it gets" };

/// Longest text, in bytes: each line needs as much again for its form.
const LONGEST: usize = 12_000;
/// Most lines.
const LINES: usize = 120;

pub(super) struct Teams {
    pub(super) aws: Aws,
    pub(super) address: Address,
}

impl Channel for Teams {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        self.address.host()
    }

    fn body(&self, message: &Message) -> String {
        let color = match message.notice.kind {
            NoticeKind::Exposed => "attention",
            NoticeKind::Announced
            | NoticeKind::StillUsed
            | NoticeKind::Reminded
            | NoticeKind::Deactivated
            | NoticeKind::Deleted => "warning",
            NoticeKind::Reactivated | NoticeKind::Resolved | NoticeKind::Test => "default",
        };
        let title = json!({ "type": "RichTextBlock", "inlines": [{
            "type": "TextRun", "text": message.subject, "size": "large", "weight": "bolder", "color": color,
        }]});
        let text = at_most(&message.text, LONGEST);
        let mut is_first_after_gap = false;
        let mut lines = vec![title];
        for line in text.lines().take(LINES) {
            if line.trim().is_empty() {
                is_first_after_gap = true;
                continue;
            }
            let spacing = if std::mem::take(&mut is_first_after_gap) { "medium" } else { "none" };
            lines.push(block(line, spacing));
        }
        if text.lines().count() > LINES {
            lines.push(block("… the rest did not fit into one message.", "medium"));
        }
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": { "width": "Full" },
                    "body": lines,
                },
            }],
        })
        .to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let request = Request {
                method: "POST",
                url: self.address.url(),
                headers: Vec::new(),
                body: self.body(message),
                secrets: &[self.address.secret()],
                words: silent,
            };
            let answer = send(&self.aws, request).await?;
            Ok(Receipt::new(now, "accepted by the workflow").status(answer.status).id(answer.request_id))
        })
    }
}

fn block(line: &str, spacing: &str) -> Value {
    json!({ "type": "RichTextBlock", "spacing": spacing, "inlines": [{
        "type": "TextRun", "text": line, "fontType": "monospace", "size": "small",
    }]})
}
