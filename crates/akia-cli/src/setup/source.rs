//! Where the key of `akia setup` comes from, when it exists already.
//!
//! Invariant: no error repeats what was typed or read: people paste the secret into the wrong field.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use akia_core::console_csv::{self, CsvError};
use akia_core::{AccessKeyId, ProfileName, SecretAccessKey, UserName};
use akia_io::files::{FileError, read_limited};
use akia_io::place::KeyPair;
use akia_io::profiles::{AwsFiles, KeyHolder, holder_of_key, kind_clause};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CommandError;
use crate::{prompt, workbench};

/// How often a mistyped id or secret is asked for again.
const TRIES: usize = 3;
/// Most that is read from standard input: two lines, and room for mistakes that are worth a message.
const LONGEST_INPUT: usize = 4096;
/// A file younger than this holds a key that AWS may not know everywhere yet.
const NEW_FILE: Duration = Duration::from_secs(300);

/// Whether AWS may not know the key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It was made moments ago.
    New,
    /// Nothing says so.
    Any,
}

/// A key out of the console's file.
pub struct FromCsv {
    /// The key.
    pub pair: KeyPair,
    /// Whose the file says it is.
    pub user: Option<UserName>,
    /// Whether it was downloaded just now.
    pub age: Age,
    /// The file itself, behind symlinks.
    pub path: PathBuf,
    /// How many other keys the file holds.
    pub others: usize,
    /// Whether a console password stands in it.
    pub password: bool,
}

/// Asks for id and secret at the terminal; without one, reads a line each from standard input.
///
/// # Errors
/// Where there is neither, or nothing usable was typed.
pub fn typed(context: &Context) -> Result<KeyPair, CommandError> {
    if !context.terminal.stdin {
        return piped(&mut std::io::stdin().lock());
    }
    if !context.terminal.can_ask() {
        return Err(nobody_types());
    }
    let id = again(context, || {
        let typed = Zeroizing::new(prompt::ask(context, "AWS access key ID: ")?);
        key_id(&typed)
    })?;
    let secret = again(context, || prompt::ask_secret("AWS secret access key (not shown): "))?;
    Ok(KeyPair { id, secret })
}

/// Id and secret as another program hands them over: two lines.
fn piped(input: &mut dyn Read) -> Result<KeyPair, CommandError> {
    // Filled to its end at once: a buffer that grows would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_INPUT));
    input
        .take(LONGEST_INPUT as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| CommandError::failed(format_args!("the key cannot be read from standard input: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CommandError::failed("standard input is not UTF-8"))?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines[..] {
        [] => Err(nobody_types()),
        [id, secret] => {
            let id = key_id(id)?;
            let secret = SecretAccessKey::parse(secret.to_owned()).map_err(CommandError::failed)?;
            Ok(KeyPair { id, secret })
        }
        _ => Err(CommandError::failed(format_args!(
            "standard input holds {}, where two are read: the access key id, then the secret access key",
            if lines.len() == 1 { "one line".to_owned() } else { format!("{} lines", lines.len()) }
        ))),
    }
}

fn nobody_types() -> CommandError {
    CommandError::decision("there is no terminal to type the key on")
        .now("nothing was changed")
        .next("akia setup PROFILE --yes < FILE (two lines: the access key id, the secret access key)")
        .next("akia setup PROFILE --from-csv FILE --yes (the file of the AWS console)")
        .next("akia setup PROFILE --create --yes (a new key)")
}

fn again<T>(context: &Context, ask: impl Fn() -> Result<T, CommandError>) -> Result<T, CommandError> {
    for _ in 1..TRIES {
        match ask() {
            Err(error) if error.exit == crate::exit::Exit::Failed => context.say(&format!("{}; once more", error.what)),
            answer => return answer,
        }
    }
    ask()
}

/// The id as typed. Temporary ids and the ids of other things are told apart.
fn key_id(typed: &str) -> Result<AccessKeyId, CommandError> {
    let no_id = || CommandError::failed("that is no access key id: it has 20 letters and digits and begins with AKIA");
    let id: AccessKeyId = typed.parse().map_err(|_| no_id())?;
    refuse_temporary(&id)?;
    // Some secrets have the form of an id, but for their length.
    if id.as_str().len() == 20 && id.as_str().starts_with("AKIA") { Ok(id) } else { Err(no_id()) }
}

/// Refuses the id of temporary credentials.
fn refuse_temporary(id: &AccessKeyId) -> Result<(), CommandError> {
    if !id.is_temporary() {
        return Ok(());
    }
    Err(CommandError::failed("that is the id of temporary credentials (ASIA…): they expire and need a session token")
        .next("use a long-term access key (AKIA…), or let the profile sign in by itself: a role, or SSO"))
}

/// Reads the file that the console offers for download.
///
/// # Errors
/// When it cannot be read, or holds no key, or several and no `user` says which.
pub fn csv(path: &Path, user: Option<&UserName>, now: SystemTime) -> Result<FromCsv, CommandError> {
    let limit = console_csv::MAX_BYTES as u64;
    let bytes = read_limited(path, limit).map_err(|error| match error {
        FileError::TooLarge { .. } => CommandError::failed(format_args!(
            "{}: longer than {limit} bytes, which is no file of the console",
            path.display()
        )),
        error => CommandError::failed(&error).next(error.hint()),
    })?;
    let Some(bytes) = bytes else {
        return Err(CommandError::failed(format_args!("{} does not exist", path.display())));
    };
    let fails = |error: CsvError| {
        let told = CommandError::failed(format_args!("{}: {error}", path.display()));
        match &error {
            CsvError::SeveralKeys { .. } | CsvError::NoSuchUser { .. } => told.next("name the user: --csv-user NAME"),
            CsvError::NoHeader { .. } | CsvError::Separator { .. } | CsvError::Utf16 => {
                told.next("use the file as the console gave it, or type the key: akia setup PROFILE")
            }
            _ => told,
        }
    };
    let keys = console_csv::parse(&bytes).map_err(fails)?;
    let others = keys.len().saturating_sub(1);
    let key = console_csv::choose(keys, user).map_err(fails)?;
    if key.root {
        return Err(super::proof::root(key.id.account().as_ref()));
    }
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header = Zeroizing::new(String::from_utf8_lossy(first_line).to_ascii_lowercase());
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let young = modified.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age < NEW_FILE);
    Ok(FromCsv {
        pair: KeyPair { id: key.id, secret: key.secret },
        user: key.user,
        age: if young { Age::New } else { Age::Any },
        path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        others,
        password: header.contains("password"),
    })
}

/// The key of another profile.
///
/// # Errors
/// When it holds none.
pub fn profile(context: &Context, files: &AwsFiles, name: &ProfileName) -> Result<KeyPair, CommandError> {
    let Some(profile) = files.profiles().find(name) else {
        return Err(CommandError::failed(format_args!("there is no profile \"{name}\" in {}", files.searched()))
            .next("akia status (the profiles that there are)"));
    };
    match holder_of_key(files.profiles(), profile) {
        KeyHolder::File { profile: holder, id } => {
            let held = files.profiles().find(holder).and_then(|profile| profile.keys.first());
            let kind = held.map(|key| key.file).ok_or_else(|| no_key(name, "holds no key"))?;
            let secret = files.secret(holder, kind).map_err(|reason| {
                CommandError::failed(format_args!("the key of profile \"{name}\" cannot be read: {reason}"))
            })?;
            Ok(KeyPair { id: id.clone(), secret })
        }
        KeyHolder::Keychain { profile: holder } => keychain_pair(context, holder)?
            .ok_or_else(|| no_key(name, "points at the keychain, which holds no key for it")),
        KeyHolder::None { instead: Some(instead) } => Err(no_key(name, &kind_clause(&profile.kind))
            .next(format!("--from-profile {}", akia_core::cheatsheet::quote(instead.as_str())))),
        KeyHolder::None { instead: None } => Err(no_key(name, &kind_clause(&profile.kind))),
    }
}

/// What the keychain holds for a profile.
///
/// # Errors
/// Where there is no keychain, or it refuses.
pub fn keychain_pair(context: &Context, profile: &ProfileName) -> Result<Option<KeyPair>, CommandError> {
    let keychain = workbench::keychain_opener(context)().map_err(|none| CommandError::failed(&none).next(none.hint))?;
    akia_io::place::pair_in(&keychain, profile).map_err(|error| CommandError::failed(&error).next(error.hint()))
}

fn no_key(name: &ProfileName, why: &str) -> CommandError {
    CommandError::failed(format_args!("profile \"{name}\" {why}: there is no access key to copy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_of_standard_input_are_a_key_and_nothing_else_is() {
        const ID: &str = "AKIAIOSFODNN7EXAMPLE";
        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let parse = |text: &str| SecretAccessKey::parse(text.to_owned()).ok().unwrap();
        for text in [format!("{ID}\n{SECRET}"), format!("\r\n {ID} \r\n\r\n{SECRET}\r\n")] {
            let pair = piped(&mut text.as_bytes()).unwrap();
            assert!(pair.matches(&KeyPair { id: ID.parse().unwrap(), secret: parse(SECRET) }));
        }
        let what = |text: String| piped(&mut text.as_bytes()).err().unwrap().what;
        assert_eq!(what(String::new()), "there is no terminal to type the key on");
        assert!(what(SECRET.to_owned()).starts_with("standard input holds one line, where two are read"));
        assert!(what(format!("{ID}\n{SECRET}\ntoken\n")).starts_with("standard input holds 3 lines"));
        assert!(what(format!("{SECRET}\n{ID}\n")).starts_with("that is no access key id"));
        assert_eq!(piped(&mut [0xff, 0xfe].as_slice()).err().unwrap().what, "standard input is not UTF-8");
    }

    #[test]
    fn what_was_typed_is_never_repeated() {
        for typed in [
            "",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AKIA",
            "AKIAIOSFODNN7EXAMPLE AKIA",
            "wJalrXUtnFEMIbK7MDENGcbPxRfiCYEXAMPLEKEY",
        ] {
            let error = key_id(typed).unwrap_err().to_string();
            // The prefix stands in the words themselves.
            assert!(typed.len() <= "AKIA".len() || !error.contains(typed), "{error}");
            assert!(error.contains("that is no access key id"), "{error}");
        }
        assert!(key_id("ASIAIOSFODNN7EXAMPLE").unwrap_err().what.contains("temporary credentials"));
        assert_eq!(key_id("AKIAIOSFODNN7EXAMPLE").unwrap().as_str(), "AKIAIOSFODNN7EXAMPLE");
    }
}
