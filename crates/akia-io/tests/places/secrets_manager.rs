//! Secrets Manager: moto's, behind a front for the faults that moto does not have.

use std::sync::Arc;
use std::time::Duration;

use akia_core::AccessKeyId;
use akia_core::place::{DeclaredPlace, Place};
use akia_core::profile::File;
use akia_io::aws::{Aws, AwsOptions, MfaPrompt, NoCode, Wallet};
use akia_io::clock::SystemClock;
use akia_io::keychain::NoKeychain;
use akia_io::place::{Expected, Held, Outside, PlaceError, Places};
use akia_io::rotate::Signers;
use akia_io::state::StateFolder;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::keys::{pair, secret};
use crate::moto::{Act, Front};

struct NoDevice;

impl MfaPrompt for NoDevice {
    fn code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        Box::pin(async { Err(NoCode { reason: "a test has no device".to_owned() }) })
    }
}

fn value(n: usize) -> Value {
    json!({ "AWS_ACCESS_KEY_ID": pair(n).id, "AWS_SECRET_ACCESS_KEY": secret(n), "bucket": "example", "port": 5432 })
}

/// A secret, and what writes to it.
pub(crate) struct Bench {
    front: Front,
    places: Places,
    name: String,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, "", |front| AwsOptions { endpoint_url: front.url.parse().ok(), ..AwsOptions::default() })
    }

    fn with(name: &str, more: &str, options: impl Fn(&Front) -> AwsOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let front = Front::start();
        let options = AwsOptions {
            region: "us-east-1".parse().ok(),
            initial_backoff: Duration::from_millis(5),
            attempt_timeout: Duration::from_secs(5),
            attempts: 2,
            ..options(&front)
        };
        let file =
            format!("[ops]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {}\n", secret(999));
        let credentials = File::parse(akia_core::profile::FileKind::Credentials, file.as_bytes());
        let outside = Outside {
            aws: Aws::new(options),
            signers: Arc::new(Signers::new(Wallet::new(Some(credentials), None, Box::new(NoDevice)))),
            clock: Arc::new(SystemClock),
            variables: Arc::new(|_| None),
        };
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let no_keychain = || Err(NoKeychain { reason: "none".to_owned(), hint: String::new() });
        let places = Places::new(state, no_keychain).with_outside(outside);
        let table = format!(
            "kind = \"secrets-manager\"\nsecret = \"{name}\"\nprofile = \"ops\"\nregion = \"us-east-1\"\n{more}"
        );
        let place = Place::Declared(toml_place(&table));
        Self { front, places, name: name.to_owned(), place, _folder: folder }
    }

    /// With key number 1 in it.
    pub(crate) fn holding(self) -> Self {
        self.front.call("CreateSecret", &json!({ "Name": self.name, "SecretString": format!("{:#}", value(1)) }));
        self
    }

    pub(crate) async fn deliver(&self, n: usize, expected: &[usize]) -> Result<(), PlaceError> {
        let keys: Vec<AccessKeyId> = expected.iter().map(|n| pair(*n).id).collect();
        let done = self.places.deliver(&self.place, &pair(n), Expected::keys(&keys)).await;
        if let Err(error) = &done {
            let said = format!("{error} {error:?} {}", error.hint());
            assert!((0..1_000).all(|n| !said.contains(&secret(n))), "{said}");
        }
        done.map(|mark| assert_eq!(mark, None))
    }

    async fn holds(&self, n: usize) -> bool {
        matches!(self.places.read(&self.place).await.unwrap(), Held::Pair(found) if found.matches(&pair(n)))
    }

    fn labels(&self) -> Vec<Vec<String>> {
        let described = self.front.call("DescribeSecret", &json!({ "SecretId": self.name }));
        let versions = described["VersionIdsToStages"].as_object().unwrap().values();
        let text = |label: &Value| label.as_str().unwrap().to_owned();
        let labels = versions.map(|labels| labels.as_array().unwrap().iter().map(text).collect::<Vec<_>>());
        let mut labels: Vec<Vec<String>> = labels.filter(|labels| !labels.is_empty()).collect();
        labels.sort();
        labels
    }

    fn stands(&self) -> Value {
        let asked = json!({ "SecretId": self.name, "VersionStage": "AWSCURRENT" });
        serde_json::from_str(self.front.call("GetSecretValue", &asked)["SecretString"].as_str().unwrap()).unwrap()
    }

    /// Somebody else makes another value current. (moto's own way to do so forgets to take the label from a version that a label was moved
    /// to.)
    fn somebody_writes(&self, text: &str) {
        let secret = || json!({ "SecretId": self.name, "VersionStage": "AWSCURRENT" });
        let old = self.front.call("GetSecretValue", &secret())["VersionId"].clone();
        let put = json!({ "SecretId": self.name, "SecretString": text, "VersionStages": ["OTHER"] });
        let new = self.front.call("PutSecretValue", &put)["VersionId"].clone();
        let mut moved = secret();
        moved["RemoveFromVersionId"] = old;
        moved["MoveToVersionId"] = new.clone();
        self.front.call("UpdateSecretVersionStage", &moved);
        self.front.call(
            "UpdateSecretVersionStage",
            &json!({ "SecretId": self.name, "VersionStage": "OTHER", "RemoveFromVersionId": new }),
        );
    }

    async fn refused(&self) -> String {
        let error = self.places.preflight(&self.place).await.unwrap_err();
        assert!(matches!(error, PlaceError::Refused { .. }), "{error:?}");
        error.to_string()
    }
}

fn toml_place(table: &str) -> DeclaredPlace {
    let pairs = table.lines().filter_map(|line| line.split_once(" = "));
    let value: serde_json::Map<String, Value> =
        pairs.map(|(name, value)| (name.to_owned(), serde_json::from_str(value).unwrap())).collect();
    serde_json::from_value(Value::Object(value)).unwrap()
}

fn fault(status: u16, code: &str) -> Act {
    // A service that repeats what it was sent.
    Act::Answer(status, json!({ "__type": code, "message": format!("no: {} {}", secret(2), secret(999)) }).to_string())
}

const BOTH: [[&str; 1]; 2] = [["AWSCURRENT"], ["AWSPREVIOUS"]];

#[tokio::test]
async fn a_key_goes_through_awspending_and_an_undo_moves_awscurrent_back() {
    let bench = Bench::new("a/rotation").holding();
    bench.places.preflight(&bench.place).await.unwrap();
    assert!(bench.holds(1).await);
    assert_eq!(bench.labels(), [["AWSCURRENT"]], "the preflight has changed nothing");
    bench.front.operations();
    bench.deliver(2, &[1]).await.unwrap();
    let put = bench.front.requests().into_iter().find(|(operation, _)| operation == "PutSecretValue").unwrap().1;
    assert_eq!(
        (&put["VersionStages"], put["ClientRequestToken"].as_str().unwrap().len()),
        (&json!(["AWSPENDING"]), 36)
    );
    assert_eq!((bench.stands(), bench.labels()), (value(2), BOTH.map(|one| one.map(str::to_owned).to_vec()).to_vec()));
    bench.deliver(2, &[1]).await.unwrap();
    assert!(!bench.front.operations().iter().any(|operation| operation == "PutSecretValue"), "there already");

    bench.deliver(1, &[2]).await.unwrap();
    let moved = bench.front.operations();
    assert!(!moved.iter().any(|operation| operation == "PutSecretValue"), "the old version is still there: {moved:?}");
    assert_eq!(bench.stands(), value(1));
    assert_eq!(bench.labels(), BOTH);
    bench.places.preflight(&bench.place).await.unwrap();
    bench.deliver(2, &[1]).await.unwrap();
    assert!(bench.holds(2).await, "and once more");

    // Somebody changed something else meanwhile: the undo keeps it.
    let mut changed = value(2);
    changed["bucket"] = json!("other");
    bench.somebody_writes(&changed.to_string());
    bench.deliver(1, &[2]).await.unwrap();
    let mut expected = value(1);
    expected["bucket"] = json!("other");
    assert_eq!(bench.stands(), expected);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_created_and_one_without_a_key_is_filled() {
    let bench = Bench::new("a/new");
    bench.places.preflight(&bench.place).await.unwrap();
    assert!(matches!(bench.deliver(2, &[1]).await, Err(PlaceError::Emptied { .. })));
    bench.front.plan("CreateSecret", &[Act::Lost]);
    bench.deliver(2, &[]).await.unwrap();
    assert!(bench.holds(2).await);
    assert!(matches!(bench.deliver(3, &[]).await, Err(PlaceError::Foreign { .. })));
    let other = Bench::new("a/filled");
    other.front.call("CreateSecret", &json!({ "Name": other.name, "SecretString": "{\"bucket\":\"example\"}" }));
    other.deliver(2, &[]).await.unwrap();
    assert_eq!((&other.stands()["bucket"], other.holds(2).await), (&json!("example"), true));
}

#[tokio::test]
async fn the_whole_value_may_be_the_key() {
    for (n, form) in ["process", "profile", "env"].into_iter().enumerate() {
        let whole = format!("whole = \"{form}\"");
        let typed = |front: &Front| AwsOptions { endpoint_url: front.url.parse().ok(), ..AwsOptions::default() };
        let bench = Bench::with(&format!("a/whole-{n}"), &whole, typed);
        bench.deliver(1, &[]).await.unwrap();
        bench.deliver(2, &[1]).await.unwrap();
        bench.deliver(1, &[2]).await.unwrap();
        assert!(bench.holds(1).await, "{form}");
        bench.somebody_writes("a password");
        assert!(matches!(bench.deliver(2, &[]).await, Err(PlaceError::Unreadable { .. })), "{form}");
    }
}

#[tokio::test]
async fn what_somebody_else_has_written_is_not_written_over() {
    let bench = Bench::new("b/foreign").holding();
    assert!(matches!(bench.deliver(3, &[2]).await, Err(PlaceError::Foreign { .. })));
    bench.somebody_writes("{}");
    assert!(matches!(bench.deliver(3, &[1]).await, Err(PlaceError::Emptied { .. })));
    // AWSCURRENT has moved on between the look and the move.
    let bench = Bench::new("b/meanwhile").holding();
    let moved_on = "The parameter RemoveFromVersionId can't be empty";
    let refusal = json!({ "__type": "InvalidParameterException", "message": moved_on }).to_string();
    bench.front.plan("UpdateSecretVersionStage", &[Act::Answer(400, refusal)]);
    bench.deliver(2, &[1]).await.unwrap();
    assert!(bench.holds(2).await);
}

#[tokio::test]
async fn faults_that_pass_are_waited_out_and_lost_answers_make_no_second_version() {
    for (n, (operation, acts)) in [
        ("PutSecretValue", vec![fault(400, "ThrottlingException"), fault(500, "InternalServiceError")]),
        ("PutSecretValue", vec![Act::Lost]),
        ("PutSecretValue", vec![Act::DoneBut(503, String::new())]),
        ("UpdateSecretVersionStage", vec![Act::Lost]),
        ("UpdateSecretVersionStage", vec![Act::DoneBut(500, "{}".to_owned())]),
        ("UpdateSecretVersionStage", vec![Act::Pass, Act::Lost]),
        ("GetSecretValue", vec![Act::Answer(429, "{}".to_owned())]),
        ("DescribeSecret", vec![fault(503, "ServiceUnavailable")]),
    ]
    .into_iter()
    .enumerate()
    {
        let bench = Bench::new(&format!("c/passes-{n}")).holding();
        bench.front.plan(operation, &acts);
        bench.deliver(2, &[1]).await.unwrap();
        assert_eq!((bench.stands(), bench.labels().len()), (value(2), 2), "{operation} {acts:?}");
        assert_eq!(bench.labels(), BOTH, "{operation} {acts:?}");
    }
}

/// A crash at any moment is a call that never comes back; the next run does what is left.
#[tokio::test]
async fn a_delivery_that_was_cut_off_anywhere_is_completed_or_taken_back() {
    for (n, operation) in ["PutSecretValue", "UpdateSecretVersionStage", "GetSecretValue"].into_iter().enumerate() {
        for goes_on in [true, false] {
            let bench = Bench::new(&format!("c/cut-{n}-{goes_on}")).holding();
            let ends = if operation == "GetSecretValue" { vec![Act::Pass] } else { vec![] };
            let dead = std::iter::repeat_n(fault(503, "ServiceUnavailable"), 8);
            bench.front.plan(operation, &ends.into_iter().chain(dead).collect::<Vec<_>>());
            assert!(matches!(bench.deliver(2, &[1]).await, Err(PlaceError::Unavailable { .. })), "{operation}");
            bench.front.plan(operation, &[]);
            let (n, expected) = if goes_on { (2, [1]) } else { (1, [2]) };
            bench.deliver(n, &expected).await.unwrap();
            assert!(bench.holds(n).await);
            let pending = bench.labels().concat().contains(&"AWSPENDING".to_owned());
            assert!(!pending, "{operation} {goes_on}: {:?}", bench.labels());
        }
    }
}

#[tokio::test]
async fn refusals_are_told_before_a_key_exists_and_hold_no_secret() {
    let denied =
        |what: &str| Act::Answer(400, json!({ "__type": "AccessDeniedException", "Message": what }).to_string());
    for operation in ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"] {
        let bench = Bench::new(&format!("d/denied-{operation}")).holding();
        let words = format!("User: x is not authorized to perform: secretsmanager:{operation} on resource: y");
        bench.front.plan(operation, &[denied(&words)]);
        let error = bench.places.preflight(&bench.place).await.unwrap_err();
        assert!(matches!(&error, PlaceError::Denied { .. }) && error.to_string().contains(operation), "{error}");
        bench.front.plan(operation, &[fault(403, "AccessDeniedException")]);
        assert!(matches!(bench.deliver(2, &[1]).await, Err(PlaceError::Denied { .. })), "{operation}");
        assert!(bench.holds(1).await);
    }
    let bench = Bench::new("d/kms").holding();
    bench.front.plan("GetSecretValue", &[denied("Access to KMS is not allowed")]);
    let error = bench.places.preflight(&bench.place).await.unwrap_err();
    assert!(error.to_string().contains("KMS key must let the signer decrypt"), "{error}");
    bench.front.plan("PutSecretValue", &[fault(400, "EncryptionFailure")]);
    let error = bench.deliver(2, &[1]).await.unwrap_err();
    assert!(error.to_string().contains("generate data keys"), "{error}");
    for (status, code) in [(401, "UnrecognizedClientException"), (403, "ExpiredTokenException")] {
        bench.front.plan("DescribeSecret", &[fault(status, code)]);
        assert!(matches!(bench.deliver(2, &[1]).await, Err(PlaceError::Denied { .. })), "{code}");
    }
    bench.front.plan("PutSecretValue", &[fault(400, "LimitExceededException")]);
    assert!(matches!(bench.deliver(2, &[1]).await, Err(PlaceError::Refused { .. })));
    assert!(bench.holds(1).await);
}

#[tokio::test]
async fn secrets_that_are_not_ours_to_write_are_refused() {
    let bench = Bench::new("e/owned").holding();
    bench.front.plan("DescribeSecret", &[Act::With(json!({ "OwningService": "rds" }))]);
    assert!(bench.refused().await.contains("the service rds manages it"));
    bench.front.plan("DescribeSecret", &[Act::With(json!({ "PrimaryRegion": "eu-west-1" }))]);
    assert!(bench.refused().await.contains("region = \"eu-west-1\""));
    let binary = json!({ "Name": "e/binary", "SecretBinary": "aGVsbG8=" });
    let other = Bench::new("e/binary");
    other.front.call("CreateSecret", &binary);
    assert!(other.refused().await.contains("binary"));

    let pending = json!({
        "SecretId": bench.name, "SecretString": value(7).to_string(), "VersionStages": ["AWSPENDING"],
        "ClientRequestToken": "11111111-2222-3333-4444-555555555555",
    });
    bench.front.call("PutSecretValue", &pending);
    assert!(bench.refused().await.contains("AWSPENDING is on version 11111111-2222"));
    let error = bench.deliver(2, &[1]).await.unwrap_err();
    assert!(matches!(&error, PlaceError::Refused { .. }) && error.to_string().contains("under way"), "{error}");
    assert!(bench.holds(1).await);

    bench.front.call("DeleteSecret", &json!({ "SecretId": bench.name }));
    assert!(bench.refused().await.contains("scheduled for deletion"));
}

#[tokio::test]
async fn a_key_is_not_handed_to_an_endpoint_that_nobody_has_typed() {
    let foreign = |_: &Front| {
        let variable =
            |name: &str| (name == "AWS_ENDPOINT_URL_SECRETS_MANAGER").then(|| "https://keys.example.com".to_owned());
        AwsOptions::from_env(&variable).unwrap()
    };
    let bench = Bench::with("f/foreign", "", foreign);
    let error = bench.refused().await;
    assert!(error.contains("keys are not changed at keys.example.com"), "{error}");
}
