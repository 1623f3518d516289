//! `[enforce]`: the form of the policy in the file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::SettingsError;
use super::table::{Span, Word, fault, kind, strings, text_of};
use crate::contain::Strategy;
use crate::enforce::{
    ACTING_RULES, Canary, Caps, Day, EnforcePolicy, Exemption, Freeze, FreezeTime, InUse, OnExposure, Protected, Roles,
    Terms, TermsOverride,
};
use crate::ids::{AccessKeyId, AccountId, UserName};
use crate::rule::Scope;
use crate::{moment, span};

/// Days of the week as they are written.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The word for a key that is never deleted.
const NEVER: &str = "never";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct EnforceTable {
    /// false stops everything; true.
    enabled: Option<bool>,
    /// Rules that lead to action; key-unused, key-never-used and inactive-key-kept.
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    rules: Option<Vec<Spanned<String>>>,
    /// From the first notice to the reminder; 14d.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    remind_after: Option<Spanned<Span>>,
    /// From the first notice to the deactivation; 30d.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    deactivate_after: Option<Spanned<Span>>,
    /// From the deactivation to the deletion, or never; 30d.
    delete_after: Option<Soak>,
    /// What is done about a key in use: hold or deactivate; hold.
    in_use: Option<InUseWord>,
    /// A key that was used within this time is in use; 14d.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    quiet: Option<Spanned<Span>>,
    /// How old an audit may be that a plan stands on; 24h.
    evidence_age: Option<Span>,
    /// How long a plan holds; 24h.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    plan_age: Option<Spanned<Span>>,
    /// Whether each change must be approved by name: none or required; none.
    approval: Option<ApprovalWord>,
    /// What is done at once about a key that AWS says others may know: record, notify, quarantine or contain; notify.
    on_exposure: Option<ExposureWord>,
    /// How an exposed key is contained: deactivate or quarantine; deactivate.
    #[cfg_attr(test, schemars(with = "Option<StrategyWord>"))]
    exposure_strategy: Option<Spanned<StrategyWord>>,
    /// Longest time that an exemption may hold for; 90d.
    longest_exemption: Option<Span>,
    /// Users whom nothing is done to.
    protected: ProtectedTable,
    /// How many keys are changed at most.
    caps: CapsTable,
    /// Accounts where a policy shows itself first.
    #[cfg_attr(test, schemars(with = "Option<CanaryTable>"))]
    canary: Option<Spanned<CanaryTable>>,
    /// Which role in each account does what; without one, the caller does it.
    roles: RolesTable,
    /// Times at which no key is changed.
    #[cfg_attr(test, schemars(with = "Vec<FreezeTable>"))]
    freeze: Vec<Spanned<FreezeTable>>,
    /// Written exceptions, each for one user or key, until a day.
    #[cfg_attr(test, schemars(with = "Vec<ExemptionTable>"))]
    exemption: Vec<Spanned<ExemptionTable>>,
    /// Where something else holds; a later one wins over an earlier one.
    #[cfg_attr(test, schemars(with = "Vec<OverrideTable>"))]
    r#override: Vec<Spanned<OverrideTable>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProtectedTable {
    /// Patterns of their names.
    users: Vec<Word>,
    /// Patterns of their paths.
    paths: Vec<Word>,
    /// Tags, each of which protects.
    tags: BTreeMap<String, String>,
    /// Accounts, all of whose users are protected.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    accounts: Vec<AccountId>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CapsTable {
    /// Keys that are deactivated or deleted; 50.
    keys: Option<u32>,
    /// The same in each account; 5.
    keys_of_account: Option<u32>,
    /// Percentage of all active keys that may be deactivated; 10.
    #[cfg_attr(test, schemars(with = "Option<u32>"))]
    percent: Option<Spanned<u32>>,
    /// The time that is counted; 24h.
    per: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CanaryTable {
    /// Numbers of accounts.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    accounts: Vec<AccountId>,
    /// Organisational units, with all below them.
    #[serde(default)]
    units: Vec<Word>,
    /// Tags of the user or of its account, all of which must be there.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Patterns of the user's path.
    #[serde(default)]
    paths: Vec<Word>,
    /// How long a policy must have been applied there before keys are changed elsewhere.
    wait: Span,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RolesTable {
    /// Looks at keys; AkiaAudit.
    reader: Option<Word>,
    /// Deactivates keys, and activates them again.
    deactivator: Option<Word>,
    /// Deletes keys.
    deleter: Option<Word>,
    /// Attaches AWS's deny policy, and ends sessions.
    quarantiner: Option<Word>,
    /// External id that their trust policies ask for.
    external_id: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FreezeTable {
    /// From this moment.
    from: Option<Moment>,
    /// To this moment.
    to: Option<Moment>,
    /// On these days of each week, in UTC: mon, tue, wed, thu, fri, sat, sun.
    #[serde(default)]
    days: Vec<String>,
    /// Why.
    reason: Word,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ExemptionTable {
    /// The account.
    #[cfg_attr(test, schemars(with = "String"))]
    account: AccountId,
    /// The user: all its keys.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    user: Option<UserName>,
    /// The key: that one.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    key: Option<AccessKeyId>,
    /// Who answers for it.
    owner: Word,
    /// Why.
    reason: Word,
    /// Where it was asked for.
    ticket: Word,
    /// Who said yes; somebody else than the owner.
    approver: Word,
    /// From when it holds.
    granted: Moment,
    /// When it ends.
    expires: Moment,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OverrideTable {
    /// Numbers of the accounts that it holds for.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    accounts: Vec<AccountId>,
    /// Organisational units that it holds for, with all below them.
    units: Vec<Word>,
    /// Tags of the user or of its account, all of which must be there.
    tags: BTreeMap<String, String>,
    /// Patterns of the user's path.
    paths: Vec<Word>,
    /// Other rules; an empty list for none.
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    rules: Option<Vec<Spanned<String>>>,
    /// Another wait before the reminder.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    remind_after: Option<Spanned<Span>>,
    /// Another wait before the deactivation.
    deactivate_after: Option<Span>,
    /// Another soak.
    delete_after: Option<Soak>,
    /// Something else about keys in use.
    in_use: Option<InUseWord>,
    /// Another quiet time.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    quiet: Option<Spanned<Span>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum InUseWord {
    Hold,
    Deactivate,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum ApprovalWord {
    None,
    Required,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum ExposureWord {
    Record,
    Notify,
    Quarantine,
    Contain,
}

/// What can be done without a person and without the places that hold the key.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum StrategyWord {
    Deactivate,
    Quarantine,
}

impl From<StrategyWord> for Strategy {
    fn from(word: StrategyWord) -> Self {
        match word {
            StrategyWord::Deactivate => Self::Deactivate,
            StrategyWord::Quarantine => Self::Quarantine,
        }
    }
}

impl From<InUseWord> for InUse {
    fn from(word: InUseWord) -> Self {
        match word {
            InUseWord::Hold => Self::Hold,
            InUseWord::Deactivate => Self::Deactivate,
        }
    }
}

impl EnforceTable {
    pub(super) fn policy(self, text: &str) -> Result<EnforcePolicy, SettingsError> {
        let defaults = EnforcePolicy::default();
        let plan_age_at = self.plan_age.as_ref().map(Spanned::span);
        let plan_age = self.plan_age.map_or(defaults.plan_age, |span| span.into_inner().0);
        let quiet = quiet(text, self.quiet, plan_age)?.unwrap_or(defaults.base.quiet);
        if quiet < plan_age {
            let what = format!(
                "a key that was used since the plan would not count as in use; write a longer quiet, too ({})",
                span::exact(quiet)
            );
            return Err(fault(text, plan_age_at, &what));
        }
        let mut base = Terms {
            rules: self.rules.map(|rules| acting(text, rules)).transpose()?.unwrap_or(defaults.base.rules),
            in_use: self.in_use.map_or(defaults.base.in_use, Into::into),
            quiet,
            waits: crate::enforce::Waits {
                deactivate_after: defaults.base.waits.deactivate_after,
                remind_after: defaults.base.waits.remind_after,
                delete_after: self.delete_after.map_or(defaults.base.waits.delete_after, |soak| soak.0),
            },
        };
        let deactivate_at = self.deactivate_after.as_ref().map(Spanned::span);
        if let Some(span) = self.deactivate_after {
            base.waits.deactivate_after = span.into_inner().0;
            // Whoever shortens one means the other to fit.
            base.waits.remind_after = base.waits.remind_after.min(base.waits.deactivate_after / 2);
        }
        if let Some(span) = self.remind_after {
            let remind_at = span.span();
            base.waits.remind_after = span.into_inner().0;
            in_order(text, deactivate_at.unwrap_or(remind_at), base.waits.remind_after, base.waits.deactivate_after)?;
        }
        let percent_at = self.caps.percent.as_ref().map(Spanned::span);
        let percent = self.caps.percent.map(Spanned::into_inner);
        if percent.is_some_and(|percent| percent > 100) {
            return Err(fault(text, percent_at, "it is more than all keys; write at most 100"));
        }
        let longest = self.longest_exemption.map_or(defaults.longest_exemption, |span| span.0);
        let exemptions =
            self.exemption.into_iter().map(|one| exemption(text, one, longest)).collect::<Result<_, _>>()?;
        let on_exposure = on_exposure(text, self.on_exposure, self.exposure_strategy)?;
        let ProtectedTable { users, paths, tags, accounts } = self.protected;
        let CapsTable { keys, keys_of_account, per, .. } = self.caps;
        Ok(EnforcePolicy {
            is_enabled: self.enabled.unwrap_or(defaults.is_enabled),
            base,
            overrides: self
                .r#override
                .into_iter()
                .map(|one| terms_override(text, one, plan_age))
                .collect::<Result<_, _>>()?,
            protected: Protected { users: strings(users), paths: strings(paths), tags, accounts },
            exemptions,
            longest_exemption: longest,
            freezes: self.freeze.into_iter().map(|one| freeze(text, one)).collect::<Result<_, _>>()?,
            caps: Caps {
                keys: keys.unwrap_or(defaults.caps.keys),
                keys_of_account: keys_of_account.unwrap_or(defaults.caps.keys_of_account),
                percent: percent.unwrap_or(defaults.caps.percent),
                per: per.map_or(defaults.caps.per, |span| span.0),
            },
            canary: self.canary.map(|one| canary(text, one)).transpose()?,
            roles: Roles {
                reader: self.roles.reader.map(|word| word.0),
                deactivator: self.roles.deactivator.map(|word| word.0),
                deleter: self.roles.deleter.map(|word| word.0),
                quarantiner: self.roles.quarantiner.map(|word| word.0),
                external_id: self.roles.external_id.map(|word| word.0),
            },
            evidence_age: self.evidence_age.map_or(defaults.evidence_age, |span| span.0),
            plan_age,
            needs_approval: matches!(self.approval, Some(ApprovalWord::Required)),
            on_exposure,
        })
    }
}

fn on_exposure(
    text: &str,
    word: Option<ExposureWord>,
    strategy: Option<Spanned<StrategyWord>>,
) -> Result<OnExposure, SettingsError> {
    let at = strategy.as_ref().map(Spanned::span);
    let found = match word {
        Some(ExposureWord::Contain) => {
            let strategy = strategy.map_or(Strategy::Deactivate, |strategy| strategy.into_inner().into());
            return Ok(OnExposure::Contain { strategy });
        }
        Some(ExposureWord::Record) => OnExposure::Record,
        Some(ExposureWord::Notify) => OnExposure::Notify,
        Some(ExposureWord::Quarantine) => OnExposure::Quarantine,
        None => OnExposure::default(),
    };
    if at.is_some() {
        let what = "nothing is contained without on-exposure = \"contain\"; write that, or leave this out";
        return Err(fault(text, at, what));
    }
    Ok(found)
}

fn acting(text: &str, rules: Vec<Spanned<String>>) -> Result<BTreeSet<String>, SettingsError> {
    let known = |rule: Spanned<String>| {
        if ACTING_RULES.contains(&rule.as_ref().as_str()) {
            return Ok(rule.into_inner());
        }
        let what = format!("it is no rule that a key can be retired for; those are {}", ACTING_RULES.join(", "));
        Err(fault(text, Some(rule.span()), &what))
    };
    rules.into_iter().map(known).collect()
}

/// A reminder that comes with the deactivation, or after it, is none.
fn in_order(
    text: &str,
    at: std::ops::Range<usize>,
    remind: jiff::SignedDuration,
    deactivate: jiff::SignedDuration,
) -> Result<(), SettingsError> {
    // To wait for nothing at all may be meant, on a playground.
    if remind < deactivate || deactivate.is_zero() && remind.is_zero() {
        return Ok(());
    }
    let what = "the reminder comes no sooner than the deactivation; make deactivate-after longer than remind-after";
    Err(fault(text, Some(at), what))
}

/// A key that was used after the plan was made must count as in use.
fn quiet(
    text: &str,
    quiet: Option<Spanned<Span>>,
    plan_age: jiff::SignedDuration,
) -> Result<Option<jiff::SignedDuration>, SettingsError> {
    let Some(quiet) = quiet else { return Ok(None) };
    let at = quiet.span();
    let quiet = quiet.into_inner().0;
    if quiet < plan_age {
        let what = format!(
            "a key that was used since the plan would not count as in use; write at least plan-age ({})",
            span::exact(plan_age)
        );
        return Err(fault(text, Some(at), &what));
    }
    Ok(Some(quiet))
}

fn terms_override(
    text: &str,
    one: Spanned<OverrideTable>,
    plan_age: jiff::SignedDuration,
) -> Result<TermsOverride, SettingsError> {
    let at = one.span();
    let OverrideTable {
        accounts,
        units,
        tags,
        paths,
        rules,
        remind_after,
        deactivate_after,
        delete_after,
        in_use,
        quiet: quiet_span,
    } = one.into_inner();
    let scope = Scope { accounts, units: strings(units), tags, paths: strings(paths) };
    if scope.is_everybody() {
        let what = "it names no accounts, units, tags or paths, and so holds for everybody; write what holds for everybody \
                    under [enforce]";
        return Err(fault(text, Some(at), what));
    }
    if let (Some(remind), Some(deactivate)) = (&remind_after, &deactivate_after) {
        in_order(text, remind.span(), remind.as_ref().0, deactivate.0)?;
    }
    let one = TermsOverride {
        rules: rules.map(|rules| acting(text, rules)).transpose()?,
        remind_after: remind_after.map(|span| span.into_inner().0),
        deactivate_after: deactivate_after.map(|span| span.0),
        delete_after: delete_after.map(|soak| soak.0),
        in_use: in_use.map(Into::into),
        quiet: quiet(text, quiet_span, plan_age)?,
        scope,
    };
    if one == (TermsOverride { scope: one.scope.clone(), ..TermsOverride::default() }) {
        let what = "it changes nothing; give it rules, remind-after, deactivate-after, delete-after, in-use or quiet";
        return Err(fault(text, Some(at), what));
    }
    Ok(one)
}

fn canary(text: &str, one: Spanned<CanaryTable>) -> Result<Canary, SettingsError> {
    let at = one.span();
    let CanaryTable { accounts, units, tags, paths, wait } = one.into_inner();
    let scope = Scope { accounts, units: strings(units), tags, paths: strings(paths) };
    if scope.is_everybody() {
        return Err(fault(text, Some(at), "it names no accounts, units, tags or paths, and so there is nobody else"));
    }
    Ok(Canary { scope, wait: wait.0 })
}

fn freeze(text: &str, one: Spanned<FreezeTable>) -> Result<Freeze, SettingsError> {
    let at = one.span();
    let FreezeTable { from, to, days, reason } = one.into_inner();
    let wrong = |what: &str| Err(fault(text, Some(at.clone()), what));
    let time = match (from, to, days.is_empty()) {
        (Some(from), Some(to), true) if from.0 < to.0 => FreezeTime::Between { from: from.0, to: to.0 },
        (Some(_), Some(_), true) => return wrong("it ends before it begins"),
        (None, None, false) => {
            let mut set = BTreeSet::new();
            for day in days {
                let Some(index) = DAYS.iter().position(|name| *name == day) else {
                    return wrong(&format!("days are written {}", DAYS.join(", ")));
                };
                set.insert(Day(i8::try_from(index).unwrap_or_default()));
            }
            if set.len() == DAYS.len() {
                return wrong("no day is left; to stop everything, write enabled = false");
            }
            FreezeTime::Weekly(set)
        }
        _ => return wrong("give it from and to, or days"),
    };
    Ok(Freeze { time, reason: reason.0 })
}

fn exemption(
    text: &str,
    one: Spanned<ExemptionTable>,
    longest: jiff::SignedDuration,
) -> Result<Exemption, SettingsError> {
    let at = one.span();
    let ExemptionTable { account, user, key, owner, reason, ticket, approver, granted, expires } = one.into_inner();
    let exemption = Exemption {
        account,
        user,
        key,
        owner: owner.0,
        reason: reason.0,
        ticket: ticket.0,
        approver: approver.0,
        granted: granted.0,
        expires: expires.0,
    };
    exemption.fault(longest).map_or(Ok(exemption), |what| Err(fault(text, Some(at), &what)))
}

/// A soak, or none at all.
struct Soak(Option<jiff::SignedDuration>);

impl<'de> Deserialize<'de> for Soak {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer, "a span of time in quotes, for example \"30d\", or \"never\"")?;
        if text == NEVER {
            return Ok(Self(None));
        }
        span::parse(&text).map(|span| Self(Some(span))).map_err(de::Error::custom)
    }
}

/// A moment: `2026-12-24T18:00:00Z`, or a date, which is its first moment in UTC; in quotes or not.
struct Moment(Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORMS: &str = "2026-12-24, or 2026-12-24T18:00:00Z";
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(moment) => moment.to_string(),
            other => return Err(de::Error::custom(format_args!("it is {}; write {FORMS}", kind(&other)))),
        };
        moment::parse(&text).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::*;

    impl JsonSchema for Soak {
        fn schema_name() -> Cow<'static, str> {
            "Soak".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A span of time (30d), or never.", "type": "string",
                "pattern": "^(never|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$", "minLength": 2,
            })
        }
    }

    impl JsonSchema for Moment {
        fn schema_name() -> Cow<'static, str> {
            "Moment".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "A date (2026-12-24: its first moment in UTC), or 2026-12-24T18:00:00Z.", "type": "string" })
        }
    }
}
