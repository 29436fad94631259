//! Tells the alerts which accounts have a destination that gets nothing although it is switched on.

use std::time::Duration;

use serde_json::json;

use super::repo;
use crate::alerts::{self, Condition, Severity};
use crate::app::Hub;
use crate::db::DbResult;

/// The alert's code.
const CODE: &str = "relay_paused";
/// How often this is looked at.
pub(super) const EVERY: Duration = Duration::from_secs(30);

/// Reports for every account that has destinations, or had one, whether one of them is halted.
///
/// # Errors
/// The database does not answer.
pub(super) async fn look(hub: &Hub) -> DbResult<()> {
    for account in repo::halted(&hub.db).await? {
        let condition = Condition {
            tenant: &account.tenant,
            account: Some(&account.id),
            code: CODE,
            severity: Severity::Failed,
            level: i64::try_from(account.names.len()).unwrap_or(i64::MAX),
            node: None,
            args: json!({ "names": account.names.join(", "), "count": account.names.len() }),
        };
        alerts::service::report(hub, &condition, !account.names.is_empty()).await?;
    }
    Ok(())
}
