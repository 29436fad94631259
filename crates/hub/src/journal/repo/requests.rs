//! Reading the journal by request: what the relay passes on is LINE's request, not its single events.

use std::collections::HashMap;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::db::{Db, DbResult};
use crate::{args, statements};

statements! {
    // The size first: bodies are fetched only as far as the caller has room for them.
    HEADS = {
        sqlite: "SELECT e.position, e.account_id, e.request_id, e.body_start, e.body_len, e.kind, e.blanked, e.event_at,
                e.received_at, length(r.body) AS size
            FROM (SELECT * FROM journal_entries WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3) AS e
            LEFT JOIN journal_requests AS r ON r.id = e.request_id ORDER BY e.position",
        postgres: "SELECT e.position, e.account_id, e.request_id, e.body_start, e.body_len, e.kind, e.blanked, e.event_at,
                e.received_at, CAST(octet_length(r.body) AS BIGINT) AS size
            FROM (SELECT * FROM journal_entries WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3) AS e
            LEFT JOIN journal_requests AS r ON r.id = e.request_id ORDER BY e.position"
    };
    // The events of a request stand together, with gaps where one had come before.
    FIRST_OF = { "SELECT MIN(position) FROM journal_entries WHERE position > $1 - 6000 AND position <= $1
        AND request_id = (SELECT request_id FROM journal_entries WHERE position = $1)" };
    BODIES = { "SELECT id, body, signature FROM journal_requests WHERE id >= $1 AND id <= $2 ORDER BY id" };
}

/// A request with those of its events that were new, as the journal has it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The account.
    pub account_id: String,
    /// LINE's exact bytes; `None` when they are no longer kept.
    pub body: Option<Bytes>,
    /// The value of LINE's `x-line-signature`.
    pub signature: String,
    /// When the hub received it.
    pub received_at: Timestamp,
    /// Its new events, in order; never empty.
    pub events: Vec<Placed>,
}

/// A new event of a [`Request`].
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its place in the journal.
    pub position: i64,
    /// Where its JSON begins in the body, in bytes.
    pub start: usize,
    /// Length of its JSON, in bytes.
    pub len: usize,
    /// `type`.
    pub kind: String,
    /// Whether its bytes were overwritten (unsend, erasure).
    pub blanked: bool,
    /// LINE's time of it.
    pub event_at: Timestamp,
}

impl Request {
    /// The position of its first new event.
    #[must_use]
    pub fn first(&self) -> i64 {
        self.events.first().map_or(0, |event| event.position)
    }

    /// The position of its last new event.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.events.last().map_or(0, |event| event.position)
    }
}

/// Consecutive requests of all accounts.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// The requests, in order.
    pub items: Vec<Request>,
    /// The position up to which nothing is left out; that from which it was read when there is nothing.
    pub end: i64,
}

/// How much one reading may bring.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Events, at least one.
    pub events: i64,
    /// Bytes of bodies; the first request comes whatever its size.
    pub bytes: i64,
}

#[derive(sqlx::FromRow)]
struct Head {
    position: i64,
    account_id: String,
    request_id: i64,
    body_start: i64,
    body_len: i64,
    kind: String,
    blanked: bool,
    event_at: Timestamp,
    received_at: Timestamp,
    size: Option<i64>,
}

/// The whole request of the event at `position`.
pub(in crate::journal) async fn of_event(db: &Db, position: i64) -> DbResult<Option<Request>> {
    let first: Option<(Option<i64>,)> = db.opt(&FIRST_OF, args![position]).await?;
    let Some(first) = first.and_then(|(first,)| first) else { return Ok(None) };
    let found = read(db, first - 1, i64::MAX, Room { events: 2, bytes: 0 }).await?;
    Ok(found.items.into_iter().next())
}

/// The requests whose events stand after `after` and not after `until`, whole ones, as many as there is room for.
pub(in crate::journal) async fn read(db: &Db, after: i64, until: i64, room: Room) -> DbResult<Requests> {
    let mut limit = room.events;
    let heads = loop {
        let mut heads: Vec<Head> = db.all(&HEADS, args![after, until, limit]).await?;
        let is_full = i64::try_from(heads.len()).is_ok_and(|read| read == limit);
        let Some(last) = heads.last().map(|head| head.request_id).filter(|_| is_full) else { break heads };
        // The last request may go on behind the limit.
        let whole = heads.iter().position(|head| head.request_id == last).unwrap_or(0);
        if whole > 0 {
            heads.truncate(whole);
            break heads;
        }
        limit *= 4;
    };
    let (mut items, mut ids): (Vec<Request>, Vec<i64>) = (Vec::new(), Vec::new());
    let mut bytes = 0_i64;
    let mut end = after;
    for head in heads {
        if ids.last() != Some(&head.request_id) {
            bytes = bytes.saturating_add(head.size.unwrap_or(0));
            if bytes > room.bytes && !ids.is_empty() {
                break;
            }
            ids.push(head.request_id);
            items.push(Request {
                account_id: head.account_id,
                body: None,
                signature: String::new(),
                received_at: head.received_at,
                events: Vec::new(),
            });
        }
        end = head.position;
        if let Some(item) = items.last_mut() {
            item.events.push(Placed {
                position: head.position,
                start: usize::try_from(head.body_start).unwrap_or(0),
                len: usize::try_from(head.body_len).unwrap_or(0),
                kind: head.kind,
                blanked: head.blanked,
                event_at: head.event_at,
            });
        }
    }
    if let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) {
        let rows: Vec<(i64, Option<Vec<u8>>, String)> = db.all(&BODIES, args![*first, *last]).await?;
        let mut rows: HashMap<i64, _> =
            rows.into_iter().map(|(id, body, signature)| (id, (body, signature))).collect();
        for (item, id) in items.iter_mut().zip(&ids) {
            if let Some((body, signature)) = rows.remove(id) {
                item.body = body.map(Bytes::from);
                item.signature = signature;
            }
        }
    }
    Ok(Requests { items, end })
}
