//! What came in for an account, as the end of its set-up asks, and who wrote the code of a test login.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::repo::read;
use crate::accounts::guide::{Arrival, Arrivals};
use crate::accounts::login::WhoWrote;
use crate::accounts::pasted::clean;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::error::AppResult;
use crate::ids::{AccountId, TenantId};
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

impl WhoWrote for Came {
    fn who_wrote<'a>(
        &'a self,
        hub: &'a Hub,
        (tenant, account): (&'a TenantId, &'a AccountId),
        code: &'a str,
        since: Timestamp,
    ) -> BoxFuture<'a, DbResult<Option<String>>> {
        async move {
            let found = read::wrote(&hub.db, tenant, account, since).await?;
            let is_it = |content: &str| {
                let content: Value = serde_json::from_str(content).unwrap_or_default();
                let text = |name| content.get(name).and_then(|value| value.as_str());
                text("type") == Some("text") && text("text").map(clean).as_deref() == Some(code)
            };
            Ok(found.into_iter().find(|(_, content)| is_it(content)).map(|(writer, _)| writer))
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
