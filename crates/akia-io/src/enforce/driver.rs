//! The loop: next, append the intent, perform, append the outcome, apply; and owners told once for all their keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use akia_core::enforce::{
    Act, Budget, Case, CaseEvent, CaseRecord, CaseSubject, Clear, EnforcePolicy, Evidence, Illegal, Next, Opening,
    Plan, Proof, Review, Step, StepKind, Told, review,
};
use akia_core::estate::{Account, Known};
use akia_core::ids::{AccountId, CaseId};
use akia_core::rule::AuditSettings;
use akia_core::usage::SeenUse;
use akia_core::{AccessKeyId, KeyStatus};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::cases;
use super::look::{Looked, look};
use super::sessions::Gate;
use crate::audit::without_key;
use crate::aws::{Answered, AwsError, KeyChange};
use crate::clock::Clock;
use crate::rotate::Stop;
use crate::seen::SeenUses;
use crate::store::{SharedStore, StoreError};

/// Keys that are looked at and changed at the same time.
const CONCURRENT: usize = 16;
/// What a run waits for: a second look, or the end of a quarantine. What takes longer is for another run.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);
/// Effects about one key in one run, at most. Far above any real run; a bound on a bug.
const EFFECT_LIMIT: usize = 50;

/// Everything that enforcement touches.
pub struct Enforcer<'a> {
    /// The journal.
    pub store: SharedStore,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The way into accounts.
    pub gate: &'a Gate,
    /// What the organisation says of the accounts, as the audit has read it.
    pub accounts: HashMap<AccountId, Account>,
    /// What holds now.
    pub policy: &'a dyn PolicySource,
    /// Tells owners.
    pub notifier: &'a dyn Notifier,
    /// Who may have seen keys in use, beside AWS.
    pub seen: Option<&'a dyn SeenUses>,
}

/// What the settings and the kill switch say at this moment.
pub trait PolicySource: Send + Sync {
    /// Reads them anew.
    ///
    /// # Errors
    /// Why they cannot be read: nothing is done then.
    fn read(&self) -> Result<PolicyNow, String>;
}

/// What holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyNow {
    /// What the rules expect.
    pub audit: AuditSettings,
    /// The policy.
    pub policy: EnforcePolicy,
    /// Why enforcement is switched off on this machine, where it is.
    pub stopped: Option<String>,
}

/// A key that its owner is to be told of.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The case, as it was opened.
    pub opening: Opening,
    /// What is known of the key now.
    pub evidence: Evidence,
    /// Tags of the user.
    pub tags: BTreeMap<String, String>,
    /// The account, as the audit has read it.
    pub account: Option<Account>,
    /// When what comes next is due.
    pub deadline: Option<Timestamp>,
}

/// That a notice was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The notice's name.
    pub notice: String,
    /// Proof of each delivery, at least one.
    pub proofs: Vec<Proof>,
}

/// Tells owners.
pub trait Notifier: Send + Sync {
    /// Delivers notices, one for all keys of an owner that go the same way, on every channel that they are meant for. For each
    /// key, in order: the notice that tells of it, or why that was not delivered on all its channels.
    fn tell<'a>(
        &'a self,
        told: Told,
        at: Timestamp,
        keys: &'a [Telling],
    ) -> BoxFuture<'a, Vec<Result<Delivered, String>>>;
}

/// Told of everything that is written down.
pub trait Watch: Send + Sync {
    /// A record was appended and applied.
    fn recorded(&self, case: &Case, record: &CaseRecord);
}

/// How one step of a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The step.
    pub step: Step,
    /// The case as it stands now; `None` where it was not even opened.
    pub case: Option<Case>,
    /// What was done, in order.
    pub done: Vec<Act>,
    /// Why nothing, or no more, was done; `None` where the step was carried out.
    pub stopped: Option<String>,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// The journal could not be written or read.
    #[error("{0}")]
    Journal(#[from] StoreError),
    /// The journal says what cannot be.
    #[error("case {case}: {illegal}")]
    Illegal {
        /// The case.
        case: CaseId,
        /// What does not fit.
        illegal: Illegal,
    },
}

struct Run<'a> {
    step: Step,
    case: Option<Case>,
    done: Vec<Act>,
    stopped: Option<String>,
    /// What the last look has shown, for the notice.
    evidence: Evidence,
    /// Tags of the user, as the last look has shown them.
    tags: BTreeMap<String, String>,
    /// A notice that is waiting to go out with others.
    pending: Option<Act>,
    has_looked: bool,
    is_over: bool,
    watch: &'a dyn Watch,
}

impl Enforcer<'_> {
    /// Carries out the steps of a plan that `is_approved` says yes to.
    ///
    /// # Errors
    /// When the journal fails. Every case is safe: its records say where it stands.
    pub async fn carry_out(
        &self,
        plan: &Plan,
        is_approved: &(dyn Fn(&Step) -> bool + Sync),
        stop: &Stop,
        watch: &dyn Watch,
    ) -> Result<Vec<Ended>, EnforceError> {
        let all: Vec<Case> = cases::load_all(&*self.store).await?.into_iter().filter_map(Result::ok).collect();
        let now = self.clock.now();
        let current = self.policy.read();
        let caps = current.as_ref().map_or_else(|_| EnforcePolicy::default().caps, |now| now.policy.caps);
        let budget = Mutex::new(Budget::new(caps, &all, &plan.steps, plan.evidence.active_keys, now));
        let open: BTreeSet<&AccessKeyId> =
            all.iter().filter(|case| !case.is_closed()).map(|case| &case.opening().subject.key).collect();
        let mut runs: Vec<Run<'_>> = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let mut run = Run::new(step.clone(), None, watch);
            if step.kind.is_change() && !is_approved(step) {
                run.end("it was not approved");
            } else if step.records.is_none() && open.contains(&step.subject.key) {
                run.end("another run has opened a case of this key meanwhile");
            }
            runs.push(run);
        }
        for _ in 0..EFFECT_LIMIT {
            let driven = runs.iter_mut().filter(|run| !run.is_over).map(|run| self.drive(run, plan, &budget, stop));
            let results: Vec<Result<(), EnforceError>> =
                futures_util::stream::iter(driven).buffer_unordered(CONCURRENT).collect().await;
            results.into_iter().collect::<Result<(), EnforceError>>()?;
            if !self.tell(&mut runs, stop).await? {
                break;
            }
        }
        let ended =
            runs.into_iter().map(|run| Ended { step: run.step, case: run.case, done: run.done, stopped: run.stopped });
        Ok(ended.collect())
    }

    /// Goes on with one case until there is nothing more to do in this run, or a notice waits for others.
    async fn drive(
        &self,
        run: &mut Run<'_>,
        plan: &Plan,
        budget: &Mutex<Budget>,
        stop: &Stop,
    ) -> Result<(), EnforceError> {
        if run.case.is_none() && !self.take_up(run, plan).await? {
            return Ok(());
        }
        for _ in 0..EFFECT_LIMIT {
            let Some(case) = run.case.as_ref() else { return Ok(()) };
            if stop.is_pulled() {
                run.end("the run was interrupted");
                return Ok(());
            }
            let now = self.clock.now();
            let next = case.next(now);
            // A plan is a leave to act on what it has seen: the first thing is to look again. Where it is not known what became
            // of a change, there is a time for that.
            let is_settling = matches!(next, Next::Wait { .. }) && case.open_act().is_some();
            if !run.has_looked && !case.is_closed() && !is_settling {
                run.has_looked = true;
                self.look(run).await?;
                continue;
            }
            match next {
                Next::Look => self.look(run).await?,
                Next::Wait { until } if until.duration_since(now) <= PATIENCE && self.is_worth_waiting(run) => {
                    let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                    self.clock.sleep(wait).await;
                }
                Next::Do(act, clear) if run.step.kind.allows(act) => {
                    if act.told().is_some() {
                        run.pending = Some(act);
                        return Ok(());
                    }
                    let account = &run.step.subject.account;
                    if let Err(why) = budget.lock().await.take(account, run.step.kind) {
                        run.end(&why);
                        return Ok(());
                    }
                    self.change(run, act, None, clear).await?;
                }
                Next::Wait { .. } | Next::Do(..) | Next::Rest => {
                    run.rest();
                    return Ok(());
                }
            }
        }
        run.end("it did not come to rest");
        Ok(())
    }

    /// A second look before a deletion, and the end of a quarantine, are waited for; a deadline is not.
    fn is_worth_waiting(&self, run: &Run<'_>) -> bool {
        let Some(case) = &run.case else { return false };
        case.open_act().is_some()
            || matches!(case.stage(), akia_core::enforce::Stage::Soaked { .. }) && run.step.kind == StepKind::Delete
    }

    /// Opens the case, or reads it from the journal. Says whether there is anything to do with it.
    async fn take_up(&self, run: &mut Run<'_>, plan: &Plan) -> Result<bool, EnforceError> {
        let loaded = cases::load(&*self.store, &run.step.case).await?;
        match (loaded, run.step.records) {
            (Some(Err(broken)), _) => {
                run.end(&broken.to_string());
                Ok(false)
            }
            (Some(Ok(case)), Some(records)) if case.records() == records => {
                run.case = Some(case);
                Ok(true)
            }
            (Some(Ok(case)), _) => {
                run.case = Some(case);
                run.end("the case has gone on since the plan was made: plan again");
                Ok(false)
            }
            (None, Some(_)) => {
                run.end("the journal does not know the case: the plan was made elsewhere");
                Ok(false)
            }
            (None, None) => {
                let opening = run.step.opening(plan, self.gate.caller_arn());
                let record =
                    CaseRecord { at: self.clock.now(), event: CaseEvent::Opened { opening: Box::new(opening) } };
                let illegal = |illegal| EnforceError::Illegal { case: run.step.case.clone(), illegal };
                let case = Case::begin(&record).map_err(illegal)?;
                self.append(&run.step.case, &record).await?;
                run.watch.recorded(&case, &record);
                run.case = Some(case);
                Ok(true)
            }
        }
    }

    async fn look(&self, run: &mut Run<'_>) -> Result<(), EnforceError> {
        let subject = run.step.subject.clone();
        let (looked, review) = self.ask(&subject, run.step.evidence.reactivated_at).await;
        if let Known::Told(review) = &review {
            run.evidence = Evidence::of(&looked.facts, review, self.clock.now());
        }
        if let Some(details) = looked.user.as_ref().and_then(|user| user.details.told()) {
            run.tags.clone_from(&details.tags);
        }
        let event = CaseEvent::Looked { facts: Box::new(looked.facts), review: Box::new(review) };
        self.record(run, event).await
    }

    /// What AWS says of a key, and what the policy says of that.
    pub async fn ask(&self, subject: &CaseSubject, reactivated_at: Option<Timestamp>) -> (Looked, Known<Review>) {
        let mut looked = match self.gate.reader(&subject.account).await {
            Ok(reader) => look(&reader, subject, reactivated_at).await,
            Err(error) => Looked::unknown(&without_key(&error.to_string())),
        };
        let unknown = |reason: String| Known::Unknown { reason };
        let review = match (self.policy.read(), &looked.user, self.accounts.get(&subject.account)) {
            (Err(reason), ..) => unknown(reason),
            // Without the key nothing needs to be judged.
            (Ok(_), None, _) => unknown("the key was not seen".to_owned()),
            (Ok(_), _, None) => unknown("the audit has not read the account".to_owned()),
            (Ok(now), Some(user), Some(account)) => {
                let (at, stopped) = (self.clock.now(), now.stopped.as_deref());
                let mut review = review(account, user, subject, &now.audit, &now.policy, stopped, at);
                let terms = now.policy.terms_of(account, user);
                let since = at.checked_sub(terms.quiet).unwrap_or(Timestamp::UNIX_EPOCH);
                if let Some(seen) = self.seen_since(&subject.key, since).await {
                    looked.facts.last_used = SeenUse::beside(looked.facts.last_used, Some(&seen));
                    review.take_seen(&seen, &terms, at);
                }
                Known::Told(review)
            }
        };
        (looked, review)
    }

    /// Where nobody can look beside AWS, AWS's word is what there is.
    async fn seen_since(&self, key: &AccessKeyId, since: Timestamp) -> Option<SeenUse> {
        self.seen?.since(key, since).await.ok().flatten()
    }

    /// Changes a key: intent, call, outcome.
    async fn change(
        &self,
        run: &mut Run<'_>,
        act: Act,
        reason: Option<String>,
        clear: Clear,
    ) -> Result<(), EnforceError> {
        let (actor, by) = match self.gate.actor(act, &run.step.subject).await {
            Ok(opened) => opened,
            Err(error) => {
                let by = self.gate.caller_arn().to_owned();
                self.record(run, CaseEvent::Intended { act, by, reason }).await?;
                let error = without_key(&error.to_string());
                return self.record(run, CaseEvent::Refused { act, error }).await;
            }
        };
        let now = self.clock.now();
        let is_still_clear = run.case.as_ref().is_some_and(|case| {
            matches!(case.next(now), Next::Do(next, _) if next == act)
                || act == Act::Reactivate && case.reactivation(now).is_some()
        });
        if !is_still_clear {
            // The session took its time; the caller looks again.
            return Ok(());
        }
        self.record_at(run, now, CaseEvent::Intended { act, by, reason }).await?;
        if !run.case.as_ref().is_some_and(|case| case.may_send(self.clock.now())) {
            let error = "it was not sent: the look at the key was too old by then".to_owned();
            return self.record(run, CaseEvent::Refused { act, error }).await;
        }
        let CaseSubject { user, key, .. } = &run.step.subject;
        let event = match send(&actor, act, &user.name, key, clear).await {
            Ok(Answered { change: KeyChange::Done, request_id }) => match act {
                Act::Deactivate => CaseEvent::KeyDeactivated { request_id },
                Act::Delete => CaseEvent::KeyDeleted { request_id },
                Act::Reactivate => CaseEvent::KeyActivated { request_id },
                Act::Announce | Act::Remind | Act::TellDeactivated => return Ok(()),
            },
            Ok(Answered { change: KeyChange::Gone, .. }) => {
                CaseEvent::Refused { act, error: "AWS says that there is no such key".to_owned() }
            }
            Err(error) => {
                let words = without_key(&error.to_string());
                if error.outcome_is_known() {
                    CaseEvent::Refused { act, error: words }
                } else {
                    CaseEvent::Unanswered { act, error: words }
                }
            }
        };
        if matches!(
            event,
            CaseEvent::KeyDeactivated { .. } | CaseEvent::KeyDeleted { .. } | CaseEvent::KeyActivated { .. }
        ) {
            run.done.push(act);
        }
        self.record(run, event).await
    }

    /// Tells owners what waits to be told, together. Says whether anything was to be told.
    async fn tell(&self, runs: &mut [Run<'_>], stop: &Stop) -> Result<bool, EnforceError> {
        let mut batches: BTreeMap<Told, Vec<usize>> = BTreeMap::new();
        for (index, run) in runs.iter().enumerate() {
            if let Some(told) = run.pending.and_then(Act::told) {
                batches.entry(told).or_default().push(index);
            }
        }
        let is_any = !batches.is_empty();
        for (told, indexes) in batches {
            let mut keys = Vec::new();
            let mut meant = Vec::new();
            let at = self.clock.now();
            for index in indexes {
                let Some(run) = runs.get_mut(index) else { continue };
                let (Some(act), Some(case)) = (run.pending.take(), run.case.as_ref()) else { continue };
                if stop.is_pulled() {
                    run.end("the run was interrupted");
                    continue;
                }
                // Looks at the other keys may have taken their time: then it is looked again.
                let now = self.clock.now();
                if !matches!(case.next(now), Next::Do(next, _) if next == act) {
                    continue;
                }
                let telling = Telling {
                    opening: case.opening().clone(),
                    evidence: run.evidence.clone(),
                    tags: run.tags.clone(),
                    account: self.accounts.get(&run.step.subject.account).cloned(),
                    deadline: case.deadline_told(told, at),
                };
                let by = self.gate.caller_arn().to_owned();
                self.record_at(run, now, CaseEvent::Intended { act, by, reason: None }).await?;
                meant.push((index, act, telling.deadline));
                keys.push(telling);
            }
            if keys.is_empty() {
                continue;
            }
            let mut answers = self.notifier.tell(told, at, &keys).await.into_iter();
            for (index, act, deadline) in meant {
                let Some(run) = runs.get_mut(index) else { continue };
                let answer = answers.next().unwrap_or_else(|| Err("nothing was said of its delivery".to_owned()));
                let event = match answer {
                    Ok(Delivered { notice, proofs }) if !proofs.is_empty() => {
                        run.done.push(act);
                        CaseEvent::NoticeDelivered { told, notice, deadline, proofs }
                    }
                    Ok(_) => CaseEvent::NoticeFailed { told, error: "there is no channel for it".to_owned() },
                    Err(error) => CaseEvent::NoticeFailed { told, error },
                };
                let is_failed = matches!(event, CaseEvent::NoticeFailed { .. });
                self.record(run, event).await?;
                if is_failed {
                    // Another run tries again.
                    run.rest();
                }
            }
        }
        Ok(is_any)
    }

    /// Activates a key again that a case has deactivated, because a person says so.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn reactivate(&self, case: Case, reason: &str, watch: &dyn Watch) -> Result<Ended, EnforceError> {
        let step = Step::of_case(&case, StepKind::Check, self.clock.now());
        let mut run = Run::new(step, Some(case), watch);
        for _ in 0..EFFECT_LIMIT {
            let Some(case) = run.case.as_ref() else { break };
            let now = self.clock.now();
            if case.is_closed() {
                break;
            }
            if let (Some(_), Next::Wait { until }) = (case.open_act(), case.next(now)) {
                let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                self.clock.sleep(wait).await;
                continue;
            }
            if let Some(clear) = case.reactivation(now) {
                self.change(&mut run, Act::Reactivate, Some(reason.to_owned()), clear).await?;
                if run.case.as_ref().is_some_and(|case| case.open_act().is_none()) {
                    break;
                }
                continue;
            }
            let records = case.records();
            self.look(&mut run).await?;
            let may_go_on = run
                .case
                .as_ref()
                .is_some_and(|case| case.records() > records && case.reactivation(self.clock.now()).is_some());
            if !may_go_on {
                break;
            }
        }
        run.rest();
        Ok(Ended { step: run.step, case: run.case, done: run.done, stopped: run.stopped })
    }

    /// Appends an event, durably, and applies it. An event that does not fit is not written.
    async fn record(&self, run: &mut Run<'_>, event: CaseEvent) -> Result<(), EnforceError> {
        self.record_at(run, self.clock.now(), event).await
    }

    /// The same, of a moment that something was decided by: a later one may not allow it any more.
    async fn record_at(&self, run: &mut Run<'_>, at: Timestamp, event: CaseEvent) -> Result<(), EnforceError> {
        let Some(case) = run.case.as_mut() else { return Ok(()) };
        let record = CaseRecord { at, event };
        let id = case.opening().case.clone();
        let mut next = case.clone();
        next.apply(&record).map_err(|illegal| EnforceError::Illegal { case: id.clone(), illegal })?;
        self.append(&id, &record).await?;
        *case = next;
        run.watch.recorded(case, &record);
        Ok(())
    }

    async fn append(&self, id: &CaseId, record: &CaseRecord) -> Result<(), EnforceError> {
        self.store.append(&id.clone().into(), record, None, &*self.clock).await.map_err(EnforceError::Journal)
    }
}

impl<'a> Run<'a> {
    fn new(step: Step, case: Option<Case>, watch: &'a dyn Watch) -> Self {
        Self {
            evidence: step.evidence.clone(),
            step,
            case,
            done: Vec::new(),
            stopped: None,
            tags: BTreeMap::new(),
            pending: None,
            has_looked: false,
            is_over: false,
            watch,
        }
    }

    fn end(&mut self, why: &str) {
        self.stopped = Some(why.to_owned());
        self.is_over = true;
        self.pending = None;
    }

    /// Nothing more in this run; what stands against it is said where the step was not carried out.
    fn rest(&mut self) {
        self.is_over = true;
        let is_carried_out = self.done.iter().any(|act| self.step.kind.allows(*act));
        let Some(case) = &self.case else { return };
        self.stopped = match case.held() {
            Some(held) => Some(held.to_string()),
            None if is_carried_out || case.is_closed() || self.step.kind == StepKind::Check => None,
            None => Some("it is not due yet".to_owned()),
        };
    }
}

/// Sends a change. The clearance goes with it: it covers this one.
async fn send(
    actor: &crate::aws::Caller,
    act: Act,
    user: &akia_core::UserName,
    key: &AccessKeyId,
    _clear: Clear,
) -> Result<Answered, AwsError> {
    match act {
        Act::Deactivate => actor.update_access_key_answered(user, key, KeyStatus::Inactive).await,
        Act::Reactivate => actor.update_access_key_answered(user, key, KeyStatus::Active).await,
        Act::Delete => actor.delete_access_key_answered(user, key).await,
        // Notices go another way.
        Act::Announce | Act::Remind | Act::TellDeactivated => {
            Ok(Answered { change: KeyChange::Gone, request_id: None })
        }
    }
}
