//! IAM as the protocol has to fear it: one user name, its keys, and requests that are still under way.
//!
//! Time is relative: every moment is told in seconds from now, so now is always 0 and a state that comes again is the
//! same state. What lies further back than [`HORIZON`] is held there: nothing looks further.

use std::sync::LazyLock;

use akia_core::{AccessKey, AccessKeyId, KeyStatus, LastUsed};
use jiff::{SignedDuration, Timestamp};

/// Seconds from now; the past is negative.
pub(crate) type Tick = i16;

/// Longer than every wait of the protocol's pace in the model.
pub(crate) const HORIZON: Tick = 41;

/// Assumption about IAM: a new or newly activated key works for good after this. Before, it may or may not.
pub(crate) const SETTLED: Tick = 4;

/// Assumption about IAM: an unsettled key passes no more than this many proofs in a row, [`crate::settings::GAP`] apart,
/// whoever asks.
pub(crate) const LUCK_LIMIT: u8 = 1;

/// Rotations that a world can hold.
pub(crate) const CLIENTS: usize = 3;

/// Assumption about IAM: a new key is listed at the latest after this.
pub(crate) const LISTED: Tick = 3;

/// The moment that stands for now in every record.
pub(crate) static NOW: LazyLock<Timestamp> = LazyLock::new(|| Timestamp::constant(1_767_225_600, 0));

static NAMES: LazyLock<Vec<AccessKeyId>> =
    LazyLock::new(|| (0..32).filter_map(|n| format!("AKIAMODELKEY0000000{n:03}").parse().ok()).collect());

/// A key by its number: 0 is the displaced key of the first rotation, then in order of creation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct KeyNumber(pub(crate) u8);

impl KeyNumber {
    pub(crate) fn id(self) -> AccessKeyId {
        NAMES[usize::from(self.0)].clone()
    }

    pub(crate) fn of(id: &AccessKeyId) -> Self {
        let text = id.as_str();
        Self(text[text.len() - 3..].parse().unwrap_or(u8::MAX))
    }
}

/// The moment that a tick stands for.
pub(crate) fn moment(tick: Tick) -> Timestamp {
    *NOW + SignedDuration::from_secs(i64::from(tick))
}

/// Seconds from now until then, rounded up, at least one.
pub(crate) fn until(then: Timestamp) -> Tick {
    let seconds = then.duration_since(*NOW).as_millis().div_euclid(1_000);
    let seconds = if then.duration_since(*NOW).as_millis() % 1_000 == 0 { seconds } else { seconds + 1 };
    Tick::try_from(seconds.max(1)).unwrap_or(HORIZON)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Status {
    Active,
    Inactive,
    Deleted,
}

/// Who brought a key into the status that it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Cause {
    /// It is as it was made.
    Made,
    /// A rotation that displaced it.
    Retired { client: u8 },
    /// A rotation in any other way.
    Changed { client: u8 },
    /// Somebody outside, or a person who named it.
    Outsider,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Maker {
    Before,
    Client(u8),
    Outsider,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) maker: Maker,
    /// Which user of this name it belongs to.
    pub(crate) user: u8,
    pub(crate) status: Status,
    pub(crate) cause: Cause,
    /// Whether somebody outside ever changed its status.
    pub(crate) touched: bool,
    pub(crate) born: Tick,
    /// When its status last changed.
    pub(crate) changed: Tick,
    /// Whether it needs the whole of [`SETTLED`].
    pub(crate) slow: bool,
    /// Proofs of each rotation that it has passed in a row although it is not settled. A row is one rotation's: that another
    /// was refused in between does not give it a longer one.
    pub(crate) luck: [u8; CLIENTS],
    pub(crate) used: Option<Tick>,
}

impl Key {
    pub(crate) fn is_settled(&self) -> bool {
        !self.slow || self.changed <= -SETTLED
    }

    fn tick(&mut self, by: Tick) {
        let back = |moment: &mut Tick, floor: Tick| *moment = (*moment - by).max(-floor);
        back(&mut self.born, LISTED);
        // The age of a status counts until a key works everywhere, and through a grace.
        back(&mut self.changed, if self.status == Status::Inactive { HORIZON } else { SETTLED });
        if let Some(used) = &mut self.used {
            back(used, HORIZON);
        }
        if self.is_settled() {
            // What lies behind does not matter any more, and need not keep states apart.
            self.luck = [0; CLIENTS];
        }
    }
}

/// A request that AWS carries out later than its sender thinks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Late {
    pub(crate) what: Request,
    pub(crate) client: u8,
    /// The last moment at which it can take effect.
    pub(crate) by: Tick,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Request {
    Create { user: u8 },
    Set { key: KeyNumber, status: Status, cause: Cause },
}

/// The user, its keys and what is under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Aws {
    /// A user that was deleted and made anew under the same name has the next number.
    pub(crate) user: u8,
    /// Keys that a user may have: two; but up to eight have been seen.
    pub(crate) quota: usize,
    /// All keys that ever were; the deleted ones too, for places may still refer to them.
    pub(crate) keys: Vec<Key>,
    pub(crate) late: Vec<Late>,
}

impl Aws {
    pub(crate) fn key(&self, number: KeyNumber) -> Option<&Key> {
        self.keys.get(usize::from(number.0))
    }

    pub(crate) fn key_mut(&mut self, number: KeyNumber) -> Option<&mut Key> {
        self.keys.get_mut(usize::from(number.0))
    }

    pub(crate) fn is_active(&self, number: KeyNumber) -> bool {
        self.key(number).is_some_and(|key| key.status == Status::Active && key.user == self.user)
    }

    /// Whether the user has the key.
    pub(crate) fn has(&self, number: KeyNumber) -> bool {
        self.key(number).is_some_and(|key| key.status != Status::Deleted && key.user == self.user)
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = KeyNumber> + use<'_> {
        (0..self.keys.len()).filter_map(|n| u8::try_from(n).ok()).map(KeyNumber).filter(|number| self.has(*number))
    }

    /// `ListAccessKeys`; `late` leaves out what is too new to be listed for sure.
    pub(crate) fn list(&self, late: bool) -> Vec<AccessKey> {
        self.numbers()
            .filter_map(|number| self.key(number).map(|key| (number, key)))
            .filter(|(_, key)| !late || key.born <= -LISTED)
            .map(|(number, key)| AccessKey {
                id: number.id(),
                status: if key.status == Status::Active { KeyStatus::Active } else { KeyStatus::Inactive },
                created_at: moment(key.born),
            })
            .collect()
    }

    /// Whether a list may leave a key out.
    pub(crate) fn has_young_keys(&self) -> bool {
        self.numbers().any(|number| self.key(number).is_some_and(|key| key.born > -LISTED))
    }

    pub(crate) fn last_used(&self, number: KeyNumber) -> LastUsed {
        match self.key(number).and_then(|key| key.used) {
            None => LastUsed::Never,
            Some(tick) => LastUsed::At { at: moment(tick), service: "s3".to_owned(), region: "eu-west-1".to_owned() },
        }
    }

    /// Whether `CreateAccessKey` finds room. The quota is racy: it may overlook a key of the last moments.
    pub(crate) fn has_room(&self, racy: bool) -> bool {
        let counted =
            self.numbers().filter(|number| !racy || self.key(*number).is_some_and(|key| key.born <= -LISTED)).count();
        counted < self.quota
    }

    pub(crate) fn make(&mut self, maker: Maker, slow: bool) -> KeyNumber {
        let number = KeyNumber(u8::try_from(self.keys.len()).unwrap_or(u8::MAX));
        self.keys.push(Key {
            maker,
            user: self.user,
            status: Status::Active,
            cause: Cause::Made,
            touched: false,
            born: 0,
            changed: 0,
            slow,
            luck: [0; CLIENTS],
            used: None,
        });
        number
    }

    /// Updates or deletes a key. A key that the user does not have stays as it is.
    pub(crate) fn set(&mut self, number: KeyNumber, status: Status, cause: Cause) {
        if !self.has(number) {
            return;
        }
        if let Some(key) = self.key_mut(number)
            && key.status != status
        {
            key.status = status;
            key.cause = cause;
            key.touched |= cause == Cause::Outsider;
            key.changed = 0;
            key.luck = [0; CLIENTS];
            if status == Status::Deleted {
                (key.born, key.changed, key.slow, key.used) = (-LISTED, -SETTLED, false, None);
            }
        }
    }

    /// Carries a late request out.
    pub(crate) fn commit(&mut self, late: Late) {
        match late.what {
            Request::Create { user } if user == self.user => {
                self.make(Maker::Client(late.client), true);
            }
            Request::Create { .. } => {}
            Request::Set { key, status, cause } => self.set(key, status, cause),
        }
    }

    /// The user is deleted with its keys, and made anew under the same name with a key of its own.
    pub(crate) fn recreate_user(&mut self) {
        for number in self.numbers().collect::<Vec<_>>() {
            self.set(number, Status::Deleted, Cause::Outsider);
        }
        self.user += 1;
        let own = self.make(Maker::Outsider, false);
        if let Some(key) = self.key_mut(own) {
            (key.born, key.changed) = (-LISTED, -SETTLED);
        }
    }

    pub(crate) fn tick(&mut self, by: Tick) {
        for key in &mut self.keys {
            key.tick(by);
        }
        for late in &mut self.late {
            late.by -= by;
        }
    }
}
