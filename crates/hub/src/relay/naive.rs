//! The design that the relay is measured against: a row for each event and destination, a commit for each row. For `bench` only.

use super::model::Standing;
use super::repo::{self, UnitRow};
use crate::app::Hub;
use crate::db::DbResult;
use crate::ids::{DestinationId, TenantId};

/// Writes the row of one delivery, alone.
///
/// # Errors
/// The database does not answer.
pub async fn note(hub: &Hub, whose: (&TenantId, &DestinationId), position: i64, chat: &str) -> DbResult<()> {
    let now = hub.now();
    let row = UnitRow {
        id: hub.id(),
        first: position,
        last: position,
        chats: vec![chat.to_owned()],
        is_replay: false,
        attempts: 1,
        due_at: now,
        failed_at: None,
    };
    let mut tx = hub.db.begin().await?;
    repo::put_unit(&mut tx, whose, &row, Standing::Skipped, None, (now, now)).await?;
    tx.commit().await
}
