//! Notices: what an owner is told of keys, whom it goes to, and how it reads.
//!
//! Invariant: a notice that is put together again from the same facts has the same id, so that a retry never becomes a second
//! message. One notice holds all keys of one owner that go the same way. Nothing in a notice is a secret.

mod facts;
mod render;
mod route;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::finding::Owner;
use crate::ids::{AccessKeyId, AccountId, IdError, UserArn};
use crate::key::{KeyStatus, LastUsed};

pub use facts::{event, time_words};
pub use render::{Message, Renderer, TEMPLATES, Template, TemplateError, Ticket};
pub use route::{Addressed, Destination, digests, is_address};

/// What has happened to keys, or will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// Something will be done to the key at its deadline.
    Announced,
    /// The same again, later.
    Reminded,
    /// The key was deactivated.
    Deactivated,
    /// The key was deleted.
    Deleted,
    /// The key was activated again.
    Reactivated,
    /// Others know the key.
    Exposed,
    /// The key was replaced in every place that is known, and somebody still uses it.
    StillUsed,
    /// Nothing is left to be done about the key.
    Resolved,
    /// Nothing has happened: somebody tries whether messages arrive.
    Test,
}

impl NoticeKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Announced,
        Self::Reminded,
        Self::Deactivated,
        Self::Deleted,
        Self::Reactivated,
        Self::Exposed,
        Self::StillUsed,
        Self::Resolved,
        Self::Test,
    ];

    /// Its word for programs and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Reminded => "reminded",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::Reactivated => "reactivated",
            Self::Exposed => "exposed",
            Self::StillUsed => "still-used",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }

    /// Whether the case is over with it: tickets are closed, incidents resolved, findings archived.
    #[must_use]
    pub fn ends_the_case(self) -> bool {
        match self {
            Self::Deleted | Self::Resolved => true,
            Self::Announced
            | Self::Reminded
            | Self::Deactivated
            | Self::Reactivated
            | Self::Exposed
            | Self::StillUsed
            | Self::Test => false,
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A word that is no kind of notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a kind of notice; write announced, reminded, deactivated, deleted, reactivated, exposed, still-used, resolved or test"
)]
pub struct UnknownKind;

impl FromStr for NoticeKind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// The name of a notice: `n-` and 32 hexadecimal digits, from what it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoticeId(String);

impl NoticeId {
    /// The id as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for NoticeId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_hex = |hex: &str| hex.len() == 32 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.strip_prefix("n-").is_some_and(is_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "a notice id (n- and 32 hexadecimal digits)"))
        }
    }
}

impl TryFrom<String> for NoticeId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<NoticeId> for String {
    fn from(id: NoticeId) -> String {
        id.0
    }
}

/// What becomes of a key at its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// It will be deactivated.
    Deactivate,
    /// It will be deleted.
    Delete,
    /// Nothing.
    Nothing,
}

/// One key of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeItem {
    /// The case that it belongs to, whatever its form: tickets and incidents are found again by it.
    pub case: String,
    /// The account.
    pub account: AccountId,
    /// Its name, where one is known.
    pub account_name: Option<String>,
    /// The organisational units above the account, from the root down, by name; for routes.
    #[serde(default)]
    pub units: Vec<String>,
    /// Tags of the user, and those of the account that the user does not have; for routes. No message shows them.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Whose key it is.
    pub user: UserArn,
    /// The key.
    pub key: AccessKeyId,
    /// Active or inactive, now that the notice is made.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its last use.
    pub last_used: LastUsed,
    /// Ids of the rules that it breaks.
    pub rules: Vec<String>,
    /// When `next` is due.
    pub deadline: Option<Timestamp>,
    /// What becomes of the key then.
    pub next: Next,
    /// Who still uses the key, as CloudTrail names them, in words; where that is what the notice is about.
    #[serde(default)]
    pub used_by: Vec<String>,
    /// What the owner can run, word by word: what mends the matter; for a deactivated key, what brings it back.
    pub command: Option<Vec<String>>,
}

/// All that one owner is told at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its name.
    pub id: NoticeId,
    /// What it is about.
    pub kind: NoticeKind,
    /// When it was put together.
    pub at: Timestamp,
    /// Who answers for the keys, where that is known.
    pub owner: Option<Owner>,
    /// The keys, the nearest deadline first.
    pub items: Vec<NoticeItem>,
}

impl Notice {
    /// Puts a notice together. Its id follows from kind, owner, cases, keys and deadlines, and not from the moment.
    #[must_use]
    pub fn new(kind: NoticeKind, at: Timestamp, owner: Option<Owner>, mut items: Vec<NoticeItem>) -> Self {
        items.sort_by(|a, b| {
            // A key without a deadline comes last.
            let order = |item: &NoticeItem| (item.deadline.is_none(), item.deadline);
            order(a).cmp(&order(b)).then_with(|| (&a.case, &a.key).cmp(&(&b.case, &b.key)))
        });
        let said: Vec<_> = items.iter().map(|item| (&item.case, &item.key, item.deadline, item.next)).collect();
        let owner_name = owner.as_ref().map(|owner| &owner.name);
        // As JSON, in which no two different lists look the same. It cannot fail: there is no map in it, and no float.
        let text = serde_json::to_string(&("akia.notice/1", kind, owner_name, said)).unwrap_or_default();
        Self { id: NoticeId(format!("n-{}", digest::long(&text))), kind, at, owner, items }
    }

    /// A message to try a channel with, about the key of AWS's documentation. Each moment gives another id.
    #[must_use]
    pub fn test(channel: &str, at: Timestamp) -> Self {
        let parsed = || {
            Some(NoticeItem {
                case: format!("test-{channel}-{}", at.as_millisecond()),
                account: "123456789012".parse().ok()?,
                account_name: Some("an account that does not exist".to_owned()),
                units: Vec::new(),
                tags: BTreeMap::new(),
                user: "arn:aws:iam::123456789012:user/nobody".parse().ok()?,
                key: "AKIAIOSFODNN7EXAMPLE".parse().ok()?,
                status: KeyStatus::Active,
                created_at: at,
                last_used: LastUsed::Never,
                rules: Vec::new(),
                deadline: None,
                next: Next::Nothing,
                used_by: Vec::new(),
                command: None,
            })
        };
        Self::new(NoticeKind::Test, at, None, parsed().into_iter().collect())
    }
}

/// A notice with everything in it that can be there.
#[cfg(test)]
pub(crate) mod fixture {
    use super::*;
    use crate::finding::OwnerSource;

    pub(crate) fn at() -> Timestamp {
        "2026-11-24T09:00:00Z".parse().unwrap()
    }

    pub(crate) fn owner(name: &str) -> Owner {
        Owner { name: name.to_owned(), source: OwnerSource::UserTag }
    }

    pub(crate) fn item(case: &str, user: &str) -> NoticeItem {
        NoticeItem {
            case: case.to_owned(),
            account: "123456789012".parse().unwrap(),
            account_name: Some("production".to_owned()),
            units: vec!["Root".to_owned(), "Shops".to_owned()],
            tags: BTreeMap::from([("stage".to_owned(), "live".to_owned())]),
            user: format!("arn:aws:iam::123456789012:user/people/{user}").parse().unwrap(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            status: KeyStatus::Active,
            created_at: "2025-10-09T08:00:00Z".parse().unwrap(),
            last_used: LastUsed::At {
                at: "2026-11-20T14:03:00Z".parse().unwrap(),
                service: "s3".to_owned(),
                region: "eu-west-1".to_owned(),
            },
            rules: vec!["key-age".to_owned(), "admin-key".to_owned()],
            deadline: Some("2026-12-01T09:00:00Z".parse().unwrap()),
            next: Next::Deactivate,
            used_by: Vec::new(),
            command: Some(["akia", "rotate", "--user", user].map(str::to_owned).to_vec()),
        }
    }

    /// Whatever can be hostile in a notice is.
    pub(crate) fn hostile() -> Notice {
        let mut item = item("case\u{202e}", "ann");
        item.account_name =
            Some("<!channel> <script>alert(1)</script> *bold* `code` [x](https://evil.example)".to_owned());
        item.last_used = LastUsed::Unknown { reason: "no\r\nBcc: all@example.com\u{1b}[2J".to_owned() };
        item.command = Some(vec!["akia".to_owned(), "x;rm -rf /".to_owned()]);
        Notice::new(NoticeKind::Announced, at(), Some(owner("ann\r\nBcc: all@example.com <b>&</b>")), vec![item])
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{at, item, owner};
    use super::*;

    #[test]
    fn the_id_stays_on_a_retry_and_changes_with_what_is_said() {
        let make = |kind, who: &str, items| Notice::new(kind, at(), Some(owner(who)), items);
        let first = make(NoticeKind::Announced, "ann", vec![item("c-1", "ann"), item("c-2", "ann")]);
        let mut again = make(NoticeKind::Announced, "ann", vec![item("c-2", "ann"), item("c-1", "ann")]);
        assert_eq!(first.id, again.id, "whatever the order");
        again = Notice::new(NoticeKind::Announced, Timestamp::UNIX_EPOCH, again.owner, again.items);
        assert_eq!(first.id, again.id, "whenever it is made");
        let mut later = item("c-2", "ann");
        later.deadline = later.deadline.map(|deadline| deadline + jiff::SignedDuration::from_secs(1));
        let others = [
            make(NoticeKind::Reminded, "ann", vec![item("c-1", "ann"), item("c-2", "ann")]),
            make(NoticeKind::Announced, "bob", vec![item("c-1", "ann"), item("c-2", "ann")]),
            make(NoticeKind::Announced, "ann", vec![item("c-1", "ann")]),
            make(NoticeKind::Announced, "ann", vec![item("c-1", "ann"), later]),
        ];
        for other in others {
            assert_ne!(first.id, other.id);
        }
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = Notice::test("slack", at()).id;
        assert_eq!(id.as_str().parse::<NoticeId>(), Ok(id.clone()));
        for text in ["", "n-", "r-0123456789abcdef", "n-0123456789abcdef", &id.as_str().to_uppercase()] {
            assert!(text.parse::<NoticeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_notice_survives_its_json() {
        let notice = Notice::new(NoticeKind::Deactivated, at(), None, vec![item("c-1", "ann")]);
        let json = serde_json::to_string(&notice).unwrap();
        assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice);
    }

    #[test]
    fn every_kind_has_a_word_that_is_read_again() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!("sent".parse::<NoticeKind>().is_err());
    }

    #[test]
    fn the_nearest_deadline_comes_first() {
        let mut far = item("a", "ann");
        far.deadline = None;
        let notice = Notice::new(NoticeKind::Announced, at(), None, vec![far, item("b", "ann")]);
        assert_eq!(notice.items.iter().map(|item| item.case.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }
}
