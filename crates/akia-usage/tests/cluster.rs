//! A scheduler and two executors, each a process: the answers are those of one process, also when an executor dies.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use akia_corpus::trail::{Scale, Trail};
use akia_usage::cluster::{self, Address, ClusterError, Executor, Scheduler};
use akia_usage::facts::Load;
use akia_usage::{About, Desk, Narrowing, Receipts, S3, Stores, UsageError, answer, problems};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// What a test process is to be: set for the processes of a cluster.
const NODE: &str = "AKIA_TEST_NODE";
const PER_KEY: &str = "SELECT key, sum(calls), min(first), max(last), count(distinct ip), count(distinct agent), \
                       count(distinct (service || name)) FROM calls GROUP BY key ORDER BY key NULLS FIRST";
const LARGEST: usize = 256 << 20;

#[derive(Debug)]
struct NoBuckets;

impl Stores for NoBuckets {
    fn bucket(&self, name: &str) -> Result<Arc<dyn object_store::ObjectStore>, String> {
        Err(format!("no bucket {name} here"))
    }
}

/// No test: what the processes of a cluster run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by the tests"]
async fn node() {
    let Ok(node) = std::env::var(NODE) else { return };
    let parts: Vec<&str> = node.split(',').collect();
    let number = |text: &str| text.parse::<u16>().unwrap();
    let stores = Arc::new(NoBuckets);
    match parts[..] {
        ["scheduler", port] => {
            let listener = TcpListener::bind(("127.0.0.1", number(port))).await.unwrap();
            let scheduler = Scheduler { listener, advertise: None, stores, folders: Vec::new() };
            cluster::scheduler(scheduler).await.unwrap();
        }
        ["executor", scheduler, port, grpc_port, work, folder] => {
            let executor = Executor {
                scheduler: at(number(scheduler)),
                bind: [127, 0, 0, 1].into(),
                ports: [number(port), number(grpc_port)],
                advertise: None,
                tasks: 1,
                memory: 128 << 20,
                work: PathBuf::from(work),
                stores,
                folders: vec![PathBuf::from(folder)],
            };
            cluster::executor(executor).await.unwrap();
        }
        _ => panic!("{node} is no node"),
    }
}

fn at(port: u16) -> Address {
    Address { host: "127.0.0.1".to_owned(), port }
}

/// Ports that are free now.
fn free<const N: usize>() -> [u16; N] {
    let taken: Vec<_> = (0..N).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|one| taken[one].local_addr().unwrap().port())
}

fn start(node: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "node", "--nocapture"])
        .env(NODE, node)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

struct Cluster {
    scheduler: Address,
    nodes: Vec<Child>,
    work: Vec<TempDir>,
}

impl Cluster {
    /// Begins one with so many executors, which read the logs of one folder.
    async fn begin(executors: usize, logs: &Path) -> Self {
        let [port] = free();
        let mut cluster = Self {
            scheduler: at(port),
            nodes: vec![start(&format!("scheduler,{port}"))],
            work: (0..executors).map(|_| tempfile::tempdir().unwrap()).collect(),
        };
        for work in &cluster.work {
            let [flight, grpc] = free();
            let (work, logs) = (work.path().display(), logs.display());
            cluster.nodes.push(start(&format!("executor,{port},{flight},{grpc},{work},{logs}")));
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if cluster::executors(&cluster.scheduler).await.is_ok_and(|number| number == executors) {
                return cluster;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no cluster: {:?}", cluster::executors(&cluster.scheduler).await);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.kill().unwrap();
            node.wait().unwrap();
        }
    }
}

/// A desk here, or of a cluster, with the logs of a folder.
struct Asked {
    desk: Desk,
    receipts: Receipts,
    _facts: TempDir,
}

async fn desk(cluster: Option<&Cluster>, logs: &Path) -> Asked {
    let facts = tempfile::tempdir().unwrap();
    let place = facts.path().to_str().unwrap().to_owned();
    let s3 = S3::unreached();
    let desk = match cluster {
        Some(cluster) => Desk::open_on(&place, s3, &cluster.scheduler).await.unwrap(),
        None => Desk::open(&place, s3, 2).await.unwrap(),
    };
    let listing = desk.list(logs.to_str().unwrap(), &Narrowing::default()).await.unwrap();
    let receipts = desk.attach(listing, LARGEST).unwrap();
    Asked { desk, receipts, _facts: facts }
}

impl Asked {
    /// The answer as CSV.
    async fn ask(&self, question: &str) -> String {
        answer::csv(&self.desk.sql(question).await.unwrap()).unwrap()
    }

    /// The logs that are not in it.
    fn unread(&self) -> Vec<String> {
        let mut unread: Vec<String> =
            problems(&self.receipts).iter().map(|one| format!("{}: {}", one.file, one.why)).collect();
        unread.sort();
        unread
    }

    async fn load(&mut self, logs: &Path) -> akia_usage::facts::Loaded {
        let files = self.desk.list(logs.to_str().unwrap(), &Narrowing::default()).await.unwrap().files;
        let load = Load { files, largest_file: LARGEST, portion: 1 << 30 };
        self.desk.load(&load, Timestamp::UNIX_EPOCH, &mut |_| {}).await.unwrap()
    }
}

fn logs(events: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let written = Trail::new(Scale { events, files: 48, keys: 30, days: 6, seed: 9 }).write(folder.path()).unwrap();
    assert!(written.events > events / 2 && written.files >= 32, "{written:?}");
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_answers_as_one_process_does() {
    let logs = logs(3_000);
    let cluster = Cluster::begin(2, logs.path()).await;
    let (mut here, mut there) = (desk(None, logs.path()).await, desk(Some(&cluster), logs.path()).await);
    for question in [
        PER_KEY,
        "SELECT count(*), min(time), max(time) FROM events",
        "SELECT count(*) FROM events WHERE of_user AND service IN ('s3', 'ec2') AND time >= '2026-10-02T00:00:00Z'",
        "SELECT time, key, name, ip, error FROM events WHERE error IS NOT NULL ORDER BY time, event_id LIMIT 20",
        "SELECT count(*), count(error) FROM events WHERE key = (SELECT min(key) FROM calls)",
    ] {
        let one = here.ask(question).await;
        assert!(one.lines().count() > 1, "{question}: {one}");
        assert_eq!(there.ask(question).await, one, "{question}");
    }
    // What asks for names of tables, or for facts, is answered here.
    assert!(there.ask("SHOW TABLES").await.contains("calls"));

    let (one, other) = (here.load(logs.path()).await, there.load(logs.path()).await);
    assert!(one.kept > 300 && one.problems.is_empty(), "{one:?}");
    assert_eq!(other, one);
    assert_eq!(there.desk.facts(&About::default()).await.unwrap(), here.desk.facts(&About::default()).await.unwrap());
    assert_eq!(there.load(logs.path()).await.known, one.files);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_is_killed_in_mid_run_loses_nothing() {
    let logs = logs(6_000);
    let mut cluster = Cluster::begin(2, logs.path()).await;
    let (here, there) = (desk(None, logs.path()).await, desk(Some(&cluster), logs.path()).await);
    let ask = async { (there.ask(PER_KEY).await, Instant::now()) };
    let kill = async {
        let lost = cluster.work[0].path();
        // It has done a part, which goes with it, and does another.
        while !has_file(lost) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cluster.nodes[1].kill().unwrap();
        cluster.nodes[1].wait().unwrap();
        std::fs::remove_dir_all(lost).unwrap();
        std::fs::create_dir(lost).unwrap();
        Instant::now()
    };
    let ((answer, answered), killed) = tokio::join!(ask, kill);
    assert!(answered > killed, "it was over before the kill");
    assert_eq!(answer, here.ask(PER_KEY).await);
}

fn has_file(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => has_file(&entry.path()),
        Ok(meta) => meta.len() > 0,
        Err(_) => false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_that_cannot_be_read_are_named_and_the_answer_is_without_them() {
    let logs = logs(600);
    let cluster = Cluster::begin(1, logs.path()).await;
    std::fs::write(logs.path().join("damaged.json.gz"), [0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap();
    std::fs::write(logs.path().join("other.json"), "[1]").unwrap();
    let (here, there) = (desk(None, logs.path()).await, desk(Some(&cluster), logs.path()).await);
    let question = "SELECT count(*) FROM events";
    assert_eq!(there.ask(question).await, here.ask(question).await);
    assert_eq!(here.unread().len(), 2);
    assert_eq!(there.unread(), here.unread());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_reads_no_file_outside_its_folders() {
    let (logs, others) = (logs(600), logs(600));
    let cluster = Cluster::begin(1, logs.path()).await;
    let mut there = desk(Some(&cluster), logs.path()).await;
    let loaded = there.load(others.path()).await;
    assert_eq!((loaded.files, loaded.calls), (0, 0));
    assert!(!loaded.problems.is_empty());
    for problem in &loaded.problems {
        assert!(problem.why.contains("lies in no folder of logs that this node was given"), "{problem:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_cluster_that_is_said_at_once() {
    let [absent, alone] = free();
    let facts = tempfile::tempdir().unwrap();
    let open = async |port| {
        let s3 = S3::unreached();
        let desk = Desk::open_on(facts.path().to_str().unwrap(), s3, &at(port)).await;
        desk.err().expect("there is no such cluster")
    };
    let error = open(absent).await;
    assert!(matches!(&error, UsageError::Cluster(ClusterError::NoScheduler { .. })), "{error}");

    let listener = TcpListener::bind(("127.0.0.1", alone)).await.unwrap();
    let scheduler = Scheduler { listener, advertise: None, stores: Arc::new(NoBuckets), folders: Vec::new() };
    let scheduler = tokio::spawn(cluster::scheduler(scheduler));
    let error = open(alone).await;
    assert!(matches!(&error, UsageError::Cluster(ClusterError::NoExecutors { .. })), "{error}");
    scheduler.abort();

    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let other = tokio::spawn(async move {
        while let Ok((stream, _)) = other.accept().await {
            drop(stream);
        }
    });
    let error = open(port).await;
    assert!(matches!(&error, UsageError::Cluster(ClusterError::NotOurs { .. })), "{error}");
    other.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_says_which_port_is_taken_and_which_scheduler_is_not_there() {
    let work = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let executor = |ports| Executor {
        scheduler: at(1),
        bind: [127, 0, 0, 1].into(),
        ports,
        advertise: None,
        tasks: 1,
        memory: 128 << 20,
        work: work.path().to_owned(),
        stores: Arc::new(NoBuckets),
        folders: Vec::new(),
    };
    let [free_port] = free();
    let port = taken.local_addr().unwrap().port();
    let error = cluster::executor(executor([free_port, port])).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen at 127.0.0.1:{port}: ")), "{error}");
    let error = cluster::executor(executor(free())).await.unwrap_err();
    assert!(matches!(&error, ClusterError::NoScheduler { at, .. } if at.port == 1), "{error}");
}
