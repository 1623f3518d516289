//! What a change to a key puts at stake, and the consent that it takes.
//!
//! Invariant: `--yes` alone never consents to a loss. Where nobody can be asked, each thing at stake has to be named
//! with `--despite`, so that a script written for idle keys stops at one that is in use.

use akia_core::inventory::UNUSED_LIMIT;
use akia_core::{AccessKeyId, KeyStatus, LastUsed, ProfileName};
use clap::ValueEnum;
use jiff::Timestamp;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::{age, capital};
use crate::prompt;

/// The things that can be at stake, as `--despite` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Despite {
    /// The key was used in the last 90 days.
    RecentUse,
    /// AWS does not tell when the key was used last.
    UnknownUse,
    /// The key signs this very call.
    SigningKey,
    /// A profile on this machine, or the environment, works with the key.
    Profile,
    /// It is the only active key of the user.
    OnlyKey,
}

impl Despite {
    fn as_str(self) -> &'static str {
        match self {
            Self::RecentUse => "recent-use",
            Self::UnknownUse => "unknown-use",
            Self::SigningKey => "signing-key",
            Self::Profile => "profile",
            Self::OnlyKey => "only-key",
        }
    }
}

/// One thing at stake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stake {
    /// Its kind.
    pub kind: Despite,
    /// The whole of it, as a clause.
    pub clause: String,
}

/// What is known of a key before it is shut.
pub struct Facts<'a> {
    /// Its user, in words.
    pub owner: &'a str,
    /// Its state.
    pub status: KeyStatus,
    /// How many other active keys the user has.
    pub other_active_keys: usize,
    /// Its last use.
    pub last_used: &'a LastUsed,
    /// Whether the signature of this call rests on it.
    pub signs: bool,
    /// Profiles that hold it.
    pub held_by: &'a [ProfileName],
    /// Profiles that assume a role with it.
    pub through: &'a [ProfileName],
    /// Whether it is the key of the environment.
    pub in_environment: bool,
    /// Now.
    pub now: Timestamp,
}

/// What shutting the key puts at stake, the most telling first.
#[must_use]
pub fn stakes(facts: &Facts<'_>) -> Vec<Stake> {
    let mut stakes = Vec::new();
    let mut add = |kind, clause: String| stakes.push(Stake { kind, clause });
    match facts.last_used {
        LastUsed::At { at, service, region } if facts.now.duration_since(*at) < UNUSED_LIMIT => {
            add(Despite::RecentUse, format!("it was used {}", use_words(*at, service, region, facts.now)));
        }
        LastUsed::At { .. } | LastUsed::Never => {}
        LastUsed::Unknown { reason } => add(Despite::UnknownUse, format!("its last use is unknown ({reason})")),
    }
    if facts.signs {
        add(Despite::SigningKey, "it signs this very call, and cannot take it back".to_owned());
    }
    let mut holders: Vec<String> = Vec::new();
    if !facts.held_by.is_empty() {
        holders.push(profiles(facts.held_by, "holds it", "hold it"));
    }
    if !facts.through.is_empty() {
        holders.push(profiles(facts.through, "assumes a role with it", "assume a role with it"));
    }
    if facts.in_environment {
        holders.push("AWS_ACCESS_KEY_ID names it".to_owned());
    }
    if !holders.is_empty() {
        add(Despite::Profile, holders.join(", "));
    }
    if facts.status == KeyStatus::Active && facts.other_active_keys == 0 {
        add(Despite::OnlyKey, format!("it is the only active key of {}", facts.owner));
    }
    stakes
}

/// Asks for consent to a plan that was already printed, naming what is at stake.
///
/// # Errors
/// For a no; and where something at stake was not named and nobody can be asked.
pub fn consent(
    context: &Context,
    yes: bool,
    despite: &[Despite],
    act: &str,
    key: &AccessKeyId,
    stakes: &[Stake],
) -> Result<(), CommandError> {
    let open: Vec<&Stake> = stakes.iter().filter(|stake| !despite.contains(&stake.kind)).collect();
    let clauses = |stakes: &[&Stake]| stakes.iter().map(|stake| stake.clause.as_str()).collect::<Vec<_>>().join("; ");
    if open.is_empty() {
        return prompt::confirm(context, yes, &format!("{} {key}?", capital(act)));
    }
    if !yes && context.terminal.can_ask() {
        return prompt::confirm(context, false, &format!("{} {key}, although {}?", capital(act), clauses(&open)));
    }
    let flags: Vec<&str> = stakes.iter().map(|stake| stake.kind.as_str()).collect();
    Err(CommandError::decision(format_args!("{key} is not {}: {}", past(act), clauses(&open)))
        .now("nothing was changed")
        .next(format!("if that is known and meant: add --yes --despite {}", flags.join(",")))
        .next("or run it on a terminal without --yes, to be asked"))
}

/// The past participle of an act.
#[must_use]
pub fn past(act: &str) -> String {
    if act.ends_with('e') { format!("{act}d") } else { format!("{act}ed") }
}

/// A last use in words: "2h ago by s3 in eu-west-1".
#[must_use]
pub fn use_words(at: Timestamp, service: &str, region: &str, now: Timestamp) -> String {
    let ago = match age::between(at, now).as_str() {
        "now" => "just now".to_owned(),
        age if age.starts_with("in ") => age.to_owned(),
        age => format!("{age} ago"),
    };
    format!("{ago} by {service} in {region}")
}

fn profiles(names: &[ProfileName], one: &str, several: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    if names.len() == 1 {
        format!("profile {} {one}", quoted.join(""))
    } else {
        format!("profiles {} {several}", quoted.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn idle(last_used: &LastUsed) -> Facts<'_> {
        Facts {
            owner: "user ann, account 123456789012",
            status: KeyStatus::Active,
            other_active_keys: 1,
            last_used,
            signs: false,
            held_by: &[],
            through: &[],
            in_environment: false,
            now: at("2026-11-24T12:00:00Z"),
        }
    }

    fn kinds(facts: &Facts<'_>) -> Vec<Despite> {
        stakes(facts).into_iter().map(|stake| stake.kind).collect()
    }

    #[test]
    fn an_idle_key_puts_nothing_at_stake() {
        assert_eq!(kinds(&idle(&LastUsed::Never)), []);
    }

    #[test]
    fn a_use_counts_for_ninety_days_and_an_unknown_one_always() {
        let used = |text: &str| LastUsed::At { at: at(text), service: "s3".into(), region: "eu-west-1".into() };
        assert_eq!(kinds(&idle(&used("2026-08-26T12:00:01Z"))), [Despite::RecentUse]);
        assert_eq!(kinds(&idle(&used("2026-08-26T12:00:00Z"))), []);
        assert_eq!(kinds(&idle(&LastUsed::Unknown { reason: "denied".into() })), [Despite::UnknownUse]);
        let told = stakes(&idle(&used("2026-11-24T10:00:00Z"))).remove(0);
        assert_eq!(told.clause, "it was used 2h ago by s3 in eu-west-1");
    }

    #[test]
    fn every_holder_is_named() {
        let (one, two): (ProfileName, ProfileName) = ("work".parse().unwrap(), "my home".parse().unwrap());
        let (held, through) = ([one.clone(), two], [one]);
        let never = LastUsed::Never;
        let facts = Facts { held_by: &held, through: &through, in_environment: true, signs: true, ..idle(&never) };
        let told: Vec<String> = stakes(&facts).into_iter().map(|stake| stake.clause).collect();
        assert_eq!(
            told,
            [
                "it signs this very call, and cannot take it back",
                "profiles \"work\", \"my home\" hold it, profile \"work\" assumes a role with it, AWS_ACCESS_KEY_ID \
                 names it",
            ]
        );
    }

    #[test]
    fn the_only_active_key_is_told_from_an_inactive_one() {
        let never = LastUsed::Never;
        assert_eq!(kinds(&Facts { other_active_keys: 0, ..idle(&never) }), [Despite::OnlyKey]);
        assert_eq!(kinds(&Facts { other_active_keys: 0, status: KeyStatus::Inactive, ..idle(&never) }), []);
    }

    #[test]
    fn acts_have_their_past() {
        assert_eq!(["activate", "deactivate", "delete"].map(past), ["activated", "deactivated", "deleted"]);
    }
}
