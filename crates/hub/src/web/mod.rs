//! The engine of pages: the frame around them, languages, themes, assets, forms, CSRF, errors, security headers.
//!
//! It knows no feature. A slice's page is an askama template with a field `ui` ([`Ui`], an extractor) that extends
//! `layout.html` and uses the parts of `parts.html`; its handler returns [`Page`], or [`AppError`], which becomes a page,
//! a fragment or JSON. `wiring` puts the slices' routes between [`inside`] and [`outside`]:
//!
//! ```text
//! outside: id and log · panics caught · time limit · compression · headers
//!   the slice that knows sessions puts `Person` into the request
//!     inside: `Ui` · CSRF · errors drawn
//!       the slices' routes
//! ```

pub mod api;
pub mod assets;
pub mod cookies;
pub mod csrf;
mod errors;
mod flash;
mod forms;
mod headers;
pub mod i18n;
mod log;
pub mod metrics;
mod peer;
mod shell;
mod system;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod time;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

pub use errors::problem;
pub use flash::{redirect_with_secret, redirect_with_toast, show_once, shown_secret};
pub use forms::{Fields, FormState};
pub use headers::content_security_policy;
pub(crate) use headers::loads_line_pictures;
pub use log::RequestId;
pub use peer::{Peer, Proxies};
pub use shell::{Figure, Limit, NavEntry, Person, SettingsEntry, Shell, Theme, Ui};
pub use time::moment_text;

use crate::app::Hub;
use crate::error::AppError;

/// No page takes longer. Streams are not cut: their answer has begun.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// An address that leads nowhere but into this hub, for a redirect whose target comes from outside: a query, a form, a
/// header, or the path of the request itself. Refused is also what only a proxy that decodes it would take for a host.
#[must_use]
pub fn local_address(address: &str) -> Option<&str> {
    let is_clean = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let second = percent_encoding::percent_decode_str(address).nth(1);
    let is_elsewhere = second.is_some_and(|byte| matches!(byte, b'/' | b'\\' | 0..=b' '));
    (address.starts_with('/') && is_clean && !is_elsewhere).then_some(address)
}

/// The readable page of the API.
const DOCS: &str = "/api/v1/docs";

/// Whether an address is for programs: no session, no frame around it.
#[must_use]
pub fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") && path != DOCS
}

/// A page or fragment to be drawn from its template.
#[derive(Debug)]
pub struct Page<T>(pub T);

/// Marks responses that a browser shows as a document or part of one.
#[derive(Debug, Clone, Copy)]
struct IsHtml;

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(html) => {
                let mut response = Html(html).into_response();
                response.extensions_mut().insert(IsHtml);
                response
            }
            Err(error) => AppError::internal(error).into_response(),
        }
    }
}

/// The engine's own routes: home, assets, theme, `/healthz`, `/readyz`, `/metrics`.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route(assets::PATH, get(assets::serve))
        .route("/", get(system::home))
        .route("/theme", post(system::set_theme))
        .route("/healthz", get(system::healthz))
        .route("/readyz", get(system::readyz))
        .route("/metrics", get(system::metrics))
}

/// What pages need around their handlers.
pub fn inside(routes: Router<Hub>, hub: &Hub, shell: Shell) -> Router<Hub> {
    routes
        .fallback(|| async { AppError::not_found("page") })
        .layer(from_fn_with_state((hub.clone(), Arc::new(shell)), shell::attach))
}

/// What every answer needs: an id and a line in the log, a caught panic, a time limit, compression, security headers.
pub fn outside(routes: Router<Hub>, hub: &Hub) -> Router<Hub> {
    routes.route_layer(from_fn(log::note_route)).layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(hub.clone(), log::requests))
            .layer(from_fn_with_state(hub.clone(), headers::add))
            .layer(CompressionLayer::new())
            .layer(CatchPanicLayer::custom(panicked))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIME_LIMIT)),
    )
}

/// A handler that panicked answers 500; the panic's message goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("of an unknown kind")
        .to_owned();
    AppError::internal(format!("a panic: {message}")).into_response()
}
