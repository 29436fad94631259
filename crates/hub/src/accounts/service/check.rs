//! What LINE says of an account, asked for by others; the doctor does the asking.

use std::time::Duration;

use line_client::{LineError, WebhookTest};
use tokio::time::{Instant, timeout_at};

use super::get;
use crate::accounts::doctor::{self, rhythm};
use crate::accounts::memory::{Connected, Counted, Seen};
use crate::accounts::model::Account;
use crate::accounts::repo;
use crate::app::Hub;
use crate::db::{DbError, DbResult, LogAndIgnore};
use crate::error::{AppError, AppResult};
use crate::ids::AccountId;
use crate::scope::Scope;

/// How long LINE may take with all calls of one request: the caller has an answer within 10 s (CONTRACT section 1).
const PATIENCE: Duration = Duration::from_millis(9000);

/// The moment at which a request stops waiting for LINE.
#[derive(Debug, Clone, Copy)]
pub(in crate::accounts) struct Deadline(Instant);

impl Deadline {
    pub(in crate::accounts) fn start() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// One that is over.
    #[cfg(test)]
    pub(in crate::accounts) fn over() -> Self {
        Self(Instant::now())
    }

    /// Waits for a call to LINE, but not beyond the deadline.
    pub(in crate::accounts) async fn wait<T>(
        self,
        call: impl Future<Output = Result<T, LineError>>,
    ) -> Result<T, LineError> {
        let silent = LineError::Unknown { cause: line_client::Cause::Timeout, request_id: None };
        timeout_at(self.0, call).await.unwrap_or(Err(silent))
    }

    /// Waits for other work, but not beyond the deadline: `None` when it is over.
    pub(in crate::accounts) async fn within<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.0, work).await.ok()
    }
}

/// Asks LINE how an account is, and keeps the answer: name, picture, response mode, webhook, status.
///
/// # Errors
/// LINE does not answer (nothing is changed), or the database.
pub async fn check(hub: &Hub, account: &Connected) -> AppResult<()> {
    let examined = doctor::service::examine_anew(hub, account).await?;
    if examined.is_answered { Ok(()) } else { Err(AppError::line_unavailable()) }
}

/// Checks every connected account, one after the other.
#[cfg(test)]
pub(in crate::accounts) async fn check_all(hub: &Hub) {
    for account in hub.accounts.all() {
        // Another node may have changed the credentials since.
        super::remember(hub, &account.id).await.ok();
        let Some(account) = hub.accounts.by_id(&account.id) else { continue };
        check(hub, &account).await.ok();
    }
}

/// Checks one account now, for somebody who waits ("check again"), and gives it as it is then.
///
/// # Errors
/// 404 when there is none in the scope, 409 `disconnected`, 502 when LINE does not answer.
pub async fn refresh(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Account> {
    get(hub, scope, id).await?;
    check(hub, connected(hub, id).await?.as_ref()).await?;
    get(hub, scope, id).await
}

/// The account in memory, where it must be connected for what is asked.
pub(in crate::accounts) async fn connected(
    hub: &Hub,
    id: &AccountId,
) -> AppResult<std::sync::Arc<Connected>> {
    if hub.accounts.by_id(id).is_none() {
        super::remember(hub, id).await?;
    }
    hub.accounts.by_id(id).ok_or_else(super::disconnected)
}

/// Has LINE send an empty, signed webhook to this account's address, and tells what came of it (PLATFORM 6); at most 20 times
/// an hour.
///
/// # Errors
/// 404 when there is no such account in the scope, 409 `disconnected`, 429 `webhook_tests_used_up`, 502 when LINE does not
/// answer.
pub async fn test_webhook(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<WebhookTest> {
    let test = doctor::service::test_webhook(hub, scope, id).await?;
    Ok(WebhookTest {
        success: test.success,
        timestamp: test.at.to_string(),
        status_code: i32::try_from(test.status_code).unwrap_or_default(),
        reason: test.reason,
        detail: test.detail,
    })
}

/// Writes what the webhook door counted since the last time.
pub async fn flush(hub: &Hub) {
    for account in hub.accounts.all() {
        flush_one(hub, &account).await;
    }
}

/// As [`flush`], of one account.
pub(in crate::accounts) async fn flush_one(hub: &Hub, account: &Connected) {
    let Some(counted) = account.seen.take() else { return };
    let mut taken = Taken { seen: &account.seen, counted: Some(counted) };
    let written: DbResult<()> = async {
        let mut tx = hub.db.begin().await?;
        repo::count(&mut tx, &account.id, &counted).await?;
        if let Some(at) = counted.event_at {
            doctor::repo::add_hour(&mut tx, account, rhythm::hour(at)).await?;
        }
        tx.commit().await
    }
    .await;
    if !written.as_ref().is_err_and(DbError::is_transient) {
        taken.counted = None;
    }
    written.log_and_ignore("writing the webhook door's counters");
}

/// Counters that are being written. What is not written goes back, also when the writing is cut off: an examination for a
/// browser that went away ends wherever it stands.
struct Taken<'a> {
    seen: &'a Seen,
    counted: Option<Counted>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(counted) = self.counted.take() {
            self.seen.put_back(counted);
        }
    }
}

/// Removes secrets whose 24 hours are over.
///
/// # Errors
/// The database does not answer.
pub async fn expire_secrets(hub: &Hub) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::expire_secrets(&mut tx, hub.now()).await?;
    tx.commit().await
}
