//! What is known about the reader, and the documentation's examples where it is not.

use jiff::Timestamp;
use jiff::civil::Date;

use super::aws_cli::Connection;
use crate::ids::{AccessKeyId, AccountId, Partition, ProfileName, Region, UserName};

/// The reader's own names. What is `None` is left out of a command where the AWS CLI can do without, else shown as an example:
/// `USER-NAME`, account 123456789012, and the two key ids of AWS's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The profile of every command.
    pub profile: Option<ProfileName>,
    /// The region of every command.
    pub region: Option<Region>,
    /// The endpoint of every command, for the sandbox and for emulators.
    pub endpoint_url: Option<String>,
    /// Whose keys; without it the AWS CLI takes the caller's own.
    pub user: Option<UserName>,
    /// The profile is an administrator's, and `user` somebody else: then no step writes the new key into the profile.
    pub acts_on_others: bool,
    /// The key that the job is about.
    pub key: Option<AccessKeyId>,
    /// The account.
    pub account: Option<AccountId>,
    /// The ARN of the MFA device.
    pub mfa_serial: Option<String>,
    /// Keys made before this day are old.
    pub cutoff: Option<Date>,
    /// The time of asking: sessions begun before it are cut off after a leak.
    pub now: Option<Timestamp>,
    /// The greatest age of a key that the Config rule accepts.
    pub max_age_days: u32,
}

impl Default for Fill {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            endpoint_url: None,
            user: None,
            acts_on_others: false,
            key: None,
            account: None,
            mfa_serial: None,
            cutoff: None,
            now: None,
            max_age_days: 90,
        }
    }
}

impl Fill {
    pub(super) fn connection(&self) -> Connection {
        Connection {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }

    pub(super) fn partition(&self) -> Partition {
        self.region.as_ref().map_or(Partition::Aws, Partition::of_region)
    }

    /// The region where regional resources (Config, SNS, CloudTrail) are made or read.
    pub(super) fn home_region(&self) -> Region {
        self.region.clone().unwrap_or_else(|| self.partition().iam_region())
    }

    pub(super) fn user_name(&self) -> &str {
        self.user.as_ref().map_or("USER-NAME", UserName::as_str)
    }

    pub(super) fn account_id(&self) -> &str {
        self.account.as_ref().map_or("123456789012", AccountId::as_str)
    }

    #[expect(clippy::expect_used, reason = "the id of AWS's documentation is an access key id")]
    pub(super) fn key_id(&self) -> AccessKeyId {
        self.key.clone().unwrap_or_else(|| "AKIAIOSFODNN7EXAMPLE".parse().expect("it is an access key id"))
    }

    pub(super) fn mfa_serial(&self) -> String {
        self.mfa_serial
            .clone()
            .unwrap_or_else(|| format!("arn:{}:iam::{}:mfa/{}", self.partition(), self.account_id(), self.user_name()))
    }

    pub(super) fn cutoff_day(&self) -> String {
        self.cutoff.map_or_else(|| "YYYY-MM-DD".to_owned(), |day| day.to_string())
    }
}
