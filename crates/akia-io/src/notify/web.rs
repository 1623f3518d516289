//! What all channels over HTTP share: addresses that are secrets, and what an answer means for a delivery.

use akia_core::text::visible;
use url::Url;

use super::DeliveryError;
use crate::aws::{Aws, WebAnswer, WebFault, WebRequest, clean, is_this_machine};
use crate::secrets::Secret;

/// Longest part of an answer that an error repeats, in characters.
const LONGEST_WORDS: usize = 200;

/// The address of a webhook. Whoever has it can post, so only its host is ever shown.
pub(super) struct Address {
    url: Url,
    secret: Secret,
}

impl Address {
    /// https anywhere, http to this machine only.
    pub(super) fn parse(secret: Secret) -> Result<Self, String> {
        let url = Url::parse(secret.reveal()).map_err(|_| "its address is not a URL".to_owned())?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(&url));
        if !is_safe {
            return Err("its address must begin with https:// (http:// is taken for this machine only)".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("no user name or password may stand in its address".to_owned());
        }
        Ok(Self { url, secret })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Host and port.
    pub(super) fn host(&self) -> String {
        host_of(&self.url)
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// Host and port of a URL.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The URL of a path at a site of the settings, which has been checked there.
pub(super) fn at_site(site: &str, path: &str) -> Result<Url, String> {
    let url = Url::parse(&format!("{site}{path}")).map_err(|_| format!("{site} is not the address of a service"))?;
    let is_safe = url.scheme() == "https" || is_this_machine(&url);
    if is_safe { Ok(url) } else { Err(format!("{site} must begin with https://")) }
}

/// One request with a JSON body, or none for GET.
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    pub(super) url: &'a Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    /// Cut out of whatever the service says.
    pub(super) secrets: &'a [&'a Secret],
    /// What the service says in an answer that is no success; only that is repeated.
    pub(super) words: fn(&[u8]) -> Option<String>,
}

/// Sends a request once and gives the answer where it is a success.
pub(super) async fn send(aws: &Aws, request: Request<'_>) -> Result<WebAnswer, DeliveryError> {
    let Request { method, url, mut headers, body, secrets, words } = request;
    if method != "GET" {
        headers.push(("content-type", "application/json".to_owned()));
    }
    headers.push(("accept", "application/json".to_owned()));
    // A login goes out in base64, in which no secret looks like itself.
    let is_login = |(name, _): &&(&'static str, String)| *name == "authorization";
    let login =
        headers.iter().find(is_login).map(|(_, value)| value.split_once(' ').map_or(&**value, |(_, login)| login));
    let login = zeroize::Zeroizing::new(login.unwrap_or_default().to_owned());
    let redacted = |text: &str| {
        let text = secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text));
        if login.is_empty() { text } else { text.replace(login.as_str(), "(secret)") }
    };
    let answer = aws.web(WebRequest { method, url, headers, body }).await.map_err(|fault| match fault {
        WebFault::NeverSent { reason } => DeliveryError::not_delivered(redacted(&reason)),
        WebFault::NoAnswer { reason } => DeliveryError::unknown(redacted(&reason)),
    })?;
    let host = host_of(url);
    let said = match words(&answer.body).map(|words| clean(&redacted(&words), None)) {
        Some(words) if !words.is_empty() => {
            format!(": {}", visible(&words.chars().take(LONGEST_WORDS).collect::<String>()))
        }
        Some(_) | None => String::new(),
    };
    let reason = format!("{host} answered {}{said}", answer.status);
    match answer.status {
        200..300 => Ok(answer),
        300..400 => Err(DeliveryError::refused(format!("{reason}; a redirect is not followed"))),
        // Too Many Requests and Service Unavailable say that nothing was done (RFC 6585, RFC 9110).
        408 | 425 | 429 | 503 => Err(DeliveryError::NotDelivered { reason, retry_after: answer.retry_after }),
        400..500 => Err(DeliveryError::refused(reason)),
        _ => Err(DeliveryError::unknown(reason)),
    }
}

/// Says nothing of what an answer says.
pub(super) fn silent(_: &[u8]) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use akia_core::settings::SecretRef;

    use super::*;

    #[test]
    fn an_address_is_https_or_this_machine_and_shows_its_host_alone() {
        let parse = |text: &str| {
            let text = text.to_owned();
            let secret = Secret::read(&SecretRef::Env("URL".to_owned()), &|_| Some(text.clone())).ok().unwrap();
            Address::parse(secret).map(|address| address.host())
        };
        assert_eq!(parse("https://hooks.example/services/canary?sig=canary").as_deref(), Ok("hooks.example"));
        assert_eq!(parse("http://127.0.0.1:8080/canary").as_deref(), Ok("127.0.0.1:8080"));
        for text in
            ["http://hooks.example/canary", "canary", "ftp://localhost/canary", "https://a:canary@hooks.example"]
        {
            assert!(parse(text).is_err_and(|error| !error.contains("canary")), "{text}");
        }
    }
}
