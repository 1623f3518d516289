//! What the rotation contract of Secrets Manager may do to the keys of a user, decided from what IAM and the secret say.
//!
//! There is no journal: what was meant is in a version of the secret ([`Intent`]), what is so is in IAM. Invariant: the only keys that go
//! are one that the secret itself has recorded as displaced and that nobody uses, and one that a lost answer left behind and that
//! CloudTrail shows to be of that request. All else ends the step with a word for a person.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::ids::AccessKeyId;
use crate::key::{AccessKey, KeyStatus, LastUsed};

/// How long a request to create a key may still take effect after its answer was lost.
pub const QUARANTINE: SignedDuration = SignedDuration::from_secs(60);

/// What is written down before a key is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Intent {
    /// The form of this text.
    pub akia_intent: u32,
    /// The version of the secret that the key is for.
    pub token: String,
    /// When.
    pub at: Timestamp,
    /// The keys that the user had.
    pub before: BTreeSet<AccessKeyId>,
}

/// Whether a user has room for a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// It has.
    Free,
    /// It has when this key is deleted: displaced by an earlier rotation, and not used.
    AfterDeleting(AccessKeyId),
}

/// Why a key stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// The key that readers have is not of the user.
    #[error("the key {0} in AWSCURRENT is not among the active keys of the user: put a working key there")]
    NotCurrent(AccessKeyId),
    /// A second key that the secret does not know.
    #[error(
        "the user has a second key, {0}, which is in no version of the secret: find out whose it is; deactivate and delete it, or \
         give it a user of its own"
    )]
    Unrecorded(AccessKeyId),
    /// The displaced key is used.
    #[error(
        "the displaced key {key} is still used: last at {at}, for {service} in {region}; find out who, and give them the new key"
    )]
    StillUsed {
        /// The key.
        key: AccessKeyId,
        /// When it was last used.
        at: Timestamp,
        /// For which service.
        service: String,
        /// Where.
        region: String,
    },
    /// What is not known retires nothing.
    #[error("it is not known whether the displaced key {key} is still used: {reason}")]
    UnknownUse {
        /// The key.
        key: AccessKeyId,
        /// Why.
        reason: String,
    },
    /// The displaced key was in use a moment ago.
    #[error("the displaced key {key} may still be in use; it is left alone until {until}")]
    TooEarly {
        /// The key.
        key: AccessKeyId,
        /// Until when.
        until: Timestamp,
    },
}

/// What is to be done about the displaced key between two rotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retirement {
    /// There is none.
    None,
    /// It is inactive; the next rotation deletes it.
    Inactive(AccessKeyId),
    /// Nobody has used it for long enough.
    Deactivate(AccessKeyId),
    /// It stays for now.
    Waits(Blocked),
}

/// What is known of the keys of a secret.
#[derive(Debug, Clone)]
pub struct Keys<'a> {
    /// The key in AWSCURRENT.
    pub current: &'a AccessKeyId,
    /// Since when: before that the key before it was in use.
    pub since: Timestamp,
    /// The key in AWSPREVIOUS.
    pub previous: Option<&'a AccessKeyId>,
    /// When that was last used, as IAM says.
    pub previous_used: &'a LastUsed,
    /// All keys of the user.
    pub listed: &'a [AccessKey],
}

impl Intent {
    /// An intent for a version of a secret.
    #[must_use]
    pub fn new(token: &str, at: Timestamp, listed: &[AccessKey]) -> Self {
        let before = listed.iter().map(|key| key.id.clone()).collect();
        Self { akia_intent: 1, token: token.to_owned(), at, before }
    }

    /// What the request to create the key has in its user agent, by which CloudTrail tells it from others.
    #[must_use]
    pub fn nonce(&self, secret: &str) -> String {
        format!("lambda-{}", digest::short(&format!("{secret}\n{}", self.token)))
    }

    /// Keys that the request may have left behind: not there before, and in no version of the secret.
    #[must_use]
    pub fn suspects<'a>(&self, keys: &Keys<'a>) -> Vec<&'a AccessKey> {
        let is_known = |id: &AccessKeyId| self.before.contains(id) || id == keys.current || Some(id) == keys.previous;
        keys.listed.iter().filter(|key| !is_known(&key.id)).collect()
    }
}

impl Keys<'_> {
    /// Whether a new key can be made.
    ///
    /// # Errors
    /// When a key is in the way that nobody may delete unasked.
    pub fn room(&self, quiet_for: SignedDuration, now: Timestamp) -> Result<Room, Blocked> {
        self.check_current()?;
        if let Some(other) = self.listed.iter().find(|key| key.id != *self.current && Some(&key.id) != self.previous) {
            return Err(Blocked::Unrecorded(other.id.clone()));
        }
        match self.retirement(quiet_for, now)? {
            Retirement::None => Ok(Room::Free),
            Retirement::Inactive(key) | Retirement::Deactivate(key) => Ok(Room::AfterDeleting(key)),
            Retirement::Waits(blocked) => Err(blocked),
        }
    }

    /// What is to be done about the displaced key.
    ///
    /// # Errors
    /// When no other key is known to work.
    pub fn retirement(&self, quiet_for: SignedDuration, now: Timestamp) -> Result<Retirement, Blocked> {
        self.check_current()?;
        let displaced = |key: &&AccessKey| Some(&key.id) == self.previous && key.id != *self.current;
        let Some(key) = self.listed.iter().find(displaced) else { return Ok(Retirement::None) };
        match key.status {
            KeyStatus::Inactive => return Ok(Retirement::Inactive(key.id.clone())),
            KeyStatus::Active => {}
        }
        let in_use = self.since.max(key.created_at);
        match self.previous_used {
            LastUsed::At { at, service, region } if *at + quiet_for > now && in_use + quiet_for <= now => {
                let (service, region) = (service.clone(), region.clone());
                Ok(Retirement::Waits(Blocked::StillUsed { key: key.id.clone(), at: *at, service, region }))
            }
            LastUsed::Unknown { reason } => {
                Ok(Retirement::Waits(Blocked::UnknownUse { key: key.id.clone(), reason: reason.clone() }))
            }
            LastUsed::At { .. } | LastUsed::Never if in_use + quiet_for > now => {
                Ok(Retirement::Waits(Blocked::TooEarly { key: key.id.clone(), until: in_use + quiet_for }))
            }
            LastUsed::At { .. } | LastUsed::Never => Ok(Retirement::Deactivate(key.id.clone())),
        }
    }

    fn check_current(&self) -> Result<(), Blocked> {
        let is_active = |key: &AccessKey| key.id == *self.current && key.status == KeyStatus::Active;
        if self.listed.iter().any(is_active) { Ok(()) } else { Err(Blocked::NotCurrent(self.current.clone())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn id(letter: char) -> AccessKeyId {
        format!("AKIA{}", letter.to_string().repeat(16)).parse().unwrap()
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
    }

    fn key(letter: char, status: KeyStatus, day: i64) -> AccessKey {
        AccessKey { id: id(letter), status, created_at: at(day) }
    }

    fn used(day: i64) -> LastUsed {
        LastUsed::At { at: at(day), service: "s3".to_owned(), region: "eu-west-1".to_owned() }
    }

    /// The current key C since day 30, the one before it P since day 0; it is day 60.
    fn judge(listed: &[AccessKey], previous_used: &LastUsed) -> (Result<Room, Blocked>, Result<Retirement, Blocked>) {
        let (current, previous) = (id('C'), id('P'));
        let keys = Keys { current: &current, since: at(30), previous: Some(&previous), previous_used, listed };
        (keys.room(DAY, at(60)), keys.retirement(DAY, at(60)))
    }

    #[test]
    fn only_a_displaced_and_unused_key_makes_room() {
        use KeyStatus::{Active, Inactive};
        let current = key('C', Active, 30);
        let (room, retirement) = judge(std::slice::from_ref(&current), &LastUsed::Never);
        assert_eq!((room, retirement), (Ok(Room::Free), Ok(Retirement::None)));
        let shut = [current.clone(), key('P', Inactive, 0)];
        assert_eq!(judge(&shut, &used(59)), (Ok(Room::AfterDeleting(id('P'))), Ok(Retirement::Inactive(id('P')))));
        let open = [current.clone(), key('P', Active, 0)];
        for unused in [LastUsed::Never, used(29), used(40)] {
            assert_eq!(judge(&open, &unused), (Ok(Room::AfterDeleting(id('P'))), Ok(Retirement::Deactivate(id('P')))));
        }
        let (room, retirement) = judge(&open, &LastUsed::At { at: at(60), service: "s3".into(), region: "r".into() });
        assert!(matches!(room, Err(Blocked::StillUsed { .. })), "{room:?}");
        assert!(matches!(retirement, Ok(Retirement::Waits(Blocked::StillUsed { .. }))), "{retirement:?}");
        let stranger = [current, key('X', Inactive, 0)];
        assert_eq!(judge(&stranger, &LastUsed::Never).0, Err(Blocked::Unrecorded(id('X'))));
    }

    #[test]
    fn nothing_goes_while_no_other_key_is_known_to_work() {
        use KeyStatus::{Active, Inactive};
        for listed in [vec![key('P', Active, 0)], vec![key('C', Inactive, 30), key('P', Active, 0)], vec![]] {
            let blocked = Blocked::NotCurrent(id('C'));
            assert_eq!(judge(&listed, &LastUsed::Never), (Err(blocked.clone()), Err(blocked)));
        }
    }

    #[test]
    fn a_key_that_was_just_displaced_is_left_alone_whatever_iam_says_of_its_use() {
        let (current, previous) = (id('C'), id('P'));
        let listed = [key('C', KeyStatus::Active, 30), key('P', KeyStatus::Active, 0)];
        for previous_used in [LastUsed::Never, used(30)] {
            let keys = Keys {
                current: &current,
                since: at(30),
                previous: Some(&previous),
                previous_used: &previous_used,
                listed: &listed,
            };
            let early = Blocked::TooEarly { key: id('P'), until: at(31) };
            let now = at(30) + SignedDuration::from_hours(23);
            assert_eq!(keys.retirement(DAY, now), Ok(Retirement::Waits(early.clone())));
            assert_eq!(keys.room(DAY, now), Err(early));
        }
    }

    #[test]
    fn what_a_lost_request_may_have_left_is_new_and_in_no_version() {
        let listed: Vec<AccessKey> = ['B', 'C', 'P', 'N'].map(|one| key(one, KeyStatus::Active, 30)).into();
        let intent = Intent::new("token", at(30), &[key('B', KeyStatus::Active, 0)]);
        let (current, previous) = (id('C'), id('P'));
        let keys = Keys {
            current: &current,
            since: at(30),
            previous: Some(&previous),
            previous_used: &LastUsed::Never,
            listed: &listed,
        };
        assert_eq!(intent.suspects(&keys).iter().map(|key| &key.id).collect::<Vec<_>>(), [&id('N')]);
        assert_ne!(intent.nonce("one"), intent.nonce("two"));
        let text = serde_json::to_string(&intent).unwrap();
        assert_eq!(serde_json::from_str::<Intent>(&text).unwrap(), intent);
    }
}
