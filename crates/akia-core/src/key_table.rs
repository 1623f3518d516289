//! Every access key of an audit as one row of flat facts, for people who ask questions of their own (`docs/inventory.md`).
//!
//! Invariant: what is not known is `null` and says so in a column of its own; it is never a value that looks like an answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::audit::Audit;
use crate::estate::{Console, Estate, Key, User};
use crate::finding::{Finding, KeyIdentity, OwnerSource, Severity, key_identity};
use crate::ids::{AccessKeyId, AccountId, UserArn};
use crate::key::LastUsed;
use crate::rule::{AuditSettings, owner_of};

/// One access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// The account.
    pub account_id: AccountId,
    /// Its name, or its alias.
    pub account_name: Option<String>,
    /// The organisational units above it, from the root down.
    pub account_units: Vec<String>,
    /// `user` or `root`.
    pub subject: &'static str,
    /// The user's name; `null` of the root user.
    pub user_name: Option<String>,
    /// The user's ARN; `null` of the root user.
    pub user_arn: Option<UserArn>,
    /// When the user was made.
    pub user_created_at: Option<Timestamp>,
    /// The key's id; `null` where it could not be listed.
    pub access_key_id: Option<AccessKeyId>,
    /// `Active` or `Inactive`.
    pub status: &'static str,
    /// When it was made; `null` where only the report tells of it and has no date.
    pub created_at: Option<Timestamp>,
    /// When it was activated again after its creation, where the report tells.
    pub reactivated_at: Option<Timestamp>,
    /// `used`, `never` or `unknown`.
    pub last_used: &'static str,
    /// When.
    pub last_used_at: Option<Timestamp>,
    /// For which service.
    pub last_used_service: Option<String>,
    /// In which region.
    pub last_used_region: Option<String>,
    /// Whether the user can sign in to the console; `null` of the root user, which always can.
    pub has_console_password: Option<bool>,
    /// Whether the user has MFA.
    pub mfa_active: bool,
    /// Whether the settings take it for a service's; `null` of the root user.
    pub is_service_user: Option<bool>,
    /// Whether its policies allow everything; `null` where they could not be read.
    pub may_do_everything: Option<bool>,
    /// Whether AWS has attached its quarantine for exposed keys; `null` where that could not be read.
    pub is_quarantined: Option<bool>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where that is written down.
    pub owner_source: Option<OwnerSource>,
    /// The rules that were broken about this key, by id.
    pub findings: Vec<String>,
    /// The gravest of them.
    pub worst: Option<Severity>,
    /// When AWS made the credential report that this stands on.
    pub as_of: Timestamp,
}

/// Every key of an audit: accounts by number, users by ARN, the root user's first.
#[must_use]
pub fn key_table(audit: &Audit, settings: &AuditSettings) -> Vec<KeyRow> {
    let mut findings: BTreeMap<KeyIdentity<'_>, Vec<&Finding>> = BTreeMap::new();
    for finding in &audit.findings {
        findings.entry(finding.key_identity()).or_default().push(finding);
    }
    let mut rows = Vec::new();
    for estate in &audit.estates {
        for key in estate.root.told().into_iter().flat_map(|root| &root.keys) {
            rows.push(row(estate, settings, None, key, &findings));
        }
        for user in &estate.users {
            rows.extend(user.keys.iter().map(|key| row(estate, settings, Some(user), key, &findings)));
        }
    }
    rows
}

fn row(
    estate: &Estate,
    settings: &AuditSettings,
    user: Option<&User>,
    key: &Key,
    findings: &BTreeMap<KeyIdentity<'_>, Vec<&Finding>>,
) -> KeyRow {
    let account = &estate.account;
    let limits = settings.limits_of(estate, user);
    let created_at = key.created_at.told().copied();
    let name = user.map(|user| user.name().as_str());
    let found = findings.get(&key_identity(&account.id, name, key.id.as_ref(), created_at));
    let found = || found.into_iter().flatten();
    let grants = user.and_then(|user| user.details.told()).map(|details| details.grants);
    let owner = owner_of(estate, &limits, user, key.id.as_ref());
    let (last_used, at, service, region) = match &key.last_used {
        LastUsed::Never => ("never", None, None, None),
        LastUsed::At { at, service, region } => ("used", Some(*at), Some(service.clone()), Some(region.clone())),
        LastUsed::Unknown { .. } => ("unknown", None, None, None),
    };
    KeyRow {
        account_id: account.id.clone(),
        account_name: account.name.clone(),
        account_units: account.units.clone(),
        subject: if user.is_some() { "user" } else { "root" },
        user_name: name.map(str::to_owned),
        user_arn: user.map(|user| user.arn.clone()),
        user_created_at: user.and_then(|user| user.created_at),
        access_key_id: key.id.clone(),
        status: key.status.as_str(),
        created_at,
        reactivated_at: key.reactivated_at,
        last_used,
        last_used_at: at,
        last_used_service: service,
        last_used_region: region,
        has_console_password: user.map(|user| match user.console {
            Console::With { .. } => true,
            Console::Without => false,
        }),
        mfa_active: user.map_or_else(|| estate.root.told().is_some_and(|root| root.mfa_active), |user| user.mfa_active),
        is_service_user: user.map(|user| limits.is_service(user)),
        may_do_everything: grants.map(|grants| grants.everything),
        is_quarantined: grants.map(|grants| grants.quarantined),
        owner: owner.as_ref().map(|owner| owner.name.clone()),
        owner_source: owner.map(|owner| owner.source),
        findings: found().map(|finding| finding.rule.clone()).collect(),
        worst: found().map(|finding| finding.severity).max(),
        as_of: estate.as_of,
    }
}
