//! `akia sandbox`: a small AWS on this machine, to practise on.

use std::path::PathBuf;

use clap::Args;

/// Run a small AWS on this machine, with made-up AWS files to practise on
///
/// Starts IAM and STS on a free port of this machine, writes a made-up ~/.aws into a folder of its own, and prints the
/// lines that point akia and the AWS CLI at them. Your own files and your own AWS are not touched. Ends with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia sandbox", "on a free port, in a temporary folder"),
    ("akia sandbox --port 4566 --folder ./practice", "on this port, in a folder that stays"),
]))]
pub struct SandboxArgs {
    /// Port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// Folder for the made-up AWS files; it must be empty or absent [default: a temporary one]
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}
