//! LINE's consoles as pages: providers, channels and their settings, people, the log of webhooks and calls, and trouble on demand.
//! Pages are drawn from the world; what they change goes through `/sandbox/v1` by `bridge`, with and without JavaScript.

mod assets;
mod bridge;
mod channel;
mod figures;
mod log;
mod overview;
mod people;
mod sample;
mod trouble;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};

use crate::Inner;
use crate::clock::iso_8601;
use crate::control::only_local;
use crate::phone::{Face, page, protect};
use crate::words::Words;
use crate::world::{Kind, Person, World};

/// The pages and their files.
pub(crate) fn routes(inner: &Arc<Inner>) -> Router {
    Router::new()
        .route("/", get(overview::overview))
        .route("/console/providers/{provider}", get(overview::provider))
        .route("/console/channels/{channel}", get(channel::first))
        .route("/console/channels/{channel}/{tab}", get(channel::show))
        .route("/console/people", get(people::list))
        .route("/console/people/{user}", get(people::show))
        .route("/log", get(log::show))
        .route("/log/live", get(log::live))
        .route("/trouble", get(trouble::show))
        .route("/console/do", post(bridge::act))
        .route("/assets/console/{name}", get(assets::show))
        .layer(middleware::from_fn(protect))
        .layer(middleware::from_fn(only_local))
        .with_state(Arc::clone(inner))
}

/// The control paths that serve the console first.
pub(crate) fn control_routes() -> Router<Arc<Inner>> {
    Router::new().route("/sample", post(sample::create))
}

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Overview,
    /// A page that the list of channels leads to.
    Channel,
    People,
    Log,
    Trouble,
}

/// A request for a page: the reader's language and what the address says.
#[derive(Debug)]
struct Visit {
    words: Words,
    /// Path and query, to come back to.
    path: String,
    query: HashMap<String, String>,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let query = Query::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
        Ok(Self { words: Words::from_headers(&parts.headers), path, query })
    }
}

impl Visit {
    /// A value of the query that is not empty.
    fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The frame of a page.
    fn frame(self, inner: &Inner, world: &World, place: Place) -> Frame {
        let channels = world.channels.values().map(|channel| RailChannel {
            id: channel.id.clone(),
            face: Face::of_channel(channel),
            kind: (channel.kind != Kind::Messaging)
                .then(|| kind_name(channel.kind).trim_start_matches("LINE ")),
        });
        let problem = self.asked("problem").map(str::to_owned);
        Frame {
            problem,
            place,
            channels: channels.take(RAIL_CHANNELS).collect(),
            people: world.people.len(),
            phones: world.people.values().take(3).map(Person::user).collect::<Vec<_>>().join(","),
            faults: world.faults.len(),
            ahead_ms: inner.clock.ahead(),
            now: inner.clock.now(),
            words: self.words,
            path: self.path,
        }
    }
}

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage {
    frame: Visit,
}

/// The page for what does not exist.
fn missing(visit: Visit) -> Response {
    page(StatusCode::NOT_FOUND, &MissingPage { frame: visit })
}

/// LINE's name of a kind of channel.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Messaging => "Messaging API",
        Kind::Login => "LINE Login",
        Kind::Module => "Module",
    }
}

/// How many channels the navigation lists.
const RAIL_CHANNELS: usize = 12;

/// What surrounds every page.
#[derive(Debug)]
struct Frame {
    words: Words,
    /// The page's own address.
    path: String,
    place: Place,
    channels: Vec<RailChannel>,
    people: usize,
    /// The first people, whose phones can be opened side by side.
    phones: String,
    faults: usize,
    ahead_ms: i64,
    now: i64,
    /// What the last form was refused for; scripts show it at the field instead.
    problem: Option<String>,
}

/// A channel in the navigation.
#[derive(Debug)]
struct RailChannel {
    id: String,
    face: Face,
    /// Said beside the name of what is no account.
    kind: Option<&'static str>,
}

impl Frame {
    /// A time (ms) for readers without scripts; scripts show it in the reader's zone.
    fn moment(&self, at: &i64) -> String {
        let text = iso_8601(*at);
        format!("{} UTC", text.get(..19).unwrap_or_default().replace('T', " "))
    }

    fn is(&self, place: Place) -> bool {
        self.place == place
    }
}
