//! What a runner writes down: when it is time, what goes together, and what follows of it.

use futures_util::FutureExt as _;

use super::Runner;
use crate::db::DbResult;
use crate::relay::expire::Gap;
use crate::relay::flow::{ROWS_OPEN, WINDOW};
use crate::relay::model::Standing;
use crate::relay::service;
use crate::relay::writes::{FLUSH, LEASE, Write};

/// Units with rows of their own of which a kill would undo what became of them.
#[derive(Debug, Default)]
pub(super) struct RowsOpen {
    pub(super) flying: usize,
    /// Ended, and not yet in a write.
    pub(super) settled: usize,
    /// In the write that is under way.
    writing: usize,
}

impl RowsOpen {
    /// Whether another one has to wait for a write.
    pub(super) const fn is_full(&self) -> bool {
        self.flying + self.settled + self.writing >= ROWS_OPEN
    }
}

impl Runner {
    /// Begins the next write, where one is due and none is under way.
    pub(super) fn write_if_due(&mut self) {
        if self.writing.is_none() && self.is_flush_due() {
            let write = self.next_write();
            self.writing = Some(write.run(self.hub.clone()).boxed());
        }
    }

    fn is_flush_due(&self) -> bool {
        let is_old = self.unwritten.since.is_some_and(|since| since.elapsed() >= FLUSH);
        // What is settled above a call that hangs moves nothing.
        let moves = || self.done.first().is_some_and(|first| *first <= self.settled_to());
        is_old
            || self.done.len() >= WINDOW / 2 && moves()
            || self.gap.as_ref().is_some_and(Gap::is_full)
            || self.unwritten.rows.len() >= WINDOW
            || self.rows_open.settled >= ROWS_OPEN / 2
            || self.is_lease_ending()
    }

    /// The place up to which everything is settled or has a row.
    fn settled_to(&self) -> i64 {
        self.flow.first_without_row().map_or(self.read_to, |first| first.row.first - 1)
    }

    fn is_lease_ending(&self) -> bool {
        // Or the clock was set back.
        !(LEASE / 2..=LEASE).contains(&self.lease_until.since(self.hub.now()))
    }

    /// Takes together what is to be written now.
    pub(super) fn next_write(&mut self) -> Write {
        // Behind one that has a row others may wait long: they get rows too, so that the cursor can pass them.
        for number in self.flow.stuck() {
            let Some(pending) = self.flow.get_mut(number) else { continue };
            pending.parcel = None;
            self.unwritten.put(((*pending.row).clone(), Standing::Retrying, None, pending.received_at));
            self.flow.has_row(number);
        }
        let now = self.hub.now();
        if let Some(gap) = self.gap.take() {
            self.unwritten.put(gap.row(now));
        }
        let position = self.settled_to();
        self.rows_open.writing = std::mem::take(&mut self.rows_open.settled);
        Write {
            destination: (self.destination.tenant.clone(), self.destination.id.clone()),
            fence: self.fence,
            serial: self.destination.serial,
            position,
            done: self.done.range(position + 1..).copied().collect(),
            lease_until: now.plus(LEASE),
            health: (self.destination.failing_since, self.destination.halt),
            unwritten: std::mem::take(&mut self.unwritten),
        }
    }

    /// The cursor has moved, or it has not and what was to be written is written with the next move.
    pub(super) fn wrote(&mut self, write: Write, end: DbResult<()>) -> DbResult<()> {
        let written = std::mem::take(&mut self.rows_open.writing);
        if end.is_err() {
            self.rows_open.settled += written;
            self.unwritten.take_back(write.unwritten);
            return end;
        }
        if write.unwritten.last.is_some() {
            service::tell(&self.hub, &self.destination);
        }
        (self.written, self.lease_until) = (write.position, write.lease_until);
        self.done = self.done.split_off(&(write.position + 1));
        Ok(())
    }
}
