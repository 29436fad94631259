//! The journal, read once for all destinations of this node.
//!
//! Destinations that keep up ask for the same places at nearly the same time: the first one reads, the others are given
//! what it read. One that is far behind reads for itself, a piece at a time, so nothing grows with the distance.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::unit::Unit;
use crate::db::DbResult;
use crate::journal::{Journal, Room};

/// A piece of the journal.
const ROOM: Room = Room { events: 512, bytes: 2 << 20 };
/// Pieces kept: at most 16 MiB of bodies, and mostly half a MiB each.
const KEPT: usize = 8;

/// Units of all accounts between two places of the journal.
#[derive(Debug)]
pub(super) struct Piece {
    after: i64,
    /// Up to where it reaches.
    pub(super) end: i64,
    units: Vec<Arc<Unit>>,
}

impl Piece {
    /// The account's units after a place.
    pub(super) fn of<'a>(&'a self, account: &'a str, after: i64) -> impl Iterator<Item = &'a Arc<Unit>> {
        let from = self.units.partition_point(|unit| unit.request.first() <= after);
        self.units.iter().skip(from).filter(move |unit| unit.request.account_id == account)
    }
}

/// The journal as the relay reads it.
#[derive(Debug, Default)]
pub(super) struct Feed {
    pieces: Mutex<VecDeque<Arc<Piece>>>,
}

impl Feed {
    /// What stands after a place; `None` when nothing does.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn after(&self, journal: &Journal, place: i64) -> DbResult<Option<Arc<Piece>>> {
        // Held while reading: who comes meanwhile wants the same.
        let mut pieces = self.pieces.lock().await;
        let known = pieces.iter().find(|piece| piece.after <= place && place < piece.end);
        if let Some(piece) = known {
            return Ok(Some(Arc::clone(piece)));
        }
        let read = journal.requests(place, i64::MAX, ROOM).await?;
        if read.items.is_empty() {
            return Ok(None);
        }
        let units = read.items.into_iter().map(Unit::new).collect();
        let piece = Arc::new(Piece { after: place, end: read.end, units });
        pieces.truncate(KEPT - 1);
        pieces.push_front(Arc::clone(&piece));
        Ok(Some(piece))
    }
}
