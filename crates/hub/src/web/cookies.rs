//! The hub's cookies: their names, and how they are read, set and removed.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::CookieJar;

use super::i18n::Language;
use crate::config::Config;

/// The signed-in session.
const SESSION: &str = "tl_session";
/// A random value of visitors who are not signed in, to which their CSRF token is bound.
pub(super) const VISITOR: &str = "tl_visitor";
/// `light` or `dark`; absent: as the system.
pub(super) const THEME: &str = "tl_theme";
/// The language chosen by a reader who has none in a profile.
pub(super) const LANGUAGE: &str = "tl_language";
/// The account whose lists the reader looks at; absent: all.
pub(super) const ACCOUNT: &str = "tl_account";
/// The key of the words that the next page says once.
pub(super) const TOAST: &str = "tl_toast";

/// A secret that the next page shows once, sealed.
pub(super) const SHOWN: &str = "tl_shown";

/// The state of a login at LINE that is under way in this browser.
const LOGIN_STATE: &str = "tl_login";

/// How long choices of theme and language are kept.
pub(super) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `__Host-` ties a cookie to this very host over https; browsers refuse the prefix without TLS.
fn full_name(config: &Config, name: &str) -> String {
    if config.is_https() { format!("__Host-{name}") } else { name.to_owned() }
}

/// A cookie's value, if the browser sends one that is not empty.
pub(super) fn get(config: &Config, headers: &HeaderMap, name: &str) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    let value = jar.get(&full_name(config, name))?.value();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The `Set-Cookie` value; `value` must be URL-safe. No script can read it, no other site's form sends it.
pub(super) fn set(config: &Config, name: &str, value: &str, life: Duration) -> HeaderValue {
    let secure = if config.is_https() { "; Secure" } else { "" };
    let name = full_name(config, name);
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", life.as_secs());
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The `Set-Cookie` value that removes a cookie.
pub(super) fn remove(config: &Config, name: &str) -> HeaderValue {
    set(config, name, "", Duration::ZERO)
}

/// The session's token, if the browser sends one.
#[must_use]
pub fn session(config: &Config, headers: &HeaderMap) -> Option<String> {
    get(config, headers, SESSION)
}

/// The `Set-Cookie` value that signs a browser in, for as long as an unused session lives.
#[must_use]
pub fn set_session(config: &Config, token: &str) -> HeaderValue {
    set(config, SESSION, token, config.session_life)
}

/// The `Set-Cookie` value that signs a browser out.
#[must_use]
pub fn remove_session(config: &Config) -> HeaderValue {
    remove(config, SESSION)
}

/// The `Set-Cookie` value that keeps a reader's language.
#[must_use]
pub fn set_language(config: &Config, language: Language) -> HeaderValue {
    set(config, LANGUAGE, language.tag(), YEAR)
}

/// The `Set-Cookie` value that keeps which account a reader looks at; empty for all.
#[must_use]
pub fn set_account(config: &Config, account: &str) -> HeaderValue {
    if account.is_empty() { remove(config, ACCOUNT) } else { set(config, ACCOUNT, account, YEAR) }
}

/// The state of the login at LINE that is under way in this browser.
#[must_use]
pub fn login_state(config: &Config, headers: &HeaderMap) -> Option<String> {
    get(config, headers, LOGIN_STATE)
}

/// The `Set-Cookie` value that keeps the state (URL-safe) of a login that begins.
#[must_use]
pub fn set_login_state(config: &Config, state: &str, life: Duration) -> HeaderValue {
    set(config, LOGIN_STATE, state, life)
}

/// The `Set-Cookie` value that forgets a login that is over.
#[must_use]
pub fn remove_login_state(config: &Config) -> HeaderValue {
    remove(config, LOGIN_STATE)
}
