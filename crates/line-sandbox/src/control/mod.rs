//! `/sandbox/v1`: what LINE's consoles and people's phones do, and what happened (CONTRACT 2).

mod channels;
mod coupons;
mod credentials;
mod groups;
pub(crate) mod input;
mod memberships;
mod modules;
mod observe;
mod people;
mod reactions;
mod rich_menu;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use crate::Inner;
use crate::control::input::Problem;

/// The largest control body: media comes as base64.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The control paths.
pub(crate) fn routes(inner: &Arc<Inner>) -> Router {
    let api = Router::new()
        .route("/providers", get(channels::list_providers).post(channels::create_provider))
        .route("/channels", get(channels::list_channels).post(channels::create_channel))
        .route("/channels/{channel}", get(channels::show_channel).patch(channels::change_channel))
        .route("/channels/{channel}/verify", post(channels::verify_webhook))
        .merge(credentials::routes())
        .route("/users", get(people::list_users).post(people::create_user))
        .route("/users/{user}", axum::routing::patch(people::change_user))
        .route("/users/{user}/follow", post(people::follow))
        .route("/users/{user}/unfollow", post(people::unfollow))
        .route("/users/{user}/messages", post(people::send_message))
        .route("/users/{user}/edits", post(people::edit_message))
        .route("/users/{user}/postbacks", post(people::send_postback))
        .route("/users/{user}/unsend", post(people::unsend_message))
        .route("/users/{user}/read", post(people::read_chat))
        .route("/users/{user}/clicks", post(reactions::click))
        .route("/users/{user}/video-plays", post(reactions::play))
        .route("/sends", get(reactions::list_sends))
        .route("/users/{user}/timeline", get(people::show_timeline))
        .route("/groups", get(groups::list_groups).post(groups::create_group))
        .route("/groups/{group}", delete(groups::remove_bot))
        .route("/groups/{group}/members", get(groups::list_members).post(groups::add_members))
        .route("/groups/{group}/members/{user}", delete(groups::remove_member))
        .route("/deliveries", get(observe::list_deliveries))
        .route("/deliveries/{delivery}/redeliver", post(observe::redeliver))
        .route("/requests", get(observe::list_requests))
        .route(
            "/faults",
            get(observe::list_faults).post(observe::create_fault).delete(observe::delete_faults),
        )
        .route("/faults/{fault}", delete(observe::delete_fault))
        .route("/clock", get(observe::show_clock).post(observe::advance_clock))
        .route("/reset", post(observe::reset))
        .merge(rich_menu::routes())
        .merge(crate::manager::routes())
        .merge(coupons::routes())
        .merge(memberships::routes())
        .merge(modules::routes())
        .merge(crate::console::control_routes())
        .fallback(async || Problem::not_found("no such control path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, None, "this path does not take that method")
        })
        .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(only_local))
        .with_state(Arc::clone(inner));
    Router::new().nest("/sandbox/v1", api)
}

/// Refuses a foreign `Host` or `Origin`, so that no web page reaches the controls through a browser (CONTRACT 2).
pub(crate) async fn only_local(request: Request, next: Next) -> Response {
    if let Err(problem) = check_local(request.headers(), request.uri()) {
        return problem.into_response();
    }
    next.run(request).await
}

fn check_local(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let foreign =
        |field| Problem::new(StatusCode::FORBIDDEN, Some(field), "only loopback names may reach the sandbox");
    let host = match headers.get("host") {
        Some(host) => host.to_str().ok().and_then(|host| host.parse().ok()),
        None => uri.authority().cloned(),
    };
    // Without a host there is no browser behind the call.
    if host.is_some_and(|host: axum::http::uri::Authority| !is_loopback(host.host())) {
        return Err(foreign("Host"));
    }
    let Some(origin) = headers.get("origin") else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    match origin.as_ref().and_then(Uri::host) {
        Some(host) if is_loopback(host) => Ok(()),
        _ => Err(foreign("Origin")),
    }
}

/// Tells whether a host name or address means this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
