//! Containments against the sandbox, with a clock that a test turns: every fault at every call, and the day and a half after which no
//! session of before lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use akia_core::contain::{
    Containment, ContainmentOpening, ContainmentRecord, ContainmentStage, Ended, SESSIONS_LIVE, Strategy,
};
use akia_core::enforce::{EnforcePolicy, Roles};
use akia_core::ids::{ContainmentId, Partition, QuarantineId};
use akia_core::rule::AuditSettings;
use akia_io::aws::{Aws, AwsOptions, Caller, Credentials, Target};
use akia_io::clock::Clock;
use akia_io::contain::{Container, Teller, Whose, load_containments, whose};
use akia_io::enforce::{Gate, PolicyNow, PolicySource};
use akia_io::organization::Entry;
use akia_io::rotate::Stop;
use akia_io::state::StateFolder;
use akia_io::store::{SharedStore, SqlStore};
use akia_sandbox::{Clock as SandboxClock, Fault, FaultKind, KeyPair, Sandbox};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

const START: &str = "2026-03-01T12:00:30Z";
/// Runs after which a containment must have come to rest.
const RUNS: usize = 6;

/// The sandbox's clock; waiting turns it.
#[derive(Debug)]
struct Turned(Sandbox);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.0.advance(wait);
        Box::pin(std::future::ready(()))
    }
}

struct Silent;

impl Teller for Silent {
    fn recorded(&self, _one: &Containment, _record: &ContainmentRecord) {}
}

struct World {
    sandbox: Sandbox,
    key: KeyPair,
    gate: Gate,
    store: SharedStore,
    _home: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let sandbox = Sandbox::builder().seed(7).clock(SandboxClock::Manual(START.parse().unwrap())).build();
        let key = sandbox.add_user("ann", "/").unwrap().add_access_key(sandbox.now()).unwrap();
        let admin = sandbox.add_user("admin", "/").unwrap();
        admin.attach_policy("AdministratorAccess").unwrap();
        let admin = admin.add_access_key(sandbox.now()).unwrap();
        let aws = Aws::new(AwsOptions {
            http: Some(SharedHttpClient::new(sandbox.connector())),
            time: Some(sandbox.time_source()),
            initial_backoff: Duration::from_millis(1),
            // The SDK's own patience takes real time, and is none of what is tested here.
            adaptive: false,
            attempts: 2,
            ..AwsOptions::default()
        });
        let credentials = Credentials::for_key(admin.id.parse().unwrap(), crate::secret(&admin.secret));
        let caller: Caller = aws.caller(credentials, Target::default());
        let own = sandbox.account().id().parse().unwrap();
        let entry = Entry {
            partition: Partition::Aws,
            own,
            caller_arn: "arn:aws:iam::111122223333:user/admin".to_owned(),
            role_name: "AkiaAudit".to_owned(),
            external_id: None,
            session: "akia-contain".to_owned(),
        };
        let gate = Gate::new(Arc::new(caller), entry, Roles::default());
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(&home.path().join("state")).unwrap();
        let store: SharedStore = Arc::new(SqlStore::open(&folder).await.unwrap());
        Self { sandbox, key, gate, store, _home: home }
    }

    fn container(&self) -> Container<'_> {
        self.container_by(None)
    }

    fn container_by<'a>(&'a self, policy: Option<&'a dyn PolicySource>) -> Container<'a> {
        let (_pull, stop) = Stop::new();
        Container {
            store: Arc::clone(&self.store),
            clock: Arc::new(Turned(self.sandbox.clone())),
            gate: &self.gate,
            rotating: None,
            stop,
            policy,
            teller: &Silent,
        }
    }

    async fn open(&self, strategy: Strategy) -> Containment {
        self.open_for(1, &self.key, strategy, true).await
    }

    /// A containment of another key of the same user, in the quarantine of the first.
    async fn open_second(&self, strategy: Strategy) -> Containment {
        let ann = self.sandbox.account().user("ann").unwrap();
        let key = ann.add_access_key(self.sandbox.now()).unwrap();
        self.open_for(5, &key, strategy, false).await
    }

    async fn open_for(&self, id: u64, key: &KeyPair, strategy: Strategy, owns_quarantine: bool) -> Containment {
        let user = self.gate.hub().user(Some(&"ann".parse().unwrap())).await.unwrap();
        let opening = ContainmentOpening {
            id: ContainmentId::from_bits(id),
            account: user.arn.account.clone(),
            user: user.arn,
            user_id: user.id,
            key: key.id.parse().unwrap(),
            strategy,
            quarantine: QuarantineId::from_bits(2),
            owns_quarantine,
            reason: "leak-42".to_owned(),
            by: "arn:aws:iam::111122223333:user/admin".to_owned(),
            leaked_at: None,
        };
        self.container().open(opening).await.unwrap()
    }

    /// Runs until it rests without being held: each run is a new process.
    async fn settle(&self, one: &mut Containment) {
        for _ in 0..RUNS {
            if one.is_over() {
                return;
            }
            let container = self.container();
            container.take_up(one).await.unwrap();
            container.carry_out(one).await.unwrap();
            // What is in memory is what is in the journal.
            let loaded = load_containments(&*self.store).await.unwrap();
            assert!(loaded.iter().any(|(loaded, _)| loaded == one), "{one:#?}");
            if one.held().is_none() && !one.is_due(self.sandbox.now()) {
                return;
            }
        }
        panic!("held: {:?}", one.held());
    }

    fn status(&self) -> Option<bool> {
        self.sandbox.keys().into_iter().find(|one| one.id == self.key.id).map(|one| one.active)
    }

    async fn policies(&self) -> (usize, usize) {
        let name = "ann".parse().unwrap();
        let hub = self.gate.hub();
        (hub.attached_user_policies(&name).await.unwrap().len(), hub.user_policies(&name).await.unwrap().len())
    }
}

#[tokio::test]
async fn the_denial_of_sessions_goes_when_none_of_before_lives() {
    let world = World::new().await;
    let mut one = world.open(Strategy::Deactivate).await;
    world.settle(&mut one).await;
    let ContainmentStage::Contained { until } = one.stage() else { panic!("{:?}", one.stage()) };
    assert_eq!((world.status(), world.policies().await), (Some(false), (0, 1)));
    world.sandbox.advance(Duration::from_secs(35 * 3600));
    world.settle(&mut one).await;
    assert!(matches!(one.stage(), ContainmentStage::Contained { .. }) && world.policies().await == (0, 1));
    world.sandbox.advance(Duration::try_from(SESSIONS_LIVE).unwrap());
    assert!(world.sandbox.now() > until);
    world.settle(&mut one).await;
    assert!(matches!(one.stage(), ContainmentStage::Over { how: Ended::Closed, .. }), "{:?}", one.stage());
    assert_eq!((world.status(), world.policies().await), (Some(false), (0, 0)));
}

/// Lets so many acts pass, and is off then.
struct Switch(AtomicUsize);

impl PolicySource for Switch {
    fn read(&self) -> Result<PolicyNow, String> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)));
        let stopped = (left == Ok(0)).then(|| "a drill".to_owned());
        Ok(PolicyNow { audit: AuditSettings::default(), policy: EnforcePolicy::default(), stopped })
    }
}

/// What an event has begun halts between two acts where enforcement is switched off, and goes on where it is on again.
#[tokio::test]
async fn a_containment_that_no_person_has_asked_for_halts_where_enforcement_is_switched_off() {
    let world = World::new().await;
    let mut one = world.open(Strategy::Deactivate).await;
    let off = Switch(AtomicUsize::new(0));
    world.container_by(Some(&off)).carry_out(&mut one).await.unwrap();
    assert_eq!((world.status(), world.policies().await), (Some(true), (0, 0)), "nothing was done");

    let once = Switch(AtomicUsize::new(1));
    world.container_by(Some(&once)).carry_out(&mut one).await.unwrap();
    assert_eq!((world.status(), world.policies().await), (Some(false), (0, 0)), "one act was done");
    assert_eq!(one.stage(), ContainmentStage::Containing);
    let why = world.container_by(Some(&once)).switched_off();
    assert_eq!(why.as_deref(), Some("enforcement is off (a drill)"));

    world.container_by(Some(&Switch(AtomicUsize::new(usize::MAX)))).carry_out(&mut one).await.unwrap();
    assert!(matches!(one.stage(), ContainmentStage::Contained { .. }), "{:?} {:?}", one.stage(), one.held());
    assert_eq!(world.policies().await, (0, 1));
}

/// A second key of the user leaks while the quarantine of the first only denies sessions: AWS's policy comes on again.
#[tokio::test]
async fn the_hands_of_a_user_are_tied_in_a_quarantine_that_was_eased() {
    let world = World::new().await;
    let mut first = world.open(Strategy::Deactivate).await;
    world.settle(&mut first).await;
    assert_eq!(world.policies().await, (0, 1));
    let mut second = world.open_second(Strategy::Quarantine).await;
    world.sandbox.inject(Fault::on("AttachUserPolicy", FaultKind::AccessDenied));
    world.container().carry_out(&mut second).await.unwrap();
    assert_eq!((second.stage(), world.policies().await), (ContainmentStage::Containing, (0, 1)), "{:?}", second.held());
    world.sandbox.clear_faults();
    world.settle(&mut second).await;
    assert_eq!((second.stage(), world.policies().await), (ContainmentStage::Tied, (1, 1)));
    // What was tied for it is eased for it.
    world.container().redirect(&mut second, Strategy::Deactivate, "a test").await.unwrap();
    world.settle(&mut second).await;
    assert!(matches!(second.stage(), ContainmentStage::Contained { .. }), "{:?}", second.stage());
    assert_eq!(world.policies().await, (0, 1));
}

/// What denies the sessions of the second key is younger, and outlives the containment of the first: its end, and its undo.
#[tokio::test]
async fn the_end_of_one_containment_leaves_the_sessions_of_another_denied() {
    for is_undone in [false, true] {
        let world = World::new().await;
        let mut first = world.open(Strategy::Deactivate).await;
        world.settle(&mut first).await;
        world.sandbox.advance(Duration::from_secs(20 * 3600));
        let mut second = world.open_second(Strategy::Deactivate).await;
        world.settle(&mut second).await;
        if is_undone {
            world.container().ask_undo(&mut first, "a test").await.unwrap();
        } else {
            world.sandbox.advance(Duration::from_secs(17 * 3600));
        }
        world.settle(&mut first).await;
        assert!(matches!(first.stage(), ContainmentStage::Over { .. }), "{:?}", first.stage());
        assert_eq!(world.policies().await, (0, 1), "{is_undone}");
        world.sandbox.advance(Duration::from_secs(37 * 3600));
        world.settle(&mut second).await;
        assert!(matches!(second.stage(), ContainmentStage::Over { how: Ended::Closed, .. }), "{:?}", second.stage());
        assert_eq!(world.policies().await, (0, 0), "the last one takes it off");
    }
}

/// The second key's user is untied again: sessions of before the first was shut stay denied, and nothing more.
#[tokio::test]
async fn the_undo_of_a_quarantine_leaves_what_the_first_containment_needs() {
    let world = World::new().await;
    let mut first = world.open(Strategy::Deactivate).await;
    world.settle(&mut first).await;
    let mut second = world.open_second(Strategy::Quarantine).await;
    world.settle(&mut second).await;
    assert_eq!(world.policies().await, (1, 1));
    world.container().ask_undo(&mut second, "a test").await.unwrap();
    world.settle(&mut second).await;
    assert!(matches!(second.stage(), ContainmentStage::Over { how: Ended::Undone, .. }), "{:?}", second.stage());
    assert_eq!(world.policies().await, (0, 1));
}

/// An id of the first years does not say its account: where AWS does not either, a key on no list here may live elsewhere.
#[tokio::test]
async fn a_key_whose_account_nobody_tells_is_not_taken_for_gone() {
    let world = World::new().await;
    let (hub, own) = (world.gate.hub(), world.gate.own_account());
    let old = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    for fault in [FaultKind::AccessDenied, FaultKind::Throttle, FaultKind::LostAnswerBeforeCommit] {
        world.sandbox.inject(Fault::on("GetAccessKeyInfo", fault.clone()).always());
        let found = whose(hub, own, &old, None).await.unwrap();
        assert!(matches!(&found, Whose::Unknown { reason } if reason.contains("its account")), "{fault:?}: {found:?}");
        // This account's own needs nobody to tell.
        let id = world.key.id.parse().unwrap();
        assert!(matches!(whose(hub, own, &id, None).await.unwrap(), Whose::User(_)), "{fault:?}");
        world.sandbox.clear_faults();
    }
}

/// Every call fails in every way: the key ends shut, or deleted, and everything of the quarantine is off in the end.
#[tokio::test]
async fn every_fault_at_every_call_is_gone_on_with() {
    let faults = [
        FaultKind::LostAnswerBeforeCommit,
        FaultKind::LostAnswerAfterCommit,
        FaultKind::DelayedCommit(Duration::from_secs(30)),
        FaultKind::ServerError { status: 503, committed: true },
        FaultKind::AccessDenied,
    ];
    let calls =
        ["GetUser", "ListAccessKeys", "UpdateAccessKey", "PutUserPolicy", "ListUserPolicies", "DeleteAccessKey"];
    for strategy in [Strategy::Deactivate, Strategy::Delete] {
        for call in calls {
            // Each story syncs its journal some forty times.
            if (strategy == Strategy::Delete) != (call == "DeleteAccessKey") {
                continue;
            }
            for fault in &faults {
                let world = World::new().await;
                let mut one = world.open(strategy).await;
                world.sandbox.inject(Fault::on(call, fault.clone()).times(3));
                let container = world.container();
                container.carry_out(&mut one).await.unwrap();
                world.sandbox.clear_faults();
                world.settle(&mut one).await;
                let told = format!("{strategy} {call} {fault:?}: {one:#?}");
                assert!(matches!(one.stage(), ContainmentStage::Contained { .. }), "{told}");
                let expected = if strategy == Strategy::Delete { None } else { Some(false) };
                assert_eq!((world.status(), world.policies().await), (expected, (0, 1)), "{told}");
                if strategy == Strategy::Deactivate {
                    let container = world.container();
                    container.ask_undo(&mut one, "a test").await.unwrap();
                    world.settle(&mut one).await;
                    assert!(matches!(one.stage(), ContainmentStage::Over { how: Ended::Undone, .. }), "{told}");
                    world.sandbox.advance(Duration::from_secs(300));
                    assert_eq!((world.status(), world.policies().await), (Some(true), (0, 0)), "{told}");
                }
            }
        }
    }
}
