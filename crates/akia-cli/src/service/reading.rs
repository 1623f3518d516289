//! The account, read for `akia service list` and `check`, and which of its users are a service's.

use std::collections::BTreeSet;

use akia_core::estate::{self, Estate, Known, User};
use akia_core::rule::AuditSettings;
use akia_core::service::ServiceNaming;
use akia_core::{AccountId, UserName};
use akia_io::audit::{Unwatched, read_account_since};
use akia_io::aws::Caller;
use akia_io::service::service_users;
use jiff::Timestamp;

use crate::context::Context;
use crate::error::CommandError;
use crate::signing::{self, Mfa};

/// The account of the profile, and the way into it.
pub(super) struct Account {
    pub(super) caller: Caller,
    pub(super) account: AccountId,
}

impl Account {
    /// Signs.
    ///
    /// # Errors
    /// When nobody can be signed as.
    pub(super) async fn open(context: &Context) -> Result<Self, CommandError> {
        let files = context.aws_files()?;
        let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("whose account it is cannot be found out", &error))?;
        Ok(Self { caller: signed.caller, account: identity.account })
    }

    /// Its service users, as they are at this moment.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) async fn services(&self, settings: &AuditSettings, at: Timestamp) -> Result<Estate, CommandError> {
        let mut estate = Estate {
            account: estate::Account::bare(self.account.clone()),
            as_of: at,
            root: Known::Unknown { reason: "it was not asked about".to_owned() },
            users: Vec::new(),
            gaps: BTreeSet::new(),
        };
        let is_service = |user: &User| settings.limits_of(&estate, Some(user)).is_service(user);
        let users = service_users(&self.caller, &is_service).await.map_err(|error| self.unread(&error))?;
        estate.users = users;
        Ok(estate)
    }

    /// All users: people as the credential report has them, which may be hours old; service users as they are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) async fn everybody(&self, settings: &AuditSettings, at: Timestamp) -> Result<Estate, CommandError> {
        let bare = estate::Account::bare(self.account.clone());
        let reading = read_account_since(&self.caller, bare, None, &Unwatched).await;
        let mut estate = reading.map_err(|error| self.unread(&error))?.estate;
        let services = self.services(settings, at).await?;
        let of_services: Vec<bool> =
            estate.users.iter().map(|user| settings.limits_of(&estate, Some(user)).is_service(user)).collect();
        let mut of_services = of_services.into_iter();
        // Those whom the report has as services, and who are none any more, or gone, go as well.
        estate.users.retain(|user| {
            let is_read_anew = services.users.iter().any(|service| service.arn == user.arn);
            !of_services.next().unwrap_or(false) && !is_read_anew
        });
        estate.users.extend(services.users);
        Ok(estate)
    }

    fn unread(&self, error: &dyn std::fmt::Display) -> CommandError {
        CommandError::failed(format_args!("account {}: {error}", self.account))
            .next("akia policy check audit (which rights you have)")
            .next("akia policy service (the policy that this needs)")
    }
}

/// Leaves those that were named, with or without the prefix; without names, all.
///
/// # Errors
/// Where somebody is named whom the account does not have.
pub(super) fn keep_named(estate: &mut Estate, names: &[UserName], naming: &ServiceNaming) -> Result<(), CommandError> {
    if names.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::new();
    for name in names {
        let prefixed = format!("{}{name}", naming.prefix);
        let is_it = |wanted: &str, user: &User| user.name().as_str().eq_ignore_ascii_case(wanted);
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
