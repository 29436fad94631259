//! Words that the next page says once, after a form sent the reader there.

use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};

use super::cookies;
use super::i18n::{Language, maybe_words};
use crate::config::Config;

/// How long the words wait for their page.
const LIFE: std::time::Duration = std::time::Duration::from_secs(60);

/// Sends the reader to `address`, where a toast says the words of `key` (which must contain `-toast-`).
#[must_use]
pub fn redirect_with_toast(config: &Config, address: &str, key: &'static str) -> Response {
    let cookie = cookies::set(config, cookies::TOAST, key, LIFE);
    ([(SET_COOKIE, cookie)], Redirect::to(address)).into_response()
}

/// Whether a cookie's value is a key of such words; nothing else from a cookie ever reaches a page.
pub(super) fn is_key(key: &str) -> bool {
    key.contains("-toast-") && maybe_words(Language::En, key).is_some()
}
