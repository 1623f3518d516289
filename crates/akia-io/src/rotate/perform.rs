//! Performs one effect and writes its outcome down.

use std::time::Duration;

use akia_core::journal::Event;
use akia_core::rotation::verdict::{self, CreateFailure, Deletion};
use akia_core::rotation::{Effect, Plan, Rest, Rotation, Signer};
use akia_core::usage::SeenUse;
use akia_core::{AccessKeyId, KeyStatus, LastUsed, RotationId, SecretAccessKey};

use super::driver::{DriveError, Driver, Watch};
use super::signing::{SignerError, target_of};
use super::stray::key_in;
use crate::aws::{AwsError, Caller, KeyChange, NewKey};
use crate::place::{Expected, Held, KeyPair};
use crate::seal::SealError;
use crate::store::Stage;

/// How often keys are listed until two answers agree.
const LIST_LIMIT: u32 = 10;

impl Driver {
    /// Performs the effect, appends its outcome, applies it.
    pub(super) async fn perform(
        &self,
        rotation: &mut Rotation,
        effect: &Effect,
        watch: &dyn Watch,
    ) -> Result<(), DriveError> {
        let event = match effect {
            Effect::Create => return self.create(rotation, watch).await,
            // Time passes in the driver's loop.
            Effect::Wait { .. } => return Ok(()),
            Effect::Promote { .. } => Event::Promoted,
            Effect::WipeSecrets => {
                let id = &rotation.plan().id;
                self.store.unstage(id, None).await.map_err(|error| self.journal(id, error))?;
                Event::SecretsWiped
            }
            Effect::ReadBackSecret { key } => match self.staged_secret(&rotation.plan().id, key).await {
                Ok(_) => Event::SecretReadBack,
                Err(error) => Event::SecretLost { error: error.to_string() },
            },
            Effect::Prove { key } => self.prove(rotation, key).await,
            Effect::Probe { key } => self.probe(rotation, key).await,
            Effect::Deliver { place, .. } => self.deliver(rotation, *place).await,
            Effect::Restore { place, .. } => self.restore(rotation, *place).await,
            Effect::CheckRivals { key } => failed_or(self.check_rivals(rotation, key).await),
            Effect::MakeRoom { key } => {
                let event = failed_or(self.make_room(rotation, key).await);
                if event == Event::RoomMade {
                    self.end_kept(rotation, key, watch).await?;
                }
                event
            }
            Effect::InvestigateCreate => failed_or(self.investigate(rotation).await),
            Effect::DeleteOrphan { ours } => failed_or(self.delete(rotation, ours.key(), Event::OrphanDeleted).await),
            Effect::DeleteNew { ours } => failed_or(self.delete(rotation, ours.key(), Event::NewDeleted).await),
            Effect::Observe => failed_or(self.observe(rotation).await),
            Effect::DeactivateDisplaced { .. } => failed_or(self.deactivate_displaced(rotation).await),
            Effect::DeleteDisplaced { permit } => failed_or(self.delete_displaced(rotation, permit.key()).await),
            Effect::ActivateDisplaced => failed_or(self.activate_displaced(rotation).await),
            Effect::DeactivateNew { .. } => failed_or(self.deactivate_new(rotation).await),
        };
        self.record(rotation, event, None, watch).await
    }

    /// The one call that must never be made twice: no retries anywhere below, and an unknown outcome stays unknown.
    async fn create(&self, rotation: &mut Rotation, watch: &dyn Watch) -> Result<(), DriveError> {
        let plan = rotation.plan().clone();
        let user = plan.identity.user_name();
        let caller = match self.signer(rotation).await {
            Ok(caller) => caller,
            // Nothing was sent.
            Err(error) => {
                let event = Event::CreateRefused { error: error.to_string(), transient: false };
                return self.record(rotation, event, None, watch).await;
            }
        };
        match caller.create_access_key(user, &plan.nonce).await {
            // Whoever answers so is not to be believed, and a key that was there before is not ours to discard.
            Ok(created) if plan.before.contains(&created.id) || created.id == plan.displaced => {
                let error = format!("the answer names {}, which was there before", created.id);
                self.record(rotation, Event::CreateUnanswered { error }, None, watch).await
            }
            Ok(created) => self.stage(rotation, &caller, created, watch).await,
            Err(error) => {
                let event = Self::create_failed(rotation, &error);
                self.record(rotation, event, None, watch).await
            }
        }
    }

    /// Writes the answer and the sealed secret down in one transaction.
    async fn stage(
        &self,
        rotation: &mut Rotation,
        caller: &Caller,
        created: NewKey,
        watch: &dyn Watch,
    ) -> Result<(), DriveError> {
        let id = rotation.plan().id.clone();
        let NewKey { id: key, secret, .. } = created;
        let event = Event::KeyCreated { key: key.clone() };
        let error = match self.seal(&id, &key, &secret) {
            Ok(staged) => match self.record(rotation, event, Some(staged), watch).await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        // The secret exists in this memory only, so the key is of no use to anybody: it is ours, and goes.
        let user = rotation.plan().identity.user_name();
        let now = match caller.delete_new_access_key(user, &key).await {
            Ok(()) => "it was deleted again, and nothing else was changed".to_owned(),
            Err(delete) => format!("and it could not be deleted again ({delete}): delete it by hand"),
        };
        Err(DriveError::NotStaged { rotation: id, key, error, now })
    }

    fn create_failed(rotation: &Rotation, error: &AwsError) -> Event {
        let failure = match error {
            AwsError::LimitExceeded { .. } => CreateFailure::QuotaFull,
            AwsError::Throttled { .. } | AwsError::Unreachable { .. } if error.outcome_is_known() => {
                CreateFailure::NotNow
            }
            error if error.outcome_is_known() => CreateFailure::Refused,
            _ => CreateFailure::Unknown,
        };
        verdict::create_failed(rotation, failure, error.to_string())
    }

    /// Lists until two answers agree, then looks for a key that the lost request may have made.
    async fn investigate(&self, rotation: &Rotation) -> Result<Event, SignerError> {
        let plan = rotation.plan();
        let caller = self.signer(rotation).await?;
        let user = plan.identity.user_name();
        let mut last = caller.access_keys(Some(user)).await?;
        for _ in 0..LIST_LIMIT {
            self.clock.sleep(Duration::from_secs(1)).await;
            let again = caller.access_keys(Some(user)).await?;
            if again == last {
                break;
            }
            last = again;
        }
        let suspects = verdict::keys_since(plan, &last);
        for key in &suspects {
            // CloudTrail may be late or closed to us; then a person decides.
            match caller.who_created(key, plan.planned_at).await {
                Ok(Some(evidence)) if evidence.user_agent.contains(&plan.nonce) => {
                    let ours = Some(key.clone());
                    return Ok(verdict::investigated(suspects, ours));
                }
                Ok(_) => {}
                Err(error) => tracing::info!(%key, %error, "CloudTrail does not tell who created the key"),
            }
        }
        Ok(verdict::investigated(suspects, None))
    }

    /// Authenticates once, on a fresh connection, and checks who AWS takes us for.
    async fn prove(&self, rotation: &Rotation, key: &AccessKeyId) -> Event {
        let plan = rotation.plan();
        let credentials = match self.staged_key(&plan.id, key).await {
            Ok(credentials) => credentials,
            Err(error) => return Event::Failed { error: error.to_string() },
        };
        let caller = self.aws.caller(credentials, target_of(plan));
        match caller.prove().await {
            Ok(answer) if answer.user_id == plan.identity.user_id.as_str() => Event::ProofPassed,
            Ok(answer) => Event::ProofFailed { error: format!("key {key} answers as {}", answer.arn) },
            Err(error @ (AwsError::InvalidClientTokenId { .. } | AwsError::SignatureDoesNotMatch { .. })) => {
                if *key == plan.displaced && self.is_gone(rotation, key).await {
                    return Event::DisplacedGone;
                }
                Event::ProofFailed { error: error.to_string() }
            }
            Err(error) => Event::Failed { error: error.to_string() },
        }
    }

    /// The list is signed with the new key where that is allowed: an IAM read proves more than STS alone.
    async fn check_rivals(&self, rotation: &Rotation, new: &AccessKeyId) -> Result<Event, SignerError> {
        let plan = rotation.plan();
        let user = Some(plan.identity.user_name());
        let own = match &plan.signer {
            Signer::Own { mfa_serial: None, .. } => {
                let caller = self.aws.caller(self.staged_key(&plan.id, new).await?, target_of(plan));
                match caller.access_keys(user).await {
                    Err(AwsError::AccessDenied { .. }) => None,
                    answer => Some(answer?),
                }
            }
            Signer::Own { mfa_serial: Some(_), .. } | Signer::Admin { .. } => None,
        };
        let keys = match own {
            Some(keys) => keys,
            None => self.signer(rotation).await?.access_keys(user).await?,
        };
        Ok(verdict::rivals(plan, new, &keys))
    }

    async fn make_room(&self, rotation: &Rotation, key: &AccessKeyId) -> Result<Event, SignerError> {
        let plan = rotation.plan();
        let caller = self.signer(rotation).await?;
        // Read again right before the act: a person may have thought about the plan for an hour.
        let keys = caller.access_keys(Some(plan.identity.user_name())).await?;
        if let Some(listed) = keys.iter().find(|listed| listed.id == *key) {
            let last_used = match listed.status {
                KeyStatus::Active => caller.access_key_last_used(key).await?.0,
                KeyStatus::Inactive => LastUsed::Never,
            };
            if !verdict::is_idle(listed.status, &last_used) {
                return Err(SignerError::InUse { key: key.clone() });
            }
            delete_key(&caller, plan, key).await?;
        }
        Ok(Event::RoomMade)
    }

    /// A key that was deleted to make room may be one that an earlier rotation displaced and kept: that one is over,
    /// and holds its secret no longer. The user is locked, so nobody else works on it.
    async fn end_kept(&self, rotation: &Rotation, key: &AccessKeyId, watch: &dyn Watch) -> Result<(), DriveError> {
        let user = &rotation.plan().identity.user_id;
        let all = self.load_all().await.map_err(|error| self.journal(&rotation.plan().id, error))?;
        for mut earlier in all.into_iter().flatten() {
            let plan = earlier.plan();
            if plan.displaced == *key && plan.identity.user_id == *user && earlier.rest(self.clock.now()) == Rest::Kept
            {
                let id = plan.id.clone();
                self.record(&mut earlier, Event::DisplacedGone, None, watch).await?;
                self.store.unstage(&id, None).await.map_err(|error| self.journal(&id, error))?;
                self.record(&mut earlier, Event::SecretsWiped, None, watch).await?;
            }
        }
        Ok(())
    }

    async fn deliver(&self, rotation: &Rotation, place: usize) -> Event {
        let plan = rotation.plan();
        let Some(new) = rotation.new_key() else {
            return Event::DeliveryFailed { place, error: "the new key is not known".to_owned() };
        };
        match self.put(rotation, place, new, &[&plan.displaced, new]).await {
            Ok(mark) => Event::Delivered { place, mark },
            Err(error) => Event::DeliveryFailed { place, error },
        }
    }

    async fn restore(&self, rotation: &Rotation, place: usize) -> Event {
        let plan = rotation.plan();
        let expected: Vec<&AccessKeyId> = std::iter::once(&plan.displaced).chain(rotation.new_key()).collect();
        match self.put(rotation, place, &plan.displaced, &expected).await {
            Ok(mark) => Event::Restored { place, mark },
            Err(error) => Event::RestoreFailed { place, error },
        }
    }

    async fn put(
        &self,
        rotation: &Rotation,
        place: usize,
        key: &AccessKeyId,
        expected: &[&AccessKeyId],
    ) -> Result<Option<String>, String> {
        let plan = rotation.plan();
        let (mark, vacant) = (rotation.mark(place), plan.vacant.contains(&place));
        let secret = self.staged_secret(&plan.id, key).await.map_err(|error| error.to_string())?;
        let place = plan.places.get(place).ok_or("the plan has no such place")?;
        let mut keys: Vec<AccessKeyId> = expected.iter().map(|key| (*key).clone()).collect();
        // A place that was declared anew holds nothing until the first delivery.
        if vacant && matches!(self.places.read(place).await, Ok(Held::Nothing)) {
            keys.clear();
        }
        let pair = KeyPair { id: key.clone(), secret };
        self.places.deliver(place, &pair, Expected { keys: &keys, mark }).await.map_err(|error| error.to_string())
    }

    async fn observe(&self, rotation: &Rotation) -> Result<Event, SignerError> {
        let caller = self.signer(rotation).await?;
        let displaced = &rotation.plan().displaced;
        let last_used = match caller.access_key_last_used(displaced).await {
            Ok((last_used, _)) => last_used,
            // The key that signs has been proven: a part of AWS that does not know it yet says nothing of the displaced one.
            Err(error @ AwsError::InvalidClientTokenId { .. }) => return Err(error.into()),
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                if self.is_gone(rotation, displaced).await {
                    return Ok(Event::DisplacedGone);
                }
                LastUsed::Unknown { reason: error.to_string() }
            }
        };
        // Where nobody can look beside AWS, AWS's word is what there is; the end of the run says so.
        let seen = self.seen_in_use(rotation).await.and_then(Result::ok);
        Ok(Event::Observed { last_used: SeenUse::beside(last_used, seen.as_ref()) })
    }

    /// Looks at every place once more: a program that read a file before our delivery may have written the key that is
    /// about to be shut back after it.
    async fn overwritten(&self, rotation: &Rotation, doomed: &AccessKeyId) -> Result<Option<Event>, SignerError> {
        for (index, place) in rotation.plan().places.iter().enumerate() {
            let held = match self.places.read(place).await? {
                Held::Pair(pair) if self.is_torn(rotation, &pair).await => None,
                held => key_in(rotation, index, doomed, held),
            };
            let overwritten = verdict::overwritten(rotation, index, held.as_ref(), doomed);
            if overwritten.is_some() {
                return Ok(overwritten);
            }
        }
        Ok(None)
    }

    /// Whether a place holds the id of one of the rotation's keys with another secret: a merge of two copies of a file,
    /// or a hand that changed one of the two values.
    async fn is_torn(&self, rotation: &Rotation, held: &KeyPair) -> bool {
        let staged = self.staged_secret(&rotation.plan().id, &held.id).await;
        staged.is_ok_and(|secret| !secret.matches(&held.secret))
    }

    async fn deactivate_displaced(&self, rotation: &Rotation) -> Result<Event, SignerError> {
        let plan = rotation.plan();
        if let Some(overwritten) = self.overwritten(rotation, &plan.displaced).await? {
            return Ok(overwritten);
        }
        let caller = self.signer(rotation).await?;
        check_successor(&caller, plan, rotation.new_key(), &plan.displaced).await?;
        let change = caller.update_access_key(plan.identity.user_name(), &plan.displaced, KeyStatus::Inactive).await?;
        Ok(match change {
            KeyChange::Done => Event::DisplacedDeactivated,
            KeyChange::Gone => {
                confirm_gone(&caller, plan, &plan.displaced).await?;
                Event::DisplacedGone
            }
        })
    }

    /// Reads the key again right before the act: one that somebody activated stays.
    async fn delete_displaced(&self, rotation: &Rotation, key: &AccessKeyId) -> Result<Event, SignerError> {
        let user = rotation.plan().identity.user_name();
        let caller = self.signer(rotation).await?;
        let keys = caller.access_keys(Some(user)).await?;
        let last_used = match caller.access_key_last_used(key).await {
            Ok((last_used, _)) => last_used,
            Err(error) => LastUsed::Unknown { reason: error.to_string() },
        };
        let since = rotation.displaced_inactive_since();
        let seen = self.seen_since(key, since).await.and_then(Result::ok);
        let last_used = SeenUse::beside(last_used, seen.as_ref());
        match verdict::displaced_before_deletion(rotation, &keys, &last_used) {
            Deletion::Moot(event) => Ok(event),
            Deletion::Due(event) => {
                delete_key(&caller, rotation.plan(), key).await?;
                Ok(event)
            }
        }
    }

    async fn activate_displaced(&self, rotation: &Rotation) -> Result<Event, SignerError> {
        let plan = rotation.plan();
        let caller = self.signer(rotation).await?;
        let change = caller.update_access_key(plan.identity.user_name(), &plan.displaced, KeyStatus::Active).await?;
        Ok(match change {
            KeyChange::Done => Event::DisplacedActivated,
            KeyChange::Gone => {
                confirm_gone(&caller, plan, &plan.displaced).await?;
                Event::DisplacedGone
            }
        })
    }

    async fn deactivate_new(&self, rotation: &Rotation) -> Result<Event, SignerError> {
        let Some(new) = rotation.new_key() else { return Ok(Event::NewDeleted) };
        if let Some(overwritten) = self.overwritten(rotation, new).await? {
            return Ok(overwritten);
        }
        let plan = rotation.plan();
        let caller = self.signer(rotation).await?;
        check_successor(&caller, plan, Some(&plan.displaced), new).await?;
        Ok(match caller.update_access_key(plan.identity.user_name(), new, KeyStatus::Inactive).await? {
            KeyChange::Done => Event::NewDeactivated,
            KeyChange::Gone => {
                confirm_gone(&caller, plan, new).await?;
                Event::NewDeleted
            }
        })
    }

    /// Deletes a key of this rotation's own. One that had to wait out a grace is read again right before the act: it may
    /// have been activated by somebody who needs it.
    async fn delete(&self, rotation: &Rotation, key: &AccessKeyId, done: Event) -> Result<Event, SignerError> {
        let caller = self.signer(rotation).await?;
        if rotation.key_in_grace() == Some(key) {
            let keys = caller.access_keys(Some(rotation.plan().identity.user_name())).await?;
            if keys.iter().any(|listed| listed.id == *key && listed.status == KeyStatus::Active) {
                return Err(SignerError::Reactivated { key: key.clone() });
            }
        }
        delete_key(&caller, rotation.plan(), key).await?;
        Ok(done)
    }

    /// Whether AWS lists the user's keys without this one. An error means no.
    async fn is_gone(&self, rotation: &Rotation, key: &AccessKeyId) -> bool {
        let Ok(caller) = self.signer(rotation).await else { return false };
        match caller.access_keys(Some(rotation.plan().identity.user_name())).await {
            Ok(keys) => keys.iter().all(|listed| listed.id != *key),
            Err(_) => false,
        }
    }

    pub(super) fn seal(
        &self,
        id: &RotationId,
        key: &AccessKeyId,
        secret: &SecretAccessKey,
    ) -> Result<Stage, SealError> {
        Ok(Stage { key: key.clone(), sealed: self.sealer.seal(secret, id, key)? })
    }
}

/// Refuses to shut a key while the one that stays does not work. A user's own key has shown that by signing.
async fn check_successor(
    caller: &Caller,
    plan: &Plan,
    successor: Option<&AccessKeyId>,
    doomed: &AccessKeyId,
) -> Result<(), SignerError> {
    let (Signer::Admin { .. }, Some(key)) = (&plan.signer, successor) else { return Ok(()) };
    let listed = caller.access_keys(Some(plan.identity.user_name())).await?;
    if verdict::is_active(&listed, key) {
        Ok(())
    } else {
        Err(SignerError::Shut { key: key.clone(), doomed: doomed.clone() })
    }
}

/// Deletes a key; one that is gone already is checked to be.
async fn delete_key(caller: &Caller, plan: &Plan, key: &AccessKeyId) -> Result<(), SignerError> {
    match caller.delete_access_key(plan.identity.user_name(), key).await? {
        KeyChange::Done => Ok(()),
        KeyChange::Gone => confirm_gone(caller, plan, key).await,
    }
}

/// `NoSuchEntity` may mean the user, renamed meanwhile, or a part of AWS that lags: only a list without the key counts.
async fn confirm_gone(caller: &Caller, plan: &Plan, key: &AccessKeyId) -> Result<(), SignerError> {
    let user = plan.identity.user_name();
    let keys = caller.access_keys(Some(user)).await?;
    if keys.iter().any(|listed| listed.id == *key) {
        return Err(SignerError::StillListed { key: key.clone(), user: user.to_string() });
    }
    Ok(())
}

fn failed_or(outcome: Result<Event, SignerError>) -> Event {
    outcome.unwrap_or_else(|error| Event::Failed { error: error.to_string() })
}
