//! Reply and push, their tokens, keys, quota and rates (PLATFORM 5, 7, 17, 18, 22).

use serde_json::{Value, json};

use crate::stage::{Answer, Stage};

const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

async fn reply_token(stage: &Stage) -> String {
    let before = stage.receiver.events().len();
    stage.write("hi").await;
    stage.receiver.event(before + 1).await["replyToken"].as_str().unwrap().to_owned()
}

async fn used(stage: &Stage) -> Value {
    stage.get("/v2/bot/message/quota/consumption").await.ok()["totalUsage"].clone()
}

async fn push_with_key(stage: &Stage, key: &str, text: &str) -> Answer {
    let body = json!({"to": stage.user_id, "messages": [{"type": "text", "text": text}]});
    let request = stage.request("POST", "/v2/bot/message/push").bearer_auth(&stage.token).json(&body);
    stage.send(request.header("X-Line-Retry-Key", key)).await.unwrap()
}

/// PLATFORM 17: one use. PLATFORM 22: free.
#[tokio::test]
async fn a_reply_is_free_and_single_use() {
    let stage = Stage::new().await;
    let token = reply_token(&stage).await;
    let sent = stage.reply(&token, "welcome").await.ok();
    assert_eq!(sent["sentMessages"].as_array().unwrap().len(), 1);
    assert!(sent["sentMessages"][0]["quoteToken"].is_string());
    stage.reply(&token, "again").await.refused(400, "Invalid reply token");
    stage.reply("0123456789abcdef0123456789abcdef", "no").await.refused(400, "Invalid reply token");
    let timeline = stage.timeline().await;
    assert_eq!(timeline.len(), 2);
    assert_eq!((&timeline[0]["from"], &timeline[0]["via"]), (&json!("user"), &Value::Null));
    assert_eq!((&timeline[1]["from"], &timeline[1]["via"]), (&json!("account"), &json!("reply")));
    assert_eq!(timeline[1]["message"], json!({"type": "text", "text": "welcome"}));
    assert_eq!(used(&stage).await, 0);
}

/// PLATFORM 17: within a minute of receipt.
#[tokio::test]
async fn a_reply_token_ages() {
    let stage = Stage::new().await;
    let (fresh, stale) = (reply_token(&stage).await, reply_token(&stage).await);
    stage.advance(50_000).await;
    stage.reply(&fresh, "in time").await.ok();
    stage.advance(10_001).await;
    stage.reply(&stale, "too late").await.refused(400, "Invalid reply token");
}

#[tokio::test]
async fn a_reply_takes_no_retry_key_and_needs_a_token() {
    let stage = Stage::new().await;
    let token = reply_token(&stage).await;
    let body = json!({"replyToken": token, "messages": [{"type": "text", "text": "x"}]});
    let request = stage.request("POST", "/v2/bot/message/reply").bearer_auth(&stage.token).json(&body);
    assert_eq!(stage.send(request.header("X-Line-Retry-Key", KEY)).await.unwrap().status, 400);
    let body = json!({"messages": [{"type": "text", "text": "x"}]});
    let answer = stage.line("POST", "/v2/bot/message/reply", body).await;
    answer.refused(400, "The property, 'replyToken', in the request body is invalid (line: -, column: -)");
    stage.reply(&token, "still good").await.ok();
}

/// PLATFORM 7: who gets a push, and what is counted.
#[tokio::test]
async fn pushes_reach_whom_they_reach_at_line() {
    let stage = Stage::new().await;
    stage.push(&stage.user_id, "news").await.ok();
    assert_eq!(stage.timeline().await[0]["via"], "push");
    assert_eq!(used(&stage).await, 1);
    stage.push(&format!("U{}", "0".repeat(32)), "who").await.refused(400, "Failed to send messages");
    stage
        .push("someone", "who")
        .await
        .refused(400, "The property, 'to', in the request body is invalid (line: -, column: -)");
    stage.act("unfollow", json!({})).await;
    stage.push(&stage.user_id, "blocked").await.ok();
    assert_eq!((stage.timeline().await.len(), used(&stage).await), (1, json!(1)));
    // A stranger who wrote is reached for seven days.
    let stranger = stage.control("POST", "/users", json!({"displayName": "Somchai"})).await.ok();
    let stranger_id = stranger["userId"][&stage.provider].as_str().unwrap();
    stage.push(stranger_id, "not seen").await.ok();
    assert_eq!(used(&stage).await, 1);
    let path = format!("/users/{}/messages", stranger["user"].as_str().unwrap());
    let body = json!({"channelId": stage.channel, "message": {"type": "text", "text": "สวัสดี"}});
    stage.control("POST", &path, body).await.ok();
    stage.push(stranger_id, "seen").await.ok();
    assert_eq!(used(&stage).await, 2);
    stage.advance(7 * 24 * 3_600_000 + 1).await;
    let secret = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    let stage = Stage { token: secret["access_token"].as_str().unwrap().to_owned(), ..stage };
    let before = used(&stage).await;
    stage.push(stranger_id, "late").await.ok();
    assert_eq!(used(&stage).await, before);
}

/// PLATFORM 7: a user of another provider is unknown here.
#[tokio::test]
async fn user_ids_belong_to_a_provider() {
    let stage = Stage::new().await;
    let other = stage.control("POST", "/providers", json!({"name": "Other"})).await.ok();
    let other = other["providerId"].as_str().unwrap();
    let users = stage.items("/users").await;
    let foreign = users[0]["userId"][other].as_str().unwrap();
    assert_ne!(foreign, stage.user_id);
    stage.push(foreign, "x").await.refused(400, "Failed to send messages");
}

/// PLATFORM 18: the same key within 24 h answers 409 with the first answer's messages and request id.
#[tokio::test]
async fn a_retry_key_sends_once() {
    let stage = Stage::new().await;
    let first = push_with_key(&stage, KEY, "once").await;
    let first_id = first.header("x-line-request-id").to_owned();
    let sent = first.ok();
    let again = push_with_key(&stage, &KEY.to_uppercase(), "once").await;
    again.refused(409, "The retry key is already accepted");
    assert_eq!(again.header("x-line-accepted-request-id"), first_id);
    assert_ne!(again.header("x-line-request-id"), first_id);
    assert_eq!(again.json()["sentMessages"], sent["sentMessages"]);
    assert_eq!((stage.timeline().await.len(), used(&stage).await), (1, json!(1)));
    assert_eq!(push_with_key(&stage, "not-a-uuid", "x").await.status, 400);
    stage.advance(24 * 3_600_000).await;
    let token = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    let stage = Stage { token: token["access_token"].as_str().unwrap().to_owned(), ..stage };
    push_with_key(&stage, KEY, "after a day it is new").await.ok();
    assert_eq!(stage.timeline().await.len(), 2);
}

/// A refused push leaves its key free (PLATFORM 18).
#[tokio::test]
async fn a_refused_push_leaves_its_key_free() {
    let stage = Stage::new().await;
    stage.set(json!({"monthlyQuota": 0})).await;
    push_with_key(&stage, KEY, "x").await.refused(429, "You have reached your monthly limit.");
    stage.set(json!({"monthlyQuota": null})).await;
    push_with_key(&stage, KEY, "x").await.ok();
}

/// PLATFORM 22: one per recipient, a group costs its members, over the limit nobody gets it, next month starts anew.
#[tokio::test]
async fn the_month_has_a_quota() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("/v2/bot/message/quota").await.ok(), json!({"type": "none"}));
    stage.set(json!({"monthlyQuota": 3})).await;
    assert_eq!(stage.get("/v2/bot/message/quota").await.ok(), json!({"type": "limited", "value": 3}));
    let mate = stage.control("POST", "/users", json!({"displayName": "美咲"})).await.ok();
    let members = json!([stage.user, mate["user"]]);
    let body = json!({"name": "Team", "channelId": stage.channel, "members": members});
    let group = stage.control("POST", "/groups", body).await.ok()["groupId"].as_str().unwrap().to_owned();
    stage.push(&group, "to two").await.ok();
    assert_eq!(used(&stage).await, 2);
    stage.push(&group, "too many").await.refused(429, "You have reached your monthly limit.");
    stage.push(&stage.user_id, "the third").await.ok();
    stage.push(&stage.user_id, "the fourth").await.refused(429, "You have reached your monthly limit.");
    stage.advance(32 * 24 * 3_600_000).await;
    let token = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    let stage = Stage { token: token["access_token"].as_str().unwrap().to_owned(), ..stage };
    assert_eq!(used(&stage).await, 0);
    stage.push(&stage.user_id, "a new month").await.ok();
}

/// PLATFORM 5: 60 webhook tests an hour.
#[tokio::test]
async fn calls_are_limited_by_rate() {
    let stage = Stage::new().await;
    for _ in 0..60 {
        stage.line("POST", "/v2/bot/channel/webhook/test", json!({})).await.ok();
    }
    let over = stage.line("POST", "/v2/bot/channel/webhook/test", json!({})).await;
    over.refused(429, "The API rate limit has been exceeded. Try again later.");
    stage.advance(60_000).await;
    stage.line("POST", "/v2/bot/channel/webhook/test", json!({})).await.ok();
}

/// PLATFORM 7, 8: the shared validator guards every send; one bad message sends nothing.
#[tokio::test]
async fn messages_are_validated() {
    let stage = Stage::new().await;
    let bad = json!([{"type": "text", "text": "fine"}, {"type": "text", "text": ""}]);
    let push = json!({"to": stage.user_id, "messages": bad});
    let answer = stage.line("POST", "/v2/bot/message/push", push).await;
    answer.refused(400, "The request body has 1 error(s)");
    assert_eq!(answer.json()["details"][0]["property"], "messages[1].text");
    assert!(stage.timeline().await.is_empty());
    let check = async |kind: &str, messages: Value| {
        let path = format!("/v2/bot/message/validate/{kind}");
        stage.line("POST", &path, json!({"messages": messages})).await.status
    };
    for kind in ["reply", "push", "multicast", "narrowcast", "broadcast"] {
        assert_eq!(check(kind, bad.clone()).await, 400);
        assert_eq!(check(kind, json!([{"type": "text", "text": "ok"}])).await, 200);
    }
    assert_eq!(check("everyone", json!([])).await, 404);
    // CONTRACT 2: loopback media may be plain http, other media may not.
    let image = |host: &str| {
        json!([{"type": "image", "originalContentUrl": format!("http://{host}/a.png"),
        "previewImageUrl": format!("http://{host}/a.png")}])
    };
    assert_eq!(check("push", image("127.0.0.1:1")).await, 200);
    assert_eq!(check("push", image("shop.example")).await, 400);
}

/// PLATFORM 17: a quote token works in its own chat only.
#[tokio::test]
async fn quotes_stay_in_their_chat() {
    let stage = Stage::new().await;
    stage.write("quote me").await;
    let quote = stage.receiver.event(2).await["message"]["quoteToken"].clone();
    let push = |token: &Value| json!({"to": stage.user_id, "messages": [{"type": "text", "text": "this", "quoteToken": token}]});
    stage.line("POST", "/v2/bot/message/push", push(&quote)).await.ok();
    assert_eq!(stage.line("POST", "/v2/bot/message/push", push(&json!("made-up"))).await.status, 400);
}
