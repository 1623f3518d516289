//! What `akia_io::enforce::driver` does in each step, against the world of the model. It has to mirror the driver line by line.

use akia_core::KeyStatus;
use akia_core::enforce::{Act, Case, CaseEvent, Facts, KeyFacts, Next, Proof, Review, Stage, StepKind, Told};
use akia_core::estate::Known;

use super::constants::{SUBJECT, moment, seconds};
use super::promise::{Promise, is_soaked, judge_books, judge_change, judge_end, judge_notice};
use super::sabotage::Sabotage;
use super::settings::{Rule, Setting};
use super::state::{Errand, Run, State};
use super::world::{Cause, LATE, Late, Level, Moment, STALE, Seen, Sight, Standing, Status};

/// What a run waits for.
const PATIENCE: Moment = 90;

/// How an act goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    Fine,
    /// AWS refuses, or asks to slow down; no channel takes the notice.
    Refused,
    /// The answer is lost, and nothing was done.
    LostBefore,
    /// It is done, and the answer is lost. A notice: its owner has it on one channel, and another has failed.
    LostAfter,
    /// The answer is lost, and it will be done later.
    LostLate,
    /// It is done, and the process dies before the outcome is written down.
    CrashAfter,
    /// The process dies with the request under way.
    CrashLate,
}

/// How an act may go. The first is what happens when nothing is amiss.
pub(crate) fn outcomes(state: &State, act: Act) -> Vec<Outcome> {
    use Outcome as O;
    if state.faults == 0 {
        return vec![O::Fine];
    }
    match act.told() {
        Some(_) => vec![O::Fine, O::Refused, O::LostAfter, O::CrashAfter],
        None => vec![O::Fine, O::Refused, O::LostBefore, O::LostAfter, O::LostLate, O::CrashAfter, O::CrashLate],
    }
}

/// How a look may go.
pub(crate) fn sights(state: &State) -> Vec<Sight> {
    let mut sights = vec![Sight::Fine];
    let key = state.aws.key;
    if state.now - key.changed < STALE && key.was != key.status {
        sights.push(Sight::Stale);
    }
    if state.faults > 0 {
        sights.extend([Sight::NoUser, Sight::NoKeys, Sight::NoUse, Sight::NoPolicy]);
    }
    sights
}

/// What a process does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Head {
    End,
    Look,
    Wait(Moment),
    Intend(Act),
    Perform(Act),
}

/// The head of the driver's loop.
pub(crate) fn head(state: &State, setting: &Setting, client: usize) -> Head {
    let of = &state.clients[client];
    let (Run::Running { errand, has_looked, intended, .. }, Some(case)) = (of.run, &of.case) else { return Head::End };
    if let Some(act) = intended {
        return Head::Perform(act);
    }
    if case.is_closed() {
        return Head::End;
    }
    let now = moment(clock(state, setting, client));
    let next = case.next(now);
    let Errand::Step(kind) = errand else {
        if let (Some(_), Next::Wait { until }) = (case.open_act(), next) {
            return Head::Wait(seconds(until) - seconds(now));
        }
        if case.reactivation(now).is_some() {
            return Head::Intend(Act::Reactivate);
        }
        return if has_looked { Head::End } else { Head::Look };
    };
    let is_settling = matches!(next, Next::Wait { .. }) && case.open_act().is_some();
    if !has_looked && !is_settling {
        return Head::Look;
    }
    match next {
        Next::Look => Head::Look,
        Next::Wait { until } => {
            let wait = seconds(until) - seconds(now);
            let is_worth =
                case.open_act().is_some() || matches!(case.stage(), Stage::Soaked { .. }) && kind == StepKind::Delete;
            if wait <= PATIENCE && is_worth { Head::Wait(wait) } else { Head::End }
        }
        Next::Do(act, _) if kind.allows(act) => Head::Intend(act),
        Next::Do(..) | Next::Rest => Head::End,
    }
}

/// What a machine takes for now: for one sabotage, not what it is.
pub(crate) fn clock(state: &State, setting: &Setting, client: usize) -> Moment {
    let shortened = || {
        let case = state.clients[client].case.as_ref()?;
        let is_strict = state.aws.level == Level::Strict && matches!(case.stage(), Stage::Reminded { .. });
        let (told, asked) = (case.waits().after_reminder(), state.aws.level.waits().after_reminder());
        is_strict.then(|| told.as_secs() - asked.as_secs())
    };
    let is_sabotaged = setting.sabotage == Some(Sabotage::StricterShortens);
    state.now + is_sabotaged.then(shortened).flatten().unwrap_or(0)
}

/// A process that has nothing left to do ends.
pub(crate) fn settle(state: &mut State, setting: &Setting, client: usize) {
    if state.clients[client].run != Run::Stopped && head(state, setting, client) == Head::End {
        state.clients[client].run = Run::Stopped;
    }
}

/// Asks AWS and the policy, and writes the answers down.
pub(crate) fn look(state: &mut State, setting: &Setting, client: usize, sight: Sight) {
    let Run::Running { errand, has_looked: _, intended, has_report, planned_under } = state.clients[client].run else {
        return;
    };
    let sabotage = setting.sabotage;
    let fresh = Seen::now(&state.aws, sight, has_report, state.now);
    let last = state.clients[client].truth.seen;
    let is_soaked_stage = |case: &Case| matches!(case.stage(), Stage::Soaked { .. });
    let is_repeated = sabotage == Some(Sabotage::OldLook)
        || sabotage == Some(Sabotage::OneLook) && state.clients[client].case.as_ref().is_some_and(is_soaked_stage);
    let shown = match last {
        Some(last) if is_repeated => last,
        Some(_) | None => {
            learn(state, setting.rule, client, fresh);
            fresh
        }
    };
    let (mut facts, mut review) = (shown.facts(&SUBJECT), shown.review(setting.rule));
    spoil(sabotage, planned_under, &mut facts, &mut review);
    let event = CaseEvent::Looked { facts: Box::new(facts), review: Box::new(review) };
    let at = clock(state, setting, client);
    let run = Run::Running { errand, has_looked: true, intended, has_report, planned_under };
    state.clients[client].run = run;
    let is_inactive =
        |state: &State| state.clients[client].case.as_ref().is_some_and(|case| case.inactive_since().is_some());
    let was_inactive = is_inactive(state);
    state.record_at(client, at, event);
    if setting.rule == Rule::Kept && is_inactive(state) && !was_inactive {
        judge_books(state, client);
    }
    judge_end(state, setting.rule, client);
    // The driver of a reactivation goes no further where a look gives no leave.
    settle(state, setting, client);
}

/// What a weakened protocol makes of a look.
fn spoil(sabotage: Option<Sabotage>, planned_under: Standing, facts: &mut Facts, review: &mut Known<Review>) {
    let is_inactive = facts.key.told().copied().flatten().is_some_and(|key| key.status == KeyStatus::Inactive);
    match (sabotage, &mut *review) {
        (Some(Sabotage::ByName), _) => {
            let same = |key: KeyFacts| KeyFacts { created_at: SUBJECT.key_created_at, ..key };
            if let Known::Told(Some(_)) = facts.user_id {
                facts.user_id = Known::Told(Some(SUBJECT.user_id.clone()));
            }
            if let Known::Told(key) = &mut facts.key {
                *key = key.map(same);
            }
        }
        (Some(Sabotage::UnknownUseIsNever), _) => {
            if matches!(facts.last_used, akia_core::LastUsed::Unknown { .. }) {
                facts.last_used = akia_core::LastUsed::Never;
            }
        }
        (Some(Sabotage::ReportIgnored), _) => facts.reactivated_at = None,
        (Some(Sabotage::PolicyAtPlanTime), Known::Told(review)) if planned_under == Standing::Plain => {
            (review.exempt, review.frozen, review.is_protected) = (None, None, false);
        }
        (Some(Sabotage::SwitchIgnored), Known::Told(review)) => review.stopped = None,
        (Some(Sabotage::InactiveNotSpared), Known::Told(review)) if is_inactive => {
            (review.exempt, review.is_protected) = (None, false);
        }
        _ => {}
    }
}

/// What is true, and what AWS has told of it.
fn learn(state: &mut State, rule: Rule, client: usize, seen: Seen) {
    /// Clocks and records may be as far apart.
    const CLOCKS: Moment = 360;
    let now = state.now;
    let case = state.clients[client].case.as_ref();
    let since = case.and_then(Case::inactive_since).map(seconds);
    let is_sent = case.is_some_and(|case| case.open_act() == Some(Act::Deactivate));
    let truth = &mut state.clients[client].truth;
    truth.seen = Some(seen);
    if !seen.is_there() || matches!(seen.sight, Sight::NoUser | Sight::NoKeys) {
        return;
    }
    if let Some(shut) = truth.shut {
        // Where the answer was lost and nobody has looked since, AWS tells nothing of a time that the key was inactive.
        let since = since.map_or(Moment::MAX, |since| since.max(shut) + CLOCKS);
        let was_used = seen.sight != Sight::NoUse && seen.used.is_some_and(|used| used > since);
        truth.is_back |= was_used || seen.status == Status::Active && now >= since;
        if seen.activated.is_some_and(|activated| activated > since) && seen.is_known() {
            // It begins anew, and its owner has to know that.
            (truth.shut, truth.told_off, truth.soaked) = (Some(now), None, None);
        }
    } else if (rule == Rule::Kept || is_sent) && seen.status == Status::Inactive {
        // It was inactive, or somebody else was quicker.
        truth.shut = Some(now);
    }
    truth.is_seen_off |= is_sent && seen.status == Status::Inactive;
    if seen.is_known() {
        let is_over = is_soaked(state, client, seen.level);
        let is_settled = state.clients[client].case.as_ref().is_some_and(|case| case.open_act().is_none());
        let truth = &mut state.clients[client].truth;
        if is_over && seen.status == Status::Inactive {
            truth.soaked.get_or_insert(now);
        } else if is_settled || seen.status != Status::Inactive {
            truth.soaked = None;
        }
    }
}

/// Writes down what is about to be done.
pub(crate) fn intend(state: &mut State, setting: &Setting, client: usize, act: Act) {
    let reason = (act == Act::Reactivate).then(|| "wanted".to_owned());
    if act == Act::Reactivate {
        state.clients[client].truth.wanted_back = Some(state.now);
    }
    let at = clock(state, setting, client);
    if !(act == Act::Reactivate && setting.sabotage == Some(Sabotage::WishForgotten)) {
        state.record_at(client, at, CaseEvent::Intended { act, by: "akia".to_owned(), reason });
    }
    if let Run::Running { intended, .. } = &mut state.clients[client].run {
        *intended = Some(act);
    }
}

/// Does it, and writes the outcome down; a crash stops the process instead.
pub(crate) fn perform(state: &mut State, setting: &Setting, client: usize, act: Act, outcome: Outcome) {
    if outcome != Outcome::Fine {
        state.faults -= 1;
    }
    if let Run::Running { intended, .. } = &mut state.clients[client].run {
        *intended = None;
    }
    match act.told() {
        Some(told) => tell(state, setting, client, (act, told), outcome),
        None => change(state, setting, client, act, outcome),
    }
    judge_end(state, setting.rule, client);
    if act == Act::Reactivate && state.clients[client].case.as_ref().is_some_and(|case| case.open_act().is_none()) {
        state.clients[client].run = Run::Stopped;
    }
    settle(state, setting, client);
}

fn tell(state: &mut State, setting: &Setting, client: usize, (act, told): (Act, Told), outcome: Outcome) {
    let Some(case) = &state.clients[client].case else { return };
    let now = moment(clock(state, setting, client));
    let (deadline, due) = (case.deadline_told(told, now), case.due().map(|(_, due)| seconds(due)));
    let is_late =
        case.deadline_told(Told::Reminded, now).is_some_and(|_| due.is_some_and(|due| state.now >= due + 600));
    let is_skipped = setting.sabotage == Some(Sabotage::LateRunSkips) && act == Act::Remind && is_late;
    if outcome != Outcome::Refused && !is_skipped {
        judge_notice(state, setting.rule, client, act);
        let (now, deadline) = (state.now, deadline.map(seconds));
        let truth = &mut state.clients[client].truth;
        match told {
            Told::Announced => truth.announced = Some(now),
            Told::Reminded => truth.reminded = Some(now),
            Told::Deactivated => truth.told_off = Some(now),
        }
        match told {
            Told::Announced | Told::Reminded => truth.promised_off = truth.promised_off.max(deadline),
            Told::Deactivated => truth.promised_gone = truth.promised_gone.max(deadline),
        }
    }
    if outcome == Outcome::CrashAfter {
        return crash(state, setting, client);
    }
    let is_proven = outcome == Outcome::Fine || setting.sabotage == Some(Sabotage::IntentIsDelivery);
    let event = if is_proven {
        let proofs = vec![Proof { channel: "mail".to_owned(), receipt: "1".to_owned(), at: now }];
        CaseEvent::NoticeDelivered { told, notice: "n".to_owned(), deadline, proofs }
    } else {
        CaseEvent::NoticeFailed { told, error: "bounced".to_owned() }
    };
    let backdated = setting.sabotage == Some(Sabotage::LateReminderUncounted) && act == Act::Remind;
    let at = due.filter(|_| backdated).unwrap_or_else(|| seconds(now));
    let event = match event {
        CaseEvent::NoticeDelivered { told, notice, proofs, .. } if backdated => {
            CaseEvent::NoticeDelivered { told, notice, deadline: None, proofs }
        }
        event => event,
    };
    state.record_at(client, at, event);
    if !is_proven {
        // Another run tries again.
        state.clients[client].run = Run::Stopped;
    }
}

fn change(state: &mut State, setting: &Setting, client: usize, act: Act, outcome: Outcome) {
    let to = match act {
        Act::Deactivate => Status::Inactive,
        Act::Reactivate => Status::Active,
        Act::Delete => Status::Deleted,
        Act::Announce | Act::Remind | Act::TellDeactivated => return,
    };
    let now = moment(clock(state, setting, client));
    let is_unwritten = setting.sabotage == Some(Sabotage::WishForgotten) && act == Act::Reactivate;
    let is_sent_late = setting.sabotage == Some(Sabotage::SentLate);
    let may_send = |case: &Case| if is_unwritten { case.reactivation(now).is_some() } else { case.may_send(now) };
    if !is_sent_late && !state.clients[client].case.as_ref().is_some_and(may_send) {
        if !is_unwritten {
            state.record(client, CaseEvent::Refused { act, error: "the look is not fresh any more".to_owned() });
        }
        return;
    }
    let is_there = state.aws.has();
    let is_sent = !matches!(outcome, Outcome::Refused | Outcome::LostBefore);
    if is_there && is_sent {
        judge_change(state, setting.rule, client, act);
        if matches!(outcome, Outcome::LostLate | Outcome::CrashLate) {
            state.aws.late.push(Late { to, client, by: state.now + LATE });
        } else {
            commit(state, client, to);
        }
    }
    let event = match outcome {
        Outcome::CrashAfter | Outcome::CrashLate => return crash(state, setting, client),
        Outcome::Fine if is_there => done(act),
        // AWS says that there is no such key.
        Outcome::Fine | Outcome::Refused if setting.sabotage == Some(Sabotage::RefusedIsDone) => done(act),
        Outcome::Fine | Outcome::Refused => CaseEvent::Refused { act, error: "AccessDenied".to_owned() },
        Outcome::LostBefore | Outcome::LostAfter | Outcome::LostLate => match setting.sabotage {
            Some(Sabotage::UnansweredIsDone) => done(act),
            Some(Sabotage::UnansweredIsRefused) => CaseEvent::Refused { act, error: "lost".to_owned() },
            _ => CaseEvent::Unanswered { act, error: "lost".to_owned() },
        },
    };
    if !is_unwritten {
        state.record_at(client, clock(state, setting, client), event);
    }
}

fn done(act: Act) -> CaseEvent {
    match act {
        Act::Deactivate => CaseEvent::KeyDeactivated { request_id: None },
        Act::Delete => CaseEvent::KeyDeleted { request_id: None },
        Act::Reactivate | Act::Announce | Act::Remind | Act::TellDeactivated => {
            CaseEvent::KeyActivated { request_id: None }
        }
    }
}

/// AWS carries a request out.
pub(crate) fn commit(state: &mut State, client: usize, to: Status) {
    let now = state.now;
    if !state.aws.has() {
        return;
    }
    state.aws.set(to, Cause::Client(client), now);
    let truth = &mut state.clients[client].truth;
    match to {
        Status::Inactive => truth.shut = Some(now),
        Status::Active => truth.is_reactivated = true,
        Status::Deleted => {}
    }
}

/// The process dies. What it knew is gone, but for its journal.
pub(crate) fn crash(state: &mut State, setting: &Setting, client: usize) {
    let of = &mut state.clients[client];
    of.run = Run::Stopped;
    if setting.sabotage == Some(Sabotage::NonDurableIntent) {
        let is_intent = |record: &&akia_core::enforce::CaseRecord| matches!(record.event, CaseEvent::Intended { .. });
        if of.journal.records().last().is_some_and(is_intent) {
            of.journal.lose();
            of.case = Case::replay(of.journal.records()).ok();
        }
    }
}

/// A process starts: it knows what the journal says.
pub(crate) fn recover(state: &mut State, client: usize) {
    let of = &state.clients[client];
    let Some(case) = &of.case else { return };
    if Case::replay(of.journal.records()).ok().as_ref() != Some(case) {
        state.broke(Promise::Replays, "the records tell another case than the one that was acted on");
    }
}
