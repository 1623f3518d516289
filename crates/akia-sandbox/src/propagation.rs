//! Eventual consistency: how long the parts of AWS disagree about a change.
//!
//! The shape is measured, not documented: new keys fail for seconds, may fail again after a success, and deleted ones
//! go on working for three or four. AWS only promises "eventually"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency>).

use std::time::Duration;

use jiff::Timestamp;

use crate::mint::Mint;
use crate::state::Key;

/// How changes spread. The default is at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Propagation {
    /// How long a new or reactivated key is unknown: shares of all keys that sum to 1, each with its longest delay.
    pub new_keys: Vec<(f64, Duration)>,
    /// For how long after its first success a new key may fail again.
    pub flapping: Duration,
    /// How likely each call in that time is to fail.
    pub flap_chance: f64,
    /// For how long a deactivated or deleted key goes on working, least and most.
    pub ended_keys: (Duration, Duration),
    /// For how long `ListAccessKeys` may still answer with what was before, at random from call to call.
    pub lists: Duration,
    /// How long a use takes to show in `GetAccessKeyLastUsed` and the credential report.
    pub last_used: Duration,
    /// How long an event takes to show in CloudTrail's `LookupEvents`.
    pub cloudtrail: Duration,
}

impl Default for Propagation {
    fn default() -> Self {
        Self::instant()
    }
}

impl Propagation {
    /// Every change is everywhere at once.
    #[must_use]
    pub fn instant() -> Self {
        Self {
            new_keys: Vec::new(),
            flapping: Duration::ZERO,
            flap_chance: 0.0,
            ended_keys: (Duration::ZERO, Duration::ZERO),
            lists: Duration::ZERO,
            last_used: Duration::ZERO,
            cloudtrail: Duration::ZERO,
        }
    }

    /// As measured on AWS.
    #[must_use]
    pub fn realistic() -> Self {
        Self {
            new_keys: vec![
                (0.75, Duration::ZERO),
                (0.13, Duration::from_secs(1)),
                (0.10, Duration::from_secs(3)),
                (0.02, Duration::from_secs(10)),
            ],
            flapping: Duration::from_secs(4),
            flap_chance: 0.25,
            ended_keys: (Duration::from_secs(3), Duration::from_secs(4)),
            lists: Duration::from_secs(2),
            last_used: Duration::from_secs(15 * 60),
            cloudtrail: Duration::from_secs(5 * 60),
        }
    }

    /// From when a key that begins now works, and from when it works always.
    pub(crate) fn beginning(&self, now: Timestamp, mint: &mut Mint) -> (Timestamp, Timestamp) {
        let share = mint.share();
        let mut reached = 0.0;
        let mut least = Duration::ZERO;
        for (part, most) in &self.new_keys {
            reached += part;
            if share < reached {
                let usable = now + mint.between(least, *most);
                // A key that is known at once is known everywhere: it does not flap.
                let steady = if most.is_zero() { usable } else { usable + self.flapping };
                return (usable, steady);
            }
            least = *most;
        }
        (now, now)
    }

    /// Until when a key that ends now goes on working.
    pub(crate) fn ending(&self, now: Timestamp, mint: &mut Mint) -> Timestamp {
        now + mint.between(self.ended_keys.0, self.ended_keys.1)
    }

    /// Whether the front door lets this key in.
    pub(crate) fn admits(&self, key: &Key, now: Timestamp, mint: &mut Mint) -> bool {
        if key.works_until.is_some_and(|until| now < until) {
            return true;
        }
        key.active && now >= key.usable_from && (now >= key.steady_from || !mint.chance(self.flap_chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realistic_delays_have_the_measured_shares() {
        let (spread, mut mint) = (Propagation::realistic(), Mint::new(Some(3)));
        let now = Timestamp::UNIX_EPOCH;
        let delays: Vec<f64> = (0..10_000).map(|_| (spread.beginning(now, &mut mint).0 - now).as_secs_f64()).collect();
        let share = |least: f64| delays.iter().filter(|delay| **delay > least).count();
        assert!((2300..2700).contains(&share(0.0)), "{}", share(0.0));
        assert!((1000..1400).contains(&share(1.0)), "{}", share(1.0));
        assert!((100..300).contains(&share(3.0)), "{}", share(3.0));
        assert_eq!(share(10.0), 0);
    }

    #[test]
    fn instant_is_instant() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(Propagation::instant().beginning(now, &mut Mint::new(Some(1))), (now, now));
    }
}
