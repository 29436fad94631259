//! What the pages share: the frame with its language, faces, and the page for what does not exist.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::words::{COOKIE, Words};
use crate::world::{Channel, Person};

/// What every page knows: its language and its own address.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) words: Words,
    pub(super) path: String,
}

impl Frame {
    pub(super) fn new(headers: &HeaderMap, uri: &Uri) -> Self {
        Self { words: Words::from_headers(headers), path: uri.path().to_owned() }
    }
}

/// A name with a picture, or with an initial on a colour.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    pub(crate) name: String,
    pub(crate) picture: Option<String>,
    pub(crate) initial: String,
    pub(crate) tint: u32,
}

impl Face {
    pub(crate) fn new(name: &str, picture: Option<String>) -> Self {
        let initial = name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
        let tint = name.chars().fold(0_u32, |sum, c| sum.wrapping_mul(31).wrapping_add(u32::from(c))) % 8;
        Self { name: name.to_owned(), picture, initial, tint }
    }

    pub(crate) fn of_person(person: &Person) -> Self {
        Self::new(&person.name, person.picture_url.clone())
    }

    pub(crate) fn of_channel(channel: &Channel) -> Self {
        Self::new(&channel.name, channel.picture_url.clone())
    }
}

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage {
    frame: Frame,
}

/// Remembers the language and goes back.
pub(super) async fn choose_language(
    Path(code): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let Some(words) = Words::of(&code) else { return missing(&headers, &uri) };
    let to = query.get("to").map(String::as_str).unwrap_or_default();
    // Only to a page of ours: `//host` would lead elsewhere.
    let ours = to.starts_with('/') && !to.starts_with("//") && !to.contains('\\');
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", words.code());
    ([(header::SET_COOKIE, cookie)], Redirect::to(if ours { to } else { "/" })).into_response()
}

/// The page that says that there is nothing.
pub(super) fn missing(headers: &HeaderMap, uri: &Uri) -> Response {
    page(StatusCode::NOT_FOUND, &MissingPage { frame: Frame::new(headers, uri) })
}

/// Draws a page.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to draw a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
