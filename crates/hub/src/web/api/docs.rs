//! The readable page of the API, drawn from its description.

use axum::response::Html;
use utoipa::openapi::OpenApi;

/// The page.
pub(super) fn page(openapi: &OpenApi) -> Html<String> {
    let mut calls = String::new();
    for path in openapi.paths.paths.keys() {
        calls.push_str(path);
        calls.push('\n');
    }
    Html(calls)
}
