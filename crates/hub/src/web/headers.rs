//! What browsers may do with the hub's pages: only what comes from the hub itself, nothing inline, in no frame.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::Hub;
use crate::config::Config;

/// Where LINE keeps the pictures of profiles, groups and OAs (PLATFORM 15: `pictureUrl`), and those of stickers and emoji.
const LINE_PICTURES: &str = "https://profile.line-scdn.net https://obs.line-scdn.net \
     https://sprofile.line-scdn.net https://stickershop.line-scdn.net";

/// Features that no page uses; a message cannot ask for them either.
const PERMISSIONS: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()";

/// Whether pages load LINE's own pictures: not where LINE is a local one, whose pages stay on this machine.
#[must_use]
pub(crate) fn loads_line_pictures(config: &Config) -> bool {
    config.line.data.scheme() != "http"
}

/// The content security policy of all pages.
#[must_use]
pub fn content_security_policy(config: &Config) -> String {
    let pictures = if loads_line_pictures(config) {
        LINE_PICTURES.to_owned()
    } else {
        // A local LINE serves its pictures itself.
        config.line.data.origin().ascii_serialization()
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data: blob: {pictures}; media-src 'self' blob:; manifest-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// Adds the headers to every response that has none of its own of that name.
pub(super) async fn add(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let mut put = |name: HeaderName, value: HeaderValue| {
        response.headers_mut().entry(name).or_insert(value);
    };
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(&hub.config)) {
        put(CONTENT_SECURITY_POLICY, policy);
    }
    put(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    put(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    put(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    put(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    put(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
    put(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if hub.config.is_https() {
        put(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
