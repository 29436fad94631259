//! What requests held, each in a line for a person's eyes, and the log searched by it.

use std::collections::HashMap;

use serde_json::Value;
use ulid::Ulid;

use super::model::Destination;
use super::repo::{self, Attempt, Parked};
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::error::AppResult;
use crate::ids::{DeliveryId, DestinationId, Id as _};
use crate::inbox::service::{self as inbox, Chat};
use crate::journal;
use crate::scope::Scope;
use crate::text::cut;
use crate::words::words;

/// How much of a message's text is told, in characters.
const TEXT_TOLD: usize = 120;
/// Attempts that a search looks at: as many as are kept.
const SEARCHED: i64 = 1_000;
/// People that a search by name takes for meant.
const MEANT: i64 = 50;

words! {
    /// How an attempt ended.
    Outcome {
        /// However it did.
        Any = "",
        /// Delivered.
        Delivered = "delivered",
        /// Not delivered, for any reason.
        Failed = "failed",
        /// The other system did not accept it.
        Refused = "refused",
        /// The other system failed or asked to be called later.
        Broken = "broken",
        /// No answer came.
        Silent = "silent",
    }
}

/// One event, as far as it can be told in a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// LINE's `type`.
    pub kind: String,
    /// The type of its message.
    pub message: Option<String>,
    /// `user`, `group`, `room`.
    pub source: Option<String>,
    /// LINE's id of the person, group or room.
    pub external_id: Option<String>,
    /// The conversation, where the reader may see it.
    pub chat: Option<Chat>,
    /// The beginning of the message's text, or a postback's data.
    pub text: Option<String>,
}

/// Takes the time of the next try from attempts where it no longer holds: the newest attempt of a request that waits has it, as
/// long as it lies ahead and the destination is called.
///
/// # Errors
/// The database does not answer.
pub async fn drop_past(hub: &Hub, of: &Destination, attempts: &mut [Attempt]) -> DbResult<()> {
    let now = hub.now();
    for attempt in attempts {
        let Some(next) = attempt.next_at.take().filter(|next| of.may_run() && *next > now) else { continue };
        let due = repo::due(&hub.db, (&of.tenant, &of.id), &attempt.delivery).await?;
        attempt.next_at = due.filter(|due| *due == next);
    }
    Ok(())
}

impl Told {
    /// Reads one event.
    pub(super) fn new(event: &Value) -> Self {
        let word = |pointer| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let text = |pointer| word(pointer).map(|text| cut(&text, TEXT_TOLD));
        Self {
            kind: text("/type").unwrap_or_default(),
            message: text("/message/type"),
            source: text("/source/type"),
            external_id: ["/source/groupId", "/source/roomId", "/source/userId"].into_iter().find_map(word),
            chat: None,
            text: text("/message/text").or_else(|| text("/postback/data")),
        }
    }

    /// That of the journal; where its content is no longer kept, only its kind.
    fn of(entry: &journal::Entry) -> Self {
        let raw = entry.raw.as_deref().and_then(|raw| serde_json::from_slice::<Value>(raw).ok());
        raw.map_or_else(|| Self { kind: entry.kind.clone(), ..Self::default() }, |raw| Self::new(&raw))
    }
}

impl Attempt {
    /// The id of the request's first event.
    fn first_event(&self) -> String {
        let ids = serde_json::from_str::<Vec<String>>(&self.event_ids).unwrap_or_default();
        ids.into_iter().next().unwrap_or_default()
    }

    /// Whether a person wanted it sent again: the name of such a unit is drawn by lot, that of a request tells its place.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        let name = self.delivery.as_str().strip_prefix(DeliveryId::PREFIX);
        let place = name.and_then(|name| Ulid::from_string(name).ok()).map(|name| name.random());
        place != u128::try_from(self.first_position).ok()
    }
}

/// Puts to each event the conversation that it belongs to, where the reader may see it; one query.
pub(super) async fn name_chats<'a>(
    hub: &Hub,
    scope: &Scope,
    destination: &Destination,
    events: impl Iterator<Item = &'a mut Told>,
) -> AppResult<()> {
    let events: Vec<&mut Told> = events.collect();
    let mut ids: Vec<String> = events.iter().filter_map(|told| told.external_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let chats = inbox::chats(hub, scope, &destination.account, &ids).await?;
    for told in events {
        told.chat = told.external_id.as_ref().and_then(|id| chats.get(id)).cloned();
    }
    Ok(())
}

/// What the first events of requests are, by their positions: one query of the journal, without conversations. `places` are
/// the positions with the events' ids, by which another journal's event is told apart.
async fn first_events(
    hub: &Hub,
    destination: &Destination,
    places: &HashMap<i64, String>,
) -> AppResult<HashMap<i64, Told>> {
    let positions: Vec<i64> = places.keys().copied().collect();
    let entries = hub.journal.at(&positions).await?;
    let is_meant = |entry: &&journal::Entry| {
        entry.account_id == destination.account.as_str()
            && places.get(&entry.position) == Some(&journal::event_id(entry.received_at, entry.position))
    };
    Ok(entries.iter().filter(is_meant).map(|entry| (entry.position, Told::of(entry))).collect())
}

/// The places of attempts' requests, with the ids of the first events.
fn places(attempts: &[Attempt]) -> HashMap<i64, String> {
    attempts.iter().map(|attempt| (attempt.first_position, attempt.first_event())).collect()
}

/// The requests that were put aside and tried again by a person, and when each was tried first.
///
/// # Errors
/// The database does not answer.
pub async fn begun_anew(hub: &Hub, of: &Destination) -> AppResult<HashMap<DeliveryId, Timestamp>> {
    Ok(repo::begun_anew(&hub.db, (&of.tenant, &of.id)).await?.into_iter().collect())
}

/// What attempts sent, by the positions of their requests: the first event of each.
///
/// # Errors
/// The database does not answer.
pub async fn of_attempts(
    hub: &Hub,
    scope: &Scope,
    destination: &Destination,
    attempts: &[Attempt],
) -> AppResult<HashMap<i64, Told>> {
    named(hub, scope, destination, &places(attempts)).await
}

/// What was put aside, by the positions of the requests: the first event of each.
///
/// # Errors
/// The database does not answer.
pub async fn of_parked(
    hub: &Hub,
    scope: &Scope,
    destination: &Destination,
    rows: &[Parked],
) -> AppResult<HashMap<i64, Told>> {
    let id = |row: &Parked| journal::event_id(row.received_at, row.first_position);
    named(hub, scope, destination, &rows.iter().map(|row| (row.first_position, id(row))).collect()).await
}

/// First events with their conversations.
async fn named(
    hub: &Hub,
    scope: &Scope,
    destination: &Destination,
    places: &HashMap<i64, String>,
) -> AppResult<HashMap<i64, Told>> {
    let mut found = first_events(hub, destination, places).await?;
    name_chats(hub, scope, destination, found.values_mut()).await?;
    Ok(found)
}

/// One page of a destination's attempts, the newest first: those that ended so, and where `words` are given, those of the
/// delivery of that name, or of people and groups whose names contain them.
///
/// # Errors
/// 404 when there is no such destination.
pub async fn search(
    hub: &Hub,
    scope: &Scope,
    id: &DestinationId,
    (outcome, words): (Outcome, &str),
    below: Option<(Timestamp, String)>,
    limit: i64,
) -> AppResult<Vec<Attempt>> {
    let words = words.trim();
    if words.is_empty() || words.starts_with("dlv_") {
        return service::attempts(hub, scope, id, (outcome, words), below, limit).await;
    }
    let destination = service::get(hub, scope, id).await?;
    let filter = inbox::Filter {
        account: Some(destination.account.clone()),
        q: Some(words.to_owned()),
        limit: MEANT,
        ..inbox::Filter::default()
    };
    let meant = inbox::list(hub, scope, &filter).await?;
    let is_meant = |told: &Told| {
        told.external_id.as_ref().is_some_and(|id| meant.iter().any(|chat| chat.external_id == *id))
    };
    let mut attempts = service::attempts(hub, scope, id, (outcome, ""), below, SEARCHED).await?;
    let found = first_events(hub, &destination, &places(&attempts)).await?;
    attempts.retain(|attempt| found.get(&attempt.first_position).is_some_and(is_meant));
    attempts.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_a_line() {
        let event = serde_json::json!({ "type": "message", "source": { "type": "group", "groupId": "C1", "userId": "U1" },
            "message": { "type": "text", "text": "hi" } });
        let is = Told {
            kind: "message".to_owned(),
            message: Some("text".to_owned()),
            source: Some("group".to_owned()),
            external_id: Some("C1".to_owned()),
            chat: None,
            text: Some("hi".to_owned()),
        };
        assert_eq!(Told::new(&event), is);
    }
}
