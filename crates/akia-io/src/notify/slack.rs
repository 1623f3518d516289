//! Slack: an incoming webhook.
//!
//! Source: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. The answer is the word `ok`, else a
//! word for the error. A section holds 3,000 characters, a message 50 blocks
//! (<https://docs.slack.dev/reference/block-kit/blocks>).

use akia_core::notice::Message;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::web::{Address, Request, send};
use super::{Channel, DeliveryError, Kind, Receipt};
use crate::aws::Aws;

pub(super) const KIND: Kind =
    Kind { word: "slack", is_idempotent: false, why: "an incoming webhook posts whatever it gets" };

/// Longest text of a section, in characters.
const SECTION: usize = 3_000;
/// Most blocks of a message.
const BLOCKS: usize = 50;

pub(super) struct Slack {
    pub(super) aws: Aws,
    pub(super) address: Address,
}

impl Channel for Slack {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        self.address.host()
    }

    fn body(&self, message: &Message) -> String {
        let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
        let blocks: Vec<Value> = sections(&message.slack).into_iter().map(section).collect();
        // The text is what a notification shows. Nothing in it is to be taken for a link.
        json!({ "text": escaped(&message.subject), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
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
                words,
            };
            let answer = send(&self.aws, request).await?;
            if answer.body.trim_ascii() != b"ok" {
                // A proxy or portal says 200 as well.
                let reason = format!("{} answered {}, but not as Slack does", self.address.host(), answer.status);
                return Err(DeliveryError::unknown(reason));
            }
            Ok(Receipt::new(now, "posted to Slack").status(answer.status).id(answer.request_id))
        })
    }
}

/// The words of Slack's errors are words: `invalid_payload`, `no_service`.
fn words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_word = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then(|| text.to_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text in pieces that fit a section, cut between lines where that can be.
fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in text.lines() {
        let characters: Vec<char> = line.chars().collect();
        let pieces: Vec<String> = if characters.is_empty() {
            vec![String::new()]
        } else {
            characters.chunks(SECTION - 1).map(|chunk| chunk.iter().collect()).collect()
        };
        for piece in pieces {
            match sections.last_mut() {
                Some(last) if last.chars().count() + 1 + piece.chars().count() <= SECTION => {
                    last.push('\n');
                    last.push_str(&piece);
                }
                Some(_) | None => sections.push(piece),
            }
        }
    }
    // An empty section is refused.
    sections.retain(|section| !section.trim().is_empty());
    if sections.len() > BLOCKS {
        sections.truncate(BLOCKS - 1);
        sections.push("… the rest did not fit into one message.".to_owned());
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_into_sections_that_slack_takes() {
        let line = "ä".repeat(1_000);
        let text: String = (0..40).map(|_| format!("{line}\n")).chain(["x".repeat(7_000)]).collect();
        let sections = super::sections(&text);
        assert!(sections.iter().all(|section| section.chars().count() <= SECTION && !section.is_empty()));
        assert_eq!(sections.concat().replace('\n', ""), text.replace('\n', ""));
        let endless = super::sections(&format!("{line}{line}\n").repeat(100));
        assert_eq!(endless.len(), BLOCKS);
        assert!(endless[BLOCKS - 1].starts_with('…'));
    }

    #[test]
    fn only_a_word_of_an_answer_is_repeated() {
        assert_eq!(words(b"invalid_payload\n").as_deref(), Some("invalid_payload"));
        assert_eq!(words(b"<html>canary</html>"), None);
    }
}
