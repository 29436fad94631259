//! Forgetting what was sent: the requests and message objects of sends that came to their end long ago. What the inbox
//! shows is its own; how each send went, and what it cost, stays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::repo;
use crate::app::Hub;
use crate::db::DbResult;
use crate::jobs::{Job, Outcome};

/// How long the bytes of a settled send are kept; until then a failed one can be sent again.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often old sends are looked for.
pub const EVERY: Duration = Duration::from_secs(3600);
/// Sends of one transaction.
const BATCH: i64 = 500;

/// Blanks settled sends.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Forget {}

impl Job for Forget {
    const KIND: &'static str = "outbox.forget";
}

/// The handler of [`Forget`].
pub async fn run(hub: Hub, _: Forget) -> Outcome {
    Outcome::from(forget(&hub).await)
}

async fn forget(hub: &Hub) -> DbResult<()> {
    let now = hub.now();
    loop {
        let mut tx = hub.db.begin().await?;
        let forgotten = repo::forget(&mut tx, now.minus(KEPT), BATCH, now).await?;
        tx.commit().await?;
        if forgotten < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
