//! Labels of contacts, on both databases.

use std::time::Duration;

use rstest::rstest;

use super::model::{Act, Contact};
use super::repo;
use super::service::{self, ContactFilter};
use crate::app::Hub;
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::error::AppResult;
use crate::ids::{ContactId, TenantId};
use crate::scope::Scope;
use crate::team::{self, Actor};

const ACTOR: Actor = Actor::System("test");

async fn tenant(hub: &Hub, name: &str) -> Scope {
    let tenant = team::service::create_tenant(hub, name, Some("UTC"), &ACTOR).await.unwrap();
    Scope::tenant_wide(tenant.id)
}

async fn contact(hub: &Hub, tenant: &TenantId, external_id: &str) -> ContactId {
    let mut tx = hub.db.begin().await.unwrap();
    let account = hub.id();
    let seen = service::see(&mut tx, hub, tenant, &account, external_id, Act::Chat, hub.now()).await.unwrap();
    tx.commit().await.unwrap();
    seen.id
}

async fn tag(hub: &Hub, scope: &Scope, id: &ContactId, tag: &str) -> AppResult<Contact> {
    service::label(hub, scope, &ACTOR, id, |labels| labels.tags.push(tag.to_owned())).await
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_tag_finds_those_who_have_exactly_it(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let scope = tenant(hub, "Tea").await;
    let tags = ["VIP", "vip", "VIP customer", "50%", "50x", "a\"b", "\\", ",", "ÄÖ", "äö", "茶"];
    for tags in [&tags[..5], &tags[5..]] {
        for (n, one) in tags.iter().enumerate() {
            let id = contact(hub, scope.tenant(), &format!("U{n}{one}")).await;
            tag(hub, &scope, &id, one).await.unwrap();
            tag(hub, &scope, &id, "everybody").await.unwrap();
        }
    }
    let found = async |tag: &str| {
        let filter = ContactFilter { tag: Some(tag.to_owned()), limit: 100, ..ContactFilter::default() };
        service::list(hub, &scope, &filter).await.unwrap()
    };
    for one in tags {
        let found = found(one).await;
        assert!(found.len() == 1 && found[0].tags.iter().any(|tag| tag == one), "{one}: {found:?}");
    }
    assert_eq!(found("everybody").await.len(), tags.len());
    assert_eq!(found(" VIP ").await.len(), 1);
    for none in ["VI", "everybod_", "%", "\",\"", "[", "nobody\0"] {
        assert!(found(none).await.is_empty(), "{none}");
    }
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_do_not_undo_each_other(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let scope = tenant(hub, "Tea").await;
    let id = contact(hub, scope.tenant(), "U1").await;

    // One is between reading and writing while the other comes.
    let mut first = hub.db.begin().await.unwrap();
    let mut labels = repo::labels(&mut first, &scope, &id).await.unwrap().unwrap();
    let second = tokio::spawn({
        let (hub, scope, id) = (hub.clone(), scope.clone(), id.clone());
        async move { tag(&hub, &scope, &id, "second").await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    labels.tags.push("first".to_owned());
    let tags = serde_json::to_string(&labels.tags).unwrap();
    repo::set_labels(&mut first, &scope, &id, &tags, "{}", hub.now()).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap().unwrap().tags, ["first", "second"]);

    // Many at once, each with a tag or a field of its own.
    let all: Vec<_> = (0..20)
        .map(|n| {
            let (hub, scope, id) = (hub.clone(), scope.clone(), id.clone());
            tokio::spawn(async move {
                let change = |labels: &mut super::model::Labels| {
                    if n % 2 == 0 {
                        labels.tags.push(format!("tag {n}"));
                    } else {
                        labels.attributes.insert(format!("field {n}"), "x".to_owned());
                    }
                };
                service::label(&hub, &scope, &ACTOR, &id, change).await
            })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    let after = service::get(hub, &scope, &id).await.unwrap();
    assert_eq!((after.tags.len(), after.attributes.len()), (12, 10));

    // A refused change changes nothing; another tenant reaches nobody.
    let refused = tag(hub, &scope, &id, &"x".repeat(51)).await.unwrap_err();
    assert_eq!(refused.fields[0].code, "bad_length");
    let theirs = tenant(hub, "Other").await;
    assert_eq!(tag(hub, &theirs, &id, "x").await.unwrap_err().status.as_u16(), 404);
    assert_eq!(service::get(hub, &scope, &id).await.unwrap().tags, after.tags);
    test.close().await;
}
