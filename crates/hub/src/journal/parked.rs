//! A person's "try again" for an event that could not be processed.

use serde_json::json;

use super::consumer::{Replayed, replay};
use super::{cursors, event_id, event_position};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::scope::Scope;
use crate::team::{Actor, service};
use crate::{start, wiring};

/// Hands the tenant's event to every consumer that could not process it, and notes that in the audit log. Gives `None`
/// when it is processed now, else why it is not.
///
/// # Errors
/// 404 when no such event of the tenant waits; those of the database.
pub(super) async fn try_again(hub: &Hub, scope: &Scope, actor: &Actor, id: &str) -> AppResult<Option<String>> {
    let unknown = || AppError::not_found("event that waits to be tried again");
    let position = event_position(id).ok_or_else(unknown)?;
    let mut parked = cursors::parked_at(&hub.db, scope.tenant(), position).await?;
    parked.retain(|(_, received_at)| event_id(*received_at, position) == id);
    if parked.is_empty() {
        return Err(unknown());
    }
    let (reader, consumers) = (start::reader(hub), wiring::consumers(hub));
    let mut left = None;
    for (name, _) in parked {
        let Some(consumer) = consumers.iter().find(|consumer| consumer.name() == name) else {
            left = Some(format!("this version of the hub has no part named {name}"));
            continue;
        };
        match replay(&reader, consumer.as_ref(), position).await? {
            Replayed::Done => {}
            Replayed::StillParked(reason) => left = Some(reason),
            // Someone else was faster, or the journal has let go of the event.
            Replayed::Missing => return Err(unknown()),
        }
    }
    let detail = json!({ "outcome": if left.is_none() { "done" } else { "still_parked" } });
    let mut tx = hub.db.begin().await?;
    service::audit(&mut tx, hub, scope.tenant(), actor, ("event.replayed", id), &detail).await?;
    tx.commit().await?;
    Ok(left)
}
