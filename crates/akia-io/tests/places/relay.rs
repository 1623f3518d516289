//! What stands between a place and the real service: it passes requests on, and makes some of them fail. And the service itself,
//! asked past akia's own client.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use akia_core::AccessKeyId;
use akia_core::place::{DeclaredPlace, Place};
use akia_io::aws::{Aws, AwsOptions, MfaPrompt, NoCode, Wallet};
use akia_io::clock::Clock;
use akia_io::keychain::NoKeychain;
use akia_io::place::{Expected, Held, Outside, PlaceError, Places};
use akia_io::rotate::Signers;
use akia_io::state::StateFolder;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use crate::keys::{id, pair, secret};
use crate::server::{Act, Seen, Server};

/// Longest time that a service may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that is ended with its test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A real service, asked without akia.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) port: u16,
    /// The certificates of its authority; without them it speaks plain HTTP.
    pub(crate) roots: Option<Vec<u8>>,
    /// What opens it for the test itself.
    pub(crate) opening: (&'static str, &'static str),
}

impl Upstream {
    /// Asks as the one who may do everything; the status and the JSON of the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (name, value) = self.opening;
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let headers = [(name, value), ("content-type", kind)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = self.send(method, path, &headers.into(), &body).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The same, where anything but success ends the test.
    pub(crate) fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Waits until a path is answered with success.
    pub(crate) fn wait_for(&self, path: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.send("GET", path, &BTreeMap::new(), "") {
                Ok((200, _)) => return,
                other => assert!(Instant::now() < end, "{path} is not answered: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// One request of HTTP/1.0, whose answer ends with the connection.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: &str,
    ) -> std::io::Result<(u16, String)> {
        let mut request = format!("{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers.iter().filter(|(name, _)| !matches!(&***name, "host" | "content-length")) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut answer = Vec::new();
        match &self.roots {
            None => {
                stream.write_all(request.as_bytes())?;
                stream.read_to_end(&mut answer)?;
            }
            Some(roots) => {
                let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
                let session = rustls::ClientConnection::new(trusting(roots), name).unwrap();
                let mut stream = rustls::StreamOwned::new(session, stream);
                stream.write_all(request.as_bytes())?;
                // A server that closes without a farewell has said all the same.
                match stream.read_to_end(&mut answer) {
                    Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(error),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let broken = || std::io::Error::other(format!("no answer of HTTP: {text}"));
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        Ok((status, body.to_owned()))
    }
}

fn trusting(pem: &[u8]) -> Arc<rustls::ClientConfig> {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_pki_types::CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// What goes wrong with a request.
pub(crate) enum Fault {
    /// It is answered so, with these header lines and a repetition of all that was sent, and nothing is done.
    Answer(u16, &'static str),
    /// The connection breaks before anything is done.
    Cut,
    /// It is done, and the answer is lost.
    Lost,
    /// Half an answer comes.
    Half,
    /// No answer comes.
    Silence,
    /// It is answered as the last one of its method was.
    Stale,
    /// Somebody else does something right before.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

/// Which request a fault is for: the how-manieth of its method from now on, counted from 1.
type Planned = (&'static str, usize, Fault);

/// Places that reach a real service through a relay.
pub(crate) struct Desk {
    server: Server,
    pub(crate) upstream: Upstream,
    faults: Arc<Mutex<Vec<Planned>>>,
    places: Places,
    /// What opens the service, by the name of its variable.
    tokens: BTreeMap<&'static str, String>,
    _folder: tempfile::TempDir,
}

struct NoDevice;

impl MfaPrompt for NoDevice {
    fn code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        Box::pin(async { Err(NoCode { reason: "a test has no device".to_owned() }) })
    }
}

/// The time of this machine, in which nobody waits.
#[derive(Debug)]
struct Hurried;

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Desk {
    pub(crate) async fn new(upstream: Upstream, tokens: BTreeMap<&'static str, String>) -> Self {
        let faults = Arc::<Mutex<Vec<Planned>>>::default();
        let (planned, behind) = (Arc::clone(&faults), upstream.clone());
        let last = Mutex::new(BTreeMap::<String, (u16, String)>::new());
        let server = Server::start(move |seen| {
            let fault = fault_for(&mut planned.lock().unwrap(), &seen.method);
            match fault {
                Some(Fault::Answer(status, headers)) => {
                    let opening = ["x-vault-token", "authorization"].map(|name| seen.headers.get(name));
                    Act::Answer(status, headers, format!("no: {} {opening:?}", seen.body))
                }
                Some(Fault::Cut) => Act::Cut,
                Some(Fault::Half) => Act::Half,
                Some(Fault::Silence) => Act::Silence,
                Some(Fault::Stale) => {
                    let (status, body) = last.lock().unwrap()[&seen.method].clone();
                    Act::Answer(status, "", body)
                }
                Some(Fault::Meanwhile(deed)) => {
                    deed();
                    passed_on(&behind, seen, &last)
                }
                Some(Fault::Lost) => {
                    passed_on(&behind, seen, &last);
                    Act::Cut
                }
                None => passed_on(&behind, seen, &last),
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let variables = tokens.clone();
        let outside = Outside {
            aws: Aws::new(AwsOptions {
                connect_timeout: Duration::from_secs(2),
                attempt_timeout: Duration::from_secs(3),
                ..AwsOptions::default()
            }),
            signers: Arc::new(Signers::new(Wallet::new(None, None, Box::new(NoDevice)))),
            clock: Arc::new(Hurried),
            variables: Arc::new(move |name| variables.get(name).cloned()),
        };
        let none = || Err(NoKeychain { reason: "there is none here".to_owned(), hint: "use another place".to_owned() });
        let places = Places::new(state, none).with_outside(outside);
        Self { server, upstream, faults, places, tokens, _folder: folder }
    }

    /// The place that a table describes; `{}` in it stands for the address of the relay.
    pub(crate) fn place(&self, table: &str) -> Place {
        let table = table.replace("{}", &self.server.address);
        Place::Declared(toml::from_str::<DeclaredPlace>(&table).unwrap_or_else(|error| panic!("{error}\n{table}")))
    }

    pub(crate) fn fault(&self, method: &'static str, which: usize, fault: Fault) {
        self.faults.lock().unwrap().push((method, which, fault));
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.server.seen()
    }

    pub(crate) async fn preflight(&self, place: &Place) -> Result<(), PlaceError> {
        self.checked(self.places.preflight(place).await.map(drop))
    }

    /// What a preflight refuses the place for.
    pub(crate) async fn refusal(&self, place: &Place) -> String {
        self.preflight(place).await.unwrap_err().to_string()
    }

    /// The number of the key that stands there.
    pub(crate) async fn held(&self, place: &Place) -> Option<usize> {
        match self.checked(self.places.read(place).await).unwrap() {
            Held::Nothing => None,
            Held::Pair(found) => Some((1..10).find(|&n| pair(n).matches(&found)).unwrap()),
            Held::Sealed { .. } => panic!("a place that gives secrets back says that it does not"),
        }
    }

    pub(crate) async fn deliver(&self, place: &Place, n: usize, expected: &[AccessKeyId]) -> Result<(), PlaceError> {
        let mark = self.checked(self.places.deliver(place, &pair(n), Expected::keys(expected)).await)?;
        assert_eq!(mark, None, "what can be read needs no mark");
        Ok(())
    }

    /// No error holds a secret or what opens the place.
    fn checked<T>(&self, answer: Result<T, PlaceError>) -> Result<T, PlaceError> {
        if let Err(error) = &answer {
            let text = format!("{error} {error:?} {}", error.hint());
            for n in 1..4 {
                // A part of it would be as bad.
                assert!(!text.contains(&secret(n)[..12]), "{text}");
                assert!(!text.contains(&data_encoding::BASE64.encode(secret(n).as_bytes())[..12]), "{text}");
            }
            assert!(self.tokens.values().all(|token| !text.contains(&token[..4])), "{text}");
        }
        answer
    }

    /// What must hold with whatever goes wrong. `write` is the method that writes; `put` puts a key there, or none, past akia.
    pub(crate) async fn bears_all_faults(&self, place: &Place, write: &'static str, put: &dyn Fn(Option<usize>)) {
        use Fault::{Answer, Cut, Half, Lost, Silence};
        let keys = [id(1), id(2)];
        let passing: [fn() -> Fault; 7] = [
            || Answer(429, "retry-after: 3\r\n"),
            || Answer(500, ""),
            || Answer(503, "retry-after: 1\r\n"),
            || Cut,
            || Lost,
            || Half,
            || Silence,
        ];
        // The look before the write, the write, and the look after it.
        let requests = [("GET", 1), (write, 1), ("GET", 2)];
        for (method, which) in requests {
            for (number, fault) in passing.iter().enumerate() {
                put(Some(1));
                self.fault(method, which, fault());
                self.deliver(place, 2, &keys)
                    .await
                    .unwrap_or_else(|error| panic!("fault {number} of {method} {which}: {error}"));
                assert!(
                    self.faults.lock().unwrap().is_empty(),
                    "fault {number} of {method} {which} did not come about"
                );
                assert_eq!(self.held(place).await, Some(2), "fault {number} of {method} {which}");
            }
            for (status, headers) in [(401, ""), (403, ""), (429, "retry-after: 3600\r\n"), (302, ""), (422, "")] {
                put(Some(1));
                self.fault(method, which, Answer(status, headers));
                let error = self.deliver(place, 2, &keys).await.unwrap_err();
                match status {
                    401 | 403 => assert!(matches!(error, PlaceError::Denied { .. }), "{error:?}"),
                    429 => assert!(matches!(error, PlaceError::Unavailable { .. }), "{error:?}"),
                    _ => assert!(matches!(error, PlaceError::Refused { .. }), "{error:?}"),
                }
                let is_written = (method, which) == ("GET", 2);
                assert_eq!(self.held(place).await, Some(if is_written { 2 } else { 1 }), "{status}");
                // The next run goes on, and an undo puts the old key back.
                self.deliver(place, 2, &keys).await.unwrap();
                self.deliver(place, 1, &keys).await.unwrap();
                assert_eq!(self.held(place).await, Some(1));
            }
        }
        self.leaves_what_others_have_written(place, put).await;
    }

    async fn leaves_what_others_have_written(&self, place: &Place, put: &dyn Fn(Option<usize>)) {
        let keys = [id(1), id(2)];
        put(Some(3));
        for expected in [&keys[..], &[]] {
            let error = self.deliver(place, 2, expected).await.unwrap_err();
            assert!(matches!(error, PlaceError::Foreign { .. }), "{error:?}");
            assert_eq!(self.held(place).await, Some(3));
        }
        put(None);
        let error = self.deliver(place, 2, &keys).await.unwrap_err();
        assert!(matches!(error, PlaceError::Emptied { .. }), "{error:?}");
        assert_eq!(self.held(place).await, None);
        self.deliver(place, 2, &[]).await.unwrap();
        self.deliver(place, 2, &[]).await.unwrap();
        assert_eq!(self.held(place).await, Some(2));
    }
}

fn passed_on(upstream: &Upstream, seen: &Seen, last: &Mutex<BTreeMap<String, (u16, String)>>) -> Act {
    match upstream.send(&seen.method, &seen.path, &seen.headers, &seen.body) {
        Ok((status, body)) => {
            last.lock().unwrap().insert(seen.method.clone(), (status, body.clone()));
            Act::Answer(status, "", body)
        }
        Err(error) => Act::Answer(599, "", format!("the relay: {error}")),
    }
}

fn fault_for(planned: &mut Vec<Planned>, method: &str) -> Option<Fault> {
    let of_method = planned.iter_mut().filter(|(of, ..)| *of == method);
    of_method.for_each(|(_, which, _)| *which -= 1);
    let due = planned.iter().position(|(of, which, _)| *of == method && *which == 0)?;
    Some(planned.remove(due).2)
}
