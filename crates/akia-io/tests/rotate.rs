//! The driver against the sandbox, in one process, with a clock that a test turns: every fault at every call, a crash
//! before and after every record, undo from every stage. What the real binary would need minutes for (the quarantine
//! of a lost create, the grace of an old key) passes at once here.
//!
//! After every story the same lines must hold: each place holds a key that authenticates, no key is left that nobody
//! was told of, and no create request follows one whose outcome is unknown before its quarantine is over.

// A story awaits the SDK's futures inside the driver's: deeper than the compiler looks by default.
#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use akia_core::journal::{Attribution, Event, Intent, Record};
use akia_core::profile::FileKind;
use akia_core::rotation::{AbortReason, Decision, Pace, Place, Rest, Retirement, Rotation};
use akia_core::usage::SeenUse;
use akia_core::{AccessKeyId, ProfileName, RotationId, SecretAccessKey, ThreadId};
use akia_io::aws::{Aws, AwsError, AwsOptions, Credentials, MfaPrompt, NoCode, Target, Wallet};
use akia_io::clock::Clock;
use akia_io::files::AwsPaths;
use akia_io::keychain::NoKeychain;
use akia_io::place::Places;
use akia_io::profiles::AwsFiles;
use akia_io::rotate::{Draw, DriveError, Driver, Options, Refusal, Selection, Signers, Stop, Watch};
use akia_io::seal::{Sealed, Sealer};
use akia_io::seen::SeenUses;
use akia_io::state::{Lock, LockError, StateFolder};
use akia_io::store::{
    Appended, DatabaseAt, Entry, Hash, Head, SharedStore, SqlStore, Stage, Store, StoreError, Summary, Threads,
};
use akia_sandbox::{Call, Clock as SandboxClock, Fault, FaultKind, KeyPair, LastUsed, Propagation, Sandbox};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

const START: &str = "2026-03-01T12:00:30Z";
const QUARANTINE: SignedDuration = SignedDuration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// Runs after which a rotation without faults must have come to rest.
const RUNS: usize = 8;

const CALLS: [&str; 6] = [
    "GetCallerIdentity",
    "ListAccessKeys",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "GetAccessKeyLastUsed",
];

fn fault_kinds() -> Vec<FaultKind> {
    vec![
        FaultKind::LostAnswerBeforeCommit,
        FaultKind::LostAnswerAfterCommit,
        FaultKind::DelayedCommit(Duration::from_secs(30)),
        // Later than the quarantine waits.
        FaultKind::DelayedCommit(Duration::from_secs(75)),
        FaultKind::TruncatedAnswer,
        FaultKind::Throttle,
        FaultKind::ServerError { status: 500, committed: false },
        FaultKind::ServerError { status: 503, committed: true },
        FaultKind::Slow(Duration::from_secs(20)),
        FaultKind::InvalidClientTokenId,
        FaultKind::AccessDenied,
        FaultKind::Refuse { status: 409, code: "LimitExceeded".into(), message: "Cannot exceed quota".into() },
        FaultKind::Refuse { status: 404, code: "NoSuchEntity".into(), message: "The user cannot be found".into() },
        FaultKind::Garbage(b"<html><body>Welcome to this hotel</body></html>".to_vec()),
        FaultKind::Garbage(Vec::new()),
    ]
}

#[tokio::test]
async fn a_rotation_delivers_everywhere_and_ends_in_grace_and_the_next_run_deletes_the_old_key() {
    let world = World::new();
    let (rotation, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("happy", &rotation).await;
    let new = rotation.new_key().unwrap().to_string();
    assert_eq!(world.keys(), [(new.clone(), true), (world.old.id.clone(), false)].into());
    assert_eq!(world.held().await, [new.clone(), new.clone()]);
    assert_eq!(world.creates().len(), 1);

    world.sandbox.advance(8 * DAY);
    let (rotation, rest) = world.settle(None).await;
    assert_eq!(rest, Rest::Retired);
    assert!(rotation.is_over());
    assert_eq!(world.keys(), [(new, true)].into());
    assert!(world.staged_keys(&rotation).await.is_empty(), "the staged secrets are wiped");
}

#[tokio::test]
async fn retirement_at_once_deletes_the_old_key_and_keeping_leaves_it_active() {
    let world = World::new();
    let (_, rest) = world.rotate_with(&Options { retirement: Retirement::Delete, ..options() }).await.rested();
    assert_eq!(rest, Rest::Retired);
    assert_eq!(world.keys().len(), 1);

    let world = World::new();
    let (rotation, rest) = world.rotate_with(&Options { retirement: Retirement::Keep, ..options() }).await.rested();
    assert_eq!(rest, Rest::Kept);
    assert_eq!(world.keys().iter().filter(|(_, active)| *active).count(), 2);
    world.check("kept", &rotation).await;
}

/// Each user's past was looked up by a replay of the whole journal: fifty profiles with some hundred earlier rotations
/// took tens of thousands of reads before the first call.
#[tokio::test]
async fn a_run_over_many_users_reads_the_journal_once() {
    let world = World::new();
    let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#;
    let mut credentials = std::fs::read_to_string(world.path("credentials")).unwrap();
    for name in ["bea", "cleo", "dora"] {
        let user = world.sandbox.add_user(name, "/").unwrap();
        user.put_policy("everything", everything).unwrap();
        let key = user.add_access_key(world.sandbox.now() - 400 * DAY).unwrap();
        credentials += &format!("[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
    }
    std::fs::write(world.path("credentials"), credentials).unwrap();
    let options = Options { retirement: Retirement::Delete, ..options() };
    let users = 4;
    for run in 0..3 {
        let counter = Fuse::new(world.store().await, i64::MAX, false);
        let driver = world.driver_on(Arc::clone(&counter) as SharedStore);
        let draw = Draw::seeded(run);
        let prepared = driver.prepare(&world.files(), &Selection::All, &options, &draw).await;
        assert!(prepared.refused.is_empty(), "{:?}", prepared.refused);
        assert_eq!(prepared.rotations.len(), users);
        assert_eq!(counter.reads.load(Ordering::Relaxed), 1, "run {run}");
        for one in prepared.rotations {
            let mut rotation = driver.begin(one.plan, one.displaced_secret.as_ref(), &Silent).await.unwrap();
            assert_eq!(driver.run(&mut rotation, &never(), &Silent).await.unwrap(), Rest::Retired);
        }
    }
    assert_eq!(world.store().await.rotations().await.unwrap().len(), users * 3);
}

#[tokio::test]
async fn a_rotation_outlasts_the_delays_of_aws() {
    for seed in 0..100 {
        let world = World::built(Sandbox::builder().seed(seed).propagation(Propagation::realistic()));
        let (rotation, rest) = world.rotate().await.rested();
        assert!(matches!(rest, Rest::InGrace { .. }), "seed {seed}: {rest:?}");
        // A proof that comes too soon shows as a call that the new key, proven, is refused.
        let records = world.records(&rotation.plan().id).await;
        let proven = records.iter().position(|record| record.event == Event::RivalsAbsent).unwrap();
        let failed = records[proven..].iter().find(|record| matches!(record.event, Event::Failed { .. }));
        assert_eq!(failed, None, "seed {seed}");
        world.sandbox.advance(Duration::from_secs(60));
        world.check(&format!("seed {seed}"), &rotation).await;
    }
}

#[test]
fn the_row_of_proofs_is_longer_than_a_key_was_seen_to_flap() {
    let pace = Pace::default();
    let row = pace.proof_gap * i32::try_from(pace.proofs - 1).unwrap();
    assert!(row.unsigned_abs() > Propagation::realistic().flapping, "{row:?}");
}

/// A part of AWS that does not know the new key yet says nothing about the use of the old one.
#[tokio::test]
async fn a_new_key_that_is_refused_again_after_its_proofs_is_no_matter_for_a_person() {
    let world = World::new();
    // The first reading is the plan's, signed with the old key.
    world.sandbox.inject(Fault::on("GetAccessKeyLastUsed", FaultKind::InvalidClientTokenId).nth(2));
    let (rotation, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("refused once", &rotation).await;
}

/// Every fault of the sandbox, at every call that a rotation makes.
#[tokio::test]
async fn no_fault_at_any_call_loses_a_key() {
    let clean = World::new();
    clean.rotate().await.rested();
    let made = |action: &str| clean.sandbox.log().iter().filter(|call| call.action == action).count();
    let mut stories = 0;
    for action in CALLS {
        for kind in fault_kinds() {
            for nth in 1..=made(action).max(1) {
                let world = World::new();
                let fault = Fault::on(action, kind.clone()).nth(nth.try_into().unwrap());
                world.sandbox.inject(fault);
                world.survives(&format!("{kind:?} at {action} {nth}")).await;
                stories += 1;
            }
        }
    }
    assert!(stories > 150, "{stories} stories");
}

/// The same, with a service that stays broken until somebody runs `akia resume`.
#[tokio::test]
async fn a_service_that_stays_broken_is_waited_for_and_resumed() {
    for action in CALLS {
        for kind in fault_kinds() {
            for nth in [1, 3] {
                let world = World::new();
                world.sandbox.inject(Fault::on(action, kind.clone()).nth(nth).always());
                world.survives(&format!("{kind:?} at every {action} from {nth} on")).await;
            }
        }
    }
}

/// A kill before and after each record of the journal; then another process takes the rotation up.
#[tokio::test]
async fn a_kill_around_any_record_is_recovered_from() {
    for retirement in [Retirement::Deactivate, Retirement::Delete] {
        let options = Options { retirement, ..options() };
        let records = World::new().count_records(&options).await;
        for at in 1..=records {
            for after in [false, true] {
                let world = World::new();
                let story = format!("{retirement:?}, killed {} record {at}", if after { "after" } else { "before" });
                world.rotate_and_crash(&options, at, after).await;
                world.recovers(&story).await;
            }
        }
    }
}

/// A kill at any point at which the program waits for anything: files, the network, the journal.
/// SQLite reports that the folder could not be synced after the commit is done.
#[tokio::test]
async fn a_record_that_the_store_wrote_and_denied_is_not_written_twice() {
    let count = World::new().count_records(&options()).await;
    for at in 1..=count {
        for after in [true, false] {
            let world = World::new();
            let fuse = Fuse::new(world.store().await, at, after);
            let fuse = Arc::new(Fuse { lies: true, ..Arc::into_inner(fuse).unwrap() });
            let (rotation, rest) = world.rotate_on(fuse, &options(), &Silent).await.rested();
            assert!(matches!(rest, Rest::InGrace { .. }), "record {at}, written {after}: {rest:?}");
            world.check(&format!("record {at}"), &rotation).await;
            assert_eq!(Rotation::replay(&world.records(&rotation.plan().id).await).unwrap(), rotation);
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_wait_is_recovered_from() {
    for polls in 1..=150 {
        let world = World::new();
        let finished = {
            let options = options();
            let mut run = pin!(world.rotate_with(&options));
            let mut left = polls;
            std::future::poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                run.as_mut().poll(context).map(Some)
            })
            .await
        };
        if let Some(outcome) = finished {
            outcome.rested();
            return;
        }
        // Work on another thread goes on for a moment where a kill would have ended it.
        tokio::time::sleep(Duration::from_millis(15)).await;
        world.recovers(&format!("killed at wait {polls}")).await;
    }
}

#[tokio::test]
async fn undo_leads_back_from_every_stage() {
    for retirement in [Retirement::Deactivate, Retirement::Keep] {
        let options = Options { retirement, ..options() };
        let records = World::new().count_records(&options).await;
        for at in 1..=records {
            let world = World::new();
            let story = format!("{retirement:?}, undone after record {at}");
            world.rotate_and_crash(&options, at, true).await;
            let driver = world.driver().await;
            let mut rotation = world.latest(&driver).await.unwrap();
            if rotation.clone().apply(&Record { at: world.now(), event: Event::UndoRequested }).is_err() {
                // Whether a key was made is not known: that is found out first.
                drop(driver);
                rotation = world.settle(None).await.0;
            }
            let driver = world.driver().await;
            if rotation.is_over() {
                continue;
            }
            driver.record(&mut rotation, Event::UndoRequested, None, &Silent).await.unwrap();
            let rest = driver.run(&mut rotation, &never(), &Silent).await.unwrap();
            assert!(
                matches!(rest, Rest::Undone { .. } | Rest::UndoneAndClean | Rest::Aborted { why: AbortReason::Undone }),
                "{story}: {rest:?}"
            );
            world.check(&story, &rotation).await;
            assert_eq!(world.held().await, [world.old.id.clone(), world.old.id.clone()], "{story}");
            world.sandbox.advance(8 * DAY);
            let (rotation, _) = world.settle(None).await;
            assert_eq!(world.keys(), [(world.old.id.clone(), true)].into(), "{story}: only the old key is left");
            assert!(rotation.is_over(), "{story}");
        }
    }
}

#[tokio::test]
async fn a_kill_during_undo_is_recovered_from() {
    for at in 1..=14 {
        for after in [false, true] {
            let world = World::new();
            let (mut rotation, _) = world.rotate().await.rested();
            let fuse = Fuse::new(world.store().await, at, after);
            let driver = world.driver_on(Arc::clone(&fuse) as SharedStore);
            let blown = {
                let undo = async {
                    driver.record(&mut rotation, Event::UndoRequested, None, &Silent).await.unwrap();
                    driver.run(&mut rotation, &never(), &Silent).await.unwrap()
                };
                tokio::select! { _ = undo => false, () = fuse.blown.notified() => true }
            };
            let driver = world.driver().await;
            let mut rotation = world.latest(&driver).await.unwrap();
            if blown && !rotation.is_being_undone() && matches!(rotation.rest(world.now()), Rest::InGrace { .. }) {
                driver.record(&mut rotation, Event::UndoRequested, None, &Silent).await.unwrap();
            }
            let (rotation, rest) = world.settle(None).await;
            let story = format!("undo killed {} record {at}", if after { "after" } else { "before" });
            assert!(matches!(rest, Rest::Undone { .. }), "{story}: {rest:?}");
            world.check(&story, &rotation).await;
            assert_eq!(world.held().await, [world.old.id.clone(), world.old.id.clone()], "{story}");
        }
    }
}

#[tokio::test]
async fn a_lost_create_that_made_a_key_is_attributed_by_cloudtrail_and_the_key_deleted() {
    let world = World::new();
    world.allow_cloudtrail();
    world.sandbox.inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerAfterCommit));
    let (rotation, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("attributed", &rotation).await;
    assert_eq!(world.creates().len(), 2);
    assert_eq!(world.keys().len(), 2, "the old key and the new one; the orphan is gone");
}

#[tokio::test]
async fn without_cloudtrail_a_person_decides_whose_key_a_lost_create_left() {
    for delete in [true, false] {
        let world = World::new();
        world.sandbox.inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerAfterCommit));
        let (rotation, rest) = world.rotate().await.rested();
        let Rest::Undecided { decision: Decision::Orphans { keys } } = &rest else { panic!("{rest:?}") };
        let orphan = world.keys().into_iter().map(|(id, _)| id).find(|id| *id != world.old.id).unwrap();
        assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), std::slice::from_ref(&orphan));
        assert_eq!(world.creates().len(), 1, "nothing is created while that is open");
        world.check("orphan reported", &rotation).await;

        let event = if delete {
            Event::OrphanAttributed { key: orphan.parse().unwrap(), evidence: Attribution::Person }
        } else {
            Event::OrphanDisowned
        };
        let (rotation, rest) = world.settle(Some(event)).await;
        if delete {
            assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
            assert!(world.keys().iter().all(|(id, _)| *id != orphan));
        } else {
            assert_eq!(rest, Rest::Aborted { why: AbortReason::NoRoom });
            assert!(world.keys().contains(&(orphan, true)), "somebody else's key is left alone");
            assert!(rotation.is_over());
        }
    }
}

#[tokio::test]
async fn a_lost_create_that_made_nothing_is_tried_again_after_the_quarantine() {
    let world = World::new();
    world.sandbox.inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerBeforeCommit));
    let (rotation, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("lost before commit", &rotation).await;
    let creates = world.creates();
    assert_eq!(creates.len(), 2);
    assert!(creates[1].at.duration_since(creates[0].at) >= QUARANTINE);
}

/// The key that such an answer names was taken for one whose secret cannot be kept, and deleted: it was the old key,
/// which every place holds.
#[tokio::test]
async fn an_answer_that_names_the_old_key_as_the_new_one_does_not_delete_it() {
    let world = World::new();
    world.allow_cloudtrail();
    let answer = format!(
        "<CreateAccessKeyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateAccessKeyResult><AccessKey>\
         <UserName>ann</UserName><AccessKeyId>{}</AccessKeyId><Status>Active</Status>\
         <SecretAccessKey>another+secret</SecretAccessKey></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>",
        world.old.id
    );
    world.sandbox.inject(Fault::on("CreateAccessKey", FaultKind::Garbage(answer.into_bytes())));
    let (rotation, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("old key named", &rotation).await;
    assert_eq!(world.creates().len(), 2, "what the first one made is found, and deleted");
    assert!(world.keys().contains(&(world.old.id.clone(), false)), "{:?}", world.keys());
    assert_eq!(world.keys().len(), 2);
}

#[tokio::test]
async fn nothing_is_begun_or_sent_where_nobody_has_allowed_changes() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("config")).unwrap();
    let here = format!("{config}[profile a]\nendpoint_url = http://127.0.0.1:1\n");
    let planted = format!("{config}[profile a]\nendpoint_url = https://keys.example\n");
    std::fs::write(world.path("config"), &planted).unwrap();
    let Done::Refused(refusal) = world.rotate().await else { panic!("it was not refused") };
    assert!(refusal.needs_decision());
    let text = refusal.to_string();
    assert!(text.contains("keys.example, which endpoint_url of profile \"a\" names"), "{text}");
    assert!(refusal.next_steps().iter().any(|step| step.contains("--allow-endpoint keys.example")));
    assert!(world.sandbox.log().is_empty(), "not even a question is sent");

    // The mounted sandbox answers for every host.
    std::fs::write(world.path("config"), &here).unwrap();
    world.rotate().await.rested();
    let mut aws = AwsOptions { http: Some(SharedHttpClient::new(world.sandbox.connector())), ..AwsOptions::default() };
    aws.time = Some(world.sandbox.time_source());
    let target = Target { endpoint_url: "https://keys.example".parse().ok(), ..Target::default() };
    let change = |aws: &AwsOptions| {
        let secret = SecretAccessKey::parse(world.old.secret.clone()).unwrap_or_else(|error| panic!("{error}"));
        let credentials = Credentials::for_key(world.old.id.parse().unwrap(), secret);
        Aws::new(aws.clone()).caller(credentials, target.clone())
    };
    world.sandbox.clear_log();
    let (user, key) = ("ann".parse().unwrap(), world.old.id.parse().unwrap());
    let caller = change(&aws);
    for error in [
        caller.create_access_key(&user, "n").await.err(),
        caller.update_access_key(&user, &key, akia_core::KeyStatus::Active).await.err(),
        caller.delete_access_key(&user, &key).await.err(),
        caller.prove().await.err(),
    ] {
        let error = error.unwrap();
        assert!(matches!(error, AwsError::ForeignEndpoint { .. }) && error.outcome_is_known(), "{error}");
    }
    assert!(world.sandbox.log().is_empty(), "{:?}", world.sandbox.log());
    aws.allowed_endpoints = vec!["keys.example".parse().unwrap()];
    // The key is inactive by now, so that the sandbox refuses: it was asked.
    assert!(matches!(change(&aws).prove().await.err(), Some(AwsError::InvalidClientTokenId { .. })));
    assert_eq!(world.sandbox.log().len(), 1);
}

#[tokio::test]
async fn a_key_that_appears_after_the_quarantine_is_taken_for_ours_or_reported_and_never_doubled() {
    let world = World::new();
    let late = FaultKind::DelayedCommit(Duration::from_secs(61));
    world.sandbox.inject(Fault::on("CreateAccessKey", late));
    let (rotation, rest) = world.rotate().await.rested();
    world.check("late commit", &rotation).await;
    assert!(matches!(rest, Rest::Undecided { decision: Decision::Orphans { .. } } | Rest::InGrace { .. }), "{rest:?}");
}

#[tokio::test]
async fn an_old_key_in_use_after_promotion_is_not_deactivated_until_a_person_says_so() {
    let world = World::new();
    let watch = WhenPromoted { sandbox: world.sandbox.clone(), key: world.old.id.clone() };
    let (rotation, rest) = world.rotate_watched(&options(), &watch).await.rested();
    let Rest::Undecided { decision: Decision::StillUsed { last_used } } = &rest else { panic!("{rest:?}") };
    assert!(matches!(last_used, akia_core::LastUsed::At { service, .. } if service == "s3"));
    assert!(world.keys().contains(&(world.old.id.clone(), true)), "the old key stays active");
    world.check("still used", &rotation).await;
    let (_, rest) = world.settle(Some(Event::EvidenceWaived)).await;
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    assert!(world.keys().contains(&(world.old.id.clone(), false)));
}

/// Logs that say the same of every key.
struct Logs(Result<Option<SeenUse>, String>);

impl SeenUses for Logs {
    fn since<'a>(&'a self, _key: &'a AccessKeyId, since: Timestamp) -> BoxFuture<'a, Result<Option<SeenUse>, String>> {
        let seen = self.0.clone().map(|seen| seen.filter(|seen| seen.at > since));
        Box::pin(std::future::ready(seen))
    }
}

#[tokio::test]
async fn a_use_that_only_logs_show_keeps_the_old_key_active_and_logs_that_show_none_decide_nothing() {
    let seen = |at: Timestamp| SeenUse {
        at,
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
        calls: 1,
        users: Vec::new(),
    };
    let later = |world: &World| world.sandbox.now() + jiff::SignedDuration::from_hours(1);
    for (name, is_held, said) in [
        ("later", true, &(|world: &World| Ok(Some(seen(later(world))))) as &dyn Fn(&World) -> _),
        ("before", false, &|world: &World| Ok(Some(seen(world.sandbox.now())))),
        ("none", false, &|_| Ok(None)),
        ("unreadable", false, &|_| Err("broken".to_owned())),
    ] {
        let world = World::new();
        *world.logs.lock().unwrap() = Some(Arc::new(Logs(said(&world))));
        let (rotation, rest) = world.rotate().await.rested();
        let held = matches!(
            &rest,
            Rest::Undecided { decision: Decision::StillUsed { last_used: akia_core::LastUsed::At { service, .. } } } if service == "s3"
        );
        assert_eq!(
            (held, world.keys().contains(&(world.old.id.clone(), true))),
            (is_held, is_held),
            "{name}: {rest:?}"
        );
        world.check(name, &rotation).await;
    }
}

#[tokio::test]
async fn an_old_key_whose_use_cannot_be_read_is_not_deactivated() {
    let world = World::new();
    world.sandbox.inject(Fault::on("GetAccessKeyLastUsed", FaultKind::AccessDenied).always());
    let (rotation, rest) = world.rotate().await.rested();
    assert!(
        matches!(
            &rest,
            Rest::Undecided { decision: Decision::StillUsed { last_used: akia_core::LastUsed::Unknown { .. } } }
        ),
        "{rest:?}"
    );
    assert!(world.keys().contains(&(world.old.id.clone(), true)));
    world.check("unknown use", &rotation).await;
}

#[tokio::test]
async fn a_rival_machine_makes_us_delete_our_key_and_stop() {
    let world = World::built(Sandbox::builder().seed(7).racy_quota(Duration::from_secs(3600)));
    let watch = WhenCreated { sandbox: world.sandbox.clone() };
    let (rotation, rest) = world.rotate_watched(&options(), &watch).await.rested();
    assert!(matches!(rest, Rest::Aborted { why: AbortReason::Rival { .. } }), "{rest:?}");
    assert!(rotation.is_over());
    assert_eq!(world.held().await, [world.old.id.clone(), world.old.id.clone()]);
    assert_eq!(world.keys().len(), 2, "the old key and the rival's");
}

#[tokio::test]
async fn a_place_that_somebody_else_rewrote_is_left_alone_and_said_so() {
    let world = World::new();
    let path = world.path("config");
    let watch = Rewrite { path: path.clone() };
    let (rotation, rest) = world.rotate_watched(&options(), &watch).await.rested();
    let Rest::Interrupted { error } = &rest else { panic!("{rest:?}") };
    assert!(error.contains("AKIAIOSFODNN7EXAMPLE"), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("AKIAIOSFODNN7EXAMPLE"), "their key is still there");
    assert!(world.keys().contains(&(world.old.id.clone(), true)), "the old key stays active");
    assert!(rotation.new_key().is_some(), "the new key is known to the journal");
}

/// Place 1 of the plan is the profile in the config file, which `Rewrite` gives another key.
const THEIRS: usize = 1;

#[tokio::test]
async fn a_rotation_goes_on_without_a_place_that_a_person_left() {
    let world = World::new();
    let path = world.path("config");
    let (_, rest) = world.rotate_watched(&options(), &Rewrite { path: path.clone() }).await.rested();
    assert!(matches!(rest, Rest::Interrupted { .. }), "{rest:?}");
    let (rotation, rest) = world.settle(Some(Event::PlaceLeft { place: THEIRS })).await;
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    let new = rotation.new_key().unwrap().to_string();
    assert_eq!(world.held().await, [new.clone(), "AKIAIOSFODNN7EXAMPLE".to_owned()]);
    assert_eq!(world.keys(), [(new.clone(), true), (world.old.id.clone(), false)].into());

    // Their key is another user's, and stands first: it signs nothing of this rotation.
    let text = std::fs::read_to_string(&path).unwrap().replace("[profile b]", "[a]");
    std::fs::write(world.path("credentials"), text).unwrap();
    world.sandbox.advance(8 * DAY);
    let (_, rest) = world.settle(None).await;
    assert_eq!(rest, Rest::Retired);
    assert_eq!(world.keys(), [(new, true)].into());
}

#[tokio::test]
async fn a_place_that_was_left_and_holds_the_old_key_again_gets_the_new_one_before_the_old_is_shut() {
    let world = World::new();
    let path = world.path("config");
    let with_old = std::fs::read_to_string(&path).unwrap();
    world.rotate_watched(&options(), &Rewrite { path: path.clone() }).await.rested();
    let driver = world.driver().await;
    let mut rotation = world.latest(&driver).await.unwrap();
    driver.record(&mut rotation, Event::PlaceLeft { place: THEIRS }, None, &Silent).await.unwrap();
    std::fs::write(&path, with_old).unwrap();
    let (rotation, rest) = world.settle(None).await;
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("left and back", &rotation).await;
    let new = rotation.new_key().unwrap().to_string();
    assert_eq!(world.held().await, [new.clone(), new]);
}

#[tokio::test]
async fn the_last_place_cannot_be_left_and_the_rotation_can_be_undone() {
    let world = World::new();
    world.rotate_watched(&options(), &Rewrite { path: world.path("config") }).await.rested();
    let driver = world.driver().await;
    let mut rotation = world.latest(&driver).await.unwrap();
    driver.record(&mut rotation, Event::PlaceLeft { place: THEIRS }, None, &Silent).await.unwrap();
    let error = driver.record(&mut rotation, Event::PlaceLeft { place: 0 }, None, &Silent).await.unwrap_err();
    assert!(matches!(error, DriveError::Illegal { .. }), "{error}");
    let (_, rest) = world.settle(Some(Event::UndoRequested)).await;
    assert!(matches!(rest, Rest::Undone { .. }), "{rest:?}");
    assert_eq!(world.held().await, [world.old.id.clone(), "AKIAIOSFODNN7EXAMPLE".to_owned()]);
    assert!(world.keys().contains(&(world.old.id.clone(), true)));
}

#[tokio::test]
async fn a_place_with_the_new_id_and_the_old_secret_is_mended_before_the_old_key_is_shut() {
    let world = World::new();
    let merge = Merge { path: world.path("config"), old_secret: world.old.secret.clone() };
    let (rotation, rest) = world.rotate_watched(&options(), &merge).await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("merged line by line", &rotation).await;
}

#[tokio::test]
async fn an_undo_looks_at_every_place_again_before_the_new_key_is_shut() {
    let world = World::new();
    let (_, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    // A program that read the file before the undo writes it, with the new key in it, right after.
    let stale = Stale { path: world.path("config"), text: std::fs::read_to_string(world.path("config")).unwrap() };
    let driver = world.driver().await;
    let mut rotation = world.latest(&driver).await.unwrap();
    driver.record(&mut rotation, Event::UndoRequested, None, &Silent).await.unwrap();
    let rest = driver.run(&mut rotation, &never(), &stale).await.unwrap();
    assert!(matches!(rest, Rest::Undone { .. }), "{rest:?}");
    world.check("stale writer", &rotation).await;
    assert_eq!(world.held().await, [world.old.id.clone(), world.old.id.clone()]);
}

/// Found by the simulation: the SDK sent a deactivation again after a lost answer, and its first copy took effect after the
/// undo had put the old key back everywhere.
#[tokio::test]
async fn a_deactivation_that_is_taken_in_late_does_not_lock_an_undo_out() {
    let world = World::new();
    let late = FaultKind::DelayedCommit(Duration::from_secs(17));
    // The first one is the question whether it would be allowed.
    world.sandbox.inject(Fault::on("UpdateAccessKey", late).nth(2));
    let (_, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    let (rotation, rest) = world.settle(Some(Event::UndoRequested)).await;
    assert!(matches!(rest, Rest::Undone { .. }), "{rest:?}");
    world.sandbox.advance(Duration::from_secs(60));
    world.check("the late copy has arrived", &rotation).await;
    assert_eq!(world.held().await, [world.old.id.clone(), world.old.id.clone()]);
}

/// Whoever signs with the new key sees that it is shut; an admin has to look.
#[tokio::test]
async fn under_an_admin_the_old_key_is_not_shut_while_the_new_one_is() {
    let world = World::new();
    let options = options();
    let shut = ShutNew(world.sandbox.clone());
    let done = world.rotate_as(&world.admin(), &options, &shut).await;
    let (rotation, rest) = done.rested();
    let new = rotation.new_key().unwrap().to_string();
    let Rest::Interrupted { error } = &rest else { panic!("{rest:?}") };
    assert!(error.contains(&format!("key {new} is not active")), "{error}");
    assert_eq!(world.keys(), [(world.old.id.clone(), true), (new.clone(), false)].into());

    world.sandbox.account().user("ann").unwrap().set_key_active(&new, true).unwrap();
    let (rotation, rest) = world.settle(None).await;
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    world.check("activated again", &rotation).await;

    // The way back looks as well.
    let driver = world.driver().await;
    let mut rotation = world.latest(&driver).await.unwrap();
    driver.record(&mut rotation, Event::UndoRequested, None, &Silent).await.unwrap();
    let rest =
        driver.run(&mut rotation, &never(), &ShutOld(world.sandbox.clone(), world.old.id.clone())).await.unwrap();
    let Rest::Interrupted { error } = &rest else { panic!("{rest:?}") };
    assert!(error.contains(&format!("key {} is not active", world.old.id)), "{error}");
    assert!(world.keys().contains(&(new, true)));
}

#[tokio::test]
async fn a_place_that_got_another_key_after_the_end_is_told_of() {
    let world = World::new();
    let path = world.path("config");
    let (rotation, rest) = world.rotate().await.rested();
    assert!(matches!(rest, Rest::InGrace { .. }), "{rest:?}");
    let new = rotation.new_key().unwrap().clone();
    let driver = world.driver().await;
    assert_eq!(driver.strays(&rotation, &new).await, []);
    let ours = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, ours.replace(new.as_str(), "AKIAIOSFODNN7EXAMPLE")).unwrap();
    let strays = driver.strays(&rotation, &new).await;
    assert_eq!(strays.len(), 1);
    assert_eq!(strays[0].place.label(), "b");
    assert_eq!(strays[0].held, Some("AKIAIOSFODNN7EXAMPLE".parse().unwrap()));

    // A later rotation takes the key out of its places by right.
    std::fs::write(&path, ours).unwrap();
    world.sandbox.advance(8 * DAY);
    world.settle(None).await;
    let second = world.rotate().await;
    assert!(matches!(&second, Done::Rested(_, Rest::InGrace { .. })), "{}", second.words());
    let first = driver.load(&rotation.plan().id).await.unwrap();
    assert_eq!(first.rest(world.now()), Rest::Retired);
    assert_eq!(driver.strays(&first, &new).await, []);
}

#[tokio::test]
async fn somebody_who_activates_the_old_key_in_its_grace_keeps_it() {
    let world = World::new();
    world.rotate().await.rested();
    world.sandbox.account().user("ann").unwrap().set_key_active(&world.old.id, true).unwrap();
    world.sandbox.advance(8 * DAY);
    let (_, rest) = world.settle(None).await;
    assert_eq!(rest, Rest::Undecided { decision: Decision::Reactivated });
    assert!(world.keys().contains(&(world.old.id.clone(), true)));
}

#[tokio::test]
async fn an_unfinished_rotation_is_named_before_anything_else_stands_in_the_way() {
    let world = World::new();
    let options = options();
    let records = world.count_records(&options).await;
    for at in 2..records {
        let world = World::new();
        world.rotate_and_crash(&options, at, true).await;
        let driver = world.driver().await;
        let unfinished = world.latest(&driver).await.unwrap();
        if matches!(unfinished.rest(world.now()), Rest::InGrace { .. }) {
            continue;
        }
        let refusal = match world.rotate().await {
            Done::Refused(refusal) => refusal,
            Done::Rested(rotation, rest) => panic!("record {at}: {rest:?} of {:?}", rotation.plan().id),
            Done::Stopped(error) => panic!("record {at}: {error}"),
        };
        let Refusal::Unfinished { rotation, .. } = &refusal else { panic!("record {at}: {refusal}") };
        assert_eq!(*rotation, unfinished.plan().id);
    }
}

#[tokio::test]
async fn a_key_that_came_into_use_is_not_deleted_to_make_room() {
    let world = World::new();
    let ann = world.sandbox.account().user("ann").unwrap();
    let spare = ann.add_access_key(world.now() - 100 * DAY).unwrap();
    let options = Options { make_room: vec![spare.id.parse().unwrap()], ..options() };
    let used = LastUsed { at: world.now(), service: "s3".into(), region: "eu-west-1".into() };
    let watch = WhenPlanned { sandbox: world.sandbox.clone(), key: spare.id.clone(), used };
    let outcome = world.rotate_watched(&options, &watch).await;
    assert!(world.keys().contains(&(spare.id.clone(), true)), "a key in use is not deleted: {}", outcome.words());
}

/// It was over, so nothing was left to resume, and its sealed secrets stayed in the state folder for good.
#[tokio::test]
async fn a_kill_right_before_the_secrets_are_wiped_leaves_something_to_resume() {
    let options = Options { retirement: Retirement::Delete, ..options() };
    let records = World::new().count_records(&options).await;
    let world = World::new();
    world.rotate_and_crash(&options, records - 1, true).await;
    let rotation = world.latest(&world.driver().await).await.unwrap();
    assert_eq!(rotation.rest(world.now()), Rest::Retired);
    assert!(!rotation.is_unfinished(world.now()), "another rotation may begin");
    assert!(rotation.is_to_be_resumed(world.now()));
    let (rotation, _) = world.settle(None).await;
    assert!(!rotation.is_to_be_resumed(world.now()));
    assert!(world.staged_keys(&rotation).await.is_empty());
}

#[tokio::test]
async fn two_keys_of_one_user_are_never_taken_for_another_akia_at_work() {
    let world = World::new();
    let second = world.sandbox.account().user("ann").unwrap().add_access_key(world.now()).unwrap();
    let mut text = std::fs::read_to_string(world.path("credentials")).unwrap();
    text += &format!("[second]\naws_access_key_id = {}\naws_secret_access_key = {}\n", second.id, second.secret);
    std::fs::write(world.path("credentials"), text).unwrap();
    let driver = world.driver().await;
    for _ in 0..10 {
        let draw = Draw::seeded(13);
        let prepared = driver.prepare(&world.files(), &Selection::All, &options(), &draw).await;
        assert_eq!(prepared.refused.len(), 2);
        for refused in &prepared.refused {
            assert!(matches!(refused.refusal, Refusal::TwoProfilesTwoKeys { .. }), "{}", refused.refusal);
        }
    }
}

// ---- The world.

/// A sandbox, a user with an old key in a profile of each file, and a state folder.
struct World {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    old: KeyPair,
    /// Who has seen keys in use, beside AWS.
    logs: Mutex<Option<Arc<dyn SeenUses>>>,
}

/// How a run ended.
enum Done {
    Refused(Refusal),
    Rested(Box<Rotation>, Rest),
    Stopped(DriveError),
}

impl Done {
    fn rested(self) -> (Rotation, Rest) {
        match self {
            Self::Rested(rotation, rest) => (*rotation, rest),
            Self::Refused(refusal) => panic!("refused: {refusal}"),
            Self::Stopped(error) => panic!("stopped: {error}"),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Rested(_, rest) => format!("{rest:?}"),
            Self::Refused(refusal) => format!("refused: {refusal}"),
            Self::Stopped(error) => format!("stopped: {error}"),
        }
    }
}

fn options() -> Options {
    Options {
        retirement: Retirement::Deactivate,
        grace: SignedDuration::from_hours(7 * 24),
        older_than: None,
        make_room: Vec::new(),
        region: None,
        without_evidence: false,
        pace: Pace::default(),
    }
}

impl World {
    fn new() -> Self {
        Self::built(Sandbox::builder().seed(7))
    }

    fn built(builder: akia_sandbox::Builder) -> Self {
        let sandbox = builder.clock(SandboxClock::Manual(START.parse().unwrap())).build();
        let ann = sandbox.add_user("ann", "/").unwrap();
        let actions = ["Create", "Delete", "List", "Update"].map(|verb| match verb {
            "List" => "\"iam:ListAccessKeys\"".to_owned(),
            verb => format!("\"iam:{verb}AccessKey\""),
        });
        let actions = format!("{},\"iam:GetAccessKeyLastUsed\"", actions.join(","));
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":[{actions}],
            "Resource":"arn:aws:iam::*:user/${{aws:username}}"}}}}"#
        );
        ann.put_policy("own-keys", &policy).unwrap();
        let old = ann.add_access_key(sandbox.now() - 400 * DAY).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pair = format!("aws_access_key_id = {}\naws_secret_access_key = {}\n", old.id, old.secret);
        std::fs::write(folder.path().join("credentials"), format!("# mine\n[a]\n{pair}")).unwrap();
        std::fs::write(folder.path().join("config"), format!("[profile b]\n{pair}region = eu-west-1\n")).unwrap();
        Self { sandbox, folder, old, logs: Mutex::default() }
    }

    fn allow_cloudtrail(&self) {
        let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cloudtrail:LookupEvents","Resource":"*"}}"#;
        self.sandbox.account().user("ann").unwrap().put_policy("trail", policy).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn now(&self) -> Timestamp {
        self.sandbox.now()
    }

    fn state(&self) -> StateFolder {
        StateFolder::open(&self.path("state")).unwrap()
    }

    fn files(&self) -> AwsFiles {
        AwsFiles::load(AwsPaths { credentials: self.path("credentials"), config: self.path("config") }).unwrap()
    }

    async fn store(&self) -> SharedStore {
        Arc::new(SqlStore::open(&self.state()).await.unwrap())
    }

    /// Everything anew from what is on the disk: another process.
    async fn driver(&self) -> Driver {
        self.driver_on(self.store().await)
    }

    fn driver_on(&self, store: SharedStore) -> Driver {
        let state = self.state();
        let (credentials, config) = self.files().both();
        Driver {
            aws: self.aws(),
            store,
            sealer: Arc::new(Sealer::open(&state, || Err(no_keychain())).unwrap()),
            places: Arc::new(Places::new(state, || Err(no_keychain()))),
            clock: Arc::new(Turned(self.sandbox.clone())),
            signers: Arc::new(Signers::new(Wallet::new(credentials, config, Box::new(NoDevice)))),
            seen: self.logs.lock().unwrap().clone(),
        }
    }

    fn aws(&self) -> Aws {
        Aws::new(AwsOptions {
            http: Some(SharedHttpClient::new(self.sandbox.connector())),
            time: Some(self.sandbox.time_source()),
            initial_backoff: Duration::from_millis(1),
            ..AwsOptions::default()
        })
    }

    async fn rotate(&self) -> Done {
        self.rotate_with(&options()).await
    }

    async fn rotate_with(&self, options: &Options) -> Done {
        self.rotate_watched(options, &Silent).await
    }

    async fn rotate_watched(&self, options: &Options, watch: &dyn Watch) -> Done {
        self.rotate_on(self.store().await, options, watch).await
    }

    /// What `akia rotate -p a` does.
    async fn rotate_on(&self, store: SharedStore, options: &Options, watch: &dyn Watch) -> Done {
        let selection = Selection::Profiles(vec!["a".parse::<ProfileName>().unwrap()]);
        self.rotate_selected(store, &selection, options, watch).await
    }

    /// Writes a profile of somebody who may do everything, and names ann to be rotated with it.
    fn admin(&self) -> Selection {
        let boss = self.sandbox.add_user("boss", "/").unwrap();
        let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        boss.put_policy("everything", everything).unwrap();
        let key = boss.add_access_key(self.sandbox.now() - DAY).unwrap();
        let mut text = std::fs::read_to_string(self.path("credentials")).unwrap();
        text += &format!("[boss]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
        std::fs::write(self.path("credentials"), text).unwrap();
        Selection::User { user: "ann".parse().unwrap(), signer: "boss".parse().unwrap() }
    }

    async fn rotate_as(&self, selection: &Selection, options: &Options, watch: &dyn Watch) -> Done {
        self.rotate_selected(self.store().await, selection, options, watch).await
    }

    async fn rotate_selected(
        &self,
        store: SharedStore,
        selection: &Selection,
        options: &Options,
        watch: &dyn Watch,
    ) -> Done {
        let driver = self.driver_on(store);
        let draw = Draw::seeded(11 + u64::try_from(driver.store.rotations().await.unwrap().len()).unwrap());
        let prepared = driver.prepare(&self.files(), selection, options, &draw).await;
        if let Some(refused) = prepared.refused.into_iter().next() {
            return Done::Refused(refused.refusal);
        }
        let one = prepared.rotations.into_iter().next().unwrap();
        let mut rotation = match driver.begin(one.plan, one.displaced_secret.as_ref(), watch).await {
            Ok(rotation) => rotation,
            Err(error) => return Done::Stopped(error),
        };
        match driver.run(&mut rotation, &never(), watch).await {
            Ok(rest) => Done::Rested(Box::new(rotation), rest),
            Err(error) => Done::Stopped(error),
        }
    }

    async fn count_records(&self, options: &Options) -> i64 {
        let (rotation, _) = self.rotate_with(options).await.rested();
        i64::try_from(self.records(&rotation.plan().id).await.len()).unwrap()
    }

    /// The same, and the process dies around a record.
    async fn rotate_and_crash(&self, options: &Options, at: i64, after: bool) {
        let fuse = Fuse::new(self.store().await, at, after);
        let store = Arc::clone(&fuse) as SharedStore;
        tokio::select! {
            outcome = self.rotate_on(store, options, &Silent) => panic!("no crash: {}", outcome.words()),
            () = fuse.blown.notified() => {}
        }
    }

    /// The latest rotation as the journal says.
    async fn latest(&self, driver: &Driver) -> Option<Rotation> {
        let id = driver.store.rotations().await.unwrap().pop()?.rotation;
        Some(driver.load(&id).await.unwrap())
    }

    /// What `akia resume` does until the rotation rests, with a person's decision where one is given.
    async fn settle(&self, mut decision: Option<Event>) -> (Rotation, Rest) {
        let mut rested = None;
        for _ in 0..RUNS {
            let driver = self.driver().await;
            let mut rotation = self.latest(&driver).await.unwrap_or_else(|| panic!("no rotation in the journal"));
            driver.record(&mut rotation, Event::Resumed, None, &Silent).await.unwrap();
            if let Some(event) = decision.take() {
                driver.record(&mut rotation, event, None, &Silent).await.unwrap();
            }
            let rest = driver.run(&mut rotation, &never(), &Silent).await.unwrap_or_else(|error| panic!("{error}"));
            let again = matches!(rest, Rest::Busy | Rest::Interrupted { .. });
            rested = Some((rotation, rest));
            if !again {
                break;
            }
        }
        rested.unwrap()
    }

    /// A run with faults, then one without: done, given up, or a person asked; and nothing lost at any time.
    async fn survives(&self, story: &str) {
        let first = self.rotate().await;
        self.sandbox.clear_faults();
        // What was delayed happens now at the latest.
        self.sandbox.advance(Duration::from_secs(120));
        match first {
            Done::Refused(_) => {
                assert_eq!(self.held().await, [self.old.id.clone(), self.old.id.clone()], "{story}");
                assert_eq!(
                    self.keys(),
                    [(self.old.id.clone(), true)].into(),
                    "{story}: refused, so nothing was changed"
                );
            }
            Done::Stopped(error) => panic!("{story}: {error}"),
            Done::Rested(rotation, rest) => {
                if !matches!(rest, Rest::Busy | Rest::Interrupted { .. }) {
                    self.check(story, &rotation).await;
                }
                self.recovers(story).await;
            }
        }
    }

    /// Another process takes up what it finds, answers what it is asked, and ends with everything in order.
    async fn recovers(&self, story: &str) {
        let driver = self.driver().await;
        let Some(rotation) = self.latest(&driver).await else {
            assert_eq!(self.keys(), [(self.old.id.clone(), true)].into(), "{story}: nothing planned, nothing done");
            return;
        };
        let rest = rotation.rest(self.now());
        let (mut rotation, mut rest) = if rotation.is_over() {
            (rotation, rest)
        } else {
            drop(driver);
            self.settle(None).await
        };
        for _ in 0..4 {
            self.check(story, &rotation).await;
            let event = match &rest {
                Rest::Undecided { decision: Decision::Orphans { keys } } => {
                    let key = keys.iter().next().unwrap().clone();
                    Event::OrphanAttributed { key, evidence: Attribution::Person }
                }
                Rest::Undecided { decision: Decision::StillUsed { .. } } => Event::EvidenceWaived,
                _ => break,
            };
            (rotation, rest) = self.settle(Some(event)).await;
        }
        self.check(story, &rotation).await;
        match &rest {
            Rest::InGrace { .. } => {
                let new = rotation.new_key().unwrap().to_string();
                assert_eq!(self.held().await, [new.clone(), new.clone()], "{story}");
                assert_eq!(self.keys(), [(new, true), (self.old.id.clone(), false)].into(), "{story}");
            }
            Rest::Retired => assert_eq!(self.keys().len(), 1, "{story}"),
            Rest::Aborted { .. } => {
                assert_eq!(self.held().await, [self.old.id.clone(), self.old.id.clone()], "{story}");
                assert_eq!(
                    self.keys(),
                    [(self.old.id.clone(), true)].into(),
                    "{story}: given up, so nothing is left over"
                );
                assert!(rotation.is_over(), "{story}");
            }
            other => panic!("{story}: rests as {other:?}"),
        }
    }

    /// The lines that hold after every story.
    async fn check(&self, story: &str, rotation: &Rotation) {
        let keys = self.keys();
        // Every place holds a key that is active, with its own secret.
        for (place, pair) in self.pairs().await {
            assert!(keys.contains(&(pair.0.to_string(), true)), "{story}: {place} holds {}, of {keys:?}", pair.0);
            let caller = self.aws().caller(Credentials::for_key(pair.0, pair.1), Target::default());
            let answer = caller.caller_identity().await;
            assert!(answer.is_ok(), "{story}: {place}: {}", answer.err().unwrap());
        }
        // No key exists that the journal does not tell of.
        let mut known: BTreeSet<String> = self.held().await.into_iter().collect();
        known.insert(self.old.id.clone());
        known.extend(rotation.new_key().map(ToString::to_string));
        match rotation.rest(self.now()) {
            Rest::Undecided { decision: Decision::Orphans { keys } } => {
                known.extend(keys.iter().map(ToString::to_string))
            }
            Rest::Aborted { why: AbortReason::Rival { keys } } => known.extend(keys.iter().map(ToString::to_string)),
            _ => {}
        }
        for (key, _) in &keys {
            assert!(known.contains(key), "{story}: key {key} is an orphan that nobody was told of");
        }
        // No create without an intent that is durable, and none while another is open.
        let records = self.records(&rotation.plan().id).await;
        let mut open = false;
        let mut intended_at = None;
        for record in &records {
            match &record.event {
                Event::Intended { intent: Intent::Create } => {
                    assert!(!open, "{story}: a second create before the first is resolved");
                    open = true;
                    intended_at = Some(record.at);
                }
                Event::OrphanAbsent => {
                    let waited = record.at.duration_since(intended_at.unwrap());
                    assert!(waited >= QUARANTINE, "{story}: called absent after {waited:#}");
                    open = false;
                }
                Event::KeyCreated { .. }
                | Event::CreateRefused { .. }
                | Event::OrphanDeleted
                | Event::OrphanDisowned => open = false,
                _ => {}
            }
        }
        let intents =
            records.iter().filter(|record| record.event == Event::Intended { intent: Intent::Create }).count();
        assert!(self.creates().len() <= intents, "{story}: {} creates of {intents} intents", self.creates().len());
    }

    async fn records(&self, id: &RotationId) -> Vec<Record> {
        let records = self.store().await.records(id).await.unwrap();
        records.into_iter().map(|(_, record)| record).collect()
    }

    async fn staged_keys(&self, rotation: &Rotation) -> Vec<String> {
        let store = self.store().await;
        let mut staged = Vec::new();
        for (key, _) in self.keys() {
            let key: AccessKeyId = key.parse().unwrap();
            if store.staged(&rotation.plan().id, &key).await.unwrap().is_some() {
                staged.push(key.to_string());
            }
        }
        staged
    }

    /// The user's keys at the sandbox, and whether each is active.
    fn keys(&self) -> BTreeSet<(String, bool)> {
        let keys = self.sandbox.keys().into_iter().filter(|key| key.user.as_deref() == Some("ann"));
        keys.map(|key| (key.id, key.active)).collect()
    }

    /// The create requests that were sent, in order.
    fn creates(&self) -> Vec<Call> {
        self.sandbox.log().into_iter().filter(|call| call.action == "CreateAccessKey").collect()
    }

    /// What stands in the files.
    async fn pairs(&self) -> Vec<(Place, (AccessKeyId, SecretAccessKey))> {
        let places = Places::new(self.state(), || Err(no_keychain()));
        let mut pairs = Vec::new();
        for (name, file, path) in [("a", FileKind::Credentials, "credentials"), ("b", FileKind::Config, "config")] {
            let path = self.path(path).to_str().unwrap().to_owned();
            let place = Place::Profile { path, file, profile: name.parse().unwrap() };
            let pair = places.read(&place).await.unwrap().pair().unwrap_or_else(|| panic!("{place} holds no key"));
            pairs.push((place, (pair.id, pair.secret)));
        }
        pairs
    }

    async fn held(&self) -> Vec<String> {
        self.pairs().await.into_iter().map(|(_, (id, _))| id.to_string()).collect()
    }
}

fn no_keychain() -> NoKeychain {
    NoKeychain { reason: "a test has none".into(), hint: "none".into() }
}

fn never() -> Stop {
    let (switch, stop) = Stop::new();
    std::mem::forget(switch);
    stop
}

/// The sandbox's clock; to wait is to turn it.
#[derive(Debug)]
struct Turned(Sandbox);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.0.advance(wait);
        Box::pin(tokio::task::yield_now())
    }
}

struct NoDevice;

impl MfaPrompt for NoDevice {
    fn code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        Box::pin(async { Err(NoCode { reason: "a test has no device".into() }) })
    }
}

/// Watches and does nothing.
struct Silent;

impl Watch for Silent {
    fn recorded(&self, _: &Rotation, _: &Record) {}
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Somebody uses the old key after promotion.
struct WhenPromoted {
    sandbox: Sandbox,
    key: String,
}

impl Watch for WhenPromoted {
    fn recorded(&self, _: &Rotation, record: &Record) {
        if record.event == Event::Promoted {
            self.sandbox.advance(Duration::from_secs(2));
            let used = LastUsed { at: self.sandbox.now(), service: "s3".into(), region: "eu-west-1".into() };
            self.sandbox.set_last_used(&self.key, Some(used)).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Somebody uses another key right after the plan was made.
struct WhenPlanned {
    sandbox: Sandbox,
    key: String,
    used: LastUsed,
}

impl Watch for WhenPlanned {
    fn recorded(&self, _: &Rotation, record: &Record) {
        if matches!(record.event, Event::Planned { .. }) {
            self.sandbox.set_last_used(&self.key, Some(self.used.clone())).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Another machine makes a key for the same user at the same moment.
struct WhenCreated {
    sandbox: Sandbox,
}

impl Watch for WhenCreated {
    fn recorded(&self, _: &Rotation, record: &Record) {
        if matches!(record.event, Event::KeyCreated { .. }) {
            self.sandbox.account().user("ann").unwrap().add_access_key(self.sandbox.now()).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Somebody puts another key into the config file meanwhile.
struct Rewrite {
    path: std::path::PathBuf,
}

impl Watch for Rewrite {
    fn recorded(&self, _: &Rotation, record: &Record) {
        if matches!(record.event, Event::KeyCreated { .. }) {
            let secret = ["wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY"].concat();
            let text = format!(
                "[profile b]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {secret}\nregion = eu-west-1\n"
            );
            std::fs::write(&self.path, text).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Somebody deactivates the new key once it is delivered.
struct ShutNew(Sandbox);

impl Watch for ShutNew {
    fn recorded(&self, rotation: &Rotation, record: &Record) {
        if let (Event::Promoted, Some(new)) = (&record.event, rotation.new_key()) {
            self.0.account().user("ann").unwrap().set_key_active(new.as_str(), false).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Somebody deactivates the old key once an undo has put it back.
struct ShutOld(Sandbox, String);

impl Watch for ShutOld {
    fn recorded(&self, _: &Rotation, record: &Record) {
        if matches!(record.event, Event::Restored { .. }) {
            self.0.account().user("ann").unwrap().set_key_active(&self.1, false).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// A program that merges two copies of a file line by line takes the new id and the old secret.
struct Merge {
    path: std::path::PathBuf,
    old_secret: String,
}

impl Watch for Merge {
    fn recorded(&self, _: &Rotation, record: &Record) {
        if record.event == Event::Promoted && !self.path.with_extension("merged").exists() {
            std::fs::write(self.path.with_extension("merged"), "").unwrap();
            let text = std::fs::read_to_string(&self.path).unwrap();
            let lines = text.lines().map(|line| match line.split_once("secret_access_key = ") {
                Some((name, _)) => format!("{name}secret_access_key = {}\n", self.old_secret),
                None => format!("{line}\n"),
            });
            std::fs::write(&self.path, lines.collect::<String>()).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Once, when the place was restored, a program writes its older copy of the file over it.
struct Stale {
    path: std::path::PathBuf,
    text: String,
}

impl Watch for Stale {
    fn recorded(&self, _: &Rotation, record: &Record) {
        let marker = self.path.with_extension("written");
        if record.event == (Event::Restored { place: THEIRS, mark: None }) && !marker.exists() {
            std::fs::write(marker, "").unwrap();
            std::fs::write(&self.path, &self.text).unwrap();
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// A journal whose process dies around the nth append; or that says of it, untruly, that it failed.
struct Fuse {
    inner: SharedStore,
    left: AtomicI64,
    after: bool,
    /// Whether, in place of dying, it answers once that it could not write.
    lies: bool,
    blown: Notify,
    /// How often the records of one rotation, or of all, were read.
    reads: AtomicI64,
}

impl Fuse {
    fn new(inner: SharedStore, at: i64, after: bool) -> Arc<Self> {
        Arc::new(Self {
            inner,
            left: AtomicI64::new(at),
            after,
            lies: false,
            blown: Notify::new(),
            reads: AtomicI64::new(0),
        })
    }
}

impl Store for Fuse {
    fn append_json(
        &self,
        thread: ThreadId,
        body: String,
        stage: Option<Stage>,
    ) -> BoxFuture<'_, Result<Appended, StoreError>> {
        Box::pin(async move {
            let last = self.left.fetch_sub(1, Ordering::Relaxed) == 1;
            if !last || self.after {
                let appended = self.inner.append_json(thread, body, stage).await;
                if !last {
                    return appended;
                }
            }
            if self.lies {
                let at = DatabaseAt::File("journal.db".into());
                return Err(StoreError::Database { at, doing: "sync the folder of", reason: "i/o error".into() });
            }
            self.blown.notify_one();
            std::future::pending().await
        })
    }

    fn staged<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<Option<Sealed>, StoreError>> {
        self.inner.staged(rotation, key)
    }

    fn stage<'a>(&'a self, rotation: &'a RotationId, stage: Stage) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.stage(rotation, stage)
    }

    fn unstage<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: Option<&'a AccessKeyId>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.inner.unstage(rotation, key)
    }

    fn rotations(&self) -> BoxFuture<'_, Result<Vec<Summary>, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.rotations()
    }

    fn entries(&self, of: Threads) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.entries(of)
    }

    fn verify(&self, expect: Vec<Hash>) -> BoxFuture<'_, Result<Head, StoreError>> {
        self.inner.verify(expect)
    }

    fn lock<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Lock, LockError>> {
        self.inner.lock(name)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
