//! `cargo xtask bench`: akia's times, measured against what people do without it. A bench sets up all that it needs,
//! checks that what it timed was done, and never runs in CI: on a shared machine a time is no test.

mod audit;
mod corpus;
mod figures;
mod home;
mod lab;
mod org;
mod organization;
mod plan;
mod practice;
mod raw;
mod rotate;
mod scan;
mod serve;
mod services;
mod settle;
mod startup;
mod usage;

use crate::command::{FEATURES, capture, cargo, command, run as run_command};
use crate::folders;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// akia against the AWS CLI in sequence, on moto, with the calls that reached it.
    Rotate {
        /// Numbers of profiles, separated by commas.
        #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1,10,50",
              value_parser = clap::value_parser!(u16).range(1..=99))]
        profiles: Vec<u16>,
        /// How often each is measured, both contenders in turn.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// `akia audit` against Prowler and Cloud Custodian on one account in moto, and what each finds of what is true.
    Audit {
        /// Users who hold keys.
        #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(20..=4_000))]
        users: u16,
        /// How often each looks, in turn.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// One profile against many, on akia's sandbox with AWS's lag: the wait for AWS is paid once.
    Settle {
        /// The larger number of profiles.
        #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=60))]
        profiles: u16,
        /// How often each is measured, in turn.
        #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=15))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// An audit of a whole organisation on akia's sandbox: 80 ms a call, 5 % of calls throttled.
    Org {
        /// How many accounts.
        #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
        accounts: u32,
        /// Users in each; every second one holds keys.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        users: u32,
        #[command(flatten)]
        how: How,
    },
    /// `akia enforce plan` from the kept audit of an organisation on akia's sandbox.
    Plan {
        /// How many accounts.
        #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
        accounts: u32,
        /// Users in each; every second one holds keys.
        #[arg(long, value_name = "COUNT", default_value_t = 40)]
        users: u32,
        /// How often it is planned.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// `akia scan` against kingfisher on git histories, with planted keys: processor time, memory, and what each finds.
    Scan {
        /// Bare clones to scan (repeatable); they are copied.
        #[arg(long = "history", value_name = "PATH")]
        histories: Vec<PathBuf>,
        /// How often each is scanned by each, in turn.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// `akia scan` on a gigabyte of raw disk against kingfisher, on one file, and on what is staged in a large repository.
    Raw {
        /// How often each is run, in turn.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// Many services with three places each against one alone: the sandbox, and a real OpenBao.
    Services {
        /// How many at once.
        #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=500))]
        services: u16,
        /// How often each is measured, in turn.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// `akia usage` on CloudTrail's logs against chdb (ClickHouse), DuckDB and inflating alone.
    Usage {
        /// Gigabytes of JSON.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
        gigabytes: u16,
        /// How often each reads them, in turn.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        #[command(flatten)]
        how: How,
    },
    /// `akia serve` under many viewers at once on a large estate: p50 and p99 of each kind of page, and the server's memory.
    Serve {
        /// Accounts of the made-up team.
        #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
        accounts: u32,
        /// Users in each, who hold a key or two.
        #[arg(long, value_name = "COUNT", default_value_t = 95, value_parser = clap::value_parser!(u32).range(1..))]
        users: u32,
        /// Viewers at once, each with a connection.
        #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=500))]
        viewers: u32,
        /// How long it is measured, in seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
        seconds: u32,
        /// How long a viewer looks at a page before the next, in milliseconds and in the mean.
        #[arg(long, default_value_t = 5_000)]
        pause: u64,
        #[command(flatten)]
        how: How,
    },
    /// Start-up times and the size of the binary.
    Startup {
        /// How often each program is started.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
        runs: u16,
        #[command(flatten)]
        how: How,
    },
}

/// How a bench is run.
#[derive(Args)]
pub(crate) struct How {
    /// Measure what ships, linked with LTO (minutes), in place of a release build.
    #[arg(long)]
    dist: bool,
    /// Measure this binary, and build none.
    #[arg(long, value_name = "PATH", conflicts_with = "dist")]
    binary: Option<PathBuf>,
    /// Write the figures into docs/benchmarks.md.
    #[arg(long)]
    write: bool,
    /// Fail when a figure misses what was set out to be reached.
    #[arg(long)]
    check: bool,
}

/// The figures as Markdown, and the goal that was missed, if any.
pub(crate) struct Outcome {
    text: String,
    missed: Option<String>,
}

/// `cargo xtask corpus`: what akia and a peer find of keys that were planted.
pub(crate) fn corpus(how: &How) -> Result<(), String> {
    tell("corpus", how, corpus::run(&binary(how)?)?)
}

pub(crate) fn run(bench: &Bench) -> Result<(), String> {
    let (name, how) = match bench {
        Bench::Rotate { how, .. } => ("rotate", how),
        Bench::Audit { how, .. } => ("audit", how),
        Bench::Settle { how, .. } => ("settle", how),
        Bench::Org { how, .. } => ("org", how),
        Bench::Plan { how, .. } => ("plan", how),
        Bench::Scan { how, .. } => ("scan", how),
        Bench::Raw { how, .. } => ("raw", how),
        Bench::Services { how, .. } => ("services", how),
        Bench::Usage { how, .. } => ("usage", how),
        Bench::Serve { how, .. } => ("serve", how),
        Bench::Startup { how, .. } => ("startup", how),
    };
    let akia = binary(how)?;
    let outcome = match bench {
        Bench::Rotate { profiles, rounds, how } => {
            let profiles: Vec<usize> = profiles.iter().copied().map(usize::from).collect();
            rotate::run(&akia, &profiles, usize::from(*rounds), how.check)?
        }
        Bench::Audit { users, rounds, .. } => audit::run(&akia, usize::from(*users), usize::from(*rounds))?,
        Bench::Settle { profiles, rounds, .. } => settle::run(&akia, usize::from(*profiles), usize::from(*rounds))?,
        Bench::Org { accounts, users, .. } => org::run(&akia, *accounts, *users)?,
        Bench::Plan { accounts, users, rounds, .. } => plan::run(&akia, *accounts, *users, usize::from(*rounds))?,
        Bench::Scan { histories, rounds, .. } => scan::run(&akia, histories, usize::from(*rounds))?,
        Bench::Raw { rounds, .. } => raw::run(&akia, usize::from(*rounds))?,
        Bench::Services { services, rounds, .. } => services::run(&akia, usize::from(*services), usize::from(*rounds))?,
        Bench::Usage { gigabytes, rounds, .. } => usage::run(&akia, u64::from(*gigabytes), usize::from(*rounds))?,
        Bench::Serve { accounts, users, viewers, seconds, pause, .. } => {
            let (accounts, users, viewers, seconds) = (*accounts, *users, *viewers, *seconds);
            let pause = Duration::from_millis(*pause);
            serve::run(&akia, serve::Load { accounts, users, viewers, seconds, pause })?
        }
        Bench::Startup { runs, .. } => startup::run(&akia, usize::from(*runs))?,
    };
    tell(name, how, outcome)
}

/// The akia that is measured.
fn binary(how: &How) -> Result<PathBuf, String> {
    match &how.binary {
        Some(path) => std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display())),
        None => build(if how.dist { "dist" } else { "release" }),
    }
}

fn tell(name: &str, how: &How, outcome: Outcome) -> Result<(), String> {
    println!("\n{}", outcome.text);
    if how.write {
        figures::write(name, &outcome.text)?;
    }
    match outcome.missed {
        Some(missed) if how.check => Err(format!("the goal was missed: {missed}")),
        Some(missed) => {
            println!("note: the goal was missed: {missed}");
            Ok(())
        }
        None => Ok(()),
    }
}

fn build(profile: &str) -> Result<PathBuf, String> {
    let what = ["build", "--quiet", "--locked", FEATURES, "--package", "akia-cli", "--profile", profile];
    run_command(&mut cargo(&what))?;
    Ok(folders::target().join(profile).join("akia"))
}

fn akia_version(akia: &Path) -> Result<String, String> {
    let (_, text) = capture(command(akia).arg("--version"))?;
    let shown = akia.strip_prefix(folders::root()).unwrap_or(akia);
    Ok(format!("{} ({})", text.trim(), shown.display()))
}

fn moto(lab: &lab::Lab) -> Result<String, String> {
    let program =
        "import importlib.metadata as m, sys; print('moto', m.version('moto'), 'on Python', sys.version.split()[0])";
    let (_, text) = capture(command(lab.programs.join("python")).args(["-c", program]))?;
    Ok(text.trim().to_owned())
}
