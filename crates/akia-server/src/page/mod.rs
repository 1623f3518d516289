//! The pages, a file each. [`PAGES`] is the one list that the menu is made of.
//!
//! Invariant: markup is made by `maud` alone, which escapes what it is given; nothing here writes markup from a text.

mod assets;
mod campaign;
mod estate;
mod exemptions;
mod key;
mod keys;
mod leaks;
pub(crate) mod login;
mod parts;
mod picture;
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
use subtle::ConstantTimeEq as _;

use crate::access::Visitor;
use crate::web::Shared;

pub(crate) use assets::assets;

/// What the menu leads to: the address, the word.
const PAGES: [(&str, &str); 8] = [
    ("/", "Estate"),
    ("/keys", "Keys"),
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
        .merge(keys::routes())
}

/// A whole page with the menu; `at` is its address in the menu.
fn framed(visitor: &Visitor, at: &str, title: &str, main: Markup) -> Markup {
    let menu = html! {
        nav.menu aria-label="Pages" {
            ul {
                @for (address, word) in PAGES {
                    li { a href=(address) aria-current=[(address == at).then_some("page")] { (word) } }
                }
            }
        }
    };
    let who = html! { p { (visitor.person.name) " · " (visitor.person.role.as_str()) } };
    document(title, Some((menu, who)), main)
}

/// A page for whoever has not come in.
fn plain(title: &str, main: Markup) -> Markup {
    document(title, None, main)
}

fn document(title: &str, menu: Option<(Markup, Markup)>, main: Markup) -> Markup {
    let frame = if menu.is_some() { "frame has-menu" } else { "frame" };
    let (menu, who) = menu.unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · akia" }
                link rel="stylesheet" href=(assets::STYLE.address);
                link rel="icon" href=(assets::ICON.address) type="image/svg+xml";
                // Not deferred: it chooses the scheme before anything is drawn.
                script src=(assets::SCRIPT.address) {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                div class=(frame) {
                    header.top {
                        p.brand { a href="/" { img src=(assets::ICON.address) alt="" width="18" height="18"; "akia" } }
                        (menu)
                        div.who {
                            (who)
                            button.theme type="button" id="theme" hidden { "Dark colours" }
                        }
                    }
                    main id="main" tabindex="-1" { h1 { (title) } (main) }
                }
            }
        }
    }
}

/// Whether a form of this visitor's own pages was sent: another site's page cannot know the key.
fn is_own_form(visitor: &Visitor, form_key: &str) -> bool {
    visitor.form_key.as_deref().is_some_and(|ours| bool::from(ours.as_bytes().ct_eq(form_key.as_bytes())))
}

/// The answer to any other form.
fn foreign_form() -> Response {
    let main = html! { p { "This form is not from your session: perhaps you have logged in anew since. Nothing was changed. Open its page again." } };
    (StatusCode::FORBIDDEN, plain("Nothing was changed", main)).into_response()
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
