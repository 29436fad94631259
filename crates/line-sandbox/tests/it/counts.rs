//! Counts by day, aggregation units, and lists of people (PLATFORM 8, 9).

use serde_json::{Value, json};

use crate::crowd::{DAY_MS, text};
use crate::stage::Stage;

/// PLATFORM 8: days are Japan's; unready today, ready the next day, out of service before the account.
#[tokio::test]
async fn deliveries_are_counted_by_day() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(2, |_| json!({})).await;
    let ids: Vec<_> = friends.iter().map(|friend| &friend.user_id).collect();
    stage.push(&stage.user_id, "one").await.ok();
    stage.line("POST", "/v2/bot/message/multicast", json!({"to": ids, "messages": text("two")})).await.ok();
    stage.line("POST", "/v2/bot/message/broadcast", json!({"messages": text("three")})).await.ok();
    stage.write("hi").await;
    let token = stage.receiver.event(4).await["replyToken"].as_str().unwrap().to_owned();
    stage.reply(&token, "hello").await.ok();
    let (today, yesterday) = (stage.date(0).await, stage.date(-1).await);
    let count = async |way: &str, date: &str| {
        stage.get(&format!("/v2/bot/message/delivery/{way}?date={date}")).await.ok()
    };
    assert_eq!(count("push", &today).await, json!({"status": "unready"}));
    assert_eq!(count("push", &yesterday).await, json!({"status": "out_of_service"}));
    stage.advance(DAY_MS).await;
    for (way, success) in [("push", 1), ("multicast", 2), ("broadcast", 3), ("reply", 1), ("pnp", 0)] {
        assert_eq!(count(way, &today).await, json!({"status": "ready", "success": success}), "{way}");
    }
    for date in ["", "2026-01-01", "20261301", "tomorrow"] {
        let answer = stage.get(&format!("/v2/bot/message/delivery/push?date={date}")).await;
        answer.refused(400, "The value for the 'date' parameter is invalid");
    }
    stage
        .get("/v2/bot/message/delivery/push")
        .await
        .refused(400, "The value for the 'date' parameter is invalid");
}

/// PLATFORM 8: distinct names of the month, by pages; a token that is none is refused.
#[tokio::test]
async fn units_are_named_once_a_month() {
    let stage = Stage::lasting().await;
    for unit in ["b", "a", "b", "c"] {
        let body = json!({"to": stage.user_id, "messages": text("x"), "customAggregationUnits": [unit]});
        stage.line("POST", "/v2/bot/message/push", body).await.ok();
    }
    let info = stage.get("/v2/bot/message/aggregation/info").await.ok();
    assert_eq!(info, json!({"numOfCustomAggregationUnits": 3}));
    let first = stage.get("/v2/bot/message/aggregation/list?limit=2").await.ok();
    assert_eq!(first["customAggregationUnits"], json!(["a", "b"]));
    let next = first["next"].as_str().unwrap();
    let second = stage.get(&format!("/v2/bot/message/aggregation/list?limit=2&start={next}")).await.ok();
    assert_eq!(second, json!({"customAggregationUnits": ["c"]}));
    stage.get("/v2/bot/message/aggregation/list?start=x").await.refused(400, "Invalid start param");
    stage
        .get("/v2/bot/followers/ids?start=x")
        .await
        .refused(403, "Access to this API is not available for your account");
    assert_eq!(stage.get("/v2/bot/message/aggregation/list?limit=101").await.status, 400);
    stage.advance(DAY_MS).await;
    let path = format!("/v2/bot/message/aggregation/list?start={next}");
    stage.get(&path).await.refused(400, "Invalid start param");
    stage.advance(31 * DAY_MS).await;
    let info = stage.get("/v2/bot/message/aggregation/info").await.ok();
    assert_eq!(info, json!({"numOfCustomAggregationUnits": 0}));
}

/// PLATFORM 9: friends and members, for verified and premium accounts only.
#[tokio::test]
async fn verified_accounts_may_list_people() {
    let stage = Stage::lasting().await;
    let friends = stage.friends(5, |_| json!({})).await;
    let members: Vec<_> = friends.iter().map(|friend| &friend.user).collect();
    let body = json!({"name": "Team", "channelId": stage.channel, "members": members});
    let group = stage.control("POST", "/groups", body).await.ok()["groupId"].as_str().unwrap().to_owned();
    let paths = ["/v2/bot/followers/ids".to_owned(), format!("/v2/bot/group/{group}/members/ids")];
    for path in &paths {
        stage.get(path).await.refused(403, "Access to this API is not available for your account");
    }
    stage.set(json!({"accountType": "verified"})).await;
    stage.by(&friends[1], "unfollow", json!({})).await;
    let all = stage.get(&paths[0]).await.ok();
    let ids = |indexes: &[usize]| -> Vec<Value> {
        indexes.iter().map(|index| json!(friends[*index].user_id)).collect()
    };
    let mut expected = vec![json!(stage.user_id)];
    expected.extend(ids(&[0, 2, 3, 4]));
    assert_eq!(all, json!({"userIds": expected}));
    // A page may be shorter than its limit though another follows.
    let first = stage.get(&format!("{}?limit=3", paths[0])).await.ok();
    assert_eq!(first["userIds"], json!([json!(stage.user_id), ids(&[0])[0]]));
    let next = first["next"].as_str().unwrap();
    let second = stage.get(&format!("{}?limit=3&start={next}", paths[0])).await.ok();
    assert_eq!(second, json!({"userIds": ids(&[2, 3, 4])}));
    stage
        .get(&format!("{}?limit=1001", paths[0]))
        .await
        .refused(400, "The value for the 'limit' parameter is invalid");
    stage.get(&format!("{}?start=x", paths[1])).await.refused(400, "Invalid start param");
    stage.get(&format!("{}?start={next}", paths[1])).await.refused(400, "Invalid start param");
    assert_eq!(stage.get(&paths[1]).await.ok()["memberIds"], json!(ids(&[0, 1, 2, 3, 4])));
    let strange = format!("/v2/bot/group/C{}/members/ids", "0".repeat(32));
    stage.get(&strange).await.refused(404, "Not found");
}

/// PLATFORM 9: the old way to mark as read is for partners.
#[tokio::test]
async fn partners_mark_as_read_by_user() {
    let stage = Stage::new().await;
    stage.set(json!({"markAsReadMode": "manual"})).await;
    stage.write("hi").await;
    let body = json!({"chat": {"userId": stage.user_id}});
    let path = "/v2/bot/message/markAsRead";
    assert_eq!(stage.line("POST", path, body.clone()).await.status, 403);
    stage.set(json!({"partner": true})).await;
    assert_eq!(stage.timeline().await[0]["read"], false);
    stage.line("POST", path, body).await.ok();
    assert_eq!(stage.timeline().await[0]["read"], true);
    assert_eq!(stage.line("POST", path, json!({"chat": {}})).await.status, 400);
}

/// PLATFORM 14, 16: by the hash of a phone number, also to who is no friend; the account is told by an event of nobody.
#[tokio::test]
async fn notification_messages_find_people_by_phone() {
    let stage = Stage::lasting().await;
    let person = stage.person(json!({"phone": "+886912345678"})).await;
    let hash = "5ec6b2d1dc0e8ac1b2d9d9b9ab4fb7bfa3a6b9a1b6b4d9a2b6f0a5d0c8f7e6d5";
    let hash_of = |phone: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, phone.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let body = |to: &str| json!({"to": to, "messages": text("your parcel")});
    let to = hash_of("+886912345678");
    assert_eq!(stage.line("POST", "/bot/pnp/push", body(&to)).await.status, 403);
    stage.set(json!({"partner": true})).await;
    assert_eq!(stage.line("POST", "/bot/pnp/push", body(hash)).await.status, 422);
    assert_eq!(stage.line("POST", "/bot/pnp/push", body("+886912345678")).await.status, 400);
    stage.line("POST", "/bot/pnp/push", body(&to)).await.ok();
    assert_eq!(stage.phone(&person).await[0]["message"]["text"], "your parcel");
    let event = stage.receiver.event(2).await;
    assert_eq!((&event["type"], &event["delivery"]["data"]), (&json!("delivery"), &json!(to)));
    assert!(event.get("source").is_none());
    let tagged = stage.request("POST", "/bot/pnp/push").bearer_auth(&stage.token).json(&body(&to));
    stage.send(tagged.header("X-Line-Delivery-Tag", "order-0123456789")).await.unwrap().ok();
    assert_eq!(stage.receiver.event(3).await["delivery"]["data"], "order-0123456789");
    let template = json!({"to": to, "templateKey": "shipment_completed_ja", "body": {
        "emphasizedItem": {"itemKey": "date_002_ja", "content": "2026-11-21"},
        "buttons": [{"buttonKey": "contact_ja", "url": "https://shop.example/"}]}});
    let request = stage.request("POST", "/v2/bot/message/pnp/templated/push").bearer_auth(&stage.token);
    let answer = stage.http.execute(request.json(&template).build().unwrap()).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    stage.receiver.event(4).await;
    stage.receiver.check(stage.schema.as_ref());
    assert_eq!(stage.used().await, 0);
    let today = stage.date(0).await;
    stage.advance(DAY_MS).await;
    let count = stage.get(&format!("/v2/bot/message/delivery/pnp?date={today}")).await.ok();
    assert_eq!(count["success"], 2);
}
