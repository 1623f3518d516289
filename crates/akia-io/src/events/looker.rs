//! The gate into accounts, asking about users for events.

use akia_core::LastUsed;
use akia_core::estate::UserFound;
use akia_core::ids::{AccessKeyId, AccountId, UserName};
use futures_util::future::{BoxFuture, join};

use super::{Looker, Seen};
use crate::aws::AwsError;
use crate::enforce::Gate;

impl Looker for Gate {
    fn user<'a>(&'a self, account: &'a AccountId, name: &'a UserName) -> BoxFuture<'a, Result<Option<Seen>, AwsError>> {
        Box::pin(async move {
            let reader = self.reader(account).await?;
            let (user, keys) = join(reader.user(Some(name)), reader.access_keys(Some(name))).await;
            match (user, keys) {
                (Err(AwsError::NoSuchEntity { .. }), _) | (_, Err(AwsError::NoSuchEntity { .. })) => Ok(None),
                (Err(error), _) | (_, Err(error)) => Err(error),
                (Ok(user), Ok(keys)) => Ok(Some(Seen {
                    tags: user.tags.into_iter().collect(),
                    user: UserFound { arn: user.arn, id: user.id, created_at: user.created_at, keys },
                })),
            }
        })
    }

    fn owner<'a>(
        &'a self,
        account: &'a AccountId,
        key: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<(Option<UserName>, LastUsed), AwsError>> {
        Box::pin(async move {
            let reader = self.reader(account).await?;
            match reader.access_key_last_used(key).await {
                Ok((last_used, owner)) => Ok((owner, last_used)),
                Err(error @ AwsError::NoSuchEntity { .. }) => {
                    Ok((None, LastUsed::Unknown { reason: crate::audit::without_key(&error.to_string()) }))
                }
                Err(error) => Err(error),
            }
        })
    }
}
