//! Opening, keeping and closing alerts, and what lists show.

use std::time::Duration;

use super::model::{Alert, Condition, RETURNS_WITHIN};
use super::repo;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::error::AppResult;
use crate::ids::{AccountId, TenantId};
use crate::live::Notice;
use crate::scope::Scope;

/// That an alert is still on is written down this often at most.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// More alerts are not read at once.
const MAX_OPEN: i64 = 200;

/// Says whether a condition is on. To be called after each check, however often: an alert opens at the first "on", is only
/// seen again by the next ones, and closes at the first "off"; an "off" without an alert costs one read. Opening is
/// told at once, closing after [`settles`](super::model::settles).
///
/// # Errors
/// Those of the database; then nothing has changed, and the next check says it again.
pub async fn report(hub: &Hub, condition: &Condition<'_>, is_on: bool) -> DbResult<()> {
    let place = condition.account.map_or("", AccountId::as_str);
    let newest = repo::newest(&hub.db, condition.tenant, place, condition.code).await?;
    let changed = match newest {
        Some(alert) if alert.closed_at.is_none() && is_on => return see(hub, condition, &alert).await,
        Some(alert) if alert.closed_at.is_none() => close(hub, &alert).await,
        before if is_on => open(hub, condition, before).await,
        _ => return Ok(()),
    };
    match changed {
        Ok(true) => announce(hub, condition.tenant, condition.account),
        Ok(false) => {}
        // Another process opened it at the same moment, and tells.
        Err(error) if error.is_unique() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn open(hub: &Hub, condition: &Condition<'_>, before: Option<Alert>) -> DbResult<bool> {
    let (now, args) = (hub.now(), condition.args.to_string());
    let new = repo::New { severity: condition.severity, args: &args, at: now, is_told: true };
    let recent = before
        .filter(|before| before.closed_at.is_some_and(|closed_at| now.since(closed_at) < RETURNS_WITHIN));
    let mut tx = hub.db.begin().await?;
    let opened = match &recent {
        Some(before) => repo::reopen(&mut tx, &before.id, &new).await?,
        None => {
            let whose = (condition.tenant, condition.account, condition.code);
            repo::insert(&mut tx, &hub.id(), whose, &new).await?
        }
    };
    tx.commit().await?;
    Ok(opened)
}

async fn see(hub: &Hub, condition: &Condition<'_>, alert: &Alert) -> DbResult<()> {
    let (now, args) = (hub.now(), condition.args.to_string());
    let is_same = alert.severity == condition.severity && alert.args == args;
    if is_same && now.since(alert.last_seen_at) < SEEN_EVERY {
        return Ok(());
    }
    let mut tx = hub.db.begin().await?;
    repo::see(&mut tx, &alert.id, condition.severity, &args, now).await?;
    tx.commit().await?;
    if !is_same {
        announce(hub, condition.tenant, condition.account);
    }
    Ok(())
}

async fn close(hub: &Hub, alert: &Alert) -> DbResult<bool> {
    let mut tx = hub.db.begin().await?;
    let closed = repo::close(&mut tx, &alert.id, hub.now()).await?;
    tx.commit().await?;
    Ok(closed)
}

/// Ends all alerts of an account without a word: it was disconnected, so nothing of it is checked any more.
///
/// # Errors
/// Those of the database.
pub async fn end_account(hub: &Hub, tenant: &TenantId, account: &AccountId) -> DbResult<()> {
    let open = repo::of_account(&hub.db, tenant, account).await?;
    if open.is_empty() {
        return Ok(());
    }
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    for alert in open {
        repo::close(&mut tx, &alert.id, now).await?;
        repo::settle(&mut tx, &alert.id, now).await?;
    }
    tx.commit().await?;
    announce(hub, tenant, Some(account));
    Ok(())
}

/// Open alerts, the worst and oldest first: of an agent those of the accounts granted, of an owner all.
///
/// # Errors
/// Those of the database.
pub async fn open_alerts(hub: &Hub, scope: &Scope) -> AppResult<Vec<Alert>> {
    Ok(repo::open(&hub.db, scope, MAX_OPEN).await?)
}

/// One page of alerts, the newest first, below a place: the open ones (`Some(true)`), the closed ones, or all.
///
/// # Errors
/// Those of the database.
pub async fn list(
    hub: &Hub,
    scope: &Scope,
    open: Option<bool>,
    below: Option<(Timestamp, String)>,
    limit: i64,
) -> AppResult<Vec<Alert>> {
    let state = match open {
        None => "",
        Some(true) => "open",
        Some(false) => "closed",
    };
    let (at, id) = below.unwrap_or((Timestamp(i64::MAX), String::new()));
    Ok(repo::list(&hub.db, scope, state, (at, &id), limit).await?)
}

/// Browsers draw the banner and the switcher anew.
fn announce(hub: &Hub, tenant: &TenantId, account: Option<&AccountId>) {
    let (tenant, account) = (tenant.clone(), account.cloned());
    hub.live.publish(Notice { tenant, account, kind: "alert", id: String::new(), conversation: None });
}
