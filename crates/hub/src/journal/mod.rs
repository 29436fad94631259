//! The journal: one entry per webhook event, in order, with LINE's exact request bytes and signature kept once.
//!
//! Owns `journal_identity`, `journal_requests`, `journal_entries` (a database file of their own on SQLite). Promises:
//! [`Journal::append`] answers `Ok` only after the whole request is on disk; an event that is already there adds
//! nothing; positions become visible in order. Consumers read by cursor ([`consumer`]); the cursor lives in the hub's
//! database, in the transaction of the work it stands for. The journal knows no consumer and no event's meaning.

pub mod api;
pub mod cleanup;
pub mod consumer;
pub mod pages;
mod parked;
mod repo;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use ulid::Ulid;

use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult};
use crate::ids::AccountId;
use repo::{entries, requests};

pub use repo::cursors;
pub(crate) use repo::cursors::STATEMENTS as CURSORS;
pub use repo::entries::Filter;
pub(crate) use repo::entries::STATEMENTS;
pub(crate) use repo::requests::STATEMENTS as REQUESTS;
pub use repo::requests::{Placed, Request, Requests, Room};
pub use writer::NotStored;

/// How long a request may wait for the disk before the answer is 503 (ARCHITECTURE section 1 point 1).
pub const APPEND_DEADLINE: Duration = Duration::from_millis(1500);
/// Requests that may wait for the disk at once; one more is answered 503.
pub const QUEUE: usize = 4096;
/// Dedupe keys, and the entries that carry them, are kept this long.
pub const DEDUPE_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// A webhook request to be stored, with the places of its events.
#[derive(Debug)]
pub struct NewRequest {
    /// The account whose webhook was called.
    pub account_id: AccountId,
    /// LINE's exact bytes.
    pub body: Bytes,
    /// The value of `x-line-signature`.
    pub signature: String,
    /// When the hub received it.
    pub received_at: Timestamp,
    /// Its events, in order.
    pub events: Vec<NewEvent>,
}

/// One event of a [`NewRequest`].
#[derive(Debug)]
pub struct NewEvent {
    /// Offset of the event's JSON in the body, in bytes.
    pub start: usize,
    /// Length of the event's JSON, in bytes.
    pub len: usize,
    /// `webhookEventId`; `None` where LINE sent none.
    pub webhook_event_id: Option<String>,
    /// `type`, as LINE wrote it.
    pub kind: String,
    /// `deliveryContext.isRedelivery`.
    pub redelivered: bool,
    /// `timestamp`; the time of receipt where it is missing.
    pub event_at: Timestamp,
}

/// One stored event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the journal; grows, with gaps.
    pub position: i64,
    /// The account.
    pub account_id: String,
    /// The event's JSON as LINE sent it; `None` when it was blanked or its request has expired.
    pub raw: Option<Vec<u8>>,
    /// `webhookEventId`, or the id made from the request's bytes and the event's place.
    pub dedupe_key: String,
    /// Whether LINE sent the id.
    pub has_event_id: bool,
    /// `type`.
    pub kind: String,
    /// Whether LINE said that it sends it again.
    pub redelivered: bool,
    /// LINE's time of the event.
    pub event_at: Timestamp,
    /// When the hub received it.
    pub received_at: Timestamp,
}

impl Entry {
    /// The public id, `evt_` and a ULID made from the time of receipt and the position.
    #[must_use]
    pub fn id(&self) -> String {
        event_id(self.received_at, self.position)
    }
}

/// The public id of the entry at `position`.
#[must_use]
pub fn event_id(received_at: Timestamp, position: i64) -> String {
    let ms = u64::try_from(received_at.millis()).unwrap_or(0);
    format!("evt_{}", Ulid::from_parts(ms, u128::try_from(position).unwrap_or(0)))
}

/// The position that a public id names; `None` when it is not one.
#[must_use]
pub fn event_position(id: &str) -> Option<i64> {
    let ulid = Ulid::from_string(id.strip_prefix("evt_")?).ok()?;
    i64::try_from(ulid.random()).ok()
}

/// How requests reach the disk. Only [`Commit::Group`] is for use; `bench` measures what it is worth against the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Requests that wait for the disk share one commit.
    Group,
    /// Each request has a commit of its own.
    Each,
    /// Nothing is stored.
    Never,
}

#[derive(Debug, Clone)]
enum Store {
    Group(mpsc::Sender<writer::Waiting>),
    Each(Arc<writer::Alone>),
    Never,
}

/// The journal of this hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    db: Db,
    epoch: i64,
    store: Store,
    appended: watch::Receiver<u64>,
    paused: Arc<watch::Sender<bool>>,
    blanked: Arc<AtomicU64>,
}

impl Journal {
    /// Opens the journal on a migrated database and starts its one writer task.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open(db: Db, fresh_epoch: i64) -> DbResult<Self> {
        Self::open_with(db, fresh_epoch, Commit::Group).await
    }

    /// As [`Journal::open`], storing as `commit` says.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open_with(db: Db, fresh_epoch: i64, commit: Commit) -> DbResult<Self> {
        let epoch = entries::identity(&db, fresh_epoch).await?;
        let (announce, appended) = watch::channel(0);
        let store = match commit {
            Commit::Group => {
                let (queue, waiting) = mpsc::channel(QUEUE);
                tokio::spawn(writer::run(db.clone(), waiting, announce));
                Store::Group(queue)
            }
            Commit::Each => Store::Each(Arc::new(writer::Alone::open(&db).await?)),
            Commit::Never => Store::Never,
        };
        let paused = Arc::new(watch::Sender::new(false));
        Ok(Self { db, epoch, store, appended, paused, blanked: Arc::default() })
    }

    /// Stores a request whole, or not at all; returns after the disk has it.
    ///
    /// # Errors
    /// [`NotStored`] when the queue is full, the deadline of 1.5 s has passed or the database refuses: then it is
    /// not known to be stored, and LINE has to be told so.
    pub async fn append(&self, request: NewRequest) -> Result<(), NotStored> {
        match &self.store {
            Store::Group(queue) => writer::append(queue, request).await,
            Store::Each(alone) => alone.append(&self.db, request).await,
            Store::Never => Ok(()),
        }
    }

    /// Who this journal is; a cursor of another epoch belongs to another journal.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The last position, 0 when empty.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn head(&self) -> DbResult<i64> {
        entries::head(&self.db).await
    }

    /// How many entries there are; reads all of them, so it is for measuring only.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count(&self) -> DbResult<i64> {
        entries::count(&self.db).await
    }

    /// Up to `limit` entries after `position`, in order, with their JSON.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn read(&self, position: i64, limit: i64) -> DbResult<Vec<Entry>> {
        entries::read(&self.db, position, limit).await
    }

    /// Whole requests, with their bytes, whose events stand after `after` and not after `until`, in order, as many as
    /// there is room for.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn requests(&self, after: i64, until: i64, room: Room) -> DbResult<Requests> {
        requests::read(&self.db, after, until, room).await
    }

    /// The whole request of the event at `position`; `None` when there is no such event.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn request_of(&self, position: i64) -> DbResult<Option<Request>> {
        requests::of_event(&self.db, position).await
    }

    /// Entries of the named accounts after the filter's cursor, oldest first, without their JSON.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self, filter: &Filter<'_>) -> DbResult<Vec<Entry>> {
        entries::list(&self.db, filter).await
    }

    /// The ids of the account's events from the first position to the last that came at that moment, as one request's do;
    /// empty when they are no longer kept.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ids(
        &self,
        places: (i64, i64),
        account: &AccountId,
        received_at: Timestamp,
    ) -> DbResult<Vec<String>> {
        let places = entries::places(&self.db, places, account.as_str(), received_at).await?;
        Ok(places.into_iter().map(|position| event_id(received_at, position)).collect())
    }

    /// One entry with its JSON.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn entry(&self, position: i64) -> DbResult<Option<Entry>> {
        Ok(self.read(position - 1, 1).await?.into_iter().find(|entry| entry.position == position))
    }

    /// The entries at these positions, at most some thousand, in order, with their JSON.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn at(&self, positions: &[i64]) -> DbResult<Vec<Entry>> {
        entries::at(&self.db, positions).await
    }

    /// How many entries of each account stand after `position`, counted, at most 10,000 looked at.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lag(&self, position: i64) -> DbResult<HashMap<String, i64>> {
        entries::lag(&self.db, position).await
    }

    /// Changes whenever something was appended by this node.
    #[must_use]
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.appended.clone()
    }

    /// Stops or lets go all consumers of this node (`bench`, and the pause after a restore).
    pub fn pause_consumers(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    pub(crate) fn paused(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    /// Overwrites the event's bytes with spaces (unsend, erasure), keeping id, time and place.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn blank(&self, position: i64) -> DbResult<()> {
        let end = entries::blank(&self.db, position).await;
        self.blanked.fetch_add(1, Ordering::Relaxed);
        end
    }

    /// How often this node has overwritten something.
    pub(crate) fn blanked(&self) -> u64 {
        self.blanked.load(Ordering::Relaxed)
    }

    /// Deletes request bytes received before `requests_before` and entries before `entries_before`, never beyond
    /// `cursor` (the slowest live one), and entries not beyond `needed` either; at most `limit` of each a call. Gives how
    /// many rows went.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn prune(
        &self,
        requests_before: Timestamp,
        entries_before: Timestamp,
        (cursor, needed): (i64, i64),
        limit: i64,
    ) -> DbResult<u64> {
        entries::prune(&self.db, requests_before, entries_before, (cursor, needed), limit).await
    }

    /// By which settings its database keeps a commit.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn durability(&self) -> DbResult<crate::db::Durability> {
        self.db.durability().await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> DbResult<()> {
        if let Store::Group(queue) = &self.store
            && queue.is_closed()
        {
            // The writer task is gone: nothing can be stored any more, whatever the database says.
            return Err(DbError::worker_gone());
        }
        entries::head(&self.db).await.map(|_| ())
    }

    /// Ends the connections; what was not yet committed is refused.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
