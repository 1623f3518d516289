//! `akia lambda` with the real binary. Secrets Manager and IAM are moto's; in front of it stands what moto lacks:
//!
//! - a rotation that has begun, as `DescribeSecret` shows one (moto runs rotation functions in Docker only): RotationEnabled, and the
//!   version without a value under AWSPENDING;
//! - CloudTrail's `LookupEvents`, which tells of the `CreateAccessKey` requests that came through here.
//!
//! The Runtime API is a server here, as <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html> has it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key, Listed};

/// A request or an answer.
#[derive(Clone, Debug)]
struct Message {
    /// `POST / HTTP/1.1`, `HTTP/1.1 200 OK`.
    first: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Message {
    fn read(stream: &mut TcpStream) -> Option<Message> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
                let headers: BTreeMap<String, String> = rest
                    .lines()
                    .filter_map(|line| line.split_once(':'))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                    .collect();
                let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
                if bytes.len() >= end + 4 + length {
                    let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).unwrap();
                    return Some(Message { first: first.to_owned(), headers, body });
                }
            }
            let mut chunk = [0; 16_384];
            let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
            bytes.extend(&chunk[..read]);
        }
    }

    fn write(&self, stream: &mut TcpStream) -> Option<()> {
        let mut head = format!("{}\r\n", self.first);
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != "content-length") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{}", self.body.len(), self.body));
        stream.write_all(head.as_bytes()).ok()
    }

    fn answer(status: &str, body: String) -> Message {
        let headers = [("content-type".to_owned(), "application/x-amz-json-1.1".to_owned())].into();
        Message { first: format!("HTTP/1.1 {status}"), headers, body }
    }

    /// `GetSecretValue`, `CreateAccessKey`.
    fn operation(&self) -> String {
        let target = self.headers.get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let action = || self.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        target.or_else(action).unwrap_or("none").to_owned()
    }
}

/// What stands in front of moto.
struct Front {
    url: String,
    state: Arc<Mutex<FrontState>>,
}

#[derive(Default)]
struct FrontState {
    moto: String,
    /// The version that Secrets Manager has begun.
    begun: Option<String>,
    /// Each call that was answered.
    calls: Vec<String>,
    /// After how many calls the function dies, before it hears the answer.
    dies_after: Option<usize>,
    victim: Option<Arc<Mutex<Child>>>,
    /// Key ids and the user agents of who made them.
    created: Vec<(String, String)>,
    is_trail_late: bool,
}

impl Front {
    fn of(cloud: &Cloud) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let moto = cloud.endpoint.strip_prefix("http://").unwrap().to_owned();
        let state = Arc::new(Mutex::new(FrontState { moto, ..FrontState::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Front { url, state }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, FrontState> {
        self.state.lock().unwrap()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<FrontState>) -> Option<()> {
    loop {
        let request = Message::read(&mut stream)?;
        let operation = request.operation();
        let moto = state.lock().unwrap().moto.clone();
        let answer = if operation == "LookupEvents" {
            Message::answer("200 OK", trail(&state.lock().unwrap()).to_string())
        } else {
            let mut behind = TcpStream::connect(moto).unwrap();
            request.write(&mut behind)?;
            Message::read(&mut behind)?
        };
        let mut state = state.lock().unwrap();
        let answer = amended(&mut state, &operation, &request, answer);
        state.calls.push(operation);
        if state.dies_after == Some(state.calls.len()) {
            state.dies_after = None;
            let mut victim = state.victim.as_ref().unwrap().lock().unwrap();
            victim.kill().unwrap();
            victim.wait().unwrap();
            return None;
        }
        drop(state);
        answer.write(&mut stream)?;
    }
}

fn amended(state: &mut FrontState, operation: &str, request: &Message, mut answer: Message) -> Message {
    if operation == "CreateAccessKey"
        && let Some((_, rest)) = answer.body.split_once("<AccessKeyId>")
    {
        let id = rest.split_once('<').unwrap().0.to_owned();
        state.created.push((id, request.headers["user-agent"].clone()));
    }
    if operation == "DescribeSecret" && answer.first.contains("200") {
        let mut body: Value = serde_json::from_str(&answer.body).unwrap();
        body["RotationEnabled"] = json!(true);
        if let Some(token) = &state.begun
            && body["VersionIdsToStages"][token].is_null()
        {
            // A label is on one version.
            for (_, labels) in body["VersionIdsToStages"].as_object_mut().unwrap() {
                labels.as_array_mut().unwrap().retain(|label| label != "AWSPENDING");
            }
            body["VersionIdsToStages"][token] = json!(["AWSPENDING"]);
        }
        answer.body = body.to_string();
    }
    answer
}

fn trail(state: &FrontState) -> Value {
    if state.is_trail_late {
        return json!({ "Events": [] });
    }
    let event = |(id, agent): &(String, String)| {
        let record = json!({
            "eventName": "CreateAccessKey", "eventTime": "2026-01-01T00:00:00Z", "userAgent": agent, "sourceIPAddress": "192.0.2.1",
            "userIdentity": { "arn": "arn:aws:iam::123456789012:role/other" },
            "responseElements": { "accessKey": { "accessKeyId": id } },
        });
        json!({ "EventTime": 1_767_225_600, "CloudTrailEvent": record.to_string() })
    };
    json!({ "Events": state.created.iter().map(event).collect::<Vec<_>>() })
}

/// The function: its process, and the Runtime API that it asks.
struct Function {
    child: Arc<Mutex<Child>>,
    events: Sender<Value>,
    outcomes: Receiver<(bool, Value)>,
}

/// What became of a call.
#[derive(Debug, PartialEq)]
enum Outcome {
    Done(String),
    Failed(String, String),
    Died,
}

impl Function {
    fn start(home: &Home, flags: &[&str]) -> Function {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, taken) = channel::<Value>();
        let (told, outcomes) = channel();
        std::thread::spawn(move || {
            let mut number = 0;
            for stream in listener.incoming() {
                runtime_api(stream.unwrap(), &taken, &told, &mut number);
            }
        });
        let log = std::fs::OpenOptions::new().create(true).append(true).open(home.path("log")).unwrap();
        let mut command = home.command(&[&["lambda"], flags].concat());
        command.env("AWS_LAMBDA_RUNTIME_API", address).stdout(log.try_clone().unwrap()).stderr(log);
        Function { child: Arc::new(Mutex::new(command.spawn().unwrap())), events, outcomes }
    }

    fn call(&self, event: &Value) -> Outcome {
        self.events.send(event.clone()).unwrap();
        let started = Instant::now();
        loop {
            match self.outcomes.recv_timeout(Duration::from_millis(50)) {
                Ok((true, answer)) => {
                    assert_eq!((&answer["schema"], &answer["step"]), (&json!("akia.lambda/1"), &event["Step"]));
                    return Outcome::Done(answer["done"].as_str().unwrap().to_owned());
                }
                Ok((false, error)) => {
                    let text = |name: &str| error[name].as_str().unwrap().to_owned();
                    return Outcome::Failed(text("errorType"), text("errorMessage"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    assert!(started.elapsed() < Duration::from_secs(240), "no answer to {event}");
                    if self.child.lock().unwrap().try_wait().unwrap().is_some() {
                        return Outcome::Died;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Outcome::Died,
            }
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Serves one connection of the function, as the Runtime API is documented.
fn runtime_api(
    mut stream: TcpStream,
    events: &Receiver<Value>,
    told: &Sender<(bool, Value)>,
    number: &mut u32,
) -> Option<()> {
    let id = |number: u32| format!("8476a536-e9f4-11e8-9739-{number:012}");
    loop {
        let request = Message::read(&mut stream)?;
        if request.first == "GET /2018-06-01/runtime/invocation/next HTTP/1.1" {
            let event = events.recv().ok()?;
            *number += 1;
            let mut answer = Message::answer("200 OK", event.to_string());
            let deadline = std::time::SystemTime::now() + Duration::from_secs(300);
            let deadline = deadline.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
            answer.headers.insert("Lambda-Runtime-Aws-Request-Id".to_owned(), id(*number));
            answer.headers.insert("Lambda-Runtime-Deadline-Ms".to_owned(), deadline.to_string());
            answer.headers.insert(
                "Lambda-Runtime-Invoked-Function-Arn".to_owned(),
                "arn:aws:lambda:us-east-1:123456789012:function:akia".to_owned(),
            );
            answer.write(&mut stream)?;
            continue;
        }
        let base = format!("POST /2018-06-01/runtime/invocation/{}", id(*number));
        let is_response = request.first == format!("{base}/response HTTP/1.1");
        assert!(is_response || request.first == format!("{base}/error HTTP/1.1"), "{}", request.first);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        if !is_response {
            assert_eq!(request.headers["lambda-runtime-function-error-type"], body["errorType"].as_str().unwrap());
            assert_eq!(body["stackTrace"], json!([]));
        }
        Message::answer("202 Accepted", json!({ "status": "OK" }).to_string()).write(&mut stream)?;
        told.send((is_response, body)).ok()?;
    }
}

/// A service user whose key is in a secret.
struct Stage<'c> {
    cloud: &'c Cloud,
    front: Front,
    home: Home,
    user: String,
    secret: String,
    token: String,
    first: Key,
}

impl<'c> Stage<'c> {
    fn new(cloud: &'c Cloud, name: &str) -> Stage<'c> {
        let user = format!("service-{name}");
        let first = cloud.user(&user).key;
        let secret = format!("service/{name}");
        let value = json!({
            "AWS_ACCESS_KEY_ID": first.id, "AWS_SECRET_ACCESS_KEY": first.secret, "AWS_IAM_USER": user, "bucket": "example",
        });
        cloud.call("secretsmanager", "create_secret", json!({ "Name": secret, "SecretString": value.to_string() }));
        let front = Front::of(cloud);
        let home = Home::new(cloud)
            .with("AWS_ENDPOINT_URL", &front.url)
            .with("AWS_ACCESS_KEY_ID", &cloud.admin.id)
            .with("AWS_SECRET_ACCESS_KEY", &cloud.admin.secret);
        let stage = Stage { cloud, front, home, user, secret, token: String::new(), first };
        stage.with_rotation(1)
    }

    /// As Secrets Manager begins one.
    fn with_rotation(mut self, number: u32) -> Stage<'c> {
        self.token = format!("11111111-2222-3333-4444-{number:012}");
        self.front.state().begun = Some(self.token.clone());
        self
    }

    /// With a second key in AWSCURRENT, and the first one displaced.
    fn displaced(self) -> (Stage<'c>, Key) {
        let second = self.cloud.key(&self.user);
        let value = json!({
            "AWS_ACCESS_KEY_ID": second.id, "AWS_SECRET_ACCESS_KEY": second.secret, "AWS_IAM_USER": self.user, "bucket": "example",
        });
        let put = json!({ "SecretId": self.secret, "SecretString": value.to_string() });
        self.cloud.call("secretsmanager", "put_secret_value", put);
        (self, second)
    }

    fn event(&self, step: &str) -> Value {
        json!({ "Step": step, "SecretId": self.secret, "ClientRequestToken": self.token })
    }

    fn start(&self, flags: &[&str]) -> Function {
        let function = Function::start(&self.home, flags);
        self.front.state().victim = Some(Arc::clone(&function.child));
        function
    }

    fn value(&self, label: &str) -> Value {
        let asked = json!({ "SecretId": self.secret, "VersionStage": label });
        let answer = self.cloud.call("secretsmanager", "get_secret_value", asked);
        serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap()
    }

    fn key_in(&self, label: &str) -> Key {
        let value = self.value(label);
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        Key { id: text("AWS_ACCESS_KEY_ID"), secret: text("AWS_SECRET_ACCESS_KEY"), token: None }
    }

    fn keys(&self) -> Vec<Listed> {
        let answer = self.cloud.call("iam", "list_access_keys", json!({ "UserName": self.user }));
        let keys = answer["AccessKeyMetadata"].as_array().unwrap();
        let listed = |key: &Value| Listed {
            id: key["AccessKeyId"].as_str().unwrap().to_owned(),
            active: key["Status"] == "Active",
        };
        let mut keys: Vec<Listed> = keys.iter().map(listed).collect();
        keys.sort_by_key(|key| key.id != self.first.id);
        keys
    }

    /// All steps, each twice, with the function begun anew whenever it dies.
    fn rotate(&self, flags: &[&str]) {
        let mut function = self.start(flags);
        for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
            let mut done = 0;
            let mut deaths = 0;
            while done < 2 {
                match function.call(&self.event(step)) {
                    Outcome::Done(_) => done += 1,
                    Outcome::Died => {
                        deaths += 1;
                        assert!(deaths < 2, "{step}");
                        function = self.start(flags);
                    }
                    Outcome::Failed(kind, words) => panic!("{step} of {}: {kind}: {words}", self.user),
                }
            }
        }
    }

    /// Nothing that the function has said holds a secret.
    fn assert_log_is_clean(&self, keys: &[&Key]) {
        let log = self.home.read("log");
        for key in keys {
            assert!(!log.contains(&key.secret), "{log}");
        }
        assert!(log.contains("createSecret of"), "{log}");
    }
}

fn listed(keys: &[(&Key, bool)]) -> Vec<Listed> {
    keys.iter().map(|(key, active)| Listed { id: key.id.clone(), active: *active }).collect()
}

#[test]
fn a_rotation_makes_one_key_and_the_displaced_one_is_retired_when_nobody_uses_it() {
    let cloud = Backend::Moto.open();
    let stage = Stage::new(&cloud, "billing");
    stage.rotate(&[]);
    let second = stage.key_in("AWSCURRENT");
    assert_ne!(second.id, stage.first.id);
    assert_eq!(stage.key_in("AWSPREVIOUS").id, stage.first.id);
    assert_eq!(
        (&stage.value("AWSCURRENT")["bucket"], &stage.value("AWSCURRENT")["AWS_IAM_USER"]),
        (&json!("example"), &json!(stage.user))
    );
    assert_eq!(stage.keys(), listed(&[(&stage.first, true), (&second, true)]));
    assert_eq!(cloud.caller(&second), Ok(cloud.user_arn(&stage.user)));

    // A day has not passed, and the key was used to prove whose it is.
    let patient = stage.start(&[]);
    let retire = json!({ "Step": "retireSecret", "SecretId": stage.secret });
    let Outcome::Done(words) = patient.call(&retire) else { panic!("it waits") };
    assert!(words.contains("may still be in use"), "{words}");
    drop(patient);
    let stage = stage.with_rotation(2);
    let patient = stage.start(&[]);
    let Outcome::Failed(kind, words) = patient.call(&stage.event("createSecret")) else { panic!("no room") };
    assert!(kind == "Akia.KeyInTheWay" && words.contains(&stage.first.id), "{kind}: {words}");
    assert_eq!(stage.keys(), listed(&[(&stage.first, true), (&second, true)]), "nothing was changed");
    drop(patient);

    std::thread::sleep(Duration::from_secs(2));
    stage.front.state().begun = None;
    let hasty = stage.start(&["--quiet-for", "1s"]);
    let Outcome::Done(words) = hasty.call(&retire) else { panic!("it is quiet") };
    assert!(words.contains("deactivated"), "{words}");
    assert_eq!(stage.keys(), listed(&[(&stage.first, false), (&second, true)]));
    let Outcome::Done(words) = hasty.call(&retire) else { panic!("again") };
    assert!(words.contains("is inactive"), "{words}");
    drop(hasty);

    let stage = stage.with_rotation(3);
    stage.rotate(&["--quiet-for", "1s"]);
    let third = stage.key_in("AWSCURRENT");
    assert_eq!(stage.keys().len(), 2, "the first key is gone");
    assert!(stage.keys().iter().all(|key| key.active && (key.id == second.id || key.id == third.id)));
    stage.assert_log_is_clean(&[&stage.first, &second, &third]);
}

/// Killed after every call to AWS, before the answer is heard, and called again: one working key is current, the one before it is
/// there, and no third.
#[test]
fn killed_after_any_call_and_called_again_a_rotation_ends_with_one_current_key() {
    let cloud = Backend::Moto.open();
    let (whole, _) = Stage::new(&cloud, "whole").displaced();
    std::thread::sleep(Duration::from_secs(2));
    whole.rotate(&["--quiet-for", "1s"]);
    let calls = whole.front.state().calls.clone();
    for operation in ["DeleteAccessKey", "CreateAccessKey", "PutSecretValue", "UpdateSecretVersionStage"] {
        assert!(calls.iter().any(|call| call == operation), "{operation}: {calls:?}");
    }
    let next = std::sync::atomic::AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    let after = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if after > calls.len() {
                        break;
                    }
                    killed_after(&cloud, after);
                }
            });
        }
    });
}

fn killed_after(cloud: &Cloud, after: usize) {
    let (stage, second) = Stage::new(cloud, &format!("killed-{after}")).displaced();
    std::thread::sleep(Duration::from_secs(2));
    stage.front.state().dies_after = Some(after);
    stage.rotate(&["--quiet-for", "1s"]);
    let story = stage.front.state().calls.join(" ");
    assert_eq!(stage.front.state().dies_after, None, "it was killed: {story}");
    let third = stage.key_in("AWSCURRENT");
    assert_eq!(stage.key_in("AWSPREVIOUS").id, second.id, "after {after}: {story}");
    let mut keys: Vec<Listed> = stage.keys();
    keys.sort_by_key(|key| key.id != second.id);
    assert_eq!(keys, listed(&[(&second, true), (&third, true)]), "after {after}: {story}");
    assert_eq!(cloud.caller(&third), Ok(cloud.user_arn(&stage.user)), "after {after}: {story}");
    stage.assert_log_is_clean(&[&stage.first, &second, &third]);
}

#[test]
fn a_key_that_a_lost_answer_left_behind_stays_until_cloudtrail_says_whose_it_is() {
    let cloud = Backend::Moto.open();
    let stage = Stage::new(&cloud, "lost");
    stage.front.state().is_trail_late = true;
    let function = stage.start(&[]);
    // describe, pending, current, whose key, intent, pending, keys, keys, intent, intent, create
    stage.front.state().dies_after = Some(11);
    assert_eq!(function.call(&stage.event("createSecret")), Outcome::Died);
    assert_eq!(stage.front.state().calls.last().unwrap(), "CreateAccessKey");
    let orphan = stage.front.state().created[0].0.clone();
    let function = stage.start(&[]);
    let Outcome::Failed(kind, words) = function.call(&stage.event("createSecret")) else { panic!("not told yet") };
    assert!(kind == "Akia.CreateUnresolved" && words.contains(&orphan) && words.contains("15 minutes"), "{words}");
    assert_eq!(stage.keys().len(), 2);
    assert_eq!(stage.front.state().created.len(), 1, "no second key");

    // Made by somebody else, as it turns out.
    stage.front.state().is_trail_late = false;
    let agent = std::mem::replace(&mut stage.front.state().created[0].1, "aws-cli/2".to_owned());
    let Outcome::Failed(_, words) = function.call(&stage.event("createSecret")) else { panic!("another's") };
    assert!(words.contains("did not make") && words.contains("role/other"), "{words}");
    assert_eq!(stage.keys().len(), 2);

    stage.front.state().created[0].1 = agent;
    drop(function);
    stage.rotate(&[]);
    let third = stage.key_in("AWSCURRENT");
    assert_ne!(third.id, orphan);
    assert_eq!(stage.keys(), listed(&[(&stage.first, true), (&third, true)]));
}

#[test]
fn what_a_rotation_cannot_work_with_is_said_and_changes_nothing() {
    let cloud = Backend::Moto.open();
    let stage = Stage::new(&cloud, "odd");
    let function = stage.start(&[]);
    let fails = |event: &Value, kind: &str, words: &str| match function.call(event) {
        Outcome::Failed(found, message) => {
            assert_eq!(found, kind, "{message}");
            assert!(message.contains(words), "{message}");
        }
        other => panic!("{event}: {other:?}"),
    };
    fails(&json!({ "Step": "dropSecret" }), "Akia.BadEvent", "no step of a rotation");
    let mut event = stage.event("createSecret");
    event["ClientRequestToken"] = json!("aaaaaaaa-2222-3333-4444-555555555555");
    fails(&event, "Akia.SecretNotReady", "not a version of it");
    event = stage.event("createSecret");
    event["SecretId"] = json!("service/none");
    fails(&event, "Akia.SecretNotReady", "no such secret");
    fails(&stage.event("testSecret"), "Akia.SecretNotReady", "AWSPENDING has no value");

    let stranger = cloud.key(&stage.user);
    fails(&stage.event("createSecret"), "Akia.KeyInTheWay", &stranger.id);
    cloud.call("iam", "delete_access_key", json!({ "UserName": stage.user, "AccessKeyId": stranger.id }));
    let write = |user: &str, key: &Key| {
        let value = json!({ "AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret, "AWS_IAM_USER": user })
            .to_string();
        cloud.call("secretsmanager", "put_secret_value", json!({ "SecretId": stage.secret, "SecretString": value }));
    };
    // Whoever can write the secret gets no key of somebody else by naming him.
    write("lab-admin", &stage.first);
    fails(&stage.event("createSecret"), "Akia.SecretNotReady", "is of user service-odd");
    write("lab-admin", &Key { secret: stage.first.secret.clone(), ..cloud.admin.clone() });
    fails(&stage.event("createSecret"), "Akia.SecretNotReady", "does not work");
    assert_eq!(stage.keys(), listed(&[(&stage.first, true)]));
    stage.assert_log_is_clean(&[&stage.first, &cloud.admin]);
}

#[test]
fn outside_lambda_the_command_says_what_it_is_for() {
    let cloud = Backend::Moto.open();
    let ran = Home::new(&cloud).akia(&["lambda"]).exited(1);
    assert!(
        ran.stderr.contains("AWS_LAMBDA_RUNTIME_API is not set") && ran.stderr.contains("docs/lambda.md"),
        "{}",
        ran.stderr
    );
}
