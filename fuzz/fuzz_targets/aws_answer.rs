//! Answers of AWS: any body, with any status, to any call. The first byte chooses the call, the second the status.
#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use akia_core::SecretAccessKey;
use akia_fuzz::{KEY, SECRET, fit_for_an_error};
use akia_io::aws::{AssumeRole, Aws, AwsError, AwsOptions, Caller, Credentials, MfaToken, Simulation, Target};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// Pages of a listing, and tries of a call, together.
const REQUESTS: u64 = 400;

thread_local! {
    static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"),
    );
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [call, status, body @ ..] = bytes else { return };
    let status = [200, 200, 200, 200, 400, 403, 404, 409, 302, 429, 500, 503][usize::from(*status) % 12];
    let aws = Aws::new(AwsOptions {
        http: Some(SharedHttpClient::new(Parrot { status, body: body.to_vec() })),
        initial_backoff: Duration::ZERO,
        // The limiter of the SDK would wait 45 s for an endpoint that always throttles.
        adaptive: false,
        ..AwsOptions::default()
    });
    let secret = SecretAccessKey::parse(SECRET.to_owned()).expect("a secret");
    let caller = aws.caller(Credentials::for_key(KEY.parse().expect("a key"), secret), Target::default());
    let asked = RUNTIME.with_borrow(|runtime| runtime.block_on(ask(&caller, *call)));
    if let Err(error) = asked {
        fit_for_an_error(&error.to_string());
        assert!(!format!("{error:?}").contains(SECRET));
        assert!(!error.hints().is_empty());
    }
    assert!(aws.calls().total <= REQUESTS, "{} requests", aws.calls().total);
});

async fn ask(caller: &Caller, call: u8) -> Result<(), AwsError> {
    let (user, key) = ("ann".parse().expect("a user"), KEY.parse().expect("a key"));
    match call % 13 {
        0 => caller.caller_identity().await.map(|identity| drop(identity.kind())),
        1 => caller.user(Some(&user)).await.map(drop),
        2 => caller.access_keys(Some(&user)).await.map(drop),
        3 => caller.create_access_key(&user, "r-0123456789abcdef").await.map(drop),
        4 => caller.update_access_key(&user, &key, akia_core::KeyStatus::Inactive).await.map(drop),
        5 => caller.delete_access_key(&user, &key).await.map(drop),
        6 => caller.access_key_last_used(&key).await.map(drop),
        7 => caller.access_key_account(&key).await.map(drop),
        8 => caller.session(MfaToken { serial: "arn:aws:iam::123456789012:mfa/ann", code: "123456" }, None).await.map(drop),
        9 => {
            let role = AssumeRole {
                role_arn: "arn:aws:iam::123456789012:role/r",
                session_name: "s",
                external_id: None,
                mfa: None,
                duration: None,
                source_identity: None,
            };
            caller.assume_role(role).await.map(drop)
        }
        10 => caller.role_arn("r").await.map(drop),
        11 => {
            let (principal, actions) = ("arn:aws:iam::123456789012:user/ann", ["iam:CreateAccessKey", "iam:GetUser"]);
            caller.simulate(Simulation { principal, actions: &actions, resource: "*", facts: &[] }).await.map(drop)
        }
        _ => caller.who_created(&key, jiff::Timestamp::UNIX_EPOCH).await.map(drop),
    }
}

/// Answers everything with the same.
#[derive(Debug, Clone)]
struct Parrot {
    status: u16,
    body: Vec<u8>,
}

impl HttpClient for Parrot {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Parrot {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(self.status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.body.clone()))))
    }
}
