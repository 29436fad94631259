//! Webhooks: bytes, signature, order, switches, redelivery, every kind of event (PLATFORM 15, 16, 17).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::{Stage, eventually};

/// The attempts recorded, once there are `count`.
async fn deliveries(stage: &Stage, count: usize) -> Vec<Value> {
    eventually("the record", async || {
        let items = stage.items(&format!("/deliveries?channelId={}", stage.channel)).await;
        (items.len() >= count).then_some(items)
    })
    .await
}

/// PLATFORM 15: headers, escapes, and a signature over exactly the bytes sent.
#[tokio::test]
async fn a_text_becomes_a_signed_webhook() {
    let stage = Stage::new().await;
    let sent = stage.write("hello \u{1F600}").await;
    assert_eq!(sent["delivered"], true);
    let event = stage.receiver.event(2).await;
    assert_eq!(event["webhookEventId"], sent["webhookEventId"]);
    assert_eq!(event["message"]["id"], sent["messageId"]);
    assert_eq!(event["message"]["text"], "hello \u{1F600}");
    assert_eq!(event["source"], json!({"type": "user", "userId": stage.user_id}));
    let (headers, body) = stage.receiver.got.lock().unwrap().last().unwrap().clone();
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["user-agent"], "LineBotWebhook/2.0");
    let signature = headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&stage.secret, &body, signature));
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains(r"\uD83D\uDE00"), "{text}");
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!(body["destination"], stage.bot);
    let deliveries = deliveries(&stage, 2).await;
    assert_eq!((&deliveries[1]["body"], &deliveries[1]["signature"]), (&json!(text), &json!(signature)));
    assert_eq!((&deliveries[1]["status"], &deliveries[1]["reason"]), (&json!(200), &json!("OK")));
    assert_eq!((&deliveries[1]["attempt"], &deliveries[1]["detail"]), (&json!(1), &json!("200")));
}

/// PLATFORM 16: every kind of event, held against LINE's schema, with what strict parsers need.
#[tokio::test]
async fn every_kind_of_event_is_lines() {
    let stage = Stage::new().await;
    let mate = stage.control("POST", "/users", json!({"displayName": "美咲"})).await.ok()["user"].clone();
    let body = json!({"name": "Team", "channelId": stage.channel, "members": [stage.user]});
    let group = stage.control("POST", "/groups", body).await.ok()["groupId"].as_str().unwrap().to_owned();
    let send = async |message: Value| stage.act("messages", json!({"message": message})).await;
    let in_group =
        async |message: Value| stage.act("messages", json!({"message": message, "group": group})).await;
    let bytes = "aGVsbG8=";
    // Chats are delivered side by side; each is waited for before the other goes on.
    stage.receiver.event(2).await;
    send(json!({"type": "sticker", "packageId": "446", "stickerId": "1988", "keywords": ["hi"]})).await;
    send(json!({"type": "image", "contentBase64": bytes, "imageSet": {"id": "s", "index": 1, "total": 2}}))
        .await;
    send(json!({"type": "image", "originalContentUrl": "https://a.example/a.jpg"})).await;
    send(json!({"type": "video", "contentBase64": bytes, "duration": 1000})).await;
    send(json!({"type": "audio", "contentBase64": bytes})).await;
    send(json!({"type": "file", "fileName": "a.txt", "contentBase64": bytes})).await;
    send(json!({"type": "location", "title": "101", "latitude": 25.03, "longitude": 121.56})).await;
    stage.act("postbacks", json!({"data": "d", "params": {"date": "2026-01-01"}, "displayText": "ok"})).await;
    stage.receiver.event(10).await;
    let said = in_group(json!({"type": "text", "text": "frist"})).await["messageId"].clone();
    stage.act("edits", json!({"messageId": said, "message": {"type": "text", "text": "first"}})).await;
    stage.act("unsend", json!({"messageId": said})).await;
    let hidden = json!({"message": {"type": "text", "text": "who?"}, "group": group, "hideUserId": true});
    stage.act("messages", hidden).await;
    stage.control("POST", &format!("/groups/{group}/members"), json!({"members": [mate]})).await.ok();
    stage
        .control("DELETE", &format!("/groups/{group}/members/{}", mate.as_str().unwrap()), Value::Null)
        .await
        .ok();
    stage.control("DELETE", &format!("/groups/{group}"), Value::Null).await.ok();
    stage.receiver.event(17).await;
    stage.act("unfollow", json!({})).await;
    stage.act("follow", json!({})).await;
    stage.receiver.event(19).await;
    stage.receiver.check(stage.schema.as_ref());
    let events = stage.receiver.events();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let messages = ["message"; 7];
    let expected: Vec<&str> = ["follow", "join"]
        .into_iter()
        .chain(messages)
        .chain([
            "postback",
            "message",
            "messageEdited",
            "unsend",
            "message",
            "memberJoined",
            "memberLeft",
            "leave",
        ])
        .chain(["unfollow", "follow"])
        .collect();
    assert_eq!(kinds, expected);
    for event in &events {
        assert_eq!(event["mode"], "active");
        assert_eq!(event["deliveryContext"], json!({"isRedelivery": false}));
        assert!(event["timestamp"].is_i64() && event["webhookEventId"].as_str().unwrap().len() == 26);
        let silent = ["unsend", "unfollow", "leave", "memberLeft"].contains(&event["type"].as_str().unwrap());
        assert_eq!(event.get("replyToken").is_none(), silent, "{event}");
        assert!(!event.to_string().contains("null"), "fields without a value are left out: {event}");
    }
    assert_eq!(events[3]["message"]["imageSet"], json!({"id": "s", "index": 1, "total": 2}));
    assert_eq!(events[4]["message"]["contentProvider"]["type"], "external");
    assert_eq!(events[7]["message"]["fileSize"], 5);
    assert_eq!(events[11]["message"]["id"], events[10]["message"]["id"]);
    assert_ne!(events[11]["replyToken"], events[10]["replyToken"]);
    assert_eq!(events[11]["message"].get("markAsReadToken"), None);
    assert_eq!(events[13]["source"], json!({"type": "group", "groupId": group}));
    assert_eq!(events[18]["follow"]["isUnblocked"], true);
    assert_eq!(events[0]["follow"]["isUnblocked"], false);
}

/// PLATFORM 15: with "Use webhook" off nothing is sent and nothing is queued.
#[tokio::test]
async fn the_switch_silences_the_webhook() {
    let stage = Stage::new().await;
    stage.set(json!({"useWebhook": false})).await;
    assert_eq!(stage.get("/v2/bot/channel/webhook/endpoint").await.ok()["active"], false);
    assert_eq!(stage.write("unheard").await["delivered"], false);
    stage.set(json!({"useWebhook": true})).await;
    stage.write("heard").await;
    assert_eq!(stage.receiver.event(2).await["message"]["text"], "heard");
}

/// PLATFORM 15: `standby` events carry no reply token.
#[tokio::test]
async fn a_module_may_hold_the_chat() {
    let stage = Stage::new().await;
    stage.set(json!({"standby": true})).await;
    stage.write("to the module").await;
    let event = stage.receiver.event(2).await;
    assert_eq!((&event["mode"], event.get("replyToken")), (&json!("standby"), None));
    stage.receiver.check(stage.schema.as_ref());
}

#[tokio::test]
async fn webhooks_of_a_chat_keep_their_order() {
    let stage = Stage::new().await;
    for number in 0..50 {
        stage.write(&number.to_string()).await;
    }
    stage.receiver.event(51).await;
    let texts: Vec<String> = stage
        .receiver
        .events()
        .iter()
        .skip(1)
        .map(|event| event["message"]["text"].as_str().unwrap().into())
        .collect();
    assert_eq!(texts, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// CONTRACT 2: redelivery 1, 10 and 60 s after the failure, only when it is switched on; the same but `isRedelivery`.
#[tokio::test]
async fn failures_are_delivered_again_when_asked_for() {
    let stage = Stage::new().await;
    stage.receiver.will_answer(&[(500, 0)]);
    stage.write("lost").await;
    deliveries(&stage, 2).await;
    stage.advance(61_000).await;
    stage.set(json!({"redelivery": true})).await;
    stage.receiver.will_answer(&[(500, 0), (503, 0), (200, 0)]);
    let sent = stage.write("kept").await;
    deliveries(&stage, 3).await;
    stage.advance(1_000).await;
    deliveries(&stage, 4).await;
    stage.advance(9_000).await;
    let seen = deliveries(&stage, 5).await;
    stage.advance(60_000).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(deliveries(&stage, 5).await.len(), 5, "a success ends it, and the first stays lost");
    let attempts: Vec<_> =
        seen[2..].iter().map(|delivery| (&delivery["attempt"], &delivery["status"])).collect();
    assert_eq!(attempts, [(&json!(1), &json!(500)), (&json!(2), &json!(503)), (&json!(3), &json!(200))]);
    assert_eq!(seen[2]["reason"], "ERROR_STATUS_CODE");
    let again: Value = serde_json::from_str(seen[4]["body"].as_str().unwrap()).unwrap();
    let mut first: Value = serde_json::from_str(seen[2]["body"].as_str().unwrap()).unwrap();
    assert_eq!(first["events"][0]["webhookEventId"], sent["webhookEventId"]);
    first["events"][0]["deliveryContext"]["isRedelivery"] = true.into();
    assert_eq!(again, first);
}

/// PLATFORM 17: a redelivered event's token lives a minute from the redelivery.
#[tokio::test]
async fn a_redelivered_token_lives_again() {
    let stage = Stage::new().await;
    stage.set(json!({"redelivery": true})).await;
    stage.receiver.will_answer(&[(500, 0), (500, 0), (500, 0)]);
    stage.write("again").await;
    let token = stage.receiver.event(2).await["replyToken"].as_str().unwrap().to_owned();
    for (count, ms) in [(2, 0), (3, 1_000), (4, 9_000), (5, 50_001)] {
        stage.advance(ms).await;
        deliveries(&stage, count).await;
    }
    stage.advance(59_000).await;
    stage.reply(&token, "still in time").await.ok();
}

/// PLATFORM 15: two seconds, then it is a timeout; refused connections and lost names are told apart.
#[tokio::test]
async fn trouble_is_named_as_line_names_it() {
    let stage = Stage::new().await;
    let test = async |url: &str| {
        stage.line("POST", "/v2/bot/channel/webhook/test", json!({"endpoint": url})).await.ok()
    };
    let closed = test("http://127.0.0.1:1/hook").await;
    assert_eq!((&closed["success"], &closed["statusCode"]), (&json!(false), &json!(0)));
    assert_eq!(
        (&closed["reason"], &closed["detail"]),
        (&json!("COULD_NOT_CONNECT"), &json!("Connection failed"))
    );
    stage.receiver.will_answer(&[(404, 0), (200, 3_000)]);
    let missing = test(&stage.receiver.url).await;
    assert_eq!((&missing["reason"], &missing["detail"]), (&json!("ERROR_STATUS_CODE"), &json!("404")));
    let started = Instant::now();
    let slow = test(&stage.receiver.url).await;
    assert_eq!((&slow["reason"], &slow["detail"]), (&json!("REQUEST_TIMEOUT"), &json!("Request timeout")));
    assert!((1_900..2_900).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    let fine = stage.line("POST", "/v2/bot/channel/webhook/test", Value::Null).await.ok();
    assert_eq!(
        (&fine["success"], &fine["statusCode"], &fine["detail"]),
        (&json!(true), &json!(200), &json!("200"))
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&stage.receiver.got.lock().unwrap().last().unwrap().1).unwrap()["events"],
        json!([])
    );
}

/// PLATFORM 6: the address.
#[tokio::test]
async fn the_address_is_checked() {
    let stage = Stage::new().await;
    for url in [json!("http://shop.example/hook"), json!("nonsense"), json!(7), Value::Null] {
        let answer = stage.line("PUT", "/v2/bot/channel/webhook/endpoint", json!({"endpoint": url})).await;
        answer.refused(400, "Invalid webhook endpoint URL");
    }
    let answer = stage.get("/v2/bot/channel/webhook/endpoint").await.ok();
    assert_eq!(answer, json!({"endpoint": stage.receiver.url, "active": true}));
    let other = json!({"providerId": stage.provider, "type": "messaging", "name": "New"});
    let other = stage.control("POST", "/channels", other).await.ok();
    let text = |name: &str| other[name].as_str().unwrap().to_owned();
    let token = stage.stateless_token(&text("channelId"), &text("channelSecret")).await.ok();
    let stage = Stage { token: token["access_token"].as_str().unwrap().into(), ..stage };
    stage.get("/v2/bot/channel/webhook/endpoint").await.refused(404, "Webhook endpoint not found");
    let test = stage.line("POST", "/v2/bot/channel/webhook/test", json!({})).await;
    test.refused(404, "Webhook endpoint not found");
}

/// PLATFORM 17: a webhook sent again by hand renews its reply token for a minute, until 20 minutes after the event.
#[tokio::test]
async fn a_redelivery_by_hand_renews_the_reply_token() {
    let stage = Stage::new().await;
    stage.write("hello").await;
    let token = stage.receiver.event(2).await["replyToken"].as_str().unwrap().to_owned();
    let id = deliveries(&stage, 2).await[1]["id"].clone();
    let again = async || stage.control("POST", &format!("/deliveries/{id}/redeliver"), json!({})).await.ok();
    stage.advance(61_000).await;
    stage.reply(&token, "late").await.refused(400, "Invalid reply token");
    again().await;
    stage.reply(&token, "in time").await.ok();
    stage.reply(&token, "twice").await.refused(400, "Invalid reply token");
    stage.write("again").await;
    let token = stage.receiver.event(4).await["replyToken"].as_str().unwrap().to_owned();
    stage.advance(20 * 60_000 + 1).await;
    let last = deliveries(&stage, 4).await[3]["id"].clone();
    stage.control("POST", &format!("/deliveries/{last}/redeliver"), json!({})).await.ok();
    let access = stage.stateless_token(&stage.channel, &stage.secret).await.ok()["access_token"].clone();
    let stage = Stage { token: access.as_str().unwrap().to_owned(), ..stage };
    stage.reply(&token, "too late").await.refused(400, "Invalid reply token");
}

/// PLATFORM 16: after `leave` the account hears nothing of the group, neither of edits nor of messages taken back.
#[tokio::test]
async fn an_account_hears_nothing_of_a_group_it_has_left() {
    let stage = Stage::new().await;
    let body = json!({"name": "Team", "channelId": stage.channel, "members": [stage.user]});
    let group = stage.control("POST", "/groups", body).await.ok()["groupId"].as_str().unwrap().to_owned();
    let body = json!({"message": {"type": "text", "text": "frist"}, "group": group});
    let said = stage.act("messages", body).await["messageId"].clone();
    stage.line("POST", &format!("/v2/bot/group/{group}/leave"), json!({})).await.ok();
    let edit = json!({"messageId": said, "message": {"type": "text", "text": "first"}});
    for (act, body) in [("edits", edit), ("unsend", json!({"messageId": said}))] {
        let queued = stage.act(act, body).await;
        assert_eq!((&queued["delivered"], &queued["webhookEventId"]), (&json!(false), &Value::Null), "{act}");
    }
}
