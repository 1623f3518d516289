//! Who calls AWS for what: readers read an account, and each change is made by a session of the role that is named for it,
//! narrowed to the keys of the one user whose key it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use akia_core::enforce::{Act, CaseSubject, Roles};
use akia_core::ids::{AccountId, UserArn};
use serde_json::json;
use tokio::sync::Mutex;

use crate::aws::{AssumeRole, AwsError, Caller};
use crate::organization::{Entry, ends_soon};

/// How long a session for one change lives: AWS allows no less.
const SHORTEST_SESSION: Duration = Duration::from_secs(900);

/// The way into accounts.
pub struct Gate {
    hub: Arc<Caller>,
    entry: Entry,
    roles: Roles,
    readers: Mutex<HashMap<AccountId, Arc<Caller>>>,
}

impl Gate {
    /// For the calls of `hub`. `entry` says how accounts are read, `roles` who changes keys.
    #[must_use]
    pub fn new(hub: Arc<Caller>, entry: Entry, roles: Roles) -> Self {
        Self { hub, entry, roles, readers: Mutex::default() }
    }

    /// Who runs akia.
    #[must_use]
    pub fn caller_arn(&self) -> &str {
        &self.entry.caller_arn
    }

    /// The account of whoever calls.
    #[must_use]
    pub fn own_account(&self) -> &AccountId {
        &self.entry.own
    }

    /// The one who calls.
    #[must_use]
    pub fn hub(&self) -> &Caller {
        &self.hub
    }

    /// Reads an account: the hub its own, and others through the role of an audit.
    ///
    /// # Errors
    /// When the role cannot be assumed.
    pub async fn reader(&self, account: &AccountId) -> Result<Arc<Caller>, AwsError> {
        if *account == self.entry.own {
            return Ok(Arc::clone(&self.hub));
        }
        // Held while a session is opened: each account needs one.
        let mut readers = self.readers.lock().await;
        if let Some(reader) = readers.get(account).filter(|reader| !ends_soon(reader.credentials())) {
            return Ok(Arc::clone(reader));
        }
        let role_arn = self.entry.role_arn(account);
        let reader = Arc::new(self.assume(&role_arn, self.entry.external_id.as_deref(), None, None).await?);
        readers.insert(account.clone(), Arc::clone(&reader));
        Ok(reader)
    }

    /// Changes a key of one user, and the ARN that CloudTrail will have for it.
    ///
    /// # Errors
    /// When the role cannot be assumed.
    pub async fn actor(&self, act: Act, subject: &CaseSubject) -> Result<(Arc<Caller>, String), AwsError> {
        let named = match act {
            Act::Deactivate | Act::Reactivate => self.roles.deactivator.as_ref().zip(Some("iam:UpdateAccessKey")),
            Act::Delete => self.roles.deleter.as_ref().zip(Some("iam:DeleteAccessKey")),
            Act::Announce | Act::Remind | Act::TellDeactivated => None,
        };
        let Some((role, action)) = named else {
            // Without a role of its own the caller's account is changed by the caller, another by the role that reads it.
            let actor = self.reader(&subject.account).await?;
            return Ok((actor, self.entry.caller_arn.clone()));
        };
        self.session(role, &subject.account, &one_user_policy(action, &subject.user)).await
    }

    /// Sets and takes back the policies of a quarantine at one user, and the ARN that CloudTrail will have for it. `policy` is
    /// the one that may be attached.
    ///
    /// # Errors
    /// When the role cannot be assumed.
    pub async fn quarantiner(
        &self,
        account: &AccountId,
        user: &UserArn,
        policy: &str,
    ) -> Result<(Arc<Caller>, String), AwsError> {
        match &self.roles.quarantiner {
            Some(role) => self.session(role, account, &quarantine_of(user, policy)).await,
            None => Ok((self.reader(account).await?, self.entry.caller_arn.clone())),
        }
    }

    /// A session of a role for changes, narrowed to what it is for.
    async fn session(&self, role: &str, account: &AccountId, policy: &str) -> Result<(Arc<Caller>, String), AwsError> {
        let entry = Entry { role_name: role.to_owned(), ..self.entry.clone() };
        let role_arn = entry.role_arn(account);
        let external_id = self.roles.external_id.as_deref();
        let actor = self.assume(&role_arn, external_id, Some(policy), Some(SHORTEST_SESSION)).await?;
        Ok((Arc::new(actor), format!("{role_arn} ({})", self.entry.session)))
    }

    async fn assume(
        &self,
        role_arn: &str,
        external_id: Option<&str>,
        policy: Option<&str>,
        duration: Option<Duration>,
    ) -> Result<Caller, AwsError> {
        let ask = AssumeRole {
            role_arn,
            session_name: &self.entry.session,
            external_id,
            mfa: None,
            duration,
            source_identity: None,
            policy,
        };
        let credentials = self.hub.assume_role(ask).await?;
        Ok(self.hub.aws().caller(credentials, self.hub.target().clone()))
    }
}

/// What a session for one act may do: that, to this user.
fn one_user_policy(action: &str, user: &UserArn) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": action, "Resource": user.to_string() }],
    })
    .to_string()
}

/// What a session for a quarantine may do: attach and detach that policy, and set inline policies, at this user.
fn quarantine_of(user: &UserArn, policy: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["iam:AttachUserPolicy", "iam:DetachUserPolicy"],
            "Resource": user.to_string(),
            "Condition": { "ArnEquals": { "iam:PolicyARN": policy } },
        }, {
            "Effect": "Allow",
            "Action": ["iam:PutUserPolicy", "iam:DeleteUserPolicy"],
            "Resource": user.to_string(),
        }],
    })
    .to_string()
}
