//! `akia serve`: the schedule, the pages and the API of a team's akia.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use akia_core::profile::standing_key;
use akia_core::settings::{ServeSettings, Settings};
use akia_io::provider::{self, Provider};
use akia_io::state::StateFolder;
use akia_io::store::snapshots::Snapshots;
use akia_io::store::{Home, SharedStore, SqlStore};
use akia_server::Database;
use akia_server::access::{Access, Oidc, Tokens, new_token};
use akia_server::demo::{self, Size};
use akia_server::schedule::{Engine, Job, Program};
use akia_server::sight::{Person, Role};
use akia_server::start::{self, Opening};
use akia_server::tls::Tls;
use akia_server::web::{self, Parts, Patience, Shared};
use clap::{Args, Subcommand};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::args::ConfigArgs;
use crate::context::{Context, Environment, ProfileChoice};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::{drive, workbench};

/// Where the server listens where nobody says.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7443);
/// The server's own tables, in the state folder.
const FILE_NAME: &str = "serve.db";
/// How often the server looks for newer audits and records.
const LOOK: Duration = Duration::from_secs(5);
/// The team of `--demo`: some 20,000 keys.
const DEMO: Size = Size { accounts: 120, users: 150 };

/// Show the keys of a team on a web page, and do what is due on a schedule
///
/// Reads the audits that `akia audit` has kept in the state folder, and shows them as pages; newer ones appear by themselves. On this
/// machine alone it prints the address with a link that lets you in once. Where other machines reach it, it wants TLS and a login;
/// `[serve]` in akia.toml says which. Ends with Ctrl-C.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, override_usage = "akia serve [OPTIONS] [COMMAND]", after_long_help = super::examples(&[
    ("akia serve", "on this machine alone; follow the link that it prints"),
    ("akia serve --demo", "with a made-up team of 20,000 keys, to look around"),
    ("akia serve token dashboard --role viewer --unit Root/Prod", "a token for a program that reads"),
    ("akia serve --listen 0.0.0.0:7443 --behind-proxy", "behind a load balancer that ends TLS"),
]))]
pub struct ServeArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub act: Option<ServeVerb>,

    /// Address to listen at [default: listen in the serve table of akia.toml, else 127.0.0.1:7443]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// A load balancer in front of the server ends TLS, and says where requests come from
    ///
    /// Nothing else may be able to reach the server then: what it sends and gets between the two is in the clear.
    #[arg(long)]
    pub behind_proxy: bool,

    /// Begin although the server's own AWS credentials are a long-term access key
    #[arg(long)]
    pub allow_access_key: bool,

    /// Show a made-up team instead of yours; nothing is kept
    #[arg(long)]
    pub demo: bool,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What else there is to do for the server.
#[derive(Debug, Subcommand)]
pub enum ServeVerb {
    /// Make a token that lets a person or a program in
    ///
    /// Prints the token once, and the line for the file of tokens (tokens in the serve table of akia.toml), which holds its hash alone. A
    /// server that runs takes the line up by itself, and shuts the door when it is taken out.
    Token(TokenArgs),
}

/// The token to make.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Name of the token, which the record of what is done with it says: an e-mail address for a person
    pub name: String,

    /// What it may do: owner, viewer, operator or admin
    #[arg(long)]
    pub role: Role,

    /// Organisational unit that it sees, with all below it, as its path from the root (repeatable); all where none is given
    #[arg(long = "unit", value_name = "PATH")]
    pub units: Vec<String>,
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
    if let Some(ServeVerb::Token(args)) = args.act {
        return token(context, args);
    }
    let at = context.started_at;
    let (settings, file) = if args.demo {
        (Settings { enforce: Some(demo::policy(DEMO, at)), ..Settings::default() }, None)
    } else {
        let loaded = args.config.load(context)?;
        (loaded.settings, loaded.path)
    };
    let serve = settings.serve.clone();
    let listen = args.listen.or(serve.listen).unwrap_or(LISTEN);
    let is_behind_proxy = args.behind_proxy || serve.behind_proxy;
    let opening = start::opening(listen, is_behind_proxy, args.demo, &serve)
        .map_err(|refused| CommandError::usage(&refused).next(refused.next.clone()))?;
    if !args.demo && !args.allow_access_key {
        refuse_own_key(context)?;
    }
    let tls = serve.tls.as_ref().map(Tls::open).transpose().map_err(|error| CommandError::failed(&error))?;
    let ground = ground(context, args.demo)?;
    let sources = Sources::open(&ground.home).await?;
    if args.demo {
        demo::keep(&sources.audits, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
        demo::expose(&sources.audits, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
        demo::tell(&*sources.journal, DEMO, at).await.map_err(|error| CommandError::failed(&error))?;
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        CommandError::failed(format_args!("cannot listen at {listen}: {error}")).next("akia serve --listen 127.0.0.1:0")
    })?;
    let bound = listener.local_addr().map_err(|error| CommandError::failed(&error))?;
    let hosts = start::hosts(bound, &opening, &serve);
    let shared = Shared::new(parts(context, &ground, settings, hosts, &opening, is_behind_proxy).await?);
    sources.show(&shared).await?;
    tell(context, &shared, &opening, &serve, bound).await?;
    let ending = drive::ending().await;
    let looking = tokio::spawn(look(shared.clone(), ground.home.clone(), sources));
    let working = tokio::spawn(engine(&shared, &ground.state, file.as_deref())?.work());
    let served = web::serve_with(listener, shared, tls, Patience::default(), async move {
        ending.await;
    });
    let served = served.await;
    looking.abort();
    working.abort();
    served.map_err(|error| CommandError::failed(format_args!("the server has ended: {error}")))?;
    Ok(Exit::Done)
}

/// Says where the server is, and how to come in.
async fn tell(
    context: &Context,
    shared: &Shared,
    opening: &Opening,
    serve: &ServeSettings,
    bound: SocketAddr,
) -> Result<(), CommandError> {
    let scheme = if serve.tls.is_some() { "https" } else { "http" };
    let here = format!("{scheme}://{bound}");
    if opening.is_open {
        // No link: it would stand in the log of a machine that others read.
        context.print_text(&format!("{}\n", serve.address.as_ref().unwrap_or(&here)))?;
        context.say(&format!("listening at {bound}; Ctrl-C ends the server"));
        return Ok(());
    }
    let person = Person { name: "local".to_owned(), role: Role::Admin, units: Vec::new() };
    let link = shared.access.link(&person, shared.now()).await.map_err(|error| CommandError::failed(&error))?;
    context.print_text(&format!("{here}{}\n", link.path))?;
    context.say("the link lets you in once, within a quarter of an hour; Ctrl-C ends the server");
    Ok(())
}

/// A server that looks after access keys has none of its own: it runs for months where nobody looks, and AWS gives machines
/// credentials that end by themselves.
fn refuse_own_key(context: &Context) -> Result<(), CommandError> {
    let choice = context.profile()?;
    let environment = workbench::environment_key()?;
    let environment = environment.as_ref().map(akia_io::aws::Credentials::key);
    let files = context.aws_files()?;
    let in_profile = || standing_key(files.profiles(), choice.name(), environment).cloned();
    let (key, from) = match &choice {
        ProfileChoice::Environment(_) | ProfileChoice::Default(_) if environment.is_some() => {
            (environment.filter(|key| !key.is_temporary()).cloned(), "the environment".to_owned())
        }
        ProfileChoice::Flag(name) | ProfileChoice::Environment(name) | ProfileChoice::Default(name) => {
            (in_profile(), format!("profile \"{name}\""))
        }
    };
    let Some(key) = key else { return Ok(()) };
    Err(CommandError::usage(format_args!(
        "the server's own AWS credentials are the long-term access key {key} of {from}, which would lie on this machine for as \
         long as it runs; give it a role (of the instance, the task or the service account), or a profile of Identity Center"
    ))
    .next("akia serve --profile ROLE; or, to try it out: akia serve --allow-access-key"))
}

fn token(context: &Context, args: TokenArgs) -> Result<Exit, CommandError> {
    let TokenArgs { name, role, units } = args;
    let made = new_token(&Person { name, role, units }).map_err(|error| CommandError::usage(&error))?;
    context.print_text(&format!("{}\n", made.token))?;
    context.say("this is the token; it is shown once, and kept nowhere. The line for the file of tokens:");
    context.say(&made.line);
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

async fn parts(
    context: &Context,
    ground: &Ground,
    settings: Settings,
    hosts: Vec<String>,
    opening: &Opening,
    is_behind_proxy: bool,
) -> Result<Parts, CommandError> {
    let database = match &ground.home {
        Home::Folder(state) => Database::sqlite(&state.path().join(FILE_NAME)).await,
        Home::Server(url) => Database::postgres(url).await,
    };
    let database = database.map_err(|error| CommandError::failed(&error))?;
    let serve = &settings.serve;
    let mut access = Access::new(database.clone(), opening.has_tls);
    if is_behind_proxy {
        access = access.behind_proxy();
    }
    if let Some(path) = &serve.tokens {
        let tokens = Tokens::open(path).map_err(|error| {
            CommandError::failed(&error)
                .next("akia serve token NAME --role viewer, and put its line into a file of mode 0600")
        })?;
        access = access.with_tokens(tokens);
    }
    if let (Some(oidc), Some(address)) = (&serve.oidc, &serve.address) {
        let secret = oidc.client_secret.as_ref();
        let secret = secret.map(|place| provider::client_secret(place, &Environment::secret)).transpose();
        let secret = secret.map_err(|why| CommandError::failed(format_args!("the secret of the login: {why}")))?;
        let provider = Provider::new(workbench::aws(context)?);
        let oidc = Oidc::new(oidc.clone(), address, secret, provider).map_err(|error| CommandError::failed(&error))?;
        access = access.with_oidc(oidc);
    }
    let jobs: Result<Vec<Job>, _> = settings.jobs.into_iter().map(Job::new).collect();
    let jobs = jobs.map_err(|error| CommandError::usage(&error).next("akia serve"))?;
    let parts = Parts::new(database, &ground.state, access, hosts, workbench::clock());
    Ok(Parts {
        enforce: settings.enforce,
        jobs: Arc::new(jobs),
        services: Arc::new(settings.services),
        settings: settings.audit,
        ..parts
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
        grants: shared.grants.clone(),
        program: Program { path: Environment::program()?, variables },
        replica: akia_server::schedule::replica(),
        clock: workbench::clock(),
    })
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
