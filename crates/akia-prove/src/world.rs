//! The world of one run: the sandbox, the machines, and the real driver, store and files of each process in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use akia_core::AccessKeyId;
use akia_core::journal::{Event, Record};
use akia_core::{RotationId, ThreadId};
use akia_io::aws::{Aws, AwsOptions, MfaPrompt, NoCode, Wallet};
use akia_io::clock::Clock;
use akia_io::files::AwsPaths;
use akia_io::keychain::NoKeychain;
use akia_io::place::Places;
use akia_io::profiles::AwsFiles;
use akia_io::rotate::{Driver, Signers};
use akia_io::seal::{Sealed, Sealer};
use akia_io::state::{Lock, LockError, StateFolder};
use akia_io::store::{
    Appended, DatabaseAt, Entry, Hash, Head, SharedStore, SqlStore, Stage, Store, StoreError, Summary, Threads,
};
use akia_sandbox::{Clock as SandboxClock, Propagation, Sandbox};
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::director::{Blow, Class, Director, Maker, USER, When};
use crate::folder::Desk;
use crate::plot::{OtherKey, Plot};
use crate::sabotage::Sabotage;

const START: Timestamp = Timestamp::constant(1_772_366_430, 0);
const DAY: Duration = Duration::from_secs(86_400);
/// Sleeps below this pass by turning the clock; longer ones are limits of time, which a simulated call never reaches.
const LIMITS: Duration = Duration::from_secs(1);

pub(crate) struct World {
    pub(crate) director: Arc<Director>,
    pub(crate) root: PathBuf,
    pub(crate) other: Option<String>,
}

/// One process of a machine: everything anew from what is on the disk.
pub(crate) struct Process {
    pub(crate) driver: Driver,
    pub(crate) files: AwsFiles,
    pub(crate) state: StateFolder,
}

impl World {
    pub(crate) fn new(root: &Path, seed: u64, plot: &Plot, telling: bool) -> Self {
        let propagation = if plot.is_lagging { Propagation::realistic() } else { Propagation::instant() };
        let mut builder = Sandbox::builder().seed(seed).clock(SandboxClock::Manual(START)).propagation(propagation);
        if plot.has_racy_quota {
            builder = builder.racy_quota(Duration::from_secs(30));
        }
        let sandbox = builder.build();
        let director = Director::new(sandbox.clone(), seed, root, telling);
        let user = sandbox.add_user(USER, "/").unwrap();
        let only_with_mfa =
            if plot.has_mfa { r#","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"# } else { "" };
        let own = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":["iam:CreateAccessKey",
            "iam:DeleteAccessKey","iam:ListAccessKeys","iam:UpdateAccessKey","iam:GetAccessKeyLastUsed"],
            "Resource":"arn:aws:iam::*:user/${{aws:username}}"{only_with_mfa}}}}}"#
        );
        user.put_policy("own-keys", &own).unwrap();
        let trail = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cloudtrail:LookupEvents","Resource":"*"}}"#;
        if plot.reads_cloudtrail {
            user.put_policy("trail", trail).unwrap();
        }
        let mfa = plot.has_mfa.then(|| user.add_mfa_device().unwrap());
        let boss = plot.is_admin.then(|| {
            let boss = sandbox.add_user("boss", "/").unwrap();
            let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#;
            boss.put_policy("all", all).unwrap();
            if plot.reads_cloudtrail {
                boss.put_policy("trail", trail).unwrap();
            }
            boss.add_access_key(sandbox.now() - 10 * DAY).unwrap()
        });
        let old = user.add_access_key(sandbox.now() - 400 * DAY).unwrap();
        let other = (plot.other_key != OtherKey::None).then(|| {
            let other = user.add_access_key(sandbox.now() - 200 * DAY).unwrap();
            if plot.other_key == OtherKey::Inactive {
                user.set_key_active(&other.id, false).unwrap();
            }
            other.id
        });
        sandbox.advance(Duration::from_secs(60));
        director.note_keys(Maker::Before);
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(31) ^ 0x5eed);
        for machine in 0..=usize::from(plot.has_second_machine) {
            let folder = root.join(format!("m{machine}"));
            let desk = Desk::furnish(&folder, &mut random, &old, mfa.as_deref(), boss.as_ref());
            director.inner().desks.push(desk);
        }
        Self { director, root: root.to_owned(), other }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.director.sandbox.now()
    }

    fn folder(&self, machine: usize) -> PathBuf {
        self.root.join(format!("m{machine}"))
    }

    /// A new process. An error in words where it cannot even start.
    pub(crate) async fn process(&self, machine: usize) -> Result<Process, String> {
        let folder = self.folder(machine);
        let state = StateFolder::open(&folder.join("state")).map_err(|error| error.to_string())?;
        let paths = AwsPaths { credentials: folder.join("credentials"), config: folder.join("config") };
        let files = AwsFiles::load(paths).map_err(|error| error.to_string())?;
        let (credentials, config) = files.both();
        let inner: SharedStore = Arc::new(SqlStore::open(&state).await.map_err(|error| error.to_string())?);
        let sealer = Sealer::open(&state, || Err(no_keychain())).map_err(|error| error.to_string())?;
        let director = Arc::clone(&self.director);
        let prompt = Box::new(Device(director.sandbox.clone()));
        let driver = Driver {
            aws: self.aws(Some(machine)),
            store: Arc::new(Journal { inner, director: Arc::clone(&director), machine }),
            sealer: Arc::new(sealer),
            places: Arc::new(Places::new(state.clone(), || Err(no_keychain()))),
            clock: Arc::new(Turned(director)),
            signers: Arc::new(Signers::new(Wallet::new(credentials, config, prompt))),
            seen: None,
        };
        Ok(Process { driver, files, state })
    }

    /// The way to the sandbox: for a machine past the director, for the judge directly.
    pub(crate) fn aws(&self, machine: Option<usize>) -> Aws {
        let sandbox = &self.director.sandbox;
        let http = match machine {
            Some(machine) => SharedHttpClient::new(Line {
                inner: SharedHttpClient::new(sandbox.connector()),
                director: Arc::clone(&self.director),
                machine,
            }),
            None => SharedHttpClient::new(sandbox.connector()),
        };
        Aws::new(AwsOptions {
            http: Some(http),
            time: Some(sandbox.time_source()),
            sleep: Some(SharedAsyncSleep::new(Turned(Arc::clone(&self.director)))),
            initial_backoff: Duration::from_millis(20),
            ..AwsOptions::default()
        })
    }
}

fn no_keychain() -> NoKeychain {
    NoKeychain { reason: "the simulation has none".into(), hint: "none".into() }
}

/// The sandbox's clock; to wait is to turn it.
struct Turned(Arc<Director>);

impl fmt::Debug for Turned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Turned")
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        self.0.sandbox.now()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.0.sandbox.advance(wait);
        Box::pin(tokio::task::yield_now())
    }
}

impl AsyncSleep for Turned {
    fn sleep(&self, wait: Duration) -> Sleep {
        if wait >= LIMITS {
            return Sleep::new(std::future::pending());
        }
        self.0.sandbox.advance(wait);
        Sleep::new(std::future::ready(()))
    }
}

/// A code each time, half a minute later than the one before.
struct Device(Sandbox);

impl MfaPrompt for Device {
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        self.0.advance(Duration::from_secs(30));
        let code = self.0.mfa_code(serial).ok_or_else(|| NoCode { reason: "no such device".into() });
        Box::pin(async move { code })
    }
}

/// The line to the sandbox, which may go dead before or after a call.
#[derive(Clone)]
struct Line {
    inner: SharedHttpClient,
    director: Arc<Director>,
    machine: usize,
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Line")
    }
}

impl HttpClient for Line {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(OpenLine { inner, line: self.clone() })
    }
}

#[derive(Debug)]
struct OpenLine {
    inner: SharedHttpConnector,
    line: Line,
}

impl HttpConnector for OpenLine {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, line) = (self.inner.clone(), self.line.clone());
        HttpConnectorFuture::new(async move {
            let (director, machine) = (&line.director, line.machine);
            let body = request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let body = body.unwrap_or_default();
            let field = |name: &str| {
                body.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
            };
            let action = field("Action").unwrap_or_else(|| "LookupEvents".to_owned());
            let (key, status) = (field("AccessKeyId"), field("Status"));
            let blow = director.reach(machine, Class::Call, &action).await;
            director.judge_call(machine, &action, key.as_deref(), status.as_deref());
            let again = request.try_clone();
            let mut answer = inner.call(request).await;
            if let (Some(again), Err(_)) = (again, &answer)
                && action == "CreateAccessKey"
                && director.is_broken(Sabotage::RetryCreate)
            {
                answer = inner.call(again).await;
            }
            let outcome = match &answer {
                Ok(answer) => answer.status().as_u16().to_string(),
                Err(_) => "no answer".to_owned(),
            };
            let subject = [key.as_deref(), status.as_deref()].map(Option::unwrap_or_default).join(" ");
            director.tell(&format!("  machine {machine} {action} {subject}: {outcome}"));
            match action.as_str() {
                "CreateAccessKey" => director.note_keys(Maker::Machine(machine)),
                "UpdateAccessKey" | "DeleteAccessKey" => {
                    if let Some(key) = &key {
                        director.meddle(key, Some(machine));
                    }
                    director.judge_places(&format!("after {action} {subject}"));
                }
                _ => {}
            }
            if blow == Some(Blow::Crash(When::After)) {
                director.die(machine).await;
            }
            answer
        })
    }
}

/// The journal of a process, which may fail or be the last that the process wrote to.
struct Journal {
    inner: SharedStore,
    director: Arc<Director>,
    machine: usize,
}

impl Journal {
    async fn through<T>(&self, what: &str, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let blow = self.director.reach(self.machine, Class::Journal, what).await;
        let fails = || StoreError::Database {
            doing: "append to",
            at: DatabaseAt::File("the journal".into()),
            reason: "disk I/O error".into(),
        };
        if blow == Some(Blow::Fail(When::Before)) {
            return Err(fails());
        }
        let done = work.await;
        match blow {
            Some(Blow::Crash(When::After)) => {
                self.director.die(self.machine).await;
            }
            Some(Blow::Fail(When::After)) => return Err(fails()),
            Some(Blow::Crash(When::Before) | Blow::Fail(When::Before) | Blow::Outsider(_)) | None => {}
        }
        done
    }
}

impl Store for Journal {
    fn append_json(
        &self,
        thread: ThreadId,
        body: String,
        stage: Option<Stage>,
    ) -> BoxFuture<'_, Result<Appended, StoreError>> {
        Box::pin(async move {
            let what = format!("append {body}");
            self.through(&what, async {
                if let Ok(Record { event: Event::Planned { plan }, .. }) = serde_json::from_str(&body) {
                    let mut inner = self.director.inner();
                    inner.displaced[self.machine].insert(plan.displaced.to_string());
                    inner.named[self.machine].extend(plan.make_room.iter().map(ToString::to_string));
                }
                if body.contains("secret-read-back") && self.director.is_broken(Sabotage::DeactivateEarly) {
                    self.director.shut_displaced(self.machine);
                }
                if body.contains("key-created") && self.director.is_broken(Sabotage::ForgetAnswer) {
                    return Ok(Appended { seq: 0, hash: Head::EMPTY.hash });
                }
                let appended = self.inner.append_json(thread.clone(), body.clone(), stage).await?;
                self.director.tell(&format!("  machine {} {} {body}", self.machine, thread.as_str()));
                Ok(appended)
            })
            .await
        })
    }

    fn staged<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<Option<Sealed>, StoreError>> {
        Box::pin(async move { self.through("read a staged secret", self.inner.staged(rotation, key)).await })
    }

    fn stage<'a>(&'a self, rotation: &'a RotationId, stage: Stage) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.through("stage", self.inner.stage(rotation, stage)).await })
    }

    fn unstage<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: Option<&'a AccessKeyId>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            if self.director.is_broken(Sabotage::KeepSecrets) {
                return Ok(0);
            }
            self.through("unstage", self.inner.unstage(rotation, key)).await
        })
    }

    fn rotations(&self) -> BoxFuture<'_, Result<Vec<Summary>, StoreError>> {
        self.inner.rotations()
    }

    fn entries(&self, of: Threads) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move { self.through("read records", self.inner.entries(of)).await })
    }

    fn verify(&self, expect: Vec<Hash>) -> BoxFuture<'_, Result<Head, StoreError>> {
        self.inner.verify(expect)
    }

    fn lock<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Lock, LockError>> {
        self.inner.lock(name)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

/// How long the judge waits until AWS agrees with itself.
pub(crate) const SETTLED: SignedDuration = SignedDuration::from_secs(120);
