//! Two small programs that stand for other systems behind the relay, on a port of their own on loopback: `POST /crm` and
//! `POST /orders` take what they are sent and keep the newest, `GET /` shows it and can tell each how to answer.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::http::{Client, items, text};
use crate::{lifecycle, settings};

/// Requests that are kept of each.
const KEPT: usize = 20;
/// One that fails now and then does so at every such request.
const NOW_AND_THEN: usize = 4;

/// The destinations of the demo's account: name, path, what else the hub is told. The last one waits to be switched on.
fn destinations() -> [(&'static str, &'static str, Value); 3] {
    [
        ("CRM 會員系統", "crm", json!({ "signing": "own" })),
        ("訂單系統", "orders", json!({ "filter": { "events": ["message", "postback"] } })),
        ("舊版聊天機器人", "crm", json!({ "active": false })),
    ]
}

/// How one answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Ok,
    /// 503 at every fourth request.
    Flaky,
    /// 503.
    Busy,
    /// 400.
    Refuses,
}

impl Answers {
    const ALL: [(&'static str, Self); 4] =
        [("ok", Self::Ok), ("flaky", Self::Flaky), ("busy", Self::Busy), ("refuses", Self::Refuses)];
}

#[derive(Debug)]
struct System {
    answers: Answers,
    count: usize,
    newest: VecDeque<String>,
}

type Shared = Arc<Mutex<BTreeMap<&'static str, System>>>;

/// The programs, bound to their port.
pub(super) struct Systems {
    listener: TcpListener,
    /// Where they are.
    pub(super) origin: Url,
}

impl Systems {
    /// Takes a free port of loopback.
    pub(super) async fn bind() -> anyhow::Result<Self> {
        let listener = lifecycle::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let origin = settings::origin(listener.local_addr()?)?;
        Ok(Self { listener, origin })
    }

    /// Serves until `stop`.
    pub(super) async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let system = |answers| System { answers, count: 0, newest: VecDeque::new() };
        let state: Shared = Arc::new(Mutex::new(BTreeMap::from([
            ("crm", system(Answers::Ok)),
            ("orders", system(Answers::Flaky)),
        ])));
        let router = Router::new()
            .route("/", get(show))
            .route("/{name}", post(take))
            .route("/{name}/{answers}", post(tell))
            .with_state(state);
        axum::serve(self.listener, router).with_graceful_shutdown(stop).await.context("the other systems")
    }
}

/// Puts them behind the relay of an account; those that an earlier run put there get this run's addresses.
pub(super) async fn relay_to(api: &Client, account: &str, origin: &Url) -> anyhow::Result<()> {
    let path = format!("/accounts/{account}/destinations");
    let known = api.get(&path).await?;
    for (name, system, mut wishes) in destinations() {
        let url = origin.join(system)?;
        if let Some(known) = items(&known).iter().find(|one| one.get("name") == Some(&json!(name))) {
            let id = text(known, "/id")?;
            api.patch(&format!("/destinations/{id}"), json!({ "url": url })).await?;
            continue;
        }
        if let Some(wishes) = wishes.as_object_mut() {
            wishes.insert("name".to_owned(), json!(name));
            wishes.insert("url".to_owned(), json!(url));
        }
        api.post(&path, wishes).await?;
    }
    Ok(())
}

fn open(state: &Shared) -> MutexGuard<'_, BTreeMap<&'static str, System>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(state): State<Shared>, Path(name): Path<String>, body: Bytes) -> Response {
    let mut systems = open(&state);
    let Some(system) = systems.get_mut(name.as_str()) else { return StatusCode::NOT_FOUND.into_response() };
    system.count += 1;
    system.newest.push_front(String::from_utf8_lossy(&body).into_owned());
    system.newest.truncate(KEPT);
    match system.answers {
        Answers::Busy => (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance").into_response(),
        Answers::Flaky if system.count.is_multiple_of(NOW_AND_THEN) => {
            (StatusCode::SERVICE_UNAVAILABLE, "too many orders at once").into_response()
        }
        Answers::Refuses => (StatusCode::BAD_REQUEST, "unknown customer").into_response(),
        Answers::Ok | Answers::Flaky => "taken".into_response(),
    }
}

async fn tell(State(state): State<Shared>, Path((name, answers)): Path<(String, String)>) -> Response {
    let answers = Answers::ALL.into_iter().find(|(word, _)| *word == answers);
    let mut systems = open(&state);
    match (systems.get_mut(name.as_str()), answers) {
        (Some(system), Some((_, answers))) => {
            system.answers = answers;
            Redirect::to("/").into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn show(State(state): State<Shared>) -> Html<String> {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Other systems</title><h1>Other systems</h1><p>What the demo's relay has sent. Load the page again for more.</p>",
    );
    for (name, system) in open(&state).iter() {
        let _ = write!(page, "<h2>/{name}</h2><p>{} requests; answers: ", system.count);
        for (word, answers) in Answers::ALL {
            let off = if system.answers == answers { " disabled" } else { "" };
            let _ = write!(
                page,
                "<form method=\"post\" action=\"/{name}/{word}\" style=\"display:inline\"><button{off}>{word}</button></form> "
            );
        }
        page.push_str("</p>");
        for body in &system.newest {
            let body = body.replace('&', "&amp;").replace('<', "&lt;");
            let _ = write!(page, "<pre style=\"white-space:pre-wrap\">{body}</pre>");
        }
    }
    Html(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_system_keeps_what_came_and_answers_as_it_was_told() {
        let systems = Systems::bind().await.unwrap();
        let origin = systems.origin.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(systems.serve(async move {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = async |path: &str, body: &'static str| {
            let answer = http.post(origin.join(path).unwrap()).body(body).send().await.unwrap();
            answer.status().as_u16()
        };
        assert_eq!((call("/crm", "<b>").await, call("/nobody", "").await), (200, 404));
        call("/crm/busy", "").await;
        assert_eq!(call("/crm", "again").await, 503);
        assert_eq!(call("/crm/sometimes", "").await, 404);
        let mut flaky = Vec::new();
        for _ in 0..NOW_AND_THEN {
            flaky.push(call("/orders", "").await);
        }
        assert_eq!(flaky, [200, 200, 200, 503]);
        let page = http.get(origin.clone()).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("&lt;b>") && page.contains("2 requests"), "{page}");
        stop.send(()).unwrap();
        served.await.unwrap().unwrap();
    }
}
