//! What places behind an HTTP API share: who may be called, what is asked again, and what an answer means.
//!
//! Every request that a place makes can be repeated: it reads, or it writes the same again. So what may have been lost is sent
//! again, a few times and not for long; the rest is left to `akia resume`.

use std::collections::BTreeMap;
use std::time::Duration;

use akia_core::text::visible;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use url::Url;
use zeroize::Zeroizing;

use super::written::redact;
use super::{KeyPair, Named, Outside, PlaceError};
use crate::aws::{Roots, WebAnswer, WebFault, WebRequest, clean, is_this_machine};
use crate::secrets::Secret;

/// How often a request is sent.
const ATTEMPTS: u32 = 4;
/// Wait before the second time; it doubles.
const PAUSE: Duration = Duration::from_millis(400);
/// Longest wait that a service may ask for and get; what asks for more is left to `akia resume`.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const A_MINUTE: Duration = Duration::from_secs(60);
/// Longest part of an answer that an error repeats, in characters.
const LONGEST_WORDS: usize = 200;

/// A request that may be sent more than once.
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    pub(super) url: &'a Url,
    pub(super) headers: Vec<(&'static str, String)>,
    /// JSON, or nothing.
    pub(super) body: Zeroizing<String>,
    /// Cut out of whatever the service says,
    pub(super) secrets: &'a [&'a Secret],
    /// and so is the key that the body holds.
    pub(super) pair: Option<&'a KeyPair>,
}

/// An answer that is neither a refusal of who asks nor a request to come again.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
    headers: BTreeMap<String, String>,
    /// Host, status and the service's words, without secrets.
    said: String,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header, by its name in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The answer as a refusal.
    pub(super) fn refused(&self, place: &Named) -> PlaceError {
        PlaceError::Refused { place: place.to_string(), reason: self.said.clone() }
    }

    /// A 404, of services that also hide with it what a token may not see.
    pub(super) fn missing(&self, place: &Named, what: &str) -> PlaceError {
        let reason = format!("{what} is not there, or the token may not see it ({})", self.said);
        PlaceError::Refused { place: place.to_string(), reason }
    }

    /// The JSON of a success. The parser's words may repeat a secret: they are not passed on.
    pub(super) fn json<T: DeserializeOwned>(&self, place: &Named) -> Result<T, PlaceError> {
        if !self.is_success() {
            return Err(self.refused(place));
        }
        serde_json::from_slice(&self.body).map_err(|_| PlaceError::Unreadable {
            place: place.to_string(),
            reason: "the answer is not what the API is documented to say".to_owned(),
        })
    }
}

/// The URL of a path at a server. Path segments are encoded; https everywhere but on this machine.
pub(super) fn url_at(place: &Named, server: &str, segments: &[&str]) -> Result<Url, PlaceError> {
    let wrong = |reason: String| PlaceError::Refused { place: place.to_string(), reason };
    let mut url = Url::parse(server).map_err(|_| wrong(format!("{server} is not the address of a server")))?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(&url));
    if !is_safe {
        return Err(wrong(format!("{server} must begin with https:// (http:// is taken for this machine only)")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("no user name or password may stand in its address".to_owned()));
    }
    let end = url.path_segments_mut().map(|mut path| {
        path.pop_if_empty().extend(segments);
    });
    end.map_err(|()| wrong(format!("{server} is not the address of a server")))?;
    Ok(url)
}

/// The header that opens a service: `Authorization: Bearer …` and its like.
pub(super) fn opening(header: &'static str, before: &str, token: &Secret) -> (&'static str, String) {
    (header, format!("{before}{}", token.reveal()))
}

/// How long an answer asks to wait, beyond its Retry-After: GitHub says in `x-ratelimit-reset` at which second requests count anew
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
fn asked_wait(answer: &WebAnswer, now: Timestamp) -> Option<Duration> {
    let reset = || {
        answer.header("x-ratelimit-remaining").filter(|remaining| *remaining == "0")?;
        let reset: i64 = answer.header("x-ratelimit-reset")?.parse().ok()?;
        u64::try_from(reset.checked_sub(now.as_second())?).ok().map(Duration::from_secs)
    };
    answer.retry_after.or_else(reset)
}

/// Whether a 403 is no denial: GitHub answers it, too, to those who ask too much, with a header or in words.
fn asks_too_much(answer: &WebAnswer) -> bool {
    answer.retry_after.is_some()
        || answer.header("x-ratelimit-remaining") == Some("0")
        || String::from_utf8_lossy(&answer.body).contains("secondary rate limit")
}

/// Sends a request until it is answered.
pub(super) async fn call(outside: &Outside, place: &Named, call: Call<'_>) -> Result<Answer, PlaceError> {
    call_trusting(outside, place, call, None).await
}

/// The same to a server that shows a certificate of an authority of its own.
pub(super) async fn call_trusting(
    outside: &Outside,
    place: &Named,
    call: Call<'_>,
    roots: Option<&Roots>,
) -> Result<Answer, PlaceError> {
    let Call { method, url, headers, body, secrets, pair } = call;
    let redacted = |text: &str| {
        let text = secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text));
        pair.map_or(text.clone(), |pair| redact(pair, &text))
    };
    let host = crate::aws::authority(url);
    let mut pause = PAUSE;
    let mut last = String::new();
    for attempt in 1..=ATTEMPTS {
        let mut headers = headers.clone();
        if headers.iter().all(|(name, _)| *name != "accept") {
            headers.push(("accept", "application/json".to_owned()));
        }
        if !body.is_empty() && headers.iter().all(|(name, _)| *name != "content-type") {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let request = WebRequest { method, url, headers, body: body.as_str().to_owned() };
        let mut wait = pause;
        match outside.aws.web_trusting(request, roots).await {
            Err(WebFault::NeverSent { reason } | WebFault::NoAnswer { reason }) => last = redacted(&reason),
            Ok(answer) => {
                let is_success = (200..300).contains(&answer.status);
                // Cut after the secrets are out: half a secret is not recognised.
                let words = if is_success { String::new() } else { redacted(&String::from_utf8_lossy(&answer.body)) };
                let words = clean(&words.chars().take(LONGEST_WORDS).collect::<String>(), None);
                let words = if words.is_empty() { words } else { format!(": {}", visible(&words)) };
                let said = format!("{host} answered {}{words}", answer.status);
                let is_too_much = answer.status == 403 && asks_too_much(&answer);
                match answer.status {
                    // Too Many Requests and Service Unavailable say when to come again (RFC 6585, RFC 9110).
                    _ if is_too_much || matches!(answer.status, 408 | 425 | 429 | 500..=599) => {
                        last = said;
                        // A limit that names no time is documented to last a minute.
                        let unsaid = if is_too_much { A_MINUTE } else { pause };
                        wait = asked_wait(&answer, outside.clock.now()).unwrap_or(unsaid);
                    }
                    401 | 403 => return Err(PlaceError::Denied { place: place.to_string(), reason: said }),
                    300..=399 => {
                        let reason = format!("{said}; a redirect is not followed");
                        return Err(PlaceError::Refused { place: place.to_string(), reason });
                    }
                    _ => {
                        let WebAnswer { status, headers, body, .. } = answer;
                        return Ok(Answer { status, headers, body: Zeroizing::new(body), said });
                    }
                }
            }
        }
        if attempt == ATTEMPTS || wait > LONGEST_WAIT {
            break;
        }
        outside.clock.sleep(wait).await;
        pause *= 2;
    }
    Err(PlaceError::Unavailable { place: place.to_string(), reason: last })
}
