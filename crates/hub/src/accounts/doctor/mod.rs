//! The doctor: what can go wrong between LINE and the hub, each with its state, its cause and what to do, in words.
//!
//! Owns `account_checks`, `account_rounds`, `webhook_tests` and `account_hours`. [`Finding`] is what every check gives,
//! whoever makes it; the words stand in the language files under `doctor-<code>-<variant>-title`, `-detail` and (where a
//! person can do something) `-fix`. Promises: what cannot be judged is `unknown`, never `failed`; LINE's test runs at most
//! 12 times an hour alone and 20 by hand, whatever asks for it; an account's status follows from its findings, and from nothing else.

mod answers;
pub(in crate::accounts) mod api;
mod checks;
pub mod jobs;
mod model;
pub(in crate::accounts) mod pages;
pub(in crate::accounts) mod repo;
pub(in crate::accounts) mod rhythm;
pub mod service;
mod system;
#[cfg(test)]
mod tests;
mod tls;
mod view;
pub(in crate::accounts) mod walks;

use futures_util::future::BoxFuture;

use crate::accounts::AccountListener;
use crate::alerts;
use crate::app::Hub;
use crate::db::DbResult;
use crate::ids::AccountId;

pub use model::{Code, Finding, Reader, State, Value};
pub(crate) use repo::STATEMENTS;
pub use repo::{Kept, Test};
pub use service::{Examined, Memory, account_alerts};

/// Hears of accounts that go: their rounds and alerts end, and with the last account of a tenant the alerts about the hub,
/// because nothing is checked for that tenant any more.
#[derive(Debug)]
pub struct Rounds;

impl AccountListener for Rounds {
    fn disconnected<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, DbResult<()>> {
        Box::pin(async move {
            let mut tx = hub.db.begin().await?;
            repo::end_rounds(&mut tx, id).await?;
            tx.commit().await?;
            let Some(tenant) = repo::owner(&hub.db, id).await? else { return Ok(()) };
            alerts::service::end(hub, &tenant, Some(id), None).await?;
            if repo::has_connected(&hub.db, &tenant).await? {
                return Ok(());
            }
            alerts::service::end(hub, &tenant, None, None).await
        })
    }
}
