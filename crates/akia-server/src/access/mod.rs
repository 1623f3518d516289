//! Who comes in: a one-time link on this machine, a token, or a login elsewhere; and the session that follows.
//!
//! Invariant: what is kept of tokens, links and sessions are hashes. A handler behind [`require_login`] takes a [`Visitor`].

mod session;

use axum::Router;
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::page;
use crate::sight::{Person, Role};
use crate::web::Shared;

pub use session::{Access, Link};

/// Somebody who has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Who.
    pub person: Person,
    /// What a form of theirs must bring along; absent where a token came with the request, which no other site can send.
    pub form_key: Option<String>,
}

impl Visitor {
    /// Whether they may do what takes this role, and it was a form of ours that asked.
    #[must_use]
    pub fn may(&self, role: Role, form_key: &str) -> bool {
        let is_ours = self.form_key.as_ref().is_none_or(|ours| bool::from(ours.as_bytes().ct_eq(form_key.as_bytes())));
        is_ours && self.person.role >= role
    }

    /// What every form of theirs brings along.
    pub(crate) fn form_field(&self) -> Markup {
        html! { input type="hidden" name="form_key" value=[self.form_key.as_deref()]; }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // A route outside of `require_login` has none.
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Lets in whoever has a session; shows the others the door.
pub(crate) async fn require_login(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    match shared.access.visitor(request.headers(), shared.now()).await {
        Ok(Some(visitor)) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Ok(None) => page::login::needed(request.uri()).into_response(),
        Err(error) => page::failed(&error),
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/login", get(login))
}

#[derive(Debug, Deserialize)]
struct LoginQuery {
    link: Option<String>,
}

async fn login(State(shared): State<Shared>, Query(query): Query<LoginQuery>) -> Response {
    let Some(link) = query.link else { return page::login::page().into_response() };
    match shared.access.follow(&link, shared.now()).await {
        Ok(Some(cookie)) => {
            let mut response = Redirect::to("/").into_response();
            match HeaderValue::try_from(cookie) {
                Ok(cookie) => {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                    response
                }
                Err(error) => page::failed(&error),
            }
        }
        Ok(None) => (StatusCode::FORBIDDEN, page::login::spent()).into_response(),
        Err(error) => page::failed(&error),
    }
}
