//! What came in for an account, as the end of its set-up asks.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::repo::read;
use crate::accounts::guide::{Arrival, Arrivals};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;

/// LINE's clock, which tells when a friend wrote, may be behind ours by so much.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// Reads it from the conversations.
#[derive(Debug)]
pub struct Came;

impl Arrivals for Came {
    fn newest<'a>(
        &'a self,
        hub: &'a Hub,
        scope: &'a Scope,
        account: &'a AccountId,
        since: Timestamp,
    ) -> BoxFuture<'a, AppResult<Option<Arrival>>> {
        async move {
            let came = read::came(&hub.db, scope, account, since, CLOCKS_DIFFER).await?;
            Ok(came.map(arrival))
        }
        .boxed()
    }
}

fn arrival(came: read::Came) -> Arrival {
    let text = came.content.as_ref().and_then(|content| content.get("text")).and_then(Value::as_str);
    Arrival {
        href: format!("/inbox/{}", came.conversation),
        who: came.who,
        text: text.map(str::to_owned),
        is_message: came.kind != "event",
        at: came.at,
    }
}
