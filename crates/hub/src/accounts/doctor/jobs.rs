//! The doctor's rounds: every connected account every few minutes, spread over time, by one node at a time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{repo, rhythm, service};
use crate::accounts::memory::Connected;
use crate::accounts::service::{connected, remember};
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore};
use crate::error::AppResult;
use crate::jobs::{Job, Outcome};

/// How often the job looks for accounts whose time has come.
pub const EVERY: Duration = Duration::from_secs(30);
/// How often an account is examined. With four calls to LINE each time this is far below LINE's 2,000 a second (PLATFORM 5).
const AGAIN: Duration = Duration::from_secs(300);
/// Up to so much later, by chance: accounts connected together do not stay together.
const SPREAD_MS: u64 = 60_000;
/// So many at once, and so many in one run.
const AT_ONCE: usize = 4;
const IN_A_RUN: i64 = 200;
/// When a run takes no further accounts: before its time limit, with room for the slowest (9 s for LINE, twice).
const ENOUGH: Duration = Duration::from_secs(30);
/// A connecting is left alone this long.
const CONNECTING: Duration = Duration::from_secs(60);
/// How long runs of LINE's tests are kept.
const TESTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Examines the accounts whose time has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Rounds {}

impl Job for Rounds {
    const KIND: &'static str = "accounts.doctor";
}

/// The handler of [`Rounds`].
pub async fn run(hub: Hub, _: Rounds) -> Outcome {
    Outcome::from(sweep(&hub).await)
}

async fn sweep(hub: &Hub) -> DbResult<()> {
    let (began, now) = (Instant::now(), hub.now());
    let due = repo::due(&hub.db, now, now.minus(CONNECTING), IN_A_RUN).await?;
    stream::iter(due)
        .take_while(|_| std::future::ready(began.elapsed() < ENOUGH && !hub.stop.is_cancelled()))
        .for_each_concurrent(AT_ONCE, |(id, tenant)| async move {
            // The next time is fixed first: an account that brings a node down is not at once taken up by the next.
            let planned: DbResult<()> = async {
                let chance = u64::from_le_bytes(hub.entropy.bytes()) % SPREAD_MS;
                let mut tx = hub.db.begin().await?;
                repo::plan(&mut tx, (&id, &tenant), now.plus(AGAIN + Duration::from_millis(chance))).await?;
                tx.commit().await
            }
            .await;
            if planned.is_err() {
                planned.log_and_ignore("planning the next examination");
                return;
            }
            let examined: AppResult<()> = async {
                // Another node may have changed the credentials since.
                remember(hub, &id).await?;
                let account: Arc<Connected> = connected(hub, &id).await?;
                service::round(hub, &account).await.map(|_| ())
            }
            .await;
            if let Err(error) = examined {
                tracing::warn!(account.id = %id, detail = error.detail, "account not examined");
            }
        })
        .await;
    let mut tx = hub.db.begin().await?;
    repo::forget(&mut tx, now.minus(TESTS_KEPT), rhythm::hour(now) - rhythm::WEEKS * 168).await?;
    tx.commit().await
}
