//! `akia key`: single acts on the keys of any user you may act on.

use akia_core::{AccessKeyId, UserName};
use clap::{Args, Subcommand};

use super::Consent;
use super::setup::SecretStore;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::keys::change::{self, Act, Change};
use crate::keys::stakes::Despite;
use crate::keys::{last_used, list};
use crate::setup::Asker;
use crate::setup::create::{self, NewKey};

/// List, create, activate, deactivate or delete single keys
///
/// Acts on your own keys, or on those of --user. These are single acts without the protection of a rotation: to
/// replace a key that is in use, take `akia rotate`.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia key list", "your own keys"),
    ("akia key list --user alice", "alice's keys"),
    ("akia key last-used AKIAIOSFODNN7EXAMPLE", "when, where and for what it was used last"),
    ("akia key deactivate AKIAIOSFODNN7EXAMPLE --user alice", "shut a key, which can be taken back"),
]))]
pub struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: KeyVerb,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// List the keys of a user, with status, age and last use
    ///
    /// Also says which profiles on this machine hold each key, and which rotation of this machine has its hand on it.
    #[command(after_long_help = super::examples(&[("akia key list --user alice --output json", "alice's keys, for a script")]))]
    List(OfUser),
    /// Create a key and put it into a profile
    ///
    /// The secret goes straight into the credentials file and is never shown. A key that cannot be written is deleted
    /// again. --profile says who signs; the profile that is written is --into.
    #[command(after_long_help = super::examples(&[("akia key create --into work", "a new key for yourself in profile `work`")]))]
    Create(CreateArgs),
    /// Make an inactive key work again
    ///
    /// A key that `akia rotate` deactivated is left to `akia undo`, which also puts it back into its places.
    #[command(after_long_help = super::examples(&[("akia key activate AKIAIOSFODNN7EXAMPLE", "your own key")]))]
    Activate(OneKey),
    /// Shut a key; it can be activated again
    ///
    /// Warns when the key was used in the last 90 days, signs this very call, is held by a profile on this machine, or
    /// is the only active key of the user. On a terminal the question names all that; elsewhere --yes is not enough,
    /// and --despite has to name it.
    #[command(after_long_help = super::examples(&[
        ("akia key deactivate AKIAIOSFODNN7EXAMPLE --user alice", "alice's key"),
        ("akia key deactivate AKIAIOSFODNN7EXAMPLE --yes --despite recent-use", "in a script, although it was used"),
    ]))]
    Deactivate(RiskyArgs),
    /// Delete an inactive key, for good
    ///
    /// An active key is refused: deactivate it first, and see who misses it. So is a key that a rotation of this
    /// machine keeps for an undo: `akia retire` deletes that. Warnings and --despite are those of `deactivate`.
    #[command(after_long_help = super::examples(&[("akia key delete AKIAIOSFODNN7EXAMPLE", "your own key")]))]
    Delete(RiskyArgs),
    /// Show when, where and for what keys were used last
    ///
    /// The exit code is 3 when some keys could not be asked about, and 1 when none could.
    #[command(after_long_help = super::examples(&[
        ("akia key last-used", "all of your own keys"),
        ("akia key last-used AKIAIOSFODNN7EXAMPLE", "one key, whosever it is"),
    ]))]
    LastUsed(LastUsedArgs),
}

/// Whose keys.
#[derive(Debug, Args)]
pub struct OfUser {
    /// IAM user [default: yourself]
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
}

/// A new key.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Whose keys.
    #[command(flatten)]
    pub of: OfUser,

    /// Profile that the new key is written to; it must not hold a key yet
    #[arg(long, value_name = "PROFILE")]
    pub into: akia_core::ProfileName,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// One key to change.
#[derive(Debug, Args)]
pub struct OneKey {
    /// Key to act on
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Whose keys.
    #[command(flatten)]
    pub of: OfUser,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// One key to shut.
#[derive(Debug, Args)]
pub struct RiskyArgs {
    /// The key.
    #[command(flatten)]
    pub one: OneKey,

    /// Go ahead although this is at stake; repeatable, or separated by commas
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub despite: Vec<Despite>,
}

/// Keys to ask about.
#[derive(Debug, Args)]
pub struct LastUsedArgs {
    /// Keys to ask about [default: all of the user]
    #[arg(value_name = "KEY-ID")]
    pub keys: Vec<AccessKeyId>,

    /// Whose keys.
    #[command(flatten)]
    pub of: OfUser,
}

/// Runs the command.
///
/// # Errors
/// Whatever kept it from doing what was asked.
pub(crate) async fn run(context: &Context, args: KeyArgs) -> Result<Exit, CommandError> {
    let change = |act, one: &OneKey, despite: &[Despite]| {
        let (key, user, despite) = (one.key.clone(), one.of.user.clone(), despite.to_vec());
        let consent = one.consent;
        async move {
            let change = Change { act, key: &key, user: user.as_ref(), consent, despite: &despite };
            change::run(context, &change).await
        }
    };
    match &args.act {
        KeyVerb::List(of) => list::run(context, of.user.as_ref()).await,
        KeyVerb::LastUsed(asked) => last_used::run(context, &asked.keys, asked.of.user.as_ref()).await,
        KeyVerb::Activate(one) => change(Act::Activate, one, &[]).await,
        KeyVerb::Deactivate(risky) => change(Act::Deactivate, &risky.one, &risky.despite).await,
        KeyVerb::Delete(risky) => change(Act::Delete, &risky.one, &risky.despite).await,
        KeyVerb::Create(wanted) => {
            let ask = NewKey {
                asker: Asker::KeyCreate,
                into: &wanted.into,
                user: wanted.of.user.as_ref(),
                store: SecretStore::File,
                region: context.globals.region.clone(),
                output: None,
                consent: wanted.consent,
            };
            create::create(context, &ask, &context.aws_files()?).await
        }
    }
}
