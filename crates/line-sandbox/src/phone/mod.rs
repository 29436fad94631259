//! The pages on which a person chats with an account, as on a phone. They act through `/sandbox/v1` like any script and
//! follow changes by server-sent events. `phone.js` is what all of them do, `chat.js` an open chat, `phones.js` several side by side.

mod account;
mod assets;
mod chat;
mod coupon;
mod links;
mod list;
mod live;
mod media;
mod menu;
mod pages;
mod transcript;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;

use crate::Inner;
use crate::control::only_local;

pub(crate) use self::pages::{Face, page};

/// Nothing from elsewhere may run; pictures and media of messages may come from anywhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data: http: https:; media-src 'self' data: blob: http: https:; frame-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'self'";

/// The pages, their assets, and the media of messages.
pub(crate) fn routes(inner: &Arc<Inner>) -> Router {
    Router::new()
        .route("/lang/{code}", get(pages::choose_language))
        .route("/phones", get(list::phones))
        .route("/phones/live", get(live::follow_several))
        .route("/phones/people", get(list::people_fragment))
        .route("/phone/{user}", get(list::chats))
        .route("/phone/{user}/live", get(live::follow))
        .route("/phone/{user}/chats", get(list::chats_fragment))
        .route("/phone/{user}/share", get(list::share))
        .route("/phone/{user}/open", get(links::open))
        .route("/phone/{user}/account/{channel}", get(account::on_phone))
        .route("/phone/{user}/{chat}", get(chat::chat))
        .route("/phone/{user}/{chat}/messages", get(chat::messages_fragment))
        .route("/R/{*path}", get(links::show))
        .route("/phone-media/{message}", get(media::show))
        .route("/phone-rich-menu/{menu}", get(media::show_rich_menu))
        .route("/assets/{name}", get(assets::show))
        .merge(crate::line::module::pages())
        .layer(middleware::from_fn(protect))
        .layer(middleware::from_fn(only_local))
        .with_state(Arc::clone(inner))
}

/// The headers of every page; what sets its own policy keeps it.
pub(crate) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
