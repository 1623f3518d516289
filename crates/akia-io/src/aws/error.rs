//! What can go wrong with a call to AWS, sorted by what is true afterwards.
//!
//! Invariant: an [`AwsError`] holds AWS's code and its message (cut, without control characters, without the
//! caller's own secrets), never the body of an answer and never the SDK's own `Debug` text, which prints bodies.
//! [`AwsError::outcome_is_known`] is true only where AWS certainly did not do what was asked.

use std::error::Error;
use std::fmt;

use akia_core::ids::AccessKeyId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::credentials::Credentials;
use super::endpoint::ForeignEndpoint;
use super::http::WireFault;

/// Longest message of AWS that is kept, in characters.
const MESSAGE_LIMIT: usize = 500;

/// The code of an answer without one. AWS always gives one: this comes from a proxy or a portal.
const NO_CODE: &str = "none";

const SOMETHING_ELSE_ANSWERS: &str =
    "look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there (a portal to sign in to?)";

/// Which call an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The action in IAM's words, for example `iam:CreateAccessKey`.
    pub operation: String,
    /// Host (and port, where one was given) of the endpoint.
    pub endpoint: String,
    /// The key that signed the request; `None` for an unsigned one.
    pub key: Option<AccessKeyId>,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.operation, self.endpoint)?;
        match &self.key {
            Some(key) => write!(formatter, " with key {key}"),
            None => Ok(()),
        }
    }
}

/// Why a call to AWS brought no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// The caller lacks the right.
    #[error("{call}: access denied{}", denied(.action.as_deref(), .reason.as_deref(), .message))]
    AccessDenied {
        /// The call.
        call: Box<Call>,
        /// The action that is not allowed, when AWS names it, for example `iam:CreateAccessKey`.
        action: Option<String>,
        /// What decided, when AWS says so, for example `with an explicit deny in a service control policy`.
        reason: Option<String>,
        /// AWS's message.
        message: String,
    },
    /// The MFA code or device was refused.
    #[error("{call}: the MFA code was refused: {message}")]
    MfaRefused {
        /// The call.
        call: Box<Call>,
        /// AWS's message.
        message: String,
    },
    /// A quota is used up; for `CreateAccessKey`: the user has two keys already.
    #[error("{call}: limit exceeded: {message}")]
    LimitExceeded {
        /// The call.
        call: Box<Call>,
        /// AWS's message.
        message: String,
    },
    /// The user or key does not exist.
    #[error("{call}: no such entity: {message}")]
    NoSuchEntity {
        /// The call.
        call: Box<Call>,
        /// AWS's message.
        message: String,
    },
    /// AWS asks to slow down; the SDK's retries, where allowed, were used up.
    #[error("{call}: throttled ({code})")]
    Throttled {
        /// The call.
        call: Box<Call>,
        /// HTTP status.
        status: u16,
        /// AWS's code.
        code: String,
    },
    /// AWS does not know the key: deleted, inactive, not yet everywhere, or another partition's.
    #[error("{call}: aws does not accept this access key id (deleted, inactive, or too new): {message}")]
    InvalidClientTokenId {
        /// The call.
        call: Box<Call>,
        /// AWS's message.
        message: String,
    },
    /// The secret does not belong to the key id. AWS's own message is dropped: it repeats the request.
    #[error("{call}: the signature does not match: the secret does not belong to this key id")]
    SignatureDoesNotMatch {
        /// The call.
        call: Box<Call>,
    },
    /// The temporary credentials have expired.
    #[error("{call}: the session has expired")]
    ExpiredToken {
        /// The call.
        call: Box<Call>,
    },
    /// AWS refused the request because this machine's clock is wrong.
    #[error("{call}: this machine's clock is off{}", skew_text(*.seconds))]
    ClockSkew {
        /// The call.
        call: Box<Call>,
        /// Seconds that the server is ahead of this machine (negative: behind), where a `Date` header told.
        seconds: Option<i64>,
    },
    /// Any other refusal.
    #[error("{call}: rejected {}: {message}", rejected(.code, *.status))]
    Rejected {
        /// The call.
        call: Box<Call>,
        /// HTTP status.
        status: u16,
        /// AWS's code, or `none`.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// AWS, or something in between, failed with a 5xx: it may have done what was asked, or may not.
    #[error("{call}: the server failed with http {status}{}", code_text(.code.as_deref()))]
    ServerFault {
        /// The call.
        call: Box<Call>,
        /// HTTP status.
        status: u16,
        /// AWS's code, where the answer had one.
        code: Option<String>,
    },
    /// The request was sent, and no complete answer came back.
    #[error("{call}: no complete answer: {reason}")]
    Unanswered {
        /// The call.
        call: Box<Call>,
        /// What happened to the connection.
        reason: String,
    },
    /// The request was never sent: it would change keys where nobody has allowed it.
    #[error("{call}: not sent: {foreign}")]
    ForeignEndpoint {
        /// The call.
        call: Box<Call>,
        /// Where it would have gone, and who says so.
        foreign: Box<ForeignEndpoint>,
    },
    /// The request was never sent: name, connection, TLS, proxy or configuration failed.
    #[error("{call}: not reachable: {reason}")]
    Unreachable {
        /// The call.
        call: Box<Call>,
        /// What failed.
        reason: String,
    },
    /// An answer came that is not one of AWS's: garbage, a redirect, too large, or a field is missing.
    #[error("{call}: the answer makes no sense: {reason}")]
    Malformed {
        /// The call.
        call: Box<Call>,
        /// What is wrong with it; never its content.
        reason: String,
    },
}

impl AwsError {
    /// What to do about it: sentences or commands, most useful first.
    #[must_use]
    pub fn hints(&self) -> Vec<&'static str> {
        match self {
            Self::AccessDenied { .. } => vec!["akia policy check (which rights you have)"],
            Self::InvalidClientTokenId { .. } => {
                vec!["akia status (which keys work)", "for a key of China or GovCloud, add --region"]
            }
            Self::SignatureDoesNotMatch { .. } => vec!["akia setup PROFILE --replace (the secret is mistyped)"],
            Self::ExpiredToken { .. } => vec!["sign in again, then run the same command"],
            Self::ClockSkew { .. } => vec!["set this machine's clock, then run the same command"],
            Self::Unreachable { .. } => vec!["check the network, HTTPS_PROXY and --endpoint-url"],
            Self::ForeignEndpoint { .. } => {
                vec!["add --allow-endpoint HOST, if you trust whoever runs it with your keys"]
            }
            Self::NoSuchEntity { .. } => vec!["check the name and the account"],
            Self::MfaRefused { .. } => vec!["give the present code with --mfa-code"],
            Self::Malformed { .. } => vec![SOMETHING_ELSE_ANSWERS],
            Self::Rejected { code, .. } if code == NO_CODE => vec![SOMETHING_ELSE_ANSWERS],
            Self::LimitExceeded { .. }
            | Self::Throttled { .. }
            | Self::Rejected { .. }
            | Self::ServerFault { .. }
            | Self::Unanswered { .. } => vec!["run the same command again"],
        }
    }

    /// The call that failed.
    #[must_use]
    pub fn call(&self) -> &Call {
        match self {
            Self::AccessDenied { call, .. }
            | Self::MfaRefused { call, .. }
            | Self::LimitExceeded { call, .. }
            | Self::NoSuchEntity { call, .. }
            | Self::Throttled { call, .. }
            | Self::InvalidClientTokenId { call, .. }
            | Self::SignatureDoesNotMatch { call }
            | Self::ExpiredToken { call }
            | Self::ClockSkew { call, .. }
            | Self::Rejected { call, .. }
            | Self::ServerFault { call, .. }
            | Self::Unanswered { call, .. }
            | Self::Unreachable { call, .. }
            | Self::ForeignEndpoint { call, .. }
            | Self::Malformed { call, .. } => call,
        }
    }

    /// True only if AWS certainly did not do what was asked: the request was never sent, or was refused with a 4xx.
    #[must_use]
    pub fn outcome_is_known(&self) -> bool {
        match self {
            Self::AccessDenied { .. }
            | Self::MfaRefused { .. }
            | Self::LimitExceeded { .. }
            | Self::NoSuchEntity { .. }
            | Self::InvalidClientTokenId { .. }
            | Self::SignatureDoesNotMatch { .. }
            | Self::ExpiredToken { .. }
            | Self::ClockSkew { .. }
            | Self::Rejected { .. }
            | Self::Unreachable { .. }
            | Self::ForeignEndpoint { .. } => true,
            Self::Throttled { status, .. } => (400..500).contains(status),
            Self::ServerFault { .. } | Self::Unanswered { .. } | Self::Malformed { .. } => false,
        }
    }

    /// Whether the same call may well succeed a little later, nothing else changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::ServerFault { .. } | Self::Unanswered { .. } | Self::Unreachable { .. } => {
                true
            }
            Self::Rejected { code, .. } => {
                matches!(code.as_str(), "EntityTemporarilyUnmodifiable" | "ConcurrentModification")
            }
            Self::AccessDenied { .. }
            | Self::MfaRefused { .. }
            | Self::LimitExceeded { .. }
            | Self::NoSuchEntity { .. }
            | Self::InvalidClientTokenId { .. }
            | Self::SignatureDoesNotMatch { .. }
            | Self::ExpiredToken { .. }
            | Self::ClockSkew { .. }
            | Self::ForeignEndpoint { .. }
            | Self::Malformed { .. } => false,
        }
    }

    pub(crate) fn malformed(call: &Call, reason: impl Into<String>) -> Self {
        Self::Malformed { call: Box::new(call.clone()), reason: reason.into() }
    }
}

/// What the classification needs to know besides the SDK's error.
pub(crate) struct Context<'a> {
    pub(crate) call: Call,
    /// Their secrets are cut out of AWS's messages, should an endpoint echo them.
    pub(crate) credentials: Option<&'a Credentials>,
    /// Seconds that the endpoint's clock is ahead, where known.
    pub(crate) skew_seconds: Option<i64>,
}

/// Sorts an SDK error. Only its code, message, status and the wire's own fault are looked at.
pub(crate) fn classify<E>(error: &SdkError<E, HttpResponse>, context: &Context<'_>) -> AwsError
where
    E: ProvideErrorMetadata,
{
    let call = Box::new(context.call.clone());
    match error {
        SdkError::ConstructionFailure(_) => {
            AwsError::Unreachable { call, reason: "the request could not be built".to_owned() }
        }
        SdkError::TimeoutError(_) => {
            AwsError::Unanswered { call, reason: "no answer within the time allowed".to_owned() }
        }
        SdkError::DispatchFailure(failure) => {
            let fault = failure.as_connector_error().and_then(|e| e.source()).and_then(|e| e.downcast_ref());
            match fault {
                Some(WireFault::NeverSent { reason }) => AwsError::Unreachable { call, reason: reason.clone() },
                Some(WireFault::NoAnswer { reason }) => AwsError::Unanswered { call, reason: reason.clone() },
                Some(WireFault::CutOff) => {
                    AwsError::Malformed { call, reason: "it is cut off, or answers something else".to_owned() }
                }
                Some(WireFault::TooLarge { limit_bytes }) => {
                    AwsError::Malformed { call, reason: format!("it is larger than {limit_bytes} bytes") }
                }
                // Everything passes through our own wire, so this is a fault of the SDK before or after it.
                None => AwsError::Unanswered { call, reason: "the request failed inside the sdk".to_owned() },
            }
        }
        SdkError::ResponseError(response) => answer(call, response.raw().status().as_u16(), None, "", context),
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            answer(call, service.raw().status().as_u16(), meta.code(), meta.message().unwrap_or_default(), context)
        }
        _ => AwsError::Unanswered { call, reason: "the request failed inside the sdk".to_owned() },
    }
}

/// Sorts an answer that is not the one hoped for.
pub(crate) fn answer(
    call: Box<Call>,
    status: u16,
    code: Option<&str>,
    message: &str,
    context: &Context<'_>,
) -> AwsError {
    let message = clean(message, context.credentials);
    let code = code.map(|code| clean(code, context.credentials)).filter(|code| !code.is_empty());
    let throttled = matches!(
        code.as_deref(),
        Some(
            "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "RequestLimitExceeded"
                | "TooManyRequestsException"
                | "SlowDown"
        )
    );
    match (status, code) {
        (_, Some(code)) if throttled => AwsError::Throttled { call, status, code },
        (429, code) => AwsError::Throttled { call, status, code: code.unwrap_or_else(|| "http 429".to_owned()) },
        // A 408 without a code comes from a proxy or balancer that gave up waiting for what stands behind it.
        (500.., code) | (408, code @ None) => AwsError::ServerFault { call, status, code },
        (400..=499, None) => AwsError::Rejected {
            call,
            status,
            code: NO_CODE.to_owned(),
            message: "the answer names no reason".to_owned(),
        },
        (400..=499, Some(code)) => refusal(call, status, code, message, context.skew_seconds),
        (300..=399, _) => AwsError::Malformed { call, reason: format!("it is a redirect (http {status})") },
        (_, _) => AwsError::Malformed { call, reason: format!("http {status} with a body that cannot be read") },
    }
}

fn refusal(call: Box<Call>, status: u16, code: String, message: String, skew_seconds: Option<i64>) -> AwsError {
    match code.as_str() {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Client.UnauthorizedOperation" => {
            if message.starts_with("MultiFactorAuthentication failed") {
                return AwsError::MfaRefused { call, message };
            }
            let (action, reason) = parse_denial(&message);
            AwsError::AccessDenied { call, action, reason, message }
        }
        "LimitExceeded" | "LimitExceededException" => AwsError::LimitExceeded { call, message },
        "NoSuchEntity" | "NoSuchEntityException" => AwsError::NoSuchEntity { call, message },
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            AwsError::InvalidClientTokenId { call, message }
        }
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => {
            AwsError::ClockSkew { call, seconds: skew_seconds }
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            if message.starts_with("Signature expired") || message.starts_with("Signature not yet current") {
                AwsError::ClockSkew { call, seconds: skew_seconds }
            } else {
                AwsError::SignatureDoesNotMatch { call }
            }
        }
        "ExpiredToken" | "ExpiredTokenException" => AwsError::ExpiredToken { call },
        _ => AwsError::Rejected { call, status, code, message },
    }
}

/// Action and reason out of "… is not authorized to perform: ACTION on resource: … because …".
fn parse_denial(message: &str) -> (Option<String>, Option<String>) {
    let action = message
        .split_once("not authorized to perform: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .filter(|action| action.contains(':'))
        .map(|action| action.trim_end_matches(['.', ',', ';']).to_owned());
    let reason = [" because ", " with an explicit deny"]
        .iter()
        .filter_map(|marker| message.find(marker).map(|start| message[start..].trim().to_owned()))
        .next();
    (action, reason)
}

fn denied(action: Option<&str>, reason: Option<&str>, message: &str) -> String {
    match (action, reason) {
        (Some(action), Some(reason)) => format!(" to {action} {reason}"),
        (Some(action), None) => format!(" to {action}"),
        (None, _) if message.is_empty() => String::new(),
        (None, _) => format!(": {message}"),
    }
}

fn rejected(code: &str, status: u16) -> String {
    if code == NO_CODE { format!("without a code (http {status})") } else { format!("with {code} (http {status})") }
}

fn skew_text(seconds: Option<i64>) -> String {
    match seconds {
        Some(seconds) if seconds >= 0 => format!(": {seconds} s behind the server's"),
        Some(seconds) => format!(": {} s ahead of the server's", seconds.unsigned_abs()),
        None => String::new(),
    }
}

fn code_text(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// A foreign text made fit for an error: one line, cut, without control characters and without our own secrets.
pub(crate) fn clean(text: &str, credentials: Option<&Credentials>) -> String {
    let mut text = text.to_owned();
    if let Some(credentials) = credentials {
        text = credentials.secret().redact(&text, "<secret>");
        if let Some(token) = credentials.session_token() {
            text = text.replace(token, "<session token>");
        }
    }
    let mut cleaned = String::new();
    let mut space = false;
    let mut length = 0;
    for character in text.trim().chars() {
        let is_space = character.is_whitespace() || character.is_control() || is_invisible(character);
        if is_space {
            space = true;
            continue;
        }
        if length >= MESSAGE_LIMIT {
            cleaned.push('…');
            break;
        }
        if space && !cleaned.is_empty() {
            cleaned.push(' ');
            length += 1;
        }
        space = false;
        cleaned.push(character);
        length += 1;
    }
    cleaned
}

/// Characters that reorder or hide what a terminal shows.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            operation: "iam:CreateAccessKey".to_owned(),
            endpoint: "iam.amazonaws.com".to_owned(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().ok(),
        }
    }

    fn of(status: u16, code: Option<&str>, message: &str) -> AwsError {
        let context = Context { call: call(), credentials: None, skew_seconds: Some(-720) };
        answer(Box::new(call()), status, code, message, &context)
    }

    #[test]
    fn a_denial_names_action_and_reason() {
        let message = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:CreateAccessKey on \
                       resource: user ann because no identity-based policy allows the iam:CreateAccessKey action";
        let error = of(403, Some("AccessDenied"), message);
        assert_eq!(
            error.to_string(),
            "iam:CreateAccessKey at iam.amazonaws.com with key AKIAIOSFODNN7EXAMPLE: access denied to \
             iam:CreateAccessKey because no identity-based policy allows the iam:CreateAccessKey action"
        );
        assert!(error.outcome_is_known());
        let message = "User: x is not authorized to perform: iam:ListAccessKeys on resource: user ann with an explicit \
                       deny in a service control policy";
        let AwsError::AccessDenied { action, reason, .. } = of(403, Some("AccessDenied"), message) else {
            panic!("not a denial")
        };
        assert_eq!(action.as_deref(), Some("iam:ListAccessKeys"));
        assert_eq!(reason.as_deref(), Some("with an explicit deny in a service control policy"));
    }

    #[test]
    fn each_code_has_its_kind_and_says_whether_the_outcome_is_known() {
        let table = [
            (409, Some("LimitExceeded"), "limit exceeded", true),
            (404, Some("NoSuchEntity"), "no such entity", true),
            (400, Some("Throttling"), "throttled (Throttling)", true),
            (503, Some("SlowDown"), "throttled (SlowDown)", false),
            (429, None, "throttled (http 429)", true),
            (403, Some("InvalidClientTokenId"), "does not accept this access key id", true),
            (403, Some("SignatureDoesNotMatch"), "the signature does not match", true),
            (403, Some("ExpiredToken"), "the session has expired", true),
            (403, Some("RequestTimeTooSkewed"), "clock is off: 720 s ahead of the server's", true),
            (400, Some("ValidationError"), "rejected with ValidationError (http 400)", true),
            (407, None, "rejected without a code (http 407): the answer names no reason", true),
            (408, None, "the server failed with http 408", false),
            (500, Some("ServiceFailure"), "the server failed with http 500 (ServiceFailure)", false),
            (503, None, "the server failed with http 503", false),
            (302, None, "it is a redirect (http 302)", false),
            (200, None, "http 200 with a body that cannot be read", false),
        ];
        for (status, code, text, known) in table {
            let error = of(status, code, "");
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(error.outcome_is_known(), known, "{error}");
        }
    }

    #[test]
    fn an_expired_signature_is_a_clock_not_a_wrong_secret() {
        let message = "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z";
        assert!(matches!(of(403, Some("SignatureDoesNotMatch"), message), AwsError::ClockSkew { .. }));
    }

    #[test]
    fn a_wrong_one_time_code_is_told_apart_from_a_missing_right() {
        let message = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
        assert!(matches!(of(403, Some("AccessDenied"), message), AwsError::MfaRefused { .. }));
    }

    #[test]
    fn messages_are_one_short_clean_line() {
        let hostile = format!("a\u{1b}[31m\n\u{202e}b{}", "x".repeat(10_000));
        let cleaned = clean(&hostile, None);
        assert!(cleaned.starts_with("a [31m b"), "{cleaned}");
        assert!(cleaned.chars().count() <= MESSAGE_LIMIT + 1);
        assert!(!cleaned.chars().any(char::is_control));
    }

    #[test]
    fn an_endpoint_that_echoes_the_secret_does_not_get_it_into_an_error() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::for_key(
            "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            akia_core::secret::SecretAccessKey::parse(secret.to_owned()).unwrap_or_else(|e| panic!("{e}")),
        );
        let cleaned = clean(&format!("you sent {secret}!"), Some(&credentials));
        assert_eq!(cleaned, "you sent <secret>!");
    }
}
