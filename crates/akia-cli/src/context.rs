//! What a command may know of the world around it. The environment is read here, once, and passed down: no other
//! module of this crate calls `std::env`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;

use akia_core::ProfileName;
use akia_io::aws::AwsOptions;
use akia_io::files::AwsPaths;
use akia_io::profiles::AwsFiles;
use jiff::Timestamp;

use crate::args::Globals;
use crate::args::globals::ColorWhen;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{self, Canvas, Format, Report};

/// Variables that may hold a secret. They are left out of [`Environment`]; the credential provider of the AWS SDK
/// reads them where it signs.
const SECRET_VARIABLES: [&str; 3] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"];

/// The environment variables that akia looks at, without those that may hold a secret.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Set by `akia serve` for what it runs: its process id.
    pub const SERVER: &str = "AKIA_SERVER_PROCESS";

    /// Reads the environment of this process.
    #[must_use]
    pub fn read() -> Self {
        Self::new(std::env::vars_os())
    }

    /// An environment of these variables.
    pub fn new(variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let is_secret = |name: &OsStr| SECRET_VARIABLES.iter().any(|secret| name == *secret);
        Self(variables.filter(|(name, _)| !is_secret(name)).collect())
    }

    /// Without the variables of the AWS tools.
    #[must_use]
    pub fn without_aws(self) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| !name.to_string_lossy().starts_with("AWS_")).collect())
    }

    /// A variable that may hold a secret: read when it is needed to sign, and never kept.
    #[must_use]
    pub fn secret(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// The program that runs now, to run it again.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn executable() -> std::io::Result<PathBuf> {
        std::env::current_exe()
    }

    /// The path of this program, for lines that other programs run it by.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn program() -> Result<std::path::PathBuf, CommandError> {
        std::env::current_exe()
            .map_err(|error| CommandError::failed(format_args!("the path of this program is not known: {error}")))
    }

    /// The value of a variable that is set, empty or not.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value of a variable that is set and not empty.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, CommandError> {
        match self.raw(name).map(OsStr::to_str) {
            None | Some(Some("")) => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(CommandError::usage(format_args!("the environment variable {name} is not UTF-8"))),
        }
    }
}

/// Which of the three streams are a terminal, and what it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// A person can type.
    pub stdin: bool,
    /// A person reads the data.
    pub stdout: bool,
    /// A person reads the words.
    pub stderr: bool,
    /// Colours for the data.
    pub stdout_colors: bool,
    /// Colours for the words.
    pub stderr_colors: bool,
    /// Columns of stdout's terminal.
    pub width: Option<u16>,
}

impl Terminal {
    /// Looks at the streams of this process. `NO_COLOR`, `CLICOLOR` and `TERM=dumb` hold unless colours are asked for.
    #[must_use]
    pub fn detect(color: Option<ColorWhen>) -> Self {
        use anstream::{AutoStream, ColorChoice};
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        let colors = |choice: ColorChoice| match color.unwrap_or_default() {
            ColorWhen::Auto => choice != ColorChoice::Never,
            ColorWhen::On => true,
            ColorWhen::Off => false,
        };
        Self {
            stdin: std::io::stdin().is_terminal(),
            stdout: stdout.is_terminal(),
            stderr: stderr.is_terminal(),
            stdout_colors: colors(AutoStream::choice(&stdout)),
            stderr_colors: colors(AutoStream::choice(&stderr)),
            // A terminal that nobody has given a size says 0.
            width: if stdout.is_terminal() {
                comfy_table::Table::new().width().filter(|width| *width > 0)
            } else {
                None
            },
        }
    }

    /// Whether a question can be asked and answered.
    #[must_use]
    pub fn can_ask(self) -> bool {
        self.stdin && self.stderr
    }
}

/// Which profile a command works with, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileChoice {
    /// `--profile`: beats keys in the environment, as in the AWS CLI.
    Flag(ProfileName),
    /// `AWS_DEFAULT_PROFILE` or `AWS_PROFILE`: keys in the environment beat it.
    Environment(ProfileName),
    /// Nobody said anything: `default`. Keys in the environment beat it.
    Default(ProfileName),
}

impl ProfileChoice {
    /// The profile.
    #[must_use]
    pub fn name(&self) -> &ProfileName {
        match self {
            Self::Flag(name) | Self::Environment(name) | Self::Default(name) => name,
        }
    }
}

/// Which profiles a command works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// `--all-profiles`.
    All,
    /// Those named with `--profile`, each once, in the order given.
    Named(Vec<ProfileName>),
    /// None was named on the command line.
    One(ProfileChoice),
}

/// Everything a command may know of the world, apart from its own arguments.
#[derive(Debug)]
pub struct Context {
    /// The environment.
    pub environment: Environment,
    /// The terminal.
    pub terminal: Terminal,
    /// The global flags.
    pub globals: Globals,
    /// When the run began. What waits must ask its own clock.
    pub started_at: Timestamp,
}

impl Context {
    /// Puts together what was read. Variables that hold for every command are checked here.
    ///
    /// # Errors
    /// `Exit::Usage` when a variable makes no sense.
    pub fn new(environment: Environment, terminal: Terminal, globals: Globals) -> Result<Self, CommandError> {
        let context = Self { environment, terminal, globals, started_at: Timestamp::now() };
        context.aws_options()?;
        Ok(context)
    }

    /// The profiles to work with, for a command that takes several.
    ///
    /// # Errors
    /// `--all-profiles` with `--profile`; an unusable `AWS_PROFILE`.
    pub fn selection(&self, all_profiles: bool) -> Result<Selection, CommandError> {
        let mut named: Vec<ProfileName> = Vec::new();
        for profile in &self.globals.profiles {
            if !named.contains(profile) {
                named.push(profile.clone());
            }
        }
        match (all_profiles, named.is_empty()) {
            (true, false) => Err(CommandError::usage("--all-profiles and --profile exclude each other")),
            (true, true) => Ok(Selection::All),
            (false, false) => Ok(Selection::Named(named)),
            (false, true) => self.unnamed_profile().map(Selection::One),
        }
    }

    /// The profile to work with, for a command that takes one.
    ///
    /// # Errors
    /// More than one `--profile`; an unusable `AWS_PROFILE`.
    pub fn profile(&self) -> Result<ProfileChoice, CommandError> {
        match self.selection(false)? {
            Selection::One(choice) => Ok(choice),
            Selection::Named(names) => match <[ProfileName; 1]>::try_from(names) {
                Ok([name]) => Ok(ProfileChoice::Flag(name)),
                Err(_) => Err(CommandError::usage("this command takes --profile once")),
            },
            Selection::All => self.unnamed_profile(),
        }
    }

    /// The profile that a command writes when `--profile` says who signs: that of the environment, else `default`.
    ///
    /// # Errors
    /// An unusable `AWS_PROFILE`.
    pub fn unflagged_profile(&self) -> Result<ProfileName, CommandError> {
        self.unnamed_profile().map(|choice| choice.name().clone())
    }

    /// How to reach AWS: the flags over what the environment sets. The profile's own settings come in with
    /// [`AwsFiles::target`].
    ///
    /// # Errors
    /// When a variable holds no region, or an endpoint that akia would not talk to.
    pub fn aws_options(&self) -> Result<AwsOptions, CommandError> {
        let lookup = |name: &str| self.environment.raw(name).and_then(OsStr::to_str).map(str::to_owned);
        let mut options = AwsOptions::from_env(&lookup)
            .map_err(|error| CommandError::usage(format_args!("the environment variable {error}")))?;
        options.region = self.globals.region.clone().or(options.region);
        options.endpoint_url = self.globals.endpoint_url.as_ref().map(|endpoint| endpoint.url().clone());
        options.allowed_endpoints = self.globals.allowed_endpoints.clone();
        Ok(options)
    }

    /// Whether the environment brings a key of its own (`AWS_ACCESS_KEY_ID`), which beats every profile that was not
    /// named with `--profile`.
    ///
    /// # Errors
    /// When the variable is not UTF-8.
    pub fn environment_key(&self) -> Result<Option<&str>, CommandError> {
        self.environment.text("AWS_ACCESS_KEY_ID")
    }

    /// Reads both AWS files: `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE`, else those of the home folder.
    ///
    /// # Errors
    /// Names the file that cannot be read. A file that does not exist is no error.
    pub fn aws_files(&self) -> Result<AwsFiles, CommandError> {
        let paths = AwsPaths::from_env(|name| self.environment.raw(name).map(OsStr::to_owned));
        let files = paths.and_then(AwsFiles::load);
        files.map_err(|error| CommandError::failed(&error).next(error.hint()))
    }

    /// The form of the data: as asked for, else a table.
    #[must_use]
    pub fn format(&self) -> Format {
        self.globals.output.unwrap_or(Format::Table)
    }

    /// Prints a report on stdout in the form asked for.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print(&self, report: &Report) -> Result<(), CommandError> {
        let canvas = Canvas { width: self.terminal.width, colors: self.terminal.stdout_colors };
        self.print_text(&output::render(report, self.format(), canvas))
    }

    /// Prints the report of what was done. When stdout cannot be written, the error does not deny the deed.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print_done(&self, report: &Report) -> Result<(), CommandError> {
        self.print(report).map_err(|error| {
            CommandError::new(Exit::Partly, error.what).now("it is done; only the report of it could not be printed")
        })
    }

    /// Prints text on stdout as it is. A reader that has gone away is no error.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print_text(&self, text: &str) -> Result<(), CommandError> {
        printed(output::print_text(text))
    }

    /// Prints JSON on stdout while it is made, and a line break.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print_json(&self, value: &impl serde::Serialize) -> Result<(), CommandError> {
        printed(output::print_json(value))
    }

    /// Says something to the person, on stderr, escaped.
    pub fn say(&self, words: &str) {
        crate::error::print_words(&format!("{}\n", output::escape::visible(words)));
    }

    /// The profile when no flag names one. The AWS CLI reads AWS_DEFAULT_PROFILE before AWS_PROFILE, the SDKs know
    /// only AWS_PROFILE: where the two differ nobody can tell which key was meant, so nothing is done.
    fn unnamed_profile(&self) -> Result<ProfileChoice, CommandError> {
        let mut found: Option<(&str, ProfileName)> = None;
        for variable in ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"] {
            // An empty variable is an unset one in the caller's script; the AWS CLI refuses it as well.
            if self.environment.raw(variable).is_some_and(OsStr::is_empty) {
                return Err(CommandError::usage(format_args!("the environment variable {variable} is empty"))
                    .next(format!("unset {variable}, or name the profile with --profile")));
            }
            let Some(name) = self.parsed::<ProfileName>(variable)? else { continue };
            match &found {
                Some((other, first)) if *first != name => {
                    return Err(CommandError::usage(format_args!(
                        "{other} and {variable} name different profiles, {:?} and {:?}: the AWS CLI takes the first, \
                         the SDKs the second",
                        first.as_str(),
                        name.as_str()
                    ))
                    .next("unset one of them, or name the profile with --profile"));
                }
                Some(_) => {}
                None => found = Some((variable, name)),
            }
        }
        Ok(match found {
            Some((_, name)) => ProfileChoice::Environment(name),
            None => ProfileChoice::Default(ProfileName::default_name()),
        })
    }

    /// The parsed value of a variable that is set and not empty.
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, CommandError> {
        let Some(text) = self.environment.text(name)? else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(CommandError::usage(format_args!("the environment variable {name}: {error}"))),
        }
    }
}

/// A reader that has gone away is no error.
fn printed(outcome: std::io::Result<()>) -> Result<(), CommandError> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::new(Exit::Failed, format_args!("stdout cannot be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(variables: &[(&str, &str)], profiles: &[&str]) -> Result<Context, CommandError> {
        let environment = Environment::new(variables.iter().copied());
        let profiles = profiles.iter().map(|name| name.parse().unwrap()).collect();
        Context::new(environment, Terminal::default(), Globals { profiles, ..Globals::default() })
    }

    fn name(text: &str) -> ProfileName {
        text.parse().unwrap()
    }

    #[test]
    fn the_profile_is_chosen_as_the_aws_cli_does() {
        let choose = |variables: &[(&str, &str)], profiles: &[&str]| context(variables, profiles).unwrap().profile();
        assert_eq!(choose(&[], &[]), Ok(ProfileChoice::Default(name("default"))));
        assert_eq!(choose(&[("AWS_PROFILE", "a")], &[]), Ok(ProfileChoice::Environment(name("a"))));
        assert_eq!(choose(&[("AWS_DEFAULT_PROFILE", "a")], &[]), Ok(ProfileChoice::Environment(name("a"))));
        assert_eq!(choose(&[("AWS_PROFILE", "a")], &["b"]), Ok(ProfileChoice::Flag(name("b"))));
        assert_eq!(choose(&[("AWS_PROFILE", "")], &["b"]), Ok(ProfileChoice::Flag(name("b"))));
        assert_eq!(choose(&[], &["a", "a"]), Ok(ProfileChoice::Flag(name("a"))));
        let both = [("AWS_PROFILE", "a"), ("AWS_DEFAULT_PROFILE", "a")];
        assert_eq!(choose(&both, &[]), Ok(ProfileChoice::Environment(name("a"))));
    }

    #[test]
    fn profiles_that_nobody_can_mean_are_refused() {
        let refuse = |variables: &[(&str, &str)], profiles: &[&str]| {
            let error = context(variables, profiles).unwrap().profile().unwrap_err();
            assert_eq!(error.exit, Exit::Usage);
            error.what
        };
        assert_eq!(refuse(&[("AWS_PROFILE", "")], &[]), "the environment variable AWS_PROFILE is empty");
        assert_eq!(refuse(&[], &["a", "b"]), "this command takes --profile once");
        assert_eq!(
            refuse(&[("AWS_PROFILE", "a"), ("AWS_DEFAULT_PROFILE", "b")], &[]),
            "AWS_DEFAULT_PROFILE and AWS_PROFILE name different profiles, \"b\" and \"a\": the AWS CLI takes the \
             first, the SDKs the second"
        );
    }

    #[test]
    fn several_profiles_are_taken_once_each_and_not_with_all() {
        let context = context(&[("AWS_PROFILE", "ignored")], &["a", "b", "a"]).unwrap();
        assert_eq!(context.selection(false), Ok(Selection::Named(vec![name("a"), name("b")])));
        let error = context.selection(true).unwrap_err();
        assert_eq!((error.exit, error.what.as_str()), (Exit::Usage, "--all-profiles and --profile exclude each other"));
    }

    #[test]
    fn region_and_endpoint_follow_the_aws_variables() {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
            ("AWS_ENDPOINT_URL", "http://localhost:1"),
            ("AWS_ENDPOINT_URL_STS", "http://localhost:2"),
        ];
        let options = context(&variables, &[]).unwrap().aws_options().unwrap();
        assert_eq!(options.region.unwrap().as_str(), "eu-west-1");
        assert_eq!(options.environment_endpoints.sts.unwrap().as_str(), "http://localhost:2/");
        let globals = Globals {
            region: Some("eu-central-1".parse().unwrap()),
            endpoint_url: Some("http://127.0.0.1:3".parse().unwrap()),
            ..Globals::default()
        };
        let flags = Context::new(Environment::new(variables), Terminal::default(), globals).unwrap();
        let options = flags.aws_options().unwrap();
        assert_eq!(options.region.unwrap().as_str(), "eu-central-1");
        assert_eq!(options.endpoint_url.unwrap().as_str(), "http://127.0.0.1:3/");
        let ignored = [("AWS_ENDPOINT_URL", "http://far.example"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        assert!(context(&ignored, &[]).is_ok());
        let error = context(&[("AWS_REGION", "eu west")], &[]).unwrap_err();
        assert!(error.what.starts_with("the environment variable AWS_REGION: \"eu west\" is not a region"), "{error}");
    }

    #[test]
    fn secrets_of_the_environment_are_not_kept() {
        let environment = Environment::new([("AWS_SECRET_ACCESS_KEY", "canary"), ("AWS_SESSION_TOKEN", "canary")]);
        assert!(!format!("{environment:?}").contains("canary"));
    }
}
