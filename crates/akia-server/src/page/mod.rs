//! The pages, a file each. [`PAGES`] is the one list that the menu is made of.
//!
//! Invariant: markup is made by `maud` alone, which escapes what it is given; nothing here writes markup from a text.

mod assets;
mod campaign;
mod estate;
mod exemptions;
mod key;
mod leaks;
pub(crate) mod login;
mod picture_bars;
mod plans;
mod rotations;
mod runs;
mod words;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{DOCTYPE, Markup, html};

use crate::access::Visitor;
use crate::web::Shared;

pub(crate) use assets::assets;

/// What the menu leads to: the address, the word.
const PAGES: [(&str, &str); 7] = [
    ("/", "Estate"),
    ("/campaign", "Campaign"),
    ("/rotations", "Rotations"),
    ("/leaks", "Leaks"),
    ("/exemptions", "Exemptions"),
    ("/plans", "Plans"),
    ("/runs", "Runs"),
];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(estate::page))
        .route("/plans", get(plans::page))
        .route("/plans/{run}", get(plans::one))
        .route("/plans/{run}/approve", post(plans::approve))
        .route("/runs", get(runs::page))
        .route("/runs/{id}", get(runs::one))
        .route("/runs/{id}/lines", get(runs::lines))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/enforcement/{way}", post(runs::move_switch))
        .route("/jobs/{name}/{act}", post(runs::act_on_job))
        .route("/keys/{identity}", get(key::page))
        .route("/campaign", get(campaign::page))
        .route("/rotations", get(rotations::list))
        .route("/rotations/{id}", get(rotations::one))
        .route("/rotations/{id}/steps", get(rotations::steps))
        .route("/leaks", get(leaks::page))
        .route("/exemptions", get(exemptions::page))
}

/// A whole page with the menu; `at` is its address in the menu.
fn framed(visitor: &Visitor, at: &str, title: &str, main: Markup) -> Markup {
    let menu = html! {
        nav aria-label="Pages" {
            ul {
                @for (address, word) in PAGES {
                    li { a href=(address) aria-current=[(address == at).then_some("page")] { (word) } }
                }
            }
        }
        p.who { (visitor.person.name) " · " (visitor.person.role.as_str()) }
    };
    document(title, menu, main)
}

/// A page for whoever has not come in.
fn plain(title: &str, main: Markup) -> Markup {
    document(title, html! {}, main)
}

fn document(title: &str, menu: Markup, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · akia" }
                link rel="stylesheet" href=(assets::STYLE);
                link rel="icon" href=(assets::ICON) type="image/svg+xml";
                script src=(assets::SCRIPT) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header { p.brand { "akia" } (menu) }
                main id="main" { h1 { (title) } (main) }
            }
        }
    }
}

/// The answer where the server itself fails. The reason goes to the log; whoever asked is told that, and no more.
pub(crate) fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a request could not be answered");
    let main =
        html! { p { "The server could not answer this. Its log says why; ask whoever runs it, and try again." } };
    (StatusCode::INTERNAL_SERVER_ERROR, plain("Something failed", main)).into_response()
}

pub(crate) async fn not_found() -> Response {
    not_yours()
}

/// The one answer for what is not there and for what is not seen, so that nobody learns which it is.
pub(crate) fn not_yours() -> Response {
    let main = html! { p { "There is nothing here, or it is not yours." } p { a href="/" { "To the estate" } } };
    (StatusCode::NOT_FOUND, plain("Not found", main)).into_response()
}
