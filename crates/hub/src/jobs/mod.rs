//! Background work: leased, retried, dead when nothing helps, and visible to a person.
//!
//! Owns `jobs`. A slice declares a [`Job`] (ids only, no bodies, no secrets), enqueues it in the transaction of its
//! cause ([`enqueue`]) and calls `hub.jobs.wake()` after the commit; `wiring.rs` lists the handlers in a [`Registry`].
//! Promises: a job whose transaction was committed runs at least once, never twice at the same time while its lease
//! lasts, and again after a crash. So handlers are idempotent. A job that fails for good is kept as *dead* until a
//! person retries it; done jobs are deleted after 7 days.

mod backoff;
mod cleanup;
mod pages;
mod registry;
mod repo;
mod runner;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, Tx};
use crate::error::AppError;
use crate::ids::{JobId, TenantId};

pub use pages::SETTINGS;
pub use registry::{Misfit, Registry};
pub(crate) use repo::STATEMENTS;
pub use repo::{Counts, Cursor, Listed, State, counts, list, retry};
pub use runner::{run, run_pending};

/// How long a lease outlasts the longest job of its lane: the time to record the outcome.
pub const LEASE_MARGIN: Duration = Duration::from_secs(30);
/// How long the last word of a finished job is kept.
pub const DONE_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// One kind of background work; the implementing type is its payload: ids and a version, no bodies and no secrets.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name, `slice.verb`; stored, so it stays as it is.
    const KIND: &'static str;
    /// Where it runs.
    const LANE: Lane = Lane::DEFAULT;
    /// After so many attempts the job is dead.
    const MAX_ATTEMPTS: u32 = 12;
    /// One attempt may take this long; it must fit into the lane's lease ([`Registry::check`]).
    const TIMEOUT: Duration = Duration::from_secs(60);
}

/// Jobs that share workers, so that slow work of one kind does not hold up another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Its name, stored with the job.
    pub name: &'static str,
    /// Jobs that run at once on each node.
    pub workers: usize,
    /// How long a running job is left alone; then it is taken for crashed and runs again.
    pub lease: Duration,
}

impl Lane {
    /// Everything that needs no lane of its own.
    pub const DEFAULT: Self = Self { name: "default", workers: 4, lease: Duration::from_secs(120) };
    /// Fetching media.
    pub const MEDIA: Self = Self { name: "media", workers: 2, lease: Duration::from_secs(660) };
    /// Fetching profiles.
    pub const PROFILE: Self = Self { name: "profile", workers: 4, lease: Duration::from_secs(120) };
}

/// How one attempt ended; handlers say it themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done, or there is nothing left to do.
    Done,
    /// It may work later.
    Retry {
        /// Not before this time, as the other side asked (`Retry-After`); `None` for the usual growing delay.
        after: Option<Duration>,
        /// What went wrong, shown to a person: no secret, no message text.
        reason: String,
    },
    /// It cannot be tried now, through no fault of its own: later, as often as it takes. No attempt is used up.
    Wait {
        /// What it waits for; as for `Retry`.
        reason: String,
    },
    /// It will never work: dead at once.
    Fail {
        /// As for `Retry`.
        reason: String,
    },
}

impl Outcome {
    /// Again after the usual delay.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// Again when the time has come, without using up an attempt.
    pub fn wait(reason: impl Into<String>) -> Self {
        Self::Wait { reason: reason.into() }
    }

    /// Never again.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::Fail { reason: reason.into() }
    }
}

impl From<AppError> for Outcome {
    /// Of a service that a handler calls: as of the database where that is the trouble, else again after the usual delay.
    fn from(error: AppError) -> Self {
        if error.status == StatusCode::SERVICE_UNAVAILABLE {
            return Self::wait(error.detail);
        }
        Self::retry(error.detail)
    }
}

impl From<DbResult<()>> for Outcome {
    /// Database trouble passes and fails no job; a refused statement does.
    fn from(result: DbResult<()>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) if error.is_transient() => Self::wait(error.to_string()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "job was refused by the database");
                Self::fail(error.to_string())
            }
        }
    }
}

/// When and how a job is enqueued; `NewJob::default()` is "now, each time".
#[derive(Debug, Clone, Default)]
pub struct NewJob {
    /// Not before this time; `None` means at once.
    pub run_at: Option<Timestamp>,
    /// While a job of the same kind and key waits, enqueuing another adds nothing. One that already runs does not
    /// count, because it may have read what has changed since.
    pub dedupe_key: Option<String>,
}

impl NewJob {
    /// At once, unless one for the same thing waits already.
    pub fn once(dedupe_key: impl Into<String>) -> Self {
        Self { run_at: None, dedupe_key: Some(dedupe_key.into()) }
    }
}

/// Adds a job in the transaction of its cause. Gives its id, or `None` when one for the same thing waits already. After
/// the commit the caller calls [`Jobs::wake`]; without that the job is found within a second. `tenant` is `None` for
/// the hub's own work.
///
/// # Errors
/// Those of the database.
pub async fn enqueue<J: Job>(
    tx: &mut Tx,
    hub: &Hub,
    tenant: Option<&TenantId>,
    job: &J,
    new: NewJob,
) -> DbResult<Option<JobId>> {
    let row = repo::NewRow::of(hub.id(), hub.now(), tenant, job, new)?;
    repo::insert(tx, &row).await
}

/// The wake-up of this node's workers.
#[derive(Debug)]
pub struct Jobs {
    woken: watch::Sender<u64>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { woken: watch::Sender::new(0) }
    }
}

impl Jobs {
    /// Makes the workers look for due jobs now; call it after a commit that enqueued some.
    pub fn wake(&self) {
        self.woken.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn woken(&self) -> watch::Receiver<u64> {
        self.woken.subscribe()
    }
}

/// The page of jobs, for owners.
pub fn routes() -> Router<Hub> {
    pages::routes()
}
