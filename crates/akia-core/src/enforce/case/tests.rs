//! Each rule of docs/enforcement.md on one case.

use super::*;
use crate::enforce::{Evidence, Proof};
use crate::ids::CaseId;

const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(days * 24)
}

fn waits(remind: i64, deactivate: i64, delete: i64) -> Waits {
    Waits { remind_after: days(remind), deactivate_after: days(deactivate), delete_after: Some(days(delete)) }
}

/// A case, and the world that its looks show.
struct Scene {
    case: Case,
    records: Vec<CaseRecord>,
    now: Timestamp,
    facts: Facts,
    review: Review,
}

impl Scene {
    fn new() -> Self {
        let created_at = START - days(400);
        let subject = crate::enforce::CaseSubject {
            account: "123456789012".parse().unwrap(),
            user: "arn:aws:iam::123456789012:user/ann,batch".parse().unwrap(),
            user_id: "AIDAEXAMPLEEXAMPLE00".parse().unwrap(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            key_created_at: created_at,
        };
        let broken = vec![("key-age".to_owned(), "too old".to_owned())];
        let facts = Facts {
            user_id: Known::Told(Some(subject.user_id.clone())),
            key: Known::Told(Some(KeyFacts { status: KeyStatus::Active, created_at })),
            last_used: LastUsed::Never,
            reactivated_at: None,
        };
        let review = Review {
            policy: "p".to_owned(),
            rules: ["key-age".to_owned()].into(),
            broken: Known::Told(broken.clone()),
            exempt: None,
            is_protected: false,
            frozen: None,
            stopped: None,
            is_in_use: false,
            waits: waits(14, 30, 30),
        };
        let opening = Opening {
            case: CaseId::from_bits(1),
            subject,
            account_name: None,
            owner: None,
            evidence: Evidence {
                as_of: START,
                status: KeyStatus::Active,
                last_used: LastUsed::Never,
                reactivated_at: None,
                broken,
            },
            waits: review.waits,
            policy: review.policy.clone(),
            by: "akia".to_owned(),
        };
        let record = CaseRecord { at: START, event: CaseEvent::Opened { opening: Box::new(opening) } };
        Self { case: Case::begin(&record).unwrap(), records: vec![record], now: START, facts, review }
    }

    fn pass(&mut self, by: SignedDuration) -> &mut Self {
        self.now += by;
        self
    }

    fn record(&mut self, event: CaseEvent) -> &mut Self {
        let record = CaseRecord { at: self.now, event };
        self.case.apply(&record).unwrap();
        self.records.push(record);
        self
    }

    fn look(&mut self) -> &mut Self {
        let review = Box::new(Known::Told(self.review.clone()));
        let facts = Box::new(self.facts.clone());
        self.record(CaseEvent::Looked { facts, review })
    }

    /// Without a policy that can be read.
    fn look_without_policy(&mut self) -> &mut Self {
        let review = Box::new(Known::Unknown { reason: "a typing error".to_owned() });
        let facts = Box::new(self.facts.clone());
        self.record(CaseEvent::Looked { facts, review })
    }

    fn intend(&mut self, act: Act) -> &mut Self {
        let reason = (act == Act::Reactivate).then(|| "needed".to_owned());
        self.record(CaseEvent::Intended { act, by: "akia".to_owned(), reason })
    }

    fn told(&mut self, told: Told, act: Act) -> &mut Self {
        let deadline = self.case.deadline_told(told, self.now);
        self.look().intend(act);
        let proofs = vec![Proof { channel: "mail".to_owned(), receipt: "1".to_owned(), at: self.now }];
        self.record(CaseEvent::NoticeDelivered { told, notice: "n".to_owned(), deadline, proofs })
    }

    fn status(&mut self, status: KeyStatus) -> &mut Self {
        let created_at = self.case.opening().subject.key_created_at;
        self.facts.key = Known::Told(Some(KeyFacts { status, created_at }));
        self
    }

    /// Told, and reminded when it was time.
    fn reminded() -> Self {
        let mut scene = Self::new();
        scene.told(Told::Announced, Act::Announce).pass(days(14)).told(Told::Reminded, Act::Remind);
        scene
    }

    /// Deactivated when it was time.
    fn deactivated() -> Self {
        let mut scene = Self::reminded();
        scene.pass(days(16)).look().intend(Act::Deactivate);
        scene.record(CaseEvent::KeyDeactivated { request_id: None }).status(KeyStatus::Inactive);
        scene.review.broken = Known::Told(Vec::new());
        scene
    }

    /// And its owner told.
    fn soaking() -> Self {
        let mut scene = Self::deactivated();
        scene.told(Told::Deactivated, Act::TellDeactivated);
        scene
    }

    fn may(&self, act: Act) -> bool {
        matches!(self.case.next(self.now), Next::Do(next, _) if next == act)
    }

    fn closed(&self) -> Option<&Closed> {
        match self.case.stage() {
            Stage::Closed { why, .. } => Some(why),
            _ => None,
        }
    }

    fn due(&self) -> Timestamp {
        self.case.due().unwrap().1
    }
}

#[test]
fn a_key_goes_through_every_stage_and_its_records_tell_the_same() {
    let mut scene = Scene::soaking();
    scene.pass(days(30)).look();
    assert!(!scene.may(Act::Delete), "the second look is missing");
    scene.pass(SECOND_LOOK).look();
    assert!(scene.may(Act::Delete));
    scene.intend(Act::Delete).record(CaseEvent::KeyDeleted { request_id: None });
    assert_eq!(scene.closed(), Some(&Closed::Deleted));
    assert_eq!(Case::replay(&scene.records).unwrap(), scene.case);
}

#[test]
fn a_late_reminder_moves_the_deactivation() {
    let mut scene = Scene::new();
    scene.told(Told::Announced, Act::Announce).pass(days(25)).told(Told::Reminded, Act::Remind);
    assert_eq!(scene.due(), START + days(25 + 16));
}

#[test]
fn a_stricter_policy_shortens_nothing_that_was_told() {
    let mut scene = Scene::reminded();
    scene.review.waits = waits(1, 2, 2);
    scene.pass(days(1)).look();
    assert_eq!(scene.due(), START + days(30));
}

#[test]
fn a_milder_policy_counts_from_the_first_notice_also_once_the_owner_was_reminded() {
    let mut scene = Scene::reminded();
    scene.review.waits = waits(30, 60, 30);
    scene.pass(days(1)).look();
    assert_eq!(scene.due(), START + days(60));
}

#[test]
fn a_milder_policy_lengthens_the_soak_from_when_the_owner_learned_of_it() {
    let mut scene = Scene::deactivated();
    scene.pass(days(5)).told(Told::Deactivated, Act::TellDeactivated);
    let told = scene.now;
    scene.review.waits = waits(14, 30, 40);
    scene.pass(days(1)).look();
    assert_eq!(scene.due(), told + days(40));
}

#[test]
fn a_notice_without_proof_or_that_bounced_moves_nothing() {
    let mut scene = Scene::new();
    scene.look().intend(Act::Announce);
    let event = CaseEvent::NoticeDelivered {
        told: Told::Announced,
        notice: "n".to_owned(),
        deadline: None,
        proofs: Vec::new(),
    };
    let unproven = CaseRecord { at: scene.now, event };
    assert!(scene.case.apply(&unproven).is_err());
    scene.record(CaseEvent::NoticeFailed { told: Told::Announced, error: "bounced".to_owned() });
    assert_eq!(scene.case.stage(), &Stage::Seen);
    assert_eq!(scene.case.next(scene.now), Next::Rest, "another run tries again");
}

#[test]
fn a_key_is_deactivated_only_on_a_look_after_the_deadline_that_is_no_minute_old() {
    let mut scene = Scene::reminded();
    scene.pass(days(16) - SignedDuration::from_secs(1)).look().pass(SignedDuration::from_secs(1));
    assert_eq!(scene.case.next(scene.now), Next::Look, "what was clear before the deadline need not be after");
    scene.look().pass(SignedDuration::from_secs(60));
    assert!(scene.may(Act::Deactivate));
    scene.pass(SignedDuration::from_secs(1));
    assert_eq!(scene.case.next(scene.now), Next::Look);
}

#[test]
fn a_change_is_not_sent_when_its_look_has_grown_old_since_the_intent() {
    let mut scene = Scene::reminded();
    scene.pass(days(16)).look().intend(Act::Deactivate);
    assert!(scene.case.may_send(scene.now + SignedDuration::from_secs(60)));
    assert!(!scene.case.may_send(scene.now + SignedDuration::from_secs(61)));
}

#[test]
fn nothing_is_done_that_the_policy_forbids() {
    type Spoil = fn(&mut Scene);
    let spoilers: [(&str, Spoil); 8] = [
        ("exempt", |scene| scene.review.exempt = Some("T-1".to_owned())),
        ("protected", |scene| scene.review.is_protected = true),
        ("frozen", |scene| scene.review.frozen = Some("year end".to_owned())),
        ("stopped", |scene| scene.review.stopped = Some("halt".to_owned())),
        ("in use", |scene| scene.review.is_in_use = true),
        ("use unknown", |scene| scene.facts.last_used = LastUsed::Unknown { reason: "denied".to_owned() }),
        ("rules unknown", |scene| scene.review.broken = Known::Unknown { reason: "denied".to_owned() }),
        ("resolved", |scene| scene.review.broken = Known::Told(Vec::new())),
    ];
    for (name, spoil) in spoilers {
        let mut scene = Scene::reminded();
        spoil(&mut scene);
        scene.pass(days(16)).look();
        assert!(!scene.may(Act::Deactivate), "{name}");
        assert!(scene.closed().is_some() || scene.case.held().is_some(), "{name}: nobody is told why");
    }
}

#[test]
fn another_user_or_key_under_the_same_name_ends_the_case() {
    let mut scene = Scene::reminded();
    scene.facts.user_id = Known::Told(Some("AIDAEXAMPLEEXAMPLE99".parse().unwrap()));
    assert_eq!(scene.look().closed(), Some(&Closed::Replaced));
    let mut scene = Scene::reminded();
    let created_at = START;
    scene.facts.key = Known::Told(Some(KeyFacts { status: KeyStatus::Active, created_at }));
    assert_eq!(scene.look().closed(), Some(&Closed::Replaced));
    let mut scene = Scene::reminded();
    scene.facts.key = Known::Told(None);
    assert_eq!(scene.look().closed(), Some(&Closed::Gone));
}

#[test]
fn a_change_without_an_answer_is_settled_by_a_look_a_minute_after_another() {
    let mut scene = Scene::reminded();
    scene.pass(days(16)).look().intend(Act::Deactivate);
    scene.record(CaseEvent::Unanswered { act: Act::Deactivate, error: "lost".to_owned() });
    scene.status(KeyStatus::Inactive).look();
    assert_eq!(scene.case.held(), Some(&Hindrance::TooSoon));
    scene.pass(QUARANTINE).look();
    assert_eq!(scene.case.inactive_since(), Some(scene.now));
}

#[test]
fn a_key_that_was_seen_inactive_and_then_active_while_a_deactivation_settled_was_activated_by_somebody() {
    let mut scene = Scene::reminded();
    scene.pass(days(16)).look().intend(Act::Deactivate);
    scene.record(CaseEvent::Unanswered { act: Act::Deactivate, error: "lost".to_owned() });
    scene.status(KeyStatus::Inactive).look();
    scene.status(KeyStatus::Active).pass(QUARANTINE).look();
    assert_eq!(scene.closed(), Some(&Closed::ReactivatedByOther));
}

#[test]
fn a_key_that_was_seen_active_while_a_deletion_settled_is_not_deleted() {
    let mut scene = Scene::soaking();
    scene.pass(days(30)).look().pass(SECOND_LOOK).look().intend(Act::Delete);
    scene.record(CaseEvent::Unanswered { act: Act::Delete, error: "lost".to_owned() });
    scene.status(KeyStatus::Active).look();
    scene.status(KeyStatus::Inactive).pass(QUARANTINE).look();
    assert_eq!(scene.closed(), Some(&Closed::ReactivatedByOther));
}

#[test]
fn a_key_that_came_back_ends_the_case_also_where_the_policy_cannot_be_read() {
    let mut scene = Scene::soaking();
    scene.status(KeyStatus::Active).pass(days(1)).look_without_policy();
    assert_eq!(scene.closed(), Some(&Closed::ReactivatedByOther));
}

#[test]
fn a_use_after_the_deactivation_ends_the_case() {
    let mut scene = Scene::soaking();
    scene.pass(days(2));
    let at = scene.now - days(1);
    scene.facts.last_used = LastUsed::At { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() };
    assert_eq!(scene.look().closed(), Some(&Closed::ReactivatedByOther));
}

#[test]
fn a_reactivation_that_a_report_tells_begins_the_soak_anew_and_its_owner_is_told_again() {
    let mut scene = Scene::soaking();
    scene.pass(days(20));
    scene.facts.reactivated_at = Some(scene.now - days(1));
    scene.look();
    assert_eq!(scene.case.due(), Some((Act::TellDeactivated, scene.now)));
    scene.told(Told::Deactivated, Act::TellDeactivated);
    assert_eq!(scene.due(), scene.now + days(30));
}

#[test]
fn a_key_that_was_spared_soaks_anew_when_it_is_spared_no_more() {
    let mut scene = Scene::soaking();
    scene.review.exempt = Some("T-1".to_owned());
    scene.pass(days(20)).look();
    assert!(matches!(scene.case.held(), Some(Hindrance::Exempt { .. })));
    assert_eq!(scene.due(), scene.now + days(30));
}

#[test]
fn a_key_that_a_person_wants_back_is_not_deleted_because_aws_did_not_do_it() {
    let mut refused = Scene::soaking();
    refused.pass(days(29)).look().intend(Act::Reactivate);
    refused.record(CaseEvent::Refused { act: Act::Reactivate, error: "AccessDenied".to_owned() });
    assert_eq!(refused.due(), refused.now + days(30));
    let mut lost = Scene::soaking();
    lost.pass(days(29)).look().intend(Act::Reactivate);
    lost.record(CaseEvent::Unanswered { act: Act::Reactivate, error: "lost".to_owned() });
    lost.look().pass(QUARANTINE).look();
    assert_eq!(lost.due(), lost.now + days(30));
}

#[test]
fn a_reactivation_that_a_look_has_shown_ends_the_case() {
    let mut scene = Scene::soaking();
    scene.pass(days(1)).look().intend(Act::Reactivate);
    scene.record(CaseEvent::Unanswered { act: Act::Reactivate, error: "lost".to_owned() });
    scene.status(KeyStatus::Active).look();
    assert!(matches!(scene.closed(), Some(Closed::Reactivated { .. })));
}

#[test]
fn a_case_that_is_moved_with_its_world_goes_on_alike() {
    let by = days(3);
    for scene in [Scene::new(), Scene::reminded(), Scene::deactivated(), Scene::soaking()] {
        let moved = scene.case.clone().moved_back(by, Timestamp::MIN);
        for later in [0, 1, 15, 16, 30, 31].map(days) {
            let back = |next: Next| match next {
                Next::Wait { until } => Next::Wait { until: until - by },
                next => next,
            };
            assert_eq!(moved.next(scene.now - by + later), back(scene.case.next(scene.now + later)));
        }
    }
}
