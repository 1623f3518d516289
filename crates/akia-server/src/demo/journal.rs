//! What the made-up team's akia has done: rotations, a campaign and containments, told by records that the state machines take.
//!
//! A record is put down only after the thread's own `apply` has taken it, as the drivers do; tests end where one does not.

use std::collections::BTreeSet;

use akia_core::ThreadId;
use akia_core::contain::{
    Act as ContainAct, Containment, ContainmentEvent, ContainmentOpening, ContainmentRecord, KeyLook, Strategy,
};
use akia_core::enforce::{
    Act, Case, CaseEvent, CaseRecord, CaseSubject, EnforcePolicy, Evidence, Exemption, Facts, Hindrance, KeyFacts,
    Opening, Proof, Review, Told, Waits,
};
use akia_core::estate::{EventRef, Key, KeyExposure, Known, User};
use akia_core::finding::{Owner, OwnerSource};
use akia_core::ids::{AccessKeyId, CaseId, ContainmentId, QuarantineId, RotationId};
use akia_core::journal::{Event, Intent, Record};
use akia_core::key::{KeyStatus, LastUsed};
use akia_core::place::{DeclaredPlace, Place};
use akia_core::profile::FileKind;
use akia_core::quarantine::{Measure, Quarantine, QuarantineEvent, QuarantineOpening, QuarantineRecord, UserFacts};
use akia_core::rotation::{Identity, Pace, Plan, Retirement, Rotation, Signer};
use akia_io::store::events::{EventRow, EventState};
use akia_io::store::snapshots::{SnapshotError, Snapshots};
use akia_io::store::{Store, StoreError};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Size, account, ago, key_id, known, mix};

/// Users of every fifth account with a rotation; the next ones of the first account have containments.
const ROTATIONS: u32 = 9;
/// The first user of an account who may have a case.
const FIRST_CASE: u32 = 13;
/// Users of an account who are told of.
const USERS: u32 = 40;
/// Accounts of the campaign, at most.
const CAMPAIGN: u32 = 24;
/// Keys that are older break the rule of the campaign.
const OLD_DAYS: i64 = 90;

/// What is told of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tale {
    /// A rotation, and how it has gone; see [`rotation`].
    Rotation(u32),
    /// A containment.
    Containment { is_refused: bool },
    /// A case, and how far it has come; see [`case`].
    Case { stage: u32, ahead: i64 },
}

/// What is told of a user's key, where something is.
fn tale(account: u32, slot: u32, key: &Key, at: Timestamp) -> Option<Tale> {
    let is_old = key.created_at.told().is_some_and(|created| *created < ago(at, OLD_DAYS));
    match slot {
        0..ROTATIONS => account.is_multiple_of(5).then_some(Tale::Rotation(slot)),
        9 | 10 => (account == 0).then_some(Tale::Containment { is_refused: slot == 10 }),
        FIRST_CASE..USERS if is_old && account < CAMPAIGN => {
            let turn = account + slot;
            Some(Tale::Case { stage: turn % 9, ahead: i64::from(turn / 3 % 7) })
        }
        _ => None,
    }
}

/// Whether the key is inactive by what is told of it: the audit says the same.
pub(super) fn is_shut(account: u32, slot: u32, key: &Key, at: Timestamp) -> bool {
    match tale(account, slot, key, at) {
        Some(Tale::Rotation(slot)) => slot == 1,
        Some(Tale::Containment { is_refused }) => !is_refused,
        Some(Tale::Case { stage, .. }) => matches!(stage, 5 | 6),
        None => false,
    }
}

/// A user of the team with the key that a story is about.
struct Subject {
    account: String,
    account_name: Option<String>,
    owner: Option<String>,
    user: User,
    key: Key,
    number: u64,
}

/// Records of one thread, each with the moment that it was written.
type Story = (ThreadId, Vec<(Timestamp, String)>);

/// Writes down what the team's akia has done up to that moment. How many records there are.
///
/// # Errors
/// When they cannot be written.
pub async fn tell(journal: &dyn Store, size: Size, at: Timestamp) -> Result<usize, StoreError> {
    let mut records: Vec<(Timestamp, ThreadId, String)> = Vec::new();
    for (thread, story) in stories(size, at) {
        records.extend(story.into_iter().map(|(at, body)| (at, thread.clone(), body)));
    }
    // As they would have come; those of one thread stay in order.
    records.sort_by_key(|(at, _, _)| *at);
    let count = records.len();
    let mut writing = Vec::with_capacity(count);
    for (_, thread, body) in records {
        let mut one = journal.append_json(thread, body, None);
        // A first poll hands it in: those that wait together share a transaction.
        let handed_in = futures_util::poll!(&mut one);
        writing.push(async move {
            match handed_in {
                std::task::Poll::Ready(done) => done,
                std::task::Poll::Pending => one.await,
            }
        });
    }
    for done in join_all(writing).await {
        done?;
    }
    Ok(count)
}

/// Keeps an event that tells of a key that others may know.
///
/// # Errors
/// When it cannot be kept.
pub async fn expose(audits: &Snapshots, size: Size, at: Timestamp) -> Result<(), SnapshotError> {
    if size.accounts == 0 {
        return Ok(());
    }
    // One that is contained, and one that is not.
    for (slot, subject) in (0_u32..).zip(subjects(size, 0, at)).filter(|(slot, _)| matches!(slot, 9 | 12)) {
        let Some(key) = subject.key.id else { continue };
        let seen = at - SignedDuration::from_hours(20 + i64::from(slot));
        let exposure = KeyExposure {
            account: known(&subject.account),
            key,
            code: "AWS_RISK_CREDENTIALS_EXPOSED".to_owned(),
            event: EventRef { id: format!("demo-{slot}"), at: seen, said: "exposed".to_owned() },
        };
        let row = EventRow {
            id: format!("demo-{slot}"),
            at: seen,
            received_at: seen + SignedDuration::from_secs(40),
            source: "demo".to_owned(),
            state: EventState::Applied,
            detail: "AWS Health: others may know the key".to_owned(),
            event: None,
            looks: Vec::new(),
            exposures: vec![exposure],
            body: None,
        };
        audits.put_event(&row).await?;
    }
    Ok(())
}

/// What the team has agreed on: as akia proposes it, with exemptions that run, that end soon, and that have ended.
#[must_use]
pub fn policy(size: Size, at: Timestamp) -> EnforcePolicy {
    let mut exemptions = Vec::new();
    for number in 0..size.accounts.min(CAMPAIGN) {
        for (slot, subject) in (0..).zip(subjects(size, number, at)) {
            let Some(Tale::Case { stage: 8, ahead }) = tale(number, slot, &subject.key, at) else { continue };
            // Those with the fewest days have ended.
            let expires = match ahead {
                0 => ago(at, 4),
                1 | 2 => at + SignedDuration::from_hours(24 * ahead),
                _ => at + SignedDuration::from_hours(24 * 10 * ahead),
            };
            exemptions.push(Exemption {
                account: known(&subject.account),
                user: Some(subject.user.name().clone()),
                key: None,
                owner: subject.owner.unwrap_or_else(|| "platform@example.com".to_owned()),
                reason: EXEMPT.to_owned(),
                ticket: format!("OPS-{}", 100 + subject.number % 900),
                approver: "security@example.com".to_owned(),
                granted: ago(at, 50),
                expires,
            });
        }
    }
    EnforcePolicy { exemptions, ..EnforcePolicy::default() }
}

/// All stories.
fn stories(size: Size, at: Timestamp) -> Vec<Story> {
    let mut stories = Vec::new();
    for number in 0..size.accounts {
        for (slot, subject) in (0..).zip(subjects(size, number, at)) {
            match tale(number, slot, &subject.key, at) {
                Some(Tale::Rotation(slot)) => stories.extend(rotation(&subject, slot, at)),
                Some(Tale::Containment { is_refused }) => {
                    stories.extend(containment(&subject, is_refused, at).into_iter().flatten());
                }
                Some(Tale::Case { stage, ahead }) => stories.extend(case(&subject, stage, ahead, at)),
                None => {}
            }
        }
    }
    stories
}

/// The first users of an account, each with the first key.
fn subjects(size: Size, number: u32, at: Timestamp) -> Vec<Subject> {
    let estate = account(number, size.users.min(USERS), at);
    let (id, name, contact) = (estate.account.id.to_string(), estate.account.name, estate.account.contact);
    let subject = |(slot, user): (u64, User)| {
        let key = user.keys.first().cloned()?;
        let owner = user.details.told().and_then(|details| details.tags.get("owner").cloned());
        Some(Subject {
            account: id.clone(),
            account_name: name.clone(),
            owner: owner.or_else(|| contact.clone()),
            user,
            key,
            number: u64::from(number) * 10_000 + slot,
        })
    };
    (0..).zip(estate.users).filter_map(subject).collect()
}

fn bits(subject: &Subject, salt: u64) -> u64 {
    mix(subject.number ^ salt << 40)
}

fn user_id(subject: &Subject) -> String {
    format!("AIDAEXAMPLE{:010}", subject.number)
}

fn body(record: &impl Serialize) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

/// A rotation that is told step by step.
struct Telling {
    rotation: Rotation,
    now: Timestamp,
    records: Vec<(Timestamp, String)>,
}

impl Telling {
    fn begin(plan: Plan) -> Option<Self> {
        let now = plan.planned_at;
        let first = Record { at: now, event: Event::Planned { plan: Box::new(plan) } };
        let rotation = Rotation::begin(&first).ok()?;
        Some(Self { rotation, now, records: vec![(now, body(&first))] })
    }

    /// What happens a second later; what the rotation does not take is not told.
    fn then(mut self, event: Event) -> Self {
        self.now += SignedDuration::from_secs(1);
        let record = Record { at: self.now, event };
        let taken = self.rotation.apply(&record);
        debug_assert!(taken.is_ok(), "the demonstration tells what cannot be: {taken:?}");
        if taken.is_ok() {
            self.records.push((self.now, body(&record)));
        }
        self
    }

    fn intend(self, intent: Intent) -> Self {
        self.then(Event::Intended { intent })
    }

    fn wait(mut self, hours: i64) -> Self {
        self.now += SignedDuration::from_hours(hours);
        self
    }

    fn prove(self) -> Self {
        (0..Pace::default().proofs).fold(self, |telling, _| telling.then(Event::ProofPassed))
    }

    fn created(self, key: &AccessKeyId) -> Self {
        self.intend(Intent::Create).then(Event::KeyCreated { key: key.clone() }).then(Event::SecretReadBack)
    }

    fn proven(self, key: &AccessKeyId) -> Self {
        self.created(key)
            .then(Event::ProofFailed { error: "InvalidClientTokenId".to_owned() })
            .prove()
            .then(Event::RivalsAbsent)
    }

    fn deliver(self, place: usize) -> Self {
        self.intend(Intent::Deliver(place)).then(Event::Delivered { place, mark: None })
    }

    fn promoted(self, key: &AccessKeyId) -> Self {
        let places = self.rotation.plan().places.len();
        (0..places).fold(self.proven(key), Self::deliver).then(Event::Promoted)
    }

    fn deactivated(self, key: &AccessKeyId) -> Self {
        self.promoted(key)
            .then(Event::Observed { last_used: LastUsed::Never })
            .intend(Intent::DeactivateDisplaced)
            .then(Event::DisplacedDeactivated)
    }
}

/// How the rotation of a slot has gone: 0 done, 1 in grace, 2 watched, 3 still used, 4 taken back, 5 interrupted, 6 given up, 7 under way,
/// 8 unsure whose key it found.
fn rotation(subject: &Subject, slot: u32, at: Timestamp) -> Option<Story> {
    let current = subject.key.id.clone()?;
    let other = key_id(0x1000_0000 + bits(subject, 1) % 0x0fff_ffff);
    let created_at = *subject.key.created_at.told()?;
    // Where a rotation is done, the key of the audit is the one that it has made.
    let (old, new) = if slot == 0 { (other, current) } else { (current, other) };
    let planned_at = match slot {
        0 => created_at,
        1 | 2 => ago(at, 3),
        3 | 5 => ago(at, 1),
        4 => ago(at, 2),
        6 => ago(at, 6),
        _ => at - SignedDuration::from_mins(2),
    };
    let plan = Plan {
        planned_at,
        displaced_created_at: planned_at - SignedDuration::from_hours(24 * 200),
        ..plan(subject, &old, slot)
    };
    let id = plan.id.clone();
    let telling = Telling::begin(plan)?;
    let telling = match slot {
        // Of a young key nobody has waited for the end of the grace.
        0 => if created_at > ago(at, 8) {
            telling.deactivated(&new).then(Event::GraceWaived)
        } else {
            telling.deactivated(&new).wait(24 * 7)
        }
        .intend(Intent::DeleteDisplaced)
        .then(Event::DisplacedDeleted)
        .then(Event::SecretsWiped),
        1 => telling.deactivated(&new),
        2 => telling.promoted(&new),
        3 => {
            let used = LastUsed::At {
                at: planned_at + SignedDuration::from_hours(2),
                service: "s3".to_owned(),
                region: "eu-west-1".to_owned(),
            };
            telling.promoted(&new).wait(3).then(Event::Observed { last_used: used })
        }
        4 => telling
            .deactivated(&new)
            .wait(20)
            .then(Event::UndoRequested)
            .intend(Intent::ActivateDisplaced)
            .then(Event::DisplacedActivated)
            .prove()
            .intend(Intent::Restore(0))
            .then(Event::Restored { place: 0, mark: None })
            .intend(Intent::DeactivateNew)
            .then(Event::NewDeactivated),
        5 => (0..Pace::default().retry_limit).fold(
            telling.proven(&new).deliver(0).intend(Intent::Deliver(1)),
            |telling, _| {
                telling.then(Event::DeliveryFailed {
                    place: 1,
                    error: "403 Forbidden: the token has no right to write".to_owned(),
                })
            },
        ),
        6 => telling.intend(Intent::Create).then(Event::CreateRefused {
            error: "LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2".to_owned(),
            transient: false,
        }),
        7 => telling.proven(&new).deliver(0),
        _ => telling
            .intend(Intent::Create)
            .then(Event::CreateUnanswered { error: "the connection was closed".to_owned() })
            .wait(0)
            .then(Event::OrphanSuspected { keys: BTreeSet::from([new.clone()]) }),
    };
    Some((id.into(), telling.records))
}

fn plan(subject: &Subject, old: &AccessKeyId, slot: u32) -> Plan {
    let profile = || known("work");
    let name = subject.user.name().to_string();
    let file = Place::Profile {
        path: format!("/home/{name}/.aws/credentials"),
        file: FileKind::Credentials,
        profile: profile(),
    };
    let declared = |text: &str| serde_json::from_str::<DeclaredPlace>(text).ok().map(Place::Declared);
    let mut places = vec![file];
    if matches!(slot, 2 | 3 | 5 | 7) {
        places.extend(declared(r#"{"kind":"github-actions","repo":"example/shop"}"#));
        places.extend(declared(r#"{"kind":"env-file","path":"/etc/shop/env"}"#));
    }
    let id = RotationId::from_bits(bits(subject, 2));
    Plan {
        run: id.clone(),
        id,
        planned_at: Timestamp::UNIX_EPOCH,
        identity: Identity { arn: subject.user.arn.clone(), user_id: known(&user_id(subject)) },
        displaced: old.clone(),
        displaced_created_at: Timestamp::UNIX_EPOCH,
        before: BTreeSet::from([old.clone()]),
        make_room: None,
        places,
        signer: Signer::Own { profile: profile(), mfa_serial: None },
        endpoint_url: None,
        region: known("eu-west-1"),
        retirement: Retirement::Deactivate,
        grace: SignedDuration::from_hours(24 * 7),
        without_evidence: false,
        nonce: format!("{:016x}", bits(subject, 3)),
        service: None,
        vacant: BTreeSet::new(),
        displaced_secret_unknown: false,
        probe: None,
        watch: if slot == 2 { SignedDuration::from_hours(24 * 7) } else { SignedDuration::ZERO },
        pace: Pace::default(),
    }
}

/// A case that is told step by step.
struct Proceeding {
    case: Case,
    now: Timestamp,
    facts: Facts,
    review: Review,
    records: Vec<(Timestamp, String)>,
}

impl Proceeding {
    fn then(&mut self, event: CaseEvent) -> &mut Self {
        self.now += SignedDuration::from_secs(1);
        let record = CaseRecord { at: self.now, event };
        let taken = self.case.apply(&record);
        debug_assert!(taken.is_ok(), "the demonstration tells what cannot be: {taken:?}");
        if taken.is_ok() {
            self.records.push((self.now, body(&record)));
        }
        self
    }

    fn look(&mut self) -> &mut Self {
        let facts = Box::new(self.facts.clone());
        let review = Box::new(Known::Told(self.review.clone()));
        self.then(CaseEvent::Looked { facts, review })
    }

    fn act(&mut self, act: Act) -> &mut Self {
        self.look().then(CaseEvent::Intended { act, by: BY.to_owned(), reason: None })
    }

    fn tell(&mut self, told: Told, act: Act) -> &mut Self {
        self.act(act);
        let proofs = vec![Proof { channel: "mail".to_owned(), receipt: "250 queued".to_owned(), at: self.now }];
        let deadline = self.case.deadline_told(told, self.now);
        self.then(CaseEvent::NoticeDelivered { told, notice: format!("n-{}", act.as_str()), deadline, proofs })
    }

    /// To when the next act is due.
    fn come(&mut self) -> &mut Self {
        self.now = self.case.due().map_or(self.now, |(_, due)| due.max(self.now));
        self
    }
}

const EXEMPT: &str = "the vendor takes no new key before its release";
const BY: &str = "arn:aws:sts::900000000000:assumed-role/akia-enforce/demo";

/// One case of the campaign. Stages: 0 found, 1 and 2 owner told, 3 and 4 reminded, 5 and 6 deactivated, 7 still used, 8 exempt. `ahead`: in
/// how many days something is due.
fn case(subject: &Subject, stage: u32, ahead: i64, at: Timestamp) -> Option<Story> {
    let days = |count: i64| SignedDuration::from_hours(24 * count);
    let waits = Waits { remind_after: days(7), deactivate_after: days(14), delete_after: Some(days(14)) };
    let opened = match stage {
        0 => 0,
        1 | 2 => 7 - ahead.min(6),
        3 | 4 | 7 => 14 - ahead.min(6),
        5 | 6 => 28 - ahead.min(6),
        _ => 40,
    };
    let opened_at = at - days(opened) - SignedDuration::from_hours(if stage == 7 { 200 } else { 3 });
    let broken = vec![("key-age".to_owned(), "older than 90 days".to_owned())];
    let created_at = *subject.key.created_at.told()?;
    let key = subject.key.id.clone()?;
    let opening = Opening {
        case: CaseId::from_bits(bits(subject, 4)),
        subject: CaseSubject {
            account: known(&subject.account),
            user: subject.user.arn.clone(),
            user_id: known(&user_id(subject)),
            key: key.clone(),
            key_created_at: created_at,
        },
        account_name: subject.account_name.clone(),
        owner: subject.owner.clone().map(|name| Owner { name, source: OwnerSource::UserTag }),
        evidence: Evidence {
            as_of: opened_at,
            status: KeyStatus::Active,
            last_used: LastUsed::Never,
            reactivated_at: None,
            broken: broken.clone(),
        },
        waits,
        policy: "demo".to_owned(),
        by: BY.to_owned(),
    };
    let id = opening.case.clone();
    let first = CaseRecord { at: opened_at, event: CaseEvent::Opened { opening: Box::new(opening) } };
    let facts = |status| Facts {
        user_id: Known::Told(Some(known(&user_id(subject)))),
        key: Known::Told(Some(KeyFacts { status, created_at })),
        last_used: LastUsed::Never,
        reactivated_at: None,
    };
    let mut one = Proceeding {
        case: Case::begin(&first).ok()?,
        now: opened_at,
        facts: facts(KeyStatus::Active),
        review: Review {
            policy: "demo".to_owned(),
            rules: BTreeSet::from(["key-age".to_owned()]),
            broken: Known::Told(broken),
            exempt: None,
            is_protected: false,
            frozen: None,
            stopped: None,
            is_in_use: false,
            waits,
        },
        records: vec![(opened_at, body(&first))],
    };
    if stage >= 1 {
        one.tell(Told::Announced, Act::Announce);
    }
    if matches!(stage, 3..=7) {
        one.come().tell(Told::Reminded, Act::Remind);
    }
    if matches!(stage, 5 | 6) {
        one.come().act(Act::Deactivate).then(CaseEvent::KeyDeactivated { request_id: Some("demo".to_owned()) });
        one.facts = facts(KeyStatus::Inactive);
        one.tell(Told::Deactivated, Act::TellDeactivated);
    }
    if stage == 7 {
        // Somebody uses it still: its owner has to say what becomes of it.
        one.review.is_in_use = true;
        let used = one.case.due().map_or(one.now, |(_, due)| due - SignedDuration::from_hours(5));
        one.facts.last_used = LastUsed::At { at: used, service: "s3".to_owned(), region: "eu-west-1".to_owned() };
        one.come().look();
        debug_assert!(matches!(one.case.held(), Some(Hindrance::InUse { .. })));
    }
    if stage == 8 {
        one.review.exempt = Some(EXEMPT.to_owned());
        one.now += days(5);
        one.look();
    }
    Some((id.into(), one.records))
}

/// A containment by deactivation, with the quarantine that denies earlier sessions; one where AWS has refused to shut the key.
fn containment(subject: &Subject, is_refused: bool, at: Timestamp) -> Option<Vec<Story>> {
    let key = subject.key.id.clone()?;
    let id = ContainmentId::from_bits(bits(subject, 5));
    let quarantine = QuarantineId::from_bits(bits(subject, 6));
    let opened_at = at - SignedDuration::from_hours(if is_refused { 4 } else { 28 });
    let reason = "found in a public repository".to_owned();
    let opening = ContainmentOpening {
        id: id.clone(),
        account: known(&subject.account),
        user: subject.user.arn.clone(),
        user_id: known(&user_id(subject)),
        key: key.clone(),
        strategy: Strategy::Deactivate,
        quarantine: quarantine.clone(),
        owns_quarantine: true,
        reason: reason.clone(),
        by: BY.to_owned(),
        leaked_at: Some(opened_at - SignedDuration::from_hours(2)),
    };
    let mut now = opened_at;
    let first = ContainmentRecord { at: now, event: ContainmentEvent::Opened { opening: Box::new(opening) } };
    let mut one = Containment::begin(&first).ok()?;
    let mut records = vec![(now, body(&first))];
    let mut then = |event: ContainmentEvent| {
        now += SignedDuration::from_secs(2);
        let record = ContainmentRecord { at: now, event };
        let taken = one.apply(&record);
        debug_assert!(taken.is_ok(), "the demonstration tells what cannot be: {taken:?}");
        if taken.is_ok() {
            records.push((now, body(&record)));
        }
    };
    let look = |status| ContainmentEvent::Looked {
        look: KeyLook { user_id: Known::Told(Some(known(&user_id(subject)))), key: Known::Told(Some(status)) },
    };
    let intended = |act| ContainmentEvent::Intended { act, by: BY.to_owned() };
    let done = |act| ContainmentEvent::Done { act, request_id: None };
    then(look(KeyStatus::Active));
    then(intended(ContainAct::Deactivate));
    if is_refused {
        let error = "AccessDenied: not authorized to perform iam:UpdateAccessKey".to_owned();
        then(ContainmentEvent::Refused { act: ContainAct::Deactivate, error });
        return Some(vec![(id.into(), records)]);
    }
    then(done(ContainAct::Deactivate));
    then(look(KeyStatus::Inactive));
    then(intended(ContainAct::DenySessions));
    then(done(ContainAct::DenySessions));
    then(look(KeyStatus::Inactive));
    let tied = QuarantineOpening {
        id: quarantine.clone(),
        account: known(&subject.account),
        user: subject.user.arn.clone(),
        user_id: known(&user_id(subject)),
        key,
        reason: reason.clone(),
        by: BY.to_owned(),
    };
    Some(vec![(id.into(), records), (quarantine.into(), tying(subject, tied, opened_at)?)])
}

fn tying(subject: &Subject, opening: QuarantineOpening, at: Timestamp) -> Option<Vec<(Timestamp, String)>> {
    let mut now = at;
    let reason = opening.reason.clone();
    let first = QuarantineRecord { at: now, event: QuarantineEvent::Opened { opening: Box::new(opening) } };
    let mut one = Quarantine::begin(&first).ok()?;
    let mut records = vec![(now, body(&first))];
    let looked = |denies| QuarantineEvent::Looked {
        facts: UserFacts {
            user_id: Known::Told(Some(known(&user_id(subject)))),
            is_attached: Known::Told(false),
            denies_sessions: Known::Told(denies),
        },
    };
    let measure = Measure::DenySessions;
    for event in [
        QuarantineEvent::Eased { reason, by: BY.to_owned() },
        looked(false),
        QuarantineEvent::Intended { measure, by: BY.to_owned() },
        QuarantineEvent::Done { measure, request_id: None },
        looked(true),
    ] {
        now += SignedDuration::from_secs(2);
        let record = QuarantineRecord { at: now, event };
        one.apply(&record).ok()?;
        records.push((now, body(&record)));
    }
    Some(records)
}
