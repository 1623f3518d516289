//! A policy that holds only from certain addresses or networks.
//!
//! The condition goes into every `Allow`, and into no `Deny`: a request from elsewhere is allowed by nothing. What AWS documents
//! of the keys (IAM User Guide, "AWS global condition context keys") and people stumble over:
//! - `aws:SourceIp` is a public address. A request through a VPC endpoint has none, and one from a private address never has:
//!   an address and a VPC in one statement would never hold together, so each gets a statement of its own.
//! - `aws:SourceVpc` is there only where the request goes through a VPC endpoint of that service; through a NAT gateway it is not.
//! - What a service calls on with the caller's rights (forward access sessions) carries the caller's address, says AWS's example
//!   "Denies access to AWS based on the source IP"; other pages of AWS still say that such calls are refused. Where one is, a
//!   third statement for `aws:ViaAWSService` lets it through: the call that led to it was narrowed all the same.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::policy::{Condition, Effect, OneOrMany, PolicyDocument, Statement};

/// A public range of addresses: `203.0.113.0/24`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no range that a policy can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// Not a range.
    #[error("{0:?} is not a range of addresses (203.0.113.0/24, or one address)")]
    Form(String),
    /// Bits behind the prefix.
    #[error("{0:?} has bits behind its prefix; the range is {1}")]
    Bits(String, String),
    /// No request to AWS comes from there.
    #[error("{0:?} is private: AWS sees the public address; for requests through a VPC endpoint take --source-vpc")]
    Private(String),
    /// Everything.
    #[error("{0:?} is every address, which narrows nothing")]
    Everything(String),
    /// Not a VPC.
    #[error("{0:?} is not a VPC (vpc-, then 8 or 17 hexadecimal digits)")]
    Vpc(String),
}

impl FromStr for Cidr {
    type Err = BadSource;
    fn from_str(text: &str) -> Result<Self, BadSource> {
        let shown: String = text.chars().take(60).collect();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| BadSource::Form(shown.clone()))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(prefix) if prefix.bytes().all(|b| b.is_ascii_digit()) => {
                prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(|| BadSource::Form(shown.clone()))?
            }
            Some(_) => return Err(BadSource::Form(shown)),
        };
        if prefix == 0 {
            return Err(BadSource::Everything(shown));
        }
        let network = masked(address, prefix);
        if network != address {
            return Err(BadSource::Bits(shown, format!("{network}/{prefix}")));
        }
        if is_private(address) {
            return Err(BadSource::Private(shown));
        }
        Ok(Self { address, prefix })
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// Addresses of networks that are nobody's on the internet: RFC 1918, 6598, 3927, 4193, 4291.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || a == 0 || a == 100 && (64..128).contains(&b)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

/// The id of a VPC.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VpcId(String);

impl FromStr for VpcId {
    type Err = BadSource;
    fn from_str(text: &str) -> Result<Self, BadSource> {
        let digits = text.strip_prefix("vpc-").unwrap_or_default();
        if matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSource::Vpc(text.chars().take(60).collect()))
        }
    }
}

impl fmt::Display for VpcId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Where requests may come from. Naming nothing, from anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Public ranges.
    pub addresses: Vec<Cidr>,
    /// Networks, through their endpoints.
    pub vpcs: Vec<VpcId>,
    /// Whether services may also call on from elsewhere with the user's rights.
    pub via_services: bool,
}

impl Sources {
    /// Whether anything is named.
    #[must_use]
    pub fn is_anywhere(&self) -> bool {
        self.addresses.is_empty() && self.vpcs.is_empty()
    }

    /// The ways in: the end of a statement's name, and its condition.
    fn ways(&self) -> Vec<(&'static str, &'static str, &'static str, OneOrMany)> {
        let mut ways = Vec::new();
        if !self.addresses.is_empty() {
            ways.push((
                "FromAddress",
                "IpAddress",
                "aws:SourceIp",
                self.addresses.iter().map(Cidr::to_string).collect(),
            ));
        }
        if !self.vpcs.is_empty() {
            ways.push(("FromVpc", "StringEquals", "aws:SourceVpc", self.vpcs.iter().map(VpcId::to_string).collect()));
        }
        if self.via_services && !ways.is_empty() {
            ways.push(("ViaService", "Bool", "aws:ViaAWSService", OneOrMany::from("true")));
        }
        ways
    }
}

/// A statement that says already where from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("statement {sid} has a condition on {key} already; a second one would widen it, or close it for good")]
pub struct NarrowError {
    /// The statement.
    pub sid: String,
    /// The key.
    pub key: String,
}

/// The policy, allowing only from there.
///
/// # Errors
/// Where a statement says something of its own about where requests come from.
pub fn narrow(document: &PolicyDocument, sources: &Sources) -> Result<PolicyDocument, NarrowError> {
    let ways = sources.ways();
    if ways.is_empty() {
        return Ok(document.clone());
    }
    let mut statements = Vec::new();
    for statement in &document.statement {
        if statement.effect == Effect::Deny {
            statements.push(statement.clone());
            continue;
        }
        if let Some(key) = own_source(statement) {
            return Err(NarrowError { sid: statement.sid.clone(), key });
        }
        for (end, operator, key, values) in &ways {
            let mut condition: Condition = statement.condition.clone().unwrap_or_default();
            let of_operator: &mut BTreeMap<String, OneOrMany> = condition.entry((*operator).to_owned()).or_default();
            of_operator.insert((*key).to_owned(), values.clone());
            let sid = if ways.len() == 1 { statement.sid.clone() } else { format!("{}{end}", statement.sid) };
            statements.push(Statement { sid, condition: Some(condition), ..statement.clone() });
        }
    }
    Ok(PolicyDocument::new(statements))
}

/// Names of condition keys ignore case.
fn own_source(statement: &Statement) -> Option<String> {
    const KEYS: [&str; 5] = ["aws:SourceIp", "aws:VpcSourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:ViaAWSService"];
    let keys = statement.condition.iter().flatten().flat_map(|(_, keys)| keys.keys());
    keys.into_iter().find(|key| KEYS.iter().any(|one| one.eq_ignore_ascii_case(key))).cloned()
}

#[cfg(test)]
mod tests {
    use super::super::parse_policy;
    use super::*;

    fn policy() -> PolicyDocument {
        parse_policy(
            r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"Get","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",
             "Condition":{"Bool":{"aws:SecureTransport":"true"}}},
            {"Sid":"Not","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/secret/*"}]}"#,
        )
        .unwrap()
    }

    fn sources(addresses: &[&str], vpcs: &[&str], via_services: bool) -> Sources {
        Sources {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            vpcs: vpcs.iter().map(|text| text.parse().unwrap()).collect(),
            via_services,
        }
    }

    #[test]
    fn each_way_in_has_its_statement_and_denials_stay() {
        let none = narrow(&policy(), &sources(&[], &[], true)).unwrap();
        assert_eq!(none, policy());
        let one = narrow(&policy(), &sources(&["203.0.113.0/24", "2001:db8::/32"], &[], false)).unwrap();
        assert_eq!(one.statement.len(), 2);
        let condition = one.statement[0].condition.as_ref().unwrap();
        assert_eq!(condition["IpAddress"]["aws:SourceIp"].as_slice(), ["203.0.113.0/24", "2001:db8::/32"]);
        assert_eq!(condition["Bool"]["aws:SecureTransport"].as_slice(), ["true"]);
        assert_eq!(one.statement[1], policy().statement[1]);
        let all = narrow(&policy(), &sources(&["203.0.113.7"], &["vpc-0123456789abcdef0"], true)).unwrap();
        let names: Vec<&str> = all.statement.iter().map(|one| one.sid.as_str()).collect();
        assert_eq!(names, ["GetFromAddress", "GetFromVpc", "GetViaService", "Not"]);
        let via = all.statement[2].condition.as_ref().unwrap();
        assert_eq!(via["Bool"].len(), 2, "the statement's own condition holds beside it");
    }

    #[test]
    fn a_statement_that_says_where_from_is_not_touched() {
        let mut own = policy();
        let keys = BTreeMap::from([("AWS:sourceip".to_owned(), OneOrMany::from("198.51.100.0/24"))]);
        own.statement[0].condition = Some(BTreeMap::from([("IpAddress".to_owned(), keys)]));
        let error = narrow(&own, &sources(&["203.0.113.0/24"], &[], false)).unwrap_err();
        assert_eq!((error.sid.as_str(), error.key.as_str()), ("Get", "AWS:sourceip"));
    }

    #[test]
    fn ranges_that_no_request_comes_from_are_refused() {
        for (text, told) in [
            ("10.0.0.0/8", "private"),
            ("100.64.0.0/10", "private"),
            ("fd00::/8", "private"),
            ("0.0.0.0/0", "every address"),
            ("203.0.113.1/24", "the range is 203.0.113.0/24"),
            ("203.0.113.0/33", "not a range"),
            ("203.0.113.0/+4", "not a range"),
            ("host", "not a range"),
        ] {
            let error = text.parse::<Cidr>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert_eq!("203.0.113.7".parse::<Cidr>().unwrap().to_string(), "203.0.113.7/32");
        for text in ["vpc-123", "VPC-01234567", "vpc-0123456z"] {
            assert!(text.parse::<VpcId>().is_err(), "{text}");
        }
    }
}
