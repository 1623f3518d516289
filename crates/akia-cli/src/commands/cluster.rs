//! `akia cluster`: the machines that `akia usage --cluster` asks.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::bytes::{self, Bytes};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

/// Read CloudTrail's logs on many machines: run a scheduler and executors for `akia usage --cluster`
///
/// A cluster of Apache Ballista: one scheduler, and executors that read logs and count. Its ports speak without encryption and without a
/// login, and whoever reaches one can have any question answered with the credentials of the executors: they listen on this machine alone
/// unless --trusted-network is given. docs/usage-cluster.md has the details.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia cluster scheduler", "a scheduler on this machine"),
    ("akia cluster executor --scheduler 127.0.0.1:50050", "an executor beside it"),
    ("akia usage load s3://example-trail/AWSLogs/ --cluster 127.0.0.1:50050", "logs are read by the cluster, facts kept here"),
]))]
pub struct ClusterArgs {
    /// What to run.
    #[command(subcommand)]
    pub act: ClusterVerb,
}

/// What to run.
#[derive(Debug, Subcommand)]
pub enum ClusterVerb {
    /// Run the scheduler, until Ctrl-C
    ///
    /// It plans questions and shares the work out to executors. It reads no logs. Only one is needed, and a question ends with it.
    #[command(after_long_help = super::examples(&[
        ("akia cluster scheduler", "on this machine alone"),
        ("akia cluster scheduler --bind 10.0.0.7:50050 --trusted-network", "for a network that nobody else is in"),
    ]))]
    Scheduler(SchedulerArgs),
    /// Run an executor, until Ctrl-C
    ///
    /// It reads buckets with the credentials of its own machine, as every command does; credentials never travel. It reads no file but those
    /// in the folders that --files names, and writes nothing but its part of an answer, into a folder of its own.
    #[command(after_long_help = super::examples(&[
        ("akia cluster executor --scheduler 127.0.0.1:50050", "on the scheduler's machine"),
        ("akia cluster executor --scheduler 10.0.0.7:50050 --bind 10.0.0.8 --trusted-network", "on another"),
        ("akia cluster executor --scheduler 127.0.0.1:50050 --files /mnt/logs", "for logs in a folder that all executors and you have at the same place"),
    ]))]
    Executor(ExecutorArgs),
}

/// The scheduler.
#[derive(Debug, Args)]
pub struct SchedulerArgs {
    /// Address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    pub bind: SocketAddr,

    /// What every node has.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// An executor.
#[derive(Debug, Args)]
pub struct ExecutorArgs {
    /// The scheduler
    #[arg(long, value_name = "HOST:PORT")]
    pub scheduler: String,

    /// IP address to listen at, for the scheduler, other executors, and who asks
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// Port that parts of answers are fetched from
    #[arg(long, value_name = "PORT", default_value_t = 50051)]
    pub port: u16,

    /// Port that the scheduler gives work to
    #[arg(long, value_name = "PORT", default_value_t = 50052)]
    pub work_port: u16,

    /// Parts of logs that are read at once [default: one for each processor]
    #[arg(long, value_name = "NUMBER")]
    pub tasks: Option<std::num::NonZeroU16>,

    /// Memory for groups and sorts; what is over goes to disk [default: 128MB for each task]
    #[arg(long, value_name = "BYTES", value_parser = bytes::parse)]
    pub memory: Option<Bytes>,

    /// Folder beneath which parts of answers are kept until it ends [default: of temporary files]
    #[arg(long, value_name = "FOLDER")]
    pub work: Option<PathBuf>,

    /// What every node has.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// What every node of a cluster has.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Host by which other machines reach it, where that is not the address that it listens at
    #[arg(long, value_name = "HOST")]
    pub advertise: Option<String>,

    /// Folder whose files it may read; may be given several times. Without, it reads buckets alone
    #[arg(long = "files", value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,

    /// Listen where other machines reach it: nobody but you and the cluster may be in that network
    #[arg(long)]
    pub trusted_network: bool,
}

/// Runs the command.
///
/// # Errors
/// When the address is taken or open to others, no scheduler answers, or this akia was built without it.
#[cfg(feature = "cluster")]
pub(crate) async fn run(context: &Context, args: ClusterArgs) -> Result<Exit, CommandError> {
    match args.act {
        ClusterVerb::Scheduler(args) => crate::usage::cluster::scheduler(context, args).await,
        ClusterVerb::Executor(args) => crate::usage::cluster::executor(context, args).await,
    }
}

/// What an akia says that was built without Ballista.
#[cfg(not(feature = "cluster"))]
pub(crate) async fn run(_: &Context, _: ClusterArgs) -> Result<Exit, CommandError> {
    Err(CommandError::failed("this akia was built without `akia cluster`")
        .next("cargo install --path crates/akia-cli --features cluster"))
}
