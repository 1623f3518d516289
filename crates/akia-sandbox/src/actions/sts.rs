//! STS: who am I, temporary credentials, and whose key is that.

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Context, Target, answer};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::mint;
use crate::policy::{self, Document, Use, Verdict};
use crate::state::{Identity, Session};
use crate::xml::{Element, text, tree};

/// Needs no permission, and no policy can deny it.
pub(super) fn get_caller_identity(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let account = context.account()?;
    answer(vec![
        text("Arn", context.caller.arn(account)),
        text("UserId", context.caller.unique_id(account)),
        text("Account", &account.id),
    ])
}

/// Needs no permission either.
pub(super) fn get_session_token(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let duration = context.parameters.number("DurationSeconds", 900, 129_600)?.unwrap_or(43_200);
    let (duration, user) = match &context.caller.identity {
        Identity::Root => (duration.min(3600), None),
        Identity::User(name) => (duration, Some(name.clone())),
        Identity::Role { .. } => return Err(Failure::denied("Cannot call GetSessionToken with session credentials")),
    };
    let mfa_at = take_code(context, user.as_deref())?;
    let identity = context.caller.identity.clone();
    let account = context.caller.account.clone();
    let credentials = open_session(context, &account, identity, duration, mfa_at, None);
    answer(vec![credentials])
}

pub(super) fn assume_role(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let arn = context.parameters.required("RoleArn")?.to_owned();
    let session = context.parameters.required("RoleSessionName")?.to_owned();
    crate::state::check_name("roleSessionName", &session)?;
    let duration = context.parameters.number("DurationSeconds", 900, 43_200)?.unwrap_or(3600);
    let user = match &context.caller.identity {
        Identity::Root => return Err(Failure::denied("Roles may not be assumed by root accounts.")),
        Identity::User(name) => Some(name.clone()),
        Identity::Role { .. } => None,
    };
    let mfa_at = take_code(context, user.as_deref())?;
    let mut actions = vec!["sts:AssumeRole"];
    if context.parameters.find("SourceIdentity").is_some() {
        actions.push("sts:SetSourceIdentity");
    }
    for action in actions {
        may_assume(context, &arn, action, mfa_at)?;
    }
    let (owner, name) = find_role(context, &arn).ok_or_else(|| refusal(context, &arn, "sts:AssumeRole"))?;
    let role =
        context.state.account(&owner)?.roles.get(&name).ok_or_else(|| refusal(context, &arn, "sts:AssumeRole"))?;
    if duration > role.max_session_seconds {
        return Err(Failure::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    if user.is_none() && duration > 3600 {
        return Err(Failure::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    let (role_id, partition) = (role.id.clone(), context.state.account(&owner)?.partition);
    context.resources.push(("AWS::IAM::Role".to_owned(), arn));
    let identity = Identity::Role { role: name.clone(), session: session.clone() };
    // The MFA of the caller does not pass on to the role's session.
    let policy = context.parameters.find("Policy").map(|text| Document::parse(text, Use::Identity)).transpose()?;
    let credentials = open_session(context, &owner, identity, duration, None, policy);
    let assumed = vec![
        text("AssumedRoleId", format!("{role_id}:{session}")),
        text("Arn", format!("arn:{}:sts::{owner}:assumed-role/{name}/{session}", partition.as_str())),
    ];
    let mut elements = vec![credentials, tree("AssumedRoleUser", assumed)];
    elements.extend(context.parameters.find("SourceIdentity").map(|source| text("SourceIdentity", source)));
    answer(elements)
}

pub(super) fn get_access_key_info(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let id = context.parameters.required("AccessKeyId")?.to_owned();
    context.allow("sts:GetAccessKeyInfo", &Target::arn("*"))?;
    let state = &context.state;
    let known = state.long_term.get(&id).map(|(account, _)| account.clone());
    let account = known
        .or_else(|| state.sessions.get(&id).map(|session| session.account.clone()))
        .or_else(|| mint::account_of_key_id(&id))
        .ok_or_else(|| Failure::validation("Access key is not valid."))?;
    answer(vec![text("Account", account)])
}

/// Whether both sides agree: the role trusts the caller, and the caller's own policies allow it. A role that names
/// the caller in the same account needs no second word.
fn may_assume(context: &Context<'_>, arn: &str, action: &str, mfa_at: Option<Timestamp>) -> Result<(), Failure> {
    let refuse = || refusal(context, arn, action);
    let (owner, name) = find_role(context, arn).ok_or_else(refuse)?;
    let role = context.state.account(&owner)?.roles.get(&name).ok_or_else(refuse)?;
    let account = context.account()?;
    let target = Target::arn(arn);
    let mut facts = context.facts(account, &target);
    if let Some(at) = mfa_at {
        facts.truth("aws:MultiFactorAuthPresent", true);
        facts.number("aws:MultiFactorAuthAge", context.now.as_second() - at.as_second());
    }
    for (key, parameter) in [
        ("sts:ExternalId", "ExternalId"),
        ("sts:RoleSessionName", "RoleSessionName"),
        ("sts:SourceIdentity", "SourceIdentity"),
    ] {
        if let Some(value) = context.parameters.find(parameter) {
            facts.text(key, value);
        }
    }
    let caller = context.caller.arn(account);
    let principal = super::principal_arn(account, context.caller);
    // Trust in an account is trust in whomever that account allows.
    let root = account.arn("root");
    let trusts = |who: &str| policy::judge([&role.trust], who, action, arn, &facts);
    let trusted = [caller.as_str(), &principal, &root, &account.id].into_iter().map(trusts);
    let trusted: Vec<Verdict> = trusted.collect();
    if trusted.contains(&Verdict::ExplicitlyDenied) || !trusted.contains(&Verdict::Allowed) {
        return Err(refuse());
    }
    let own = policy::judge(account.policies_of(&context.caller.identity), &caller, action, arn, &facts);
    let named = owner == account.id && (role.trust.names_principal(&caller) || role.trust.names_principal(&principal));
    match own {
        Verdict::Allowed => Ok(()),
        Verdict::NotAllowed if named => Ok(()),
        Verdict::NotAllowed | Verdict::ExplicitlyDenied => Err(refuse()),
    }
}

fn refusal(context: &Context<'_>, arn: &str, action: &str) -> Failure {
    let caller = context.account().map(|account| context.caller.arn(account)).unwrap_or_default();
    Failure::denied(format!("User: {caller} is not authorized to perform: {action} on resource: {arn}"))
}

fn find_role(context: &Context<'_>, arn: &str) -> Option<(String, String)> {
    let partition = context.account().ok()?.partition;
    // There may be thousands of accounts: the ARN says which.
    let account =
        context.state.accounts.get(arn.split(':').nth(4)?).filter(|account| account.partition == partition)?;
    let role = account.roles.values().find(|role| account.arn(&format!("role{}{}", role.path, role.name)) == arn)?;
    Some((account.id.clone(), role.name.clone()))
}

/// Takes the MFA code of a call. Both parts or none.
fn take_code(context: &mut Context<'_>, user: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let (serial, code) = (context.parameters.find("SerialNumber"), context.parameters.find("TokenCode"));
    match (serial, code) {
        (None, None) => Ok(None),
        (Some(serial), Some(code)) => {
            let now = context.now;
            context.account_mut()?.take_code(serial, user, code, now)?;
            Ok(Some(now))
        }
        (Some(_), None) => Err(Failure::validation("MFA token code must be specified with the serial number")),
        (None, Some(_)) => Err(Failure::validation("MFA serial number must be specified with the token code")),
    }
}

fn open_session(
    context: &mut Context<'_>,
    account: &str,
    identity: Identity,
    duration_seconds: i64,
    mfa_at: Option<Timestamp>,
    policy: Option<Document>,
) -> Element {
    let mint = &mut context.state.mint;
    let (id, secret, token) = (mint.key_id("ASIA", account), mint.secret(), mint.session_token());
    let expires_at = context.now + SignedDuration::from_secs(duration_seconds);
    let credentials = vec![
        text("AccessKeyId", &id),
        text("SecretAccessKey", &secret),
        text("SessionToken", &token),
        text("Expiration", iso8601(expires_at)),
    ];
    let account = account.to_owned();
    let session = Session { secret, token, account, identity, issued_at: context.now, expires_at, mfa_at, policy };
    context.state.sessions.insert(id, session);
    tree("Credentials", credentials)
}
