//! Opening, keeping and closing alerts, and what lists show.

use std::time::Duration;

use super::jobs::{self, Settle};
use super::model::{Alert, Condition, RETURNS_WITHIN, SEEN_WITHIN, settles};
use super::notify::Kind;
use super::{channels, repo};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::error::AppResult;
use crate::ids::{AccountId, AlertId, TenantId};
use crate::jobs::{NewJob, enqueue};
use crate::live::Notice;
use crate::scope::Scope;

/// That an alert is still on is written down this often at most.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// More alerts are not read at once.
const MAX_OPEN: i64 = 200;
/// Notices whose fate is shown.
const MAX_TOLD: i64 = 1000;

/// Says whether a condition is on. To be called after each check, however often: an alert opens at the first "on", is only
/// seen again by the next ones, and closes at the first "off"; an "off" without an alert costs one read. Opening is
/// told at once, going further ([`Condition::level`]) once more, closing after [`settles`]. Of an account that is not
/// connected nothing opens: an examination may end after its account.
///
/// # Errors
/// Those of the database; then nothing has changed, and the next check says it again.
pub async fn report(hub: &Hub, condition: &Condition<'_>, is_on: bool) -> DbResult<()> {
    let place = condition.account.map_or("", AccountId::as_str);
    let newest = repo::newest(&hub.db, condition.tenant, place, condition.code).await?;
    let changed = match newest {
        Some(alert) if alert.closed_at.is_none() && is_on => return see(hub, condition, &alert).await,
        Some(alert) if alert.closed_at.is_none() && is_anothers(hub, condition, &alert) => return Ok(()),
        Some(alert) if alert.closed_at.is_none() => close(hub, &alert).await,
        before if is_on => open(hub, condition, before).await,
        _ => return Ok(()),
    };
    // Otherwise another process did it at the same moment, and tells.
    if changed? {
        announce(hub, condition.tenant, condition.account);
    }
    Ok(())
}

/// Whether another node, which still works, was the last to see the trouble, on its own machine.
fn is_anothers(hub: &Hub, condition: &Condition<'_>, alert: &Alert) -> bool {
    let Some(seen_by) = alert.seen_by.as_deref() else { return false };
    condition.node.is_some_and(|node| node != seen_by) && hub.now().since(alert.last_seen_at) < SEEN_WITHIN
}

async fn open(hub: &Hub, condition: &Condition<'_>, before: Option<Alert>) -> DbResult<bool> {
    let (now, args) = (hub.now(), condition.args.to_string());
    let recent = before
        .filter(|before| before.closed_at.is_some_and(|closed_at| now.since(closed_at) < RETURNS_WITHIN));
    // What people were told is on was never over for them.
    let known = recent.as_ref().filter(|before| before.is_told).map(|before| before.told_level);
    let is_news = known.is_none_or(|known| condition.level > known);
    let new = repo::New {
        severity: condition.severity,
        args: &args,
        at: now,
        is_told: true,
        told_level: known.map_or(condition.level, |known| known.max(condition.level)),
        seen_by: condition.node,
    };
    let targets = if is_news { channels::targets(hub, condition.tenant).await? } else { Vec::new() };
    let mut tx = hub.db.begin().await?;
    if let Some(account) = condition.account
        && !repo::is_connected(&mut tx, condition.tenant, account).await?
    {
        return Ok(false);
    }
    let (id, opened) = match recent {
        Some(before) => {
            let opened = repo::reopen(&mut tx, &before.id, &new, before.is_told).await?;
            (before.id, opened)
        }
        None => {
            let (id, whose) = (hub.id(), (condition.tenant, condition.account, condition.code));
            let opened = repo::insert(&mut tx, &id, whose, &new).await?;
            (id, opened)
        }
    };
    if opened {
        jobs::tell(&mut tx, hub, (condition.tenant, &id, Kind::Opened), &targets).await?;
    }
    tx.commit().await?;
    hub.jobs.wake();
    Ok(opened)
}

async fn see(hub: &Hub, condition: &Condition<'_>, alert: &Alert) -> DbResult<()> {
    let (now, args) = (hub.now(), condition.args.to_string());
    let is_worse = condition.level > alert.told_level;
    let is_same = alert.severity == condition.severity
        && alert.args == args
        && alert.seen_by.as_deref() == condition.node
        && !is_worse;
    if is_same && now.since(alert.last_seen_at) < SEEN_EVERY {
        return Ok(());
    }
    let new = repo::New {
        severity: condition.severity,
        args: &args,
        at: now,
        is_told: true,
        told_level: alert.told_level.max(condition.level),
        seen_by: condition.node,
    };
    let targets = if is_worse { channels::targets(hub, condition.tenant).await? } else { Vec::new() };
    let mut tx = hub.db.begin().await?;
    if repo::see(&mut tx, &alert.id, &new, alert.told_level).await? {
        jobs::tell(&mut tx, hub, (condition.tenant, &alert.id, Kind::Opened), &targets).await?;
    }
    tx.commit().await?;
    if is_worse {
        hub.jobs.wake();
    }
    if !is_same {
        announce(hub, condition.tenant, condition.account);
    }
    Ok(())
}

async fn close(hub: &Hub, alert: &Alert) -> DbResult<bool> {
    let mut tx = hub.db.begin().await?;
    let now = hub.now();
    let closed = repo::close(&mut tx, &alert.id, now).await?;
    if closed {
        let job = Settle { alert: alert.id.clone(), closed_at: now.millis() };
        let run_at = Some(now.plus(settles(alert.returns)));
        enqueue(&mut tx, hub, Some(&alert.tenant_id), &job, NewJob { run_at, dedupe_key: None }).await?;
    }
    tx.commit().await?;
    Ok(closed)
}

/// Ends all open alerts of an account (`None`: those about the hub as a whole) without a word, or only those of one code:
/// nothing of it is checked any more, or another alert says more.
///
/// # Errors
/// Those of the database.
pub async fn end(
    hub: &Hub,
    tenant: &TenantId,
    account: Option<&AccountId>,
    code: Option<&str>,
) -> DbResult<()> {
    let mut open = repo::of_place(&hub.db, tenant, account.map_or("", AccountId::as_str)).await?;
    open.retain(|alert| code.is_none_or(|code| alert.code == code));
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
    announce(hub, tenant, account);
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

/// How one notice fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `opened` or `closed`.
    pub kind: String,
    /// `email` or `webhook`.
    pub channel: String,
    /// The recipient's address.
    pub target: String,
    /// `waiting`, `sent` or `dropped`.
    pub state: String,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// How the notices about the tenant's recent alerts fared, the oldest first. For owners: addresses are among it.
///
/// # Errors
/// Those of the database.
pub async fn told(hub: &Hub, scope: &Scope) -> AppResult<Vec<(AlertId, Told)>> {
    let since = hub.now().minus(jobs::KEPT);
    let rows = repo::fared(&hub.db, scope.tenant(), since, MAX_TOLD).await?;
    let told = rows.into_iter().map(|row| {
        let repo::Fared { alert_id, kind, channel, target, state, error } = row;
        (alert_id, Told { kind, channel, target, state, error })
    });
    Ok(told.collect())
}

/// Browsers draw the banner and the switcher anew.
fn announce(hub: &Hub, tenant: &TenantId, account: Option<&AccountId>) {
    let (tenant, account) = (tenant.clone(), account.cloned());
    hub.live.publish(Notice { tenant, account, kind: "alert", id: String::new(), conversation: None });
}
