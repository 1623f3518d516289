//! A profile that holds something already: what, whose, and whether it may be written over.

use akia_core::cheatsheet::quote;
use akia_io::aws::{AwsError, IdentityKind};
use akia_io::place::KeyPair;
use akia_io::profiles::AwsFiles;

use crate::context::Context;
use crate::error::CommandError;
use crate::setup::Asker;
use crate::setup::proof;
use crate::setup::source::{self, Age};
use crate::setup::spot::{Held, Spot};
use crate::workbench;

/// Refuses to write over a key that nobody said to replace.
///
/// # Errors
/// Names what the profile holds, and whose it is.
pub async fn may_replace(
    context: &Context,
    asker: Asker,
    files: &AwsFiles,
    spot: &Spot,
    new: Option<&KeyPair>,
) -> Result<(), CommandError> {
    let profile = &spot.profile;
    if asker.may_replace() || new.is_some_and(|new| spot.held_key() == Some(&new.id)) {
        return Ok(());
    }
    let what = match &spot.held {
        Held::Nothing => match &spot.keychain_leftover {
            Some(id) => format!("the keychain holds {id} for profile \"{profile}\" already"),
            None => return Ok(()),
        },
        Held::Remains { what, .. } => format!("profile \"{profile}\" {what}"),
        Held::InKeychain { id: None } => return Ok(()),
        Held::InFile { .. } | Held::InKeychain { id: Some(_) } => {
            let whose = held_owner(context, files, spot).await;
            let id = spot.held_key().map(ToString::to_string).unwrap_or_default();
            format!("profile \"{profile}\" holds the key {id} already ({whose})")
        }
    };
    let name = quote(profile.as_str());
    let told = CommandError::decision(what).now("nothing was changed");
    let told = if spot.held_key().is_some() {
        told.next(format!("akia rotate -p {name} (a new key for the same user, safely)"))
    } else {
        told
    };
    Err(match asker {
        Asker::Setup { .. } if spot.held_key().is_some() => told
            .next("add --replace to write over it; the key itself stays in AWS and is not deleted")
            .next("or name another profile: akia setup NAME"),
        Asker::Setup { .. } => told.next("add --replace to write over it"),
        Asker::KeyCreate => told
            .next("name another profile: --into NAME")
            .next(format!("akia setup {name} --create --replace (to write over it)")),
    })
}

/// Whose key the profile holds, in words. An answer that cannot be had is said to be unknown.
pub async fn held_owner(context: &Context, files: &AwsFiles, spot: &Spot) -> String {
    let pair = match &spot.held {
        Held::InFile { id, file } => {
            files.secret(&spot.profile, *file).ok().map(|secret| KeyPair { id: id.clone(), secret })
        }
        Held::InKeychain { .. } => source::keychain_pair(context, &spot.profile).ok().flatten(),
        Held::Nothing | Held::Remains { .. } => None,
    };
    let (Some(pair), Ok(aws)) = (pair, workbench::aws(context)) else { return "whose is unknown".to_owned() };
    let region = context.globals.region.as_ref();
    let target = files.target(&spot.profile, region).unwrap_or_default();
    match proof::identity(context, &aws, &pair, &target, Age::Any).await {
        Ok(identity) => match identity.kind() {
            IdentityKind::User(arn) => format!("user {}, account {}", arn.name, arn.account),
            IdentityKind::Root { account } => format!("the root user of account {account}"),
            IdentityKind::AssumedRole { .. } | IdentityKind::FederatedUser { .. } | IdentityKind::Other => identity.arn,
        },
        Err(AwsError::InvalidClientTokenId { .. }) => match pair.id.account() {
            Some(account) => format!("of account {account}; AWS does not accept it any more"),
            None => "AWS does not accept it any more".to_owned(),
        },
        Err(_) => match pair.id.account() {
            Some(account) => format!("of account {account}"),
            None => "whose is unknown".to_owned(),
        },
    }
}
