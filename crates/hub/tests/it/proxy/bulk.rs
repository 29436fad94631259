//! Sends to many: once, within the limit, written down before LINE sees them.

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
    assert!(shop.friend.texts_received(&shop.account).await.is_empty());
    let free = shop.line(json!({ "scopes": ["bulk"], "monthly_paid_limit": null })).await;
    assert_eq!(
        free.post("/v2/bot/message/broadcast", json!({ "messages": text })).await.expect(200),
        json!({})
    );
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["all"]);
    shop.hub.close().await;
}
