//! What a shell script would do for this repository: `cargo xtask test` is all that CI runs.
//!
//! Light on purpose: std and clap only, so that it builds in seconds; everything heavy is a command that it starts.
#![expect(clippy::print_stdout, reason = "a developer's tool talks to its terminal")]

mod axe;
mod bench;
mod command;
mod data;
mod docs;
mod folders;
mod kubernetes;
mod lambda;
mod packages;
mod prove;
mod prove_fuzz;
mod prove_simulate;
mod races;
mod test;
mod tools;
mod venv;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Tasks of the akia repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that CI runs, with the time each step took; exits non-zero when any step fails.
    Test {
        /// Run only these steps (repeatable).
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
        /// Print the names of the steps and stop.
        #[arg(long)]
        list: bool,
    },
    /// Write the generated pages of docs/ with the akia binary itself.
    Docs {
        /// Write nothing; fail when a page is not what the binary would write.
        #[arg(long)]
        check: bool,
    },
    /// Measure akia: a table of medians, which `--write` puts into docs/benchmarks.md.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Plant keys in files of many shapes and in places of git, and count what akia and kingfisher find of them.
    Corpus(bench::How),
    /// Renew data of others that akia is built with.
    #[command(subcommand)]
    Data(data::Data),
    /// Explore every state of the rotation protocol and of enforcement in the model of IAM, simulate the whole with everything that can go
    /// wrong, kill the real binary at each call, race it and have it taken over; prints counts, and what leads to a lost key if anything does.
    Prove {
        /// How many seeds the simulation runs [default: what CI runs, or with --deep ten million].
        #[arg(long)]
        runs: Option<u64>,
        /// The first of them.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print everything that happens in the first seed, and run no other.
        #[arg(long)]
        story: bool,
        /// Simulate campaigns of enforcement instead of rotations.
        #[arg(long)]
        enforce: bool,
        /// As much as a night allows; also every error at every call of the real binary, and hundreds of races.
        #[arg(long)]
        deep: bool,
        /// Fuzz each parser from the corpus in fuzz/ instead; fails on a crash, and names the input.
        #[arg(long)]
        fuzz: bool,
        /// How long each fuzz target runs.
        #[arg(long, default_value_t = 60, requires = "fuzz")]
        seconds: u32,
        /// Run only these fuzz targets (repeatable).
        #[arg(long, value_name = "TARGET", requires = "fuzz")]
        target: Vec<String>,
    },
    /// Build the zip of the rotation function of Secrets Manager (docs/lambda.md): static where the musl target is installed.
    Lambda {
        /// The profile of cargo that it is built with.
        #[arg(long, default_value = "dist")]
        profile: String,
    },
    /// Make sure that `target/venv` holds the emulators and the AWS CLI that tests use, and print its path.
    Venv,
    /// Make sure that `target/kube-apiserver` is the API server that tests of places use, and print its path.
    Kubernetes,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Corpus(how) => bench::corpus(&how),
        Task::Test { only, list } => test::run(&only, list),
        Task::Data(data) => data::renew(&data),
        Task::Docs { check } => docs::run(check),
        Task::Bench(bench) => bench::run(&bench),
        Task::Prove { fuzz: true, seconds, target, .. } => prove_fuzz::fuzz(seconds, &target),
        Task::Prove { enforce: true, runs, seed, story, .. } => prove_simulate::campaigns(runs, seed, story),
        Task::Prove { fuzz: false, runs, seed, story, deep, .. } => prove_all(runs, seed, story, deep),
        Task::Kubernetes => kubernetes::ensure().map(|path| println!("{}", path.display())),
        Task::Lambda { profile } => lambda::run(&profile),
        Task::Venv => venv::ensure().map(|path| println!("{}", path.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("xtask: error: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The model, the simulation and the real binary, one after another; the simulation alone where seeds are named.
fn prove_all(runs: Option<u64>, seed: u64, story: bool, deep: bool) -> Result<(), String> {
    if runs.is_some() || seed != 1 || story {
        return prove_simulate::simulate(runs, seed, story, deep);
    }
    prove::model(deep)?;
    prove_simulate::simulate(runs, seed, story, deep)?;
    prove_simulate::campaigns(None, seed, story)?;
    if !races::CAN_TRACE {
        println!("    system calls are traced on Linux on x86-64 only: the real binary is NOT CHECKED");
        return Ok(());
    }
    races::run(&races::STORIES, deep)
}
