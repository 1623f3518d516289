//! A key that AWS does not list for the user: mistyped, somebody else's, or gone.

use akia_core::{AccessKey, AccessKeyId};

use super::subject::Subject;
use crate::error::CommandError;

/// Length of every key id that AWS issues.
const ID_LENGTH: usize = 20;
/// Characters in which a mistyped id may differ.
const SLIPS: usize = 3;

/// Says what the key is instead, as far as can be found out. `act` is the command, for example `key delete`.
pub async fn refuse(subject: &Subject, act: &str, key: &AccessKeyId, keys: &[AccessKey]) -> CommandError {
    let whose = &subject.whose;
    let (user, flag) = (&whose.user, whose.flag());
    if let Some(meant) = keys.iter().map(|key| &key.id).find(|listed| is_slip(key.as_str(), listed.as_str())) {
        return CommandError::failed(format_args!("user {user} has no key {key}; it looks mistyped: {meant} is close"))
            .next(format!("akia {act} {meant}{flag} (if that is meant)"))
            .next(format!("akia key list{flag}"));
    }
    if let Ok((_, Some(owner))) = subject.signed.caller.access_key_last_used(key).await
        && !owner.as_str().eq_ignore_ascii_case(user.as_str())
    {
        return CommandError::failed(format_args!("{key} is a key of user {owner}, not of user {user}"))
            .next(format!("akia {act} {key} --user {owner}"));
    }
    if key.as_str().len() != ID_LENGTH {
        return CommandError::failed(format_args!(
            "user {user} has no key {key}; it looks mistyped: it has {} characters, and AWS's key ids have {ID_LENGTH}",
            key.as_str().len()
        ))
        .next(format!("akia key list{flag}"));
    }
    if let Some(account) = key.account().filter(|account| *account != whose.account) {
        return CommandError::failed(format_args!(
            "{key} is a key of account {account}, and this is account {}",
            whose.account
        ))
        .next("name a profile of that account: --profile NAME")
        .next("akia status (which profile holds which key)");
    }
    let listed: Vec<String> =
        keys.iter().map(|key| format!("{} ({})", key.id, key.status.as_str().to_lowercase())).collect();
    let has = if listed.is_empty() { "no key at all".to_owned() } else { listed.join(", ") };
    CommandError::failed(format_args!("user {user} has no key {key}: AWS lists {has}; it may be deleted already"))
        .next(format!("akia key list{flag}"))
}

/// Refuses the id of temporary credentials, which no call about keys knows.
///
/// # Errors
/// For an id that begins with `ASIA`.
pub fn refuse_temporary(key: &AccessKeyId) -> Result<(), CommandError> {
    if !key.is_temporary() {
        return Ok(());
    }
    Err(CommandError::usage(format_args!(
        "{key} is the id of temporary credentials: they are on no list of keys, and expire by themselves"
    ))
    .next("to shut a session before it expires: IAM console, the role, Revoke sessions"))
}

/// Whether one was typed for the other: the same letters in another case, or a few characters that differ.
fn is_slip(typed: &str, meant: &str) -> bool {
    typed != meant && strsim::osa_distance(&typed.to_ascii_uppercase(), meant) <= SLIPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_told_from_other_keys() {
        let meant = "AKIAIOSFODNN7EXAMPLE";
        for typed in ["AKIAIOSFODNN7EXAMPL", "akiaiosfodnn7example", "AKIAIOSFODNN7EXAMPEL", "AKIA10SFODNN7EXAMPLE"] {
            assert!(is_slip(typed, meant), "{typed}");
        }
        assert!(!is_slip(meant, meant));
        assert!(!is_slip("AKIAI44QH8DHBEXAMPLE", meant), "another key");
    }
}
