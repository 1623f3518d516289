//! Makes service users: looks at what is there, carries a plan out, and takes back what a run has made.
//!
//! Invariant: [`undo`] takes back what [`apply`] did, or may have done, and nothing else. A request whose answer is lost is looked
//! after, not believed: names are unique, so that what was not there before and is there now is ours.

use std::collections::BTreeSet;
use std::time::Duration;

use akia_core::estate::{Console, Key, Known, User};
use akia_core::key::LastUsed;
use akia_core::service::{Change, GroupFound, POLICY_NAME, ServiceFound, ServiceWish, UserFound, plan};
use akia_core::{KeyStatus, UserName};
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use futures_util::StreamExt as _;
use futures_util::future::try_join4;

use crate::audit::without_key;
use crate::aws::{AwsError, Caller};

/// How often one change is tried: a part of AWS that lags does not know yet what was made a moment ago.
const TRIES: u32 = 5;
/// Between two tries.
const GAP: Duration = Duration::from_secs(2);

/// What the account has of a service user.
///
/// # Errors
/// When AWS does not tell all of it: half a picture would have things made that are there.
pub async fn look(caller: &Caller, name: &UserName) -> Result<ServiceFound, AwsError> {
    let group = match caller.group(name.as_str()).await? {
        None => None,
        Some(group) => {
            let inline = caller.group_policies(name.as_str()).await?;
            let attached = caller.attached_group_policies(name.as_str()).await?;
            let others = inline.iter().filter(|policy| *policy != POLICY_NAME).cloned();
            Some(GroupFound {
                path: group.path,
                members: group.members,
                policy: caller.group_policy(name.as_str(), POLICY_NAME).await?,
                other_policies: others.chain(attached).collect(),
            })
        }
    };
    let user = match caller.user(Some(name)).await {
        Err(AwsError::NoSuchEntity { .. }) => None,
        Err(error) => return Err(error),
        Ok(user) => {
            let inline = caller.user_policies(name).await?;
            let attached = caller.attached_user_policies(name).await?;
            Some(UserFound {
                arn: user.arn,
                tags: user.tags.into_iter().collect(),
                boundary: user.boundary,
                groups: caller.groups_of_user(name).await?,
                policies: inline.into_iter().chain(attached).collect(),
                has_console: caller.has_console_password(name).await?,
                keys: caller.access_keys(Some(name)).await?,
            })
        }
    };
    Ok(ServiceFound { group, user })
}

/// Users who are asked about at the same time.
const CONCURRENT: usize = 16;

/// The service users of an account as they are at this moment: the credential report may be hours old, and not know one that was
/// just made. `is_service` says which ones count.
///
/// # Errors
/// When AWS does not tell who is there, or something of one of them.
pub async fn service_users(
    caller: &Caller,
    is_service: &(dyn Fn(&User) -> bool + Send + Sync),
) -> Result<Vec<User>, AwsError> {
    let all = caller.users_in_detail().await?;
    let bare = all.into_iter().map(|(arn, details)| User {
        arn,
        created_at: None,
        console: Console::Without,
        mfa_active: false,
        keys: Vec::new(),
        details: Known::Told(details),
        service_credentials: Known::Told(Vec::new()),
    });
    let wanted: Vec<User> = bare.filter(|user| is_service(user)).collect();
    let looks = wanted.into_iter().map(|user| fill(caller, user));
    let looked: Vec<_> = futures_util::stream::iter(looks).buffered(CONCURRENT).collect().await;
    let mut users = Vec::new();
    for one in looked {
        users.extend(one?);
    }
    users.sort_by(|a, b| a.arn.name.cmp(&b.arn.name));
    Ok(users)
}

/// What the details do not have: keys, console, MFA. None where the user is gone meanwhile.
async fn fill(caller: &Caller, user: User) -> Result<Option<User>, AwsError> {
    let name = user.arn.name.clone();
    let asked = try_join4(
        caller.user(Some(&name)),
        caller.access_keys(Some(&name)),
        caller.has_console_password(&name),
        caller.has_mfa_device(&name),
    );
    let (found, listed, has_console, mfa_active) = match asked.await {
        Ok(answers) => answers,
        Err(AwsError::NoSuchEntity { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut keys = Vec::new();
    for key in listed {
        // What cannot be read is unknown, and never "never".
        let last_used = match caller.access_key_last_used(&key.id).await {
            Ok((last_used, _)) => last_used,
            Err(error) => LastUsed::Unknown { reason: without_key(&error.to_string()) },
        };
        let (id, created_at) = (Some(key.id), Known::Told(key.created_at));
        keys.push(Key { id, status: key.status, created_at, reactivated_at: None, last_used });
    }
    keys.sort_by_key(|key| (key.status == KeyStatus::Inactive, key.created_at.told().copied()));
    let console = if has_console { Console::With { used_at: found.password_used_at } } else { Console::Without };
    Ok(Some(User { created_at: Some(found.created_at), console, mfa_active, keys, ..user }))
}

/// Why a plan was not carried out.
pub struct ApplyFailed {
    /// What was done before, in order; the last may or may not have been, where `is_lost` says so.
    pub done: Vec<Change>,
    /// What failed.
    pub error: AwsError,
    /// Whether it is not known what became of the last of them.
    pub is_lost: bool,
}

/// Carries a plan out. `told` hears of each change that is done.
///
/// # Errors
/// With all that is to be taken back.
pub async fn apply(
    caller: &Caller,
    wish: &ServiceWish,
    changes: &[Change],
    told: &(dyn Fn(&Change) + Send + Sync),
) -> Result<(), ApplyFailed> {
    let mut done: Vec<Change> = Vec::new();
    for change in changes {
        match settle(caller, wish, change, &done).await {
            Ok(()) => {
                told(change);
                done.push(change.clone());
            }
            Err(error) => {
                let is_lost = !error.outcome_is_known();
                if is_lost {
                    done.push(change.clone());
                }
                return Err(ApplyFailed { done, error, is_lost });
            }
        }
    }
    Ok(())
}

/// Sends a change until it is known to be done, or refused.
async fn settle(caller: &Caller, wish: &ServiceWish, change: &Change, done: &[Change]) -> Result<(), AwsError> {
    let mut is_sent_before = false;
    for tried in 1.. {
        let error = match send(caller, wish, change).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // What this run has made may not be known everywhere yet.
        let lags = matches!(error, AwsError::NoSuchEntity { .. }) && needs(change, done);
        let is_lost = !error.outcome_is_known();
        // The first copy of a request whose answer was lost has made it.
        let is_ours = is_sent_before && is_already_there(&error);
        if !(lags || is_lost || is_ours) {
            return Err(error);
        }
        if tried == TRIES {
            return Err(error);
        }
        caller.aws().sleep().sleep(GAP).await;
        if (is_lost || is_ours) && stands(caller, wish, change).await? {
            return Ok(());
        }
        is_sent_before |= is_lost;
    }
    Ok(())
}

async fn send(caller: &Caller, wish: &ServiceWish, change: &Change) -> Result<(), AwsError> {
    let name = &wish.user;
    match change {
        Change::CreateGroup => caller.create_group(name.as_str(), wish.path.as_str()).await,
        Change::PutGroupPolicy { .. } => {
            caller.put_group_policy(name.as_str(), POLICY_NAME, &wish.document.to_compact_json()).await
        }
        Change::CreateUser => {
            let mut tags = wish.tags.clone();
            tags.insert(wish.created_by.0.clone(), wish.created_by.1.clone());
            let boundary = wish.boundary.as_ref().map(|arn| arn.as_str());
            caller.create_user(name, wish.path.as_str(), &tags, boundary).await
        }
        Change::PutBoundary { .. } => match &wish.boundary {
            Some(arn) => caller.put_boundary(name, arn.as_str()).await,
            None => Ok(()),
        },
        Change::TagUser { tags, .. } => caller.tag_user(name, tags).await,
        Change::AddToGroup => caller.add_user_to_group(name, name.as_str()).await,
    }
}

/// Whether a change asks for something that this run has made.
fn needs(change: &Change, done: &[Change]) -> bool {
    let made = |one: &Change| done.contains(one);
    match change {
        // Boundary and tags of a new user come with it.
        Change::CreateGroup | Change::CreateUser | Change::PutBoundary { .. } | Change::TagUser { .. } => false,
        Change::PutGroupPolicy { .. } => made(&Change::CreateGroup),
        Change::AddToGroup => made(&Change::CreateGroup) || made(&Change::CreateUser),
    }
}

fn is_already_there(error: &AwsError) -> bool {
    matches!(error, AwsError::Rejected { code, .. } if code == "EntityAlreadyExists")
}

/// Whether the account shows what a change makes.
async fn stands(caller: &Caller, wish: &ServiceWish, change: &Change) -> Result<bool, AwsError> {
    let left = plan(wish, &look(caller, &wish.user).await?).changes;
    let kind = std::mem::discriminant(change);
    Ok(!left.iter().any(|one| std::mem::discriminant(one) == kind))
}

/// Looks again until everything stands as it was asked for; gives what does not.
///
/// # Errors
/// When AWS does not tell.
pub async fn read_back(caller: &Caller, wish: &ServiceWish) -> Result<Vec<Change>, AwsError> {
    let mut left = Vec::new();
    for tried in 0..TRIES {
        if tried > 0 {
            caller.aws().sleep().sleep(GAP).await;
        }
        left = plan(wish, &look(caller, &wish.user).await?).changes;
        if left.is_empty() {
            break;
        }
    }
    Ok(left)
}

/// How taking one change back went.
pub struct Undone {
    /// The change.
    pub change: Change,
    /// Why it still stands.
    pub error: Option<AwsError>,
}

/// Takes changes back, the last first. One that cannot be taken back does not keep the others.
pub async fn undo(caller: &Caller, wish: &ServiceWish, done: &[Change]) -> Vec<Undone> {
    let mut all = Vec::new();
    for change in done.iter().rev() {
        let mut error = None;
        for tried in 0..TRIES {
            if tried > 0 {
                caller.aws().sleep().sleep(GAP).await;
            }
            error = take_back(caller, wish, change).await.err();
            // A part of AWS that lags still sees the user in the group, say.
            let may_pass = error.as_ref().is_some_and(|error| error.is_transient() || is_conflict(error));
            if !may_pass {
                break;
            }
        }
        all.push(Undone { change: change.clone(), error });
    }
    all
}

fn is_conflict(error: &AwsError) -> bool {
    matches!(error, AwsError::Rejected { code, .. } if code == "DeleteConflict")
}

async fn take_back(caller: &Caller, wish: &ServiceWish, change: &Change) -> Result<(), AwsError> {
    let name = &wish.user;
    match change {
        Change::CreateGroup => caller.delete_group(name.as_str()).await,
        Change::PutGroupPolicy { before: None } => caller.delete_group_policy(name.as_str(), POLICY_NAME).await,
        Change::PutGroupPolicy { before: Some(text) } => {
            caller.put_group_policy(name.as_str(), POLICY_NAME, text).await
        }
        Change::CreateUser => caller.delete_user(name).await,
        Change::PutBoundary { before: None } => caller.delete_boundary(name).await,
        Change::PutBoundary { before: Some(arn) } => caller.put_boundary(name, arn).await,
        Change::TagUser { tags, before } => {
            let new: BTreeSet<&String> = tags.keys().filter(|tag| !before.contains_key(*tag)).collect();
            if !new.is_empty() {
                caller.untag_user(name, new.into_iter().cloned().collect()).await?;
            }
            if before.is_empty() { Ok(()) } else { caller.tag_user(name, before).await }
        }
        Change::AddToGroup => caller.remove_user_from_group(name, name.as_str()).await,
    }
}
