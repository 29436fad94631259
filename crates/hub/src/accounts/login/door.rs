//! The public addresses: where a test goes to LINE, where LINE brings people back, and where it opens the LIFF app.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::flow;
use super::model::{LoginChannel, liff_path};
use super::run::{self, Arrival, Back, FromLiff};
use crate::accounts::model::Account;
use crate::app::Hub;
use crate::config::Config;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, Id as _, LoginTestId};
use crate::team::Viewer;
use crate::web::{Page, Ui, cookies};

/// The largest report of a LIFF page: two tokens.
const MAX_REPORT: usize = 32 * 1024;

/// The public addresses of login and LIFF.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route("/login/line/{key}/start", get(start))
        .route("/login/line/{key}/callback", get(callback))
        .route("/liff/{key}", get(liff))
        .route("/liff/{key}/", get(liff))
        .route("/liff/{key}/{*path}", get(liff))
        .route("/liff/{key}/report", post(report).layer(axum::extract::DefaultBodyLimit::max(MAX_REPORT)))
}

fn parse(key: &str) -> AppResult<AccountId> {
    AccountId::parse(key).ok_or_else(|| AppError::not_found("page"))
}

#[derive(Template)]
#[template(path = "login_back.html")]
struct BackPage {
    ui: Ui,
    /// Whether this login is one that we know.
    is_known: bool,
    /// The test's page, for those who are signed in here.
    page: Option<String>,
}

impl BackPage {
    fn answer(ui: Ui, viewer: Option<&Viewer>, key: &AccountId, is_known: bool) -> Response {
        let page = viewer.map(|_| format!("/settings/accounts/{key}/login-test"));
        Page(Self { ui, is_known, page }).into_response()
    }
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    run: String,
}

/// Sends a browser to LINE: that of the person who tests, or of their phone.
async fn start(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Option<Viewer>,
    Path(key): Path<String>,
    Query(query): Query<Start>,
) -> AppResult<Response> {
    let key = parse(&key)?;
    let left = match LoginTestId::parse(&query.run) {
        Some(id) => run::depart(&hub, &key, &id, ui.language()).await?,
        None => None,
    };
    Ok(match left {
        Some((url, state)) => to_line(&hub, &url, &state),
        None => BackPage::answer(ui, viewer.as_ref(), &key, false),
    })
}

fn to_line(hub: &Hub, url: &str, state: &str) -> Response {
    let cookie = cookies::set_login_state(&hub.config, state, flow::LIFE);
    ([(SET_COOKIE, cookie)], Redirect::to(url)).into_response()
}

/// Where LINE brings people back to. Nothing of its query is logged, nothing of it is shown.
async fn callback(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Option<Viewer>,
    Path(key): Path<String>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let key = parse(&key)?;
    let cookie = cookies::login_state(&hub.config, &headers);
    let is_known = match run::arrive(&hub, &key, &back, cookie.as_deref(), ui.language()).await? {
        Arrival::Again(url, state) => return Ok(to_line(&hub, &url, &state)),
        Arrival::Done => true,
        Arrival::Unknown => false,
    };
    let mut response = BackPage::answer(ui, viewer.as_ref(), &key, is_known);
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, cookies::remove_login_state(&hub.config));
    // The address holds the code.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

#[derive(Template)]
#[template(path = "liff_page.html")]
struct LiffPage {
    ui: Ui,
    account: Account,
    liff_id: String,
    /// LINE's program.
    client: String,
    /// The path that every page of the app lies below.
    root: String,
}

/// The LIFF app's one page, at its Endpoint URL and everywhere below: LINE's program starts first and keeps what LINE put
/// into the address (GOTCHAS E1), then the page's own script decides by the path what to show. Nothing here redirects.
async fn liff(
    State(hub): State<Hub>,
    ui: Ui,
    Path(parts): Path<Vec<(String, String)>>,
) -> AppResult<Response> {
    let key = parts.first().map_or("", |(_, value)| value.as_str());
    let key = parse(key)?;
    let (account, row) = run::behind(&hub, &key).await?.ok_or_else(|| AppError::not_found("page"))?;
    let liff_id = row.liff_id.ok_or_else(|| AppError::not_found("page"))?;
    let (client, root) = (hub.config.line.liff_client(), liff_path(&key));
    let mut response = Page(LiffPage { ui, account, liff_id, client, root }).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy(&hub.config)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    // The address holds the person's access token until LINE's program has taken it out (GOTCHAS E16).
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// The content security policy of the LIFF page: that of all pages, and LINE's program with the hosts that it calls.
///
/// LINE's program is the one script that a page loads from another host. Its terms are LINE's (the npm package names the
/// LINE Developers Agreement as its licence), so it is not part of this program and comes from LINE; it also changes
/// together with LINE's app. The hosts are those that it has built in (PLATFORM 24.4).
fn policy(config: &Config) -> String {
    let policy = crate::web::content_security_policy(config);
    let (scripts, calls, frames) = if config.line.liff.host_str() == Some("liff.line.me") {
        let scripts = "https://static.line-scdn.net https://liffsdk.line-scdn.net".to_owned();
        let calls = "https://api.line.me https://access.line.me https://liff.line.me \
            https://static.line-scdn.net https://liffsdk.line-scdn.net";
        (scripts, calls.to_owned(), "'none'".to_owned())
    } else {
        // A local LINE opens the app in a frame of its own, and its dialogs in frames of the app.
        let origin = config.line.liff.origin().ascii_serialization();
        (origin.clone(), origin.clone(), format!("{origin}; frame-src {origin}"))
    };
    policy
        .replace("script-src 'self'", &format!("script-src 'self' {scripts}"))
        .replace("connect-src 'self'", &format!("connect-src 'self' {calls}"))
        .replace("frame-ancestors 'none'", &format!("frame-ancestors {frames}"))
}

/// What the LIFF page's test found.
async fn report(
    State(hub): State<Hub>,
    Path(key): Path<String>,
    Json(sent): Json<FromLiff>,
) -> AppResult<Json<serde_json::Value>> {
    let key = parse(&key)?;
    let is_known = match LoginTestId::parse(&sent.run) {
        Some(id) => run::from_liff(&hub, &key, &id, &sent).await?,
        None => false,
    };
    Ok(Json(serde_json::json!({ "known": is_known })))
}

impl LiffPage {
    /// Whether the page can show the account's own picture.
    fn picture(&self) -> &str {
        self.account.picture_url.as_deref().unwrap_or_default()
    }
}

/// Whether a Login channel's LIFF page can be opened at all.
#[must_use]
pub(super) fn can_open(row: &LoginChannel) -> bool {
    row.liff_id.is_some() && row.has_secret()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::TestHub;
    use crate::db::testing::Engine;

    #[tokio::test]
    async fn only_the_liff_page_loads_lines_program_and_only_from_line() {
        let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
        let mut config = test.hub.config.clone();
        config.line.liff = "https://liff.line.me".parse().unwrap();
        let allowed = policy(&config);
        assert!(allowed.contains("script-src 'self' https://static.line-scdn.net "), "{allowed}");
        assert!(allowed.contains("frame-ancestors 'none'") && !allowed.contains("unsafe"), "{allowed}");
        assert_eq!(config.line.liff_client(), "https://static.line-scdn.net/liff/edge/2/sdk.js");
        assert!(!crate::web::content_security_policy(&config).contains("static.line-scdn.net"));
        config.line.liff = "http://127.0.0.1:8140/liff".parse().unwrap();
        let allowed = policy(&config);
        assert!(allowed.contains("script-src 'self' http://127.0.0.1:8140;"), "{allowed}");
        assert!(allowed.contains("frame-ancestors http://127.0.0.1:8140"), "{allowed}");
        assert_eq!(config.line.liff_client(), "http://127.0.0.1:8140/liff/sdk.js");
        test.close().await;
    }
}
