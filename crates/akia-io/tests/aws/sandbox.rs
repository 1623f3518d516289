//! The calls against the sandbox: mounted as the SDK's connector, and over HTTP.

use std::time::Duration;

use akia_core::key::{KeyStatus, LastUsed};
use akia_core::profile::{File, FileKind};
use akia_io::aws::{
    Aws, AwsError, AwsOptions, Caller, Credentials, Fact, IdentityKind, KeyChange, MfaPrompt, MfaToken, NoCode, Right,
    Simulation, Target, Wallet,
};
use akia_sandbox::{AccountSpec, Clock, Fault, FaultKind, KeyPair, Partition, RoleSpec, Sandbox};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_util::future::BoxFuture;

const START: &str = "2026-03-01T12:00:30Z";
const OWN_KEYS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Action":["iam:CreateAccessKey","iam:ListAccessKeys","iam:UpdateAccessKey","iam:GetAccessKeyLastUsed","iam:GetUser"],
    "Resource":"arn:aws:iam::*:user/${aws:username}"}}"#;

fn sandbox() -> Sandbox {
    Sandbox::builder().seed(7).clock(Clock::Manual(START.parse().unwrap())).page_size(1).build()
}

fn aws(sandbox: &Sandbox) -> Aws {
    Aws::new(AwsOptions {
        http: Some(SharedHttpClient::new(sandbox.connector())),
        time: Some(sandbox.time_source()),
        initial_backoff: Duration::from_millis(1),
        ..AwsOptions::default()
    })
}

fn credentials(key: &KeyPair) -> Credentials {
    Credentials::for_key(key.id.parse().unwrap(), crate::secret(&key.secret))
}

fn caller(aws: &Aws, key: &KeyPair) -> Caller {
    aws.caller(credentials(key), Target::default())
}

fn ann(sandbox: &Sandbox) -> KeyPair {
    let ann = sandbox.add_user("ann", "/team/").unwrap();
    ann.put_policy("own-keys", OWN_KEYS).unwrap();
    ann.tag("owner", "ann@example.com").unwrap();
    ann.add_access_key(sandbox.now() - Duration::from_secs(400 * 86_400)).unwrap()
}

fn admin(sandbox: &Sandbox) -> KeyPair {
    let admin = sandbox.add_user("admin", "/").unwrap();
    admin.attach_policy("AdministratorAccess").unwrap();
    admin.add_access_key(sandbox.now()).unwrap()
}

#[tokio::test]
async fn a_key_lives_its_whole_life() {
    let sandbox = sandbox();
    let (old, admin) = (ann(&sandbox), admin(&sandbox));
    let aws = aws(&sandbox);
    let admin = caller(&aws, &admin);
    let me = caller(&aws, &old);

    let identity = me.caller_identity().await.unwrap();
    let IdentityKind::User(arn) = identity.kind() else { panic!("{identity:?}") };
    assert_eq!((arn.path.as_str(), arn.name.as_str()), ("/team/", "ann"));
    let name = arn.name.clone();
    let user = admin.user(Some(&name)).await.unwrap();
    assert_eq!((user.id.as_str(), &user.arn), (identity.user_id.as_str(), &arn));
    assert_eq!(user.tags, [("owner".to_owned(), "ann@example.com".to_owned())]);

    let new = admin.create_access_key(&name, "r-1").await.unwrap_or_else(|error| panic!("{error}"));
    let error = admin.create_access_key(&name, "r-2").await.err().unwrap();
    assert!(matches!(error, AwsError::LimitExceeded { .. }) && error.outcome_is_known(), "{error}");
    let keys = admin.access_keys(Some(&name)).await.unwrap();
    assert_eq!(keys.len(), 2, "both pages were read");
    let age = keys.iter().find(|key| key.id.as_str() == old.id).map(|key| key.created_at);
    assert_eq!(age, Some(sandbox.now() - Duration::from_secs(400 * 86_400)));

    let id = new.id.clone();
    let proof = aws.caller(Credentials::for_key(new.id, new.secret), Target::default()).prove().await.unwrap();
    assert_eq!(proof.user_id, identity.user_id);
    let old_id = old.id.parse().unwrap();
    assert_eq!(admin.access_key_account(&old_id).await.unwrap().as_str(), "111122223333");
    let (used, owner) = admin.access_key_last_used(&old_id).await.unwrap();
    assert!(matches!(used, LastUsed::At { service, .. } if service == "sts"));
    assert_eq!(owner, Some(name.clone()));

    sandbox.advance(Duration::from_secs(1_200));
    let evidence = admin.who_created(&id, START.parse().unwrap()).await.unwrap().unwrap();
    assert!(evidence.user_agent.ends_with(" akia-r-1"), "{evidence:?}");
    assert_eq!(evidence.principal.as_deref(), Some("arn:aws:iam::111122223333:user/admin"));
    assert_eq!(admin.who_created(&old_id, START.parse().unwrap()).await.unwrap(), None);

    assert_eq!(admin.update_access_key(&name, &old_id, KeyStatus::Inactive).await.unwrap(), KeyChange::Done);
    let error = me.caller_identity().await.err().unwrap();
    assert!(matches!(error, AwsError::InvalidClientTokenId { .. }), "{error}");
    assert_eq!(admin.delete_access_key(&name, &old_id).await.unwrap(), KeyChange::Done);
    assert_eq!(admin.delete_access_key(&name, &old_id).await.unwrap(), KeyChange::Gone);
}

#[tokio::test]
async fn never_used_is_told_from_used_and_strangers_are_refused() {
    let sandbox = sandbox();
    let (admin, ann) = (admin(&sandbox), ann(&sandbox));
    let aws = aws(&sandbox);
    let (used, _) = caller(&aws, &admin).access_key_last_used(&ann.id.parse().unwrap()).await.unwrap();
    assert_eq!(used, LastUsed::Never);
    let error = caller(&aws, &ann).user(Some(&"admin".parse().unwrap())).await.err().unwrap();
    let AwsError::AccessDenied { action, reason, .. } = &error else { panic!("{error}") };
    assert_eq!(action.as_deref(), Some("iam:GetUser"));
    assert!(reason.as_deref().is_some_and(|reason| reason.contains("no identity-based policy allows")), "{error}");
    let wrong = KeyPair { secret: admin.secret.clone(), ..ann.clone() };
    let error = caller(&aws, &wrong).caller_identity().await.err().unwrap();
    assert!(matches!(error, AwsError::SignatureDoesNotMatch { .. }), "{error}");
}

#[tokio::test]
async fn the_root_user_is_recognised() {
    let sandbox = sandbox();
    let root = sandbox.account().add_root_key(sandbox.now()).unwrap();
    let identity = caller(&aws(&sandbox), &root).caller_identity().await.unwrap();
    assert!(matches!(identity.kind(), IdentityKind::Root { .. }), "{identity:?}");
}

#[tokio::test]
async fn each_partition_has_its_own_home() {
    for (partition, region, name) in [
        (Partition::AwsCn, "cn-northwest-1", akia_core::ids::Partition::AwsCn),
        (Partition::AwsUsGov, "us-gov-east-1", akia_core::ids::Partition::AwsUsGov),
    ] {
        let account = AccountSpec::new("444455556666").partition(partition);
        let sandbox = Sandbox::builder().seed(1).clock(Clock::Manual(START.parse().unwrap())).account(account).build();
        let admin = admin(&sandbox);
        let aws = aws(&sandbox);
        let caller = aws.caller(credentials(&admin), region.parse::<akia_core::ids::Region>().unwrap());
        assert_eq!(caller.access_keys(None).await.unwrap().len(), 1);
        let identity = caller.caller_identity().await.unwrap();
        assert_eq!(identity.partition(), Some(name));
        assert_eq!(caller.who_created(caller.key(), START.parse().unwrap()).await.unwrap(), None);
        let regions: Vec<String> = sandbox.log().iter().map(|call| call.region.clone()).collect();
        assert_eq!(regions, [name.iam_region().as_str(), region, name.iam_region().as_str()]);
    }
}

struct Codes(Sandbox);

impl MfaPrompt for Codes {
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        let code = self.0.mfa_code(serial).ok_or_else(|| NoCode { reason: "no such device".into() });
        Box::pin(async move { code })
    }
}

#[tokio::test]
async fn mfa_opens_a_session_and_a_role() {
    let sandbox = sandbox();
    let ann = sandbox.add_user("ann", "/").unwrap();
    let with_mfa = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:ListAccessKeys","sts:AssumeRole"],
        "Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}"#;
    ann.put_policy("with-mfa", with_mfa).unwrap();
    let key = ann.add_access_key(sandbox.now()).unwrap();
    let serial = ann.add_mfa_device().unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},
        "Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},
        "StringEquals":{"sts:ExternalId":"door 7"}}}}"#;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}}"#;
    let max_session = Duration::from_secs(3_600);
    let role = RoleSpec { name: "door", path: "/", trust_policy: trust, policy: Some(policy), max_session };
    let role = sandbox.account().add_role(role).unwrap();
    let aws = aws(&sandbox);
    let bare = caller(&aws, &key);
    assert!(matches!(bare.access_keys(None).await, Err(AwsError::AccessDenied { .. })));
    let error = bare.session(MfaToken { serial: &serial, code: "000000" }, None).await.err().unwrap();
    assert!(matches!(error, AwsError::MfaRefused { .. }), "{error}");

    let credentials_file = format!("[ann]\naws_access_key_id={}\naws_secret_access_key={}\n", key.id, key.secret);
    let config = format!(
        "[profile door]\nrole_arn={role}\nsource_profile=ann\nmfa_serial={serial}\nexternal_id=door 7\n\
         duration_seconds=900\nrole_session_name=through\n"
    );
    let wallet = Wallet::new(
        Some(File::parse(FileKind::Credentials, credentials_file)),
        Some(File::parse(FileKind::Config, config)),
        Box::new(Codes(sandbox.clone())),
    );
    let own = wallet.credentials(&aws, &"ann".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    let session =
        wallet.session(&aws, &own, &serial, Target::default()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(aws.caller(session, Target::default()).access_keys(None).await.unwrap().len(), 1);
    let door = wallet.credentials(&aws, &"door".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(door.expires_at(), Some(sandbox.now() + Duration::from_secs(900)));
    let identity = aws.caller(door, Target::default()).caller_identity().await.unwrap();
    let through = IdentityKind::AssumedRole { role: "door".to_owned(), session: "through".to_owned() };
    assert_eq!(identity.kind(), through);
    let sessions = aws.calls().by_operation["GetSessionToken"];
    assert_eq!(sessions, 2, "the wrong code, and one session for all the rest");

    sandbox.advance(Duration::from_secs(13 * 3_600));
    let again = wallet.session(&aws, own, &serial, Target::default()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(aws.caller(again, Target::default()).access_keys(None).await.is_ok(), "an expired session is opened anew");
}

#[tokio::test]
async fn rights_are_found_out_without_changing_anything() {
    let sandbox = sandbox();
    // Without a path: `user/${aws:username}` does not match users with one.
    let ann = sandbox.add_user("ann", "/").unwrap();
    ann.put_policy("own-keys", OWN_KEYS).unwrap();
    let (key, admin) = (ann.add_access_key(sandbox.now()).unwrap(), admin(&sandbox));
    let aws = aws(&sandbox);
    let (ann, admin) = (caller(&aws, &key), caller(&aws, &admin));
    let name = "ann".parse().unwrap();
    let before = sandbox.keys();
    for (action, allowed) in [
        ("iam:GetUser", true),
        ("iam:ListAccessKeys", true),
        ("iam:UpdateAccessKey", true),
        ("iam:DeleteAccessKey", false),
        ("iam:GetAccessKeyLastUsed", true),
        ("iam:SimulatePrincipalPolicy", false),
        ("cloudtrail:LookupEvents", false),
        ("sts:GetCallerIdentity", true),
    ] {
        for user in [None, Some(&name)] {
            let right = ann.probe(action, user).await;
            let expected = if allowed { right == Right::Allowed } else { matches!(right, Right::Denied { .. }) };
            assert!(expected, "{action}: {right:?}");
        }
        assert_eq!(admin.probe(action, Some(&name)).await, Right::Allowed, "{action}");
    }
    for action in ["iam:CreateAccessKey", "iam:TagUser"] {
        assert!(matches!(admin.probe(action, Some(&name)).await, Right::Unknown { .. }));
    }
    assert_eq!(sandbox.keys().len(), before.len());
    assert!(sandbox.keys().iter().all(|key| before.contains(key)), "no key has changed");

    let arn = "arn:aws:iam::111122223333:user/ann";
    let actions = ["iam:DeleteAccessKey", "iam:CreateAccessKey", "iam:ListAccessKeys"];
    let ask = Simulation {
        principal: arn,
        actions: &actions,
        resource: arn,
        facts: &[("aws:SecureTransport", Fact::Truth(true))],
    };
    let simulated = admin.simulate(ask).await.unwrap();
    let allowed: Vec<_> = simulated.iter().map(|one| (one.action.as_str(), one.is_allowed)).collect();
    let expected = [("iam:DeleteAccessKey", false), ("iam:CreateAccessKey", true), ("iam:ListAccessKeys", true)];
    assert_eq!(allowed, expected);
}

#[tokio::test]
async fn a_create_that_goes_wrong_is_never_repeated() {
    let faults = [
        (FaultKind::LostAnswerBeforeCommit, false, 1),
        (FaultKind::LostAnswerAfterCommit, false, 2),
        (FaultKind::TruncatedAnswer, false, 2),
        (FaultKind::Garbage(b"<html>".to_vec()), false, 2),
        (FaultKind::ServerError { status: 500, committed: false }, false, 1),
        (FaultKind::ServerError { status: 503, committed: true }, false, 2),
        (FaultKind::Throttle, true, 1),
        (FaultKind::InvalidClientTokenId, true, 1),
        (FaultKind::AccessDenied, true, 1),
    ];
    for (kind, known, keys) in faults {
        let sandbox = sandbox();
        ann(&sandbox);
        let admin = admin(&sandbox);
        let aws = aws(&sandbox);
        sandbox.inject(Fault::on("CreateAccessKey", kind.clone()));
        let created = caller(&aws, &admin).create_access_key(&"ann".parse().unwrap(), "n").await;
        let error = created.err().unwrap_or_else(|| panic!("{kind:?}"));
        assert_eq!(error.outcome_is_known(), known, "{kind:?}: {error}");
        assert_eq!(aws.calls().by_operation["CreateAccessKey"], 1, "{kind:?}");
        let of_ann = sandbox.keys().into_iter().filter(|key| key.user.as_deref() == Some("ann")).count();
        assert_eq!(of_ann, keys, "{kind:?}");
        assert!(!format!("{error:?}").contains(&admin.secret));
    }
}

#[tokio::test]
async fn reads_outlast_throttling() {
    let sandbox = sandbox();
    let admin = admin(&sandbox);
    let aws = aws(&sandbox);
    sandbox.inject(Fault::on("ListAccessKeys", FaultKind::Throttle).times(3));
    assert_eq!(caller(&aws, &admin).access_keys(None).await.unwrap().len(), 1);
    assert_eq!(aws.calls().by_operation["ListAccessKeys"], 4);
    sandbox.inject(Fault::on("ListAccessKeys", FaultKind::Throttle).always());
    let error = caller(&aws, &admin).access_keys(None).await.err().unwrap();
    assert!(matches!(error, AwsError::Throttled { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let sandbox = sandbox();
    let admin = admin(&sandbox);
    let aws = Aws::new(AwsOptions {
        http: Some(SharedHttpClient::new(sandbox.connector())),
        initial_backoff: Duration::from_millis(1),
        ..AwsOptions::default()
    });
    // The machine's clock is the real one, and the sandbox's stands in March 2026.
    let error = caller(&aws, &admin).create_access_key(&"admin".parse().unwrap(), "n").await.err().unwrap();
    assert!(matches!(error, AwsError::ClockSkew { .. }), "{error}");
    assert!(error.outcome_is_known());
}

#[tokio::test]
async fn over_http_it_is_the_same() {
    let sandbox = Sandbox::builder().seed(3).build();
    let key = admin(&sandbox);
    let server = sandbox.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let aws = Aws::new(AwsOptions { endpoint_url: server.url().parse().ok(), ..AwsOptions::default() });
    assert!(aws.clock_skew(Target::default()).await.unwrap().abs() <= 2);
    let caller = caller(&aws, &key);
    let new =
        caller.create_access_key(&"admin".parse().unwrap(), "r-9").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(caller.access_keys(None).await.unwrap().len(), 2);
    let since = sandbox.now() - Duration::from_secs(60);
    let evidence = caller.who_created(&new.id, since).await.unwrap().unwrap();
    assert!(evidence.user_agent.contains("akia-r-9"));
    let proof = aws.caller(Credentials::for_key(new.id, new.secret), Target::default()).prove().await.unwrap();
    assert!(matches!(proof.kind(), IdentityKind::User(_)));
    server.shutdown().await;
    assert!(matches!(caller.prove().await, Err(AwsError::Unreachable { .. })));
}
