//! The LIFF app of an account: read, found again, made, repaired and removed by LINE's API (PLATFORM 24.1).
//!
//! There is one for each account, and it is found by its ID, else by the address that it opens. Two at once would make
//! two, so whoever changes it has a turn, which is the database's and therefore holds for all nodes.

use std::time::Duration;

use line_client::{LiffApp, LineError, MAX_LIFF_APPS};

use super::model::{LiffFault, LoginChannel, difference, is_ours, wanted_app};
use super::repo::{self, LiffRow};
use super::service::{client, secret_gone};
use crate::accounts::model::Account;
use crate::accounts::service::{CleanedUp, Deadline, unavailable};
use crate::app::Hub;
use crate::db::LogAndIgnore as _;
use crate::error::{AppError, AppResult};

/// A turn that has not ended by then died with its process.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// What came of looking at the LIFF app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    /// What was done about it.
    pub(super) done: Done,
    /// What is wrong with it now.
    pub(super) fault: Option<LiffFault>,
    /// LINE's words, where it refused.
    pub(super) said: Option<String>,
}

/// What was done about the LIFF app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing: it was only looked at, was right, or nothing could be done.
    Nothing,
    /// It was made.
    Made,
    /// It was put right.
    Repaired,
}

impl From<LiffFault> for Looked {
    fn from(fault: LiffFault) -> Self {
        Self { done: Done::Nothing, fault: Some(fault), said: None }
    }
}

/// Looks at the LIFF app and keeps what LINE says; nothing is changed at LINE.
///
/// # Errors
/// 422 when the Login channel's secret is missing, 502 when LINE does not answer.
pub(super) async fn look(
    hub: &Hub,
    account: &Account,
    row: &LoginChannel,
    deadline: Deadline,
) -> AppResult<Looked> {
    visit(hub, account, row, (false, deadline)).await
}

/// Finds the LIFF app or makes it, and puts it right. Others that stand for this account too are told, never removed:
/// links to them may be out there.
///
/// # Errors
/// 409 `liff_busy` while another does just that, 422 when the Login channel's secret is missing, 502 when LINE does not answer.
pub(super) async fn repair(
    hub: &Hub,
    account: &Account,
    row: &LoginChannel,
    deadline: Deadline,
) -> AppResult<Looked> {
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let has_turn = repo::take_turn(&mut tx, &account.id, now, now.minus(DEAD_AFTER)).await?;
    tx.commit().await?;
    if !has_turn {
        return Err(AppError::conflict(
            "liff_busy",
            "the LIFF app is being set up at this very moment; look again in a minute",
        ));
    }
    let looked = visit(hub, account, row, (true, deadline)).await;
    let ended = async {
        let mut tx = hub.db.begin().await?;
        repo::end_turn(&mut tx, &account.id).await?;
        tx.commit().await
    };
    ended.await.log_and_ignore("giving back the turn at a LIFF app");
    looked
}

async fn visit(
    hub: &Hub,
    account: &Account,
    row: &LoginChannel,
    (repair, deadline): (bool, Deadline),
) -> AppResult<Looked> {
    let Some(channel) = client(hub, row)? else { return Err(secret_gone()) };
    let line = channel.account();
    let wanted = wanted_app(&hub.config, account);
    let mut apps = match deadline.wait(line.liff_apps()).await {
        Ok(apps) => apps,
        Err(error) => return refused_list(hub, row, &error).await,
    };
    let (mut done, mut said, mut forced) = (Done::Nothing, None, None);
    if repair {
        let outcome = match pick(&apps, row, account) {
            None if apps.len() >= MAX_LIFF_APPS => {
                forced = Some(LiffFault::Full);
                Ok(())
            }
            None => deadline.wait(line.add_liff_app(&wanted)).await.map(|_| done = Done::Made),
            Some(app) if difference(app, &wanted).is_some() => {
                let changed = line.change_liff_app(&app.liff_id, &wanted);
                deadline.wait(changed).await.map(|_| done = Done::Repaired)
            }
            Some(_) => Ok(()),
        };
        match outcome {
            Ok(()) => {}
            Err(LineError::Refused { body, .. }) => {
                forced = Some(LiffFault::Refused);
                said = Some(body.message).filter(|words| !words.is_empty());
            }
            Err(error) => return Err(unavailable(&error)),
        }
        if done != Done::Nothing {
            // What LINE says, not what we asked for.
            apps = deadline.wait(line.liff_apps()).await.map_err(|error| unavailable(&error))?;
        }
    }
    let (kept, fault) = summary(&apps, row, account, &wanted, forced);
    let mut tx = hub.db.begin().await?;
    repo::set_liff(&mut tx, (&account.id, &row.channel_id), &kept, hub.now()).await?;
    tx.commit().await?;
    Ok(Looked { done, fault, said })
}

/// The account's app among those of the channel: the one that it was, else the one at our very address, else one at our
/// path under an address that the hub had before.
fn pick<'a>(apps: &'a [LiffApp], row: &LoginChannel, account: &Account) -> Option<&'a LiffApp> {
    let known = apps.iter().find(|app| row.liff_id.as_deref() == Some(app.liff_id.as_str()));
    known.or_else(|| apps.iter().find(|app| is_ours(app, &account.id)))
}

/// What is kept of LINE's list, and what is wrong.
fn summary(
    apps: &[LiffApp],
    row: &LoginChannel,
    account: &Account,
    wanted: &line_client::NewLiffApp,
    forced: Option<LiffFault>,
) -> (LiffRow, Option<LiffFault>) {
    let ours = pick(apps, row, account);
    let is_other = |app: &&LiffApp| ours.is_none_or(|ours| ours.liff_id != app.liff_id);
    let twins: Vec<&str> = apps
        .iter()
        .filter(is_other)
        .filter(|app| is_ours(app, &account.id))
        .map(|app| app.liff_id.as_str())
        .collect();
    let fault = forced.or_else(|| match ours {
        None if apps.len() >= MAX_LIFF_APPS => Some(LiffFault::Full),
        None => Some(LiffFault::Missing),
        Some(app) => difference(app, wanted).or((!twins.is_empty()).then_some(LiffFault::Twins)),
    });
    let kept = LiffRow {
        id: ours.map(|app| app.liff_id.clone()),
        endpoint: ours.map(|app| app.view.url.clone()),
        view: ours.map(|app| app.view.size.clone()),
        bot_prompt: ours.and_then(|app| app.bot_prompt.clone()),
        scopes: ours.map(|app| app.scope.join(" ")),
        count: i64::try_from(apps.len()).unwrap_or(i64::MAX),
        twins: twins.join(" "),
        fault: fault.map(LiffFault::as_str),
    };
    (kept, fault)
}

/// LINE does not list the apps: a secret that is no longer the channel's is a fault to be shown, silence is not.
async fn refused_list(hub: &Hub, row: &LoginChannel, error: &LineError) -> AppResult<Looked> {
    if !matches!(error, LineError::Credentials { .. } | LineError::Refused { status: 401 | 403, .. }) {
        return Err(unavailable(error));
    }
    let fault = LiffFault::Credentials;
    let mut tx = hub.db.begin().await?;
    repo::set_liff_fault(&mut tx, (&row.account_id, &row.channel_id), fault.as_str(), hub.now()).await?;
    tx.commit().await?;
    Ok(fault.into())
}

/// Removes the account's LIFF app at LINE, as a step of disconnecting or because another channel took its place; trouble is
/// told and stops nothing.
pub(super) async fn clean_up(hub: &Hub, row: Option<&LoginChannel>, deadline: Deadline) -> CleanedUp {
    let step = |status, detail: String| CleanedUp { step: "liff", status, detail };
    let Some((row, id)) = row.and_then(|row| Some((row, row.liff_id.as_deref()?))) else {
        return step("skipped", "this account has no LIFF app".to_owned());
    };
    let console = row.console("liff");
    let by_hand = format!("remove the LIFF app {id} in LINE Developers ({console})");
    let Ok(Some(channel)) = client(hub, row) else { return step("manual", by_hand) };
    let removed = match deadline.wait(channel.account().delete_liff_app(id)).await {
        Ok(true) => step("done", format!("the LIFF app {id} is removed; its links open nothing any more")),
        Ok(false) => step("skipped", "LINE has no such LIFF app any more".to_owned()),
        Err(LineError::Credentials { .. }) => step("manual", by_hand),
        Err(error) => step("failed", format!("LINE did not remove the LIFF app: {error}; {by_hand}")),
    };
    if matches!(removed.status, "done" | "skipped") {
        let gone = LiffRow {
            fault: Some(LiffFault::Missing.as_str()),
            count: (row.liff_count - 1).max(0),
            ..LiffRow::default()
        };
        let forgotten = async {
            let mut tx = hub.db.begin().await?;
            repo::set_liff(&mut tx, (&row.account_id, &row.channel_id), &gone, hub.now()).await?;
            tx.commit().await
        };
        forgotten.await.log_and_ignore("forgetting a LIFF app that was removed");
    }
    removed
}
