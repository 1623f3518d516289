//! Parameters of Systems Manager: in moto, with a server in front of it that fails as the network and AWS do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use akia_core::place::Place;
use akia_core::profile::{File, FileKind};
use akia_io::aws::{Aws, AwsOptions, EnvironmentEndpoints, MfaPrompt, NoCode, Wallet};
use akia_io::clock::SystemClock;
use akia_io::place::{Expected, Outside, PlaceError};
use akia_io::rotate::Signers;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::desk::{Desk, declared, python, words};
use crate::keys::{id, pair, secret};
use crate::server::{Act, Seen, Server};

struct Nobody;

impl MfaPrompt for Nobody {
    fn code<'a>(&'a self, _serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        Box::pin(async { Err(NoCode { reason: "nobody is here".into() }) })
    }
}

/// One moto for all tests; it ends with the pipe that it reads.
fn moto() -> u16 {
    static MOTO: OnceLock<(u16, Child)> = OnceLock::new();
    let (port, _) = MOTO.get_or_init(|| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = "import os, sys, threading\nfrom moto.server import main\n\
                      threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n\
                      main(['-H', '127.0.0.1', '-p', sys.argv[1]])";
        let mut moto = python();
        moto.args(["-c", script, &port.to_string()]);
        let child = moto.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let is_up = (0..300).any(|_| {
            let is_up = TcpStream::connect(("127.0.0.1", port)).is_ok();
            if !is_up {
                std::thread::sleep(Duration::from_millis(100));
            }
            is_up
        });
        assert!(is_up, "moto does not start");
        (port, child)
    });
    *port
}

/// Asks moto; gives the status, the header that names an error, and the body.
fn ask(operation: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", moto())).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: ssm.eu-west-1.amazonaws.com\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: AmazonSSM.{operation}\r\nconnection: close\r\ncontent-length: {}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261130/eu-west-1/ssm/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let error = head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-amzn-errortype:"));
    let error = error.map(|line| format!("{line}\r\n")).unwrap_or_default();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), error, body.to_owned())
}

fn moto_says(operation: &str, body: &Value) -> Value {
    let (status, _, answer) = ask(operation, &body.to_string());
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

fn operation(seen: &Seen) -> &str {
    seen.headers["x-amz-target"].strip_prefix("AmazonSSM.").unwrap()
}

pub(crate) fn forwarded(seen: &Seen) -> Act {
    let (status, error, body) = ask(operation(seen), &seen.body);
    // A test is over soon.
    Act::Answer(status, error.leak(), body)
}

/// A desk whose AWS is moto, behind `play`.
pub(crate) async fn desk(play: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> (Desk, Server) {
    let server = Server::start(play).await;
    let options = AwsOptions {
        endpoint_url: Some(server.address.parse().unwrap()),
        initial_backoff: Duration::from_millis(2),
        longest_backoff: Duration::from_millis(8),
        attempt_timeout: Duration::from_secs(5),
        ..AwsOptions::default()
    };
    (reaching(options), server)
}

fn reaching(options: AwsOptions) -> Desk {
    let profile = format!("[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n", id(900), secret(900));
    let wallet = Wallet::new(Some(File::parse(FileKind::Credentials, profile)), None, Box::new(Nobody));
    let outside = Outside {
        aws: Aws::new(options),
        signers: Arc::new(Signers::new(wallet)),
        clock: Arc::new(SystemClock),
        variables: Arc::new(|_| None),
    };
    let desk = Desk::new();
    Desk { places: desk.places.with_outside(outside), ..desk }
}

/// Parameters of a test, apart.
pub(crate) fn place(test: &str) -> Place {
    declared(json!({
        "kind": "ssm-parameter", "profile": "work", "region": "eu-west-1",
        "names": { "id": format!("/{test}/id"), "secret": format!("/{test}/secret") },
    }))
}

/// Puts key `n` there, as somebody would: encrypted with a key of their own.
pub(crate) fn put(test: &str, n: usize) {
    for (half, value) in [("id", id(n).to_string()), ("secret", secret(n))] {
        moto_says(
            "PutParameter",
            &json!({ "Name": format!("/{test}/{half}"), "Value": value, "Type": "SecureString", "Overwrite": true,
                     "KeyId": "alias/billing", "Tier": "Advanced", "Description": "of billing" }),
        );
    }
}

/// Value and version of one half.
fn half(test: &str, half: &str) -> (String, u64) {
    let answer = moto_says("GetParameters", &json!({ "Names": [format!("/{test}/{half}")], "WithDecryption": true }));
    let parameter = &answer["Parameters"][0];
    (parameter["Value"].as_str().unwrap().to_owned(), parameter["Version"].as_u64().unwrap())
}

fn puts(server: &Server) -> Vec<Value> {
    server.seen().iter().filter(|seen| operation(seen) == "PutParameter").map(Seen::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn type_key_tier_and_description_are_kept_and_each_half_is_written_once() {
    let (desk, server) = desk(forwarded).await;
    let place = place("kept");
    put("kept", 1);
    desk.places.preflight(&place).await.unwrap();
    assert_eq!((half("kept", "id").1, half("kept", "secret").1), (1, 1));
    for _ in 0..2 {
        desk.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap();
        assert_eq!(half("kept", "id"), (id(2).to_string(), 2));
        assert_eq!(half("kept", "secret"), (secret(2), 2));
    }
    let writes = puts(&server);
    let names: Vec<_> =
        writes.iter().map(|write| (write["Name"].as_str().unwrap(), write["Overwrite"] == true)).collect();
    // Two of the preflight; then the secret before the id.
    assert_eq!(names, [("/kept/id", false), ("/kept/secret", false), ("/kept/secret", true), ("/kept/id", true)]);
    for write in &writes {
        let traits = (&write["Type"], &write["KeyId"], &write["Tier"], &write["Description"]);
        let wanted = (&json!("SecureString"), &json!("alias/billing"), &json!("Advanced"), &json!("of billing"));
        assert_eq!(traits, wanted);
    }
    let foreign = desk.places.deliver(&place, &pair(3), Expected::keys(&[id(1)])).await.unwrap_err();
    assert!(matches!(foreign, PlaceError::Foreign { .. }), "{}", words(&foreign));
    desk.places.deliver(&place, &pair(1), Expected::keys(&[id(1), id(2)])).await.unwrap();
    assert!(desk.held(&place).await.unwrap().unwrap().matches(&pair(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_parameter_holds_both_and_is_made_encrypted() {
    let (desk, server) = desk(forwarded).await;
    let place = declared(json!({
        "kind": "ssm-parameter", "profile": "work", "region": "eu-west-1", "kms-key": "alias/own",
        "names": { "combined": "/made/key" },
    }));
    desk.places.preflight(&place).await.unwrap();
    let emptied = desk.places.deliver(&place, &pair(1), Expected::keys(&[id(9)])).await.unwrap_err();
    assert!(matches!(emptied, PlaceError::Emptied { .. }), "{}", words(&emptied));
    desk.places.deliver(&place, &pair(1), Expected::keys(&[])).await.unwrap();
    assert!(desk.held(&place).await.unwrap().unwrap().matches(&pair(1)));
    let [write] = &puts(&server)[..] else { panic!() };
    assert_eq!((&write["Type"], &write["KeyId"]), (&json!("SecureString"), &json!("alias/own")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_or_refused_for_now_is_done_once() {
    let count = AtomicUsize::new(0);
    let (desk, server) = desk(move |seen| {
        if operation(seen) != "PutParameter" {
            return forwarded(seen);
        }
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => Act::Answer(400, "", "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}".to_owned()),
            1 => Act::Answer(503, "", String::new()),
            2 => {
                // Done, and nobody hears of it.
                forwarded(seen);
                Act::Cut
            }
            _ => forwarded(seen),
        }
    })
    .await;
    let place = place("lost");
    put("lost", 1);
    desk.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap();
    assert_eq!((half("lost", "secret"), half("lost", "id")), ((secret(2), 2), (id(2).to_string(), 2)));
    assert_eq!(puts(&server).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_was_written_by_half_is_completed() {
    let count = AtomicUsize::new(0);
    let denied =
        "{\"__type\":\"AccessDeniedException\",\"message\":\"User: x is not authorized to perform: ssm:PutParameter\"}";
    let (desk, _server) = desk(move |seen| {
        let is_second = operation(seen) == "PutParameter" && count.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        if is_second { Act::Answer(400, "", denied.to_owned()) } else { forwarded(seen) }
    })
    .await;
    // Over another key, and where nothing was: each time the second write fails, and the next delivery makes the rest.
    for (test, before) in [("half-a", Some(1)), ("half-b", None)] {
        let place = place(test);
        before.into_iter().for_each(|n| put(test, n));
        let expected: Vec<_> = before.map(id).into_iter().collect();
        let error = desk.places.deliver(&place, &pair(2), Expected::keys(&expected)).await.unwrap_err();
        assert!(matches!(error, PlaceError::Denied { .. }), "{}", words(&error));
        assert_eq!(half(test, "secret").0, secret(2));
        desk.places.deliver(&place, &pair(2), Expected::keys(&expected)).await.unwrap();
        assert!(desk.held(&place).await.unwrap().unwrap().matches(&pair(2)));
        // Written once.
        assert_eq!(half(test, "secret").1, half(test, "id").1);
        // The next test begins with a write that is let through.
        assert!(words(&desk.places.preflight(&place).await.unwrap_err()).contains("access denied") || before.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_somebody_else_in_between_is_told() {
    let (desk, _server) = desk(|seen| {
        if operation(seen) == "PutParameter" && seen.json()["Name"] == "/between/secret" {
            put("between", 8);
        }
        forwarded(seen)
    })
    .await;
    put("between", 1);
    let error = desk.places.deliver(&place("between"), &pair(2), Expected::keys(&[id(1)])).await.unwrap_err();
    let words = words(&error);
    assert!(
        words.contains("somebody wrote /between/secret while akia did: version 2 of it is not in use any more"),
        "{words}"
    );
    assert_eq!(half("between", "id").0, id(8).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_at_an_endpoint_that_nobody_has_typed() {
    let server = Server::start(forwarded).await;
    let environment_endpoints = EnvironmentEndpoints {
        iam: Some("https://iam.example.com".parse().unwrap()),
        ssm: Some(server.address.parse().unwrap()),
        ..EnvironmentEndpoints::default()
    };
    let desk = reaching(AwsOptions { environment_endpoints, ..AwsOptions::default() });
    put("foreign", 1);
    let error = desk.places.deliver(&place("foreign"), &pair(2), Expected::keys(&[id(1)])).await.unwrap_err();
    assert!(matches!(error, PlaceError::Denied { .. }), "{}", words(&error));
    assert!(words(&error).contains("keys are not changed at iam.example.com"), "{error}");
    assert!(puts(&server).is_empty());
}
