//! Reading the journal by cursor: one consumer, one cursor, and the work of a batch in the transaction that moves it.
//!
//! The cursor moves by compare-and-set on its old position, its epoch and the holder's fence; no row changed means the
//! whole batch is rolled back. An event that cannot be processed is parked, in the transaction that moves the cursor.
//! Database trouble never parks: it waits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{DEDUPE_KEPT, Entry, Journal, cursors};
use crate::clock::{Clock, Timestamp};
use crate::db::{Db, DbError, DbResult, Tx};

/// Events that share a transaction.
const BATCH: i64 = 100;
/// How long a holder keeps a cursor without moving it.
const LEASE: Duration = Duration::from_secs(10);

/// Why one event was not processed.
#[derive(Debug)]
pub enum EventError {
    /// The event itself cannot be processed; the words are shown to a person.
    Park(String),
    /// The database.
    Db(DbError),
}

impl From<DbError> for EventError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// Something that reads every event once, in order.
pub trait Consumer: Send + Sync + 'static {
    /// The cursor's name, shown in `GET /events`.
    fn name(&self) -> &'static str;

    /// Does the work of one entry in `tx`. Must be idempotent: after a crash between two database files the same
    /// entry may come again. `EventError::Park` must be given before anything is written.
    fn handle<'a>(&'a self, tx: &'a mut Tx, entry: &'a Entry) -> BoxFuture<'a, Result<(), EventError>>;

    /// Called after the batch's commit (`true`) or its rollback (`false`), for what must not happen before.
    fn settled(&self, committed: bool);
}

/// What a consumer's loop needs.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The journal.
    pub journal: Journal,
    /// The hub's database, which holds the cursor.
    pub db: Db,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// This process, a text unique to it.
    pub node: String,
}

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// So many entries were read.
    Read(usize),
    /// Nothing waits.
    Idle,
    /// Another node holds the cursor.
    Held,
}

/// Runs `consumer` until `stop`.
pub async fn run(reader: Reader, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
    let mut appended = reader.journal.appended();
    let mut paused = reader.journal.paused();
    let mut cursor = None;
    let mut trouble = 0_u32;
    while !stop.is_cancelled() {
        if *paused.borrow_and_update() {
            tokio::select! {
                _ = paused.changed() => {}
                () = stop.cancelled() => {}
            }
            continue;
        }
        appended.borrow_and_update();
        let (wait, listen) = match round(&reader, consumer.as_ref(), &mut cursor).await {
            Ok(Round::Read(_)) => {
                trouble = 0;
                continue;
            }
            // An append of this node wakes the loop; other nodes' appends are found by asking.
            Ok(Round::Idle) => (Duration::from_millis(500), true),
            Ok(Round::Held) => (Duration::from_secs(1), false),
            Err(error) => {
                trouble = (trouble + 1).min(6);
                cursor = None;
                tracing::error!(
                    consumer = consumer.name(),
                    error = &error as &dyn std::error::Error,
                    "journal consumer waits for the database"
                );
                (Duration::from_millis(50) * 2_u32.pow(trouble), false)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = appended.changed(), if listen => if changed.is_err() { return },
            () = stop.cancelled() => {}
        }
    }
    if let Some(cursor) = cursor {
        cursors::release(&reader.db, consumer.name(), &cursor, reader.clock.now()).await.unwrap_or_else(
            |error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "cursor was not released");
            },
        );
    }
}

/// Reads until nothing waits; for tests and for `demo`'s start.
///
/// # Errors
/// Those of the database.
pub async fn drain(reader: &Reader, consumer: &dyn Consumer) -> DbResult<usize> {
    let mut cursor = None;
    let mut read = 0;
    while let Round::Read(n) = round(reader, consumer, &mut cursor).await? {
        read += n;
    }
    Ok(read)
}

/// One batch.
///
/// # Errors
/// Those of the database; the cursor has not moved.
pub async fn round(
    reader: &Reader,
    consumer: &dyn Consumer,
    held: &mut Option<cursors::Cursor>,
) -> DbResult<Round> {
    let now = reader.clock.now();
    let cursor = match held.take() {
        Some(cursor) if cursor.lease_until > now.plus(LEASE / 2) => cursor,
        _ => match claim(reader, consumer.name(), now).await? {
            Some(cursor) => cursor,
            None => return Ok(Round::Held),
        },
    };
    let entries = reader.journal.read(cursor.position, BATCH).await?;
    if entries.is_empty() {
        *held = Some(cursor);
        return Ok(Round::Idle);
    }
    let moved = match batch(reader, consumer, &cursor, &entries).await {
        Err(error) if !error.is_transient() && entries.len() > 1 => {
            // One of them is refused by the database: alone, each is done or parked.
            one_by_one(reader, consumer, cursor, &entries).await?
        }
        Err(error) if !error.is_transient() => {
            let entry = entries.iter().take(1);
            park_refused(reader, consumer, &cursor, entry, &error).await?
        }
        other => other?,
    };
    *held = Some(moved);
    Ok(Round::Read(entries.len()))
}

/// Takes the cursor, unless another node holds it or it belongs to another journal (which was exchanged or put back).
async fn claim(reader: &Reader, consumer: &str, now: Timestamp) -> DbResult<Option<cursors::Cursor>> {
    let claim = cursors::Claim {
        node: &reader.node,
        epoch: reader.journal.epoch(),
        now,
        lease: LEASE,
        steal: !reader.db.is_postgres(),
    };
    let Some(cursor) = cursors::claim(&reader.db, consumer, &claim).await? else { return Ok(None) };
    if cursor.epoch != reader.journal.epoch() || cursor.position > reader.journal.head().await? {
        tracing::error!(
            consumer,
            "the cursor belongs to another journal; the consumer stands still until resumed"
        );
        return Ok(None);
    }
    Ok(Some(cursor))
}

async fn one_by_one(
    reader: &Reader,
    consumer: &dyn Consumer,
    mut cursor: cursors::Cursor,
    entries: &[Entry],
) -> DbResult<cursors::Cursor> {
    for entry in entries {
        cursor = match batch(reader, consumer, &cursor, std::slice::from_ref(entry)).await {
            Err(error) if !error.is_transient() => {
                park_refused(reader, consumer, &cursor, std::iter::once(entry), &error).await?
            }
            other => other?,
        };
    }
    Ok(cursor)
}

async fn batch(
    reader: &Reader,
    consumer: &dyn Consumer,
    cursor: &cursors::Cursor,
    entries: &[Entry],
) -> DbResult<cursors::Cursor> {
    let result = async {
        let mut tx = reader.db.begin().await?;
        for entry in entries {
            let outcome = match refuse(entry) {
                Some(reason) => Err(EventError::Park(reason)),
                None => consumer.handle(&mut tx, entry).await,
            };
            match outcome {
                Ok(()) => {}
                Err(EventError::Park(reason)) => {
                    cursors::park(&mut tx, consumer.name(), entry, &reason, reader.clock.now()).await?;
                }
                Err(EventError::Db(error)) => return Err(error),
            }
        }
        let moved = advance(reader, &mut tx, consumer, cursor, entries.last()).await?;
        tx.commit().await?;
        Ok(moved)
    }
    .await;
    consumer.settled(result.is_ok());
    result
}

/// What became of a parked event that was tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It was processed and is off the list.
    Done,
    /// It still cannot be processed; the words tell why.
    StillParked(String),
    /// It was not parked, or the journal no longer has it.
    Missing,
}

/// Tries a parked event again, as a person asked; the cursor stays where it is.
///
/// # Errors
/// Those of the database.
pub async fn replay(reader: &Reader, consumer: &dyn Consumer, position: i64) -> DbResult<Replayed> {
    let parked = cursors::parked_between(&reader.db, position, position).await?;
    let Some(entry) = reader.journal.entry(position).await? else { return Ok(Replayed::Missing) };
    if !parked.iter().any(|(name, _)| name == consumer.name()) {
        return Ok(Replayed::Missing);
    }
    let now = reader.clock.now();
    let mut tx = reader.db.begin().await?;
    let outcome = match refuse(&entry) {
        Some(reason) => Err(EventError::Park(reason)),
        None => consumer.handle(&mut tx, &entry).await,
    };
    let reason = match outcome {
        Ok(()) => {
            cursors::unpark(&mut tx, consumer.name(), position).await?;
            let committed = tx.commit().await;
            consumer.settled(committed.is_ok());
            return committed.map(|()| Replayed::Done);
        }
        Err(EventError::Db(error)) if error.is_transient() => {
            consumer.settled(false);
            return Err(error);
        }
        Err(EventError::Db(error)) => error.to_string(),
        Err(EventError::Park(reason)) => reason,
    };
    drop(tx);
    consumer.settled(false);
    let mut tx = reader.db.begin().await?;
    cursors::park(&mut tx, consumer.name(), &entry, &reason, now).await?;
    tx.commit().await?;
    Ok(Replayed::StillParked(reason))
}

async fn park_refused(
    reader: &Reader,
    consumer: &dyn Consumer,
    cursor: &cursors::Cursor,
    entries: impl Iterator<Item = &Entry>,
    error: &DbError,
) -> DbResult<cursors::Cursor> {
    let mut tx = reader.db.begin().await?;
    let mut last = None;
    for entry in entries {
        tracing::error!(position = entry.position, error = error as &dyn std::error::Error, "event parked");
        cursors::park(&mut tx, consumer.name(), entry, &error.to_string(), reader.clock.now()).await?;
        last = Some(entry);
    }
    let moved = advance(reader, &mut tx, consumer, cursor, last).await?;
    tx.commit().await?;
    Ok(moved)
}

async fn advance(
    reader: &Reader,
    tx: &mut Tx,
    consumer: &dyn Consumer,
    cursor: &cursors::Cursor,
    last: Option<&Entry>,
) -> DbResult<cursors::Cursor> {
    let to = last.map_or(cursor.position, |entry| entry.position);
    cursors::advance(tx, consumer.name(), cursor, to, reader.clock.now(), LEASE).await
}

/// What no consumer may process: an event older than the dedupe keys are kept might be one that was done long ago.
fn refuse(entry: &Entry) -> Option<String> {
    if entry.event_at.plus(DEDUPE_KEPT) < entry.received_at {
        return Some("the event is more than 90 days old".to_owned());
    }
    entry.raw.is_none().then(|| "the event's content is no longer kept".to_owned())
}
