//! The door.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

/// Where somebody goes who has not come in: people to the door, programs to their answer.
pub(crate) fn needed(uri: &Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return (StatusCode::UNAUTHORIZED, "a token or a session is needed\n").into_response();
    }
    Redirect::to("/login").into_response()
}

pub(crate) fn page() -> Markup {
    super::plain(
        "Log in",
        html! { p { "Follow the one-time link that " code { "akia serve" } " has printed, or make another with " code { "akia serve link" } "." } },
    )
}

pub(crate) fn spent() -> Markup {
    super::plain(
        "This link does not work any more",
        html! { p { "A link lets one person in, once, within a quarter of an hour. Make another with " code { "akia serve link" } "." } },
    )
}
