//! The one way out: every request that akia sends to AWS passes here.
//!
//! It counts requests by operation, remembers each endpoint's clock, caps the size of answers, and tells "never
//! sent" from "sent, no complete answer". Nothing is built before the first request: constructing costs nothing, so
//! that an offline `akia status` never loads the system's certificates.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use http_body_util::{BodyExt, Full};

use super::options::Proxies;
use super::pace::Paces;
use super::roots::Roots;

/// Largest answer that is read. A page of 1,000 keys is some 300 kB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// Largest file taken for a bundle of certificates.
const CA_BUNDLE_LIMIT: u64 = 4 * 1024 * 1024;

/// How many requests went out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// All of them, retries included.
    pub total: u64,
    /// How many were answered with "slow down".
    pub throttled: u64,
    /// By operation, for example `ListAccessKeys`.
    pub by_operation: BTreeMap<String, u64>,
}

/// What happened to a request, for the classification of errors. No text here comes from an answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WireFault {
    NeverSent { reason: String },
    NoAnswer { reason: String },
    CutOff,
    TooLarge { limit_bytes: usize },
}

impl fmt::Display for WireFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverSent { reason } => write!(formatter, "never sent: {reason}"),
            Self::NoAnswer { reason } => write!(formatter, "no complete answer: {reason}"),
            Self::CutOff => write!(formatter, "the answer is cut off, or answers something else"),
            Self::TooLarge { limit_bytes } => write!(formatter, "the answer is larger than {limit_bytes} bytes"),
        }
    }
}

impl Error for WireFault {}

/// What all clients of one `Aws` share.
pub(crate) struct Wire {
    pub(crate) replacement: Option<SharedHttpClient>,
    pub(crate) time: SharedTimeSource,
    pub(crate) sleep: SharedAsyncSleep,
    pub(crate) connect_timeout: Duration,
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) proxies: Proxies,
    pub(crate) calls: Mutex<Calls>,
    /// Seconds that a host is ahead of us.
    pub(crate) skew_seconds: Mutex<BTreeMap<String, i64>>,
    pub(crate) connectors: [OnceLock<Result<SharedHttpConnector, String>>; 4],
    /// Those to servers with an authority of their own.
    pub(crate) trusting: Mutex<BTreeMap<Roots, SharedHttpConnector>>,
    /// How many requests of a key and operation may be under way, where that follows what AWS answers.
    pub(crate) paces: Option<Paces>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seconds that `host` is ahead of this machine, from its latest answer.
    pub(crate) fn skew_seconds(&self, host: &str) -> Option<i64> {
        self.skew_seconds.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied()
    }

    fn count(&self, operation: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.total += 1;
        *calls.by_operation.entry(operation.to_owned()).or_default() += 1;
    }

    /// What the answer says about the pace.
    fn note_answer(&self, operation: &str, key: Option<&str>, throttled: bool) {
        if throttled {
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).throttled += 1;
        }
        if let (Some(paces), Some(key)) = (&self.paces, key) {
            paces.note(key, operation, throttled);
        }
    }

    fn note_clock(&self, host: &str, response: &HttpResponse) {
        let Some(date) = response.headers().get("date") else { return };
        let Ok(server) = DateTime::from_str(date, Format::HttpDate) else { return };
        let Ok(here) = self.time.now().duration_since(UNIX_EPOCH) else { return };
        let skew = server.secs().saturating_sub(i64::try_from(here.as_secs()).unwrap_or(i64::MAX));
        self.skew_seconds.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), skew);
    }

    fn connector(&self, https: bool, connection: Connection) -> Result<SharedHttpConnector, ConnectorError> {
        let slot = usize::from(https) + 2 * usize::from(connection == Connection::Fresh);
        let built = self.connectors[slot].get_or_init(|| self.build(https, connection));
        built
            .clone()
            .map_err(|reason| ConnectorError::user(Box::new(WireFault::NeverSent { reason })).never_connected())
    }

    /// The connector to a server that shows a certificate of an authority of its own.
    fn trusting(&self, roots: &Roots) -> Result<SharedHttpConnector, String> {
        let mut kept = self.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = kept.get(roots) {
            return Ok(connector.clone());
        }
        let connector = self.build_trusting(true, Connection::Pooled, || Ok(roots.store()))?;
        kept.insert(roots.clone(), connector.clone());
        Ok(connector)
    }

    fn build(&self, https: bool, connection: Connection) -> Result<SharedHttpConnector, String> {
        self.build_trusting(https, connection, || self.trust())
    }

    fn build_trusting(
        &self,
        https: bool,
        connection: Connection,
        trust: impl FnOnce() -> Result<TrustStore, String>,
    ) -> Result<SharedHttpConnector, String> {
        let settings = HttpConnectorSettings::builder().connect_timeout(self.connect_timeout).build();
        let mut builder: ConnectorBuilder =
            Connector::builder().connector_settings(settings).sleep_impl(self.sleep.clone());
        if connection == Connection::Fresh {
            builder = builder.pool_max_idle_per_host(0);
        }
        let proxy = if https { &self.proxies.https } else { &self.proxies.http };
        let mut through_tls = https;
        if let Some(proxy) = proxy {
            let variable = if https { "HTTPS_PROXY" } else { "HTTP_PROXY" };
            // The error of the library repeats the URL, which may hold a password.
            let broken = || format!("{variable} is not a proxy url (http://host:port)");
            through_tls |= proxy.starts_with("https:");
            let url = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
            let config = if https { ProxyConfig::https(url) } else { ProxyConfig::http(url) };
            let mut config = config.map_err(|_| broken())?;
            if let Some(hosts) = &self.proxies.no_proxy {
                config = config.no_proxy(hosts);
            }
            builder = builder.proxy_config(config);
        }
        // Plain HTTP (an emulator, the sandbox) must not cost the loading of certificates.
        let trust = if through_tls { trust()? } else { TrustStore::empty() };
        let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| error.to_string())?;
        let connector = builder.tls_provider(Provider::rustls(CryptoMode::Ring)).tls_context(context).build();
        Ok(SharedHttpConnector::new(connector))
    }

    fn trust(&self) -> Result<TrustStore, String> {
        match &self.ca_bundle {
            None => Ok(TrustStore::default()),
            Some(path) => read_ca_bundle(path)
                .map(|pem| TrustStore::empty().with_pem_certificate(pem))
                .map_err(|reason| format!("AWS_CA_BUNDLE {}: {reason}", path.display())),
        }
    }
}

/// Whether a request may travel on a connection that is already open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    Pooled,
    Fresh,
}

/// An HTTP client of the SDK that goes through the wire.
#[derive(Debug, Clone)]
pub(crate) struct WireClient {
    pub(crate) wire: Arc<Wire>,
    pub(crate) connection: Connection,
    /// Appended to `User-Agent`, which CloudTrail records and no signature covers.
    pub(crate) user_agent: Option<String>,
}

impl WireClient {
    /// The connector for services that are not AWS's: never replaced, for what stands in for AWS cannot answer for them.
    pub(super) fn direct(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(WireConnector { client: self.clone(), replacement: None })
    }

    /// The same for a server that shows a certificate of an authority of its own: nobody else's is trusted there.
    pub(super) fn direct_trusting(&self, roots: &Roots) -> Result<SharedHttpConnector, String> {
        let replacement = Some(self.wire.trusting(roots)?);
        Ok(SharedHttpConnector::new(WireConnector { client: self.clone(), replacement }))
    }
}

impl HttpClient for WireClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let replacement = self.wire.replacement.as_ref().map(|client| client.http_connector(settings, components));
        SharedHttpConnector::new(WireConnector { client: self.clone(), replacement })
    }
}

#[derive(Debug)]
struct WireConnector {
    client: WireClient,
    replacement: Option<SharedHttpConnector>,
}

impl HttpConnector for WireConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let wire = Arc::clone(&self.client.wire);
        if let Some(suffix) = &self.client.user_agent {
            let agent = match request.headers().get("user-agent") {
                Some(agent) => format!("{agent} {suffix}"),
                None => suffix.clone(),
            };
            if request.headers_mut().try_insert("user-agent", agent).is_err() {
                let reason = "the user agent holds a character that no header may hold".to_owned();
                return HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(WireFault::NeverSent {
                    reason,
                }))));
            }
        }
        let operation = operation_of(&request);
        wire.count(&operation);
        let (https, host) = scheme_and_host(request.uri());
        let key = request.headers().get("authorization").and_then(signing_key).map(str::to_owned);
        let connector = match &self.replacement {
            Some(connector) => Ok(connector.clone()),
            None => wire.connector(https, self.client.connection),
        };
        HttpConnectorFuture::new(async move {
            let response = connector?.call(request).await.map_err(fault)?;
            wire.note_clock(&host, &response);
            let (response, throttled) = read_whole(&operation, response).await?;
            wire.note_answer(&operation, key.as_deref(), throttled);
            Ok(response)
        })
    }
}

/// Reads the body here, where a broken or endless one can be told from everything else. Also whether it says "slow down".
async fn read_whole(operation: &str, mut response: HttpResponse) -> Result<(HttpResponse, bool), ConnectorError> {
    let mut body = response.take_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let reason = format!("the answer broke off ({})", chain(error.as_ref()));
            ConnectorError::io(Box::new(WireFault::NoAnswer { reason }))
        })?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > BODY_LIMIT {
                return Err(ConnectorError::user(Box::new(WireFault::TooLarge { limit_bytes: BODY_LIMIT })));
            }
            whole.extend_from_slice(&data);
        }
    }
    if is_cut_off(operation, response.status().is_success(), &whole) {
        return Err(ConnectorError::io(Box::new(WireFault::CutOff)));
    }
    let throttled = says_slow_down(response.status().as_u16(), &whole);
    // As a stream, for the SDK writes a body in memory to its trace log before it knows that a secret stands in it.
    *response.body_mut() = SdkBody::from_body_1_x(Full::from(whole));
    Ok((response, throttled))
}

/// Whether an answer is one of AWS's ways to say that there were too many calls.
fn says_slow_down(status: u16, body: &[u8]) -> bool {
    const CODES: [&[u8]; 4] = [b"Throttl", b"TooManyRequests", b"RequestLimitExceeded", b"Rate exceeded"];
    let has = |code: &&[u8]| body.windows(code.len()).any(|window| window == *code);
    status == 429 || (matches!(status, 400 | 403 | 503) && CODES.iter().any(has))
}

/// The key of `AWS4-HMAC-SHA256 Credential=AKIA…/…`.
fn signing_key(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').next()
}

/// Whether a positive answer of the query protocol lacks its end. The SDK's parser takes what there is, and half a
/// secret for a whole one.
fn is_cut_off(operation: &str, success: bool, body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let is_query = operation.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !body.starts_with(b"{");
    if !is_query || body.is_empty() || !success {
        return false;
    }
    let end = format!("</{operation}Response>");
    let empty = format!("<{operation}Response");
    !(body.ends_with(end.as_bytes()) || (body.ends_with(b"/>") && body.starts_with(empty.as_bytes())))
}

/// Sorts the connector's error. When in doubt, the request counts as sent.
fn fault(error: ConnectorError) -> ConnectorError {
    if error.source().is_some_and(|source| source.downcast_ref::<WireFault>().is_some()) {
        return error;
    }
    let reason = chain(&error);
    let never_sent = links(&error).any(|link| {
        link.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect())
            || link.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    });
    let fault = if never_sent { WireFault::NeverSent { reason } } else { WireFault::NoAnswer { reason } };
    // The kinds matter to the SDK's retries: timeouts and broken connections are tried again, the rest is not.
    if error.is_timeout() {
        ConnectorError::timeout(Box::new(fault))
    } else if error.is_user() {
        ConnectorError::user(Box::new(fault))
    } else {
        ConnectorError::io(Box::new(fault))
    }
}

/// An error and all that lies behind it; an `io::Error` hides its payload from `source`.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&link| match link.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => link.source(),
    })
    .take(16)
}

/// The chain of an error as one short line, each part once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for link in links(error) {
        let text = super::error::clean(&link.to_string(), None);
        // The first word of the SDK's wrapper ("io error") says nothing when something stands behind it.
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    if parts.len() > 1 && matches!(parts[0].as_str(), "io error" | "timeout" | "other" | "user error") {
        parts.remove(0);
    }
    super::error::clean(&parts.join(": "), None)
}

fn scheme_and_host(uri: &str) -> (bool, String) {
    let https = uri.starts_with("https:");
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    (https, host.to_owned())
}

/// The operation's name: the `Action` of the query protocol, the target of the JSON protocol, else method and host.
fn operation_of(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    let body = request.body().bytes().unwrap_or_default();
    let action = body.strip_prefix(b"Action=").and_then(|rest| rest.split(|byte| *byte == b'&').next());
    match action.and_then(|action| std::str::from_utf8(action).ok()) {
        Some(action) => action.to_owned(),
        None => format!("{} {}", request.method(), scheme_and_host(request.uri()).1),
    }
}

/// Reads a bundle and checks that it holds certificates: the TLS library panics on one that does not.
pub(crate) fn read_ca_bundle(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut pem = Vec::new();
    file.take(CA_BUNDLE_LIMIT + 1).read_to_end(&mut pem).map_err(|error| error.to_string())?;
    if pem.len() as u64 > CA_BUNDLE_LIMIT {
        return Err(format!("larger than {CA_BUNDLE_LIMIT} bytes"));
    }
    Roots::check(&pem)?;
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_named_from_the_request() {
        let mut request = HttpRequest::new(SdkBody::from("Action=ListAccessKeys&Version=2010-05-08"));
        assert_eq!(operation_of(&request), "ListAccessKeys");
        request
            .headers_mut()
            .insert("x-amz-target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents");
        assert_eq!(operation_of(&request), "LookupEvents");
        assert_eq!(scheme_and_host("http://127.0.0.1:5000/a?b"), (false, "127.0.0.1:5000".to_owned()));
    }

    #[test]
    fn half_an_answer_is_told_from_a_whole_one() {
        let cut_off = |operation: &str, status: u16, body: &str| is_cut_off(operation, status == 200, body.as_bytes());
        let whole = "<?xml version=\"1.0\"?>\n<GetUserResponse xmlns=\"x\"><GetUserResult/></GetUserResponse>\n";
        assert!(!cut_off("GetUser", 200, whole));
        assert!(!cut_off("GetUser", 200, "<GetUserResponse xmlns='x' />"));
        for length in 1..whole.len() - 1 {
            assert!(cut_off("GetUser", 200, &whole[..length]), "{length}");
        }
        assert!(cut_off("GetUser", 200, "<ListUsersResponse></ListUsersResponse>"));
        assert!(cut_off("GetUser", 200, "<html/>"));
        assert!(!cut_off("GetUser", 404, "<html/>"), "the code says enough");
        assert!(!cut_off("GetUser", 200, ""), "the missing fields say enough");
        assert!(!cut_off("LookupEvents", 200, "{\"Events\": []"), "the parser of json says enough");
        assert!(!cut_off("GET portal.sso.eu-west-1.amazonaws.com", 200, "x"));
    }

    #[test]
    fn a_bundle_that_the_tls_library_would_panic_on_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(read_ca_bundle(&path).is_err_and(|reason| reason.contains("No such file")));
        for (content, reason) in [
            ("", "no certificate in it"),
            ("hello", "no certificate in it"),
            ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "not a file of pem certificates"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate in it cannot be read"),
        ] {
            std::fs::write(&path, content).unwrap();
            assert!(read_ca_bundle(&path).is_err_and(|error| error.starts_with(reason)), "{content}");
        }
    }
}
