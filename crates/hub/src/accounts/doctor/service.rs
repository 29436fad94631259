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
use crate::error::{AppError, AppResult, FieldError};
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
const USED_UP: &str = "webhook_tests_used_up";
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
    pub(super) runs: Mutex<HashMap<AccountId, Arc<Run>>>,
}

/// The last examination of an account; held while one is under way.
pub(super) type Run = tokio::sync::Mutex<Option<Done>>;

#[derive(Debug)]
pub(super) struct Done {
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

/// Examines an account now. Who asks while another's examination is under way shares its outcome. What is not answered by the
/// deadline is unknown.
///
/// # Errors
/// The database does not answer. A silent LINE is no error: what it was asked for is `unknown` then.
pub(in crate::accounts) async fn examine(
    hub: &Hub,
    account: &Connected,
    deadline: Deadline,
) -> AppResult<Examined> {
    let asked = Instant::now();
    let run = {
        let mut runs = hub.accounts.doctor.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(account.id.clone()).or_default())
    };
    // Whoever is at work may have begun with more time left than this one has.
    let Some(mut last) = deadline.within(run.lock()).await else {
        return Box::pin(run_once(hub, account, false, deadline)).await;
    };
    if let Some(done) = &*last
        && done.ended > asked
        && done.began.elapsed() < FRESH
    {
        return Ok(Examined { checks: done.outcome.clone(), is_answered: done.is_answered });
    }
    let began = Instant::now();
    let examined = run_once(hub, account, false, deadline).await?;
    let (outcome, is_answered) = (examined.checks.clone(), examined.is_answered);
    *last = Some(Done { began, ended: Instant::now(), outcome, is_answered });
    Ok(examined)
}

/// Examines an account now, with whatever credentials `account` has, and shares with nobody.
///
/// # Errors
/// As [`examine_for`].
pub async fn examine_anew(hub: &Hub, account: &Connected) -> AppResult<Examined> {
    run_once(hub, account, false, Deadline::start()).await
}

/// One examination of the hub's own: as [`examine_for`], and with LINE's test where that is due.
///
/// # Errors
/// As [`examine_for`].
pub async fn round(hub: &Hub, account: &Connected) -> AppResult<Examined> {
    run_once(hub, account, true, Deadline::start()).await
}

async fn run_once(hub: &Hub, account: &Connected, is_round: bool, deadline: Deadline) -> AppResult<Examined> {
    service::flush_one(hub, account).await;
    let before = repo::kept(&hub.db, &account.tenant, &account.id).await?;
    let age = if is_round { MACHINE_SHARED } else { FRESH };
    // Boxed, as each holds several calls to LINE: a future of all of them would be too large for a thread's stack.
    let (readings, machine, login) = tokio::join!(
        Box::pin(read(hub, account, deadline)),
        Box::pin(hub.accounts.doctor.machine.findings(hub, age, deadline)),
        Box::pin(login(hub, account, deadline)),
    );
    let (mut readings, mut answers) = readings?;
    answers.extend(login?);
    if is_round && is_test_due(&readings, &before) {
        // Nobody waits for a round.
        readings.test = test_alone(hub, account, Deadline::start()).await?.or(readings.test);
    }
    let findings = together(&readings, answers, machine);
    let after = |finding: Finding| {
        Kept::after(before.iter().find(|before| before.finding.code == finding.code), finding)
    };
    let checks: Vec<Kept> = findings.into_iter().map(after).collect();
    store(hub, account, &readings, &checks).await?;
    report(hub, account, &readings, &checks).await.log_and_ignore("raising alerts");
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
async fn login(hub: &Hub, account: &Connected, deadline: Deadline) -> AppResult<Vec<Finding>> {
    let scope = Scope::tenant_wide(account.tenant.clone());
    let row = service::get(hub, &scope, &account.id).await?;
    Ok(login::service::checks(hub, &row, deadline).await?)
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
async fn read(hub: &Hub, account: &Connected, deadline: Deadline) -> AppResult<(Readings, Vec<Finding>)> {
    let line = &account.line;
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
    let mut readings = Readings {
        at,
        key: account.webhook_key.clone(),
        is_registered: row.registered_url.is_some(),
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
    if readings.is_switched_on() {
        readings.counters.switched_on_at.get_or_insert(at);
    }
    Ok((readings, answers))
}

/// The door's counters with the time at which they were seen to have grown.
fn counted(row: &Account, known: Option<Counters>, now: Timestamp) -> Counters {
    let known = known.unwrap_or_default();
    let grown =
        |now_is: i64, before: i64, at: Option<Timestamp>| if now_is > before { Some(now) } else { at };
    // What a new secret was found to sign is counted no more: nothing came lately when that was all of it.
    let is_lately = known.bad_signature_at.is_some_and(|at| checks::is_lately(now, at));
    let settled = if is_lately { known.bad_signatures_settled } else { known.bad_signatures };
    let settled = settled.min(row.bad_signatures);
    let bad_at = grown(row.bad_signatures, known.bad_signatures, known.bad_signature_at);
    Counters {
        bad_signatures: row.bad_signatures,
        bad_signatures_settled: settled,
        bad_signature_at: bad_at.filter(|_| row.bad_signatures > settled),
        oversized: row.oversized,
        oversized_at: grown(row.oversized, known.oversized, known.oversized_at),
        switched_on_at: known.switched_on_at,
    }
}

/// Whether the hub should have LINE test the webhook: when it never did, now and then, sooner after a failure, and at once
/// when the switch or the address has come back (GOTCHAS A12: how LINE resumes is not published).
fn is_test_due(readings: &Readings, before: &[Kept]) -> bool {
    if !readings.is_switched_on() {
        return false;
    }
    let Some(last) = &readings.test else { return true };
    let came_back = before.iter().any(|kept| {
        matches!(kept.finding.code, Code::UseWebhook | Code::Endpoint) && kept.judged == State::Failed
    });
    let age = readings.at.since(last.at);
    came_back || age >= if last.success { TEST_EVERY } else { TEST_AGAIN }
}

async fn test_alone(hub: &Hub, account: &Connected, deadline: Deadline) -> AppResult<Option<Test>> {
    let ours = hub.config.webhook_url(&account.webhook_key);
    match run_test(hub, &Webhook::of(account, &account.line, &ours), false, deadline).await {
        Ok(tested) => Ok(tested.ok()),
        Err(error) if error.code == USED_UP => Ok(None),
        Err(error) => Err(error),
    }
}

/// An address that LINE is to test.
#[derive(Debug)]
pub(in crate::accounts) struct Webhook<'a> {
    account: &'a Connected,
    line: &'a line_client::Account,
    address: &'a str,
}

impl<'a> Webhook<'a> {
    /// An address for an account, tested by calls with these credentials.
    pub(in crate::accounts) const fn of(
        account: &'a Connected,
        line: &'a line_client::Account,
        address: &'a str,
    ) -> Self {
        Self { account, line, address }
    }
}

/// Runs LINE's test and keeps what came of it: the one way to it, so that all tests of a channel count together, also those
/// under way and those that LINE did not answer.
///
/// # Errors
/// 429 `webhook_tests_used_up` when there were too many within an hour, alone or by hand; 409 `disconnected`; the database.
/// Within: LINE's.
pub(in crate::accounts) async fn run_test(
    hub: &Hub,
    webhook: &Webhook<'_>,
    by_hand: bool,
    deadline: Deadline,
) -> AppResult<Result<Test, LineError>> {
    let Webhook { account, line, address } = *webhook;
    let channel = account.credentials.channel_id.as_str();
    let most = if by_hand { TESTS_BY_HAND } else { TESTS_ALONE };
    let at = hub.now();
    let key = crate::ids::make("tst_", at, &hub.entropy);
    let mut tx = hub.db.begin().await?;
    // One at a time: a channel is connected once.
    if !crate::accounts::repo::lock_live(&mut tx, &account.tenant, &account.id).await? {
        return Err(service::disconnected());
    }
    if repo::count_tests(&mut tx, channel, by_hand, at.minus(HOUR)).await? >= most {
        let detail = "LINE allows only so many tests of a webhook in an hour; try again later";
        let mut error = AppError::new(StatusCode::TOO_MANY_REQUESTS, USED_UP, detail);
        error.fields = vec![FieldError::new("set_webhook", USED_UP, detail)];
        return Err(error);
    }
    repo::begin_test(&mut tx, &key, (&account.tenant, &account.id, channel), at, by_hand).await?;
    tx.commit().await?;
    let told = match deadline.wait(line.test_webhook(Some(address))).await {
        Ok(told) => told,
        Err(error) => return Ok(Err(error)),
    };
    let test = Test {
        at,
        success: told.success,
        status_code: i64::from(told.status_code),
        reason: told.reason,
        detail: told.detail,
    };
    let mut tx = hub.db.begin().await?;
    repo::end_test(&mut tx, &key, &test).await?;
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
    test_ours(hub, &account, Deadline::start()).await
}

async fn test_ours(hub: &Hub, account: &Connected, deadline: Deadline) -> AppResult<Test> {
    let ours = hub.config.webhook_url(&account.webhook_key);
    let tested = run_test(hub, &Webhook::of(account, &account.line, &ours), true, deadline).await?;
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
    if let Some(origin) = readings.public_url() {
        // From now on another address there is trouble, whoever set this one.
        crate::accounts::repo::set_seen(&mut tx, &account.id, &account.webhook_key, origin).await?;
    }
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

/// The alerts that a finding can raise: code, which variants raise it (none: any that failed or warns), its name.
pub(super) const ALERTS: &[(Code, &[&str], &str)] = &[
    (Code::UseWebhook, &["off"], "webhook_off"),
    (Code::Endpoint, &["elsewhere"], "webhook_elsewhere"),
    (Code::Endpoint, &["missing"], "webhook_missing"),
    (Code::WebhookTest, &[], "webhook_unreachable"),
    (Code::Token, &[], "credentials"),
    (Code::Signature, &[], "bad_signatures"),
    (Code::Quota, &["near", "at-hand"], QUOTA_NEAR),
    (Code::Quota, &["used-up"], "quota_used"),
    (Code::LastEvent, &[], "silent"),
    (Code::LoginChannel, &["refused"], "login_channel"),
    (Code::LoginChannel, &["no-secret"], "login_secret"),
    (Code::Liff, &[], "liff"),
    (Code::Certificate, &[], "certificate"),
    (Code::Clock, &[], "clock"),
    (Code::Storage, &[], "storage"),
];
/// The codes of the alerts that the findings about an account can raise; those about the machine are not among them.
pub fn account_alerts() -> impl Iterator<Item = &'static str> {
    ALERTS.iter().filter(|(code, ..)| !Code::SYSTEM.contains(code)).map(|(.., alert)| *alert)
}

/// Says less than `quota_used`.
const QUOTA_NEAR: &str = "quota_near";
/// What is not there has no trouble, though it cannot be judged.
const NOT_THERE: [&str; 4] = ["not-set", "never", "loopback", "not-https"];

/// Tells the alerts what is on and what is over. What could not be judged changes none.
pub(super) async fn report(
    hub: &Hub,
    account: &Connected,
    readings: &Readings,
    checks: &[Kept],
) -> DbResult<()> {
    for (code, variants, alert) in ALERTS {
        let Some(finding) = checks.iter().map(|kept| &kept.finding).find(|found| found.code == *code) else {
            continue;
        };
        let severity = match finding.state {
            State::Unknown if NOT_THERE.contains(&&*finding.variant) => Severity::Warning,
            State::Unknown => continue,
            State::Failed => Severity::Failed,
            State::Warning | State::Ok => Severity::Warning,
        };
        if *alert == QUOTA_NEAR && finding.state == State::Failed {
            // It is not over, it is worse; the other alert says so.
            alerts::service::end(hub, &account.tenant, Some(&account.id), Some(alert)).await?;
            continue;
        }
        let is_bad = matches!(finding.state, State::Failed | State::Warning);
        let mut is_on = is_bad && (variants.is_empty() || variants.contains(&&*finding.variant));
        if *code == Code::UseWebhook {
            // Before LINE's switch was ever on, somebody is on the way to it.
            is_on &= readings.counters.switched_on_at.is_some();
        }
        if *code == Code::WebhookTest {
            // Where the events go elsewhere by choice, nobody waits for them here.
            is_on &= !readings.is_left();
        }
        let is_machine = Code::SYSTEM.contains(code);
        let condition = Condition {
            tenant: &account.tenant,
            account: (!is_machine).then_some(&account.id),
            code: alert,
            severity,
            level: level(finding),
            node: matches!(code, Code::Clock | Code::Storage).then_some(hub.node.as_str()),
            args: finding.alert_args(),
        };
        alerts::service::report(hub, &condition, is_on).await?;
    }
    Ok(())
}

/// How far a finding has gone: people are told again when it goes further.
fn level(finding: &Finding) -> i64 {
    match (finding.code, &*finding.variant, finding.state) {
        (Code::Certificate, "expired", _) => 3,
        (Code::Quota, "at-hand", _) | (_, _, State::Failed) => 2,
        (_, _, State::Warning) => 1,
        (_, _, State::Unknown | State::Ok) => 0,
    }
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
    examine(hub, &account, Deadline::start()).await
}

/// The checks of the machine, looked for now ([`Code::SYSTEM`], in that order).
pub async fn system(hub: &Hub) -> Vec<Finding> {
    hub.accounts.doctor.machine.findings(hub, FRESH, Deadline::start()).await
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
    let deadline = Deadline::start();
    let machine = hub.accounts.doctor.machine.findings(hub, MACHINE_SHARED, deadline);
    let (readings, machine, login) =
        tokio::join!(read(hub, &account, deadline), machine, login(hub, &account, deadline));
    let (readings, mut answers) = readings?;
    answers.extend(login?);
    Ok(together(&readings, answers, machine))
}

/// Examines an account now, with LINE's own test where the last is not of this moment: for somebody who looks for a fault.
///
/// # Errors
/// As [`examine_for`].
pub async fn examine_thoroughly(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Examined> {
    service::get(hub, scope, id).await?;
    let account = service::connected(hub, id).await?;
    let deadline = Deadline::start();
    let last = repo::last_test(&hub.db, &account.tenant, id).await?;
    if last.is_none_or(|last| hub.now().since(last.at) >= TEST_SHOWN) {
        test_alone(hub, &account, deadline).await?;
    }
    examine(hub, &account, deadline).await
}

/// Puts this hub's webhook address (back) at LINE, has LINE test it first, reads it back, and examines the account again. An
/// address of another system that had been left there is kept, to be put back or relayed to later; one that took the hub's
/// place is only in the audit log.
///
/// # Errors
/// 404, 409 `disconnected`; 409 `webhook_unreachable` with LINE's `reason` when LINE cannot reach the hub (nothing has changed
/// then); 409 `webhook_not_set` when LINE took the address and shows another one; 422 `public_url` when the public address is
/// no https; 429 `webhook_tests_used_up`; 502 when LINE does not answer.
pub async fn put_webhook(hub: &Hub, who: (&Scope, &Actor), id: &AccountId) -> AppResult<Examined> {
    let row = service::get(hub, who.0, id).await?;
    let account = service::connected(hub, id).await?;
    if !hub.config.is_reachable_by_line() {
        let detail =
            "LINE calls https only; set TRUNKLINE_PUBLIC_URL to the https address that leads to this hub";
        return Err(AppError::invalid_field("webhook", "public_url", detail));
    }
    let (line, deadline) = (&account.line, Deadline::start());
    let silent = |error: LineError| service::unavailable(&error);
    let found = deadline.wait(line.webhook_endpoint()).await.map_err(silent)?;
    let others = found.map(|found| found.endpoint).filter(|address| !address.is_empty());
    let others = others.filter(|address| !row.is_own_webhook(address));
    let tested = test_ours(hub, &account, deadline).await?;
    if !tested.success {
        let detail = format!("LINE cannot reach this hub: {}", tested.detail);
        return Err(AppError::conflict("webhook_unreachable", detail).with("reason", tested.reason));
    }
    if let Some(others) = &others {
        // Before the call, whose answer may be lost.
        let mut tx = hub.db.begin().await?;
        crate::accounts::repo::set_found(&mut tx, id, others).await?;
        tx.commit().await?;
    }
    let ours = hub.config.webhook_url(&account.webhook_key);
    deadline.wait(line.set_webhook_endpoint(&ours)).await.map_err(silent)?;
    let mut tx = hub.db.begin().await?;
    crate::accounts::repo::set_registered(&mut tx, id, &hub.config.origin()).await?;
    let detail = json!({ "endpoint": ours, "replaced_endpoint": others });
    service::audit(&mut tx, hub, who, "account.webhook_set", id, detail).await?;
    tx.commit().await?;
    let read = deadline.wait(line.webhook_endpoint()).await.map_err(silent)?;
    let read = read.map_or_else(|| "none".to_owned(), |read| read.endpoint);
    if read != ours {
        let detail = format!("LINE took the address {ours}, but shows {read}; check again in a minute");
        return Err(AppError::conflict("webhook_not_set", detail));
    }
    examine(hub, &account, deadline).await
}
