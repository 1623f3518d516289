//! Where calls come from: networks with their places on earth, and the addresses that they give out.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Dice;

/// A stretch of addresses that belongs to one network in one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Its first address.
    pub first: IpAddr,
    /// How many leading bits its addresses share.
    pub bits: u8,
    /// Where it is.
    pub city: City,
    /// The number of the network.
    pub asn: u32,
    /// Who runs it.
    pub owner: &'static str,
    /// Whether it is AWS's.
    pub is_aws: bool,
}

/// A city with its country, coordinates and hours ahead of UTC. The world of the corpus has no summer time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "plain names")]
pub struct City {
    pub name: &'static str,
    pub country: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    pub ahead: i64,
}

const fn city(name: &'static str, country: &'static str, latitude: f64, longitude: f64, ahead: i64) -> City {
    City { name, country, latitude, longitude, ahead }
}

pub(super) const BERLIN: City = city("Berlin", "DE", 52.52, 13.40, 1);
pub(super) const FRANKFURT: City = city("Frankfurt", "DE", 50.11, 8.68, 1);
pub(super) const LONDON: City = city("London", "GB", 51.51, -0.13, 0);
pub(super) const NEW_YORK: City = city("New York", "US", 40.71, -74.01, -5);
pub(super) const ASHBURN: City = city("Ashburn", "US", 39.04, -77.49, -5);
pub(super) const DES_MOINES: City = city("Des Moines", "US", 41.59, -93.62, -6);
pub(super) const BANGALORE: City = city("Bengaluru", "IN", 12.97, 77.59, 5);
pub(super) const WARSAW: City = city("Warsaw", "PL", 52.23, 21.01, 1);
pub(super) const AMSTERDAM: City = city("Amsterdam", "NL", 52.37, 4.90, 1);

/// The cities where people of the corpus live.
pub(super) const CITIES: [City; 4] = [BERLIN, LONDON, NEW_YORK, WARSAW];

const fn v4(a: u8, b: u8, bits: u8, city: City, asn: u32, owner: &'static str) -> Stretch {
    let first = IpAddr::V4(Ipv4Addr::new(a, b, 0, 0));
    Stretch { first, bits, city, asn, owner, is_aws: asn == AMAZON }
}

const fn v6(a: u16, b: u16, city: City, asn: u32, owner: &'static str) -> Stretch {
    let first = IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0));
    Stretch { first, bits: 32, city, asn, owner, is_aws: false }
}

const AMAZON: u32 = 16_509;

/// Every stretch there is; they do not overlap. Offices, homes, mobile networks, data centres.
pub const STRETCHES: [Stretch; 21] = [
    v4(62, 154, 16, BERLIN, 3_320, "Example Telekom (offices)"),
    v4(81, 144, 16, LONDON, 2_856, "Example Telecom UK (offices)"),
    v4(65, 204, 16, NEW_YORK, 701, "Example Fiber (offices)"),
    v4(80, 50, 16, WARSAW, 5_617, "Example Polska (offices)"),
    v4(122, 166, 16, BANGALORE, 24_560, "Example Telemedia (offices)"),
    v4(91, 32, 13, BERLIN, 3_320, "Example Telekom"),
    v4(86, 128, 12, LONDON, 2_856, "Example Telecom UK"),
    v4(72, 80, 13, NEW_YORK, 701, "Example Fiber"),
    v4(83, 0, 13, WARSAW, 5_617, "Example Polska"),
    v4(49, 204, 14, BANGALORE, 24_309, "Example Broadband"),
    v4(80, 187, 16, BERLIN, 3_320, "Example Telekom (mobile)"),
    v4(92, 40, 14, LONDON, 12_576, "Example Mobile UK"),
    v4(174, 192, 11, NEW_YORK, 22_394, "Example Wireless"),
    v4(37, 47, 16, WARSAW, 39_603, "Example Mobile PL"),
    v6(0x2003, 0xde, BERLIN, 3_320, "Example Telekom"),
    v6(0x2a00, 0x23c4, LONDON, 2_856, "Example Telecom UK"),
    v4(185, 65, 16, AMSTERDAM, 39_351, "Example VPN"),
    v4(3, 120, 14, FRANKFURT, AMAZON, "AMAZON-02"),
    v4(54, 160, 11, ASHBURN, AMAZON, "AMAZON-02"),
    v4(20, 160, 11, DES_MOINES, 8_075, "MICROSOFT-CORP"),
    v4(5, 75, 16, FRANKFURT, 24_940, "Example Hosting"),
];

/// The stretch that an address is of.
#[must_use]
pub fn stretch_of(address: IpAddr) -> Option<&'static Stretch> {
    STRETCHES.iter().find(|stretch| match (stretch.first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(stretch.bits)
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(stretch.bits)
        }
        _ => false,
    })
}

/// AWS's addresses, in the form of its `ip-ranges.json`.
#[must_use]
pub fn ip_ranges() -> String {
    let mut text = r#"{"syncToken":"1764460800","createDate":"2025-11-30-00-00-00","prefixes":["#.to_owned();
    for (at, stretch) in STRETCHES.iter().filter(|stretch| stretch.is_aws).enumerate() {
        let region = if stretch.city == FRANKFURT { "eu-central-1" } else { "us-east-1" };
        for (service, comma) in [("AMAZON", if at == 0 { "" } else { "," }), ("EC2", ",")] {
            let _ = write!(
                text,
                r#"{comma}{{"ip_prefix":"{}/{}","region":"{region}","service":"{service}","network_border_group":"{region}"}}"#,
                stretch.first, stretch.bits
            );
        }
    }
    text.push_str(r#"],"ipv6_prefixes":[]}"#);
    text
}

/// How a network gives out addresses to somebody.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lease {
    /// Always the same.
    Fixed,
    /// Another one each day, as of a line at home.
    Daily,
    /// Another one for each sitting: mobile networks, runners that live for a job.
    Roaming,
    /// One of so many, for each burst: machines of a fleet, exits of a gateway.
    Pool(u64),
}

/// A network as somebody uses it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    stretch: &'static Stretch,
    lease: Lease,
    seed: u64,
}

impl Network {
    fn new(nth: usize, lease: Lease, dice: &mut Dice) -> Self {
        Self { stretch: &STRETCHES[nth], lease, seed: dice.number() }
    }

    fn at(owner: impl Fn(&Stretch) -> bool, lease: Lease, dice: &mut Dice) -> Self {
        let fit: Vec<usize> = (0..STRETCHES.len()).filter(|nth| owner(&STRETCHES[*nth])).collect();
        Self::new(fit[dice.below(fit.len())], lease, dice)
    }

    /// The office of the firm in this city: one address for everybody in it.
    pub(super) fn office(city: City) -> Self {
        let nth = STRETCHES.iter().position(|one| one.city == city && one.owner.ends_with("(offices)"));
        Self { stretch: &STRETCHES[nth.unwrap_or_default()], lease: Lease::Fixed, seed: 7 }
    }

    /// The office of another firm.
    pub(super) fn other_office(city: City, dice: &mut Dice) -> Self {
        Self { seed: dice.number(), ..Self::office(city) }
    }

    /// A line at home.
    pub(super) fn home(city: City, dice: &mut Dice) -> Self {
        let is_home = |one: &Stretch| {
            one.city == city
                && one.first.is_ipv4()
                && !one.owner.contains('(')
                && !one.owner.contains("Mobile")
                && !one.owner.contains("Wireless")
        };
        Self::at(is_home, Lease::Daily, dice)
    }

    /// A line at home with IPv6, whose addresses change for privacy.
    pub(super) fn home_v6(city: City, dice: &mut Dice) -> Self {
        Self::at(|one| one.city == city && one.first.is_ipv6(), Lease::Daily, dice)
    }

    /// The network of a telephone.
    pub(super) fn mobile(city: City, dice: &mut Dice) -> Self {
        let is_mobile = |one: &Stretch| {
            one.city == city && ["(mobile)", "Mobile", "Wireless"].iter().any(|word| one.owner.contains(word))
        };
        Self::at(is_mobile, Lease::Roaming, dice)
    }

    /// A VPN whose exits are in another country.
    pub(super) fn vpn(dice: &mut Dice) -> Self {
        Self::at(|one| one.owner == "Example VPN", Lease::Pool(4), dice)
    }

    /// AWS in Frankfurt or Virginia.
    pub(super) fn aws(lease: Lease, dice: &mut Dice) -> Self {
        Self::at(|one| one.is_aws, lease, dice)
    }

    /// The hosted runners of GitHub, which are Azure's.
    pub(super) fn runners(dice: &mut Dice) -> Self {
        Self::at(|one| one.owner == "MICROSOFT-CORP", Lease::Roaming, dice)
    }

    /// A server in some data centre.
    pub(super) fn hosting(dice: &mut Dice) -> Self {
        Self::at(|one| one.owner == "Example Hosting", Lease::Fixed, dice)
    }

    /// The address on a day, in a sitting, in a burst of it.
    pub(super) fn address(&self, day: u64, sitting: u64, burst: u64) -> IpAddr {
        let lot = match self.lease {
            Lease::Fixed => 0,
            Lease::Daily => 1 + day,
            Lease::Roaming => 1 + day * 1_000 + sitting,
            Lease::Pool(size) => 1 + burst % size,
        };
        let mixed = mix(self.seed, lot);
        match self.stretch.first {
            IpAddr::V4(first) => {
                let host = (mixed as u32) >> self.stretch.bits;
                IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | host.max(1)))
            }
            IpAddr::V6(first) => {
                // A home keeps its /64; a machine changes the rest of its address.
                let home = u128::from(mix(self.seed, 0) as u32) << 64;
                IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | home | u128::from(mixed)))
            }
        }
    }
}

/// Spreads two numbers over all numbers (SplitMix64).
pub(super) fn mix(seed: u64, lot: u64) -> u64 {
    let mut mixed = seed.wrapping_add(lot.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
