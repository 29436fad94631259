//! Tells the alerts which accounts have a destination that gets nothing although it is switched on.

use std::time::Duration;

use serde_json::json;

use super::repo::{self, Halted};
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
            args: json!({
                "names": account.names.join(", "),
                "name_list": account.names,
                "count": account.names.len(),
                "halt": halt(&account),
            }),
        };
        alerts::service::report(hub, &condition, !account.names.is_empty()).await?;
    }
    Ok(())
}

/// What the halted ones ask for: those that fail go on by themselves, the others are to be resumed.
fn halt(of: &Halted) -> &'static str {
    match of.failing {
        0 => "stopped",
        failing if failing == of.names.len() => "failing",
        _ => "both",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Entropy, Timestamp};
    use crate::ids::Id as _;

    #[test]
    fn what_fails_goes_on_by_itself_and_the_others_wait_for_a_person() {
        let (at, entropy) = (Timestamp(0), Entropy::seeded(1));
        for (failing, word) in [(0, "stopped"), (1, "both"), (2, "failing")] {
            let names = vec!["CRM".to_owned(), "ERP".to_owned()];
            let tenant = crate::ids::TenantId::new(at, &entropy);
            let id = crate::ids::AccountId::new(at, &entropy);
            assert_eq!(halt(&Halted { tenant, id, names, failing }), word);
        }
    }
}
