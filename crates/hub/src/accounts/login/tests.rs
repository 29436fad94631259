//! The SQL of Login channels and tests on both databases: late answers change nothing that they are not about.

use rstest::rstest;

use super::model::{Kind, ProviderMatch};
use super::repo::{self, LiffRow, NewRun, Saved};
use crate::accounts::testing;
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::ids::{AccountId, LoginTestId, TenantId};
use crate::scope::Scope;
use crate::team::{self, Actor};

const ACTOR: Actor = Actor::System("test");

async fn tenant(test: &TestHub, name: &str) -> TenantId {
    team::service::create_tenant(&test.hub, name, None, &ACTOR).await.unwrap().id
}

async fn save(
    test: &TestHub,
    (account, tenant): (&AccountId, &TenantId),
    channel: &str,
) -> crate::db::DbResult<()> {
    let row = Saved {
        account,
        tenant,
        channel_id: channel,
        serial: 1,
        sealed: "sealed",
        public_url: "https://hub.test",
        now: test.hub.now(),
        by: "test",
        is_other: true,
    };
    let mut tx = test.hub.db.begin().await?;
    repo::save(&mut tx, &row).await?;
    tx.commit().await
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn late_answers_about_another_channel_change_nothing(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let (ours, theirs) = (tenant(&test, "三杯茶").await, tenant(&test, "四杯茶").await);
    let scope = Scope::tenant_wide(ours.clone());
    let account = testing::connected(&test.hub, &ours, "1656000000").await.id.clone();
    let other = testing::connected(&test.hub, &ours, "1656000001").await.id.clone();
    let rival = testing::connected(&test.hub, &theirs, "1656000002").await.id.clone();
    save(&test, (&account, &ours), "1657000001").await.unwrap();
    save(&test, (&account, &ours), "1657000002").await.unwrap();
    let now = test.hub.now();
    let app = LiffRow { id: Some("1657000001-a".to_owned()), ..LiffRow::default() };
    let found = async || repo::find(&test.hub.db, &scope, &account).await.unwrap().unwrap();
    let mut tx = test.hub.db.begin().await.unwrap();
    repo::set_liff(&mut tx, (&account, "1657000001"), &app, now).await.unwrap();
    repo::set_liff_fault(&mut tx, (&account, "1657000001"), "missing", now).await.unwrap();
    repo::set_provider(&mut tx, (&account, "1657000001"), ProviderMatch::Other, now).await.unwrap();
    tx.commit().await.unwrap();
    let row = found().await;
    assert_eq!((row.liff_id.as_deref(), row.fault(), row.provider()), (None, None, ProviderMatch::Unknown));
    // "Other" gives way to a proof; a proof to nothing.
    for (provider, kept) in [
        (ProviderMatch::Other, ProviderMatch::Other),
        (ProviderMatch::Same, ProviderMatch::Same),
        (ProviderMatch::Other, ProviderMatch::Same),
    ] {
        let mut tx = test.hub.db.begin().await.unwrap();
        repo::set_provider(&mut tx, (&account, "1657000002"), provider, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found().await.provider(), kept);
    }
    // One account of a tenant for each Login channel, whoever is faster.
    assert!(save(&test, (&other, &ours), "1657000002").await.unwrap_err().is_unique());
    save(&test, (&rival, &theirs), "1657000002").await.unwrap();
    // A test ends once, and is settled once.
    let id: LoginTestId = test.hub.id();
    let run = NewRun {
        id: &id,
        account: &account,
        tenant: &ours,
        kind: Kind::Login,
        now,
        by: "test",
        findings: "[]",
        is_over: false,
    };
    let (key, subject) = ((&account, &id), "1657000002/hash");
    let mut tx = test.hub.db.begin().await.unwrap();
    repo::add_run(&mut tx, &run, now).await.unwrap();
    assert!(repo::end_run(&mut tx, key, "[]", Some(subject), now).await.unwrap());
    assert!(!repo::end_run(&mut tx, key, "[]", None, now).await.unwrap());
    tx.commit().await.unwrap();
    let run = repo::run(&test.hub.db, &account, &id).await.unwrap().unwrap();
    assert_eq!(run.awaited("1657000002", now), Some(subject));
    assert_eq!(run.awaited("1657000001", now), None, "not at a channel that was changed meanwhile");
    assert!(run.code().len() == 8 && run.code().bytes().all(|byte| byte.is_ascii_digit()));
    let mut tx = test.hub.db.begin().await.unwrap();
    assert!(!repo::settle_run(&mut tx, key, "[]", "1657000002/another").await.unwrap());
    assert!(repo::settle_run(&mut tx, key, "[]", subject).await.unwrap());
    assert!(!repo::settle_run(&mut tx, key, "[]", subject).await.unwrap());
    tx.commit().await.unwrap();
    test.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(run.awaited("1657000002", test.hub.now()), None, "for an hour");
    test.close().await;
}
