//! `akia serve`: the schedule, the pages and the API of a team's akia.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use akia_core::settings::Settings;
use akia_io::state::StateFolder;
use akia_io::store::SharedStore;
use akia_io::store::snapshots::Snapshots;
use akia_io::store::sqlite::SqliteStore;
use akia_server::Database;
use akia_server::access::Access;
use akia_server::demo::{self, Size};
use akia_server::estate::Estate;
use akia_server::record::Records;
use akia_server::sight::{Person, Role};
use akia_server::web::{self, Parts, Shared};
use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::args::ConfigArgs;
use crate::context::Context;
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
    let settings = if args.demo {
        Settings { enforce: Some(demo::policy(DEMO, context.started_at)), ..Settings::default() }
    } else {
        args.config.load(context)?.settings
    };
    let ground = ground(context, args.demo)?;
    let audits = Snapshots::open(&ground.state).await.map_err(|error| CommandError::failed(&error))?;
    let journal: SharedStore =
        Arc::new(SqliteStore::open(&ground.state).await.map_err(|error| CommandError::failed(&error))?);
    if args.demo {
        let at = context.started_at;
        demo::keep(&audits, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
        demo::expose(&audits, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
        demo::tell(&*journal, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
    }
    let shared = shared(&ground.state, settings, &args.listen).await?;
    shared.estate.refresh(&audits, &shared.settings).await.map_err(|error| CommandError::failed(&error))?;
    let now = shared.clock.now();
    shared.records.follow(&*journal, &audits, now).await.map_err(|error| CommandError::failed(&error))?;
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
    let looking = tokio::spawn(look(shared.clone(), audits, journal));
    let served = web::serve(listener, shared, async move {
        ending.await;
    });
    let served = served.await;
    looking.abort();
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

async fn shared(state: &StateFolder, settings: Settings, listen: &SocketAddr) -> Result<Parts, CommandError> {
    let database = Database::sqlite(&state.path().join(FILE_NAME)).await;
    let database = database.map_err(|error| CommandError::failed(&error))?;
    Ok(Parts {
        estate: Estate::new(database.clone()),
        records: Records::new(database.clone()),
        enforce: settings.enforce,
        access: Access::new(database.clone(), false),
        database,
        settings: settings.audit,
        hosts: hosts(listen),
        clock: workbench::clock(),
    })
}

fn hosts(address: &SocketAddr) -> Vec<String> {
    vec![address.to_string(), format!("localhost:{}", address.port())]
}

/// Shows newer audits and records as they come.
async fn look(shared: Shared, audits: Snapshots, journal: SharedStore) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = shared.estate.refresh(&audits, &shared.settings).await {
            tracing::warn!(%error, "the estate could not be brought up to date");
        }
        if let Err(error) = shared.records.follow(&*journal, &audits, shared.clock.now()).await {
            tracing::warn!(%error, "the records could not be brought up to date");
        }
    }
}
