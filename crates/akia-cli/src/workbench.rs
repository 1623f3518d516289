//! The tools that verbs work with, put together from the context: the AWS files, the wire to AWS, the state folder.
//!
//! Each is opened when a verb asks for it, so that a verb pays for nothing that it does not use.

use std::ffi::OsString;
use std::sync::Arc;

use akia_io::aws::{Aws, Credentials, MfaPrompt, NoCode, Wallet, environment_credentials};
use akia_io::clock::{Clock, SystemClock};
use akia_io::keychain::{Keychain, NoKeychain};
use akia_io::place::{Outside, Places};
use akia_io::profiles::AwsFiles;
use akia_io::rotate::{Draw, Driver, Signers};
use akia_io::seal::Sealer;
use akia_io::seen::SeenUses;
use akia_io::state::StateFolder;
use akia_io::store::{DatabaseUrl, DatabaseUrlError, Home, SharedStore, SqlStore};
use futures_util::future::BoxFuture;

use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::prompt;

/// Everything that a verb which rotates, resumes, undoes or retires needs.
pub struct Workbench {
    /// Both AWS files.
    pub files: AwsFiles,
    /// The state folder.
    pub state: StateFolder,
    /// Where the stores are.
    pub home: Home,
    /// The driver.
    pub driver: Driver,
}

impl Workbench {
    /// Opens everything; the state folder is made where there is none.
    ///
    /// # Errors
    /// Whatever cannot be opened, with what to do about it.
    pub async fn open(context: &Context) -> Result<Self, CommandError> {
        let files = context.aws_files()?;
        let state = state_folder(context)?;
        let home = home(context)?;
        let store = SqlStore::open(&home).await.map_err(store_error)?;
        let sealer = sealer(context, &home).await?;
        store.agree_on_sealing_key(&sealer.key_name()).await.map_err(store_error)?;
        let store: SharedStore = Arc::new(store);
        let (aws, clock) = (aws(context)?, clock());
        let signers = Arc::new(Signers::new(wallet(context, &files)?));
        let places = Arc::new(places(context, &state).with_outside(outside(&aws, &signers, &clock)));
        let seen = seen_uses(&state);
        let driver = Driver { aws, store, sealer: Arc::new(sealer), places, clock, signers, seen };
        Ok(Self { files, state, home, driver })
    }
}

/// The facts of `akia usage` in the state folder, where some were loaded.
#[cfg(feature = "usage")]
pub(crate) fn seen_uses(state: &StateFolder) -> Option<Arc<dyn SeenUses>> {
    let facts = crate::usage::seen::LoadedFacts::of(state.path())?;
    Some(Arc::new(facts))
}

/// Without `akia usage` there are none.
#[cfg(not(feature = "usage"))]
pub(crate) fn seen_uses(_: &StateFolder) -> Option<Arc<dyn SeenUses>> {
    None
}

/// Where the ids of new rotations, cases and quarantines come from.
///
/// # Errors
/// When the system has no randomness to give.
pub fn draw() -> Result<Draw, CommandError> {
    Draw::seeded_by_system().map_err(|error| CommandError::failed(format_args!("no randomness: {error}")))
}

/// The state folder, made where there is none.
///
/// # Errors
/// When it cannot be made, or others could write to it.
pub fn state_folder(context: &Context) -> Result<StateFolder, CommandError> {
    StateFolder::open(&state_path(context)?).map_err(|error| {
        CommandError::failed(format_args!("the state folder cannot be used: {error}")).next(error.hint())
    })
}

/// The state folder, where there is one; nothing is made.
///
/// # Errors
/// When others could write to it.
pub fn existing_state_folder(context: &Context) -> Result<Option<StateFolder>, CommandError> {
    StateFolder::existing(&state_path(context)?).map_err(|error| {
        CommandError::failed(format_args!("the state folder cannot be used: {error}")).next(error.hint())
    })
}

/// The variable that puts the stores on a server.
pub const DATABASE: &str = "AKIA_DATABASE";

/// The variable that names the file of the sealing key, where the stores are on a server.
pub const SEALING_KEY_FILE: &str = "AKIA_SEALING_KEY_FILE";

/// Where the stores are: on the server of `AKIA_DATABASE`, else in the state folder, which is made where there is none.
///
/// # Errors
/// When the address makes no sense, or the folder cannot be used.
pub fn home(context: &Context) -> Result<Home, CommandError> {
    match server(context)? {
        Some(url) => Ok(Home::Server(url)),
        None => state_folder(context).map(Home::Folder),
    }
}

/// The same, where there is one; nothing is made.
///
/// # Errors
/// When the address makes no sense, or others could write to the folder.
pub fn existing_home(context: &Context) -> Result<Option<Home>, CommandError> {
    match server(context)? {
        Some(url) => Ok(Some(Home::Server(url))),
        None => Ok(existing_state_folder(context)?.map(Home::Folder)),
    }
}

fn server(context: &Context) -> Result<Option<DatabaseUrl>, CommandError> {
    let Some(value) = variable(context, DATABASE).filter(|value| !value.is_empty()) else { return Ok(None) };
    // It may hold a password, so it is not repeated.
    let text = value.into_string().map_err(|_| CommandError::usage(format_args!("{DATABASE} is not UTF-8")))?;
    let url = text.parse().map_err(|error: DatabaseUrlError| {
        let hint = error.hint();
        CommandError::usage(format_args!("{DATABASE}: {error}")).next(hint)
    })?;
    Ok(Some(url))
}

/// The journal, made where there is none.
///
/// # Errors
/// When it cannot be used.
pub async fn open_journal(context: &Context) -> Result<SharedStore, CommandError> {
    let store = SqlStore::open(home(context)?).await.map_err(store_error)?;
    Ok(Arc::new(store))
}

/// The journal for reading. `None` where akia has not kept one yet; nothing is made.
///
/// # Errors
/// When there is one that cannot be read.
pub async fn journal(context: &Context) -> Result<Option<SharedStore>, CommandError> {
    let Some(home) = existing_home(context)? else { return Ok(None) };
    let store = SqlStore::open_existing(home).await.map_err(store_error)?;
    Ok(store.map(|store| Arc::new(store) as SharedStore))
}

/// The sealing key of a state folder, made where there is none; with a database that others share, that of the file that the person
/// has named.
///
/// # Errors
/// When it cannot be had.
pub async fn sealer(context: &Context, home: &Home) -> Result<Sealer, CommandError> {
    let named = variable(context, SEALING_KEY_FILE).filter(|value| !value.is_empty()).map(std::path::PathBuf::from);
    let state = match (home, named) {
        (Home::Server(_), Some(path)) => {
            return Sealer::from_file(&path).map_err(|error| {
                let hint = error.hint();
                CommandError::failed(format_args!("{SEALING_KEY_FILE}: {error}")).next(hint)
            });
        }
        (Home::Server(_), None) => {
            return Err(CommandError::usage(format_args!(
                "{DATABASE} is set and {SEALING_KEY_FILE} is not: what this machine seals, another must open"
            ))
            .now("nothing was changed")
            .next(format!(
                "(umask 077; head -c 32 /dev/urandom > FILE), once; then {SEALING_KEY_FILE}=FILE on every machine"
            )));
        }
        (Home::Folder(_), Some(_)) => {
            return Err(CommandError::usage(format_args!(
                "{SEALING_KEY_FILE} is for {DATABASE}, which is not set; a state folder has a sealing key of its own"
            ))
            .next(format!("set {DATABASE}, or unset {SEALING_KEY_FILE}")));
        }
        (Home::Folder(state), None) => state.clone(),
    };
    let keychain = keychain_opener(context);
    // The keychain may take a moment to say that there is none.
    let opened = tokio::task::spawn_blocking(move || Sealer::open(&state, || keychain())).await;
    let opened = opened.map_err(|error| CommandError::failed(format_args!("the sealing key: {error}")))?;
    opened.map_err(|error| CommandError::failed(&error).next(error.hint()))
}

/// The wire to AWS. Making it costs next to nothing; connections are made with the first call.
///
/// # Errors
/// A variable or flag that makes no sense.
pub fn aws(context: &Context) -> Result<Aws, CommandError> {
    Ok(Aws::new(context.aws_options()?))
}

/// The credentials of the profiles here, with MFA codes from `--mfa-code` or from the person.
///
/// # Errors
/// A variable that makes no sense.
pub fn wallet(context: &Context, files: &AwsFiles) -> Result<Wallet, CommandError> {
    let (credentials, config) = files.both();
    Ok(Wallet::new(credentials, config, mfa_prompt(context)).with_environment(environment_key()?))
}

/// The places that keys are delivered to.
#[must_use]
pub fn places(context: &Context, state: &StateFolder) -> Places {
    let opener = keychain_opener(context);
    Places::new(state.clone(), move || opener())
}

/// The same, and places that are not on this machine.
///
/// # Errors
/// A variable or flag that makes no sense.
pub fn places_anywhere(context: &Context, files: &AwsFiles, state: &StateFolder) -> Result<Places, CommandError> {
    let signers = Arc::new(Signers::new(wallet(context, files)?));
    Ok(places(context, state).with_outside(outside(&aws(context)?, &signers, &clock())))
}

fn outside(aws: &Aws, signers: &Arc<Signers>, clock: &Arc<dyn Clock>) -> Outside {
    Outside {
        aws: aws.clone(),
        signers: Arc::clone(signers),
        clock: Arc::clone(clock),
        variables: Arc::new(Environment::secret),
    }
}

/// Opens the OS keychain when it is asked to.
#[must_use]
pub fn keychain_opener(context: &Context) -> Arc<dyn Fn() -> Result<Keychain, NoKeychain> + Send + Sync> {
    let wish = variable(context, "AKIA_KEYCHAIN");
    Arc::new(move || Keychain::open(|name| if name == "AKIA_KEYCHAIN" { wish.clone() } else { None }))
}

/// The machine's clock.
#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Where the journal is.
///
/// # Errors
/// When neither `AKIA_STATE_DIR` nor a home folder is known.
pub fn state_path(context: &Context) -> Result<std::path::PathBuf, CommandError> {
    StateFolder::locate(|name| variable(context, name)).map_err(|error| CommandError::failed(&error).next(error.hint()))
}

fn variable(context: &Context, name: &str) -> Option<OsString> {
    context.environment.raw(name).map(ToOwned::to_owned)
}

fn store_error(error: akia_io::store::StoreError) -> CommandError {
    CommandError::failed(format_args!("the journal cannot be used: {error}")).next(error.hint())
}

/// Codes of MFA devices: the one of `--mfa-code`, once, else the person is asked.
struct Codes {
    given: std::sync::Mutex<Option<String>>,
    can_ask: bool,
}

fn mfa_prompt(context: &Context) -> Box<dyn MfaPrompt> {
    let given = context.globals.mfa_code.as_ref().map(|code| code.as_str().to_owned());
    Box::new(Codes { can_ask: given.is_none() && context.terminal.can_ask(), given: std::sync::Mutex::new(given) })
}

impl MfaPrompt for Codes {
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>> {
        let given = self.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        Box::pin(async move {
            match given {
                Some(code) => Ok(code),
                None if self.can_ask => {
                    let question = format!("MFA code of {serial}: ");
                    let asked = tokio::task::spawn_blocking(move || prompt::ask_line(&question)).await;
                    let asked = asked.map_err(|error| NoCode { reason: error.to_string() })?;
                    asked.map_err(|error| NoCode { reason: error.to_string() })
                }
                None => Err(NoCode { reason: format!("give the code of {serial} with --mfa-code") }),
            }
        })
    }
}

/// The key of the environment, which signs where no profile was named, and for profiles that name it as their source.
///
/// # Errors
/// A variable that makes no sense.
pub fn environment_key() -> Result<Option<Credentials>, CommandError> {
    environment_credentials(&Environment::secret).map_err(CommandError::usage)
}
