//! Which rights a caller has, found out by calls that change nothing.
//!
//! AWS decides about the right before it looks for the key, so a change to a key that cannot exist tells them apart:
//! `NoSuchEntity` means allowed, `AccessDenied` means not. Where no such call exists, the answer is unknown: a probe
//! that may succeed is no probe.

use akia_core::ids::{AccessKeyId, UserName};
use akia_core::key::{AccessKey, KeyStatus};
use jiff::Timestamp;

use super::caller::{Caller, Simulation};
use super::error::AwsError;

/// Well formed, and nobody's: the digits 0, 1, 8 and 9 stand in no key id that AWS has issued.
const NOBODYS_KEY: &str = "AKIA0000000000000000";

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// The caller may.
    Allowed,
    /// The caller may not.
    Denied {
        /// What decided, when AWS says so.
        reason: Option<String>,
    },
    /// It cannot be told without changing something, or the call failed for another reason.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Caller {
    /// Whether the caller may do `action` (for example `iam:UpdateAccessKey`) for `user`, or for itself.
    pub async fn probe(&self, action: &str, user: Option<&UserName>) -> Right {
        match action.to_ascii_lowercase().as_str() {
            "iam:getuser" => read(self.user(user).await),
            "iam:listaccesskeys" => read(self.access_keys(user).await),
            "iam:updateaccesskey" | "iam:deleteaccesskey" => self.probe_change(action, user).await,
            "iam:getaccesskeylastused" => match self.some_key(user).await {
                Ok(Some(key)) => read(self.access_key_last_used(&key).await),
                Ok(None) => unknown("there is no key to ask about"),
                Err(error) => unknown(&format!("no key to ask about is known ({error})")),
            },
            "iam:simulateprincipalpolicy" => match self.caller_identity().await {
                Ok(identity) => {
                    let ask =
                        Simulation { principal: &identity.arn, actions: &["iam:GetUser"], resource: "*", facts: &[] };
                    read(self.simulate(ask).await)
                }
                Err(error) => unknown(&error.to_string()),
            },
            "iam:generatecredentialreport" => read(self.generate_credential_report().await),
            "iam:getcredentialreport" => read(self.credential_report().await),
            "iam:getaccountauthorizationdetails" => read(self.user_details().await),
            "iam:listservicespecificcredentials" => read(self.service_credentials().await),
            "iam:listaccountaliases" => read(self.account_alias().await),
            "iam:getaccountsummary" => read(self.root_has_keys().await),
            "iam:listattacheduserpolicies" => match user {
                Some(user) => read(self.attached_user_policies(user).await),
                None => unknown("a call needs a user"),
            },
            "iam:listuserpolicies" => match user {
                Some(user) => read(self.user_policies(user).await),
                None => unknown("a call needs a user"),
            },
            "sts:getcalleridentity" => read(self.caller_identity().await),
            "sts:getaccesskeyinfo" => read(self.access_key_account(self.key()).await),
            "cloudtrail:lookupevents" => {
                let now = Timestamp::try_from(self.aws().time().now()).unwrap_or(Timestamp::MAX);
                match NOBODYS_KEY.parse() {
                    Ok(key) => read(self.who_created(&key, now).await),
                    Err(_) => unknown("no key to ask about"),
                }
            }
            // Even with two keys in place the quota is racy, and a probe that makes a third key is no probe.
            "iam:createaccesskey" => unknown("only making a key shows it"),
            // Listings of a whole account: a scan asks them, and tells what it may not read.
            reads if !reads.starts_with("iam:") => unknown("it is not tried: a scan says itself what it may not read"),
            _ => unknown("no harmless call shows it"),
        }
    }

    async fn probe_change(&self, action: &str, user: Option<&UserName>) -> Right {
        let name = match user {
            Some(name) => name.clone(),
            None => match self.user(None).await {
                Ok(user) => user.name,
                Err(error) => return unknown(&format!("the user's name is not known ({error})")),
            },
        };
        let Ok(nobodys) = NOBODYS_KEY.parse::<AccessKeyId>() else { return unknown("no key to try it on") };
        let tried = if action.eq_ignore_ascii_case("iam:DeleteAccessKey") {
            self.send_delete(&name, &nobodys).await
        } else {
            self.send_update(&name, &nobodys, KeyStatus::Inactive).await
        };
        read(tried)
    }

    /// A long-term key of the user: the one that signs, or any listed.
    async fn some_key(&self, user: Option<&UserName>) -> Result<Option<AccessKeyId>, AwsError> {
        if user.is_none() && !self.credentials().is_temporary() {
            return Ok(Some(self.key().clone()));
        }
        let keys: Vec<AccessKey> = self.access_keys(user).await?;
        Ok(keys.into_iter().next().map(|key| key.id))
    }
}

/// A call that got through, or was refused for another reason than a missing right, was allowed only if AWS says so.
fn read<T>(answer: Result<T, AwsError>) -> Right {
    match answer {
        Ok(_) | Err(AwsError::NoSuchEntity { .. }) => Right::Allowed,
        Err(AwsError::AccessDenied { reason, .. }) => Right::Denied { reason },
        Err(error) => unknown(&error.to_string()),
    }
}

fn unknown(why: &str) -> Right {
    Right::Unknown { why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_nobody_is_well_formed() {
        let key: AccessKeyId = NOBODYS_KEY.parse().unwrap();
        assert_eq!(key.as_str().len(), 20);
        assert_eq!(key.account(), None, "no account is encoded in it, so AWS cannot have issued it");
    }
}
