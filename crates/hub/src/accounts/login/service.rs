//! Saving the Login channel, its switches and ticks, and what other parts may ask.

use line_client::{CredentialFault, LineError, Secret, diagnose_credentials};
use serde_json::json;

use super::liff::{self, Done};
use super::model::{Kind, LiffFault, LoginChannel, ProviderMatch, Run, liff_path};
use super::repo::{self, Saved};
use crate::accounts::doctor::{Code, Finding, State};
use crate::accounts::model::{Account, Attention, Status, check_pair};
use crate::accounts::pasted::clean;
use crate::accounts::service::{
    self as accounts, CleanedUp, Deadline, StepState, audit, author, unavailable,
};
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore as _, Tx};
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
    fn touches_settings(&self) -> bool {
        self.share.is_some()
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

/// The account's last test of a kind at a channel, settled if its code came in meanwhile.
///
/// # Errors
/// The database does not answer.
pub async fn last_test(hub: &Hub, scope: &Scope, row: &LoginChannel, kind: Kind) -> AppResult<Option<Run>> {
    match repo::last_run(&hub.db, scope, &row.account_id, kind).await? {
        Some(run) => Ok(Some(super::run::settle(hub, row, run).await?)),
        None => Ok(None),
    }
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

/// What was asked for needs the Login channel's secret, which is gone.
pub(super) fn secret_gone() -> AppError {
    let what = "the Login channel's secret was removed when the account was disconnected; enter it again";
    AppError::invalid_field("login_channel_secret", "required", what)
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

/// Drops the secret of an account that was disconnected, with the tests of it; channel, LIFF app and ticks stay for its return.
///
/// # Errors
/// The database does not answer.
pub async fn forget_secret(hub: &Hub, id: &AccountId) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::forget_secret(&mut tx, id).await?;
    tx.commit().await
}

/// A change that the rules and LINE accepted, and that is not written yet.
#[derive(Debug)]
pub(in crate::accounts) struct Proven {
    change: Change,
    before: Option<LoginChannel>,
    removes: bool,
    /// The Login channel that is taken.
    channel: Option<Taken>,
}

/// A Login channel that LINE accepted.
#[derive(Debug)]
struct Taken {
    id: String,
    secret: Secret,
    is_other: bool,
}

impl Proven {
    /// Whether a Login channel is taken, which needs an account that is connected.
    pub(in crate::accounts) fn takes_channel(&self) -> bool {
        self.channel.is_some()
    }

    /// Whether a Login channel is taken or removed: what was found of it before holds no more.
    pub(in crate::accounts) fn touches_channel(&self) -> bool {
        self.removes || self.takes_channel()
    }
}

/// Finds out whether a change can be made, LINE last; nothing is written.
///
/// # Errors
/// 409 `disconnected`, 422 naming the field, 502 when LINE does not answer.
pub(in crate::accounts) async fn prove(
    hub: &Hub,
    scope: &Scope,
    account: &Account,
    change: &Change,
    deadline: Deadline,
) -> AppResult<Proven> {
    let before = get(hub, scope, &account.id).await?;
    let gone = |field: &'static str, other_given: bool| {
        let what = "null takes the Login channel away; give both ID and secret, or null alone";
        if other_given { Err(AppError::invalid_field(field, "contradicts", what)) } else { Ok(true) }
    };
    let removes = match (&change.channel_id, &change.secret) {
        (Some(None), secret) => gone("login_channel_secret", matches!(secret, Some(Some(_))))?,
        (id, Some(None)) => gone("login_channel_id", matches!(id, Some(Some(_))))?,
        _ => false,
    };
    let channel = match change.touches_channel() && !removes {
        true => Some(wanted(hub, scope, (account, before.as_ref()), change).await?),
        false => None,
    };
    let proven = Proven { change: change.clone(), before, removes, channel };
    check_switches(account, &proven)?;
    if let Some(Taken { id, secret, .. }) = &proven.channel {
        try_out(hub, id, secret, deadline).await?;
    }
    Ok(proven)
}

/// The Login channel that is asked for, as far as it can be judged without LINE.
async fn wanted(
    hub: &Hub,
    scope: &Scope,
    (account, before): (&Account, Option<&LoginChannel>),
    change: &Change,
) -> AppResult<Taken> {
    if account.status == Status::Disconnected {
        return Err(accounts::disconnected());
    }
    let given_id = change.channel_id.clone().flatten().map(|text| clean(&text));
    let given_secret = change.secret.clone().flatten().map(|secret| Secret::from(clean(secret.expose())));
    let id = given_id.or_else(|| before.map(|row| row.channel_id.clone())).unwrap_or_default();
    let is_other = before.is_none_or(|row| row.channel_id != id);
    let secret = match (given_secret, before) {
        (Some(secret), _) => secret,
        // The secret of another channel is no use.
        (None, Some(row)) if !is_other => match client(hub, row)? {
            Some(held) => held.secret().clone(),
            None => Secret::from(""),
        },
        (None, _) => Secret::from(""),
    };
    check_input(account, &id, &secret)?;
    if let Some(other) = repo::other_with(&hub.db, scope.tenant(), &id, &account.id).await? {
        let tenant = Scope::tenant_wide(scope.tenant().clone());
        return Err(used_elsewhere(accounts::get(hub, &tenant, &other).await?.name()));
    }
    Ok(Taken { id, secret, is_other })
}

fn used_elsewhere(name: &str) -> AppError {
    let detail = format!(
        "this Login channel belongs to {name} already; LINE links one official account to each, so make one of its own for \
         this account"
    );
    AppError::invalid_field("login_channel_id", "used_elsewhere", detail)
}

/// Writes a proven change.
///
/// # Errors
/// 422 `used_elsewhere` when another account took the Login channel meanwhile; the database.
pub(in crate::accounts) async fn write(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &Account,
    proven: &Proven,
) -> AppResult<()> {
    let (scope, actor) = who;
    if proven.removes && repo::remove(tx, &account.id).await? {
        audit(tx, hub, who, "login.removed", &account.id, json!({})).await?;
    }
    if let Some(Taken { id, secret, is_other }) = &proven.channel {
        let serial = proven.before.as_ref().map_or(1, |row| row.serial + 1);
        let identity = identity(account.id.as_str(), serial);
        let sealed = hub.keyring.seal(&hub.entropy, &identity, secret.expose());
        let row = Saved {
            account: &account.id,
            tenant: scope.tenant(),
            channel_id: id,
            serial,
            sealed: &sealed,
            public_url: hub.config.public_url.as_str(),
            now: hub.now(),
            by: author(actor),
            is_other: *is_other,
        };
        let saved = repo::save(tx, &row).await;
        let twice = "another account";
        saved.map_err(|error| if error.is_unique() { used_elsewhere(twice) } else { error.into() })?;
        let detail = json!({ "channel_id": id, "new_channel": is_other });
        audit(tx, hub, who, "login.saved", &account.id, detail).await?;
    }
    Ok(switches(tx, hub, who, account, &proven.change).await?)
}

/// What follows at LINE once a change is committed: the LIFF app of a channel that was taken is found, made or put right,
/// and once it stands, that of the channel before is removed. Tells line by line what was done; what LINE does not do undoes nothing.
pub(in crate::accounts) async fn finish(
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &Account,
    proven: &Proven,
    deadline: Deadline,
) -> Vec<Line> {
    let Some(taken) = &proven.channel else { return Vec::new() };
    let made = made_sure(hub, who.0, account, deadline).await;
    let mut lines = vec![
        ("login-line-accepted", StepState::Done),
        ("login-line-kind", StepState::Done),
        ("login-line-saved", StepState::Done),
        made,
    ];
    let orphan = proven.before.as_ref().filter(|row| taken.is_other && row.liff_id.is_some());
    if let Some(row) = orphan {
        lines.push(orphaned(hub, who, row, (made.1 == StepState::Done, deadline)).await);
    }
    lines
}

/// The LIFF app of the channel before: its pages open no more, so it goes if it is this hub's and the new one `stands`, else a
/// person is told.
async fn orphaned(
    hub: &Hub,
    who: (&Scope, &Actor),
    row: &LoginChannel,
    (stands, deadline): (bool, Deadline),
) -> Line {
    let is_ours = row.liff_endpoint.as_deref().is_some_and(|at| at.ends_with(&liff_path(&row.account_id)));
    let removed = match is_ours && stands {
        true => liff::clean_up(hub, Some(row), deadline).await.status,
        false => "manual",
    };
    let noted = async {
        let detail = json!({ "liff_id": row.liff_id, "channel_id": row.channel_id, "status": removed });
        let mut tx = hub.db.begin().await?;
        audit(&mut tx, hub, who, "login.former_liff", &row.account_id, detail).await?;
        tx.commit().await
    };
    noted.await.log_and_ignore("noting what became of a LIFF app");
    match removed {
        "done" | "skipped" => ("login-line-liff-former-gone", StepState::Done),
        _ => ("login-line-liff-former-left", StepState::Failed),
    }
}

/// The LIFF app of a channel that was just saved. Trouble with it is a line, not a refusal: the channel is saved.
async fn made_sure(hub: &Hub, scope: &Scope, account: &Account, deadline: Deadline) -> Line {
    let Ok(Some(row)) = get(hub, scope, &account.id).await else {
        return ("login-line-liff-later", StepState::Failed);
    };
    match liff::repair(hub, account, &row, deadline).await {
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
    let fields = ("login_channel_id", "login_channel_secret");
    let mut wrong = check_pair(fields, channel_id, secret.expose());
    if channel_id == account.channel_id {
        wrong.push(FieldError::new("login_channel_id", "messaging_channel", MESSAGING));
    }
    if wrong.is_empty() { Ok(()) } else { Err(AppError::invalid(wrong)) }
}

const MESSAGING: &str = "this is a Messaging API channel; copy ID and secret of the LINE Login channel";

/// Has LINE accept ID and secret, and finds out that they are a Login channel's (GOTCHAS F4).
async fn try_out(hub: &Hub, channel_id: &str, secret: &Secret, deadline: Deadline) -> AppResult<()> {
    let channel = hub.line.login_channel(channel_id, secret);
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

/// Switches and ticks against what there will be: each that cannot be, with the missing part named (S0-05, S4-33).
fn check_switches(account: &Account, proven: &Proven) -> AppResult<()> {
    let Proven { change, before, removes, channel } = proven;
    let row = before.as_ref().filter(|_| !removes);
    // What is known of one channel says nothing of another.
    let known = row.filter(|_| channel.as_ref().is_none_or(|taken| !taken.is_other));
    let mut wrong = Vec::new();
    let mut refuse = |field, code, what: &str| wrong.push(FieldError::new(field, code, what));
    if change.add_friend == Some(true) {
        if channel.is_none() && row.is_none_or(|row| !row.has_secret()) {
            refuse("login_add_friend", "missing_login_channel", NO_CHANNEL);
        }
        if account.status == Status::Disconnected {
            let what = "the official account is not connected; connect it first";
            refuse("login_add_friend", "missing_official_account", what);
        } else if account.attention() == Some(Attention::Credentials) {
            let what = "LINE does not take the Messaging API channel's credentials; enter them again first";
            refuse("login_add_friend", "missing_messaging_api", what);
        }
    }
    if change.share == Some(true) {
        let is_ready = change.share_ready.unwrap_or(known.is_some_and(|row| row.share_ready_at.is_some()));
        if known.is_none_or(|row| row.liff_id.is_none()) {
            let what = "there is no LIFF app yet; save the LINE Login channel first";
            refuse("login_share", "missing_liff", what);
        } else if !is_ready {
            let what =
                "turn on shareTargetPicker in LINE Developers, in the LIFF tab, and confirm it here first";
            refuse("login_share", "missing_share_ready", what);
        }
    }
    if wrong.is_empty() && change.touches_settings() && row.is_none() && channel.is_none() {
        wrong.push(FieldError::new("login_channel_id", "required", NO_CHANNEL));
    }
    if wrong.is_empty() { Ok(()) } else { Err(AppError::invalid(wrong)) }
}

const NO_CHANNEL: &str = "this account has no LINE Login channel; save its ID and secret first";

async fn switches(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &Account,
    change: &Change,
) -> DbResult<()> {
    let Change { share, add_friend, linked, share_ready, callback_done, .. } = *change;
    if !change.touches_settings() {
        return Ok(());
    }
    let (now, by) = (hub.now(), author(who.1));
    let tick = |on: bool| (on.then_some(now), on.then_some(by));
    let mut changed = serde_json::Map::new();
    let mut note = |name: &str, on: bool| changed.insert(name.to_owned(), json!(on));
    repo::set_switches(tx, &account.id, share, add_friend).await?;
    for (name, on) in [("share", share), ("add_friend", add_friend)] {
        on.map(|on| note(name, on));
    }
    if let Some(on) = linked {
        let (at, by) = tick(on);
        repo::set_linked(tx, &account.id, at, by).await?;
        note("linked", on);
    }
    if let Some(on) = share_ready {
        let (at, by) = tick(on);
        repo::set_share_ready(tx, &account.id, at, by).await?;
        note("share_ready", on);
    }
    if callback_done {
        repo::set_public_url(tx, &account.id, hub.config.public_url.as_str()).await?;
        note("callback", true);
    }
    repo::touch(tx, &account.id, now, by).await?;
    audit(tx, hub, who, "login.changed", &account.id, serde_json::Value::Object(changed)).await
}

/// Finds, makes or puts right the LIFF app at a person's wish ("Repair").
///
/// # Errors
/// 404 without a Login channel, 409 `disconnected`, `liff_busy`, 422 `required` without its secret, 422 `liff_full`, `liff_refused`, `liff_credentials` in words, 502 when LINE does not answer.
pub(in crate::accounts) async fn repair(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    deadline: Deadline,
) -> AppResult<()> {
    let (scope, _) = who;
    let account = accounts::get(hub, scope, id).await?;
    if account.status == Status::Disconnected {
        return Err(accounts::disconnected());
    }
    let row = get(hub, scope, id).await?.ok_or_else(|| AppError::not_found("LINE Login channel"))?;
    let looked = liff::repair(hub, &account, &row, deadline).await?;
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
pub(in crate::accounts) async fn clean_up_liff(
    hub: &Hub,
    account: &Account,
    deadline: Deadline,
) -> CleanedUp {
    match repo::by_account(&hub.db, &account.id).await {
        Ok(row) => liff::clean_up(hub, row.as_ref(), deadline).await,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a LIFF app was not looked up");
            let detail = "the database did not answer".to_owned();
            CleanedUp { step: "liff", status: "failed", detail }
        }
    }
}

/// What the doctor says of login, LIFF and provider: LINE is asked about the LIFF app, the rest is what logins showed.
/// Nothing for an account without a Login channel: it needs none to receive and answer.
///
/// # Errors
/// The database does not tell whether there is one.
pub(in crate::accounts) async fn checks(
    hub: &Hub,
    account: &Account,
    deadline: Deadline,
) -> DbResult<Vec<Finding>> {
    let now = hub.now();
    let Some(row) = repo::by_account(&hub.db, &account.id).await? else { return Ok(Vec::new()) };
    let looked = liff::look(hub, account, &row, deadline).await;
    let (channel, liff) = match &looked {
        Err(_) if !row.has_secret() => (
            Finding::new(Code::LoginChannel, State::Warning, "no-secret", now),
            Finding::new(Code::Liff, State::Unknown, "no-secret", now),
        ),
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
    Ok(vec![channel.with("channel", row.channel_id.clone()), liff, provider])
}
