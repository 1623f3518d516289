//! The flags that every command takes. They mean what they mean in the AWS CLI.

use akia_core::{ProfileName, Region};
use akia_io::aws::EndpointHost;
use clap::{ArgAction, Args, ValueEnum};

use super::values::{EndpointUrl, MfaCode};
use crate::output::Format;

/// Flags that may stand before or after the command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Profile of the AWS files to use; some commands take several
    ///
    /// A profile named here beats keys in the environment, as in the AWS CLI. Without it AWS_PROFILE counts, then
    /// `default`. Commands that work on several profiles take the flag several times.
    #[arg(short, long = "profile", value_name = "NAME", action = ArgAction::Append)]
    pub profiles: Vec<ProfileName>,

    /// AWS region, for example eu-west-1; beats AWS_REGION and the profile
    #[arg(short, long, value_name = "REGION")]
    pub region: Option<Region>,

    /// Send requests to this URL instead of AWS
    ///
    /// For emulators such as `akia sandbox`. Beats AWS_ENDPOINT_URL and the profile. Plain http is taken for this
    /// machine only.
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<EndpointUrl>,

    /// Change keys at this host, which is neither AWS nor this machine (repeatable)
    ///
    /// Needed where a variable (AWS_ENDPOINT_URL) or a profile (endpoint_url) sends changes to such a host: whoever runs
    /// it could hand out keys of theirs. What --endpoint-url names needs no more words, and reading needs none.
    #[arg(long = "allow-endpoint", value_name = "HOST", action = ArgAction::Append)]
    pub allowed_endpoints: Vec<EndpointHost>,

    /// Form of the data on stdout
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub output: Option<Format>,

    /// Colours: auto asks the terminal and NO_COLOR
    #[arg(long, value_name = "WHEN", value_enum)]
    pub color: Option<ColorWhen>,

    /// Code of your MFA device, instead of the question
    #[arg(long, value_name = "CODE")]
    pub mfa_code: Option<MfaCode>,

    /// Print the AWS CLI commands that do the same
    #[arg(long)]
    pub show_aws_cli: bool,

    /// Say more on stderr; -vv says everything
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The AWS CLI's words for `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorWhen {
    /// Where the terminal can and NO_COLOR is not set.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Globals {
    /// Takes in the flags of another level of the command line.
    ///
    /// # Errors
    /// Names the flag that was given on both levels although it takes one value.
    pub(super) fn merge(&mut self, more: Self) -> Result<(), &'static str> {
        let Self { profiles, region, endpoint_url, allowed_endpoints, output, color, mfa_code, show_aws_cli, verbose } =
            more;
        self.profiles.extend(profiles);
        self.allowed_endpoints.extend(allowed_endpoints);
        once(&mut self.region, region, "--region <REGION>")?;
        once(&mut self.endpoint_url, endpoint_url, "--endpoint-url <URL>")?;
        once(&mut self.output, output, "--output <FORMAT>")?;
        once(&mut self.color, color, "--color <WHEN>")?;
        once(&mut self.mfa_code, mfa_code, "--mfa-code <CODE>")?;
        self.show_aws_cli |= show_aws_cli;
        self.verbose = self.verbose.saturating_add(verbose);
        Ok(())
    }
}

fn once<T>(held: &mut Option<T>, more: Option<T>, flag: &'static str) -> Result<(), &'static str> {
    match (held.is_some(), more) {
        (true, Some(_)) => Err(flag),
        (false, more @ Some(_)) => {
            *held = more;
            Ok(())
        }
        (_, None) => Ok(()),
    }
}
