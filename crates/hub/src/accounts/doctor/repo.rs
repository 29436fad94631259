//! The SQL of the doctor.

use std::borrow::Cow;

use super::model::{Code, Finding, State};
use crate::accounts::Connected;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, TenantId};
use crate::scope::Scope;
use crate::{args, statements};

statements! {
    CHECKS = { "SELECT code, state, variant, args, checked_at, judged, since, gap_from, gap_until FROM account_checks
        WHERE account_id = $1 AND tenant_id = $2 ORDER BY code" };
    KEEP = { "INSERT INTO account_checks (account_id, tenant_id, code, state, variant, args, checked_at, judged,
            since, gap_from, gap_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (account_id, code) DO UPDATE SET state = excluded.state, variant = excluded.variant,
            args = excluded.args, checked_at = excluded.checked_at, judged = excluded.judged, since = excluded.since,
            gap_from = excluded.gap_from, gap_until = excluded.gap_until" };
    ROUND = { "SELECT bad_signatures, bad_signatures_settled, bad_signature_at, oversized, oversized_at, switched_on_at
        FROM account_rounds WHERE account_id = $1" };
    SET_ROUND = { "INSERT INTO account_rounds (account_id, tenant_id, next_at, bad_signatures, bad_signature_at,
            oversized, oversized_at, bad_signatures_settled, switched_on_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (account_id) DO UPDATE SET bad_signatures = excluded.bad_signatures,
            bad_signatures_settled = excluded.bad_signatures_settled, switched_on_at = excluded.switched_on_at,
            bad_signature_at = excluded.bad_signature_at, oversized = excluded.oversized,
            oversized_at = excluded.oversized_at" };
    // reads: accounts
    DUE = { "SELECT a.id, a.tenant_id FROM accounts AS a LEFT JOIN account_rounds AS r ON r.account_id = a.id
        WHERE a.status <> 'disconnected' AND NOT (a.attention = 'connecting' AND a.updated_at > $2
            AND a.attention IS NOT NULL)
        AND (r.next_at IS NULL OR r.next_at <= $1) ORDER BY r.next_at NULLS FIRST, a.id LIMIT $3" };
    PLAN = { "INSERT INTO account_rounds (account_id, tenant_id, next_at, bad_signatures, oversized)
        VALUES ($1, $2, $3, 0, 0) ON CONFLICT (account_id) DO UPDATE SET next_at = excluded.next_at" };
    // reads: accounts
    OWNER = { "SELECT tenant_id FROM accounts WHERE id = $1" };
    END_ROUNDS = { "DELETE FROM account_rounds WHERE account_id = $1" };
    // reads: accounts
    HAS_CONNECTED = { "SELECT id FROM accounts WHERE tenant_id = $1 AND status <> 'disconnected' ORDER BY id LIMIT 1" };
    BEGIN_TEST = { "INSERT INTO webhook_tests (id, account_id, tenant_id, channel_id, tested_at, by_hand, status_code,
            reason, detail) VALUES ($1, $2, $3, $4, $5, $6, 0, '', '')" };
    END_TEST = { "UPDATE webhook_tests SET success = $2, status_code = $3, reason = $4, detail = $5 WHERE id = $1" };
    LAST_TEST = { "SELECT tested_at AS at, success, status_code, reason, detail FROM webhook_tests
        WHERE account_id = $1 AND tenant_id = $2 AND success IS NOT NULL ORDER BY tested_at DESC, id DESC LIMIT 1" };
    COUNT_TESTS = { "SELECT COUNT(*) FROM webhook_tests WHERE channel_id = $1 AND by_hand = $2 AND tested_at > $3" };
    FORGET_TESTS = { "DELETE FROM webhook_tests WHERE tested_at <= $1" };
    ADD_HOUR = { "INSERT INTO account_hours (account_id, tenant_id, hour) VALUES ($1, $2, $3)
        ON CONFLICT (account_id, hour) DO NOTHING" };
    HOURS = { "SELECT hour FROM account_hours WHERE account_id = $1 AND tenant_id = $2 AND hour > $3 ORDER BY hour" };
    FORGET_HOURS = { "DELETE FROM account_hours WHERE hour <= $1" };
    // reads: quarantine
    WAITING = { "SELECT COUNT(*), COALESCE(MAX(received_at), 0) FROM quarantine
        WHERE account_id = $1 AND tenant_id = $2 AND received_at > $3" };
}

/// A finding with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What was found last.
    pub finding: Finding,
    /// The last state but unknown.
    pub judged: State,
    /// Since when it is that one.
    pub since: Timestamp,
    /// The last time that it failed, from and until, once that was over.
    pub gap: Option<(Timestamp, Timestamp)>,
}

impl Kept {
    /// A finding after the one before it. What could not be judged breaks no history; a failure that is over becomes the gap.
    #[must_use]
    pub fn after(before: Option<&Self>, finding: Finding) -> Self {
        let now = finding.checked_at;
        let Some(before) = before else {
            return Self { judged: finding.state, since: now, gap: None, finding };
        };
        if finding.state == State::Unknown || finding.state == before.judged {
            return Self { finding, ..before.clone() };
        }
        let gap = if before.judged == State::Failed { Some((before.since, now)) } else { before.gap };
        Self { judged: finding.state, since: now, gap, finding }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    code: String,
    state: String,
    variant: String,
    args: String,
    checked_at: Timestamp,
    judged: String,
    since: Timestamp,
    gap_from: Option<Timestamp>,
    gap_until: Option<Timestamp>,
}

/// What was found last of an account; codes that this binary does not know are left out.
pub(super) async fn checks(db: &Db, scope: &Scope, id: &AccountId) -> DbResult<Vec<Kept>> {
    kept(db, scope.tenant(), id).await
}

/// As [`checks`], for the hub's own rounds.
pub(super) async fn kept(db: &Db, tenant: &TenantId, id: &AccountId) -> DbResult<Vec<Kept>> {
    let rows: Vec<Row> = db.all(&CHECKS, args![id, tenant]).await?;
    let kept = |row: Row| {
        let finding = Finding {
            code: Code::parse(&row.code)?,
            state: State::parse(&row.state)?,
            variant: Cow::Owned(row.variant),
            args: Finding::read_args(&row.args),
            checked_at: row.checked_at,
        };
        let judged = State::parse(&row.judged)?;
        Some(Kept { finding, judged, since: row.since, gap: row.gap_from.zip(row.gap_until) })
    };
    Ok(rows.into_iter().filter_map(kept).collect())
}

/// Stores findings in place of those before.
pub(super) async fn keep(tx: &mut Tx, account: &Connected, all: &[Kept]) -> DbResult<()> {
    for Kept { finding, judged, since, gap } in all {
        let (from, until) = gap.unzip();
        let args = args![
            &account.id,
            &account.tenant,
            finding.code.as_str(),
            finding.state.as_str(),
            &*finding.variant,
            finding.args_json(),
            finding.checked_at,
            judged.as_str(),
            *since,
            from,
            until,
        ];
        tx.run(&KEEP, args).await?;
    }
    Ok(())
}

/// The webhook door's counters at the last examination, and when each had grown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Counters {
    /// Requests refused for their signature.
    pub(super) bad_signatures: i64,
    /// That number when what came lately began to come.
    pub(super) bad_signatures_settled: i64,
    /// When that number last grew; none when nothing came lately.
    pub(super) bad_signature_at: Option<Timestamp>,
    /// Requests refused for their size.
    pub(super) oversized: i64,
    /// When that number last grew.
    pub(super) oversized_at: Option<Timestamp>,
    /// When LINE's switch was first seen on since the account was connected.
    pub(super) switched_on_at: Option<Timestamp>,
}

pub(super) async fn counters(db: &Db, id: &AccountId) -> DbResult<Option<Counters>> {
    db.opt(&ROUND, args![id]).await
}

pub(super) async fn set_counters(
    tx: &mut Tx,
    account: &Connected,
    counters: &Counters,
    next: Timestamp,
) -> DbResult<()> {
    let args = args![
        &account.id,
        &account.tenant,
        next,
        counters.bad_signatures,
        counters.bad_signature_at,
        counters.oversized,
        counters.oversized_at,
        counters.bad_signatures_settled,
        counters.switched_on_at
    ];
    tx.run(&SET_ROUND, args).await.map(|_| ())
}

/// Up to `limit` connected accounts whose time has come, those never examined first. Left out is one whose connecting
/// began after `connecting`.
pub(super) async fn due(
    db: &Db,
    now: Timestamp,
    connecting: Timestamp,
    limit: i64,
) -> DbResult<Vec<(AccountId, TenantId)>> {
    db.all(&DUE, args![now, connecting, limit]).await
}

/// Sets when an account is examined next.
pub(super) async fn plan(
    tx: &mut Tx,
    (id, tenant): (&AccountId, &TenantId),
    next: Timestamp,
) -> DbResult<()> {
    tx.run(&PLAN, args![id, tenant, next]).await.map(|_| ())
}

/// Ends the rounds of an account that was disconnected.
pub(super) async fn end_rounds(tx: &mut Tx, id: &AccountId) -> DbResult<()> {
    tx.run(&END_ROUNDS, args![id]).await.map(|_| ())
}

/// Whose an account is.
pub(super) async fn owner(db: &Db, id: &AccountId) -> DbResult<Option<TenantId>> {
    Ok(db.opt::<(TenantId,)>(&OWNER, args![id]).await?.map(|(tenant,)| tenant))
}

/// A run of LINE's own test.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Test {
    /// When it ran.
    pub at: Timestamp,
    /// Whether the hub answered 200.
    pub success: bool,
    /// The status LINE saw; zero or negative without an answer.
    pub status_code: i64,
    /// LINE's word.
    pub reason: String,
    /// LINE's words.
    pub detail: String,
}

/// Whether a tenant has a connected account.
pub(super) async fn has_connected(db: &Db, tenant: &TenantId) -> DbResult<bool> {
    Ok(db.opt::<(AccountId,)>(&HAS_CONNECTED, args![tenant]).await?.is_some())
}

/// Notes that LINE is asked for a test: it counts from now on, whatever comes of it.
pub(super) async fn begin_test(
    tx: &mut Tx,
    key: &str,
    (tenant, account, channel): (&TenantId, &AccountId, &str),
    at: Timestamp,
    by_hand: bool,
) -> DbResult<()> {
    tx.run(&BEGIN_TEST, args![key, account, tenant, channel, at, by_hand]).await.map(|_| ())
}

/// Notes what came of a test.
pub(super) async fn end_test(tx: &mut Tx, key: &str, test: &Test) -> DbResult<()> {
    let (reason, detail) = (test.reason.as_str(), test.detail.as_str());
    tx.run(&END_TEST, args![key, test.success, test.status_code, reason, detail]).await.map(|_| ())
}

/// The last test that LINE told the outcome of.
pub(super) async fn last_test(db: &Db, tenant: &TenantId, id: &AccountId) -> DbResult<Option<Test>> {
    db.opt(&LAST_TEST, args![id, tenant]).await
}

/// How many tests of a channel were begun after a moment, by hand or alone.
pub(super) async fn count_tests(
    tx: &mut Tx,
    channel: &str,
    by_hand: bool,
    after: Timestamp,
) -> DbResult<i64> {
    Ok(tx.opt::<(i64,)>(&COUNT_TESTS, args![channel, by_hand, after]).await?.map_or(0, |(count,)| count))
}

/// Notes that events came in during an hour (hours since 1970).
pub(in crate::accounts) async fn add_hour(tx: &mut Tx, account: &Connected, hour: i64) -> DbResult<()> {
    tx.run(&ADD_HOUR, args![&account.id, &account.tenant, hour]).await.map(|_| ())
}

/// The hours after one in which events came in, in order.
pub(super) async fn hours(db: &Db, tenant: &TenantId, id: &AccountId, after: i64) -> DbResult<Vec<i64>> {
    let rows: Vec<(i64,)> = db.all(&HOURS, args![id, tenant, after]).await?;
    Ok(rows.into_iter().map(|(hour,)| hour).collect())
}

/// Removes what is older than it is used.
pub(super) async fn forget(tx: &mut Tx, tests: Timestamp, hour: i64) -> DbResult<()> {
    tx.run(&FORGET_TESTS, args![tests]).await?;
    tx.run(&FORGET_HOURS, args![hour]).await.map(|_| ())
}

/// How many requests wait in quarantine since a moment, and when the last came.
pub(super) async fn waiting(
    db: &Db,
    tenant: &TenantId,
    id: &AccountId,
    since: Timestamp,
) -> DbResult<(i64, Timestamp)> {
    let found: Option<(i64, Timestamp)> = db.opt(&WAITING, args![id, tenant, since]).await?;
    Ok(found.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::accounts::testing;
    use crate::app::testing::{START, TestHub};
    use crate::db::testing::Engine;
    use crate::team::{self, Actor};

    fn found(state: State, minutes: u64) -> Finding {
        Finding::new(Code::UseWebhook, state, "on", START.plus(Duration::from_secs(minutes * 60)))
    }

    fn at(minutes: u64) -> Timestamp {
        START.plus(Duration::from_secs(minutes * 60))
    }

    // GOTCHAS A12: the gap stays to be seen after it is over.
    #[test]
    fn a_failure_that_is_over_is_remembered_with_its_times() {
        let first = Kept::after(None, found(State::Ok, 0));
        let failing = Kept::after(Some(&first), found(State::Failed, 5));
        assert_eq!((failing.since, failing.gap), (at(5), None));
        let silent = Kept::after(Some(&failing), found(State::Unknown, 10));
        assert_eq!(
            (silent.finding.state, silent.judged, silent.since),
            (State::Unknown, State::Failed, at(5))
        );
        let still = Kept::after(Some(&silent), found(State::Failed, 15));
        assert_eq!(still.since, at(5));
        let well = Kept::after(Some(&still), found(State::Ok, 20));
        assert_eq!((well.since, well.gap), (at(20), Some((at(5), at(20)))));
        assert_eq!(Kept::after(Some(&well), found(State::Ok, 25)).gap, Some((at(5), at(20))));
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn findings_tests_and_hours_are_kept_for_their_account(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let hub = &test.hub;
        let tenant =
            team::service::create_tenant(hub, "shop", None, &Actor::System("test")).await.unwrap().id;
        let other =
            team::service::create_tenant(hub, "other", None, &Actor::System("test")).await.unwrap().id;
        let account = testing::connected(hub, &tenant, "1656000000").await;
        let kept = Kept::after(None, found(State::Failed, 0).with("address", "https://x.example/"));
        let later = Kept::after(Some(&kept), found(State::Ok, 9));
        for kept in [&kept, &later] {
            let mut tx = hub.db.begin().await.unwrap();
            keep(&mut tx, &account, std::slice::from_ref(kept)).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(super::kept(&hub.db, &tenant, &account.id).await.unwrap(), std::slice::from_ref(kept));
        }
        let (mine, theirs) = (Scope::tenant_wide(tenant.clone()), Scope::tenant_wide(other.clone()));
        assert_eq!(checks(&hub.db, &mine, &account.id).await.unwrap().len(), 1);
        assert_eq!(checks(&hub.db, &theirs, &account.id).await.unwrap(), [], "another tenant sees nothing");

        // LINE's tests, by hand and alone.
        let run =
            |success, at| Test { at, success, status_code: 200, reason: "OK".into(), detail: "200".into() };
        let mut tx = hub.db.begin().await.unwrap();
        let whose = (&tenant, &account.id, "1656000000");
        for (key, minute, by_hand) in [("a", 1, true), ("b", 2, false), ("c", 3, false)] {
            begin_test(&mut tx, key, whose, at(minute), by_hand).await.unwrap();
        }
        end_test(&mut tx, "a", &run(false, at(1))).await.unwrap();
        end_test(&mut tx, "b", &run(true, at(2))).await.unwrap();
        for (by_hand, after, count) in [(true, 0, 1), (true, 1, 0), (false, 0, 2)] {
            let counted = count_tests(&mut tx, "1656000000", by_hand, at(after)).await.unwrap();
            assert_eq!(counted, count, "one that has no outcome counts too");
        }
        for hour in [7, 8, 8] {
            add_hour(&mut tx, &account, hour).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(last_test(&hub.db, &tenant, &account.id).await.unwrap(), Some(run(true, at(2))));
        assert_eq!(last_test(&hub.db, &other, &account.id).await.unwrap(), None);
        assert_eq!(hours(&hub.db, &tenant, &account.id, 6).await.unwrap(), [7, 8]);
        assert_eq!(hours(&hub.db, &other, &account.id, 6).await.unwrap(), [0_i64; 0]);
        assert_eq!(waiting(&hub.db, &tenant, &account.id, at(0)).await.unwrap().0, 0);

        // Rounds: never examined is due, planned is not until its time.
        let whose = (account.id.clone(), tenant.clone());
        assert_eq!(due(&hub.db, at(0), at(0), 9).await.unwrap(), std::slice::from_ref(&whose));
        let counters = Counters {
            bad_signatures: 3,
            bad_signatures_settled: 1,
            bad_signature_at: Some(at(1)),
            switched_on_at: Some(at(0)),
            ..Counters::default()
        };
        let mut tx = hub.db.begin().await.unwrap();
        plan(&mut tx, (&account.id, &tenant), at(5)).await.unwrap();
        set_counters(&mut tx, &account, &counters, at(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(due(&hub.db, at(4), at(0), 9).await.unwrap(), []);
        assert_eq!(due(&hub.db, at(5), at(0), 9).await.unwrap(), [whose]);
        assert_eq!(super::counters(&hub.db, &account.id).await.unwrap(), Some(counters));
        let mut tx = hub.db.begin().await.unwrap();
        forget(&mut tx, at(1), 7).await.unwrap();
        end_rounds(&mut tx, &account.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(hours(&hub.db, &tenant, &account.id, 0).await.unwrap(), [8]);
        assert_eq!(super::counters(&hub.db, &account.id).await.unwrap(), None);
        test.close().await;
    }
}
