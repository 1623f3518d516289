//! What would be done about which key, and what would not and why: from an audit, the policy, and the cases that there are.
//!
//! A plan changes nothing. Whoever carries it out looks at each key again; a plan only says what may be done at most.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::canary::Canaries;
use super::case::{Case, Stage, later};
use super::policy::{Caps, EnforcePolicy};
use super::record::{Act, CaseSubject, Closed, Evidence, Opening, Waits};
use super::review::{Review, review};
use crate::estate::{Estate, Key, Known, User};
use crate::finding::Owner;
use crate::ids::{AccessKeyId, AccountId, CaseId, UserArn};
use crate::key::KeyStatus;
use crate::rule::{AuditSettings, owner_of};
use crate::usage::SeenUse;

/// A plan, as it is written to a file for review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When it was made.
    pub made_at: Timestamp,
    /// When it holds no more.
    pub expires_at: Timestamp,
    /// Who made it.
    pub by: String,
    /// Digest of the policy.
    pub policy: String,
    /// The audit that it stands on.
    pub evidence: Evidenced,
    /// What would be done.
    pub steps: Vec<Step>,
    /// What would not be done, although a rule is broken, and why.
    pub held: Vec<Held>,
    /// Cases whose next stage is not due yet.
    pub waiting: usize,
}

/// The audit that a plan stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidenced {
    /// Its number in `akia audit history`.
    pub audit: i64,
    /// When AWS was asked.
    pub at: Timestamp,
    /// Accounts that were read.
    pub accounts: usize,
    /// Active keys in them.
    pub active_keys: usize,
}

/// What would be done about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The case.
    pub case: CaseId,
    /// How many records the case had; `None`: it is opened by this step.
    pub records: Option<u64>,
    /// What.
    pub kind: StepKind,
    /// The key.
    pub subject: CaseSubject,
    /// The account's name, where one is known.
    pub account_name: Option<String>,
    /// Who answers for the key.
    pub owner: Option<Owner>,
    /// What is known of the key.
    pub evidence: Evidence,
    /// How long each stage lasts.
    pub waits: Waits,
    /// Since when it is due.
    pub due: Timestamp,
    /// What comes after, and when at the earliest.
    pub then: Option<(Act, Timestamp)>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// The owner is told that the key breaks a rule, and what will happen when.
    Announce,
    /// The owner is reminded.
    Remind,
    /// The key is deactivated, and its owner told.
    Deactivate,
    /// The owner is told that the key was deactivated, which could not be delivered before.
    TellDeactivated,
    /// The key is deleted.
    Delete,
    /// The key is looked at, and nothing else: it seems to be mended, gone or spared, or it is watched during its soak.
    Check,
}

impl StepKind {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Remind => "remind",
            Self::Deactivate => "deactivate",
            Self::TellDeactivated => "tell-deactivated",
            Self::Delete => "delete",
            Self::Check => "check",
        }
    }

    /// Whether it changes a key.
    #[must_use]
    pub fn is_change(self) -> bool {
        match self {
            Self::Deactivate | Self::Delete => true,
            Self::Announce | Self::Remind | Self::TellDeactivated | Self::Check => false,
        }
    }

    /// Whether a run for this step may do that.
    #[must_use]
    pub fn allows(self, act: Act) -> bool {
        match act {
            Act::Announce => self == Self::Announce,
            Act::Remind => self == Self::Remind,
            Act::Deactivate => self == Self::Deactivate,
            // Whoever deactivates tells of it.
            Act::TellDeactivated => matches!(self, Self::Deactivate | Self::TellDeactivated),
            Act::Delete => self == Self::Delete,
            Act::Reactivate => false,
        }
    }

    fn of(act: Act) -> Self {
        match act {
            Act::Announce => Self::Announce,
            Act::Remind => Self::Remind,
            Act::Deactivate => Self::Deactivate,
            Act::TellDeactivated => Self::TellDeactivated,
            Act::Delete => Self::Delete,
            Act::Reactivate => Self::Check,
        }
    }
}

/// What would not be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: Option<UserArn>,
    /// The key, where its id is known.
    pub key: Option<AccessKeyId>,
    /// Its case, where there is one.
    pub case: Option<CaseId>,
    /// What would come next.
    pub kind: Option<StepKind>,
    /// Why not, in words.
    pub why: String,
}

/// What a plan is made from.
pub struct PlanInput<'a> {
    /// The audit.
    pub evidence: Evidenced,
    /// The accounts that it has read.
    pub estates: &'a [Estate],
    /// What the rules expect.
    pub audit: &'a AuditSettings,
    /// The policy.
    pub policy: &'a EnforcePolicy,
    /// Why enforcement is switched off outside of the policy, where it is.
    pub stopped: Option<&'a str>,
    /// All cases, also those that are over.
    pub cases: &'a [Case],
    /// Keys that logs have shown in use, beside what AWS says.
    pub seen: &'a BTreeMap<AccessKeyId, SeenUse>,
    /// Only these accounts; empty for all.
    pub only_accounts: &'a BTreeSet<AccountId>,
    /// Who makes it.
    pub by: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Why there can be no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The audit is too old.
    #[error("the latest audit is of {at}, older than {}", crate::span::exact(*limit))]
    Stale {
        /// When it was made.
        at: Timestamp,
        /// The limit.
        limit: SignedDuration,
    },
    /// The audit is of the future: some clock is wrong.
    #[error("the latest audit is of {at}, which has not come yet: a clock is wrong")]
    FromFuture {
        /// When it says that it was made.
        at: Timestamp,
    },
}

/// Makes a plan. `new_case` draws an unused name.
///
/// # Errors
/// When the audit is no ground for one.
pub fn plan(input: &PlanInput<'_>, mut new_case: impl FnMut() -> CaseId) -> Result<Plan, PlanError> {
    let PlanInput { policy, now, .. } = *input;
    if input.evidence.at > later(now, SignedDuration::from_mins(5)) {
        return Err(PlanError::FromFuture { at: input.evidence.at });
    }
    if now.duration_since(input.evidence.at) > policy.evidence_age {
        return Err(PlanError::Stale { at: input.evidence.at, limit: policy.evidence_age });
    }
    let is_meant = |account: &AccountId| input.only_accounts.is_empty() || input.only_accounts.contains(account);
    let mut drawn = Drawn { input, steps: Vec::new(), held: Vec::new(), waiting: 0 };
    let mut open: BTreeMap<(&AccountId, &AccessKeyId), &Case> = BTreeMap::new();
    for case in input.cases.iter().filter(|case| !case.is_closed() && is_meant(&case.opening().subject.account)) {
        let subject = &case.opening().subject;
        match open.entry((&subject.account, &subject.key)) {
            Entry::Vacant(free) => {
                free.insert(case);
            }
            // Two runs without a common lock have opened one each. The one that is further goes on, the other is told of.
            Entry::Occupied(mut taken) => {
                let (first, second) = (*taken.get(), case);
                let is_further = second.inactive_since().is_some() && first.inactive_since().is_none();
                let (on, off) = if is_further { (second, first) } else { (first, second) };
                taken.insert(on);
                drawn.hold_case(off, format!("case {} is about the same key, and goes on instead", on.opening().case));
            }
        }
    }
    let ended: BTreeMap<(&AccountId, &AccessKeyId), Timestamp> = input.cases.iter().filter_map(end_of).collect();
    for estate in input.estates.iter().filter(|estate| is_meant(&estate.account.id)) {
        for user in &estate.users {
            for key in &user.keys {
                // The audit has seen it, and it is gone since.
                let ended = key.id.as_ref().and_then(|id| ended.get(&(&estate.account.id, id)));
                if ended.is_some_and(|ended| *ended >= estate.as_of) {
                    continue;
                }
                match key.id.as_ref().and_then(|id| open.remove(&(&estate.account.id, id))) {
                    Some(case) => drawn.go_on(case, estate, user, key),
                    None => drawn.begin(estate, user, key, &mut new_case),
                }
            }
        }
    }
    let read: BTreeSet<&AccountId> = input.estates.iter().map(|estate| &estate.account.id).collect();
    for case in open.into_values() {
        if read.contains(&case.opening().subject.account) {
            drawn.check(case, case.opening().evidence.clone());
        } else {
            drawn.hold_case(case, "the account was not read by the audit that this plan stands on".to_owned());
        }
    }
    drawn.cap();
    let Drawn { mut steps, held, waiting, .. } = drawn;
    steps.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    Ok(Plan {
        made_at: now,
        expires_at: later(now, policy.plan_age),
        by: input.by.to_owned(),
        policy: policy.digest(),
        evidence: input.evidence.clone(),
        steps,
        held,
        waiting,
    })
}

struct Drawn<'a> {
    input: &'a PlanInput<'a>,
    steps: Vec<Step>,
    held: Vec<Held>,
    waiting: usize,
}

impl Drawn<'_> {
    /// A key without a case.
    fn begin(&mut self, estate: &Estate, user: &User, key: &Key, new_case: &mut impl FnMut() -> CaseId) {
        let PlanInput { policy, audit, now, .. } = *self.input;
        let account = &estate.account;
        let terms = policy.terms_of(account, user);
        if terms.rules.is_empty() {
            return;
        }
        let mut hold = |why: String| {
            self.held.push(Held {
                account: account.id.clone(),
                user: Some(user.arn.clone()),
                key: key.id.clone(),
                case: None,
                kind: Some(StepKind::Announce),
                why,
            });
        };
        let user_id = user.details.told().and_then(|details| details.id.clone());
        let (Some(id), Some(created_at), Some(user_id)) = (&key.id, key.created_at.told(), user_id) else {
            return hold("its id, its date or the user's id is not known".to_owned());
        };
        let subject = CaseSubject {
            account: account.id.clone(),
            user: user.arn.clone(),
            user_id,
            key: id.clone(),
            key_created_at: *created_at,
        };
        let review = review(account, user, &subject, audit, policy, self.input.stopped, now);
        let broken = match &review.broken {
            Known::Unknown { reason } => return hold(reason.clone()),
            Known::Told(broken) if broken.is_empty() => return,
            Known::Told(broken) => broken.clone(),
        };
        if let Some(reason) = &review.stopped {
            return hold(switched_off(reason));
        }
        if let Some(reason) = &review.exempt {
            return hold(format!("exempt: {reason}"));
        }
        if review.is_protected {
            return hold("the user is protected".to_owned());
        }
        let limits = audit.limits_of(estate, Some(user));
        self.steps.push(Step {
            case: new_case(),
            records: None,
            kind: StepKind::Announce,
            account_name: account.name.clone(),
            owner: owner_of(estate, &limits, Some(user), Some(id)),
            evidence: evidence(estate, key, broken),
            waits: review.waits,
            due: now,
            then: Some((Act::Deactivate, later(now, review.waits.deactivate_after))),
            subject,
        });
    }

    /// A key with a case that is open.
    fn go_on(&mut self, case: &Case, estate: &Estate, user: &User, key: &Key) {
        let PlanInput { policy, audit, now, .. } = *self.input;
        let subject = &case.opening().subject;
        let mut review = review(&estate.account, user, subject, audit, policy, self.input.stopped, now);
        if let Some(seen) = self.input.seen.get(&subject.key) {
            review.take_seen(seen, &policy.terms_of(&estate.account, user), now);
        }
        if let Some(reason) = &review.stopped {
            return self.hold_case(case, switched_off(reason));
        }
        let broken = review.broken.told().cloned();
        let evidence = evidence(estate, key, broken.clone().unwrap_or_default());
        let seems_over = match case.inactive_since() {
            // What was seen before the key was deactivated says nothing of it now.
            Some(since) => key.status == KeyStatus::Active && estate.as_of > since,
            None => review.exempt.is_some() || review.is_protected || broken.is_some_and(|broken| broken.is_empty()),
        };
        if seems_over || case.open_act().is_some_and(|act| act.told().is_none()) {
            return self.check(case, evidence);
        }
        let Some((act, due)) = case.due().filter(|(_, due)| *due <= now) else {
            self.waiting += 1;
            if case.is_watch_due(now) {
                self.check(case, evidence);
            }
            return;
        };
        match self.stands_against(act, case, estate, user, &review) {
            Some(why) => self.hold_case(case, why),
            None => {
                let step = self.step(case, StepKind::of(act), evidence, due);
                self.steps.push(step);
            }
        }
    }

    /// What can be told already.
    fn stands_against(&self, act: Act, case: &Case, estate: &Estate, user: &User, review: &Review) -> Option<String> {
        if let Known::Unknown { reason } = &review.broken
            && case.inactive_since().is_none()
        {
            return Some(reason.clone());
        }
        if !StepKind::of(act).is_change() {
            return None;
        }
        if let Some(reason) = &review.frozen {
            return Some(format!("nothing is changed now: {reason}"));
        }
        if act == Act::Deactivate && review.is_in_use {
            let key = &case.opening().subject.key;
            let who = match self.input.seen.get(key) {
                Some(seen) => format!(" (logs have it {} {})", seen.at, seen.words().join(", ")),
                None => String::new(),
            };
            return Some(format!("the key is in use{who}, and the policy leaves such alone (in-use)"));
        }
        if case.inactive_since().is_some() && review.exempt.is_some() {
            return review.exempt.as_ref().map(|words| format!("exempt: {words}"));
        }
        if case.inactive_since().is_some() && review.is_protected {
            return Some("the user is protected".to_owned());
        }
        let PlanInput { policy, cases, estates, now, .. } = *self.input;
        Canaries { policy, cases, estates, now }.hold(&estate.account, user)
    }

    fn check(&mut self, case: &Case, evidence: Evidence) {
        let step = self.step(case, StepKind::Check, evidence, self.input.now);
        self.steps.push(step);
    }

    fn step(&self, case: &Case, kind: StepKind, evidence: Evidence, due: Timestamp) -> Step {
        let now = self.input.now;
        let waits = case.waits();
        let then = match kind {
            StepKind::Announce => Some((Act::Deactivate, later(now, waits.deactivate_after))),
            StepKind::Remind => case.deadline_told(super::Told::Reminded, now).map(|at| (Act::Deactivate, at)),
            StepKind::Deactivate => waits.delete_after.map(|wait| (Act::Delete, later(now, wait))),
            StepKind::TellDeactivated => case.deadline_told(super::Told::Deactivated, now).map(|at| (Act::Delete, at)),
            StepKind::Delete => None,
            StepKind::Check => case.due(),
        };
        Step { evidence, due, then, ..Step::of_case(case, kind, now) }
    }

    fn hold_case(&mut self, case: &Case, why: String) {
        let subject = &case.opening().subject;
        self.held.push(Held {
            account: subject.account.clone(),
            user: Some(subject.user.clone()),
            key: Some(subject.key.clone()),
            case: Some(case.opening().case.clone()),
            kind: case.due().map(|(act, _)| StepKind::of(act)),
            why,
        });
    }

    /// Holds what would be too much at once.
    fn cap(&mut self) {
        let PlanInput { policy, cases, now, .. } = *self.input;
        let (mut changes, rest): (Vec<Step>, Vec<Step>) =
            std::mem::take(&mut self.steps).into_iter().partition(|step| step.kind.is_change());
        self.steps = rest;
        let mut budget = Budget::new(policy.caps, cases, &changes, self.input.evidence.active_keys, now);
        // What has been due for longest comes first.
        changes.sort_by(|a, b| (a.due, &a.subject).cmp(&(b.due, &b.subject)));
        for step in changes {
            match budget.take(&step.subject.account, step.kind) {
                Err(why) => self.held.push(Held {
                    account: step.subject.account,
                    user: Some(step.subject.user),
                    key: Some(step.subject.key),
                    case: Some(step.case),
                    kind: Some(step.kind),
                    why,
                }),
                Ok(()) => self.steps.push(step),
            }
        }
    }
}

/// How many keys may still be changed: what was done within the time that the caps count is taken off.
#[derive(Debug, Clone)]
pub struct Budget {
    caps: Caps,
    in_all: usize,
    by_account: BTreeMap<AccountId, usize>,
    /// More keys would be deactivated than the alarm bears.
    alarm: Option<String>,
}

impl Budget {
    /// What is left for `steps` after all that was done, where the audit has counted `active_keys`.
    #[must_use]
    pub fn new(caps: Caps, cases: &[Case], steps: &[Step], active_keys: usize, now: Timestamp) -> Self {
        // A key that is inactive already is deactivated in the books only.
        let is_deactivation =
            |step: &&Step| step.kind == StepKind::Deactivate && step.evidence.status == KeyStatus::Active;
        let asked = steps.iter().filter(is_deactivation).count();
        let is_recent = |at: &&Timestamp| now.duration_since(**at) < caps.per;
        let mut budget = Self { caps, in_all: 0, by_account: BTreeMap::new(), alarm: None };
        let mut deactivated = asked;
        for case in cases {
            // What was sent and not answered may have been carried out.
            let is_open = matches!(case.open_act(), Some(Act::Deactivate | Act::Delete));
            let recent = case.changes().iter().filter(is_recent).count() + usize::from(is_open);
            budget.in_all += recent;
            *budget.by_account.entry(case.opening().subject.account.clone()).or_default() += recent;
            deactivated += case.deactivated_at().iter().filter(|at| is_recent(at)).count();
            deactivated += usize::from(case.open_act() == Some(Act::Deactivate));
        }
        // A share of few keys is none at all; one key may always go, but where none was wanted.
        let share = active_keys.saturating_mul(usize::try_from(caps.percent).unwrap_or(usize::MAX)) / 100;
        let allowed = if caps.percent == 0 { 0 } else { share.max(1) };
        if asked > 0 && deactivated > allowed {
            let (span, percent) = (crate::span::exact(caps.per), caps.percent);
            budget.alarm = Some(format!(
                "{deactivated} keys would be deactivated within {span}, more than {percent} % of {active_keys}: none is \
                 (caps.percent)"
            ));
        }
        budget
    }

    /// Counts changes that no case has made: keys of an account that were contained.
    pub fn count(&mut self, account: &AccountId) {
        self.in_all += 1;
        *self.by_account.entry(account.clone()).or_default() += 1;
    }

    /// Takes one change, or says why it is too much.
    ///
    /// # Errors
    /// The words for it.
    pub fn take(&mut self, account: &AccountId, kind: StepKind) -> Result<(), String> {
        let span = crate::span::exact(self.caps.per);
        let of_account = self.by_account.entry(account.clone()).or_default();
        if let (Some(alarm), StepKind::Deactivate) = (&self.alarm, kind) {
            return Err(alarm.clone());
        }
        if *of_account >= usize::try_from(self.caps.keys_of_account).unwrap_or(usize::MAX) {
            return Err(format!("{of_account} keys of the account within {span} are enough (caps.keys-of-account)"));
        }
        if self.in_all >= usize::try_from(self.caps.keys).unwrap_or(usize::MAX) {
            return Err(format!("{} keys within {span} are enough (caps.keys)", self.in_all));
        }
        *of_account += 1;
        self.in_all += 1;
        Ok(())
    }
}

impl Step {
    /// A step of a case that is open, due now, on what was known when it was opened.
    #[must_use]
    pub fn of_case(case: &Case, kind: StepKind, now: Timestamp) -> Self {
        let Opening { case: id, subject, account_name, owner, evidence, .. } = case.opening().clone();
        let (records, waits) = (Some(case.records()), case.waits());
        Self { case: id, records, kind, subject, account_name, owner, evidence, waits, due: now, then: None }
    }

    /// How the case begins that this step opens.
    #[must_use]
    pub fn opening(&self, plan: &Plan, by: &str) -> Opening {
        Opening {
            case: self.case.clone(),
            subject: self.subject.clone(),
            account_name: self.account_name.clone(),
            owner: self.owner.clone(),
            evidence: self.evidence.clone(),
            waits: self.waits,
            policy: plan.policy.clone(),
            by: by.to_owned(),
        }
    }
}

/// Of a case whose key is no more, as far as a look has shown: which key, and since when.
fn end_of(case: &Case) -> Option<((&AccountId, &AccessKeyId), Timestamp)> {
    let subject = &case.opening().subject;
    match case.stage() {
        Stage::Closed { at, why: Closed::Deleted | Closed::Gone } => Some(((&subject.account, &subject.key), *at)),
        Stage::Closed { .. }
        | Stage::Seen
        | Stage::Notified { .. }
        | Stage::Reminded { .. }
        | Stage::Deactivated { .. }
        | Stage::Soaked { .. } => None,
    }
}

fn switched_off(reason: &str) -> String {
    format!("enforcement is switched off: {reason}")
}

fn evidence(estate: &Estate, key: &Key, broken: Vec<(String, String)>) -> Evidence {
    Evidence {
        as_of: estate.as_of,
        status: key.status,
        last_used: key.last_used.clone(),
        reactivated_at: key.reactivated_at,
        broken,
    }
}

#[cfg(test)]
mod tests;
