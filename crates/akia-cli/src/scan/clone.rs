//! A repository elsewhere, brought here by git to be looked at.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::context::Context;
use crate::error::CommandError;

/// Whether a word names a repository elsewhere: `https://…`, `ssh://…`, `git@host:path`.
pub(super) fn is_url(word: &str) -> bool {
    let scheme = word.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) => !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+'),
        None => {
            // As git tells them apart: a colon before any slash, and nothing of that name here.
            let host = word.split_once(':').map(|(host, _)| host);
            host.is_some_and(|host| host.contains('@') && !host.contains('/')) && !std::path::Path::new(word).exists()
        }
    }
}

/// A URL without the password that may stand in it.
pub(crate) fn shown(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed)
            if parsed.password().is_some() || !parsed.username().is_empty() && parsed.scheme().starts_with("http") =>
        {
            // A URL with a host takes both.
            let _ = parsed.set_password(None);
            let _ = parsed.set_username("");
            parsed.to_string()
        }
        Ok(_) | Err(_) => url.to_owned(),
    }
}

/// A mirror in a folder that goes away with the answer. Only transports that fetch are allowed: `ext::` would run a program.
pub(super) fn mirror(context: &Context, url: &str) -> Result<TempDir, CommandError> {
    let folder = tempfile::Builder::new()
        .prefix("akia-scan-")
        .tempdir()
        .map_err(|error| CommandError::failed(format_args!("no temporary folder can be made: {error}")))?;
    context.say(&format!("fetching {}", shown(url)));
    let progress = if context.terminal.stderr { "--progress" } else { "--quiet" };
    let asked = Command::new("git")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never"])
        .args(["clone", "--mirror", progress, "--", url])
        .arg(folder.path().join("repository.git"))
        .env("GIT_TERMINAL_PROMPT", if context.terminal.can_ask() { "1" } else { "0" })
        .stdin(if context.terminal.can_ask() { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::null())
        .status();
    match asked {
        Ok(status) if status.success() => Ok(folder),
        Ok(status) => Err(CommandError::failed(format_args!("git could not fetch {} ({status})", shown(url)))
            .next(format!("git ls-remote {}", akia_core::cheatsheet::quote(&shown(url))))),
        Err(error) => Err(CommandError::failed(format_args!("git cannot be run: {error}"))
            .next("clone it by other means, and name the folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_elsewhere_are_told_from_paths() {
        for url in
            ["https://example.com/a.git", "ssh://git@example.com/a", "git@example.com:a/b.git", "file:///srv/a.git"]
        {
            assert!(is_url(url), "{url}");
        }
        for path in ["a", "./a:b", "C:/a", "a/b@c:d", "-", "://"] {
            assert!(!is_url(path), "{path}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(shown("https://ann:hunter2@example.com/a.git"), "https://example.com/a.git");
        assert_eq!(shown("git@example.com:a.git"), "git@example.com:a.git");
    }
}
