//! The outbox's own background work: reading the quotas, deleting dead reply tokens and old keys of calls.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::service;
use crate::app::Hub;
use crate::jobs::{Job, Outcome};

/// How often both run.
pub const EVERY: Duration = Duration::from_secs(600);

/// Reads the quota of every connected account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReadQuotas {}

impl Job for ReadQuotas {
    const KIND: &'static str = "outbox.quotas";
}

/// Deletes reply tokens that nobody can use any more, and keys of calls that are repeated no more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DeleteTokens {}

impl Job for DeleteTokens {
    const KIND: &'static str = "outbox.tokens";
}

/// The handler of [`ReadQuotas`].
pub async fn read_quotas(hub: Hub, _: ReadQuotas) -> Outcome {
    Outcome::from(service::read_quotas(&hub, None).await)
}

/// The handler of [`DeleteTokens`].
pub async fn delete_tokens(hub: Hub, _: DeleteTokens) -> Outcome {
    let done = async {
        service::delete_spent(&hub).await?;
        Box::pin(super::bulk::resume(&hub)).await
    };
    Outcome::from(done.await)
}
