//! Deletes done jobs, in batches, so that no transaction is long.

use serde::{Deserialize, Serialize};

use super::{DONE_KEPT, Job, Outcome, repo};
use crate::app::Hub;
use crate::db::DbResult;

/// Rows of one transaction.
const BATCH: i64 = 500;

/// Deletes what has been done for [`DONE_KEPT`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Cleanup {}

impl Job for Cleanup {
    const KIND: &'static str = "jobs.cleanup";
}

pub(super) async fn run(hub: Hub, _: Cleanup) -> Outcome {
    Outcome::from(delete(&hub).await)
}

async fn delete(hub: &Hub) -> DbResult<()> {
    let before = hub.now().minus(DONE_KEPT);
    loop {
        let mut tx = hub.db.begin().await?;
        let gone = repo::delete_done(&mut tx, before, BATCH).await?;
        tx.commit().await?;
        if gone < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
