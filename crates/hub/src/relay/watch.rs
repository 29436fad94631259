//! The loop that starts and ends the runners of this node.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::alarm;
use super::feed::Feed;
use super::model::Halt;
use super::repo;
use super::runner::Runner;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbError, DbResult, LogAndIgnore as _};
use crate::ids::DestinationId;

/// How often destinations are looked at that nobody runs.
const LOOK: Duration = Duration::from_secs(1);

/// What the relay has in memory.
#[derive(Debug, Default)]
pub struct Relay {
    pub(super) feed: Feed,
    pub(super) proxy: super::proxy::Memory,
    wake: Notify,
    alone: AtomicBool,
    /// What this node runs.
    running: Mutex<HashSet<DestinationId>>,
}

impl Relay {
    /// Tells the loop that a destination was made or changed; to be called after the commit.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Goes on while the journal's other readers are paused; for measuring only.
    pub fn go_on_alone(&self) {
        self.alone.store(true, Ordering::Relaxed);
    }

    /// Whether this node runs the destination.
    pub(super) fn runs(&self, id: &DestinationId) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    pub(super) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }
}

struct Running {
    serial: i64,
    stop: CancellationToken,
    task: JoinHandle<Ended>,
}

/// Why a runner ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to, or another node has the cursor, or there was trouble: it may be started again.
    Anyhow,
    /// Nothing can be done before a person changes something.
    Stands,
    /// The same, and its row is to say why.
    Halts(Halt),
}

/// Runs the destinations that no other node runs, until the hub stops.
///
/// # Errors
/// None: trouble is logged and passes.
pub async fn run(hub: Hub) -> anyhow::Result<()> {
    let mut running: HashMap<DestinationId, Running> = HashMap::new();
    let mut standing: HashMap<DestinationId, i64> = HashMap::new();
    let (mut told, mut is_looked_through) = (None, false);
    while !hub.stop.is_cancelled() {
        if !is_looked_through {
            // Before this journal has grown past where the cursors of another one stand.
            let looked = find_strange(&hub).await;
            is_looked_through = looked.is_ok();
            looked.log_and_ignore("looking for cursors of another journal");
        }
        // By the hub's clock; a person's act is told of at once.
        if told.is_none_or(|told: Timestamp| told.plus(alarm::EVERY) <= hub.now()) {
            alarm::look(&hub).await.log_and_ignore("telling of destinations that get nothing");
            told = Some(hub.now());
        }
        reap(&hub, &mut running, &mut standing).await;
        match repo::runnable(&hub.db).await {
            Ok(runnable) => {
                let wanted: HashMap<_, _> = runnable.iter().map(|one| (&one.id, one.serial)).collect();
                for (id, one) in &running {
                    if wanted.get(id) != Some(&one.serial) {
                        one.stop.cancel();
                    }
                }
                standing.retain(|id, serial| wanted.get(id) == Some(&*serial));
                for one in runnable {
                    let is_free = one.is_free(hub.now()) || !hub.db.is_postgres();
                    if is_free && !running.contains_key(&one.id) && !standing.contains_key(&one.id) {
                        let stop = hub.stop.child_token();
                        hub.relay
                            .running
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(one.id.clone());
                        let task = tokio::spawn(hold(hub.clone(), one.id.clone(), one.serial, stop.clone()));
                        running.insert(one.id, Running { serial: one.serial, stop, task });
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "destinations could not be looked at");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = hub.relay.wake.notified() => told = None,
            () = hub.stop.cancelled() => {}
        }
    }
    for one in running.into_values() {
        if let Err(error) = one.task.await {
            tracing::error!(%error, "a destination's task failed");
        }
    }
    Ok(())
}

/// Halts the destinations, also paused ones, whose cursors belong to another journal.
async fn find_strange(hub: &Hub) -> DbResult<()> {
    let places = repo::places(&hub.db).await?;
    // Read after them: no cursor of this journal stands beyond it.
    let (epoch, head) = (hub.journal.epoch(), hub.journal.head().await?);
    for place in places.iter().filter(|place| place.1 != epoch || place.2 > head) {
        tracing::error!(destination = %place.0, "the cursor belongs to another journal; the destination is stopped");
        let mut tx = hub.db.begin().await?;
        repo::halt_strange(&mut tx, place).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Takes out the runners that have ended.
async fn reap(
    hub: &Hub,
    running: &mut HashMap<DestinationId, Running>,
    standing: &mut HashMap<DestinationId, i64>,
) {
    let ended: Vec<_> =
        running.iter().filter(|(_, one)| one.task.is_finished()).map(|(id, _)| id.clone()).collect();
    for id in ended {
        let Some(one) = running.remove(&id) else { continue };
        hub.relay.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        match one.task.await {
            Ok(Ended::Anyhow) => {}
            Ok(Ended::Stands | Ended::Halts(_)) => {
                standing.insert(id, one.serial);
            }
            Err(error) => tracing::error!(%error, destination = %id, "a destination's task failed"),
        }
    }
}

/// Takes a destination's cursor and carries its units until `stop`.
async fn hold(hub: Hub, id: DestinationId, serial: i64, stop: CancellationToken) -> Ended {
    match Runner::open(&hub, &id, serial).await {
        Ok(Ok(runner)) => runner.run(stop).await,
        Ok(Err(ended)) => ended,
        // Another try would find the same, and take the cursor again for it.
        Err(error @ DbError::Inconsistent { .. }) => {
            tracing::error!(error = &error as &dyn Error, destination = %id, "destination cannot be read; it stands still");
            Ended::Stands
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn Error, destination = %id, "destination could not be taken");
            Ended::Anyhow
        }
    }
}
