//! Whom a notice goes to: the first route of the settings that fits, else the channels for everybody else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Notice, NoticeItem, NoticeKind};
use crate::finding::Owner;
use crate::settings::{NotifySettings, Route};

/// Where one message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// The name of the channel in the settings.
    pub channel: String,
    /// The owner's own address, where the route says so; else the channel's.
    pub address: Option<String>,
}

/// A notice and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressed {
    /// The notice.
    pub notice: Notice,
    /// Where it goes; nowhere, where the settings have no channel for it.
    pub to: Vec<Destination>,
}

/// A notice for each owner, with all the owner's keys that go the same way. In the order of owners.
#[must_use]
pub fn digests(
    kind: NoticeKind,
    at: Timestamp,
    items: impl IntoIterator<Item = (Option<Owner>, NoticeItem)>,
    settings: &NotifySettings,
) -> Vec<Addressed> {
    let mut groups: BTreeMap<_, (Option<Owner>, Vec<NoticeItem>)> = BTreeMap::new();
    for (owner, item) in items {
        let to = destinations(kind, owner.as_ref(), &item, settings);
        // The same person is found through a tag here and through another there.
        let name = owner.as_ref().map(|owner| owner.name.clone());
        groups.entry((name, to)).or_insert_with(|| (owner, Vec::new())).1.push(item);
    }
    let addressed = |((_, to), (owner, items))| Addressed { notice: Notice::new(kind, at, owner, items), to };
    groups.into_iter().map(addressed).collect()
}

fn destinations(
    kind: NoticeKind,
    owner: Option<&Owner>,
    item: &NoticeItem,
    settings: &NotifySettings,
) -> Vec<Destination> {
    let (channels, address) = match settings.routes.iter().find(|route| fits(route, kind, owner, item)) {
        Some(route) if route.to_owner => (&route.channels, owner.map(|owner| owner.name.clone())),
        Some(route) => (&route.channels, None),
        None => (&settings.default, None),
    };
    let mut to: Vec<Destination> =
        channels.iter().map(|channel| Destination { channel: channel.clone(), address: address.clone() }).collect();
    to.sort();
    to.dedup();
    to
}

fn fits(route: &Route, kind: NoticeKind, owner: Option<&Owner>, item: &NoticeItem) -> bool {
    let name = owner.map(|owner| owner.name.as_str());
    (route.kinds.is_empty() || route.kinds.contains(&kind))
        && (route.owners.is_empty()
            || name.is_some_and(|name| route.owners.iter().any(|pattern| crate::rule::matches(pattern, name))))
        && (route.accounts.is_empty() || route.accounts.contains(&item.account))
        && (route.units.is_empty() || route.units.iter().any(|unit| item.units.contains(unit)))
        && route.tags.iter().all(|(tag, value)| item.tags.get(tag) == Some(value))
        && (!route.to_owner || name.is_some_and(is_address))
}

/// Whether a name is one e-mail address that a message can go to: not a list, no display name, nothing that could become a
/// header of the mail.
#[must_use]
pub fn is_address(name: &str) -> bool {
    let Some((local, domain)) = name.split_once('@') else { return false };
    let is_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_{|}~.".contains(c);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (1..=64).contains(&local.len())
        && name.len() <= 254
        && local.chars().all(is_local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.split('.').count() >= 2
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, item, owner};
    use super::*;
    use crate::settings::Settings;

    const TEXT: &str = r#"
[notify]
default = ["security"]
[notify.channels.security]
kind = "stdout"
[notify.channels.oncall]
kind = "stdout"
[notify.channels.mail]
kind = "smtp"
host = "mail.example.com"
from = "akia@example.com"
[[notify.route]]
kinds = ["exposed"]
channels = ["oncall", "security"]
[[notify.route]]
accounts = ["210987654321"]
units = ["Sandbox"]
channels = ["oncall"]
[[notify.route]]
tags = { stage = "test" }
channels = ["oncall"]
[[notify.route]]
owners = ["*@example.com"]
to = "owner"
channels = ["mail"]
"#;

    fn settings() -> NotifySettings {
        Settings::parse(TEXT).unwrap().notify
    }

    fn to(kind: NoticeKind, who: Option<&str>, change: impl FnOnce(&mut NoticeItem)) -> Vec<String> {
        let mut item = item("c-1", "ann");
        change(&mut item);
        let digests = digests(kind, at(), [(who.map(owner), item)], &settings());
        let shown = |to: &Destination| format!("{} {}", to.channel, to.address.as_deref().unwrap_or("-"));
        digests[0].to.iter().map(shown).collect()
    }

    #[test]
    fn the_first_route_that_fits_decides() {
        let announced = NoticeKind::Announced;
        assert_eq!(to(announced, Some("ann@example.com"), |_| ()), ["mail ann@example.com"]);
        assert_eq!(to(announced, Some("ann@elsewhere.example"), |_| ()), ["security -"]);
        assert_eq!(to(announced, Some("ann, bob@example.com"), |_| ()), ["security -"], "no single address");
        assert_eq!(to(announced, None, |_| ()), ["security -"]);
        assert_eq!(to(NoticeKind::Exposed, Some("ann@example.com"), |_| ()), ["oncall -", "security -"]);
        let tag = |value: &str| {
            let value = value.to_owned();
            move |item: &mut NoticeItem| drop(item.tags.insert("stage".to_owned(), value))
        };
        assert_eq!(to(announced, None, tag("test")), ["oncall -"]);
        let sandbox = |item: &mut NoticeItem| item.units.push("Sandbox".to_owned());
        assert_eq!(to(announced, None, sandbox), ["security -"], "all that is named must fit");
        let account = |item: &mut NoticeItem| {
            sandbox(item);
            item.account = "210987654321".parse().unwrap();
        };
        assert_eq!(to(announced, None, account), ["oncall -"]);
    }

    #[test]
    fn an_owner_is_told_once_of_all_keys_that_go_the_same_way() {
        let mut elsewhere = item("c-3", "ann");
        elsewhere.tags.insert("stage".to_owned(), "test".to_owned());
        let items = [
            (Some(owner("ann@example.com")), item("c-1", "ann")),
            (Some(owner("bob@example.com")), item("c-2", "bob")),
            (Some(owner("ann@example.com")), elsewhere),
            (Some(owner("ann@example.com")), item("c-4", "svc-ann")),
            (None, item("c-5", "nobody")),
        ];
        let digests = digests(NoticeKind::Reminded, at(), items, &settings());
        let told: Vec<(String, Vec<&str>)> = digests
            .iter()
            .map(|one| {
                let cases = one.notice.items.iter().map(|item| item.case.as_str()).collect();
                (one.to[0].channel.clone(), cases)
            })
            .collect();
        let expected: [(&str, &[&str]); 4] =
            [("security", &["c-5"]), ("mail", &["c-1", "c-4"]), ("oncall", &["c-3"]), ("mail", &["c-2"])];
        assert_eq!(told, expected.map(|(channel, cases)| (channel.to_owned(), cases.to_vec())));
    }

    #[test]
    fn an_address_is_one_address_and_nothing_else() {
        for name in ["ann@example.com", "a.b+c@mail.example.co.uk", "O'Hara@example.org"] {
            assert!(is_address(name), "{name}");
        }
        for name in [
            "",
            "ann",
            "ann@localhost",
            "@example.com",
            "ann@",
            "ann@example.com, bob@example.com",
            "Ann <ann@example.com>",
            "ann@example.com\r\nBcc: all@example.com",
            "ann@@example.com",
            "ann..b@example.com",
            "ann@example..com",
            "ann@-example.com",
            "änn@example.com",
        ] {
            assert!(!is_address(name), "{name:?}");
        }
    }
}
