//! The keys' SQL on both databases, and what happens to them without a LINE.

use rstest::rstest;

use super::{KeyState, repo, service};
use crate::accounts::testing;
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::ids::{SigningKeyId, TenantId};
use crate::scope::Scope;
use crate::team::{self, Actor};

const ACTOR: Actor = Actor::System("test");
const CHANNEL: &str = "1656000000";

async fn tenant(test: &TestHub, name: &str) -> TenantId {
    team::service::create_tenant(&test.hub, name, None, &ACTOR).await.unwrap().id
}

async fn activate(test: &TestHub, scope: &Scope, id: &SigningKeyId) -> bool {
    let mut tx = test.hub.db.begin().await.unwrap();
    let (tenant, at) = (scope.tenant(), (test.hub.now(), "test"));
    let done = repo::activate(&mut tx, tenant, (id, CHANNEL, "kid"), at).await.unwrap();
    tx.commit().await.unwrap();
    done
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_key_of_a_channel_is_active_and_nobody_else_sees_it(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let (ours, theirs) = (tenant(&test, "三杯茶").await, tenant(&test, "四杯茶").await);
    let agent = Scope::agent(ours.clone(), test.hub.id());
    let (scope, rival) = (Scope::tenant_wide(ours.clone()), Scope::tenant_wide(theirs.clone()));
    let first = service::create(&test.hub, (&scope, &ACTOR), "１６５６000000\n").await.unwrap();
    let second = service::create(&test.hub, (&scope, &ACTOR), CHANNEL).await.unwrap();
    assert_eq!((first.channel_id.as_str(), first.state), (CHANNEL, KeyState::Waiting));
    assert_ne!(first.public_jwk, second.public_jwk);
    // Another tenant may make keys for the same channel; whose the channel is, connecting finds out.
    service::create(&test.hub, (&rival, &ACTOR), CHANNEL).await.unwrap();
    for (scope, count) in [(&scope, 2), (&rival, 1), (&agent, 0)] {
        assert_eq!(service::list(&test.hub, scope, Some(CHANNEL), None, 10).await.unwrap().len(), count);
    }
    let page = service::list(&test.hub, &scope, None, Some(&(first.created_at, first.id.clone())), 1).await;
    assert_eq!(page.unwrap()[0].id, second.id);
    for other in [&rival, &agent] {
        assert!(service::get(&test.hub, other, &first.id).await.is_err());
        assert!(service::delete(&test.hub, (other, &ACTOR), &first.id).await.is_err());
        assert!(repo::private(&test.hub.db, other, &first.id).await.unwrap().is_none());
    }
    assert!(repo::active(&test.hub.db, &ours, CHANNEL).await.unwrap().is_none());
    assert!(activate(&test, &scope, &first.id).await);
    assert!(!activate(&test, &rival, &second.id).await);
    assert!(activate(&test, &scope, &second.id).await);
    assert_eq!(repo::active(&test.hub.db, &ours, CHANNEL).await.unwrap().unwrap().id, second.id);
    assert!(repo::active(&test.hub.db, &theirs, CHANNEL).await.unwrap().is_none());
    let before = service::get(&test.hub, &scope, &first.id).await.unwrap();
    assert_eq!((before.state, before.is_usable), (KeyState::Retired, true));
    // A day later its private part is gone; the active one's stays.
    test.clock.advance(service::KEPT);
    service::expire(&test.hub).await.unwrap();
    assert!(!service::get(&test.hub, &scope, &first.id).await.unwrap().is_usable);
    assert!(service::get(&test.hub, &scope, &second.id).await.unwrap().is_usable);
    assert!(!activate(&test, &scope, &first.id).await);
    test.close().await;
}

// S0-23: sealed for its row, and part of the rotation of the master key.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn private_parts_are_sealed_and_sealed_anew(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let scope = Scope::tenant_wide(tenant(&test, "三杯茶").await);
    let first = service::create(&test.hub, (&scope, &ACTOR), CHANNEL).await.unwrap();
    let second = service::create(&test.hub, (&scope, &ACTOR), CHANNEL).await.unwrap();
    let sealed = repo::private(&test.hub.db, &scope, &first.id).await.unwrap().unwrap();
    assert!(sealed.starts_with("v1.") && service::open(&test.hub, &first.id, &sealed, "k").is_ok());
    assert!(service::open(&test.hub, &second.id, &sealed, "k").is_err(), "it opens in its own row only");
    assert_eq!(service::reseal(&test.hub).await.unwrap(), 0);
    // The same databases under a keyring with a newer version: everything is sealed anew, and opens as before.
    let rotated = test.rotated("rotated").await;
    assert_eq!(service::reseal(&rotated).await.unwrap(), 2);
    assert_eq!(service::reseal(&rotated).await.unwrap(), 0);
    let anew = repo::private(&rotated.db, &scope, &first.id).await.unwrap().unwrap();
    assert!(anew.starts_with("v2.") && service::open(&rotated, &first.id, &anew, "k").is_ok());
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn tokens_are_issued_by_the_active_key_on_every_node(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let ours = tenant(&test, "三杯茶").await;
    let scope = Scope::tenant_wide(ours.clone());
    let account = testing::connected(&test.hub, &ours, CHANNEL).await;
    let other = test.node("other").await;
    crate::accounts::service::load(&other).await.unwrap();
    let key = service::create(&test.hub, (&scope, &ACTOR), CHANNEL).await.unwrap();
    assert!(activate(&test, &scope, &key.id).await);
    let by_key = |hub: &crate::app::Hub| hub.accounts.by_id(&account.id).unwrap().credentials.key.clone();
    assert_eq!(by_key(&other), None);
    // Every node reads again now and then what another one may have changed.
    crate::accounts::service::reread_all(&other).await.unwrap();
    assert_eq!(by_key(&other), Some((key.id.to_string(), "kid".to_owned())));
    other.stop.cancel();
    test.close().await;
}
