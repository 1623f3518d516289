//! The rules of an audit, a file each. [`RULES`] is the one list: a test counts it against the files and the documentation.
//!
//! A rule is pure: it looks at one user, or key, or root user, and says that it is fine, broken, or that it cannot tell.
//! "Cannot tell" is never "fine": it makes the audit less than whole, and is counted.

mod admin_key;
mod age_reset;
mod console_and_key;
mod console_without_mfa;
mod controls;
mod create_not_denied;
mod direct_policies;
mod exposed;
mod inactive_kept;
mod key_age;
mod kind_mismatch;
mod made_with_user;
mod naming;
mod never_used;
mod no_group;
mod odd_use;
mod person_key_machine;
mod root_key;
mod root_used;
mod service_console;
mod service_credential;
mod service_name;
mod settings;
mod two_active;
mod untagged;
mod unused;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub use controls::{Control, Framework};
pub(crate) use settings::matches;
pub use settings::{AuditSettings, BadSetting, Limits, Override, RuleLevel, Scope};

use crate::estate::{Details, Estate, Key, Known, Root, User};
use crate::finding::{Finding, Owner, OwnerSource, Severity, Subject};
use crate::ids::AccessKeyId;

/// Every rule, in the order of the documentation.
pub static RULES: &[Rule] = &[
    root_key::RULE,
    root_used::RULE,
    exposed::RULE,
    key_age::RULE,
    unused::RULE,
    never_used::RULE,
    made_with_user::RULE,
    two_active::RULE,
    inactive_kept::RULE,
    age_reset::RULE,
    admin_key::RULE,
    console_without_mfa::RULE,
    console_and_key::RULE,
    odd_use::RULE,
    service_credential::RULE,
    service_console::RULE,
    no_group::RULE,
    direct_policies::RULE,
    untagged::RULE,
    kind_mismatch::RULE,
    person_key_machine::RULE,
    service_name::RULE,
    naming::RULE,
    create_not_denied::RULE,
];

/// Rules that a saved credential report cannot answer: they need tags, groups, policies or the ids of keys.
pub const BEYOND_REPORT: [&str; 9] = [
    "key-exposed",
    "key-reactivated",
    "admin-key",
    "service-credential-age",
    "service-user-without-group",
    "service-user-direct-policies",
    "service-user-untagged",
    "person-and-service-mixed",
    "create-key-not-denied",
];

/// One rule.
pub struct Rule {
    /// Its id, for programs and for `akia.toml`.
    pub id: &'static str,
    /// What is wrong when it is broken, in a few words.
    pub title: &'static str,
    /// How much that matters, unless the case at hand is worse or settings say otherwise.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Whether it applies without being asked for.
    pub is_on: bool,
    /// The command that mends it.
    pub(crate) remedy: Remedy,
    /// Looks.
    check: Check,
}

impl Rule {
    /// What it stands for in the frameworks that ask for it.
    #[must_use]
    pub fn controls(&self) -> &'static [Control] {
        controls::of(self.id)
    }
}

/// By its id; what it does is code.
impl std::fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Rule").field(&self.id).finish()
    }
}

/// The rule of an id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// What a rule looks at.
#[derive(Clone, Copy)]
enum Check {
    Root(fn(&Root, &Scene<'_>) -> Verdict),
    User(fn(&User, &Scene<'_>) -> Verdict),
    Key(fn(&Key, &User, &Scene<'_>) -> Verdict),
}

/// What a rule says.
enum Verdict {
    Fine,
    Broken { detail: String, severity: Option<Severity> },
    Unknown { reason: String },
}

impl Verdict {
    fn broken(detail: impl Into<String>) -> Self {
        Self::Broken { detail: detail.into(), severity: None }
    }

    /// What `judge` says of a fact; where it is not known, neither is the verdict.
    fn given<T>(known: &Known<T>, judge: impl FnOnce(&T) -> Self) -> Self {
        match known {
            Known::Told(fact) => judge(fact),
            Known::Unknown { reason } => Self::Unknown { reason: reason.clone() },
        }
    }

    /// Broken where it holds.
    fn broken_if(holds: bool, detail: impl FnOnce() -> String) -> Self {
        if holds { Self::broken(detail()) } else { Self::Fine }
    }
}

/// What `judge` says of the details of a service user; a person's user is fine.
fn of_service(user: &User, scene: &Scene<'_>, judge: impl FnOnce(&Details) -> Verdict) -> Verdict {
    if scene.limits.is_service(user) { Verdict::given(&user.details, judge) } else { Verdict::Fine }
}

/// The command that mends a broken rule.
pub(crate) enum Remedy {
    Rotate,
    Deactivate,
    Delete,
    /// There is none of akia's.
    ByHand,
}

/// What rules look at beside their subject.
struct Scene<'a> {
    limits: &'a Limits,
    now: Timestamp,
}

impl Scene<'_> {
    /// How long ago something was.
    fn since(&self, at: Timestamp) -> SignedDuration {
        self.now.duration_since(at)
    }
}

/// What the rules found in one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// Broken rules, the gravest first.
    pub findings: Vec<Finding>,
    /// What a rule could not tell, and why: the rule, the reason, and for how many subjects.
    pub unknown: BTreeMap<(&'static str, String), usize>,
}

/// Looks at one account by all rules that its settings turn on.
#[must_use]
pub fn judge(estate: &Estate, settings: &AuditSettings, now: Timestamp) -> Judgement {
    let mut judgement = Judgement::default();
    let account_limits = settings.limits_of(estate, None);
    let scene = Scene { limits: &account_limits, now };
    for rule in RULES.iter().filter(|rule| account_limits.level(rule) != RuleLevel::Off) {
        let Check::Root(check) = rule.check else { continue };
        match estate.root.told() {
            Some(root) => {
                let key = root.keys.first();
                judgement.take(rule, &scene, check(root, &scene), || {
                    finding(rule, estate, &scene, Subject::Root, None, key)
                });
            }
            None => {
                let reason = estate.root.reason().unwrap_or_default().to_owned();
                *judgement.unknown.entry((rule.id, reason)).or_default() += 1;
            }
        }
    }
    for user in &estate.users {
        let limits = settings.limits_of(estate, Some(user));
        let scene = Scene { limits: &limits, now };
        let arn = OnceCell::new();
        for rule in RULES.iter().filter(|rule| limits.level(rule) != RuleLevel::Off) {
            let subject = || Subject::User { arn: Arc::clone(arn.get_or_init(|| Arc::new(user.arn.clone()))) };
            match rule.check {
                Check::Root(_) => {}
                Check::User(check) => {
                    let make = || finding(rule, estate, &scene, subject(), Some(user), None);
                    judgement.take(rule, &scene, check(user, &scene), make);
                }
                Check::Key(check) => {
                    for key in &user.keys {
                        let make = || finding(rule, estate, &scene, subject(), Some(user), Some(key));
                        judgement.take(rule, &scene, check(key, user, &scene), make);
                    }
                }
            }
        }
    }
    judgement.findings.sort_by(Finding::order);
    judgement
}

impl Judgement {
    fn take(&mut self, rule: &'static Rule, scene: &Scene<'_>, verdict: Verdict, make: impl FnOnce() -> Finding) {
        match verdict {
            Verdict::Fine => {}
            Verdict::Unknown { reason } => *self.unknown.entry((rule.id, reason)).or_default() += 1,
            Verdict::Broken { detail, severity } => {
                let severity = match scene.limits.level(rule) {
                    RuleLevel::At(level) => level,
                    RuleLevel::Default | RuleLevel::Off => severity.unwrap_or(rule.severity),
                };
                self.findings.push(Finding { detail, severity, ..make() });
            }
        }
    }
}

fn finding(
    rule: &Rule,
    estate: &Estate,
    scene: &Scene<'_>,
    subject: Subject,
    user: Option<&User>,
    key: Option<&Key>,
) -> Finding {
    let id = key.and_then(|key| key.id.clone());
    Finding {
        rule: rule.id.to_owned(),
        severity: rule.severity,
        account: estate.account.id.clone(),
        account_name: estate.account.name.clone(),
        key_created_at: key.and_then(|key| key.created_at.told().copied()),
        owner: owner_of(estate, scene.limits, user, id.as_ref()),
        subject,
        key: id,
        detail: String::new(),
    }
}

/// Who answers for a key: the nearest place where somebody has written it down.
#[must_use]
pub fn owner_of(estate: &Estate, limits: &Limits, user: Option<&User>, key: Option<&AccessKeyId>) -> Option<Owner> {
    let named = |name: &str, source| {
        let name = name.trim();
        (!name.is_empty()).then(|| Owner { name: name.to_owned(), source })
    };
    let by_tag = |tags, source| owner_tag(&limits.owner_tags, tags).and_then(|name| named(name, source));
    let of_user = user.and_then(|user| {
        let tags = &user.details.told()?.tags;
        let of_key = key.and_then(|key| tags.get(key.as_str())).and_then(|name| named(name, OwnerSource::KeyTag));
        of_key.or_else(|| by_tag(tags, OwnerSource::UserTag))
    });
    of_user
        .or_else(|| by_tag(&estate.account.tags, OwnerSource::AccountTag))
        .or_else(|| named(estate.account.contact.as_deref()?, OwnerSource::AccountContact))
}

fn owner_tag<'a>(names: &[String], tags: &'a BTreeMap<String, String>) -> Option<&'a str> {
    names
        .iter()
        .find_map(|name| tags.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value.as_str())
}

/// Whole days, rounded down, as people count them.
fn days(duration: SignedDuration) -> i64 {
    duration.as_hours() / 24
}

/// "today", "a day ago", "412 days ago".
fn ago_words(duration: SignedDuration) -> String {
    match days(duration) {
        0 => "today".to_owned(),
        _ => format!("{} ago", days_words(duration)),
    }
}

/// "a day", "412 days".
fn days_words(duration: SignedDuration) -> String {
    match days(duration) {
        1 => "a day".to_owned(),
        count => format!("{count} days"),
    }
}

#[cfg(test)]
mod fixtures;
