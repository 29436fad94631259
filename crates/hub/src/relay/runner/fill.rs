//! How a runner reads the journal: a piece at a time, so that it never keeps the cursor's lease or the loop waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pending, Runner};
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::relay::attempt::{delivery_id, tags};
use crate::relay::expire::Gap;
use crate::relay::feed::Next;
use crate::relay::flow::{Flow, ROWS_OPEN, WINDOW};
use crate::relay::model::ROWS_MAX;
use crate::relay::repo::UnitRow;
use crate::relay::unit::{Parcel, Unit};

/// How often a destination on trial is looked at for what the journal no longer has.
const LOOK: Duration = Duration::from_secs(600);
/// How long is read in one go.
const TURN: Duration = Duration::from_millis(200);
/// A way through the journal that is written even where nothing on it was for the destination.
const FAR: i64 = 256;

/// What reading has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// Nothing more stands in the journal.
    CaughtUp,
    /// Nothing more is taken in for now, or what comes next is being read.
    Full,
    /// There is more to read at once.
    More,
}

/// Adds a unit that has a row.
pub(super) fn add_row(flow: &mut Flow<Pending>, row: UnitRow, received_at: Timestamp) {
    let (chats, due) = (row.chats.clone(), row.due_at);
    flow.add(Pending { row: Arc::new(row), received_at, parcel: None }, chats, due, true);
}

impl Runner {
    /// Reads the journal's next piece, as far as the window has room. One that is on trial gets little that is new; else only
    /// what the journal no longer has is listed of it, up to the first request that it still has.
    pub(super) async fn fill(&mut self) -> DbResult<Filled> {
        let (lists_only, now) = (self.is_on_trial() && !self.wants_fresh(), self.hub.now());
        let is_enough = if lists_only { now < self.next_look } else { self.is_full() };
        if is_enough {
            return Ok(Filled::Full);
        }
        let piece = match self.reader.next(&self.hub, self.read_to)? {
            Next::Piece(piece) => piece,
            Next::Reading => return Ok(Filled::Full),
            Next::End => {
                self.come_to(i64::MAX);
                if lists_only {
                    self.next_look = now.plus(LOOK);
                    return Ok(Filled::Full);
                }
                return Ok(Filled::CaughtUp);
            }
        };
        let (until, begin) = (Instant::now() + TURN, self.read_to);
        let account = self.account.id.as_str().to_owned();
        for unit in piece.of(&account, begin) {
            let is_lost = unit.request.body.is_none();
            let is_over = if lists_only { !is_lost || self.is_gap_full() } else { self.is_full() };
            if is_over {
                if lists_only {
                    self.next_look = now.plus(LOOK);
                }
                return Ok(Filled::Full);
            }
            self.take_in(unit).await?;
            self.read_to = unit.request.last();
            if until <= Instant::now() {
                self.unwritten.touch();
                return Ok(Filled::More);
            }
        }
        self.come_to(piece.end);
        self.read_to = piece.end;
        if piece.end - begin >= FAR {
            self.unwritten.touch();
        }
        Ok(Filled::More)
    }

    fn is_gap_full(&self) -> bool {
        self.gap.as_ref().is_some_and(Gap::is_full)
    }

    fn is_full(&self) -> bool {
        // On trial no row is written for what would fail too. What has rows already is read up to, however many there are.
        self.is_on_trial() && !self.wants_fresh()
            || self.is_full_of_rows()
            || self.flow.without_row() + self.done.len() >= WINDOW - ROWS_OPEN
            || self.is_gap_full()
    }

    /// No more may wait behind what fails.
    pub(super) fn is_full_of_rows(&self) -> bool {
        self.ahead.is_empty() && (self.has_older || self.flow.with_row() >= ROWS_MAX)
    }

    /// Adds the rows up to a place.
    fn come_to(&mut self, place: i64) {
        let now = self.hub.now();
        while self.ahead.front().is_some_and(|row| row.first <= place) {
            let Some(row) = self.ahead.pop_front() else { return };
            add_row(&mut self.flow, row, now);
        }
    }

    async fn take_in(&mut self, unit: &Arc<Unit>) -> DbResult<()> {
        let (first, last) = (unit.request.first(), unit.request.last());
        self.come_to(first);
        if self.known.remove(&first) || self.done.contains(&first) {
            return Ok(());
        }
        if unit.request.body.is_none() {
            self.gap = Some(Gap::with(self.gap.take(), unit));
            self.unwritten.touch();
            if self.flow.without_row() > 0 {
                self.done.insert(first);
            }
            return Ok(());
        }
        let tags = tags(&self.hub, &self.destination, unit).await?;
        let parcel = unit.parcel(&self.destination.filter, &self.account.bot_user_id, &tags);
        if parcel == Parcel::Nothing {
            return Ok(());
        }
        let now = self.hub.now();
        let row = UnitRow {
            id: delivery_id(unit.request.received_at, first),
            first,
            last,
            chats: unit.chats.clone(),
            is_replay: false,
            attempts: 0,
            due_at: now,
            failed_at: None,
        };
        let pending = Pending {
            row: Arc::new(row),
            received_at: unit.request.received_at,
            parcel: Some((parcel, Arc::clone(unit))),
        };
        self.flow.add(pending, unit.chats.clone(), now, false);
        Ok(())
    }
}
