//! What happened: webhooks sent and calls received, newest first, each with all that was said. Follows by server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::Inner;
use crate::console::{Frame, Place, Visit, figures};
use crate::log::Entry;
use crate::phone::page;
use crate::words::Words;
use crate::world::{Delivery, Kind, World};

/// How many entries a page shows.
const SHOWN: usize = 80;
/// How often an open log looks for new entries. Records are counted, not announced: announcing would cost every call.
const LOOK_EVERY: Duration = Duration::from_millis(400);

#[derive(Template)]
#[template(path = "console_log.html")]
struct LogPage {
    frame: Frame,
    filter: Filter,
    channels: Vec<(String, String)>,
    rows: Vec<Row>,
    /// Ends the page: entries before this time are on the next.
    before: Option<i64>,
    open: Option<Detail>,
}

/// Which entries are wanted.
#[derive(Debug)]
struct Filter {
    kind: String,
    channel: String,
    failed: bool,
    search: String,
    before: Option<i64>,
    open: String,
}

/// One entry in the list.
#[derive(Debug)]
struct Row {
    /// `w12` for a webhook, `a34` for a call.
    id: String,
    webhook: bool,
    at: i64,
    ok: bool,
    title: String,
    /// The account, when it is known.
    who: String,
    status: String,
    attempt: u32,
    duration_ms: u64,
}

/// An entry with all that was said.
#[derive(Debug)]
struct Detail {
    row: Row,
    delivery: Option<u64>,
    words: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    answer: String,
}

impl Filter {
    fn of(visit: &Visit) -> Self {
        let text = |name: &str| visit.asked(name).unwrap_or_default().to_owned();
        Self {
            kind: text("kind"),
            channel: text("channel"),
            failed: visit.asked("failed").is_some(),
            search: text("q"),
            before: visit.asked("before").and_then(|before| before.parse().ok()),
            open: text("open"),
        }
    }

    /// The address of the same list with another entry open, or another page of it.
    fn address(&self, name: &str, value: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::from("/log?"));
        let failed = if self.failed { "1" } else { "" };
        let before = self.before.map(|before| before.to_string()).unwrap_or_default();
        let known = [
            ("kind", self.kind.as_str()),
            ("channel", &self.channel),
            ("failed", failed),
            ("q", &self.search),
            ("before", &before),
        ];
        for (key, text) in known.into_iter().filter(|(key, text)| *key != name && !text.is_empty()) {
            query.append_pair(key, text);
        }
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        query.finish()
    }

    fn open_at(&self, id: &str) -> String {
        self.address("open", id)
    }

    fn older(&self, before: &i64) -> String {
        self.address("before", &before.to_string())
    }

    fn takes(&self, row: &Row, channel: &str, body: &str) -> bool {
        let kind = match self.kind.as_str() {
            "webhook" => row.webhook,
            "api" => !row.webhook,
            _ => true,
        };
        kind && (self.channel.is_empty() || self.channel == channel)
            && !(self.failed && row.ok)
            && (self.search.is_empty() || row.title.contains(&self.search) || body.contains(&self.search))
    }
}

pub(super) async fn show(State(inner): State<Arc<Inner>>, visit: Visit) -> Response {
    let filter = Filter::of(&visit);
    let world = inner.world();
    let entries = inner.log();
    let words = visit.words.clone();
    let early = |at: i64| filter.before.is_none_or(|before| at < before);
    let mut rows: Vec<Row> = Vec::new();
    let wanted = |delivery: &&Delivery| {
        // What can be told without reading the body comes first: there may be 100,000.
        early(delivery.at)
            && filter.kind != "api"
            && !(filter.failed && figures::is_ok(delivery))
            && (filter.channel.is_empty() || filter.channel == delivery.channel)
    };
    for delivery in world.deliveries.iter().rev().filter(wanted) {
        let row = webhook_row(&world, delivery, &words);
        if filter.takes(&row, &delivery.channel, &delivery.body) {
            rows.push(row);
        }
        if rows.len() > SHOWN {
            break;
        }
    }
    let webhooks = rows.len();
    for entry in entries.iter().rev().filter(|entry| early(entry.at)) {
        let row = call_row(&world, entry);
        let channel = channel_of(&world, entry);
        if filter.takes(&row, &channel, &String::from_utf8_lossy(&entry.body)) {
            rows.push(row);
        }
        if rows.len() > webhooks + SHOWN {
            break;
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    let more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    let before = rows.last().filter(|_| more).map(|row| row.at);
    let open = match filter.open.split_at_checked(1) {
        Some(("w", id)) => {
            let found =
                id.parse().ok().and_then(|id: u64| world.deliveries.iter().rev().find(|one| one.id == id));
            found.map(|delivery| webhook_detail(&world, delivery, &words))
        }
        Some(("a", id)) => {
            let found = id.parse().ok().and_then(|id: u64| entries.iter().rev().find(|one| one.id == id));
            found.map(|entry| call_detail(&world, entry))
        }
        _ => None,
    };
    let channels = world
        .channels
        .values()
        .filter(|channel| channel.kind == Kind::Messaging || filter.channel == channel.id);
    let channels = channels.map(|channel| (channel.id.clone(), channel.name.clone())).collect();
    let frame = visit.frame(&inner, &world, Place::Log);
    page(StatusCode::OK, &LogPage { frame, filter, channels, rows, before, open })
}

fn webhook_row(world: &World, delivery: &Delivery, words: &Words) -> Row {
    let title = match figures::is_test(delivery) {
        true => words.say("console-log-verify"),
        false => events_of(&delivery.body),
    };
    Row {
        id: format!("w{}", delivery.id),
        webhook: true,
        at: delivery.at,
        ok: figures::is_ok(delivery),
        title,
        who: name_of(world, &delivery.channel),
        status: outcome(delivery),
        attempt: delivery.attempt,
        duration_ms: delivery.duration_ms,
    }
}

fn call_row(world: &World, entry: &Entry) -> Row {
    Row {
        id: format!("a{}", entry.id),
        webhook: false,
        at: entry.at,
        ok: entry.status.is_some_and(|status| status < 400),
        title: format!("{} {}", entry.method, entry.path),
        who: name_of(world, &channel_of(world, entry)),
        status: entry.status.map_or_else(|| "—".to_owned(), |status| status.to_string()),
        attempt: 1,
        duration_ms: entry.duration_ms,
    }
}

/// How a webhook ended, in a word: the status, or why there is none.
fn outcome(delivery: &Delivery) -> String {
    match (delivery.status, delivery.reason) {
        (0, "COULD_NOT_CONNECT") => "connect".to_owned(),
        (0, "REQUEST_TIMEOUT") => "timeout".to_owned(),
        (0, _) => "closed".to_owned(),
        (status, _) => status.to_string(),
    }
}

/// The kinds of the events in a body: `message · text`.
fn events_of(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let events = body.get("events").and_then(Value::as_array);
    let kinds = events.into_iter().flatten().map(|event| {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        match event.pointer("/message/type").and_then(Value::as_str) {
            Some(message) => format!("{kind} · {message}"),
            None => kind.to_owned(),
        }
    });
    kinds.collect::<Vec<_>>().join(", ")
}

fn name_of(world: &World, channel: &str) -> String {
    world.channels.get(channel).map(|channel| channel.name.clone()).unwrap_or_default()
}

/// The channel whose token a call carries, or whose ID its form names.
fn channel_of(world: &World, entry: &Entry) -> String {
    let bearer = entry.headers.get("authorization");
    let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
    if let Some(token) = token.and_then(|token| world.tokens.get(token.trim())) {
        return token.channel.clone();
    }
    let mut form = url::form_urlencoded::parse(&entry.body);
    form.find(|(name, _)| name == "client_id").map(|(_, id)| id.into_owned()).unwrap_or_default()
}

fn webhook_detail(world: &World, delivery: &Delivery, words: &Words) -> Detail {
    Detail {
        row: webhook_row(world, delivery, words),
        delivery: Some(delivery.id),
        words: figures::in_words(words, delivery.reason, &delivery.detail),
        url: delivery.url.clone(),
        headers: vec![
            ("content-type".into(), "application/json; charset=utf-8".into()),
            ("x-line-signature".into(), delivery.signature.clone()),
        ],
        body: pretty(&delivery.body),
        answer: String::new(),
    }
}

fn call_detail(world: &World, entry: &Entry) -> Detail {
    let shown = entry.to_json();
    let part = |name: &str| match shown.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    let headers = shown.get("headers").and_then(Value::as_object).into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let query = part("query");
    Detail {
        row: call_row(world, entry),
        delivery: None,
        words: String::new(),
        url: if query.is_empty() { entry.path.clone() } else { format!("{}?{query}", entry.path) },
        headers: headers.collect(),
        body: part("body"),
        answer: part("answer"),
    }
}

/// JSON with lines; what is not JSON stays.
fn pretty(text: &str) -> String {
    let value: Result<Value, _> = serde_json::from_str(text);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned())
}

/// One event whenever something was recorded.
pub(super) async fn live(State(inner): State<Arc<Inner>>, _: HeaderMap) -> Response {
    let stop = inner.stop.clone();
    let events = stream::unfold((inner, None), |(inner, known)| async move {
        loop {
            let state = newest(&inner);
            if known != Some(state) {
                return Some((
                    Ok::<_, Infallible>(Event::default().event("change").data("{}")),
                    (inner, Some(state)),
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    let events = events.take_until(async move { stop.cancelled().await });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// The numbers of the newest webhook and the newest call.
fn newest(inner: &Inner) -> (u64, u64) {
    let webhook = inner.world().deliveries.back().map_or(0, |delivery| delivery.id);
    let call = inner.log().back().map_or(0, |entry| entry.id);
    (webhook, call)
}
