//! A server that holds what a service would hold, and what every kind of place must bear of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akia_core::AccessKeyId;
use akia_core::place::{DeclaredPlace, Place};
use akia_io::aws::{Aws, AwsOptions, MfaPrompt, NoCode, Wallet};
use akia_io::clock::Clock;
use akia_io::keychain::NoKeychain;
use akia_io::place::{Expected, Held, Outside, PlaceError, Places};
use akia_io::rotate::Signers;
use akia_io::state::StateFolder;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::keys::{id, pair, secret};
use crate::server::{Act, Seen, Server};

/// What opens every service here, and must never be seen in an error.
pub(crate) const TOKEN: &str = "canary-4711-canary-4711-canary";

/// Id and secret of key number `n`, as a service holds them.
pub(crate) fn values(n: usize) -> Vec<(String, String)> {
    vec![("AWS_ACCESS_KEY_ID".to_owned(), id(n).to_string()), ("AWS_SECRET_ACCESS_KEY".to_owned(), secret(n))]
}

struct NoDevice;

impl MfaPrompt for NoDevice {
    fn code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        Box::pin(async { Err(NoCode { reason: "a test has no device".to_owned() }) })
    }
}

/// A clock that goes on by what is slept, and for server and client alike.
#[derive(Debug, Clone)]
pub(crate) struct Turned(Arc<Mutex<Timestamp>>);

impl Turned {
    pub(crate) fn turn(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.turn(SignedDuration::try_from(wait).unwrap());
        Box::pin(std::future::ready(()))
    }
}

/// Status, more header lines and body of an answer.
pub(crate) type Reply = (u16, &'static str, String);

pub(crate) fn json(status: u16, body: &serde_json::Value) -> Result<Reply, String> {
    Ok((status, "content-type: application/json\r\n", body.to_string()))
}

/// A service as its documentation describes it.
pub(crate) trait Service: Send + 'static {
    /// Checks the request and does it. What is wrong with it fails the test.
    fn answer(&mut self, seen: &Seen, now: Timestamp) -> Result<Reply, String>;

    /// Names and values that stand there, as those who use them get them; sorted by name.
    fn held(&self) -> Vec<(String, String)>;

    /// Somebody else puts values there.
    fn put(&mut self, values: &[(String, String)], now: Timestamp);
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It is answered so, with these header lines, and nothing is done.
    Answer(u16, &'static str),
    /// The connection breaks before anything is done.
    Cut,
    /// It is done, and the answer is lost.
    Lost,
    /// Half an answer comes.
    Half,
    /// No answer comes.
    Silence,
}

/// The requests that write id and secret of a key: method, and the how-manieth of that method.
#[derive(Clone, Copy)]
pub(crate) struct Writes {
    /// Where both stand already.
    pub(crate) change: [(&'static str, usize); 2],
    /// Where nothing stands.
    pub(crate) create: [(&'static str, usize); 2],
}

/// Which request a fault is for: the how-manieth of its method from now on, counted from 1.
type Planned = (&'static str, usize, Fault);

pub(crate) struct Bench<S> {
    server: Server,
    pub(crate) service: Arc<Mutex<S>>,
    pub(crate) clock: Turned,
    pub(crate) places: Places,
    faults: Arc<Mutex<Vec<Planned>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl<S: Service> Bench<S> {
    pub(crate) async fn start(service: S) -> Self {
        let clock = Turned(Arc::new(Mutex::new("2026-11-30T09:00:00.2Z".parse().unwrap())));
        let (service, faults, wrong) = (
            Arc::new(Mutex::new(service)),
            Arc::<Mutex<Vec<Planned>>>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
        );
        let (held, planned, found, time) =
            (Arc::clone(&service), Arc::clone(&faults), Arc::clone(&wrong), clock.clone());
        let server = Server::start(move |seen| {
            let fault = fault_for(&mut planned.lock().unwrap(), &seen.method);
            if let Some(Fault::Answer(status, headers)) = fault {
                // A service that repeats what it was sent, and what opens it.
                return Act::Answer(status, headers, format!("no: {} {TOKEN}", seen.body));
            }
            match fault {
                Some(Fault::Cut) => return Act::Cut,
                Some(Fault::Half) => return Act::Half,
                Some(Fault::Silence) => return Act::Silence,
                Some(Fault::Answer(..) | Fault::Lost) | None => {}
            }
            let answer = held.lock().unwrap().answer(seen, time.now());
            match (answer, fault) {
                (Ok(_), Some(_)) => Act::Cut,
                (Ok((status, headers, body)), None) => Act::Answer(status, headers, body),
                (Err(reason), _) => {
                    found.lock().unwrap().push(format!("{reason}: {seen:?}"));
                    Act::Answer(418, "", "{}".to_owned())
                }
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let options = AwsOptions {
            connect_timeout: Duration::from_millis(500),
            attempt_timeout: Duration::from_millis(300),
            ..AwsOptions::default()
        };
        let outside = Outside {
            aws: Aws::new(options),
            signers: Arc::new(Signers::new(Wallet::new(None, None, Box::new(NoDevice)))),
            clock: Arc::new(clock.clone()),
            variables: Arc::new(|name| (name == "TOKEN").then(|| TOKEN.to_owned())),
        };
        let no_keychain =
            || Err(NoKeychain { reason: "there is none here".to_owned(), hint: "use another place".to_owned() });
        let places = Places::new(state, no_keychain).with_outside(outside);
        Self { server, service, clock, places, faults, wrong, _folder: folder }
    }

    /// The place that a table describes; `{}` in it stands for the address of the server.
    pub(crate) fn place(&self, table: &str) -> Place {
        let table = format!("token = {{ env = \"TOKEN\" }}\n{}", table.replace("{}", &self.server.address));
        Place::Declared(toml::from_str::<DeclaredPlace>(&table).unwrap_or_else(|error| panic!("{error}\n{table}")))
    }

    pub(crate) fn fault(&self, method: &'static str, which: usize, fault: Fault) {
        self.faults.lock().unwrap().push((method, which, fault));
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.server.seen()
    }

    pub(crate) fn held(&self) -> Vec<(String, String)> {
        self.service.lock().unwrap().held()
    }

    /// Somebody else writes, some time after what was before.
    pub(crate) fn put(&self, values: &[(String, String)]) {
        self.clock.turn(SignedDuration::from_secs(60));
        self.service.lock().unwrap().put(values, self.clock.now());
    }

    pub(crate) async fn deliver(
        &self,
        place: &Place,
        n: usize,
        keys: &[AccessKeyId],
        mark: Option<&str>,
    ) -> Result<Option<String>, PlaceError> {
        checked(self.places.deliver(place, &pair(n), Expected { keys, mark }).await)
    }

    pub(crate) async fn read(&self, place: &Place) -> Result<Held, PlaceError> {
        checked(self.places.read(place).await)
    }

    /// What must hold of every kind of place, with whatever goes wrong.
    pub(crate) async fn bears_all_faults(&self, place: &Place, writes: Writes) {
        use Fault::{Answer, Cut, Half, Lost, Silence};
        let keys = [id(1), id(2)];
        for ((method, which), is_first) in writes.change.into_iter().zip([true, false]) {
            for fault in [
                Answer(429, "retry-after: 3\r\n"),
                Answer(500, ""),
                Answer(503, "retry-after: 1\r\n"),
                Cut,
                Lost,
                Half,
                Silence,
            ] {
                for (method, which) in [("GET", if is_first { 1 } else { 2 }), (method, which)] {
                    self.put(&values(1));
                    self.fault(method, which, fault);
                    let mark = self.deliver(place, 2, &keys, None).await;
                    mark.unwrap_or_else(|error| panic!("{fault:?} of {method} {which}: {error}"));
                    assert_eq!(self.held(), values(2), "{fault:?} of {method} {which}");
                    assert!(self.faults.lock().unwrap().is_empty(), "{fault:?} of {method} {which} did not come about");
                }
            }
            for fault in [Answer(401, ""), Answer(403, ""), Answer(429, "retry-after: 3600\r\n"), Answer(302, "")] {
                self.put(&values(1));
                self.fault(method, which, fault);
                let error = self.deliver(place, 2, &keys, None).await.unwrap_err();
                match fault {
                    Answer(401 | 403, _) => assert!(matches!(error, PlaceError::Denied { .. }), "{error:?}"),
                    Answer(429, _) => assert!(matches!(error, PlaceError::Unavailable { .. }), "{error:?}"),
                    _ => assert!(matches!(error, PlaceError::Refused { .. }), "{error:?}"),
                }
                // The first value may be written; nothing else is, and the next run goes on.
                assert_eq!(self.held()[1], values(1)[1], "{fault:?}");
                assert_eq!(self.held() == values(1), is_first, "{fault:?}");
                self.deliver(place, 2, &keys, None).await.unwrap();
                assert_eq!(self.held(), values(2), "{fault:?}");
            }
        }
        self.completes_what_a_crash_has_left(place, writes).await;
        self.leaves_what_others_have_written(place).await;
    }

    /// In an undo, too, where the mark of the delivery is expected.
    async fn completes_what_a_crash_has_left(&self, place: &Place, writes: Writes) {
        let keys = [id(1), id(2)];
        self.put(&values(1));
        let mark = self.deliver(place, 2, &keys, None).await.unwrap();
        let (method, which) = writes.change[1];
        self.fault(method, which, Fault::Answer(401, ""));
        self.deliver(place, 1, &keys, mark.as_deref()).await.unwrap_err();
        assert_eq!(self.held(), [values(1)[0].clone(), values(2)[1].clone()]);
        self.deliver(place, 1, &keys, mark.as_deref()).await.unwrap();
        assert_eq!(self.held(), values(1));
        // A key that is made with its service: the place begins empty, and a crash leaves one of two values.
        self.put(&[]);
        let (method, which) = writes.create[1];
        self.fault(method, which, Fault::Answer(401, ""));
        self.deliver(place, 2, &[], None).await.unwrap_err();
        assert_eq!(self.held(), [values(2)[0].clone()]);
        self.deliver(place, 2, &[], None).await.unwrap();
        assert_eq!(self.held(), values(2));
    }

    async fn leaves_what_others_have_written(&self, place: &Place) {
        let keys = [id(1), id(2)];
        self.put(&values(1));
        let mark = self.deliver(place, 2, &keys, None).await.unwrap();
        self.put(&values(3));
        let error = self.deliver(place, 1, &keys, mark.as_deref()).await.unwrap_err();
        assert!(matches!(error, PlaceError::Changed { .. } | PlaceError::Foreign { .. }), "{error:?}");
        assert_eq!(self.held(), values(3));
        self.put(&[]);
        let error = self.deliver(place, 1, &keys, mark.as_deref()).await.unwrap_err();
        assert!(matches!(error, PlaceError::Emptied { .. }), "{error:?}");
        assert!(self.held().is_empty());
        self.put(&values(3));
        let error = self.deliver(place, 1, &[], None).await.unwrap_err();
        assert!(matches!(error, PlaceError::Refused { .. } | PlaceError::Foreign { .. }), "{error:?}");
        assert_eq!(self.held(), values(3));
    }
}

impl<S> Drop for Bench<S> {
    fn drop(&mut self) {
        let wrong = std::mem::take(&mut *self.wrong.lock().unwrap());
        if !std::thread::panicking() {
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}

fn fault_for(planned: &mut Vec<Planned>, method: &str) -> Option<Fault> {
    let mut found = None;
    for (position, (of, which, fault)) in planned.iter_mut().enumerate() {
        if *of == method {
            *which -= 1;
            if *which == 0 {
                found = Some((position, *fault));
            }
        }
    }
    found.map(|(position, fault)| {
        planned.remove(position);
        fault
    })
}

/// No error holds a secret or what opens the place.
pub(crate) fn checked<T>(answer: Result<T, PlaceError>) -> Result<T, PlaceError> {
    if let Err(error) = &answer {
        let text = format!("{error} {error:?} {}", error.hint());
        for canary in [TOKEN.to_owned(), secret(1), secret(2), secret(3)] {
            assert!(!text.contains(&canary), "{text}");
        }
    }
    answer
}

/// Whether the request has these headers and no more, beyond those of every HTTP request.
pub(crate) fn headers(seen: &Seen, wanted: &[(&str, &str)]) -> Result<(), String> {
    let mut wanted: BTreeMap<&str, &str> = wanted.iter().copied().collect();
    if !seen.body.is_empty() {
        wanted.entry("content-type").or_insert("application/json");
    }
    let is_of_http = |name: &str| matches!(name, "host" | "content-length" | "user-agent");
    let found: BTreeMap<&str, &str> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !is_of_http(name))
        .collect();
    equal("the headers", &found, &wanted)
}

pub(crate) fn equal<T: PartialEq + Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} are {found:?} and not {wanted:?}")) }
}
