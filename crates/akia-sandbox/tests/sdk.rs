//! The AWS SDK for Rust against the sandbox, mounted without a port: its parsers and its signer are the judges.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::time::{Duration, Instant};

use akia_sandbox::{
    AccountSpec, Clock, Fault, FaultKind, KeyPair, LastUsed, Outcome, Partition, Propagation, RoleSpec, Sandbox,
};
use aws_sdk_iam::config::{Credentials, Region};
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::StatusType;

const START: &str = "2026-03-01T12:00:30Z";

const OWN_KEYS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Action":["iam:*AccessKey*","iam:GetUser"],"Resource":"arn:aws:iam::*:user/${aws:username}"}}"#;

fn sandbox() -> Sandbox {
    Sandbox::builder().seed(42).clock(Clock::Manual(START.parse().unwrap())).build()
}

fn iam(sandbox: &Sandbox, credentials: Credentials) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version_latest()
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .http_client(sandbox.connector())
        .time_source(sandbox.time_source())
        .retry_config(aws_sdk_iam::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

fn sts(sandbox: &Sandbox, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials)
        .http_client(sandbox.connector())
        .time_source(sandbox.time_source())
        .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

fn signed_by(key: &KeyPair) -> Credentials {
    Credentials::new(&key.id, &key.secret, None, None, "test")
}

/// A user who may manage their own keys, with one.
fn alice(sandbox: &Sandbox) -> KeyPair {
    let alice = sandbox.add_user("alice", "/").unwrap();
    alice.put_policy("own-keys", OWN_KEYS).unwrap();
    alice.add_access_key(sandbox.now() - Duration::from_secs(400 * 86_400)).unwrap()
}

fn administrator(sandbox: &Sandbox) -> KeyPair {
    let admin = sandbox.add_user("admin", "/").unwrap();
    admin.attach_policy("AdministratorAccess").unwrap();
    admin.add_access_key(sandbox.now()).unwrap()
}

#[tokio::test]
async fn a_rotation_by_hand() {
    let sandbox = sandbox();
    let old = alice(&sandbox);
    let client = iam(&sandbox, signed_by(&old));
    let me = sts(&sandbox, signed_by(&old)).get_caller_identity().send().await.unwrap();
    assert_eq!(me.arn(), Some("arn:aws:iam::111122223333:user/alice"));
    assert_eq!(me.account(), Some("111122223333"));
    let user = client.get_user().send().await.unwrap().user.unwrap();
    assert_eq!((user.user_name(), user.path()), ("alice", "/"));
    assert_eq!(me.user_id(), Some(user.user_id()));

    let new = client.create_access_key().send().await.unwrap().access_key.unwrap();
    assert_eq!((new.user_name(), new.status(), new.secret_access_key().len()), ("alice", &StatusType::Active, 40));
    let third = client.create_access_key().send().await.unwrap_err().into_service_error();
    assert_eq!(third.code(), Some("LimitExceeded"));
    assert_eq!(third.message(), Some("Cannot exceed quota for AccessKeysPerUser: 2"));

    let new_credentials = Credentials::new(new.access_key_id(), new.secret_access_key(), None, None, "test");
    let client = iam(&sandbox, new_credentials);
    client.update_access_key().access_key_id(&old.id).status(StatusType::Inactive).send().await.unwrap();
    let listed = client.list_access_keys().send().await.unwrap();
    let status = |id: &str| {
        listed.access_key_metadata().iter().find(|key| key.access_key_id() == Some(id)).unwrap().status().cloned()
    };
    assert_eq!(status(&old.id), Some(StatusType::Inactive));
    assert_eq!(status(new.access_key_id()), Some(StatusType::Active));
    let refused = sts(&sandbox, signed_by(&old)).get_caller_identity().send().await.unwrap_err().into_service_error();
    assert_eq!(refused.code(), Some("InvalidClientTokenId"));

    client.delete_access_key().access_key_id(&old.id).send().await.unwrap();
    let gone = client.delete_access_key().access_key_id(&old.id).send().await.unwrap_err();
    assert_eq!(gone.raw_response().unwrap().status().as_u16(), 404);
    assert!(gone.into_service_error().is_no_such_entity_exception());
}

#[tokio::test]
async fn last_use_is_recorded_by_the_minute() {
    let sandbox = sandbox();
    let key = alice(&sandbox);
    let client = iam(&sandbox, signed_by(&key));
    sts(&sandbox, signed_by(&key)).get_caller_identity().send().await.unwrap();
    let answer = client.get_access_key_last_used().access_key_id(&key.id).send().await.unwrap();
    let used = answer.access_key_last_used().unwrap();
    // This very call is a use, too.
    assert_eq!((used.service_name(), used.region()), ("iam", "us-east-1"));
    assert_eq!(used.last_used_date().unwrap().to_string(), "2026-03-01T12:00:00Z");
    assert_eq!(answer.user_name(), Some("alice"));
    let fresh = sandbox.account().user("alice").unwrap().add_access_key(sandbox.now()).unwrap();
    let never = client.get_access_key_last_used().access_key_id(&fresh.id).send().await.unwrap();
    let never = never.access_key_last_used().unwrap();
    assert_eq!((never.service_name(), never.region(), never.last_used_date()), ("N/A", "N/A", None));
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let last = LastUsed { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() };
    sandbox.set_last_used(&fresh.id, Some(last)).unwrap();
    let set = client.get_access_key_last_used().access_key_id(&fresh.id).send().await.unwrap();
    assert_eq!(set.access_key_last_used().unwrap().service_name(), "s3");
}

#[tokio::test]
async fn last_use_shows_late_when_told() {
    let sandbox = Sandbox::builder()
        .seed(1)
        .clock(Clock::Manual(START.parse().unwrap()))
        .propagation(Propagation { last_used: Duration::from_secs(900), ..Propagation::instant() })
        .build();
    let key = administrator(&sandbox);
    let client = iam(&sandbox, signed_by(&key));
    let last = async || {
        let answer = client.get_access_key_last_used().access_key_id(&key.id).send().await.unwrap();
        answer.access_key_last_used.unwrap().last_used_date.map(|date| date.to_string())
    };
    assert_eq!(last().await, None);
    sandbox.advance(Duration::from_secs(600));
    assert_eq!(last().await, None);
    sandbox.advance(Duration::from_secs(600));
    assert_eq!(last().await.as_deref(), Some("2026-03-01T12:00:00Z"), "the first use, not yet the second");
}

#[tokio::test]
async fn a_foreign_key_s_last_use_is_denied_even_to_administrators() {
    let sandbox = sandbox();
    let client = iam(&sandbox, signed_by(&administrator(&sandbox)));
    let other = sandbox.add_account(AccountSpec::new("444455556666")).unwrap().add_user("zoe", "/").unwrap();
    let foreign = other.add_access_key(sandbox.now()).unwrap();
    let denied = client.get_access_key_last_used().access_key_id(&foreign.id).send().await.unwrap_err();
    let denied = denied.into_service_error();
    assert_eq!(denied.code(), Some("AccessDenied"));
    assert!(denied.message().unwrap().contains(&format!("on resource: access key {}", foreign.id)));
}

#[tokio::test]
async fn refusals_have_the_words_of_aws() {
    let sandbox = sandbox();
    let key = alice(&sandbox);
    sandbox.add_user("bob", "/").unwrap();
    let client = iam(&sandbox, signed_by(&key));
    let denied = client.create_access_key().user_name("bob").send().await.unwrap_err();
    assert_eq!(denied.raw_response().unwrap().status().as_u16(), 403);
    let denied = denied.into_service_error();
    assert_eq!(denied.code(), Some("AccessDenied"));
    assert_eq!(
        denied.message(),
        Some(
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: iam:CreateAccessKey on resource: \
             user bob because no identity-based policy allows the iam:CreateAccessKey action"
        )
    );
    let wrong = Credentials::new(&key.id, "wrong", None, None, "test");
    let wrong = iam(&sandbox, wrong).get_user().send().await.unwrap_err().into_service_error();
    assert_eq!(wrong.code(), Some("SignatureDoesNotMatch"));
    let unknown = Credentials::new(concat!("AKIA", "IOSFODNN7EXAMPLE"), "x", None, None, "test");
    let unknown = iam(&sandbox, unknown).get_user().send().await.unwrap_err().into_service_error();
    assert_eq!(unknown.code(), Some("InvalidClientTokenId"));
    let outcomes: Vec<_> = sandbox.log().into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused { status: 403, .. })), "{outcomes:?}");
}

#[tokio::test]
async fn mfa_sessions_open_what_the_policy_closes() {
    let sandbox = sandbox();
    let alice = sandbox.add_user("alice", "/").unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*",
        "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}"#;
    alice.put_policy("mfa", policy).unwrap();
    let key = alice.add_access_key(sandbox.now()).unwrap();
    let serial = alice.add_mfa_device().unwrap();
    let denied = iam(&sandbox, signed_by(&key)).list_users().send().await.unwrap_err().into_service_error();
    assert_eq!(denied.code(), Some("AccessDenied"));

    let sts_client = sts(&sandbox, signed_by(&key));
    let plain = sts_client.get_session_token().send().await.unwrap().credentials.unwrap();
    let session = |c: &aws_sdk_sts::types::Credentials| {
        Credentials::new(c.access_key_id(), c.secret_access_key(), Some(c.session_token().to_owned()), None, "test")
    };
    let closed = iam(&sandbox, session(&plain)).list_users().send().await.unwrap_err().into_service_error();
    assert_eq!(closed.code(), Some("InvalidClientTokenId"), "a session without MFA cannot call IAM at all");

    let code = sandbox.mfa_code(&serial).unwrap();
    let with_code =
        || sts_client.get_session_token().serial_number(&serial).token_code(&code).duration_seconds(900).send();
    let opened = with_code().await.unwrap().credentials.unwrap();
    let again = with_code().await.unwrap_err().into_service_error();
    assert_eq!(again.code(), Some("AccessDenied"), "a code works once");
    let client = iam(&sandbox, session(&opened));
    assert_eq!(client.list_users().send().await.unwrap().users().len(), 1);
    let log = sandbox.log();
    assert!(log.iter().all(|call| !call.parameters.contains_key("TokenCode")), "codes stay out of the log");

    sandbox.advance(Duration::from_secs(901));
    let expired = client.list_users().send().await.unwrap_err().into_service_error();
    assert_eq!(expired.code(), Some("ExpiredToken"));
}

#[tokio::test]
async fn roles_are_assumed_by_those_whom_they_trust() {
    let sandbox = sandbox();
    let key = alice(&sandbox);
    let other = sandbox.add_account(AccountSpec::new("444455556666")).unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"AWS":"arn:aws:iam::111122223333:root"},
        "Condition":{"StringEquals":{"sts:ExternalId":"letmein"}}}}"#;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}}"#;
    let role = RoleSpec {
        name: "auditor",
        path: "/",
        trust_policy: trust,
        policy: Some(policy),
        max_session: Duration::from_secs(3600),
    };
    let arn = other.add_role(role).unwrap();
    let client = sts(&sandbox, signed_by(&key));
    let assume =
        |external: &str| client.assume_role().role_arn(&arn).role_session_name("s").external_id(external).send();
    let denied = assume("letmein").await.unwrap_err().into_service_error();
    assert_eq!(denied.code(), Some("AccessDenied"), "alice's own policies must allow it, too");
    let allow = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
    sandbox.account().user("alice").unwrap().put_policy("assume", allow).unwrap();
    assert_eq!(assume("wrong").await.unwrap_err().into_service_error().code(), Some("AccessDenied"));
    let credentials = assume("letmein").await.unwrap().credentials.unwrap();
    let credentials = Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        Some(credentials.session_token().to_owned()),
        None,
        "test",
    );
    let me = sts(&sandbox, credentials.clone()).get_caller_identity().send().await.unwrap();
    assert_eq!(me.arn(), Some("arn:aws:sts::444455556666:assumed-role/auditor/s"));
    let client = iam(&sandbox, credentials);
    assert!(client.list_users().send().await.unwrap().users().is_empty());
    let nobody = client.get_user().send().await.unwrap_err().into_service_error();
    assert_eq!(nobody.message(), Some("Must specify userName when calling with non-User credentials"));
}

#[tokio::test]
async fn lists_are_paged_and_the_sdk_follows() {
    let sandbox = Sandbox::builder().seed(1).clock(Clock::Manual(START.parse().unwrap())).page_size(3).build();
    let key = administrator(&sandbox);
    for index in 0..10 {
        sandbox.add_user(&format!("user-{index}"), "/team/").unwrap();
    }
    let client = iam(&sandbox, signed_by(&key));
    let pages: Vec<_> = client.list_users().into_paginator().send().try_collect().await.unwrap();
    let sizes: Vec<usize> = pages.iter().map(|page| page.users().len()).collect();
    assert_eq!(sizes, [3, 3, 3, 2]);
    let details: Vec<_> =
        client.get_account_authorization_details().into_paginator().send().try_collect().await.unwrap();
    assert_eq!(details.iter().map(|page| page.user_detail_list().len()).sum::<usize>(), 11);
}

#[tokio::test]
async fn answers_get_lost_before_and_after() {
    let sandbox = sandbox();
    let key = alice(&sandbox);
    let client = iam(&sandbox, signed_by(&key));
    sandbox.inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerBeforeCommit));
    assert!(client.create_access_key().send().await.unwrap_err().as_service_error().is_none());
    assert_eq!(sandbox.keys().len(), 1);
    sandbox.inject(Fault::on("CreateAccessKey", FaultKind::DelayedCommit(Duration::from_secs(30))));
    assert!(client.create_access_key().send().await.unwrap_err().as_service_error().is_none());
    assert_eq!(sandbox.keys().len(), 1);
    sandbox.advance(Duration::from_secs(30));
    assert_eq!(sandbox.keys().len(), 2, "the delayed call is carried out in its time");
    let late = sandbox.keys().into_iter().find(|found| found.id != key.id).unwrap();
    client.delete_access_key().access_key_id(&late.id).send().await.unwrap();
    for kind in [FaultKind::LostAnswerAfterCommit, FaultKind::ServerError { status: 500, committed: true }] {
        sandbox.inject(Fault::on("CreateAccessKey", kind));
        assert!(client.create_access_key().send().await.is_err());
        assert_eq!(sandbox.keys().len(), 2, "it was carried out");
        let made = sandbox.keys().into_iter().find(|found| found.id != key.id).unwrap();
        assert_eq!(sandbox.log().last().unwrap().outcome, Outcome::LostAfterCommit);
        client.delete_access_key().access_key_id(&made.id).send().await.unwrap();
    }
    sandbox.inject(Fault::on_any(FaultKind::Throttle));
    let throttled = client.get_user().send().await.unwrap_err().into_service_error();
    assert_eq!(throttled.code(), Some("Throttling"));
    assert_eq!(sandbox.clear_faults(), 0);
}

/// Regression, and a trap to know: the SDK's XML reader takes half an answer for a whole one. Whoever makes a key must
/// look at what came back.
#[tokio::test]
async fn half_an_answer_is_taken_for_a_whole_one_by_the_sdk() {
    let sandbox = sandbox();
    let key = alice(&sandbox);
    sandbox.inject(Fault::on("CreateAccessKey", FaultKind::TruncatedAnswer));
    let half = iam(&sandbox, signed_by(&key)).create_access_key().send().await.unwrap().access_key.unwrap();
    assert!(half.secret_access_key().len() < 40, "the secret is not whole");
    assert_eq!(sandbox.keys().len(), 2, "and yet the key exists");
    assert_eq!(sandbox.log().last().unwrap().outcome, Outcome::LostAfterCommit);
}

#[tokio::test]
async fn a_slow_answer_moves_a_manual_clock_and_waits_on_tokio_s() {
    let sandbox = sandbox();
    let key = alice(&sandbox);
    sandbox.inject(Fault::on("GetUser", FaultKind::Slow(Duration::from_secs(20))));
    let before = sandbox.now();
    iam(&sandbox, signed_by(&key)).get_user().send().await.unwrap();
    assert_eq!(sandbox.now() - before, jiff::SignedDuration::from_secs(20));
}

#[tokio::test]
async fn the_credential_report_starts_completes_and_expires() {
    let sandbox = Sandbox::builder()
        .seed(1)
        .clock(Clock::Manual(START.parse().unwrap()))
        .report_takes(Duration::from_secs(5))
        .build();
    let key = administrator(&sandbox);
    let client = iam(&sandbox, signed_by(&key));
    let read = async || client.get_credential_report().send().await.map_err(|error| error.code().map(str::to_owned));
    let generate = async || client.generate_credential_report().send().await.unwrap().state.unwrap().to_string();
    assert_eq!(read().await.unwrap_err().as_deref(), Some("ReportNotPresent"));
    assert_eq!(generate().await, "STARTED");
    assert_eq!(generate().await, "INPROGRESS");
    assert_eq!(read().await.unwrap_err().as_deref(), Some("ReportInProgress"));
    sandbox.advance(Duration::from_secs(5));
    assert_eq!(generate().await, "COMPLETE");
    let report =
        |content: Option<aws_sdk_iam::primitives::Blob>| String::from_utf8(content.unwrap().into_inner()).unwrap();
    let csv = report(read().await.unwrap().content);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    let width = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == width), "{csv}");
    assert!(lines[1].starts_with("<root_account>,arn:aws:iam::111122223333:root,"), "{csv}");
    assert!(lines[2].contains(",true,2026-03-01T12:00:30+00:00,2026-03-01T12:00:00+00:00,us-east-1,iam,"), "{csv}");
    sandbox.add_user("late", "/").unwrap();
    assert_eq!(generate().await, "COMPLETE");
    assert_eq!(report(read().await.unwrap().content), csv, "kept for four hours");
    sandbox.advance(Duration::from_secs(4 * 3600));
    assert_eq!(read().await.unwrap_err().as_deref(), Some("ReportExpired"));
    assert_eq!(generate().await, "STARTED");
}

#[tokio::test]
async fn changes_spread_as_slowly_as_told() {
    let sandbox = Sandbox::builder()
        .seed(5)
        .clock(Clock::Manual(START.parse().unwrap()))
        .propagation(Propagation { new_keys: vec![(1.0, Duration::from_secs(3))], ..Propagation::realistic() })
        .build();
    let alice = sandbox.add_user("alice", "/").unwrap();
    let key = alice.add_access_key(sandbox.now()).unwrap();
    let client = sts(&sandbox, signed_by(&key));
    let works = async || client.get_caller_identity().send().await.is_ok();
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen.push(works().await);
        sandbox.advance(Duration::from_millis(100));
    }
    assert!(!seen[0], "unknown at first");
    let first = seen.iter().position(|works| *works).unwrap();
    assert!(seen[first..].iter().any(|works| !works), "and again after a success: {seen:?}");
    assert!(seen[70..].iter().all(|works| *works), "then always");
    alice.set_key_active(&key.id, false).unwrap();
    assert!(works().await, "a deactivated key goes on working");
    sandbox.advance(Duration::from_secs(4));
    assert!(!works().await);
}

#[tokio::test]
async fn partitions_do_not_know_each_other_s_keys() {
    let sandbox = sandbox();
    let china = sandbox.add_account(AccountSpec::new("777788889999").partition(Partition::AwsCn)).unwrap();
    let li = china.add_user("li", "/").unwrap();
    li.attach_policy("AdministratorAccess").unwrap();
    let key = li.add_access_key(sandbox.now()).unwrap();
    let in_region = |region: &'static str| {
        let config = aws_sdk_iam::Config::builder()
            .behavior_version_latest()
            .region(Region::new(region))
            .credentials_provider(signed_by(&key))
            .http_client(sandbox.connector())
            .time_source(sandbox.time_source())
            .build();
        aws_sdk_iam::Client::from_conf(config)
    };
    let user = in_region("cn-northwest-1").get_user().send().await.unwrap().user.unwrap();
    assert_eq!(user.arn(), "arn:aws-cn:iam::777788889999:user/li");
    let abroad = in_region("us-east-1").get_user().send().await.unwrap_err().into_service_error();
    assert_eq!(abroad.code(), Some("InvalidClientTokenId"));
}

#[tokio::test]
async fn simulation_agrees_with_the_call() {
    let sandbox = sandbox();
    alice(&sandbox);
    let admin = administrator(&sandbox);
    let arn = "arn:aws:iam::111122223333:user/alice";
    let client = iam(&sandbox, signed_by(&admin));
    let simulate = async |resource: &str| {
        let answer = client
            .simulate_principal_policy()
            .policy_source_arn(arn)
            .action_names("iam:CreateAccessKey")
            .action_names("iam:DeleteUser")
            .resource_arns(resource)
            .send()
            .await
            .unwrap();
        let decisions = answer.evaluation_results().iter().map(|result| result.eval_decision().as_str().to_owned());
        decisions.collect::<Vec<_>>()
    };
    assert_eq!(simulate(arn).await, ["allowed", "implicitDeny"]);
    assert_eq!(simulate("arn:aws:iam::111122223333:user/bob").await, ["implicitDeny", "implicitDeny"]);
    assert_eq!(simulate("*").await, ["implicitDeny", "implicitDeny"]);
}

#[tokio::test]
async fn the_root_user_is_no_user() {
    let sandbox = sandbox();
    let key = sandbox.account().add_root_key(sandbox.now()).unwrap();
    let me = sts(&sandbox, signed_by(&key)).get_caller_identity().send().await.unwrap();
    assert_eq!((me.arn(), me.user_id()), (Some("arn:aws:iam::111122223333:root"), Some("111122223333")));
    let client = iam(&sandbox, signed_by(&key));
    let root = client.get_user().send().await.unwrap().user.unwrap();
    assert_eq!((root.arn(), root.user_name()), ("arn:aws:iam::111122223333:root", ""));
    assert_eq!(
        client.list_access_keys().send().await.unwrap().access_key_metadata()[0].access_key_id(),
        Some(&*key.id)
    );
    let summary = client.get_account_summary().send().await.unwrap();
    assert_eq!(summary.summary_map().unwrap()[&"AccountAccessKeysPresent".into()], 1);
}

#[tokio::test]
async fn a_raced_quota_lets_more_than_two_through() {
    let sandbox = Sandbox::builder()
        .seed(1)
        .clock(Clock::Manual(START.parse().unwrap()))
        .racy_quota(Duration::from_secs(2))
        .build();
    let client = iam(&sandbox, signed_by(&alice(&sandbox)));
    let create = async || client.create_access_key().send().await.is_ok();
    assert!(create().await && create().await, "three keys within the window");
    sandbox.advance(Duration::from_secs(2));
    assert!(!create().await, "and no more behind it");
    assert_eq!(client.list_access_keys().send().await.unwrap().access_key_metadata().len(), 3);
}

#[tokio::test]
async fn lists_may_show_what_was_before() {
    let sandbox = Sandbox::builder()
        .seed(1)
        .clock(Clock::Manual(START.parse().unwrap()))
        .propagation(Propagation { lists: Duration::from_secs(5), ..Propagation::instant() })
        .build();
    let key = administrator(&sandbox);
    let client = iam(&sandbox, signed_by(&key));
    sandbox.advance(Duration::from_secs(5));
    client.create_access_key().send().await.unwrap();
    let count = async || client.list_access_keys().send().await.unwrap().access_key_metadata().len();
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(count().await);
    }
    assert!(seen.contains(&1) && seen.contains(&2), "{seen:?}");
    sandbox.advance(Duration::from_secs(5));
    for _ in 0..20 {
        assert_eq!(count().await, 2);
    }
}

#[tokio::test]
async fn a_deleted_user_takes_their_sessions_along() {
    let sandbox = sandbox();
    let admin = iam(&sandbox, signed_by(&administrator(&sandbox)));
    let key = alice(&sandbox);
    let opened = sts(&sandbox, signed_by(&key)).get_session_token().send().await.unwrap().credentials.unwrap();
    let session = Credentials::new(
        opened.access_key_id(),
        opened.secret_access_key(),
        Some(opened.session_token().to_owned()),
        None,
        "test",
    );
    let session = sts(&sandbox, session);
    assert!(session.get_caller_identity().send().await.is_ok());
    let id = async || admin.get_user().user_name("alice").send().await.unwrap().user.unwrap().user_id;
    let before = id().await;
    admin.delete_access_key().user_name("alice").access_key_id(&key.id).send().await.unwrap();
    admin.delete_user_policy().user_name("alice").policy_name("own-keys").send().await.unwrap();
    admin.delete_user().user_name("alice").send().await.unwrap();
    let gone = session.get_caller_identity().send().await.unwrap_err().into_service_error();
    assert_eq!(gone.code(), Some("InvalidClientTokenId"));
    admin.create_user().user_name("alice").send().await.unwrap();
    assert_ne!(id().await, before, "the same name is another user");
    let still = session.get_caller_identity().send().await.unwrap_err().into_service_error();
    assert_eq!(still.code(), Some("InvalidClientTokenId"), "and inherits no session");
}

/// Under a paused tokio clock the hours of a grace period cost nothing, and the sandbox sees them go by.
#[tokio::test(start_paused = true)]
async fn paused_tokio_time_moves_the_sandbox() {
    let sandbox = Sandbox::builder().seed(1).clock(Clock::Tokio(START.parse().unwrap())).build();
    let key = alice(&sandbox);
    let client = iam(&sandbox, signed_by(&key));
    client.get_user().send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    client.get_user().send().await.unwrap();
    let calls = sandbox.log();
    assert_eq!(calls[1].at.as_second() - calls[0].at.as_second(), 7 * 86_400);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_world() {
    let run = async |seed| {
        let clock = Clock::Manual(START.parse().unwrap());
        let sandbox = Sandbox::builder().seed(seed).clock(clock).propagation(Propagation::realistic()).build();
        let client = iam(&sandbox, signed_by(&alice(&sandbox)));
        for _ in 0..20 {
            // Whether it works is what is compared.
            let _outcome = client.create_access_key().send().await;
            sandbox.advance(Duration::from_millis(700));
        }
        sandbox.log()
    };
    let first = run(9).await;
    assert_eq!(first, run(9).await);
    assert_ne!(first, run(10).await);
}

/// Design §6 wants a hundred rotations of fifteen calls in half a second, optimised; what a loaded machine takes for
/// a debug build says nothing. That the hundredth is no slower than the first does.
#[tokio::test]
async fn a_hundred_rotations_do_not_slow_down() {
    let sandbox = sandbox();
    let keys: Vec<KeyPair> = (0..100)
        .map(|index| {
            let user = sandbox.add_user(&format!("user-{index}"), "/").unwrap();
            user.put_policy("own-keys", OWN_KEYS).unwrap();
            user.add_access_key(sandbox.now()).unwrap()
        })
        .collect();
    let mut times = Vec::new();
    for key in &keys {
        let started = Instant::now();
        let client = iam(&sandbox, signed_by(key));
        let new = client.create_access_key().send().await.unwrap().access_key.unwrap();
        let credentials = Credentials::new(new.access_key_id(), new.secret_access_key(), None, None, "test");
        let client = iam(&sandbox, credentials);
        for _ in 0..12 {
            client.list_access_keys().send().await.unwrap();
        }
        client.update_access_key().access_key_id(&key.id).status(StatusType::Inactive).send().await.unwrap();
        client.delete_access_key().access_key_id(&key.id).send().await.unwrap();
        times.push(started.elapsed());
    }
    assert_eq!(sandbox.log().len(), 1500);
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort();
        times[times.len() / 2]
    };
    let (early, late) = (median(&times[..30]), median(&times[70..]));
    assert!(late < early * 3, "{early:?} a rotation at first, {late:?} at last");
}

#[tokio::test]
async fn groups_are_filled_read_and_deleted_when_they_are_empty() {
    let sandbox = Sandbox::builder().seed(1).clock(Clock::Manual(START.parse().unwrap())).page_size(2).build();
    let client = iam(&sandbox, signed_by(&administrator(&sandbox)));
    client.create_group().group_name("service-x").path("/service/").send().await.unwrap();
    for name in ["a", "b", "c"] {
        client.create_user().user_name(name).send().await.unwrap();
        client.add_user_to_group().group_name("service-x").user_name(name).send().await.unwrap();
    }
    let pages: Vec<_> = client.get_group().group_name("service-x").into_paginator().send().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.users().len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(pages[0].group().unwrap().path(), "/service/");

    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    client.put_group_policy().group_name("service-x").policy_name("p").policy_document(policy).send().await.unwrap();
    client
        .attach_group_policy()
        .group_name("service-x")
        .policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess")
        .send()
        .await
        .unwrap();
    let read = client.get_group_policy().group_name("service-x").policy_name("p").send().await.unwrap();
    assert!(read.policy_document().starts_with("%7B%22Version%22"), "{}", read.policy_document());
    let listed = client.list_group_policies().group_name("service-x").send().await.unwrap();
    assert_eq!(listed.policy_names(), ["p"]);
    let attached = client.list_attached_group_policies().group_name("service-x").send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_name(), Some("ReadOnlyAccess"));

    // DeleteConflict names what stands in the way, one thing after the other.
    let mut told = Vec::new();
    for step in 0..4 {
        if let Err(error) = client.delete_group().group_name("service-x").send().await {
            let error = error.into_service_error();
            assert_eq!(error.code(), Some("DeleteConflict"));
            told.push(error.message().unwrap_or_default().to_owned());
        }
        match step {
            0 => {
                for name in ["a", "b", "c"] {
                    client.remove_user_from_group().group_name("service-x").user_name(name).send().await.unwrap();
                }
            }
            1 => _ = client.delete_group_policy().group_name("service-x").policy_name("p").send().await.unwrap(),
            2 => {
                let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
                client.detach_group_policy().group_name("service-x").policy_arn(arn).send().await.unwrap();
            }
            _ => {}
        }
    }
    let words = ["remove users from group", "delete policies", "detach all policies"];
    assert_eq!(told, words.map(|what| format!("Cannot delete entity, must {what} first.")));
    let gone = client.get_group().group_name("service-x").send().await.unwrap_err().into_service_error();
    assert_eq!(
        (gone.code(), gone.message()),
        (Some("NoSuchEntity"), Some("The group with name service-x cannot be found."))
    );
    let gone = client.delete_group_policy().group_name("service-x").policy_name("p").send().await.unwrap_err();
    assert_eq!(gone.into_service_error().code(), Some("NoSuchEntity"));
}

#[tokio::test]
async fn a_group_holds_so_much_policy_and_no_more() {
    let sandbox = sandbox();
    let client = iam(&sandbox, signed_by(&administrator(&sandbox)));
    client.create_group().group_name("g").send().await.unwrap();
    let policy = |buckets: usize| {
        let arns: Vec<String> = (0..buckets).map(|n| format!("\"arn:aws:s3:::bucket-{n:06}/*\"")).collect();
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":[{}]}}]}}"#,
            arns.join(",\n      ")
        )
    };
    let put = |name: &'static str, document: String| {
        client.put_group_policy().group_name("g").policy_name(name).policy_document(document).send()
    };
    put("one", policy(100)).await.unwrap();
    put("one", policy(140)).await.unwrap();
    let error = put("two", policy(60)).await.unwrap_err().into_service_error();
    assert_eq!(
        (error.code(), error.message()),
        (Some("LimitExceeded"), Some("Maximum policy size of 5120 bytes exceeded for group g"))
    );
}

#[tokio::test]
async fn a_permissions_boundary_takes_away_and_grants_nothing() {
    let sandbox = sandbox();
    let client = iam(&sandbox, signed_by(&administrator(&sandbox)));
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"},
        {"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}]}"#;
    let made = client.create_policy().policy_name("boundary").policy_document(document).send().await.unwrap();
    let arn = made.policy().unwrap().arn().unwrap().to_owned();
    client.create_user().user_name("bounded").permissions_boundary(&arn).send().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GetUser","iam:ListAccessKeys"],"Resource":"*"}]}"#;
    client.put_user_policy().user_name("bounded").policy_name("p").policy_document(policy).send().await.unwrap();
    let key = client.create_access_key().user_name("bounded").send().await.unwrap().access_key.unwrap();
    let bounded = iam(&sandbox, Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "test"));
    let user = bounded.get_user().send().await.unwrap().user.unwrap();
    assert_eq!(user.permissions_boundary().unwrap().permissions_boundary_arn(), Some(arn.as_str()));
    let denied = bounded.list_access_keys().send().await.unwrap_err().into_service_error();
    assert!(
        denied.message().unwrap().ends_with("because no permissions boundary allows the iam:ListAccessKeys action")
    );
    let denied = bounded.list_users().send().await.unwrap_err().into_service_error();
    assert!(denied.message().unwrap().ends_with("because no identity-based policy allows the iam:ListUsers action"));

    client.delete_user_permissions_boundary().user_name("bounded").send().await.unwrap();
    bounded.list_access_keys().send().await.unwrap();
    client.put_user_permissions_boundary().user_name("bounded").permissions_boundary(&arn).send().await.unwrap();
    bounded.list_access_keys().send().await.unwrap_err();
    let missing = format!("{arn}-missing");
    let error = client.put_user_permissions_boundary().user_name("bounded").permissions_boundary(missing).send().await;
    assert_eq!(error.unwrap_err().into_service_error().code(), Some("NoSuchEntity"));
    let used = client.get_policy().policy_arn(&arn).send().await.unwrap().policy.unwrap();
    assert_eq!((used.permissions_boundary_usage_count(), used.attachment_count()), (Some(1), Some(0)));
}
