//! `akia setup`: put a key into a profile and prove it.

use std::path::PathBuf;

use akia_core::{ProfileName, UserName};
use clap::{Args, ValueEnum};

use super::Consent;

/// Put a key into a profile: typed, from the console's CSV file, or newly created
///
/// The key is checked with AWS before anything is written. Then the secret goes to the credentials file (or to the
/// keychain of this machine) and the region and output format to the config file, both readable by you alone. A root
/// key is refused. Without --from-csv and --create, akia asks for the key without showing it.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia setup", "ask for the key of the default profile"),
    ("akia setup work --region eu-west-1", "ask for the key of profile `work`"),
    ("akia setup work --from-csv alice_accessKeys.csv --delete-csv", "take it from the console's file"),
    ("akia setup work --create --profile admin --user alice", "create a key for alice, signed by `admin`"),
    ("akia setup work --store keychain", "keep the secret out of the files"),
]))]
pub struct SetupArgs {
    /// Profile to write [default: AWS_PROFILE, else default]
    #[arg(value_name = "PROFILE")]
    pub target: Option<ProfileName>,

    /// Take the key from a CSV file of the AWS console
    #[arg(long, value_name = "FILE", conflicts_with = "create")]
    pub from_csv: Option<PathBuf>,

    /// Delete the CSV file once the key is stored and read back
    #[arg(long, requires = "from_csv")]
    pub delete_csv: bool,

    /// Take the key of this user, where the CSV file has several
    #[arg(long, value_name = "NAME", requires = "from_csv")]
    pub csv_user: Option<String>,

    /// Create a new key, for yourself or for --user
    #[arg(long)]
    pub create: bool,

    /// IAM user that the new key is for [default: yourself]
    #[arg(long, value_name = "NAME", requires = "create")]
    pub user: Option<UserName>,

    /// Output format that the AWS CLI shall use with this profile
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub default_output: Option<AwsOutput>,

    /// Where the secret is kept
    #[arg(long, value_name = "STORE", value_enum, default_value_t = SecretStore::File)]
    pub store: SecretStore,

    /// Replace the key that the profile holds now
    #[arg(long)]
    pub replace: bool,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Where `setup` keeps the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SecretStore {
    /// In the credentials file.
    File,
    /// In the keychain of this machine; the profile gets a `credential_process`.
    Keychain,
}

/// The values of `output` in the AWS config file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AwsOutput {
    /// JSON, the AWS CLI's default.
    Json,
    /// Tab-separated.
    Text,
    /// For people.
    Table,
    /// YAML.
    Yaml,
    /// YAML, streamed.
    YamlStream,
    /// Nothing; AWS CLI 2.
    Off,
}

impl AwsOutput {
    /// The value as it stands in the config file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Table => "table",
            Self::Yaml => "yaml",
            Self::YamlStream => "yaml-stream",
            Self::Off => "off",
        }
    }
}
