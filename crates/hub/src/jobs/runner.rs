//! The workers: one loop for each lane, as many jobs at once as the lane has workers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::registry::Registry;
use super::repo::{self, Claimed, Search};
use super::{Lane, Misfit, Outcome, backoff};
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore as _};
use crate::text;

/// How often a lane looks for jobs that nobody woke it for: those of other nodes, and those whose time has come.
const POLL: Duration = Duration::from_secs(1);
/// How long running jobs may go on after the stop; then they are given back.
const GRACE: Duration = Duration::from_secs(5);
/// How long a job waits that could not be tried.
const WAIT: Duration = Duration::from_secs(10);
/// The longest error text kept, in characters.
const ERROR_KEPT: usize = 500;

/// Runs due jobs until `stop`, then lets the running ones end or gives them back.
///
/// # Errors
/// The list of jobs does not fit together ([`Registry::check`]); nothing was started.
pub async fn run(hub: Hub, registry: Arc<Registry>, stop: CancellationToken) -> Result<(), Misfit> {
    registry.check()?;
    while let Err(error) = start(&hub, &registry).await {
        tracing::error!(error = &error as &dyn std::error::Error, "jobs wait for the database");
        if stop.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
            return Ok(());
        }
    }
    let mut lanes = JoinSet::new();
    for lane in registry.lanes() {
        lanes.spawn(work(hub.clone(), registry.clone(), lane, stop.clone()));
    }
    lanes.join_all().await;
    Ok(())
}

/// Runs all jobs that are due now, one after another, and those that they enqueue, until none is due; for tests.
/// Gives how many attempts were made.
///
/// # Errors
/// Those of the database.
pub async fn run_pending(hub: &Hub, registry: &Registry) -> DbResult<usize> {
    let mut attempts = 0;
    loop {
        let before = attempts;
        for lane in registry.lanes() {
            for job in claim(hub, registry, lane, 1).await? {
                attempt(hub, registry, &job, &CancellationToken::new()).await;
                attempts += 1;
            }
        }
        if attempts == before {
            return Ok(attempts);
        }
    }
}

/// What is done once before the first claim.
async fn start(hub: &Hub, registry: &Registry) -> DbResult<()> {
    if !hub.db.is_postgres() {
        // This process is the only one: what runs according to the table was cut off by the end of the last one.
        let released = repo::release_all(&hub.db).await?;
        if released > 0 {
            tracing::info!(released, "jobs that were cut off run again");
        }
    }
    for schedule in registry.schedules() {
        let row = (schedule.row)(hub)?;
        let mut tx = hub.db.begin().await?;
        repo::insert_schedule(&mut tx, &row).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn work(hub: Hub, registry: Arc<Registry>, lane: Lane, stop: CancellationToken) {
    let mut woken = hub.jobs.woken();
    let mut running = JoinSet::new();
    while !stop.is_cancelled() {
        woken.borrow_and_update();
        let free = lane.workers.saturating_sub(running.len());
        let claimed = if free == 0 { Ok(Vec::new()) } else { claim(&hub, &registry, lane, free).await };
        let claimed = claimed.unwrap_or_else(|error| {
            tracing::error!(
                lane = lane.name,
                error = &error as &dyn std::error::Error,
                "jobs wait for the database"
            );
            Vec::new()
        });
        // A full hand means that more may be due.
        let more = !claimed.is_empty() && claimed.len() == free;
        for job in claimed {
            let (hub, registry, stop) = (hub.clone(), registry.clone(), stop.clone());
            running.spawn(async move { attempt(&hub, &registry, &job, &stop).await });
        }
        if more && running.len() < lane.workers {
            continue;
        }
        tokio::select! {
            Some(_) = running.join_next() => {}
            changed = woken.changed(), if running.len() < lane.workers => if changed.is_err() { break },
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
    running.join_all().await;
}

async fn claim(hub: &Hub, registry: &Registry, lane: Lane, limit: usize) -> DbResult<Vec<Claimed>> {
    let kinds = registry.kinds(lane);
    let search = Search { lane: lane.name, kinds: &kinds, now: hub.now(), lease: lane.lease, limit };
    repo::claim(&hub.db, &search).await
}

/// How an attempt ended, as the engine sees it.
enum End {
    Outcome(Outcome),
    Interrupted,
}

/// One attempt, from the claimed job to the recorded outcome.
async fn attempt(hub: &Hub, registry: &Registry, job: &Claimed, stop: &CancellationToken) {
    let begun = hub.now();
    let end = handle(hub, registry, job, stop).await;
    // The outcome must not be lost to a short trouble of the database; after the lease it is another's job.
    let mut wait = Duration::from_millis(100);
    loop {
        match record(hub, registry, job, &end).await {
            Ok(true) => break,
            Ok(false) => {
                tracing::warn!(job.id = %job.id, job.kind, "job took longer than its lease; its outcome is dropped");
                return;
            }
            Err(error) if hub.now().plus(wait) < job.lease_until && !stop.is_cancelled() => {
                Err::<(), _>(error).log_and_ignore("recording a job's outcome");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(5));
            }
            Err(error) => {
                tracing::error!(
                    job.id = %job.id,
                    job.kind,
                    error = &error as &dyn std::error::Error,
                    "the outcome of a job was not recorded; it runs again after its lease"
                );
                return;
            }
        }
    }
    let duration_ms = u64::try_from(hub.now().since(begun).as_millis()).unwrap_or(u64::MAX);
    report(job, &end, duration_ms);
}

async fn handle(hub: &Hub, registry: &Registry, job: &Claimed, stop: &CancellationToken) -> End {
    if job.attempts > job.max_attempts {
        // Each of its attempts ended with the process: it may well be what ends it.
        return End::Outcome(Outcome::fail("the hub stopped each time while the job ran"));
    }
    let Some(entry) = registry.entry(&job.kind) else {
        return End::Interrupted;
    };
    let work = match (entry.run)(hub.clone(), &job.payload) {
        Ok(work) => AssertUnwindSafe(work).catch_unwind(),
        Err(error) => return End::Outcome(Outcome::fail(format!("the payload cannot be read: {error}"))),
    };
    let stopped = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = tokio::time::timeout(entry.timeout, work) => End::Outcome(match result {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::retry("the job's handler panicked; the log tells where"),
            Err(_) => Outcome::retry(format!("the job took longer than {} s", entry.timeout.as_secs())),
        }),
        () = stopped => End::Interrupted,
    }
}

/// Writes the outcome, and the next run of a scheduled job with it. `false` when the job is another's by now.
async fn record(hub: &Hub, registry: &Registry, job: &Claimed, end: &End) -> DbResult<bool> {
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let (ours, over) = match end {
        End::Interrupted => (repo::give_back(&mut tx, job, now).await?, false),
        End::Outcome(Outcome::Done) => (repo::finish(&mut tx, job, true, None, now).await?, true),
        End::Outcome(Outcome::Wait { reason }) => {
            let reason = text::cut(&text::storable(reason), ERROR_KEPT);
            let again = now.plus(backoff::asked(WAIT, &hub.entropy));
            (repo::wait(&mut tx, job, &reason, again, now).await?, false)
        }
        End::Outcome(Outcome::Retry { after, reason }) if job.attempts < job.max_attempts => {
            let wait = after.map_or_else(
                || backoff::after(job.attempts, &hub.entropy),
                |wait| backoff::asked(wait, &hub.entropy),
            );
            let reason = text::cut(&text::storable(reason), ERROR_KEPT);
            (repo::retry_later(&mut tx, job, &reason, now.plus(wait), now).await?, false)
        }
        End::Outcome(Outcome::Retry { reason, .. } | Outcome::Fail { reason }) => {
            let reason = text::cut(&text::storable(reason), ERROR_KEPT);
            (repo::finish(&mut tx, job, false, Some(&reason), now).await?, true)
        }
    };
    if ours
        && over
        && let Some(schedule) = registry.schedule(&job.kind)
    {
        let mut row = (schedule.row)(hub)?;
        row.run_at = now.plus(schedule.every);
        repo::insert(&mut tx, &row).await?;
    }
    tx.commit().await?;
    Ok(ours)
}

fn report(job: &Claimed, end: &End, duration_ms: u64) {
    let outcome = match end {
        End::Outcome(Outcome::Done) => "done",
        End::Outcome(Outcome::Retry { reason, .. }) if job.attempts < job.max_attempts => {
            tracing::info!(job.id = %job.id, job.kind, job.attempts, reason, duration_ms, "job will run again");
            "retry"
        }
        End::Outcome(Outcome::Retry { reason, .. } | Outcome::Fail { reason }) => {
            tracing::warn!(job.id = %job.id, job.kind, job.attempts, reason, duration_ms, "job is dead");
            "dead"
        }
        End::Outcome(Outcome::Wait { reason }) => {
            tracing::info!(job.id = %job.id, job.kind, reason, duration_ms, "job waits");
            "waits"
        }
        End::Interrupted => "given_back",
    };
    metrics::counter!("trunkline_jobs_total", "kind" => job.kind.clone(), "outcome" => outcome).increment(1);
}
