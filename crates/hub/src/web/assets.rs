//! The files browsers load: embedded, named by their content, kept by browsers for a year.

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::error::AppError;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Styles and scripts of the crate that draws messages; the build script cannot know where it lies.
const OF_LINE_VIEW: [(&str, &str); 2] = [("line-view.css", line_view::CSS), ("line-view.js", line_view::JS)];

/// Where assets are served, with their hashed names below.
pub(super) const PATH: &str = "/assets/{name}";

struct Asset {
    bytes: &'static [u8],
    content_type: String,
}

#[derive(Default)]
struct Assets {
    address_of: HashMap<&'static str, String>,
    by_hashed_name: HashMap<String, Asset>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets::default();
    let of_line_view = OF_LINE_VIEW.iter().map(|(name, text)| (*name, text.as_bytes()));
    for (name, bytes) in FILES.iter().copied().chain(of_line_view) {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let hash: String =
            digest(&SHA256, bytes).as_ref().iter().take(8).map(|b| format!("{b:02x}")).collect();
        let hashed = format!("{stem}.{hash}.{extension}");
        let mut content_type = mime_guess::from_ext(extension).first_or_octet_stream().to_string();
        if content_type.starts_with("text/") {
            content_type.push_str("; charset=utf-8");
        }
        assets.address_of.insert(name, format!("/assets/{hashed}"));
        assets.by_hashed_name.insert(hashed, Asset { bytes, content_type });
    }
    assets
});

/// The address of an asset by its plain name (`app.css`); an unknown name (a test looks for those) is logged.
#[must_use]
pub fn address(name: &str) -> &'static str {
    ASSETS.address_of.get(name).map_or_else(
        || {
            tracing::error!(name, "there is no such asset");
            "/assets/missing"
        },
        String::as_str,
    )
}

/// Whether there is an asset of this plain name.
#[cfg(test)]
pub(super) fn exists(name: &str) -> bool {
    ASSETS.address_of.contains_key(name)
}

/// Serves one asset. The name holds the content's hash, so a browser never asks twice.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    ASSETS.by_hashed_name.get(&name).map_or_else(
        || AppError::not_found("file").into_response(),
        |asset| {
            let headers = [
                (CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (CONTENT_TYPE, asset.content_type.as_str()),
            ];
            (headers, Bytes::from_static(asset.bytes)).into_response()
        },
    )
}
