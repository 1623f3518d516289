//! Style, script and icon: built in. Their addresses hold a part of their hash, so that browsers may keep them for good.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::access::Door;
use crate::web::Route;

/// A file that pages need.
pub(super) struct Asset {
    /// Where it is.
    pub(super) address: String,
    kind: &'static str,
    text: &'static str,
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style.css", "text/css", include_str!("style.css")));
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("script.js", "text/javascript", include_str!("script.js")));
pub(super) static LIVE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("live.js", "text/javascript", include_str!("live.js")));
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("icon.svg")));

impl Asset {
    fn new(name: &str, kind: &'static str, text: &'static str) -> Self {
        let hash = HEXLOWER.encode(&Sha256::digest(text));
        Self { address: format!("/assets/{}/{name}", hash.get(..12).unwrap_or_default()), kind, text }
    }
}

pub(crate) fn assets() -> Vec<Route> {
    let assets: [&'static Asset; 4] = [&STYLE, &SCRIPT, &LIVE, &ICON];
    assets.into_iter().map(|asset| Route::get(&asset.address, Door::Open, move || file(asset))).collect()
}

async fn file(asset: &'static Asset) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.text)
}
