//! The routes of the door: coming in by a link, a token or the team's own login, and leaving.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Extension, Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::oidc::Denied;
use super::session::Source;
use super::{Change, Door, Refusal, address};
use crate::page;
use crate::page::login::Ways;
use crate::sight::Role;
use crate::web::{Route, Shared};

/// Longest address that is gone to after a login.
const LONGEST_NEXT: usize = 2_000;

type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/login", Door::Open, door),
        Route::post("/login", Door::Open, by_token),
        Route::get("/login/oidc", Door::Open, begin_elsewhere),
        Route::get("/login/oidc/back", Door::Open, back_from_elsewhere),
        Route::post("/logout", Door::From(Role::Owner), leave),
    ]
}

#[derive(Debug, Deserialize)]
struct DoorQuery {
    link: Option<String>,
    next: Option<String>,
}

async fn door(State(shared): State<Shared>, Query(query): Query<DoorQuery>) -> Response {
    let next = local(query.next.as_deref());
    let Some(link) = query.link else { return page::login::page(ways(&shared), next, None).into_response() };
    match shared.access.follow(&link, shared.now()).await {
        Ok(Some(cookie)) => with_cookie(Redirect::to(next).into_response(), &cookie),
        Ok(None) => (StatusCode::FORBIDDEN, page::login::spent()).into_response(),
        Err(error) => page::failed(&error),
    }
}

#[derive(Deserialize)]
struct TokenForm {
    token: String,
    next: Option<String>,
}

async fn by_token(
    State(shared): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
    form: Result<Form<TokenForm>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "the form is not whole\n").into_response();
    };
    let next = local(form.next.as_deref());
    let address = address(&shared, &headers, peer.as_deref());
    let token = form.token.trim();
    match shared.access.token(token, address, shared.now()) {
        Ok(person) => match shared.access.begin(&person, Source::Token, shared.now()).await {
            Ok(cookie) => with_cookie(Redirect::to(next).into_response(), &cookie),
            Err(error) => page::failed(&error),
        },
        Err(Refusal::Unknown) => {
            let problem = Some("Nobody is let in by that token.");
            (StatusCode::FORBIDDEN, page::login::page(ways(&shared), next, problem)).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Debug, Deserialize)]
struct BeginQuery {
    next: Option<String>,
}

async fn begin_elsewhere(State(shared): State<Shared>, Query(query): Query<BeginQuery>) -> Response {
    let Some(oidc) = &shared.access.oidc else {
        return (StatusCode::NOT_FOUND, page::login::no_oidc()).into_response();
    };
    match oidc.begin(&shared.access, local(query.next.as_deref()), shared.now()).await {
        Ok(begun) => with_cookie(Redirect::to(&begun.url).into_response(), &begun.cookie),
        Err(denied) => refused(&denied),
    }
}

#[derive(Deserialize)]
struct BackQuery {
    code: Option<String>,
    state: Option<String>,
}

async fn back_from_elsewhere(
    State(shared): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
    Query(query): Query<BackQuery>,
) -> Response {
    let Some(oidc) = &shared.access.oidc else {
        return (StatusCode::NOT_FOUND, page::login::no_oidc()).into_response();
    };
    let address = address(&shared, &headers, peer.as_deref());
    if let Some(seconds) = shared.access.limit.wait_of(address, shared.now()) {
        return Refusal::TooOften { seconds }.into_response();
    }
    let (code, state) = (query.code.unwrap_or_default(), query.state.unwrap_or_default());
    match oidc.finish(&shared.access, &headers, &code, &state, shared.now()).await {
        Ok(known) => {
            let source = Source::Oidc { groups: known.groups };
            match shared.access.begin(&known.person, source, shared.now()).await {
                // A page and not a redirect: after one that another site began, browsers would not send the new cookie yet.
                Ok(cookie) => with_cookie(page::login::go_on(local(Some(&known.next))).into_response(), &cookie),
                Err(error) => page::failed(&error),
            }
        }
        Err(denied) => {
            if matches!(denied, Denied::NotThis(_)) {
                shared.access.failed(address, shared.now());
            }
            refused(&denied)
        }
    }
}

fn refused(denied: &Denied) -> Response {
    match denied {
        Denied::NotThis(why) => {
            tracing::warn!(%why, "a login at the provider was refused");
            (StatusCode::FORBIDDEN, page::login::not_this()).into_response()
        }
        Denied::NoRole { name, claim, had, wanted } => {
            (StatusCode::FORBIDDEN, page::login::no_role(name, claim, *had, wanted)).into_response()
        }
        Denied::Silent(why) => {
            tracing::error!(%why, "the login provider cannot be used");
            (StatusCode::SERVICE_UNAVAILABLE, page::login::silent()).into_response()
        }
        Denied::Crowded => Refusal::TooOften { seconds: 60 }.into_response(),
        Denied::Database(error) => page::failed(error),
    }
}

#[derive(Debug, Deserialize)]
struct LeaveForm {
    everywhere: Option<String>,
}

async fn leave(State(shared): State<Shared>, headers: HeaderMap, change: Change<LeaveForm>) -> Response {
    let everywhere = change.form.everywhere.is_some();
    match shared.access.leave(&headers, &change.visitor.person, everywhere).await {
        Ok(cookie) => with_cookie(Redirect::to("/login").into_response(), &cookie),
        Err(error) => page::failed(&error),
    }
}

fn ways(shared: &Shared) -> Ways {
    Ways { has_tokens: shared.access.tokens.is_some(), has_oidc: shared.access.oidc.is_some() }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    match HeaderValue::try_from(cookie) {
        Ok(cookie) => {
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => page::failed(&error),
    }
}

/// Where somebody goes after a login: a path of this server, and never another site.
fn local(next: Option<&str>) -> &str {
    let is_local = |next: &&str| {
        next.starts_with('/')
            // Browsers take `//host` and `/\host` for another host.
            && !next.starts_with("//")
            && next.len() <= LONGEST_NEXT
            && next.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\')
    };
    next.filter(is_local).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_path_of_this_server_alone() {
        for next in ["/", "/keys?age=90d&unit=Root%2FProd", "/a//b"] {
            assert_eq!(local(Some(next)), next);
        }
        let long = format!("/{}", "a".repeat(LONGEST_NEXT));
        for next in [
            "",
            "keys",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\r\nset-cookie: a=b",
            "/ä",
            "/\u{0}",
            " /",
            "\\\\evil.example",
            &long,
        ] {
            assert_eq!(local(Some(next)), "/", "{next:?}");
        }
        assert_eq!(local(None), "/");
    }
}
