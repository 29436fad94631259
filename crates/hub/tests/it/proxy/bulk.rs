//! Sends to many: once, within the limit, written down before LINE sees them.

use std::time::Duration;

use hub::ids::{AccountId, Id as _};
use hub::outbox::bulk;
use hub::outbox::model::{NewBulk, Origin, State, Via};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use testkit::Engine;

use super::Shop;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_multicast_costs_each_person_once_and_is_sent_once(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": 1 })).await;
    let friend = shop.friend_id().await;
    let text = json!([{ "type": "text", "text": "sale" }]);
    let path = "/v2/bot/message/multicast";
    let wrong = line.post(path, json!({ "to": [friend, "Lin"], "messages": text })).await;
    assert_eq!(wrong.status, 429, "two people, and one is allowed");
    let unknown = json!({ "to": ["Lin"], "messages": text });
    let refused = line.post(path, unknown).await.expect(400);
    assert!(refused["message"].as_str().unwrap().contains("to[0]"), "{refused}");
    for (to, words) in [(json!([]), "1 error(s)"), (json!("Lin"), "'to'"), (json!([5]), "to[0]")] {
        let refused = line.post(path, json!({ "to": to, "messages": text })).await.expect(400);
        assert!(refused["message"].as_str().unwrap().contains(words), "{refused}");
    }
    // LINE's answer is lost: the hub asks again with the same key, and its caller learns nothing of it.
    let fault = json!({ "on": "api", "path": path, "kind": "lose_answer", "times": 1 });
    shop.hub.control.post("/faults", fault).await;
    let key = "123e4567-e89b-12d3-a456-426614174001";
    let body = json!({ "to": [friend, friend], "messages": text });
    let call = || line.request(Method::POST, path).header("x-line-retry-key", key).json(&body);
    assert_eq!(line.call(call()).await.expect(200), json!({}));
    let again = line.call(call()).await;
    assert_eq!(again.headers["x-line-accepted-request-id"].len(), 36);
    assert_eq!(again.expect(409)["message"], "The retry key is already accepted");
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["sale"]);
    let over = line.post(path, json!({ "to": [friend], "messages": text })).await;
    assert!(over.status == 429 && over.reason().contains("1 are spent"), "{over:?}");
    let lines = hub::team::service::list_audit(shop.hub.hub(), &shop.hub.scope(), None, 50).await.unwrap();
    let sent: Vec<_> = lines.iter().filter(|line| line.action == "proxy.sent").collect();
    assert_eq!(sent.len(), 2, "the one that LINE refused, and this; a repeat is none");
    assert_eq!(sent[0].subject, shop.id);
    assert_eq!(sent[0].detail, json!({ "name": "CRM", "operation": "multicast", "cost": 1 }));
    let usage = shop.hub.api().get("/usage").await.expect(200);
    let ours = &usage["items"][0]["by_origin"]["proxy"]["multicast"];
    assert_eq!((&ours["calls"], &ours["cost"]), (&json!(1), &json!(1)), "{usage}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_line_alone_can_price_needs_a_bound_or_no_limit(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let limited = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": 2 })).await;
    let text = json!([{ "type": "text", "text": "all" }]);
    // LINE tells nothing of an account that is a few minutes old.
    let refused = limited.post("/v2/bot/message/broadcast", json!({ "messages": text })).await;
    assert!(refused.status == 403 && refused.reason().contains("does not tell"), "{refused:?}");
    let body = json!({ "messages": text, "limit": { "max": 3 } });
    limited.post("/v2/bot/message/narrowcast", body).await.expect(429);
    // A bound that is none: LINE's refusal, and no broadcast by a narrowcast's bound.
    for max in [json!(-5), json!(0), json!("1"), json!(1.5)] {
        let body = json!({ "messages": text, "limit": { "max": max } });
        limited.post("/v2/bot/message/narrowcast", body).await.expect(400);
    }
    let nothing = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": 0 })).await;
    let body = json!({ "messages": text, "limit": { "max": 0 } });
    nothing.post("/v2/bot/message/broadcast", body).await.expect(403);
    assert!(shop.friend.texts_received(&shop.account).await.is_empty());
    let free = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": null })).await;
    assert_eq!(
        free.post("/v2/bot/message/broadcast", json!({ "messages": text })).await.expect(200),
        json!({})
    );
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["all"]);
    shop.hub.close().await;
}

// PLATFORM 12: who can be aimed at by attributes are fewer than who gets a broadcast.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_broadcast_costs_all_who_did_not_block_the_account(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    for name in ["Lin", "Lan"] {
        shop.hub.line_user(name).await.follows(&shop.account).await;
    }
    shop.friend.blocks(&shop.account).await;
    shop.hub.advance(Duration::from_secs(2 * 24 * 3600));
    let text = json!({ "messages": [{ "type": "text", "text": "all" }] });
    let path = "/v2/bot/message/broadcast";
    let one = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": 1 })).await;
    let refused = one.post(path, text.clone()).await;
    assert!(refused.status == 429 && refused.reason().contains("costs 2"), "{refused:?}");
    let two = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": 2 })).await;
    two.post(path, text).await.expect(200);
    let shown = shop.hub.api().get(&format!("/destinations/{}/proxy-key", shop.id)).await.expect(200);
    assert_eq!(shown["paid_this_month"], 2);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn of_twins_one_is_sent_and_the_other_learns_of_it_though_the_limit_is_reached(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let friend = shop.friend_id().await;
    let line = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": 1 })).await;
    let body = json!({ "to": [friend], "messages": [{ "type": "text", "text": "once" }] });
    let call = || {
        let request = line.request(Method::POST, "/v2/bot/message/multicast");
        line.call(request.header("x-line-retry-key", "123e4567-e89b-12d3-a456-426614174003").json(&body))
    };
    let (one, two) = tokio::join!(call(), call());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["once"]);
    shop.hub.close().await;
}

// As after a kill: the call may have gone out, and whoever made it is gone.
#[rstest]
#[case::taken(Engine::Sqlite, 200, State::Sent)]
#[case::taken_postgres(Engine::Postgres, 200, State::Sent)]
#[case::forbidden(Engine::Sqlite, 403, State::Unknown)]
#[case::quota(Engine::Postgres, 429, State::Unknown)]
#[case::bad(Engine::Sqlite, 400, State::Failed)]
#[tokio::test]
async fn what_may_have_gone_out_fails_only_by_its_bytes_and_one_makes_it_at_a_time(
    #[case] engine: Engine,
    #[case] status: u16,
    #[case] ends: State,
) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (hub, path) = (shop.hub.hub(), "/v2/bot/message/multicast");
    let body = json!({ "to": [shop.friend_id().await], "messages": [{ "type": "text", "text": "once" }] });
    let new = NewBulk {
        tenant: shop.hub.scope().tenant().clone(),
        account: AccountId::parse(&shop.account.id).unwrap(),
        kind: Via::Multicast,
        origin: Origin::Proxy,
        actor: shop.id.clone(),
        body: body.to_string().into_bytes(),
        messages: 1,
        cost: Some(1),
    };
    let mut tx = hub.db.begin().await.unwrap();
    let send = bulk::insert(&mut tx, hub, &new).await.unwrap();
    tx.commit().await.unwrap();
    let fault = json!({ "on": "api", "path": path, "kind": "hang", "times": 1 });
    shop.hub.control.post("/faults", fault).await;
    let first = {
        let (hub, send) = (hub.clone(), send.clone());
        tokio::spawn(async move { bulk::carry(&hub, &send).await })
    };
    let asked = async || !shop.hub.control.get("/faults").await.to_string().contains("\"matched\":0");
    while !asked().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!bulk::carry(hub, &send).await.unwrap(), "it is another's");
    first.abort();
    assert!(!bulk::carry(hub, &send).await.unwrap(), "who knows that the other is gone?");
    shop.hub.advance(Duration::from_secs(91));
    if status != 200 {
        let words =
            json!({ "message": if status == 429 { "You have reached your monthly limit." } else { "No" } });
        let fault = json!({ "on": "api", "path": path, "kind": "status", "status": status, "body": words, "times": 1 });
        shop.hub.control.post("/faults", fault).await;
    }
    assert!(bulk::carry(hub, &send).await.unwrap());
    assert_eq!(bulk::end(&hub.db, &send).await.unwrap().unwrap().state, ends);
    shop.hub.close().await;
}
