//! Faults on the wire: what each leaves true, and how often a request goes out.

use std::time::Duration;

use akia_core::key::KeyStatus;
use akia_io::aws::{Aws, AwsError, AwsOptions, Caller, KeyChange, Proxies, Target};

use crate::fake::{Act, Fake, created_xml, error_xml, page_xml};
use crate::{KEY, SECRET, credentials};

const NEW_KEY: &str = "AKIAI44QH8DHBEXAMPLE";

fn options(url: &url::Url) -> AwsOptions {
    AwsOptions {
        endpoint_url: Some(url.clone()),
        connect_timeout: Duration::from_millis(200),
        attempt_timeout: Duration::from_millis(400),
        initial_backoff: Duration::from_millis(1),
        ..AwsOptions::default()
    }
}

fn caller(url: &url::Url) -> Caller {
    Aws::new(options(url)).caller(credentials(), Target::default())
}

async fn create(fake: &Fake) -> Result<akia_io::aws::NewKey, AwsError> {
    caller(&fake.url).create_access_key(&"ann".parse().unwrap(), "r-0123456789abcdef").await
}

fn no_secret_in(error: &AwsError) {
    let text = format!("{error} {error:?}");
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.len() < 2_000, "{text}");
    assert!(!error.to_string().chars().any(char::is_control), "{error}");
}

#[tokio::test]
async fn a_create_is_sent_once_whatever_comes_back() {
    let broken = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n<CreateAccessKeyResponse>".to_vec();
    // The SDK's parser would take this for a key with a secret of eight characters.
    let half_a_secret = created_xml(NEW_KEY, SECRET).split_inclusive("wJalrXUt").next().unwrap().to_owned();
    let table: Vec<(&str, Act, bool)> = vec![
        ("no complete answer", Act::CloseUnanswered, false),
        ("no complete answer", Act::Hang, false),
        ("no complete answer", Act::Raw(b"\0\xff not http at all\r\n\r\n".to_vec()), false),
        ("no complete answer", Act::Raw(b"HTTP/1.1 200 OK\r\n".to_vec()), false),
        ("no complete answer: the answer broke off", Act::Raw(broken), false),
        ("makes no sense: it is larger than", Act::Endless, false),
        ("makes no sense", Act::Answer(200, "<html>welcome to the hotel's network</html>".into()), false),
        ("makes no sense", Act::Answer(200, String::new()), false),
        ("makes no sense: it is cut off", Act::Answer(200, half_a_secret), false),
        ("makes no sense", Act::Answer(200, created_xml("short", SECRET)), false),
        ("makes no sense", Act::Answer(200, created_xml(NEW_KEY, "two words")), false),
        ("makes no sense", Act::Answer(200, created_xml(NEW_KEY, "")), false),
        (
            "makes no sense: it is a redirect",
            Act::AnswerWith(302, "location: http://127.0.0.1:1/", String::new()),
            false,
        ),
        ("makes no sense: it is a redirect", Act::AnswerWith(307, "location: /", String::new()), false),
        ("the server failed with http 500", Act::Answer(500, error_xml("ServiceFailure", "sorry")), false),
        ("the server failed with http 503", Act::Answer(503, "<html>".into()), false),
        ("throttled (Throttling)", Act::Answer(400, error_xml("Throttling", "Rate exceeded")), true),
        ("throttled (SlowDown)", Act::Answer(503, error_xml("SlowDown", "x")), false),
        ("limit exceeded", Act::Answer(409, error_xml("LimitExceeded", "Cannot exceed quota")), true),
        ("access denied", Act::Answer(403, error_xml("AccessDenied", "no")), true),
        ("rejected without a code (http 403)", Act::Answer(403, "<html>forbidden by the proxy</html>".into()), true),
        ("clock is off", Act::Answer(403, error_xml("RequestTimeTooSkewed", "x")), true),
    ];
    for (text, act, known) in table {
        let fake = Fake::start(vec![act]).await;
        let error = create(&fake).await.err().unwrap_or_else(|| panic!("{text}: it succeeded"));
        assert!(error.to_string().contains(text), "expected {text:?}, got: {error}");
        assert_eq!(error.outcome_is_known(), known, "{error}");
        assert_eq!(fake.requests(), 1, "{error}");
        assert!(error.to_string().starts_with("iam:CreateAccessKey at 127.0.0.1:"), "{error}");
        assert!(error.to_string().contains(KEY), "{error}");
        no_secret_in(&error);
    }
}

#[tokio::test]
async fn a_connection_that_closes_unread_still_counts_as_sent() {
    // The kernel may have taken the request before the close: from here it cannot be known.
    let fake = Fake::start(vec![Act::CloseUnread]).await;
    let error = create(&fake).await.err().unwrap();
    assert!(!error.outcome_is_known(), "{error}");
    assert_eq!(fake.connections(), 1, "{error}");
}

#[tokio::test]
async fn what_was_never_sent_is_told_apart() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fake = Fake::start(vec![Act::Answer(200, created_xml(NEW_KEY, SECRET))]).await;
    let plain_port = fake.url.port().unwrap();
    for url in [
        format!("http://127.0.0.1:{dead}"),
        format!("https://127.0.0.1:{dead}"),
        "http://akia.invalid".to_owned(),
        format!("https://127.0.0.1:{plain_port}"), // TLS spoken to a server that does not.
    ] {
        let error = caller(&url.parse().unwrap()).create_access_key(&"ann".parse().unwrap(), "n").await.err().unwrap();
        assert!(matches!(error, AwsError::Unreachable { .. }), "{url}: {error}");
        assert!(error.outcome_is_known());
        no_secret_in(&error);
    }
    assert_eq!(fake.requests(), 0);
}

#[tokio::test]
async fn a_proxy_is_used_and_its_password_never_shown() {
    let proxy = Fake::start(vec![Act::Answer(200, page_xml(&[KEY], None))]).await;
    let url = proxy.url.as_str().replace("http://", "http://ann:hunter2@");
    let through = |http: String, no_proxy: Option<&str>| {
        let endpoint: url::Url = "http://iam.example.invalid".parse().unwrap();
        let proxies = Proxies { https: None, http: Some(http), no_proxy: no_proxy.map(str::to_owned) };
        Aws::new(AwsOptions { proxies, ..options(&endpoint) }).caller(credentials(), Target::default())
    };
    assert_eq!(through(url.clone(), None).access_keys(None).await.unwrap().len(), 1);
    let seen = proxy.seen().remove(0);
    assert!(seen.starts_with("POST http://iam.example.invalid/ HTTP/1.1"), "{seen}");
    assert!(seen.contains("proxy-authorization: Basic"), "{seen}");
    let direct = through(url, Some("example.invalid")).access_keys(None).await.err().unwrap();
    assert!(matches!(direct, AwsError::Unreachable { .. }), "{direct}");
    let broken = through("socks5://ann:hunter2@x y".to_owned(), None).access_keys(None).await.err().unwrap();
    assert!(broken.to_string().contains("HTTP_PROXY is not a proxy url"), "{broken}");
    assert!(!format!("{broken:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_bad_ca_bundle_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let endpoint: url::Url = "https://127.0.0.1:1".parse().unwrap();
    let aws = Aws::new(AwsOptions { ca_bundle: Some(path), ..options(&endpoint) });
    let error = aws.caller(credentials(), Target::default()).caller_identity().await.err().unwrap();
    assert!(error.to_string().contains("AWS_CA_BUNDLE"), "{error}");
    assert!(error.outcome_is_known());
}

#[tokio::test]
async fn a_created_key_is_taken_and_the_nonce_is_in_the_user_agent() {
    let fake = Fake::start(vec![Act::Answer(200, created_xml(NEW_KEY, SECRET))]).await;
    let key = create(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(key.id.as_str(), NEW_KEY);
    assert!(key.secret.matches(&crate::secret(SECRET)));
    assert_eq!(key.created_at, "2026-03-01T10:00:00Z".parse().ok());
    let request = fake.seen().remove(0);
    let header = |name: &str| {
        request.lines().find(|line| line.to_ascii_lowercase().starts_with(name)).unwrap_or_default().to_owned()
    };
    assert!(header("user-agent:").ends_with(" akia-r-0123456789abcdef"), "{request}");
    assert!(header("x-amz-user-agent:").contains("app/akia-r-0123456789abcdef"), "{request}");
    assert!(header("authorization:").contains("/us-east-1/iam/aws4_request"), "{request}");
    assert!(!request.contains(SECRET));
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_an_answer() {
    let fake = Fake::start(vec![Act::Trickle(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>\
         <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    )])
    .await;
    let identity = caller(&fake.url).caller_identity().await.unwrap();
    assert_eq!(identity.user_id, "AIDACKCEVSQ6C2EXAMPLE");
}

#[tokio::test]
async fn a_read_is_tried_again_and_a_proof_takes_a_fresh_connection() {
    let acts = vec![
        Act::CloseUnanswered,
        Act::Answer(500, error_xml("ServiceFailure", "x")),
        Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n<".to_vec()),
        Act::Answer(200, page_xml(&[KEY], None)),
    ];
    let fake = Fake::start(acts).await;
    let caller = caller(&fake.url);
    assert_eq!(caller.access_keys(None).await.unwrap().len(), 1);
    assert_eq!(fake.requests(), 4);
    let calls = caller.aws().calls();
    assert_eq!((calls.total, calls.by_operation["ListAccessKeys"]), (4, 4));
    // It gives up after four.
    let hopeless = Fake::start(vec![Act::CloseUnanswered]).await;
    let error = self::caller(&hopeless.url).access_keys(None).await.err().unwrap();
    assert!(matches!(error, AwsError::Unanswered { .. }), "{error}");
    assert_eq!(hopeless.requests(), 4);

    let identity = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn>\
                    <UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>123456789012</Account>\
                    </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let fake = Fake::start(vec![Act::Answer(200, identity.to_owned())]).await;
    let caller = self::caller(&fake.url);
    for _ in 0..3 {
        caller.caller_identity().await.unwrap();
    }
    assert_eq!(fake.connections(), 1, "ordinary calls share a connection");
    for _ in 0..3 {
        caller.prove().await.unwrap();
    }
    assert_eq!(fake.connections(), 4, "each proof opens its own");
}

#[tokio::test]
async fn pages_are_followed_but_not_in_circles_nor_without_end() {
    let acts = vec![
        Act::Answer(200, page_xml(&[KEY], Some("m1"))),
        Act::Answer(200, page_xml(&[], Some("m2"))),
        Act::Answer(200, page_xml(&[NEW_KEY], None)),
    ];
    let fake = Fake::start(acts).await;
    let keys = caller(&fake.url).access_keys(Some(&"ann".parse().unwrap())).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), [KEY, NEW_KEY]);
    assert!(fake.seen()[2].contains("Marker=m2"));

    let circle = Fake::start(vec![Act::Answer(200, page_xml(&[KEY], Some("again")))]).await;
    let error = caller(&circle.url).access_keys(None).await.err().unwrap();
    assert!(error.to_string().contains("its pages go round in circles"), "{error}");
    assert_eq!(circle.requests(), 2);

    let endless = (0..200).map(|page| Act::Answer(200, page_xml(&[], Some(&format!("m{page}"))))).collect();
    let endless = Fake::start(endless).await;
    let error = caller(&endless.url).access_keys(None).await.err().unwrap();
    assert!(error.to_string().contains("more than 100 pages"), "{error}");
    assert_eq!(endless.requests(), 100);

    let truncated = page_xml(&[KEY], Some("x")).replace("<Marker>x</Marker>", "");
    let lost = Fake::start(vec![Act::Answer(200, truncated)]).await;
    let error = caller(&lost.url).access_keys(None).await.err().unwrap();
    assert!(error.to_string().contains("Marker is missing"), "{error}");
}

#[tokio::test]
async fn an_answer_about_another_user_is_none() {
    let user = "bob".parse().unwrap();
    let fake = Fake::start(vec![
        Act::Answer(200, page_xml(&[KEY], None)),
        Act::Answer(200, created_xml(NEW_KEY, SECRET)),
        Act::Answer(
            200,
            "<GetUserResponse><GetUserResult><User><Path>/</Path><UserName>ann</UserName>\
             <UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Arn>arn:aws:iam::123456789012:user/ann</Arn>\
             <CreateDate>2026-03-01T10:00:00Z</CreateDate></User></GetUserResult></GetUserResponse>"
                .to_owned(),
        ),
    ])
    .await;
    let caller = caller(&fake.url);
    for error in [
        caller.access_keys(Some(&user)).await.err(),
        caller.create_access_key(&user, "n").await.err(),
        caller.user(Some(&user)).await.err(),
    ] {
        let error = error.unwrap();
        assert!(error.to_string().ends_with("it tells of another user"), "{error}");
        assert!(!error.outcome_is_known());
    }
    // IAM's names ignore case, and its answers have the name as it was made.
    let fake = Fake::start(vec![Act::Answer(200, created_xml(NEW_KEY, SECRET))]).await;
    let created = self::caller(&fake.url).create_access_key(&"ANN".parse().unwrap(), "n").await;
    assert_eq!(created.map(|key| key.id.to_string()).unwrap_or_else(|error| panic!("{error}")), NEW_KEY);
}

#[tokio::test]
async fn a_listing_is_bounded_in_keys_and_in_the_length_of_its_markers() {
    let many: Vec<&str> = vec![KEY; 300];
    let pages = (0..200).map(|page| Act::Answer(200, page_xml(&many, Some(&format!("m{page}"))))).collect();
    let fake = Fake::start(pages).await;
    let error = caller(&fake.url).access_keys(None).await.err().unwrap();
    assert!(error.to_string().contains("it lists more than 1000 keys"), "{error}");
    assert_eq!(fake.requests(), 4);
    let fake = Fake::start(vec![Act::Answer(200, page_xml(&[], Some(&"m".repeat(100_000))))]).await;
    let error = caller(&fake.url).access_keys(None).await.err().unwrap();
    assert!(error.to_string().contains("its Marker is longer than 16384 bytes"), "{error}");
    assert_eq!(fake.requests(), 1);
}

/// A copy that AWS takes in late undoes what was asked for after it: only its sender, who knows that there may be one, can
/// wait for it.
#[tokio::test]
async fn a_change_is_not_repeated_after_a_lost_answer() {
    let (user, key) = ("ann".parse().unwrap(), KEY.parse().unwrap());
    let internal = Act::Answer(500, error_xml("InternalFailure", "x"));
    for lost in [Act::CloseUnanswered, Act::Answer(503, error_xml("ServiceUnavailable", "x")), internal] {
        let fake = Fake::start(vec![lost]).await;
        let caller = caller(&fake.url);
        let error = caller.delete_access_key(&user, &key).await.err().unwrap();
        assert!(!error.outcome_is_known(), "{error}");
        assert_eq!(fake.requests(), 1);
        let error = caller.update_access_key(&user, &key, KeyStatus::Inactive).await.err().unwrap();
        assert!(!error.outcome_is_known(), "{error}");
        assert_eq!(fake.requests(), 2);
    }
}

#[tokio::test]
async fn a_change_is_repeated_when_nothing_was_done_and_a_missing_key_is_no_failure() {
    let (user, key) = ("ann".parse().unwrap(), KEY.parse().unwrap());
    let throttled = || Act::Answer(400, error_xml("Throttling", "Rate exceeded"));
    let done = Act::Answer(200, "<DeleteAccessKeyResponse/>".to_owned());
    let fake = Fake::start(vec![throttled(), throttled(), done]).await;
    assert_eq!(caller(&fake.url).delete_access_key(&user, &key).await.unwrap(), KeyChange::Done);
    assert_eq!(fake.requests(), 3);
    let fake = Fake::start(vec![throttled()]).await;
    let error = caller(&fake.url).update_access_key(&user, &key, KeyStatus::Active).await.err().unwrap();
    assert!(matches!(error, AwsError::Throttled { .. }), "{error}");
    assert_eq!(fake.requests(), 4);
    let gone = Act::Answer(404, error_xml("NoSuchEntity", "The Access Key cannot be found."));
    let fake = Fake::start(vec![gone]).await;
    let caller = caller(&fake.url);
    assert_eq!(caller.delete_access_key(&user, &key).await.unwrap(), KeyChange::Gone);
    assert_eq!(caller.update_access_key(&user, &key, KeyStatus::Inactive).await.unwrap(), KeyChange::Gone);
}

#[tokio::test]
async fn the_clock_is_read_from_any_answer() {
    // A server whose clock stands in 2015.
    let date = "date: Thu, 30 Apr 2015 12:00:00 GMT";
    let fake = Fake::start(vec![Act::AnswerWith(404, date, String::new())]).await;
    let aws = Aws::new(options(&fake.url));
    let skew = aws.clock_skew(Target::default()).await.unwrap();
    assert!(skew < -10 * 365 * 24 * 3600, "{skew}");
    assert_eq!(aws.clock_skew(Target::default()).await.unwrap(), skew, "known now, so nothing is sent");
    assert_eq!(fake.requests(), 1);
    assert!(fake.seen()[0].starts_with("GET / HTTP/1.1"));
    let error = aws.caller(credentials(), Target::default()).caller_identity().await.err().unwrap();
    assert!(matches!(error, AwsError::Rejected { status: 404, .. }), "{error}");

    let fake = Fake::start(vec![Act::AnswerWith(403, date, error_xml("RequestTimeTooSkewed", "x"))]).await;
    let error = create(&fake).await.err().unwrap();
    assert!(error.to_string().contains("s ahead of the server's"), "{error}");
    let silent = Fake::start(vec![Act::Answer(200, String::new())]).await;
    let error = Aws::new(options(&silent.url)).clock_skew(Target::default()).await.err().unwrap();
    assert!(error.to_string().contains("it has no date header"), "{error}");
}

#[tokio::test]
async fn an_echoing_endpoint_gets_no_secret_into_an_error() {
    let session = format!("session{}", "0123456789".repeat(20));
    let message = format!("{SECRET} {session} {}", "x".repeat(100_000));
    let fake = Fake::start(vec![Act::Answer(400, error_xml("Odd", &message))]).await;
    let credentials =
        akia_io::aws::Credentials::for_session(KEY.parse().unwrap(), crate::secret(SECRET), session.clone(), None);
    let caller = Aws::new(options(&fake.url)).caller(credentials, Target::default());
    let error = caller.caller_identity().await.err().unwrap();
    no_secret_in(&error);
    assert!(!format!("{error:?}").contains(&session));
    assert!(error.to_string().contains("<secret> <session token>"), "{error}");
}

#[tokio::test]
async fn findings_are_handed_over_by_the_hundred_and_what_is_refused_or_left_is_told() {
    let taken = |failed: &str, count: usize| {
        Act::Answer(200, format!(r#"{{"SuccessCount":{count},"FailedCount":1,"FailedFindings":[{failed}]}}"#))
    };
    let failed = r#"{"Id":"akia/1","ErrorCode":"InvalidInput","ErrorMessage":"no \u001b[2J type"}"#;
    let denied = r#"{"Message":"not authorized","Code":"AccessDeniedException"}"#;
    let fake = Fake::start(vec![
        Act::Answer(429, r#"{"Message":"slow down","Code":"TooManyRequestsException"}"#.into()),
        taken(failed, 99),
        taken("", 100),
        Act::Answer(403, denied.into()),
    ])
    .await;
    let findings: Vec<serde_json::Value> =
        (0..250).map(|id| serde_json::json!({ "Id": format!("akia/{id}") })).collect();
    let target = Target { region: Some("eu-central-1".parse().unwrap()), ..Target::default() };
    let caller = Aws::new(options(&fake.url)).caller(credentials(), target);
    let (imported, error) = caller.import_findings(&findings).await;
    assert_eq!((imported.taken, imported.refused.len()), (199, 1), "what was taken before the error counts");
    let refused = &imported.refused[0];
    assert_eq!(refused.id, "akia/1");
    assert!(
        refused.reason.starts_with("InvalidInput: ") && !refused.reason.chars().any(char::is_control),
        "{refused:?}"
    );
    let error = error.unwrap();
    assert!(error.to_string().contains("access denied: not authorized"), "{error}");
    no_secret_in(&error);
    let seen = fake.seen();
    assert_eq!(seen.len(), 4, "a throttled batch is tried again, a denied one is not");
    assert!(seen.iter().all(|request| request.starts_with("POST /findings/import ")), "{seen:?}");
    assert!(seen.iter().all(|request| request.contains("/eu-central-1/securityhub/aws4_request")), "{seen:?}");
    let sizes: Vec<usize> = seen.iter().map(|request| request.matches("\"Id\"").count()).collect();
    assert_eq!(sizes, [100, 100, 100, 50]);
}
