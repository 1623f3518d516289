//! From a notice to the texts of a message, through templates that can be replaced.
//!
//! Invariant: what is put into a template is escaped for its form by the name of the template, whatever its author wrote. A
//! subject is one line. A template has a bounded number of steps, and can reach nothing but what it is given.

use std::fmt::Write as _;

use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value as Filled};
use serde_json::Value;

use super::facts::{Facts, event};
use super::{Notice, NoticeItem};
use crate::text::visible;

/// Steps of a template: a thousand for each key that is shown, and more.
const FUEL: u64 = 200_000;
/// Longest text that a template may make, in bytes.
const LONGEST_TEXT: usize = 256 * 1024;
/// Longest subject, in characters: mail programs and ticket systems cut what is longer.
const LONGEST_SUBJECT: usize = 200;

/// How values are escaped in templates whose name ends with this.
const SLACK: &str = "slack";

/// A template and the text that it has unless somebody replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its name, and that of the file that replaces it. The ending says how values are escaped.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Every template, in the order of the documentation.
pub static TEMPLATES: &[Template] = &[
    Template {
        name: "subject.txt",
        purpose: "subject of mails and SNS messages, title of tickets and cards",
        text: include_str!("templates/subject.txt"),
    },
    Template {
        name: "message.txt",
        purpose: "plain text: mail, SNS, Teams, tickets, incidents, findings",
        text: include_str!("templates/message.txt"),
    },
    Template { name: "message.slack", purpose: "Slack's mrkdwn", text: include_str!("templates/message.slack") },
    Template { name: "message.html", purpose: "mail in HTML", text: include_str!("templates/message.html") },
];

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no template of that name.
    #[error("there is no template {name}; there are {}", TEMPLATES.iter().map(|one| one.name).collect::<Vec<_>>().join(", "))]
    NoSuch {
        /// The name.
        name: String,
    },
    /// It does not parse, or cannot be filled.
    #[error("template {name}{}: {reason}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Broken {
        /// The template.
        name: String,
        /// The line, where one is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// What it makes is too long.
    #[error("template {name}: it makes more than {LONGEST_TEXT} bytes")]
    TooLong {
        /// The template.
        name: String,
    },
    /// What it makes is empty.
    #[error("template {name}: it makes nothing")]
    Empty {
        /// The template.
        name: String,
    },
}

/// A message in all forms, ready for any channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it says, as data.
    pub notice: Notice,
    /// The owner's own address, where it goes there.
    pub address: Option<String>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// Slack's mrkdwn.
    pub slack: String,
    /// HTML.
    pub html: String,
    /// The event for programs.
    pub event: Value,
    /// One for each key, for channels that keep a ticket for each case.
    pub tickets: Vec<Ticket>,
}

/// What is said of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The key.
    pub item: NoticeItem,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// The templates, parsed.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
}

impl Default for Renderer {
    /// akia's own templates.
    fn default() -> Self {
        Self::with(|_| None).unwrap_or_else(|_| Self { environment: Environment::new() })
    }
}

impl Renderer {
    /// akia's own templates, and those that replace them.
    ///
    /// # Errors
    /// Where a template does not parse, or cannot be filled: each kind of notice is tried.
    pub fn new(replaced: Vec<(String, String)>) -> Result<Self, TemplateError> {
        if let Some((name, _)) = replaced.iter().find(|(name, _)| TEMPLATES.iter().all(|one| one.name != name)) {
            return Err(TemplateError::NoSuch { name: visible(name).into_owned() });
        }
        let renderer =
            Self::with(|name| replaced.iter().find(|(replaced, _)| replaced == name).map(|(_, text)| text.clone()))?;
        for kind in super::NoticeKind::ALL {
            let mut example = Notice::test("example", Timestamp::UNIX_EPOCH);
            example.kind = kind;
            renderer.render(&example, None, Some("Ask the security team."), Timestamp::UNIX_EPOCH)?;
        }
        Ok(renderer)
    }

    fn with(replaced: impl Fn(&str) -> Option<String>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
            Some((_, "html")) => AutoEscape::Html,
            Some((_, "slack")) => AutoEscape::Custom(SLACK.into()),
            Some(_) | None => AutoEscape::None,
        });
        environment.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::Custom(form) if form == SLACK => {
                let text = value.to_string();
                out.write_str(&slack_text(&text)).map_err(minijinja::Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        for template in TEMPLATES {
            let text = replaced(template.name).unwrap_or_else(|| template.text.to_owned());
            environment.add_template_owned(template.name, text).map_err(|error| broken(template.name, &error))?;
        }
        Ok(Self { environment })
    }

    /// Fills all templates. `now` is what the time that is left is counted from.
    ///
    /// # Errors
    /// Where a template cannot be filled.
    pub fn render(
        &self,
        notice: &Notice,
        address: Option<&str>,
        exemption_help: Option<&str>,
        now: Timestamp,
    ) -> Result<Message, TemplateError> {
        let facts = Filled::from(Serde(Facts::of(notice, exemption_help, now)));
        let (subject, text) = (self.subject(&facts)?, self.fill("message.txt", &facts)?);
        let tickets = match &notice.items[..] {
            [item] => vec![Ticket { item: item.clone(), subject: subject.clone(), text: text.clone() }],
            items => {
                items.iter().map(|item| self.ticket(notice, item, exemption_help, now)).collect::<Result<_, _>>()?
            }
        };
        Ok(Message {
            notice: notice.clone(),
            address: address.map(str::to_owned),
            subject,
            text,
            slack: self.fill("message.slack", &facts)?,
            html: self.fill("message.html", &facts)?,
            event: event(notice, now),
            tickets,
        })
    }

    /// Subject and text alone, of a notice that is not sent.
    ///
    /// # Errors
    /// Where a template cannot be filled.
    pub fn preview(
        &self,
        notice: &Notice,
        exemption_help: Option<&str>,
        now: Timestamp,
    ) -> Result<(String, String), TemplateError> {
        let facts = Filled::from(Serde(Facts::of(notice, exemption_help, now)));
        Ok((self.subject(&facts)?, self.fill("message.txt", &facts)?))
    }

    fn ticket(
        &self,
        notice: &Notice,
        item: &NoticeItem,
        exemption_help: Option<&str>,
        now: Timestamp,
    ) -> Result<Ticket, TemplateError> {
        // Not a copy of the whole notice: each of a thousand keys has a ticket.
        let Notice { id, kind, at, owner, items: _ } = notice;
        let alone = Notice { id: id.clone(), kind: *kind, at: *at, owner: owner.clone(), items: vec![item.clone()] };
        let facts = Filled::from(Serde(Facts::of(&alone, exemption_help, now)));
        Ok(Ticket { item: item.clone(), subject: self.subject(&facts)?, text: self.fill("message.txt", &facts)? })
    }

    /// One line, whatever the template makes of it: a line break would begin another header of a mail.
    fn subject(&self, facts: &Filled) -> Result<String, TemplateError> {
        let filled = self.fill("subject.txt", facts)?;
        let mut subject = visible(filled.trim()).into_owned();
        if subject.chars().count() > LONGEST_SUBJECT {
            subject = subject.chars().take(LONGEST_SUBJECT - 1).chain(['…']).collect();
        }
        Ok(subject)
    }

    fn fill(&self, name: &'static str, facts: &Filled) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).map_err(|error| broken(name, &error))?;
        let mut bounded = Bounded(Vec::new());
        let filled = template.render_captured_to(facts, &mut bounded).map(drop);
        let Bounded(bytes) = bounded;
        if bytes.len() > LONGEST_TEXT {
            return Err(TemplateError::TooLong { name: name.to_owned() });
        }
        filled.map_err(|error| broken(name, &error))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.trim().is_empty() { Err(TemplateError::Empty { name: name.to_owned() }) } else { Ok(text) }
    }
}

/// Memory that refuses to grow without end.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.0.len() > LONGEST_TEXT { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn broken(name: &str, error: &minijinja::Error) -> TemplateError {
    let mut reason = error.kind().to_string();
    if let Some(detail) = error.detail() {
        // Writing to memory cannot fail.
        let _ = write!(reason, " ({})", visible(detail));
    }
    TemplateError::Broken { name: name.to_owned(), line: error.line(), reason }
}

/// `&`, `<` and `>` are all that Slack acts on outside its own marks: `<!channel>` and links begin with them. A backquote would
/// end the code that a value stands in.
///
/// Source: <https://docs.slack.dev/messaging/formatting-message-text>, "Escaping text".
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, hostile, item, owner};
    use super::super::{Next, NoticeKind};
    use super::*;
    use crate::key::{KeyStatus, LastUsed};

    fn rendered(notice: &Notice) -> Message {
        Renderer::default().render(notice, None, Some("Ask in #security with key id and reason."), at()).unwrap()
    }

    fn announced() -> Notice {
        Notice::new(NoticeKind::Announced, at(), Some(owner("ann@example.com")), vec![item("c-1", "ann")])
    }

    #[test]
    fn an_announcement_tells_an_engineer_what_to_do() {
        let message = rendered(&announced());
        insta::assert_snapshot!(format!("{}\n\n{}", message.subject, message.text));
        insta::assert_snapshot!(message.slack);
        insta::assert_snapshot!(message.html);
        insta::assert_json_snapshot!(message.event);
    }

    #[test]
    fn what_was_done_is_told_with_the_way_back() {
        let mut item = item("c-1", "svc-backup");
        item.status = KeyStatus::Inactive;
        item.last_used = LastUsed::Never;
        item.next = Next::Delete;
        item.command = Some(["akia", "enforce", "reactivate", "AKIAIOSFODNN7EXAMPLE"].map(str::to_owned).to_vec());
        let message = rendered(&Notice::new(NoticeKind::Deactivated, at(), None, vec![item.clone()]));
        insta::assert_snapshot!(format!("{}\n\n{}\n{}", message.subject, message.text, message.slack));
        let mut other = item.clone();
        other.case = "c-2".to_owned();
        other.last_used = LastUsed::Unknown { reason: "access denied".to_owned() };
        let both = rendered(&Notice::new(NoticeKind::Exposed, at(), Some(owner("ops")), vec![item, other]));
        insta::assert_snapshot!(format!("{}\n\n{}", both.subject, both.text));
        assert_eq!(both.tickets.len(), 2);
        assert!(both.tickets.iter().all(|ticket| !ticket.subject.contains("2 access keys")), "{:?}", both.tickets);
    }

    #[test]
    fn a_test_message_says_that_nothing_is_to_be_done() {
        let message = rendered(&Notice::test("slack", at()));
        insta::assert_snapshot!(format!("{}\n\n{}", message.subject, message.text));
    }

    #[test]
    fn nothing_from_outside_acts_in_any_form() {
        let message = rendered(&hostile());
        for text in [&message.subject, &message.text, &message.slack, &message.html] {
            assert!(!text.chars().any(|c| c != '\n' && crate::text::is_active(c)), "{text}");
        }
        assert!(!message.subject.contains('\n'));
        assert!(message.text.contains("'x;rm -rf /'"), "{}", message.text);
        for mark in ["<!channel>", "<script", "<b>"] {
            assert!(!message.slack.contains(mark), "{}", message.slack);
        }
        assert!(message.slack.contains("&lt;!channel&gt;"), "{}", message.slack);
        assert!(!message.slack.contains("`code`"), "{}", message.slack);
        for mark in ["<script", "<b>", "<!channel>"] {
            assert!(!message.html.contains(mark), "{}", message.html);
        }
    }

    #[test]
    fn a_template_that_is_replaced_is_escaped_all_the_same() {
        let replaced = |name: &str, text: &str| Renderer::new(vec![(name.to_owned(), text.to_owned())]);
        let render = |renderer: &Renderer| renderer.render(&hostile(), None, None, at()).unwrap();
        let html = render(&replaced("message.html", "<p>{{ items[0].account }}</p>").unwrap()).html;
        assert!(html.starts_with("<p>123456789012 (&lt;!channel&gt;"), "{html}");
        let subject = render(&replaced("subject.txt", "one\ntwo {{ owner }}").unwrap()).subject;
        assert!(subject.starts_with("one\\ntwo ann\\r\\nBcc"), "{subject}");
        let slack = render(&replaced("message.slack", "{{ owner }}").unwrap()).slack;
        assert!(slack.contains("&lt;b&gt;&amp;&lt;/b&gt;"), "{slack}");
    }

    #[test]
    fn a_broken_template_is_named_with_its_line() {
        let error =
            |name: &str, text: &str| Renderer::new(vec![(name.to_owned(), text.to_owned())]).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                error("message.txt", "a\n{% if %}"),
                error("message.txt", "a\nb {{ no_such }}"),
                error("message.txt", "{% for a in range(100000) %}{{ a }}{% endfor %}"),
                error("message.txt", "{% for a in range(9000) %}{{ items }}{% endfor %}"),
                error("message.txt", "{% include 'other' %}"),
                error("subject.txt", "{% if kind == 'x' %}x{% endif %}"),
                error("mesage.txt", "a"),
            ]
            .join("\n")
        );
    }

    #[test]
    fn akias_own_templates_fit_every_kind() {
        for kind in NoticeKind::ALL {
            let message =
                rendered(&Notice::new(kind, at(), Some(owner("ann")), vec![item("c-1", "ann"), item("c-2", "bob")]));
            assert!(!message.text.contains("\n\n\n"), "{kind}: {}", message.text);
            assert!(message.text.contains("akia never asks for"), "{kind}");
        }
        assert!(Renderer::new(Vec::new()).is_ok());
    }
}
