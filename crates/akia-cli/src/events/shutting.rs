//! `on-exposure = "contain"`: a key that AWS calls exposed is contained at once, as `akia contain` does it. Beyond what holds for a quarantine, keys
//! outside of the canary wait for it, and the caps count what enforcement has changed, too.

use std::collections::BTreeSet;
use std::sync::Arc;

use akia_core::contain::{Containment, ContainmentOpening, ContainmentStage, Ended, Strategy};
use akia_core::enforce::{Budget, Canaries, Case, EnforcePolicy, StepKind};
use akia_core::estate::Estate;
use akia_core::key::KeyStatus;
use akia_core::quarantine::QuarantineStage;
use akia_core::rotation::{Hold, Rotation};
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::contain::{Container, load_containments};
use akia_io::enforce::load_quarantines;

use super::containing::{Contained, Containing, Exposed, REASON, reason};
use crate::contain::Told;
use crate::enforce::all_cases;
use crate::{rotations, workbench};

impl Containing<'_> {
    /// Contains a key, or goes on with that. Words for what was done, or why nothing.
    ///
    /// # Errors
    /// When it is not whole.
    pub(super) async fn shut(
        &self,
        exposed: Exposed<'_>,
        strategy: Strategy,
        policy: &EnforcePolicy,
        not: &str,
    ) -> Result<Contained, String> {
        let (key, user) = (&exposed.key.exposure.key, &exposed.key.user.user);
        if user.arn.to_string() == self.gate.caller_arn() {
            return Ok(Contained::open(format!("{not}: its user signs here, and would be cut off half-way")));
        }
        let all = load_containments(&*self.store).await.map_err(|error| error.to_string())?;
        let all: Vec<Containment> = all.into_iter().map(|(one, _)| one).collect();
        let told = Told { context: self.context };
        let container = Container {
            store: Arc::clone(&self.store),
            clock: workbench::clock(),
            gate: self.gate,
            rotating: None,
            stop: self.stop.clone(),
            policy: Some(&self.policy),
            teller: &told,
        };
        let mut one = match all.iter().rev().find(|one| one.opening().key == *key) {
            Some(earlier) if earlier.is_over() && earlier.opening().reason == reason(exposed.key) => {
                // AWS tells of one finding several times.
                return Ok(Contained::open(format!("{not}: {}", stays(earlier))));
            }
            Some(earlier) if !earlier.is_over() => match earlier.stage() {
                ContainmentStage::Containing if is_of_event(earlier) && !earlier.was_verified() => {
                    let mut earlier = earlier.clone();
                    container.take_up(&mut earlier).await.map_err(|error| error.to_string())?;
                    earlier
                }
                _ => {
                    let id = &earlier.opening().id;
                    let is_shut = matches!(earlier.stage(), ContainmentStage::Contained { .. });
                    return Ok(Contained {
                        words: format!(
                            "{key} is in the hands of containment {id} already: akia contain {key} says where it stands"
                        ),
                        is_shut: is_shut && exposed.key.key.status == KeyStatus::Inactive,
                    });
                }
            },
            Some(_) | None => {
                if exposed.key.key.status == KeyStatus::Inactive {
                    return Ok(Contained::open(format!("{not}: it is inactive already")));
                }
                if let Some(why) = self.hindrance(exposed, &all, policy).await? {
                    return Ok(Contained::open(format!("{not}: {why}")));
                }
                let opening = self.opening(exposed, strategy).await?;
                container.open(opening).await.map_err(|error| error.to_string())?
            }
        };
        container.carry_out(&mut one).await.map_err(|error| error.to_string())?;
        let (id, name) = (&one.opening().id, &user.arn.name);
        let said = |is_shut: bool| Contained {
            words: format!("{key} of {name} is contained ({}): akia undo {id} takes it back", one.strategy()),
            is_shut,
        };
        match one.stage() {
            ContainmentStage::Contained { .. } => Ok(said(true)),
            ContainmentStage::Tied => Ok(said(false)),
            ContainmentStage::Containing | ContainmentStage::Undoing | ContainmentStage::Over { .. } => {
                let off = container.switched_off();
                let why = off.as_deref().or(one.held()).unwrap_or("not all of it is seen yet");
                Err(format!("containment {id} of {key} is not whole: {why}"))
            }
        }
    }

    /// Why a containment is not begun, though nobody is protected.
    async fn hindrance(
        &self,
        exposed: Exposed<'_>,
        all: &[Containment],
        policy: &EnforcePolicy,
    ) -> Result<Option<String>, String> {
        let key = &exposed.key.exposure.key;
        let now = SystemClock.now();
        let known = rotations::Known::of_store(&*self.store).await.map_err(|error| error.what)?;
        let works = |one: &&Rotation| matches!(one.hold_on(key, now), Some(Hold::Working));
        if let Some(rotation) = known.rotations().rev().find(works) {
            return Err(format!("rotation {} works on {key}: akia resume finishes it", rotation.plan().id));
        }
        let cases = all_cases(self.context, Some(&self.store)).await.map_err(|error| error.what)?;
        let estates = self.estates(&cases).await;
        let canaries = Canaries { policy, cases: &cases, estates: &estates, now };
        if let Some(why) = canaries.hold(exposed.account, exposed.user) {
            return Ok(Some(why));
        }
        let mut budget = Budget::new(policy.caps, &cases, &[], 0, now);
        for one in all.iter().filter(|one| now.duration_since(one.opened_at()) < policy.caps.per) {
            budget.count(&one.opening().account);
        }
        Ok(budget.take(&exposed.account.id, StepKind::Deactivate).err())
    }

    /// The accounts of the cases, as the latest audits have them.
    async fn estates(&self, cases: &[Case]) -> Vec<Estate> {
        let (audits, source) = &self.audits;
        let accounts: BTreeSet<_> = cases.iter().map(|case| &case.opening().subject.account).collect();
        let mut estates = Vec::new();
        for account in accounts {
            // One that cannot be read shows nothing, and holds.
            estates.extend(audits.earlier(source, account).await.ok().flatten().map(|earlier| earlier.estate));
        }
        estates
    }

    async fn opening(&self, exposed: Exposed<'_>, strategy: Strategy) -> Result<ContainmentOpening, String> {
        let (exposure, user) = (&exposed.key.exposure, &exposed.key.user.user);
        let quarantines = load_quarantines(&*self.store).await.map_err(|error| error.to_string())?;
        let of_user = quarantines.iter().find(|one| {
            !one.is_over() && (&one.opening().account, &one.opening().user_id) == (&exposure.account, &user.id)
        });
        if let Some(one) = of_user.filter(|one| one.stage() == QuarantineStage::Releasing) {
            return Err(format!("quarantine {} of the user is just being taken back", one.opening().id));
        }
        Ok(ContainmentOpening {
            id: self.draw.containment(),
            account: exposure.account.clone(),
            user: user.arn.clone(),
            user_id: user.id.clone(),
            key: exposure.key.clone(),
            strategy,
            quarantine: of_user.map_or_else(|| self.draw.quarantine(), |one| one.opening().id.clone()),
            owns_quarantine: of_user.is_none(),
            reason: reason(exposed.key),
            by: self.gate.caller_arn().to_owned(),
            leaked_at: Some(exposure.event.at),
        })
    }
}

/// Whether an event began it, and no person has taken it over in another way.
fn is_of_event(one: &Containment) -> bool {
    one.opening().reason.starts_with(REASON) && one.strategy() == one.opening().strategy
}

/// Why one that is over is not begun again for the same finding.
fn stays(one: &Containment) -> String {
    let id = &one.opening().id;
    match one.stage() {
        ContainmentStage::Over { how: Ended::Undone, .. } => {
            format!("a person has taken containment {id} back, and it stays so for this finding")
        }
        ContainmentStage::Over { how: Ended::Closed | Ended::UserGone | Ended::UserReplaced, .. }
        | ContainmentStage::Containing
        | ContainmentStage::Tied
        | ContainmentStage::Contained { .. }
        | ContainmentStage::Undoing => format!("containment {id} has closed this finding"),
    }
}
