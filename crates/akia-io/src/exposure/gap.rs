//! What was not read, and why.

use std::fmt;

use akia_core::ids::Region;
use akia_core::leak::{Skipped, Why};

use crate::aws::AwsError;

/// A place of an account that was not read, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The region.
    pub region: Region,
    /// The action that brought nothing, for example `lambda:ListFunctions`: a policy that lacks it can be mended with it.
    pub action: String,
    /// The resource, where it is about one: an ARN or id. None: the rest of the listing.
    pub resource: Option<String>,
    /// In the words of a receipt.
    pub why: Why,
    /// What AWS said.
    pub detail: String,
}

impl Gap {
    pub(super) fn of(region: &Region, resource: Option<&str>, error: &AwsError) -> Self {
        let (asked, lacking) = match error {
            AwsError::AccessDenied { call, action, .. } => (&call.operation, action.as_ref()),
            AwsError::MfaRefused { call, .. }
            | AwsError::LimitExceeded { call, .. }
            | AwsError::NoSuchEntity { call, .. }
            | AwsError::Throttled { call, .. }
            | AwsError::InvalidClientTokenId { call, .. }
            | AwsError::SignatureDoesNotMatch { call }
            | AwsError::ExpiredToken { call }
            | AwsError::ClockSkew { call, .. }
            | AwsError::Rejected { call, .. }
            | AwsError::ServerFault { call, .. }
            | AwsError::Unreachable { call, .. }
            | AwsError::Unanswered { call, .. }
            | AwsError::ForeignEndpoint { call, .. }
            | AwsError::Malformed { call, .. } => (&call.operation, None),
        };
        Self {
            region: region.clone(),
            action: lacking.unwrap_or(asked).clone(),
            resource: resource.map(str::to_owned),
            why: why(error),
            detail: error.to_string(),
        }
    }

    /// Its line in the receipt of a scan.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        Skipped { what: self.to_string(), why: self.why, detail: self.detail.clone() }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.region, self.action)?;
        match &self.resource {
            Some(resource) => write!(formatter, " {resource}"),
            None => Ok(()),
        }
    }
}

/// What an error of AWS is in a receipt.
pub(super) fn why(error: &AwsError) -> Why {
    match error {
        AwsError::AccessDenied { .. }
        | AwsError::MfaRefused { .. }
        | AwsError::InvalidClientTokenId { .. }
        | AwsError::SignatureDoesNotMatch { .. }
        | AwsError::ExpiredToken { .. }
        | AwsError::ForeignEndpoint { .. }
        | AwsError::ClockSkew { .. } => Why::Denied,
        AwsError::Unanswered { .. } => Why::TimedOut,
        AwsError::Malformed { .. } => Why::Corrupt,
        AwsError::NoSuchEntity { .. } => Why::Missing,
        AwsError::Rejected { code, .. } if code.contains("NotFound") => Why::Missing,
        AwsError::LimitExceeded { .. }
        | AwsError::Throttled { .. }
        | AwsError::Rejected { .. }
        | AwsError::ServerFault { .. }
        | AwsError::Unreachable { .. } => Why::Unreadable,
    }
}
