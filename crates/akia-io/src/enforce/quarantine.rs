//! Puts a user into quarantine, and takes it back: next, append the intent, perform, append the outcome, apply.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use akia_core::AccessKeyId;
use akia_core::estate::Known;
use akia_core::ids::{AccountId, Partition, QuarantineId};
use akia_core::quarantine::{
    Illegal, Measure, Next, Quarantine, QuarantineEvent, QuarantineOpening, QuarantineRecord, SESSIONS_POLICY,
    UserFacts, quarantine_policy, sessions_policy,
};
use futures_util::future::join3;

use super::sessions::Gate;
use crate::audit::without_key;
use crate::aws::{AwsError, Caller};
use crate::clock::Clock;
use crate::store::{Entry, SharedStore, Store, StoreError, Threads};

/// Looks and measures in one run, at most. Four measures with a look before each, and one after; a bound on a bug.
const EFFECT_LIMIT: usize = 20;
/// A measure may be repeated: so often is a lost answer asked for again in one run.
const LOST: usize = 2;
/// Before it is.
const PAUSE: Duration = Duration::from_secs(2);

/// Everything that a quarantine touches.
pub struct Quarantiner<'a> {
    /// The journal.
    pub store: SharedStore,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The way into accounts.
    pub gate: &'a Gate,
}

/// Why a quarantine could not go on.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The journal could not be written or read.
    #[error("{0}")]
    Journal(#[from] StoreError),
    /// The journal says what cannot be.
    #[error("quarantine {id}: {reason}")]
    Broken {
        /// Which.
        id: QuarantineId,
        /// What does not fit.
        reason: String,
    },
    /// AWS does not say whose key it is.
    #[error("{0}")]
    Aws(#[from] AwsError),
    /// It is the key of the root user, or of nobody.
    #[error("AWS names no user of key {key} in account {account}: it is gone, or the root user's")]
    NoUser {
        /// The key.
        key: AccessKeyId,
        /// The account that it belongs to.
        account: AccountId,
    },
}

/// How a quarantine would begin.
#[derive(Debug, Clone)]
pub struct Asked {
    /// That.
    pub opening: QuarantineOpening,
    /// Tags of the user.
    pub tags: Vec<(String, String)>,
}

/// Every quarantine of a journal, the oldest first.
///
/// # Errors
/// When the journal, or one of them, cannot be read.
pub async fn load_quarantines(store: &dyn Store) -> Result<Vec<Quarantine>, QuarantineError> {
    let mut order: Vec<QuarantineId> = Vec::new();
    let mut entries: HashMap<QuarantineId, Vec<Entry>> = HashMap::new();
    for entry in store.entries(Threads::Quarantines).await? {
        let Some(id) = entry.thread.quarantine().cloned() else { continue };
        let of_one = entries.entry(id.clone()).or_default();
        if of_one.is_empty() {
            order.push(id);
        }
        of_one.push(entry);
    }
    let loaded = order.into_iter().map(|id| {
        let records: Result<Vec<QuarantineRecord>, StoreError> =
            entries.remove(&id).unwrap_or_default().iter().map(Entry::parse).collect();
        let broken = |reason: String| QuarantineError::Broken { id: id.clone(), reason };
        let records = records.map_err(|error| broken(error.to_string()))?;
        Quarantine::replay(&records).map_err(|illegal| broken(illegal.to_string()))
    });
    loaded.collect()
}

impl Quarantiner<'_> {
    /// Finds out whose key it is, and how a quarantine of that user begins.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn opening(&self, id: QuarantineId, key: &AccessKeyId, reason: &str) -> Result<Asked, QuarantineError> {
        let account = match self.gate.hub().access_key_account(key).await {
            // A key of the caller's own account needs no right to ask for that.
            Err(AwsError::AccessDenied { .. }) => self.gate.own_account().clone(),
            account => account?,
        };
        let reader = self.gate.reader(&account).await?;
        let (_, owner) = reader.access_key_last_used(key).await?;
        let name = owner.ok_or_else(|| QuarantineError::NoUser { key: key.clone(), account: account.clone() })?;
        let user = reader.user(Some(&name)).await?;
        let opening = QuarantineOpening {
            id,
            account,
            user: user.arn,
            user_id: user.id,
            key: key.clone(),
            reason: reason.to_owned(),
            by: self.gate.caller_arn().to_owned(),
        };
        Ok(Asked { opening, tags: user.tags })
    }

    /// Begins a quarantine; nothing is changed yet.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn open(&self, opening: QuarantineOpening) -> Result<Quarantine, QuarantineError> {
        let id = opening.id.clone();
        let event = QuarantineEvent::Opened { opening: Box::new(opening) };
        let record = QuarantineRecord { at: self.clock.now(), event };
        let one = Quarantine::begin(&record).map_err(|illegal| broken(&id, illegal))?;
        self.store.append(&id.into(), &record, None, &*self.clock).await?;
        Ok(one)
    }

    /// Sessions made since are to be denied, too.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn renew(&self, one: &mut Quarantine, reason: &str) -> Result<(), QuarantineError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, QuarantineEvent::Renewed { reason: reason.to_owned(), by }).await
    }

    /// AWS's policy is not wanted, or no longer; earlier sessions stay denied.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn ease(&self, one: &mut Quarantine, reason: &str) -> Result<(), QuarantineError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, QuarantineEvent::Eased { reason: reason.to_owned(), by }).await
    }

    /// AWS's policy is wanted again, and sessions made since are to be denied, too.
    ///
    /// # Errors
    /// When the journal fails, or it is not eased.
    pub async fn tighten(&self, one: &mut Quarantine, reason: &str) -> Result<(), QuarantineError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, QuarantineEvent::Tightened { reason: reason.to_owned(), by }).await
    }

    /// The quarantine is to end.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn ask_release(&self, one: &mut Quarantine, reason: &str) -> Result<(), QuarantineError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, QuarantineEvent::ReleaseAsked { reason: reason.to_owned(), by }).await
    }

    /// Takes what is to be taken, until all of it is in place, or over, or does not go on. Says what was done.
    ///
    /// # Errors
    /// When the journal fails. Where it stands is in its records.
    pub async fn carry_out(&self, one: &mut Quarantine) -> Result<Vec<Measure>, QuarantineError> {
        let (mut done, mut lost) = (Vec::new(), 0);
        one.try_again();
        for _ in 0..EFFECT_LIMIT {
            match one.next(self.clock.now()) {
                Next::Rest if one.is_answer_lost() && lost < LOST => {
                    lost += 1;
                    self.clock.sleep(PAUSE).await;
                    one.try_again();
                }
                Next::Rest => break,
                Next::Look => {
                    let facts = self.look(one.opening()).await;
                    self.record(one, QuarantineEvent::Looked { facts }).await?;
                }
                Next::Take(measure) => done.extend(self.take(one, measure).await?),
            }
        }
        Ok(done)
    }

    async fn take(&self, one: &mut Quarantine, measure: Measure) -> Result<Option<Measure>, QuarantineError> {
        let opening = one.opening().clone();
        let user = &opening.user;
        let policy = quarantine_policy(user.partition);
        let opened = self.gate.quarantiner(&opening.account, user, &policy).await;
        let by = opened.as_ref().map_or_else(|_| self.gate.caller_arn().to_owned(), |(_, by)| by.clone());
        self.record(one, QuarantineEvent::Intended { measure, by }).await?;
        let sent = match opened {
            Ok((actor, _)) => {
                let name = &user.name;
                match measure {
                    Measure::Attach => actor.attach_user_policy(name, &policy).await,
                    Measure::Detach => actor.detach_user_policy(name, &policy).await,
                    Measure::AllowSessions => actor.delete_user_policy(name, SESSIONS_POLICY).await,
                    Measure::DenySessions => {
                        let document = sessions_policy(self.clock.now()).to_string();
                        actor.put_user_policy(name, SESSIONS_POLICY, &document).await
                    }
                }
            }
            Err(error) => {
                let error = without_key(&error.to_string());
                self.record(one, QuarantineEvent::Refused { measure, error }).await?;
                return Ok(None);
            }
        };
        let (event, done) = match sent {
            Ok(request_id) => (QuarantineEvent::Done { measure, request_id }, Some(measure)),
            Err(error) => {
                let is_known = error.outcome_is_known();
                let error = without_key(&error.to_string());
                let refused = QuarantineEvent::Refused { measure, error: error.clone() };
                (if is_known { refused } else { QuarantineEvent::Unanswered { measure, error } }, None)
            }
        };
        self.record(one, event).await?;
        Ok(done)
    }

    async fn look(&self, opening: &QuarantineOpening) -> UserFacts {
        let unknown = |error: &AwsError| without_key(&error.to_string());
        match self.gate.reader(&opening.account).await {
            Ok(reader) => facts(&reader, opening).await,
            Err(error) => {
                let reason = unknown(&error);
                UserFacts {
                    user_id: Known::Unknown { reason: reason.clone() },
                    is_attached: Known::Unknown { reason: reason.clone() },
                    denies_sessions: Known::Unknown { reason },
                }
            }
        }
    }

    /// Appends an event, durably, and applies it. An event that does not fit is not written.
    async fn record(&self, one: &mut Quarantine, event: QuarantineEvent) -> Result<(), QuarantineError> {
        let record = QuarantineRecord { at: self.clock.now(), event };
        let id = one.opening().id.clone();
        let mut next = one.clone();
        next.apply(&record).map_err(|illegal| broken(&id, illegal))?;
        self.store.append(&id.into(), &record, None, &*self.clock).await?;
        *one = next;
        Ok(())
    }
}

fn broken(id: &QuarantineId, illegal: Illegal) -> QuarantineError {
    QuarantineError::Broken { id: id.clone(), reason: illegal.to_string() }
}

async fn facts(reader: &Caller, opening: &QuarantineOpening) -> UserFacts {
    let name = &opening.user.name;
    let asked = join3(reader.user(Some(name)), reader.attached_user_policies(name), reader.user_policies(name));
    let (user, attached, inline) = asked.await;
    let any_version = any_version(opening.user.partition);
    UserFacts {
        user_id: match user {
            Ok(user) => Known::Told(Some(user.id)),
            Err(AwsError::NoSuchEntity { .. }) => Known::Told(None),
            Err(error) => Known::Unknown { reason: without_key(&error.to_string()) },
        },
        is_attached: told(attached, |arns| arns.iter().any(|arn| arn.starts_with(&any_version))),
        denies_sessions: told(inline, |names| names.iter().any(|name| name == SESSIONS_POLICY)),
    }
}

/// What the ARNs of all versions of AWS's policy begin with.
fn any_version(partition: Partition) -> String {
    quarantine_policy(partition).trim_end_matches("V3").to_owned()
}

fn told(answer: Result<Vec<String>, AwsError>, find: impl Fn(&[String]) -> bool) -> Known<bool> {
    match answer {
        Ok(found) => Known::Told(find(&found)),
        // Without the user there is nothing; whether the user is gone is asked separately.
        Err(AwsError::NoSuchEntity { .. }) => Known::Told(false),
        Err(error) => Known::Unknown { reason: without_key(&error.to_string()) },
    }
}
