//! What the next page says once, after a form sent the reader there: words, or a secret that was just made.

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};

use super::cookies;
use super::i18n::{Language, maybe_words};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::secrets::Secret;

/// How long it waits for its page.
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

/// Sends the reader to `address`, whose page shows a secret this once: so loading that page again makes no other one.
///
/// On the way the secret is in a cookie of the reader's, sealed for `identity`, which names whose secret it is and who may see
/// it; thus it does not matter which node draws the page.
#[must_use]
pub fn redirect_with_secret(hub: &Hub, address: &str, identity: &str, secret: &Secret) -> Response {
    let plain = format!("{} {}", hub.now().plus(LIFE).millis(), secret.expose());
    let sealed = hub.keyring.seal(&hub.entropy, &shown(identity), &plain);
    let cookie = cookies::set(&hub.config, cookies::SHOWN, &sealed, LIFE);
    ([(SET_COOKIE, cookie)], Redirect::to(address)).into_response()
}

/// The secret that [`redirect_with_secret`] sent with the reader; its page is then answered through [`show_once`].
#[must_use]
pub fn shown_secret(hub: &Hub, headers: &HeaderMap, identity: &str) -> Option<Secret> {
    let sealed = cookies::get(&hub.config, headers, cookies::SHOWN)?;
    let plain = hub.keyring.open(&shown(identity), &sealed).ok()?;
    let (until, secret) = plain.expose().split_once(' ')?;
    (hub.now() < Timestamp(until.parse().ok()?)).then(|| Secret::from(secret.to_owned()))
}

/// A page with a secret on it: the browser keeps neither.
#[must_use]
pub fn show_once(config: &Config, page: impl IntoResponse) -> Response {
    let cookie = cookies::remove(config, cookies::SHOWN);
    ([(SET_COOKIE, cookie)], [(CACHE_CONTROL, "no-store")], page).into_response()
}

fn shown(identity: &str) -> String {
    format!("shown/{identity}")
}
