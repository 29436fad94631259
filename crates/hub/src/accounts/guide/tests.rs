//! What the set-up refuses before anything is asked.

use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::team::{self, Actor, NewUser, Role};
use crate::web::testing::Browser;

const ACTOR: Actor = Actor::System("test");

// S2-19, S2-20
#[tokio::test]
async fn a_plain_http_address_is_refused_before_anything_with_the_way_out() {
    let test = TestHub::served(Engine::Sqlite, "http://127.0.0.1:1", "http://hub.test").await;
    let Some(test) = test else { return };
    let hub = &test.hub;
    let tenant = team::service::create_tenant(hub, "三杯茶", Some("Asia/Taipei"), &ACTOR).await.unwrap();
    let new =
        NewUser { email: "mei@example.tw", name: "美玲", role: Role::Owner, password: "correct horse" };
    let user = team::service::create_user(hub, &tenant.id, &new, &ACTOR).await.unwrap();
    let mut owner = Browser::signed_in(hub, &tenant.id, &user).await;
    for path in ["/settings/accounts/new", "/settings/accounts/new?has=api"] {
        let page = owner.get(path).await.body;
        assert!(
            page.contains("http://hub.test/") && page.contains("TRUNKLINE_PUBLIC_URL=https://"),
            "{page}"
        );
        assert!(page.contains("cloudflared") && !page.contains("name=\"channel_secret\""), "{page}");
    }
    test.close().await;
}
