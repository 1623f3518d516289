//! Credentials of profiles: every kind, chains, MFA, and what must not leak.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akia_core::profile::{File, FileKind};
use akia_io::aws::{Aws, AwsOptions, CredentialsError, MfaPrompt, NoCode, Target, Wallet, environment_credentials};
use futures_util::future::BoxFuture;

use crate::fake::{Act, Fake, error_xml, session_xml};
use crate::{KEY, SECRET, credentials};

const SESSION_KEY: &str = "ASIAIOSFODNN7EXAMPLE";
const ROLE_KEY: &str = "ASIAI44QH8DHBEXAMPLE";
const SERIAL: &str = "arn:aws:iam::123456789012:mfa/ann";

/// Gives these codes, one a question, and counts the questions.
#[derive(Clone, Default)]
struct Codes {
    left: Arc<Mutex<Vec<&'static str>>>,
    asked: Arc<AtomicUsize>,
}

impl Codes {
    fn of(codes: &[&'static str]) -> Self {
        Self { left: Arc::new(Mutex::new(codes.iter().rev().copied().collect())), asked: Arc::default() }
    }
}

impl MfaPrompt for Codes {
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        assert_eq!(serial, SERIAL);
        self.asked.fetch_add(1, Ordering::SeqCst);
        let code = self.left.lock().unwrap().pop();
        Box::pin(
            async move { code.map(str::to_owned).ok_or_else(|| NoCode { reason: "there is no further code".into() }) },
        )
    }
}

fn wallet(credentials: &str, config: &str, codes: &Codes) -> Wallet {
    let file = |kind, text: &str| Some(File::parse(kind, text.as_bytes().to_vec()));
    Wallet::new(file(FileKind::Credentials, credentials), file(FileKind::Config, config), Box::new(codes.clone()))
}

fn base() -> String {
    format!("[base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
}

fn aws(url: &url::Url) -> Aws {
    Aws::new(AwsOptions {
        endpoint_url: Some(url.clone()),
        connect_timeout: Duration::from_millis(200),
        attempt_timeout: Duration::from_secs(2),
        initial_backoff: Duration::from_millis(1),
        ..AwsOptions::default()
    })
}

fn nowhere() -> Aws {
    aws(&"http://127.0.0.1:9".parse().unwrap())
}

async fn failure(wallet: &Wallet, aws: &Aws, profile: &str) -> CredentialsError {
    let error = wallet.credentials(aws, &profile.parse().unwrap()).await.err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(!text.contains(SECRET) && !text.contains("hunter2"), "{text}");
    error
}

#[tokio::test]
async fn keys_are_read_from_either_file_without_a_call() {
    let config = format!("[profile \"in config\"]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n");
    let credentials = format!(
        "{}[temporary]\naws_access_key_id={SESSION_KEY}\naws_secret_access_key=s\naws_session_token=t\n",
        base()
    );
    let wallet = wallet(&credentials, &config, &Codes::default());
    let aws = nowhere();
    for profile in ["base", "in config"] {
        let found = wallet.credentials(&aws, &profile.parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((found.key().as_str(), found.is_temporary()), (KEY, false));
        assert!(found.secret().matches(&crate::secret(SECRET)));
    }
    let found = wallet.credentials(&aws, &"temporary".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((found.key().as_str(), found.session_token()), (SESSION_KEY, Some("t")));
    assert_eq!(aws.calls().total, 0);
}

#[tokio::test]
async fn one_code_opens_one_session_for_every_role_of_the_run() {
    let role = |name: &str| {
        format!(
            "[profile {name}]\nrole_arn = arn:aws:iam::123456789012:role/{name}\nsource_profile = base\n\
             mfa_serial = {SERIAL}\nduration_seconds = 1800\nexternal_id = door 7\nregion = eu-west-1\n"
        )
    };
    let codes = Codes::of(&["123456"]);
    let wallet = wallet(&base(), &(role("one") + &role("two")), &codes);
    let fake = Fake::start(vec![
        Act::Answer(200, session_xml("GetSessionToken", SESSION_KEY)),
        Act::Answer(200, session_xml("AssumeRole", ROLE_KEY)),
    ])
    .await;
    let aws = aws(&fake.url);
    let (first, second) = (("one").parse().unwrap(), ("two").parse().unwrap());
    let (one, two) = tokio::join!(wallet.credentials(&aws, &first), wallet.credentials(&aws, &second));
    let one = one.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((one.key().as_str(), one.session_token()), (ROLE_KEY, Some("token-of-ASIAI44QH8DHBEXAMPLE")));
    assert!(two.is_ok());
    assert_eq!(codes.asked.load(Ordering::SeqCst), 1);
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].contains(&format!("Credential={KEY}/")) && seen[0].contains("TokenCode=123456"), "{}", seen[0]);
    assert!(seen[0].contains("SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fann"), "{}", seen[0]);
    for assume in &seen[1..] {
        assert!(assume.contains(&format!("Credential={SESSION_KEY}/")), "{assume}");
        assert!(assume.contains("DurationSeconds=1800") && assume.contains("ExternalId=door%207"), "{assume}");
        assert!(!assume.contains("SerialNumber"), "{assume}");
        assert!(assume.contains("/eu-west-1/sts/"), "{assume}");
    }
}

#[tokio::test]
async fn roles_follow_their_chain_and_a_loop_is_named() {
    let config = "[profile outer]\nrole_arn = arn:aws:iam::123456789012:role/outer\nsource_profile = inner\n\
                  [profile inner]\nrole_arn = arn:aws:iam::123456789012:role/inner\nsource_profile = base\n\
                  [profile a]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n\
                  [profile b]\nrole_arn = arn:aws:iam::123456789012:role/b\nsource_profile = a\n\
                  [profile lost]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = nobody\n\
                  [profile self]\nrole_arn = arn:aws:iam::123456789012:role/self\nsource_profile = self\n\
                  [profile vacant]\nrole_arn = arn:aws:iam::123456789012:role/vacant\nsource_profile = vacant\n";
    let own = base().replace("[base]", "[self]");
    let wallet = wallet(&(base() + &own), config, &Codes::default());
    let fake = Fake::start(vec![Act::Answer(200, session_xml("AssumeRole", ROLE_KEY))]).await;
    let aws = aws(&fake.url);
    wallet.credentials(&aws, &"outer".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    let seen = fake.seen();
    assert!(seen[0].contains("role%2Finner") && seen[0].contains(KEY), "{}", seen[0]);
    assert!(seen[1].contains("role%2Fouter") && seen[1].contains(ROLE_KEY), "{}", seen[1]);
    wallet.credentials(&aws, &"self".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(fake.seen()[2].contains("role%2Fself") && fake.seen()[2].contains(KEY));
    let text = failure(&wallet, &aws, "a").await.to_string();
    assert_eq!(text, "the role chain of profile \"a\" does not end: a -> b -> a");
    let text = failure(&wallet, &aws, "vacant").await.to_string();
    assert_eq!(text, "the role chain of profile \"vacant\" does not end: vacant -> vacant");
    assert_eq!(failure(&wallet, &aws, "lost").await.to_string(), "there is no profile \"nobody\"");
    assert_eq!(fake.requests(), 3);
}

#[tokio::test]
async fn a_refused_code_is_asked_for_again_but_not_for_ever() {
    let refused = || {
        Act::Answer(
            403,
            error_xml("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."),
        )
    };
    let session = || Act::Answer(200, session_xml("GetSessionToken", SESSION_KEY));
    let open = async |acts: Vec<Act>, codes: &[&'static str]| {
        let fake = Fake::start(acts).await;
        let wallet = wallet("", "", &Codes::of(codes));
        let session = wallet.session(&aws(&fake.url), credentials(), SERIAL, Target::default()).await;
        (session.map(|session| session.key().to_string()).map_err(|error| error.to_string()), fake.requests())
    };
    let (answer, requests) = open(vec![refused(), session()], &["111111", "222222"]).await;
    assert_eq!((answer.as_deref(), requests), (Ok(SESSION_KEY), 2));
    let (answer, requests) = open(vec![refused()], &["111111"]).await;
    let device = format!("no session for the MFA device {SERIAL}: ");
    assert_eq!((answer, requests), (Err(format!("{device}aws refused the code, and there is no further code")), 1));
    let (answer, requests) = open(vec![refused()], &["111111", "222222", "333333", "444444"]).await;
    assert_eq!((answer, requests), (Err(format!("{device}aws refused the code, 3 times")), 3));
    let (answer, requests) = open(vec![session()], &["12345", "abcdef", " 123456 "]).await;
    assert_eq!((answer.as_deref(), requests), (Ok(SESSION_KEY), 1), "what is no code is not sent");
    let (answer, requests) = open(vec![Act::CloseUnanswered], &["123456"]).await;
    assert!(answer.is_err_and(|error| error.contains("no complete answer")));
    assert_eq!(requests, 1, "a code is good for one use");
}

#[cfg(unix)]
#[tokio::test]
async fn what_a_credential_process_prints_stays_out_of_errors() {
    let json = format!(r#"{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\", \"SecretAccessKey\": \"{SECRET}\"}}"#);
    let config = format!(
        "[profile good]\ncredential_process = echo \"{json}\"\n\
         [profile bad]\ncredential_process = echo hunter2 >&2; echo {SECRET}; exit 3\n\
         [profile odd]\ncredential_process = echo {SECRET} hunter2\n\
         [profile half]\ncredential_process = echo '{{\"Version\": 1, \"SecretAccessKey\": \"{SECRET}\"}}'\n"
    );
    let wallet = wallet("", &config, &Codes::default());
    let aws = nowhere();
    let good = wallet.credentials(&aws, &"good".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(good.key().as_str() == KEY && good.secret().matches(&crate::secret(SECRET)));
    let expected = [
        ("bad", "profile \"bad\": credential_process: the command failed (exit status: 3)"),
        ("odd", "profile \"odd\": credential_process: the command's output is not the json that the aws cli expects"),
        ("half", "profile \"half\": credential_process: the command's output is not the json that the aws cli expects"),
    ];
    for (profile, text) in expected {
        assert_eq!(failure(&wallet, &aws, profile).await.to_string(), text);
    }
}

#[tokio::test]
async fn what_gives_no_credentials_says_why() {
    let credentials = format!("[half]\naws_access_key_id = {KEY}\n[empty]\nregion = eu-west-1\n");
    let config = "[profile login]\nlogin_session = arn:aws:iam::123456789012:user/ann\n\
                  [profile web]\nrole_arn = arn:aws:iam::123456789012:role/web\nweb_identity_token_file = /nonexistent/token\n\
                  [profile machine]\nrole_arn = arn:aws:iam::123456789012:role/m\ncredential_source = Toaster\n\
                  [profile env]\nrole_arn = arn:aws:iam::123456789012:role/m\ncredential_source = Environment\n\
                  [profile sso]\nsso_session = akia-test\nsso_account_id = 123456789012\nsso_role_name = admin\n\
                  [sso-session akia-test]\nsso_region = eu-west-1\nsso_start_url = https://akia.invalid/start\n";
    let wallet = wallet(&credentials, config, &Codes::default());
    let aws = nowhere();
    for (profile, text) in [
        ("nobody", "there is no profile \"nobody\""),
        ("half", "profile \"half\": aws_secret_access_key is missing in the credentials file"),
        ("empty", "profile \"empty\": it has settings only, no credentials"),
        ("login", "profile \"login\": it signs in through `aws login`"),
        ("web", "profile \"web\": web identity: No such file"),
        ("machine", "profile \"machine\": its credential_source is none of"),
        ("env", "profile \"env\": it takes its key from the environment, and there is none"),
        (
            "sso",
            "profile \"sso\": sso: an error occurred while loading an access token: failed to load the cached SSO token",
        ),
    ] {
        let error = failure(&wallet, &aws, profile).await.to_string();
        assert!(error.starts_with(text), "{error}");
    }
}

#[tokio::test]
async fn a_profile_of_its_own_endpoint_is_called_there() {
    let fake = Fake::start(vec![Act::Answer(200, session_xml("AssumeRole", ROLE_KEY))]).await;
    let config = format!(
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nendpoint_url = {}\n",
        fake.url
    );
    let wallet = wallet(&base(), &config, &Codes::default());
    let role = wallet.credentials(&Aws::new(AwsOptions::default()), &"role".parse().unwrap()).await;
    assert_eq!(role.unwrap_or_else(|error| panic!("{error}")).key().as_str(), ROLE_KEY);
    assert_eq!(fake.requests(), 1);
}

#[test]
fn keys_of_the_environment_are_whole_or_refused() {
    let from = |variables: &[(&str, &str)]| {
        environment_credentials(&|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let (id, secret) = (("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET));
    assert!(from(&[]).unwrap().is_none());
    assert!(from(&[id, secret]).unwrap().is_some_and(|found| found.key().as_str() == KEY));
    assert_eq!(from(&[id]).err().as_deref(), Some("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"));
    assert_eq!(from(&[secret]).err().as_deref(), Some("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"));
    let swapped = from(&[("AWS_ACCESS_KEY_ID", SECRET), ("AWS_SECRET_ACCESS_KEY", KEY)]).err().unwrap();
    assert_eq!(swapped, "AWS_ACCESS_KEY_ID is not an access key id");
}

/// Runs the tests above again with another identity in the environment: none may notice. In the SDK those keys would
/// beat the named profile, and the wrong key would be rotated.
#[test]
fn keys_in_the_environment_do_not_beat_a_named_profile() {
    let tests = std::env::current_exe().unwrap();
    let run = std::process::Command::new(tests)
        .args(["wallet::keys_are_read", "wallet::one_code", "wallet::roles_follow", "wallet::what_a_credential"])
        .env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENTEXMPL")
        .env("AWS_SECRET_ACCESS_KEY", "of-the-environment")
        .env("AWS_SESSION_TOKEN", "of-the-environment")
        .env("AWS_PROFILE", "another")
        .env("AWS_REGION", "ap-south-1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("4 passed"), "{text}");
}
