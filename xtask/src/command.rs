//! Starting programs: never with our standard input, and every failure names the command.

use crate::folders;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// A command in the repository's root, its output going where ours goes.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folders::root()).stdin(Stdio::null());
    command
}

/// What ships, and what a plain build leaves out for its weight: one set everywhere, so that everything is built once.
pub(crate) const FEATURES: &str = "--features=akia-cli/usage";

/// Cargo itself: the one that runs us, so that the toolchain stays the same.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    // Set by cargo for this program alone. A child cargo that sees them takes what depends on them for changed: ring's
    // build script asks for CARGO_PKG_VERSION_MAJOR, and everything above TLS is built again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_this_program) {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_this_program(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|prefix| variable.starts_with(prefix))
}

/// Runs to the end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("    $ {}", shown(command));
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// Runs to the end without showing output; gives standard output and standard error, and whether it succeeded.
pub(crate) fn capture(command: &mut Command) -> Result<(bool, String), String> {
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", shown(command)))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text))
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    if let Some(name) = std::path::Path::new(command.get_program()).file_name() {
        text = name.to_string_lossy().into_owned();
    }
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::ffi::OsString;

    /// `cargo xtask test` and `cargo test` took turns in building everything above TLS again.
    #[test]
    fn a_child_cargo_sees_nothing_that_was_set_for_this_program() {
        assert!(std::env::var_os("CARGO_PKG_VERSION_MAJOR").is_some(), "cargo sets it for its tests as for xtask");
        let removed: BTreeSet<OsString> =
            cargo(&[]).get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name.to_owned()).collect();
        for name in ["CARGO_PKG_VERSION_MAJOR", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(removed.contains(&OsString::from(name)), "{name} is handed on");
        }
    }
}
