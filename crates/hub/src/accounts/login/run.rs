//! Tests of login and LIFF: begun by a person, walked at LINE, and what each found.

use std::time::Duration;

use line_client::{LineError, Wanted};
use tokio::time::sleep;

use super::flow::{self, Ticket, Walked};
use super::liff;
use super::model::{Finding, Found, Kind, LiffFault, LoginChannel, ProviderMatch, Run};
use super::repo::{self, NewRun};
use super::service::{client, get, secret_gone};
use crate::accounts::model::{Account, Status};
use crate::accounts::service::{self as accounts, Deadline, audit, author};
use crate::app::Hub;
use crate::db::DbResult;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, LoginTestId};
use crate::scope::Scope;
use crate::team::Actor;
use crate::web::i18n::Language;

/// What tests found is kept this long.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// LINE's clock and ours may differ by so much when it is judged what came in since a test began.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);
/// A code that comes a second time waits this long, in all, for what the first one finds.
const WAIT: [u64; 6] = [100, 200, 400, 800, 1500, 3000];

/// Begins a test: what can be told without a person is found at once, and where that fails, the test is over.
///
/// # Errors
/// 404, 409 `disconnected`, 422 without a Login channel or its secret, 502 when LINE does not answer.
pub(super) async fn start(hub: &Hub, who: (&Scope, &Actor), id: &AccountId, kind: Kind) -> AppResult<Run> {
    let (scope, actor) = who;
    let account = accounts::get(hub, scope, id).await?;
    if account.status == Status::Disconnected {
        return Err(accounts::disconnected());
    }
    let missing = || {
        let what = "this account has no LINE Login channel; save its ID and secret first";
        AppError::invalid_field("login_channel_id", "required", what)
    };
    let row = get(hub, scope, id).await?.ok_or_else(missing)?;
    let channel = client(hub, &row)?.ok_or_else(secret_gone)?;
    let run: LoginTestId = hub.id();
    let mut findings = Vec::new();
    let deadline = Deadline::start();
    // A token is asked for anew, so that it tells of the secret as it is now.
    match deadline.wait(channel.account().token()).await {
        Err(LineError::Credentials { body, .. }) => {
            findings.push(Finding::said(Found::WrongSecret, &body.message));
        }
        Err(error) => return Err(accounts::unavailable(&error)),
        Ok(_) => {
            if kind == Kind::Login {
                findings.push(flow::probe(hub, &channel, &row, &run, deadline).await);
            }
            findings.push(liff_finding(liff::look(hub, &account, &row, deadline).await?.fault));
        }
    }
    let is_over = findings.iter().any(|finding| match (finding.found, kind) {
        (Found::WrongSecret | Found::CallbackMismatch, _) => true,
        // The web login does not need the LIFF app.
        (Found::LiffMissing | Found::LiffEndpoint, kind) => kind == Kind::Liff,
        _ => false,
    });
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let new = NewRun {
        id: &run,
        account: id,
        tenant: scope.tenant(),
        kind,
        now,
        by: author(actor),
        findings: &text(findings),
        is_over,
    };
    repo::add_run(&mut tx, &new, now.minus(KEPT)).await?;
    let detail = serde_json::json!({ "kind": kind });
    audit(&mut tx, hub, who, "login.tested", id, detail).await?;
    tx.commit().await?;
    repo::run(&hub.db, id, &run).await?.ok_or_else(|| AppError::not_found("test"))
}

fn liff_finding(fault: Option<LiffFault>) -> Finding {
    let found = match fault {
        None => Found::LiffOk,
        Some(LiffFault::Missing | LiffFault::Full) => Found::LiffMissing,
        Some(LiffFault::Endpoint) => Found::LiffEndpoint,
        Some(LiffFault::Twins) => Found::LiffTwins,
        Some(LiffFault::Credentials) => Found::WrongSecret,
        Some(LiffFault::View | LiffFault::BotPrompt | LiffFault::Scopes | LiffFault::Refused) => {
            Found::LiffSettings
        }
    };
    found.into()
}

fn text(mut findings: Vec<Finding>) -> String {
    findings.sort_by_key(|finding| finding.found);
    serde_json::to_string(&findings).unwrap_or_else(|_| "[]".to_owned())
}

/// What stands behind a public address: an account that is connected, with its Login channel.
///
/// # Errors
/// The database does not answer.
pub(super) async fn behind(hub: &Hub, key: &AccountId) -> AppResult<Option<(Account, LoginChannel)>> {
    let Some(row) = repo::by_account(&hub.db, key).await? else { return Ok(None) };
    // The address itself names the account: whoever has it may see what such a page shows, its name and picture.
    let scope = Scope::tenant_wide(row.tenant_id.clone());
    let account = accounts::get(hub, &scope, key).await?;
    Ok((account.status != Status::Disconnected).then_some((account, row)))
}

/// Sends somebody to LINE with a test that is open: the address, and the state for the cookie. `None`: there is no such
/// test, or it is over.
///
/// # Errors
/// The database does not answer.
pub(super) async fn depart(
    hub: &Hub,
    key: &AccountId,
    id: &LoginTestId,
    language: Language,
) -> AppResult<Option<(String, String)>> {
    let Some((_, row)) = behind(hub, key).await? else { return Ok(None) };
    let Some(channel) = client(hub, &row)? else { return Ok(None) };
    let Some(run) = repo::run(&hub.db, key, id).await? else { return Ok(None) };
    if run.finished_at.is_some() || hub.now().since(run.started_at) > flow::LIFE {
        return Ok(None);
    }
    let mut tx = hub.db.begin().await?;
    repo::open_run(&mut tx, key, id, hub.now()).await?;
    tx.commit().await?;
    let ticket = Ticket::new(hub, id.clone(), false);
    let url = flow::authorize_url(hub, &channel, &row, &ticket, language);
    Ok(Some((url.into(), ticket.seal(hub, key))))
}

/// What LINE brings back.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// What becomes of somebody who comes back from LINE.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The test is over; the page tells the rest.
    Done,
    /// Once more, to this address, with this state for the cookie: LINE brought back a state that is not ours.
    Again(String, String),
    /// Nothing is known of this login.
    Unknown,
}

/// Takes in what LINE brings back. The same code twice is one login; a foreign state leads to LINE once more, without its
/// automatic login, where the cookie says which test it was, and never twice (GOTCHAS E7, E8).
///
/// # Errors
/// The database does not answer.
pub(super) async fn arrive(
    hub: &Hub,
    key: &AccountId,
    back: &Back,
    cookie: Option<&str>,
    language: Language,
) -> AppResult<Arrival> {
    let Some((account, row)) = behind(hub, key).await? else { return Ok(Arrival::Unknown) };
    let Some(channel) = client(hub, &row)? else { return Ok(Arrival::Unknown) };
    let Some(ticket) = back.state.as_deref().and_then(|state| Ticket::open(hub, key, state)) else {
        let Some(ours) = cookie.and_then(|state| Ticket::open(hub, key, state)) else {
            return Ok(Arrival::Unknown);
        };
        if ours.is_second {
            end(hub, &row, &ours.run, Finding::from(Found::StateMismatch)).await?;
            return Ok(Arrival::Done);
        }
        let again = Ticket::new(hub, ours.run, true);
        let url = flow::authorize_url(hub, &channel, &row, &again, language);
        return Ok(Arrival::Again(url.into(), again.seal(hub, key)));
    };
    let Some(code) = back.code.as_deref().filter(|_| back.error.is_none()) else {
        let error = back.error.as_deref().unwrap_or_default();
        let finding = match error {
            "ACCESS_DENIED" | "access_denied" => Found::ConsentRefused.into(),
            error => Finding::said(Found::LineRefused, error),
        };
        end(hub, &row, &ticket.run, finding).await?;
        return Ok(Arrival::Done);
    };
    let hash = flow::code_hash(code);
    let mut tx = hub.db.begin().await?;
    let is_first = repo::claim_run(&mut tx, key, &ticket.run, &hash).await?;
    tx.commit().await?;
    if !is_first {
        return settled(hub, key, &ticket.run, &hash).await;
    }
    let walked = flow::follow(hub, &channel, &row, &account, (&ticket, code)).await;
    end(hub, &row, &ticket.run, walked).await?;
    Ok(Arrival::Done)
}

/// Waits for what the first arrival of the same code finds.
async fn settled(hub: &Hub, key: &AccountId, id: &LoginTestId, hash: &str) -> AppResult<Arrival> {
    for pause in WAIT {
        match repo::run(&hub.db, key, id).await? {
            Some(run) if run.code_hash.as_deref() == Some(hash) && run.finished_at.is_none() => {
                sleep(Duration::from_millis(pause)).await;
            }
            Some(run) if run.code_hash.as_deref() == Some(hash) => return Ok(Arrival::Done),
            // Another code: this test was walked before.
            _ => return Ok(Arrival::Unknown),
        }
    }
    Ok(Arrival::Done)
}

impl From<Finding> for Walked {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::default() }
    }
}

/// Ends a test with what was found, besides what was found at its beginning; `false`: it was over before, and nothing of
/// this counts.
async fn end(hub: &Hub, row: &LoginChannel, id: &LoginTestId, walked: impl Into<Walked>) -> DbResult<bool> {
    let (key, walked) = (&row.account_id, walked.into());
    let Some(run) = repo::run(&hub.db, key, id).await? else { return Ok(false) };
    let mut findings: Vec<Finding> = serde_json::from_str(&run.findings).unwrap_or_default();
    // What the walk shows of the callback is truer than what was seen from outside.
    let is_refuted = walked.findings.iter().any(|finding| finding.found == Found::CallbackMismatch);
    findings.retain(|finding| !is_refuted || finding.found != Found::CallbackOk);
    findings.extend(walked.findings);
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let is_ended = repo::end_run(&mut tx, (key, id), &text(findings), walked.subject.as_deref(), now).await?;
    if is_ended && walked.is_same {
        repo::set_provider(&mut tx, (key, &row.channel_id), ProviderMatch::Same, now).await?;
    }
    tx.commit().await?;
    Ok(is_ended)
}

/// Settles a test that waits for its code, where somebody wrote it to the account since: the same person has the same
/// user ID under one provider and another one under another.
///
/// # Errors
/// The database does not answer.
pub(super) async fn settle(hub: &Hub, row: &LoginChannel, run: Run) -> DbResult<Run> {
    let Some(subject) = run.awaited(&row.channel_id, hub.now()) else { return Ok(run) };
    let since = run.started_at.minus(CLOCKS_DIFFER);
    let whose = (&run.tenant_id, &run.account_id);
    let Some(writer) = crate::wiring::WHO_WROTE.who_wrote(hub, whose, &run.code(), since).await? else {
        return Ok(run);
    };
    let is_same = flow::subject(&run.id, &row.channel_id, &writer) == subject;
    let (found, provider) = match is_same {
        true => (Found::ProviderSame, ProviderMatch::Same),
        false => (Found::ProviderOther, ProviderMatch::Other),
    };
    let mut findings: Vec<Finding> = serde_json::from_str(&run.findings).unwrap_or_default();
    findings.retain(|finding| finding.found != Found::ProviderUnknown);
    findings.push(found.into());
    let mut tx = hub.db.begin().await?;
    if repo::settle_run(&mut tx, (&run.account_id, &run.id), &text(findings), subject).await? {
        let channel = (&run.account_id, row.channel_id.as_str());
        repo::set_provider(&mut tx, channel, provider, hub.now()).await?;
    }
    tx.commit().await?;
    Ok(repo::run(&hub.db, &run.account_id, &run.id).await?.unwrap_or(run))
}

/// What the LIFF page sends: nothing of it is believed but what LINE signed or confirms.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct FromLiff {
    /// Which test.
    #[serde(default)]
    pub(super) run: String,
    id_token: Option<String>,
    access_token: Option<String>,
    /// The code of LINE's program, where it did not start.
    error: Option<String>,
    /// Whether LINE's program offers sharing.
    share: Option<bool>,
}

/// Takes in what the LIFF page sends; `false`: there is no such test, or it is over.
///
/// # Errors
/// The database does not answer.
pub(super) async fn from_liff(
    hub: &Hub,
    key: &AccountId,
    id: &LoginTestId,
    sent: &FromLiff,
) -> AppResult<bool> {
    let Some((account, row)) = behind(hub, key).await? else { return Ok(false) };
    let Some(channel) = client(hub, &row)? else { return Ok(false) };
    let open = repo::run(&hub.db, key, id).await?.filter(|run| {
        run.finished_at.is_none() && run.kind() == Kind::Liff && hub.now().since(run.started_at) < flow::LIFE
    });
    if open.is_none() {
        return Ok(false);
    }
    if let Some(error) = &sent.error {
        return Ok(end(hub, &row, id, Finding::said(Found::LiffInit, error)).await?);
    }
    let mut walked = Walked::from(Finding::from(Found::LiffOpened));
    let wanted = Wanted { channel_id: &row.channel_id, nonce: None, now: hub.now().millis() / 1000 };
    let deadline = Deadline::start();
    let token = sent.id_token.as_deref().unwrap_or_default();
    match deadline.wait(hub.line.verify_liff_token(token, wanted)).await {
        Err(error) => walked.findings.push(Finding::said(Found::LineSilent, &error.to_string())),
        Ok(Err(fault)) => walked.findings.push(Finding::said(Found::IdentityWrong, &fault.to_string())),
        Ok(Ok(claims)) => {
            walked.findings.push(Found::IdentityOk.into());
            let who = (id, claims.sub.as_str());
            let friend = friendship(&channel, sent.access_token.as_deref(), who.1, deadline).await;
            walked = walked.and(flow::standing(hub, (&row, &account), who, friend, deadline).await);
        }
    }
    if row.share {
        let found = if sent.share == Some(true) { Found::ShareOk } else { Found::ShareRefused };
        walked.findings.push(found.into());
    }
    Ok(end(hub, &row, id, walked).await?)
}

/// Whether the person is a friend of the linked account, by a token that LINE says was issued for this very channel and to
/// this very person: the page sends it, so it may be anybody's (GOTCHAS E5).
async fn friendship(
    channel: &line_client::LoginChannel,
    token: Option<&str>,
    user_id: &str,
    deadline: Deadline,
) -> Result<Option<bool>, LineError> {
    let unknown = || LineError::NotSent { cause: line_client::Cause::Request, request_id: None };
    let token = line_client::Secret::from(token.ok_or_else(unknown)?);
    deadline.wait(channel.verify_access_token(&token)).await?.ok_or_else(unknown)?;
    if deadline.wait(channel.profile(&token)).await?.user_id != user_id {
        return Err(unknown());
    }
    deadline.wait(channel.friendship(&token)).await
}
