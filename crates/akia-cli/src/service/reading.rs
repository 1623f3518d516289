//! The account, read for `akia service list` and `check`, and which of its users are a service's.

use akia_core::UserName;
use akia_core::estate::{Account, Estate};
use akia_core::rule::AuditSettings;
use akia_core::service::NAME_PREFIX;
use akia_io::audit::{Unwatched, read_account_since};

use crate::context::Context;
use crate::error::CommandError;
use crate::signing::{self, Mfa};

/// Reads the account of the profile.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn estate(context: &Context) -> Result<Estate, CommandError> {
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let identity = signed.caller.caller_identity().await;
    let identity = identity.map_err(|error| signing::refused("whose account it is cannot be found out", &error))?;
    let read = read_account_since(&signed.caller, Account::bare(identity.account.clone()), None, &Unwatched).await;
    read.map(|reading| reading.estate).map_err(|error| {
        CommandError::failed(format_args!("account {}: {error}", identity.account))
            .next("akia policy check audit (which rights you have)")
            .next("akia policy service (the policy that this needs)")
    })
}

/// Leaves those that were named, with or without the prefix; without names, all.
///
/// # Errors
/// Where somebody is named whom the account does not have.
pub(super) fn keep_named(estate: &mut Estate, names: &[UserName]) -> Result<(), CommandError> {
    if names.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::new();
    for name in names {
        let prefixed = format!("{NAME_PREFIX}{name}");
        let is_it = |wanted: &str, user: &akia_core::estate::User| user.name().as_str().eq_ignore_ascii_case(wanted);
        let found = estate.users.iter().find(|user| is_it(name.as_str(), user));
        let found = found.or_else(|| estate.users.iter().find(|user| is_it(&prefixed, user)));
        let Some(user) = found else {
            let account = &estate.account.id;
            return Err(CommandError::failed(format_args!("account {account} has no user {name} or {prefixed}"))
                .next("akia service list"));
        };
        kept.push(user.name().clone());
    }
    estate.users.retain(|user| kept.contains(user.name()));
    Ok(())
}

/// Leaves service users.
pub(super) fn keep_services(estate: &mut Estate, settings: &AuditSettings) {
    let is_service: Vec<bool> =
        estate.users.iter().map(|user| settings.limits_of(estate, Some(user)).is_service(user)).collect();
    let mut is_service = is_service.into_iter();
    estate.users.retain(|_| is_service.next().unwrap_or(false));
}
