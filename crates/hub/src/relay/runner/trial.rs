//! A destination that fails again and again: is it away, or is it the units at hand that it cannot take? One call at a time
//! tells, now and then one of a unit that was never tried; what succeeds ends the trial.

use std::sync::Arc;

use super::{Pending, Runner};
use crate::clock::Timestamp;
use crate::relay::flow::Number;
use crate::relay::model::{Halt, SUSPECT_AFTER};

/// Whether a unit was never tried.
fn is_fresh(pending: &Pending) -> bool {
    pending.row.attempts == 0
}

impl Runner {
    /// It has failed again and again: one unit at a time, as long as there is one.
    pub(super) fn is_on_trial(&self) -> bool {
        self.failures >= SUSPECT_AFTER && !self.flow.is_empty()
    }

    /// On trial: whether one more unit is to be read that was never tried, because what fails may be the units that are at hand
    /// and not the destination. The longer it fails, the more are tried.
    pub(super) fn wants_fresh(&self) -> bool {
        self.may_try_fresh() && !self.flow.has_ready(is_fresh)
    }

    /// Now and then one that was never tried: it may be the tried ones that fail, and not the destination.
    pub(super) fn take_on_trial(&mut self) -> Option<Number> {
        if self.may_try_fresh()
            && let Some(number) = self.flow.take_early(is_fresh)
        {
            self.fresh += 1;
            return Some(number);
        }
        self.flow.take_early(|pending| !is_fresh(pending)).or_else(|| self.flow.take_early(is_fresh))
    }

    const fn may_try_fresh(&self) -> bool {
        self.fresh < self.failures.isqrt()
    }

    /// Says that it gets nothing for long, where that is so.
    pub(super) fn note_halt(&mut self, fails_for_long: bool) {
        if fails_for_long && self.destination.halt.is_none() {
            Arc::make_mut(&mut self.destination).halt = Some(Halt::Failing);
            self.unwritten.health = true;
        }
    }

    /// It took something: whatever waits may go, unless it has said meanwhile that it wants nothing any more.
    pub(super) fn recover(&mut self, now: Timestamp) {
        self.took_at = Some(now);
        if self.halting {
            return;
        }
        if self.is_on_trial() {
            self.hold_until = now;
            self.flow.hurry(now);
        }
        (self.failures, self.fresh) = (0, 0);
        if self.destination.failing_since.is_some() || self.destination.halt.is_some() {
            let destination = Arc::make_mut(&mut self.destination);
            (destination.failing_since, destination.halt) = (None, None);
            self.unwritten.health = true;
        }
    }
}
