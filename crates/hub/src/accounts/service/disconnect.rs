//! Disconnecting: nothing comes in and nothing goes out any more; the history stays.
//!
//! What the account leaves running ends with it, whatever dies in between: at once ([`end`]), and again by a job that is
//! queued in the transaction that disconnects.

use std::time::Duration;

use line_client::{DefaultMenu, RichMenu};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::check::Deadline;
use super::{audit, author, flush_one, get};
use crate::accounts::model::{Account, Status};
use crate::accounts::repo;
use crate::accounts::{keys, login};
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore as _};
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::jobs::{Job, NewJob, Outcome, enqueue};
use crate::scope::Scope;
use crate::team::{self, Actor};

/// The job ends once more what an examination that was under way opened meanwhile: none takes longer.
const END_AGAIN: Duration = Duration::from_secs(120);

/// How the audit log names it.
const DISCONNECTED: &str = "account.disconnected";
/// The words of [`CleanedUp::status`].
const STATES: [&str; 4] = ["done", "manual", "skipped", "failed"];

/// What may be cleaned up at LINE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanUp {
    /// The rich menus that the channel's API made, their aliases, and the default among them.
    RichMenus,
    /// The LIFF app that the hub made.
    Liff,
    /// The webhook address found at connecting is put back.
    Webhook,
}

impl CleanUp {
    /// All, in the order in which they are done.
    pub const ALL: [Self; 3] = [Self::RichMenus, Self::Liff, Self::Webhook];

    /// The word in the API and the keys of words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RichMenus => "rich_menus",
            Self::Liff => "liff",
            Self::Webhook => "webhook",
        }
    }

    /// Reads such a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

/// What of an account exists at LINE, for the list of what to clean up. `None` where LINE does not answer.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The rich menus that the channel's API made.
    pub rich_menus: Option<Vec<RichMenu>>,
    /// The default menu among them, by its ID.
    pub default_menu: Option<String>,
    /// How many aliases of rich menus there are.
    pub aliases: Option<usize>,
    /// The LIFF app that the hub made or took for its own, by its ID.
    pub liff: Option<String>,
    /// The webhook address; `Some(None)` where LINE has none.
    pub endpoint: Option<Option<String>>,
    /// Whether that address is this account's.
    pub is_webhook_ours: bool,
}

impl Inventory {
    /// Whether there is something to clean up; what LINE did not tell may be there.
    #[must_use]
    pub fn has(&self, step: CleanUp) -> bool {
        match step {
            CleanUp::RichMenus => {
                self.rich_menus.as_ref().is_none_or(|menus| !menus.is_empty()) || self.aliases != Some(0)
            }
            CleanUp::Liff => self.liff.is_some(),
            CleanUp::Webhook => self.endpoint.is_none() || self.is_webhook_ours,
        }
    }
}

/// Asks LINE what of an account exists there.
///
/// # Errors
/// 404 when there is none in the scope, 409 `disconnected`. What LINE does not answer is `None`.
pub async fn inventory(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Inventory> {
    let account = get(hub, scope, id).await?;
    let live = super::check::connected(hub, id).await?;
    let channel = login::service::get(hub, scope, id).await?;
    let deadline = Deadline::start();
    let (menus, default, aliases, endpoint) = tokio::join!(
        deadline.wait(live.line.rich_menus()),
        deadline.wait(live.line.default_rich_menu()),
        deadline.wait(live.line.rich_menu_aliases()),
        deadline.wait(live.line.webhook_endpoint()),
    );
    let endpoint = endpoint
        .ok()
        .map(|endpoint| endpoint.map(|found| found.endpoint).filter(|address| !address.is_empty()));
    let is_own = |address: &String| account.is_own_webhook(address);
    Ok(Inventory {
        liff: channel.and_then(|channel| channel.liff_id),
        is_webhook_ours: endpoint.as_ref().and_then(Option::as_ref).is_some_and(is_own),
        rich_menus: menus.ok(),
        default_menu: default.ok().and_then(|menu| match menu {
            DefaultMenu::Ours(id) => Some(id),
            DefaultMenu::None | DefaultMenu::Others => None,
        }),
        aliases: aliases.ok().map(|aliases| aliases.len()),
        endpoint,
    })
}

/// How a step of cleaning up went.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct CleanedUp {
    /// `rich_menus`, `liff` or `webhook`.
    pub step: &'static str,
    /// `done`, `manual` (a person has to do it in LINE's console), `skipped` (nothing of ours was there) or `failed`.
    pub status: &'static str,
    /// In words.
    pub detail: String,
}

/// Disconnects an account: its webhook address answers 404 from now on. One that is disconnected stays so. All cleaning up
/// together waits no longer for LINE than one call may.
///
/// # Errors
/// 404 when there is none in the scope; the database. Trouble with cleaning up is told, and stops nothing.
pub async fn disconnect(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    clean_up: &[CleanUp],
) -> AppResult<Vec<CleanedUp>> {
    let (scope, actor) = who;
    let account = get(hub, scope, id).await?;
    let mut cleaned = Vec::new();
    if account.status == Status::Disconnected {
        end(hub, id).await?;
        return Ok(cleaned);
    }
    let deadline = Deadline::start();
    for step in clean_up {
        match step {
            CleanUp::RichMenus => cleaned.push(remove_rich_menus(hub, &account, deadline).await),
            CleanUp::Liff => {
                cleaned.push(Box::pin(login::service::clean_up_liff(hub, &account, deadline)).await);
            }
            CleanUp::Webhook => cleaned.push(put_webhook_back(hub, &account, deadline).await),
        }
    }
    if let Some(connected) = hub.accounts.by_id(id) {
        // What the door counted ends with the account's place in memory.
        flush_one(hub, &connected).await;
    }
    let mut tx = hub.db.begin().await?;
    if repo::disconnect(&mut tx, id, hub.now(), author(actor)).await? {
        repo::drop_secrets(&mut tx, id).await?;
        keys::repo::retire(&mut tx, scope.tenant(), &account.channel_id, hub.now()).await?;
        keys::repo::forget(&mut tx, scope.tenant(), &account.channel_id).await?;
        let name = json!({ "display_name": account.display_name, "cleaned_up": cleaned });
        audit(&mut tx, hub, who, DISCONNECTED, id, name).await?;
        let again = NewJob { run_at: Some(hub.now().plus(END_AGAIN)), dedupe_key: None };
        enqueue(&mut tx, hub, Some(scope.tenant()), &End { account: id.clone() }, again).await?;
    }
    tx.commit().await?;
    end(hub, id).await.log_and_ignore("ending what a disconnected account leaves; a job does it again");
    Ok(cleaned)
}

/// How the cleaning up went when an account was disconnected last, as the audit log keeps it.
///
/// # Errors
/// The database does not answer.
pub async fn cleaned_up(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Vec<CleanedUp>> {
    let last = team::service::last_audit(hub, scope, (DISCONNECTED, id.as_str())).await?;
    let read = |step: &serde_json::Value| {
        let text = |name: &str| step.get(name).and_then(|value| value.as_str());
        Some(CleanedUp {
            step: CleanUp::parse(text("step")?)?.as_str(),
            status: STATES.into_iter().find(|status| text("status") == Some(status))?,
            detail: text("detail")?.to_owned(),
        })
    };
    let steps =
        last.as_ref().and_then(|entry| entry.detail.get("cleaned_up")).and_then(|steps| steps.as_array());
    Ok(steps.into_iter().flatten().filter_map(read).collect())
}

/// Ends what a disconnected account leaves running.
#[derive(Debug, Serialize, Deserialize)]
pub struct End {
    account: AccountId,
}

impl Job for End {
    const KIND: &'static str = "accounts.end";
}

/// The handler of [`End`].
pub async fn run_end(hub: Hub, job: End) -> Outcome {
    Outcome::from(end(&hub, &job.account).await)
}

/// Lets everybody end what they keep of a disconnected account; one that was connected again keeps all. Any number of times.
async fn end(hub: &Hub, id: &AccountId) -> DbResult<()> {
    if repo::live_by_id(&hub.db, id).await?.is_some() {
        return Ok(());
    }
    hub.accounts.remove(id);
    let mut outcome = Ok(());
    for listener in crate::wiring::ACCOUNT_LISTENERS {
        outcome = outcome.and(listener.disconnected(hub, id).await);
    }
    outcome
}

/// Removes the rich menus that the channel's API made. OA Manager's stay: they are invisible to it (PLATFORM 10).
async fn remove_rich_menus(hub: &Hub, account: &Account, deadline: Deadline) -> CleanedUp {
    let step = |status, detail: String| CleanedUp { step: "rich_menus", status, detail };
    let Ok(live) = super::check::connected(hub, &account.id).await else {
        return step("failed", "the account's credentials are not to be had".to_owned());
    };
    let line = &live.line;
    let menus = match deadline.wait(line.rich_menus()).await {
        Ok(menus) => menus,
        Err(error) => return step("failed", format!("LINE could not be asked: {error}")),
    };
    let aliases = match deadline.wait(line.rich_menu_aliases()).await {
        Ok(aliases) => aliases,
        Err(error) => return step("failed", format!("LINE could not be asked: {error}")),
    };
    if menus.is_empty() && aliases.is_empty() {
        return step("skipped", "there were none".to_owned());
    }
    let is_ours = matches!(deadline.wait(line.default_rich_menu()).await, Ok(DefaultMenu::Ours(_)));
    if is_ours && let Err(error) = deadline.wait(line.cancel_default_rich_menu()).await {
        return step("failed", format!("LINE did not take the default menu away: {error}"));
    }
    for alias in &aliases {
        if let Err(error) = deadline.wait(line.delete_rich_menu_alias(&alias.rich_menu_alias_id)).await {
            return step("failed", format!("an alias was not deleted, nor any menu: {error}"));
        }
    }
    for (done, menu) in menus.iter().enumerate() {
        if let Err(error) = deadline.wait(line.delete_rich_menu(&menu.rich_menu_id)).await {
            let total = menus.len();
            return step("failed", format!("{done} of {total} menus were deleted, then: {error}"));
        }
    }
    step("done", format!("{} menus were deleted", menus.len()))
}

/// Puts the webhook address back that stood at LINE before connecting.
async fn put_webhook_back(hub: &Hub, account: &Account, deadline: Deadline) -> CleanedUp {
    let step = |status, detail: String| CleanedUp { step: "webhook", status, detail };
    let Ok(live) = super::check::connected(hub, &account.id).await else {
        return step("failed", "the account's credentials are not to be had".to_owned());
    };
    match deadline.wait(live.line.webhook_endpoint()).await {
        Ok(Some(current)) if account.is_own_webhook(&current.endpoint) => {}
        Ok(_) => return step("skipped", "LINE has another address; it stays".to_owned()),
        Err(error) => return step("failed", format!("LINE could not be asked: {error}")),
    }
    let Some(old) = &account.found_endpoint else {
        let detail =
            "there was no address before; switch \"Use webhook\" off in LINE Developers, Messaging API";
        return step("manual", detail.to_owned());
    };
    match deadline.wait(live.line.set_webhook_endpoint(old)).await {
        Ok(()) => step("done", format!("LINE sends events to {old} again")),
        Err(error) => step("failed", format!("LINE did not take {old}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::accounts::testing;
    use crate::alerts::{self, Condition, Severity};
    use crate::app::testing::TestHub;
    use crate::args;
    use crate::db::Sql;
    use crate::db::testing::Engine;
    use crate::ids::TenantId;
    use crate::team;

    const ACTOR: Actor = Actor::System("test");

    const QUARANTINE: &str =
        "INSERT INTO quarantine (id, account_id, tenant_id, body, size, signature, received_at)
        VALUES ($1, $2, $3, $4, 1, 'x', $5)";
    const LOGIN: &str =
        "INSERT INTO login_channels (account_id, tenant_id, channel_id, serial, sealed, public_url,
            liff_count, liff_twins, provider_match, share, add_friend, updated_at, updated_by)
        VALUES ($1, $2, $3, 1, 'sealed', 'https://hub.example/', 0, '', 'unknown', $4, $4, $5, 'test')";
    const LEFT: &str = "SELECT (SELECT COUNT(*) FROM quarantine WHERE account_id = $1),
        (SELECT COUNT(*) FROM login_channels WHERE account_id = $1 AND sealed IS NOT NULL)";

    const fn sql(text: &'static str) -> Sql {
        Sql { sqlite: text, postgres: text }
    }

    /// A body that waits for a new secret, and a Login channel with its secret.
    async fn keep_more(hub: &Hub, tenant: &TenantId, id: &AccountId, login: &str) {
        let mut tx = hub.db.begin().await.unwrap();
        let body = b"x".as_slice();
        let key = crate::ids::make("qrt_", hub.now(), &hub.entropy);
        tx.run(&sql(QUARANTINE), args![&key, id, tenant, body, hub.now()]).await.unwrap();
        tx.run(&sql(LOGIN), args![id, tenant, login, false, hub.now()]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// How many bodies wait, and how many Login secrets there are.
    async fn left(hub: &Hub, id: &AccountId) -> (i64, i64) {
        hub.db.opt(&sql(LEFT), args![id]).await.unwrap().unwrap()
    }

    async fn open(hub: &Hub, tenant: &TenantId) -> usize {
        let scope = Scope::tenant_wide(tenant.clone());
        alerts::service::open_alerts(hub, &scope).await.unwrap().len()
    }

    // A process that died after the commit: the job, or asking once more, ends the rest. S1-42
    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn an_end_that_was_cut_short_is_made_up_for(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let hub = &test.hub;
        let tenant = team::service::create_tenant(hub, "shop", None, &ACTOR).await.unwrap().id;
        for (channel, by_job) in [("1656000000", true), ("1656000001", false)] {
            let account = testing::connected(hub, &tenant, channel).await;
            let condition = Condition {
                tenant: &tenant,
                account: Some(&account.id),
                code: "credentials",
                severity: Severity::Failed,
                level: 2,
                node: None,
                args: json!({}),
            };
            alerts::service::report(hub, &condition, true).await.unwrap();
            keep_more(hub, &tenant, &account.id, &channel.replace("1656", "1657")).await;
            // Of an account that is connected nothing ends.
            assert_eq!(run_end(hub.clone(), End { account: account.id.clone() }).await, Outcome::Done);
            assert_eq!((open(hub, &tenant).await, left(hub, &account.id).await), (1, (1, 1)));
            testing::disconnect(hub, &account).await;
            assert_eq!((open(hub, &tenant).await, left(hub, &account.id).await), (1, (1, 1)));
            let scope = Scope::tenant_wide(tenant.clone());
            for _ in 0..2 {
                if by_job {
                    assert_eq!(
                        run_end(hub.clone(), End { account: account.id.clone() }).await,
                        Outcome::Done
                    );
                } else {
                    assert_eq!(disconnect(hub, (&scope, &ACTOR), &account.id, &[]).await.unwrap(), []);
                }
                assert_eq!((open(hub, &tenant).await, left(hub, &account.id).await), (0, (0, 0)));
            }
        }
        test.close().await;
    }
}
