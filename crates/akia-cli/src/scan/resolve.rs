//! Whose leaked keys are, as far as the caller's own account tells. Their secrets are not used.

use akia_core::KeyStatus;
use akia_core::leak::{Holder, Kind, ScanReport};
use akia_core::{AccountId, LastUsed};
use akia_io::contain::{Whose, whose};

use crate::context::Context;
use crate::error::CommandError;
use crate::signing::{self, Mfa};

/// Asks about each long-term key that counts.
///
/// # Errors
/// When nothing can be signed. What AWS does not tell of a key is noted with it.
pub(crate) async fn resolve(context: &Context, report: &mut ScanReport) -> Result<(), CommandError> {
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let identity = signed.caller.caller_identity().await;
    let own = identity.map_err(|error| signing::refused("whose account it is cannot be found out", &error))?.account;
    for leak in report.leaks.iter_mut().filter(|leak| leak.counts() && leak.kind == Kind::LongTerm) {
        let Some(key) = &leak.access_key_id else { continue };
        leak.holder = Some(match whose(&signed.caller, &own, key, None).await {
            Ok(Whose::User(owner)) => {
                let status = owner.keys.iter().find(|one| one.id == *key).map(|one| one.status);
                let last_used = match &owner.last_used {
                    LastUsed::At { at, .. } => Some(*at),
                    LastUsed::Never | LastUsed::Unknown { .. } => None,
                };
                Holder { user: Some(owner.user.name), status, last_used, ..bare(&own, None) }
            }
            Ok(Whose::Root) => bare(&own, Some("of no user: the root user's, or of a user that is gone")),
            Ok(Whose::Gone { user, .. }) => Holder { user, ..bare(&own, Some("deleted")) },
            Ok(Whose::Foreign { account }) => bare(&account, Some("another account")),
            Ok(Whose::Unknown { reason }) => bare(&own, Some(&reason)),
            Err(error) => bare(&own, Some(&error.to_string())),
        });
    }
    Ok(())
}

fn bare(account: &AccountId, note: Option<&str>) -> Holder {
    Holder { account: account.clone(), user: None, status: None, last_used: None, note: note.map(str::to_owned) }
}

/// A holder in words.
pub(super) fn words(holder: &Holder) -> String {
    let mut parts = Vec::new();
    parts.extend(holder.user.as_ref().map(ToString::to_string));
    parts.extend(holder.status.map(|status| match status {
        KeyStatus::Active => "active".to_owned(),
        KeyStatus::Inactive => "inactive".to_owned(),
    }));
    parts.extend(holder.last_used.map(|at| format!("used {}", at.strftime("%Y-%m-%d"))));
    parts.extend(holder.note.clone());
    parts.join(", ")
}
