//! Who signs the calls of a verb, whose keys they are about, and what AWS's refusals mean for the person.

use akia_core::rotation::Identity;
use akia_core::{AccessKeyId, AccountId, Partition, ProfileName, Region, UserName};
use akia_io::aws::{Aws, AwsError, Caller, CallerIdentity, Credentials, CredentialsError, IdentityKind};
use akia_io::profiles::AwsFiles;
use akia_io::rotate::lock_of_user;
use akia_io::state::Lock;
use akia_io::store::Home;

use crate::context::{Context, ProfileChoice};
use crate::error::CommandError;
use crate::{endpoints, workbench};

/// Whether a session with MFA is opened where the profile names a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mfa {
    /// Only with `--mfa-code`: for what only reads, and mostly needs no MFA.
    IfGiven,
    /// Whenever a code can be had: for what changes keys.
    IfPossible,
}

/// The MFA device of the profile that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The profile names none.
    None,
    /// The profile names one, and no session was opened with it.
    Unused,
    /// A session with MFA signs.
    InUse,
}

/// A caller, and the key that stands behind it.
pub struct Signed {
    /// Makes the calls.
    pub caller: Caller,
    /// The key that signs, or that opened the session which does.
    pub key: AccessKeyId,
    /// The profile that it comes from; `None` for the key of the environment.
    pub profile: Option<ProfileName>,
    /// How it stands with MFA.
    pub device: Device,
}

impl Signed {
    /// The signer in words: "AKIA… of profile \"work\"".
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.profile {
            Some(profile) => format!("{} of profile \"{profile}\"", self.key),
            None => format!("{} of the environment", self.key),
        }
    }
}

/// The credentials that the AWS CLI would take: of `--profile`, else of the environment, else of the default profile.
///
/// # Errors
/// When there are none, or they cannot be used.
pub async fn sign(context: &Context, files: &AwsFiles, mfa: Mfa) -> Result<Signed, CommandError> {
    sign_through(context, files, mfa, workbench::aws(context)?).await
}

/// The same through a way to AWS that is already made.
///
/// # Errors
/// When there are none, or they cannot be used.
pub async fn sign_through(context: &Context, files: &AwsFiles, mfa: Mfa, aws: Aws) -> Result<Signed, CommandError> {
    sign_as(context, files, mfa, aws, context.profile()?).await
}

/// The same for a profile that is already chosen.
///
/// # Errors
/// When there are none, or they cannot be used.
pub async fn sign_as(
    context: &Context,
    files: &AwsFiles,
    mfa: Mfa,
    aws: Aws,
    choice: ProfileChoice,
) -> Result<Signed, CommandError> {
    let target =
        files.target(choice.name(), context.globals.region.as_ref()).map_err(|error| CommandError::failed(&error))?;
    match mfa {
        Mfa::IfPossible => endpoints::check(&aws, &target)?,
        Mfa::IfGiven => {}
    }
    let from_environment = match &choice {
        ProfileChoice::Flag(_) => None,
        ProfileChoice::Environment(_) | ProfileChoice::Default(_) => workbench::environment_key()?,
    };
    if let Some(credentials) = from_environment {
        let key = credentials.key().clone();
        return Ok(Signed { caller: aws.caller(credentials, target), key, profile: None, device: Device::None });
    }
    let name = choice.name().clone();
    let wallet = workbench::wallet(context, files)?;
    let refused = |error: CredentialsError| no_credentials(files, &error);
    let base: Credentials = wallet.credentials(&aws, &name).await.map_err(refused)?;
    let key = base.key().clone();
    let serial = files.profiles().find(&name).and_then(|profile| profile.mfa_serial.as_deref());
    let wanted = match mfa {
        Mfa::IfGiven => context.globals.mfa_code.is_some(),
        Mfa::IfPossible => context.globals.mfa_code.is_some() || context.terminal.can_ask(),
    };
    let (credentials, device) = match serial {
        Some(serial) if wanted && !base.is_temporary() => {
            (wallet.session(&aws, base, serial, target.clone()).await.map_err(refused)?, Device::InUse)
        }
        // The wallet has answered the device's question where it assumed a role.
        Some(_) if base.is_temporary() => (base, Device::InUse),
        Some(_) => (base, Device::Unused),
        None => (base, Device::None),
    };
    Ok(Signed { caller: aws.caller(credentials, target), key, profile: Some(name), device })
}

/// Whose keys a command is about.
pub struct Whose {
    /// The user.
    pub user: UserName,
    /// The account.
    pub account: AccountId,
    /// Whether the user is the caller.
    pub own: bool,
    /// The caller.
    pub caller: CallerIdentity,
    /// The profile that signs.
    signer: Option<ProfileName>,
}

impl Whose {
    /// ` --user NAME`, where the user has to be named, and ` --profile NAME`, where another one than `default` signs:
    /// commands that are shown can be pasted as they are.
    #[must_use]
    pub fn flag(&self) -> String {
        let user = if self.own { String::new() } else { format!(" --user {}", self.user) };
        match &self.signer {
            Some(signer) if *signer != ProfileName::default_name() => {
                format!("{user} --profile {}", akia_core::cheatsheet::quote(signer.as_str()))
            }
            Some(_) | None => user,
        }
    }
}

/// The user that was named, or the caller.
///
/// # Errors
/// When the caller is no user and named none, or AWS does not tell.
pub async fn whose(signed: &Signed, named: Option<&UserName>) -> Result<Whose, CommandError> {
    let caller = signed.caller.caller_identity().await.map_err(|error| refused("whose key signs", &error))?;
    let own = match caller.kind() {
        IdentityKind::User(arn) => Some(arn.name),
        IdentityKind::Root { .. }
        | IdentityKind::AssumedRole { .. }
        | IdentityKind::FederatedUser { .. }
        | IdentityKind::Other => None,
    };
    let account = caller.account.clone();
    let signer = signed.profile.clone();
    match (named, own) {
        (None, Some(user)) => Ok(Whose { user, account, own: true, caller, signer }),
        (Some(user), own) => {
            // IAM's names ignore case.
            let own = own.is_some_and(|own| own.as_str().eq_ignore_ascii_case(user.as_str()));
            Ok(Whose { user: user.clone(), account, own, caller, signer })
        }
        (None, None) => Err(CommandError::failed(format_args!("{} is no IAM user and has no keys here", caller.arn))
            .next("name the user whose keys are meant: --user NAME")),
    }
}

/// Keeps rotations of the same user apart from a change by hand. Whoever may not read another user's
/// immutable id goes without.
///
/// # Errors
/// When another akia works on the user.
pub async fn lock_user(home: &Home, signed: &Signed, whose: &Whose) -> Result<Option<Lock>, CommandError> {
    let Some(identity) = identity(signed, whose).await else { return Ok(None) };
    home.lock(&lock_of_user(&identity)).await.map(Some).map_err(|error| {
        CommandError::failed(format_args!("another akia works on user {}: {error}", whose.user))
            .next("let it finish, then run the same command again")
    })
}

/// The user with its immutable id: the caller's own needs no right.
async fn identity(signed: &Signed, whose: &Whose) -> Option<Identity> {
    if let (true, IdentityKind::User(arn)) = (whose.own, whose.caller.kind()) {
        return Some(Identity { arn, user_id: whose.caller.user_id.parse().ok()? });
    }
    let user = signed.caller.user(Some(&whose.user)).await.ok()?;
    Some(Identity { arn: user.arn, user_id: user.id })
}

/// A refusal of AWS, or no answer, in reading: nothing was changed.
#[must_use]
pub fn refused(what: &str, error: &AwsError) -> CommandError {
    let told = CommandError::failed(format_args!("{what}: {error}"));
    error.hints().into_iter().fold(told, CommandError::next)
}

/// The regions whose CloudTrail is asked: those that were named, that of the caller, and the one that IAM writes into.
#[must_use]
pub fn trail_regions(caller: &Caller, identity: &CallerIdentity, named: &[Region]) -> Vec<Region> {
    let partition = identity.partition().unwrap_or(Partition::Aws);
    let mut regions: Vec<Region> = Vec::new();
    for region in named.iter().cloned().chain([caller.region(), partition.iam_region()]) {
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    regions
}

fn no_credentials(files: &AwsFiles, error: &CredentialsError) -> CommandError {
    match error {
        CredentialsError::NoSuchProfile { profile } => {
            let quoted = akia_core::cheatsheet::quote(profile.as_str());
            CommandError::failed(format_args!("there is no profile \"{profile}\" in {}", files.searched()))
                .next(format!("akia setup {quoted}"))
                .next("akia status (the profiles that there are)")
        }
        CredentialsError::Aws { error, .. } => refused("no credentials", error),
        CredentialsError::Unusable { .. }
        | CredentialsError::Secret(_)
        | CredentialsError::Disagreement(_)
        | CredentialsError::RoleLoop { .. }
        | CredentialsError::Mfa { .. }
        | CredentialsError::Source { .. } => CommandError::failed(error).next("akia status"),
    }
}
