//! akia as the pre-commit hook of a repository.

use std::path::PathBuf;
use std::process::Command;

use clap::{Args, Subcommand};

use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::exit::Exit;

/// Whose hook it is: the line by which akia knows its own.
const MARK: &str = "# Installed by akia scan hook install; akia scan hook uninstall takes it out.";

/// What to do with the hook.
#[derive(Debug, Args)]
pub struct HookArgs {
    /// What.
    #[command(subcommand)]
    pub act: HookVerb,
}

/// What to do with the hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum HookVerb {
    /// Scan each commit of this repository before it is made
    Install,
    /// Take the hook out
    Uninstall,
}

/// Runs the command.
///
/// # Errors
/// When there is no repository here, or its hook is somebody else's.
pub(crate) fn run(context: &Context, args: &HookArgs) -> Result<Exit, CommandError> {
    let path = hook_path()?;
    let there = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(CommandError::failed(format_args!("{} cannot be read: {error}", path.display()))),
    };
    let is_ours = there.as_deref().is_some_and(|text| text.lines().any(|line| line == MARK));
    match (args.act, there.is_some(), is_ours) {
        (HookVerb::Install, true, false) => {
            let program = Environment::program()?;
            Err(CommandError::failed(format_args!("{} is a hook of somebody else", path.display()))
                .next(format!("add this line to it: {} || exit $?", command(&program))))
        }
        (HookVerb::Install, ..) => {
            let program = Environment::program()?;
            install(&path, &format!("#!/bin/sh\n{MARK}\nexec {}\n", command(&program)))?;
            context.say(&format!("installed: {}; git commit --no-verify passes it by", path.display()));
            Ok(Exit::Done)
        }
        (HookVerb::Uninstall, _, true) => {
            std::fs::remove_file(&path)
                .map_err(|error| CommandError::failed(format_args!("{} cannot be removed: {error}", path.display())))?;
            context.say(&format!("removed: {}", path.display()));
            Ok(Exit::Done)
        }
        (HookVerb::Uninstall, true, false) => {
            Err(CommandError::failed(format_args!("{} is not akia's", path.display())))
        }
        (HookVerb::Uninstall, false, _) => {
            context.say("there is no pre-commit hook here");
            Ok(Exit::Done)
        }
    }
}

fn command(program: &std::path::Path) -> String {
    format!("{} scan --staged", akia_core::cheatsheet::quote(&program.to_string_lossy()))
}

/// Where git looks for the hook: `core.hooksPath` counts, and a linked working tree has the hooks of its repository.
fn hook_path() -> Result<PathBuf, CommandError> {
    let no_git = |error: std::io::Error| {
        CommandError::failed(format_args!("git cannot be run: {error}")).next("install git: its hooks need it")
    };
    let asked = Command::new("git").args(["rev-parse", "--git-path", "hooks/pre-commit"]).output().map_err(no_git)?;
    if !asked.status.success() {
        let said = String::from_utf8_lossy(&asked.stderr);
        return Err(CommandError::failed(format_args!("this folder is in no git repository: {}", said.trim())));
    }
    let path = String::from_utf8_lossy(&asked.stdout);
    Ok(PathBuf::from(path.trim_end_matches('\n')))
}

fn install(path: &std::path::Path, text: &str) -> Result<(), CommandError> {
    let failed =
        |error: std::io::Error| CommandError::failed(format_args!("{} cannot be written: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    Ok(())
}
