//! The console's own files, embedded.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file by name; 404 otherwise.
pub(super) async fn show(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", include_str!("console.css")),
        "console.js" => ("text/javascript; charset=utf-8", include_str!("console.js")),
        "icons.svg" => ("image/svg+xml", include_str!("icons.svg")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // They change only with the program; asking again each time keeps a rebuilt sandbox honest.
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
