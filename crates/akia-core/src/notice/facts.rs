//! What a notice says, in words and as data: the values that templates are filled with, and the event for programs.
//!
//! Invariant: every text that came from outside is harmless here already (no control characters, no direction overrides), so
//! that a template only has to escape for its own form.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Next, Notice, NoticeItem, NoticeKind};
use crate::cheatsheet::quote;
use crate::finding::OwnerSource;
use crate::key::LastUsed;
use crate::rule;
use crate::text::visible;

/// Keys that one message shows; the rest is counted. An event has all.
const MOST_SHOWN: usize = 50;

/// What becomes of a key in the end, in a word.
const DELETED: &str = "deleted";

/// All that a template can use.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    /// The kind's word.
    pub(super) kind: &'static str,
    /// The notice's id.
    pub(super) id: String,
    /// The subject.
    pub(super) title: String,
    /// What has happened, and what to do: one or two sentences.
    pub(super) intro: String,
    /// When it was put together.
    pub(super) at: String,
    /// The owner's name and where it stands, if one is known.
    pub(super) owner: Option<String>,
    /// How many keys it is about.
    pub(super) count: usize,
    /// How many of them are not shown.
    pub(super) more: usize,
    /// How to ask for an exemption, where the settings say so.
    pub(super) exemption_help: Option<String>,
    /// The keys that are shown.
    pub(super) items: Vec<ItemFacts>,
}

/// One key.
#[derive(Debug, Serialize)]
pub(super) struct ItemFacts {
    pub(super) key: String,
    pub(super) user: String,
    pub(super) user_arn: String,
    /// Number and name.
    pub(super) account: String,
    pub(super) status: &'static str,
    pub(super) age: String,
    pub(super) last_used: String,
    /// Title and id of each broken rule.
    pub(super) rules: Vec<String>,
    /// The deadline with the time that is left, and what happens then; `None` where nothing will.
    pub(super) deadline: Option<String>,
    /// Who still uses the key.
    pub(super) used_by: Vec<String>,
    /// What can be pasted into a shell.
    pub(super) command: Option<String>,
    /// What the command is for.
    pub(super) command_label: &'static str,
    pub(super) case: String,
}

impl Facts {
    pub(super) fn of(notice: &Notice, exemption_help: Option<&str>, now: Timestamp) -> Self {
        let owner = notice.owner.as_ref().map(|owner| {
            let source = match owner.source {
                OwnerSource::KeyTag => "description of the key",
                OwnerSource::UserTag => "tag of the user",
                OwnerSource::AccountTag => "tag of the account",
                OwnerSource::AccountContact => "address of the account",
                OwnerSource::Settings => "akia.toml",
            };
            format!("{} ({source})", visible(&owner.name))
        });
        Self {
            kind: notice.kind.as_str(),
            id: notice.id.to_string(),
            title: title(notice, now),
            intro: intro(notice.kind, notice.items.len()),
            at: time_words(notice.at),
            owner,
            count: notice.items.len(),
            more: notice.items.len().saturating_sub(MOST_SHOWN),
            exemption_help: exemption_help.map(|help| visible(help).into_owned()),
            items: notice.items.iter().take(MOST_SHOWN).map(|item| ItemFacts::of(item, notice.kind, now)).collect(),
        }
    }
}

impl ItemFacts {
    fn of(item: &NoticeItem, kind: NoticeKind, now: Timestamp) -> Self {
        let account = match &item.account_name {
            Some(name) => format!("{} ({})", item.account, visible(name)),
            None => item.account.to_string(),
        };
        let command_label = match kind {
            NoticeKind::Deactivated => "bring it back",
            NoticeKind::Announced
            | NoticeKind::Reminded
            | NoticeKind::Deleted
            | NoticeKind::Reactivated
            | NoticeKind::Exposed
            | NoticeKind::StillUsed
            | NoticeKind::Resolved
            | NoticeKind::Test => "do this",
        };
        Self {
            key: item.key.to_string(),
            user: item.user.name.to_string(),
            user_arn: visible(&item.user.to_string()).into_owned(),
            account,
            status: item.status.as_str(),
            age: format!("{}, made on {}", count_days(days_between(item.created_at, now)), date(item.created_at)),
            last_used: last_used_words(&item.last_used, now),
            rules: item.rules.iter().map(|id| rule_words(id)).collect(),
            deadline: deadline_words(item, now),
            used_by: item.used_by.iter().map(|who| visible(who).into_owned()).collect(),
            command: item.command.as_deref().map(command_line),
            command_label,
            case: visible(&item.case).into_owned(),
        }
    }
}

/// The event for programs: `akia.notice/1`. `docs/notices.md` has every field.
#[must_use]
pub fn event(notice: &Notice, now: Timestamp) -> Value {
    let rule = |id: &String| json!({ "id": visible(id), "title": rule::find(id).map(|rule| rule.title) });
    let item = |item: &NoticeItem| {
        json!({
            "case": visible(&item.case),
            "account": item.account,
            "account_name": item.account_name.as_deref().map(visible),
            "user": item.user,
            "user_name": item.user.name,
            "access_key": item.key,
            "status": item.status.as_str(),
            "created_at": item.created_at,
            "last_used": last_used(&item.last_used),
            "rules": item.rules.iter().map(rule).collect::<Vec<_>>(),
            "deadline": item.deadline,
            "next": item.next,
            "used_by": item.used_by.iter().map(|who| visible(who)).collect::<Vec<_>>(),
            "command": item.command.as_deref().map(command_line),
        })
    };
    let owner = notice.owner.as_ref().map(|owner| json!({ "name": visible(&owner.name), "source": owner.source }));
    json!({
        "schema": "akia.notice/1",
        "id": notice.id,
        "kind": notice.kind,
        "at": notice.at,
        "owner": owner,
        "title": title(notice, now),
        "items": notice.items.iter().map(item).collect::<Vec<_>>(),
    })
}

fn last_used(last_used: &LastUsed) -> Value {
    match last_used {
        LastUsed::Never => json!({ "state": "never" }),
        LastUsed::At { at, service, region } => {
            json!({ "state": "at", "at": at, "service": visible(service), "region": visible(region) })
        }
        LastUsed::Unknown { reason } => json!({ "state": "unknown", "reason": visible(reason) }),
    }
}

/// `2026-12-01 09:00 UTC`.
#[must_use]
pub fn time_words(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}

fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn title(notice: &Notice, now: Timestamp) -> String {
    let [item] = &notice.items[..] else { return title_of_many(notice, now) };
    let key = format!("access key {} of {}", item.key, item.user.name);
    let will = |next: Next| match (next, item.deadline) {
        (Next::Deactivate, Some(deadline)) => Some(format!("will be deactivated on {}", until(deadline, now))),
        (Next::Delete, Some(deadline)) => Some(format!("will be deleted on {}", until(deadline, now))),
        (Next::Deactivate | Next::Delete, None) | (Next::Nothing, _) => None,
    };
    match notice.kind {
        NoticeKind::Announced => capital(&format!("{key} {}", will(item.next).as_deref().unwrap_or("breaks a rule"))),
        NoticeKind::Reminded => {
            format!("Reminder: {key} {}", will(item.next).as_deref().unwrap_or("still breaks a rule"))
        }
        NoticeKind::Deactivated => match will(item.next).filter(|_| item.next == Next::Delete) {
            Some(next) => capital(&format!("{key} was deactivated, and {next}")),
            None => capital(&format!("{key} was deactivated")),
        },
        NoticeKind::Deleted => capital(&format!("{key} was deleted")),
        NoticeKind::Reactivated => capital(&format!("{key} was activated again")),
        NoticeKind::Exposed => format!("Act now: {key} is known to others"),
        NoticeKind::StillUsed => capital(&format!("{key} was replaced, and somebody still uses it")),
        NoticeKind::Resolved => format!("Settled: {key}"),
        NoticeKind::Test => "Test message of akia: nothing is to be done".to_owned(),
    }
}

fn title_of_many(notice: &Notice, now: Timestamp) -> String {
    let keys = format!("{} access keys", notice.items.len());
    let first = notice.items.iter().find_map(|item| match item.next {
        Next::Deactivate => Some((item.deadline?, "deactivated")),
        Next::Delete => Some((item.deadline?, DELETED)),
        Next::Nothing => None,
    });
    let will = |fallback: &str| match first {
        Some((deadline, what)) => format!("will be {what}, the first on {}", until(deadline, now)),
        None => fallback.to_owned(),
    };
    match notice.kind {
        NoticeKind::Announced => format!("{keys} {}", will("break rules")),
        NoticeKind::Reminded => format!("Reminder: {keys} {}", will("still break rules")),
        NoticeKind::Deactivated if first.is_some_and(|(_, what)| what == DELETED) => {
            format!("{keys} were deactivated, and {}", will(""))
        }
        NoticeKind::Deactivated => format!("{keys} were deactivated"),
        NoticeKind::Deleted => format!("{keys} were deleted"),
        NoticeKind::Reactivated => format!("{keys} were activated again"),
        NoticeKind::Exposed => format!("Act now: {keys} are known to others"),
        NoticeKind::StillUsed => format!("{keys} were replaced, and somebody still uses them"),
        NoticeKind::Resolved => format!("Settled: {keys}"),
        NoticeKind::Test => "Test message of akia: nothing is to be done".to_owned(),
    }
}

fn intro(kind: NoticeKind, count: usize) -> String {
    let (key, it, is) = if count == 1 { ("this key", "it", "is") } else { ("these keys", "they", "are") };
    match kind {
        NoticeKind::Announced => {
            format!("Replace {key} before the deadline. After it, AWS will refuse whatever still uses {}.", them(count))
        }
        NoticeKind::Reminded => format!(
            "The deadline comes nearer, and {it} {is} still in place. Replace {key} now; AWS will refuse whatever still uses \
             {} afterwards.",
            them(count)
        ),
        NoticeKind::Deactivated => format!(
            "AWS now refuses whatever still uses {key}. If that breaks something, bring {} back, and replace {} soon.",
            them(count),
            them(count)
        ),
        NoticeKind::Deleted => {
            format!("{} gone for good. There is nothing left to do.", capital(&format!("{key} {is}")))
        }
        NoticeKind::Reactivated => {
            format!("{} in use again. Replace {} before the next deadline.", capital(&format!("{key} {is}")), them(count))
        }
        NoticeKind::Exposed => format!(
            "Somebody else knows {key} and can act with {} rights. Replace {} at once, and look at what was done with {}.",
            if count == 1 { "its" } else { "their" },
            them(count),
            them(count)
        ),
        NoticeKind::StillUsed => format!(
            "A new key stands in every place that akia knows. Whoever still uses {key} has a copy elsewhere: name that place in \
             akia.toml, or move its owner to the new key. Until then {it} {} active.",
            if count == 1 { "stays" } else { "stay" }
        ),
        NoticeKind::Resolved => format!("Nothing is left to be done about {key}."),
        NoticeKind::Test => {
            "Somebody tries whether messages of akia arrive here. The key below is made up, and nothing will happen to it."
                .to_owned()
        }
    }
}

fn them(count: usize) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

/// `2026-12-01 (7 days left)`.
fn until(deadline: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", date(deadline), left(deadline, now))
}

fn left(deadline: Timestamp, now: Timestamp) -> String {
    let hours = deadline.duration_since(now).as_hours();
    match hours {
        _ if deadline <= now => "overdue".to_owned(),
        0 => "less than an hour left".to_owned(),
        1 => "an hour left".to_owned(),
        2..48 => format!("{hours} hours left"),
        _ => format!("{} days left", hours / 24),
    }
}

fn deadline_words(item: &NoticeItem, now: Timestamp) -> Option<String> {
    let deadline = item.deadline?;
    let what = match item.next {
        Next::Deactivate => ": the key will be deactivated",
        Next::Delete => ": the key will be deleted for good",
        Next::Nothing => "",
    };
    Some(format!("{}, {}{what}", time_words(deadline), left(deadline, now)))
}

fn last_used_words(last_used: &LastUsed, now: Timestamp) -> String {
    match last_used {
        LastUsed::Never => "never, as far as AWS knows".to_owned(),
        LastUsed::At { at, service, region } => {
            let ago = match days_between(*at, now) {
                0 => "today".to_owned(),
                1 => "a day ago".to_owned(),
                days => format!("{days} days ago"),
            };
            format!("{} ({ago}), {} in {}", time_words(*at), visible(service), visible(region))
        }
        LastUsed::Unknown { reason } => format!("not known: {}", visible(reason)),
    }
}

fn rule_words(id: &str) -> String {
    match rule::find(id) {
        Some(rule) => format!("{} ({id})", rule.title),
        None => visible(id).into_owned(),
    }
}

fn command_line(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// Whole days, never less than none: clocks differ.
fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    (to.duration_since(from).as_hours() / 24).max(0)
}

fn count_days(days: i64) -> String {
    if days == 1 { "a day".to_owned() } else { format!("{days} days") }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, hostile, item, owner};
    use super::*;

    #[test]
    fn titles_say_what_happens_and_when() {
        let mut titles = Vec::new();
        for kind in NoticeKind::ALL {
            for count in [1, 3] {
                let mut items: Vec<NoticeItem> = (0..count).map(|index| item(&format!("c-{index}"), "ann")).collect();
                if kind == NoticeKind::Deactivated {
                    items.iter_mut().for_each(|item| item.next = Next::Delete);
                }
                titles.push(title(&Notice::new(kind, at(), Some(owner("ann")), items), at()));
            }
        }
        insta::assert_snapshot!(titles.join("\n"));
    }

    #[test]
    fn the_time_that_is_left_is_told_as_people_count_it() {
        for (deadline, words) in [
            ("2026-12-01T09:00:00Z", "7 days left"),
            ("2026-11-26T08:59:00Z", "47 hours left"),
            ("2026-11-26T09:00:00Z", "2 days left"),
            ("2026-11-24T10:30:00Z", "an hour left"),
            ("2026-11-24T09:00:01Z", "less than an hour left"),
            ("2026-11-24T09:00:00Z", "overdue"),
            ("2026-11-01T09:00:00Z", "overdue"),
        ] {
            assert_eq!(left(deadline.parse().unwrap(), at()), words, "{deadline}");
        }
    }

    #[test]
    fn an_event_has_every_key_and_nothing_active() {
        let items = (0..60).map(|index| item(&format!("c-{index}"), "ann")).collect();
        let notice = Notice::new(NoticeKind::Announced, at(), None, items);
        assert_eq!(event(&notice, at())["items"].as_array().unwrap().len(), 60);
        let facts = Facts::of(&notice, None, at());
        assert_eq!((facts.items.len(), facts.more), (50, 10));
        let text = event(&hostile(), at()).to_string();
        assert!(!text.chars().any(crate::text::is_active), "{text}");
        for hidden in ["\\u001b", "\\r", "\\u202e"] {
            assert!(!text.replace("\\\\", "").contains(hidden), "{hidden} in {text}");
        }
    }
}
