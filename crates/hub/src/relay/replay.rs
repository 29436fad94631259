//! Sending events again, as a person asks.

use super::model::{Destination, Standing};
use super::repo::{self, UnitRow};
use super::service::{finish, get};
use super::unit::Unit;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::DestinationId;
use crate::journal::{self, Room};
use crate::scope::Scope;
use crate::team::Actor;

/// Requests of one replay.
pub const REPLAY_MAX: usize = 10_000;

/// With so many requests waiting at a destination nothing is sent to it again.
const WAITING_MAX: i64 = 10_000;

/// Units of a replay that are written in one transaction.
const REPLAY_STEP: usize = 500;

/// What is to be sent again.
#[derive(Debug, Clone)]
pub enum Replay {
    /// These events, by their ids; each with the request it came in.
    Events(Vec<String>),
    /// Everything received at or after the first and before the second moment.
    Between(Timestamp, Timestamp),
}

/// How many requests a replay would send again.
///
/// # Errors
/// As those of [`replay`].
pub async fn count(hub: &Hub, scope: &Scope, id: &DestinationId, what: &Replay) -> AppResult<usize> {
    let destination = get(hub, scope, id).await?;
    Ok(units(hub, &destination, what).await?.len())
}

async fn units(hub: &Hub, destination: &Destination, what: &Replay) -> AppResult<Vec<Again>> {
    match what {
        Replay::Events(ids) => named(hub, destination, ids).await,
        Replay::Between(since, until) => between(hub, destination, *since, *until).await,
    }
}

/// Sends events again to one destination; gives how many requests that are. Each keeps its order among those of its chats.
///
/// # Errors
/// 404 when there is no such destination; 422 when an event is unknown or not the account's, or there are more than
/// [`REPLAY_MAX`]; 409 `too_many_waiting` while `WAITING_MAX` requests wait.
pub async fn replay(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    id: &DestinationId,
    what: Replay,
) -> AppResult<usize> {
    let destination = get(hub, scope, id).await?;
    let units = units(hub, &destination, &what).await?;
    let (now, mut queued) = (hub.now(), 0);
    for step in units.chunks(REPLAY_STEP) {
        // Anew for each step: others may be at it as well.
        if get(hub, scope, id).await?.retrying >= WAITING_MAX + queued {
            let detail = format!(
                "{WAITING_MAX} requests or more wait for this destination; send again when they are through, or skip them"
            );
            return Err(AppError::conflict("too_many_waiting", detail));
        }
        queued += i64::try_from(step.len()).unwrap_or(i64::MAX);
        let mut tx = hub.db.begin().await?;
        for (unit, received_at) in step {
            let whose = (&destination.tenant, id);
            repo::put_unit(&mut tx, whose, unit, Standing::Retrying, None, (*received_at, now)).await?;
        }
        tx.commit().await?;
    }
    let count = u64::try_from(units.len()).unwrap_or(u64::MAX);
    let tx = hub.db.begin().await?;
    finish(hub, tx, &destination, actor, "destination.replayed", count).await?;
    Ok(units.len())
}

/// Lets what waits for another try go at once, and changes nothing else; gives how many requests that are. Where all have failed
/// lately, one goes first and the rest once that has arrived.
///
/// # Errors
/// 404 when there is no such destination.
pub async fn hurry(hub: &Hub, (scope, actor): (&Scope, &Actor), id: &DestinationId) -> AppResult<u64> {
    let destination = get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    let count = repo::hurry(&mut tx, &destination.tenant, id, hub.now()).await?;
    finish(hub, tx, &destination, actor, "destination.hurried", count).await
}

type Again = (UnitRow, Timestamp);

/// The requests in which the named events came, each once.
async fn named(hub: &Hub, destination: &Destination, ids: &[String]) -> AppResult<Vec<Again>> {
    if ids.len() > REPLAY_MAX {
        return Err(too_many("event_ids"));
    }
    let mut units: Vec<Again> = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let field = format!("event_ids[{place}]");
        let unknown =
            || AppError::invalid_field(&field, "unknown", "the journal has no such event of this account");
        let position = journal::event_position(id).ok_or_else(unknown)?;
        let request = hub.journal.request_of(position).await?.filter(|request| {
            request.account_id == destination.account.as_str()
                && journal::event_id(request.received_at, position) == *id
        });
        let request = request.ok_or_else(unknown)?;
        let is_blank = request.events.iter().any(|event| event.position == position && event.blanked);
        if request.body.is_none() || is_blank {
            let detail = "the event's content is no longer kept, so it cannot be sent again";
            return Err(AppError::invalid_field(&field, "expired", detail));
        }
        if units.iter().all(|(unit, _)| unit.first != request.first()) {
            units.push(again(hub, request));
        }
    }
    units.sort_by_key(|(unit, _)| unit.first);
    Ok(units)
}

/// The requests received within a time.
async fn between(
    hub: &Hub,
    destination: &Destination,
    since: Timestamp,
    until: Timestamp,
) -> AppResult<Vec<Again>> {
    if until <= since {
        return Err(AppError::invalid_field(
            "until",
            "before_since",
            "the end has to be after the beginning",
        ));
    }
    let mut units = Vec::new();
    let account = [destination.account.as_str().to_owned()];
    let filter = journal::Filter {
        accounts: &account,
        since: Some(since),
        until: Some(until),
        limit: 1,
        ..journal::Filter::default()
    };
    let Some(first) = hub.journal.list(&filter).await?.into_iter().next() else { return Ok(units) };
    let mut place = first.position - 1;
    loop {
        let read = hub.journal.requests(place, i64::MAX, Room { events: 512, bytes: 4 << 20 }).await?;
        if read.items.is_empty() {
            return Ok(units);
        }
        for request in read.items {
            // Receipts are in the order of the journal, but for what waited for the disk together.
            if request.received_at >= until.plus(journal::APPEND_DEADLINE) {
                return Ok(units);
            }
            let is_meant = request.account_id == destination.account.as_str()
                && (since..until).contains(&request.received_at)
                && request.body.is_some()
                && request.events.iter().any(|event| !event.blanked);
            if is_meant {
                units.push(again(hub, request));
            }
            if units.len() > REPLAY_MAX {
                return Err(too_many("until"));
            }
        }
        place = read.end;
    }
}

fn too_many(field: &str) -> AppError {
    let detail =
        format!("at most {REPLAY_MAX} requests can be sent again at once; choose fewer or a shorter time");
    AppError::invalid_field(field, "too_many", detail)
}

fn again(hub: &Hub, request: journal::Request) -> Again {
    let unit = Unit::new(request);
    let row = UnitRow {
        id: hub.id(),
        first: unit.request.first(),
        last: unit.request.last(),
        chats: unit.chats.clone(),
        is_replay: true,
        attempts: 0,
        due_at: hub.now(),
        failed_at: None,
    };
    (row, unit.request.received_at)
}
