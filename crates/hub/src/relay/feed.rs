//! The journal, read once for all destinations of this node.
//!
//! Destinations that keep up ask for the same places at nearly the same time: the first one reads, the others are given
//! what it read. One that is far behind reads for itself, a piece at a time, so nothing grows with the distance. What was
//! read is given out for a moment only, and not beyond the next blanking: what is taken back must not go out from here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::unit::Unit;
use crate::db::DbResult;
use crate::journal::{Journal, Room};

/// A piece of the journal.
const ROOM: Room = Room { events: 512, bytes: 2 << 20 };
/// How long it is believed that nothing came, as long as this node appended nothing; another node may have.
const TRUSTED: Duration = Duration::from_millis(400);
/// Bytes of the pieces kept: some 16,000 events of 1 KB, so that destinations that come back one after the other after an
/// outage read once.
const KEPT: usize = 16 << 20;
/// Pieces kept: where events come one by one, each is a piece.
const PIECES: usize = 512;
/// What a unit weighs beside its body, in bytes.
const UNIT: usize = 512;

/// Units of all accounts between two places of the journal.
#[derive(Debug)]
pub(super) struct Piece {
    after: i64,
    /// Up to where it reaches.
    pub(super) end: i64,
    units: Vec<Arc<Unit>>,
    /// What it weighs, in bytes.
    weight: usize,
}

impl Piece {
    /// What stands after a place, kept for nobody else; `None` when nothing does.
    pub(super) async fn read(journal: &Journal, place: i64) -> DbResult<Option<Self>> {
        let read = journal.requests(place, i64::MAX, ROOM).await?;
        let units: Vec<_> = read.items.into_iter().map(Unit::new).collect();
        let body = |unit: &Arc<Unit>| unit.request.body.as_ref().map_or(0, Bytes::len);
        let weight = units.iter().map(|unit| UNIT + body(unit)).sum();
        Ok((!units.is_empty()).then_some(Self { after: place, end: read.end, units, weight }))
    }

    /// The account's units after a place.
    pub(super) fn of<'a>(&'a self, account: &'a str, after: i64) -> impl Iterator<Item = &'a Arc<Unit>> {
        let from = self.units.partition_point(|unit| unit.request.first() <= after);
        self.units.iter().skip(from).filter(move |unit| unit.request.account_id == account)
    }
}

/// The journal as the relay reads it.
#[derive(Debug, Default)]
pub(super) struct Feed {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The one asked for last is the first.
    pieces: VecDeque<Arc<Piece>>,
    /// How often this node had blanked something when they were read.
    blanked: u64,
    /// The place behind which nothing stood, how often this node had appended then, and when that was.
    end: Option<(i64, u64, Instant)>,
}

impl Known {
    /// Keeps a piece, and of those before it what there is room for.
    fn keep(&mut self, piece: Arc<Piece>) {
        self.pieces.push_front(piece);
        let mut weight = 0;
        let fits = |piece: &&Arc<Piece>| {
            weight += piece.weight;
            weight <= KEPT
        };
        let room = self.pieces.iter().take_while(fits).count();
        self.pieces.truncate(room.clamp(1, PIECES));
    }
}

impl Feed {
    /// What stands after a place; `None` when nothing does.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn after(&self, journal: &Journal, place: i64) -> DbResult<Option<Arc<Piece>>> {
        // Held while reading: who comes meanwhile wants the same.
        let mut known = self.known.lock().await;
        let blanked = journal.blanked();
        if known.blanked != blanked {
            (known.pieces, known.blanked) = (VecDeque::new(), blanked);
        }
        // What another node blanks is noticed by reading again.
        known.pieces.retain(|piece| piece.units.first().is_some_and(|unit| unit.is_fresh()));
        let found = known.pieces.iter().position(|piece| piece.after <= place && place < piece.end);
        if let Some(piece) = found.and_then(|found| known.pieces.remove(found)) {
            known.pieces.push_front(Arc::clone(&piece));
            return Ok(Some(piece));
        }
        let appended = *journal.appended().borrow();
        let is_end = |(end, then, at): &(i64, u64, Instant)| {
            *end == place && *then == appended && at.elapsed() < TRUSTED
        };
        if known.end.as_ref().is_some_and(is_end) {
            return Ok(None);
        }
        let Some(piece) = Piece::read(journal, place).await?.map(Arc::new) else {
            known.end = Some((place, appended, Instant::now()));
            return Ok(None);
        };
        known.keep(Arc::clone(&piece));
        Ok(Some(piece))
    }
}
