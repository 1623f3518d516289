//! The verdicts of Config beside those of akia, and why they differ.
//!
//! Config names users by their unique id. It looks once a day, at a credential report that is up to four hours old, and counts
//! from the date there, which moves when a key is activated again. akia counts from the creation of the key.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::estate::{Estate, Key, Known, User};
use crate::ids::UserArn;
use crate::rule::AuditSettings;
use crate::span;

/// What Config says of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSays {
    /// Its active keys are young enough.
    Compliant,
    /// An active key is too old.
    NonCompliant,
    /// The rule does not apply.
    NotApplicable,
    /// Not evaluated.
    InsufficientData,
}

impl ConfigSays {
    /// AWS's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "COMPLIANT",
            Self::NonCompliant => "NON_COMPLIANT",
            Self::NotApplicable => "NOT_APPLICABLE",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// From AWS's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Compliant, Self::NonCompliant, Self::NotApplicable, Self::InsufficientData];
        all.into_iter().find(|says| says.as_str() == word)
    }
}

/// A verdict of Config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVerdict {
    /// The user's unique id.
    pub user_id: String,
    /// What it says.
    pub says: ConfigSays,
    /// When it looked.
    pub at: Option<Timestamp>,
}

/// What akia says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// Its active keys are young enough, or it has none.
    Fine,
    /// An active key is too old.
    TooOld,
    /// It cannot tell.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// There is no such user any more.
    Gone,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The user, where akia knows it.
    pub user: Option<UserArn>,
    /// Its unique id, where that is known.
    pub user_id: Option<String>,
    /// What Config says, if anything.
    pub config: Option<ConfigVerdict>,
    /// What akia says.
    pub akia: Opinion,
    /// The oldest active key.
    pub oldest: Option<Timestamp>,
    /// Why the two differ; nothing where they agree.
    pub difference: Option<String>,
}

/// Every user of whom either has something to say: those with an active key, and those with a verdict.
#[must_use]
pub fn compare(
    verdicts: &[ConfigVerdict],
    estate: &Estate,
    settings: &AuditSettings,
    config_days: Option<u32>,
    now: Timestamp,
) -> Vec<Compared> {
    let by_id: BTreeMap<&str, &ConfigVerdict> =
        verdicts.iter().map(|verdict| (verdict.user_id.as_str(), verdict)).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut compared = Vec::new();
    for user in &estate.users {
        let id = user.details.told().and_then(|details| details.id.as_ref()).map(ToString::to_string);
        let verdict = id.as_deref().and_then(|id| by_id.get_key_value(id));
        seen.extend(verdict.map(|(id, _)| *id));
        let verdict = verdict.map(|(_, verdict)| (*verdict).clone());
        if verdict.is_none() && user.active_keys().next().is_none() {
            continue;
        }
        let limit = settings.limits_of(estate, Some(user)).max_age;
        let akia = opinion(user, limit, now);
        let config_limit = config_days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
        let scene = Scene { user, akia: &akia, verdict: verdict.as_ref(), limit, config_limit, now };
        let difference = if id.is_none() {
            Some("the user's unique id is not known (iam:GetAccountAuthorizationDetails)".to_owned())
        } else {
            scene.difference()
        };
        let oldest = user.active_keys().filter_map(|key| key.created_at.told()).min().copied();
        compared.push(Compared {
            user: Some(user.arn.clone()),
            user_id: id,
            config: verdict,
            akia,
            oldest,
            difference,
        });
    }
    let strangers = verdicts.iter().filter(|verdict| !seen.contains(verdict.user_id.as_str()));
    compared.extend(strangers.map(|verdict| {
        Compared {
            user: None,
            user_id: Some(verdict.user_id.clone()),
            config: Some(verdict.clone()),
            akia: Opinion::Gone,
            oldest: None,
            difference: (verdict.says == ConfigSays::NonCompliant)
                .then(|| "there is no such user any more: Config forgets it the next time that it looks".to_owned()),
        }
    }));
    compared
}

fn opinion(user: &User, limit: SignedDuration, now: Timestamp) -> Opinion {
    let mut unknown = None;
    for key in user.active_keys() {
        match &key.created_at {
            Known::Told(created) if now.duration_since(*created) > limit => return Opinion::TooOld,
            Known::Told(_) => {}
            Known::Unknown { reason } => unknown = Some(reason.clone()),
        }
    }
    unknown.map_or(Opinion::Fine, |reason| Opinion::Unknown { reason })
}

struct Scene<'a> {
    user: &'a User,
    akia: &'a Opinion,
    verdict: Option<&'a ConfigVerdict>,
    limit: SignedDuration,
    config_limit: Option<SignedDuration>,
    now: Timestamp,
}

impl Scene<'_> {
    fn difference(&self) -> Option<String> {
        let looked = || self.verdict.and_then(|verdict| verdict.at).map_or_else(String::new, |at| format!(" ({at})"));
        match (self.verdict.map(|verdict| verdict.says), self.akia) {
            (None, Opinion::TooOld | Opinion::Fine) => {
                Some("Config has not looked at the user yet: it does so once a day".to_owned())
            }
            (_, Opinion::Unknown { reason }) => Some(format!("akia cannot tell: {reason}")),
            (Some(ConfigSays::NonCompliant), Opinion::TooOld)
            | (Some(ConfigSays::Compliant | ConfigSays::NotApplicable), Opinion::Fine)
            | (_, Opinion::Gone) => None,
            (Some(ConfigSays::InsufficientData), Opinion::TooOld | Opinion::Fine) => {
                Some("Config could not evaluate the user".to_owned())
            }
            (Some(ConfigSays::NonCompliant), Opinion::Fine) => {
                Some(match self.limits_explain(|key, limit| self.age(key).is_some_and(|age| age > limit)) {
                    Some(words) => words,
                    None => format!("the old key was replaced, deactivated or deleted after Config looked{}", looked()),
                })
            }
            (Some(ConfigSays::Compliant | ConfigSays::NotApplicable), Opinion::TooOld) => Some(self.missed(&looked())),
        }
    }

    /// Why Config does not see a key that is too old.
    fn missed(&self, looked: &str) -> String {
        let too_old = || self.user.active_keys().filter(|key| self.age(key).is_some_and(|age| age > self.limit));
        if let Some(words) = self.limits_explain(|key, limit| self.age(key).is_some_and(|age| age <= limit)) {
            return words;
        }
        if let Some(at) = too_old().filter_map(|key| key.reactivated_at).next() {
            return format!("the key was activated again at {at}, and Config counts from there");
        }
        let at = self.verdict.and_then(|verdict| verdict.at);
        let was_young = |key: &Key| {
            let (Some(created), Some(at), Some(limit)) = (key.created_at.told(), at, self.config_limit) else {
                return false;
            };
            at.duration_since(*created) <= limit
        };
        if too_old().all(was_young) {
            return format!("the key passed the limit after Config looked{looked}");
        }
        "Config may count from another date: akia audit --rule key-age shows the key".to_owned()
    }

    /// Whether the limits alone explain it: they differ, and every key in question is on the other side of Config's.
    fn limits_explain(&self, is_on_its_side: impl Fn(&Key, SignedDuration) -> bool) -> Option<String> {
        let config = self.config_limit.filter(|config| *config != self.limit)?;
        let in_question = |key: &&Key| match self.akia {
            Opinion::TooOld => self.age(key).is_some_and(|age| age > self.limit),
            Opinion::Fine | Opinion::Unknown { .. } | Opinion::Gone => true,
        };
        let mut keys = self.user.active_keys().filter(in_question);
        let explains = match self.akia {
            Opinion::TooOld => keys.all(|key| is_on_its_side(key, config)),
            Opinion::Fine | Opinion::Unknown { .. } | Opinion::Gone => keys.any(|key| is_on_its_side(key, config)),
        };
        let words =
            || format!("the limits differ: {} for Config, {} for akia", span::exact(config), span::exact(self.limit));
        explains.then(words)
    }

    fn age(&self, key: &Key) -> Option<SignedDuration> {
        key.created_at.told().map(|created| self.now.duration_since(*created))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::{Account, Console, Details};
    use crate::key::{KeyStatus, LastUsed};

    const ID: &str = "AIDACKCEVSQ6C2EXAMPLE";

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn days_ago(days: i64) -> Timestamp {
        now() - SignedDuration::from_hours(24 * days)
    }

    fn key(days: i64) -> Key {
        Key {
            id: None,
            status: KeyStatus::Active,
            created_at: Known::Told(days_ago(days)),
            reactivated_at: None,
            last_used: LastUsed::Never,
        }
    }

    fn estate(keys: Vec<Key>) -> Estate {
        let user = User {
            arn: "arn:aws:iam::123456789012:user/ann".parse().unwrap(),
            created_at: None,
            console: Console::Without,
            mfa_active: false,
            keys,
            details: Known::Told(Details { id: ID.parse().ok(), ..Details::default() }),
            service_credentials: Known::Told(Vec::new()),
        };
        Estate {
            account: Account::bare("123456789012".parse().unwrap()),
            as_of: now(),
            root: Known::Unknown { reason: "a test".to_owned() },
            users: vec![user],
            gaps: BTreeSet::new(),
        }
    }

    fn looked(says: ConfigSays) -> Vec<ConfigVerdict> {
        vec![ConfigVerdict { user_id: ID.to_owned(), says, at: Some(days_ago(1)) }]
    }

    /// What is said of ann, where akia's limit is 90 days.
    fn said(verdicts: &[ConfigVerdict], keys: Vec<Key>, config_days: u32) -> (Opinion, Option<String>) {
        let all = compare(verdicts, &estate(keys), &AuditSettings::default(), Some(config_days), now());
        assert_eq!(all.len(), 1, "{all:?}");
        (all[0].akia.clone(), all[0].difference.clone())
    }

    #[test]
    fn where_both_agree_nothing_is_explained() {
        assert_eq!(said(&looked(ConfigSays::NonCompliant), vec![key(100)], 90), (Opinion::TooOld, None));
        assert_eq!(said(&looked(ConfigSays::Compliant), vec![key(10)], 90), (Opinion::Fine, None));
        assert_eq!(said(&looked(ConfigSays::Compliant), Vec::new(), 90), (Opinion::Fine, None));
    }

    #[test]
    fn every_difference_has_its_reason() {
        let words = |verdicts: Vec<ConfigVerdict>, keys, days| said(&verdicts, keys, days).1.unwrap();
        let fresh = words(Vec::new(), vec![key(100)], 90);
        assert!(fresh.starts_with("Config has not looked at the user yet"), "{fresh}");
        let replaced = words(looked(ConfigSays::NonCompliant), vec![key(0)], 90);
        assert_eq!(
            replaced,
            "the old key was replaced, deactivated or deleted after Config looked (2026-11-23T12:00:00Z)"
        );
        let passed = words(
            looked(ConfigSays::Compliant),
            vec![Key { created_at: Known::Told(days_ago(90) - SignedDuration::from_hours(1)), ..key(0) }],
            90,
        );
        assert_eq!(passed, "the key passed the limit after Config looked (2026-11-23T12:00:00Z)");
        let reactivated = Key { reactivated_at: Some(days_ago(20)), ..key(200) };
        let reactivated = words(looked(ConfigSays::Compliant), vec![reactivated], 90);
        assert!(reactivated.starts_with("the key was activated again at 2026-11-04"), "{reactivated}");
        let milder = words(looked(ConfigSays::Compliant), vec![key(100)], 180);
        assert_eq!(milder, "the limits differ: 180d for Config, 90d for akia");
        let stricter = words(looked(ConfigSays::NonCompliant), vec![key(60)], 30);
        assert_eq!(stricter, "the limits differ: 30d for Config, 90d for akia");
        let odd = words(looked(ConfigSays::Compliant), vec![key(200)], 90);
        assert!(odd.starts_with("Config may count from another date"), "{odd}");
        let untold = Key { created_at: Known::Unknown { reason: "access denied".to_owned() }, ..key(0) };
        assert_eq!(words(looked(ConfigSays::Compliant), vec![untold], 90), "akia cannot tell: access denied");
    }

    #[test]
    fn a_user_who_is_gone_and_one_without_keys() {
        let stranger =
            ConfigVerdict { user_id: "AIDAIOSFODNN7EXAMPLE".to_owned(), ..looked(ConfigSays::NonCompliant)[0].clone() };
        let all = compare(&[stranger], &estate(Vec::new()), &AuditSettings::default(), Some(90), now());
        assert_eq!(all.len(), 1, "ann has no key and no verdict");
        assert_eq!((all[0].user.clone(), all[0].akia.clone()), (None, Opinion::Gone));
        assert!(all[0].difference.is_some());
    }
}
