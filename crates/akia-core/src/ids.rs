//! Identifiers, each parsed once at the border and never a bare string after.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the identifier that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    /// What was given, cut to 40 characters, and without what may be a secret in the wrong place.
    pub text: String,
    /// What was expected, with its article and form.
    pub expected: &'static str,
}

impl IdError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        if looks_secret(text) {
            return Self { text: "(40 characters that look like a secret)".to_owned(), expected };
        }
        let mut shown: String = text.chars().take(40).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { text: shown, expected }
    }
}

/// Whether a text has the form of a secret access key: 40 characters of base64, with large and small letters. People
/// paste one where an identifier belongs; it must not be taken for one, nor be repeated in an error.
fn looks_secret(text: &str) -> bool {
    text.len() == 40
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+')
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Gives a string newtype its common traits; parsing is written out for each.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as AWS spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

identifier! {
    /// An access key id: 16 to 128 word characters (IAM API, `AccessKeyId`). AWS issues 20, `AKIA…` for long-term keys.
    AccessKeyId
}

impl FromStr for AccessKeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let expected = "an access key id (16 to 128 letters and digits, AKIA… for a long-term key)";
        let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if (16..=128).contains(&text.len()) && is_word && !looks_secret(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, expected))
        }
    }
}

impl AccessKeyId {
    /// Whether it names temporary credentials (`ASIA…`), which cannot be rotated.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with("ASIA")
    }

    /// The account that the id encodes. `None` for ids of the first years (`AKIAI…`, `AKIAJ…`) and foreign forms.
    ///
    /// Source: the 12 characters behind the prefix are base32; the account stands in bits 1 to 40 of
    /// their first 48, and ids that carry one have the top bit set.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        if self.0.len() != 20 || !(self.0.starts_with("AKIA") || self.0.starts_with("ASIA")) {
            return None;
        }
        let mut bits: u64 = 0;
        for byte in self.0.bytes().skip(4).take(10) {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'2'..=b'7' => byte - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        // Ten characters are 50 bits; the scheme reads the first 48.
        let head = bits >> 2;
        if head >> 47 == 0 {
            return None;
        }
        format!("{:012}", head >> 7 & 0xff_ffff_ffff).parse().ok()
    }
}

identifier! {
    /// A 12-digit account id.
    AccountId
}

impl FromStr for AccountId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "an account id (12 digits)"))
        }
    }
}

identifier! {
    /// An IAM user name: 1 to 64 of letters, digits and `+=,.@_-`. Names are unique in an account regardless of case.
    UserName
}

impl FromStr for UserName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "an IAM user name (1 to 64 letters, digits and +=,.@_-)"))
        }
    }
}

identifier! {
    /// The immutable unique id of a user (`AIDA…`): it survives renames, and a re-created user has another.
    UserId
}

impl FromStr for UserId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "a unique user id (AIDA…)"))
        }
    }
}

identifier! {
    /// The name of a profile in the AWS files. Spaces, quotes and Unicode are allowed; line breaks are not.
    ProfileName
}

impl FromStr for ProfileName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = !text.is_empty()
            && text.len() <= 256
            && text.trim() == text
            && !text.chars().any(char::is_control)
            && !text.contains(']');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "a profile name (not empty, no line break, no ']', no space at either end)"))
        }
    }
}

impl ProfileName {
    /// The name that AWS tools use when none is given.
    #[must_use]
    pub fn default_name() -> Self {
        Self("default".to_owned())
    }
}

identifier! {
    /// A region code, for example `eu-west-1`.
    Region
}

impl FromStr for Region {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "a region (letters, digits and hyphens, for example eu-west-1)"))
        }
    }
}

identifier! {
    /// The id of an EBS snapshot: `snap-` and hexadecimal digits (EBS API, `SnapshotId`).
    SnapshotId
}

impl FromStr for SnapshotId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if is_resource_id(text, "snap-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "the id of a snapshot (snap- and hexadecimal digits)"))
        }
    }
}

identifier! {
    /// The id of a machine image: `ami-` and hexadecimal digits.
    ImageId
}

impl FromStr for ImageId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if is_resource_id(text, "ami-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::new(text, "the id of an image (ami- and hexadecimal digits)"))
        }
    }
}

/// Ids of EC2 have 8 or 17 digits; the EBS API takes up to 64 characters.
fn is_resource_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    (1..=59).contains(&digits.len()) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of what the journal keeps together: a letter, a hyphen and 16 hexadecimal digits.
macro_rules! thread_name {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        identifier! { $(#[$doc])* $name }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let is_number = |hex: &str| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit());
                if text.strip_prefix($prefix).is_some_and(is_number) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError::new(text, $expected))
                }
            }
        }

        impl $name {
            /// Builds the id from 64 random bits, which the caller draws.
            #[must_use]
            pub fn from_bits(bits: u64) -> Self {
                Self(format!(concat!($prefix, "{:016x}"), bits))
            }
        }
    };
}

thread_name! {
    /// The name of one rotation: `r-` and 16 hexadecimal digits.
    RotationId, "r-", "a rotation id (r- and 16 hexadecimal digits)"
}

thread_name! {
    /// The name of the case of one key: `c-` and 16 hexadecimal digits.
    CaseId, "c-", "a case id (c- and 16 hexadecimal digits)"
}

thread_name! {
    /// The name of one quarantine: `q-` and 16 hexadecimal digits.
    QuarantineId, "q-", "a quarantine id (q- and 16 hexadecimal digits)"
}

thread_name! {
    /// The name of one containment: `k-` and 16 hexadecimal digits.
    ContainmentId, "k-", "a containment id (k- and 16 hexadecimal digits)"
}

/// What records of the journal belong together: those of a rotation, a case, a quarantine or a containment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreadId {
    /// A rotation.
    Rotation(RotationId),
    /// The case of a key.
    Case(CaseId),
    /// The quarantine of a user.
    Quarantine(QuarantineId),
    /// The containment of a leaked key.
    Containment(ContainmentId),
}

impl ThreadId {
    /// Its text: always 18 characters, on which the journal's chain of hashes relies.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Rotation(id) => id.as_str(),
            Self::Case(id) => id.as_str(),
            Self::Quarantine(id) => id.as_str(),
            Self::Containment(id) => id.as_str(),
        }
    }

    /// The case, where it is one.
    #[must_use]
    pub fn case(&self) -> Option<&CaseId> {
        match self {
            Self::Case(id) => Some(id),
            Self::Rotation(_) | Self::Quarantine(_) | Self::Containment(_) => None,
        }
    }

    /// The rotation, where it is one.
    #[must_use]
    pub fn rotation(&self) -> Option<&RotationId> {
        match self {
            Self::Rotation(id) => Some(id),
            Self::Case(_) | Self::Quarantine(_) | Self::Containment(_) => None,
        }
    }

    /// The quarantine, where it is one.
    #[must_use]
    pub fn quarantine(&self) -> Option<&QuarantineId> {
        match self {
            Self::Quarantine(id) => Some(id),
            Self::Rotation(_) | Self::Case(_) | Self::Containment(_) => None,
        }
    }

    /// The containment, where it is one.
    #[must_use]
    pub fn containment(&self) -> Option<&ContainmentId> {
        match self {
            Self::Containment(id) => Some(id),
            Self::Rotation(_) | Self::Case(_) | Self::Quarantine(_) => None,
        }
    }
}

impl FromStr for ThreadId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let contained = |_: IdError| text.parse().map(Self::Containment);
        let other = |_| text.parse().map(Self::Case).or_else(|_: IdError| text.parse().map(Self::Quarantine));
        text.parse().map(Self::Rotation).or_else(other).or_else(contained)
    }
}

impl From<RotationId> for ThreadId {
    fn from(id: RotationId) -> Self {
        Self::Rotation(id)
    }
}

impl From<CaseId> for ThreadId {
    fn from(id: CaseId) -> Self {
        Self::Case(id)
    }
}

impl From<QuarantineId> for ThreadId {
    fn from(id: QuarantineId) -> Self {
        Self::Quarantine(id)
    }
}

impl From<ContainmentId> for ThreadId {
    fn from(id: ContainmentId) -> Self {
        Self::Containment(id)
    }
}

/// An AWS partition: IAM is global within one, and each has its own endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Partition {
    /// The commercial regions.
    #[serde(rename = "aws")]
    Aws,
    /// The China regions.
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// AWS GovCloud (US).
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
}

impl Partition {
    /// Every partition, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Aws, Self::AwsCn, Self::AwsUsGov];

    /// The name as it stands in an ARN.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// The partition that a region belongs to.
    #[must_use]
    pub fn of_region(region: &Region) -> Self {
        if region.as_str().starts_with("cn-") {
            Self::AwsCn
        } else if region.as_str().starts_with("us-gov-") {
            Self::AwsUsGov
        } else {
            Self::Aws
        }
    }

    /// The region that IAM requests of this partition are signed for.
    #[must_use]
    pub fn iam_region(self) -> Region {
        Region(
            match self {
                Self::Aws => "us-east-1",
                Self::AwsCn => "cn-north-1",
                Self::AwsUsGov => "us-gov-west-1",
            }
            .to_owned(),
        )
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == text)
            .ok_or_else(|| IdError::new(text, "a partition (aws, aws-cn or aws-us-gov)"))
    }
}

/// The ARN of an IAM user: `arn:PARTITION:iam::ACCOUNT:user/PATH/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserArn {
    /// Partition of the account.
    pub partition: Partition,
    /// Account of the user.
    pub account: AccountId,
    /// IAM path, with a slash at both ends; `/` when there is none.
    pub path: String,
    /// Name of the user.
    pub name: UserName,
}

impl FromStr for UserArn {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let mut parts = text.splitn(6, ':');
            let (arn, partition, service, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let (account, resource) = (parts.next()?, parts.next()?);
            let path_and_name = resource.strip_prefix("user")?;
            let (path, name) = path_and_name.rsplit_once('/')?;
            (arn == "arn" && service == "iam" && region.is_empty()).then_some(())?;
            Some(Self {
                partition: partition.parse().ok()?,
                account: account.parse().ok()?,
                path: format!("{path}/"),
                name: name.parse().ok()?,
            })
        };
        parse().ok_or_else(|| IdError::new(text, "the ARN of an IAM user (arn:aws:iam::ACCOUNT:user/NAME)"))
    }
}

impl fmt::Display for UserArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, account, path, name } = self;
        write!(formatter, "arn:{partition}:iam::{account}:user{path}{name}")
    }
}

impl TryFrom<String> for UserArn {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<UserArn> for String {
    fn from(arn: UserArn) -> String {
        arn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_snapshots_and_images_go_into_a_path_as_they_are() {
        assert!("snap-0987654321fedcba0".parse::<SnapshotId>().is_ok());
        assert!("ami-1a2b3c4d".parse::<ImageId>().is_ok());
        let long = format!("snap-{}", "0".repeat(60));
        for text in ["", "snap-", "snap-0/../1", "snap-0?x=1", "SNAP-0", "snap-ABC", "ami-0 ", long.as_str()] {
            assert!(text.parse::<SnapshotId>().is_err(), "{text}");
            assert!(text.parse::<ImageId>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_account_is_decoded_from_the_key_id() {
        // Two temporary ids published with the scheme, put together here so that no scanner takes them for a leak.
        let id: AccessKeyId = ["ASIA", "QNZGKIQY56JQ7WML"].concat().parse().unwrap();
        assert_eq!(id.account().unwrap().as_str(), "029608264753");
        let id: AccessKeyId = ["ASIA", "Y34FZKBOKMUTVV7A"].concat().parse().unwrap();
        assert_eq!(id.account().unwrap().as_str(), "609629065308");
        let documentation: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        assert_eq!(documentation.account(), None);
    }

    #[test]
    fn user_arns_round_trip_with_and_without_a_path() {
        for text in
            ["arn:aws:iam::123456789012:user/alice", "arn:aws-cn:iam::123456789012:user/team/ops/bob@example.com"]
        {
            let arn: UserArn = text.parse().unwrap();
            assert_eq!(arn.to_string(), text);
        }
        let arn: UserArn = "arn:aws:iam::123456789012:user/team/bob".parse().unwrap();
        assert_eq!(arn.path, "/team/");
        for text in [
            "arn:aws:iam::123456789012:root",
            "arn:aws:sts::123456789012:assumed-role/a/b",
            "arn:aws:iam::12:user/a",
            "user/a",
        ] {
            assert!(text.parse::<UserArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_identifiers_are_refused_by_name() {
        assert_eq!(
            "AKIA".parse::<AccessKeyId>().unwrap_err().to_string(),
            "\"AKIA\" is not an access key id (16 to 128 letters and digits, AKIA… for a long-term key)"
        );
        // One secret in four has neither a slash nor a plus sign.
        for secret in [["wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYEXAMPLEKEY"].concat(), "aB3d".repeat(10)] {
            let error = secret.parse::<AccessKeyId>().unwrap_err().to_string();
            assert!(
                error.starts_with("\"(40 characters that look like a secret)\" is not an access key id"),
                "{error}"
            );
        }
        assert!("1234".parse::<AccountId>().is_err());
        assert!("".parse::<UserName>().is_err());
        assert!("a b".parse::<UserName>().is_err());
        assert!("a]b".parse::<ProfileName>().is_err());
        assert!("my profile \"ü\"".parse::<ProfileName>().is_ok());
        assert!("eu west".parse::<Region>().is_err());
    }

    #[test]
    fn partitions_follow_the_region() {
        let partition = |region: &str| Partition::of_region(&region.parse().unwrap());
        assert_eq!(partition("eu-central-1"), Partition::Aws);
        assert_eq!(partition("cn-northwest-1"), Partition::AwsCn);
        assert_eq!(partition("us-gov-east-1"), Partition::AwsUsGov);
    }
}
