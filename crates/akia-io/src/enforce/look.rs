//! A look at one key, as AWS tells it now: three calls.

use akia_core::LastUsed;
use akia_core::enforce::{CaseSubject, Facts, KeyFacts};
use akia_core::estate::{Console, Details, Key, Known, User};
use futures_util::future::join3;
use jiff::Timestamp;

use crate::audit::without_key;
use crate::aws::{AwsError, Caller};

/// What AWS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Of the key.
    pub facts: Facts,
    /// Of its user, with the key, where both are there.
    pub user: Option<User>,
}

impl Looked {
    /// Nothing could be read.
    #[must_use]
    pub fn unknown(reason: &str) -> Self {
        let reason = || reason.to_owned();
        let facts = Facts {
            user_id: Known::Unknown { reason: reason() },
            key: Known::Unknown { reason: reason() },
            last_used: LastUsed::Unknown { reason: reason() },
            reactivated_at: None,
        };
        Self { facts, user: None }
    }
}

/// Looks at a key. `reactivated_at` is what a credential report has told: AWS says it nowhere else.
pub async fn look(caller: &Caller, subject: &CaseSubject, reactivated_at: Option<Timestamp>) -> Looked {
    let name = &subject.user.name;
    let asked =
        join3(caller.user(Some(name)), caller.access_keys(Some(name)), caller.access_key_last_used(&subject.key));
    let (user, keys, last_used) = asked.await;
    let keys = match keys {
        Ok(keys) => Known::Told(keys),
        // Without the user there is no key; whether the user is gone is asked separately.
        Err(AwsError::NoSuchEntity { .. }) => Known::Told(Vec::new()),
        Err(error) => unknown(&error),
    };
    let key = match &keys {
        Known::Told(keys) => Known::Told(keys.iter().find(|key| key.id == subject.key).copied_facts()),
        Known::Unknown { reason } => Known::Unknown { reason: reason.clone() },
    };
    let last_used = match last_used {
        // AWS says whose key it is.
        Ok((_, Some(owner))) if owner != *name => {
            LastUsed::Unknown { reason: format!("AWS says that the key is one of {owner}") }
        }
        Ok((last_used, _)) => last_used,
        Err(error) => LastUsed::Unknown { reason: without_key(&error.to_string()) },
    };
    let (user_id, user) = match user {
        Ok(user) => (Known::Told(Some(user.id.clone())), Some(user)),
        Err(AwsError::NoSuchEntity { .. }) => (Known::Told(None), None),
        Err(error) => (unknown(&error), None),
    };
    let facts = Facts { user_id, key, last_used, reactivated_at };
    let user = user.zip(facts.key.told().copied().flatten()).map(|(user, key)| User {
        created_at: Some(user.created_at),
        // The rules that lead to action ask for neither.
        console: Console::Without,
        mfa_active: false,
        keys: vec![Key {
            id: Some(subject.key.clone()),
            status: key.status,
            created_at: Known::Told(key.created_at),
            reactivated_at,
            last_used: facts.last_used.clone(),
        }],
        details: Known::Told(Details {
            id: Some(user.id),
            tags: user.tags.into_iter().collect(),
            ..Details::default()
        }),
        service_credentials: Known::Told(Vec::new()),
        arn: user.arn,
    });
    Looked { facts, user }
}

trait CopiedFacts {
    fn copied_facts(self) -> Option<KeyFacts>;
}

impl CopiedFacts for Option<&akia_core::AccessKey> {
    fn copied_facts(self) -> Option<KeyFacts> {
        self.map(|key| KeyFacts { status: key.status, created_at: key.created_at })
    }
}

fn unknown<T>(error: &AwsError) -> Known<T> {
    Known::Unknown { reason: without_key(&error.to_string()) }
}
