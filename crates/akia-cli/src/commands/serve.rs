//! `akia serve`: the schedule, the pages and the API of a team's akia.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use akia_core::settings::Settings;
use akia_io::state::StateFolder;
use akia_io::store::snapshots::Snapshots;
use akia_io::store::{Home, SharedStore, SqlStore};
use akia_server::Database;
use akia_server::access::Access;
use akia_server::demo::{self, Size};
use akia_server::schedule::{Engine, Job, Program};
use akia_server::sight::{Person, Role};
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
/// How often the server looks for newer audits and records.
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
    /// Of this machine: its locks, its kill switch.
    state: StateFolder,
    /// What servers may share.
    home: Home,
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
    let at = context.started_at;
    let (settings, file) = if args.demo {
        (Settings { enforce: Some(demo::policy(DEMO, at)), ..Settings::default() }, None)
    } else {
        let loaded = args.config.load(context)?;
        (loaded.settings, loaded.path)
    };
    let ground = ground(context, args.demo)?;
    let sources = Sources::open(&ground.home).await?;
    if args.demo {
        demo::keep(&sources.audits, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
        demo::expose(&sources.audits, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
        demo::tell(&*sources.journal, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
    }
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        CommandError::failed(format_args!("cannot listen at {}: {error}", args.listen))
            .next("akia serve --listen 127.0.0.1:0")
    })?;
    let address = listener.local_addr().map_err(|error| CommandError::failed(&error))?;
    let shared = Shared::new(parts(&ground, settings, &address).await?);
    sources.show(&shared).await?;
    let person = Person { name: "local".to_owned(), role: Role::Admin, units: Vec::new() };
    let link = shared.access.link(&person, shared.now()).await.map_err(|error| CommandError::failed(&error))?;
    context.print_text(&format!("http://{address}{}\n", link.path))?;
    context.say("the link lets you in once, within a quarter of an hour; Ctrl-C ends the server");
    let ending = drive::ending().await;
    let looking = tokio::spawn(look(shared.clone(), ground.home.clone(), sources));
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
        let state = workbench::state_folder(context)?;
        return Ok(Ground { state, home: workbench::home(context)?, _folder: None });
    }
    let folder = TempDir::new().map_err(|error| CommandError::failed(format_args!("no temporary folder: {error}")))?;
    let path: &Path = folder.path();
    let state = StateFolder::open(&path.join("state"))
        .map_err(|error| CommandError::failed(format_args!("the state folder cannot be used: {error}")))?;
    let home = Home::Folder(state.clone());
    Ok(Ground { state, home, _folder: Some(folder) })
}

async fn parts(ground: &Ground, settings: Settings, listen: &SocketAddr) -> Result<Parts, CommandError> {
    let database = match &ground.home {
        Home::Folder(state) => Database::sqlite(&state.path().join(FILE_NAME)).await,
        Home::Server(url) => Database::postgres(url).await,
    };
    let database = database.map_err(|error| CommandError::failed(&error))?;
    let jobs: Result<Vec<Job>, _> = settings.jobs.into_iter().map(Job::new).collect();
    let jobs = jobs.map_err(|error| CommandError::usage(&error).next("akia serve"))?;
    let access = Access::new(database.clone(), false);
    let parts = Parts::new(database, &ground.state, access, hosts(listen), workbench::clock());
    Ok(Parts { enforce: settings.enforce, jobs: Arc::new(jobs), settings: settings.audit, ..parts })
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

/// What the pages show, as akia's commands keep it.
struct Sources {
    audits: Snapshots,
    journal: SharedStore,
}

impl Sources {
    async fn open(home: &Home) -> Result<Self, CommandError> {
        let audits = Snapshots::open(home).await.map_err(|error| CommandError::failed(&error))?;
        let journal = SqlStore::open(home).await.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
        Ok(Self { audits, journal: Arc::new(journal) })
    }

    async fn show(&self, shared: &Shared) -> Result<(), CommandError> {
        shared.estate.refresh(&self.audits, &shared.settings).await.map_err(|error| CommandError::failed(&error))?;
        let followed = shared.records.follow(&*self.journal, &self.audits, shared.clock.now()).await;
        followed.map_err(|error| CommandError::failed(&error))?;
        Ok(())
    }
}

/// Shows newer audits and records as they come.
async fn look(shared: Shared, home: Home, mut sources: Sources) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Err(error) = sources.show(&shared).await else { continue };
        tracing::warn!(error = error.render(false), "the pages could not be brought up to date; trying again");
        // A connection that was lost does not come back by itself.
        if let Ok(opened) = Sources::open(&home).await {
            sources = opened;
        }
    }
}
