//! What a login at a team's own provider needs: requests by akia's way out, and the secret that akia shows there.
//!
//! Invariant: what a provider's own document says of its addresses leads nowhere in the clear but to this machine, and a redirect is
//! never followed.

use akia_core::settings::SecretRef;
use url::Url;
use zeroize::Zeroizing;

use crate::aws::{Aws, WebFault, WebRequest, is_this_machine};
use crate::secrets::Secret;

/// A way to a provider.
#[derive(Clone)]
pub struct Provider {
    aws: Aws,
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The address is not one that anything may be sent to.
    #[error("the provider names an address that is not https: {host}")]
    InTheClear {
        /// Its host.
        host: String,
    },
    /// It is no address, or no request.
    #[error("the provider names something that is no address")]
    NoAddress,
    /// Nothing came back.
    #[error("the provider does not answer: {reason}")]
    Silent {
        /// Why.
        reason: String,
    },
}

impl Provider {
    /// By this way out.
    #[must_use]
    pub fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// Reads an address, or posts a form to it.
    ///
    /// # Errors
    /// When the address is in the clear, or nothing comes back.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Reply, ProviderError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| ProviderError::NoAddress)?;
        if url.scheme() != "https" && !is_this_machine(&url) {
            return Err(ProviderError::InTheClear { host: url.host_str().unwrap_or_default().to_owned() });
        }
        let method = if request.method() == http::Method::POST { "POST" } else { "GET" };
        let carried = ["accept", "authorization", "content-type"].into_iter().filter_map(|name| {
            let value = request.headers().get(name)?.to_str().ok()?;
            Some((name, value.to_owned()))
        });
        let headers = carried.collect();
        let body = String::from_utf8(request.into_body()).map_err(|_| ProviderError::NoAddress)?;
        let answer = self.aws.web(WebRequest { method, url: &url, headers, body }).await;
        let answer = answer.map_err(|fault| match fault {
            WebFault::NeverSent { reason } | WebFault::NoAnswer { reason } => ProviderError::Silent { reason },
        })?;
        Ok(Reply {
            status: answer.status,
            content_type: answer.header("content-type").map(str::to_owned),
            body: answer.body,
        })
    }
}

/// The secret that akia shows a provider, from where the settings say that it is kept.
///
/// # Errors
/// When it is not there; the words name the place, and never the content.
pub fn client_secret(
    place: &SecretRef,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Zeroizing<String>, String> {
    Secret::read(place, variable).map(|secret| Zeroizing::new(secret.reveal().to_owned()))
}
