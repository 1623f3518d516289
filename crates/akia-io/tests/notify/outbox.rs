//! The outbox: nothing is lost, nothing is sent twice that may not be, whatever happens between claim and receipt.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akia_core::notice::{Message, NoticeKind};
use akia_io::clock::Clock as _;
use akia_io::notify::{Channel, Channels, DeliveryError, Kind, Outbox, OutboxError, Outcome, Receipt, State};
use akia_io::store::Home;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::ground::{Ground, on_both};
use tokio::sync::Notify;

use crate::{Turned, at, notice, to};

/// What a channel does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Takes,
    Fails,
    Waits,
    Refuses,
    LosesAnswer { arrives: bool },
    Dies { arrives: bool },
}

struct Fake {
    is_idempotent: bool,
    deeds: Mutex<VecDeque<Deed>>,
    arrived: Mutex<Vec<String>>,
    died: Notify,
}

impl Fake {
    fn new(is_idempotent: bool, deeds: &[Deed]) -> Arc<Self> {
        Arc::new(Self {
            is_idempotent,
            deeds: Mutex::new(deeds.iter().copied().collect()),
            arrived: Mutex::default(),
            died: Notify::new(),
        })
    }

    fn arrived(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }
}

impl Channel for Fake {
    fn kind(&self) -> Kind {
        Kind { word: "fake", is_idempotent: self.is_idempotent, why: "it is a test" }
    }

    fn place(&self) -> String {
        "nowhere".to_owned()
    }

    fn body(&self, message: &Message) -> String {
        message.text.clone()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let deed = self.deeds.lock().unwrap().pop_front().unwrap_or(Deed::Takes);
            let arrive = |arrives: bool| {
                if arrives {
                    self.arrived.lock().unwrap().push(message.notice.id.to_string());
                }
            };
            let reason = || "as the test says".to_owned();
            match deed {
                Deed::Takes => {
                    arrive(true);
                    Ok(Receipt {
                        at: now,
                        message_id: Some("m-1".to_owned()),
                        status: Some(200),
                        detail: reason(),
                        may_be_second: false,
                    })
                }
                Deed::Fails => Err(DeliveryError::NotDelivered { reason: reason(), retry_after: None }),
                Deed::Waits => {
                    Err(DeliveryError::NotDelivered { reason: reason(), retry_after: Some(Duration::from_secs(7_200)) })
                }
                Deed::Refuses => Err(DeliveryError::Refused { reason: reason() }),
                Deed::LosesAnswer { arrives } => {
                    arrive(arrives);
                    Err(DeliveryError::Unknown { reason: reason() })
                }
                Deed::Dies { arrives } => {
                    arrive(arrives);
                    self.died.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

fn channels(fake: &Arc<Fake>, attempts: u32) -> Channels {
    Channels::of([("fake".to_owned(), Arc::clone(fake) as Arc<dyn Channel>, false)], attempts)
}

async fn open(ground: &Ground) -> Outbox {
    Outbox::open(&ground.home).await.unwrap()
}

/// Delivers until the process "dies": its future is dropped where it stands, as a kill would leave it.
async fn deliver_or_die(outbox: &Outbox, fake: &Fake, channels: &Channels, clock: &Turned) -> bool {
    tokio::select! {
        delivered = outbox.deliver_due(channels, clock, 7, 1_000) => {
            delivered.unwrap();
            true
        }
        () = fake.died.notified() => false,
    }
}

on_both! {
async fn a_message_is_enqueued_once_delivered_once_and_proven(ground: Ground) {
    let clock = Turned::new();
    let outbox = open(&ground).await;
    let fake = Fake::new(false, &[]);
    let channels = channels(&fake, 12);
    let notice = notice(NoticeKind::Announced, &["c-1"]);
    let first = outbox.enqueue(&notice, &to("fake"), at()).await.unwrap();
    assert_eq!(outbox.enqueue(&notice, &to("fake"), at()).await.unwrap(), first);
    assert_eq!(outbox.receipt(&notice.id, "fake").await.unwrap(), None);
    let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
    assert!(matches!(&delivered[..], [one] if matches!(one.outcome, Outcome::Sent(_))), "{delivered:?}");
    let receipt = outbox.receipt(&notice.id, "fake").await.unwrap().unwrap();
    assert_eq!((receipt.at, receipt.message_id.as_deref(), receipt.may_be_second), (at(), Some("m-1"), false));
    assert_eq!(outbox.enqueue(&notice, &to("fake"), at()).await.unwrap(), first, "also once it was sent");
    assert!(outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap().is_empty());
    assert_eq!(fake.arrived(), 1);
    let entry = outbox.find(&notice.id, "fake").await.unwrap().unwrap();
    let body = outbox.body(first).await.unwrap().unwrap();
    assert!(body.contains("AKIAIOSFODNN7EXAMPLE"), "{body}");
    assert_eq!(entry.body_digest.unwrap(), akia_core::digest::full(body.as_bytes()));
    assert_eq!(outbox.receipt(&notice.id, "other").await.unwrap(), None);
    let other = outbox.enqueue(&notice, &to("other"), at()).await.unwrap();
    assert_ne!(other, first, "another channel is another message");
}
}

on_both! {
async fn a_try_that_failed_is_repeated_at_growing_intervals_and_then_given_up(ground: Ground) {
    let clock = Turned::new();
    let outbox = open(&ground).await;
    let fake = Fake::new(false, &[Deed::Fails, Deed::Waits, Deed::Fails, Deed::Fails]);
    let channels = channels(&fake, 4);
    let id = outbox.enqueue(&notice(NoticeKind::Announced, &["c-1"]), &to("fake"), at()).await.unwrap();
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
        let [one] = &delivered[..] else { panic!("{delivered:?}") };
        let Outcome::Later { due_at, .. } = &one.outcome else { panic!("{one:?}") };
        let pause = due_at.duration_since(clock.now());
        assert!(outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap().is_empty(), "not before it is due");
        pauses.push(pause.as_secs());
        clock.turn(pause);
    }
    assert!((45..=75).contains(&pauses[0]), "{pauses:?}");
    assert_eq!(pauses[1], 7_200, "the service asked for it");
    assert!((180..=300).contains(&pauses[2]), "{pauses:?}");
    let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
    let Outcome::Dead { reason } = &delivered[0].outcome else { panic!("{delivered:?}") };
    assert_eq!(reason, "given up after 4 tries: not delivered: as the test says");
    let [dead] = &outbox.list(Some(State::Dead)).await.unwrap()[..] else { panic!() };
    assert_eq!((dead.id, dead.attempts), (id, 4));
    let retried = outbox.retry(id, clock.now()).await.unwrap();
    assert_eq!((retried.state, retried.attempts, retried.reason), (State::Pending, 0, None));
    let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
    assert!(matches!(delivered[0].outcome, Outcome::Sent(_)), "{delivered:?}");
}
}

on_both! {
async fn what_is_refused_is_given_up_at_once_and_dropped_with_a_reason(ground: Ground) {
    let clock = Turned::new();
    let outbox = open(&ground).await;
    let fake = Fake::new(true, &[Deed::Refuses]);
    let channels = channels(&fake, 12);
    let id = outbox.enqueue(&notice(NoticeKind::Announced, &["c-1"]), &to("fake"), at()).await.unwrap();
    let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
    assert_eq!(delivered[0].outcome, Outcome::Dead { reason: "refused: as the test says".to_owned() });
    let dropped = outbox.drop(id, "the channel is gone", at()).await.unwrap();
    assert_eq!((dropped.state, dropped.reason.as_deref()), (State::Dropped, Some("the channel is gone")));
    for result in [outbox.retry(id, at()).await, outbox.drop(id, "again", at()).await] {
        assert!(matches!(result, Err(OutboxError::WrongState { state: State::Dropped, .. })), "{result:?}");
    }
    assert!(matches!(outbox.retry(99, at()).await, Err(OutboxError::NoSuch { id: 99 })));
    assert!(outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap().is_empty());
}
}

on_both! {
/// The process ends between the sending and the receipt.
async fn a_message_found_half_sent_goes_again_only_where_two_are_as_good_as_one(ground: Ground) {
    for (is_idempotent, arrives) in [(true, true), (true, false), (false, true), (false, false)] {
        let (ground, clock) = (ground.another(), Turned::new());
        let fake = Fake::new(is_idempotent, &[Deed::Dies { arrives }]);
        let channels = channels(&fake, 12);
        let notice = notice(NoticeKind::Announced, &["c-1"]);
        let id = {
            let outbox = open(&ground).await;
            let id = outbox.enqueue(&notice, &to("fake"), at()).await.unwrap();
            assert!(!deliver_or_die(&outbox, &fake, &channels, &clock).await);
            id
        };
        let outbox = open(&ground).await;
        assert!(outbox.body(id).await.unwrap().is_some(), "what was being sent is known");
        assert!(outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap().is_empty(), "its sender may yet live");
        clock.turn(SignedDuration::from_mins(15));
        let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
        let entry = outbox.find(&notice.id, "fake").await.unwrap().unwrap();
        assert!(entry.may_have_arrived);
        if is_idempotent {
            assert!(matches!(&delivered[..], [one] if matches!(one.outcome, Outcome::Sent(_))), "{delivered:?}");
            assert!(entry.receipt.unwrap().may_be_second, "the receipt says so");
        } else {
            assert!(delivered.is_empty());
            assert_eq!((entry.state, fake.arrived()), (State::Dead, usize::from(arrives)));
            assert!(entry.reason.unwrap().contains("not known whether it arrived"));
            outbox.retry(id, clock.now()).await.unwrap();
            outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
            assert!(outbox.receipt(&notice.id, "fake").await.unwrap().unwrap().may_be_second, "a person decided");
        }
    }
}
}

on_both! {
async fn a_channel_that_may_repeat_is_tried_again_after_a_lost_answer(ground: Ground) {
    for may_repeat in [false, true] {
        let (ground, clock) = (ground.another(), Turned::new());
        let outbox = open(&ground).await;
        let fake = Fake::new(false, &[Deed::LosesAnswer { arrives: true }]);
        let channels = Channels::of([("fake".to_owned(), Arc::clone(&fake) as Arc<dyn Channel>, may_repeat)], 12);
        outbox.enqueue(&notice(NoticeKind::Announced, &["c-1"]), &to("fake"), at()).await.unwrap();
        let delivered = outbox.deliver_due(&channels, &clock, 7, 10).await.unwrap();
        assert_eq!(matches!(delivered[0].outcome, Outcome::Later { .. }), may_repeat, "{delivered:?}");
        assert_eq!(matches!(delivered[0].outcome, Outcome::Dead { .. }), !may_repeat, "{delivered:?}");
    }
}
}

on_both! {
/// The first two deliveries wait for each other, so that both senders are at it at the same time.
async fn two_senders_at_once_never_send_the_same_message(ground: Ground) {
    struct Meeting {
        fake: Arc<Fake>,
        both: tokio::sync::Barrier,
        begun: Mutex<u32>,
    }
    impl Channel for Meeting {
        fn kind(&self) -> Kind {
            self.fake.kind()
        }
        fn place(&self) -> String {
            self.fake.place()
        }
        fn body(&self, message: &Message) -> String {
            self.fake.body(message)
        }
        fn deliver<'a>(
            &'a self,
            message: &'a Message,
            now: Timestamp,
        ) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
            Box::pin(async move {
                let begun = {
                    let mut begun = self.begun.lock().unwrap();
                    *begun += 1;
                    *begun
                };
                if begun <= 2 {
                    self.both.wait().await;
                }
                self.fake.deliver(message, now).await
            })
        }
    }
    let clock = Turned::new();
    let fake = Fake::new(false, &[]);
    let meeting = Meeting { fake: Arc::clone(&fake), both: tokio::sync::Barrier::new(2), begun: Mutex::default() };
    let channels = Channels::of([("fake".to_owned(), Arc::new(meeting) as Arc<dyn Channel>, false)], 12);
    let (one, other) = (open(&ground).await, open(&ground).await);
    for index in 0..25 {
        one.enqueue(&notice(NoticeKind::Announced, &[&format!("c-{index}")]), &to("fake"), at()).await.unwrap();
    }
    let (first, second) =
        tokio::join!(one.deliver_due(&channels, &clock, 7, 100), other.deliver_due(&channels, &clock, 8, 100));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.len() + second.len(), 25);
    assert!(!first.is_empty() && !second.is_empty(), "{} and {}", first.len(), second.len());
    let arrived: std::collections::BTreeSet<String> = fake.arrived.lock().unwrap().iter().cloned().collect();
    assert_eq!((fake.arrived(), arrived.len()), (25, 25));
}
}

on_both! {
/// A sender that hung for longer than its lease does not write over what came after it.
async fn a_sender_whose_time_is_over_says_nothing_any_more(ground: Ground) {
    struct Slow {
        go: Notify,
        started: Notify,
        calls: Mutex<u32>,
    }
    impl Channel for Slow {
        fn kind(&self) -> Kind {
            Kind { word: "slow", is_idempotent: true, why: "it is a test" }
        }
        fn place(&self) -> String {
            String::new()
        }
        fn body(&self, _: &Message) -> String {
            String::new()
        }
        fn deliver<'a>(&'a self, _: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
            Box::pin(async move {
                let call = {
                    let mut calls = self.calls.lock().unwrap();
                    *calls += 1;
                    *calls
                };
                if call == 1 {
                    self.started.notify_one();
                    self.go.notified().await;
                    return Err(DeliveryError::Refused { reason: "too late".to_owned() });
                }
                let detail = "in time".to_owned();
                Ok(Receipt { at: now, message_id: None, status: None, detail, may_be_second: false })
            })
        }
    }
    let clock = Turned::new();
    let slow = Arc::new(Slow { go: Notify::new(), started: Notify::new(), calls: Mutex::new(0) });
    let channels = Channels::of([("slow".to_owned(), Arc::clone(&slow) as Arc<dyn Channel>, false)], 12);
    let (one, other) = (open(&ground).await, open(&ground).await);
    let notice = notice(NoticeKind::Announced, &["c-1"]);
    one.enqueue(&notice, &to("slow"), at()).await.unwrap();
    let (late, ()) = tokio::join!(one.deliver_due(&channels, &clock, 7, 1), async {
        slow.started.notified().await;
        clock.turn(SignedDuration::from_mins(15));
        let delivered = other.deliver_due(&channels, &clock, 7, 1).await.unwrap();
        assert!(matches!(delivered[0].outcome, Outcome::Sent(_)), "{delivered:?}");
        slow.go.notify_one();
    });
    assert_eq!(late.unwrap()[0].outcome, Outcome::TakenOver);
    assert_eq!(one.receipt(&notice.id, "slow").await.unwrap().unwrap().detail, "in time");
}
}

on_both! {
async fn a_channel_that_is_gone_from_the_settings_keeps_its_messages(ground: Ground) {
    let clock = Turned::new();
    let outbox = open(&ground).await;
    outbox.enqueue(&notice(NoticeKind::Announced, &["c-1"]), &to("gone"), at()).await.unwrap();
    let delivered = outbox.deliver_due(&channels(&Fake::new(false, &[]), 12), &clock, 7, 10).await.unwrap();
    let Outcome::Later { reason, .. } = &delivered[0].outcome else { panic!("{delivered:?}") };
    assert_eq!(reason, "not delivered: there is no channel gone in the settings");
}
}

#[cfg(unix)]
#[tokio::test]
async fn the_outbox_is_private_and_a_newer_one_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::sqlite();
    let Home::Folder(state) = &ground.home else { panic!() };
    assert!(Outbox::open_existing(state).await.unwrap().is_none(), "looking makes none");
    drop(open(&ground).await);
    let path = state.path().join("outbox.db");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(Outbox::open(state).await, Err(OutboxError::Store(_))), "others could have written it");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    // The version stands at byte 60 (https://sqlite.org/fileformat2.html, "user version").
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[63] = 9;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(Outbox::open(state).await, Err(OutboxError::Newer { found: 9, .. })));
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Takes),
        2 => Just(Deed::Fails),
        1 => Just(Deed::Waits),
        1 => Just(Deed::Refuses),
        2 => any::<bool>().prop_map(|arrives| Deed::LosesAnswer { arrives }),
        3 => any::<bool>().prop_map(|arrives| Deed::Dies { arrives }),
    ]
}

/// Whatever fails, in whatever order: each message ends as sent or with a reason; what is sent has arrived; what may not
/// arrive twice does not; and what arrived twice is told by the receipt.
async fn nothing_is_lost_and_nothing_is_sent_twice(
    ground: Ground,
    deeds: Vec<Deed>,
    count: usize,
    is_idempotent: bool,
) {
    let clock = Turned::new();
    let fake = Fake::new(is_idempotent, &deeds);
    let channels = channels(&fake, 50);
    let notices: Vec<_> = (0..count).map(|index| notice(NoticeKind::Announced, &[&format!("c-{index}")])).collect();
    let mut rounds = 0;
    loop {
        let outbox = open(&ground).await;
        for notice in &notices {
            outbox.enqueue(notice, &to("fake"), clock.now()).await.unwrap();
        }
        deliver_or_die(&outbox, &fake, &channels, &clock).await;
        let totals = outbox.totals().await.unwrap();
        if totals.waiting == 0 {
            break;
        }
        rounds += 1;
        assert!(rounds < 40, "it does not come to rest: {deeds:?}");
        clock.turn(SignedDuration::from_hours(16));
    }
    let outbox = open(&ground).await;
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for id in fake.arrived.lock().unwrap().iter() {
        *arrived.entry(id.clone()).or_default() += 1;
    }
    for notice in &notices {
        let entry = outbox.find(&notice.id, "fake").await.unwrap().unwrap();
        let times = arrived.get(notice.id.as_str()).copied().unwrap_or_default();
        match (&entry.receipt, entry.state) {
            (Some(receipt), State::Sent) => {
                assert!(times >= 1, "sent, and never arrived: {deeds:?}");
                assert!(times == 1 || receipt.may_be_second, "arrived {times} times, untold: {deeds:?}");
            }
            (None, State::Dead) => assert!(entry.reason.is_some() && (times == 0 || entry.may_have_arrived)),
            other => panic!("{other:?}"),
        }
        assert!(is_idempotent || times <= 1, "sent twice: {deeds:?}");
        if is_idempotent && !deeds.contains(&Deed::Refuses) {
            assert_eq!(entry.state, State::Sent, "lost: {deeds:?}");
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_sent_twice_in_a_file(
        deeds in proptest::collection::vec(deed(), 0..14),
        count in 1_usize..5,
        is_idempotent: bool,
    ) {
        run(nothing_is_lost_and_nothing_is_sent_twice(Ground::sqlite(), deeds, count, is_idempotent));
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_sent_twice_on_a_server(
        deeds in proptest::collection::vec(deed(), 0..14),
        count in 1_usize..5,
        is_idempotent: bool,
    ) {
        run(nothing_is_lost_and_nothing_is_sent_twice(Ground::postgresql(), deeds, count, is_idempotent));
    }
}
