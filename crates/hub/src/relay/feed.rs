//! The journal, read once for all destinations of this node.
//!
//! Destinations that keep up ask for the same places at nearly the same time: the first one reads, the others are given
//! what it read. After an outage some are far ahead of others; then what will be needed first is kept. Each reads a piece
//! ahead while its calls are under way, and no more, so nothing grows with the distance. What was read is given out for a
//! moment only, and not beyond the next blanking: what is taken back must not go out from here.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::unit::Unit;
use crate::app::Hub;
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
    /// How often this node had blanked something before it was read.
    blanked: u64,
}

impl Piece {
    /// What stands after a place, kept for nobody else; `None` when nothing does.
    pub(super) async fn read(journal: &Journal, place: i64) -> DbResult<Option<Self>> {
        let blanked = journal.blanked();
        let read = journal.requests(place, i64::MAX, ROOM).await?;
        let units: Vec<_> = read.items.into_iter().map(Unit::new).collect();
        let body = |unit: &Arc<Unit>| unit.request.body.as_ref().map_or(0, Bytes::len);
        let weight = units.iter().map(|unit| UNIT + body(unit)).sum();
        Ok((!units.is_empty()).then_some(Self { after: place, end: read.end, units, weight, blanked }))
    }

    /// Whether it goes on after a place.
    const fn reaches(&self, place: i64) -> bool {
        self.after <= place && place < self.end
    }

    /// Whether it may be given out: what another node blanks is noticed by reading again.
    fn is_good(&self, journal: &Journal) -> bool {
        self.blanked == journal.blanked() && self.is_fresh()
    }

    fn is_fresh(&self) -> bool {
        self.units.first().is_some_and(|unit| unit.is_fresh())
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
    readers: AtomicU64,
    places: Places,
}

/// Where each reader is.
type Places = Arc<std::sync::Mutex<HashMap<u64, i64>>>;

#[derive(Debug, Default)]
struct Known {
    /// By where they end.
    pieces: BTreeMap<i64, Arc<Piece>>,
    /// What they weigh together, in bytes.
    weight: usize,
    /// How often this node had blanked something when they were read.
    blanked: u64,
    end: Option<End>,
}

/// That nothing stood behind a place.
#[derive(Debug, Clone, Copy)]
struct End {
    place: i64,
    /// How often this node had appended then.
    appended: u64,
    at: Instant,
}

impl End {
    /// Whether it still is the end: another node may have appended something.
    fn holds(self, place: i64, appended: u64) -> bool {
        self.place == place && self.appended == appended && self.at.elapsed() < TRUSTED
    }
}

impl Known {
    /// A piece that goes on after a place, unless it was read too long ago.
    fn find(&self, place: i64) -> Option<Arc<Piece>> {
        // A piece that was read from within another ends where that one does, or a few pieces later.
        let mut ending_later = self.pieces.range(place + 1..).take(OVERLAP).map(|(_, piece)| piece);
        ending_later.find(|piece| piece.reaches(place) && piece.is_fresh()).cloned()
    }

    /// Keeps a piece. Where there is no more room, a quarter goes: what nobody can use any more, then what the readers at
    /// `places` will come to last. They go at about the same speed, so the distance tells when.
    fn keep(&mut self, piece: Arc<Piece>, places: &[i64]) {
        self.weight += piece.weight;
        let before = self.pieces.insert(piece.end, piece);
        self.weight -= before.map_or(0, |piece| piece.weight);
        if self.weight <= KEPT && self.pieces.len() <= PIECES {
            return;
        }
        let needed_in = |piece: &Piece| {
            let readers = places.iter().filter(|place| **place < piece.end && piece.is_fresh());
            readers.map(|place| (piece.after - place).max(0)).min().unwrap_or(i64::MAX)
        };
        let mut kept: Vec<_> = self.pieces.values().map(|piece| (needed_in(piece), piece.end)).collect();
        kept.sort_unstable();
        while self.weight > KEPT / 4 * 3 || self.pieces.len() > PIECES / 4 * 3 {
            let Some(gone) = kept.pop().and_then(|(_, end)| self.pieces.remove(&end)) else { return };
            self.weight -= gone.weight;
        }
    }
}

impl Feed {
    /// A reader that begins after a place.
    pub(super) fn reader(&self, place: i64) -> Reader {
        let (id, places) = (self.readers.fetch_add(1, Ordering::Relaxed), Arc::clone(&self.places));
        let reader = Reader { id, places, at_hand: None, reading: None, read: None, end: None };
        reader.is_at(place);
        reader
    }

    /// What stands after a place; `None` when nothing does.
    ///
    /// # Errors
    /// The database does not answer.
    async fn after(&self, journal: &Journal, place: i64) -> DbResult<Option<Arc<Piece>>> {
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
        if known.end.is_some_and(|end| end.holds(place, appended)) {
            return Ok(None);
        }
        let at = Instant::now();
        let Some(piece) = Piece::read(journal, place).await?.map(Arc::new) else {
            known.end = Some(End { place, appended, at });
            return Ok(None);
        };
        let places: Vec<i64> =
            self.places.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect();
        known.keep(Arc::clone(&piece), &places);
        Ok(Some(piece))
    }
}

/// What a reader has for now.
#[derive(Debug)]
pub(super) enum Next {
    /// What goes on after the place.
    Piece(Arc<Piece>),
    /// It is being read: [`Reader::arrived`] tells when it is there.
    Reading,
    /// Nothing more stands in the journal.
    End,
}

/// What was read: where, how often this node had appended before, and when it began.
struct Read {
    begun: End,
    found: DbResult<Option<Arc<Piece>>>,
}

/// One destination's way through the journal: the piece at hand, and the next one, which is read meanwhile.
pub(super) struct Reader {
    id: u64,
    places: Places,
    at_hand: Option<Arc<Piece>>,
    reading: Option<BoxFuture<'static, Read>>,
    read: Option<Read>,
    end: Option<End>,
}

impl Reader {
    /// What stands after a place, as far as it is here; what is not is read from now on.
    ///
    /// # Errors
    /// The database did not answer; the next call has it asked again.
    pub(super) fn next(&mut self, hub: &Hub, place: i64) -> DbResult<Next> {
        let is_usable = |piece: &Arc<Piece>| piece.reaches(place) && piece.is_good(&hub.journal);
        if let Some(piece) = self.at_hand.as_ref().filter(|piece| is_usable(piece)) {
            return Ok(Next::Piece(Arc::clone(piece)));
        }
        match self.read.take() {
            Some(Read { found: Ok(Some(piece)), .. }) if is_usable(&piece) => {
                // The next one is read while this one goes out.
                self.read_after(hub, piece.end);
                self.at_hand = Some(Arc::clone(&piece));
                self.is_at(place);
                return Ok(Next::Piece(piece));
            }
            Some(Read { found: Err(error), .. }) => return Err(error),
            Some(Read { found: Ok(None), begun }) => self.end = Some(begun),
            Some(_) | None => {}
        }
        if self.end.is_some_and(|end| end.holds(place, *hub.journal.appended().borrow())) {
            return Ok(Next::End);
        }
        if self.reading.is_none() {
            self.read_after(hub, place);
        }
        Ok(Next::Reading)
    }

    /// Waits until what is being read is there; for ever where nothing is.
    pub(super) async fn arrived(&mut self) {
        match &mut self.reading {
            Some(reading) => {
                self.read = Some(reading.await);
                self.reading = None;
            }
            None => std::future::pending().await,
        }
    }

    fn read_after(&mut self, hub: &Hub, place: i64) {
        let begun = End { place, appended: *hub.journal.appended().borrow(), at: Instant::now() };
        let hub = hub.clone();
        let reading = async move { Read { begun, found: hub.relay.feed.after(&hub.journal, place).await } };
        self.reading = Some(reading.boxed());
    }

    fn is_at(&self, place: i64) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(self.id, place);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
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
        Arc::new(Piece { after, end, units: vec![Unit::new(request)], weight, blanked: 0 })
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_found_while_it_is_fresh() {
        let mut known = Known::default();
        for (after, end) in [(0, 512), (100, 140), (512, 600)] {
            known.keep(piece(after, end, KEPT / 4), &[0]);
        }
        let found = |known: &Known, place| known.find(place).map(|piece| piece.end);
        for (place, end) in [(0, 512), (50, 512), (599, 600), (512, 600), (100, 140)] {
            assert_eq!(found(&known, place), Some(end), "{place}");
        }
        assert_eq!(found(&known, 600), None);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(found(&known, 100), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_needed_first_is_kept() {
        let mut known = Known::default();
        let ends = |known: &Known| known.pieces.keys().copied().collect::<Vec<_>>();
        // Two readers, one far ahead: what both have passed goes first, then what the other comes to last.
        for place in 0..8 {
            known.keep(piece(place * 10, (place + 1) * 10, KEPT / 8), &[25, 70]);
        }
        assert_eq!(known.weight, KEPT);
        known.keep(piece(80, 90, KEPT / 8), &[25, 80]);
        assert_eq!((ends(&known), known.weight), (vec![30, 40, 50, 60, 70, 90], KEPT / 4 * 3));
        // Nobody left: whatever is kept is of no use before somebody comes.
        known.keep(piece(90, 100, KEPT), &[]);
        assert!(known.weight <= KEPT / 4 * 3);
        // What is too old is of no use either.
        let mut known = Known::default();
        known.keep(piece(0, 10, KEPT / 2), &[0]);
        tokio::time::advance(Duration::from_secs(11)).await;
        known.keep(piece(50, 60, KEPT / 4), &[0]);
        known.keep(piece(60, 70, KEPT / 2), &[0]);
        assert_eq!(ends(&known), [60, 70]);
    }
}
