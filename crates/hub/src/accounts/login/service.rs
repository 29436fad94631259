//! Saving the Login channel, its switches and ticks, and what other parts may ask.

use line_client::{CredentialFault, LineError, Secret, diagnose_credentials};
use serde_json::json;

use super::liff::{self, Done};
use super::model::{Kind, LiffFault, LoginChannel, ProviderMatch, Run};
use super::repo::{self, Saved};
use crate::accounts::doctor::{Code, Finding, State};
use crate::accounts::model::{Account, Attention, Status};
use crate::accounts::pasted::clean;
use crate::accounts::service::{
    self as accounts, CleanedUp, Deadline, StepState, audit, author, unavailable,
};
use crate::app::Hub;
use crate::db::DbResult;
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// What is to be changed; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The Login channel's ID; `Some(None)` removes the channel.
    pub channel_id: Option<Option<String>>,
    /// Its secret; `Some(None)` removes the channel.
    pub secret: Option<Option<Secret>>,
    /// Whether members may share cards.
    pub share: Option<bool>,
    /// Whether logging in offers to add the account as a friend.
    pub add_friend: Option<bool>,
    /// A tick: the account is linked at LINE.
    pub linked: Option<bool>,
    /// A tick: the share target picker is on at LINE.
    pub share_ready: Option<bool>,
    /// The callback address that is shown now stands at LINE.
    pub callback_done: bool,
}

impl Change {
    /// Whether it changes anything.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.touches_channel()
            || self.share.is_some()
            || self.add_friend.is_some()
            || self.linked.is_some()
            || self.share_ready.is_some()
            || self.callback_done
    }

    fn touches_channel(&self) -> bool {
        self.channel_id.is_some() || self.secret.is_some()
    }
}

/// A line of what was done, by the key of its words.
pub type Line = (&'static str, StepState);

/// The account's Login channel, where it has one.
///
/// # Errors
/// The database does not answer.
pub async fn get(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Option<LoginChannel>> {
    Ok(repo::find(&hub.db, scope, id).await?)
}

/// The Login channels and last tests of all accounts in the scope.
///
/// # Errors
/// The database does not answer.
pub async fn list(hub: &Hub, scope: &Scope) -> AppResult<(Vec<LoginChannel>, Vec<Run>)> {
    Ok((repo::list(&hub.db, scope).await?, repo::last_runs(&hub.db, scope).await?))
}

/// The account's last test of a kind.
///
/// # Errors
/// The database does not answer.
pub async fn last_test(hub: &Hub, scope: &Scope, id: &AccountId, kind: Kind) -> AppResult<Option<Run>> {
    Ok(repo::last_run(&hub.db, scope, id, kind).await?)
}

/// The row and column that a sealed secret belongs to.
fn identity(account: &str, serial: i64) -> String {
    format!("login_channels/{account}/secret/{serial}")
}

/// The channel's calls; `None` when its secret is not there.
///
/// # Errors
/// 500 when the secret does not open.
pub(super) fn client(hub: &Hub, row: &LoginChannel) -> AppResult<Option<line_client::LoginChannel>> {
    let Some(sealed) = &row.sealed else { return Ok(None) };
    let secret = hub.keyring.open(&identity(row.account_id.as_str(), row.serial), sealed);
    let secret = secret.map_err(AppError::internal)?;
    Ok(Some(hub.line.login_channel(&row.channel_id, &Secret::from(secret.expose()))))
}

/// Seals every stored secret that was sealed by an older master key anew; gives how many.
///
/// # Errors
/// The database does not answer, or a secret does not open.
pub async fn reseal(hub: &Hub) -> AppResult<usize> {
    let mut count = 0;
    for (account, serial, sealed) in repo::sealed(&hub.db).await? {
        if !hub.keyring.needs_reseal(&sealed) {
            continue;
        }
        let identity = identity(&account, serial);
        let secret = hub.keyring.open(&identity, &sealed).map_err(AppError::internal)?;
        let anew = hub.keyring.seal(&hub.entropy, &identity, secret.expose());
        let mut tx = hub.db.begin().await?;
        repo::reseal(&mut tx, &account, &sealed, &anew).await?;
        tx.commit().await?;
        count += 1;
    }
    Ok(count)
}

/// Drops the secret of an account that was disconnected; channel, LIFF app and ticks stay for its return.
///
/// # Errors
/// The database does not answer.
pub async fn forget_secret(hub: &Hub, id: &AccountId) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::forget_secret(&mut tx, id).await?;
    tx.commit().await
}

/// Changes the Login channel, its switches and its ticks, and tells line by line what was done. A channel is taken only
/// after LINE accepted it; then its LIFF app is found, made or put right. What LINE does not do about the LIFF app is
/// told by the channel's fault and undoes nothing.
///
/// # Errors
/// 404, 409 `disconnected` and `liff_busy`, 422 naming the field, 502 when LINE does not answer; then nothing has changed,
/// but after a channel was taken, its LIFF app may be left to be repaired.
pub async fn change(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    change: &Change,
) -> AppResult<Vec<Line>> {
    let (scope, _) = who;
    let account = accounts::get(hub, scope, id).await?;
    let before = get(hub, scope, id).await?;
    if matches!(change.channel_id, Some(None)) || matches!(change.secret, Some(None)) {
        return remove(hub, who, &account).await.map(|()| Vec::new());
    }
    let mut lines = Vec::new();
    if change.touches_channel() {
        lines = save(hub, who, (&account, before.as_ref()), change).await?;
    }
    switches(hub, who, &account, change).await?;
    Ok(lines)
}

/// Takes the channel away; the LIFF app at LINE stays until it is removed there or by cleaning up.
async fn remove(hub: &Hub, who: (&Scope, &Actor), account: &Account) -> AppResult<()> {
    let mut tx = hub.db.begin().await?;
    if repo::remove(&mut tx, &account.id).await? {
        audit(&mut tx, hub, who, "login.removed", &account.id, json!({})).await?;
    }
    Ok(tx.commit().await?)
}

async fn save(
    hub: &Hub,
    who: (&Scope, &Actor),
    (account, before): (&Account, Option<&LoginChannel>),
    change: &Change,
) -> AppResult<Vec<Line>> {
    let (scope, actor) = who;
    if account.status == Status::Disconnected {
        return Err(AppError::conflict(
            "disconnected",
            "this account is disconnected; connect it again first",
        ));
    }
    let given_id = change.channel_id.clone().flatten().map(|text| clean(&text));
    let given_secret = change.secret.clone().flatten().map(|secret| Secret::from(clean(secret.expose())));
    let channel_id = given_id.or_else(|| before.map(|row| row.channel_id.clone())).unwrap_or_default();
    let is_other = before.is_none_or(|row| row.channel_id != channel_id);
    let secret = match (given_secret, before) {
        (Some(secret), _) => secret,
        // The secret of another channel is no use.
        (None, Some(row)) if !is_other => match client(hub, row)? {
            Some(held) => held.secret().clone(),
            None => Secret::from(""),
        },
        (None, _) => Secret::from(""),
    };
    check_input(account, &channel_id, &secret)?;
    if let Some(other) = repo::other_with(&hub.db, scope.tenant(), &channel_id, &account.id).await? {
        let name =
            accounts::get(hub, &Scope::tenant_wide(scope.tenant().clone()), &other).await?.display_name;
        let detail = format!(
            "this Login channel belongs to {name} already; LINE links one official account to each, so make one of \
             its own for this account"
        );
        return Err(AppError::invalid_field("login_channel_id", "used_elsewhere", detail));
    }
    try_out(hub, &channel_id, &secret).await?;
    let serial = before.map_or(1, |row| row.serial + 1);
    let sealed = hub.keyring.seal(&hub.entropy, &identity(account.id.as_str(), serial), secret.expose());
    let mut tx = hub.db.begin().await?;
    let row = Saved {
        account: &account.id,
        tenant: scope.tenant(),
        channel_id: &channel_id,
        serial,
        sealed: &sealed,
        public_url: hub.config.public_url.as_str(),
        now: hub.now(),
        by: author(actor),
        is_other,
    };
    repo::save(&mut tx, &row).await?;
    let detail = json!({ "channel_id": channel_id, "new_channel": is_other });
    audit(&mut tx, hub, who, "login.saved", &account.id, detail).await?;
    tx.commit().await?;
    let mut lines = vec![
        ("login-line-accepted", StepState::Done),
        ("login-line-kind", StepState::Done),
        ("login-line-saved", StepState::Done),
    ];
    lines.push(made_sure(hub, scope, account).await);
    Ok(lines)
}

/// The LIFF app of a channel that was just saved. Trouble with it is a line, not a refusal: the channel is saved.
async fn made_sure(hub: &Hub, scope: &Scope, account: &Account) -> Line {
    let Ok(Some(row)) = get(hub, scope, &account.id).await else {
        return ("login-line-liff-later", StepState::Failed);
    };
    match liff::repair(hub, account, &row).await {
        Ok(looked) => match (looked.fault, looked.done) {
            (None | Some(LiffFault::Twins), Done::Made) => ("login-line-liff-made", StepState::Done),
            (None | Some(LiffFault::Twins), Done::Repaired) => ("login-line-liff-repaired", StepState::Done),
            (None | Some(LiffFault::Twins), Done::Nothing) => ("login-line-liff-found", StepState::Done),
            (Some(LiffFault::Full), _) => ("login-line-liff-full", StepState::Failed),
            (Some(_), _) => ("login-line-liff-refused", StepState::Failed),
        },
        Err(_) => ("login-line-liff-later", StepState::Failed),
    }
}

/// Everything that can be told without asking LINE, all at once.
fn check_input(account: &Account, channel_id: &str, secret: &Secret) -> AppResult<()> {
    let mut wrong = Vec::new();
    let mut refuse = |field, code, detail: &str| wrong.push(FieldError::new(field, code, detail));
    if channel_id.is_empty() {
        refuse(
            "login_channel_id",
            "required",
            "give the Login channel's ID; it stands under \"Basic settings\"",
        );
    } else if channel_id.len() > 20 || !channel_id.bytes().all(|byte| byte.is_ascii_digit()) {
        refuse(
            "login_channel_id",
            "invalid",
            "a channel ID is digits only; it stands under \"Basic settings\"",
        );
    } else if channel_id == account.channel_id {
        refuse("login_channel_id", "messaging_channel", MESSAGING);
    }
    if secret.expose().is_empty() {
        refuse(
            "login_channel_secret",
            "required",
            "give the Login channel's secret; it stands under \"Basic settings\"",
        );
    } else if secret.expose().len() > 1024 || !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        refuse("login_channel_secret", "invalid", "this value holds characters that LINE's never do");
    }
    if wrong.is_empty() { Ok(()) } else { Err(AppError::invalid(wrong)) }
}

const MESSAGING: &str = "this is a Messaging API channel; copy ID and secret of the LINE Login channel";

/// Has LINE accept ID and secret, and finds out that they are a Login channel's (GOTCHAS F4).
async fn try_out(hub: &Hub, channel_id: &str, secret: &Secret) -> AppResult<()> {
    let channel = hub.line.login_channel(channel_id, secret);
    let deadline = Deadline::start();
    let refuse = |field, code, said: &str, fix: &str| {
        let detail = format!("LINE refused this: {said}; {fix}");
        Err(AppError::invalid_field(field, code, detail))
    };
    match deadline.wait(channel.account().token()).await {
        Ok(_) => {}
        Err(LineError::Credentials { .. }) => {
            let fault = deadline.wait(diagnose_credentials(&hub.line, channel_id, secret)).await;
            let again = "copy it again from \"Basic settings\" of the LINE Login channel";
            return match fault.map_err(|error| unavailable(&error))? {
                CredentialFault::WrongId(said) => refuse("login_channel_id", "wrong_id", &said, again),
                CredentialFault::WrongSecret(said) => {
                    refuse("login_channel_secret", "wrong_secret", &said, again)
                }
                CredentialFault::Unnamed(said) => refuse("login_channel_secret", "refused", &said, again),
                CredentialFault::NoFault => Err(AppError::line_unavailable()),
            };
        }
        Err(error) => return Err(unavailable(&error)),
    }
    match deadline.wait(channel.account().bot_info()).await {
        Ok(bot) => {
            let detail = format!("{MESSAGING}; this one is {}'s", bot.basic_id);
            Err(AppError::invalid_field("login_channel_id", "messaging_channel", detail))
        }
        // A Login channel has no bot.
        Err(LineError::Refused { .. } | LineError::Credentials { .. }) => Ok(()),
        Err(error) => Err(unavailable(&error)),
    }
}

/// What is missing for "log in with LINE and add the account as a friend" (S0-05): a word for each part.
#[must_use]
pub fn missing_for_add_friend(account: &Account, row: Option<&LoginChannel>) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if row.is_none_or(|row| !row.has_secret()) {
        missing.push("missing_login_channel");
    }
    if account.status == Status::Disconnected {
        missing.push("missing_official_account");
    } else if account.attention() == Some(Attention::Credentials) {
        missing.push("missing_messaging_api");
    }
    missing
}

async fn switches(hub: &Hub, who: (&Scope, &Actor), account: &Account, change: &Change) -> AppResult<()> {
    let (scope, actor) = who;
    let Change { share, add_friend, linked, share_ready, callback_done, .. } = *change;
    if share.is_none() && add_friend.is_none() && linked.is_none() && share_ready.is_none() && !callback_done
    {
        return Ok(());
    }
    let row = get(hub, scope, &account.id).await?;
    let mut wrong = Vec::new();
    if add_friend == Some(true) {
        for part in missing_for_add_friend(account, row.as_ref()) {
            let what = match part {
                "missing_login_channel" => {
                    "this account has no LINE Login channel; save its ID and secret first"
                }
                "missing_official_account" => "the official account is not connected; connect it first",
                _ => "LINE does not take the Messaging API channel's credentials; enter them again first",
            };
            wrong.push(FieldError::new("login_add_friend", part, what));
        }
    }
    if share == Some(true) {
        if row.as_ref().is_none_or(|row| row.liff_id.is_none()) {
            let what = "there is no LIFF app yet; save the LINE Login channel first";
            wrong.push(FieldError::new("login_share", "missing_liff", what));
        } else if share_ready != Some(true) && row.as_ref().is_none_or(|row| row.share_ready_at.is_none()) {
            let what =
                "turn on shareTargetPicker in LINE Developers, in the LIFF tab, and confirm it here first";
            wrong.push(FieldError::new("login_share", "missing_share_ready", what));
        }
    }
    let Some(row) = row.filter(|_| wrong.is_empty()) else {
        if wrong.is_empty() {
            let what = "this account has no LINE Login channel; save its ID and secret first";
            wrong.push(FieldError::new("login_channel_id", "required", what));
        }
        return Err(AppError::invalid(wrong));
    };
    let (now, by) = (hub.now(), author(actor));
    let tick = |on: bool| (on.then_some(now), on.then_some(by));
    let mut changed = serde_json::Map::new();
    let mut note = |name: &str, on: bool| changed.insert(name.to_owned(), json!(on));
    let mut tx = hub.db.begin().await?;
    if share.is_some() || add_friend.is_some() {
        let (share, add_friend) = (share.unwrap_or(row.share), add_friend.unwrap_or(row.add_friend));
        repo::set_switches(&mut tx, &account.id, share, add_friend).await?;
        note("share", share);
        note("add_friend", add_friend);
    }
    if let Some(on) = linked {
        let (at, by) = tick(on);
        repo::set_linked(&mut tx, &account.id, at, by).await?;
        note("linked", on);
    }
    if let Some(on) = share_ready {
        let (at, by) = tick(on);
        repo::set_share_ready(&mut tx, &account.id, at, by).await?;
        note("share_ready", on);
    }
    if callback_done {
        repo::set_public_url(&mut tx, &account.id, hub.config.public_url.as_str()).await?;
        note("callback", true);
    }
    repo::touch(&mut tx, &account.id, now, by).await?;
    audit(&mut tx, hub, who, "login.changed", &account.id, serde_json::Value::Object(changed)).await?;
    Ok(tx.commit().await?)
}

/// Finds, makes or puts right the LIFF app at a person's wish ("Repair").
///
/// # Errors
/// 404 without a Login channel, 409 `liff_busy`, 422 `liff_full`, `liff_refused`, `liff_credentials` in words, 502 when LINE does not answer.
pub async fn repair_liff(hub: &Hub, who: (&Scope, &Actor), id: &AccountId) -> AppResult<()> {
    let (scope, _) = who;
    let account = accounts::get(hub, scope, id).await?;
    let row = get(hub, scope, id).await?.ok_or_else(|| AppError::not_found("LINE Login channel"))?;
    let looked = liff::repair(hub, &account, &row).await?;
    let said = looked.said.map_or_else(String::new, |said| format!(": {said}"));
    let wrong = match looked.fault {
        Some(LiffFault::Full) => Some((
            "liff_full",
            "this Login channel holds 30 LIFF apps, the most that LINE allows; remove one in LINE Developers, or take \
             another Login channel"
                .to_owned(),
        )),
        Some(LiffFault::Refused) => Some(("liff_refused", format!("LINE does not take the LIFF app{said}"))),
        Some(LiffFault::Credentials) => {
            let what = "LINE does not take the Login channel's secret any more; enter the new one";
            Some(("liff_credentials", what.to_owned()))
        }
        _ => None,
    };
    let mut tx = hub.db.begin().await?;
    audit(&mut tx, hub, who, "login.liff_repaired", id, json!({ "done": looked.done != Done::Nothing }))
        .await?;
    tx.commit().await?;
    match wrong {
        Some((code, detail)) => Err(AppError::invalid_field("login_channel_id", code, detail)),
        None => Ok(()),
    }
}

/// Removes the account's LIFF app at LINE, as a step of disconnecting; trouble is told and stops nothing.
pub async fn clean_up_liff(hub: &Hub, account: &Account) -> CleanedUp {
    match repo::by_account(&hub.db, &account.id).await {
        Ok(row) => liff::clean_up(hub, account, row.as_ref()).await,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a LIFF app was not looked up");
            let detail = "the database did not answer".to_owned();
            CleanedUp { step: "liff", status: "failed", detail }
        }
    }
}

/// What the doctor says of login, LIFF and provider: LINE is asked about the LIFF app, the rest is what logins showed.
/// Nothing for an account without a Login channel: it needs none to receive and answer.
pub async fn checks(hub: &Hub, account: &Account) -> Vec<Finding> {
    let now = hub.now();
    let Ok(Some(row)) = repo::by_account(&hub.db, &account.id).await else { return Vec::new() };
    let looked = liff::look(hub, account, &row).await;
    let (channel, liff) = match &looked {
        Err(_) => {
            let silent = |code| Finding::new(code, State::Unknown, "line-silent", now);
            (silent(Code::LoginChannel), silent(Code::Liff))
        }
        Ok(looked) => match looked.fault {
            Some(LiffFault::Credentials) => (
                Finding::new(Code::LoginChannel, State::Failed, "refused", now),
                Finding::new(Code::Liff, State::Unknown, "line-silent", now),
            ),
            fault => (
                Finding::new(Code::LoginChannel, State::Ok, "ok", now),
                match fault {
                    None => Finding::new(Code::Liff, State::Ok, "ok", now),
                    Some(LiffFault::Twins) => Finding::new(Code::Liff, State::Warning, "twins", now),
                    Some(fault @ (LiffFault::View | LiffFault::BotPrompt | LiffFault::Scopes)) => {
                        Finding::new(Code::Liff, State::Warning, fault.key(), now)
                    }
                    Some(fault) => Finding::new(Code::Liff, State::Failed, fault.key(), now),
                },
            ),
        },
    };
    let at = row.provider_checked_at.unwrap_or(now);
    let provider = match row.provider() {
        ProviderMatch::Same => Finding::new(Code::ProviderMatch, State::Ok, "same", at),
        ProviderMatch::Other => Finding::new(Code::ProviderMatch, State::Failed, "other", at),
        ProviderMatch::Unknown => Finding::new(Code::ProviderMatch, State::Unknown, "unknown", at),
    };
    vec![channel.with("channel", row.channel_id.clone()), liff, provider]
}
