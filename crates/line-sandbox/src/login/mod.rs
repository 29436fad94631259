//! LINE Login v2.1 (PLATFORM 23) and account linking (PLATFORM 17): the authorise pages on which a person of the sandbox logs in,
//! consents and adds the account, and the calls that follow.
//!
//! A page visit is a `Ticket`; its steps are in `flow`. What a person allowed a channel is remembered, as at LINE.

mod api;
mod authorize;
mod flow;
mod link;
mod pages;
mod state;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

pub(crate) use self::api::{Friendship, UserCaller};
pub(crate) use self::authorize::BotPrompt;
pub(crate) use self::flow::{Goal, Ticket, is_welcome, open_ticket};
pub(crate) use self::pages::{Shell, draw, trouble};
pub(crate) use self::state::{Code, State, UserToken, Visit};
pub(crate) use self::token::{LIFF_TOKEN_SECONDS, id_token, token, verify_id_token};
use crate::Inner;
use crate::control::only_local;

/// Pages may post to wherever a callback is; nothing from elsewhere runs on them.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data: http: https:; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'self'";

/// The calls of Login that are not shared with channel tokens.
pub(crate) fn api_routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/oauth2/v2.1/userinfo", open_to_pages(get(api::user_info).post(api::user_info)))
        .route("/oauth2/v2.1/certs", open_to_pages(get(api::certs)))
        .route("/.well-known/openid-configuration", open_to_pages(get(api::discovery)))
        .route("/v2/profile", open_to_pages(get(api::profile)))
        .route("/friendship/v1/status", open_to_pages(get(api::friendship)))
        .route("/user/v1/deauthorize", post(api::deauthorize))
        .route("/v2/bot/user/{user_id}/linkToken", post(link::issue))
}

/// The pages.
pub(crate) fn page_routes(inner: &Arc<Inner>) -> Router {
    let router = Router::new()
        .route("/oauth2/v2.1/authorize", get(authorize::start))
        .route("/liff/v1/authorize", get(authorize::start_liff))
        .route("/login/{ticket}", get(flow::show).post(flow::act))
        .route("/dialog/bot/accountLink", get(link::show).post(link::confirm));
    as_pages(router)
        .route("/assets/login.css", asset("text/css; charset=utf-8", include_str!("login.css")))
        .route("/assets/login.js", asset("text/javascript; charset=utf-8", include_str!("login.js")))
        .with_state(Arc::clone(inner))
}

/// Gives pages their headers and keeps strangers out.
pub(crate) fn as_pages(router: Router<Arc<Inner>>) -> Router<Arc<Inner>> {
    router.layer(middleware::from_fn(protect)).layer(middleware::from_fn(only_local))
}

/// A file of the pages. It changes only with the program; asking again each time keeps a rebuilt sandbox honest.
pub(crate) fn asset(kind: &'static str, text: &'static str) -> MethodRouter<Arc<Inner>> {
    get(async move || ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text))
}

/// The headers of every page; what sets its own policy keeps it.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` a browser would post forms with `Origin: null`, which is foreign.
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Lets pages of any origin call, as LINE does where its LIFF client calls from the app's own pages. A token, not a cookie, is what
/// lets a caller in.
pub(crate) fn open_to_pages(methods: MethodRouter<Arc<Inner>>) -> MethodRouter<Arc<Inner>> {
    methods.options(async || StatusCode::NO_CONTENT).layer(middleware::map_response(allow_pages))
}

async fn allow_pages(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        // A page of the open internet, such as one behind a tunnel, may reach this machine.
        (HeaderName::from_static("access-control-allow-private-network"), "true"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
