//! LINE's own addresses (PLATFORM 25), resolved to the sandbox's pages: `https://line.me/R/…`, `line://…`, `https://liff.line.me/…`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::Inner;
use crate::control::is_loopback;
use crate::phone::account;
use crate::phone::pages::missing;
use crate::world::{Channel, Kind, World};

/// What an address of LINE opens.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// The profile of an account, by its LINE ID as written.
    Account(String),
    /// The chat with an account, with a text in the message field.
    Message(String, String),
    /// Where to share a text.
    Share(String),
    /// Where to share an account.
    Recommend(String),
    /// A LIFF app: what follows the host, from the LIFF ID on.
    Liff(String),
    /// A helper of the chat's input (camera, cameraRoll, location) or a screen that the sandbox does not have.
    Chats,
}

/// `/phone/{user}/open?uri=…`: leads a person's phone to what an address of LINE opens. `chat` is the chat it was tapped in.
pub(super) async fn open(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let world = inner.world();
    let target = target(given("uri")).filter(|_| world.person(&user).is_some());
    let place = target.and_then(|target| match target {
        Target::Account(id) => Some(format!("/phone/{user}/account/{}", account_of(&world, &id)?.id)),
        Target::Message(id, text) => {
            Some(format!("/phone/{user}/{}?{}", account_of(&world, &id)?.id, pair("text", &text)))
        }
        Target::Share(text) => Some(format!("/phone/{user}/share?{}", pair("text", &text))),
        Target::Recommend(id) => {
            let account = account_of(&world, &id)?;
            let text = format!("{}\nhttps://line.me/R/ti/p/{}", account.name, encoded(&account.basic_id));
            Some(format!("/phone/{user}/share?{}", pair("text", &text)))
        }
        Target::Liff(rest) => {
            let with = if rest.contains('?') { '&' } else { '?' };
            let from = Serializer::new(String::new())
                .append_pair("sandbox_user", &user)
                .append_pair("chat", given("chat"))
                .finish();
            let (rest, fragment) = rest
                .split_once('#')
                .map_or((rest.as_str(), String::new()), |(rest, end)| (rest, format!("#{end}")));
            Some(format!("/liff/{rest}{with}{from}{fragment}"))
        }
        Target::Chats => Some(format!("/phone/{user}")),
    });
    match place {
        Some(place) => Redirect::to(&place).into_response(),
        None => missing(&headers, &uri),
    }
}

/// `/R/…`: what `https://line.me/R/…` shows on a computer, where nobody holds the phone yet. An account's page has its QR code.
pub(super) async fn show(State(inner): State<Arc<Inner>>, headers: HeaderMap, uri: Uri) -> Response {
    let world = inner.world();
    let address = format!("https://line.me{uri}");
    let account = match target(&address) {
        Some(Target::Account(id) | Target::Message(id, _) | Target::Recommend(id)) => account_of(&world, &id),
        _ => None,
    };
    match account {
        Some(account) => account::on_computer(&inner, &world, account, &headers, &uri),
        None => missing(&headers, &uri),
    }
}

/// The account of a LINE ID, with or without `@`, in any case.
fn account_of<'w>(world: &'w World, id: &str) -> Option<&'w Channel> {
    let wanted = id.trim_start_matches('@');
    let messaging = world.channels.values().filter(|channel| channel.kind == Kind::Messaging);
    messaging
        .into_iter()
        .find(|channel| channel.basic_id.trim_start_matches('@').eq_ignore_ascii_case(wanted))
}

/// What an address of LINE opens; `None` for every other address. Addresses of the sandbox itself (`/R/…`) count as LINE's, and a
/// bare LINE ID (`@shop`) as its account's.
fn target(address: &str) -> Option<Target> {
    if let Some(id) = address.trim().strip_prefix('@') {
        return Some(Target::Account(format!("@{id}")));
    }
    let own = address.trim().strip_prefix("line://").map(|rest| match rest.strip_prefix("app/") {
        Some(liff) => format!("https://liff.line.me/{liff}"),
        None => format!("https://line.me/R/{rest}"),
    });
    let url = Url::parse(own.as_deref().unwrap_or(address.trim())).ok()?;
    let segments: Vec<String> = url.path_segments()?.filter(|part| !part.is_empty()).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let text = || {
        let named = url.query_pairs().find(|(name, _)| name == "text").map(|(_, text)| text.into_owned());
        named.unwrap_or_else(|| decoded(url.query().unwrap_or_default()))
    };
    let host = url.host_str()?;
    if matches!(host, "liff.line.me" | "miniapp.line.me") {
        segments.first()?;
        let after = url.as_str().split_once(host)?.1;
        return Some(Target::Liff(after.trim_start_matches('/').to_owned()));
    }
    if !matches!(host, "line.me" | "www.line.me" | "page.line.me") && !is_loopback(host) {
        return None;
    }
    match segments.as_slice() {
        ["R", "ti", "p", id] | ["ti", "p", id] => Some(Target::Account((*id).to_owned())),
        [id] if host == "page.line.me" => Some(Target::Account((*id).to_owned())),
        ["R", "oaMessage", id, ..] => Some(Target::Message((*id).to_owned(), text())),
        ["R", "share"] | ["R", "msg", "text", ..] => Some(Target::Share(text())),
        ["R", "nv", "recommendOA", id] => Some(Target::Recommend((*id).to_owned())),
        ["R", "app", ..] => {
            let after = url.as_str().split_once("/R/app/")?.1;
            Some(Target::Liff(after.to_owned()))
        }
        ["R", ..] => Some(Target::Chats),
        _ => None,
    }
}

fn decoded(text: &str) -> String {
    // A plus sign in a path or a bare query is a plus sign.
    let escaped = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map(|(_, text)| text.into_owned())
        .unwrap_or_default()
}

pub(super) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

fn pair(name: &str, value: &str) -> String {
    Serializer::new(String::new()).append_pair(name, value).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 25.
    #[test]
    fn addresses_of_line_are_known() {
        for (address, expected) in [
            ("https://line.me/R/ti/p/%40shop", Target::Account("@shop".into())),
            ("https://line.me/R/ti/p/@shop", Target::Account("@shop".into())),
            ("line://ti/p/@shop", Target::Account("@shop".into())),
            ("@shop", Target::Account("@shop".into())),
            ("http://127.0.0.1:8090/R/ti/p/@shop", Target::Account("@shop".into())),
            (
                "https://line.me/R/oaMessage/%40shop/?a%20b%26c",
                Target::Message("@shop".into(), "a b&c".into()),
            ),
            ("https://line.me/R/share?text=a%2Bb", Target::Share("a+b".into())),
            ("https://line.me/R/nv/recommendOA/%40shop", Target::Recommend("@shop".into())),
            ("https://liff.line.me/123-abc/x?y=1#z", Target::Liff("123-abc/x?y=1#z".into())),
            ("line://app/123-abc", Target::Liff("123-abc".into())),
            ("https://line.me/R/nv/camera/", Target::Chats),
        ] {
            assert_eq!(target(address), Some(expected), "{address}");
        }
        for other in
            ["https://example.com/R/ti/p/@shop", "javascript:alert(1)", "https://liff.line.me/", "x", ""]
        {
            assert_eq!(target(other), None, "{other}");
        }
    }
}
