//! Who comes in: a one-time link on this machine, a token, or a login elsewhere; and the session that follows.
//!
//! Invariant: what is kept of tokens, links and sessions are hashes. Whatever the reason why somebody is not let in, the answer is the
//! same, so that it helps nobody to guess. A handler behind a door takes a [`Visitor`].

mod change;
mod limit;
mod login;
mod oidc;
mod session;
mod tokens;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use crate::DatabaseError;
use crate::page;
use crate::sight::{Person, Role};
use crate::web::Shared;

pub(crate) use change::{Change, FORM_KEY, Nothing};
pub(crate) use login::routes;
pub use oidc::{Oidc, OidcError};
pub use session::{Access, Link};
pub(crate) use tokens::Stamp;
pub use tokens::{NewToken, NewTokenError, Tokens, TokensError, new_token};

/// Longest body of somebody who has not come in.
const STRANGERS_BODY: usize = 16 * 1024;
/// Longest body of somebody who has.
const BODY: usize = 1 << 20;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

const TOO_LONG: &str = "the body is too long, or was cut off\n";

/// Whom a route lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Those with this role, or one that may do more.
    From(Role),
}

/// Somebody who has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Who.
    pub person: Person,
    /// What a form of theirs must bring along; absent where a token came with the request, which no other site can send.
    pub form_key: Option<String>,
}

impl Visitor {
    /// What every form of theirs brings along.
    pub(crate) fn form_field(&self) -> Markup {
        html! { input type="hidden" name=(FORM_KEY) value=[self.form_key.as_deref()]; }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // An open route has none.
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Why somebody is not let in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Nobody is known by that.
    Unknown,
    /// There were too many failures.
    TooOften {
        /// How long to wait.
        seconds: i64,
    },
    /// The server itself fails.
    Database(DatabaseError),
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"akia\"")];
                (StatusCode::UNAUTHORIZED, challenge, "there is no such token\n").into_response()
            }
            Self::TooOften { seconds } => {
                let wait = [(header::RETRY_AFTER, seconds.to_string())];
                (StatusCode::TOO_MANY_REQUESTS, wait, "too many failures; wait, and try again\n").into_response()
            }
            Self::Database(error) => page::failed(&error),
        }
    }
}

/// Lets in whomever the door of a route is for, and only then listens to the rest of what they send.
pub(crate) async fn enter(State((shared, door)): State<(Shared, Door)>, mut request: Request, next: Next) -> Response {
    let longest = match door {
        Door::Open => STRANGERS_BODY,
        Door::From(least) => {
            let address = address(&shared, request.headers(), request.extensions().get());
            match shared.access.visitor(request.headers(), address, shared.now()).await {
                Ok(Some(visitor)) if visitor.person.role < least => {
                    return (StatusCode::FORBIDDEN, page::login::too_little(&visitor.person, least)).into_response();
                }
                Ok(Some(visitor)) => {
                    request.extensions_mut().insert(visitor);
                }
                Ok(None) => return page::login::needed(request.method(), request.uri()),
                Err(refusal) => return refusal.into_response(),
            }
            BODY
        }
    };
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let stated =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|stated| usize::try_from(stated).map_or(true, |stated| stated > longest)) {
        return closing(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG);
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, longest)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_)) => closing(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG),
        Err(_) => closing(StatusCode::REQUEST_TIMEOUT, "the body took too long to come\n"),
    }
}

/// An answer after which the rest of what was sent is not read.
fn closing(status: StatusCode, why: &'static str) -> Response {
    (status, [(header::CONNECTION, "close")], why).into_response()
}

/// Where a request comes from. Behind a load balancer that is what it wrote last: what stands before that, anybody may have written.
fn address(shared: &Shared, headers: &HeaderMap, peer: Option<&ConnectInfo<SocketAddr>>) -> IpAddr {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let forwarded = forwarded.filter(|_| shared.access.is_behind_proxy).and_then(|value| value.to_str().ok());
    let forwarded = forwarded.and_then(|value| value.rsplit(',').next()?.trim().parse().ok());
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    forwarded.unwrap_or(peer)
}
