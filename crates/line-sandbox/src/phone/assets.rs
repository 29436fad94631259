//! The pages' own files, embedded.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file by name; 404 otherwise.
pub(super) async fn show(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "phone.css" => ("text/css; charset=utf-8", include_str!("phone.css")),
        "phone.js" => ("text/javascript; charset=utf-8", include_str!("phone.js")),
        "chat.js" => ("text/javascript; charset=utf-8", include_str!("chat.js")),
        "phones.js" => ("text/javascript; charset=utf-8", include_str!("phones.js")),
        "samples.js" => ("text/javascript; charset=utf-8", include_str!("samples.js")),
        "icons.svg" => ("image/svg+xml", include_str!("icons.svg")),
        "icon.svg" => ("image/svg+xml", include_str!("icon.svg")),
        "line-view.css" => ("text/css; charset=utf-8", line_view::CSS),
        "line-view.js" => ("text/javascript; charset=utf-8", line_view::JS),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // They change only with the program; asking again each time keeps a rebuilt sandbox honest.
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
