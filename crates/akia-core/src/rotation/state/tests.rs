//! Each rule of the state machine by itself. Whole walks through it stand in `tests/rotation_walk.rs`.

use super::super::fixtures::{START, Story, new_key, old_key, other_key, plan};
use super::*;
use crate::journal::Attribution;
use crate::rotation::{Place, Probe};

const DAY: i64 = 86_400;

fn two_places() -> Plan {
    let mut plan = plan();
    plan.places.push(Place::Keychain { profile: "play".parse().unwrap() });
    plan
}

fn with(retirement: Retirement) -> Plan {
    Plan { retirement, ..plan() }
}

fn failed() -> Event {
    Event::Failed { error: "access denied".to_owned() }
}

fn proof_failed() -> Event {
    Event::ProofFailed { error: "not accepted".to_owned() }
}

fn refused(transient: bool) -> Event {
    Event::CreateRefused { error: "Rate exceeded".to_owned(), transient }
}

fn unanswered() -> Event {
    Event::CreateUnanswered { error: "time-out".to_owned() }
}

fn suspects(keys: &[AccessKeyId]) -> Event {
    Event::OrphanSuspected { keys: keys.iter().cloned().collect() }
}

fn attributed(key: AccessKeyId, evidence: Attribution) -> Event {
    Event::OrphanAttributed { key, evidence }
}

fn used(story: &Story, seconds_ago: i64) -> Event {
    let at = story.now - SignedDuration::from_secs(seconds_ago);
    Event::Observed { last_used: LastUsed::At { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() } }
}

impl Story {
    fn next(&self) -> Vec<Effect> {
        self.rotation.next(self.now)
    }

    /// How long the rotation wants to wait before it does anything.
    fn waits(&self) -> SignedDuration {
        match self.next().as_slice() {
            [Effect::Wait { until }] => until.duration_since(self.now),
            _ => SignedDuration::ZERO,
        }
    }

    /// The same, a moment before its wait is over and when it is.
    fn around_its_wait(&self) -> [Vec<Effect>; 2] {
        let until = self.now + self.waits();
        [self.rotation.next(until - SignedDuration::from_nanos(1)), self.rotation.next(until)]
    }
}

#[test]
fn a_rotation_begins_with_its_plan_and_nothing_else() {
    assert!(Rotation::begin(&Record { at: START, event: Event::Resumed }).is_err());
    assert!(Rotation::replay(&[]).is_err());
    let begins = |make_room: AccessKeyId| {
        let mut plan = plan();
        plan.before.insert(other_key());
        plan.make_room = Some(make_room);
        Rotation::begin(&Record { at: START, event: Event::Planned { plan: Box::new(plan) } }).is_ok()
    };
    assert!(begins(other_key()));
    assert!(!begins(old_key()), "the displaced key cannot make room for its successor");
    assert!(!begins(new_key()), "nor can one that was not there");
}

#[test]
fn a_place_may_lose_a_key_only_when_it_holds_the_other_one() {
    let delivered = Story::of(two_places()).delivering().then([
        Event::Intended { intent: Intent::Deliver(0) },
        Event::Delivered { place: 0, mark: None },
        Event::PlaceLeft { place: 1 },
    ]);
    let may = |place, held: Option<AccessKeyId>, doomed| delivered.rotation.may_lose(place, held.as_ref(), &doomed);
    for (held, may_lose_old, may_lose_new) in
        [(Some(new_key()), true, false), (Some(old_key()), false, true), (Some(other_key()), false, false)]
    {
        assert_eq!(may(0, held.clone(), old_key()), may_lose_old, "{held:?}");
        assert_eq!(may(0, held.clone(), new_key()), may_lose_new, "{held:?}");
    }
    assert!(!may(0, None, old_key()) && !may(0, None, new_key()));
    // A place that was left is somebody else's: it must only not hold the key that is shut.
    assert!(may(1, Some(other_key()), old_key()) && may(1, None, old_key()));
    assert!(!may(1, Some(old_key()), old_key()));
}

#[test]
fn the_displaced_key_signs_until_promotion_and_then_what_the_places_hold() {
    for (story, key) in [
        (Story::planned(), SigningKey::Displaced),
        (Story::planned().delivering(), SigningKey::Displaced),
        (Story::planned().promoted(), SigningKey::New),
        (Story::planned().quiet(), SigningKey::New),
        (Story::planned().deactivated(), SigningKey::New),
        (Story::planned().retired(), SigningKey::New),
        (Story::of(with(Retirement::Keep)).promoted(), SigningKey::New),
        (Story::planned().deactivated().then([Event::UndoRequested]), SigningKey::New),
        (Story::planned().undone(), SigningKey::Restored),
    ] {
        assert_eq!(story.rotation.signing_key(), key, "{}", story.rotation.stage_name());
    }
}

#[test]
fn only_a_second_create_request_has_one_before_it() {
    let first = Story::planned().intend(Intent::Create);
    assert!(!Story::planned().rotation.has_created_before());
    assert!(!first.rotation.has_created_before());
    let second = first.then([unanswered(), Event::OrphanAbsent]);
    assert!(second.rotation.has_created_before());
    assert!(second.intend(Intent::Create).rotation.has_created_before());
}

#[test]
fn an_undo_is_told_from_a_rotation_that_was_given_up() {
    let undoing = Story::planned().deactivated().then([Event::UndoRequested]);
    let restoring = Story::planned().delivering().then([Event::UndoRequested, Event::ProofPassed, Event::ProofPassed]);
    let taken_back = Story::planned().created().then([Event::UndoRequested]);
    for story in [undoing, restoring, taken_back] {
        assert!(story.rotation.is_being_undone(), "{}", story.rotation.stage_name());
    }
    let lost = Story::planned().created().then([Event::SecretLost { error: "disk full".to_owned() }]);
    assert!(!lost.rotation.is_being_undone());
    assert!(!Story::planned().deactivated().rotation.is_being_undone());
}

#[test]
fn a_grace_begins_with_the_deactivation_and_ends_to_the_second() {
    let story = Story::planned().deactivated();
    assert_eq!(story.rotation.key_in_grace(), Some(&old_key()));
    assert_eq!(story.rotation.displaced_inactive_since(), Some(story.now));
    assert!(!story.rotation.is_without_grace());
    let almost = story.clone().wait(7 * DAY - 1);
    assert!(!almost.rotation.is_out_of_grace(almost.now) && almost.next().is_empty());
    assert!(matches!(almost.rest(), Rest::InGrace { .. }));
    let over = story.wait(7 * DAY);
    assert!(over.rotation.is_out_of_grace(over.now));
    assert_eq!(over.rest(), Rest::Busy);
    assert_eq!(over.next(), [Effect::DeleteDisplaced { permit: GraceOver::mint(old_key()) }]);

    let undone = Story::planned().undone();
    assert_eq!(undone.rotation.key_in_grace(), Some(&new_key()));
    assert_eq!(undone.rotation.displaced_inactive_since(), None);
    let almost = undone.clone().wait(7 * DAY - 1);
    assert!(almost.next().is_empty());
    assert!(matches!(almost.rest(), Rest::Undone { .. }));
    let over = undone.wait(7 * DAY);
    assert_eq!(over.rest(), Rest::Busy);
    assert_eq!(over.next(), [Effect::DeleteNew { ours: Ours::mint(new_key()) }]);

    assert_eq!(Story::planned().promoted().rotation.key_in_grace(), None);
    let at_once = Story::of(with(Retirement::Delete)).deactivated();
    assert!(at_once.rotation.is_without_grace());
    assert_eq!(at_once.rotation.displaced_inactive_since(), None);
    assert!(!Story::planned().promoted().rotation.is_without_grace());
}

#[test]
fn a_failed_effect_is_tried_again_later_and_later_until_the_run_gives_up() {
    let mut story = Story::planned().delivering();
    for millis in [500, 1_000, 2_000] {
        story = story.then([failed()]);
        assert_eq!(story.waits(), SignedDuration::from_millis(millis));
        let [before, after] = story.around_its_wait();
        assert!(matches!(before.as_slice(), [Effect::Wait { .. }]));
        assert!(matches!(after.as_slice(), [Effect::Deliver { .. }]));
        assert_eq!(story.rest(), Rest::Busy);
        // An intent is no progress.
        story = story.intend(Intent::Deliver(0));
    }
    story = story.then([failed()]);
    assert!(story.next().is_empty());
    assert_eq!(story.rest(), Rest::Interrupted { error: "access denied".to_owned() });
    let resumed = story.clone().then([Event::Resumed]);
    assert!(matches!(resumed.next().as_slice(), [Effect::Deliver { .. }]));
    let delivered = story.then([Event::Delivered { place: 0, mark: None }]);
    assert_eq!(delivered.rest(), Rest::Busy, "progress ends the trouble before it");
}

#[test]
fn a_place_that_cannot_be_written_is_a_failure_like_any_other() {
    let failed = |place| Event::DeliveryFailed { place, error: "disk full".to_owned() };
    let mut story = Story::planned().delivering();
    assert!(!story.allows(failed(1)), "there is no such place");
    for _ in 0..4 {
        assert_eq!(story.rest(), Rest::Busy);
        story = story.then([failed(0)]);
    }
    assert_eq!(story.rest(), Rest::Interrupted { error: "disk full".to_owned() });
}

#[test]
fn the_wait_of_a_failure_has_a_limit() {
    let gap = SignedDuration::from_millis(500);
    assert_eq!(backoff(gap, 0), gap);
    assert_eq!(backoff(gap, 1), gap);
    assert_eq!(backoff(gap, 7), gap * 64);
    assert_eq!(backoff(gap, 4_000_000_000), gap * 64);
    assert_eq!(backoff(SignedDuration::MAX, 2), SignedDuration::from_secs(60));
    assert_eq!(after(Timestamp::MAX, gap), Timestamp::MAX);
}

#[test]
fn a_throttled_create_request_is_sent_again_a_few_times() {
    let mut story = Story::planned();
    for millis in [500, 1_000, 2_000] {
        story = story.intend(Intent::Create).then([refused(true)]);
        assert_eq!(story.waits(), SignedDuration::from_millis(millis));
        let [before, after] = story.around_its_wait();
        assert!(matches!(before.as_slice(), [Effect::Wait { .. }]));
        assert_eq!(after, [Effect::Create]);
    }
    story = story.intend(Intent::Create).then([refused(true)]);
    assert!(matches!(story.rest(), Rest::Aborted { why: AbortReason::CreateRefused { .. } }));
    let denied = Story::planned().intend(Intent::Create).then([refused(false)]);
    assert!(matches!(denied.rest(), Rest::Aborted { why: AbortReason::CreateRefused { .. } }));
}

#[test]
fn a_lost_create_request_is_looked_for_when_nothing_can_commit_any_more() {
    let intended = Story::planned().intend(Intent::Create);
    assert_eq!(intended.waits(), SignedDuration::from_secs(60));
    let lost = intended.wait(20).then([unanswered()]);
    assert_eq!(lost.waits(), SignedDuration::from_secs(60), "it may have been sent right before its answer was lost");
    let [before, after] = lost.around_its_wait();
    assert!(matches!(before.as_slice(), [Effect::Wait { .. }]));
    assert_eq!(after, [Effect::InvestigateCreate]);
    // A clock that was turned back does not shorten the quarantine.
    let mut back = Story::planned().wait(100).intend(Intent::Create);
    back.now = START;
    let back = back.then([Event::Resumed]);
    assert_eq!(back.waits(), SignedDuration::from_secs(160));
    let back = back.then([unanswered()]);
    assert_eq!(back.waits(), SignedDuration::from_secs(160));
}

#[test]
fn a_create_request_that_did_nothing_is_sent_three_times_at_most() {
    let mut story = Story::planned();
    for _ in 0..2 {
        story = story.intend(Intent::Create).then([unanswered(), Event::OrphanAbsent]);
        assert_eq!(story.next(), [Effect::Create]);
    }
    story = story.intend(Intent::Create).then([unanswered(), Event::OrphanAbsent]);
    assert_eq!(story.rest(), Rest::Aborted { why: AbortReason::CreateUnanswered });
    // To delete an orphan is to try again, too.
    let deleted = Story::planned()
        .suspected()
        .then([attributed(other_key(), Attribution::Person)])
        .intend(Intent::DeleteOrphan)
        .then([Event::OrphanDeleted]);
    assert_eq!(deleted.next(), [Effect::Create]);
}

#[test]
fn a_key_that_was_there_before_is_never_taken_for_ours() {
    let intended = Story::planned().intend(Intent::Create);
    assert!(!intended.allows(Event::KeyCreated { key: old_key() }));
    assert!(intended.allows(Event::KeyCreated { key: new_key() }));
    let lost = intended.then([unanswered()]);
    assert!(!lost.allows(suspects(&[])), "a suspicion names somebody");
    assert!(!lost.allows(suspects(&[old_key(), new_key()])));
    assert!(lost.allows(suspects(&[new_key()])));
    assert!(!lost.allows(attributed(old_key(), Attribution::CloudTrail)));
    assert!(lost.allows(attributed(new_key(), Attribution::CloudTrail)));
    assert!(!lost.allows(attributed(new_key(), Attribution::Person)), "a person was not asked");
    let suspected = lost.then([suspects(&[other_key()])]);
    assert!(!suspected.allows(attributed(new_key(), Attribution::Person)), "the person was asked about another key");
    assert!(suspected.allows(attributed(other_key(), Attribution::Person)));
}

#[test]
fn suspected_orphans_are_looked_at_again_half_a_minute_later() {
    let story = Story::planned().suspected();
    assert!(story.next().is_empty());
    assert!(story.clone().wait(29).next().is_empty());
    assert_eq!(story.wait(30).next(), [Effect::InvestigateCreate]);
}

#[test]
fn a_key_is_proven_by_successes_in_a_row() {
    let proving = Story::planned().proving();
    assert_eq!(proving.waits(), SignedDuration::from_millis(100), "settle");
    let [before, after] = proving.around_its_wait();
    assert!(matches!(before.as_slice(), [Effect::Wait { .. }]));
    assert_eq!(after, [Effect::Prove { key: new_key() }]);
    let once = proving.wait(1).then([Event::ProofPassed]);
    assert_eq!(once.waits(), SignedDuration::from_millis(1_050));
    let broken = once.clone().then([proof_failed()]);
    assert_eq!(broken.waits(), SignedDuration::from_millis(1_050));
    let row_of_one = broken.then([Event::ProofPassed]);
    assert!(!row_of_one.allows(Event::RivalsAbsent), "one failure breaks the row");
    assert!(row_of_one.then([Event::ProofPassed]).allows(Event::RivalsAbsent));
    let resumed = once.then([Event::Resumed, Event::ProofPassed]);
    assert!(!resumed.allows(Event::RivalsAbsent), "a new run counts anew");
}

#[test]
fn a_key_that_never_passes_is_given_up_at_the_limit() {
    let limit = usize::try_from(plan().pace.proof_limit).unwrap();
    let almost = Story::planned().proving().then(vec![proof_failed(); limit - 1]);
    assert_eq!(almost.rest(), Rest::Busy);
    assert!(almost.allows(Event::ProofPassed));
    let given_up = almost.then([proof_failed()]);
    assert_eq!(given_up.next(), [Effect::DeleteNew { ours: Ours::mint(new_key()) }]);
    let gone = given_up.intend(Intent::DeleteNew).then([Event::NewDeleted]);
    assert!(matches!(gone.rest(), Rest::Aborted { why: AbortReason::NeverProven { .. } }));
}

#[test]
fn nothing_is_promoted_or_restored_before_every_place_is_written() {
    let delivering = Story::of(two_places()).delivering();
    assert_eq!(delivering.rotation.open_places(), [0, 1]);
    let half = delivering.intend(Intent::Deliver(0)).then([Event::Delivered { place: 0, mark: None }]);
    assert_eq!(half.rotation.open_places(), [1]);
    assert!(!half.allows(Event::Promoted));
    assert!(!half.allows(Event::Delivered { place: 2, mark: None }));
    let both = half.clone().intend(Intent::Deliver(1)).then([Event::Delivered { place: 1, mark: None }]);
    assert!(both.allows(Event::Promoted));

    // Only one of the two was ever written.
    let restoring = half.then([Event::UndoRequested, Event::ProofPassed, Event::ProofPassed]);
    assert_eq!(restoring.rotation.open_places(), [0]);
    assert!(!restoring.allows(Event::NewDeactivated) && !restoring.allows(Event::NewDeleted));
    assert!(!restoring.allows(Event::Intended { intent: Intent::DeactivateNew }));
    let restored = restoring.intend(Intent::Restore(0)).then([Event::Restored { place: 0, mark: None }]);
    assert!(restored.allows(Event::NewDeactivated) && restored.allows(Event::NewDeleted));
    assert!(restored.allows(Event::Intended { intent: Intent::DeactivateNew }));
    assert!(restored.rotation.open_places().is_empty());
}

#[test]
fn the_last_place_is_never_left_forward() {
    let delivering = Story::of(two_places()).delivering();
    let one = delivering.then([Event::PlaceLeft { place: 0 }]);
    assert_eq!(one.rotation.open_places(), [1]);
    assert!(!one.allows(Event::PlaceLeft { place: 1 }), "the new key would be nowhere");
    assert!(one.allows(Event::PlaceLeft { place: 0 }), "said twice");
    assert!(!Story::planned().delivering().allows(Event::PlaceLeft { place: 0 }));
}

#[test]
fn a_use_after_promotion_counts_until_a_day_without_one_has_passed() {
    let promoted = Story::planned().promoted().wait(10);
    let retires = |story: &Story, event: Event| {
        let next = story.clone().then([event]).next();
        matches!(next.as_slice(), [Effect::DeactivateDisplaced { .. }])
    };
    assert!(retires(&promoted, Event::Observed { last_used: LastUsed::Never }));
    assert!(retires(&promoted, used(&promoted, 10)), "a use right at promotion is one of before");
    assert!(!retires(&promoted, used(&promoted, 9)));
    let later = promoted.wait(2 * DAY);
    assert!(retires(&later, used(&later, DAY)));
    assert!(!retires(&later, used(&later, DAY - 1)));
}

#[test]
fn an_unknown_last_use_retires_nothing_unasked() {
    let unknown = || Event::Observed { last_used: LastUsed::Unknown { reason: "access denied".to_owned() } };
    let asked = Story::planned().promoted().then([unknown()]);
    assert!(matches!(asked.rest(), Rest::Undecided { decision: Decision::StillUsed { .. } }));
    assert!(asked.next().is_empty());
    assert!(asked.clone().wait(29).next().is_empty());
    assert_eq!(asked.wait(30).next(), [Effect::Observe]);
    let waived = Story::of(Plan { without_evidence: true, ..plan() }).promoted().then([unknown()]);
    assert!(matches!(waived.next().as_slice(), [Effect::DeactivateDisplaced { .. }]));
}

#[test]
fn a_key_is_deleted_only_behind_its_intent() {
    let grace_over = Story::planned().deactivated().wait(7 * DAY);
    assert!(!grace_over.allows(Event::DisplacedDeleted));
    assert!(grace_over.intend(Intent::DeleteDisplaced).allows(Event::DisplacedDeleted));
    let undone = Story::planned().undone().wait(7 * DAY);
    assert!(!undone.allows(Event::NewDeleted));
    assert!(undone.intend(Intent::DeleteNew).allows(Event::NewDeleted));
}

#[test]
fn secrets_are_wiped_at_the_end_and_not_before() {
    assert!(!Story::planned().deactivated().allows(Event::SecretsWiped));
    assert!(!Story::planned().undone().allows(Event::SecretsWiped));
    let retired = Story::planned().retired();
    assert_eq!(retired.next(), [Effect::WipeSecrets]);
    assert!(!retired.rotation.is_over());
    let over = retired.then([Event::SecretsWiped]);
    assert!(over.rotation.is_over() && over.next().is_empty());
}

#[test]
fn an_undo_activates_the_old_key_wherever_anybody_may_have_shut_it() {
    let prove = || vec![Effect::Prove { key: old_key() }];
    let undo = |story: Story| story.then([Event::UndoRequested]).next();
    assert_eq!(undo(Story::planned().delivering()), prove(), "nobody has shut it");
    assert_eq!(undo(Story::planned().quiet()), prove());
    assert_eq!(undo(Story::planned().deactivated()), [Effect::ActivateDisplaced]);
    assert_eq!(undo(Story::of(with(Retirement::Keep)).promoted()), [Effect::ActivateDisplaced]);
    let asked = Story::planned().promoted();
    let last_use = used(&asked, -1);
    assert_eq!(undo(asked.then([last_use])), [Effect::ActivateDisplaced]);
    let reactivated = Story::planned().deactivated().wait(7 * DAY).then([Event::DisplacedFoundActive]);
    assert_eq!(reactivated.rest(), Rest::Undecided { decision: Decision::Reactivated });
    assert_eq!(undo(reactivated), [Effect::ActivateDisplaced]);
}

#[test]
fn an_undo_waits_only_for_a_request_that_has_no_answer() {
    let sent = Story::planned().quiet().intend(Intent::DeactivateDisplaced);
    let waits = |story: Story| story.then([Event::UndoRequested]).waits();
    assert_eq!(waits(sent.clone()), SignedDuration::from_secs(60), "given up by the undo");
    let failed_earlier = sent.clone().then([failed()]).wait(20);
    assert_eq!(waits(failed_earlier), SignedDuration::from_secs(40), "given up 20 s ago");
    assert_eq!(waits(sent.clone().then([Event::DisplacedDeactivated])), SignedDuration::ZERO);
    assert_eq!(waits(sent.clone().then([Event::PlaceOverwritten { place: 0 }])), SignedDuration::ZERO);
    let resumed = sent.then([Event::Resumed]).wait(10);
    assert_eq!(waits(resumed), SignedDuration::from_secs(50), "a new run has given the last one's request up");
    let deleting = Story::planned().deactivated().wait(7 * DAY).intend(Intent::DeleteDisplaced);
    assert_eq!(waits(deleting.clone()), SignedDuration::from_secs(60));
    assert_eq!(waits(deleting.then([Event::DisplacedFoundActive])), SignedDuration::ZERO);
}

#[test]
fn an_undo_proves_the_old_key_some_seconds_long() {
    let undoing = Story::planned().delivering().then([Event::UndoRequested]);
    assert_eq!(undoing.waits(), SignedDuration::ZERO);
    let once = undoing.then([Event::ProofPassed]);
    assert_eq!(once.waits(), SignedDuration::from_millis(1_050));
    assert!(!once.allows(Event::Restored { place: 0, mark: None }));
    let again = once.clone().then([proof_failed(), Event::ProofPassed]);
    assert!(!again.allows(Event::Intended { intent: Intent::Restore(0) }), "one failure breaks the row");
    assert!(once.then([Event::ProofPassed]).allows(Event::Intended { intent: Intent::Restore(0) }));
}

#[test]
fn an_undo_whose_proofs_fail_below_the_limit_goes_on() {
    let limit = usize::try_from(plan().pace.proof_limit).unwrap();
    let undoing = Story::planned().delivering().then([Event::UndoRequested]);
    let almost = undoing.then(vec![proof_failed(); limit - 1]);
    assert_eq!(almost.rest(), Rest::Busy);
    let stopped = almost.then([proof_failed()]);
    assert!(matches!(stopped.rest(), Rest::Interrupted { .. }));
}

#[test]
fn an_undo_with_nothing_to_go_back_to_goes_forward_again() {
    let undoing = Story::planned().deactivated().then([Event::UndoRequested, Event::DisplacedGone]);
    assert!(matches!(undoing.next().as_slice(), [Effect::Promote { .. }]));
    let gone = undoing.then([Event::Promoted, Event::DisplacedGone]);
    assert_eq!(gone.rest(), Rest::Retired);
}

#[test]
fn a_place_that_somebody_wrote_to_or_took_over_is_looked_after_in_an_undo() {
    let undoing = Story::planned().delivering().then([Event::UndoRequested]);
    let restoring = undoing.then([Event::ProofPassed, Event::ProofPassed]);
    let overwritten = restoring.then([Event::PlaceOverwritten { place: 0 }]);
    assert_eq!(overwritten.rotation.open_places(), [0]);
    assert!(!overwritten.allows(Event::NewDeactivated));
    let left = overwritten.then([Event::PlaceLeft { place: 0 }]);
    assert!(left.rotation.open_places().is_empty());
    assert!(left.allows(Event::NewDeactivated), "in an undo the last place, too, may be somebody else's");
}

#[test]
fn a_displaced_key_that_somebody_else_deleted_is_retired() {
    let promoted = Story::planned().promoted();
    let last_use = used(&promoted, -1);
    for story in [
        promoted.clone(),
        promoted.then([last_use]),
        Story::planned().quiet(),
        Story::of(with(Retirement::Keep)).promoted(),
        Story::planned().deactivated(),
        Story::planned().deactivated().then([Event::DisplacedFoundActive]),
    ] {
        assert_eq!(story.then([Event::DisplacedGone]).rest(), Rest::Retired);
    }
}

#[test]
fn a_grace_that_was_waived_is_over() {
    for (story, effect) in [
        (Story::planned().deactivated(), Effect::DeleteDisplaced { permit: GraceOver::mint(old_key()) }),
        (Story::planned().undone(), Effect::DeleteNew { ours: Ours::mint(new_key()) }),
    ] {
        let waived = story.then([Event::GraceWaived]);
        assert_eq!(waived.next(), [effect]);
        assert!(waived.rotation.is_without_grace());
    }
}

#[test]
fn what_was_given_up_says_why() {
    let why = |story: Story| match story.rest() {
        Rest::Aborted { why } => why,
        other => panic!("{other:?}"),
    };
    let disowned = Story::planned().suspected().then([Event::OrphanDisowned]);
    assert_eq!(why(disowned), AbortReason::NoRoom);
    let keys = BTreeSet::from([other_key()]);
    let proven = Story::planned().proving().then([Event::ProofPassed, Event::ProofPassed]);
    let rival = proven.then([Event::RivalFound { keys: keys.clone() }]).intend(Intent::DeleteNew);
    assert_eq!(why(rival.then([Event::NewDeleted])), AbortReason::Rival { keys });
    let error = || "disk full".to_owned();
    let lost = Story::planned().created().then([Event::SecretLost { error: error() }]).intend(Intent::DeleteNew);
    assert_eq!(why(lost.then([Event::NewDeleted])), AbortReason::SecretLost { error: error() });
    assert_eq!(why(Story::planned().then([Event::UndoRequested])), AbortReason::Undone);
}

#[test]
fn room_is_made_before_a_key_is_created() {
    let mut plan = plan();
    plan.before.insert(other_key());
    plan.make_room = Some(other_key());
    let crowded = Story::of(plan);
    assert_eq!(crowded.next(), [Effect::MakeRoom { key: other_key() }]);
    assert!(!crowded.allows(Event::Intended { intent: Intent::Create }));
    let room = crowded.intend(Intent::MakeRoom).then([Event::RoomMade]);
    assert_eq!(room.next(), [Effect::Create]);
}

#[test]
fn an_illegal_record_is_named_and_changes_nothing() {
    let story = Story::planned().deactivated();
    let mut rotation = story.rotation.clone();
    let record = Record { at: story.now, event: Event::Delivered { place: 0, mark: None } };
    let words = rotation.apply(&record).unwrap_err().to_string();
    assert_eq!(words, "the journal says \"Delivered\" of a rotation that is in grace");
    assert_eq!(rotation, story.rotation);
    assert_eq!(name_of(&Event::Promoted), "\"Promoted\"");
}

/// What the model check builds on: a rotation that is moved together with its world behaves as before.
#[test]
fn a_rotation_that_is_moved_back_does_the_same_that_much_earlier() {
    let by = SignedDuration::from_secs(1_000);
    let stories = [
        Story::planned().intend(Intent::Create).then([refused(true)]),
        Story::planned().intend(Intent::Create),
        Story::planned().intend(Intent::Create).wait(5).then([unanswered()]),
        Story::planned().suspected(),
        Story::planned().created(),
        Story::planned().proving(),
        Story::planned().proving().then([Event::ProofPassed]),
        Story::planned().delivering().then([failed()]),
        Story::planned().promoted(),
        Story::planned().promoted().then([Event::Observed { last_used: LastUsed::Unknown { reason: "no".into() } }]),
        Story::planned().quiet(),
        Story::planned().deactivated(),
        Story::planned().deactivated().wait(7 * DAY).then([Event::DisplacedFoundActive]),
        Story::planned().quiet().intend(Intent::DeactivateDisplaced).then([Event::UndoRequested]),
        Story::planned().delivering().then([Event::UndoRequested, Event::ProofPassed]),
        Story::planned().undone(),
        Story::planned().retired(),
    ];
    for story in stories {
        let moved = story.rotation.clone().moved_back(by, Timestamp::MIN);
        for seconds in [0, 1, 29, 30, 59, 60, 61, 7 * DAY - 1, 7 * DAY] {
            let now = story.now + SignedDuration::from_secs(seconds);
            let expected: Vec<Effect> =
                story.rotation.next(now).into_iter().map(|effect| earlier(effect, by)).collect();
            assert_eq!(moved.next(now - by), expected, "{} after {seconds} s", story.rotation.stage_name());
        }
        let floored = story.rotation.clone().moved_back(by, story.now);
        assert_eq!(floored.clone().moved_back(by, story.now), floored, "no moment lies before the floor");
    }
    // The moments that decide later only.
    let observed = |by: SignedDuration| {
        let promoted = Story::planned().promoted().wait(10);
        let rotation = promoted.rotation.clone().moved_back(by, Timestamp::MIN);
        let story = Story { rotation, now: promoted.now - by };
        let last_use = used(&story, 9);
        story.then([last_use]).rest()
    };
    assert!(matches!(observed(SignedDuration::ZERO), Rest::Undecided { .. }));
    assert!(matches!(observed(by), Rest::Undecided { .. }));
}

fn earlier(effect: Effect, by: SignedDuration) -> Effect {
    match effect {
        Effect::Wait { until } => Effect::Wait { until: until - by },
        other => other,
    }
}

fn service() -> Plan {
    let probe = Some(Probe::Command(vec!["true".to_owned()]));
    Plan { probe, watch: SignedDuration::from_hours(24), ..plan() }
}

#[test]
fn nothing_is_delivered_before_the_probe_has_passed() {
    let probing = Story::of(service()).delivering();
    let probe = vec![Effect::Probe { key: new_key() }];
    assert_eq!(probing.rotation.next(probing.now), probe);
    assert!(!probing.allows(Event::Intended { intent: Intent::Deliver(0) }), "delivered without a probe");
    let failed = |error: &str| Event::ProbeFailed { error: error.to_owned() };
    let once = probing.clone().then([failed("no")]);
    assert!(matches!(once.rotation.next(once.now)[..], [Effect::Wait { .. }]), "{:?}", once.rotation);
    let passed = once.then([Event::ProbePassed]);
    assert!(
        matches!(passed.rotation.next(passed.now)[..], [Effect::Deliver { place: 0, .. }]),
        "{:?}",
        passed.rotation
    );
    let limit = usize::try_from(plan().pace.retry_limit).unwrap();
    let given_up = probing.then(vec![failed("no"); limit]);
    assert!(matches!(given_up.rotation.next(given_up.now)[..], [Effect::DeleteNew { .. }]), "{:?}", given_up.rotation);
}

#[test]
fn a_displaced_key_is_watched_before_it_is_judged() {
    let watching = Story::of(Plan { probe: None, ..service() }).promoted();
    let until = after(watching.now, SignedDuration::from_hours(24));
    assert_eq!(watching.rotation.rest(watching.now), Rest::Watching { until });
    assert!(watching.rotation.next(watching.now).is_empty());
    assert!(watching.rotation.is_unfinished(watching.now), "the user has two keys");
    assert!(!watching.rotation.is_left_over(watching.now) && !watching.rotation.is_to_be_resumed(watching.now));
    assert!(watching.rotation.is_to_be_resumed(until));
    assert_eq!(watching.rotation.next(until), vec![Effect::Observe]);
    assert!(watching.allows(Event::EvidenceWaived), "a person need not wait");
    assert!(watching.allows(Event::UndoRequested));
}

#[test]
fn what_nobody_could_read_is_not_put_back() {
    let story = Story::of(Plan { displaced_secret_unknown: true, ..plan() });
    assert!(story.clone().proving().allows(Event::UndoRequested), "nothing was delivered");
    assert!(!story.clone().delivering().allows(Event::UndoRequested));
    assert!(!story.quiet().allows(Event::UndoRequested));
}

#[test]
fn a_place_that_cannot_be_read_is_known_by_its_mark() {
    let mark = |mark: &str| Some(mark.to_owned());
    let story = Story::planned()
        .delivering()
        .intend(Intent::Deliver(0))
        .then([Event::Delivered { place: 0, mark: mark("v2") }]);
    let held = |id: Option<AccessKeyId>, mark: Option<&str>| story.rotation.sealed_key(0, &old_key(), id, mark);
    assert_eq!(held(None, Some("v2")), Some(new_key()));
    assert_eq!(held(None, Some("v3")), None, "somebody has written since");
    assert_eq!(held(Some(old_key()), Some("v3")), Some(old_key()));
    assert_eq!(held(Some(other_key()), Some("v2")), Some(other_key()), "its id says otherwise");
}
