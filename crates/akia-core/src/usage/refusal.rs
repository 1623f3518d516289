//! Whether a call was refused: it shows what somebody tried, and not what is needed.

/// Errors that say of no right, but of who signed: nothing was asked for either.
const UNSIGNED: [&str; 8] = [
    "AuthFailure",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// What the codes have in common that services use for a missing right: `AccessDenied`, `AccessDeniedException`,
/// `Client.UnauthorizedOperation`, `AuthorizationError` (SNS), `NotAuthorizedException`, `ForbiddenException`, …
const REFUSED: [&str; 5] = ["AccessDenied", "AuthorizationError", "Forbidden", "NotAuthorized", "Unauthorized"];

/// Whether an error code says that the call was not permitted. Any other error comes after that question.
#[must_use]
pub fn is_refused(error: &str) -> bool {
    let code = error.strip_prefix("Client.").unwrap_or(error);
    UNSIGNED.contains(&code) || REFUSED.iter().any(|part| code.contains(part))
}

#[cfg(test)]
mod tests {
    use super::is_refused;

    #[test]
    fn refusals_are_told_from_other_errors() {
        for error in [
            "AccessDenied",
            "AccessDeniedException",
            "Client.UnauthorizedOperation",
            "UnauthorizedOperation",
            "UnauthorizedException",
            "AuthorizationError",
            "NotAuthorizedException",
            "ForbiddenException",
            "OrganizationAccessDeniedException",
            "InvalidClientTokenId",
            "Client.AuthFailure",
        ] {
            assert!(is_refused(error), "{error}");
        }
        for error in [
            "",
            "NoSuchEntityException",
            "NoSuchBucket",
            "Client.DryRunOperation",
            "ThrottlingException",
            "ValidationException",
        ] {
            assert!(!is_refused(error), "{error}");
        }
    }
}
