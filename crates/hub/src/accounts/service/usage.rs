//! What this month costs: LINE's figures of an account, read now (PLATFORM 8, 22).

use line_client::QuotaKind;

use super::check::Deadline;
use super::{get, unavailable};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;

/// LINE's figures of this month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Free and paid messages of the month together; `None` where LINE sets no limit.
    pub limit: Option<u64>,
    /// How many were used, OA Manager's among them; approximate and late.
    pub used: u64,
    /// When LINE was asked.
    pub at: Timestamp,
}

/// Asks LINE how much of the month's messages is used.
///
/// # Errors
/// 404 when there is none in the scope, 409 `disconnected`, 502 when LINE does not answer.
pub async fn usage(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Usage> {
    get(hub, scope, id).await?;
    let live = super::check::connected(hub, id).await?;
    let deadline = Deadline::start();
    let (quota, used) =
        tokio::join!(deadline.wait(live.line.quota()), deadline.wait(live.line.consumption()));
    let quota = quota.map_err(|error| unavailable(&error))?;
    let used = used.map_err(|error| unavailable(&error))?.total_usage;
    let limit = if quota.kind == QuotaKind::Limited { quota.value } else { None };
    Ok(Usage { limit, used, at: hub.now() })
}
