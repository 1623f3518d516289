//! Style, script and icon: built in, and kept by browsers for as long as they stay the same, since their addresses say which they are.

use axum::http::header;
use axum::response::IntoResponse;

use crate::access::Door;
use crate::web::Route;

/// Counted up when one of the files changes.
macro_rules! address {
    ($name:literal) => {
        concat!("/assets/", env!("CARGO_PKG_VERSION"), "/", $name)
    };
}

pub(super) const STYLE: &str = address!("style.css");
pub(super) const SCRIPT: &str = address!("script.js");
pub(super) const ICON: &str = address!("icon.svg");

pub(crate) fn assets() -> Vec<Route> {
    vec![
        Route::get(STYLE, Door::Open, || file("text/css", include_str!("style.css"))),
        Route::get(SCRIPT, Door::Open, || file("text/javascript", include_str!("script.js"))),
        Route::get(ICON, Door::Open, || file("image/svg+xml", include_str!("icon.svg"))),
    ]
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=3600")], text)
}
