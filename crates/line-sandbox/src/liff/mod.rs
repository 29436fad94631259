//! LIFF (PLATFORM 24): the server API that keeps apps, the page that opens one in a phone-sized frame, and a client of our own in
//! place of LINE's, which has LINE's hosts built in.
//!
//! The client (`sdk.js`) runs on the app's own origin, inside the frame or in any browser. It calls the sandbox directly, with the
//! person's access token and open to all origins, as LINE's client does; so it works in and out of the frame alike. Only closing goes
//! through the frame's owner by `postMessage`. What needs the person's hand (the share target picker, adding the account) opens one of the
//! sandbox's pages in a frame over the app's, known by a ticket.

mod client;
mod host;
mod server;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::Inner;
use crate::login::{BotPrompt, as_pages, asset, open_to_pages};

pub(crate) use self::server::{create, list_for_console};

/// PLATFORM 24.1: at most so many apps per Login channel.
const APPS: usize = 30;
/// PLATFORM 24.3: a picker that idles longer is over.
const DIALOG_MS: i64 = 10 * 60_000;

/// LINE's paths.
pub(crate) fn api_routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/liff/v1/apps", get(server::list).post(server::add))
        .route("/liff/v1/apps/{liff_id}", axum::routing::put(server::change).delete(server::remove))
        .route("/liff/v2/apps/{liff_id}", open_to_pages(get(client::context)))
        .route("/liff/v2/dialogs", open_to_pages(post(client::open_dialog)))
        .route("/liff/v2/close", open_to_pages(post(client::close)))
        .route("/message/v3/share", open_to_pages(post(client::send)))
}

/// The pages and the client.
pub(crate) fn page_routes(inner: &Arc<Inner>) -> Router {
    let pages = Router::new()
        .route("/liff/{liff_id}", get(host::open))
        .route("/liff/{liff_id}/{*rest}", get(host::open))
        .route("/liff/dialog/{ticket}", get(client::show_dialog).post(client::end_dialog));
    let script = "text/javascript; charset=utf-8";
    as_pages(pages)
        .route("/liff/sdk.js", asset(script, include_str!("sdk.js")))
        .route("/assets/liff.js", asset(script, include_str!("host.js")))
        .with_state(Arc::clone(inner))
}

/// All LIFF apps in the order in which they were made, and the dialogs that are open.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    apps: Vec<App>,
    /// They do not outlive the process.
    #[serde(skip)]
    dialogs: HashMap<String, client::Dialog>,
}

/// How large an app opens, and where it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct View {
    /// `compact`, `tall` or `full`.
    pub(crate) size: String,
    /// The Endpoint URL.
    pub(crate) url: String,
    pub(crate) module_mode: Option<bool>,
}

/// A LIFF app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) view: View,
    pub(crate) description: Option<String>,
    pub(crate) qr_code: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) bot_prompt: BotPrompt,
    /// A switch of the console; off in a new app (PLATFORM 24.3).
    pub(crate) share_target_picker: bool,
}

impl App {
    /// The app as LINE's API shows it.
    fn to_map(&self) -> Map<String, Value> {
        let mut view = Map::new();
        view.insert("type".into(), self.view.size.clone().into());
        view.insert("url".into(), self.view.url.clone().into());
        if let Some(module_mode) = self.view.module_mode {
            view.insert("moduleMode".into(), module_mode.into());
        }
        let mut app = Map::new();
        app.insert("liffId".into(), self.id.clone().into());
        app.insert("view".into(), view.into());
        if let Some(description) = &self.description {
            app.insert("description".into(), description.clone().into());
        }
        app.insert("features".into(), json!({ "ble": false, "qrCode": self.qr_code }));
        app.insert("permanentLinkPattern".into(), "concat".into());
        app.insert("scope".into(), json!(self.scopes));
        app.insert("botPrompt".into(), self.bot_prompt.name().into());
        app
    }
}

impl State {
    /// An app by its ID.
    pub(crate) fn find(&self, id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    fn of<'s>(&'s self, channel: &'s str) -> impl Iterator<Item = &'s App> {
        self.apps.iter().filter(move |app| app.channel == channel)
    }

    /// Takes an app of this channel away; false when there is none.
    pub(crate) fn remove(&mut self, channel: &str, id: &str) -> bool {
        let before = self.apps.len();
        self.apps.retain(|app| app.id != id || app.channel != channel);
        self.apps.len() < before
    }

    /// An app of this channel.
    pub(crate) fn own_mut(&mut self, channel: &str, id: &str) -> Option<&mut App> {
        self.apps.iter_mut().find(|app| app.id == id && app.channel == channel)
    }
}

/// The form of a LIFF ID: the Login channel's ID, a dash, eight letters or digits (PLATFORM 3).
pub(crate) fn is_liff_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(channel, rest)| {
        !channel.is_empty()
            && channel.bytes().all(|b| b.is_ascii_digit())
            && rest.len() == 8
            && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// Where `/{liffId}…` of LINE's LIFF host is found here; `None` for other paths.
pub(crate) fn own_path(path: &str) -> Option<String> {
    let id = path.trim_start_matches('/').split('/').next()?;
    is_liff_id(id).then(|| format!("/liff{path}"))
}

/// Tells whether `url` is the Endpoint URL or lies below it; queries and fragments do not count (PLATFORM 24.3).
pub(crate) fn is_below(url: &str, endpoint: &str) -> bool {
    let (Ok(url), Ok(endpoint)) = (Url::parse(url), Url::parse(endpoint)) else { return false };
    let root = endpoint.path().trim_end_matches('/');
    url.origin() == endpoint.origin()
        && url.path().strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 24.3: path-wise, so a longer name beside the endpoint is not below it.
    #[test]
    fn below_the_endpoint_is_meant_by_paths() {
        let endpoint = "https://shop.example/liff";
        assert!(is_below("https://shop.example/liff?x=1#y", endpoint));
        assert!(is_below("https://shop.example/liff/cart", endpoint));
        assert!(!is_below("https://shop.example/liffy", endpoint));
        assert!(!is_below("https://shop.example/", endpoint));
        assert!(!is_below("https://evil.example/liff", endpoint));
        assert!(is_below("https://shop.example/a", "https://shop.example"));
    }

    /// PLATFORM 3: `{channelId}-{8 chars}`; LINE serves it at the root of its LIFF host.
    #[test]
    fn liff_ids_have_their_form() {
        assert!(is_liff_id("1234567890-AbcdEfgh"));
        assert!(!is_liff_id("1234567890-Abcd"));
        assert_eq!(own_path("/1234567890-AbcdEfgh/cart").as_deref(), Some("/liff/1234567890-AbcdEfgh/cart"));
        assert_eq!(own_path("/v2/bot/nothing"), None);
    }
}
