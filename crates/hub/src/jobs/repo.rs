//! The jobs' SQL.

use std::time::Duration;

use super::{Job, NewJob};
use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{Id as _, JobId, TenantId};
use crate::scope::Scope;
use crate::{args, statements};

/// The state of a job that has to wait again: another one for the same thing may wait already, and then does its work.
macro_rules! ready_or_replaced {
    () => {
        "CASE WHEN EXISTS (SELECT 1 FROM jobs AS o WHERE o.kind = jobs.kind AND o.dedupe_key = jobs.dedupe_key
            AND o.state = 'ready' AND o.id <> jobs.id) THEN 'done' ELSE 'ready' END"
    };
}

// The CTE is materialised so that PostgreSQL evaluates its LIMIT and its locks exactly once.
macro_rules! claim {
    ($kinds:literal, $lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                SELECT id FROM jobs WHERE lane = $1 AND state = 'ready' AND run_at <= $2 AND kind IN (", $kinds, ")
                ORDER BY run_at, id LIMIT $4", $lock, ")
            UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_until = $3 WHERE id IN (SELECT id FROM due)
            RETURNING id, kind, payload, attempts, max_attempts, lease_until"
        )
    };
}

macro_rules! reclaim {
    ($kinds:literal, $lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                SELECT id FROM jobs WHERE lane = $1 AND state = 'running' AND lease_until <= $2 AND kind IN (", $kinds, ")
                ORDER BY run_at, id LIMIT $4", $lock, ")
            UPDATE jobs SET attempts = attempts + 1, lease_until = $3 WHERE id IN (SELECT id FROM due)
            RETURNING id, kind, payload, attempts, max_attempts, lease_until"
        )
    };
}

macro_rules! due {
    ($kinds:literal) => {
        concat!(
            "SELECT CAST(1 AS BIGINT) FROM jobs WHERE lane = $1 AND ((state = 'ready' AND run_at <= $2)
                OR (state = 'running' AND lease_until <= $2)) AND kind IN (",
            $kinds,
            ") LIMIT 1"
        )
    };
}

statements! {
    INSERT = { "INSERT INTO jobs (id, tenant_id, kind, lane, payload, dedupe_key, state, run_at, attempts, max_attempts,
            lease_until, last_error, created_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'ready', $7, 0, $8, 0, NULL, $9, NULL)
        ON CONFLICT (kind, dedupe_key) WHERE state = 'ready' DO NOTHING" };
    DUE = {
        sqlite: due!("SELECT value FROM json_each($3)"),
        postgres: due!("SELECT json_array_elements_text(CAST($3 AS JSON))"),
    };
    CLAIM = {
        sqlite: claim!("SELECT value FROM json_each($5)", ""),
        postgres: claim!("SELECT json_array_elements_text(CAST($5 AS JSON))", " FOR UPDATE SKIP LOCKED"),
    };
    RECLAIM = {
        sqlite: reclaim!("SELECT value FROM json_each($5)", ""),
        postgres: reclaim!("SELECT json_array_elements_text(CAST($5 AS JSON))", " FOR UPDATE SKIP LOCKED"),
    };
    RELEASE_ALL = { "UPDATE jobs SET lease_until = 0 WHERE state = 'running'" };
    RUNS_OR_WAITS = { "SELECT id FROM jobs WHERE kind = $1 AND dedupe_key = $2 AND state IN ('ready', 'running') LIMIT 1" };
    FINISH = { "UPDATE jobs SET state = $4, last_error = $5, finished_at = $6, lease_until = 0
        WHERE id = $1 AND state = 'running' AND attempts = $2 AND lease_until = $3" };
    RETRY_LATER = { concat!("UPDATE jobs SET state = ", ready_or_replaced!(), ", last_error = $4, run_at = $5,
            finished_at = $6, lease_until = 0
        WHERE id = $1 AND state = 'running' AND attempts = $2 AND lease_until = $3") };
    WAIT = { concat!("UPDATE jobs SET state = ", ready_or_replaced!(), ", attempts = attempts - 1, last_error = $4,
            run_at = $5, finished_at = $6, lease_until = 0
        WHERE id = $1 AND state = 'running' AND attempts = $2 AND lease_until = $3") };
    GIVE_BACK = { concat!("UPDATE jobs SET state = ", ready_or_replaced!(), ", attempts = attempts - 1,
            finished_at = $4, lease_until = 0
        WHERE id = $1 AND state = 'running' AND attempts = $2 AND lease_until = $3") };
    RETRY_NOW = { concat!("UPDATE jobs SET state = ", ready_or_replaced!(), ", attempts = 0, run_at = $3, finished_at = $3
        WHERE id = $1 AND tenant_id = $2 AND state IN ('dead', 'ready')") };
    DELETE_DONE = { "DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE state = 'done' AND finished_at < $1 ORDER BY finished_at, id LIMIT $2)" };
    LIST = { "SELECT id, kind, state, run_at, attempts, max_attempts, last_error, created_at, finished_at FROM jobs
        WHERE tenant_id = $1 AND state = $2 AND (created_at < $3 OR (created_at = $3 AND id < $4))
        ORDER BY created_at DESC, id DESC LIMIT $5" };
    COUNTS = { "SELECT state, COUNT(*) FROM jobs WHERE tenant_id = $1 GROUP BY state" };
    COUNTS_OF_HUB = { "SELECT state, COUNT(*) FROM jobs WHERE tenant_id IS NULL GROUP BY state" };
}

/// A job to be inserted.
pub(super) struct NewRow {
    id: JobId,
    tenant_id: Option<TenantId>,
    kind: &'static str,
    lane: &'static str,
    payload: String,
    dedupe_key: Option<String>,
    pub(super) run_at: Timestamp,
    max_attempts: u32,
    created_at: Timestamp,
}

impl NewRow {
    pub(super) fn of<J: Job>(
        id: JobId,
        now: Timestamp,
        tenant: Option<&TenantId>,
        job: &J,
        new: NewJob,
    ) -> DbResult<Self> {
        let payload = serde_json::to_string(job)
            .map_err(|error| DbError::Refused(sqlx::Error::Encode(Box::new(error))))?;
        Ok(Self {
            id,
            tenant_id: tenant.cloned(),
            kind: J::KIND,
            lane: J::LANE.name,
            payload,
            dedupe_key: new.dedupe_key,
            run_at: new.run_at.unwrap_or(now),
            max_attempts: J::MAX_ATTEMPTS,
            created_at: now,
        })
    }
}

/// A job that this node runs. Attempt and lease are its fence: who came later has others.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Claimed {
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) payload: String,
    pub(super) attempts: i64,
    pub(super) max_attempts: i64,
    pub(super) lease_until: Timestamp,
}

/// What one node looks for.
pub(super) struct Search<'a> {
    pub(super) lane: &'a str,
    /// A JSON array of kinds.
    pub(super) kinds: &'a str,
    pub(super) now: Timestamp,
    pub(super) lease: Duration,
    pub(super) limit: usize,
}

pub(super) async fn insert(tx: &mut Tx, row: &NewRow) -> DbResult<Option<JobId>> {
    let args = args![
        &row.id,
        row.tenant_id.as_ref(),
        row.kind,
        row.lane,
        row.payload.as_str(),
        row.dedupe_key.clone(),
        row.run_at,
        row.max_attempts,
        row.created_at,
    ];
    Ok((tx.run(&INSERT, args).await? == 1).then(|| row.id.clone()))
}

/// Inserts a scheduled job unless one waits or runs.
pub(super) async fn insert_schedule(tx: &mut Tx, row: &NewRow) -> DbResult<()> {
    let found: Option<(String,)> = tx.opt(&RUNS_OR_WAITS, args![row.kind, row.dedupe_key.clone()]).await?;
    if found.is_none() {
        insert(tx, row).await?;
    }
    Ok(())
}

/// Takes due jobs: first those whose node is gone, then those that wait.
pub(super) async fn claim(db: &Db, search: &Search<'_>) -> DbResult<Vec<Claimed>> {
    // Asked of the readers first: an idle hub does not touch the writer.
    if db.opt::<(i64,)>(&DUE, args![search.lane, search.now, search.kinds]).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut tx = db.begin().await?;
    let mut claimed: Vec<Claimed> = Vec::new();
    for statement in [&RECLAIM, &CLAIM] {
        let left = i64::try_from(search.limit.saturating_sub(claimed.len())).unwrap_or(0);
        let until = search.now.plus(search.lease);
        claimed.extend(
            tx.all::<Claimed>(statement, args![search.lane, search.now, until, left, search.kinds]).await?,
        );
    }
    tx.commit().await?;
    Ok(claimed)
}

/// Ends all leases: only where no other process can be alive (SQLite's locked folder).
pub(super) async fn release_all(db: &Db) -> DbResult<u64> {
    let mut tx = db.begin().await?;
    let released = tx.run(&RELEASE_ALL, args![]).await?;
    tx.commit().await?;
    Ok(released)
}

/// Records the end of a job: `true` done, `false` dead. `false` is given back when another node has it by now.
pub(super) async fn finish(
    tx: &mut Tx,
    job: &Claimed,
    done: bool,
    error: Option<&str>,
    now: Timestamp,
) -> DbResult<bool> {
    let state = if done { "done" } else { "dead" };
    let args = args![&job.id, job.attempts, job.lease_until, state, error, now];
    Ok(tx.run(&FINISH, args).await? == 1)
}

/// Records a failed attempt of a job that will run again at `run_at`.
pub(super) async fn retry_later(
    tx: &mut Tx,
    job: &Claimed,
    error: &str,
    run_at: Timestamp,
    now: Timestamp,
) -> DbResult<bool> {
    let args = args![&job.id, job.attempts, job.lease_until, error, run_at, now];
    Ok(tx.run(&RETRY_LATER, args).await? == 1)
}

/// As [`retry_later`], but the attempt does not count.
pub(super) async fn wait(
    tx: &mut Tx,
    job: &Claimed,
    reason: &str,
    run_at: Timestamp,
    now: Timestamp,
) -> DbResult<bool> {
    let args = args![&job.id, job.attempts, job.lease_until, reason, run_at, now];
    Ok(tx.run(&WAIT, args).await? == 1)
}

/// Gives an interrupted job back as if it had not been tried.
pub(super) async fn give_back(tx: &mut Tx, job: &Claimed, now: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&GIVE_BACK, args![&job.id, job.attempts, job.lease_until, now]).await? == 1)
}

pub(super) async fn delete_done(tx: &mut Tx, before: Timestamp, limit: i64) -> DbResult<u64> {
    tx.run(&DELETE_DONE, args![before, limit]).await
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for its time and a worker.
    Ready,
    /// Runs.
    Running,
    /// Is done; kept for 7 days.
    Done,
    /// Has failed for good; a person can retry it.
    Dead,
}

impl State {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ready, Self::Running, Self::Done, Self::Dead].into_iter().find(|state| state.as_str() == text)
    }
}

/// A job as a person sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// What it is doing.
    pub state: State,
    /// When it runs next, or ran last.
    pub run_at: Timestamp,
    /// Attempts begun.
    pub attempts: i64,
    /// Attempts allowed.
    pub max_attempts: i64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When its last attempt ended.
    pub finished_at: Option<Timestamp>,
}

/// The place in a list after which the next page begins: the last job shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its `created_at`.
    pub created_at: Timestamp,
    /// Its id.
    pub id: JobId,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: String,
    kind: String,
    state: String,
    run_at: Timestamp,
    attempts: i64,
    max_attempts: i64,
    last_error: Option<String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

/// The tenant's jobs in one state, newest first, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &Db,
    scope: &Scope,
    state: State,
    after: Option<&Cursor>,
    limit: i64,
) -> DbResult<Vec<Listed>> {
    let (created_at, id) =
        after.map_or((Timestamp(i64::MAX), ""), |cursor| (cursor.created_at, cursor.id.as_str()));
    let rows: Vec<ListedRow> =
        db.all(&LIST, args![scope.tenant(), state.as_str(), created_at, id, limit]).await?;
    rows.into_iter().map(listed).collect()
}

fn listed(row: ListedRow) -> DbResult<Listed> {
    let wrong = |column| DbError::Inconsistent { table: "jobs", column, id: row.id.clone() };
    Ok(Listed {
        state: State::parse(&row.state).ok_or_else(|| wrong("state"))?,
        id: JobId::parse(&row.id).ok_or_else(|| wrong("id"))?,
        kind: row.kind,
        run_at: row.run_at,
        attempts: row.attempts,
        max_attempts: row.max_attempts,
        last_error: row.last_error,
        created_at: row.created_at,
        finished_at: row.finished_at,
    })
}

/// Makes a dead job, or one that waits for its next attempt, run now with all attempts ahead. `false` when the tenant
/// has no such job.
///
/// # Errors
/// Those of the database.
pub async fn retry(tx: &mut Tx, scope: &Scope, id: &JobId, now: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&RETRY_NOW, args![id, scope.tenant(), now]).await? == 1)
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub ready: i64,
    /// Running.
    pub running: i64,
    /// Done within the last 7 days.
    pub done: i64,
    /// Failed for good.
    pub dead: i64,
}

/// The tenant's jobs counted, or with `None` the hub's own.
///
/// # Errors
/// Those of the database.
pub async fn counts(db: &Db, scope: Option<&Scope>) -> DbResult<Counts> {
    let rows: Vec<(String, i64)> = match scope {
        Some(scope) => db.all(&COUNTS, args![scope.tenant()]).await?,
        None => db.all(&COUNTS_OF_HUB, args![]).await?,
    };
    let of =
        |state: State| rows.iter().find(|(name, _)| name == state.as_str()).map_or(0, |(_, count)| *count);
    Ok(Counts {
        ready: of(State::Ready),
        running: of(State::Running),
        done: of(State::Done),
        dead: of(State::Dead),
    })
}
