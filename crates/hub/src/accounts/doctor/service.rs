//! Examining an account: asking LINE and the machine, keeping what was found, raising alerts, and what may be repaired.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use line_client::LineError;
use serde_json::json;
use tokio::time::Instant;

use super::answers;
use super::checks::{self, Readings, Unread};
use super::model::{Code, Finding, State};
use super::repo::{self, Counters, Kept, Test};
use super::rhythm;
use super::system::Machine;
use crate::accounts::login;
use crate::accounts::memory::Connected;
use crate::accounts::model::{Account, Attention, Reading};
use crate::accounts::plan;
use crate::accounts::service::{self, Deadline};
use crate::alerts::{self, Condition, Severity};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, LogAndIgnore};
use crate::error::{AppError, AppResult};
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// A reading shown is no older than this (CONTRACT "Doctor").
const FRESH: Duration = Duration::from_secs(5);
/// In rounds, the accounts share what was found about the machine.
const MACHINE_SHARED: Duration = Duration::from_secs(60);
/// LINE allows 60 tests of a webhook an hour (PLATFORM 6); a person and the hub's own program get their parts of it.
const TESTS_BY_HAND: i64 = 20;
const TESTS_ALONE: i64 = 12;
const HOUR: Duration = Duration::from_secs(3600);
/// How often the hub tests alone where the last test went well, and where it did not.
const TEST_EVERY: Duration = HOUR;
const TEST_AGAIN: Duration = Duration::from_secs(600);
/// A person who looks for a fault is shown a test that is no older.
const TEST_SHOWN: Duration = Duration::from_secs(60);
/// How long bodies wait in quarantine.
const QUARANTINED: Duration = Duration::from_secs(24 * 3600);

/// What the doctor keeps in memory.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) machine: Machine,
    runs: Mutex<HashMap<AccountId, Arc<Run>>>,
}

/// The last examination of an account; held while one is under way.
type Run = tokio::sync::Mutex<Option<Done>>;

#[derive(Debug)]
struct Done {
    began: Instant,
    ended: Instant,
    outcome: Vec<Kept>,
    is_answered: bool,
}

/// What an examination gave.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The findings of [`Code::ACCOUNT`], in that order, with their history.
    pub checks: Vec<Kept>,
    /// Whether LINE answered at all.
    pub is_answered: bool,
}

/// Examines an account now. Who asks while another's examination is under way shares its outcome.
///
/// # Errors
/// The database does not answer. A silent LINE is no error: what it was asked for is `unknown` then.
pub async fn examine(hub: &Hub, account: &Connected) -> AppResult<Examined> {
    let asked = Instant::now();
    let run = {
        let mut runs = hub.accounts.doctor.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(account.id.clone()).or_default())
    };
    let mut last = run.lock().await;
    if let Some(done) = &*last
        && done.ended > asked
        && done.began.elapsed() < FRESH
    {
        return Ok(Examined { checks: done.outcome.clone(), is_answered: done.is_answered });
    }
    let began = Instant::now();
    let examined = run_once(hub, account, false).await?;
    let (outcome, is_answered) = (examined.checks.clone(), examined.is_answered);
    *last = Some(Done { began, ended: Instant::now(), outcome, is_answered });
    Ok(examined)
}

/// Examines an account now, with whatever credentials `account` has, and shares with nobody.
///
/// # Errors
/// As [`examine`].
pub async fn examine_anew(hub: &Hub, account: &Connected) -> AppResult<Examined> {
    run_once(hub, account, false).await
}

/// One examination of the hub's own: as [`examine`], and with LINE's test where that is due.
///
/// # Errors
/// As [`examine`].
pub async fn round(hub: &Hub, account: &Connected) -> AppResult<Examined> {
    run_once(hub, account, true).await
}

async fn run_once(hub: &Hub, account: &Connected, is_round: bool) -> AppResult<Examined> {
    service::flush_one(hub, account).await;
    let before = repo::kept(&hub.db, &account.tenant, &account.id).await?;
    let age = if is_round { MACHINE_SHARED } else { FRESH };
    let (readings, machine, login) =
        tokio::join!(read(hub, account), hub.accounts.doctor.machine.findings(hub, age), login(hub, account));
    let (mut readings, mut answers) = readings?;
    answers.extend(login);
    if is_round && is_test_due(&readings, &before) {
        readings.test = test_alone(hub, account).await?.or(readings.test);
    }
    let findings = together(&readings, answers, machine);
    let after = |finding: Finding| {
        Kept::after(before.iter().find(|before| before.finding.code == finding.code), finding)
    };
    let checks: Vec<Kept> = findings.into_iter().map(after).collect();
    store(hub, account, &readings, &checks).await?;
    report(hub, account, &checks).await.log_and_ignore("raising alerts");
    let is_answered = readings.bot != Err(Unread::Silent);
    Ok(Examined { checks, is_answered })
}

/// All findings of an account, one of each code, in order.
fn together(readings: &Readings, answers: Vec<Finding>, machine: Vec<Finding>) -> Vec<Finding> {
    let mut findings = readings.findings();
    findings.extend(machine.into_iter().filter(|finding| Code::ACCOUNT.contains(&finding.code)));
    findings.extend(answers);
    // What stands first of a code counts.
    findings.extend(elsewhere(readings.at));
    findings.sort_by_key(|finding| finding.code);
    findings.dedup_by_key(|finding| finding.code);
    findings
}

/// What is found of LINE Login and LIFF; nothing where no Login channel is set up.
async fn login(hub: &Hub, account: &Connected) -> Vec<Finding> {
    let scope = Scope::tenant_wide(account.tenant.clone());
    match service::get(hub, &scope, &account.id).await {
        Ok(row) => login::service::checks(hub, &row).await,
        Err(_) => Vec::new(),
    }
}

/// What stands in for the checks of what is not set up: it cannot be judged.
fn elsewhere(now: Timestamp) -> Vec<Finding> {
    let unknown = |code, variant| Finding::new(code, State::Unknown, variant, now);
    vec![
        unknown(Code::LoginChannel, "not-set"),
        unknown(Code::Liff, "not-set"),
        unknown(Code::ProviderMatch, "not-set"),
    ]
}

/// Reads everything about an account, LINE's answers side by side.
async fn read(hub: &Hub, account: &Connected) -> AppResult<(Readings, Vec<Finding>)> {
    let (deadline, line) = (Deadline::start(), &account.line);
    let quota = async {
        let (quota, consumption) = tokio::try_join!(line.quota(), line.consumption())?;
        Ok::<_, LineError>((quota, consumption))
    };
    let (bot, endpoint, quota) = tokio::join!(
        deadline.wait(line.bot_info()),
        deadline.wait(line.webhook_endpoint()),
        deadline.wait(quota)
    );
    let bot = bot.map_err(Unread::from);
    let at = hub.now();
    let (tenant, id) = (&account.tenant, &account.id);
    let scope = Scope::tenant_wide(tenant.clone());
    let row = service::get(hub, &scope, id).await?;
    let known = repo::counters(&hub.db, id).await?;
    let ticks = plan::ticks(hub, &scope, id).await?;
    let answers = answers::findings(&row, &ticks, &bot, at);
    let readings = Readings {
        at,
        ours: hub.config.webhook_url(&account.webhook_key),
        pasted: account.has_pasted_token(),
        last_event_at: row.last_event_at,
        bot,
        endpoint: endpoint.map_err(Into::into),
        quota: quota.map_err(Into::into),
        test: repo::last_test(&hub.db, tenant, id).await?,
        counters: counted(&row, known, at),
        waiting: repo::waiting(&hub.db, tenant, id, at.minus(QUARANTINED)).await?,
        hours: repo::hours(&hub.db, tenant, id, rhythm::hour(at) - rhythm::WEEKS * 168).await?,
    };
    Ok((readings, answers))
}

/// The door's counters with the time at which they were seen to have grown.
fn counted(row: &Account, known: Option<Counters>, now: Timestamp) -> Counters {
    let known = known.unwrap_or_default();
    let grown =
        |now_is: i64, before: i64, at: Option<Timestamp>| if now_is > before { Some(now) } else { at };
    Counters {
        bad_signatures: row.bad_signatures,
        bad_signature_at: grown(row.bad_signatures, known.bad_signatures, known.bad_signature_at),
        oversized: row.oversized,
        oversized_at: grown(row.oversized, known.oversized, known.oversized_at),
    }
}

/// Whether the hub should have LINE test the webhook: when it never did, now and then, sooner after a failure, and at once
/// when the switch or the address has come back (GOTCHAS A12: how LINE resumes is not published).
fn is_test_due(readings: &Readings, before: &[Kept]) -> bool {
    let findings = readings.findings();
    let is = |code, state| findings.iter().any(|found| found.code == code && found.state == state);
    if !is(Code::UseWebhook, State::Ok) || !is(Code::Endpoint, State::Ok) {
        return false;
    }
    let Some(last) = &readings.test else { return true };
    let came_back = before.iter().any(|kept| {
        matches!(kept.finding.code, Code::UseWebhook | Code::Endpoint) && kept.judged == State::Failed
    });
    let age = readings.at.since(last.at);
    came_back || age >= if last.success { TEST_EVERY } else { TEST_AGAIN }
}

async fn test_alone(hub: &Hub, account: &Connected) -> AppResult<Option<Test>> {
    let used = repo::count_tests(&hub.db, &account.id, false, hub.now().minus(HOUR)).await?;
    if used >= TESTS_ALONE {
        return Ok(None);
    }
    Ok(test(hub, account, false).await?.ok())
}

/// Runs LINE's test of this account's address and keeps what came of it.
async fn test(hub: &Hub, account: &Connected, by_hand: bool) -> AppResult<Result<Test, LineError>> {
    let ours = hub.config.webhook_url(&account.webhook_key);
    let told = match Deadline::start().wait(account.line.test_webhook(Some(&ours))).await {
        Ok(told) => told,
        Err(error) => return Ok(Err(error)),
    };
    let test = Test {
        at: hub.now(),
        success: told.success,
        status_code: i64::from(told.status_code),
        reason: told.reason,
        detail: told.detail,
    };
    let key = crate::ids::make("tst_", test.at, &hub.entropy);
    let mut tx = hub.db.begin().await?;
    repo::add_test(&mut tx, &key, account, &test, by_hand).await?;
    tx.commit().await?;
    Ok(Ok(test))
}

/// Has LINE send an empty, signed webhook to this account's address, for a person or program that asked; at most 20 times an
/// hour, so that the hub's own tests stay possible.
///
/// # Errors
/// 404 when there is no such account in the scope, 409 `disconnected`, 429 `webhook_tests_used_up`, 502 when LINE does not
/// answer.
pub async fn test_webhook(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Test> {
    service::get(hub, scope, id).await?;
    let account = service::connected(hub, id).await?;
    if repo::count_tests(&hub.db, id, true, hub.now().minus(HOUR)).await? >= TESTS_BY_HAND {
        let detail = "LINE allows only so many tests of a webhook in an hour; try again later";
        return Err(AppError::new(StatusCode::TOO_MANY_REQUESTS, "webhook_tests_used_up", detail));
    }
    let tested = test(hub, &account, true).await?;
    tested.map_err(|error| service::unavailable(&error))
}

/// Keeps findings, the counters, and the account's status, which follows from the findings.
async fn store(hub: &Hub, account: &Connected, readings: &Readings, checks: &[Kept]) -> DbResult<()> {
    let findings: Vec<Finding> = checks.iter().map(|kept| kept.finding.clone()).collect();
    let attention = checks::attention(&findings);
    let reading = match (&readings.bot, &readings.endpoint) {
        (Ok(bot), Ok(endpoint)) => {
            Some(Reading { bot: bot.clone(), endpoint: endpoint.clone(), at: readings.at })
        }
        _ => None,
    };
    let mut tx = hub.db.begin().await?;
    repo::keep(&mut tx, account, checks).await?;
    repo::set_counters(&mut tx, account, &readings.counters, readings.at).await?;
    match (attention, reading) {
        (Some(attention), Some(reading)) => {
            crate::accounts::repo::set_reading(&mut tx, &account.id, &reading, attention).await?;
        }
        (Some(Some(Attention::Credentials)), None) => {
            let (id, at) = (&account.id, readings.at);
            crate::accounts::repo::set_attention(&mut tx, id, Attention::Credentials, at).await?;
        }
        _ => {}
    }
    tx.commit().await
}

/// The alerts that a finding can raise: code, which variants raise it (none: any that failed or warns), how bad.
const ALERTS: &[(Code, &[&str], &str)] = &[
    (Code::UseWebhook, &["off"], "webhook_off"),
    (Code::Endpoint, &["elsewhere"], "webhook_elsewhere"),
    (Code::Endpoint, &["missing"], "webhook_missing"),
    (Code::WebhookTest, &[], "webhook_unreachable"),
    (Code::Token, &[], "credentials"),
    (Code::Signature, &[], "bad_signatures"),
    (Code::Quota, &["near", "at-hand"], "quota_near"),
    (Code::Quota, &["used-up"], "quota_used"),
    (Code::LastEvent, &[], "silent"),
    (Code::LoginChannel, &[], "login_channel"),
    (Code::Liff, &[], "liff"),
    (Code::Certificate, &[], "certificate"),
    (Code::Clock, &[], "clock"),
    (Code::Storage, &[], "storage"),
];

/// Tells the alerts what is on and what is over. What could not be judged changes none.
async fn report(hub: &Hub, account: &Connected, checks: &[Kept]) -> DbResult<()> {
    for (code, variants, alert) in ALERTS {
        let Some(finding) = checks.iter().map(|kept| &kept.finding).find(|found| found.code == *code) else {
            continue;
        };
        let severity = match finding.state {
            State::Unknown => continue,
            State::Failed => Severity::Failed,
            State::Warning | State::Ok => Severity::Warning,
        };
        let is_bad = matches!(finding.state, State::Failed | State::Warning);
        let is_on = is_bad && (variants.is_empty() || variants.contains(&&*finding.variant));
        let is_machine = Code::SYSTEM.contains(code);
        let condition = Condition {
            tenant: &account.tenant,
            account: (!is_machine).then_some(&account.id),
            code: alert,
            severity,
            args: finding.alert_args(),
        };
        alerts::service::report(hub, &condition, is_on).await?;
    }
    Ok(())
}

/// What was found last, without asking anybody.
///
/// # Errors
/// 404 when there is no such account in the scope; the database.
pub async fn last(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<(Account, Vec<Kept>)> {
    let account = service::get(hub, scope, id).await?;
    let mut checks = repo::checks(&hub.db, scope, id).await?;
    checks.retain(|kept| Code::ACCOUNT.contains(&kept.finding.code));
    checks.sort_by_key(|kept| kept.finding.code);
    Ok((account, checks))
}

/// Examines an account now, for somebody who waits.
///
/// # Errors
/// 404 when there is none in the scope, 409 `disconnected`; the database.
pub async fn examine_for(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Examined> {
    service::get(hub, scope, id).await?;
    let account = service::connected(hub, id).await?;
    examine(hub, &account).await
}

/// The checks of the machine, looked for now ([`Code::SYSTEM`], in that order).
pub async fn system(hub: &Hub) -> Vec<Finding> {
    hub.accounts.doctor.machine.findings(hub, FRESH).await
}

/// Every connected account of every tenant, for the operator's command.
///
/// # Errors
/// The database does not answer.
pub async fn all(hub: &Hub) -> AppResult<Vec<Account>> {
    let mut accounts = Vec::new();
    for connected in hub.accounts.all() {
        accounts.push(service::get(hub, &Scope::tenant_wide(connected.tenant.clone()), &connected.id).await?);
    }
    accounts.sort_by_key(|account| (account.tenant_id.to_string(), account.created_at));
    Ok(accounts)
}

/// Looks at a connected account now, and changes nothing: no status, no alert. For the operator's command, which works beside
/// a hub that serves.
///
/// # Errors
/// 409 `disconnected`; the database.
pub async fn look(hub: &Hub, id: &AccountId) -> AppResult<Vec<Finding>> {
    let account = service::connected(hub, id).await?;
    let machine = hub.accounts.doctor.machine.findings(hub, MACHINE_SHARED);
    let (readings, machine, login) = tokio::join!(read(hub, &account), machine, login(hub, &account));
    let (readings, mut answers) = readings?;
    answers.extend(login);
    Ok(together(&readings, answers, machine))
}

/// Examines an account now, with LINE's own test where the last is not of this moment: for somebody who looks for a fault.
///
/// # Errors
/// As [`examine_for`].
pub async fn examine_thoroughly(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Examined> {
    service::get(hub, scope, id).await?;
    let account = service::connected(hub, id).await?;
    let last = repo::last_test(&hub.db, &account.tenant, id).await?;
    if last.is_none_or(|last| hub.now().since(last.at) >= TEST_SHOWN) {
        test_alone(hub, &account).await?;
    }
    examine(hub, &account).await
}

/// Puts this hub's webhook address (back) at LINE, has LINE test it first, and examines the account again.
///
/// # Errors
/// 404, 409 `disconnected`; 409 `webhook_unreachable` with LINE's `reason` when LINE cannot reach the hub (nothing has changed
/// then); 422 `public_url` when the public address is no https; 502 when LINE does not answer.
pub async fn put_webhook(hub: &Hub, who: (&Scope, &Actor), id: &AccountId) -> AppResult<Examined> {
    service::get(hub, who.0, id).await?;
    let account = service::connected(hub, id).await?;
    if !hub.config.is_reachable_by_line() {
        let detail =
            "LINE calls https only; set TRUNKLINE_PUBLIC_URL to the https address that leads to this hub";
        return Err(AppError::invalid_field("webhook", "public_url", detail));
    }
    let tested = test_webhook(hub, who.0, id).await?;
    if !tested.success {
        let detail = format!("LINE cannot reach this hub: {}", tested.detail);
        return Err(AppError::conflict("webhook_unreachable", detail).with("reason", tested.reason));
    }
    let ours = hub.config.webhook_url(&account.webhook_key);
    let set = Deadline::start().wait(account.line.set_webhook_endpoint(&ours)).await;
    set.map_err(|error| service::unavailable(&error))?;
    let mut tx = hub.db.begin().await?;
    crate::accounts::repo::set_registered(&mut tx, id, &hub.config.origin()).await?;
    service::audit(&mut tx, hub, who, "account.webhook_set", id, json!({ "endpoint": ours })).await?;
    tx.commit().await?;
    examine(hub, &account).await
}
