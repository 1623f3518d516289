//! What an answer of AWS means for a place that AWS keeps.

use super::{Named, PlaceError};
use crate::aws::AwsError;

/// The fault of a place; `reason` is the error in words, without the key.
pub(super) fn refusal(place: &Named, error: &AwsError, reason: String) -> PlaceError {
    let place = place.to_string();
    match error {
        AwsError::AccessDenied { .. }
        | AwsError::MfaRefused { .. }
        | AwsError::InvalidClientTokenId { .. }
        | AwsError::SignatureDoesNotMatch { .. }
        | AwsError::ExpiredToken { .. } => PlaceError::Denied { place, reason },
        AwsError::Throttled { .. }
        | AwsError::ServerFault { .. }
        | AwsError::Unanswered { .. }
        | AwsError::Unreachable { .. } => PlaceError::Unavailable { place, reason },
        AwsError::LimitExceeded { .. }
        | AwsError::NoSuchEntity { .. }
        | AwsError::ClockSkew { .. }
        | AwsError::Rejected { .. }
        | AwsError::ForeignEndpoint { .. }
        | AwsError::Malformed { .. } => PlaceError::Refused { place, reason },
    }
}
