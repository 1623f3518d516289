//! `akia cluster`, and the way to one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use akia_usage::cluster::{self, Address, ClusterError, Executor, Scheduler};
use akia_usage::{Desk, S3, UsageError};
use tokio::net::TcpListener;

use super::open::{failed, signed};
use crate::commands::cluster::{ExecutorArgs, NodeArgs, SchedulerArgs};
use crate::context::Context;
use crate::drive;
use crate::error::CommandError;
use crate::exit::Exit;

/// Memory of a task, where nobody says.
const MEMORY: u64 = 128 << 20;

pub(crate) async fn scheduler(context: &Context, args: SchedulerArgs) -> Result<Exit, CommandError> {
    guard(args.bind.ip(), &args.node)?;
    if args.bind.ip().is_unspecified() && args.node.advertise.is_none() {
        return Err(CommandError::usage(format_args!("executors cannot call back to {}", args.bind.ip()))
            .next("name the host by which they reach it, with --advertise HOST"));
    }
    let listener =
        TcpListener::bind(args.bind).await.map_err(|why| told(ClusterError::Listen { at: args.bind, why }))?;
    let bound = listener.local_addr().map_err(|error| CommandError::failed(&error))?;
    // It reads facts where a question joins them to logs, and no more.
    let s3 = signed(context).await.unwrap_or_else(|_| S3::unreached());
    let NodeArgs { advertise, folders, .. } = args.node;
    let ending = drive::ending().await;
    context.print_text(&format!("{bound}\n"))?;
    context.say(&format!("akia cluster executor --scheduler {bound} adds an executor; Ctrl-C ends the scheduler"));
    tokio::select! {
        ended = cluster::scheduler(Scheduler { listener, advertise, stores: Arc::new(s3), folders }) => ended.map_err(told)?,
        _ = ending => {}
    }
    Ok(Exit::Done)
}

pub(crate) async fn executor(context: &Context, args: ExecutorArgs) -> Result<Exit, CommandError> {
    guard(args.bind, &args.node)?;
    let scheduler = address(&args.scheduler)?;
    let s3 = match signed(context).await {
        Ok(s3) => s3,
        Err(error) if !args.node.folders.is_empty() => {
            context.say(&format!("it reads no buckets: {}", error.what));
            S3::unreached()
        }
        Err(error) => return Err(error.next("or give it logs of its own machine, with --files FOLDER")),
    };
    let mut work = tempfile::Builder::new();
    work.prefix("akia-executor-");
    let work = match &args.work {
        Some(folder) => work.tempdir_in(folder),
        None => work.tempdir(),
    };
    let work = work.map_err(|error| CommandError::failed(format_args!("no folder for parts of answers: {error}")))?;
    let tasks = match args.tasks {
        Some(tasks) => usize::from(tasks.get()),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let NodeArgs { advertise, folders, .. } = args.node;
    context.say(&format!(
        "reads for the scheduler at {scheduler}, {tasks} at once; listens at {} on {} and {}; Ctrl-C ends it",
        args.bind, args.port, args.work_port
    ));
    let executor = Executor {
        scheduler,
        bind: args.bind,
        ports: [args.port, args.work_port],
        advertise,
        tasks,
        memory: args.memory.map_or(MEMORY * tasks as u64, |memory| memory.0),
        work: work.path().to_owned(),
        stores: Arc::new(s3),
        folders,
    };
    cluster::executor(executor).await.map_err(told)?;
    Ok(Exit::Done)
}

/// Opens facts for questions to a cluster.
pub(super) async fn open(at: &str, facts: &str, s3: S3) -> Result<Desk, CommandError> {
    Desk::open_on(facts, s3, &address(at)?).await.map_err(|error| match error {
        UsageError::Cluster(error) => told(error),
        error => failed(&error),
    })
}

fn address(text: &str) -> Result<Address, CommandError> {
    text.parse().map_err(CommandError::usage)
}

/// Refuses addresses that others reach, unless told that there are none.
fn guard(ip: IpAddr, node: &NodeArgs) -> Result<(), CommandError> {
    if ip.is_loopback() || node.trusted_network {
        return Ok(());
    }
    let at = SocketAddr::new(ip, 50050);
    let here = if ip.is_ipv6() { "[::1]:50050" } else { "127.0.0.1:50050" };
    Err(CommandError::usage(format_args!(
        "other machines reach {ip}, and a cluster has neither login nor encryption: whoever reaches it can have any question \
         answered with this machine's credentials"
    ))
    .next(format!("listen on this machine alone: {here} instead of {at}"))
    .next("or, where nobody but you and the cluster is in that network: --trusted-network"))
}

/// What an error of a cluster means for the person.
fn told(error: ClusterError) -> CommandError {
    let words = CommandError::failed(&error);
    match error {
        ClusterError::NoScheduler { at, .. } => {
            words.next(format!("on that machine: akia cluster scheduler --bind {at}"))
        }
        ClusterError::NoExecutors { at } => words.next(format!("akia cluster executor --scheduler {at}")),
        ClusterError::NotOurs { .. } => words.next("name the address that `akia cluster scheduler` prints"),
        ClusterError::Listen { .. } => {
            words.next("give another port: --bind for a scheduler, --port and --work-port for an executor")
        }
        ClusterError::Ballista(_) => words,
    }
}
