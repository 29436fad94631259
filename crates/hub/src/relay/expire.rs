//! Listing what the journal no longer has: consecutive requests of which the bytes are gone become one row.

use std::error::Error;
use std::time::Duration;

use super::attempt::delivery_id;
use super::feed::Piece;
use super::model::Standing;
use super::repo::{self, Held, UnitRow};
use super::unit::Unit;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, LogAndIgnore as _};
use crate::ids::DestinationId;

/// Why a request has expired that the journal has forgotten.
pub(super) const GONE: &str = "the journal no longer has its bytes";
/// Why one has that waited or was put aside when another journal took the place of its own.
pub(super) const LOST: &str = "the journal no longer has it: another one took its place";
/// What stands for all that may have come in between.
pub(super) const REPLACED: &str = "the journal no longer has what came before another one took its place";
/// Requests of one row at most.
const MOST: u64 = 10_000;
/// How long a cursor is held for this.
const HELD: Duration = Duration::from_secs(10);

/// Requests that a destination will not get because their bytes are gone.
#[derive(Debug)]
pub(super) struct Gap {
    first: i64,
    last: i64,
    count: u64,
    received_at: Timestamp,
}

impl Gap {
    /// The gap with one more request.
    pub(super) fn with(before: Option<Self>, unit: &Unit) -> Self {
        let (first, last) = (unit.request.first(), unit.request.last());
        match before {
            Some(gap) => Self { last, count: gap.count + 1, ..gap },
            None => Self { first, last, count: 1, received_at: unit.request.received_at },
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.count >= MOST
    }

    /// Its row, with why and when it was received.
    pub(super) fn row(&self, now: Timestamp) -> (UnitRow, Standing, Option<String>, Timestamp) {
        let row = UnitRow {
            id: delivery_id(self.received_at, self.first),
            first: self.first,
            last: self.last,
            chats: Vec::new(),
            is_replay: false,
            attempts: 0,
            due_at: now,
            failed_at: Some(now),
        };
        let why = match self.count {
            1 => GONE.to_owned(),
            count => format!("the journal no longer has the bytes of these {count} requests"),
        };
        (row, Standing::Expired, Some(why), self.received_at)
    }
}

/// Moves the cursors of those that nobody runs past what is gone, so that the journal need not keep its entries for them.
///
/// # Errors
/// The database does not answer.
pub(super) async fn all(hub: &Hub) -> DbResult<()> {
    let head = hub.journal.head().await?;
    for id in repo::behind(&hub.db, hub.journal.epoch(), head).await? {
        if hub.relay.runs(&id) {
            continue;
        }
        if let Err(error) = one(hub, &id).await {
            tracing::warn!(error = &error as &dyn Error, destination = %id, "what has expired was not listed");
        }
    }
    Ok(())
}

async fn one(hub: &Hub, id: &DestinationId) -> DbResult<()> {
    // One that another node runs is not to be had under this name.
    let (now, name) = (hub.now(), format!("{} expiry", hub.node));
    let Some(held) = repo::claim(&hub.db, id, &name, (now, now.plus(HELD)), false).await? else {
        return Ok(());
    };
    let fence = held.fence;
    let done = pass(hub, id, held).await;
    repo::release(&hub.db, id, fence).await.log_and_ignore("giving a destination's cursor back");
    done
}

async fn pass(hub: &Hub, id: &DestinationId, held: Held) -> DbResult<()> {
    let Some(destination) = repo::find_own(&hub.db, id).await? else { return Ok(()) };
    let known = repo::above(&hub.db, id, held.position).await?;
    let (mut place, mut is_over) = (held.position, false);
    while !is_over {
        // Past what others share: a rare reader of old pieces would drive theirs out.
        let Some(piece) = Piece::read(&hub.journal, place).await? else { return Ok(()) };
        let mut gap = None;
        let mut end = piece.end;
        for unit in piece.of(destination.account.as_str(), place) {
            let first = unit.request.first();
            if held.done.contains(&first) || known.contains(&first) {
                continue;
            }
            if unit.request.body.is_some() {
                (is_over, end) = (true, first - 1);
                break;
            }
            gap = Some(Gap::with(gap, unit));
        }
        if end > place {
            // Also over what is not its own: where its account is quiet it would stay for ever, and the journal with it.
            let now = hub.now();
            let above: Vec<i64> = held.done.iter().copied().filter(|first| *first > end).collect();
            let mut tx = hub.db.begin().await?;
            repo::advance(&mut tx, (id, held.fence), (end, &above), now.plus(HELD), None).await?;
            if let Some(gap) = gap {
                let (row, standing, why, received_at) = gap.row(now);
                let whose = (&destination.tenant, id);
                repo::put_unit(&mut tx, whose, &row, standing, why.as_deref(), (received_at, now)).await?;
            }
            tx.commit().await?;
        }
        place = end;
    }
    Ok(())
}
