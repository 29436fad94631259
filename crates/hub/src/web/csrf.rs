//! Proof that a change comes from one of the hub's own pages: a token bound to the session (or, before signing in, to a
//! random cookie), and the browser's word about where the request comes from.

use aws_lc_rs::{constant_time, hmac};
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::error::{AppError, AppResult};

/// The hidden field of forms.
pub const FIELD: &str = "csrf";
/// The header that htmx sends.
pub const HEADER: &str = "x-csrf-token";

/// A form without a file is never larger.
const FORM_MAX: usize = 256 * 1024;

/// The token for a session's or a visitor's secret. Whoever reads it in a page does not learn the cookie.
pub(super) fn token(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, b"csrf"))
}

/// Checks a request that may change something; gives its body back, which may have been read for the field.
///
/// # Errors
/// 403 when the request comes from elsewhere or its token is missing or wrong.
pub(super) async fn check(parts: &Parts, body: Body, expected: &str) -> AppResult<Body> {
    if parts.method.is_safe() {
        return Ok(body);
    }
    if !is_from_here(parts) {
        return Err(refused());
    }
    let is_form = header(parts, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let (given, body) = match header(parts, HEADER) {
        Some(token) => (Some(token.to_owned()), body),
        None if is_form => {
            let bytes = to_bytes(body, FORM_MAX).await.map_err(|_| {
                AppError::bad_request("form_too_large", "the form is too large or was cut off")
            })?;
            let field = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == FIELD);
            (field.map(|(_, value)| value.into_owned()), Body::from(bytes))
        }
        None => (None, body),
    };
    let is_same = given.is_some_and(|given| {
        constant_time::verify_slices_are_equal(given.as_bytes(), expected.as_bytes()).is_ok()
    });
    if is_same { Ok(body) } else { Err(refused()) }
}

/// Whether the browser says, by `Sec-Fetch-Site` and `Origin`, that one of this host's pages sent the request. Neither is
/// required: the token is.
fn is_from_here(parts: &Parts) -> bool {
    if header(parts, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = header(parts, ORIGIN.as_str()) else { return true };
    let host = header(parts, HOST.as_str()).or_else(|| parts.uri.authority().map(Authority::as_str));
    let Ok(origin) = Url::parse(origin) else { return false };
    let (Some(name), Some(host)) = (origin.host_str(), host) else { return false };
    let authority = origin.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    authority.eq_ignore_ascii_case(host)
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn refused() -> AppError {
    AppError::new(
        StatusCode::FORBIDDEN,
        "csrf",
        "this page is out of date, or the request came from elsewhere; load the page again",
    )
}
