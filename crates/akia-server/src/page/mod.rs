//! The pages, a file each. [`PAGES`] is the one list that the menu is made of.
//!
//! Invariant: markup is made by `maud` alone, which escapes what it is given; nothing here writes markup from a text.

mod assets;
mod estate;
pub(crate) mod login;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::access::{Door, Visitor};
use crate::sight::Role;
use crate::web::Route;

pub(crate) use assets::assets;

/// What the menu leads to: the address, the word.
const PAGES: [(&str, &str); 1] = [("/", "Estate")];

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/", Door::From(Role::Owner), estate::page)]
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
        (login::leave(visitor))
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

pub(crate) async fn not_found(uri: Uri) -> Response {
    let main = html! { p { "There is no page " code { (uri.path()) } ", or it is not yours to see." } p { a href="/" { "To the estate" } } };
    (StatusCode::NOT_FOUND, plain("Not found", main)).into_response()
}
