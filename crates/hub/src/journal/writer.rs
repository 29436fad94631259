//! Group commit: requests that wait for the disk share one transaction, and all are answered after its commit.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::repo::entries;
use super::{APPEND_DEADLINE, NewRequest};
use crate::db::{Db, DbError, DbResult};

/// At most this many requests share a commit.
const BATCH: usize = 256;
/// A batch closes early when its bodies come to this many bytes.
const BATCH_BYTES: usize = 8 << 20;
/// … or when it holds this many events.
const BATCH_EVENTS: usize = 2000;

/// Why a request is not known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// Too many requests wait for the disk.
    #[error("too many requests wait for the disk")]
    Busy,
    /// The disk did not answer within [`APPEND_DEADLINE`].
    #[error("the disk did not answer in time")]
    Late,
    /// The database refused.
    #[error("the database refused the request")]
    Refused,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: NewRequest,
    answer: oneshot::Sender<Result<(), NotStored>>,
}

pub(super) async fn append(queue: &mpsc::Sender<Waiting>, request: NewRequest) -> Result<(), NotStored> {
    let (answer, stored) = oneshot::channel();
    queue.try_send(Waiting { request, answer }).map_err(|_| NotStored::Busy)?;
    match tokio::time::timeout(APPEND_DEADLINE, stored).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(NotStored::Refused),
        Err(_) => Err(NotStored::Late),
    }
}

/// Runs until every handle of the queue is gone; then what still waits is committed first.
pub(super) async fn run(db: Db, mut queue: mpsc::Receiver<Waiting>, announce: watch::Sender<u64>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut last = None;
    loop {
        // Batches form by themselves while the previous commit runs; no timer is needed.
        if queue.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        // A request whose caller has given up is not stored: LINE was told so.
        batch.retain(|waiting| !waiting.answer.is_closed());
        while !batch.is_empty() {
            let (mut bytes, mut events) = (0, 0);
            let count = batch
                .iter()
                .take_while(|waiting| {
                    let first = bytes == 0;
                    bytes += waiting.request.body.len();
                    events += waiting.request.events.len();
                    first || (bytes <= BATCH_BYTES && events <= BATCH_EVENTS)
                })
                .count();
            let part: Vec<Waiting> = batch.drain(..count).collect();
            commit(&db, &mut last, part).await;
            announce.send_modify(|n| *n += 1);
        }
    }
}

async fn commit(db: &Db, last: &mut Option<i64>, part: Vec<Waiting>) {
    let all: Vec<&NewRequest> = part.iter().map(|waiting| &waiting.request).collect();
    match entries::append(db, &all, last).await {
        Ok(()) => part.into_iter().for_each(|waiting| drop(waiting.answer.send(Ok(())))),
        Err(error) if part.len() == 1 || matches!(error, DbError::Unavailable(_)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                requests = part.len(),
                "journal append failed"
            );
            part.into_iter().for_each(|waiting| drop(waiting.answer.send(Err(NotStored::Refused))));
            // A database that is away is asked again only by the next request, not in a tight loop.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(_) => {
            // One bad request must not refuse its neighbours: each is tried alone, whole.
            for waiting in part {
                let stored = entries::append(db, &[&waiting.request], last).await.map_err(|error| {
                    tracing::error!(error = &error as &dyn std::error::Error, "journal append failed");
                    NotStored::Refused
                });
                drop(waiting.answer.send(stored));
            }
        }
    }
}

/// One commit for each request, as a hub without this module would do it. Only `bench` stores so: on PostgreSQL the
/// positions are not drawn in order, which a consumer would need.
#[derive(Debug)]
pub(super) struct Alone(AtomicI64);

impl Alone {
    pub(super) async fn open(db: &Db) -> DbResult<Self> {
        Ok(Self(AtomicI64::new(entries::last_request(db).await?)))
    }

    pub(super) async fn append(&self, db: &Db, request: NewRequest) -> Result<(), NotStored> {
        let id = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        entries::append_alone(db, id, &request).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "journal append failed");
            NotStored::Refused
        })
    }
}
