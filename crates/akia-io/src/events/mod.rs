//! The fast path: takes events about keys, asks AWS about the users that they name, and keeps the answer.
//!
//! Invariant: an event changes nothing by what it says. AWS is asked, and its answer amends the inventory; where it cannot be
//! asked, the event is kept as a hint. [`Intake::take`] says that a message is settled only after all of that is durable, so that
//! a message which is taken off its queue has had its effect. One that comes twice has it once.

mod looker;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use akia_core::LastUsed;
use akia_core::digest;
use akia_core::estate::{EventRef, KeyExposure, UserFound, UserLook};
use akia_core::event::{Event, What, parse};
use akia_core::ids::{AccessKeyId, AccountId, UserName};
use akia_core::key::{AccessKey, KeyStatus};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::aws::AwsError;
use crate::clock::Clock;
use crate::store::events::{EventRow, EventState, unreadable_id};
use crate::store::snapshots::{SnapshotError, Snapshots};

/// For so long after an event IAM may not show yet what it says.
const SETTLES: SignedDuration = SignedDuration::from_mins(2);
/// Looks at a user that IAM does not show yet as the event says, and the pause between them.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);
/// Longest text of a message that is kept where it cannot be read, in bytes.
const MOST_KEPT: usize = 256 * 1024;

/// A user as AWS tells it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the inventory keeps.
    pub user: UserFound,
    /// Its tags: who answers for it.
    pub tags: BTreeMap<String, String>,
}

/// Asks AWS about users of any account that events come from.
pub trait Looker: Send + Sync {
    /// A user with its keys; nothing where there is none of the name.
    fn user<'a>(&'a self, account: &'a AccountId, name: &'a UserName) -> BoxFuture<'a, Result<Option<Seen>, AwsError>>;

    /// Whose key it is, and its last use; nobody's where the account has no such key.
    fn owner<'a>(
        &'a self,
        account: &'a AccountId,
        key: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<(Option<UserName>, LastUsed), AwsError>>;
}

/// A key that AWS says others may know, and that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposedKey {
    /// What is kept of it.
    pub exposure: KeyExposure,
    /// What AWS calls the finding; it tells of one several times.
    pub finding: String,
    /// Its user.
    pub user: Seen,
    /// The key as it is now.
    pub key: AccessKey,
    /// Its last use.
    pub last_used: LastUsed,
}

/// What is done at once about exposed keys: telling somebody, or shutting the keys. It must stand being asked twice about one key.
pub trait Responder: Send + Sync {
    /// Does it. Gives words for what was done.
    ///
    /// # Errors
    /// When it could not be made durable: the event is then handed out again.
    fn exposed<'a>(&'a self, keys: &'a [ExposedKey]) -> BoxFuture<'a, Result<String, String>>;
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The event as it is kept.
    pub row: EventRow,
    /// Whether it was here before.
    pub is_duplicate: bool,
    /// Whether the message may be taken off the queue; else why not.
    pub settled: Result<(), String>,
}

/// Takes messages.
pub struct Intake<'a> {
    /// Where all is kept.
    pub store: &'a Snapshots,
    /// Whom AWS is asked at, as audits say it.
    pub source: String,
    /// The account of whoever asks.
    pub own: AccountId,
    /// Asks AWS.
    pub looker: &'a dyn Looker,
    /// What is done about exposed keys.
    pub responder: &'a dyn Responder,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Intake<'_> {
    /// Takes the text of a message.
    ///
    /// # Errors
    /// When the store fails: the message must stay on its queue.
    pub async fn take(&self, body: &str) -> Result<Taken, SnapshotError> {
        let event = match parse(body) {
            Ok(event) => event,
            Err(why) => return self.unreadable(body, why.to_string()).await,
        };
        if let Some(row) = self.store.event(&event.id).await?.filter(|row| row.state != EventState::Unconfirmed) {
            // The run that wrote it down may have ended before it was answered to.
            let settled = match (&row.event, row.exposures.is_empty()) {
                (Some(event), false) => self.answer_again(event).await,
                (Some(_) | None, _) => Ok(()),
            };
            return Ok(Taken { row, is_duplicate: true, settled });
        }
        self.confirm(event).await
    }

    /// Asks AWS again about what could not be confirmed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn again(&self, row: EventRow) -> Result<Taken, SnapshotError> {
        match row.event.clone() {
            Some(event) => self.confirm(event).await,
            None => Ok(Taken { row, is_duplicate: true, settled: Ok(()) }),
        }
    }

    async fn unreadable(&self, body: &str, why: String) -> Result<Taken, SnapshotError> {
        let now = self.clock.now();
        let id = unreadable_id(body);
        if let Some(row) = self.store.event(&id).await? {
            return Ok(Taken { row, is_duplicate: true, settled: Ok(()) });
        }
        let mut end = body.len().min(MOST_KEPT);
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        let row = EventRow {
            id,
            at: now,
            received_at: now,
            source: self.source.clone(),
            state: EventState::Unreadable,
            detail: why,
            event: None,
            looks: Vec::new(),
            exposures: Vec::new(),
            body: Some(body[..end].to_owned()),
        };
        self.store.put_event(&row).await?;
        Ok(Taken { row, is_duplicate: false, settled: Ok(()) })
    }

    async fn confirm(&self, event: Event) -> Result<Taken, SnapshotError> {
        if let What::Nothing { why } = &event.what {
            let row = self.row(&event, EventState::Ignored, why.clone());
            self.store.put_event(&row).await?;
            return Ok(Taken { row, is_duplicate: false, settled: Ok(()) });
        }
        // Else whoever can write to the queue could have akia enter an account of theirs, and show it the external id.
        if event.account != self.own && !self.store.has_read(&self.source, &event.account).await? {
            let why = "no kept audit has read this account, and akia enters no other: akia audit --org";
            let row = self.row(&event, EventState::Unconfirmed, why.to_owned());
            self.store.put_event(&row).await?;
            return Ok(Taken { row, is_duplicate: false, settled: Ok(()) });
        }
        let asked = match self.ask(&event).await {
            Ok(asked) => asked,
            Err(error) => {
                let why = format!("AWS could not be asked: {}", crate::audit::without_key(&error.to_string()));
                let row = self.row(&event, EventState::Unconfirmed, why.clone());
                // What passes by itself is asked again when the message comes again; the rest when a person runs akia.
                let settled = if error.is_transient() { Err(why) } else { Ok(()) };
                self.store.put_event(&row).await?;
                return Ok(Taken { row, is_duplicate: false, settled });
            }
        };
        let mut row = self.row(&event, EventState::Applied, asked.words(&event));
        row.exposures = asked.exposed.iter().map(|key| key.exposure.clone()).collect();
        row.looks = asked.looks;
        self.store.put_event(&row).await?;
        let settled = self.respond(&asked.exposed).await;
        if let Ok(Some(words)) = &settled {
            row.detail = format!("{}; {words}", row.detail);
            self.store.put_event(&row).await?;
        }
        Ok(Taken { row, is_duplicate: false, settled: settled.map(drop) })
    }

    async fn respond(&self, exposed: &[ExposedKey]) -> Result<Option<String>, String> {
        if exposed.is_empty() {
            return Ok(None);
        }
        self.responder.exposed(exposed).await.map(Some)
    }

    async fn answer_again(&self, event: &Event) -> Result<(), String> {
        let asked = self.ask(event).await.map_err(|error| error.to_string())?;
        self.respond(&asked.exposed).await.map(drop)
    }

    fn row(&self, event: &Event, state: EventState, detail: String) -> EventRow {
        EventRow {
            id: event.id.clone(),
            at: event.at,
            received_at: self.clock.now(),
            source: self.source.clone(),
            state,
            detail,
            event: Some(event.clone()),
            looks: Vec::new(),
            exposures: Vec::new(),
            body: None,
        }
    }

    async fn ask(&self, event: &Event) -> Result<Asked, AwsError> {
        let mut owners: BTreeMap<AccessKeyId, (Option<UserName>, LastUsed)> = BTreeMap::new();
        let mut names: Vec<UserName> = event.what.users().into_iter().cloned().collect();
        if let What::Exposed { keys, .. } = &event.what {
            for key in keys {
                let (owner, last_used) = match self.looker.owner(&event.account, key).await {
                    Ok(told) => told,
                    // AWS denies a key that is not of the account, even to an administrator. Its user, where the event names
                    // one, can be asked about; else nothing is known, and that is not the same as nothing being there.
                    Err(error @ AwsError::AccessDenied { .. }) if !names.is_empty() => {
                        (None, LastUsed::Unknown { reason: crate::audit::without_key(&error.to_string()) })
                    }
                    Err(error) => return Err(error),
                };
                names.extend(owner.clone());
                owners.insert(key.clone(), (owner, last_used));
            }
        }
        let mut seen_names: Vec<UserName> = Vec::new();
        names.retain(|name| {
            let is_new = !seen_names.contains(name);
            seen_names.push(name.clone());
            is_new
        });
        let mut asked = Asked { looks: Vec::new(), exposed: Vec::new() };
        for name in &names {
            let (at, seen) = self.look(event, name).await?;
            if let Some(seen) = &seen {
                asked.exposed.extend(exposed_of(event, seen, &owners));
            }
            asked.looks.push(UserLook {
                account: event.account.clone(),
                user: name.clone(),
                at,
                found: seen.map(|seen| seen.user),
                event: reference(event),
            });
        }
        Ok(asked)
    }

    /// Looks at a user; again where IAM does not show yet what a young event says.
    async fn look(&self, event: &Event, name: &UserName) -> Result<(Timestamp, Option<Seen>), AwsError> {
        for turn in 1.. {
            let at = self.clock.now();
            let seen = self.looker.user(&event.account, name).await?;
            let is_young = at.duration_since(event.at) < SETTLES;
            if turn >= LOOKS || !is_young || agrees(&event.what, name, seen.as_ref()) {
                return Ok((at, seen));
            }
            self.clock.sleep(PAUSE).await;
        }
        Ok((self.clock.now(), None))
    }
}

/// What AWS was asked and said.
struct Asked {
    looks: Vec<UserLook>,
    exposed: Vec<ExposedKey>,
}

impl Asked {
    fn words(&self, event: &Event) -> String {
        let users = self.looks.iter().map(|look| match &look.found {
            None => format!("there is no user {}", look.user),
            Some(found) => {
                let keys: Vec<String> =
                    found.keys.iter().map(|key| format!("{} {}", key.id, key.status.as_str())).collect();
                let keys = if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") };
                format!("{} has {keys}", found.arn.name)
            }
        });
        let users: Vec<String> = users.collect();
        let words = if users.is_empty() { "AWS knows no such key".to_owned() } else { users.join("; ") };
        match &event.what {
            What::Exposed { .. } if self.exposed.is_empty() => format!("{words}: nothing is left to be contained"),
            What::Exposed { .. }
            | What::KeyCreated { .. }
            | What::KeyUpdated { .. }
            | What::KeyDeleted { .. }
            | What::UserRenamed { .. }
            | What::UserDeleted { .. }
            | What::Nothing { .. } => words,
        }
    }
}

fn reference(event: &Event) -> EventRef {
    EventRef { id: event.id.clone(), at: event.at, said: event.what.as_str().to_owned() }
}

/// The keys of a user that the event calls exposed, and that AWS has. Where it names a user alone, all active keys are meant.
fn exposed_of(
    event: &Event,
    seen: &Seen,
    owners: &BTreeMap<AccessKeyId, (Option<UserName>, LastUsed)>,
) -> Vec<ExposedKey> {
    let What::Exposed { code, finding, keys, .. } = &event.what else { return Vec::new() };
    let is_meant = |key: &&AccessKey| match keys.is_empty() {
        true => key.status == KeyStatus::Active,
        false => keys.contains(&key.id),
    };
    let exposed = |key: &AccessKey| ExposedKey {
        exposure: KeyExposure {
            account: event.account.clone(),
            key: key.id.clone(),
            code: code.clone(),
            event: reference(event),
        },
        finding: finding.clone(),
        user: seen.clone(),
        key: key.clone(),
        last_used: owners.get(&key.id).map_or_else(
            || LastUsed::Unknown { reason: "it was not asked".to_owned() },
            |(_, last_used)| last_used.clone(),
        ),
    };
    seen.user.keys.iter().filter(is_meant).map(exposed).collect()
}

/// Whether AWS shows what the event says.
fn agrees(what: &What, name: &UserName, seen: Option<&Seen>) -> bool {
    let status = |key: &AccessKeyId| {
        seen.and_then(|seen| seen.user.keys.iter().find(|one| one.id == *key)).map(|key| key.status)
    };
    match what {
        What::KeyCreated { key, .. } => status(key).is_some(),
        What::KeyUpdated { key, status: said, .. } => status(key) == Some(*said),
        What::KeyDeleted { key, .. } => status(key).is_none(),
        What::UserRenamed { from, to } => seen.is_some() == (name == to) || from == to,
        What::UserDeleted { .. } => seen.is_none(),
        What::Exposed { .. } | What::Nothing { .. } => true,
    }
}

/// The case that notices of an exposed key go under: one for all that AWS says of one finding.
#[must_use]
pub fn exposure_case(finding: &str, key: &AccessKeyId) -> String {
    format!("exposed-{}", digest::short(&format!("{finding} {key}")))
}
