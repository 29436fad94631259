//! What holds between the opening of an alert and its notice, on both databases.

use rstest::rstest;
use testkit::Receiver;

use super::{Changes, Condition, Severity, change, reseal, service};
use crate::app::Hub;
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::ids::TenantId;
use crate::scope::Scope;
use crate::team::Actor;
use crate::{jobs, wiring};

const ACTOR: Actor = Actor::System("test");

async fn tenant(hub: &Hub, name: &str, receiver: &Receiver) -> TenantId {
    let tenant = crate::team::service::create_tenant(hub, name, None, &ACTOR).await.unwrap().id;
    let webhook_url = Some(receiver.url.to_string());
    let changes = Changes { webhook_on: Some(true), webhook_url, ..Changes::default() };
    let (_, secret) = change(hub, &tenant, changes, &ACTOR).await.unwrap();
    assert!(secret.unwrap().starts_with("whsec_"));
    tenant
}

const fn clock(tenant: &TenantId) -> Condition<'_> {
    let args = serde_json::Value::Null;
    Condition {
        tenant,
        account: None,
        code: "clock",
        severity: Severity::Warning,
        level: 1,
        node: None,
        args,
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_process_that_dies_before_it_told_loses_and_doubles_nothing(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let receiver = Receiver::start().await;
    let tenant = tenant(&test.hub, "tea", &receiver).await;
    // The process that opens it runs no jobs any more; two others both find it, and both see the condition again.
    service::report(&test.hub, &clock(&tenant), true).await.unwrap();
    assert_eq!(receiver.received().len(), 0);
    let (one, two) = (test.node("one").await, test.node("two").await);
    let registry = wiring::jobs();
    let conditions = (clock(&tenant), clock(&tenant));
    let (seen, seen_too) =
        tokio::join!(service::report(&one, &conditions.0, true), service::report(&two, &conditions.1, true));
    seen.and(seen_too).unwrap();
    let (ran, ran_too) = tokio::join!(jobs::run_pending(&one, &registry), jobs::run_pending(&two, &registry));
    ran.and(ran_too).unwrap();
    assert_eq!(receiver.received().len(), 1);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn two_processes_that_see_it_at_once_open_it_once(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let receiver = Receiver::start().await;
    let tenant = tenant(&test.hub, "tea", &receiver).await;
    let other = test.node("other").await;
    for is_on in [true, false, true] {
        let conditions = (clock(&tenant), clock(&tenant));
        let (one, two) = tokio::join!(
            service::report(&test.hub, &conditions.0, is_on),
            service::report(&other, &conditions.1, is_on)
        );
        one.and(two).unwrap();
    }
    let scope = Scope::tenant_wide(tenant);
    assert_eq!(service::list(&test.hub, &scope, None, None, 10).await.unwrap().len(), 1);
    jobs::run_pending(&test.hub, &wiring::jobs()).await.unwrap();
    assert_eq!(receiver.received().len(), 1);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_tenant_sees_only_its_own_and_old_ones_are_forgotten(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let (hub, receiver) = (&test.hub, Receiver::start().await);
    let (tea, books) = (tenant(hub, "tea", &receiver).await, tenant(hub, "books", &receiver).await);
    service::report(hub, &clock(&tea), true).await.unwrap();
    let (ours, theirs) = (Scope::tenant_wide(tea.clone()), Scope::tenant_wide(books));
    assert_eq!(service::open_alerts(hub, &ours).await.unwrap().len(), 1);
    assert_eq!(service::told(hub, &ours).await.unwrap().len(), 1);
    assert!(service::open_alerts(hub, &theirs).await.unwrap().is_empty());
    assert!(service::list(hub, &theirs, None, None, 10).await.unwrap().is_empty());
    assert!(service::told(hub, &theirs).await.unwrap().is_empty());
    // An open one stays, however old; 90 days after it was over it goes.
    test.clock.advance(super::jobs::KEPT * 2);
    super::jobs::forget(hub.clone(), super::jobs::Forget::default()).await;
    assert_eq!(service::open_alerts(hub, &ours).await.unwrap().len(), 1);
    service::report(hub, &clock(&tea), false).await.unwrap();
    super::jobs::forget(hub.clone(), super::jobs::Forget::default()).await;
    assert_eq!(service::list(hub, &ours, Some(false), None, 10).await.unwrap().len(), 1);
    test.clock.advance(super::jobs::KEPT * 2);
    super::jobs::forget(hub.clone(), super::jobs::Forget::default()).await;
    assert!(service::list(hub, &ours, None, None, 10).await.unwrap().is_empty());
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_secret_is_sealed_for_its_row_and_sealed_anew_by_a_new_key(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let (hub, receiver) = (&test.hub, Receiver::start().await);
    let tenant = tenant(hub, "tea", &receiver).await;
    let before = super::repo::sealed(&hub.db).await.unwrap();
    assert!(before.len() == 1 && before[0].1.starts_with('v'), "{before:?}");
    let secret = super::channels::secret(hub, &tenant).await.unwrap().unwrap();
    assert!(secret.expose().starts_with("whsec_") && !before[0].1.contains(secret.expose()));
    assert_eq!(reseal(hub).await.unwrap(), 0, "the newest key sealed it");
    let removed = Changes { webhook_url: Some(String::new()), webhook_on: Some(false), ..Changes::default() };
    change(hub, &tenant, removed, &ACTOR).await.unwrap();
    assert!(super::repo::sealed(&hub.db).await.unwrap().is_empty());
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn two_changes_of_the_settings_at_once_both_hold(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let tenant = crate::team::service::create_tenant(&test.hub, "tea", None, &ACTOR).await.unwrap().id;
    let other = test.node("other").await;
    let off = Changes { email_on: Some(false), ..Changes::default() };
    let thai = Changes { language: Some("th".to_owned()), ..Changes::default() };
    let (one, two) =
        tokio::join!(change(&test.hub, &tenant, off, &ACTOR), change(&other, &tenant, thai, &ACTOR));
    one.and(two).unwrap();
    let settings = super::settings(&test.hub, &tenant).await.unwrap();
    assert_eq!((settings.email_on, settings.language.tag()), (false, "th"));
    // A refused change leaves nothing behind.
    let fresh = crate::team::service::create_tenant(&test.hub, "books", None, &ACTOR).await.unwrap().id;
    let wrong = Changes { language: Some("fr".to_owned()), ..Changes::default() };
    assert!(change(&test.hub, &fresh, wrong, &ACTOR).await.is_err());
    assert_eq!(super::settings(&test.hub, &fresh).await.unwrap().updated_at, None);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn tries_at_the_same_moment_count_each_other(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = tenant(&test.hub, "tea", &receiver).await;
    let tenant = crate::team::service::find_tenant(&test.hub, id.as_str()).await.unwrap();
    let tries = (0..14).map(|_| super::test(&test.hub, &tenant, super::Channel::Webhook, None));
    let tried = futures_util::future::join_all(tries).await;
    assert_eq!(tried.iter().filter(|tried| tried.is_err()).count(), 4);
    test.close().await;
}

// The clock and the disk are a node's own: another node that is well does not end the alert, until the first one is gone.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_healthy_node_does_not_end_what_another_says_of_itself(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let tenant = crate::team::service::create_tenant(&test.hub, "tea", None, &ACTOR).await.unwrap().id;
    let scope = Scope::tenant_wide(tenant.clone());
    let says = async |node: &'static str, is_on: bool| {
        let condition = Condition { node: Some(node), ..clock(&tenant) };
        service::report(&test.hub, &condition, is_on).await.unwrap();
        service::open_alerts(&test.hub, &scope).await.unwrap().len()
    };
    assert_eq!(says("one", true).await, 1);
    assert_eq!(says("two", false).await, 1);
    assert_eq!(says("one", false).await, 0);
    assert_eq!(says("one", true).await, 1);
    test.clock.advance(super::model::SEEN_WITHIN);
    assert_eq!(says("two", false).await, 0, "the first has said nothing for so long that it is gone");
    // Both have the same trouble: the one that is well again does not end the other's.
    assert_eq!(says("one", true).await, 1);
    assert_eq!(says("two", true).await, 1);
    assert_eq!(says("one", false).await, 1);
    assert_eq!(says("two", false).await, 0);
    test.close().await;
}
