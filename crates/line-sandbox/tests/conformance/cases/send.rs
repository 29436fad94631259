//! Sending, validation, quota, counts, units, messages by phone number (PLATFORM 7, 8, 14, 18).

use serde_json::{Value, json};

use super::{Calls, Check, NOBODY, calls, text};
use crate::stage::{Answer, Stage};

const DAY_MS: u64 = 24 * 3_600_000;
const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

pub(super) async fn run() -> Calls {
    let stage = Stage::lasting().await;
    reply(&stage).await;
    for (kind, target, success) in [
        ("push", json!({"to": stage.user_id}), 200),
        ("multicast", json!({"to": [stage.user_id]}), 200),
        ("narrowcast", json!({}), 202),
        ("broadcast", json!({}), 200),
    ] {
        sends(&stage, kind, &target, success).await;
    }
    refusals(&stage).await;
    progress(&stage).await;
    by_phone(&stage).await;
    records(&stage).await;
    calls(&stage).await
}

fn with(target: &Value, messages: &Value) -> Value {
    let mut body = target.clone();
    body["messages"] = messages.clone();
    body
}

async fn send(stage: &Stage, kind: &str, body: &Value, key: Option<&str>) -> Answer {
    let request =
        stage.request("POST", &format!("/v2/bot/message/{kind}")).bearer_auth(&stage.token).json(body);
    let request = if let Some(key) = key { request.header("X-Line-Retry-Key", key) } else { request };
    stage.send(request).await.unwrap()
}

async fn reply(stage: &Stage) {
    let before = stage.receiver.events().len();
    stage.write("hi").await;
    let token = stage.receiver.event(before + 1).await["replyToken"].as_str().unwrap().to_owned();
    let body = json!({"replyToken": token, "messages": text("welcome")});
    send(stage, "reply", &body, Some(KEY)).await.is(400);
    assert_eq!(
        send(stage, "reply", &body, None).await.is(200)["sentMessages"].as_array().map(Vec::len),
        Some(1)
    );
    send(stage, "reply", &body, None).await.says(400, "Invalid reply token");
}

/// What the four ways that cost have in common.
async fn sends(stage: &Stage, kind: &str, target: &Value, success: u16) {
    let good = with(target, &text("news"));
    let key = format!("{kind:0<8.8}-e89b-12d3-a456-426614174000")
        .replace(|c: char| !c.is_ascii_hexdigit() && c != '-', "a");
    let first = send(stage, kind, &good, Some(&key)).await;
    let body = first.is(success);
    let again = send(stage, kind, &good, Some(&key)).await;
    again.says(409, "The retry key is already accepted");
    assert_eq!(again.header("x-line-accepted-request-id"), first.header("x-line-request-id"));
    assert_eq!(again.json().get("sentMessages"), body.get("sentMessages"), "{kind}");
    send(stage, kind, &good, Some("no-uuid")).await.is(400);
    send(stage, kind, &with(target, &text("")), None).await.finds("messages[0].text", "May not be empty");
    send(stage, kind, &with(target, &json!([])), None)
        .await
        .finds("messages", "Size must be between 1 and 5");
    stage.set(json!({"monthlyQuota": 0})).await;
    send(stage, kind, &good, None).await.says(429, "You have reached your monthly limit.");
    stage.set(json!({"monthlyQuota": null})).await;
}

async fn refusals(stage: &Stage) {
    let push = |to: &str| json!({"to": to, "messages": text("x")});
    send(stage, "push", &push(NOBODY), None).await.says(400, "Failed to send messages");
    let bad = |at: &str| format!("The property, {at}, in the request body is invalid (line: -, column: -)");
    send(stage, "push", &push("someone"), None).await.says(400, &bad("'to'"));
    let body = json!({"to": [stage.user_id, "someone"], "messages": text("x")});
    send(stage, "multicast", &body, None).await.says(400, &bad("to[1]"));
    let gender = json!({"demographic": {"type": "gender", "oneOf": ["male"]}});
    let body = json!({"messages": text("x"), "filter": gender});
    send(stage, "narrowcast", &body, None).await.says(403, "Your account does not have enough friends");
    let limit = json!({"messages": text("x"), "limit": {"forbidPartialDelivery": true}});
    let message = "The option forbidPartialDelivery must be used with upToRemainingQuota.";
    send(stage, "narrowcast", &limit, None).await.says(400, message);
    for kind in ["reply", "push", "multicast", "narrowcast", "broadcast"] {
        let check = async |messages: Value| {
            send(stage, &format!("validate/{kind}"), &json!({"messages": messages}), None).await
        };
        assert_eq!(check(text("fine")).await.is(200), json!({}));
        check(text("")).await.finds("messages[0].text", "May not be empty");
    }
}

async fn progress(stage: &Stage) {
    let id = send(stage, "narrowcast", &json!({"messages": text("x")}), None)
        .await
        .header("x-line-request-id")
        .to_owned();
    stage.advance(10_000).await;
    let progress =
        async |id: &str| stage.get(&format!("/v2/bot/message/progress/narrowcast?requestId={id}")).await;
    assert_eq!(progress(&id).await.is(200)["phase"], "succeeded");
    progress("nonsense").await.says(400, "The value for the 'requestId' parameter is invalid");
    progress(KEY).await.says(404, "Not found");
}

/// PLATFORM 14: the address is a hash of the phone number.
async fn by_phone(stage: &Stage) {
    let push = async |path: &str, body: Value, tag: &str| {
        let request = stage.request("POST", path).bearer_auth(&stage.token).json(&body);
        stage.send(request.header("X-Line-Delivery-Tag", tag)).await.unwrap()
    };
    let number = "+818000001234";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, number.as_bytes());
    let hash = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let person = json!({"displayName": "Hana", "phone": number});
    let person = stage.control("POST", "/users", person).await.ok();
    let refused =
        push("/bot/pnp/push", json!({"to": hash, "messages": text("x")}), "delivery-tag-0001").await;
    refused.says(403, "Access to this API is not available for your account");
    stage.set(json!({"partner": true})).await;
    let path = format!("/users/{}/follow", person["user"].as_str().unwrap());
    stage.control("POST", &path, json!({"channelId": stage.channel})).await.ok();
    let tag = "delivery-tag-0001";
    let body = |to: &str| json!({"to": to, "messages": text("parcel")});
    push("/bot/pnp/push", body(&hash), tag).await.is(200);
    push("/bot/pnp/push", body(&"0".repeat(64)), tag).await.is(422);
    push("/bot/pnp/push", body("nonsense"), tag).await.is(400);
    const TEMPLATED: &str = "/v2/bot/message/pnp/templated/push";
    let templated = |to: &str| {
        let items = json!([{"itemKey": "time_range_001_ja", "content": "10:00"}]);
        json!({"to": to, "templateKey": "shipment_completed_ja", "body": {"items": items}})
    };
    push(TEMPLATED, templated(&hash), tag).await.is(200);
    push(TEMPLATED, templated(&"0".repeat(64)), tag).await.is(422);
    push(TEMPLATED, json!({"to": hash}), tag).await.is(400);
}

async fn records(stage: &Stage) {
    stage.get("/v2/bot/message/quota").await.is(200);
    assert!(stage.get("/v2/bot/message/quota/consumption").await.is(200)["totalUsage"].is_u64());
    let unit = json!({"to": stage.user_id, "messages": text("x"), "customAggregationUnits": ["spring"]});
    send(stage, "push", &unit, None).await.is(200);
    let units = stage.get("/v2/bot/message/aggregation/info").await.is(200);
    assert_eq!(units, json!({"numOfCustomAggregationUnits": 1}));
    let names = stage.get("/v2/bot/message/aggregation/list").await.is(200);
    assert_eq!(names, json!({"customAggregationUnits": ["spring"]}));
    stage.get("/v2/bot/message/aggregation/list?start=x").await.says(400, "Invalid start param");
    for way in ["reply", "push", "multicast", "broadcast", "pnp", "pnp/templated"] {
        let path = format!("/v2/bot/message/delivery/{way}");
        assert_eq!(
            stage.get(&format!("{path}?date=20200101")).await.is(200),
            json!({"status": "out_of_service"})
        );
        stage
            .get(&format!("{path}?date=1st"))
            .await
            .says(400, "The value for the 'date' parameter is invalid");
    }
    stage.advance(DAY_MS).await;
}
