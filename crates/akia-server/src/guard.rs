//! What every request must pass and every answer carries, whatever its route.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::web::Shared;

/// Scripts and styles come from this server alone, and none stand in pages: markup that slipped through could not run.
const CONTENT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every answer.
const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Not `no-referrer`: with that, browsers send our own forms with `Origin: null`. Another site is told nothing either way.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// With TLS: browsers come through it from now on, for two years.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Refuses what no browser and no honest program sends: a request for another host, a change that another site's page has sent, and
/// shapes that a proxy in front could read differently.
pub(crate) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match shape(&request).or_else(|| refusal(&shared.hosts, request.method(), request.headers())) {
        None => next.run(request).await,
        // What follows on the connection is not listened to.
        Some((status, why)) => (status, [(header::CONNECTION, "close")], format!("{why}\n")).into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, value);
    }
    if shared.access.has_tls() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What is wrong with the form of a request, whoever it is from.
fn shape(request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    if request.uri().authority().is_some() || request.uri().scheme().is_some() {
        return Some((StatusCode::BAD_REQUEST, "this server is no proxy"));
    }
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Some((StatusCode::BAD_REQUEST, "one Host is enough"));
    }
    // A body of stated length, or none: so no two readers can disagree about where it ends.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Some((StatusCode::LENGTH_REQUIRED, "send the body with its Content-Length"));
    }
    (!is_plain(request.uri().path())).then_some((StatusCode::BAD_REQUEST, "there is no such path"))
}

/// Whether a path means the same to whoever reads it: a program in front of this one may have judged it undecoded.
fn is_plain(path: &str) -> bool {
    let Ok(decoded) = percent_encoding::percent_decode_str(path).decode_utf8() else { return false };
    let is_step = |segment: &str| segment == "." || segment == "..";
    !path.contains("//") && !decoded.chars().any(|c| c.is_control() || c == '\\') && !decoded.split('/').any(is_step)
}

fn refusal(hosts: &[String], method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    // A name that points here (DNS rebinding) must not make a browser hand over what it would hand to us.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))) {
        return Some((StatusCode::MISDIRECTED_REQUEST, "this server does not answer to that name"));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    // Browsers send one or both with every change; programs with a token send neither, and carry no cookie.
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let is_ours = |origin: &str| {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        host.is_some_and(|host| hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)))
    };
    let is_foreign = match origin {
        Some(origin) => !is_ours(origin),
        None => headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin"),
    };
    is_foreign.then_some((StatusCode::FORBIDDEN, "this change comes from another site's page"))
}
