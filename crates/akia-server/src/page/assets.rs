//! Style, script and icon: built in, and kept by browsers for as long as they stay the same, since their addresses say which they are.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::web::Shared;

/// Counted up when one of the files changes.
macro_rules! address {
    ($name:literal) => {
        concat!("/assets/", env!("CARGO_PKG_VERSION"), "/", $name)
    };
}

pub(super) const STYLE: &str = address!("style.css");
pub(super) const SCRIPT: &str = address!("script.js");
pub(super) const LIVE: &str = address!("live.js");
pub(super) const ICON: &str = address!("icon.svg");

pub(crate) fn assets() -> Router<Shared> {
    Router::new()
        .route(STYLE, get(|| file("text/css", include_str!("style.css"))))
        .route(SCRIPT, get(|| file("text/javascript", include_str!("script.js"))))
        .route(LIVE, get(|| file("text/javascript", include_str!("live.js"))))
        .route(ICON, get(|| file("image/svg+xml", include_str!("icon.svg"))))
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=3600")], text)
}
