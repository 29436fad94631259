//! What a runner writes: the move of the cursor and all that goes with it, in one transaction, while calls go on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::model::{Halt, Last, Standing};
use super::repo::{self, Attempt, Count, UnitRow};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::ids::{DeliveryId, DestinationId, TenantId};

/// How long a cursor is kept without being moved.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How long what was settled waits for the write that it shares.
pub(super) const FLUSH: Duration = Duration::from_millis(100);
/// Successes of one second that are logged.
pub(super) const LOGGED: u32 = 10;
/// Failures of one second that are logged. What was refused stands among what was put aside besides.
pub(super) const FAILURES_LOGGED: u32 = 20;
/// The length of the time that one count covers, in ms.
const COUNTED: i64 = 300_000;

/// A unit's row as it is to be: with how it stands, why, and when it was received.
pub(super) type Row = (UnitRow, Standing, Option<String>, Timestamp);

/// What is to be written with the next move of the cursor.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Since when the oldest of it waits.
    pub(super) since: Option<Instant>,
    pub(super) rows: BTreeMap<DeliveryId, Row>,
    pub(super) gone: BTreeSet<DeliveryId>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) counts: BTreeMap<Timestamp, Count>,
    pub(super) last: Option<Last>,
    pub(super) health: bool,
}

impl Unwritten {
    pub(super) fn touch(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Puts a row of a unit, in place of what was to be written of it.
    pub(super) fn put(&mut self, row: Row) {
        self.rows.insert(row.0.id.clone(), row);
        self.touch();
    }

    /// Counts an attempt.
    pub(super) fn count(&mut self, last: Last) {
        let begins_at = Timestamp(last.at.millis() - last.at.millis().rem_euclid(COUNTED));
        let count = self.counts.entry(begins_at).or_insert(Count { begins_at, ..Count::default() });
        count.ok += i64::from(last.error.is_none());
        count.failed += i64::from(last.error.is_some());
        count.ms += last.duration_ms;
        self.last = Some(last);
        self.touch();
    }

    /// Takes back what could not be written; what has come since is newer.
    pub(super) fn take_back(&mut self, older: Self) {
        self.since = older.since.or(self.since);
        for (id, row) in older.rows {
            if !self.gone.contains(&id) {
                self.rows.entry(id).or_insert(row);
            }
        }
        self.gone.extend(older.gone.into_iter().filter(|id| !self.rows.contains_key(id)));
        self.attempts.splice(0..0, older.attempts);
        for (begins_at, older) in older.counts {
            let count = self.counts.entry(begins_at).or_insert(Count { begins_at, ..Count::default() });
            (count.ok, count.failed, count.ms) =
                (count.ok + older.ok, count.failed + older.failed, count.ms + older.ms);
        }
        self.last = self.last.take().or(older.last);
        self.health |= older.health;
    }
}

/// A sample for the log: so many of each second.
#[derive(Debug)]
pub(super) struct Sample {
    most: u32,
    since: Option<Instant>,
    count: u32,
}

impl Sample {
    pub(super) const fn of(most: u32) -> Self {
        Self { most, since: None, count: 0 }
    }

    /// Whether one more of this second is logged.
    pub(super) fn has_room(&mut self) -> bool {
        if self.since.is_none_or(|since| since.elapsed() >= Duration::from_secs(1)) {
            (self.since, self.count) = (Some(Instant::now()), 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.most
    }
}

/// A move of the cursor that is under way.
pub(super) type Writing = BoxFuture<'static, (Write, DbResult<()>)>;

/// Its end; there is none where none is under way.
pub(super) async fn written(writing: &mut Option<Writing>) -> (Write, DbResult<()>) {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

/// One move of the cursor.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) destination: (TenantId, DestinationId),
    pub(super) fence: i64,
    pub(super) serial: i64,
    /// Where the cursor goes.
    pub(super) position: i64,
    /// First positions of what is settled above it.
    pub(super) done: Vec<i64>,
    pub(super) lease_until: Timestamp,
    /// Since when it fails, and whether it is halted; written where that has changed.
    pub(super) health: (Option<Timestamp>, Option<Halt>),
    pub(super) unwritten: Unwritten,
}

impl Write {
    /// Writes it, and gives it back with what came of it.
    pub(super) async fn run(self, hub: Hub) -> (Self, DbResult<()>) {
        let done = self.commit(&hub).await;
        (self, done)
    }

    async fn commit(&self, hub: &Hub) -> DbResult<()> {
        let ((tenant, id), unwritten, now) = (&self.destination, &self.unwritten, hub.now());
        let mut tx = hub.db.begin().await?;
        let (to, last) = ((self.position, self.done.as_slice()), unwritten.last.as_ref());
        repo::advance(&mut tx, (id, self.fence), to, self.lease_until, last).await?;
        for (row, standing, why, received_at) in unwritten.rows.values() {
            let times = (*received_at, now);
            repo::put_unit(&mut tx, (tenant, id), row, *standing, why.as_deref(), times).await?;
        }
        for unit in &unwritten.gone {
            repo::drop_unit(&mut tx, id, unit).await?;
        }
        for attempt in &unwritten.attempts {
            repo::log(&mut tx, (tenant, id), attempt).await?;
        }
        for count in unwritten.counts.values() {
            repo::count_up(&mut tx, id, count).await?;
        }
        if unwritten.health {
            let (since, halt) = self.health;
            repo::set_health(&mut tx, (id, self.fence, self.serial), since, halt).await?;
        }
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;
    use crate::ids::Id as _;

    fn row(id: &DeliveryId, standing: Standing) -> Row {
        let row = UnitRow {
            id: id.clone(),
            first: 1,
            last: 1,
            chats: Vec::new(),
            is_replay: false,
            attempts: 1,
            due_at: Timestamp(0),
            failed_at: None,
        };
        (row, standing, None, Timestamp(0))
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next_and_never_over_what_is_newer() {
        let entropy = Entropy::seeded(1);
        let [kept, newer, ended, gone]: [DeliveryId; 4] =
            std::array::from_fn(|_| DeliveryId::new(Timestamp(0), &entropy));
        let count = Count { begins_at: Timestamp(0), ok: 1, failed: 2, ms: 3 };
        let mut older = Unwritten { health: true, ..Unwritten::default() };
        for id in [&kept, &newer, &ended] {
            older.put(row(id, Standing::Retrying));
        }
        older.gone.insert(gone.clone());
        older.counts.insert(Timestamp(0), count);
        let mut now = Unwritten::default();
        now.put(row(&newer, Standing::Refused));
        now.gone.insert(ended.clone());
        now.counts.insert(Timestamp(0), count);
        now.take_back(older);
        let standings: BTreeMap<_, _> = now.rows.iter().map(|(id, row)| (id, row.1)).collect();
        assert_eq!(standings, [(&kept, Standing::Retrying), (&newer, Standing::Refused)].into());
        assert_eq!(now.gone, [ended, gone].into());
        assert_eq!(now.counts[&Timestamp(0)], Count { ok: 2, failed: 4, ms: 6, ..count });
        assert!(now.health);
    }
}
