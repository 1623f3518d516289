//! The verbs of akia, a file each. [`Verb`] is the one list: a test counts it against the files here and against
//! `docs/commands/`.
//!
//! To build a verb: write `pub(crate) async fn run(context: &Context, args: …Args) -> Result<Exit, CommandError>` in
//! its file and call it from [`Verb::run`] through `on_runtime`. Verbs without input and output stay synchronous, so
//! that they start at once.

pub mod audit;
pub mod cheatsheet;
pub mod cluster;
pub mod completions;
pub mod config_rule;
pub mod contain;
pub mod credentials;
pub mod demo;
pub mod doctor;
pub mod enforce;
pub mod events;
pub mod generate_docs;
pub mod history;
pub mod key;
pub mod lambda;
pub mod man;
pub mod notify;
pub mod policy;
pub mod resume;
pub mod retire;
pub mod rotate;
pub mod sandbox;
pub mod scan;
pub mod serve;
pub mod service;
pub mod setup;
pub mod status;
pub mod store;
pub mod undo;
pub mod usage;

use clap::{Args, Subcommand};

use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::exit::Exit;

/// Every command, in the order in which the help lists them.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help text that stands on the arguments")]
pub enum Verb {
    Setup(setup::SetupArgs),
    Status(status::StatusArgs),
    Rotate(rotate::RotateArgs),
    Resume(resume::ResumeArgs),
    Undo(undo::UndoArgs),
    Retire(retire::RetireArgs),
    Key(key::KeyArgs),
    Service(Box<service::ServiceArgs>),
    History(history::HistoryArgs),
    Store(store::StoreArgs),
    Audit(Box<audit::AuditArgs>),
    Contain(Box<contain::ContainArgs>),
    Enforce(enforce::EnforceArgs),
    Notify(notify::NotifyArgs),
    ConfigRule(config_rule::ConfigRuleArgs),
    Events(events::EventsArgs),
    Lambda(lambda::LambdaArgs),
    Scan(Box<scan::ScanArgs>),
    Usage(Box<usage::UsageArgs>),
    Cluster(Box<cluster::ClusterArgs>),
    Serve(serve::ServeArgs),
    Doctor(doctor::DoctorArgs),
    Policy(policy::PolicyArgs),
    Cheatsheet(cheatsheet::CheatsheetArgs),
    Credentials(credentials::CredentialsArgs),
    Demo(demo::DemoArgs),
    Sandbox(sandbox::SandboxArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    GenerateDocs(generate_docs::GenerateDocsArgs),
}

impl Verb {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever kept it from doing what was asked.
    pub fn run(self, context: &Context) -> Result<Exit, CommandError> {
        match self {
            Self::Completions(args) => completions::run(context, &args),
            Self::Man(args) => man::run(context, &args),
            Self::Scan(args) => scan::run(context, *args),
            Self::GenerateDocs(args) => generate_docs::run(context, &args),
            Self::Setup(args) => on_runtime(setup::run(context, args)),
            Self::Status(args) => on_runtime(status::run(context, args)),
            Self::Rotate(args) => on_runtime(rotate::run(context, args)),
            Self::Resume(args) => on_runtime(resume::run(context, args)),
            Self::Undo(args) => on_runtime(undo::run(context, args)),
            Self::Retire(args) => on_runtime(retire::run(context, args)),
            Self::Key(args) => on_runtime(key::run(context, args)),
            Self::Service(args) => on_runtime(service::run(context, *args)),
            Self::History(args) => on_runtime(history::run(context, args)),
            Self::Store(args) => on_runtime(store::run(context, args)),
            Self::Audit(args) => on_runtime(audit::run(context, *args)),
            Self::Contain(args) => on_runtime(contain::run(context, *args)),
            Self::Enforce(args) => on_runtime(enforce::run(context, args)),
            Self::Notify(args) => on_runtime(notify::run(context, args)),
            Self::ConfigRule(args) => on_runtime(config_rule::run(context, args)),
            Self::Events(args) => on_runtime(events::run(context, args)),
            Self::Lambda(args) => on_runtime(lambda::run(context, args)),
            Self::Doctor(args) => on_runtime(doctor::run(context, args)),
            Self::Policy(args) => policy::run(context, &args),
            Self::Cheatsheet(args) => cheatsheet::run(context, &args),
            Self::Credentials(args) => credentials::run(context, &args),
            Self::Demo(args) => on_runtime(demo::run(context, args)),
            Self::Sandbox(args) => on_runtime(sandbox::run(context, args)),
            Self::Usage(args) => on_threads(usage::run(context, *args)),
            Self::Cluster(args) => on_threads(cluster::run(context, *args)),
            Self::Serve(args) => on_threads(serve::run(context, args)),
        }
    }
}

impl Verb {
    /// What of the environment the command may see. One that never talks to the real AWS must not fail over settings
    /// that are meant for it.
    #[must_use]
    pub fn environment(&self, all: Environment) -> Environment {
        match self {
            Self::Demo(_) | Self::Sandbox(_) | Self::Completions(_) | Self::Man(_) | Self::GenerateDocs(_) => {
                all.without_aws()
            }
            Self::Setup(_)
            | Self::Status(_)
            | Self::Rotate(_)
            | Self::Resume(_)
            | Self::Undo(_)
            | Self::Retire(_)
            | Self::Key(_)
            | Self::Service(_)
            | Self::History(_)
            | Self::Store(_)
            | Self::Audit(_)
            | Self::Contain(_)
            | Self::Enforce(_)
            | Self::Notify(_)
            | Self::ConfigRule(_)
            | Self::Events(_)
            | Self::Lambda(_)
            | Self::Scan(_)
            | Self::Usage(_)
            | Self::Cluster(_)
            | Self::Serve(_)
            | Self::Doctor(_)
            | Self::Policy(_)
            | Self::Cheatsheet(_)
            | Self::Credentials(_) => all,
        }
    }
}

/// The flags of every command that changes something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct Consent {
    /// Go ahead without asking; the plan is still printed
    #[arg(short, long)]
    pub yes: bool,

    /// Print the plan and stop
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
}

/// Runs a command that talks to AWS or to the store. Only these pay for a runtime, and hold secrets.
///
/// # Errors
/// What the command says, or that the runtime could not start.
pub fn on_runtime<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    akia_io::hardening::harden_process();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::failed(format_args!("no thread could be started: {error}")))?;
    runtime.block_on(command)
}

/// The same for one that does many things at once: a server.
fn on_threads<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    akia_io::hardening::harden_process();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::failed(format_args!("no thread could be started: {error}")))?;
    runtime.block_on(command)
}

/// The section EXAMPLES of a help text.
fn examples(examples: &[(&str, &str)]) -> String {
    let mut text = String::from("EXAMPLES");
    for (line, meaning) in examples {
        text.push_str(&format!("\n  # {meaning}\n  {line}"));
    }
    text
}
