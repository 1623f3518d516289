//! Refusals, with the codes, words and HTTP status of AWS.

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(crate) fn no_such(kind: &str, name: &str) -> Self {
        Self::new(404, "NoSuchEntity", format!("The {kind} with name {name} cannot be found."))
    }

    pub(crate) fn no_such_key(id: &str) -> Self {
        Self::new(404, "NoSuchEntity", format!("The Access Key with id {id} cannot be found."))
    }

    pub(crate) fn already(kind: &str, name: &str) -> Self {
        Self::new(409, "EntityAlreadyExists", format!("{kind} with name {name} already exists."))
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let mut characters = parameter.chars();
        let shown: String =
            characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect();
        Self::validation(format!(
            "1 validation error detected: Value null at '{shown}' failed to satisfy constraint: Member must not be null"
        ))
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    pub(crate) fn invalid_client_token_id() -> Self {
        Self::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    }

    pub(crate) fn signature(message: impl Into<String>) -> Self {
        Self::new(403, "SignatureDoesNotMatch", message)
    }

    /// The code in services that speak JSON, which have their own names and answer 400.
    pub(crate) fn json_code(&self) -> (&str, u16) {
        let code = match self.code.as_str() {
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "AccessDenied" => "AccessDeniedException",
            "ExpiredToken" => "ExpiredTokenException",
            "Throttling" => "ThrottlingException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "IncompleteSignature" => "IncompleteSignatureException",
            "InvalidAction" => "UnknownOperationException",
            "ValidationError" => "ValidationException",
            other => other,
        };
        (code, if self.status >= 500 { self.status } else { 400 })
    }
}
