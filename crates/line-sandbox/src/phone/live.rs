//! Tells an open phone that something it shows changed; the page then fetches the fragment it needs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::{Change, Inner};

/// The changes of one person's phone.
pub(super) async fn follow(State(inner): State<Arc<Inner>>, Path(user): Path<String>) -> Response {
    let Some(person) = inner.world().person(&user).map(|person| person.number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    events(&inner, vec![person])
}

/// The changes of several phones (`?users=u1,u2`) in one stream: a browser keeps only six connections to a host.
pub(super) async fn follow_several(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let users = query.get("users").map(String::as_str).unwrap_or_default();
    let people = {
        let world = inner.world();
        users.split(',').filter_map(|user| world.person(user)).map(|person| person.number).collect()
    };
    events(&inner, people)
}

fn events(inner: &Inner, people: Vec<u64>) -> Response {
    let changes = inner.changes.subscribe();
    // The first event tells a page that comes back after a break to fetch what it missed.
    let hello = stream::once(async { Ok(Event::default().event("change").data("{}")) });
    let stop = inner.stop.clone();
    let events = hello.chain(changes_for(people, changes)).take_until(async move { stop.cancelled().await });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// One event for each change that concerns one of the people, whose data names them; a burst becomes few.
fn changes_for(people: Vec<u64>, changes: Receiver<Change>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((people, changes), async |(people, mut changes)| {
        loop {
            let concerned: Vec<u64> = match changes.recv().await {
                Ok(change) if change.people.is_empty() => people.clone(),
                Ok(change) => {
                    people.iter().copied().filter(|person| change.people.contains(person)).collect()
                }
                // Too much at once: something of theirs may be among it.
                Err(RecvError::Lagged(_)) => people.clone(),
                Err(RecvError::Closed) => return None,
            };
            if !concerned.is_empty() {
                let users: Vec<String> = concerned.iter().map(|number| format!("u{number}")).collect();
                let event = Event::default().event("change").data(json!({ "users": users }).to_string());
                return Some((Ok(event), (people, changes)));
            }
        }
    })
}
