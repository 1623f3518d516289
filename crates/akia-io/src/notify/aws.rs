//! What channels to AWS's own services share: who calls, where, and what an error means for a delivery.

use std::sync::Arc;

use akia_core::ids::Region;
use akia_core::settings::AwsPlace;

use super::DeliveryError;
use crate::aws::{AwsError, Caller, Service};

/// Who calls a service, and in which region.
pub(super) struct Desk {
    pub(super) caller: Arc<Caller>,
    pub(super) region: Region,
    service: Service,
}

impl Desk {
    pub(super) fn new(caller: Arc<Caller>, place: &AwsPlace, service: Service) -> Self {
        let region = place.region.clone().unwrap_or_else(|| caller.region());
        Self { caller, region, service }
    }

    /// Whether messages may be handed over there.
    pub(super) fn check(&self) -> Result<(), DeliveryError> {
        self.caller.check_messages(self.service).map_err(|foreign| {
            DeliveryError::refused(format!(
                "messages are not handed to {}, which {} names: it is neither AWS nor this machine; add --allow-endpoint \
                 {0}, if you trust whoever runs it",
                foreign.host, foreign.set_by
            ))
        })
    }
}

/// What is true of a message after an error of AWS.
pub(super) fn fault(error: &AwsError) -> DeliveryError {
    let reason = error.to_string();
    if !error.outcome_is_known() {
        return DeliveryError::unknown(reason);
    }
    match error {
        // Another key, session or clock may do, and a new key is not known everywhere at once.
        AwsError::Throttled { .. }
        | AwsError::Unreachable { .. }
        | AwsError::InvalidClientTokenId { .. }
        | AwsError::SignatureDoesNotMatch { .. }
        | AwsError::ExpiredToken { .. }
        | AwsError::ClockSkew { .. }
        | AwsError::MfaRefused { .. }
        | AwsError::LimitExceeded { .. } => DeliveryError::not_delivered(reason),
        AwsError::AccessDenied { .. }
        | AwsError::NoSuchEntity { .. }
        | AwsError::Rejected { .. }
        | AwsError::ForeignEndpoint { .. }
        | AwsError::ServerFault { .. }
        | AwsError::Unanswered { .. }
        | AwsError::Malformed { .. } => DeliveryError::refused(reason),
    }
}
