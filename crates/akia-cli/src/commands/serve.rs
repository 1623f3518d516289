//! `akia serve`: the schedule, the pages and the API of a team's akia.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use akia_core::rule::AuditSettings;
use akia_core::settings::Settings;
use akia_io::enforce::StopFile;
use akia_io::state::StateFolder;
use akia_io::store::snapshots::Snapshots;
use akia_server::Database;
use akia_server::access::Access;
use akia_server::demo::{self, Size};
use akia_server::estate::Estate;
use akia_server::schedule::{Engine, Job, Plans, Program, Runs};
use akia_server::sight::{Person, Role};
use akia_server::switch::Switch;
use akia_server::web::{self, Parts, Shared};
use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::args::ConfigArgs;
use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::{drive, workbench};

/// The server's own tables, in the state folder.
const FILE_NAME: &str = "serve.db";
/// How often the server looks for newer audits.
const LOOK: Duration = Duration::from_secs(5);
/// The team of `--demo`: some 20,000 keys.
const DEMO: Size = Size { accounts: 120, users: 150 };

/// Show the keys of a team on a web page, and do what is due on a schedule
///
/// Reads the audits that `akia audit` has kept in the state folder, and shows them as pages; newer ones appear by themselves. Prints
/// the address with a link that lets you in once. Ends with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia serve", "on this machine alone; follow the link that it prints"),
    ("akia serve --demo", "with a made-up team of 20,000 keys, to look around"),
]))]
pub struct ServeArgs {
    /// Address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7443")]
    pub listen: SocketAddr,

    /// Show a made-up team instead of yours; nothing is kept
    #[arg(long)]
    pub demo: bool,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Where the server keeps what it has.
struct Ground {
    state: StateFolder,
    /// Of a demonstration; goes with it.
    _folder: Option<TempDir>,
}

/// Runs the command.
///
/// # Errors
/// When the address is taken, or the state folder or its databases cannot be used.
pub(crate) async fn run(context: &Context, args: ServeArgs) -> Result<Exit, CommandError> {
    if !args.listen.ip().is_loopback() {
        return Err(CommandError::usage(format_args!(
            "{} can be reached from other machines, and this akia serves this machine alone",
            args.listen
        ))
        .next("akia serve --listen 127.0.0.1:7443"));
    }
    let loaded = if args.demo { None } else { Some(args.config.load(context)?) };
    let (settings, file) = loaded.map_or((Settings::default(), None), |loaded| (loaded.settings, loaded.path));
    let jobs: Result<Vec<Job>, _> = settings.jobs.into_iter().map(Job::new).collect();
    let jobs = Arc::new(jobs.map_err(|error| CommandError::usage(&error).next("akia serve"))?);
    let ground = ground(context, args.demo)?;
    let audits = Snapshots::open(&ground.state).await.map_err(|error| CommandError::failed(&error))?;
    if args.demo {
        demo::keep(&audits, DEMO, context.started_at).await.map_err(|error| CommandError::failed(&error))?;
    }
    let shared = Parts { jobs, settings: settings.audit, ..shared(&ground.state, &args.listen).await? };
    shared.estate.refresh(&audits, &shared.settings).await.map_err(|error| CommandError::failed(&error))?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        CommandError::failed(format_args!("cannot listen at {}: {error}", args.listen))
            .next("akia serve --listen 127.0.0.1:0")
    })?;
    let address = listener.local_addr().map_err(|error| CommandError::failed(&error))?;
    let shared = Shared::new(Parts { hosts: hosts(&address), ..shared });
    let person = Person { name: "local".to_owned(), role: Role::Admin, units: Vec::new() };
    let link = shared.access.link(&person, shared.now()).await.map_err(|error| CommandError::failed(&error))?;
    context.print_text(&format!("http://{address}{}\n", link.path))?;
    context.say("the link lets you in once, within a quarter of an hour; Ctrl-C ends the server");
    let ending = drive::ending().await;
    let looking = tokio::spawn(look(shared.clone(), audits));
    let working = tokio::spawn(engine(&shared, &ground.state, file.as_deref())?.work());
    let served = web::serve(listener, shared, async move {
        ending.await;
    });
    let served = served.await;
    looking.abort();
    working.abort();
    served.map_err(|error| CommandError::failed(format_args!("the server has ended: {error}")))?;
    Ok(Exit::Done)
}

fn ground(context: &Context, demo: bool) -> Result<Ground, CommandError> {
    if !demo {
        return Ok(Ground { state: workbench::state_folder(context)?, _folder: None });
    }
    let folder = TempDir::new().map_err(|error| CommandError::failed(format_args!("no temporary folder: {error}")))?;
    let path: &Path = folder.path();
    let state = StateFolder::open(&path.join("state"))
        .map_err(|error| CommandError::failed(format_args!("the state folder cannot be used: {error}")))?;
    Ok(Ground { state, _folder: Some(folder) })
}

async fn shared(state: &StateFolder, listen: &SocketAddr) -> Result<Parts, CommandError> {
    let database = Database::sqlite(&state.path().join(FILE_NAME)).await;
    let database = database.map_err(|error| CommandError::failed(&error))?;
    Ok(Parts {
        estate: Estate::new(database.clone()),
        access: Access::new(database.clone(), false),
        runs: Runs::new(database.clone()),
        plans: Plans::new(database.clone()),
        switch: Switch::new(database.clone(), StopFile::of(state)),
        jobs: Arc::default(),
        database,
        settings: AuditSettings::default(),
        hosts: hosts(listen),
        clock: workbench::clock(),
    })
}

/// This server's part in the schedule; what it runs sees the same state and the same settings.
fn engine(shared: &Shared, state: &StateFolder, file: Option<&Path>) -> Result<Engine, CommandError> {
    let mut variables = vec![
        ("AKIA_STATE_DIR".to_owned(), state.path().display().to_string()),
        (Environment::SERVER.to_owned(), std::process::id().to_string()),
    ];
    if let Some(file) = file {
        variables.push(("AKIA_CONFIG".to_owned(), file.display().to_string()));
    }
    Ok(Engine {
        runs: shared.runs.clone(),
        plans: shared.plans.clone(),
        jobs: Arc::clone(&shared.jobs),
        switch: shared.switch.clone(),
        program: Program { path: Environment::program()?, variables },
        replica: akia_server::schedule::replica(),
        clock: workbench::clock(),
    })
}

fn hosts(address: &SocketAddr) -> Vec<String> {
    vec![address.to_string(), format!("localhost:{}", address.port())]
}

/// Shows newer audits as they come.
async fn look(shared: Shared, audits: Snapshots) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = shared.estate.refresh(&audits, &shared.settings).await {
            tracing::warn!(%error, "the estate could not be brought up to date");
        }
    }
}
