//! Whether leaked keys work, where somebody wants to know.
//!
//! Only with `--verify`: the call is made with the leaked secret and stands in the CloudTrail of whoever owns the key. Never for a canary
//! token, which rings a bell, nor for a key of documentation.

use akia_core::leak::{Class, Kind, Pairs, ScanReport, Verified};
use akia_io::aws::{Aws, AwsError, Credentials, Target};

use crate::context::Context;
use crate::error::CommandError;

/// Tries each real key whose secret was found.
///
/// # Errors
/// When a variable says that AWS is somewhere where no leaked key may go.
pub(crate) async fn verify(context: &Context, report: &mut ScanReport, pairs: &Pairs) -> Result<(), CommandError> {
    let aws = Aws::new(context.aws_options()?);
    for leak in report.leaks.iter_mut().filter(|leak| leak.class == Class::Real) {
        let pair = pairs.get(&leak.fingerprint).filter(|_| leak.kind == Kind::LongTerm);
        let Some((id, secret)) = pair else {
            if leak.access_key_id.is_some() {
                let reason =
                    if leak.secret.is_none() { "its secret was not found" } else { "only long-term keys are tried" };
                leak.verified = Some(Verified::Unknown { reason: reason.to_owned() });
            }
            continue;
        };
        let caller = aws.caller(Credentials::for_key(id.clone(), secret.duplicate()), Target::default());
        leak.verified = Some(match caller.caller_identity().await {
            Ok(identity) => Verified::Works { arn: identity.arn },
            Err(error @ (AwsError::InvalidClientTokenId { .. } | AwsError::SignatureDoesNotMatch { .. })) => {
                Verified::Refused { reason: error.to_string() }
            }
            Err(error) => Verified::Unknown { reason: error.to_string() },
        });
    }
    Ok(())
}
