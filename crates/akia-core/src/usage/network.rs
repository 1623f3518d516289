//! What an address is: one's own, AWS's, a private one, or anybody's.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::cidr::{BadCidr, Cidr, Stretches};

/// What is known of the place of an address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Place {
    /// The country, two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Latitude and longitude, in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<(f64, f64)>,
    /// How far from there it may be, in km.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius_km: Option<u16>,
    /// The number of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Who runs the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Place {
    /// How far it is to another place, in km; none where one of them has no coordinates.
    #[must_use]
    pub fn km_to(&self, other: &Self) -> Option<f64> {
        const EARTH_KM: f64 = 6_371.0;
        let ((a, b), (c, d)) = (self.point?, other.point?);
        let (a, b, c, d) = (a.to_radians(), b.to_radians(), c.to_radians(), d.to_radians());
        // The haversine formula.
        let chord = ((c - a) / 2.0).sin().powi(2) + a.cos() * c.cos() * ((d - b) / 2.0).sin().powi(2);
        Some(2.0 * EARTH_KM * chord.sqrt().min(1.0).asin())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = [&self.city, &self.country].into_iter().flatten().map(String::as_str).collect();
        formatter.write_str(if words.is_empty() { "an unknown place" } else { "" })?;
        formatter.write_str(&words.join(", "))
    }
}

/// Who tells where an address is: a file of MaxMind's form, or nobody.
pub trait Atlas {
    /// What is known of an address.
    fn place(&self, address: IpAddr) -> Option<Place>;
}

/// Nobody knows where anything is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAtlas;

impl Atlas for NoAtlas {
    fn place(&self, _: IpAddr) -> Option<Place> {
        None
    }
}

/// AWS's addresses, as AWS publishes them.
///
/// <https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html>
#[derive(Debug, Clone, Default)]
pub struct AwsRanges {
    stretches: Stretches<AwsRange>,
}

/// What AWS says of one of its ranges.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AwsRange {
    /// The service: `EC2`, `S3`, `CODEBUILD`; `AMAZON` where no more is told.
    pub service: String,
    /// The region; `GLOBAL` for what has none.
    pub region: String,
}

/// A text that is no list of AWS's addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRanges {
    /// It is not what AWS publishes.
    #[error("it is not AWS's ip-ranges.json ({0}); fetch https://ip-ranges.amazonaws.com/ip-ranges.json")]
    Form(String),
    /// A range in it cannot be read.
    #[error(transparent)]
    Range(#[from] BadCidr),
    /// There is nothing in it.
    #[error("it lists no addresses; fetch https://ip-ranges.amazonaws.com/ip-ranges.json again")]
    Empty,
}

#[derive(Deserialize)]
struct RangesFile {
    prefixes: Vec<RangeV4>,
    #[serde(default)]
    ipv6_prefixes: Vec<RangeV6>,
}

#[derive(Deserialize)]
struct RangeV4 {
    ip_prefix: String,
    service: String,
    region: String,
}

#[derive(Deserialize)]
struct RangeV6 {
    ipv6_prefix: String,
    service: String,
    region: String,
}

impl AwsRanges {
    /// Reads `ip-ranges.json`.
    ///
    /// # Errors
    /// When it is none, or lists nothing.
    pub fn parse(json: &str) -> Result<Self, BadRanges> {
        let file: RangesFile = serde_json::from_str(json).map_err(|error| BadRanges::Form(error.to_string()))?;
        let v4 = file.prefixes.into_iter().map(|one| (one.ip_prefix, one.service, one.region));
        let v6 = file.ipv6_prefixes.into_iter().map(|one| (one.ipv6_prefix, one.service, one.region));
        // A range is listed once for each service that it is of; which tells most is kept.
        let mut ranges: BTreeMap<Cidr, AwsRange> = BTreeMap::new();
        for (range, service, region) in v4.chain(v6) {
            let new = AwsRange { service, region };
            let known = ranges.entry(range.parse()?).or_insert_with(|| new.clone());
            if new.tells() > known.tells() {
                *known = new;
            }
        }
        if ranges.is_empty() {
            return Err(BadRanges::Empty);
        }
        Ok(Self { stretches: Stretches::new(ranges.into_iter().collect()) })
    }

    /// What AWS says of an address; none where it is not AWS's.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<&AwsRange> {
        // The smallest range may say AMAZON alone where a larger one around it says EC2.
        let mut best: Option<&AwsRange> = None;
        for range in self.stretches.find(address) {
            if best.is_none_or(|best| range.tells() > best.tells()) {
                best = Some(range);
            }
        }
        best
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stretches.len()
    }

    /// Whether nothing is known of AWS's addresses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl AwsRange {
    /// How much the name of the service tells: most of EC2's ranges are also AMAZON's, and CodeBuild's are EC2's, too.
    fn tells(&self) -> u8 {
        match self.service.as_str() {
            "AMAZON" => 0,
            "EC2" => 1,
            _ => 2,
        }
    }
}

/// What an address is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Origin {
    /// A service of AWS called for the user.
    Service {
        /// Its name, as in `cloudformation.amazonaws.com`.
        name: String,
    },
    /// An address that only holds within a network: the call came by a VPC endpoint.
    Private,
    /// One's own network, by the settings.
    Own {
        /// Which.
        range: Cidr,
    },
    /// AWS's.
    Aws(AwsRange),
    /// Anybody's.
    Public,
    /// No address and no service.
    Unreadable,
}

/// What tells networks from one another: one's own ranges and AWS's.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    /// One's own.
    pub own: Vec<Cidr>,
    /// AWS's.
    pub aws: AwsRanges,
}

impl Networks {
    /// What stands in CloudTrail's `sourceIPAddress`.
    #[must_use]
    pub fn origin(&self, source: &str) -> Origin {
        let Ok(address) = source.parse::<IpAddr>() else {
            let is_service =
                source == "AWS Internal" || source.ends_with(".amazonaws.com") || source.ends_with(".amazonaws.com.cn");
            return if is_service { Origin::Service { name: source.to_owned() } } else { Origin::Unreadable };
        };
        if let Some(range) = self.own.iter().find(|range| range.holds(address)) {
            return Origin::Own { range: *range };
        }
        if is_private(address) {
            return Origin::Private;
        }
        self.aws.find(address).map_or(Origin::Public, |range| Origin::Aws(range.clone()))
    }

    /// The network that an address is taken to be of, in words: one's own range, a region of AWS, a network and country by the atlas,
    /// or else the neighbourhood of the address, for providers give their customers another one of those any day.
    #[must_use]
    pub fn name(&self, source: &str, atlas: &dyn Atlas) -> String {
        match self.origin(source) {
            Origin::Service { name } => name,
            Origin::Private => "a VPC".to_owned(),
            Origin::Own { range } => range.to_string(),
            Origin::Aws(range) => format!("AWS {}", range.region),
            Origin::Unreadable => source.to_owned(),
            Origin::Public => {
                let Ok(address) = source.parse::<IpAddr>() else { return source.to_owned() };
                match atlas.place(address) {
                    Some(Place { asn: Some(asn), country, owner, .. }) => {
                        let words = [owner, Some(format!("AS{asn}")), country];
                        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
                    }
                    _ => Cidr::around(address, if address.is_ipv4() { 16 } else { 32 }).to_string(),
                }
            }
        }
    }
}

/// Whether an address means something only within a network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGES: &str = r#"{"syncToken":"1","createDate":"2026-11-30-00-00-00","prefixes":[
        {"ip_prefix":"3.120.0.0/14","region":"eu-central-1","service":"AMAZON","network_border_group":"eu-central-1"},
        {"ip_prefix":"3.120.0.0/14","region":"eu-central-1","service":"EC2","network_border_group":"eu-central-1"},
        {"ip_prefix":"3.120.181.40/29","region":"eu-central-1","service":"AMAZON","network_border_group":"eu-central-1"},
        {"ip_prefix":"3.120.181.64/29","region":"eu-central-1","service":"CODEBUILD","network_border_group":"eu-central-1"},
        {"ip_prefix":"13.248.0.0/16","region":"GLOBAL","service":"AMAZON","network_border_group":"GLOBAL"}],
        "ipv6_prefixes":[{"ipv6_prefix":"2a05:d014::/36","region":"eu-central-1","service":"EC2","network_border_group":"eu-central-1"}]}"#;

    fn networks() -> Networks {
        Networks {
            own: vec!["203.0.113.0/24".parse().unwrap(), "10.7.0.0/16".parse().unwrap()],
            aws: AwsRanges::parse(RANGES).unwrap(),
        }
    }

    #[test]
    fn every_origin_is_told() {
        let table = [
            ("203.0.113.9", r#"Own { range: 203.0.113.0/24 }"#),
            ("10.7.3.4", r#"Own { range: 10.7.0.0/16 }"#),
            ("10.8.3.4", "Private"),
            ("172.31.255.1", "Private"),
            ("100.64.0.1", "Private"),
            ("fd00::1", "Private"),
            ("3.121.0.9", "Aws EC2 eu-central-1"),
            ("3.120.181.41", "Aws EC2 eu-central-1"),
            ("3.120.181.65", "Aws CODEBUILD eu-central-1"),
            ("13.248.3.3", "Aws AMAZON GLOBAL"),
            ("2a05:d014:1::5", "Aws EC2 eu-central-1"),
            ("8.8.8.8", "Public"),
            ("2001:db8::1", "Public"),
            ("cloudformation.amazonaws.com", "Service cloudformation.amazonaws.com"),
            ("AWS Internal", "Service AWS Internal"),
            ("", "Unreadable"),
            ("3.120.0", "Unreadable"),
        ];
        for (source, expected) in table {
            let told = match networks().origin(source) {
                Origin::Own { range } => format!("Own {{ range: {range} }}"),
                Origin::Aws(AwsRange { service, region }) => format!("Aws {service} {region}"),
                Origin::Service { name } => format!("Service {name}"),
                other => format!("{other:?}"),
            };
            assert_eq!(told, expected, "{source}");
        }
    }

    #[test]
    fn networks_have_names() {
        struct Here;
        impl Atlas for Here {
            fn place(&self, _: IpAddr) -> Option<Place> {
                Some(Place {
                    country: Some("DE".into()),
                    asn: Some(3320),
                    owner: Some("Telekom".into()),
                    ..Place::default()
                })
            }
        }
        let name = |source: &str, atlas: &dyn Atlas| networks().name(source, atlas);
        assert_eq!(name("3.121.0.9", &Here), "AWS eu-central-1");
        assert_eq!(name("91.3.4.5", &Here), "Telekom AS3320 DE");
        assert_eq!(name("91.3.4.5", &NoAtlas), "91.3.0.0/16");
        assert_eq!(name("2003:de:1::1", &NoAtlas), "2003:de::/32");
    }

    #[test]
    fn what_is_no_list_of_addresses_says_where_there_is_one() {
        for text in ["", "{}", "[]", r#"{"prefixes":[]}"#, "<html>"] {
            assert!(AwsRanges::parse(text).unwrap_err().to_string().contains("ip-ranges.amazonaws.com"), "{text}");
        }
        let bad = r#"{"prefixes":[{"ip_prefix":"3.120.0.0/99","region":"x","service":"EC2"}]}"#;
        assert!(AwsRanges::parse(bad).unwrap_err().to_string().contains("3.120.0.0/99"));
    }

    #[test]
    fn distances_are_those_of_the_map() {
        let at = |latitude, longitude| Place { point: Some((latitude, longitude)), ..Place::default() };
        let (berlin, london) = (at(52.52, 13.40), at(51.51, -0.13));
        let km = berlin.km_to(&london).unwrap();
        assert!((925.0..940.0).contains(&km), "{km}");
        assert_eq!(berlin.km_to(&Place::default()), None);
        // Across the line where the day begins.
        assert!(at(0.0, 179.5).km_to(&at(0.0, -179.5)).unwrap() < 120.0);
    }
}
