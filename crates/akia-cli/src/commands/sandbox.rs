//! `akia sandbox`: a small AWS on this machine, to practise on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use akia_core::cheatsheet::quote;
use akia_sandbox::Propagation;
use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::context::Context;
use crate::drive;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::practice::{self, EXTERNAL_ID, MFA_USER, Scene, Weather, World};

/// Run a small AWS on this machine, with made-up AWS files to practise on
///
/// Starts IAM, STS and CloudTrail's event history on a free port of this machine, writes a made-up ~/.aws into a folder
/// of its own, and prints the lines that point akia and the AWS CLI at them. Your own files and your own AWS are not
/// touched. Ends with Ctrl-C; the AWS is gone then, and so is a temporary folder.
///
/// With --output json, the first line of stdout is one JSON object with the same, as soon as calls are answered.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia sandbox", "on a free port, in a temporary folder"),
    ("akia sandbox --lag", "new keys take seconds to work, as on AWS"),
    ("akia sandbox --accounts 200 --users 20 --latency 80ms --throttle 5%", "an organisation to audit"),
    ("akia sandbox --port 4566 --folder ./practice", "on this port, in a folder that stays"),
]))]
pub struct SandboxArgs {
    /// Port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// Folder for the made-up AWS files; it must be empty or absent [default: a temporary one]
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,

    /// Let changes take as long to spread as on AWS: new keys fail for seconds, lists and last uses lag
    #[arg(long)]
    pub lag: bool,

    /// Found an organisation of so many accounts, full of users and keys, with the role AkiaAudit in each
    ///
    /// Profile `admin` is of its management account: akia audit --org --external-id example-id -p admin
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub accounts: Option<u32>,

    /// Users in each account of the organisation; every second one holds keys
    #[arg(long, value_name = "COUNT", default_value_t = 20, requires = "accounts", value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub users: u32,

    /// Makes the organisation this one and no other
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "accounts")]
    pub seed: u64,

    /// How long each call takes, for example 80ms
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub latency: Option<Duration>,

    /// The share of calls that are answered with "slow down", for example 5%
    #[arg(long, value_name = "SHARE", value_parser = percent)]
    pub throttle: Option<f64>,
}

/// Variables that would beat the made-up profiles, or lead elsewhere. Each line is short enough to be pasted whole.
const IN_THE_WAY: [&[&str]; 4] = [
    &["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID"],
    &["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
    &["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS", "AWS_USE_FIPS_ENDPOINT"],
    &["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_DUALSTACK_ENDPOINT"],
];

/// Runs the command.
///
/// # Errors
/// When the port is taken or the folder cannot be used.
pub(crate) async fn run(context: &Context, args: SandboxArgs) -> Result<Exit, CommandError> {
    if context.format() == Format::Csv {
        return Err(CommandError::usage("the sandbox has no CSV form").next("akia sandbox --output json"));
    }
    // Whoever ends it early must not leave the folder behind.
    let ending = drive::ending().await;
    let folder = Folder::open(args.folder.as_deref())?;
    let ran = play(context, &args, folder.path(), ending).await;
    folder.close(context);
    ran
}

/// The sandbox from start to Ctrl-C, in a folder that somebody else removes.
async fn play(
    context: &Context,
    args: &SandboxArgs,
    folder: &Path,
    ending: impl Future<Output = bool>,
) -> Result<Exit, CommandError> {
    let propagation = if args.lag { Propagation::realistic() } else { Propagation::instant() };
    let weather = Weather {
        propagation,
        latency: args.latency.unwrap_or_default(),
        throttled: args.throttle.unwrap_or_default(),
    };
    let scene = match args.accounts {
        None => Scene::Practice,
        Some(accounts) => Scene::Organization { accounts, users: args.users, seed: args.seed },
    };
    let world = World::start(scene, weather, args.port.unwrap_or(0), folder).await?;
    let text = match context.format() {
        Format::Json => ready(&world),
        Format::Table | Format::Csv => welcome(context, &world),
    };
    context.print_text(&text)?;
    if args.accounts.is_some() {
        context.say(&format!("the organisation: akia audit --org --external-id {EXTERNAL_ID} --profile admin"));
    }
    ending.await;
    let calls = world.calls();
    world.stop().await;
    context.say(&format!("the sandbox has ended after {calls} calls"));
    Ok(Exit::Done)
}

/// `80ms`, `1.5s`.
fn milliseconds(text: &str) -> Result<Duration, String> {
    let unit = |text: &str, factor: f64| text.trim().parse::<f64>().ok().map(|number| number * factor);
    let milliseconds = match text.strip_suffix("ms") {
        Some(number) => unit(number, 1.0),
        None => text.strip_suffix('s').and_then(|number| unit(number, 1_000.0)),
    };
    milliseconds
        .filter(|number| (0.0..=60_000.0).contains(number))
        .map(|number| Duration::from_secs_f64(number / 1_000.0))
        .ok_or_else(|| "write for example 80ms or 1.5s; a minute at most".to_owned())
}

/// `5%`, as a share between 0 and 1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .map(|number| number / 100.0)
        .ok_or_else(|| "write for example 5%".to_owned())
}

/// The folder of the made-up files.
enum Folder {
    /// Ours: goes with the sandbox.
    Temporary(TempDir),
    /// The user's: stays.
    Given(PathBuf),
}

impl Folder {
    fn open(given: Option<&Path>) -> Result<Self, CommandError> {
        let Some(path) = given else {
            let folder = practice::temporary_folder("akia-sandbox-");
            return folder.map(Self::Temporary).map_err(|error| {
                CommandError::failed(format_args!("no temporary folder could be made: {error}"))
                    .next("akia sandbox --folder FOLDER")
            });
        };
        let failed = |error: std::io::Error| {
            CommandError::failed(format_args!("the folder {} cannot be used: {error}", path.display()))
        };
        if !path.exists() {
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(path).map_err(failed)?;
        } else if fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(CommandError::failed(format_args!("the folder {} is not empty", path.display()))
                .next("akia sandbox --folder ANOTHER"));
        }
        // Programs that run elsewhere must find the files too.
        fs::canonicalize(path).map(Self::Given).map_err(failed)
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }

    fn close(self, context: &Context) {
        match self {
            Self::Given(path) => context.say(&format!("the folder stays: {}", path.display())),
            Self::Temporary(folder) => {
                let path = folder.path().to_owned();
                if let Err(error) = folder.close() {
                    context.say(&format!("the folder {} could not be removed: {error}", path.display()));
                }
            }
        }
    }
}

/// Where the code of the MFA device is read.
fn mfa_code_url(world: &World) -> String {
    format!("{}/_sandbox/mfa-code/{MFA_USER}", world.url())
}

/// One line that a program waits for.
fn ready(world: &World) -> String {
    let variables: Map<String, Value> = world
        .variables()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value.to_string_lossy().into_owned())))
        .collect();
    let line = json!({
        "schema": "akia.sandbox/1",
        "endpoint_url": world.url(),
        "folder": world.folder().to_string_lossy(),
        "environment": variables,
        "mfa": { "profile": "mfa", "user": MFA_USER, "code_url": mfa_code_url(world) },
    });
    format!("{line}\n")
}

/// What a person needs to begin.
fn welcome(context: &Context, world: &World) -> String {
    let colors = context.terminal.stdout_colors;
    let bold = if colors { Style::new().bold() } else { Style::new() };
    let cyan = if colors { AnsiColor::Cyan.on_default() } else { Style::new() };
    let mut text = format!(
        "A made-up AWS answers at {}, with a made-up ~/.aws in {}.\n\n{bold}Paste this into another terminal{bold:#}\n",
        world.url(),
        world.folder().display()
    );
    for (name, value) in world.variables() {
        text.push_str(&format!("  {cyan}export {name}={}{cyan:#}\n", quote(&value.to_string_lossy())));
    }
    for names in IN_THE_WAY {
        text.push_str(&format!("  {cyan}unset {}{cyan:#}\n", names.join(" ")));
    }
    let code = format!("\"$(curl -s {})\"", mfa_code_url(world));
    for (title, lines) in [
        (
            "Then try",
            vec![
                ("akia status".to_owned(), ""),
                ("akia rotate --all-profiles --older-than 90d --yes --mfa-code ".to_owned() + &code, ""),
                ("akia rotate -p private".to_owned(), "asks first"),
                ("akia undo".to_owned(), "asks, too; then the old key is back"),
                ("akia history".to_owned(), "what was done, step by step"),
                ("akia key list --profile admin --user ann".to_owned(), ""),
            ],
        ),
        (
            "The real AWS CLI works, too",
            vec![
                ("aws sts get-caller-identity".to_owned(), ""),
                ("aws iam list-access-keys --user-name ann --profile admin".to_owned(), ""),
                ("aws iam list-users --profile deploy".to_owned(), "through a role"),
            ],
        ),
    ] {
        text.push_str(&format!("\n{bold}{title}{bold:#}\n"));
        let commented = lines.iter().filter(|(_, meaning)| !meaning.is_empty());
        let width = commented.map(|(line, _)| line.len()).max().unwrap_or(0);
        for (line, meaning) in lines {
            let comment = if meaning.is_empty() { String::new() } else { format!("   # {meaning}") };
            let padding = " ".repeat(if comment.is_empty() { 0 } else { width.saturating_sub(line.len()) });
            text.push_str(&format!("  {cyan}{line}{cyan:#}{padding}{comment}\n"));
        }
    }
    text.push_str("\nCtrl-C ends it.\n");
    text
}
