//! Forgetting: request bytes after 30 days, entries (the dedupe keys) after 90, never beyond the slowest cursor. Destinations
//! hold back entries only: what they did not get of lost bytes is listed before its entries go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DEDUPE_KEPT, cursors};
use crate::app::Hub;
use crate::db::DbResult;
use crate::jobs::{Job, Outcome};

/// How long LINE's request bytes are kept.
pub const REQUESTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often old entries are looked for.
pub const EVERY: Duration = Duration::from_secs(3600);
/// Requests of one transaction.
const BATCH: i64 = 500;

/// Prunes the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prune {}

impl Job for Prune {
    const KIND: &'static str = "journal.prune";
    const TIMEOUT: Duration = Duration::from_secs(80);
}

/// The handler of [`Prune`].
pub async fn run(hub: Hub, _: Prune) -> Outcome {
    Outcome::from(prune(&hub).await)
}

async fn prune(hub: &Hub) -> DbResult<()> {
    let slowest =
        cursors::positions(&hub.db).await?.into_iter().map(|(_, position)| position).min().unwrap_or(0);
    let (requests, entries) = (hub.now().minus(REQUESTS_KEPT), hub.now().minus(DEDUPE_KEPT));
    let needed = crate::wiring::listed_by_all(hub).await?;
    while hub.journal.prune(requests, entries, (slowest, needed), BATCH).await? > 0 {}
    cursors::forget_parked(&hub.db, entries).await
}
