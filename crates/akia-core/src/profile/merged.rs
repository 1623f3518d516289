//! The merged view of both files: what each profile is, as the AWS CLI would take it.
//!
//! Invariant: no secret stands in these types. A profile that both readers do not see alike carries its [`Trouble`],
//! and what is shown of it is the AWS CLI's reading.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::FileKind;
use super::disagreement::{Difference, Disagreement, Problem, SeenBy};
use super::file::File;
use super::readers::{Entry, Reading, SeenAs, block_lines};
use crate::ids::{AccessKeyId, ProfileName, Region};
use crate::secret::SecretAccessKey;

/// Every profile of both files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profiles {
    profiles: Vec<Profile>,
    by_name: HashMap<ProfileName, usize>,
    problems: Vec<Problem>,
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// Where its credentials come from.
    pub kind: ProfileKind,
    /// The long-term keys that stand in it, whatever its kind, the one that tools take first: a role profile may hold
    /// its own source key, and a key in the config file may stand in the shadow of one in the credentials file.
    pub keys: Vec<HeldKey>,
    /// `region`, if it is one.
    pub region: Option<Region>,
    /// `output`.
    pub output: Option<String>,
    /// `mfa_serial`, or aws-mfa's `aws_mfa_device`.
    pub mfa_serial: Option<String>,
    /// `endpoint_url`, for all services.
    pub endpoint_url: Option<String>,
    /// `endpoint_url` for single services, from the `services` section that the profile names.
    pub service_endpoints: BTreeMap<String, String>,
    /// Line of its section in the credentials file.
    pub credentials_line: Option<usize>,
    /// Line of its section in the config file.
    pub config_line: Option<usize>,
    /// Who sees it.
    pub seen_by: SeenBy,
    /// What forbids to edit it.
    pub trouble: Option<Trouble>,
    /// All merged settings on one line by key, without secrets and `credential_process`.
    pub values: Settings,
}

/// Where the credentials of a profile come from, in the order of the AWS CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileKind {
    /// A long-term key. The secret is had with [`super::secret_of`].
    StaticKey {
        /// Its id.
        id: AccessKeyId,
        /// The file that holds both halves.
        file: FileKind,
    },
    /// Temporary credentials with a session token.
    Temporary {
        /// Their id.
        id: AccessKeyId,
        /// The file that holds them.
        file: FileKind,
        /// The profile `NAME-long-term` that holds the long-term key, in the layout of aws-mfa.
        long_term: Option<ProfileName>,
    },
    /// IAM Identity Center.
    Sso {
        /// Name of the `sso-session` section; without one it is the legacy form.
        session: Option<String>,
        /// Start URL, from the session where there is one.
        start_url: Option<String>,
        /// Region of Identity Center, from the session where there is one.
        region: Option<String>,
        /// Account.
        account: Option<String>,
        /// Permission set.
        role: Option<String>,
    },
    /// A role to assume.
    Role {
        /// Its ARN.
        role_arn: String,
        /// Whose credentials assume it.
        source: RoleSource,
        /// MFA device for it.
        mfa_serial: Option<String>,
        /// External id.
        external_id: Option<String>,
        /// Length of the session in seconds. A value that is no number is passed over, as the AWS CLI does.
        duration_seconds: Option<u32>,
        /// Name of the session.
        role_session_name: Option<String>,
    },
    /// A role assumed with a token of an identity provider.
    WebIdentity {
        /// Its ARN; the profile is incomplete without it.
        role_arn: Option<String>,
        /// Path of the token.
        token_file: String,
    },
    /// A program that prints credentials.
    CredentialProcess {
        /// Its command line.
        command: Command,
    },
    /// A session of `aws login`.
    Login {
        /// `login_session`.
        session: String,
    },
    /// Half a key.
    IncompleteKey {
        /// The half that is missing.
        missing: KeyHalf,
        /// The file that has the other one.
        file: FileKind,
    },
    /// A key that AWS cannot have issued.
    BadKey {
        /// What is wrong with it, without repeating it.
        reason: String,
        /// The file that holds it.
        file: FileKind,
    },
    /// No credentials: only settings, or nothing.
    Empty,
}

/// Whose credentials assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleSource {
    /// `source_profile`; it may be the profile itself.
    Profile(ProfileName),
    /// `credential_source`: `Environment`, `Ec2InstanceMetadata` or `EcsContainer`.
    Credential(String),
    /// The AWS CLI refuses it: both, neither, or a name that no profile can have.
    Invalid {
        /// What is wrong.
        reason: &'static str,
    },
}

/// A half of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyHalf {
    /// `aws_access_key_id`.
    Id,
    /// `aws_secret_access_key`.
    Secret,
}

impl KeyHalf {
    /// The key in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => ID,
            Self::Secret => SECRET,
        }
    }
}

impl fmt::Display for KeyHalf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A long-term key that stands in a profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldKey {
    /// Its id.
    pub id: AccessKeyId,
    /// The file that holds both halves.
    pub file: FileKind,
}

/// A long-term key and every profile that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Where it stands, in the order of the profiles.
    pub places: Vec<(ProfileName, FileKind)>,
}

/// A command line, which may hold secrets: `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Command(String);

impl Command {
    /// The command line itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Command({} bytes)", self.0.len())
    }
}

/// Settings by key. `Debug` shows the keys only: other tools keep passwords there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The value of a key, which is in lower case.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// What forbids to edit a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A line that makes a reader refuse the whole file, and so every profile of both.
    #[error("{0}")]
    Problem(Problem),
    /// The readers do not agree on it.
    #[error(transparent)]
    Disagreement(Disagreement),
}

impl Profiles {
    /// Reads both files together. Settings in the credentials file win; the two halves of a key never mix.
    #[must_use]
    pub fn merge(credentials: Option<&File>, config: Option<&File>) -> Self {
        let files = Files { credentials, config };
        let mut names: Vec<ProfileName> = Vec::new();
        let mut by_name: HashMap<ProfileName, usize> = HashMap::new();
        for name in files.iter().flat_map(File::profiles) {
            if !by_name.contains_key(&name) {
                by_name.insert(name.clone(), names.len());
                names.push(name);
            }
        }
        if let Some(&index) = by_name.get(&ProfileName::default_name()) {
            names[..=index].rotate_right(1);
        }
        let by_name: HashMap<_, _> = names.iter().cloned().enumerate().map(|(index, name)| (name, index)).collect();
        let mut profiles: Vec<Profile> = names.into_iter().map(|name| files.profile(name)).collect();
        let long_terms: Vec<Option<ProfileName>> = profiles
            .iter()
            .map(|profile| {
                let name: ProfileName = format!("{}-long-term", profile.name).parse().ok()?;
                let held = profiles.get(*by_name.get(&name)?)?;
                matches!(held.kind, ProfileKind::StaticKey { .. }).then_some(name)
            })
            .collect();
        for (profile, found) in profiles.iter_mut().zip(long_terms) {
            if let ProfileKind::Temporary { long_term, .. } = &mut profile.kind {
                *long_term = found;
            }
        }
        let problems = files.iter().flat_map(File::problems).cloned().collect();
        Self { profiles, by_name, problems }
    }

    /// All profiles: `default` first, then those of the credentials file, then those of the config file, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// The profile of a name.
    #[must_use]
    pub fn find(&self, name: &ProfileName) -> Option<&Profile> {
        self.profiles.get(*self.by_name.get(name)?)
    }

    /// What makes a reader refuse one of the files.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Every long-term key once, with all profiles that hold it, in the order of the profiles.
    #[must_use]
    pub fn sharing_key(&self) -> Vec<SharedKey> {
        let mut groups: Vec<SharedKey> = Vec::new();
        let mut index_of: HashMap<&AccessKeyId, usize> = HashMap::new();
        for profile in &self.profiles {
            for key in &profile.keys {
                let index = *index_of.entry(&key.id).or_insert_with(|| {
                    groups.push(SharedKey { id: key.id.clone(), places: Vec::new() });
                    groups.len() - 1
                });
                groups[index].places.push((profile.name.clone(), key.file));
            }
        }
        groups
    }
}

impl Profile {
    /// The URL that requests to a service go to, if the profile sets one. `service` is AWS's own identifier in lower
    /// case with underscores, for example `iam`.
    #[must_use]
    pub fn endpoint_of(&self, service: &str) -> Option<&str> {
        self.service_endpoints.get(service).or(self.endpoint_url.as_ref()).map(String::as_str)
    }
}

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";
/// botocore reads it too, and first; the SDK does not know it.
const OLD_TOKEN: &str = "aws_security_token";
/// Kept out of [`Settings`].
const HIDDEN: [&str; 4] = [SECRET, TOKEN, OLD_TOKEN, "credential_process"];

/// The two files.
struct Files<'a> {
    credentials: Option<&'a File>,
    config: Option<&'a File>,
}

/// One file's view of one profile.
struct View<'a> {
    file: &'a File,
    cli: Option<Keys<'a>>,
    sdk: Option<Keys<'a>>,
}

/// What a reader sees of a profile in a file.
struct Keys<'a> {
    text: &'a str,
    reading: &'a Reading,
    own: HashMap<Cow<'a, str>, &'a Entry>,
}

impl<'a> Keys<'a> {
    fn of(file: &'a File, reading: &'a Reading, name: &ProfileName) -> Option<Self> {
        let own = || reading.own_entries(file.text(), name.as_str());
        reading.sees(name.as_str()).then(|| Self { text: file.text(), reading, own: own() })
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        let entry = self.own.get(key).copied().or_else(|| self.reading.inherited_entry(key))?;
        Some(entry.value(self.text))
    }
}

impl<'a> View<'a> {
    fn of(file: &'a File, name: &ProfileName) -> Self {
        Self { file, cli: Keys::of(file, file.cli(), name), sdk: Keys::of(file, file.sdk(), name) }
    }

    /// The CLI's value, or the SDK's where it alone sees the profile.
    fn value(&self, key: &str) -> Option<&'a str> {
        self.cli.as_ref().or(self.sdk.as_ref())?.value(key)
    }

    /// Line of the profile's section.
    fn line(&self, name: &ProfileName) -> Option<usize> {
        self.file.line_of(name)
    }
}

impl<'a> Files<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a File> + use<'a> {
        [self.credentials, self.config].into_iter().flatten()
    }

    fn profile(&self, name: ProfileName) -> Profile {
        let credentials = self.credentials.map(|file| View::of(file, &name));
        let config = self.config.map(|file| View::of(file, &name));
        let views = Views { credentials: credentials.as_ref(), config: config.as_ref() };
        let text = |key: &str| views.text(key);
        let line = |view: Option<&View<'_>>| view.and_then(|view| view.line(&name));
        let trouble = self.trouble(&views, &name);
        let keys = views.held_keys();
        let kind = self.kind(&views);
        Profile {
            kind,
            keys,
            region: views.value("region").and_then(|region| region.parse().ok()),
            output: text("output"),
            mfa_serial: text("mfa_serial").or_else(|| text("aws_mfa_device")),
            endpoint_url: text("endpoint_url"),
            service_endpoints: text("services").map(|services| self.service_endpoints(&services)).unwrap_or_default(),
            credentials_line: line(views.credentials),
            config_line: line(views.config),
            seen_by: views.seen_by(),
            trouble,
            values: views.settings(),
            name,
        }
    }

    /// The settings of a section other than a profile, as the AWS CLI sees them; it must be in the config file.
    fn section(&self, wanted: &SeenAs) -> Option<(&'a str, &'a [Entry])> {
        let file = self.config?;
        let section = file.cli().named(wanted)?;
        Some((file.text(), &section.entries))
    }

    fn service_endpoints(&self, services: &str) -> BTreeMap<String, String> {
        let Some((text, entries)) = self.section(&SeenAs::Services(services.to_owned())) else {
            return BTreeMap::new();
        };
        let url = |entry: &Entry| {
            let lines = block_lines(entry.value(text)).filter_map(|line| line.split_once('='));
            let found =
                lines.filter(|(key, _)| key.trim() == "endpoint_url").map(|(_, url)| url.trim().to_owned()).last();
            found.filter(|url| !url.is_empty()).map(|url| (entry.name(text).into_owned(), url))
        };
        entries.iter().filter(|entry| entry.is_block()).filter_map(url).collect()
    }

    fn kind(&self, views: &Views<'_, 'a>) -> ProfileKind {
        let text = |key: &str| views.text(key);
        match views.cli_provider() {
            Provider::Role => ProfileKind::Role {
                role_arn: text("role_arn").unwrap_or_default(),
                source: match (text("source_profile"), text("credential_source")) {
                    (Some(source), None) => match source.parse() {
                        Ok(source) => RoleSource::Profile(source),
                        Err(_) => RoleSource::Invalid { reason: "source_profile is not the name of a profile" },
                    },
                    (None, Some(source)) => RoleSource::Credential(source),
                    (Some(_), Some(_)) => {
                        RoleSource::Invalid { reason: "both source_profile and credential_source are set" }
                    }
                    (None, None) => {
                        RoleSource::Invalid { reason: "neither source_profile nor credential_source is set" }
                    }
                },
                mfa_serial: text("mfa_serial"),
                external_id: text("external_id"),
                duration_seconds: text("duration_seconds").and_then(|seconds| seconds.trim().parse().ok()),
                role_session_name: text("role_session_name"),
            },
            Provider::WebIdentity => ProfileKind::WebIdentity {
                role_arn: text("role_arn"),
                token_file: text("web_identity_token_file").unwrap_or_default(),
            },
            Provider::Sso => self.sso(views),
            Provider::Key(file) => views.key_kind(file),
            Provider::Login => ProfileKind::Login { session: text("login_session").unwrap_or_default() },
            Provider::Process => {
                ProfileKind::CredentialProcess { command: Command(text("credential_process").unwrap_or_default()) }
            }
            Provider::Source | Provider::Nothing => {
                // A secret alone, and settings of Identity Center without an account, give the AWS CLI no credentials.
                let secret = views.iter().find(|view| view.value(SECRET).is_some());
                match secret {
                    Some(view) => ProfileKind::IncompleteKey { missing: KeyHalf::Id, file: view.file.kind() },
                    None if text("sso_session").or_else(|| text("sso_start_url")).is_some() => self.sso(views),
                    None => ProfileKind::Empty,
                }
            }
        }
    }

    fn sso(&self, views: &Views<'_, 'a>) -> ProfileKind {
        let text = |key: &str| views.text(key);
        let session = text("sso_session");
        let in_session = |key: &str| {
            let (text, entries) = self.section(&SeenAs::SsoSession(session.clone()?))?;
            let entry = entries.iter().find(|entry| entry.name(text) == key)?;
            Some(entry.value(text).to_owned())
        };
        ProfileKind::Sso {
            start_url: in_session("sso_start_url").or_else(|| text("sso_start_url")),
            region: in_session("sso_region").or_else(|| text("sso_region")),
            account: text("sso_account_id"),
            role: text("sso_role_name"),
            session,
        }
    }

    /// The first reason not to edit a profile.
    fn trouble(&self, views: &Views<'_, 'a>, name: &ProfileName) -> Option<Trouble> {
        if let Some(problem) = self.iter().flat_map(File::problems).next() {
            return Some(Trouble::Problem(problem.clone()));
        }
        let within_a_file = self.iter().find_map(|file| file.disagreement(name));
        let across_files = || {
            let (sdk_sees, cli_sees) = (views.any(|view| view.sdk.is_some()), views.any(|view| view.cli.is_some()));
            let difference = (sdk_sees && cli_sees).then(|| views.difference()).flatten()?;
            let found = views.iter().find_map(|view| Some((view.file.kind(), view.line(name)?)));
            let (file, line) = found.unwrap_or((FileKind::Credentials, 1));
            Some(Disagreement { file, profile: name.clone(), line, difference })
        };
        within_a_file.or_else(across_files).map(Trouble::Disagreement)
    }
}

/// Where a reader takes the credentials of a profile from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Role,
    WebIdentity,
    Sso,
    /// The key in this file.
    Key(FileKind),
    Login,
    Process,
    /// `credential_source` without a role, which the SDK alone goes by.
    Source,
    Nothing,
}

impl Provider {
    fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role_arn",
            Self::WebIdentity => "web_identity_token_file",
            Self::Sso => "the sso_ settings",
            Self::Key(FileKind::Credentials) => "the key in the credentials file",
            Self::Key(FileKind::Config) => "the key in the config file",
            Self::Login => "login_session",
            Self::Process => "credential_process",
            Self::Source => "credential_source",
            Self::Nothing => "nowhere",
        }
    }
}

/// One profile in both files.
struct Views<'v, 'a> {
    credentials: Option<&'v View<'a>>,
    config: Option<&'v View<'a>>,
}

impl<'v, 'a> Views<'v, 'a> {
    fn iter(&self) -> impl Iterator<Item = &'v View<'a>> + use<'v, 'a> {
        [self.credentials, self.config].into_iter().flatten()
    }

    fn any(&self, test: impl Fn(&View<'a>) -> bool) -> bool {
        self.iter().any(test)
    }

    /// The merged value: the credentials file wins.
    fn value(&self, key: &str) -> Option<&'a str> {
        self.iter().find_map(|view| view.value(key))
    }

    /// The merged value of a setting that is one line of text.
    fn text(&self, key: &str) -> Option<String> {
        self.value(key).filter(|value| !value.is_empty() && !value.contains('\n')).map(str::to_owned)
    }

    fn seen_by(&self) -> SeenBy {
        match (self.any(|view| view.sdk.is_some()), self.any(|view| view.cli.is_some())) {
            (true, false) => SeenBy::SdkOnly,
            (false, true) => SeenBy::CliOnly,
            (true, true) | (false, false) => SeenBy::Both,
        }
    }

    fn settings(&self) -> Settings {
        let mut merged = BTreeMap::new();
        // The credentials file comes last, so that it wins.
        for keys in
            [self.config, self.credentials].into_iter().flatten().filter_map(|v| v.cli.as_ref().or(v.sdk.as_ref()))
        {
            for (key, entry) in &keys.own {
                if entry.more.is_none() && !HIDDEN.contains(&key.as_ref()) {
                    merged.insert(key.clone().into_owned(), entry.value(keys.text).to_owned());
                } else {
                    // A block hides the other file's value too.
                    merged.remove(key.as_ref());
                }
            }
        }
        Settings(merged)
    }

    /// The order of botocore's `ProfileProviderBuilder`, with the role before it.
    fn cli_provider(&self) -> Provider {
        let has = |key: &str| self.value(key).is_some();
        let key_in = |view: Option<&View<'a>>| view.is_some_and(|view| view.value(ID).is_some());
        if has("web_identity_token_file") {
            Provider::WebIdentity
        } else if has("role_arn") {
            Provider::Role
        } else if has("sso_account_id") || has("sso_role_name") {
            Provider::Sso
        } else if key_in(self.credentials) {
            Provider::Key(FileKind::Credentials)
        } else if has("login_session") {
            Provider::Login
        } else if has("credential_process") {
            Provider::Process
        } else if key_in(self.config) {
            Provider::Key(FileKind::Config)
        } else {
            Provider::Nothing
        }
    }

    /// The order of `aws_config::profile::credentials::repr`.
    fn sdk_provider(&self) -> Provider {
        let source = |key: &str| self.sdk_source(key);
        let has = |key: &str| source(key).is_some();
        let sso = ["sso_account_id", "sso_region", "sso_role_name", "sso_start_url", "sso_session"];
        if has("web_identity_token_file") {
            Provider::WebIdentity
        } else if has("role_arn") {
            Provider::Role
        } else if has("credential_source") {
            Provider::Source
        } else if sso.into_iter().any(has) {
            Provider::Sso
        } else if has("login_session") {
            Provider::Login
        } else if has("credential_process") {
            Provider::Process
        } else {
            source(ID).or_else(|| source(SECRET)).map_or(Provider::Nothing, Provider::Key)
        }
    }

    /// The file that the SDK takes a key from.
    fn sdk_source(&self, key: &str) -> Option<FileKind> {
        let sees = |view: &&View<'a>| view.sdk.as_ref().is_some_and(|keys| keys.value(key).is_some());
        self.iter().find(sees).map(|view| view.file.kind())
    }

    /// What the readers make of the profile differently, though they agree on each file by itself.
    fn difference(&self) -> Option<Difference> {
        let cli_has = |view: Option<&View<'a>>, key: &str| {
            view.and_then(|view| view.cli.as_ref()).is_some_and(|keys| keys.value(key).is_some())
        };
        let cli_file = [(self.credentials, FileKind::Credentials), (self.config, FileKind::Config)]
            .into_iter()
            .find(|&(view, _)| cli_has(view, ID));
        let whole_for_sdk = self.sdk_source(ID).is_some() && self.sdk_source(SECRET).is_some();
        if cli_file.is_some() || whole_for_sdk {
            for key in [ID, SECRET, TOKEN] {
                let sdk = self.sdk_source(key);
                let cli = cli_file.filter(|&(view, _)| cli_has(view, key)).map(|(_, file)| file);
                if sdk != cli {
                    return Some(Difference::KeyFiles { key, sdk, cli });
                }
            }
        }
        let (sdk, cli) = (self.sdk_provider(), self.cli_provider());
        // Without a key, an account or a program, what is there gives neither of them credentials.
        let nothing_for_cli = cli == Provider::Nothing;
        (sdk != cli && !nothing_for_cli).then_some(Difference::Provider { sdk: sdk.as_str(), cli: cli.as_str() })
    }

    fn key_kind(&self, file: FileKind) -> ProfileKind {
        let view = self.iter().find(|view| view.file.kind() == file);
        let value = |key: &str| view.and_then(|view| view.value(key));
        let (id, secret) = (value(ID).unwrap_or_default(), value(SECRET).unwrap_or_default());
        let bad = |reason: String| ProfileKind::BadKey { reason, file };
        if id.is_empty() && secret.is_empty() {
            return bad(format!("{ID} is empty"));
        }
        if id.is_empty() {
            return ProfileKind::IncompleteKey { missing: KeyHalf::Id, file };
        }
        if secret.is_empty() {
            return ProfileKind::IncompleteKey { missing: KeyHalf::Secret, file };
        }
        let Ok(id) = id.parse::<AccessKeyId>() else {
            return bad(format!("{ID} is not an access key id (16 to 128 letters and digits)"));
        };
        if let Err(error) = SecretAccessKey::parse(secret.to_owned()) {
            return bad(error.to_string());
        }
        let token = [TOKEN, OLD_TOKEN].into_iter().any(|key| value(key).is_some_and(|token| !token.is_empty()));
        if token || id.is_temporary() {
            ProfileKind::Temporary { id, file, long_term: None }
        } else {
            ProfileKind::StaticKey { id, file }
        }
    }

    /// The long-term keys in the profile, whatever its kind.
    fn held_keys(&self) -> Vec<HeldKey> {
        self.iter()
            .filter(|view| view.value(ID).is_some())
            .filter_map(|view| {
                let ProfileKind::StaticKey { id, file } = self.key_kind(view.file.kind()) else { return None };
                Some(HeldKey { id, file })
            })
            .collect()
    }
}
