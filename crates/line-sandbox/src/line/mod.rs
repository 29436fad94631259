//! LINE's own paths at the root, with LINE's answers and texts (PLATFORM 4–9). All hosts of LINE are served from one origin.

mod account;
mod audience;
mod chat;
mod content;
mod counts;
pub(crate) mod coupon;
mod endpoint;
pub(crate) mod entry;
pub(crate) mod error;
mod gate;
mod insight;
mod lists;
mod mass;
pub(crate) mod membership;
pub(crate) mod module;
mod narrowcast;
mod paging;
mod pnp;
pub(crate) mod query;
mod rates;
pub(crate) mod rich_menu;
mod send;
pub(crate) mod shop;
pub(crate) mod target;
pub(crate) mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use url::Url;

use crate::Inner;
use crate::control::is_loopback;
use crate::line::error::LineError;

/// LINE's paths. Everything unknown at the root is LINE's 404.
pub(crate) fn routes(inner: &Arc<Inner>) -> Router {
    Router::new()
        .merge(tokens::routes())
        .merge(crate::login::api_routes())
        .merge(crate::liff::api_routes())
        .route("/v2/bot/channel/webhook/endpoint", get(endpoint::show).put(endpoint::set))
        .route("/v2/bot/channel/webhook/test", post(endpoint::test))
        .route("/v2/bot/info", get(account::info))
        .route("/v2/bot/profile/{user_id}", get(account::profile))
        .route("/v2/bot/group/{group_id}/summary", get(account::group_summary))
        .route("/v2/bot/group/{group_id}/members/count", get(account::count_members))
        .route("/v2/bot/group/{group_id}/member/{user_id}", get(account::member_profile))
        .route("/v2/bot/group/{group_id}/leave", post(account::leave))
        .route("/v2/bot/room/{room_id}/members/count", get(account::count_members))
        .route("/v2/bot/room/{room_id}/member/{user_id}", get(account::member_profile))
        .route("/v2/bot/room/{room_id}/leave", post(account::leave))
        .route("/v2/bot/message/quota", get(account::quota))
        .route("/v2/bot/message/quota/consumption", get(account::consumption))
        .route("/v2/bot/message/{message_id}/content", get(content::show))
        .route("/v2/bot/message/{message_id}/content/preview", get(content::preview))
        .route("/v2/bot/message/{message_id}/content/transcoding", get(content::transcoding))
        .route("/v2/bot/chat/loading/start", post(chat::start_loading))
        .route("/v2/bot/chat/markAsRead", post(chat::mark_as_read))
        .merge(rich_menu::routes())
        .merge(send::routes())
        .merge(mass::routes())
        .merge(narrowcast::routes())
        .merge(counts::routes())
        .merge(lists::routes())
        .merge(audience::routes())
        .merge(insight::routes())
        .merge(pnp::routes())
        .merge(coupon::routes())
        .merge(membership::routes())
        .merge(shop::routes())
        .merge(module::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(async || LineError::not_found())
        .layer(middleware::from_fn_with_state(Arc::clone(inner), entry::enter))
        .with_state(Arc::clone(inner))
}

/// Unknown paths, but for those of LINE's LIFF host, whose apps live below `/liff` here (PLATFORM 2).
async fn unknown(uri: Uri) -> Response {
    match crate::liff::own_path(uri.path()) {
        Some(path) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            Redirect::temporary(&format!("{path}{query}")).into_response()
        }
        None => LineError::not_found().into_response(),
    }
}

/// LINE's rule for a webhook address: https, at most 500 characters; plain http on loopback is the sandbox's own (CONTRACT 2).
pub(crate) fn is_webhook_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let secure = match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    secure && text.chars().count() <= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 6: https, at most 500 characters. CONTRACT 2: plain http on loopback.
    #[test]
    fn webhook_addresses_follow_the_rule() {
        assert!(is_webhook_url("https://shop.example/hook"));
        assert!(is_webhook_url("http://127.0.0.1:8080/hook"));
        assert!(is_webhook_url("http://hub.localhost/hook"));
        assert!(!is_webhook_url("http://shop.example/hook"));
        assert!(!is_webhook_url("ftp://shop.example/hook"));
        assert!(!is_webhook_url("not an address"));
        assert!(!is_webhook_url(&format!("https://shop.example/{}", "x".repeat(500))));
    }
}
