//! Whose key it is, as AWS says, before anything is written.

use std::time::Duration;

use akia_core::{AccountId, UserName};
use akia_io::aws::{Aws, AwsError, CallerIdentity, Credentials, IdentityKind, Target};
use akia_io::place::KeyPair;

use crate::context::Context;
use crate::error::CommandError;
use crate::setup::source::Age;

/// How long AWS may take to know a new key. Measured: 2 % are unknown after 3 s, none after 10 s (design, AWS facts).
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries.
const GAP: Duration = Duration::from_millis(1_500);

/// The owner of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: UserName,
    /// Its account.
    pub account: AccountId,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "user {}, account {}", self.user, self.account)
    }
}

/// Asks STS whose key it is. A key that may be new is asked about for a while.
///
/// # Errors
/// What AWS says.
pub async fn identity(
    context: &Context,
    aws: &Aws,
    pair: &KeyPair,
    target: &Target,
    age: Age,
) -> Result<CallerIdentity, AwsError> {
    let caller = aws.caller(Credentials::for_key(pair.id.clone(), pair.secret.duplicate()), target.clone());
    let tries = match age {
        Age::New => PATIENCE.as_millis() / GAP.as_millis(),
        Age::Any => 1,
    };
    let mut tried = 1;
    loop {
        match caller.prove().await {
            Err(AwsError::InvalidClientTokenId { .. }) if tried < tries => {
                if tried == 1 {
                    context.say(&format!(
                        "AWS does not know {} yet; a new key takes some seconds, so asking again for up to {} s",
                        pair.id,
                        PATIENCE.as_secs()
                    ));
                }
                tried += 1;
                tokio::time::sleep(GAP).await;
            }
            answer => return answer,
        }
    }
}

/// The user behind the identity; anything else is refused.
///
/// # Errors
/// For a root key, and for what is no user.
pub fn owner(pair: &KeyPair, identity: &CallerIdentity) -> Result<Owner, CommandError> {
    match identity.kind() {
        IdentityKind::User(arn) => Ok(Owner { user: arn.name, account: arn.account }),
        IdentityKind::Root { account } => Err(root(Some(&account))),
        IdentityKind::AssumedRole { .. } | IdentityKind::FederatedUser { .. } | IdentityKind::Other => {
            Err(CommandError::failed(format_args!("{} belongs to \"{}\", which is no IAM user", pair.id, identity.arn))
                .next("use the access key of an IAM user; for roles and SSO see: akia cheatsheet"))
        }
    }
}

/// A root key can do everything, cannot be limited by a policy, and is never needed in a profile.
#[must_use]
pub fn root(account: Option<&AccountId>) -> CommandError {
    let of = account.map(|account| format!(" of account {account}")).unwrap_or_default();
    CommandError::failed(format_args!(
        "this is a key of the root user{of}; it can do everything and nothing can limit it"
    ))
    .next("delete the root key: AWS console, as root, account menu, Security credentials, Access keys")
    .next("make an IAM user with the rights that you need, or use IAM Identity Center (SSO), and set that up")
}

/// What AWS said about a key that is to be set up, in words that say what to do.
#[must_use]
pub fn refused(pair: &KeyPair, error: &AwsError, age: Age) -> CommandError {
    match error {
        AwsError::InvalidClientTokenId { .. } => {
            let seconds = match age {
                Age::New => format!(", not even after {} s", PATIENCE.as_secs()),
                Age::Any => String::new(),
            };
            CommandError::failed(format_args!("AWS does not accept the key {}{seconds}", pair.id))
                .next("check the id: it may be mistyped, or the key inactive or deleted")
                .next("for a key of China or GovCloud, add --region cn-north-1 or us-gov-west-1")
        }
        AwsError::SignatureDoesNotMatch { .. } => {
            CommandError::failed(format_args!("the secret access key does not belong to {}", pair.id))
                .next("type or copy it again, whole: it has 40 characters and may contain / and +")
        }
        error => crate::signing::refused(&format!("{} cannot be checked", pair.id), error),
    }
}
