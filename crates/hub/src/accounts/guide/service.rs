//! What pages and programs do with set-ups.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use line_client::LineError;
use serde_json::json;

use super::Arrival;
use super::model::{Has, Path, Progress, ProviderKind, Setup, Stage, Step, Webhook, webhook};
use super::repo;
use crate::accounts::model::Account;
use crate::accounts::pasted::id_or_nothing;
use crate::accounts::service::{self as accounts, NewAccount};
use crate::accounts::{login, repo as accounts_repo};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, Tx};
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, SetupId, TenantId};
use crate::scope::Scope;
use crate::team::company::{Country, Document};
use crate::team::{self, Actor};
use crate::text;

/// Set-ups shown to be continued.
const SHOWN: i64 = 20;
/// The longest name of a Provider at LINE that is kept here, in characters.
const PROVIDER_MAX: usize = 100;
/// How old LINE's word about a webhook that is not on may be while somebody waits for it.
const FRESH: Duration = Duration::from_secs(5);
/// How old it may be once the webhook is on.
const FRESH_ENOUGH: Duration = Duration::from_secs(30);

/// Who works on a set-up: the scope and the name.
pub type Who<'a> = (&'a Scope, &'a Actor);

/// What is known of the tenant's company, to be copied into LINE's forms.
#[derive(Debug, Clone)]
pub struct Company {
    /// The company's name, once one is given: LINE wants the Provider to be called so (S1-12).
    pub name: Option<String>,
    /// Its market, which decides the value for country or region (S0-14).
    pub country: Option<Country>,
    /// The address of its privacy policy (S0-20).
    pub privacy_url: Option<String>,
    /// The address of its terms of use.
    pub terms_url: Option<String>,
    /// The operator's videos, by stage (S0-18).
    videos: Vec<(Stage, String)>,
}

impl Company {
    /// The video of a stage.
    #[must_use]
    pub fn video(&self, stage: Stage) -> Option<String> {
        self.videos.iter().find(|(one, _)| *one == stage).map(|(_, url)| url.clone())
    }
}

/// The company of a tenant.
///
/// # Errors
/// The database does not answer.
pub async fn company(hub: &Hub, tenant: &TenantId) -> AppResult<Company> {
    let company = team::company::company(hub, tenant).await?;
    let video = |stage: Stage, name: &str| Some((stage, company.video(name)?.to_owned()));
    let videos =
        [video(Stage::Create, "account"), video(Stage::Enable, "messaging"), video(Stage::Message, "done")];
    Ok(Company {
        country: company.country,
        privacy_url: company.address(&hub.config, Document::Privacy),
        terms_url: company.address(&hub.config, Document::Terms),
        videos: videos.into_iter().flatten().collect(),
        name: company.is_named.then_some(company.name),
    })
}

/// The set-ups that have a stage left, the one worked on last first.
///
/// # Errors
/// The database does not answer.
pub async fn open(hub: &Hub, scope: &Scope) -> AppResult<Vec<Progress>> {
    let mut all = Vec::new();
    for setup in repo::open(&hub.db, scope, SHOWN).await? {
        all.push(with_all(hub, scope, setup).await?);
    }
    Ok(all)
}

/// One set-up.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn get(hub: &Hub, scope: &Scope, id: &SetupId) -> AppResult<Progress> {
    let setup = repo::find(&hub.db, scope, id).await?.ok_or_else(missing)?;
    with_all(hub, scope, setup).await
}

fn missing() -> AppError {
    AppError::not_found("set-up")
}

async fn with_all(hub: &Hub, scope: &Scope, setup: Setup) -> AppResult<Progress> {
    let ticks = repo::ticks(&hub.db, scope, &setup.id).await?;
    let account = match &setup.account_id {
        Some(id) => match accounts::get(hub, scope, id).await {
            Ok(account) => Some(account),
            Err(error) if error.code == "not_found" => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let has_login = match &account {
        Some(account) => login::service::get(hub, scope, &account.id).await?.is_some(),
        None => false,
    };
    Ok(Progress { setup, ticks, account, has_login })
}

/// Begins a set-up for somebody who has so much.
///
/// # Errors
/// The database does not answer.
pub async fn start(hub: &Hub, who: Who<'_>, has: Has) -> AppResult<SetupId> {
    let id: SetupId = hub.id();
    let mut tx = hub.db.begin().await?;
    repo::insert(&mut tx, who.0, &id, has, (hub.now(), accounts::author(who.1))).await?;
    audit(&mut tx, hub, who, "setup.begun", &id, &json!({ "has": has })).await?;
    tx.commit().await?;
    Ok(id)
}

/// All set-ups of the tenant, oldest first, after one that was seen.
///
/// # Errors
/// The database does not answer.
pub async fn page(
    hub: &Hub,
    scope: &Scope,
    after: Option<&(Timestamp, SetupId)>,
    limit: i64,
) -> AppResult<Vec<Progress>> {
    let mut all = Vec::new();
    for setup in repo::page(&hub.db, scope, after, limit).await? {
        all.push(with_all(hub, scope, setup).await?);
    }
    Ok(all)
}

/// What a program changes of a set-up; what is absent stays.
#[derive(Debug, Default)]
pub struct Change {
    /// What the owner has at LINE.
    pub has: Option<Has>,
    /// That it is known what is for good, with the Provider.
    pub agreed: Option<(String, ProviderKind)>,
    /// Steps that are done, or not done after all.
    pub ticks: Vec<(Step, bool)>,
}

/// Changes a set-up, all of it or nothing.
///
/// # Errors
/// 404 when there is none in the scope; 422 at `provider.name`, or at `ticks` for a step behind the one that binds for good,
/// as long as nobody has said that this is known.
pub async fn change(hub: &Hub, who: Who<'_>, id: &SetupId, change: &Change) -> AppResult<Progress> {
    let before = get(hub, who.0, id).await?;
    let agreed = match &change.agreed {
        Some((name, kind)) => Some((provider(name, "provider.name")?, *kind)),
        None => None,
    };
    let is_known = agreed.is_some() || before.tick(Step::Agree).is_some();
    let is_ahead =
        |(step, on): &(Step, bool)| *on && *step != Step::Agree && Stage::Enable.steps().contains(step);
    if !is_known && change.ticks.iter().any(is_ahead) {
        let detail = "give `provider` first: it says that you know what cannot be taken back at LINE";
        return Err(AppError::invalid_field("ticks", "not_agreed", detail));
    }
    let by = (hub.now(), accounts::author(who.1));
    let mut tx = begin(hub, who, id).await?;
    if let Some(has) = change.has {
        repo::set_has(&mut tx, who.0, id, has).await?;
    }
    if let Some((provider, kind)) = &agreed {
        note_agreed(&mut tx, hub, who, id, (provider, *kind)).await?;
    }
    for (step, on) in &change.ticks {
        if *on {
            repo::tick(&mut tx, who.0, id, *step, by).await?;
        } else {
            repo::untick(&mut tx, who.0, id, *step).await?;
        }
    }
    tx.commit().await?;
    get(hub, who.0, id).await
}

/// Ticks a step, or takes the tick back.
///
/// # Errors
/// 404 when there is no such set-up in the scope.
pub async fn tick(hub: &Hub, who: Who<'_>, id: &SetupId, step: Step, on: bool) -> AppResult<()> {
    let mut tx = begin(hub, who, id).await?;
    if on {
        repo::tick(&mut tx, who.0, id, step, (hub.now(), accounts::author(who.1))).await?;
    } else {
        repo::untick(&mut tx, who.0, id, step).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Ticks all steps of a stage that are still open.
///
/// # Errors
/// 404 when there is no such set-up in the scope; 409 `not_agreed` for the stage that binds for good, as long as nobody
/// has said that this is known.
pub async fn tick_stage(hub: &Hub, who: Who<'_>, id: &SetupId, stage: Stage) -> AppResult<()> {
    let progress = get(hub, who.0, id).await?;
    if stage == Stage::Enable && progress.tick(Step::Agree).is_none() {
        return Err(AppError::conflict(
            "not_agreed",
            "first confirm that you know what cannot be taken back at LINE",
        ));
    }
    let mut tx = begin(hub, who, id).await?;
    for step in stage.steps() {
        repo::tick(&mut tx, who.0, id, *step, (hub.now(), accounts::author(who.1))).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Notes that the person knows what cannot be taken back, and which Provider the channel will be bound to for good.
///
/// # Errors
/// 422 without a Provider's name; 404 when there is no such set-up in the scope.
pub async fn agree(
    hub: &Hub,
    who: Who<'_>,
    id: &SetupId,
    provider: &str,
    kind: ProviderKind,
) -> AppResult<()> {
    let provider = self::provider(provider, "provider")?;
    let mut tx = begin(hub, who, id).await?;
    note_agreed(&mut tx, hub, who, id, (&provider, kind)).await?;
    tx.commit().await?;
    Ok(())
}

/// A Provider's name as it is kept.
fn provider(name: &str, field: &'static str) -> AppResult<String> {
    let name = text::storable(name.trim());
    if name.is_empty() || name.chars().count() > PROVIDER_MAX {
        let detail = "name the Provider that the channel will belong to; LINE binds them for good";
        return Err(AppError::invalid_field(field, "required", detail));
    }
    Ok(name)
}

async fn note_agreed(
    tx: &mut Tx,
    hub: &Hub,
    who: Who<'_>,
    id: &SetupId,
    (provider, kind): (&str, ProviderKind),
) -> AppResult<()> {
    repo::set_provider(tx, who.0, id, provider, kind).await?;
    repo::tick(tx, who.0, id, Step::Agree, (hub.now(), accounts::author(who.1))).await?;
    audit(tx, hub, who, "setup.agreed", id, &json!({ "provider": provider, "kind": kind })).await
}

/// Forgets a set-up. The account, where one was connected, stays.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn forget(hub: &Hub, who: Who<'_>, id: &SetupId) -> AppResult<()> {
    let mut tx = begin(hub, who, id).await?;
    repo::delete(&mut tx, who.0, id).await?;
    audit(&mut tx, hub, who, "setup.forgotten", id, &json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Connects the account of a set-up (of a new one, when `id` is `None`), and keeps how that went: one set-up for a channel,
/// and none where the try was for a channel that is connected already.
///
/// # Errors
/// Those of [`accounts::connect`]; the set-up then says which channel it was and what was wrong.
pub async fn connect(
    hub: &Hub,
    who: Who<'_>,
    (id, has): (Option<SetupId>, Has),
    new: &NewAccount,
    progress: accounts::Progress<'_>,
) -> (AppResult<Account>, AppResult<Option<SetupId>>) {
    let result = accounts::connect(hub, who, new, progress).await;
    let kept = keep(hub, who, (id, has), new, &result).await;
    (result, kept)
}

async fn keep(
    hub: &Hub,
    who: Who<'_>,
    (id, has): (Option<SetupId>, Has),
    new: &NewAccount,
    result: &AppResult<Account>,
) -> AppResult<Option<SetupId>> {
    let channel = id_or_nothing(&new.channel_id);
    let is_connected = accounts_repo::connected_with(&hub.db, who.0.tenant(), &channel).await?.is_some();
    if result.is_err() && is_connected {
        // What was named may be gone: another try of the channel has closed it, or a person has forgotten it.
        let Some(id) = id else { return Ok(None) };
        return Ok(repo::find(&hub.db, who.0, &id).await?.map(|setup| setup.id));
    }
    let id = one_of_channel(hub, who, (id, has), &channel).await?;
    let mut tx = begin(hub, who, &id).await?;
    match result {
        Ok(account) => {
            repo::set_account(&mut tx, who.0, &id, (&channel, &account.id), hub.now()).await?;
        }
        Err(error) => {
            let field = error.fields.first().map_or(error.code, |field| field.code);
            repo::set_failure(&mut tx, who.0, &id, &channel, Some(field)).await?;
        }
    }
    repo::close(&mut tx, who.0, &channel, Some(&id)).await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// The set-up that a try belongs to: the one that was named (and is still there), else the channel's that waits, else a new
/// one.
async fn one_of_channel(
    hub: &Hub,
    who: Who<'_>,
    (id, has): (Option<SetupId>, Has),
    channel: &str,
) -> AppResult<SetupId> {
    let named = match id {
        Some(id) => repo::find(&hub.db, who.0, &id).await?,
        None => None,
    };
    let kept = match named {
        None => repo::waiting(&hub.db, who.0, Some(channel).filter(|channel| !channel.is_empty())).await?,
        named => named,
    };
    match kept {
        Some(setup) => Ok(setup.id),
        None => start(hub, who, has).await,
    }
}

/// Forgets what is left of set-ups of a channel that was connected without one.
///
/// # Errors
/// The database does not answer.
pub async fn close(hub: &Hub, scope: &Scope, channel: &str) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::close(&mut tx, scope, channel, None).await?;
    tx.commit().await
}

/// Keeps the channel's ID in a set-up (in the channel's, or a new one, when `id` is `None` or forgotten), before anything is
/// tried with it.
///
/// # Errors
/// The database does not answer.
pub async fn name_channel(
    hub: &Hub,
    who: Who<'_>,
    (id, has): (Option<SetupId>, Has),
    channel: &str,
) -> AppResult<SetupId> {
    let channel = id_or_nothing(channel);
    let id = one_of_channel(hub, who, (id, has), &channel).await?;
    let mut tx = begin(hub, who, &id).await?;
    repo::set_failure(&mut tx, who.0, &id, &channel, None).await?;
    tx.commit().await?;
    Ok(id)
}

/// How an account is, for somebody who waits in front of the page.
#[derive(Debug)]
pub struct Live {
    /// The set-up as it is now.
    pub progress: Progress,
    /// The account.
    pub account: Account,
    /// The webhook at LINE.
    pub webhook: Webhook,
    /// What came in since connecting.
    pub arrival: Option<Arrival>,
    /// When LINE was asked last.
    pub asked_at: Option<Timestamp>,
    /// Whether LINE did not answer just now; what is shown is older.
    pub is_silent: bool,
}

/// Asks LINE how the webhook is (not more often than makes sense), and looks whether something came in.
///
/// # Errors
/// 404 when there is no such set-up in the scope, or it has no account yet.
pub async fn live(hub: &Hub, who: Who<'_>, id: &SetupId) -> AppResult<Live> {
    let mut progress = get(hub, who.0, id).await?;
    let mut account = progress.account.clone().ok_or_else(missing)?;
    let mut is_silent = false;
    if hub.accounts.watch.is_due(&account, hub.now()) {
        match look(hub, who.0, &account).await {
            Ok(now) => account = now,
            Err(error) if error.code == "line_unavailable" => is_silent = true,
            Err(error) if error.code == "disconnected" => {}
            Err(error) => return Err(error),
        }
    }
    let asked_at = hub.accounts.watch.at(&account);
    let since = progress.setup.connected_at.unwrap_or_default();
    let arrival = crate::wiring::ARRIVALS.newest(hub, who.0, &account.id, since).await?;
    if arrival.as_ref().is_some_and(|arrival| arrival.is_message) && progress.setup.done_at.is_none() {
        let now = hub.now();
        let mut tx = hub.db.begin().await?;
        if repo::set_done(&mut tx, who.0, id, now).await? {
            audit(&mut tx, hub, who, "setup.done", id, &json!({ "account_id": account.id })).await?;
        }
        tx.commit().await?;
        progress.setup.done_at = Some(now);
    }
    progress.account = Some(account.clone());
    Ok(Live { webhook: webhook(&account), progress, account, arrival, asked_at, is_silent })
}

/// Asks LINE for the webhook alone, one call of the 1,000 a minute (PLATFORM 5); only where it is not as it was known,
/// everything of the account is looked at anew.
async fn look(hub: &Hub, scope: &Scope, account: &Account) -> AppResult<Account> {
    let connected = accounts::connected(hub, &account.id).await?;
    let told = accounts::Deadline::start().wait(connected.line.webhook_endpoint()).await;
    let was_refused = webhook(account) == Webhook::Refused;
    let is_known = match told {
        Ok(told) => {
            let (endpoint, active) = told.map_or((None, None), |it| (Some(it.endpoint), Some(it.active)));
            !was_refused && account.endpoint == endpoint && account.endpoint_active == active
        }
        Err(LineError::Credentials { .. } | LineError::Refused { status: 401 | 403, .. }) => was_refused,
        Err(error) => return Err(accounts::unavailable(&error)),
    };
    if is_known { Ok(account.clone()) } else { accounts::refresh(hub, scope, &account.id).await }
}

/// When LINE was last asked about the webhook of accounts that somebody waits for, whatever it said. However many pages are
/// open, LINE is not asked more often.
#[derive(Debug, Default)]
pub struct Watch(Mutex<HashMap<AccountId, Timestamp>>);

impl Watch {
    /// Whether LINE is to be asked again; who is told so asks.
    fn is_due(&self, account: &Account, now: Timestamp) -> bool {
        let fresh = if webhook(account) == Webhook::On { FRESH_ENOUGH } else { FRESH };
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = asked.get(&account.id).copied().max(account.checked_at);
        let is_due = last.is_none_or(|at| at.plus(fresh) <= now);
        if is_due {
            asked.insert(account.id.clone(), now);
        }
        is_due
    }

    /// When LINE was asked last.
    fn at(&self, account: &Account) -> Option<Timestamp> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(&account.id).copied().max(account.checked_at)
    }
}

/// Which path a set-up's form shows, of what an address says.
#[must_use]
pub fn path(word: Option<&str>) -> Path {
    word.and_then(Path::parse).unwrap_or(Path::Secret)
}

/// Opens a transaction in which the set-up is known to be there, and notes who works on it.
async fn begin(hub: &Hub, who: Who<'_>, id: &SetupId) -> AppResult<Tx> {
    let mut tx = hub.db.begin().await?;
    if !repo::touch(&mut tx, who.0, id, (hub.now(), accounts::author(who.1))).await? {
        return Err(missing());
    }
    Ok(tx)
}

async fn audit(
    tx: &mut Tx,
    hub: &Hub,
    (scope, actor): Who<'_>,
    action: &str,
    id: &SetupId,
    detail: &serde_json::Value,
) -> AppResult<()> {
    Ok(team::service::audit(tx, hub, scope.tenant(), actor, (action, id.as_str()), detail).await?)
}
