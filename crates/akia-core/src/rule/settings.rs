//! What an audit expects, and where it expects something else.
//!
//! One base, and overrides by account, organisational unit, tag and path; a later override wins over an earlier one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;

use super::{RULES, Rule};
use crate::estate::{Account, Estate, User};
use crate::finding::Severity;
use crate::ids::AccountId;
use crate::service::NamePrefix;

/// How a rule is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleLevel {
    /// As the rule says.
    Default,
    /// Not at all.
    Off,
    /// With this severity, whatever the case.
    At(Severity),
}

/// What holds for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Age from which an active key is too old.
    pub max_age: SignedDuration,
    /// Time without use from which an active key counts as unused.
    pub unused: SignedDuration,
    /// Time for which an inactive key may be kept.
    pub inactive_kept: SignedDuration,
    /// Time for which the root user should have been left alone.
    pub root_quiet: SignedDuration,
    /// Patterns, one of which each user's name should fit; empty for none.
    pub names: Vec<String>,
    /// What the names of service users should begin with, where somebody has said so.
    pub service_prefix: Option<NamePrefix>,
    /// Patterns of the names of service users.
    pub service_names: Vec<String>,
    /// Patterns of the paths of service users.
    pub service_paths: Vec<String>,
    /// Tags, as name and value, that mark a service user.
    pub service_tags: BTreeMap<String, String>,
    /// Tags that a service user must have.
    pub required_tags: Vec<String>,
    /// Tags that name the owner, the first that is there counts.
    pub owner_tags: Vec<String>,
    /// Regions where keys may be used; empty for all.
    pub regions: Vec<String>,
    /// Services that keys may be used for; empty for all.
    pub services: Vec<String>,
    /// Levels of rules, by id.
    pub rules: BTreeMap<String, RuleLevel>,
}

impl Default for Limits {
    /// 90 days as in CIS and AWS Config's `access-keys-rotated`; 45 days without use as in CIS.
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(days * 24);
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            max_age: days(90),
            unused: days(45),
            inactive_kept: days(30),
            root_quiet: days(90),
            names: Vec::new(),
            service_prefix: None,
            service_names: words(&["service-*", "svc-*"]),
            service_paths: words(&["/service/*"]),
            service_tags: BTreeMap::new(),
            required_tags: words(&["owner", "service"]),
            owner_tags: words(&["owner", "contact", "email", "team"]),
            regions: Vec::new(),
            services: Vec::new(),
            rules: BTreeMap::new(),
        }
    }
}

impl Limits {
    /// How a rule is applied here.
    #[must_use]
    pub fn level(&self, rule: &Rule) -> RuleLevel {
        match self.rules.get(rule.id) {
            Some(level) => *level,
            None if rule.is_on => RuleLevel::Default,
            None => RuleLevel::Off,
        }
    }

    /// Whether the user is a service's, and not a person's.
    #[must_use]
    pub fn is_service(&self, user: &User) -> bool {
        let tagged = user.details.told().is_some_and(|details| {
            self.service_tags.iter().any(|(tag, value)| details.tags.get(tag).is_some_and(|found| found == value))
        });
        tagged
            || self.names_service(user.name().as_str())
            || self.service_paths.iter().any(|pattern| matches(pattern, &user.arn.path))
    }

    pub(super) fn names_service(&self, name: &str) -> bool {
        self.service_names.iter().any(|pattern| matches(pattern, name.trim()))
    }
}

/// Some accounts and users: all that is named must fit. Naming nothing, it holds for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Scope {
    /// Accounts that it holds for; empty for all.
    pub accounts: Vec<AccountId>,
    /// Organisational units that it holds for, with all below them; empty for all.
    pub units: Vec<String>,
    /// Tags of the user or of its account, all of which must be there.
    pub tags: BTreeMap<String, String>,
    /// Patterns of the user's path; empty for all.
    pub paths: Vec<String>,
}

impl Scope {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.accounts.is_empty() && self.units.is_empty() && self.tags.is_empty() && self.paths.is_empty()
    }

    /// Whether it holds for a user, or for the account itself.
    #[must_use]
    pub fn holds(&self, account: &Account, user: Option<&User>) -> bool {
        let has_tag = |(tag, value): (&String, &String)| {
            let of_user = user.and_then(|user| user.details.told()).and_then(|details| details.tags.get(tag));
            of_user.or_else(|| account.tags.get(tag)).is_some_and(|found| found == value)
        };
        (self.accounts.is_empty() || self.accounts.contains(&account.id))
            && (self.units.is_empty() || self.units.iter().any(|unit| account.units.contains(unit)))
            && self.tags.iter().all(has_tag)
            && (self.paths.is_empty()
                || user.is_some_and(|user| self.paths.iter().any(|pattern| matches(pattern, &user.arn.path))))
    }
}

/// Where something else is expected, and what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// Whom it holds for.
    pub scope: Scope,
    /// Another limit of age.
    pub max_age: Option<SignedDuration>,
    /// Another limit of idleness.
    pub unused: Option<SignedDuration>,
    /// Another limit for inactive keys.
    pub inactive_kept: Option<SignedDuration>,
    /// Other levels of rules.
    pub rules: BTreeMap<String, RuleLevel>,
}

/// What an audit expects everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSettings {
    /// What holds where nothing else is said.
    pub base: Limits,
    /// Where something else is said, in order.
    pub overrides: Vec<Override>,
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// A level for a rule that there is not.
    #[error("there is no rule {0:?}; akia audit rules lists them")]
    NoSuchRule(String),
}

impl AuditSettings {
    /// Has a rule not looked at, whatever the settings say.
    pub fn turn_off(&mut self, rule: &Rule) {
        self.base.rules.insert(rule.id.to_owned(), RuleLevel::Off);
        for one in &mut self.overrides {
            one.rules.remove(rule.id);
        }
    }

    /// Has a rule looked at, also where it is off unless asked for; with the severity that the settings say.
    pub fn turn_on(&mut self, rule: &Rule) {
        let drop_off = |rules: &mut BTreeMap<String, RuleLevel>| {
            rules.retain(|id, level| id != rule.id || *level != RuleLevel::Off);
        };
        drop_off(&mut self.base.rules);
        self.overrides.iter_mut().for_each(|one| drop_off(&mut one.rules));
        self.base.rules.entry(rule.id.to_owned()).or_insert(RuleLevel::Default);
    }

    /// Refuses what would silently have no effect.
    pub fn check(&self) -> Result<(), BadSetting> {
        let named = self.base.rules.keys().chain(self.overrides.iter().flat_map(|one| one.rules.keys()));
        for id in named {
            if RULES.iter().all(|rule| rule.id != id) {
                return Err(BadSetting::NoSuchRule(id.clone()));
            }
        }
        Ok(())
    }

    /// What holds for a user, or for the account itself. A copy only where some override holds: there may be 40,000 users.
    #[must_use]
    pub fn limits_of(&self, estate: &Estate, user: Option<&User>) -> Cow<'_, Limits> {
        let mut limits = Cow::Borrowed(&self.base);
        for one in self.overrides.iter().filter(|one| one.scope.holds(&estate.account, user)) {
            let limits = limits.to_mut();
            limits.max_age = one.max_age.unwrap_or(limits.max_age);
            limits.unused = one.unused.unwrap_or(limits.unused);
            limits.inactive_kept = one.inactive_kept.unwrap_or(limits.inactive_kept);
            limits.rules.extend(one.rules.iter().map(|(rule, level)| (rule.clone(), *level)));
        }
        limits
    }
}

/// Whether a text fits a pattern, in which `*` stands for any run of characters and `?` for any one, as in policies. Large and small
/// letters are the same: IAM takes `Ann` and `ann` for one name.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let [pattern, text] = [pattern, text].map(|all| all.to_lowercase().chars().collect::<Vec<char>>());
    let (mut in_pattern, mut in_text) = (0, 0);
    // Behind the last `*`, and where the text goes on for it: a longer run is tried from there.
    let mut last: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(in_text) {
        match (pattern.get(in_pattern), last) {
            (Some('*'), _) => {
                in_pattern += 1;
                last = Some((in_pattern, in_text));
            }
            (Some(one), _) if *one == '?' || one == letter => {
                in_pattern += 1;
                in_text += 1;
            }
            (_, Some((behind, from))) => {
                (in_pattern, in_text) = (behind, from + 1);
                last = Some((behind, from + 1));
            }
            (_, None) => return false,
        }
    }
    pattern[in_pattern..].iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("service-*", "service-backup", true),
            ("service-*", "Service-Backup", true),
            ("service-*", "my-service-x", false),
            ("service-?", "service-b", true),
            ("service-?", "service-", false),
            ("service-?", "service-bb", false),
            ("arn:aws:secretsmanager:*:secret:db-??????", "arn:aws:secretsmanager:r:1:secret:db-AbCdEf", true),
            ("arn:aws:secretsmanager:*:secret:db-??????", "arn:aws:secretsmanager:r:1:secret:db-2-AbCdEf", false),
            ("*?", "", false),
            ("?*", "ü", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("*", "", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "ab-", false),
            ("ab", "ab", true),
            ("ab", "abc", false),
            ("a*a", "a", false),
            ("/service/*", "/service/", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_rule_that_there_is_not_is_refused() {
        let mut settings = AuditSettings::default();
        settings.base.rules.insert("key-agee".to_owned(), RuleLevel::Off);
        assert_eq!(settings.check(), Err(BadSetting::NoSuchRule("key-agee".to_owned())));
    }
}
