//! Requests to services that are not AWS's, by the same way out: proxies, roots of trust, limits and time limits hold for them
//! as well, and a redirect is never followed.
//!
//! Invariant: an address may be a secret (that of a webhook is), so no fault here holds more of it than its host.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use url::Url;

use super::client::{Aws, authority};
use super::error::clean;
use super::http::{Connection, WireClient, WireFault};
use super::roots::Roots;
use super::unlogged::unlogged;

/// Longest time that a server may ask us to wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// A request.
pub(crate) struct WebRequest<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a Url,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// An answer, whatever it says.
pub(crate) struct WebAnswer {
    pub(crate) status: u16,
    /// How long the server asks to wait, where it does.
    pub(crate) retry_after: Option<Duration>,
    /// What the server calls this request, where it says so.
    pub(crate) request_id: Option<String>,
    /// All headers, names in small letters, cut and cleaned.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl WebAnswer {
    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Why there is no answer.
pub(crate) enum WebFault {
    /// Nothing was sent.
    NeverSent { reason: String },
    /// It was sent, and what became of it is not known.
    NoAnswer { reason: String },
}

impl Aws {
    /// Sends a request once.
    pub(crate) async fn web(&self, request: WebRequest<'_>) -> Result<WebAnswer, WebFault> {
        self.web_trusting(request, None).await
    }

    /// Sends a request once, to a server that shows a certificate of an authority of its own.
    pub(crate) async fn web_trusting(
        &self,
        request: WebRequest<'_>,
        roots: Option<&Roots>,
    ) -> Result<WebAnswer, WebFault> {
        let WebRequest { method, url, headers, body } = request;
        let unsent = |reason: &str| WebFault::NeverSent { reason: format!("{}: {reason}", authority(url)) };
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).map_err(|_| unsent("the request could not be built"))?;
        request.set_uri(url.as_str().to_owned()).map_err(|_| unsent("the request could not be built"))?;
        let agent = ("user-agent", concat!("akia/", env!("CARGO_PKG_VERSION")).to_owned());
        for (name, value) in headers.into_iter().chain([agent]) {
            // A secret with a line break in it would end the header.
            request
                .headers_mut()
                .try_insert(name, value)
                .map_err(|_| unsent("a header holds what no header may hold"))?;
        }
        let client = WireClient { wire: self.wire(), connection: Connection::Pooled, user_agent: None };
        let connector = match roots {
            None => client.direct(),
            Some(roots) => client.direct_trusting(roots).map_err(|reason| unsent(&reason))?,
        };
        let answer =
            Timeout::new(unlogged(connector.call(request)), self.sleep().sleep(self.options().attempt_timeout));
        let mut response = match answer.await {
            Err(_) => {
                let reason = format!("{}: no answer within the time allowed", authority(url));
                return Err(WebFault::NoAnswer { reason });
            }
            Ok(Err(error)) => {
                // Whatever the library says, the path of the address does not get out.
                let hidden = |reason: &str| format!("{}: {}", authority(url), without_address(reason, url));
                let fault = error.source().and_then(|source| source.downcast_ref::<WireFault>());
                return Err(match fault {
                    Some(WireFault::NeverSent { reason }) => WebFault::NeverSent { reason: hidden(reason) },
                    Some(fault) => WebFault::NoAnswer { reason: hidden(&fault.to_string()) },
                    None => WebFault::NoAnswer { reason: hidden("the request failed") },
                });
            }
            Ok(Ok(response)) => response,
        };
        let header = |name: &str| response.headers().get(name).map(|value| clean(value, None));
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let request_id = ["x-request-id", "x-ms-workflow-run-id", "x-arequestid", "x-slack-unique-id"];
        let (retry_after, request_id) =
            (retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER)), request_id.into_iter().find_map(header));
        let headers = response.headers().iter().map(|(name, value)| (name.to_owned(), clean(value, None))).collect();
        let status = response.status().as_u16();
        // It is in memory already, and within its limit.
        let body = response.take_body().collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Ok(WebAnswer { status, retry_after, request_id, headers, body })
    }
}

fn without_address(reason: &str, url: &Url) -> String {
    let mut text = reason.to_owned();
    for part in [url.as_str(), url.path(), url.query().unwrap_or_default()] {
        if part.len() > 1 {
            text = text.replace(part, "…");
        }
    }
    text
}
