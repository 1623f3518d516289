//! Channels and the outbox: against a server that checks each request as the service's documentation states it, and answers well
//! or badly; and under faults, crashes and rivals.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/ground.rs"]
mod ground;
mod outbox;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/postgres.rs"]
mod postgres;
mod server;
mod web;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use akia_core::finding::{Owner, OwnerSource};
use akia_core::key::{KeyStatus, LastUsed};
use akia_core::notice::{Destination, Next, Notice, NoticeItem, NoticeKind};
use akia_core::settings::Settings;
use akia_io::aws::{Aws, AwsOptions};
use akia_io::clock::Clock;
use akia_io::notify::{Channels, Reach};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// What must never be seen anywhere.
pub(crate) const CANARY: &str = "canary-4711-canary-4711-canary";

pub(crate) fn at() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

/// A clock that stands still until it is turned.
#[derive(Debug)]
pub(crate) struct Turned(Mutex<Timestamp>);

impl Turned {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(at()))
    }

    pub(crate) fn turn(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.turn(SignedDuration::try_from(wait).unwrap());
        Box::pin(std::future::ready(()))
    }
}

pub(crate) fn item(case: &str) -> NoticeItem {
    NoticeItem {
        case: case.to_owned(),
        account: "123456789012".parse().unwrap(),
        account_name: Some("<!channel> \"shop\" [x](https://evil.example)".to_owned()),
        units: Vec::new(),
        tags: BTreeMap::new(),
        user: "arn:aws:iam::123456789012:user/ann".parse().unwrap(),
        key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        status: KeyStatus::Active,
        created_at: "2025-10-09T08:00:00Z".parse().unwrap(),
        last_used: LastUsed::Never,
        rules: vec!["key-age".to_owned()],
        deadline: Some("2026-12-01T09:00:00Z".parse().unwrap()),
        next: Next::Deactivate,
        used_by: Vec::new(),
        command: Some(["akia", "rotate", "--user", "ann"].map(str::to_owned).to_vec()),
    }
}

pub(crate) fn notice(kind: NoticeKind, cases: &[&str]) -> Notice {
    let owner = Owner { name: "ann@example.com".to_owned(), source: OwnerSource::UserTag };
    Notice::new(kind, at(), Some(owner), cases.iter().map(|case| item(case)).collect())
}

pub(crate) fn to(channel: &str) -> Destination {
    Destination { channel: channel.to_owned(), address: None }
}

/// The channels of a text of settings, with secrets from these variables.
pub(crate) fn channels(text: &str, variables: &[(&str, String)]) -> Channels {
    let settings = Settings::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")).notify;
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let options = AwsOptions {
        connect_timeout: Duration::from_millis(500),
        attempt_timeout: Duration::from_millis(1_500),
        ..AwsOptions::default()
    };
    let reach = Reach {
        aws: Aws::new(options),
        callers: BTreeMap::new(),
        variable: Box::new(move |name| variables.get(name).cloned()),
    };
    Channels::open(&settings, akia_io::notify::load_templates(None).unwrap(), &reach)
}
