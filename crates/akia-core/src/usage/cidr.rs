//! Stretches of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stretch of addresses that share their leading bits, as in `203.0.113.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    first: IpAddr,
    bits: u8,
}

/// Why a text is no stretch of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCidr {
    /// It is none at all.
    #[error("{0:?} is no range of addresses; write for example 203.0.113.0/24, 2001:db8::/32 or one address")]
    Form(String),
    /// An address within it stands where its first should be.
    #[error("{given} begins within the range; write {meant}")]
    Within {
        /// As it was written.
        given: String,
        /// The range that the address is in.
        meant: String,
    },
    /// It is so large that nearly everybody is in it.
    #[error("{0} holds nearly all addresses; write the ranges of your own networks")]
    Everybody(String),
}

impl Cidr {
    /// The stretch of this many leading bits that an address is in.
    #[must_use]
    pub fn around(address: IpAddr, bits: u8) -> Self {
        let first = match address {
            IpAddr::V4(address) => {
                let bits = u32::from(bits.min(32));
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let bits = u32::from(bits.min(128));
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { first, bits: bits.min(Self::width(address)) }
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && Self::around(address, self.bits).first == self.first
    }

    /// Whether another stretch lies in it, or is the same.
    #[must_use]
    pub fn encloses(&self, other: &Self) -> bool {
        self.bits <= other.bits && self.holds(other.first)
    }

    fn width(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Self, BadCidr> {
        let form = || BadCidr::Form(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| form())?)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| form())?;
        let bits = bits.unwrap_or_else(|| Self::width(first));
        if bits > Self::width(first) {
            return Err(form());
        }
        let around = Self::around(first, bits);
        if around.first != first {
            return Err(BadCidr::Within { given: text.to_owned(), meant: around.to_string() });
        }
        Ok(around)
    }
}

impl Cidr {
    /// A stretch that somebody may call his own: no larger than the largest network that is given to anybody.
    ///
    /// # Errors
    /// When it is none, or holds nearly everybody.
    pub fn own(text: &str) -> Result<Self, BadCidr> {
        let cidr: Self = text.parse()?;
        let least = if cidr.first.is_ipv4() { 8 } else { 16 };
        if cidr.bits < least { Err(BadCidr::Everybody(text.to_owned())) } else { Ok(cidr) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.bits)
    }
}

impl TryFrom<String> for Cidr {
    type Error = BadCidr;

    fn try_from(text: String) -> Result<Self, BadCidr> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

/// Stretches with something known of each, which may lie in one another; found by address in the logarithm of their number.
#[derive(Debug, Clone)]
pub(super) struct Stretches<T> {
    /// Sorted by first address, larger ones before those within them.
    sorted: Vec<(Cidr, T)>,
    /// The smallest stretch around each.
    around: Vec<Option<usize>>,
}

impl<T> Default for Stretches<T> {
    fn default() -> Self {
        Self { sorted: Vec::new(), around: Vec::new() }
    }
}

impl<T> Stretches<T> {
    pub(super) fn new(mut sorted: Vec<(Cidr, T)>) -> Self {
        sorted.sort_by_key(|(cidr, _)| (cidr.first, cidr.bits));
        let (mut around, mut open) = (Vec::with_capacity(sorted.len()), Vec::<usize>::new());
        for (at, (cidr, _)) in sorted.iter().enumerate() {
            while open.last().is_some_and(|outer| !sorted[*outer].0.encloses(cidr)) {
                open.pop();
            }
            around.push(open.last().copied());
            open.push(at);
        }
        Self { sorted, around }
    }

    /// What holds an address, the smallest first.
    pub(super) fn find(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        let behind = self.sorted.partition_point(|(cidr, _)| cidr.first <= address);
        let mut next = behind.checked_sub(1);
        std::iter::from_fn(move || {
            while let Some(at) = next {
                next = self.around[at];
                if self.sorted[at].0.holds(address) {
                    return Some(&self.sorted[at].1);
                }
            }
            None
        })
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_and_hold_their_addresses() {
        let holds = |range: &str, address: &str| range.parse::<Cidr>().unwrap().holds(address.parse().unwrap());
        assert!(holds("203.0.113.0/24", "203.0.113.255") && !holds("203.0.113.0/24", "203.0.114.0"));
        assert!(holds("203.0.113.7", "203.0.113.7") && !holds("203.0.113.7", "203.0.113.8"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1") && holds("::/0", "::1"));
    }

    #[test]
    fn a_slip_says_what_to_write() {
        let error = |text: &str| Cidr::own(text).unwrap_err().to_string();
        assert_eq!(error("203.0.113.9/24"), "203.0.113.9/24 begins within the range; write 203.0.113.0/24");
        assert_eq!(error("0.0.0.0/0"), "0.0.0.0/0 holds nearly all addresses; write the ranges of your own networks");
        for text in ["", "office", "203.0.113.0/33", "203.0.113/24", "203.0.113.0/", "2001:db8::/129", "1.2.3.4/-1"] {
            assert!(error(text).contains("is no range of addresses"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn look_up_finds_what_a_walk_over_all_finds(ranges in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..60), near in any::<u8>(), at in any::<u32>()) {
            let ranges: Vec<Cidr> = ranges.iter().map(|(first, bits)| Cidr::around(IpAddr::V4((*first).into()), *bits)).collect();
            let table = Stretches::new(ranges.iter().map(|range| (*range, *range)).collect());
            // An address in one of them, or anywhere.
            let address = match ranges.get(usize::from(near)) {
                Some(Cidr { first: IpAddr::V4(first), bits }) => first.to_bits() | (at >> (*bits).min(31)),
                _ => at,
            };
            let address = IpAddr::V4(address.into());
            let mut walked: Vec<Cidr> = ranges.iter().copied().filter(|range| range.holds(address)).collect();
            walked.sort_by_key(|range| std::cmp::Reverse(range.bits));
            prop_assert_eq!(table.find(address).copied().collect::<Vec<_>>(), walked);
        }
    }
}
