//! What a team has agreed on for keys that break a rule: which rules lead to action, how long each stage lasts, and whom and
//! what akia leaves alone. It stands under `[enforce]` in `akia.toml`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Weekday;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::Waits;
use crate::contain::Strategy;
use crate::digest;
use crate::estate::{Account, User};
use crate::ids::{AccessKeyId, AccountId, UserName};
use crate::rule::{Scope, matches};
use crate::span;

/// The rules that can lead to action, and that it is a key that must go: others are mended otherwise.
pub const ACTING_RULES: [&str; 5] =
    ["key-age", "key-unused", "key-never-used", "key-made-with-user", "inactive-key-kept"];

/// The policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnforcePolicy {
    /// The switch: `false` stops everything.
    pub is_enabled: bool,
    /// What holds where nothing else is said.
    pub base: Terms,
    /// Where something else is said; a later one wins.
    pub overrides: Vec<TermsOverride>,
    /// Users whom nothing is done to.
    pub protected: Protected,
    /// Exceptions that end.
    pub exemptions: Vec<Exemption>,
    /// Longest time that an exemption may hold for.
    pub longest_exemption: SignedDuration,
    /// Times at which no key is changed.
    pub freezes: Vec<Freeze>,
    /// How many keys are changed at most.
    pub caps: Caps,
    /// Accounts where a policy shows itself first.
    pub canary: Option<Canary>,
    /// Which role does what.
    pub roles: Roles,
    /// How old an audit may be that a plan stands on.
    pub evidence_age: SignedDuration,
    /// How long a plan holds.
    pub plan_age: SignedDuration,
    /// Whether a change needs to be approved by name.
    pub needs_approval: bool,
    /// What is done at once about a key that others may know. It is no part of the digest: what the canary has shown of the rest still holds
    /// where this changes.
    #[serde(skip)]
    pub on_exposure: OnExposure,
}

/// What is done about a key that AWS says others may know, as soon as an event tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExposure {
    /// It is written down: the next audit has a finding.
    Record,
    /// And the channels of `[notify]` are told at once.
    #[default]
    Notify,
    /// And the user is put into quarantine at once.
    Quarantine,
    /// And the key is contained at once, as `akia contain` does it.
    Contain {
        /// How: [`Strategy::Deactivate`] or [`Strategy::Quarantine`]. A rotation takes the places that hold the key, and a deletion a person.
        strategy: Strategy,
    },
}

/// What holds for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The rules that lead to action, by id.
    pub rules: BTreeSet<String>,
    /// How long each stage lasts.
    pub waits: Waits,
    /// What is done about a key that is in use.
    pub in_use: InUse,
    /// A key that was used within this time is in use.
    pub quiet: SignedDuration,
}

/// What is done about a key that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum InUse {
    /// Its owner is told and reminded, and it is not deactivated.
    Hold,
    /// It is deactivated like any other.
    Deactivate,
}

/// Where something else holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TermsOverride {
    /// Whom it holds for.
    pub scope: Scope,
    /// Other rules.
    pub rules: Option<BTreeSet<String>>,
    /// Another wait before the reminder.
    pub remind_after: Option<SignedDuration>,
    /// Another wait before the deactivation.
    pub deactivate_after: Option<SignedDuration>,
    /// Another soak; `Some(None)`: never deleted.
    pub delete_after: Option<Option<SignedDuration>>,
    /// Something else about keys in use.
    pub in_use: Option<InUse>,
    /// Another quiet time.
    pub quiet: Option<SignedDuration>,
}

/// Users whom nothing is done to, whatever the rules say: any of these is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Protected {
    /// Patterns of their names.
    pub users: Vec<String>,
    /// Patterns of their paths.
    pub paths: Vec<String>,
    /// Tags, each of which protects.
    pub tags: BTreeMap<String, String>,
    /// Accounts, all of whose users are protected.
    pub accounts: Vec<AccountId>,
}

/// A written exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// The account.
    pub account: AccountId,
    /// The user: all its keys.
    pub user: Option<UserName>,
    /// The key: that one.
    pub key: Option<AccessKeyId>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Where it was asked for.
    pub ticket: String,
    /// Who said yes.
    pub approver: String,
    /// From when it holds.
    pub granted: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Exemption {
    /// Whether it holds for a key.
    #[must_use]
    pub fn holds(&self, account: &AccountId, user: &UserName, key: &AccessKeyId, now: Timestamp) -> bool {
        self.account == *account
            // IAM takes `Ann` and `ann` for one name.
            && self.user.as_ref().is_none_or(|name| name.as_str().eq_ignore_ascii_case(user.as_str()))
            && self.key.as_ref().is_none_or(|id| id == key)
            && self.granted <= now
            && now < self.expires
    }

    /// What is wrong with it, if anything; `longest` is how long one may hold.
    #[must_use]
    pub fn fault(&self, longest: SignedDuration) -> Option<String> {
        if self.user.is_some() == self.key.is_some() {
            return Some("it is for one user or for one key: name either".to_owned());
        }
        if self.owner.trim().eq_ignore_ascii_case(self.approver.trim()) {
            return Some("nobody approves their own exemption; name another approver".to_owned());
        }
        if self.expires <= self.granted {
            return Some("it ends before it begins".to_owned());
        }
        let is_too_long = self.expires.duration_since(self.granted) > longest;
        is_too_long.then(|| format!("it holds for longer than longest-exemption ({})", span::exact(longest)))
    }

    /// Its words for a record: ticket, approver and end.
    #[must_use]
    pub fn words(&self) -> String {
        let until = self.expires.strftime("%Y-%m-%d");
        format!("{} ({}, approved by {}, until {until})", self.reason, self.ticket, self.approver)
    }
}

/// A time at which no key is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freeze {
    /// When.
    pub time: FreezeTime,
    /// Why.
    pub reason: String,
}

/// When no key is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum FreezeTime {
    /// Once.
    Between {
        /// From.
        from: Timestamp,
        /// To.
        to: Timestamp,
    },
    /// On these days of each week, in UTC.
    Weekly(BTreeSet<Day>),
}

/// A day of the week, Monday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Day(pub i8);

impl Freeze {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        match &self.time {
            FreezeTime::Between { from, to } => *from <= now && now < *to,
            FreezeTime::Weekly(days) => {
                let today: Weekday = Offset::UTC.to_datetime(now).date().weekday();
                days.contains(&Day(today.to_monday_zero_offset()))
            }
        }
    }
}

/// How many keys are changed at most. What is over a number waits for the next run; a share that is exceeded stops all, for
/// then something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// Keys that are deactivated or deleted within [`Caps::per`].
    pub keys: u32,
    /// The same in each account.
    pub keys_of_account: u32,
    /// Percentage of all active keys that may be deactivated within [`Caps::per`].
    pub percent: u32,
    /// The time that is counted.
    pub per: SignedDuration,
}

/// Accounts where a policy shows itself first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Canary {
    /// Which.
    pub scope: Scope,
    /// How long a policy must have been applied there before keys are changed elsewhere.
    pub wait: SignedDuration,
}

/// Which role does what, by name, in each account. Without a name the caller does it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Roles {
    /// Looks at keys; else the role of an audit does.
    pub reader: Option<String>,
    /// Deactivates, and activates again.
    pub deactivator: Option<String>,
    /// Deletes.
    pub deleter: Option<String>,
    /// Attaches AWS's deny policy, and ends sessions.
    pub quarantiner: Option<String>,
    /// External id that their trust policies ask for.
    pub external_id: Option<String>,
}

impl Default for Terms {
    /// A month from the first notice to an inactive key, a month more to a deleted one. Keys in use are left alone.
    fn default() -> Self {
        let rules = ["key-unused", "key-never-used", "inactive-key-kept"];
        Self {
            rules: rules.map(str::to_owned).into(),
            waits: Waits { remind_after: days(14), deactivate_after: days(30), delete_after: Some(days(30)) },
            in_use: InUse::Hold,
            quiet: days(14),
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self { keys: 50, keys_of_account: 5, percent: 10, per: SignedDuration::from_hours(24) }
    }
}

impl Default for EnforcePolicy {
    fn default() -> Self {
        Self {
            is_enabled: true,
            base: Terms::default(),
            overrides: Vec::new(),
            protected: Protected::default(),
            exemptions: Vec::new(),
            longest_exemption: days(90),
            freezes: Vec::new(),
            caps: Caps::default(),
            canary: None,
            roles: Roles::default(),
            evidence_age: SignedDuration::from_hours(24),
            plan_age: SignedDuration::from_hours(24),
            needs_approval: false,
            on_exposure: OnExposure::default(),
        }
    }
}

/// Something in a policy that is allowed and seldom meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub String);

impl EnforcePolicy {
    /// What holds for a user.
    #[must_use]
    pub fn terms_of(&self, account: &Account, user: &User) -> Terms {
        let mut terms = self.base.clone();
        for one in self.overrides.iter().filter(|one| one.scope.holds(account, Some(user))) {
            if let Some(rules) = &one.rules {
                terms.rules.clone_from(rules);
            }
            terms.waits.remind_after = one.remind_after.unwrap_or(terms.waits.remind_after);
            terms.waits.deactivate_after = one.deactivate_after.unwrap_or(terms.waits.deactivate_after);
            terms.waits.delete_after = one.delete_after.unwrap_or(terms.waits.delete_after);
            terms.in_use = one.in_use.unwrap_or(terms.in_use);
            terms.quiet = one.quiet.unwrap_or(terms.quiet);
        }
        // Overrides are written one by one: together they must not remind at the end or after it.
        if terms.waits.remind_after >= terms.waits.deactivate_after {
            terms.waits.remind_after = terms.waits.deactivate_after / 2;
        }
        terms
    }

    /// How far back a use spares any key.
    #[must_use]
    pub fn longest_quiet(&self) -> SignedDuration {
        self.overrides.iter().filter_map(|one| one.quiet).chain([self.base.quiet]).max().unwrap_or_default()
    }

    /// Whether nothing is done to a user.
    #[must_use]
    pub fn is_protected(&self, account: &Account, user: &User) -> bool {
        let Protected { users, paths, tags, accounts } = &self.protected;
        // IAM takes `Tier` and `tier` for one tag.
        let has_tag = |(tag, value): (&String, &String)| {
            let is_it = |(name, found): (&String, &String)| name.eq_ignore_ascii_case(tag) && found == value;
            user.details.told().is_some_and(|details| details.tags.iter().any(is_it))
        };
        accounts.contains(&account.id)
            || users.iter().any(|pattern| matches(pattern, user.name().as_str()))
            || paths.iter().any(|pattern| matches(pattern, &user.arn.path))
            || tags.iter().any(has_tag)
    }

    /// Whether it takes the tags of a user to tell what holds for it.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        !self.protected.tags.is_empty() || self.overrides.iter().any(|one| !one.scope.tags.is_empty())
    }

    /// The exemption that holds for a key.
    #[must_use]
    pub fn exemption(
        &self,
        account: &AccountId,
        user: &UserName,
        key: &AccessKeyId,
        now: Timestamp,
    ) -> Option<&Exemption> {
        self.exemptions.iter().find(|one| one.holds(account, user, key, now))
    }

    /// Why no key is changed now, where that is so.
    #[must_use]
    pub fn frozen(&self, now: Timestamp) -> Option<&str> {
        self.freezes.iter().find(|freeze| freeze.holds(now)).map(|freeze| freeze.reason.as_str())
    }

    /// A name for all that it says. Another policy has another.
    #[must_use]
    pub fn digest(&self) -> String {
        // Exemptions come and go without making it another policy: a canary need not begin anew for each. JSON, and not
        // Rust's own form for debugging, which may be another one with each version of the compiler and of libraries.
        let text = serde_json::to_string(&Self { exemptions: Vec::new(), ..self.clone() });
        digest::short(&text.unwrap_or_default())
    }

    /// What is allowed, and seldom meant.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |text: String| warnings.push(Warning(text));
        if !self.is_enabled {
            warn("enabled is false: nothing is done".to_owned());
        }
        let all_terms = [("[enforce]", self.base.in_use, self.base.waits.delete_after)].into_iter().chain(
            self.overrides.iter().map(|one| {
                let delete = one.delete_after.unwrap_or(self.base.waits.delete_after);
                ("an override", one.in_use.unwrap_or(self.base.in_use), delete)
            }),
        );
        for (place, in_use, delete_after) in all_terms {
            if in_use == InUse::Deactivate {
                warn(format!("{place}: in-use = \"deactivate\" shuts keys that something works with"));
            }
            if delete_after.is_some_and(|wait| wait < days(7)) {
                warn(format!("{place}: a soak of less than 7 days misses what runs once a week"));
            }
        }
        if self.protected == Protected::default() {
            warn("nobody is protected: name the users for emergencies under [enforce.protected]".to_owned());
        }
        if self.caps.percent > 50 {
            warn(format!("caps: percent = {} lets most keys of the organisation go in one run", self.caps.percent));
        }
        for one in &self.freezes {
            match &one.time {
                FreezeTime::Between { to, .. } if *to <= now => {
                    warn(format!("the freeze \"{}\" has ended", one.reason))
                }
                FreezeTime::Between { .. } | FreezeTime::Weekly(_) => {}
            }
        }
        for one in &self.exemptions {
            let subject = one
                .key
                .as_ref()
                .map_or_else(|| one.user.as_ref().map(ToString::to_string).unwrap_or_default(), ToString::to_string);
            if one.expires <= now {
                warn(format!("the exemption of {subject} in {} has ended: {}", one.account, one.words()));
            } else if one.granted > now {
                warn(format!("the exemption of {subject} in {} does not hold yet", one.account));
            } else if one.expires.duration_since(now) < days(7) {
                warn(format!("the exemption of {subject} in {} ends within a week: {}", one.account, one.words()));
            }
        }
        warnings
    }
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(days * 24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::{Console, Details, Known};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn account() -> Account {
        Account::bare("123456789012".parse().unwrap())
    }

    fn user(path_and_name: &str) -> User {
        User {
            arn: format!("arn:aws:iam::123456789012:user{path_and_name}").parse().unwrap(),
            created_at: None,
            console: Console::Without,
            mfa_active: false,
            keys: Vec::new(),
            details: Known::Told(Details {
                tags: [("Tier".to_owned(), "gold".to_owned())].into(),
                ..Details::default()
            }),
            service_credentials: Known::Told(Vec::new()),
        }
    }

    #[test]
    fn an_exemption_holds_for_its_user_or_key_in_its_time_alone() {
        let exemption = Exemption {
            account: "123456789012".parse().unwrap(),
            user: Some("Ann".parse().unwrap()),
            key: None,
            owner: "ann".to_owned(),
            reason: "migration".to_owned(),
            ticket: "T-1".to_owned(),
            approver: "bob".to_owned(),
            granted: at("2026-01-01T00:00:00Z"),
            expires: at("2026-02-01T00:00:00Z"),
        };
        let key = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let holds = |account: &str, user: &str, now: &str| {
            exemption.holds(&account.parse().unwrap(), &user.parse().unwrap(), &key, at(now))
        };
        assert!(holds("123456789012", "ann", "2026-01-01T00:00:00Z"), "IAM takes Ann and ann for one name");
        assert!(!holds("123456789012", "ann", "2026-02-01T00:00:00Z"), "it has ended");
        assert!(!holds("123456789012", "ann", "2025-12-31T23:59:59Z"), "it has not begun");
        assert!(!holds("123456789012", "anna", "2026-01-02T00:00:00Z"), "another user");
        assert!(!holds("210987654321", "ann", "2026-01-02T00:00:00Z"), "another account");
        let of_key = Exemption { user: None, key: Some("AKIAI44QH8DHBEXAMPLE".parse().unwrap()), ..exemption.clone() };
        assert!(!of_key.holds(&account().id, &"ann".parse().unwrap(), &key, exemption.granted), "another key");
    }

    #[test]
    fn each_way_to_be_protected_is_enough() {
        let with = |protected: Protected| EnforcePolicy { protected, ..EnforcePolicy::default() };
        let ann = user("/ops/ann");
        assert!(!with(Protected::default()).is_protected(&account(), &ann));
        let ways = [
            Protected { users: vec!["a*".to_owned()], ..Protected::default() },
            Protected { paths: vec!["/ops/*".to_owned()], ..Protected::default() },
            Protected { tags: [("tier".to_owned(), "gold".to_owned())].into(), ..Protected::default() },
            Protected { accounts: vec![account().id], ..Protected::default() },
        ];
        for way in ways {
            assert!(with(way.clone()).is_protected(&account(), &ann), "{way:?}");
        }
        let silver = Protected { tags: [("tier".to_owned(), "silver".to_owned())].into(), ..Protected::default() };
        assert!(!with(silver).is_protected(&account(), &ann));
    }

    #[test]
    fn a_freeze_holds_between_its_moments_or_on_its_days_in_utc() {
        let (from, to) = (at("2026-12-24T00:00:00Z"), at("2027-01-02T00:00:00Z"));
        let once = Freeze { time: FreezeTime::Between { from, to }, reason: "year end".to_owned() };
        assert!(once.holds(from) && !once.holds(to) && !once.holds(from - SignedDuration::from_secs(1)));
        let weekly = Freeze { time: FreezeTime::Weekly([Day(5), Day(6)].into()), reason: "weekend".to_owned() };
        assert!(weekly.holds(at("2026-11-28T12:00:00Z")), "a Saturday");
        assert!(!weekly.holds(at("2026-11-30T00:00:00Z")), "a Monday");
    }

    #[test]
    fn a_later_override_wins_and_a_reminder_stays_before_the_deactivation() {
        let scope = || Scope { paths: vec!["/ops/*".to_owned()], ..Scope::default() };
        let first = TermsOverride { scope: scope(), deactivate_after: Some(days(40)), ..TermsOverride::default() };
        let second = TermsOverride { scope: scope(), deactivate_after: Some(days(10)), ..TermsOverride::default() };
        let policy = EnforcePolicy { overrides: vec![first, second], ..EnforcePolicy::default() };
        let waits = policy.terms_of(&account(), &user("/ops/ann")).waits;
        assert_eq!((waits.deactivate_after, waits.remind_after), (days(10), days(5)));
        assert_eq!(policy.terms_of(&account(), &user("/ann")).waits, Terms::default().waits);
    }

    #[test]
    fn an_exemption_makes_no_other_policy_and_everything_else_does() {
        let policy = EnforcePolicy::default();
        let frozen = Freeze { time: FreezeTime::Weekly([Day(0)].into()), reason: "monday".to_owned() };
        assert_ne!(EnforcePolicy { freezes: vec![frozen], ..policy.clone() }.digest(), policy.digest());
        let exemption = Exemption {
            account: account().id,
            user: None,
            key: Some("AKIAIOSFODNN7EXAMPLE".parse().unwrap()),
            owner: "ann".to_owned(),
            reason: "migration".to_owned(),
            ticket: "T-1".to_owned(),
            approver: "bob".to_owned(),
            granted: at("2026-01-01T00:00:00Z"),
            expires: at("2026-02-01T00:00:00Z"),
        };
        assert_eq!(EnforcePolicy { exemptions: vec![exemption], ..policy.clone() }.digest(), policy.digest());
    }
}
