//! Forgetting: of each destination's log the newest attempts stay, of its counts and retry keys those of a day, of what was
//! put aside as long as the journal has its entries. What the journal has forgotten is listed for those that did not get it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{expire, proxy, repo};
use crate::app::Hub;
use crate::db::DbResult;
use crate::jobs::{Job, Outcome};
use crate::journal::DEDUPE_KEPT;

/// Attempts kept of each destination.
pub const ATTEMPTS_KEPT: i64 = 1_000;
/// How long counts are kept: the day that is shown, and what of the day before stands in its first step.
const COUNTS_KEPT: Duration = Duration::from_secs(25 * 3600);
/// How often this is done.
pub const EVERY: Duration = Duration::from_secs(600);

/// Forgets old attempts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Forget {}

impl Job for Forget {
    const KIND: &'static str = "relay.forget";
}

/// The handler of [`Forget`].
pub async fn run(hub: Hub, _: Forget) -> Outcome {
    Outcome::from(forget(&hub).await)
}

async fn forget(hub: &Hub) -> DbResult<()> {
    let now = hub.now();
    let since = (now.minus(COUNTS_KEPT), now.minus(DEDUPE_KEPT));
    repo::forget(&hub.db, now, since, ATTEMPTS_KEPT).await?;
    proxy::service::forget(hub).await?;
    expire::all(hub).await
}
