//! The journal, read once for all destinations of this node.
//!
//! Destinations that keep up ask for the same places at nearly the same time: the first one reads, the others are given
//! what it read. One that is far behind reads for itself, a piece at a time, so nothing grows with the distance. What was
//! read is given out for a moment only, and not beyond the next blanking: what is taken back must not go out from here.

use std::collections::BTreeMap;
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
/// Pieces that may reach over one place.
const OVERLAP: usize = 8;
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
    /// By where they end, each with when it was last asked for.
    pieces: BTreeMap<i64, (u64, Arc<Piece>)>,
    /// How often was asked.
    asked: u64,
    /// What they weigh together, in bytes.
    weight: usize,
    /// How often this node had blanked something when they were read.
    blanked: u64,
    /// The place behind which nothing stood, how often this node had appended then, and when that was.
    end: Option<(i64, u64, Instant)>,
}

impl Known {
    /// A piece that goes on after a place, unless it was read too long ago.
    fn find(&mut self, place: i64) -> Option<Arc<Piece>> {
        self.asked += 1;
        // A piece that was read from within another ends where that one does, or a few pieces later.
        let mut ending_later = self.pieces.range_mut(place + 1..).take(OVERLAP).map(|(_, kept)| kept);
        // What another node blanks is noticed by reading again.
        let is_fresh = |piece: &Piece| piece.units.first().is_some_and(|unit| unit.is_fresh());
        let (asked, piece) = ending_later.find(|(_, piece)| piece.after <= place && is_fresh(piece))?;
        *asked = self.asked;
        Some(Arc::clone(piece))
    }

    /// Keeps a piece, and of the others those that were asked for last, as far as there is room: after an outage some are far
    /// ahead of others, who share what they read too.
    fn keep(&mut self, piece: Arc<Piece>) {
        self.weight += piece.weight;
        let before = self.pieces.insert(piece.end, (self.asked, piece));
        self.weight -= before.map_or(0, |(_, piece)| piece.weight);
        while self.weight > KEPT || self.pieces.len() > PIECES {
            let oldest = self.pieces.iter().min_by_key(|(_, (asked, _))| *asked).map(|(end, _)| *end);
            let Some((_, gone)) = oldest.and_then(|end| self.pieces.remove(&end)) else { return };
            self.weight -= gone.weight;
        }
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
            *known = Known { blanked, ..Known::default() };
        }
        if let Some(piece) = known.find(place) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::journal::{Placed, Request};

    /// A piece of one unit, as heavy as that.
    fn piece(after: i64, end: i64, weight: usize) -> Arc<Piece> {
        let placed = Placed {
            position: end,
            start: 0,
            len: 0,
            kind: "message".to_owned(),
            blanked: false,
            event_at: Timestamp(0),
        };
        let request = Request {
            account_id: "acc".to_owned(),
            body: None,
            signature: String::new(),
            received_at: Timestamp(0),
            events: vec![placed],
        };
        Arc::new(Piece { after, end, units: vec![Unit::new(request)], weight })
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_found_while_it_is_fresh_and_there_is_room() {
        let mut known = Known::default();
        let ends = |known: &Known| known.pieces.keys().copied().collect::<Vec<_>>();
        for (after, end) in [(0, 512), (100, 140), (512, 600)] {
            known.keep(piece(after, end, KEPT / 4));
        }
        let found = |known: &mut Known, place| known.find(place).map(|piece| piece.end);
        for (place, end) in [(0, 512), (50, 512), (599, 600), (512, 600), (100, 140)] {
            assert_eq!(found(&mut known, place), Some(end), "{place}");
        }
        assert_eq!(found(&mut known, 600), None);
        // What was asked for last stays, wherever it stands.
        known.keep(piece(600, 700, KEPT / 2));
        assert_eq!(ends(&known), [140, 600, 700]);
        assert_eq!(found(&mut known, 100), Some(140));
        known.keep(piece(0, 10, KEPT / 4));
        assert_eq!((ends(&known), known.weight), (vec![10, 140, 700], KEPT));
        known.keep(piece(601, 700, KEPT / 4));
        assert_eq!((ends(&known), known.weight), (vec![10, 140, 700], KEPT / 4 * 3));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(found(&mut known, 100), None);
    }
}
