//! The door: coming in, leaving, and why somebody does not come in.

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use crate::access::{FORM_KEY, Visitor};
use crate::sight::{Person, Role};

/// The ways in that there are, besides the one-time link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) has_tokens: bool,
    pub(crate) has_oidc: bool,
}

/// Where somebody goes who has not come in: people to the door, programs to their answer.
pub(crate) fn needed(method: &Method, uri: &Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return (StatusCode::UNAUTHORIZED, "a token or a session is needed\n").into_response();
    }
    // A form that somebody sent is not sent again for them.
    let next = uri.path_and_query().filter(|_| *method == Method::GET).map_or("/", |next| next.as_str());
    if next == "/" {
        return Redirect::to("/login").into_response();
    }
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    Redirect::to(&format!("/login?{query}")).into_response()
}

pub(crate) fn page(ways: Ways, next: &str, problem: Option<&str>) -> Markup {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    super::plain(
        "Log in",
        html! {
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            @if ways.has_oidc {
                p { a.button href=(format!("/login/oidc?{query}")) { "Log in with your organisation" } }
            }
            @if ways.has_tokens {
                form method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    label { "Token " input type="password" name="token" autocomplete="current-password" required; }
                    " "
                    button { "Log in" }
                }
            }
            @if !ways.has_oidc && !ways.has_tokens {
                p { "Follow the one-time link that " code { "akia serve" } " has printed when it began." }
            }
        },
    )
}

/// What lets a visitor leave, for the menu of every page.
pub(crate) fn leave(visitor: &Visitor) -> Markup {
    html! {
        @if let Some(key) = &visitor.form_key {
            form.leave method="post" action="/logout" {
                input type="hidden" name=(FORM_KEY) value=(key);
                button { "Log out" }
                " "
                button name="everywhere" value="yes" { "Log out everywhere" }
            }
        }
    }
}

pub(crate) fn spent() -> Markup {
    super::plain(
        "This link does not work any more",
        html! { p { "A link lets one person in, once, within a quarter of an hour. " code { "akia serve" } " prints another when it begins." } },
    )
}

pub(crate) fn stale_form() -> Markup {
    super::plain(
        "This form is not of your session",
        html! { p { "Nothing was changed. Go back, load the page again, and send it once more." } p { a href="/" { "To the estate" } } },
    )
}

/// For somebody who has come in, and wants what is not theirs to do.
pub(crate) fn too_little(person: &Person, least: Role) -> Markup {
    super::plain(
        "Not yours to do",
        html! {
            p { "You are " (person.name) ", " (person.role.as_str()) "; this is for " (least.as_str()) " and above. Nothing was changed." }
            p { a href="/" { "To the estate" } }
        },
    )
}

pub(crate) fn no_oidc() -> Markup {
    super::plain(
        "Not found",
        html! { p { "This server has no login at another provider." } p { a href="/login" { "To the door" } } },
    )
}

/// After a login elsewhere: the next page is asked for by this one, so that the browser sends the new cookie along.
pub(crate) fn go_on(next: &str) -> Response {
    let main = html! { p { a href=(next) { "Go on" } } };
    ([(header::REFRESH, format!("0; url={next}"))], super::plain("You are logged in", main)).into_response()
}

pub(crate) fn not_this() -> Markup {
    super::plain(
        "This login does not count",
        html! {
            p { "It was begun in another browser or long ago, was ended before, or the provider's word for it does not hold. "
                "The server's log says which." }
            p { a href="/login" { "Log in again" } }
        },
    )
}

/// The provider knows them, and no group of theirs has a role here.
pub(crate) fn no_role(name: &str, claim: &str, had: usize, wanted: &[String]) -> Markup {
    super::plain(
        "You are not in a group that may come in",
        html! {
            p { "You are " (name) ". One of these groups lets somebody in here:" }
            ul { @for group in wanted { li { (group) } } }
            @if had == 0 {
                p { "The provider named no group of yours: its ID token has no claim " code { (claim) }
                    ". Whoever runs this server may have to add it there, or name another with groups-claim." }
            } @else {
                p { "The provider named " (had) " groups of yours, and none of these. Ask whoever keeps the groups to add you." }
            }
        },
    )
}

pub(crate) fn silent() -> Markup {
    super::plain(
        "The login provider does not answer",
        html! { p { "The server's log says more. " a href="/login" { "Try again" } " in a while." } },
    )
}
