//! Tells an open phone that something it shows changed; the page then fetches the fragment it needs.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::{Change, Inner};

pub(super) async fn follow(State(inner): State<Arc<Inner>>, Path(user): Path<String>) -> Response {
    let Some(person) = inner.world().person(&user).map(|person| person.number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let changes = inner.changes.subscribe();
    // The first event tells a page that comes back after a break to fetch what it missed.
    let hello = stream::once(async { Ok(Event::default().event("change").data("{}")) });
    let stop = inner.stop.clone();
    let events = hello.chain(changes_for(person, changes)).take_until(async move { stop.cancelled().await });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// One event for each change that concerns the person; a burst becomes few.
fn changes_for(person: u64, changes: Receiver<Change>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(changes, move |mut changes| async move {
        loop {
            match changes.recv().await {
                Ok(change) if change.people.is_empty() || change.people.contains(&person) => break,
                Ok(_) => {}
                // Too much at once: something of this person's may be among it.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return None,
            }
        }
        Some((Ok(Event::default().event("change").data("{}")), changes))
    })
}
