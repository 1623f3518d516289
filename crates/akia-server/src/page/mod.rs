//! The pages, a file each. [`PAGES`] is the one list that the menu is made of.
//!
//! Invariant: markup is made by `maud` alone, which escapes what it is given; nothing here writes markup from a text.

mod assets;
mod campaign;
mod estate;
pub(crate) mod exemptions;
mod key;
mod keys;
mod leaks;
pub(crate) mod login;
mod parts;
mod picture;
mod plans;
mod rotations;
mod runs;
mod services;
mod words;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::access::{Door, Visitor};
use crate::sight::Role;
use crate::web::Route;

pub(crate) use assets::assets;

/// What the menu leads to: the address, the word.
const PAGES: [(&str, &str); 9] = [
    ("/", "Estate"),
    ("/keys", "Keys"),
    ("/campaign", "Campaign"),
    ("/rotations", "Rotations"),
    ("/services", "Services"),
    ("/leaks", "Leaks"),
    ("/exemptions", "Exemptions"),
    ("/plans", "Plans"),
    ("/runs", "Runs"),
];

pub(crate) fn routes() -> Vec<Route> {
    let [owner, viewer, operator, admin] = Role::ALL.map(Door::From);
    let mut routes = vec![
        Route::get("/", owner, estate::page),
        Route::get("/keys/{identity}", owner, key::page),
        Route::post("/keys/{identity}/reactivate", operator, key::reactivate),
        Route::post("/keys/{identity}/exempt", admin, exemptions::grant),
        Route::get("/services", viewer, services::page),
        Route::post("/services/{name}/rotate", operator, services::rotate),
        Route::get("/campaign", owner, campaign::page),
        Route::get("/rotations", owner, rotations::list),
        Route::get("/rotations/{id}", owner, rotations::one),
        Route::get("/rotations/{id}/steps", owner, rotations::steps),
        Route::get("/leaks", owner, leaks::page),
        Route::get("/exemptions", owner, exemptions::page),
        Route::post("/exemptions/{id}/withdraw", admin, exemptions::withdraw),
        Route::get("/plans", viewer, plans::page),
        Route::get("/plans/{run}", viewer, plans::one),
        Route::post("/plans/{run}/approve", operator, plans::approve),
        Route::get("/runs", viewer, runs::page),
        Route::get("/runs/{id}", viewer, runs::one),
        Route::get("/runs/{id}/lines", viewer, runs::lines),
        Route::post("/runs/{id}/cancel", operator, runs::cancel),
        Route::post("/jobs/{name}/{act}", operator, runs::act_on_job),
        Route::post("/enforcement/{way}", admin, runs::move_switch),
    ];
    routes.extend(keys::routes());
    routes
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
    let who = html! {
        p { (visitor.person.name) " · " (visitor.person.role.as_str()) }
        (login::leave(visitor))
    };
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

/// What somebody gives as their reason, on one line and of bounded length.
fn reason(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// A number in an address.
fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// The one answer for what is not there and for what is not seen, so that nobody learns which it is.
pub(crate) fn not_yours() -> Response {
    let main = html! { p { "There is nothing here, or it is not yours." } p { a href="/" { "To the estate" } } };
    (StatusCode::NOT_FOUND, plain("Not found", main)).into_response()
}
