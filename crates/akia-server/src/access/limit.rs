//! How often somebody may be wrong at the door.
//!
//! A token has 256 bits, and nobody guesses one: what the limit spares is the server's time and its log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// The time that failures are counted over.
const WINDOW_SECONDS: i64 = 5 * 60;
/// Failures of one address.
const MOST_OF_ONE: u32 = 10;
/// Failures of all together.
const MOST_OF_ALL: u32 = 300;
/// Addresses that are remembered.
const MOST_ADDRESSES: usize = 10_000;

/// The failures of late.
#[derive(Debug, Default)]
pub(crate) struct Limit {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    all: Count,
    by_address: HashMap<IpAddr, Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    since: i64,
    failures: u32,
}

impl Limit {
    /// How many seconds an address has to wait before it is listened to again; `None` where it need not.
    pub(crate) fn wait_of(&self, address: IpAddr, now: i64) -> Option<i64> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.by_address.get(&network(address))?.wait(MOST_OF_ONE, now)
    }

    /// Notes a failure. How many seconds everybody who fails has to wait; `None` where it is not that bad. Whoever is right still
    /// comes in then: else anybody could lock everybody out.
    pub(crate) fn note(&self, address: IpAddr, now: i64) -> Option<i64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.by_address.len() >= MOST_ADDRESSES {
            counted.by_address.retain(|_, count| count.is_of_late(now));
        }
        if counted.by_address.len() < MOST_ADDRESSES || counted.by_address.contains_key(&network(address)) {
            counted.by_address.entry(network(address)).or_default().add(now);
        }
        counted.all.add(now);
        counted.all.wait(MOST_OF_ALL, now)
    }
}

impl Count {
    fn is_of_late(self, now: i64) -> bool {
        now < self.since.saturating_add(WINDOW_SECONDS)
    }

    fn add(&mut self, now: i64) {
        if !self.is_of_late(now) {
            *self = Self { since: now, failures: 0 };
        }
        self.failures = self.failures.saturating_add(1);
    }

    fn wait(self, most: u32, now: i64) -> Option<i64> {
        (self.is_of_late(now) && self.failures >= most).then(|| (self.since + WINDOW_SECONDS - now).max(1))
    }
}

/// Whoever has one address of IPv6 has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_and_its_neighbour_does_not() {
        let limit = Limit::default();
        let [one, same, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|address| address.parse().unwrap());
        for _ in 0..MOST_OF_ONE {
            assert_eq!(limit.wait_of(one, 1_000), None);
            assert_eq!(limit.note(same, 1_000), None);
        }
        assert_eq!(limit.wait_of(one, 1_100), Some(WINDOW_SECONDS - 100));
        assert_eq!(limit.wait_of(other, 1_100), None);
        assert_eq!(limit.wait_of(one, 1_000 + WINDOW_SECONDS), None);
    }

    #[test]
    fn many_addresses_together_wait_and_memory_is_bounded() {
        let limit = Limit::default();
        let address = |number: u32| IpAddr::V4(number.into());
        let waits = (1..=MOST_OF_ALL).map(|number| limit.note(address(number), 1_000)).collect::<Vec<_>>();
        assert_eq!(waits.iter().filter(|wait| wait.is_some()).count(), 1, "the last one alone");
        for number in 0..20_000 {
            limit.note(address(number), 1_000);
        }
        assert_eq!(limit.counted.lock().unwrap().by_address.len(), MOST_ADDRESSES);
        limit.note(address(77_777), 1_000 + WINDOW_SECONDS);
        assert_eq!(limit.counted.lock().unwrap().by_address.len(), 1);
    }
}
