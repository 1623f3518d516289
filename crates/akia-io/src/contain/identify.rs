//! Whose key an id is. One call of AWS tells it as a rule; where that does not, a kept audit and the lists of all users do.

use akia_core::ids::{AccessKeyId, AccountId, UserName};
use akia_core::key::{AccessKey, LastUsed};
use futures_util::StreamExt as _;
use jiff::Timestamp;

use crate::aws::{AwsError, Caller, User};
use crate::store::snapshots::Snapshots;

/// Users whose keys are listed one by one at most, where AWS does not say whose key it is.
pub const SWEEP_LIMIT: usize = 500;
/// Lists that are asked for at the same time.
const CONCURRENT: usize = 8;

/// Whose key it is.
#[derive(Debug)]
pub enum Whose {
    /// A user's of the account.
    User(Box<Owner>),
    /// Of no user of the account, and the root user has keys: it may be one of those.
    Root,
    /// On no list of the account any more.
    Gone {
        /// The user that had it, where a kept audit tells.
        user: Option<UserName>,
        /// How that is known.
        by: String,
    },
    /// Another account's.
    Foreign {
        /// Whose.
        account: AccountId,
    },
    /// AWS does not say, and the lists cannot be read.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// The user of a key, and the key.
#[derive(Debug)]
pub struct Owner {
    /// The user.
    pub user: User,
    /// Its keys.
    pub keys: Vec<AccessKey>,
    /// When the leaked one was last used.
    pub last_used: LastUsed,
    /// How it was found, in words.
    pub by: String,
}

/// Finds out whose key it is. `own` is the account of the caller.
///
/// # Errors
/// When AWS answers nothing at all.
pub async fn whose(
    caller: &Caller,
    own: &AccountId,
    key: &AccessKeyId,
    audits: Option<&Snapshots>,
) -> Result<Whose, AwsError> {
    let account = match account(caller, own, key).await {
        Ok(account) if account != *own => return Ok(Whose::Foreign { account }),
        account => account,
    };
    let asked = caller.access_key_last_used(key).await;
    let refused = match asked {
        Ok((last_used, Some(name))) => {
            let by = "iam:GetAccessKeyLastUsed".to_owned();
            return match owner(caller, &name, key, last_used, by).await? {
                Some(found) => Ok(found),
                None => Ok(Whose::Gone { user: Some(name), by: "iam:ListAccessKeys".to_owned() }),
            };
        }
        // It is a key of the account, and of no user.
        Ok((_, None)) => return Ok(Whose::Root),
        Err(error @ (AwsError::AccessDenied { .. } | AwsError::NoSuchEntity { .. })) => error,
        Err(error) => return Err(error),
    };
    let unknown = || LastUsed::Unknown { reason: "AWS does not tell".to_owned() };
    let kept = match audits {
        Some(audits) => in_audit(audits, caller, own, key).await,
        None => None,
    };
    if let Some((name, at)) = kept {
        let by = format!("the audit of {}", at.strftime("%Y-%m-%d %H:%M UTC"));
        return match owner(caller, &name, key, unknown(), by.clone()).await? {
            Some(found) => Ok(found),
            None => Ok(Whose::Gone { user: Some(name), by }),
        };
    }
    match (sweep(caller, key, &refused).await?, account) {
        // What is on no list here may be on one of another account, and active.
        (Whose::Gone { user: None, .. } | Whose::Root, Err(untold)) => Ok(Whose::Unknown {
            reason: format!(
                "no user of account {own} has it, its id does not say its account, and AWS does not tell: {}",
                crate::audit::without_key(&untold.to_string())
            ),
        }),
        (found, _) => Ok(found),
    }
}

/// The account, as far as it is told. What the id says by itself is asked about before it counts: emulators make ids that say
/// nothing.
async fn account(caller: &Caller, own: &AccountId, key: &AccessKeyId) -> Result<AccountId, AwsError> {
    match key.account() {
        Some(said) if said == *own => Ok(said),
        Some(said) => Ok(caller.access_key_account(key).await.unwrap_or(said)),
        // Ids of the first years say nothing.
        None => caller.access_key_account(key).await,
    }
}

/// The user with the key, if it has it.
async fn owner(
    caller: &Caller,
    name: &UserName,
    key: &AccessKeyId,
    last_used: LastUsed,
    by: String,
) -> Result<Option<Whose>, AwsError> {
    let user = match caller.user(Some(name)).await {
        Ok(user) => user,
        Err(AwsError::NoSuchEntity { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let keys = caller.access_keys(Some(name)).await?;
    let has_it = keys.iter().any(|one| one.id == *key);
    Ok(has_it.then(|| Whose::User(Box::new(Owner { user, keys, last_used, by }))))
}

/// The user that had the key at the latest kept audit of the account.
async fn in_audit(
    audits: &Snapshots,
    caller: &Caller,
    own: &AccountId,
    key: &AccessKeyId,
) -> Option<(UserName, Timestamp)> {
    let estate = audits.earlier(&caller.source(), own).await.ok().flatten()?.estate;
    let user = estate.users.iter().find(|user| user.keys.iter().any(|one| one.id.as_ref() == Some(key)))?;
    Some((user.name().clone(), estate.as_of))
}

/// Lists the keys of every user: a key that AWS does not know and one that the caller may not ask about look the same.
async fn sweep(caller: &Caller, key: &AccessKeyId, refused: &AwsError) -> Result<Whose, AwsError> {
    let unknown = |why: String| Ok(Whose::Unknown { reason: format!("{refused}; {why}") });
    let users = match caller.user_details().await {
        Ok(users) => users,
        Err(error) => return unknown(format!("the users cannot be listed: {error}")),
    };
    if users.len() > SWEEP_LIMIT {
        return unknown(format!("the account has {} users, more than are looked through", users.len()));
    }
    let mut lists = futures_util::stream::iter(users.into_keys().map(|name| async move {
        let keys = caller.access_keys(Some(&name)).await;
        (name, keys)
    }))
    .buffer_unordered(CONCURRENT);
    let mut unread = None;
    while let Some((name, keys)) = lists.next().await {
        match keys {
            Ok(keys) if keys.iter().any(|one| one.id == *key) => {
                let reason = crate::audit::without_key(&refused.to_string());
                let by = "iam:ListAccessKeys of every user".to_owned();
                let found = owner(caller, &name, key, LastUsed::Unknown { reason }, by).await?;
                return Ok(found.unwrap_or(Whose::Gone { user: Some(name), by: "iam:ListAccessKeys".to_owned() }));
            }
            Ok(_) | Err(AwsError::NoSuchEntity { .. }) => {}
            Err(error) => unread = Some(error),
        }
    }
    if let Some(error) = unread {
        return unknown(format!("the keys of some users cannot be listed: {error}"));
    }
    match caller.root_has_keys().await {
        Ok(true) => Ok(Whose::Root),
        Ok(false) => Ok(Whose::Gone { user: None, by: "iam:ListAccessKeys of every user".to_owned() }),
        Err(error) => unknown(format!("no user has it, and whether the root user has keys cannot be read: {error}")),
    }
}
