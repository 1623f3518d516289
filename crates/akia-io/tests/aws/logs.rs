//! What the SDK, its HTTP client and akia write to the log, at its most talkative.

use akia_core::profile::{File, FileKind};
use akia_io::aws::{Aws, AwsOptions, Credentials, MfaPrompt, MfaToken, NoCode, Target, Wallet};
use futures_util::future::BoxFuture;

use crate::fake::{Act, Fake, created_xml, session_xml};
use crate::log::Log;
use crate::{KEY, SECRET, secret};

struct Nobody;

impl MfaPrompt for Nobody {
    fn code<'a>(&'a self, _serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        Box::pin(async { Err(NoCode { reason: "nobody is here".into() }) })
    }
}

#[tokio::test]
async fn no_secret_is_logged_even_at_trace_level() {
    let (log, guard) = Log::listen();
    let (new_secret, token) = ("brand+new+secret+of+forty+characters+xxxx", "token-of-ASIAIOSFODNN7EXAMPLE");
    let fake = Fake::start(vec![
        Act::Answer(200, created_xml("AKIAI44QH8DHBEXAMPLE", new_secret)),
        Act::Answer(200, session_xml("GetSessionToken", "ASIAIOSFODNN7EXAMPLE")),
        Act::Answer(403, crate::fake::error_xml("AccessDenied", "no")),
    ])
    .await;
    let aws = Aws::new(AwsOptions { endpoint_url: Some(fake.url.clone()), ..AwsOptions::default() });
    let own = Credentials::for_key(KEY.parse().unwrap(), secret(SECRET));
    let caller = aws.caller(own, Target::default());
    caller.create_access_key(&"ann".parse().unwrap(), "n").await.unwrap_or_else(|error| panic!("{error}"));
    let mfa = MfaToken { serial: "arn:aws:iam::123456789012:mfa/ann", code: "123456" };
    let session = caller.session(mfa, None).await.unwrap_or_else(|error| panic!("{error}"));
    aws.caller(session, Target::default()).access_keys(None).await.unwrap_err();
    let json = format!(r#"{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\", \"SecretAccessKey\": \"of-the-process\"}}"#);
    let config = format!("[profile process]\ncredential_process = echo \"{json}\" && true --password hunter2\n");
    let wallet = Wallet::new(None, Some(File::parse(FileKind::Config, config)), Box::new(Nobody));
    wallet.credentials(&aws, &"process".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    drop(guard);
    let text = log.text();
    assert!(text.contains("TRACE") && text.contains("CreateAccessKey"), "the log was listened to");
    for needle in [SECRET, new_secret, "session+secret", token, "hunter2", "of-the-process"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(needle)).collect();
        assert!(lines.is_empty(), "{needle}: {}", lines.join("\n").chars().take(3_000).collect::<String>());
    }
}
