//! Memberships, beacons and mission stickers (PLATFORM 9, 14, 16).

use serde_json::{Value, json};

use crate::stage::Stage;

/// PLATFORM 9: nothing there yet, in LINE's words.
#[tokio::test]
async fn an_account_without_plans_says_so() {
    let stage = Stage::new().await;
    stage.get("/v2/bot/membership/list").await.refused(404, "Membership plan not found");
    let mine = format!("/v2/bot/membership/subscription/{}", stage.user_id);
    stage.get(&mine).await.refused(404, "Not found");
    let invalid = "The value for the 'userId' parameter is invalid";
    stage.get("/v2/bot/membership/subscription/x").await.refused(400, invalid);
    stage.get("/v2/bot/membership/3189/users/ids").await.refused(404, "Membership ID is not found");
}

/// PLATFORM 9, 16: plans, subscriptions and their events.
#[tokio::test]
async fn friends_subscribe_renew_and_leave() {
    let stage = Stage::new().await;
    let body = json!({"title": "Basic", "price": 500, "benefits": ["photos"], "memberLimit": 1});
    let path = format!("/channels/{}/memberships", stage.channel);
    let id = stage.control("POST", &path, body).await.ok()["membershipId"].as_u64().unwrap();
    let act = |kind: &str| json!({"membershipId": id, "type": kind});
    assert_eq!(stage.try_act("memberships", act("renewed")).await.status, 409);
    let joined = stage.act("memberships", act("joined")).await;
    assert_eq!(joined["membershipNo"], 1);
    let event = stage.receiver.event(2).await;
    assert_eq!(event["membership"], json!({"type": "joined", "membershipId": id}));
    assert!(event["replyToken"].is_string());
    let list = stage.get("/v2/bot/membership/list").await.ok();
    let plan = &list["memberships"][0];
    assert_eq!(
        (&plan["memberCount"], &plan["memberLimit"], &plan["currency"]),
        (&json!(1), &json!(1), &json!("TWD"))
    );
    let mine = format!("/v2/bot/membership/subscription/{}", stage.user_id);
    stage.act("memberships", act("renewed")).await;
    let subscription = stage.get(&mine).await.ok()["subscriptions"][0].clone();
    assert_eq!(
        (&subscription["membership"]["title"], &subscription["user"]["totalSubscriptionMonths"]),
        (&json!("Basic"), &json!(2))
    );
    // The plan is full, and a stranger cannot subscribe.
    let other = stage.control("POST", "/users", json!({"displayName": "Somchai"})).await.ok();
    let other = other["user"].as_str().unwrap();
    let join = json!({"channelId": stage.channel, "membershipId": id});
    let join_path = format!("/users/{other}/memberships");
    assert_eq!(stage.control("POST", &join_path, join.clone()).await.status, 409);
    stage.control("POST", &format!("/users/{other}/follow"), json!({"channelId": stage.channel})).await.ok();
    assert_eq!(stage.control("POST", &join_path, join).await.status, 409);
    let ids = format!("/v2/bot/membership/{id}/users/ids");
    assert_eq!(stage.get(&ids).await.ok(), json!({"userIds": [stage.user_id]}));
    stage.get(&format!("{ids}?start=x")).await.refused(400, "Invalid start param");
    for limit in ["0", "1001"] {
        assert_eq!(stage.get(&format!("{ids}?limit={limit}")).await.status, 400);
    }
    // Who blocks the account is not listed.
    stage.act("unfollow", json!({})).await;
    assert_eq!(stage.get(&ids).await.ok(), json!({"userIds": []}));
    stage.act("memberships", act("left")).await;
    stage.get(&mine).await.refused(404, "Not found");
    stage.receiver.check(stage.schema.as_ref());
}

/// PLATFORM 16: beacon events.
#[tokio::test]
async fn phones_meet_beacons() {
    let stage = Stage::new().await;
    stage.act("beacons", json!({"hwid": "d41d8cd98f", "type": "stay", "dm": "01"})).await;
    let event = stage.receiver.event(2).await;
    assert_eq!(event["beacon"], json!({"hwid": "d41d8cd98f", "type": "stay", "dm": "01"}));
    assert_eq!((&event["type"], event["replyToken"].is_string()), (&json!("beacon"), true));
    assert_eq!(stage.try_act("beacons", json!({"hwid": "x"})).await.status, 422);
    stage.act("unfollow", json!({})).await;
    assert_eq!(stage.try_act("beacons", json!({"hwid": "d41d8cd98f"})).await.status, 409);
    stage.receiver.check(stage.schema.as_ref());
}

/// PLATFORM 14: mission stickers need a permission, and are answered with an empty object.
#[tokio::test]
async fn mission_stickers_need_a_permission() {
    let stage = Stage::new().await;
    let give = async |to: &str, product: &str| {
        let body =
            json!({"to": to, "productType": "STICKER", "productId": product, "sendPresentMessage": false});
        if let Some(schema) = &stage.schema {
            schema.check_request("POST", "/shop/v3/mission", &body).unwrap();
        }
        stage.line("POST", "/shop/v3/mission", body).await
    };
    give(&stage.user_id, "1234").await.refused(403, "not allowed to use the API");
    stage.set(json!({"missionStickers": ["1234"]})).await;
    give("x", "1234").await.refused(400, "invalid request");
    give(&stage.user_id, "1235").await.refused(404, "not found");
    let given = give(&stage.user_id, "1234").await;
    assert_eq!((given.status, given.bytes.len(), given.header("x-line-request-id").len()), (200, 2, 36));
    let stickers = stage.items(&format!("/users/{}/mission-stickers", stage.user)).await;
    assert_eq!(stickers, [json!({"productId": "1234"})]);
    let odd = json!({"to": stage.user_id, "productType": "EMOJI", "productId": "1234", "sendPresentMessage": false});
    stage.line("POST", "/shop/v3/mission", odd).await.refused(400, "invalid request");
    assert_eq!(stage.line("POST", "/shop/v3/mission", Value::Null).await.status, 415);
}
