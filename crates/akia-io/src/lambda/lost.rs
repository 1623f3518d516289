//! What became of a request to create a key whose answer nobody has.

use std::time::Duration;

use akia_core::ids::{Region, UserName};
use akia_core::key::{AccessKey, LastUsed};
use akia_core::secret_rotation::{Intent, Keys, QUARANTINE};
use jiff::{SignedDuration, Timestamp};

use super::steps::Held;
use super::{Rotator, StepError};
use crate::aws::Caller;

/// The label of the version in which the latest intent stands. Readers of the secret never get it unasked.
pub(super) const INTENT: &str = "AKIAINTENT";
/// How often keys are listed until two answers are equal, or a deleted one is gone.
const LIST_LIMIT: u32 = 10;
const LIST_GAP: Duration = Duration::from_secs(1);
/// CloudTrail may have another clock.
const SLACK: SignedDuration = SignedDuration::from_mins(2);

impl Rotator {
    /// Waits until an earlier request can have no effect any more, and deletes what it has left behind.
    pub(super) async fn settle_lost(
        &self,
        caller: &Caller,
        region: &Region,
        secret: &str,
        held: &Held,
        until: Timestamp,
    ) -> Result<(), StepError> {
        let Some(intent) = self.open_intent(caller, region, secret).await? else { return Ok(()) };
        let wait = intent.at.saturating_add(QUARANTINE).unwrap_or(intent.at).duration_since(self.clock.now());
        if wait > SignedDuration::ZERO {
            self.sleep_within(Duration::try_from(wait.min(QUARANTINE)).unwrap_or_default(), until).await?;
        }
        let user = &held.user;
        let listed = self.settled_keys(caller, user, until).await?;
        // Another call of the same step may have ended well meanwhile.
        if caller.secret_version(region, secret, &intent.token).await?.is_some() {
            return Ok(());
        }
        let keys = Keys {
            current: &held.current.id,
            since: held.since,
            previous: held.previous.as_ref(),
            previous_used: &LastUsed::Never,
            listed: &listed,
        };
        for suspect in intent.suspects(&keys) {
            self.attribute(caller, secret, &intent, suspect).await?;
            caller.delete_new_access_key(user, &suspect.id).await?;
            self.until_gone(caller, user, suspect, until).await?;
        }
        Ok(())
    }

    /// The latest intent, where its version of the secret has no value: nobody knows whether a key was created.
    async fn open_intent(&self, caller: &Caller, region: &Region, secret: &str) -> Result<Option<Intent>, StepError> {
        let Some(version) = caller.secret_labelled(region, secret, INTENT).await? else { return Ok(None) };
        let intent = version.text.and_then(|text| serde_json::from_str::<Intent>(&text).ok());
        let intent = intent.filter(|intent| intent.akia_intent == 1).ok_or_else(|| StepError::Secret {
            secret: secret.to_owned(),
            reason: format!(
                "the version with the label {INTENT} is not what akia writes there: find out who wrote it, and take the label off"
            ),
        })?;
        let is_answered = caller.secret_version(region, secret, &intent.token).await?.is_some();
        Ok(Some(intent).filter(|_| !is_answered))
    }

    /// Goes on only if CloudTrail shows that the request of the intent made the key, and nobody has used it.
    async fn attribute(
        &self,
        caller: &Caller,
        secret: &str,
        intent: &Intent,
        suspect: &AccessKey,
    ) -> Result<(), StepError> {
        let lost = |reason: String| StepError::Lost { secret: secret.to_owned(), reason };
        let key = &suspect.id;
        let by_hand = format!("if you know that it is nobody's, delete {key} yourself");
        match caller.who_created(key, intent.at.saturating_sub(SLACK).unwrap_or(intent.at)).await {
            Ok(Some(made)) if made.user_agent.contains(&format!("akia-{}", intent.nonce(secret))) => {}
            Ok(Some(made)) => {
                let who = made.principal.unwrap_or(made.source_ip);
                return Err(lost(format!(
                    "a key {key} that this rotation did not make has appeared; {who} made it at {}",
                    made.at
                )));
            }
            Ok(None) => {
                return Err(lost(format!(
                    "the answer to a request for a new key was lost, and CloudTrail does not tell yet whether it made {key}: that may \
                     take 15 minutes. The step may be called again; {by_hand}"
                )));
            }
            Err(error) => {
                return Err(lost(format!(
                    "the answer to a request for a new key was lost, and CloudTrail cannot be asked whether it made {key} ({error}); \
                     {by_hand}"
                )));
            }
        }
        match caller.access_key_last_used(key).await?.0 {
            LastUsed::Never => Ok(()),
            LastUsed::At { at, service, .. } => {
                Err(lost(format!("the key {key}, whose secret nobody should have, was used at {at} for {service}")))
            }
            LastUsed::Unknown { reason } => Err(lost(format!("it is not known whether {key} was used: {reason}"))),
        }
    }

    /// The keys of a user, once two answers are equal.
    async fn settled_keys(
        &self,
        caller: &Caller,
        user: &UserName,
        until: Timestamp,
    ) -> Result<Vec<AccessKey>, StepError> {
        let mut last = caller.access_keys(Some(user)).await?;
        for _ in 0..LIST_LIMIT {
            self.sleep_within(LIST_GAP, until).await?;
            let again = caller.access_keys(Some(user)).await?;
            if again == last {
                break;
            }
            last = again;
        }
        Ok(last)
    }

    /// IAM's lists lag behind its deletions.
    pub(super) async fn until_gone(
        &self,
        caller: &Caller,
        user: &UserName,
        deleted: &AccessKey,
        until: Timestamp,
    ) -> Result<(), StepError> {
        for _ in 0..LIST_LIMIT {
            if !caller.access_keys(Some(user)).await?.iter().any(|key| key.id == deleted.id) {
                break;
            }
            self.sleep_within(LIST_GAP, until).await?;
        }
        Ok(())
    }

    /// Sleeps, if the function lives that long and a little longer.
    pub(super) async fn sleep_within(&self, wait: Duration, until: Timestamp) -> Result<(), StepError> {
        let end = SignedDuration::try_from(wait).ok().and_then(|wait| self.clock.now().checked_add(wait).ok());
        if end.is_none_or(|end| end > until) {
            return Err(StepError::OutOfTime);
        }
        self.clock.sleep(wait).await;
        Ok(())
    }
}
