//! One simulated campaign: weeks of plans and runs over one estate, with everything that goes wrong.
//!
//! What decides is production: `plan`, `review`, `Case`, `Budget`. What carries it out mirrors `akia_io::enforce::driver`, so that
//! a million campaigns take half an hour and not days.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use akia_core::enforce::{
    Act, Budget, Case, CaseEvent, CaseRecord, CaseSubject, Closed, Evidenced, Next, Plan, PlanInput, Proof, Stage,
    Step, StepKind, Told, plan, review,
};
use akia_core::estate::{Account, Known};
use akia_core::rule::AuditSettings;
use akia_core::{CaseId, KeyStatus};
use jiff::Timestamp;

use super::judge::{self, Changes, Seen, Truth};
use super::sabotage::Sabotage;
use super::world::{Change, DAY, HOUR, LATE, Moment, QUIET, World, moment, seconds, waits};

/// Effects of one run about one key, at most.
const EFFECT_LIMIT: usize = 50;
/// Days after which a world without faults must have come to rest.
const DRAIN_DAYS: usize = 90;

/// What came of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) cases: u64,
    pub(crate) deactivated: u64,
    pub(crate) deleted: u64,
    pub(crate) faults: u64,
    pub(crate) crashes: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) trace: u64,
    pub(crate) story: Vec<String>,
}

struct Thread {
    id: CaseId,
    records: Vec<CaseRecord>,
    case: Case,
    truth: Truth,
}

/// The run is over: the process died, or its journal failed.
struct Died;

struct Campaign {
    world: World,
    threads: Vec<Thread>,
    audit: AuditSettings,
    changes: Changes,
    sabotage: Option<Sabotage>,
    /// How often of 256 something fails.
    share: u8,
    outcome: Outcome,
    hasher: std::hash::DefaultHasher,
    is_telling: bool,
    drawn: u64,
}

/// Runs the campaign of a seed.
pub(crate) fn run(seed: u64, sabotage: Option<Sabotage>, is_telling: bool) -> Outcome {
    let mut world = World::new(seed);
    let share = [0, 8, 24, 60][world.random.usize(..4)];
    let mut campaign = Campaign {
        world,
        threads: Vec::new(),
        audit: AuditSettings::default(),
        changes: Vec::new(),
        sabotage,
        share,
        outcome: Outcome::default(),
        hasher: std::hash::DefaultHasher::new(),
        is_telling,
        drawn: 0,
    };
    campaign.live();
    if campaign.outcome.violations.is_empty() {
        campaign.drain();
    }
    campaign.outcome.cases = campaign.threads.len() as u64;
    campaign.outcome.trace = campaign.hasher.finish();
    campaign.outcome
}

impl Campaign {
    fn live(&mut self) {
        for _ in 0..self.world.random.usize(12..32) {
            let by = self.world.random.i64(HOUR..4 * DAY);
            self.pass(by);
            self.deeds();
            if self.world.random.u8(..8) == 0 {
                self.person();
            }
            let Some(plan) = self.plan() else { continue };
            // Two plans at once, made on the same; one that is carried out twice; one that is carried out late.
            let second = (self.world.random.u8(..8) == 0).then(|| self.plan()).flatten();
            if self.world.random.u8(..6) == 0 {
                let by = self.world.random.i64(60..20 * HOUR);
                self.pass(by);
                self.deeds();
            }
            self.carry_out(&plan);
            if let Some(second) = second {
                self.carry_out(&second);
            }
            if self.world.random.u8(..8) == 0 {
                self.carry_out(&plan);
            }
            if !self.outcome.violations.is_empty() {
                return;
            }
        }
    }

    /// Once faults and people rest, every case is over, due later, or held for a reason that is told.
    fn drain(&mut self) {
        self.share = 0;
        let book = &mut self.world.rulebook;
        (book.is_frozen, book.is_enabled, book.is_stopped) = (false, true, false);
        self.world.write_policy();
        let mut last = None;
        for _ in 0..DRAIN_DAYS {
            self.pass(DAY);
            last = self.plan();
            let Some(plan) = &last else { return self.violated("LOST: an audit of today is no ground for a plan") };
            let is_quiet = plan.steps.iter().all(|step| step.kind == StepKind::Check) && plan.waiting == 0;
            let plan = plan.clone();
            self.carry_out(&plan);
            if !self.outcome.violations.is_empty() {
                return;
            }
            if is_quiet {
                break;
            }
        }
        let plan = last.as_ref();
        let lost: Vec<String> = self
            .threads
            .iter()
            .filter(|thread| !thread.case.is_closed())
            .filter(|thread| {
                let is_told = plan.is_some_and(|plan| {
                    plan.held.iter().any(|held| held.case.as_ref() == Some(&thread.id))
                        || plan.steps.iter().any(|step| step.case == thread.id)
                });
                let is_later = thread.case.due().is_none_or(|(_, due)| due > moment(self.world.now));
                !(is_told || is_later || thread.case.held().is_some())
            })
            .map(|thread| format!("LOST: case {} is {}, and nobody says why", thread.id, thread.case.stage().as_str()))
            .collect();
        self.outcome.violations.extend(lost);
        // A key that akia has shut, and whose case ended as if it had not.
        for key in self.world.keys.iter().filter(|key| !key.is_gone && !key.is_active) {
            let Some(thread) = key.shut_by.and_then(|case| self.threads.get(case)) else { continue };
            // Of a user that was renamed before the next look, AWS tells nothing under the old name: the intent in the journal is
            // all that is known.
            let (user, subject) = (&self.world.users[key.user], &thread.case.opening().subject);
            let is_same_user = user.id == subject.user_id && user.arn == subject.user;
            if is_same_user && thread.case.is_closed() && thread.case.deactivated_at().is_none() {
                self.outcome.violations.push(format!("LOST: key {} was shut, and its case does not know", key.id));
            }
        }
    }

    /// What people do to keys, users and the policy.
    fn deeds(&mut self) {
        for _ in 0..self.world.random.usize(..3) {
            let key = self.world.random.usize(..self.world.keys.len());
            let deed = self.world.random.u8(..20);
            self.note(deed, key);
            match deed {
                0 => self.world.set(key, Change::Deactivate, None),
                1 | 2 => self.world.set(key, Change::Activate, None),
                3 => self.world.set(key, Change::Delete, None),
                4..=6 if self.world.keys[key].is_active => self.world.keys[key].used = Some(self.world.now),
                7 => self.recreate(key),
                8 => self.rename(key),
                9 => {
                    let waits = waits(&mut self.world.random);
                    self.world.rulebook.waits = waits;
                }
                10 | 11 => {
                    let id = self.world.keys[key].id.clone();
                    let exempt = &mut self.world.rulebook.exempt;
                    if !exempt.remove(&id) {
                        exempt.insert(id);
                    }
                }
                12 => self.world.rulebook.is_frozen ^= true,
                13 => self.world.rulebook.is_stopped ^= true,
                14 => self.world.rulebook.is_enabled ^= true,
                15 => {
                    let name = self.world.users[self.world.keys[key].user].arn.name.to_string();
                    let protected = &mut self.world.rulebook.protected;
                    if !protected.remove(&name) {
                        protected.insert(name);
                    }
                }
                _ => {}
            }
        }
        if self.world.random.u8(..3) == 0 {
            let book = &mut self.world.rulebook;
            (book.is_frozen, book.is_stopped, book.is_enabled) = (false, false, true);
        }
        self.world.write_policy();
    }

    /// The user is deleted and made anew under the same name, with a key of the same second.
    fn recreate(&mut self, key: usize) {
        let old = self.world.keys[key].user;
        let user = self.world.users[old].clone();
        if user.is_gone {
            return;
        }
        self.world.users[old].is_gone = true;
        let created = self.world.keys[key].created;
        for key in self.world.keys.iter_mut().filter(|key| key.user == old) {
            key.is_gone = true;
        }
        let name = user.arn.name.to_string();
        let made = self.world.make_user(user.account, &name);
        self.world.users[made].arn = user.arn;
        let same = self.world.make_key(made, created);
        if self.world.random.bool() {
            // AWS gives no id twice; whoever went by names and ids alone would be wrong here.
            self.world.keys[same].id = self.world.keys[key].id.clone();
        }
    }

    fn rename(&mut self, key: usize) {
        let user = self.world.keys[key].user;
        let text = format!("{}-{}", self.world.users[user].arn, self.world.now);
        if let Ok(arn) = text.parse() {
            self.world.users[user].arn = arn;
        }
    }

    /// A person wants a key back.
    fn person(&mut self) {
        let kept = |thread: &Thread| thread.case.inactive_since().is_some();
        let Some(index) = self.threads.iter().position(kept) else { return };
        let _ = self.reactivate(index);
    }

    fn reactivate(&mut self, index: usize) -> Result<(), Died> {
        if self.threads[index].case.open_act().is_some() {
            return Ok(());
        }
        if self.threads[index].case.reactivation(moment(self.world.now)).is_none() {
            self.look(index, None)?;
        }
        if self.threads[index].case.reactivation(moment(self.world.now)).is_some() {
            self.change(index, Act::Reactivate)?;
        }
        Ok(())
    }

    fn plan(&mut self) -> Option<Plan> {
        let made_at = self.world.now;
        let share = self.share;
        let estates = self.world.audit(share);
        // An audit of some hours ago, or one that is too old.
        let age = self.world.random.i64(0..26) * HOUR * i64::from(share > 0);
        let active_keys = self.world.keys.iter().filter(|key| !key.is_gone && key.is_active).count();
        let evidence = Evidenced { audit: 1, at: moment(made_at - age), accounts: estates.len(), active_keys };
        let cases: Vec<Case> = self.threads.iter().map(|thread| thread.case.clone()).collect();
        let only = std::collections::BTreeSet::new();
        let input = PlanInput {
            evidence,
            estates: &estates,
            audit: &self.audit,
            policy: &self.world.policy,
            stopped: self.world.stopped(),
            cases: &cases,
            seen: &BTreeMap::new(),
            only_accounts: &only,
            by: "arn:aws:iam::111122223333:user/akia",
            now: moment(made_at),
        };
        let mut drawn = self.drawn;
        let plan = plan(&input, || {
            drawn += 1;
            CaseId::from_bits(drawn)
        });
        self.drawn = drawn;
        plan.ok()
    }

    /// As `Enforcer::carry_out`. A death ends the run; what it knew is gone, but for the journal.
    fn carry_out(&mut self, plan: &Plan) {
        if moment(self.world.now) > plan.expires_at {
            return;
        }
        for thread in 0..self.threads.len() {
            let replayed = Case::replay(&self.threads[thread].records);
            if replayed.as_ref() != Ok(&self.threads[thread].case) {
                return self.violated("the journal replays to another case");
            }
        }
        let cases: Vec<Case> = self.threads.iter().map(|thread| thread.case.clone()).collect();
        let caps = self.world.policy.caps;
        let mut budget = Budget::new(caps, &cases, &plan.steps, plan.evidence.active_keys, moment(self.world.now));
        let open: Vec<_> =
            cases.iter().filter(|case| !case.is_closed()).map(|case| case.opening().subject.key.clone()).collect();
        for step in &plan.steps {
            if step.records.is_none() && open.contains(&step.subject.key) {
                continue;
            }
            if self.drive(plan, step, &mut budget).is_err() {
                self.outcome.crashes += 1;
                return;
            }
            if !self.outcome.violations.is_empty() {
                return;
            }
        }
    }

    /// As `Enforcer::drive` and `tell`, for one step.
    fn drive(&mut self, plan: &Plan, step: &Step, budget: &mut Budget) -> Result<(), Died> {
        let known = self.threads.iter().position(|thread| thread.id == step.case);
        let index = match (known, step.records) {
            (Some(index), Some(records)) if self.threads[index].case.records() == records => index,
            (Some(_), _) | (None, Some(_)) => return Ok(()),
            (None, None) => self.open(plan, step)?,
        };
        let mut has_looked = false;
        for _ in 0..EFFECT_LIMIT {
            let case = &self.threads[index].case;
            let now = moment(self.world.now);
            let next = case.next(now);
            let is_settling = matches!(next, Next::Wait { .. }) && case.open_act().is_some();
            if !has_looked && !case.is_closed() && !is_settling {
                has_looked = true;
                self.look(index, Some(step))?;
                continue;
            }
            match next {
                Next::Look => self.look(index, Some(step))?,
                Next::Wait { until } => {
                    let wait = seconds(until) - self.world.now;
                    let is_worth = case.open_act().is_some()
                        || matches!(case.stage(), Stage::Soaked { .. }) && step.kind == StepKind::Delete;
                    if wait > 90 || !is_worth {
                        return Ok(());
                    }
                    self.pass(wait);
                }
                Next::Do(act, _) if step.kind.allows(act) => match act.told() {
                    Some(told) => {
                        if !self.tell(index, act, told)? {
                            return Ok(());
                        }
                    }
                    None => {
                        if budget.take(&step.subject.account, step.kind).is_err() {
                            return Ok(());
                        }
                        self.change(index, act)?;
                    }
                },
                Next::Do(..) | Next::Rest => return Ok(()),
            }
            if !self.outcome.violations.is_empty() {
                return Ok(());
            }
        }
        self.violated("a run did not come to rest");
        Ok(())
    }

    fn open(&mut self, plan: &Plan, step: &Step) -> Result<usize, Died> {
        let opening = step.opening(plan, "arn:aws:iam::111122223333:user/akia");
        let record = CaseRecord { at: moment(self.world.now), event: CaseEvent::Opened { opening: Box::new(opening) } };
        let Ok(case) = Case::begin(&record) else {
            self.violated("a case cannot begin");
            return Err(Died);
        };
        if self.strikes() {
            return Err(Died);
        }
        self.threads.push(Thread { id: step.case.clone(), records: vec![record], case, truth: Truth::default() });
        Ok(self.threads.len() - 1)
    }

    fn look(&mut self, index: usize, step: Option<&Step>) -> Result<(), Died> {
        self.pass(1);
        let subject = self.threads[index].case.opening().subject.clone();
        let reactivated_at = step.and_then(|step| step.evidence.reactivated_at);
        let share = self.share;
        let mut look = self.world.look(&subject, reactivated_at, share);
        self.spoil(&mut look, &subject, step);
        let is_unread = self.world.chance(share);
        let world = &self.world;
        let account = Account::bare(subject.account.clone());
        let review = match (&look.user, is_unread) {
            (Some(user), false) => {
                let now = moment(world.now);
                Known::Told(review(&account, user, &subject, &self.audit, &world.policy, world.stopped(), now))
            }
            (None, _) | (_, true) => Known::Unknown { reason: "it cannot be read".to_owned() },
        };
        let is_active = look.is_active.unwrap_or_default();
        let seen = Seen {
            at: world.now,
            is_right: look.found.is_some_and(|key| world.is_of(key, &subject)),
            is_known: look.is_known && !is_unread,
            is_active,
            is_spared: look.found.is_some_and(|key| world.is_spared(key)),
            is_frozen: world.rulebook.is_frozen,
            is_stopped: world.rulebook.is_stopped || !world.rulebook.is_enabled,
            is_broken: look.found.is_some_and(|key| world.broken(key, is_active, reactivated_at.map(seconds))),
            is_in_use: look.found.and_then(|key| world.keys[key].used).is_some_and(|used| world.now - used < QUIET),
            waits: world.rulebook.waits,
        };
        let used = look.found.and_then(|key| world.keys[key].used);
        let activated = reactivated_at.map(seconds);
        let case = &self.threads[index].case;
        let since = case.inactive_since().map(seconds);
        let is_kept = case.opening().evidence.status == KeyStatus::Inactive;
        let is_open = is_kept || case.open_act() == Some(Act::Deactivate);
        let records = case.records();
        let was_inactive = self.threads[index].case.inactive_since().is_some();
        let event = CaseEvent::Looked { facts: Box::new(look.facts), review: Box::new(review) };
        let recorded = self.record(index, event);
        let is_blind = self.sabotage == Some(Sabotage::OldLook) && self.threads[index].truth.seen.is_some();
        let thread = &mut self.threads[index];
        // What a process that was killed at once has seen, nobody knows.
        if thread.case.records() > records && !is_blind {
            judge::learn(&self.world, &mut thread.truth, seen, since, used, activated, is_open);
        }
        let is_in_books = thread.case.inactive_since().is_some() && !was_inactive;
        if is_in_books {
            thread.truth.shut.get_or_insert(self.world.now);
            if thread.case.deactivated_at().is_none() {
                let told = judge::told_first(&self.world, &thread.truth, self.world.rulebook.waits);
                self.judged(index, told);
            }
        }
        recorded
    }

    fn spoil(&mut self, look: &mut super::world::Look, subject: &CaseSubject, step: Option<&Step>) {
        match (self.sabotage, step) {
            (Some(Sabotage::ByName), _) => {
                if let Known::Told(Some(_)) = look.facts.user_id {
                    look.facts.user_id = Known::Told(Some(subject.user_id.clone()));
                }
                if let Known::Told(Some(key)) = &mut look.facts.key {
                    key.created_at = subject.key_created_at;
                }
            }
            (Some(Sabotage::OldLook), Some(step)) => {
                if let Known::Told(Some(key)) = &mut look.facts.key {
                    key.status = step.evidence.status;
                }
                look.facts.last_used = step.evidence.last_used.clone();
            }
            _ => {}
        }
    }

    /// Tells the owner. Says whether the run goes on.
    fn tell(&mut self, index: usize, act: Act, told: Told) -> Result<bool, Died> {
        let now = moment(self.world.now);
        let deadline = self.threads[index].case.deadline_told(told, now);
        self.record(index, CaseEvent::Intended { act, by: "akia".to_owned(), reason: None })?;
        if self.strikes() {
            return Err(Died);
        }
        let is_bounced = self.fails();
        // On one channel it arrives, another fails.
        let has_arrived = !is_bounced || self.world.random.bool();
        if has_arrived {
            let verdict = judge::notice(&self.world, &self.threads[index].truth, act);
            self.judged(index, verdict);
            let now = self.world.now;
            let truth = &mut self.threads[index].truth;
            let promised = deadline.map(seconds);
            match told {
                Told::Announced => {
                    (truth.announced, truth.promised_off) = (Some(now), truth.promised_off.max(promised))
                }
                Told::Reminded => (truth.reminded, truth.promised_off) = (Some(now), truth.promised_off.max(promised)),
                Told::Deactivated => {
                    (truth.told_off, truth.promised_gone) = (Some(now), truth.promised_gone.max(promised))
                }
            }
        }
        if self.strikes() {
            return Err(Died);
        }
        self.pass(1);
        let is_proven = !is_bounced || self.sabotage == Some(Sabotage::BouncedIsDelivered);
        let event = if is_proven {
            let at = moment(self.world.now);
            let proofs = vec![Proof { channel: "mail".to_owned(), receipt: "1".to_owned(), at }];
            CaseEvent::NoticeDelivered { told, notice: "n".to_owned(), deadline, proofs }
        } else {
            CaseEvent::NoticeFailed { told, error: "bounced".to_owned() }
        };
        self.record(index, event)?;
        Ok(is_proven)
    }

    /// As `Enforcer::change`: intent, call, outcome.
    fn change(&mut self, index: usize, act: Act) -> Result<(), Died> {
        let reason = (act == Act::Reactivate).then(|| "wanted".to_owned());
        self.record(index, CaseEvent::Intended { act, by: "akia".to_owned(), reason })?;
        if act == Act::Reactivate {
            // A wish that the journal did not take was not granted, and its person was told so.
            self.threads[index].truth.wanted_back = Some(self.world.now);
        }
        if self.strikes() {
            return Err(Died);
        }
        if self.fails() {
            // The machine sleeps between the two.
            let by = self.world.random.i64(30..2 * HOUR);
            self.pass(by);
            self.deeds();
        }
        if !self.threads[index].case.may_send(moment(self.world.now)) {
            return self.record(index, CaseEvent::Refused { act, error: "the look is too old".to_owned() });
        }
        let subject = self.threads[index].case.opening().subject.clone();
        let (change, done) = match act {
            Act::Deactivate => (Change::Deactivate, CaseEvent::KeyDeactivated { request_id: None }),
            Act::Delete => (Change::Delete, CaseEvent::KeyDeleted { request_id: None }),
            Act::Reactivate | Act::Announce | Act::Remind | Act::TellDeactivated => {
                (Change::Activate, CaseEvent::KeyActivated { request_id: None })
            }
        };
        let fate = if self.fails() { self.world.random.u8(..4) } else { u8::MAX };
        let error = || "lost".to_owned();
        let refused = CaseEvent::Refused { act, error: "AccessDenied".to_owned() };
        let found = self.world.find(&subject);
        let event = match (fate, found) {
            (0, _) | (_, None) => refused,
            (1, Some(_)) => CaseEvent::Unanswered { act, error: error() },
            (2, Some(key)) => {
                self.sent(index, act, key);
                let at = self.world.now + self.world.random.i64(0..LATE);
                self.world.late.push((at, key, change, index));
                CaseEvent::Unanswered { act, error: error() }
            }
            (fate, Some(key)) => {
                self.sent(index, act, key);
                self.commit(key, change, index);
                if fate == 3 { CaseEvent::Unanswered { act, error: error() } } else { done.clone() }
            }
        };
        if self.strikes() {
            return Err(Died);
        }
        let event = match (self.sabotage, event) {
            (Some(Sabotage::UnansweredIsDone), CaseEvent::Unanswered { .. }) => done,
            (_, event) => event,
        };
        self.pass(1);
        self.record(index, event)
    }

    /// A request leaves for AWS, and will be carried out.
    fn sent(&mut self, index: usize, act: Act, key: usize) {
        let verdict = judge::change(&self.world, &self.threads[index].truth, act);
        self.judged(index, verdict);
        if act != Act::Reactivate {
            let account = self.world.users[self.world.keys[key].user].account;
            let verdict = judge::caps(&self.world, &self.changes, account);
            self.judged(index, verdict);
            self.changes.push((self.world.now, account));
        }
    }

    fn commit(&mut self, key: usize, change: Change, index: usize) {
        self.world.set(key, change, Some(index));
        judge::changed(&mut self.threads[index].truth, change, self.world.now);
        match change {
            Change::Deactivate => self.outcome.deactivated += 1,
            Change::Delete => self.outcome.deleted += 1,
            Change::Activate => {}
        }
        self.note(100 + change as u8, index);
    }

    /// Appends a record, and applies it. The store may fail before, or after it has written it.
    fn record(&mut self, index: usize, event: CaseEvent) -> Result<(), Died> {
        let record = CaseRecord { at: moment(self.world.now), event };
        if self.strikes() {
            return Err(Died);
        }
        if self.is_telling {
            let text = format!("{:?}", record.event);
            let text: String = text.chars().take(160).collect();
            self.outcome.story.push(format!("{} case {index}: {text}", record.at));
        }
        let thread = &mut self.threads[index];
        if let Err(illegal) = thread.case.apply(&record) {
            self.violated(&format!("what was done cannot be written down: {illegal}"));
            return Err(Died);
        }
        thread.records.push(record);
        let stage = thread.case.stage().as_str();
        let subject = thread.case.opening().subject.clone();
        let says_deleted = matches!(thread.case.stage(), Stage::Closed { why: Closed::Deleted, .. });
        if says_deleted && self.world.find(&subject).is_some_and(|key| self.world.is_of(key, &subject)) {
            self.violated(&format!("LOST: the case of key {} says that it was deleted, and it is there", subject.key));
        }
        (index, stage, self.world.now).hash(&mut self.hasher);
        if self.strikes() { Err(Died) } else { Ok(()) }
    }

    /// Whether a kill, or a failing store, ends the run here.
    fn strikes(&mut self) -> bool {
        let strikes = self.share > 0 && self.world.chance(self.share / 4);
        self.outcome.faults += u64::from(strikes);
        strikes
    }

    /// Whether something goes wrong.
    fn fails(&mut self) -> bool {
        let share = self.share;
        let fails = self.world.chance(share);
        self.outcome.faults += u64::from(fails);
        fails
    }

    fn pass(&mut self, by: Moment) {
        let then = self.world.now + by;
        while let Some((at, key, change, case)) = self.world.next_late(then) {
            self.world.now = self.world.now.max(at);
            self.commit(key, change, case);
        }
        self.world.now = then;
    }

    fn note(&mut self, what: u8, about: usize) {
        (what, about, self.world.now).hash(&mut self.hasher);
        if self.is_telling {
            let at: Timestamp = moment(self.world.now);
            self.outcome.story.push(format!("{at} deed {what} about {about}"));
        }
    }

    fn judged(&mut self, index: usize, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            let subject = &self.threads[index].case.opening().subject;
            let text = format!("{what} (case {index}, key {})", subject.key);
            self.violated(&text);
        }
    }

    fn violated(&mut self, what: &str) {
        if self.is_telling {
            self.outcome.story.push(format!("VIOLATED: {what}"));
        }
        self.outcome.violations.push(what.to_owned());
    }
}
