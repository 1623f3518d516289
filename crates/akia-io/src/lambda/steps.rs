//! The steps.

use std::time::Duration;

use akia_core::ids::{AccessKeyId, Region, UserName};
use akia_core::key::{AccessKey, KeyStatus, LastUsed};
use akia_core::place::SecretId;
use akia_core::secret_rotation::{Blocked, Intent, Keys, Retirement, Room};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::lost::INTENT;
use super::{RotationEvent, Rotator, Step, StepError};
use crate::aws::{
    CURRENT, Caller, CallerIdentity, Credentials, DescribedSecret, IdentityKind, NewKey, PENDING, PREVIOUS,
    SecretVersion, Target,
};
use crate::place::KeyPair;
use crate::place::secrets_manager::{pair_in, text_with};

/// Successes in a row that prove a key: IAM is eventually consistent, and not monotonic.
const PROOFS: u32 = 3;
/// How often a new key is tried.
const TRIES: u32 = 60;
const GAP: Duration = Duration::from_secs(1);
/// Before its end the function answers, in seconds.
const RESERVE: SignedDuration = SignedDuration::from_secs(5);

/// Where a version stands.
enum Stage {
    /// It is the one that is being made.
    Pending,
    /// It is current already: there is nothing left to do.
    Current,
}

/// What the secret holds now.
pub(super) struct Held {
    pub(super) current: KeyPair,
    /// The version that it is in.
    version: SecretVersion,
    /// Since when.
    pub(super) since: Timestamp,
    /// The key before it.
    pub(super) previous: Option<AccessKeyId>,
    /// Whose they are, as AWS says of the current one.
    pub(super) user: UserName,
}

impl Rotator {
    /// Carries out a step before `deadline`, and says what was done.
    ///
    /// # Errors
    /// When the step is not done. It may be called again.
    pub async fn step(&self, event: &RotationEvent, deadline: Timestamp) -> Result<String, StepError> {
        let until = deadline.saturating_sub(RESERVE).unwrap_or(deadline);
        let secret = event.secret_id.as_str();
        let id: SecretId =
            secret.parse().map_err(|_| StepError::Event { reason: "SecretId is no secret".to_owned() })?;
        let region = id.region().unwrap_or_else(|| self.aws.options().region(&Target::default()));
        let caller = self.aws.caller(self.credentials.duplicate(), region.clone());
        caller.check_secrets(&region)?;
        let described = caller.describe_secret(&region, secret).await?;
        let described = described.ok_or_else(|| wrong(secret, "there is no such secret"))?;
        if described.deleted_date.is_some() {
            return Err(wrong(secret, "it is scheduled for deletion"));
        }
        if event.step == Step::RetireSecret {
            return self.retire(&caller, &region, secret, &described).await;
        }
        match stage(secret, &described, event.token())? {
            Stage::Current => Ok("the version is current already; nothing was left to do".to_owned()),
            Stage::Pending => match event.step {
                Step::CreateSecret => self.create(&caller, &region, event, &described, until).await,
                Step::SetSecret => self.set(&caller, &region, event).await,
                Step::TestSecret => self.test(&caller, &region, event, until).await,
                Step::FinishSecret | Step::RetireSecret => self.finish(&caller, &region, event, &described).await,
            },
        }
    }

    async fn create(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
        described: &DescribedSecret,
        until: Timestamp,
    ) -> Result<String, StepError> {
        let (secret, token) = (event.secret_id.as_str(), event.token());
        if let Some(pair) = self.pending(caller, region, event).await? {
            return Ok(format!("the new key is {}, made by an earlier call", pair.id));
        }
        let held = self.held(caller, region, secret, described).await?;
        self.settle_lost(caller, region, secret, &held, until).await?;
        // Another call of this step may have ended well while this one waited.
        if let Some(pair) = self.pending(caller, region, event).await? {
            return Ok(format!("the new key is {}, made by an earlier call", pair.id));
        }
        self.make_room(caller, secret, &held, until).await?;
        let listed = caller.access_keys(Some(&held.user)).await?;
        let intent = Intent::new(token, self.clock.now(), &listed);
        self.write_intent(caller, region, event, &intent).await?;
        let NewKey { id, secret: secret_key, .. } = caller.create_access_key(&held.user, &intent.nonce(secret)).await?;
        let pair = KeyPair { id, secret: secret_key };
        match self.keep(caller, region, event, &held, &pair).await {
            Ok(()) => Ok(format!("made the key {} for user {}", pair.id, held.user)),
            Err((error, is_known)) => {
                // Its secret is in this memory only. Where it may have been kept after all, the next call finds out.
                if is_known && caller.secret_version(region, secret, token).await?.is_none() {
                    caller
                        .delete_new_access_key(&held.user, &pair.id)
                        .await
                        .map_err(|error| StepError::with(&pair, &error))?;
                }
                Err(error)
            }
        }
    }

    /// Keeps the new key under AWSPENDING and reads it back; the error says whether it is certain that it was not kept.
    async fn keep(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
        held: &Held,
        pair: &KeyPair,
    ) -> Result<(), (StepError, bool)> {
        let (secret, token) = (event.secret_id.as_str(), event.token());
        let old = held.version.text.as_ref().map_or("", |text| text.as_str());
        let text = text_with(&self.value(), old, pair).map_err(|reason| (wrong(secret, &reason), true))?;
        let rotation_token = event.rotation_token.as_deref();
        let put = caller.put_secret_version(region, secret, token, &text, PENDING, rotation_token).await;
        put.map_err(|error| (StepError::with(pair, &error), error.outcome_is_known()))?;
        let kept = caller.secret_version(region, secret, token).await;
        let kept = kept.map_err(|error| (StepError::with(pair, &error), false))?.and_then(|version| version.text);
        if kept.is_some_and(|kept| *kept == *text) {
            return Ok(());
        }
        Err((wrong(secret, "AWSPENDING was written, but reads back differently"), false))
    }

    /// Deletes the key that an earlier rotation has displaced, if nobody uses it.
    async fn make_room(&self, caller: &Caller, secret: &str, held: &Held, until: Timestamp) -> Result<(), StepError> {
        let listed = caller.access_keys(Some(&held.user)).await?;
        let used = self.previous_used(caller, held, &listed).await;
        let blocked = |blocked: Blocked| StepError::Blocked { secret: secret.to_owned(), blocked };
        let keys = held.keys(&listed, &used);
        match keys.room(self.quiet_for, self.clock.now()).map_err(blocked)? {
            Room::Free => Ok(()),
            Room::AfterDeleting(key) => {
                if let Some(doomed) = listed.iter().find(|one| one.id == key) {
                    if doomed.status == KeyStatus::Active {
                        caller.update_access_key(&held.user, &key, KeyStatus::Inactive).await?;
                    }
                    caller.delete_access_key(&held.user, &key).await?;
                    self.until_gone(caller, &held.user, doomed, until).await?;
                }
                Ok(())
            }
        }
    }

    async fn write_intent(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
        intent: &Intent,
    ) -> Result<(), StepError> {
        let secret = event.secret_id.as_str();
        let text = serde_json::to_string(intent).map_err(|_| wrong(secret, "the intent could not be written"))?;
        let token = format!("akia-intent-{}", akia_core::digest::long(&text));
        caller.put_secret_version(region, secret, &token, &text, INTENT, event.rotation_token.as_deref()).await?;
        let kept = caller.secret_labelled(region, secret, INTENT).await?.and_then(|version| version.text);
        if kept.is_some_and(|kept| *kept == text) {
            Ok(())
        } else {
            Err(wrong(secret, "the intent to create a key does not read back; no key was created"))
        }
    }

    async fn set(&self, caller: &Caller, region: &Region, event: &RotationEvent) -> Result<String, StepError> {
        let (pair, user) = self.pending_of_user(caller, region, event).await?;
        Ok(format!("the key {} is active at user {user}", pair.id))
    }

    async fn test(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
        until: Timestamp,
    ) -> Result<String, StepError> {
        let secret = event.secret_id.as_str();
        let pair = self.pending(caller, region, event).await?.ok_or_else(|| nothing_pending(secret))?;
        let mut in_a_row = 0;
        let mut last = "it was not tried".to_owned();
        for _ in 0..TRIES {
            match self.prove(caller, &pair).await {
                Ok(identity) => {
                    user_of(secret, &identity)?;
                    in_a_row += 1;
                }
                Err(error) => {
                    in_a_row = 0;
                    last = error.to_string();
                }
            }
            if in_a_row == PROOFS {
                return Ok(format!("the key {} works", pair.id));
            }
            if self.sleep_within(GAP, until).await.is_err() {
                break;
            }
        }
        Err(StepError::Unproven { key: pair.id, reason: last })
    }

    async fn finish(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
        described: &DescribedSecret,
    ) -> Result<String, StepError> {
        let (secret, token) = (event.secret_id.as_str(), event.token());
        let (pair, _) = self.pending_of_user(caller, region, event).await?;
        caller.move_label(region, secret, CURRENT, described.version_with(CURRENT), Some(token)).await?;
        let current = caller.secret_labelled(region, secret, CURRENT).await?;
        if current.is_none_or(|version| version.id != token) {
            return Err(wrong(secret, "AWSCURRENT was moved, but is not on the new version"));
        }
        Ok(format!("readers get the key {} now", pair.id))
    }

    async fn retire(
        &self,
        caller: &Caller,
        region: &Region,
        secret: &str,
        described: &DescribedSecret,
    ) -> Result<String, StepError> {
        let pending = described.version_with(PENDING);
        if pending.is_some() && pending != described.version_with(CURRENT) {
            return Ok("a rotation is under way; nothing was done".to_owned());
        }
        let held = self.held(caller, region, secret, described).await?;
        let listed = caller.access_keys(Some(&held.user)).await?;
        let used = self.previous_used(caller, &held, &listed).await;
        let blocked = |blocked: Blocked| StepError::Blocked { secret: secret.to_owned(), blocked };
        match held.keys(&listed, &used).retirement(self.quiet_for, self.clock.now()).map_err(blocked)? {
            Retirement::None => Ok("no displaced key is left".to_owned()),
            Retirement::Inactive(key) => {
                Ok(format!("the displaced key {key} is inactive; the next rotation deletes it"))
            }
            Retirement::Waits(Blocked::TooEarly { key, until }) => {
                Ok(format!("the displaced key {key} may still be in use; it is left alone until {until}"))
            }
            Retirement::Waits(why) => Err(blocked(why)),
            Retirement::Deactivate(key) => {
                caller.update_access_key(&held.user, &key, KeyStatus::Inactive).await?;
                Ok(format!("deactivated the displaced key {key} of user {}", held.user))
            }
        }
    }

    /// What the secret holds now. Its key must work: whoever can write the secret could name anybody's key otherwise.
    async fn held(
        &self,
        caller: &Caller,
        region: &Region,
        secret: &str,
        described: &DescribedSecret,
    ) -> Result<Held, StepError> {
        let version = caller.secret_labelled(region, secret, CURRENT).await?;
        let version = version.ok_or_else(|| wrong(secret, "it has no value under AWSCURRENT"))?;
        let text = version.text.as_ref().ok_or_else(|| wrong(secret, "its value is binary"))?;
        let current = pair_in(&self.value(), text).map_err(|reason| wrong(secret, &reason))?;
        let current = current.ok_or_else(|| wrong(secret, &format!("it has no {}", self.names.words())))?;
        let identity = self
            .prove(caller, &current)
            .await
            .map_err(|error| wrong(secret, &format!("the key {} in AWSCURRENT does not work: {error}", current.id)))?;
        let user = user_of(secret, &identity)?;
        let named = serde_json::from_str::<Map<String, Value>>(text).ok();
        let named = named.as_ref().and_then(|object| object.get(&self.user_name)?.as_str());
        // IAM's names ignore case.
        if let Some(named) = named
            && !named.eq_ignore_ascii_case(user.as_str())
        {
            let reason = format!("{} says {named:?}, and the key {} is of user {user}", self.user_name, current.id);
            return Err(wrong(secret, &reason));
        }
        let previous = match described.version_with(PREVIOUS) {
            Some(_) => caller.secret_labelled(region, secret, PREVIOUS).await?,
            None => None,
        };
        let previous = previous.and_then(|version| pair_in(&self.value(), version.text.as_deref()?).ok()?);
        // Where AWS does not tell since when, it was a moment ago.
        let since = version.created_at.unwrap_or_else(|| self.clock.now());
        Ok(Held { previous: previous.map(|pair| pair.id), current, version, since, user })
    }

    /// The key of the version that is being made, where it has one.
    async fn pending(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
    ) -> Result<Option<KeyPair>, StepError> {
        let secret = event.secret_id.as_str();
        let Some(version) = caller.secret_version(region, secret, event.token()).await? else { return Ok(None) };
        let text = version.text.ok_or_else(|| wrong(secret, "AWSPENDING is binary"))?;
        let pair = pair_in(&self.value(), &text).map_err(|reason| wrong(secret, &format!("AWSPENDING: {reason}")))?;
        pair.map(Some).ok_or_else(|| wrong(secret, "AWSPENDING holds no key"))
    }

    /// The same, where it works and its user has it active.
    async fn pending_of_user(
        &self,
        caller: &Caller,
        region: &Region,
        event: &RotationEvent,
    ) -> Result<(KeyPair, UserName), StepError> {
        let secret = event.secret_id.as_str();
        let pair = self.pending(caller, region, event).await?.ok_or_else(|| nothing_pending(secret))?;
        let current = caller.secret_labelled(region, secret, CURRENT).await?.and_then(|version| version.text);
        let current = current.and_then(|text| pair_in(&self.value(), &text).ok().flatten());
        // A new key takes some seconds until it works; whose it is, IAM knows at once.
        let (_, user) = caller.access_key_last_used(&pair.id).await?;
        let user = user.ok_or_else(|| wrong(secret, &format!("IAM does not tell whose key {} is", pair.id)))?;
        let listed = caller.access_keys(Some(&user)).await?;
        let has = |key: &AccessKeyId| listed.iter().any(|one| one.id == *key);
        let is_active = listed.iter().any(|one| one.id == pair.id && one.status == KeyStatus::Active);
        if !is_active || current.is_some_and(|current| !has(&current.id)) {
            let reason = format!(
                "the key {} in AWSPENDING is not an active key of the user that has the one in AWSCURRENT; cancel the rotation \
                 (aws secretsmanager cancel-rotate-secret) and begin anew",
                pair.id
            );
            return Err(wrong(secret, &reason));
        }
        Ok((pair, user))
    }

    async fn previous_used(&self, caller: &Caller, held: &Held, listed: &[AccessKey]) -> LastUsed {
        let Some(previous) = held.previous.as_ref().filter(|id| listed.iter().any(|key| key.id == **id)) else {
            return LastUsed::Never;
        };
        match caller.access_key_last_used(previous).await {
            Ok((used, _)) => used,
            Err(error) => LastUsed::Unknown { reason: error.to_string() },
        }
    }

    async fn prove(&self, caller: &Caller, pair: &KeyPair) -> Result<CallerIdentity, crate::aws::AwsError> {
        let credentials = Credentials::for_key(pair.id.clone(), pair.secret.duplicate());
        self.aws.caller(credentials, caller.target()).prove().await
    }
}

impl Held {
    fn keys<'a>(&'a self, listed: &'a [AccessKey], previous_used: &'a LastUsed) -> Keys<'a> {
        Keys { current: &self.current.id, since: self.since, previous: self.previous.as_ref(), previous_used, listed }
    }
}

/// Whether the version is one that a rotation is making.
fn stage(secret: &str, described: &DescribedSecret, token: &str) -> Result<Stage, StepError> {
    if described.rotation_enabled != Some(true) {
        return Err(wrong(secret, "its rotation is not enabled"));
    }
    if described.version_with(CURRENT) == Some(token) {
        return Ok(Stage::Current);
    }
    if described.version_with(PENDING) == Some(token) {
        return Ok(Stage::Pending);
    }
    let what = if described.knows(token) { "is not AWSPENDING" } else { "is not a version of it" };
    Err(wrong(secret, &format!("ClientRequestToken {what}: there is nothing to rotate")))
}

fn user_of(secret: &str, identity: &CallerIdentity) -> Result<UserName, StepError> {
    match identity.kind() {
        IdentityKind::User(arn) => Ok(arn.name),
        IdentityKind::Root { .. }
        | IdentityKind::AssumedRole { .. }
        | IdentityKind::FederatedUser { .. }
        | IdentityKind::Other => Err(wrong(secret, &format!("its key is of {}, which is no IAM user", identity.arn))),
    }
}

fn nothing_pending(secret: &str) -> StepError {
    wrong(secret, "AWSPENDING has no value: createSecret has not ended well")
}

fn wrong(secret: &str, reason: &str) -> StepError {
    StepError::Secret { secret: secret.to_owned(), reason: reason.to_owned() }
}
