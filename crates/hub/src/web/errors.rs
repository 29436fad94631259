//! One error, three shapes: a whole page, a fragment that htmx puts in place, or RFC 9457 JSON.
//!
//! Handlers return [`AppError`]; its response carries the problem body and, out of sight, the error itself. Pages' routes
//! are wrapped by [`draw`], which replaces the body by what the request can show.

use std::error::Error;
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::shell::Ui;
use super::{Page, RequestId};
use crate::error::{AppError, FieldError};

/// The error behind a response, for [`draw`].
#[derive(Clone)]
struct Cause(Arc<AppError>);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let mut response = problem(&self);
        response.extensions_mut().insert(Cause(Arc::new(self)));
        response
    }
}

/// The JSON of an error: `type, title, status, detail, code`, `errors` of a 422, and further members.
#[must_use]
pub fn problem(error: &AppError) -> Response {
    let mut body = error.extra.clone();
    let mut put = |name: &str, value: serde_json::Value| body.insert(name.to_owned(), value);
    put("type", "about:blank".into());
    put("title", error.status.canonical_reason().unwrap_or("Error").into());
    put("status", error.status.as_u16().into());
    put("detail", error.detail.as_str().into());
    put("code", error.code.into());
    if !error.fields.is_empty() {
        let fields: Vec<_> = error.fields.iter().map(field_json).collect();
        put("errors", fields.into());
    }
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
    (error.status, kind, Json(body)).into_response()
}

fn field_json(error: &FieldError) -> serde_json::Value {
    serde_json::json!({ "field": error.field, "code": error.code, "detail": error.detail })
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    ui: Ui,
    status: u16,
    title: String,
    detail: String,
    request_id: String,
    back: Option<String>,
}

#[derive(Template)]
#[template(path = "error_partial.html")]
struct ErrorPartial {
    ui: Ui,
    detail: String,
}

#[derive(Template)]
#[template(path = "error_toast_partial.html")]
struct ErrorToast {
    ui: Ui,
    text: String,
}

/// Gives a failed response the shape its page can show; others pass unchanged.
pub(super) fn draw(response: Response, ui: &Ui) -> Response {
    let Some(Cause(error)) = response.extensions().get::<Cause>().cloned() else { return response };
    let status = error.status;
    if status == StatusCode::UNAUTHORIZED {
        return to_sign_in(ui);
    }
    let (title, detail) = (title(&error, ui), detail(&error, ui));
    let (ui, request_id, back) = (ui.clone(), ui.request_id().to_owned(), back(&error));
    let whole =
        ui.return_address().filter(|_| back.is_some()).and_then(|here| HeaderValue::from_str(here).ok());
    let mut drawn = if !ui.is_htmx() {
        (status, Page(ErrorPage { ui, status: status.as_u16(), title, detail, request_id, back }))
            .into_response()
    } else if let Some(here) = whole {
        (status, [("hx-redirect", here)]).into_response()
    } else if status.is_server_error() {
        let text = ui.t2("web-error-with-request", ("detail", detail), ("id", request_id));
        let headers = [("hx-retarget", "#toasts"), ("hx-reswap", "beforeend")];
        (status, headers, Page(ErrorToast { ui, text })).into_response()
    } else {
        (status, Page(ErrorPartial { ui, detail })).into_response()
    };
    drawn.extensions_mut().insert(Cause(error));
    drawn
}

/// As [`AppError::leading`] puts it.
fn back(error: &AppError) -> Option<String> {
    error.extra.get("back")?.as_str().map(str::to_owned)
}

/// Logs the private cause of a server error, once, where the response leaves.
pub(super) fn log(response: &Response, id: &RequestId) {
    let Some(Cause(error)) = response.extensions().get::<Cause>() else { return };
    if error.status.is_server_error() {
        let cause = error.source().map_or_else(String::new, chain);
        tracing::error!(
            request.id = id.as_str(),
            code = error.code,
            cause,
            "a request failed: {}",
            error.detail
        );
    }
}

/// An error and what lies beneath it, in one line.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// Sends the reader to the sign-in page, and from there back to where they were.
fn to_sign_in(ui: &Ui) -> Response {
    let mut address = String::from("/sign-in");
    if let Some(back) = ui.return_address() {
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        address.push_str("?next=");
        address.push_str(&back);
    }
    let address = HeaderValue::from_str(&address).unwrap_or(HeaderValue::from_static("/sign-in"));
    if ui.is_htmx() {
        (StatusCode::UNAUTHORIZED, [("hx-redirect", address)]).into_response()
    } else {
        (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
    }
}

/// The title of an error: by its code where that has one (`error-<code>-title`), else by its status.
fn title(error: &AppError, ui: &Ui) -> String {
    let key = format!("error-{}-title", error.code.replace('_', "-"));
    ui.maybe(&key).unwrap_or_else(|| ui.t(title_key(error.status)))
}

fn title_key(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "web-error-forbidden-title",
        StatusCode::NOT_FOUND => "web-error-not-found-title",
        StatusCode::CONFLICT => "web-error-conflict-title",
        status if status.is_server_error() => "web-error-internal-title",
        _ => "web-error-bad-request-title",
    }
}

/// Words in the reader's language where the error's code has them (`error-<code>`, in the language file of the slice that
/// makes it), else by its status: the English detail is for the API.
fn detail(error: &AppError, ui: &Ui) -> String {
    let by_status = match error.status {
        StatusCode::FORBIDDEN => "web-error-forbidden",
        StatusCode::NOT_FOUND => "web-error-not-found",
        StatusCode::CONFLICT => "web-error-conflict",
        status if status.is_server_error() => "web-error-internal",
        _ => "web-error-bad-request",
    };
    let key = format!("error-{}", error.code.replace('_', "-"));
    ui.maybe(&key).unwrap_or_else(|| ui.t(by_status))
}

/// The templates of errors, drawn in one language.
#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> [askama::Result<String>; 3] {
    let (ui, detail, request_id) = (ui.clone(), "<detail>".to_owned(), "r1".to_owned());
    let title = ui.t("web-error-not-found-title");
    [
        ErrorPage { ui: ui.clone(), status: 404, title, detail: detail.clone(), request_id, back: None }
            .render(),
        ErrorPartial { ui: ui.clone(), detail: detail.clone() }.render(),
        ErrorToast { ui, text: detail }.render(),
    ]
}
