//! Background work: notices leave, endings settle, old alerts are forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::channels::{self, Channel, Target};
use super::notify::{Failed, Kind, Told};
use super::repo;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, Tx};
use crate::error::AppResult;
use crate::ids::{AlertId, NoticeId, TenantId};
use crate::jobs::{Job, Lane, NewJob, Outcome, enqueue};
use crate::team::service as team;
use crate::web::i18n::Language;

/// How long alerts that are over are kept.
pub const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How often old ones are looked for.
pub const EVERY: Duration = Duration::from_secs(3600);
/// A notice that could not leave for so long is news no more.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Alerts of one transaction.
const BATCH: i64 = 500;
/// Other servers may be slow: they hold up nothing else.
const LANE: Lane = Lane { name: "alerts", workers: 2, lease: Duration::from_secs(120) };

/// Sends one notice.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendNotice {
    notice: NoticeId,
}

impl Job for SendNotice {
    const KIND: &'static str = "alerts.send";
    const LANE: Lane = LANE;
    const MAX_ATTEMPTS: u32 = 14;
}

/// Tells that an alert is over, if it still is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Settle {
    pub(super) alert: AlertId,
    pub(super) closed_at: i64,
}

impl Job for Settle {
    const KIND: &'static str = "alerts.settle";
}

/// Deletes what was over long ago.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Forget {}

impl Job for Forget {
    const KIND: &'static str = "alerts.forget";
}

/// Makes a notice for each recipient and the job that sends it, in the transaction of what they tell of.
pub(super) async fn tell(
    tx: &mut Tx,
    hub: &Hub,
    (tenant, alert, kind): (&TenantId, &AlertId, Kind),
    targets: &[Target],
) -> DbResult<()> {
    for target in targets {
        let notice: NoticeId = hub.id();
        repo::add_notice(tx, &notice, (tenant, alert, kind.as_str()), target, hub.now()).await?;
        enqueue(tx, hub, Some(tenant), &SendNotice { notice }, NewJob::default()).await?;
    }
    Ok(())
}

/// The handler of [`SendNotice`]. The notice is noted as sent after the other side took it; a crash in between sends it
/// again, under the same id.
pub async fn send(hub: Hub, job: SendNotice) -> Outcome {
    match send_notice(&hub, &job.notice).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::from(error),
    }
}

async fn send_notice(hub: &Hub, id: &NoticeId) -> AppResult<Outcome> {
    let Some(notice) = repo::notice(&hub.db, id).await? else { return Ok(Outcome::Done) };
    let Some(alert) = repo::find(&hub.db, &notice.alert_id).await? else { return Ok(Outcome::Done) };
    if hub.now().since(notice.created_at) > STALE {
        end(hub, id, Some("it could not be sent for a day")).await?;
        return Ok(Outcome::Done);
    }
    let settings = channels::settings(hub, &notice.tenant_id).await?;
    let channel = Channel::parse(&notice.channel);
    let is_wanted = match channel {
        Some(Channel::Email) => settings.email_on,
        Some(Channel::Webhook) => {
            settings.webhook_on && settings.webhook_url.as_deref() == Some(&notice.target)
        }
        None => false,
    };
    if !is_wanted {
        end(hub, id, Some("the channel was turned off or changed")).await?;
        return Ok(Outcome::Done);
    }
    let tenant = team::find_tenant(hub, notice.tenant_id.as_str()).await?;
    let told = Told {
        id: notice.id.as_str(),
        tenant: &notice.tenant_id,
        kind: if notice.kind == "closed" { Kind::Closed } else { Kind::Opened },
        alert: Some(&alert),
        language: Language::parse(&notice.language).unwrap_or_default(),
        time_zone: &tenant.time_zone,
    };
    let sent = match channel {
        Some(Channel::Email) => told.mail(hub, &notice.target).await,
        _ => told.post(hub, &notice.target).await,
    };
    let Err(failed) = sent else {
        end(hub, id, None).await?;
        return Ok(Outcome::Done);
    };
    let reason = failed.to_string();
    if matches!(failed, Failed::Gone) {
        end(hub, id, Some(&reason)).await?;
        return Ok(Outcome::Done);
    }
    // It stays waiting: a person may try again what died.
    let mut tx = hub.db.begin().await?;
    repo::note_failure(&mut tx, id, &reason).await?;
    tx.commit().await?;
    Ok(match failed.is_transient() {
        true => Outcome::Retry { after: failed.wait(), reason },
        false => Outcome::fail(reason),
    })
}

async fn end(hub: &Hub, id: &NoticeId, error: Option<&str>) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::end_notice(&mut tx, id, error, hub.now()).await?;
    tx.commit().await
}

/// The handler of [`Settle`].
pub async fn settle(hub: Hub, job: Settle) -> Outcome {
    match settle_alert(&hub, &job).await {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::from(error),
    }
}

async fn settle_alert(hub: &Hub, job: &Settle) -> AppResult<()> {
    let Some(alert) = repo::find(&hub.db, &job.alert).await? else { return Ok(()) };
    let targets = channels::targets(hub, &alert.tenant_id).await?;
    let mut tx = hub.db.begin().await?;
    if repo::settle(&mut tx, &alert.id, Timestamp(job.closed_at)).await? {
        tell(&mut tx, hub, (&alert.tenant_id, &alert.id, Kind::Closed), &targets).await?;
    }
    tx.commit().await?;
    hub.jobs.wake();
    Ok(())
}

/// The handler of [`Forget`].
pub async fn forget(hub: Hub, _: Forget) -> Outcome {
    Outcome::from(delete(&hub).await)
}

async fn delete(hub: &Hub) -> DbResult<()> {
    let before = hub.now().minus(KEPT);
    let mut tx = hub.db.begin().await?;
    repo::forget_tests(&mut tx, hub.now().minus(channels::TESTS_WITHIN)).await?;
    tx.commit().await?;
    loop {
        let mut tx = hub.db.begin().await?;
        let gone = repo::forget(&mut tx, before, BATCH).await?;
        tx.commit().await?;
        if gone < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
