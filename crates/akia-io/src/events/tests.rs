//! Events against an AWS made up here: what comes twice, late, forged, broken, or where AWS cannot be asked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::aws::Call;
use crate::ground::{Ground, on_both};

/// What AWS answers: a list that is asked through, the last answer over and over.
struct Aws {
    answers: Mutex<Vec<Result<Option<Seen>, AwsError>>>,
    asked: AtomicUsize,
}

impl Aws {
    fn new(mut answers: Vec<Result<Option<Seen>, AwsError>>) -> Self {
        answers.reverse();
        Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) }
    }

    fn next(&self) -> Result<Option<Seen>, AwsError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
    }
}

impl Looker for Aws {
    fn user<'a>(&'a self, _: &'a AccountId, _: &'a UserName) -> BoxFuture<'a, Result<Option<Seen>, AwsError>> {
        Box::pin(async { self.next() })
    }

    fn owner<'a>(
        &'a self,
        _: &'a AccountId,
        _: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<(Option<UserName>, LastUsed), AwsError>> {
        Box::pin(async { Ok(("bob".parse().ok(), LastUsed::Never)) })
    }
}

/// Somebody who is told, and may fail.
#[derive(Default)]
struct Owner {
    told: Mutex<Vec<String>>,
    failures: AtomicUsize,
}

impl Responder for Owner {
    fn exposed<'a>(&'a self, keys: &'a [ExposedKey]) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async {
            if self.failures.load(Ordering::SeqCst) > 0 {
                self.failures.fetch_sub(1, Ordering::SeqCst);
                return Err("the disk is full".to_owned());
            }
            let cases = keys.iter().map(|key| exposure_case(&key.finding, &key.exposure.key));
            self.told.lock().unwrap().extend(cases);
            Ok("told".to_owned())
        })
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }

    fn sleep<'a>(&'a self, _: Duration) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

struct Stage {
    store: Snapshots,
    aws: Aws,
    owner: Owner,
}

impl Stage {
    async fn new(ground: &Ground, answers: Vec<Result<Option<Seen>, AwsError>>) -> Self {
        let store = Snapshots::open(&ground.home).await.unwrap();
        Self { store, aws: Aws::new(answers), owner: Owner::default() }
    }

    async fn take(&self, body: &str) -> Taken {
        let intake = Intake {
            store: &self.store,
            source: "aws".to_owned(),
            own: own(),
            looker: &self.aws,
            responder: &self.owner,
            clock: &Still,
        };
        intake.take(body).await.unwrap()
    }

    fn asked(&self) -> usize {
        self.aws.asked.load(Ordering::SeqCst)
    }
}

fn own() -> AccountId {
    "123456789012".parse().unwrap()
}

fn key() -> AccessKeyId {
    "AKIAIOSFODNN7EXAMPLE".parse().unwrap()
}

fn bob(keys: &[(&AccessKeyId, KeyStatus)]) -> Result<Option<Seen>, AwsError> {
    let created_at = "2026-01-01T00:00:00Z".parse().unwrap();
    let listed =
        |(id, status): &(&AccessKeyId, KeyStatus)| AccessKey { id: (*id).clone(), status: *status, created_at };
    let user = UserFound {
        arn: "arn:aws:iam::123456789012:user/bob".parse().unwrap(),
        id: "AIDACKCEVSQ6C2EXAMPLE".parse().unwrap(),
        created_at,
        keys: keys.iter().map(listed).collect(),
    };
    Ok(Some(Seen { user, tags: BTreeMap::new() }))
}

fn call() -> Box<Call> {
    Box::new(Call { operation: "iam:GetUser".to_owned(), endpoint: "iam.amazonaws.com".to_owned(), key: None })
}

fn deactivated(id: &str, at: &str) -> String {
    json!({
        "id": id, "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "account": "123456789012", "time": at,
        "detail": {
            "eventSource": "iam.amazonaws.com", "eventName": "UpdateAccessKey", "eventTime": at,
            "requestParameters": { "userName": "bob", "accessKeyId": key().as_str(), "status": "Inactive" },
        },
    })
    .to_string()
}

fn exposed(id: &str) -> String {
    let mut event: Value = serde_json::from_str(&deactivated(id, "2026-11-29T11:00:00Z")).unwrap();
    event["source"] = json!("aws.health");
    event["detail-type"] = json!("AWS Health Event");
    event["detail"] = json!({
        "eventArn": "arn:aws:health:us-east-1::event/RISK/x", "eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED",
        "affectedEntities": [{ "entityValue": key().as_str() }],
    });
    event.to_string()
}

on_both! {
async fn what_aws_says_is_kept_and_not_what_the_event_says(ground: Ground) {
    let stage = Stage::new(&ground, vec![bob(&[(&key(), KeyStatus::Active)])]).await;
    let taken = stage.take(&deactivated("e-1", "2026-11-29T10:00:00Z")).await;
    assert_eq!((taken.row.state, taken.settled.clone()), (EventState::Applied, Ok(())));
    let looks = stage.store.looks_since("aws", Timestamp::MIN).await.unwrap();
    assert_eq!(looks[0].found.as_ref().unwrap().keys[0].status, KeyStatus::Active, "the forged event says Inactive");
    assert_eq!(looks[0].event.said, "key-deactivated");
    assert_eq!(stage.store.looks_since("http://127.0.0.1:1", Timestamp::MIN).await.unwrap(), [], "of another AWS");
}
}

on_both! {
async fn what_comes_twice_is_asked_about_once(ground: Ground) {
    let stage = Stage::new(&ground, vec![bob(&[(&key(), KeyStatus::Inactive)])]).await;
    let event = deactivated("e-1", "2026-11-29T10:00:00Z");
    assert!(!stage.take(&event).await.is_duplicate);
    let again = stage.take(&event).await;
    assert_eq!((again.is_duplicate, again.settled, stage.asked()), (true, Ok(()), 1));
}
}

on_both! {
async fn a_young_event_is_given_time_and_an_old_one_is_not(ground: Ground) {
    let late = vec![bob(&[(&key(), KeyStatus::Active)]), bob(&[(&key(), KeyStatus::Inactive)])];
    let young = Stage::new(&ground, late.clone()).await;
    let taken = young.take(&deactivated("e-1", "2026-11-29T11:59:30Z")).await;
    assert_eq!((young.asked(), taken.row.looks[0].found.as_ref().unwrap().keys[0].status), (2, KeyStatus::Inactive));
    let (second, third) = (ground.another(), ground.another());
    let old = Stage::new(&second, late).await;
    old.take(&deactivated("e-1", "2026-11-29T11:00:00Z")).await;
    assert_eq!(old.asked(), 1);
    // What is forged never agrees, and ends all the same.
    let never = Stage::new(&third, vec![bob(&[(&key(), KeyStatus::Active)])]).await;
    never.take(&deactivated("e-1", "2026-11-29T11:59:30Z")).await;
    assert_eq!(never.asked(), 3);
}
}

on_both! {
async fn where_aws_cannot_be_asked_the_event_is_a_hint_and_is_asked_about_again(ground: Ground) {
    let denied = Err(AwsError::AccessDenied { call: call(), action: None, reason: None, message: String::new() });
    let stage = Stage::new(&ground, vec![denied, bob(&[(&key(), KeyStatus::Inactive)])]).await;
    let event = deactivated("e-1", "2026-11-29T10:00:00Z");
    let taken = stage.take(&event).await;
    assert_eq!((taken.row.state, taken.settled), (EventState::Unconfirmed, Ok(())), "a message for ever is no use");
    assert_eq!(stage.store.looks_since("aws", Timestamp::MIN).await.unwrap(), []);
    let [row] = &stage.store.events(Some(EventState::Unconfirmed), 9).await.unwrap()[..] else { panic!("one") };
    let again = stage.take(&serde_json::to_string(&json!(null)).unwrap()).await;
    assert_eq!(again.row.state, EventState::Unreadable);
    let intake = Intake {
        store: &stage.store,
        source: "aws".to_owned(),
        own: own(),
        looker: &stage.aws,
        responder: &stage.owner,
        clock: &Still,
    };
    assert_eq!(intake.again(row.clone()).await.unwrap().row.state, EventState::Applied);
    assert_eq!(stage.store.events(Some(EventState::Unconfirmed), 9).await.unwrap(), []);
}
}

on_both! {
async fn what_passes_by_itself_leaves_the_message_on_the_queue(ground: Ground) {
    let throttled = Err(AwsError::Throttled { call: call(), status: 400, code: "Throttling".to_owned() });
    let stage = Stage::new(&ground, vec![throttled, bob(&[(&key(), KeyStatus::Inactive)])]).await;
    let event = deactivated("e-1", "2026-11-29T10:00:00Z");
    assert!(stage.take(&event).await.settled.is_err());
    let second = stage.take(&event).await;
    assert_eq!((second.row.state, second.settled), (EventState::Applied, Ok(())));
}
}

on_both! {
async fn an_exposed_key_is_answered_to_before_the_message_goes(ground: Ground) {
    let stage = Stage::new(&ground, vec![bob(&[(&key(), KeyStatus::Active)])]).await;
    stage.owner.failures.store(1, Ordering::SeqCst);
    let first = stage.take(&exposed("e-1")).await;
    assert_eq!(first.settled, Err("the disk is full".to_owned()));
    assert_eq!(stage.store.exposures("aws").await.unwrap().len(), 1, "the finding is kept already");
    let second = stage.take(&exposed("e-1")).await;
    assert_eq!((second.is_duplicate, second.settled), (true, Ok(())));
    // AWS tells of one finding several times, each with an event of its own.
    stage.take(&exposed("e-2")).await;
    let told = stage.owner.told.lock().unwrap().clone();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1], "a notice of one case goes out once");
}
}

on_both! {
async fn a_key_that_is_gone_is_no_finding_and_nobody_is_alarmed(ground: Ground) {
    let stage = Stage::new(&ground, vec![bob(&[])]).await;
    let taken = stage.take(&exposed("e-1")).await;
    assert_eq!((taken.row.state, taken.settled), (EventState::Applied, Ok(())));
    assert!(taken.row.detail.contains("nothing is left to be contained"), "{}", taken.row.detail);
    assert_eq!(stage.store.exposures("aws").await.unwrap(), []);
    assert!(stage.owner.told.lock().unwrap().is_empty());
}
}

on_both! {
async fn what_cannot_be_read_is_kept_as_it_came(ground: Ground) {
    let stage = Stage::new(&ground, vec![bob(&[])]).await;
    let taken = stage.take("garbage \u{1b}[2J").await;
    assert_eq!((taken.row.state, taken.settled), (EventState::Unreadable, Ok(())));
    assert_eq!(taken.row.body.as_deref(), Some("garbage \u{1b}[2J"));
    assert!(stage.take("garbage \u{1b}[2J").await.is_duplicate);
    assert_eq!((stage.store.events(None, 9).await.unwrap().len(), stage.asked()), (1, 0));
    let counts = stage.store.event_counts().await.unwrap();
    assert!(counts.contains(&(EventState::Unreadable, 1)), "{counts:?}");
}
}

on_both! {
async fn an_account_that_no_audit_has_read_is_not_entered(ground: Ground) {
    let stage = Stage::new(&ground, vec![bob(&[])]).await;
    let foreign = deactivated("e-1", "2026-11-29T10:00:00Z").replace("123456789012", "999999999999");
    let taken = stage.take(&foreign).await;
    assert_eq!((taken.row.state, taken.settled, stage.asked()), (EventState::Unconfirmed, Ok(()), 0));
}
}
